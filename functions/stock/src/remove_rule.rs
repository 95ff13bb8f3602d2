//! `DELETE /v1/stock/{sku}/redistribution`: the units of a SKU are divided by hand from now on. Said again, it is still so.

use domain::ids::Sku;
use http::{Problem, Request, Response};
use runtime::{App, problem};
use serde::Serialize;

#[derive(Serialize)]
struct Removed<'a> {
    sku: &'a str,
    /// Whether there was one.
    removed: bool,
}

pub(crate) async fn remove(app: &App, request: &Request) -> Result<Response, Problem> {
    let sku: Sku = http::parse(request, |input| input.path("sku"))?;
    let removed = app.store.remove_redistribution(&sku).await.map_err(|fault| problem(fault.into()))?;
    Ok(Response::ok(&Removed { sku: sku.as_str(), removed }))
}
