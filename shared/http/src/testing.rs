//! Requests as a test writes them: a route, and only what the test is about.

use serde_json::{Value, json};

use crate::Request;

/// A request in the making. A POST starts with an `Idempotency-Key` and a content type, so that a test says only what is odd.
#[derive(Debug, Clone)]
pub struct Sample(Value);

impl Sample {
    /// A request for this route: `POST /v1/reservations/{id}/confirm`.
    ///
    /// # Panics
    /// Never; see [`Self::request`].
    #[must_use]
    pub fn new(route: &str) -> Self {
        let method = route.split(' ').next().unwrap_or_default();
        let sample = Self(json!({
            "version": "2.0", "routeKey": route, "rawQueryString": "", "headers": {}, "pathParameters": {},
            "isBase64Encoded": false, "requestContext": {"requestId": "r-1", "http": {"method": method}},
        }));
        match method {
            "POST" => sample.header("Idempotency-Key", "k-1").header("Content-Type", "application/json"),
            "PUT" => sample.header("Content-Type", "application/json"),
            _ => sample,
        }
    }

    /// With a path parameter.
    #[must_use]
    pub fn path(mut self, name: &str, value: &str) -> Self {
        self.0["pathParameters"][name] = json!(value);
        self
    }

    /// With a query string.
    #[must_use]
    pub fn query(mut self, query: &str) -> Self {
        self.0["rawQueryString"] = json!(query);
        self
    }

    /// With a header, instead of one of that very name.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.0["headers"][name] = json!(value);
        self
    }

    /// Without a header.
    ///
    /// # Panics
    /// Never: the headers of a sample are an object.
    #[must_use]
    pub fn without_header(mut self, name: &str) -> Self {
        self.0["headers"].as_object_mut().expect("an object").remove(name);
        self
    }

    /// With a body.
    #[must_use]
    pub fn body(mut self, body: &str) -> Self {
        self.0["body"] = json!(body);
        self
    }

    /// With a body that is bytes.
    #[must_use]
    pub fn base64_body(mut self, body: &str) -> Self {
        self.0["isBase64Encoded"] = json!(true);
        self.body(body)
    }

    /// The request.
    ///
    /// # Panics
    /// When a header given is not one.
    #[must_use]
    pub fn request(&self) -> Request {
        Request::from_event(serde_json::from_value(self.0.clone()).expect("an event"))
    }
}

/// The fields at fault, with what is said of them.
///
/// # Panics
/// When nothing is, or something else than a field.
pub fn faults<'a, T: std::fmt::Debug>(
    request: &'a Request,
    read: impl FnOnce(&mut crate::Input<'a>) -> Option<T>,
) -> Vec<(String, String)> {
    let problem = crate::parse(request, read).unwrap_err();
    assert_eq!(problem.kind(), crate::Kind::InvalidRequest);
    problem.errors().iter().map(|error| (error.field.clone(), error.detail.clone())).collect()
}
