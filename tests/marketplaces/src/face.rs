//! How one vendor speaks.

use channels::{
    Delivery,
    transport::{Request, Response},
};

use crate::market::Market;

/// The wire formats of one vendor over a [`Market`].
pub trait Face: Send + Sync {
    /// Answers a call as the vendor would; wrong paths, methods, headers and bodies are refused as the vendor would refuse them.
    /// Outages and throttling are the caller's matter ([`answer`]), but for the headers that a vendor sends with a 429.
    fn answer(&self, market: &mut Market, request: &Request) -> Response;

    /// What the vendor says when it throttles.
    fn throttled(&self) -> Response;

    /// What the vendor delivers to a webhook when this order has changed, signed; nothing if it delivers nothing (Amazon: the body of
    /// the message in our queue).
    fn webhook(&self, market: &Market, order: &str, url: &str) -> Option<Delivery>;
}

/// An answer with this status and JSON.
#[must_use]
pub fn json(status: u16, body: &serde_json::Value) -> Response {
    let mut response = Response::new(body.to_string().into_bytes());
    *response.status_mut() = wire::StatusCode::from_u16(status).unwrap_or_default();
    response.headers_mut().insert("content-type", wire::HeaderValue::from_static("application/json"));
    response
}

/// Answers a call, or fails as the market's faults say. Nothing: nobody answers at all.
#[must_use]
pub fn answer(face: &dyn Face, market: &mut Market, request: &Request) -> Option<Response> {
    if market.faults.down {
        return None;
    }
    if market.faults.throttle_next > 0 {
        market.faults.throttle_next -= 1;
        return Some(face.throttled());
    }
    Some(face.answer(market, request))
}
