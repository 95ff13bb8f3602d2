//! Orders, as eBay tells them. Pure: bytes in, values out. Source: Fulfillment API, `getOrders` and `getOrder`.

use domain::{
    quantity::Quantity,
    sale::{ChannelOrder, SaleLine, Stage},
    time::Timestamp,
};
use serde::Deserialize;
use serde_json::Value;

use super::quantity::parse;
use crate::{CallError, reading::each_once};

/// Characters of an id that a merchant is shown where it cannot be read otherwise.
const MAX_ID_CHARS: usize = 128;

/// A page of orders.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Page {
    /// Those that could be read; of one that could be read in part, that part.
    pub orders: Vec<ChannelOrder>,
    /// What could not be read, in words.
    pub unreadable: Vec<String>,
    /// Whether another page follows.
    pub has_next: bool,
}

#[derive(Deserialize)]
struct List {
    #[serde(default)]
    orders: Vec<Value>,
    next: Option<String>,
}

#[derive(Deserialize)]
struct Order {
    #[serde(rename = "orderId")]
    id: String,
    #[serde(rename = "lastModifiedDate")]
    changed_at: String,
    #[serde(rename = "orderPaymentStatus")]
    payment: Option<String>,
    #[serde(rename = "cancelStatus")]
    cancellation: Option<Cancellation>,
    #[serde(rename = "lineItems")]
    lines: Vec<Line>,
}

#[derive(Deserialize)]
struct Cancellation {
    #[serde(rename = "cancelState")]
    state: Option<String>,
}

#[derive(Deserialize)]
struct Line {
    #[serde(rename = "lineItemId")]
    id: String,
    sku: Option<String>,
    quantity: u64,
    #[serde(rename = "lineItemFulfillmentStatus")]
    fulfillment: Option<String>,
}

/// An instant as eBay's filters want it.
#[must_use]
pub fn date(at: Timestamp) -> String {
    let seconds = i64::try_from(at.epoch_seconds()).unwrap_or(i64::MAX);
    let at = jiff::Timestamp::from_second(seconds).unwrap_or(jiff::Timestamp::MAX);
    at.strftime("%Y-%m-%dT%H:%M:%S.000Z").to_string()
}

/// The second of an instant in RFC 3339.
pub(super) fn second(text: &str) -> Option<Timestamp> {
    let at: jiff::Timestamp = text.parse().ok()?;
    u64::try_from(at.as_second()).ok().map(Timestamp::from_epoch_seconds)
}

/// Reads a page.
///
/// # Errors
/// [`CallError::Unavailable`] when it is no page at all.
pub fn parse_orders(body: &[u8]) -> Result<Page, CallError> {
    let list: List = parse(body)?;
    let mut page = Page { has_next: list.next.is_some(), ..Page::default() };
    for value in list.orders {
        let (order, unreadable) = read(value);
        page.orders.extend(order);
        page.unreadable.extend(unreadable);
    }
    Ok(page)
}

/// Reads one order.
///
/// # Errors
/// [`CallError::Refused`] with the reason when a part of it cannot be read.
pub fn parse_order(body: &[u8]) -> Result<ChannelOrder, CallError> {
    match read(parse(body)?) {
        (Some(order), unreadable) if unreadable.is_empty() => Ok(order),
        (_, unreadable) => Err(CallError::Refused { reason: unreadable.join("; ") }),
    }
}

/// An order, as far as it can be read, and what cannot be.
fn read(value: Value) -> (Option<ChannelOrder>, Vec<String>) {
    let id: String = value["orderId"].as_str().unwrap_or("without an id").chars().take(MAX_ID_CHARS).collect();
    let unreadable = |reason: &str| (None, vec![format!("order {id}: {reason}")]);
    let Ok(order) = serde_json::from_value::<Order>(value) else {
        return unreadable("not as eBay documents an order");
    };
    let Ok(reference) = order.id.parse() else { return unreadable("its id cannot be used") };
    let Some(changed_at) = second(&order.changed_at) else { return unreadable("it has no date") };
    let (lines, reasons) = each_once(&id, order.lines.iter().map(|line| read_line(&order, line)));
    let order = (!lines.is_empty()).then_some(ChannelOrder { order: reference, changed_at, lines });
    if order.is_none() && reasons.is_empty() {
        return unreadable("it has no lines");
    }
    (order, reasons)
}

fn read_line(order: &Order, line: &Line) -> Result<SaleLine, String> {
    let id: String = line.id.chars().take(MAX_ID_CHARS).collect();
    let sku = line.sku.as_deref().ok_or_else(|| format!("line {id} has no SKU"))?;
    let sku = sku.parse().map_err(|e| format!("line {id}: its SKU {e}"))?;
    let quantity = Quantity::new(line.quantity).map_err(|e| format!("line {id}: its quantity {e}"))?;
    let reference = line.id.parse().map_err(|_| format!("line {id}: its id cannot be used"))?;
    let is_canceled = order.cancellation.as_ref().and_then(|c| c.state.as_deref()) == Some("CANCELED");
    let canceled = if is_canceled { quantity.units() } else { 0 };
    Ok(SaleLine { line: reference, sku, quantity, canceled, stage: stage(order, line) })
}

