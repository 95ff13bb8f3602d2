//! `GET /v1/stock/{sku}?channel=`: what there is of one SKU, exact at the moment of the answer.

use http::{Problem, Request, Response};
use runtime::{App, problem};

use crate::{stock_id, view::Stock};

pub(crate) async fn read(app: &App, request: &Request) -> Result<Response, Problem> {
    let stock = http::parse(request, stock_id)?;
    let views = app.store.stock(&[stock]).await.map_err(problem)?;
    // One view for the one SKU that was asked for.
    let view = views.first().ok_or_else(Problem::internal_error)?;
    Ok(Response::ok(&Stock::new(view)).version(view.home().version))
}
