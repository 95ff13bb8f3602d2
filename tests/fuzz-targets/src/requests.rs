//! HTTP requests, as API Gateway hands them on.
//!
//! An input reads like HTTP: a line with method and path, headers, an empty line, a body. A line that begins with `%%` ends a request;
//! behind it may stand how many seconds pass before the next one. An input that begins with `{` is an event of API Gateway itself.
//!
//! What must be so of each answer:
//! - it is no failure: 2xx, or 4xx as a problem document with a type, status and title that the API documents;
//! - a request that is not understood changes nothing;
//! - what was made can be read where the answer says that it is;
//! - the same request again hears the same;
//! - every header of it is one that API Gateway passes on.
//!
//! And in the end everything that is stored can be read, and no invariant of the protocol is broken.

use std::sync::LazyLock;

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use domain::limits::{MAX_LINES, MAX_QUANTITY};
use http::{Kind, Response};
use serde_json::{Map, Value, json};

use crate::{
    Seen,
    shop::{Day, Shop},
};

const TEMPLATE: &str = include_str!("../../../template.yaml");

/// Requests of one input; the rest of it is nobody's business.
const MOST_REQUESTS: usize = 12;

/// No input waits for longer than a year.
const MOST_SECONDS: u64 = 366 * 24 * 60 * 60;

/// Requests that are answered.
///
/// # Panics
/// When something of the above is not so.
#[must_use]
pub fn http(bytes: &[u8]) -> Seen {
    Shop::open(|day| {
        if bytes.starts_with(b"{") {
            let Ok(event) = serde_json::from_slice(bytes) else { return Seen::Refused };
            return Seen::when(answered(day, event));
        }
        let mut accepted = false;
        for (seconds, request) in requests(bytes).into_iter().take(MOST_REQUESTS) {
            day.wait(seconds);
            if let Some(event) = event(request) {
                accepted |= answered(day, event);
            }
        }
        Seen::when(accepted)
    })
}

/// The routes of the API, as `template.yaml` has them.
#[must_use]
pub fn routes() -> &'static [(&'static str, &'static str)] {
    static ROUTES: LazyLock<Vec<(&str, &str)>> = LazyLock::new(|| {
        let keys = TEMPLATE.lines().filter_map(|line| line.trim().strip_prefix("RouteKey: "));
        keys.filter_map(|key| key.split_once(' ')).collect()
    });
    &ROUTES
}

/// Each request, and how many seconds after the one before it.
fn requests(bytes: &[u8]) -> Vec<(u64, &[u8])> {
    let mut all = Vec::new();
    let mut rest = bytes;
    let mut seconds = 0;
    while let Some(end) = find(rest, b"\n%%") {
        all.push((seconds, &rest[..end]));
        let behind = &rest[end + 3..];
        let (line, next) = behind.split_at(find(behind, b"\n").map_or(behind.len(), |end| end + 1));
        let wait = std::str::from_utf8(line).ok().and_then(|line| line.trim().parse().ok());
        seconds = wait.unwrap_or(0).min(MOST_SECONDS);
        rest = next;
    }
    all.push((seconds, rest));
    all
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

/// The event for a request; nothing where API Gateway knows no route.
pub(crate) fn event(request: &[u8]) -> Option<Value> {
    let (head, body) = match find(request, b"\n\n") {
        Some(end) => (&request[..end], &request[end + 2..]),
        None => (request, &[][..]),
    };
    let head = String::from_utf8_lossy(head);
    let mut lines = head.lines();
    let (method, target) = lines.next()?.split_once(' ')?;
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let (template, parameters) = route(method, path)?;
    let mut headers = Map::new();
    for line in lines {
        let (name, value) = line.split_once(':')?;
        let name = name.to_ascii_lowercase();
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
            return None;
        }
        match headers.get_mut(&name) {
            Some(Value::String(values)) => *values = format!("{values},{}", value.trim()),
            _ => drop(headers.insert(name, value.trim().into())),
        }
    }
    let route_key = format!("{method} {template}");
    let mut event = json!({
        "version": "2.0", "routeKey": route_key, "rawPath": path, "rawQueryString": query, "headers": headers,
        "pathParameters": parameters, "isBase64Encoded": false,
        "requestContext": {"requestId": "gateway", "routeKey": route_key, "http": {"method": method, "path": path}},
    });
    match std::str::from_utf8(body) {
        Ok("") => {}
        Ok(text) => event["body"] = text.into(),
        Err(_) => {
            event["body"] = BASE64.encode(body).into();
            event["isBase64Encoded"] = true.into();
        }
    }
    Some(event)
}

