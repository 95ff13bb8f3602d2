//! Walmart's notifications: who signed them, and what they say. Pure.
//!
//! With `authMethod` `HMAC`, Walmart sends "`authHeaderName` as the header key and HMACSHA256 of the complete response
//! as the value, with `clientSecret` as the key" (*Create subscription*). In which letters is not said: 64 hexadecimal
//! digits and 44 characters of base64 cannot be taken for each other, so both are read. Unverified against a real
//! delivery; the check below is against RFC 4231.

use domain::time::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::order::second;
use crate::{
    Delivery, Heard, Rejected,
    signature::{is_hmac_sha256, is_hmac_sha256_base64},
};

/// A body that is longer is not hashed: an event has a few KB for each line of its order.
const MAX_BODY_BYTES: usize = 1_024 * 1_024;

/// An event that is older is refused. Walmart tries again after 5, 15 and 45 minutes (*Subscribe to an event
/// notification*).
const MAX_AGE_SECONDS: u64 = 86_400;

/// Checks the signature, over the raw bytes.
///
/// # Errors
/// [`Rejected::Unbelieved`].
pub fn check(delivery: &Delivery, header: &str, secret: &str) -> Result<(), Rejected> {
    let signature = delivery.header(header).ok_or(Rejected::Unbelieved("no signature"))?;
    if delivery.body.len() > MAX_BODY_BYTES {
        return Err(Rejected::Unbelieved("too long"));
    }
    let is_signed = match unhex(signature.trim()) {
        Some(bytes) => is_hmac_sha256(secret, &delivery.body, &bytes),
        None => is_hmac_sha256_base64(secret, &delivery.body, signature),
    };
    if is_signed { Ok(()) } else { Err(Rejected::Unbelieved("another body or another secret")) }
}

/// The 32 bytes of 64 hexadecimal digits.
fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u32> = text.chars().map(|c| c.to_digit(16)).collect::<Option<_>>()?;
    let bytes = digits.chunks_exact(2).map(|pair| u8::try_from(pair[0] * 16 + pair[1]).ok()).collect::<Option<_>>()?;
    (digits.len() == 64).then_some(bytes)
}

#[derive(Deserialize)]
struct Event {
    source: Source,
    #[serde(default)]
    payload: Payload,
}

#[derive(Deserialize)]
struct Source {
    #[serde(rename = "eventType")]
    kind: String,
    #[serde(rename = "eventTime")]
    time: Value,
    #[serde(rename = "eventId")]
    id: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct Payload {
    purchase_order_id: Option<Value>,
    order: Option<Order>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Order {
    purchase_order_id: Option<Value>,
}

/// Reads an event whose signature has been checked.
///
/// # Errors
/// [`Rejected::Unbelieved`] when it is too old, [`Rejected::Malformed`] when it is not as documented.
pub fn parse_notice(body: &[u8], now: Timestamp) -> Result<Heard, Rejected> {
    let malformed = |what: &str| Rejected::Malformed(what.to_owned());
    let event: Event = serde_json::from_slice(body).map_err(|_| malformed("not an event"))?;
    let happened = second(&event.source.time).ok_or_else(|| malformed("no eventTime"))?;
    if now.seconds_since(happened) > MAX_AGE_SECONDS {
        return Err(Rejected::Unbelieved("too old"));
    }
    match event.source.kind.as_str() {
        // Source: *Order management event*; the others are deprecated, and end on 15 December 2026.
        "ORDER_UPDATES" | "PO_CREATED" | "PO_LINE_AUTOCANCELLED" | "INTENT_TO_CANCEL" => {}
        _ => return Ok(Heard::Nothing),
    }
    let nested = event.payload.order.and_then(|order| order.purchase_order_id);
    let order = event.payload.purchase_order_id.or(nested).and_then(|id| text(&id));
    let order = order.ok_or_else(|| malformed("no purchaseOrderId"))?;
    Ok(Heard::Hint { orders: vec![order], delivery: event.source.id })
}

/// An id, which is digits, and in some samples a number.
fn text(id: &Value) -> Option<String> {
    let text = id.as_str().map(str::to_owned).or_else(|| id.as_u64().map(|n| n.to_string()))?;
    (1..=128).contains(&text.len()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_epoch_seconds(1_795_600_805);

    fn delivery(signature: &str) -> Delivery {
        Delivery {
            headers: vec![("WM-Signature".to_owned(), signature.to_owned())],
            body: b"what do ya want for nothing?".to_vec(),
            ..Delivery::default()
        }
    }

    #[test]
    fn a_signature_is_read_in_hex_and_in_base64_and_must_be_right() {
        // Source: RFC 4231, test case 2.
        let hex = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        let base64 = "W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM=";
        for good in [hex, &hex.to_uppercase(), base64] {
            // `is_hmac_sha256` compares in constant time.
            assert_eq!(check(&delivery(good), "wm-signature", "Jefe"), Ok(()), "{good}");
            assert!(matches!(check(&delivery(good), "wm-signature", "jefe"), Err(Rejected::Unbelieved(_))));
            assert!(matches!(check(&delivery(good), "other", "Jefe"), Err(Rejected::Unbelieved(_))));
            let mut flipped = delivery(good);
            flipped.body[3] ^= 1;
            assert!(matches!(check(&flipped, "wm-signature", "Jefe"), Err(Rejected::Unbelieved(_))));
        }
        for bad in ["", "00", &hex[1..], &format!("{hex}0"), &format!("{hex}00"), "zz", &hex.replacen('5', "6", 1)] {
            assert!(matches!(check(&delivery(bad), "wm-signature", "Jefe"), Err(Rejected::Unbelieved(_))), "{bad}");
        }
        let mut long = delivery(hex);
        long.body = vec![0; MAX_BODY_BYTES + 1];
        assert_eq!(check(&long, "wm-signature", "Jefe"), Err(Rejected::Unbelieved("too long")));
    }

    #[test]
    fn an_event_is_a_hint_for_a_day_and_an_order() {
        let event = |kind: &str, time: &str, payload: &str| {
            let body = format!(
                r#"{{"source":{{"eventType":"{kind}","eventTime":{time},"eventId":"e-1"}},"payload":{payload}}}"#
            );
            parse_notice(body.as_bytes(), NOW)
        };
        let (time, id) = (r#""2026-11-25T10:00:05.900Z""#, r#"{"purchaseOrderId":"1796277083022"}"#);
        let hint = Ok(Heard::Hint { orders: vec!["1796277083022".to_owned()], delivery: Some("e-1".to_owned()) });
        assert_eq!(event("PO_CREATED", time, id), hint);
        assert_eq!(event("PO_LINE_AUTOCANCELLED", "1795600805900", r#"{"purchaseOrderId":1796277083022}"#), hint);
        assert_eq!(event("ORDER_UPDATES", time, &format!(r#"{{"subEventType":"FRAUD_CANCEL","order":{id}}}"#)), hint);
        assert_eq!(event("BUY_BOX_CHANGED", time, "{}"), Ok(Heard::Nothing));
        let old = event("PO_CREATED", r#""2026-11-24T10:00:04Z""#, id);
        assert_eq!(old, Err(Rejected::Unbelieved("too old")));
        assert_eq!(event("PO_CREATED", r#""2026-11-24T10:00:05Z""#, id), hint);
        for (kind, time, payload) in
            [("PO_CREATED", time, "{}"), ("PO_CREATED", "null", id), ("PO_CREATED", time, r#"{"purchaseOrderId":""}"#)]
        {
            assert!(matches!(event(kind, time, payload), Err(Rejected::Malformed(_))), "{payload}");
        }
    }
}
