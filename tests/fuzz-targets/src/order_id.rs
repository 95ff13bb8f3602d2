//! The ids of queued orders: whoever does not know the secret cannot make one, nor change one.

use domain::{
    order::{OrderId, OrderIdKey},
    time::Timestamp,
};
use runtime::orders;

use crate::Seen;

/// Four lines: the secret; when the id is issued, in epoch seconds; what is changed in it, as pairs of a position and the bits that
/// are flipped there; and the body of the order's message.
///
/// # Panics
/// When the id cannot be read under its secret, or can be under another, or when a changed one can be read.
#[must_use]
pub fn order_id(bytes: &[u8]) -> Seen {
    let Ok(all) = std::str::from_utf8(bytes) else { return Seen::Refused };
    let mut lines = all.splitn(4, '\n');
    let (Some(secret), Some(seconds), Some(changes), Some(body)) =
        (lines.next(), lines.next(), lines.next(), lines.next())
    else {
        return Seen::Refused;
    };
    let (Ok(seconds), Ok(order)) = (seconds.parse::<u32>(), orders::parse(body.trim_end())) else {
        return Seen::Refused;
    };
    let key = OrderIdKey::new(secret);
    let issued = OrderId::issue(&order, Timestamp::from_epoch_seconds(seconds.into()));
    let text = issued.encode(&key);
    let read = OrderId::read(&text, &key).expect("an issued id is read");
    assert_eq!(read, issued);
    assert_eq!((read.encode(&key), &read.id), (text.clone(), order.id()));
    assert_eq!(OrderId::read(&text, &OrderIdKey::new(&format!("{secret}x"))), None, "read under another secret");

    let other = changed(&text, changes);
    if other != text {
        assert_eq!(OrderId::read(&other, &key), None, "{other} was never issued; {text} was");
    }
    Seen::Accepted
}

/// The id with those changes, or as it is if they make no text of it. A position behind its end makes it longer by the character
/// itself.
fn changed(id: &str, changes: &str) -> String {
    let mut bytes = id.as_bytes().to_vec();
    for pair in changes.as_bytes().chunks_exact(2) {
        match bytes.get_mut(usize::from(pair[0].wrapping_sub(b'0'))) {
            Some(byte) => *byte ^= pair[1],
            None => bytes.push(pair[1]),
        }
    }
    String::from_utf8(bytes).unwrap_or_else(|_| id.to_owned())
}
