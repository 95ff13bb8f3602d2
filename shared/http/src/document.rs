//! The problem document: RFC 9457, with the fields and lines at fault.

use domain::{refusal::FieldError, reservation::Shortage};
use serde::Serialize;

use crate::{Kind, Problem, Response};

impl Problem {
    /// The document, for the request with this id.
    #[must_use]
    pub fn render(&self, request_id: &str) -> Response {
        let (status, slug, title) = self.kind.parts();
        let document = Document {
            r#type: format!("/problems/{slug}"),
            title,
            status,
            detail: &self.detail,
            request_id,
            errors: self.errors.iter().map(|FieldError { field, detail }| Fault { field, detail }).collect(),
            lines: self.lines.iter().map(Short::new).collect(),
            refund_required: self.refund_required,
        };
        let response = Response::json(status, "application/problem+json", &document);
        if self.kind == Kind::Contended { response.with("retry-after", "1") } else { response }
    }
}

#[derive(Serialize)]
struct Document<'a> {
    r#type: String,
    title: &'static str,
    status: u16,
    detail: &'a str,
    request_id: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<Fault<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    lines: Vec<Short<'a>>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    refund_required: bool,
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