fn route(method: &str, path: &str) -> Option<(&'static str, Map<String, Value>)> {
    let candidates = routes().iter().filter(|(known, _)| *known == method);
    candidates
        .map(|(_, template)| (*template, parameters(template, path)))
        .find_map(|(template, parameters)| Some((template, parameters?)))
}

fn parameters(template: &str, path: &str) -> Option<Map<String, Value>> {
    let mut parameters = Map::new();
    let mut given = path.split('/');
    for part in template.split('/') {
        let text = given.next()?;
        match part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) {
            Some(name) => drop(parameters.insert(name.to_owned(), text.into())),
            None if part == text => {}
            None => return None,
        }
    }
    given.next().is_none().then_some(parameters)
}

/// Answers it, twice if it may be repeated. Says whether it was granted.
fn answered(day: &Day<'_>, event: Value) -> bool {
    let before = day.changes();
    let Some((request, response)) = day.request(event.clone()) else { return false };
    let unchanged = day.changes() == before;
    check(request.id(), &response, unchanged);
    // Without a key, the second of two may find what the first has done.
    if !request.route().starts_with("PUT") && !request.route().starts_with("DELETE") {
        let again = day.request(event).map(|(_, response)| response).expect("read before");
        assert_eq!((again.status(), again.body()), (response.status(), response.body()), "not the same answer twice");
    }
    if let Some(location) = response.header("location") {
        let look = self::event(format!("GET {location}").as_bytes()).expect("a route of the API");
        let (_, found) = day.request(look).expect("a request");
        assert_eq!(found.status(), 200, "{location} cannot be read: {}", found.body());
    }
    response.status() < 400
}

fn check(request_id: &str, response: &Response, unchanged: bool) {
    let (status, text) = (response.status(), response.body());
    let body: Value = serde_json::from_str(text).expect("an answer is JSON");
    assert_eq!(response.header("x-request-id"), Some(request_id));
    assert!(status < 500, "{status}: {text}");
    if status < 400 {
        assert_eq!(response.header("content-type"), Some("application/json"));
        check_lines(&body);
    } else {
        assert_eq!(response.header("content-type"), Some("application/problem+json"));
        let said = (body["status"].as_u64(), body["type"].as_str(), body["title"].as_str());
        let documented = |kind: &Kind| {
            let (status, slug, title) = kind.parts();
            said == (Some(status.into()), Some(&*format!("/problems/{slug}")), Some(title))
        };
        let kind = Kind::ALL.into_iter().find(documented).expect("a documented kind of problem");
        assert_eq!((kind.parts().0, body["request_id"].as_str()), (status, Some(request_id)));
        let detail = body["detail"].as_str().unwrap_or_default();
        assert!(detail.len() > 10, "{text}");
        // The caller's own words stand only where fields or lines are named.
        let foreign = body["errors"].is_null() && body["lines"].is_null();
        let internal = ["panicked", "dynamodb", "ValidationException", ".rs:"];
        assert!(!foreign || internal.iter().all(|word| !detail.contains(word)), "{text}");
        let not_understood = kind <= Kind::InvalidRequest;
        assert!(unchanged || !not_understood, "it was not understood, and has changed something: {text}");
        assert_eq!(kind == Kind::InvalidRequest, body["errors"].is_array() && kind != Kind::UnknownSku, "{text}");
    }
    let headers = response.headers().len();
    assert_eq!(response.clone().into_event().headers.len(), headers, "a header is lost: {:?}", response.headers());
}

/// A cart in an answer is within the limits.
fn check_lines(body: &Value) {
    if let Some(lines) = body["lines"].as_array() {
        assert!(lines.len() <= MAX_LINES);
        for line in lines {
            assert!(line["quantity"].as_u64().is_some_and(|units| (1..=MAX_QUANTITY).contains(&units)), "{body}");
        }
    }
}
