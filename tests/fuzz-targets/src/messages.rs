//! The bodies of the messages in both queues.

use domain::{
    limits::{MAX_LINES, MAX_QUANTITY},
    order::QueuedOrder,
};
use runtime::{orders, timers};

use crate::Seen;

/// The body of a message, read as one of either queue.
///
/// # Panics
/// When what is read is not what its own message says, or is no cart that a request could have made.
#[must_use]
pub fn messages(bytes: &[u8]) -> Seen {
    let Ok(body) = std::str::from_utf8(bytes) else { return Seen::Refused };
    let (order, timer) = (orders::parse(body).ok(), timers::parse(body).ok());
    assert!(order.is_none() || timer.is_none(), "a message of both queues: {body}");
    if let Some(order) = &order {
        check_order(order);
    }
    if let Some(armed) = &timer {
        let again = timers::parse(&timers::body(armed)).expect("a timer reads what it writes");
        assert_eq!(again, *armed);
    }
    Seen::when(order.is_some() || timer.is_some())
}

fn check_order(order: &QueuedOrder) {
    let again = orders::parse(&orders::body(order)).expect("an order reads what it writes");
    assert_eq!(again, *order);
    assert_eq!(again.deduplication_id(), order.deduplication_id());
    if let QueuedOrder::Sale(request) = order {
        let lines = request.cart.lines();
        assert!((1..=MAX_LINES).contains(&lines.len()), "{} lines", lines.len());
        assert!(lines.is_sorted_by(|a, b| a.sku < b.sku), "a SKU stands in two lines");
        assert!(lines.iter().all(|line| (1..=MAX_QUANTITY).contains(&line.quantity.units())), "{lines:?}");
    }
}
