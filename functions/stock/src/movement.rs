//! `POST /v1/stock/{sku}/movements {kind, quantity, reason}`: units received, returned, corrected or counted, with the reason why. One
//! transaction; a retry with the same key moves nothing twice.

use domain::{
    ids::{MovementId, Reason},
    limits::MAX_QUANTITY,
    movement::{Correction, MovementKind, MovementRequest},
};
use http::{
    Input, Problem, Request, Response,
    cart::checked_quantity,
    input::within,
    json::{Text, Whole},
};
use runtime::{App, problem};
use serde::Deserialize;

use crate::{stock_id, view::MovementView};

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Body {
    kind: Text,
    quantity: Whole,
    reason: Text,
}

pub(crate) async fn book(app: &App, request: &Request) -> Result<Response, Problem> {
    let wanted = read(request)?;
    let moved = app.store.move_stock(&wanted).await.map_err(problem)?;
    Ok(Response::created(&MovementView::new(&moved.movement)).replayed(moved.replayed))
}

fn read(request: &Request) -> Result<MovementRequest, Problem> {
    http::parse(request, |input| {
        let key = input.idempotency_key();
        let stock = stock_id(input);
        let body: Body = input.body()?;
        let kind = kind(input, body.kind, body.quantity);
        let reason: Option<Reason> = input.required("reason", body.reason);
        Some(MovementRequest {
            id: MovementId::derive(request.caller(), &key?),
            stock: stock?,
            kind: kind?,
            reason: reason?,
            actor: request.actor().to_owned(),
        })
    })
}

/// The kind says which quantities make sense.
fn kind(input: &mut Input<'_>, kind: Text, quantity: Whole) -> Option<MovementKind> {
    let word = input.given("kind", kind);
    match word.as_deref() {
        Some("receive") => input.required_whole("quantity", quantity, checked_quantity).map(MovementKind::Receive),
        Some("return") => input.required_whole("quantity", quantity, checked_quantity).map(MovementKind::Return),
        Some("adjust") => input.required_whole("quantity", quantity, Correction::new).map(MovementKind::Adjust),
        Some("count") => input.required_whole("quantity", quantity, within(0..=MAX_QUANTITY)).map(MovementKind::Count),
        other => {
            if other.is_some() {
                input.refuse("kind", "must be receive, return, adjust or count");
            }
            // Its range depends on the kind; that it is a number does not.
            input.given("quantity", quantity);
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use http::testing::Sample;

    use super::*;

    fn sample(body: &str) -> Sample {
        Sample::new("POST /v1/stock/{sku}/movements").path("sku", "tea").query("channel=own").body(body)
    }

    #[test]
    fn each_kind_has_its_range() {
        for (kind, quantity, ok) in [
            ("receive", 1, true),
            ("receive", 1_000_000, true),
            ("receive", 0, false),
            ("receive", -1, false),
            ("receive", 1_000_001, false),
            ("adjust", -1_000_000, true),
            ("adjust", 1_000_000, true),
            ("adjust", 0, false),
            ("adjust", -1_000_001, false),
            ("count", 0, true),
            ("count", 1_000_000, true),
            ("count", -1, false),
            ("count", 1_000_001, false),
            ("return", 1, true),
            ("return", 0, false),
        ] {
            let body = format!(r#"{{"kind": "{kind}", "quantity": {quantity}, "reason": "why"}}"#);
            let read = read(&sample(&body).request());
            match read {
                Ok(wanted) => assert!(ok && wanted.kind.word() == kind && wanted.kind.quantity() == quantity, "{body}"),
                Err(problem) => assert!(!ok && problem.errors()[0].field == "quantity", "{body}"),
            }
        }
    }

    #[test]
    fn every_fault_is_named() {
        for (body, fields) in [
            ("{}", &["kind", "quantity", "reason"][..]),
            (r#"{"kind": "receve", "quantity": 1.5, "reason": ""}"#, &["kind", "quantity", "reason"]),
            (r#"{"kind": "Receive", "quantity": 1, "reason": "x"}"#, &["kind"]),
            (r#"{"kind": 1, "quantity": 1, "reason": "x"}"#, &["kind"]),
            (r#"{"kind": "receive", "quantity": "2", "reason": "x"}"#, &["quantity"]),
            (r#"{"kind": "receive", "quantity": 2, "reason": "a\nb"}"#, &["reason"]),
            (r#"{"kind": "receive", "quantity": 2, "reason": "x", "delta": 2}"#, &["delta"]),
        ] {
            let problem = read(&sample(body).request()).unwrap_err();
            let named: Vec<&str> = problem.errors().iter().map(|error| error.field.as_str()).collect();
            assert_eq!(named, fields, "{body}");
        }
    }

    #[test]
    fn the_actor_is_the_caller() {
        let wanted = read(&sample(r#"{"kind": "count", "quantity": 0, "reason": "stock taking"}"#).request()).unwrap();
        assert_eq!((wanted.actor.as_str(), wanted.stock.to_string()), ("local", "tea#own".to_owned()));
    }
}
