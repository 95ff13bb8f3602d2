//! When and from whom a SKU is ordered, what it sold, and the alerts that say that it is time. One endpoint, one file.

mod alerts;
mod fields;
mod import_sales;
mod read;
mod remove;
mod sales;
mod save;
mod view;

use http::{Problem, Request, Response};
use runtime::App;

/// Answers the requests of this function.
pub async fn handle(app: &App, request: &Request) -> Response {
    request.answer(match request.route() {
        "PUT /v1/stock/{sku}/replenishment" => save::save(app, request).await,
        "GET /v1/stock/{sku}/replenishment" => read::read(app, request).await,
        "DELETE /v1/stock/{sku}/replenishment" => remove::remove(app, request).await,
        "PUT /v1/stock/{sku}/sales" => import_sales::import(app, request).await,
        "GET /v1/stock/{sku}/sales" => sales::list(app, request).await,
        "GET /v1/alerts" => alerts::list(app, request).await,
        _ => Err(Problem::not_found()),
    })
}

#[cfg(test)]
mod tests {
    use http::testing::Sample;

    use super::*;

    #[tokio::test]
    async fn another_route_is_not_found() {
        let response = handle(&App::unreachable(), &Sample::new("POST /v1/stock/{sku}/replenishment").request()).await;
        assert_eq!(response.status(), 404);
    }
}
