//! Orders: `searchOrders` and `getOrder` of Orders 2026-01-01.
//!
//! Asked for with `FULFILLMENT` (the status, and what of each line was shipped) and `CANCELLATION`; nothing about the buyer, so that no
//! personal data comes here. Orders that Amazon fulfils from its own stock are none of ours: they are not asked for, and left out.
//!
//! | `fulfillmentStatus` | stage |
//! |---|---|
//! | `PENDING_AVAILABILITY`, `PENDING` | pending: the units are reserved before the payment is checked |
//! | `UNSHIPPED` | paid |
//! | `PARTIALLY_SHIPPED` | of each line: shipped when nothing of it is left to ship, else paid |
//! | `SHIPPED` | shipped |
//! | `CANCELLED` | all that was not shipped is canceled |
//! | `UNFULFILLABLE` | only Amazon's own; unreadable otherwise |
//!
//! **Units of a line that were canceled** have no field of their own. They are what was ordered and neither shipped nor left to ship, but
//! only on a line that has a `cancellationExecution`: whether the numbers of a pending order are filled in is not documented, and a
//! line taken for canceled by mistake is sold twice. A line of which 0 are ordered (Orders v0 shows canceled lines so) is told as one
//! unit, canceled: nothing of it is wanted, and how many there were is not said any more. Unverified with a live account.
//!
//! A line that cannot be read is told in words, and the other lines of its order are told as an order: their units are sold too.

use std::str::FromStr;

use domain::{
    ids::{Reference, Sku},
    quantity::Quantity,
    sale::{ChannelOrder, SaleLine, Stage},
    time::Timestamp,
};
use serde::Deserialize;
use serde_json::Value;
use wire::Method;

use super::call::{Api, Call, decode};
use crate::{CallError, OrderPage, reading::each_once};

/// Orders on a page: the most that the model allows, since it is pages that are rationed.
const PAGE: &str = "100";

