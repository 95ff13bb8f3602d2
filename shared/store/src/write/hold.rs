//! **Hold**: take units from a bucket's free ones until an instant.
//!
//! - `a >= :q`: never more than there are. A missing bucket has no `a`, so it fails too and nothing is created.
//! - `attribute_not_exists(h.#rid)`: a retry of the same request takes nothing twice.
//! - `size(h) < :max_holds`: the bucket stays small enough that a write of it costs 1 WCU.
//! - the watermark: a late copy of this very write, arriving after its hold was settled, fails.

use domain::{
    bucket::{BucketId, Hold, max_holds},
    ids::ReservationId,
};

use crate::{
    item::{instant, number, text},
    keys,
    table::Write,
};

pub(crate) fn hold(bucket: &BucketId, id: &ReservationId, hold: Hold) -> Write {
    Write::update(
        keys::bucket(bucket),
        "SET a = a - :q, h.#rid = :hold",
        "a >= :q AND attribute_not_exists(h.#rid) AND size(h) < :max_holds AND (attribute_not_exists(w) OR w < :exp)",
    )
    .name("#rid", id)
    .value(":q", number(hold.quantity.units()))
    .value(":hold", text(hold))
    .value(":max_holds", number(max_holds(bucket.child.is_some()) as u64))
    .value(":exp", instant(hold.expires_at))
}
