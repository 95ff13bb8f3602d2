//! Deliveries of Shopify to our webhook.
//!
//! Source: shopify.dev, "Verify webhook deliveries" and "Updates to webhook retry mechanism" (2024-09-10): `X-Shopify-Hmac-Sha256` is the
//! base64 of the HMAC-SHA256 of the raw body under the app's client secret. It does not cover the headers: `X-Shopify-Webhook-Id`, by
//! which a delivery that comes again is known, and `X-Shopify-Triggered-At`, by which an old one is, can be changed by whoever caught a
//! delivery on its way. What he can do with it is to tell an order as it once stood, and that is older news: the time in the body is
//! signed.

use serde::Deserialize;

use super::order;
use crate::{
    CallError, Context, Delivery, Heard, Rejected,
    reading::{self, Told},
    signature::is_hmac_sha256_base64,
};

/// How old a delivery may be, in seconds. It is sent for four hours (8 retries), with the time at which it was sent first; and "in rare
/// circumstances" it comes up to a day late (shopify.dev, "Best practices for webhooks"). To refuse those would cost the subscription.
pub const MAX_AGE_SECONDS: u64 = (4 + 24) * 60 * 60;

/// How far Shopify's clock may be ahead of ours, in seconds.
pub const MAX_AHEAD_SECONDS: u64 = 5 * 60;

/// Checks a delivery and reads it.
pub(super) fn hear(context: &Context, delivery: &Delivery) -> Result<Heard, Rejected> {
    check(context, delivery)?;
    let id = delivery.header("x-shopify-webhook-id").map(str::to_owned);
    match delivery.header("x-shopify-topic").unwrap_or_default() {
        "orders/create"
        | "orders/updated"
        | "orders/cancelled"
        | "orders/paid"
        | "orders/fulfilled"
        | "orders/partially_fulfilled" => order(&delivery.body, id),
        "refunds/create" => refund(&delivery.body, id),
        // The same comes as `orders/updated`, or concerns no order.
        _ => Ok(Heard::Nothing),
    }
}

fn check(context: &Context, delivery: &Delivery) -> Result<(), Rejected> {
    let credentials = &context.credentials;
    let secret = credentials
        .get("webhook_secret")
        .or_else(|missing| credentials.get("client_secret").map_err(|_| missing))
        .map_err(|missing| Rejected::Unavailable(CallError::Unconfigured(missing)))?;
    let signature = delivery.header("x-shopify-hmac-sha256").ok_or(Rejected::Unbelieved("no signature"))?;
    if !is_hmac_sha256_base64(secret, &delivery.body, signature) {
        return Err(Rejected::Unbelieved("another signature"));
    }
    // One app, and so one secret, may be installed in several shops.
    let shop = delivery.header("x-shopify-shop-domain");
    if let (Some(ours), Some(theirs)) = (context.options.get("shop"), shop)
        && !ours.eq_ignore_ascii_case(theirs)
    {
        return Err(Rejected::Unbelieved("of another shop"));
    }
    let triggered_at = delivery.header("x-shopify-triggered-at").and_then(reading::instant);
    let triggered_at = triggered_at.ok_or(Rejected::Unbelieved("no time"))?;
    let now = context.clock.now();
    if now.seconds_since(triggered_at) > MAX_AGE_SECONDS {
        return Err(Rejected::Unbelieved("too old"));
    }
    if triggered_at.seconds_since(now) > MAX_AHEAD_SECONDS {
        return Err(Rejected::Unbelieved("not yet"));
    }
    Ok(())
}

fn order(body: &[u8], delivery: Option<String>) -> Result<Heard, Rejected> {
    let seen = order::parse_webhook(body).map_err(Rejected::Malformed)?;
    let hint = |delivery| Heard::Hint { orders: vec![seen.id.clone()], delivery };
    if seen.needs_shipments() {
        return Ok(hint(delivery));
    }
    let Told { order, unreadable } = seen.told();
    for words in &unreadable {
        tracing::warn!(words, "part of an order could not be read");
    }
    Ok(match order {
        Some(order) => Heard::Orders { orders: vec![order], delivery },
        // Whoever fetches it learns why.
        None => hint(delivery),
    })
}

fn refund(body: &[u8], delivery: Option<String>) -> Result<Heard, Rejected> {
    #[derive(Deserialize)]
    struct Refund {
        order_id: u64,
    }
    let refund: Refund = reading::json(body).map_err(Rejected::Malformed)?;
    Ok(Heard::Hint { orders: vec![refund.order_id.to_string()], delivery })
}