/// One search in three minutes, after a burst of 20; an order every two seconds (model of Orders 2026-01-01).
const SECONDS_PER_SEARCH: u64 = 180;
const SECONDS_PER_ORDER: u64 = 2;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Order {
    #[serde(rename = "orderId")]
    id: String,
    last_updated_time: String,
    fulfillment: Fulfillment,
    #[serde(rename = "orderItems")]
    items: Vec<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Fulfillment {
    fulfillment_status: String,
    fulfilled_by: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Item {
    order_item_id: String,
    quantity_ordered: u64,
    product: Product,
    fulfillment: Option<Shipped>,
    cancellation: Option<Cancellation>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Product {
    seller_sku: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Shipped {
    quantity_fulfilled: Option<u64>,
    quantity_unfulfilled: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Cancellation {
    cancellation_execution: Option<Value>,
}

/// What could be read of an order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ReadOrder {
    /// Its lines that could be read; nothing if none could, or if the order is none of the merchant's stock.
    pub order: Option<ChannelOrder>,
    /// What could not, each in words with the ids.
    pub unreadable: Vec<String>,
}

impl ReadOrder {
    pub(super) fn unreadable(words: String) -> Self {
        Self { order: None, unreadable: vec![words] }
    }

    /// Puts an order together from lines that could be read, or not.
    pub(super) fn of(order: &str, changed_at: Timestamp, lines: Vec<Result<SaleLine, String>>) -> Self {
        let Ok(reference) = Reference::from_str(order) else {
            return Self::unreadable(format!("an order whose id is not one: {}", order.escape_default()));
        };
        let (lines, unreadable) = each_once(order, lines);
        let order = (!lines.is_empty()).then_some(ChannelOrder { order: reference, changed_at, lines });
        Self { order, unreadable }
    }
}

/// The numbers of a line, before they are checked.
pub(super) struct RawLine<'a> {
    pub id: &'a str,
    pub sku: &'a str,
    pub ordered: u64,
    pub canceled: u64,
    pub stage: Stage,
}

impl RawLine<'_> {
    pub fn check(&self) -> Result<SaleLine, String> {
        let line = |what: &str| format!("line {}: {what}", self.id.escape_default());
        let (ordered, canceled) = if self.ordered == 0 { (1, 1) } else { (self.ordered, self.canceled) };
        Ok(SaleLine {
            line: self.id.parse().map_err(|_| line("its id is not one"))?,
            sku: Sku::from_str(self.sku)
                .map_err(|error| line(&format!("the SKU {:?} {error}", self.sku.escape_default().to_string())))?,
            quantity: Quantity::new(ordered).map_err(|error| line(&format!("its quantity {error}")))?,
            canceled,
            stage: self.stage,
        })
    }
}

/// Seconds of an RFC 3339 text.
pub(super) fn parse_time(text: &str) -> Option<Timestamp> {
    let time: jiff::Timestamp = text.parse().ok()?;
    u64::try_from(time.as_second()).ok().map(Timestamp::from_epoch_seconds)
}

/// Reads one order of the API.
#[must_use]
pub fn read_order(order: Value) -> ReadOrder {
    let id = order.get("orderId").and_then(Value::as_str).unwrap_or("without an id").escape_default().to_string();
    let order: Order = match serde_json::from_value(order) {
        Ok(order) => order,
        Err(error) => return ReadOrder::unreadable(format!("order {id}: {error}")),
    };
    if order.fulfillment.fulfilled_by.as_deref() == Some("AMAZON") {
        return ReadOrder::default();
    }
    let Some(changed_at) = parse_time(&order.last_updated_time) else {
        return ReadOrder::unreadable(format!("order {id}: lastUpdatedTime is not a time"));
    };
    let status = order.fulfillment.fulfillment_status.as_str();
    let Some(stage) = stage(status) else {
        return ReadOrder::unreadable(format!("order {id}: unknown status {}", status.escape_default()));
    };
    let lines = order.items.into_iter().map(|item| read_line(item, status, stage)).collect();
    ReadOrder::of(&order.id, changed_at, lines)
}

/// The stage of a line that nothing else is known of.
fn stage(status: &str) -> Option<Stage> {
    match status {
        "PENDING_AVAILABILITY" | "PENDING" | "CANCELLED" => Some(Stage::Pending),
        "UNSHIPPED" | "PARTIALLY_SHIPPED" => Some(Stage::Paid),
        "SHIPPED" => Some(Stage::Shipped),
        _ => None,
    }
}

fn read_line(item: Value, status: &str, stage: Stage) -> Result<SaleLine, String> {
    let item: Item = serde_json::from_value(item).map_err(|error| format!("a line: {error}"))?;
    let numbers = item.fulfillment.as_ref();
    let shipped = numbers.and_then(|numbers| numbers.quantity_fulfilled);
    let left = numbers.and_then(|numbers| numbers.quantity_unfulfilled);
    let is_touched = item.cancellation.is_some_and(|cancellation| cancellation.cancellation_execution.is_some());
    let canceled = match (status, is_touched, shipped, left) {
        ("CANCELLED", ..) => item.quantity_ordered.saturating_sub(shipped.unwrap_or(0)),
        (_, true, Some(shipped), Some(left)) => item.quantity_ordered.saturating_sub(shipped.saturating_add(left)),
        _ => 0,
    };
    let is_shipped = shipped.is_some_and(|shipped| shipped > 0);
    let stage = match status {
        "PARTIALLY_SHIPPED" if is_shipped && left == Some(0) => Stage::Shipped,
        "CANCELLED" if is_shipped => Stage::Shipped,
        _ => stage,
    };
    let sku = item.product.seller_sku.as_deref().unwrap_or_default();
    RawLine { id: &item.order_item_id, sku, ordered: item.quantity_ordered, canceled, stage }.check()
}

/// Reads a page of orders.
///
/// # Errors
/// [`CallError::Unavailable`] for what is no such page. An order that cannot be read does not spoil the others.
pub fn parse_page(body: &[u8]) -> Result<OrderPage, CallError> {
    #[derive(Deserialize)]
    struct Page {
        orders: Vec<Value>,
        pagination: Option<Pagination>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Pagination {
        next_token: Option<String>,
    }
    let page: Page = decode("orders", body)?;
    let mut read = OrderPage { cursor: page.pagination.and_then(|pages| pages.next_token), ..OrderPage::default() };
    for order in page.orders {
        let one = read_order(order);
        read.orders.extend(one.order);
        read.unreadable.extend(one.unreadable);
    }
    Ok(read)
}

/// Reads the answer of `getOrder`.
///
/// # Errors
/// [`CallError::Unavailable`] for what is no such answer.
pub fn parse_order(body: &[u8]) -> Result<ReadOrder, CallError> {
    #[derive(Deserialize)]
    struct Answer {
        order: Value,
    }
    Ok(read_order(decode::<Answer>("order", body)?.order))
}

/// A time as Amazon wants it.
fn iso_8601(time: Timestamp) -> Result<String, CallError> {
    let seconds = i64::try_from(time.epoch_seconds()).ok();
    let time = seconds.and_then(|seconds| jiff::Timestamp::from_second(seconds).ok());
    Ok(time.ok_or_else(|| CallError::Refused { reason: "a time beyond the year 9999".into() })?.to_string())
}

impl Api {
    /// Merchant-fulfilled orders that changed at or after `since`. With a cursor the other parameters must be the same as without.
    pub async fn search_orders(&self, since: Timestamp, cursor: Option<&str>) -> Result<OrderPage, CallError> {
        let mut query = vec![
            ("lastUpdatedAfter", iso_8601(since)?),
            ("marketplaceIds", self.option("marketplace_id")?.to_owned()),
            ("fulfilledBy", "MERCHANT".to_owned()),
            ("includedData", INCLUDED.to_owned()),
            ("maxResultsPerPage", PAGE.to_owned()),
        ];
        query.extend(cursor.map(|cursor| ("paginationToken", cursor.to_owned())));
        let response = self.call(&orders(None, query, SECONDS_PER_SEARCH)).await?;
        if response.status() == 404 {
            // Of a page that is gone nobody knows what was on it.
            let gone = || CallError::Refused { reason: "the page of orders is gone".into() };
            return if cursor.is_none() { Ok(OrderPage::default()) } else { Err(gone()) };
        }
        parse_page(response.body())
    }

    /// One order; nothing if there is none, or if Amazon fulfils it.
    pub async fn get_order(&self, id: &str) -> Result<Option<ChannelOrder>, CallError> {
        // Nothing else may become part of a path; what Amazon calls an order looks like 902-3159896-1390916.
        if id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
            return Ok(None);
        }
        let query = vec![("includedData", INCLUDED.to_owned())];
        let response = self.call(&orders(Some(id), query, SECONDS_PER_ORDER)).await?;
        if response.status() == 404 {
            return Ok(None);
        }
        let read = parse_order(response.body())?;
        // Half an order is for `search_orders`, which can say so.
        if read.unreadable.is_empty() {
            Ok(read.order)
        } else {
            Err(CallError::Refused { reason: read.unreadable.join("; ") })
        }
    }
}

const INCLUDED: &str = "CANCELLATION,FULFILLMENT";

fn orders(id: Option<&str>, query: Vec<(&'static str, String)>, rate_seconds: u64) -> Call {
    let path = ["orders", "2026-01-01", "orders"].into_iter().chain(id).map(str::to_owned).collect();
    Call { method: Method::GET, path, query, body: None, rate_seconds }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn order(status: &str, items: &Value) -> Value {
        json!({
            "orderId": "902-1-1", "createdTime": "2026-01-01T00:00:00Z", "lastUpdatedTime": "2026-01-01T00:00:01.9Z",
            "salesChannel": { "channelName": "AMAZON" }, "orderItems": items,
            "fulfillment": { "fulfillmentStatus": status, "fulfilledBy": "MERCHANT" },
        })
    }

    fn item(ordered: u64, shipped: u64, left: u64, is_canceled: bool) -> Value {
        let mut item = json!({
            "orderItemId": "7", "quantityOrdered": ordered, "product": { "sellerSku": "mug" },
            "fulfillment": { "quantityFulfilled": shipped, "quantityUnfulfilled": left },
        });
        if is_canceled {
            item["cancellation"] = json!({ "cancellationExecution": { "cancelledBy": "BUYER" } });
        }
        item
    }

    /// Quantity, canceled, stage.
    fn line(status: &str, item: &Value) -> (u64, u64, Stage) {
        let read = read_order(order(status, &json!([item])));
        let line = &read.order.unwrap_or_else(|| panic!("{:?}", read.unreadable)).lines[0];
        (line.quantity.units(), line.canceled, line.stage)
    }

    #[test]
    fn each_status_has_its_stage() {
        for (status, item, expected) in [
            ("PENDING_AVAILABILITY", item(3, 0, 3, false), (3, 0, Stage::Pending)),
            // Numbers that are not filled in yet cancel nothing.
            ("PENDING", item(3, 0, 0, false), (3, 0, Stage::Pending)),
            ("UNSHIPPED", item(3, 0, 3, false), (3, 0, Stage::Paid)),
            ("UNSHIPPED", item(3, 0, 2, true), (3, 1, Stage::Paid)),
            ("UNSHIPPED", item(3, 0, 0, true), (3, 3, Stage::Paid)),
            ("UNSHIPPED", item(0, 0, 0, true), (1, 1, Stage::Paid)),
            ("PARTIALLY_SHIPPED", item(3, 1, 2, false), (3, 0, Stage::Paid)),
            ("PARTIALLY_SHIPPED", item(3, 3, 0, false), (3, 0, Stage::Shipped)),
            ("PARTIALLY_SHIPPED", item(3, 2, 0, true), (3, 1, Stage::Shipped)),
            ("PARTIALLY_SHIPPED", item(3, 0, 0, true), (3, 3, Stage::Paid)),
            ("SHIPPED", item(3, 3, 0, false), (3, 0, Stage::Shipped)),
            ("CANCELLED", item(3, 0, 0, true), (3, 3, Stage::Pending)),
            ("CANCELLED", item(0, 0, 0, false), (1, 1, Stage::Pending)),
            ("CANCELLED", item(3, 1, 0, true), (3, 2, Stage::Shipped)),
        ] {
            assert_eq!(line(status, &item), expected, "{status} {item}");
        }
        let bare = json!({ "orderItemId": "7", "quantityOrdered": 2, "product": { "sellerSku": "mug" },
            "cancellation": { "cancellationExecution": {} } });
        assert_eq!(line("UNSHIPPED", &bare), (2, 0, Stage::Paid), "canceled without numbers");
        assert_eq!(line("CANCELLED", &bare), (2, 2, Stage::Pending));
    }

    #[test]
    fn what_cannot_be_read_is_told_and_spoils_nothing_else() {
        let bad_sku = json!({ "orderItemId": "8", "quantityOrdered": 1, "product": { "sellerSku": "a mug" } });
        let no_sku = json!({ "orderItemId": "9", "quantityOrdered": 1, "product": {} });
        let too_many = json!({ "orderItemId": "10", "quantityOrdered": 1_000_001, "product": { "sellerSku": "mug" } });
        let negative = json!({ "orderItemId": "11", "quantityOrdered": -1, "product": { "sellerSku": "mug" } });
        let mixed = order("UNSHIPPED", &json!([item(1, 0, 1, false), bad_sku, no_sku, too_many, negative]));
        let unknown = order("UNFULFILLABLE", &json!([item(1, 0, 1, false)]));
        let mut timeless = order("UNSHIPPED", &json!([item(1, 0, 1, false)]));
        timeless["lastUpdatedTime"] = json!("yesterday");
        let mut amazons = order("UNFULFILLABLE", &json!([]));
        amazons["fulfillment"]["fulfilledBy"] = json!("AMAZON");
        let body = json!({ "orders": [mixed, unknown, timeless, amazons, {}, { "orderId": "" }], "pagination": { "nextToken": "n" } });
        let page = parse_page(body.to_string().as_bytes()).unwrap();
        assert_eq!(page.cursor.as_deref(), Some("n"));
        assert_eq!(page.orders.len(), 1);
        assert_eq!(page.orders[0].lines.len(), 1);
        assert_eq!(page.orders[0].changed_at, Timestamp::from_epoch_seconds(1_767_225_601));
        assert_eq!(page.unreadable.len(), 8, "{:#?}", page.unreadable);
        assert!(
            page.unreadable[0].starts_with("order 902-1-1: line 8: the SKU \"a mug\" must be"),
            "{:?}",
            page.unreadable
        );
    }

    #[test]
    fn a_page_that_is_none_is_an_error() {
        for nonsense in ["", "[]", "{}", r#"{"orders":{}}"#] {
            assert!(matches!(parse_page(nonsense.as_bytes()), Err(CallError::Unavailable { .. })), "{nonsense}");
            assert!(matches!(parse_order(nonsense.as_bytes()), Err(CallError::Unavailable { .. })), "{nonsense}");
        }
    }
}
