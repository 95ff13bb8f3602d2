//! `GET /v1/stock?limit=&cursor=`: every SKU in every channel, page by page.

use http::{Input, Problem, Request, Response};
use runtime::{App, problem};

use crate::view::{PageView, Stock};

pub(crate) async fn list(app: &App, request: &Request) -> Result<Response, Problem> {
    let (limit, cursor) = http::parse(request, Input::page)?;
    let page = app.store.list_stock(limit, cursor.as_deref()).await.map_err(problem)?;
    Ok(Response::ok(&PageView::new(&page, Stock::new)))
}
