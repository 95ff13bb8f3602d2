//! How one vendor speaks.

use serde_json::Value;
use vendor::transport::{Request, Response};
use wire::{HeaderValue, StatusCode, header::CONTENT_TYPE};

use crate::books::Books;

/// The wire formats of one vendor over [`Books`].
pub trait Face: Send + Sync {
    /// Answers a call as the vendor would; wrong paths, methods, headers and bodies are refused as the vendor would refuse them.
    fn answer(&self, books: &mut Books, request: &Request) -> Response;

    /// Whether this call creates an order: the one whose answer can be lost.
    fn creates(&self, request: &Request) -> bool;

    /// What the vendor says when it throttles.
    fn throttled(&self) -> Response;
}

/// An answer with this status and nothing else.
#[must_use]
pub fn empty(status: u16) -> Response {
    let mut response = Response::default();
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or_default();
    response
}

/// An answer with this status and JSON.
#[must_use]
pub fn json(status: u16, body: &Value) -> Response {
    let mut response = empty(status);
    *response.body_mut() = body.to_string().into_bytes();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// A header, or nothing said.
#[must_use]
pub fn header<'a>(request: &'a Request, name: &str) -> &'a str {
    request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// A parameter of the query, decoded.
#[must_use]
pub fn parameter(request: &Request, name: &str) -> Option<String> {
    let query = request.uri().query().unwrap_or_default();
    form_urlencoded::parse(query.as_bytes()).find(|(known, _)| known == name).map(|(_, value)| value.into_owned())
}

/// A field of a form, decoded.
#[must_use]
pub fn field(request: &Request, name: &str) -> String {
    let mut pairs = form_urlencoded::parse(request.body());
    pairs.find(|(known, _)| known == name).map(|(_, value)| value.into_owned()).unwrap_or_default()
}

/// Answers a call, or fails as the faults say. Nothing: no answer comes, whatever was done.
#[must_use]
pub fn answer(face: &dyn Face, books: &mut Books, request: &Request) -> Option<Response> {
    books.catch_up();
    if books.faults.down {
        return None;
    }
    if books.faults.throttle_next > 0 {
        books.faults.throttle_next -= 1;
        return Some(face.throttled());
    }
    if books.faults.fail_next > 0 {
        books.faults.fail_next -= 1;
        return Some(empty(503));
    }
    let before = (face.creates(request) && books.faults.commit_late_seconds > 0).then(|| books.orders.clone());
    let response = face.answer(books, request);
    if let Some(before) = before {
        books.put_off(&before);
        return None;
    }
    if books.faults.lose_any > 0 {
        books.faults.lose_any -= 1;
        return None;
    }
    if face.creates(request) && response.status().is_success() && books.faults.lose_replies > 0 {
        books.faults.lose_replies -= 1;
        return None;
    }
    Some(response)
}
