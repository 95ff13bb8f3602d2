//! `POST /v1/purchase-orders/{id}/cancel`: what has not come will not.

use domain::purchase::Step;
use http::{Problem, Request, Response};
use runtime::App;

pub(crate) async fn cancel(app: &App, request: &Request) -> Result<Response, Problem> {
    let id = http::parse(request, crate::of_path)?;
    crate::step(app, &id, Step::Cancel).await
}
