//! The bodies of the messages in both queues.

use domain::{
    limits::{MAX_LINES, MAX_QUANTITY},
    order::QueuedOrder,
};
use runtime::{orders, timers};
use serde_json::Value;

use crate::Seen;

/// The body of a message, read as one of either queue.
///
/// # Panics
/// When what is read is not all that the message says, when its own message is read as another, or when it is no cart that a request could have made.
#[must_use]
pub fn messages(bytes: &[u8]) -> Seen {
    let Ok(body) = std::str::from_utf8(bytes) else { return Seen::Refused };
    let (order, timer) = (orders::parse(body).ok(), timers::parse(body).ok());
    assert!(order.is_none() || timer.is_none(), "a message of both queues: {body}");
    if let Some(order) = &order {
        check_order(order, &json(body));
    }
    if let Some(armed) = &timer {
        let written = timers::body(armed);
        assert_eq!(timers::parse(&written).expect("a timer reads what it writes"), *armed);
        assert_eq!(json(&written), json(body), "something else was read");
    }
    Seen::when(order.is_some() || timer.is_some())
}

fn json(body: &str) -> Value {
    serde_json::from_str(body).expect("what was read is JSON")
}

fn check_order(order: &QueuedOrder, said: &Value) {
    let written = orders::body(order);
    let again = orders::parse(&written).expect("an order reads what it writes");
    // Lines of one SKU are merged; all else stands there as it was said.
    let written = json(&written);
    for field in ["kind", "id", "channel", "order_id", "session_id"] {
        assert_eq!(written[field], said[field], "{field} was read as something else");
    }
    assert_eq!(again, *order);
    assert_eq!(again.deduplication_id(), order.deduplication_id());
    assert_eq!(units(&written), units(said), "units are lost, or made up");
    if let QueuedOrder::Sale(request) = order {
        let lines = request.cart.lines();
        assert!((1..=MAX_LINES).contains(&lines.len()), "{} lines", lines.len());
        assert!(lines.is_sorted_by(|a, b| a.sku < b.sku), "a SKU stands in two lines");
        assert!(lines.iter().all(|line| (1..=MAX_QUANTITY).contains(&line.quantity.units())), "{lines:?}");
    }
}

/// The units of all lines, as the text says.
fn units(message: &Value) -> u64 {
    let lines = message["lines"].as_array().into_iter().flatten().filter_map(Value::as_str);
    lines.filter_map(|line| line.split_once('=')?.1.parse::<u64>().ok()).sum()
}
