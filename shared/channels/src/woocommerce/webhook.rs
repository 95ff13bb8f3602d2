//! Deliveries of a `WooCommerce` shop to our webhook.
//!
//! Source: `class-wc-webhook.php`. `X-WC-Webhook-Signature` is the base64 of the HMAC-SHA256 of the raw body under the webhook's secret.
//! A new webhook is tried with an unsigned form, `webhook_id=N`, and is not saved unless that is answered with 200.
//!
//! A delivery has no time and is never sent again, and after more than five answers in a row that are no success the shop turns the
//! webhook off. `X-WC-Webhook-Delivery-ID` is a hash of webhook and second: two orders of one second have the same. So a delivery is
//! known by its body. Told again, it is the order as it once stood, with the time of its last change: older news.

use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::order;
use crate::{
    CallError, Context, Delivery, Heard, Rejected,
    reading::{self, Told},
    signature::is_hmac_sha256_base64,
};

/// Digits of a webhook's id.
const MAX_ID_DIGITS: usize = 20;

/// Checks a delivery and reads it.
pub(super) fn hear(context: &Context, delivery: &Delivery) -> Result<Heard, Rejected> {
    let Some(signature) = delivery.header("x-wc-webhook-signature") else {
        return if is_ping(&delivery.body) {
            Ok(Heard::Handshake { content_type: "text/plain", body: Vec::new() })
        } else {
            Err(Rejected::Unbelieved("no signature"))
        };
    };
    let secret = context.credentials.get("webhook_secret");
    let secret = secret.map_err(|missing| Rejected::Unavailable(CallError::Unconfigured(missing)))?;
    if !is_hmac_sha256_base64(secret, &delivery.body, signature) {
        return Err(Rejected::Unbelieved("another signature"));
    }
    match delivery.header("x-wc-webhook-topic").unwrap_or_default() {
        "order.created" | "order.updated" | "order.restored" => read(&delivery.body),
        "order.deleted" => Ok(hint(&delivery.body, id(&delivery.body)?)),
        _ => Ok(Heard::Nothing),
    }
}

/// Whether this is the form with which a new webhook is tried. It is answered to whoever sends it, and tells him nothing.
fn is_ping(body: &[u8]) -> bool {
    let id = body.strip_prefix(b"webhook_id=").unwrap_or_default();
    (1..=MAX_ID_DIGITS).contains(&id.len()) && id.iter().all(u8::is_ascii_digit)
}

fn read(body: &[u8]) -> Result<Heard, Rejected> {
    let seen = order::parse_order(body).map_err(Rejected::Malformed)?;
    if seen.needs_refunds() {
        return Ok(hint(body, seen.id));
    }
    let Told { order, unreadable } = seen.told();
    for words in &unreadable {
        tracing::warn!(words, "part of an order could not be read");
    }
    Ok(match order {
        Some(order) => Heard::Orders { orders: vec![order], delivery: Some(name(body)) },
        None if unreadable.is_empty() => Heard::Nothing,
        // Whoever fetches it learns why.
        None => hint(body, seen.id),
    })
}

fn id(body: &[u8]) -> Result<u64, Rejected> {
    #[derive(Deserialize)]
    struct Deleted {
        id: u64,
    }
    reading::json::<Deleted>(body).map(|deleted| deleted.id).map_err(Rejected::Malformed)
}

fn hint(body: &[u8], id: u64) -> Heard {
    Heard::Hint { orders: vec![id.to_string()], delivery: Some(name(body)) }
}

/// What a delivery is known by.
fn name(body: &[u8]) -> String {
    reading::name(&Sha256::digest(body))
}
