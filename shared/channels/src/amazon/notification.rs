//! Notices that Amazon puts into our SQS queue: the body of a message is the notice, as JSON.
//!
//! **They are not signed.** What makes them Amazon's is that they came out of a queue to which only Amazon's account may send; so this
//! must never be called with bytes that came over HTTP. The same notice can come twice, in any order: `NotificationId` is the same then.
//!
//! - `ORDER_CHANGE` of the whole order carries its lines, and is taken at its word: at `Pending` the units are reserved, without a call
//!   that half a second's ration per order would delay in a rush. One of a single item is only a hint: told as an order it would
//!   look as if the other lines were gone, or be older news than another item's of the same second.
//! - `LISTINGS_ITEM_MFN_QUANTITY_CHANGE` says what a listing shows.
//!
//! Of canceled units a notice says nothing but that the whole order is `Canceled`; of a line that shows 0 the same is made as in
//! `orders.rs`. Source: the JSON schemas of both notifications (amzn/selling-partner-api-models, `schemas/notifications`).

use std::str::FromStr;

use domain::{
    ids::{Reference, Sku},
    sale::{SaleLine, Stage},
    time::Timestamp,
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

use super::{
    DEFAULT_CHANNEL,
    orders::{RawLine, ReadOrder, parse_time},
};
use crate::{Rejected, Shown};

/// Bytes of a notice that are read: the most that an SQS message holds is 1 MiB (Amazon SQS, "Message quotas").
const MAX_BYTES: usize = 1 << 20;

/// A notice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notification {
    /// `NotificationId`: the same when it comes again.
    pub id: String,
    /// The seller whom it concerns: one queue may serve several accounts. Nothing for a notice that is none of ours.
    pub seller: Option<String>,
    /// The marketplace of its order; nothing for a notice of a listing, which names none. A seller may have several.
    pub marketplace: Option<String>,
    /// What it says.
    pub said: Said,
}

