//! Stored items, in DynamoDB's JSON.

use serde_json::Value;
use simulation::item::sdk_item;
use store::{
    StoredItem,
    stream::{holds_of_removed_reservation, new_holds},
};

use crate::Seen;

/// Attributes of the index: written, never read.
const INDEX: [&str; 2] = ["list", "rank"];

/// An item, as the stream brings it.
///
/// # Panics
/// When what is decoded is not encoded as it was: a write whose condition names it would then be refused for ever.
#[must_use]
pub fn items(bytes: &[u8]) -> Seen {
    let Ok(Value::Object(json)) = serde_json::from_slice(bytes) else { return Seen::Refused };
    let item = sdk_item(&json);
    let armed = new_holds(None, Some(&item));
    let left_behind = holds_of_removed_reservation(&item);
    let stored = match store::decode(&item) {
        Err(_) => return Seen::Refused,
        Ok(None) => return Seen::Accepted,
        Ok(Some(stored)) => stored,
    };
    let written = store::encode(&stored);
    for (name, value) in written.iter().filter(|(name, _)| !INDEX.contains(&name.as_str())) {
        assert_eq!(item.get(name), Some(value), "{name} was read as another value");
    }
    let optional: &[&str] = match &stored {
        StoredItem::Bucket(..) => &["owed", "w"],
        StoredItem::Reservation(_) => &["order_id", "session_id", "fingerprint", "ttl"],
        StoredItem::Movement(_) => &["shortfall"],
        StoredItem::PurchaseOrder(_) => &["currency", "expected", "sent_at", "closed_at", "alert", "erp"],
        StoredItem::OnOrder(..) => &[],
    };
    for name in optional {
        assert_eq!(item.get(*name), written.get(*name), "{name} was read as if it were not there");
    }
    let again = store::decode(&written).expect("what is written can be read");
    assert_eq!(again.as_ref(), Some(&stored));

    let (armed, left_behind) = (armed.expect("a readable item").len(), left_behind.expect("a readable item").len());
    let expected = match &stored {
        StoredItem::Bucket(_, bucket) => (bucket.holds.len(), 0),
        StoredItem::Reservation(record) => (0, record.allocations.len()),
        StoredItem::Movement(_) | StoredItem::PurchaseOrder(_) | StoredItem::OnOrder(..) => (0, 0),
    };
    assert_eq!((armed, left_behind), expected);
    assert!(new_holds(Some(&item), Some(&item)).is_ok_and(|new| new.is_empty()), "a hold that was there is not new");
    Seen::Accepted
}
