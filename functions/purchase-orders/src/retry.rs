//! `POST /v1/purchase-orders/{id}/retry`: the ERP has refused it; what was wrong is mended, and it is to be tried again.

use domain::purchase::Step;
use http::{Problem, Request, Response};
use runtime::App;

pub(crate) async fn retry(app: &App, request: &Request) -> Result<Response, Problem> {
    let id = http::parse(request, crate::of_path)?;
    crate::step(app, &id, Step::Retry).await
}
