//! `GET /v1/backorders?sku=&limit=&cursor=`: who was promised units that have not come, by SKU and in the order of their promises; and which
//! purchase orders bring them. That is worked out here, of what is on its way now: first promised, first served.

use domain::{
    ids::{Reference, Sku},
    time::{Day, Timestamp},
};
use http::{Date, Problem, Request, Response, view::rfc3339};
use runtime::{App, problem};
use serde::Serialize;
use store::Backorder;

#[derive(Serialize)]
struct Page<'a> {
    items: Vec<BackorderView<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// Somebody who waits.
#[derive(Debug, Serialize)]
struct BackorderView<'a> {
    sku: &'a str,
    reservation_id: &'a str,
    status: &'static str,
    channel: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    order_id: Option<&'a str>,
    /// Units that have not come.
    quantity: u64,
    promised_at: String,
    /// When the last of them comes; absent where that is not known, or has passed.
    #[serde(skip_serializing_if = "Option::is_none")]
    expected_at: Option<String>,
    purchase_orders: Vec<PartView<'a>>,
    /// Some of them are brought by no purchase order.
    uncovered: bool,
}

/// What a purchase order brings to somebody.
#[derive(Debug, Serialize)]
struct PartView<'a> {
    id: &'a str,
    quantity: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    expected_on: Option<String>,
}

impl<'a> BackorderView<'a> {
    fn new(backorder: &'a Backorder, now: Timestamp) -> Self {
        let Backorder { sku, promise, cover, reservation } = backorder;
        let expected_on = cover.expected_on().filter(|day| *day >= Day::of(now));
        let parts = cover.parts.iter().map(|part| PartView {
            id: part.order.as_str(),
            quantity: part.units,
            expected_on: part.expected_on.map(|day| Date(day).to_string()),
        });
        Self {
            sku: sku.as_str(),
            reservation_id: reservation.id.as_str(),
            status: reservation.status_word(now),
            channel: reservation.channel.as_str(),
            order_id: reservation.order_id.as_ref().map(Reference::as_str),
            quantity: promise.units,
            promised_at: rfc3339(promise.at),
            expected_at: expected_on.map(|day| rfc3339(day.begins_at())),
            purchase_orders: parts.collect(),
            uncovered: cover.uncovered > 0,
        }
    }
}

pub(crate) async fn list(app: &App, request: &Request) -> Result<Response, Problem> {
    let (sku, limit, cursor) = asked(request)?;
    let page = app.store.list_backorders(sku.as_ref(), limit, cursor.as_deref()).await.map_err(problem)?;
    let now = app.now();
    let items = page.items.iter().map(|backorder| BackorderView::new(backorder, now)).collect();
    Ok(Response::ok(&Page { items, next_cursor: page.next_cursor }))
}

fn asked(request: &Request) -> Result<(Option<Sku>, usize, Option<String>), Problem> {
    http::parse(request, |input| {
        let sku = input.query("sku");
        let (limit, cursor) = input.page()?;
        Some((sku, limit, cursor))
    })
}

#[cfg(test)]
mod tests {
    use http::testing::Sample;

    use super::*;

    #[test]
    fn a_sku_may_be_asked_for() {
        let ask = |query: &str| asked(&Sample::new("GET /v1/backorders").query(query).request());
        assert_eq!(ask("").unwrap(), (None, 50, None));
        assert_eq!(ask("sku=tea&limit=7").unwrap(), ("tea".parse().ok(), 7, None));
        for query in ["sku=t%20a", "sku=", "limit=0", "skus=tea"] {
            assert!(ask(query).is_err(), "{query}");
        }
    }
}
