//! **Settle**: count the units of confirmed holds as sold. Up to ten holds in one write.
//!
//! - `h.#rid = :hold`, the exact value: a second copy finds the hold gone, so no sale is counted twice.
//! - the watermark rises to the latest expiry that is settled. Not the clock but the watermark makes it impossible that a late
//!   copy of the write that made the hold makes it again.
//! - where the watermark is higher already, the second form leaves it, and says so in its condition.

use std::fmt::Write as _;

use domain::{
    bucket::{BucketId, Hold},
    ids::ReservationId,
    limits::MAX_SETTLED_AT_ONCE,
    time::Timestamp,
};

use crate::{
    item::{instant, number, text},
    keys,
    table::Write,
};

/// A name for each reservation.
const RIDS: [&str; MAX_SETTLED_AT_ONCE] =
    ["#rid0", "#rid1", "#rid2", "#rid3", "#rid4", "#rid5", "#rid6", "#rid7", "#rid8", "#rid9"];

/// Settles `holds` (1 to 10). `watermark` is what the bucket's was seen to be.
pub(crate) fn settle(bucket: &BucketId, holds: &[(ReservationId, Hold)], watermark: Option<Timestamp>) -> Write {
    debug_assert!((1..=RIDS.len()).contains(&holds.len()));
    let latest = holds.iter().map(|(_, hold)| hold.expires_at).max();
    let raises = watermark <= latest;
    let mut expression =
        String::from(if raises { "SET sold = sold + :q, w = :exp REMOVE " } else { "SET sold = sold + :q REMOVE " });
    let mut condition = String::new();
    for (n, rid) in RIDS.iter().take(holds.len()).enumerate() {
        let comma = if n == 0 { "" } else { ", " };
        // Writing to a String cannot fail.
        let _ = write!(expression, "{comma}h.{rid}");
        let _ = write!(condition, "h.{rid} = :hold{n} AND ");
    }
    condition.push_str(if raises { "(attribute_not_exists(w) OR w <= :exp)" } else { "w > :exp" });
    let units = holds.iter().map(|(_, hold)| hold.quantity.units()).sum();
    let mut write = Write::update(keys::bucket(bucket), expression, condition).value(":q", number(units));
    if let Some(latest) = latest {
        write = write.value(":exp", instant(latest));
    }
    for (n, (rid, (id, hold))) in RIDS.iter().zip(holds).enumerate() {
        write = write.name(*rid, id).value(format!(":hold{n}"), text(hold));
    }
    write
}
