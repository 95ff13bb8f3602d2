//! `POST /v1/reservations/{id}/cancel` gives a reservation up; `POST /v1/reservations/{id}/extend` gives the shopper more time.

mod cancel;
mod extend;

use http::{Problem, Request, Response};
use runtime::App;

/// Answers the requests of this function.
pub async fn handle(app: &App, request: &Request) -> Response {
    request.answer(match request.route() {
        "POST /v1/reservations/{id}/cancel" => cancel::cancel(app, request).await,
        "POST /v1/reservations/{id}/extend" => extend::extend(app, request).await,
        _ => Err(Problem::not_found()),
    })
}

#[cfg(test)]
mod tests {
    use http::testing::Sample;

    use super::*;

    #[tokio::test]
    async fn another_route_is_not_found() {
        let response = handle(&App::unreachable(), &Sample::new("POST /v1/reservations/{id}").request()).await;
        assert_eq!(response.status(), 404);
    }
}
