//! Ids and the short texts of keys, records and messages.

use std::{fmt::Display, str::FromStr};

use domain::{
    bucket::{BucketId, Hold},
    ids::{Channel, ExtensionId, Fingerprint, IdempotencyKey, MovementId, Reason, Reference, ReservationId, Sku},
    limits::{
        MAX_CHANNEL_CHARS, MAX_IDEMPOTENCY_KEY_CHARS, MAX_QUANTITY, MAX_REASON_CHARS, MAX_REFERENCE_CHARS,
        MAX_SKU_CHARS,
    },
    order::{OrderId, OrderIdKey},
    quantity::Quantity,
    reservation::{Allocation, Line, Shortage},
};

use crate::Seen;

/// A text that is read as everything that a text can be.
///
/// # Panics
/// When one is read and not printed as it was, or is beyond its limits; or when an order id is taken that nobody issued.
#[must_use]
pub fn texts(bytes: &[u8]) -> Seen {
    let Ok(text) = std::str::from_utf8(bytes) else { return Seen::Refused };
    let read = [
        id::<Sku>(text, MAX_SKU_CHARS),
        id::<Channel>(text, MAX_CHANNEL_CHARS),
        id::<Reference>(text, MAX_REFERENCE_CHARS),
        id::<IdempotencyKey>(text, MAX_IDEMPOTENCY_KEY_CHARS),
        id::<Reason>(text, MAX_REASON_CHARS),
        id::<ReservationId>(text, 16),
        id::<MovementId>(text, 16),
        id::<ExtensionId>(text, 16),
        id::<Fingerprint>(text, 16),
        // SKU, channel and a number of ten digits.
        id::<BucketId>(text, MAX_SKU_CHARS + 1 + MAX_CHANNEL_CHARS + 11),
        id::<Allocation>(text, 150),
        units::<Hold>(text, |hold| hold.quantity),
        units::<Line>(text, |line| line.quantity),
        units::<Shortage>(text, |shortage| shortage.requested),
    ];
    assert_eq!(OrderId::read(text, &OrderIdKey::new("nobody has it")), None, "nobody issued {text:?}");
    Seen::when(read.contains(&true))
}

fn id<T: FromStr + Display>(text: &str, max_chars: usize) -> bool {
    let Ok(read) = text.parse::<T>() else { return false };
    assert_eq!(read.to_string(), text, "read as another text");
    assert!((1..=max_chars).contains(&text.chars().count()), "{text:?} is longer than {max_chars} characters");
    true
}

fn units<T: FromStr + Display>(text: &str, quantity: impl FnOnce(T) -> Quantity) -> bool {
    let Ok(read) = text.parse::<T>() else { return false };
    assert_eq!(read.to_string(), text, "read as another text");
    let units = quantity(read).units();
    assert!((1..=MAX_QUANTITY).contains(&units), "{units} units");
    true
}