/// A refund says nothing of units; a payment that is pending, has failed, or is in a state that is new, keeps them
/// reserved.
fn stage(order: &Order, line: &Line) -> Stage {
    if line.fulfillment.as_deref() == Some("FULFILLED") {
        return Stage::Shipped;
    }
    match order.payment.as_deref() {
        Some("PAID" | "PARTIALLY_REFUNDED" | "FULLY_REFUNDED") => Stage::Paid,
        _ => Stage::Pending,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn order(payment: &str, cancel: &str, lines: &Value) -> Value {
        json!({
            "orderId": "12-34567-89012", "lastModifiedDate": "2026-11-25T10:00:05.900Z", "orderPaymentStatus": payment,
            "cancelStatus": { "cancelState": cancel, "cancelRequests": [] }, "lineItems": lines, "unknown": [1],
        })
    }

    fn line(sku: &str, quantity: i64, fulfillment: &str) -> Value {
        json!({ "lineItemId": "10009", "sku": sku, "quantity": quantity, "lineItemFulfillmentStatus": fulfillment })
    }

    fn parsed(value: &Value) -> ChannelOrder {
        parse_order(value.to_string().as_bytes()).unwrap()
    }

    #[test]
    fn stages_follow_payment_and_shipping() {
        for (payment, fulfillment, stage) in [
            ("PENDING", "NOT_STARTED", Stage::Pending),
            ("FAILED", "NOT_STARTED", Stage::Pending),
            ("SOMETHING_NEW", "NOT_STARTED", Stage::Pending),
            ("PAID", "NOT_STARTED", Stage::Paid),
            ("PAID", "IN_PROGRESS", Stage::Paid),
            ("FULLY_REFUNDED", "NOT_STARTED", Stage::Paid),
            ("PAID", "FULFILLED", Stage::Shipped),
        ] {
            let order = parsed(&order(payment, "NONE_REQUESTED", &json!([line("mug", 2, fulfillment)])));
            assert_eq!(order.lines[0].stage, stage, "{payment} {fulfillment}");
            assert_eq!(order.lines[0].canceled, 0);
            assert_eq!(order.changed_at, Timestamp::from_epoch_seconds(1_795_600_805));
        }
    }

    #[test]
    fn only_a_cancellation_that_is_done_cancels() {
        for (state, canceled) in [("NONE_REQUESTED", 0), ("IN_PROGRESS", 0), ("CANCELED", 2)] {
            let order = parsed(&order("PAID", state, &json!([line("mug", 2, "NOT_STARTED")])));
            assert_eq!(order.lines[0].canceled, canceled, "{state}");
        }
    }

    #[test]
    fn a_line_that_cannot_be_read_is_told_and_the_others_are_kept() {
        let mut without_sku = line("mug", 1, "NOT_STARTED");
        without_sku.as_object_mut().unwrap().remove("sku");
        for (bad, words) in [
            (line("two words", 1, "NOT_STARTED"), "its SKU must be"),
            (line("mug", 0, "NOT_STARTED"), "its quantity must be"),
            (without_sku, "has no SKU"),
        ] {
            let order = order("PAID", "NONE_REQUESTED", &json!([line("cup", 1, "NOT_STARTED"), bad]));
            let page = parse_orders(json!({ "orders": [order], "next": "https://…" }).to_string().as_bytes()).unwrap();
            assert_eq!(page.orders[0].lines.len(), 1);
            assert!(page.unreadable[0].contains("12-34567-89012") && page.unreadable[0].contains(words), "{page:?}");
            assert!(page.has_next);
            let one = parse_order(order.to_string().as_bytes());
            assert!(matches!(one, Err(CallError::Refused { reason }) if reason.contains(words)));
        }
    }

    #[test]
    fn an_order_that_cannot_be_read_does_not_take_the_page_with_it() {
        let good = order("PAID", "NONE_REQUESTED", &json!([line("mug", 1, "NOT_STARTED")]));
        for bad in [
            json!({ "orderId": "7" }),
            json!("text"),
            order("PAID", "NONE_REQUESTED", &json!([])),
            order("PAID", "NONE_REQUESTED", &json!([line("mug", -1, "NOT_STARTED")])),
            json!({ "orderId": "7", "lastModifiedDate": "yesterday", "lineItems": [line("mug", 1, "FULFILLED")] }),
        ] {
            let page = parse_orders(json!({ "orders": [bad, good] }).to_string().as_bytes()).unwrap();
            assert_eq!((page.orders.len(), page.unreadable.len(), page.has_next), (1, 1, false), "{bad}");
        }
        assert!(parse_orders(b"<html>").is_err());
    }

    #[test]
    fn dates_are_written_as_ebay_reads_them() {
        assert_eq!(date(Timestamp::from_epoch_seconds(1_795_600_805)), "2026-11-25T10:00:05.000Z");
        assert_eq!(second("2026-11-25T11:00:05+01:00"), Some(Timestamp::from_epoch_seconds(1_795_600_805)));
        assert_eq!(second("1969-12-31T23:59:59Z"), None);
        assert!(date(Timestamp::MAX).starts_with("9999-12-"));
    }
}
