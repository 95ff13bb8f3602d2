//! `GET /v1/reservations/{id}`: where a reservation stands. One whose time is over reads `expired`, closed or not.

use http::{Problem, Request, Response, view::ReservationView};
use runtime::{App, problem, promised_days};

pub(crate) async fn read(app: &App, request: &Request) -> Result<Response, Problem> {
    let id = http::parse(request, |input| input.path("id"))?;
    let reservation = app.store.reservation(&id).await.map_err(problem)?;
    let days = promised_days(app, &reservation, false).await;
    Ok(Response::ok(&ReservationView::new(&reservation, app.now()).expecting(&days)))
}

#[cfg(test)]
mod tests {
    use http::testing::Sample;

    use super::*;

    #[tokio::test]
    async fn an_id_that_cannot_be_is_refused() {
        let request = Sample::new("GET /v1/reservations/{id}").path("id", "x").request();
        let problem = read(&App::unreachable(), &request).await.unwrap_err();
        assert_eq!(problem.errors()[0].field, "id");
    }
}
