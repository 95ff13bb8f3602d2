//! The problem document: RFC 9457, with the fields and lines at fault.

use domain::{refusal::FieldError, reservation::Shortage};
use serde::{Serialize, Serializer};

use crate::{Kind, Problem, Response};

impl Serialize for Problem {
    /// As a part of another document: what is wrong, without the status and the id of a request.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (_, slug, title) = self.kind.parts();
        Reason { r#type: format!("/problems/{slug}"), title, said: Said::of(self) }.serialize(serializer)
    }
}

impl Problem {
    /// The document, for the request with this id.
    #[must_use]
    pub fn render(&self, request_id: &str) -> Response {
        let (status, slug, title) = self.kind.parts();
        let document =
            Document { r#type: format!("/problems/{slug}"), title, status, request_id, said: Said::of(self) };
        let response = Response::json(status, "application/problem+json", &document);
        if self.kind == Kind::Contended { response.with("retry-after", "1") } else { response }
    }
}

#[derive(Serialize)]
struct Document<'a> {
    r#type: String,
    title: &'static str,
    status: u16,
    request_id: &'a str,
    #[serde(flatten)]
    said: Said<'a>,
}

#[derive(Serialize)]
struct Reason<'a> {
    r#type: String,
    title: &'static str,
    #[serde(flatten)]
    said: Said<'a>,
}

/// What a problem says for itself, wherever it is said.
#[derive(Serialize)]
struct Said<'a> {
    detail: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<Fault<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    lines: Vec<Short<'a>>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    refund_required: bool,
}

impl<'a> Said<'a> {
    fn of(problem: &'a Problem) -> Self {
        Self {
            detail: &problem.detail,
            errors: problem.errors.iter().map(|FieldError { field, detail }| Fault { field, detail }).collect(),
            lines: problem.lines.iter().map(Short::new).collect(),
            refund_required: problem.refund_required,
        }
    }
}

#[derive(Serialize)]
struct Fault<'a> {
    field: &'a str,
    detail: &'a str,
}

#[derive(Serialize)]
struct Short<'a> {
    sku: &'a str,
    requested: u64,
    available: u64,
}

impl<'a> Short<'a> {
    fn new(shortage: &'a Shortage) -> Self {
        Self { sku: shortage.sku.as_str(), requested: shortage.requested.units(), available: shortage.available }
    }
}
