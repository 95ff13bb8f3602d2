//! `GET /v1/purchase-orders/{id}`: where a purchase order stands.

use http::{Problem, Request, Response};
use runtime::{App, problem};

use crate::view::PurchaseOrderView;

pub(crate) async fn read(app: &App, request: &Request) -> Result<Response, Problem> {
    let id = http::parse(request, |input| input.path("id"))?;
    let order = app.store.purchase_order(&id).await.map_err(|fault| problem(fault.into()))?;
    Ok(Response::ok(&PurchaseOrderView::new(&order.ok_or_else(crate::unknown)?)))
}
