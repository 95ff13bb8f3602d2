//! `GET /v1/stock/{sku}/replenishment`: when a SKU is ordered, and how the numbers came about.

use domain::ids::Sku;
use http::{Problem, Request, Response};
use runtime::{App, problem};

use crate::view::ReplenishmentView;

pub(crate) async fn read(app: &App, request: &Request) -> Result<Response, Problem> {
    let sku: Sku = http::parse(request, |input| input.path("sku"))?;
    let found = app.store.look_at_replenishment(&sku).await.map_err(problem)?.ok_or_else(no_terms)?;
    Ok(Response::ok(&ReplenishmentView::new(&sku, &found)).version(found.terms.version))
}

/// The SKU is not reordered.
pub(crate) fn no_terms() -> Problem {
    Problem::nothing_there("This SKU is not reordered. PUT /v1/stock/{sku}/replenishment says when and how.")
}
