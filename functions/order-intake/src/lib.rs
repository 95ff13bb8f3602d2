//! `POST /v1/orders` sells without a hold before it: at once, or, with `Prefer: respond-async`, through the order queue.
//! `GET /v1/orders/{id}` says what became of an order.

mod order;
mod queue;
mod read;
mod sell;

use http::{Problem, Request, Response};
use runtime::App;

/// Answers the requests of this function.
pub async fn handle(app: &App, request: &Request) -> Response {
    request.answer(match request.route() {
        "POST /v1/orders" => create(app, request).await,
        "GET /v1/orders/{id}" => read::read(app, request).await,
        _ => Err(Problem::not_found()),
    })
}

async fn create(app: &App, request: &Request) -> Result<Response, Problem> {
    let wanted = order::read(request)?;
    if wanted.later { queue::queue(app, wanted).await } else { sell::sell(app, wanted).await }
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
