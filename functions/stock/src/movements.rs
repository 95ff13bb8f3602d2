//! `GET /v1/stock/{sku}/movements?channel=&limit=&cursor=`: why there is as much as there is, the newest first.

use http::{Problem, Request, Response};
use runtime::{App, problem};

use crate::{
    stock_id,
    view::{MovementView, PageView},
};

pub(crate) async fn list(app: &App, request: &Request) -> Result<Response, Problem> {
    let (stock, limit, cursor) = http::parse(request, |input| {
        let stock = stock_id(input);
        let (limit, cursor) = input.page()?;
        Some((stock?, limit, cursor))
    })?;
    let page = app.store.list_movements(&stock, limit, cursor.as_deref()).await.map_err(problem)?;
    Ok(Response::ok(&PageView::new(&page, MovementView::new)))
}
