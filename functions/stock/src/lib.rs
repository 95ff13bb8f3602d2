//! The merchant's side of the stock: settings, what there is, what was moved, what is missing, and how it is divided among channels. One
//! endpoint, one file.

mod channels;
mod explain;
mod explanation;
mod list;
mod movement;
mod movements;
mod pools;
mod read;
mod read_quotas;
mod read_rule;
mod remove_rule;
mod run_rule;
mod save;
mod save_quotas;
mod save_rule;
mod shortfalls;
mod transfer;
mod view;

use domain::{
    bucket::StockId,
    ids::{Channel, Sku},
};
use http::{Input, Problem, Request, Response};
use runtime::App;

/// Answers the requests of this function.
pub async fn handle(app: &App, request: &Request) -> Response {
    request.answer(match request.route() {
        "PUT /v1/stock/{sku}" => save::save(app, request).await,
        "GET /v1/stock/{sku}" => read::read(app, request).await,
        "GET /v1/stock/{sku}/explain" => explain::explain(app, request).await,
        "GET /v1/stock" => list::list(app, request).await,
        "POST /v1/stock/{sku}/movements" => movement::book(app, request).await,
        "GET /v1/stock/{sku}/movements" => movements::list(app, request).await,
        "POST /v1/stock/{sku}/transfers" => transfer::transfer(app, request).await,
        "PUT /v1/stock/{sku}/quotas" => save_quotas::save(app, request).await,
        "GET /v1/stock/{sku}/quotas" => read_quotas::read(app, request).await,
        "PUT /v1/stock/{sku}/redistribution" => save_rule::save(app, request).await,
        "GET /v1/stock/{sku}/redistribution" => read_rule::read(app, request).await,
        "DELETE /v1/stock/{sku}/redistribution" => remove_rule::remove(app, request).await,
        "POST /v1/stock/{sku}/redistribution/run" => run_rule::run(app, request).await,
        "GET /v1/shortfalls" => shortfalls::list(app, request).await,
        _ => Err(Problem::not_found()),
    })
}

/// The SKU of the path, in the channel of the query.
fn stock_id(input: &mut Input<'_>) -> Option<StockId> {
    let sku: Option<Sku> = input.path("sku");
    let channel = input.query("channel").unwrap_or_else(Channel::own);
    Some(StockId { sku: sku?, channel })
}

#[cfg(test)]
mod tests {
    use http::testing::Sample;

    use super::*;

    #[tokio::test]
    async fn another_route_is_not_found() {
        let response = handle(&App::unreachable(), &Sample::new("DELETE /v1/stock/{sku}").request()).await;
        assert_eq!(response.status(), 404);
    }

    #[test]
    fn a_stock_is_a_sku_in_a_channel() {
        let read = |sample: Sample| http::parse(&sample.request(), stock_id).map(|stock| stock.to_string());
        let sample = Sample::new("GET /v1/stock/{sku}").path("sku", "tea");
        assert_eq!(read(sample.clone()).unwrap(), "tea#own");
        assert_eq!(read(sample.clone().query("channel=ebay")).unwrap(), "tea#ebay");
        let problem = read(sample.path("sku", "a%23b").query("channel=a%23b")).unwrap_err();
        let fields: Vec<&str> = problem.errors().iter().map(|error| error.field.as_str()).collect();
        assert_eq!(fields, ["sku", "channel"]);
    }
}
