//! What a call to the API comes back with.

use serde_json::Value;

/// A request that was done.
#[derive(Debug)]
pub struct Answer {
    pub body: Value,
    /// The service had done this before and said the same again.
    pub replayed: bool,
}

/// A request that was not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotDone {
    /// The service said no.
    Refused(Problem),
    /// Nobody answered, or whoever did would not let us in; why, as a sentence.
    Unreachable(String),
}

impl NotDone {
    /// As a sentence.
    pub fn sentence(&self) -> String {
        match self {
            Self::Refused(problem) => problem.detail.clone(),
            Self::Unreachable(why) => why.clone(),
        }
    }

    /// Whether the service said no for the reason that the API calls `slug`.
    pub fn is(&self, slug: &str) -> bool {
        matches!(self, Self::Refused(problem) if problem.slug == slug)
    }
}

/// What the service says when it says no.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub status: u16,
    /// The stable name of the reason, for example `insufficient-stock`.
    pub slug: String,
    pub detail: String,
}

impl Problem {
    /// From an answer's body. What stands in front of the service (API Gateway, a proxy) does not speak problem+json.
    pub fn read(status: u16, body: &Value) -> Self {
        let text = |name: &str| body[name].as_str().map(str::to_owned);
        let slug = text("type").and_then(|uri| uri.rsplit('/').next().map(str::to_owned));
        Self {
            status,
            slug: slug.unwrap_or_else(|| format!("http-{status}")),
            detail: text("detail").unwrap_or_else(|| {
                let said = text("title").or_else(|| text("message"));
                let said = said.map(|said| format!(": {said}")).unwrap_or_default();
                format!("The service answered with status {status}{said}.")
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn problems_are_named_by_the_last_part_of_their_type() {
        let body = json!({"type": "/problems/insufficient-stock", "title": "t", "detail": "d"});
        let problem = Problem::read(409, &body);
        assert_eq!((problem.slug.as_str(), problem.detail.as_str()), ("insufficient-stock", "d"));
        let problem = Problem::read(500, &json!({"message": "Internal Server Error"}));
        assert_eq!(
            (problem.slug.as_str(), problem.detail.as_str()),
            ("http-500", "The service answered with status 500: Internal Server Error.")
        );
        assert_eq!(Problem::read(404, &Value::Null).slug, "http-404");
    }
}
