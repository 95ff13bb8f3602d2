//! One answer of the service.

use std::ops::Index;

use reqwest::header::HeaderMap;
use serde_json::Value;

/// Status, headers and body; and which call it answers, for the message of a test that fails.
#[derive(Debug, Clone)]
pub struct Answer {
    pub call: String,
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
    /// Null if it is not JSON.
    pub body: Value,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// Whether it is the recorded answer of an earlier request.
    pub fn is_replayed(&self) -> bool {
        self.header("idempotency-replayed") == Some("true")
    }

    /// Goes on with an answer of this status only.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}: {}", self.call, self.text);
        self
    }

    /// Goes on with a refusal of this type only.
    #[track_caller]
    pub fn expect_problem(self, status: u16, slug: &str) -> Self {
        let answer = self.expect(status);
        assert_eq!(answer["type"], format!("/problems/{slug}"), "{}: {}", answer.call, answer.text);
        answer
    }

    /// The fields that a refusal names.
    pub fn fields(&self) -> Vec<&str> {
        let errors = self.body["errors"].as_array().into_iter().flatten();
        errors.filter_map(|error| error["field"].as_str()).collect()
    }

    #[track_caller]
    pub fn id(&self) -> String {
        self.text_of("id")
    }

    #[track_caller]
    pub fn text_of(&self, field: &str) -> String {
        self.body[field].as_str().unwrap_or_else(|| panic!("{} has no {field}: {}", self.call, self.text)).to_owned()
    }

    #[track_caller]
    pub fn number(&self, field: &str) -> u64 {
        self.body[field].as_u64().unwrap_or_else(|| panic!("{} has no {field}: {}", self.call, self.text))
    }

    /// The items of a page.
    #[track_caller]
    pub fn items(&self) -> &[Value] {
        self.body["items"].as_array().unwrap_or_else(|| panic!("{} has no items: {}", self.call, self.text))
    }
}

impl Index<&str> for Answer {
    type Output = Value;

    fn index(&self, field: &str) -> &Value {
        &self.body[field]
    }
}
