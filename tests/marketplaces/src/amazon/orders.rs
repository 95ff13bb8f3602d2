//! Orders 2026-01-01, and the notice of a changed order.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use channels::transport::Response;
use domain::{sale::Stage, time::Timestamp};
use serde_json::{Value, json};

use super::{AmazonFace, Asked, No, iso_8601, refusal};
use crate::{
    face::json as answer,
    market::{Line, Market, Order},
};

/// Units of a line that have been shipped.
fn shipped(order: &Order, line: &Line) -> u64 {
    if order.stage == Stage::Shipped { line.quantity - line.canceled } else { 0 }
}

fn is_canceled(order: &Order) -> bool {
    order.lines.iter().all(|line| line.canceled == line.quantity)
}

impl AmazonFace {
    fn order_json(&self, order: &Order, asked: &Asked<'_>) -> Value {
        let items = order.lines.iter().map(|line| {
            let mut item = json!({
                "orderItemId": line.id, "quantityOrdered": line.quantity, "product": { "sellerSku": line.sku },
            });
            if asked.has("includedData", "FULFILLMENT") {
                let shipped = shipped(order, line);
                let left = line.quantity - line.canceled - shipped;
                item["fulfillment"] = json!({ "quantityFulfilled": shipped, "quantityUnfulfilled": left });
            }
            if asked.has("includedData", "CANCELLATION") && line.canceled > 0 {
                let execution = json!({ "cancelledBy": "BUYER", "cancelReason": "NO_LONGER_NEEDED" });
                item["cancellation"] = json!({ "cancellationExecution": execution });
            }
            item
        });
        let mut shown = json!({
            "orderId": order.id,
            "createdTime": iso_8601(order.placed_at),
            "lastUpdatedTime": iso_8601(order.changed_at),
            "salesChannel": { "channelName": "AMAZON", "marketplaceId": self.marketplace_id },
            "orderItems": items.collect::<Vec<_>>(),
        });
        if asked.has("includedData", "FULFILLMENT") {
            let status = match order.stage {
                _ if is_canceled(order) => "CANCELLED",
                Stage::Pending => "PENDING",
                Stage::Paid => "UNSHIPPED",
                Stage::Shipped => "SHIPPED",
            };
            shown["fulfillment"] = json!({ "fulfillmentStatus": status, "fulfilledBy": "MERCHANT" });
        }
        shown
    }

    pub(super) fn search_orders(&self, market: &Market, asked: &Asked<'_>) -> Result<Response, No> {
        asked.only(&[
            "lastUpdatedAfter",
            "marketplaceIds",
            "fulfilledBy",
            "includedData",
            "maxResultsPerPage",
            "paginationToken",
        ])?;
        let invalid = |name: &str| refusal(400, "InvalidInput", &format!("Invalid '{name}' provided."));
        let since = asked.param("lastUpdatedAfter").ok_or_else(|| invalid("lastUpdatedAfter"))?;
        let time: jiff::Timestamp = since.parse().map_err(|_| invalid("lastUpdatedAfter"))?;
        let seconds = u64::try_from(time.as_second()).map_err(|_| invalid("lastUpdatedAfter"))?;
        let size = asked.param("maxResultsPerPage").map_or(Some(100), |size| size.parse().ok());
        let size = size.filter(|size| (1..=100).contains(size)).ok_or_else(|| invalid("maxResultsPerPage"))?;
        if !asked.has("marketplaceIds", &self.marketplace_id) || !asked.has("fulfilledBy", "MERCHANT") {
            return Err(invalid("marketplaceIds"));
        }
        // A token holds for the question that it was given for, and no other.
        let skipped = match asked.param("paginationToken") {
            None => 0,
            Some(token) => {
                let text = URL_SAFE_NO_PAD.decode(token).ok().and_then(|bytes| String::from_utf8(bytes).ok());
                let text = text.ok_or_else(|| invalid("paginationToken"))?;
                let (count, asked_before) = text.split_once(' ').ok_or_else(|| invalid("paginationToken"))?;
                let count = count.parse().ok().filter(|_| asked_before == since);
                count.ok_or_else(|| invalid("paginationToken"))?
            }
        };
        let orders = market.changed_since(Timestamp::from_epoch_seconds(seconds));
        let page: Vec<Value> =
            orders.iter().skip(skipped).take(size.min(self.page)).map(|order| self.order_json(order, asked)).collect();
        let next = skipped + page.len();
        let mut shown = json!({ "orders": page, "lastUpdatedBefore": iso_8601(market.now) });
        if next < orders.len() {
            shown["pagination"] = json!({ "nextToken": URL_SAFE_NO_PAD.encode(format!("{next} {since}")) });
        }
        Ok(answer(200, &shown))
    }

    pub(super) fn get_order(&self, market: &Market, asked: &Asked<'_>, id: &str) -> Result<Response, No> {
        asked.only(&["includedData"])?;
        match market.orders.get(id) {
            Some(order) => Ok(answer(200, &json!({ "order": self.order_json(order, asked) }))),
            None => Err(refusal(404, "NotFound", "no such order")),
        }
    }

    /// The notice of an order that has changed.
    pub(super) fn order_change(&self, order: &Order) -> Value {
        let status = match order.stage {
            _ if is_canceled(order) => "Canceled",
            Stage::Pending => "Pending",
            Stage::Paid => "Unshipped",
            Stage::Shipped => "Shipped",
        };
        let item = |line: &Line| {
            json!({ "OrderItemId": line.id, "SellerSKU": line.sku, "SupplySourceId": null, "Quantity": line.quantity,
                "QuantityShipped": shipped(order, line) })
        };
        let summary = json!({
            "MarketplaceId": self.marketplace_id, "OrderStatus": status, "PurchaseDate": iso_8601(order.placed_at),
            "DestinationPostalCode": null, "FulfillmentType": "MFN", "OrderType": "StandardOrder",
            "OrderItems": order.lines.iter().map(item).collect::<Vec<_>>(),
        });
        let payload = json!({ "OrderChangeNotification": {
            "NotificationLevel": "OrderLevel", "SellerId": self.seller_id, "AmazonOrderId": order.id,
            "OrderChangeType": "OrderStatusChange", "Summary": summary,
            "OrderChangeTrigger": { "TimeOfOrderChange": iso_8601(order.changed_at), "ChangeReason": "OrderStatusChange" },
        } });
        notice("ORDER_CHANGE", &format!("{}-{}", order.id, order.changed_at), order.changed_at, &payload)
    }

    /// The notice of a quantity that has changed.
    #[must_use]
    pub fn quantity_change(&self, market: &Market, sku: &str) -> Option<Vec<u8>> {
        let payload = json!({
            "SellerId": self.seller_id, "FulfillmentChannelCode": "DEFAULT", "Sku": sku,
            "Quantity": market.listings.get(sku)?.shown,
        });
        let id = format!("{sku}-{}", market.now);
        Some(notice("LISTINGS_ITEM_MFN_QUANTITY_CHANGE", &id, market.now, &payload).to_string().into_bytes())
    }
}

fn notice(kind: &str, id: &str, at: Timestamp, payload: &Value) -> Value {
    json!({
        "NotificationVersion": "1.0", "NotificationType": kind, "PayloadVersion": "1.0", "EventTime": iso_8601(at),
        "Payload": payload,
        "NotificationMetadata": { "ApplicationId": "amzn1.sellerapps.app.test", "SubscriptionId": "subscription",
            "PublishTime": iso_8601(at), "NotificationId": id },
    })
}
