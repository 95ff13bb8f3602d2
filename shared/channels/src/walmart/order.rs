//! Purchase orders, as Walmart tells them. Pure: bytes in, values out. Source: Marketplace API, *All orders*, *An
//! order*.

use domain::{
    quantity::Quantity,
    sale::{ChannelOrder, SaleLine, Stage},
    time::Timestamp,
};
use serde::Deserialize;
use serde_json::Value;

use super::inventory::{Amount, parse};
use crate::{CallError, OrderPage, reading::each_once};

/// Characters of an id that a merchant is shown where it cannot be read otherwise.
const MAX_ID_CHARS: usize = 128;

#[derive(Deserialize)]
struct Answer {
    list: List,
}

#[derive(Deserialize)]
struct List {
    meta: Option<Meta>,
    elements: Option<Elements>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Meta {
    next_cursor: Option<String>,
}

#[derive(Deserialize)]
struct Elements {
    #[serde(default)]
    order: Vec<Value>,
}

#[derive(Deserialize)]
struct Single {
    order: Value,
}

#[derive(Deserialize)]
struct Order {
    #[serde(rename = "purchaseOrderId")]
    id: String,
    #[serde(rename = "orderDate")]
    placed_at: Option<Value>,
    #[serde(rename = "orderLines")]
    lines: Lines,
}

#[derive(Deserialize)]
struct Lines {
    #[serde(rename = "orderLine")]
    line: Vec<Line>,
}

#[derive(Deserialize)]
struct Line {
    #[serde(rename = "lineNumber")]
    number: String,
    item: Item,
    #[serde(rename = "orderLineQuantity")]
    quantity: Amount,
    #[serde(rename = "statusDate")]
    changed_at: Option<Value>,
    #[serde(rename = "orderLineStatuses")]
    statuses: Option<Statuses>,
}

#[derive(Deserialize)]
struct Item {
    sku: Option<String>,
}

#[derive(Deserialize)]
struct Statuses {
    #[serde(rename = "orderLineStatus", default)]
    each: Vec<Status>,
}

#[derive(Deserialize)]
struct Status {
    status: String,
    /// Units in this status; the whole line where it is missing.
    #[serde(rename = "statusQuantity")]
    quantity: Option<Amount>,
}

/// An instant as Walmart's filters want it.
#[must_use]
pub fn date(at: Timestamp) -> String {
    let seconds = i64::try_from(at.epoch_seconds()).unwrap_or(i64::MAX);
    jiff::Timestamp::from_second(seconds).unwrap_or(jiff::Timestamp::MAX).strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// The second of an instant, which Walmart writes in milliseconds since 1970 or in RFC 3339.
pub(super) fn second(value: &Value) -> Option<Timestamp> {
    let milliseconds = value.as_u64().or_else(|| value.as_str()?.parse().ok());
    if let Some(milliseconds) = milliseconds {
        return Some(Timestamp::from_epoch_seconds(milliseconds / 1_000));
    }
    let at: jiff::Timestamp = value.as_str()?.parse().ok()?;
    u64::try_from(at.as_second()).ok().map(Timestamp::from_epoch_seconds)
}

/// Reads a page.
///
/// # Errors
/// [`CallError::Unavailable`] when it is no page at all.
pub fn parse_orders(body: &[u8]) -> Result<OrderPage, CallError> {
    let list = parse::<Answer>(body)?.list;
    let cursor = list.meta.and_then(|meta| meta.next_cursor).filter(|cursor| !cursor.is_empty());
    let mut page = OrderPage { cursor, ..OrderPage::default() };
    for value in list.elements.map(|elements| elements.order).unwrap_or_default() {
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
    match read(parse::<Single>(body)?.order) {
        (Some(order), unreadable) if unreadable.is_empty() => Ok(order),
        (_, unreadable) => Err(CallError::Refused { reason: unreadable.join("; ") }),
    }
}

/// An order, as far as it can be read, and what cannot be.
fn read(value: Value) -> (Option<ChannelOrder>, Vec<String>) {
    let id: String = value["purchaseOrderId"].as_str().unwrap_or("without an id").chars().take(MAX_ID_CHARS).collect();
    let unreadable = |reason: &str| (None, vec![format!("order {id}: {reason}")]);
    let Ok(order) = serde_json::from_value::<Order>(value) else {
        return unreadable("not as Walmart documents an order");
    };
    let Ok(reference) = order.id.parse() else { return unreadable("its id cannot be used") };
    let dates = order.lines.line.iter().map(|line| &line.changed_at).chain([&order.placed_at]);
    let Some(changed_at) = dates.flatten().filter_map(second).max() else { return unreadable("it has no date") };
    let (lines, reasons) = each_once(&id, order.lines.line.iter().map(read_line));
    let order = (!lines.is_empty()).then_some(ChannelOrder { order: reference, changed_at, lines });
    if order.is_none() && reasons.is_empty() {
        return unreadable("it has no lines");
    }
    (order, reasons)
}

fn read_line(line: &Line) -> Result<SaleLine, String> {
    let id: String = line.number.chars().take(MAX_ID_CHARS).collect();
    let sku = line.item.sku.as_deref().ok_or_else(|| format!("line {id} has no SKU"))?;
    let sku = sku.parse().map_err(|e| format!("line {id}: its SKU {e}"))?;
    let quantity = Quantity::new(line.quantity.amount.units());
    let quantity = quantity.map_err(|e| format!("line {id}: its quantity {e}"))?;
    let reference = line.number.parse().map_err(|_| format!("line {id}: its id cannot be used"))?;
    let (canceled, stage) = state(line, quantity);
    Ok(SaleLine { line: reference, sku, quantity, canceled, stage })
}

/// Units canceled, and how far the others have got: as far as the last of them. A status that is new counts as not
/// shipped, so that its units stay taken.
fn state(line: &Line, quantity: Quantity) -> (u64, Stage) {
    let (mut canceled, mut shipped, mut open) = (0_u64, 0_u64, 0_u64);
    for status in line.statuses.iter().flat_map(|statuses| &statuses.each) {
        let units = status.quantity.map_or(quantity.units(), |amount| amount.amount.units());
        let sum = match status.status.to_ascii_lowercase().as_str() {
            "cancelled" | "canceled" => &mut canceled,
            "shipped" | "delivered" | "refund" => &mut shipped,
            _ => &mut open,
        };
        *sum = sum.saturating_add(units);
    }
    let stage = if open == 0 && shipped > 0 { Stage::Shipped } else { Stage::Paid };
    (canceled.min(quantity.units()), stage)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn line(sku: &str, quantity: &str, statuses: &[(&str, u64)]) -> Value {
        let statuses: Vec<Value> = statuses
            .iter()
            .map(|(status, n)| json!({ "status": status, "statusQuantity": { "amount": n.to_string() } }))
            .collect();
        json!({
            "lineNumber": "1", "item": { "sku": sku, "productName": "…" },
            "orderLineQuantity": { "unitOfMeasurement": "EACH", "amount": quantity },
            "statusDate": 1_795_600_805_900_u64, "orderLineStatuses": { "orderLineStatus": statuses },
        })
    }

    fn order(lines: &[Value]) -> Value {
        json!({
            "purchaseOrderId": "1796277083022", "orderDate": 1_795_600_000_000_u64,
            "orderLines": { "orderLine": lines },
        })
    }

    fn page(orders: &[Value], cursor: &Value) -> OrderPage {
        let body = json!({ "list": { "meta": { "nextCursor": cursor }, "elements": { "order": orders } } });
        parse_orders(body.to_string().as_bytes()).unwrap()
    }

    #[test]
    fn a_line_is_as_far_as_its_last_unit_that_is_still_wanted() {
        for (statuses, canceled, stage) in [
            (&[("Created", 3)][..], 0, Stage::Paid),
            (&[("Acknowledged", 3)], 0, Stage::Paid),
            (&[("Shipped", 3)], 0, Stage::Shipped),
            (&[("Delivered", 3)], 0, Stage::Shipped),
            (&[("Shipped", 2), ("Acknowledged", 1)], 0, Stage::Paid),
            (&[("Shipped", 2), ("Cancelled", 1)], 1, Stage::Shipped),
            (&[("Acknowledged", 1), ("Cancelled", 2)], 2, Stage::Paid),
            (&[("Cancelled", 3)], 3, Stage::Paid),
            (&[("Cancelled", 9)], 3, Stage::Paid),
            (&[("SomethingNew", 3)], 0, Stage::Paid),
            (&[], 0, Stage::Paid),
        ] {
            let page = page(&[order(&[line("mug", "3", statuses)])], &Value::Null);
            let line = &page.orders[0].lines[0];
            assert_eq!((line.canceled, line.stage), (canceled, stage), "{statuses:?}");
        }
    }

    #[test]
    fn a_status_without_units_is_of_the_whole_line() {
        let mut canceled = line("mug", "3", &[]);
        canceled["orderLineStatuses"] = json!({ "orderLineStatus": [{ "status": "Cancelled" }] });
        let body = json!({ "order": order(&[canceled]) }).to_string();
        assert!(parse_order(body.as_bytes()).unwrap().lines[0].is_canceled());
    }

    #[test]
    fn an_order_changed_when_a_line_of_it_last_did() {
        let page = page(&[order(&[line("mug", "1", &[("Created", 1)])])], &json!("?hasMoreElements=true"));
        assert_eq!(page.orders[0].changed_at, Timestamp::from_epoch_seconds(1_795_600_805));
        assert_eq!(page.cursor.as_deref(), Some("?hasMoreElements=true"));
        assert_eq!(second(&json!("2026-11-25T10:00:05.900Z")), Some(Timestamp::from_epoch_seconds(1_795_600_805)));
        assert_eq!(second(&json!("1795600805900")), Some(Timestamp::from_epoch_seconds(1_795_600_805)));
        assert_eq!(second(&json!(null)), None);
        assert_eq!(date(Timestamp::from_epoch_seconds(1_795_600_805)), "2026-11-25T10:00:05Z");
    }

    #[test]
    fn what_cannot_be_read_is_told_and_takes_nothing_with_it() {
        let good = line("cup", "1", &[("Created", 1)]);
        for (bad, words) in [
            (line("two words", "1", &[]), "its SKU must be"),
            (line("mug", "0", &[]), "its quantity must be"),
            (line("mug", "1000001", &[]), "its quantity must be"),
        ] {
            let page = page(&[order(&[good.clone(), bad])], &Value::Null);
            assert_eq!(page.orders[0].lines.len(), 1);
            assert!(page.unreadable[0].contains("1796277083022") && page.unreadable[0].contains(words), "{page:?}");
        }
        let bad = [order(&[]), json!({ "purchaseOrderId": "7" }), json!(1), order(&[line("mug", "1.5", &[])])];
        let page = page(&[&bad[..], &[order(&[good])]].concat(), &json!(""));
        assert_eq!((page.orders.len(), page.unreadable.len(), page.cursor), (1, 4, None));
        assert!(parse_orders(b"{}").is_err());
        assert_eq!(parse_orders(br#"{"list":{}}"#), Ok(OrderPage::default()));
    }
}
