//! Whether what a shopper was told is what is recorded.

use serde_json::Value;

use crate::{
    ledger::{Call, Deed, Entry, Told},
    plan::Line,
    shopper::order_id,
};

/// What the service shows of one shopper once everything is decided.
#[derive(Debug, Default)]
pub struct Seen {
    /// The reservation.
    pub reservation: Option<Value>,
    /// Every order under any id that was told.
    pub orders: Vec<Value>,
}

/// What is wrong, in sentences; and the lines that were sold.
pub fn judge(entry: &Entry, seen: &Seen) -> (Vec<String>, Vec<Line>) {
    let mut faults = Vec::new();
    for call in &entry.calls {
        faults.extend(contradictions(call).map(|fault| format!("{}: {fault}", call.key)));
    }
    let (wrong, sold) = match &seen.reservation {
        Some(reservation) => judge_reservation(entry, reservation, &seen.orders),
        None => judge_orders(entry, &seen.orders),
    };
    faults.extend(wrong.into_iter().map(|fault| format!("shopper {}: {fault}", entry.number)));
    (faults, if sold { entry.lines.clone() } else { Vec::new() })
}

/// Answers to the same request that cannot both be true.
fn contradictions(call: &Call) -> impl Iterator<Item = String> {
    let differ = |one: &Told, other: &Told| match (one.is_done(), other.is_done()) {
        // A queued order has another id each time; both can be read.
        (true, true) => one.id != other.id && !call.in_turn() || one.delta != other.delta,
        // What was not decided may be decided otherwise the next time.
        (true, false) | (false, true) => !matches!(call.deed, Deed::Reserve | Deed::Move | Deed::Extend),
        (false, false) => one.refund != other.refund,
    };
    let first = call.told.first();
    let unanswered = first.is_none().then(|| "was never answered".to_owned());
    let differing = call.told.iter().filter(move |told| first.is_some_and(|first| differ(first, told)));
    unanswered.into_iter().chain(differing.map(move |told| format!("was told {first:?}, then {told:?}")))
}

fn judge_reservation(entry: &Entry, reservation: &Value, orders: &[Value]) -> (Vec<String>, bool) {
    let state = reservation["status"].as_str().unwrap_or_default();
    let confirmed = state == "confirmed";
    let mut faults = judge_lines(entry, reservation);
    let paid = entry.of(Deed::Confirm).any(|call| call.done().is_some())
        || orders.iter().any(|order| order["status"] == "confirmed");
    let refunded = entry.of(Deed::Confirm).flat_map(|call| &call.told).any(|told| told.refund)
        || orders.iter().any(|order| order["rejection"]["refund_required"] == true);
    let let_go = entry.of(Deed::Cancel).any(|call| call.done().is_some());
    let mut claim = |wrong: bool, fault: &str| {
        if wrong {
            faults.push(format!("{fault}; recorded is {state}"));
        }
    };
    claim(paid && !confirmed, "told that it is paid");
    claim(confirmed && !paid, "sold, and nobody was told");
    claim(refunded && confirmed, "told to give the money back");
    claim(let_go && !matches!(state, "canceled" | "expired"), "told that it is canceled");
    claim(state == "active", "all times are over");
    claim(confirmed && reservation["order_id"] != order_id(entry.number), "sold to another order");
    let asked_to_pay = entry.calls.iter().any(|call| matches!(call.deed, Deed::Confirm | Deed::QueuePayment));
    claim(asked_to_pay && !paid && !refunded, "the payment was neither taken nor to be given back");
    (faults, confirmed)
}

fn judge_orders(entry: &Entry, orders: &[Value]) -> (Vec<String>, bool) {
    let mut faults = Vec::new();
    let confirmed = orders.iter().any(|order| order["status"] == "confirmed");
    for order in orders {
        match order["status"].as_str() {
            Some("confirmed") => faults.extend(judge_lines(entry, order)),
            Some("rejected") if !confirmed && entry.of(Deed::Order).all(|call| call.done().is_none()) => {}
            _ => faults.push(format!("what it was told is not so: {order}")),
        }
    }
    (faults, confirmed)
}