/// What a notice says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// An order, as it stood then, and what of it could not be read.
    Order(ReadOrder),
    /// This order has changed: fetch it.
    Hint(Reference),
    /// A listing shows another quantity.
    Quantity {
        /// Which.
        sku: Sku,
        /// What it shows.
        shown: Shown,
        /// Since when.
        at: Timestamp,
    },
    /// Nothing that concerns the merchant's own stock.
    Nothing,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Envelope {
    notification_type: String,
    event_time: String,
    #[serde(default)]
    payload: Value,
    notification_metadata: Metadata,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Metadata {
    notification_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct OrderPayload {
    order_change_notification: OrderChange,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct OrderChange {
    notification_level: String,
    seller_id: String,
    amazon_order_id: String,
    #[serde(rename = "OrderChangeTrigger")]
    trigger: Trigger,
    summary: Summary,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Trigger {
    time_of_order_change: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Summary {
    marketplace_id: String,
    order_status: String,
    fulfillment_type: String,
    order_items: Vec<OrderItem>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct OrderItem {
    #[serde(rename = "OrderItemId")]
    id: String,
    #[serde(rename = "SellerSKU")]
    seller_sku: String,
    quantity: u64,
    quantity_shipped: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct QuantityChange {
    seller_id: String,
    fulfillment_channel_code: String,
    sku: String,
    quantity: u64,
}

/// Reads a notice: the body of an SQS message, never of a request.
///
/// # Errors
/// [`Rejected::Malformed`] in words, for whoever looks at the queue of what failed.
pub fn parse_notification(body: &[u8]) -> Result<Notification, Rejected> {
    if body.len() > MAX_BYTES {
        return Err(Rejected::Malformed("too long".into()));
    }
    let envelope: Envelope =
        serde_json::from_slice(body).map_err(|error| Rejected::Malformed(format!("notification: {error}")))?;
    let event_time = parse_time(&envelope.event_time).ok_or_else(|| malformed("EventTime is not a time"))?;
    let (seller, marketplace, said) = match envelope.notification_type.as_str() {
        "ORDER_CHANGE" => {
            let change: OrderPayload = payload(envelope.payload)?;
            let change = change.order_change_notification;
            (Some(change.seller_id.clone()), Some(change.summary.marketplace_id.clone()), order(&change, event_time)?)
        }
        "LISTINGS_ITEM_MFN_QUANTITY_CHANGE" => {
            let change: QuantityChange = payload(envelope.payload)?;
            (Some(change.seller_id.clone()), None, quantity(&change, event_time)?)
        }
        _ => (None, None, Said::Nothing),
    };
    Ok(Notification { id: envelope.notification_metadata.notification_id, seller, marketplace, said })
}

fn malformed(what: &str) -> Rejected {
    Rejected::Malformed(format!("notification: {what}"))
}

fn payload<T: DeserializeOwned>(payload: Value) -> Result<T, Rejected> {
    serde_json::from_value(payload).map_err(|error| Rejected::Malformed(format!("notification: {error}")))
}

fn order(change: &OrderChange, event_time: Timestamp) -> Result<Said, Rejected> {
    let summary = &change.summary;
    if summary.fulfillment_type == "AFN" {
        return Ok(Said::Nothing);
    }
    let reference =
        Reference::from_str(&change.amazon_order_id).map_err(|_| malformed("AmazonOrderId is not an id"))?;
    let stage = match summary.order_status.as_str() {
        "PendingAvailability" | "Pending" | "Canceled" => Stage::Pending,
        // The invoice that Brazil wants before a parcel leaves comes after the payment.
        "Unshipped" | "PartiallyShipped" | "InvoiceUnconfirmed" => Stage::Paid,
        "Shipped" => Stage::Shipped,
        // What this says, `getOrder` may say in a way that we know.
        _ => return Ok(Said::Hint(reference)),
    };
    if change.notification_level != "OrderLevel" {
        return Ok(Said::Hint(reference));
    }
    let changed_at = match &change.trigger.time_of_order_change {
        Some(text) => parse_time(text).ok_or_else(|| malformed("TimeOfOrderChange is not a time"))?,
        None => event_time,
    };
    let lines = summary.order_items.iter().map(|item| line(item, &summary.order_status, stage)).collect();
    Ok(Said::Order(ReadOrder::of(&change.amazon_order_id, changed_at, lines)))
}

fn line(item: &OrderItem, status: &str, stage: Stage) -> Result<SaleLine, String> {
    let shipped = item.quantity_shipped.unwrap_or(0);
    let is_shipped = shipped > 0 && (shipped >= item.quantity || status == "Canceled");
    let canceled = if status == "Canceled" { item.quantity.saturating_sub(shipped) } else { 0 };
    let stage = if is_shipped { Stage::Shipped } else { stage };
    RawLine { id: &item.id, sku: &item.seller_sku, ordered: item.quantity, canceled, stage }.check()
}

fn quantity(change: &QuantityChange, at: Timestamp) -> Result<Said, Rejected> {
    if change.fulfillment_channel_code != DEFAULT_CHANNEL {
        return Ok(Said::Nothing);
    }
    let sku = Sku::from_str(&change.sku).map_err(|error| malformed(&format!("the SKU {error}")))?;
    Ok(Said::Quantity { sku, shown: Shown { quantity: change.quantity }, at })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn notice(kind: &str, payload: &Value) -> Result<Notification, Rejected> {
        let body = json!({
            "NotificationVersion": "1.0", "NotificationType": kind, "PayloadVersion": "1.0",
            "EventTime": "2026-01-01T00:00:09Z", "Payload": payload,
            "NotificationMetadata": { "ApplicationId": "a", "SubscriptionId": "s", "PublishTime": "2026-01-01T00:00:10Z",
                "NotificationId": "n-1" },
        });
        parse_notification(body.to_string().as_bytes())
    }

    fn change(status: &str, items: &Value) -> Value {
        json!({ "OrderChangeNotification": {
            "NotificationLevel": "OrderLevel", "SellerId": "S", "AmazonOrderId": "902-1-1",
            "OrderChangeType": "OrderStatusChange",
            "OrderChangeTrigger": { "TimeOfOrderChange": "2026-01-01T00:00:05Z", "ChangeReason": "x" },
            "Summary": { "MarketplaceId": "M", "OrderStatus": status, "PurchaseDate": null, "DestinationPostalCode": null,
                "FulfillmentType": "MFN", "OrderType": "StandardOrder", "OrderItems": items },
        } })
    }

    fn item(quantity: u64, shipped: u64) -> Value {
        json!({ "OrderItemId": "7", "SellerSKU": "mug", "SupplySourceId": null, "Quantity": quantity, "QuantityShipped": shipped })
    }

    #[test]
    fn an_order_is_told_at_its_stage() {
        for (status, item, expected) in [
            ("Pending", item(3, 0), (3, 0, Stage::Pending)),
            ("PendingAvailability", item(3, 0), (3, 0, Stage::Pending)),
            ("Unshipped", item(3, 0), (3, 0, Stage::Paid)),
            ("InvoiceUnconfirmed", item(3, 0), (3, 0, Stage::Paid)),
            ("PartiallyShipped", item(3, 1), (3, 0, Stage::Paid)),
            ("PartiallyShipped", item(3, 3), (3, 0, Stage::Shipped)),
            ("Shipped", item(3, 3), (3, 0, Stage::Shipped)),
            ("Canceled", item(3, 0), (3, 3, Stage::Pending)),
            ("Canceled", item(3, 1), (3, 2, Stage::Shipped)),
            ("Canceled", item(0, 0), (1, 1, Stage::Pending)),
        ] {
            let notice = notice("ORDER_CHANGE", &change(status, &json!([item]))).unwrap();
            assert_eq!((notice.id.as_str(), notice.seller.as_deref()), ("n-1", Some("S")));
            let Said::Order(ReadOrder { order: Some(order), unreadable }) = notice.said else { panic!("{status}") };
            assert!(unreadable.is_empty());
            assert_eq!(order.changed_at, Timestamp::from_epoch_seconds(1_767_225_605));
            let line = &order.lines[0];
            assert_eq!((line.quantity.units(), line.canceled, line.stage), expected, "{status}");
        }
    }

    #[test]
    fn one_item_or_an_unknown_status_is_a_hint_and_amazons_own_stock_is_nothing() {
        let hint = Said::Hint("902-1-1".parse().unwrap());
        let mut one = change("Unshipped", &json!([item(1, 0)]));
        one["OrderChangeNotification"]["NotificationLevel"] = json!("OrderItemLevel");
        assert_eq!(notice("ORDER_CHANGE", &one).unwrap().said, hint);
        assert_eq!(notice("ORDER_CHANGE", &change("Lost", &json!([]))).unwrap().said, hint);
        let mut amazons = change("Unshipped", &json!([item(1, 0)]));
        amazons["OrderChangeNotification"]["Summary"]["FulfillmentType"] = json!("AFN");
        assert_eq!(notice("ORDER_CHANGE", &amazons).unwrap().said, Said::Nothing);
        assert_eq!(notice("FEED_PROCESSING_FINISHED", &json!({})).unwrap().said, Said::Nothing);
    }

    #[test]
    fn without_a_time_of_its_own_a_change_is_as_old_as_the_notice() {
        let mut payload = change("Unshipped", &json!([item(1, 0)]));
        payload["OrderChangeNotification"]["OrderChangeTrigger"]["TimeOfOrderChange"] = Value::Null;
        let Said::Order(read) = notice("ORDER_CHANGE", &payload).unwrap().said else { panic!("an order") };
        assert_eq!(read.order.unwrap().changed_at, Timestamp::from_epoch_seconds(1_767_225_609));
    }

    #[test]
    fn a_quantity_is_told_of_the_merchants_own_stock() {
        let payload = |channel: &str, sku: &str| json!({ "SellerId": "S", "FulfillmentChannelCode": channel, "Sku": sku, "Quantity": 9 });
        let said = |channel, sku| notice("LISTINGS_ITEM_MFN_QUANTITY_CHANGE", &payload(channel, sku)).map(|n| n.said);
        let at = Timestamp::from_epoch_seconds(1_767_225_609);
        let nine = Said::Quantity { sku: "mug".parse().unwrap(), shown: Shown { quantity: 9 }, at };
        assert_eq!(said("DEFAULT", "mug"), Ok(nine));
        assert_eq!(said("AMAZON_NA", "mug"), Ok(Said::Nothing));
        assert!(matches!(said("DEFAULT", "a mug"), Err(Rejected::Malformed(_))));
    }

    #[test]
    fn what_is_no_notice_is_malformed() {
        for nonsense in ["", "[]", "{}", "null", r#"{"NotificationType":"ORDER_CHANGE"}"#] {
            assert!(matches!(parse_notification(nonsense.as_bytes()), Err(Rejected::Malformed(_))), "{nonsense}");
        }
        assert!(matches!(parse_notification(&vec![b' '; MAX_BYTES + 1]), Err(Rejected::Malformed(_))));
        assert!(matches!(notice("ORDER_CHANGE", &json!({})), Err(Rejected::Malformed(_))));
    }
}
