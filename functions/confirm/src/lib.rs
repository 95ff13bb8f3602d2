//! `POST /v1/reservations/{id}/confirm`: the order is paid.
//!
//! One write for the whole cart. A payment that comes after the hold has expired takes the units again if it can; if it cannot,
//! the refusal is recorded before it is answered, with `refund_required`.

use domain::ids::{Reference, ReservationId};
use http::{Problem, Request, Response, json::Text, view::ReservationView};
use runtime::{App, problem};
use serde::Deserialize;

/// Answers the requests of this function.
pub async fn handle(app: &App, request: &Request) -> Response {
    request.answer(match request.route() {
        "POST /v1/reservations/{id}/confirm" => confirm(app, request).await,
        _ => Err(Problem::not_found()),
    })
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Body {
    order_id: Text,
}

async fn confirm(app: &App, request: &Request) -> Result<Response, Problem> {
    let (id, order_id) = read(request)?;
    let reservation = app.store.confirm(&id, order_id.as_ref()).await.map_err(problem)?;
    Ok(Response::ok(&ReservationView::new(&reservation, app.now())))
}

fn read(request: &Request) -> Result<(ReservationId, Option<Reference>), Problem> {
    http::parse(request, |input| {
        // Required as on every POST, but not needed to recognise a retry: a decision is final, and repeats its own answer.
        let key = input.idempotency_key();
        let id = input.path("id");
        let body: Body = input.optional_body()?;
        let order_id = input.optional("order_id", body.order_id);
        key.and(id).map(|id| (id, order_id))
    })
}

#[cfg(test)]
mod tests {
    use http::testing::Sample;

    use super::*;

    fn sample() -> Sample {
        Sample::new("POST /v1/reservations/{id}/confirm").path("id", "0123456789abcdef")
    }

    #[test]
    fn the_body_may_be_empty_or_name_the_order() {
        for (sample, order_id) in [
            (sample(), None),
            (sample().without_header("Content-Type"), None),
            (sample().body("{}"), None),
            (sample().body(r#"{"order_id": "o-1"}"#), Some("o-1")),
        ] {
            let (id, read) = read(&sample.request()).unwrap();
            assert_eq!((id.as_str(), read.as_ref().map(Reference::as_str)), ("0123456789abcdef", order_id));
        }
    }

    #[test]
    fn every_fault_is_named() {
        let bad = sample().path("id", "short").without_header("Idempotency-Key").body(r#"{"order_id": " "}"#);
        let problem = read(&bad.request()).unwrap_err();
        let fields: Vec<&str> = problem.errors().iter().map(|error| error.field.as_str()).collect();
        assert_eq!(fields, ["Idempotency-Key", "id", "order_id"]);
    }

    #[tokio::test]
    async fn an_outage_asks_to_come_back() {
        let response = handle(&App::unreachable(), &sample().request()).await;
        assert_eq!((response.status(), response.header("Retry-After")), (503, Some("1")));
    }
}
