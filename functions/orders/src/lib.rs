//! `POST /v1/orders` sells a cart at once, without a hold before it; `GET /v1/orders/{id}` says what became of one.

mod read;
mod sell;

use http::{Problem, Request, Response};
use runtime::App;

/// Answers the requests of this function.
pub async fn handle(app: &App, request: &Request) -> Response {
    request.answer(match request.route() {
        "POST /v1/orders" => sell::sell(app, request).await,
        "GET /v1/orders/{id}" => read::read(app, request).await,
        _ => Err(Problem::not_found()),
    })
}

#[cfg(test)]
mod tests {
    use http::testing::Sample;

    use super::*;

    #[tokio::test]
    async fn another_route_is_not_found() {
        let response = handle(&App::unreachable(), &Sample::new("POST /v1/orders/{id}").request()).await;
        assert_eq!(response.status(), 404);
    }
}
