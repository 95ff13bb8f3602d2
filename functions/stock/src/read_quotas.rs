//! `GET /v1/stock/{sku}/quotas`: how the units of a SKU are divided, and the rule by which they are divided anew.

use domain::ids::Sku;
use http::{Problem, Request, Response};
use runtime::{App, problem};
use store::pools_version;

use crate::pools::QuotasView;

pub(crate) async fn read(app: &App, request: &Request) -> Result<Response, Problem> {
    let sku: Sku = http::parse(request, |input| input.path("sku"))?;
    show(app, &sku).await
}

/// Every pool as it is now.
pub(crate) async fn show(app: &App, sku: &Sku) -> Result<Response, Problem> {
    let views = app.store.pools(sku).await.map_err(problem)?;
    let rule = app.store.redistribution(sku).await.map_err(|fault| problem(fault.into()))?;
    Ok(Response::ok(&QuotasView::new(sku, &views, rule.as_ref())).version(pools_version(&views)))
}
