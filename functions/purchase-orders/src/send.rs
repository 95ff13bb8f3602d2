//! `POST /v1/purchase-orders/{id}/send`: from now on its units are on their way.

use domain::purchase::Step;
use http::{Problem, Request, Response};
use runtime::App;

pub(crate) async fn send(app: &App, request: &Request) -> Result<Response, Problem> {
    let id = http::parse(request, crate::of_path)?;
    crate::step(app, &id, Step::Send).await
}
