//! The body of `POST /v1/orders`: a cart, or a reservation that is to be confirmed.

use domain::{
    ids::{Reference, ReservationId},
    limits::MIN_HOLD_SECONDS,
    order::QueuedOrder,
    reservation::{Kind, ReservationRequest},
};
use http::{
    Input, Problem, Request,
    cart::{self, LineBody, SkuFields},
    json::{Field, Flag, List, Text},
};
use serde::Deserialize;

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Body {
    channel: Text,
    order_id: Text,
    session_id: Text,
    accept_backorder: Flag,
    lines: List<LineBody>,
    reservation_id: Text,
}

/// What the request asks for.
#[derive(Debug)]
pub(crate) struct Wanted {
    pub(crate) order: QueuedOrder,
    /// Which field an answer about a SKU is about.
    pub(crate) skus: SkuFields,
    /// The caller would rather be answered later than wait.
    pub(crate) later: bool,
}

pub(crate) fn read(request: &Request) -> Result<Wanted, Problem> {
    http::parse(request, |input| {
        let key = input.idempotency_key();
        let body: Body = input.body()?;
        let later = input.prefers_async();
        if body.reservation_id != Field::Absent {
            let (id, order_id) = confirmation(input, body)?;
            // The key is required as on every POST, but not needed to recognise a retry: a decision is final.
            return key.map(|_| Wanted {
                order: QueuedOrder::Confirmation { id, order_id },
                skus: SkuFields::default(),
                later,
            });
        }
        let channel = cart::channel(input, body.channel);
        let order_id = input.optional("order_id", body.order_id);
        let session_id = input.optional("session_id", body.session_id);
        let accepts_backorder = cart::accepts_backorder(input, body.accept_backorder);
        let (cart, skus) = cart::read(input, body.lines)?;
        let wanted = ReservationRequest {
            id: ReservationId::derive(request.caller(), &key?),
            kind: Kind::Order,
            channel,
            cart,
            // The hold is sold at once; how long it would last only says how soon it is settled.
            hold_seconds: MIN_HOLD_SECONDS,
            order_id,
            session_id,
            accepts_backorder,
        };
        Some(Wanted { order: QueuedOrder::Sale(wanted), skus, later })
    })
}

/// A reservation knows what it is for: beside it stands the merchant's order at most.
fn confirmation(input: &mut Input<'_>, body: Body) -> Option<(ReservationId, Option<Reference>)> {
    let id = input.required("reservation_id", body.reservation_id);
    let order_id = input.optional("order_id", body.order_id);
    let given = [
        ("channel", body.channel != Field::Absent),
        ("session_id", body.session_id != Field::Absent),
        ("accept_backorder", body.accept_backorder != Field::Absent),
        ("lines", body.lines != Field::Absent),
    ];
    for (field, _) in given.into_iter().filter(|(_, given)| *given) {
        input.refuse(field, "must not be given beside reservation_id, which says it already");
    }
    id.map(|id| (id, order_id))
}

#[cfg(test)]
mod tests {
    use http::testing::Sample;

    use super::*;

    fn read_body(body: &str) -> Result<Wanted, Problem> {
        read(&Sample::new("POST /v1/orders").body(body).request())
    }

    #[test]
    fn an_order_is_read() {
        let body = r#"{"order_id": "o-1", "lines": [{"sku": "tea", "quantity": 2}, {"sku": "tea", "quantity": 1}]}"#;
        let wanted = read_body(body).unwrap();
        let QueuedOrder::Sale(sale) = wanted.order else { panic!("no sale") };
        assert_eq!(
            (sale.kind, sale.cart.lines()[0].to_string(), wanted.later),
            (Kind::Order, "tea=3".to_owned(), false)
        );
        assert!(!sale.accepts_backorder);
        let QueuedOrder::Sale(sale) =
            read_body(&body.replace("{\"order_id\"", "{\"accept_backorder\": true, \"order_id\"")).unwrap().order
        else {
            panic!("no sale")
        };
        assert!(sale.accepts_backorder);
        let later = Sample::new("POST /v1/orders").header("Prefer", "respond-async").body(body).request();
        assert!(read(&later).unwrap().later);
    }

    #[test]
    fn nobody_sells_in_the_shared_stock() {
        let problem = read_body(r#"{"channel": "shared", "lines": [{"sku": "tea", "quantity": 2}]}"#).unwrap_err();
        assert_eq!(problem.errors()[0].field, "channel");
    }

    #[test]
    fn an_order_holds_nothing_for_later() {
        let problem = read_body(r#"{"ttl_seconds": 900, "lines": [{"sku": "tea", "quantity": 2}]}"#).unwrap_err();
        assert_eq!(problem.errors()[0].field, "ttl_seconds");
    }

    #[test]
    fn a_reservation_is_named_by_itself() {
        let wanted = read_body(r#"{"reservation_id": "0123456789abcdef", "order_id": "o-1"}"#).unwrap();
        let (id, order_id) = ("0123456789abcdef".parse().unwrap(), Some("o-1".parse().unwrap()));
        assert_eq!(wanted.order, QueuedOrder::Confirmation { id, order_id });
        let problem =
            read_body(r#"{"reservation_id": "short", "channel": "own", "session_id": "s", "accept_backorder": true, "lines": []}"#).unwrap_err();
        let fields: Vec<&str> = problem.errors().iter().map(|error| error.field.as_str()).collect();
        assert_eq!(fields, ["reservation_id", "channel", "session_id", "accept_backorder", "lines"]);
    }

    #[test]
    fn the_key_is_required_either_way() {
        for body in [r#"{"reservation_id": "0123456789abcdef"}"#, r#"{"lines": [{"sku": "tea", "quantity": 2}]}"#] {
            let request = Sample::new("POST /v1/orders").without_header("Idempotency-Key").body(body).request();
            assert_eq!(read(&request).unwrap_err().errors()[0].field, "Idempotency-Key", "{body}");
        }
    }
}
