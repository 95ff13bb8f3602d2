//! `GET /v1/purchase-orders?status=`: those of which something is still to come first, then the closed ones, each newest first.

use domain::purchase::Status;
use http::{Problem, Request, Response};
use runtime::{App, problem};
use serde::Serialize;

use crate::view::PurchaseOrderView;

#[derive(Serialize)]
struct Page<'a> {
    items: Vec<PurchaseOrderView<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

pub(crate) async fn list(app: &App, request: &Request) -> Result<Response, Problem> {
    let (status, limit, cursor) = asked(request)?;
    let page = app.store.list_purchase_orders(status, limit, cursor.as_deref()).await.map_err(problem)?;
    let items = page.items.iter().map(PurchaseOrderView::new).collect();
    Ok(Response::ok(&Page { items, next_cursor: page.next_cursor }))
}

fn asked(request: &Request) -> Result<(Option<Status>, usize, Option<String>), Problem> {
    http::parse(request, |input| {
        let status = input.query("status");
        let (limit, cursor) = input.page()?;
        Some((status, limit, cursor))
    })
}

#[cfg(test)]
mod tests {
    use http::testing::Sample;

    use super::*;

    #[test]
    fn a_status_may_be_asked_for() {
        let ask = |query: &str| asked(&Sample::new("GET /v1/purchase-orders").query(query).request());
        assert_eq!(ask("").unwrap(), (None, 50, None));
        assert_eq!(ask("status=partially_received&limit=7").unwrap(), (Some(Status::PartiallyReceived), 7, None));
        for query in ["status=open", "status=", "limit=0", "state=sent"] {
            assert!(ask(query).is_err(), "{query}");
        }
    }
}
