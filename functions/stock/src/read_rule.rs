//! `GET /v1/stock/{sku}/redistribution`: the rule by which the units of a SKU are divided anew, and what it remembers.

use domain::ids::Sku;
use http::{Problem, Request, Response};
use runtime::{App, problem};

use crate::pools::RuleView;

pub(crate) async fn read(app: &App, request: &Request) -> Result<Response, Problem> {
    let sku: Sku = http::parse(request, |input| input.path("sku"))?;
    let stored = app.store.redistribution(&sku).await.map_err(|fault| problem(fault.into()))?;
    let stored = stored.ok_or_else(no_rule)?;
    Ok(Response::ok(&RuleView::new(&sku, &stored)).version(stored.version))
}

/// The SKU has no rule.
pub(crate) fn no_rule() -> Problem {
    Problem::nothing_there("This SKU has no redistribution rule. PUT /v1/stock/{sku}/redistribution makes one.")
}
