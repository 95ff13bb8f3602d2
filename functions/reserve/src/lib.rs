//! `POST /v1/reservations`: holds every line of a cart until it is paid for, or none.
//!
//! 1. Read the key and the cart; lines of one SKU are merged.
//! 2. Derive the reservation's id from the caller and the key: a retry names the same reservation.
//! 3. Hold and record. Two writes for one line; the same key again finds what is recorded.
//! 4. Answer 201 with the reservation, or say which line is short. Of what is promised before it comes, the answer also says when it comes.

use domain::{
    ids::ReservationId,
    limits::{DEFAULT_HOLD_SECONDS, MAX_HOLD_SECONDS, MIN_HOLD_SECONDS},
    reservation::{Kind, ReservationRequest},
};
use http::{
    Problem, Request, Response,
    cart::{self, LineBody, SkuFields},
    input::within,
    json::{Flag, List, Text, Whole},
    view::ReservationView,
};
use runtime::{App, problem_naming, promised_days};
use serde::Deserialize;

/// Answers the requests of this function.
pub async fn handle(app: &App, request: &Request) -> Response {
    request.answer(match request.route() {
        "POST /v1/reservations" => reserve(app, request).await,
        _ => Err(Problem::not_found()),
    })
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Body {
    channel: Text,
    order_id: Text,
    session_id: Text,
    accept_backorder: Flag,
    ttl_seconds: Whole,
    lines: List<LineBody>,
}

async fn reserve(app: &App, request: &Request) -> Result<Response, Problem> {
    let (wanted, skus) = read(request)?;
    let recorded =
        app.store.reserve(&wanted).await.map_err(|failure| problem_naming(failure, |sku| skus.field(sku)))?;
    let days = promised_days(app, &recorded.reservation, !recorded.replayed).await;
    let view = ReservationView::new(&recorded.reservation, app.now()).expecting(&days);
    Ok(Response::created(&view)
        .location(format!("/v1/reservations/{}", recorded.reservation.id))
        .replayed(recorded.replayed))
}

fn read(request: &Request) -> Result<(ReservationRequest, SkuFields), Problem> {
    http::parse(request, |input| {
        let key = input.idempotency_key();
        let body: Body = input.body()?;
        let channel = cart::channel(input, body.channel);
        let order_id = input.optional("order_id", body.order_id);
        let session_id = input.optional("session_id", body.session_id);
        let seconds = within(MIN_HOLD_SECONDS..=MAX_HOLD_SECONDS);
        let hold_seconds = input.optional_whole("ttl_seconds", body.ttl_seconds, seconds);
        let accepts_backorder = cart::accepts_backorder(input, body.accept_backorder);
        let (cart, skus) = cart::read(input, body.lines)?;
        let wanted = ReservationRequest {
            id: ReservationId::derive(request.caller(), &key?),
            kind: Kind::Reservation,
            channel,
            cart,
            hold_seconds: hold_seconds.unwrap_or(DEFAULT_HOLD_SECONDS),
            order_id,
            session_id,
            accepts_backorder,
        };
        Some((wanted, skus))
    })
}

#[cfg(test)]
mod tests {
    use domain::ids::{Caller, Channel};
    use http::testing::Sample;

    use super::*;

    fn sample(body: &str) -> Sample {
        Sample::new("POST /v1/reservations").body(body)
    }

    #[test]
    fn a_request_is_read_with_its_defaults() {
        let (wanted, _) = read(&sample(r#"{"lines": [{"sku": "tea", "quantity": 2}]}"#).request()).unwrap();
        assert_eq!(wanted.id, ReservationId::derive(&Caller::new("local"), &"k-1".parse().unwrap()));
        assert_eq!((wanted.kind, wanted.channel, wanted.hold_seconds), (Kind::Reservation, Channel::own(), 900));
        assert_eq!((wanted.order_id, wanted.session_id, wanted.accepts_backorder), (None, None, false));
    }

    #[test]
    fn a_request_is_read_with_everything_it_can_have() {
        let body = r#"{"channel": "amazon", "order_id": "o-1", "session_id": "s-1", "ttl_seconds": 3600, "accept_backorder": true,
            "lines": [{"sku": "tea", "quantity": 2}]}"#;
        let (wanted, _) = read(&sample(body).request()).unwrap();
        assert_eq!((wanted.channel.as_str(), wanted.hold_seconds), ("amazon", 3600));
        assert_eq!(wanted.order_id.unwrap().as_str(), "o-1");
        assert_eq!((wanted.session_id.unwrap().as_str(), wanted.accepts_backorder), ("s-1", true));
    }

    #[test]
    fn every_fault_is_named_before_anything_is_looked_at() {
        let body = r#"{"channel": "OWN", "order_id": "", "session_id": 5, "ttl_seconds": 299, "accept_backorder": "yes", "lines": [{"sku": "tea"}]}"#;
        let problem = read(&sample(body).without_header("Idempotency-Key").request()).unwrap_err();
        let fields: Vec<&str> = problem.errors().iter().map(|error| error.field.as_str()).collect();
        assert_eq!(
            fields,
            [
                "Idempotency-Key",
                "channel",
                "order_id",
                "session_id",
                "ttl_seconds",
                "accept_backorder",
                "lines[0].quantity"
            ]
        );
    }

    #[test]
    fn nobody_sells_in_the_shared_stock() {
        let body = r#"{"channel": "shared", "lines": [{"sku": "tea", "quantity": 2}]}"#;
        let problem = read(&sample(body).request()).unwrap_err();
        assert_eq!(problem.errors()[0].field, "channel");
    }

    #[tokio::test]
    async fn another_route_is_not_found() {
        let response = handle(&App::unreachable(), &Sample::new("GET /v1/other").request()).await;
        assert_eq!(response.status(), 404);
    }

    #[tokio::test]
    async fn an_outage_asks_to_come_back() {
        let request = sample(r#"{"lines": [{"sku": "tea", "quantity": 2}]}"#).request();
        let response = handle(&App::unreachable(), &request).await;
        assert_eq!((response.status(), response.header("Retry-After")), (503, Some("1")));
    }
}
