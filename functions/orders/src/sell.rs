//! `POST /v1/orders`: sells every line of a cart, or none. What happens is the same as to reserve and confirm in one breath, so
//! that nothing is sold that is not there; a refusal is recorded, so that a retry hears it again.

use domain::{
    ids::{Channel, ReservationId},
    limits::MIN_HOLD_SECONDS,
    reservation::{Kind, ReservationRequest},
};
use http::{
    Problem, Request, Response,
    cart::{self, LineBody, SkuFields},
    json::{List, Text},
    view::OrderView,
};
use runtime::{App, problem_naming};
use serde::Deserialize;

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Body {
    channel: Text,
    order_id: Text,
    session_id: Text,
    lines: List<LineBody>,
}

pub(crate) async fn sell(app: &App, request: &Request) -> Result<Response, Problem> {
    let (wanted, skus) = read(request)?;
    let recorded = app.store.sell(&wanted).await.map_err(|failure| problem_naming(failure, |sku| skus.field(sku)))?;
    Ok(Response::created(&OrderView::new(&recorded.reservation))
        .location(format!("/v1/orders/{}", recorded.reservation.id))
        .replayed(recorded.replayed))
}

fn read(request: &Request) -> Result<(ReservationRequest, SkuFields), Problem> {
    http::parse(request, |input| {
        let key = input.idempotency_key();
        let body: Body = input.body()?;
        let channel = input.optional("channel", body.channel);
        let order_id = input.optional("order_id", body.order_id);
        let session_id = input.optional("session_id", body.session_id);
        let (cart, skus) = cart::read(input, body.lines)?;
        let wanted = ReservationRequest {
            id: ReservationId::derive(request.caller(), &key?),
            kind: Kind::Order,
            channel: channel.unwrap_or_else(Channel::own),
            cart,
            // The hold is sold at once; how long it would last only says how soon it is settled.
            hold_seconds: MIN_HOLD_SECONDS,
            order_id,
            session_id,
        };
        Some((wanted, skus))
    })
}

#[cfg(test)]
mod tests {
    use http::testing::Sample;

    use super::*;

    #[test]
    fn an_order_is_read() {
        let body = r#"{"order_id": "o-1", "lines": [{"sku": "tea", "quantity": 2}, {"sku": "tea", "quantity": 1}]}"#;
        let (wanted, _) = read(&Sample::new("POST /v1/orders").body(body).request()).unwrap();
        assert_eq!((wanted.kind, wanted.cart.lines()[0].to_string()), (Kind::Order, "tea=3".to_owned()));
    }

    #[test]
    fn an_order_holds_nothing_for_later() {
        let body = r#"{"ttl_seconds": 900, "lines": [{"sku": "tea", "quantity": 2}]}"#;
        let problem = read(&Sample::new("POST /v1/orders").body(body).request()).unwrap_err();
        assert_eq!(problem.errors()[0].field, "ttl_seconds");
    }
}
