//! `POST /v1/reservations/{id}/cancel`: two writes for one line, the decision and then the release. One that has expired is
//! answered as it is, for what was wanted has happened already.

use domain::ids::ReservationId;
use http::{Problem, Request, Response, view::ReservationView};
use runtime::{App, problem};
use serde::Deserialize;

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Body {}

pub(crate) async fn cancel(app: &App, request: &Request) -> Result<Response, Problem> {
    let id = read(request)?;
    let reservation = app.store.cancel(&id).await.map_err(problem)?;
    Ok(Response::ok(&ReservationView::new(&reservation, app.now())))
}

fn read(request: &Request) -> Result<ReservationId, Problem> {
    http::parse(request, |input| {
        // Required as on every POST, but not needed to recognise a retry: a decision is final, and repeats its own answer.
        let key = input.idempotency_key();
        let id = input.path("id");
        let _: Body = input.optional_body()?;
        key.and(id)
    })
}

#[cfg(test)]
mod tests {
    use http::testing::Sample;

    use super::*;

    fn sample() -> Sample {
        Sample::new("POST /v1/reservations/{id}/cancel").path("id", "0123456789abcdef")
    }

    #[test]
    fn the_body_is_empty() {
        for sample in [sample(), sample().without_header("Content-Type"), sample().body("{}")] {
            assert_eq!(read(&sample.request()).unwrap().as_str(), "0123456789abcdef");
        }
        let problem = read(&sample().body(r#"{"reason": "changed my mind"}"#).request()).unwrap_err();
        assert_eq!(problem.errors()[0].field, "reason");
    }
}
