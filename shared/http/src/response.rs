//! Status, headers and body of an answer.

use aws_lambda_events::{apigw::ApiGatewayV2httpResponse, encodings::Body};
use serde::Serialize;

/// One HTTP answer. Header names are in lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: String,
}

impl Response {
    /// 200 with `body` as JSON.
    #[must_use]
    pub fn ok(body: &impl Serialize) -> Self {
        Self::json(200, "application/json", body)
    }

    /// 201 with `body` as JSON.
    #[must_use]
    pub fn created(body: &impl Serialize) -> Self {
        Self::json(201, "application/json", body)
    }

    /// 202 with `body` as JSON: the request will be decided later.
    #[must_use]
    pub fn accepted(body: &impl Serialize) -> Self {
        Self::json(202, "application/json", body)
    }

    /// What a vendor wants to hear, as it is.
    #[must_use]
    pub fn raw(status: u16, content_type: &'static str, body: &[u8]) -> Self {
        // Challenges and their answers are ASCII.
        let body = String::from_utf8_lossy(body).into_owned();
        Self { status, headers: vec![("content-type", content_type.to_owned())], body }
    }

    /// In how many seconds to ask again.
    #[must_use]
    pub fn retry_after(self, seconds: u64) -> Self {
        self.with("retry-after", seconds.to_string())
    }

    pub(crate) fn json(status: u16, content_type: &'static str, body: &impl Serialize) -> Self {
        // Cannot fail: the views are structs of texts, numbers and lists; only a map with odd keys or a failing writer would.
        let body = serde_json::to_string(body).expect("views serialize");
        Self { status, headers: vec![("content-type", content_type.to_owned())], body }
    }

    /// Adds a header. The name is in lower case.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Where what was made can be read.
    #[must_use]
    pub fn location(self, path: impl Into<String>) -> Self {
        self.with("location", path)
    }

    /// The version of what was read or written, to be sent back as `If-Match`.
    #[must_use]
    pub fn version(self, version: u64) -> Self {
        self.with("etag", format!("\"{version}\""))
    }

    /// Says so if this is the recorded answer of an earlier request with the same `Idempotency-Key`.
    #[must_use]
    pub fn replayed(self, replayed: bool) -> Self {
        if replayed { self.with("idempotency-replayed", "true") } else { self }
    }

    /// The status code.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The value of a header, whatever the case of its name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// All headers, names in lower case.
    #[must_use]
    pub fn headers(&self) -> &[(&'static str, String)] {
        &self.headers
    }

    /// The body: JSON.
    #[must_use]
    pub fn body(&self) -> &str {
        &self.body
    }

    /// The answer as API Gateway expects it.
    #[must_use]
    pub fn into_event(self) -> ApiGatewayV2httpResponse {
        let mut event = ApiGatewayV2httpResponse::default();
        event.status_code = self.status.into();
        for (name, value) in self.headers {
            // Values are ids, numbers and echoed visible ASCII; one that is no header value would be better left out than fatal.
            if let Ok(value) = value.parse() {
                event.headers.insert(name, value);
            }
        }
        event.body = Some(Body::Text(self.body));
        event
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_answer_becomes_the_event_that_the_gateway_expects() {
        let response = Response::created(&json!({"id": "x"})).location("/v1/reservations/x").version(3).replayed(true);
        let event = serde_json::to_value(response.replayed(false).into_event()).unwrap();
        let expected = json!({
            "statusCode": 201,
            "headers": {
                "content-type": "application/json", "location": "/v1/reservations/x", "etag": "\"3\"",
                "idempotency-replayed": "true",
            },
            "multiValueHeaders": {}, "body": "{\"id\":\"x\"}", "isBase64Encoded": false, "cookies": [],
        });
        assert_eq!(event, expected);
    }
}
