//! `GET /v1/stock/{sku}/movements?channel=&limit=&cursor=`: why there is as much as there is, the newest first. The one call that also takes the
//! channel `incoming`: what can be promised before it comes has its reasons, too.

use std::str::FromStr;

use domain::{
    bucket::StockId,
    ids::{Channel, IdError, Sku},
};
use http::{Input, Problem, Request, Response};
use runtime::{App, problem};

use crate::view::{MovementView, PageView};

/// A channel, or what is to come.
struct Pool(Channel);

impl FromStr for Pool {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        Channel::stored(text).map(Self)
    }
}

pub(crate) async fn list(app: &App, request: &Request) -> Result<Response, Problem> {
    let (stock, limit, cursor) = http::parse(request, |input| {
        let stock = stock_id(input);
        let (limit, cursor) = input.page()?;
        Some((stock?, limit, cursor))
    })?;
    let page = app.store.list_movements(&stock, limit, cursor.as_deref()).await.map_err(problem)?;
    Ok(Response::ok(&PageView::new(&page, MovementView::new)))
}

fn stock_id(input: &mut Input<'_>) -> Option<StockId> {
    let sku: Option<Sku> = input.path("sku");
    let Pool(channel) = input.query("channel").unwrap_or_else(|| Pool(Channel::own()));
    Some(StockId { sku: sku?, channel })
}

#[cfg(test)]
mod tests {
    use http::testing::Sample;

    use super::*;

    #[test]
    fn what_is_to_come_has_its_movements() {
        let of = |query: &str| {
            let request = Sample::new("GET /v1/stock/{sku}/movements").path("sku", "tea").query(query).request();
            http::parse(&request, stock_id).map(|stock| stock.to_string())
        };
        for (query, stock) in [("", "tea#own"), ("channel=ebay", "tea#ebay"), ("channel=incoming", "tea#incoming")] {
            assert_eq!(of(query).unwrap(), stock);
        }
        assert!(of("channel=A").is_err());
    }
}