fn judge_lines(entry: &Entry, recorded: &Value) -> Vec<String> {
    let lines: Result<Vec<Line>, _> = serde_json::from_value(recorded["lines"].clone());
    let sorted = |mut lines: Vec<Line>| {
        lines.sort();
        lines
    };
    match lines {
        Ok(lines) if sorted(lines.clone()) == sorted(entry.lines.clone()) => Vec::new(),
        _ => vec![format!("wanted {:?}, recorded is {}", entry.lines, recorded["lines"])],
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn call(deed: Deed, told: &[(u16, Value)]) -> Call {
        let mut call = Call::new(deed, format!("{deed:?}"), String::new(), Value::Null);
        call.told = told.iter().map(|(status, body)| Told::new(*status, body)).collect();
        call
    }

    fn entry(calls: Vec<Call>) -> Entry {
        Entry { number: 1, lines: vec![Line { sku: "tea".to_owned(), quantity: 2 }], calls }
    }

    fn reservation(status: &str) -> Seen {
        let lines = json!([{ "sku": "tea", "quantity": 2 }]);
        Seen {
            reservation: Some(json!({ "id": "r", "status": status, "order_id": "order-1", "lines": lines })),
            orders: vec![],
        }
    }

    /// Held, and then this.
    fn held(deed: Deed, status: u16, body: Value) -> Entry {
        entry(vec![call(Deed::Reserve, &[(201, json!({ "id": "r" }))]), call(deed, &[(status, body)])])
    }

    #[test]
    fn what_was_told_is_what_is_recorded() {
        let paid = held(Deed::Confirm, 200, json!({ "id": "r" }));
        let (faults, sold) = judge(&paid, &reservation("confirmed"));
        assert_eq!((faults, sold.len()), (vec![], 1));
        let refund = json!({ "type": "/reservation-expired", "refund_required": true });
        for (entry, state) in [
            (held(Deed::Cancel, 200, json!({ "id": "r" })), "canceled"),
            (held(Deed::Confirm, 410, refund.clone()), "expired"),
        ] {
            let (faults, sold) = judge(&entry, &reservation(state));
            assert_eq!((faults, sold.len()), (vec![], 0), "{entry:?}");
        }
    }

    #[test]
    fn each_lie_is_found() {
        let refund = json!({ "type": "/reservation-expired", "refund_required": true });
        for (entry, state) in [
            (held(Deed::Confirm, 200, json!({ "id": "r" })), "expired"),
            (held(Deed::Confirm, 410, refund.clone()), "confirmed"),
            (held(Deed::Confirm, 410, json!({ "type": "/reservation-expired" })), "expired"),
            (held(Deed::Cancel, 200, json!({ "id": "r" })), "confirmed"),
            (held(Deed::Cancel, 409, json!({})), "active"),
            (held(Deed::Cancel, 409, json!({})), "confirmed"),
        ] {
            assert!(!judge(&entry, &reservation(state)).0.is_empty(), "{entry:?} {state}");
        }
    }

    #[test]
    fn two_answers_to_one_request_must_agree() {
        let (made, other, short) = ((201, json!({ "id": "r" })), (201, json!({ "id": "s" })), (409, json!({})));
        for (deed, told, fine) in [
            (Deed::Order, vec![made.clone(), made.clone()], true),
            (Deed::Order, vec![made.clone(), other.clone()], false),
            (Deed::Order, vec![short.clone(), made.clone()], false),
            (Deed::Reserve, vec![short.clone(), made.clone()], true),
            (Deed::Queue, vec![made, other], true),
            (Deed::Move, vec![(201, json!({ "id": "m", "delta": 1 })), (201, json!({ "id": "m", "delta": 2 }))], false),
            (Deed::Order, vec![], false),
        ] {
            assert_eq!(contradictions(&call(deed, &told)).next().is_none(), fine, "{deed:?} {told:?}");
        }
    }

    #[test]
    fn an_order_is_what_it_was_told_to_be() {
        let sold = entry(vec![call(Deed::Order, &[(201, json!({ "id": "r" }))])]);
        let seen = |order: Value| Seen { reservation: None, orders: vec![order] };
        let order = json!({ "status": "confirmed", "lines": [{ "sku": "tea", "quantity": 2 }] });
        assert_eq!(judge(&sold, &seen(order.clone())), (vec![], sold.lines.clone()));
        for order in [
            json!({ "status": "rejected" }),
            json!({ "status": "queued" }),
            json!({ "status": "confirmed", "lines": [{ "sku": "tea", "quantity": 3 }] }),
        ] {
            assert!(!judge(&sold, &seen(order.clone())).0.is_empty(), "{order}");
        }
        let queued = entry(vec![call(Deed::Queue, &[(202, json!({ "id": "q" }))])]);
        assert!(judge(&queued, &seen(json!({ "status": "rejected" }))).0.is_empty());
    }
}
