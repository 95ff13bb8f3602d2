//! `GET /v1/availability` says how many units can be sold now; `GET /v1/reservations/{id}` says where a reservation stands.

mod availability;
mod reservation;

use http::{Problem, Request, Response};
use runtime::App;

/// Answers the requests of this function.
pub async fn handle(app: &App, request: &Request) -> Response {
    request.answer(match request.route() {
        "GET /v1/availability" => availability::read(app, request).await,
        "GET /v1/reservations/{id}" => reservation::read(app, request).await,
        _ => Err(Problem::not_found()),
    })
}

#[cfg(test)]
mod tests {
    use http::testing::Sample;

    use super::*;

    #[tokio::test]
    async fn another_route_is_not_found() {
        let response = handle(&App::unreachable(), &Sample::new("GET /v1/reservations").request()).await;
        assert_eq!(response.status(), 404);
    }
}
