//! `DELETE /v1/stock/{sku}/replenishment`: a SKU is not reordered any more, and its alert closes. What it sold stays known.

use domain::ids::Sku;
use http::{Problem, Request, Response};
use runtime::{App, problem};
use serde::Serialize;

#[derive(Serialize)]
struct Removed<'a> {
    sku: &'a str,
    /// Whether there were any.
    removed: bool,
}

pub(crate) async fn remove(app: &App, request: &Request) -> Result<Response, Problem> {
    let sku: Sku = http::parse(request, |input| input.path("sku"))?;
    let removed = app.store.remove_replenishment(&sku).await.map_err(problem)?;
    Ok(Response::ok(&Removed { sku: sku.as_str(), removed }))
}
