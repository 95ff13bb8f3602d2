//! **Release**: give the units of a hold back to its bucket.
//!
//! - `h.#rid = :hold`, the exact value: a stale resolver cannot release another hold of the same reservation, and a second copy
//!   finds the hold gone.
//! - `attribute_not_exists(owed)`: while a shortfall is open the units are owed to it. A home then covers it in the same write
//!   ([`covering`]); a child gives its units to the home ([`to_home`]).

use domain::{
    bucket::{BucketId, Hold},
    ids::ReservationId,
    stock::credit as divide,
};

use super::credit;
use crate::{
    item::{number, text},
    keys,
    table::Write,
};

/// The ordinary release.
pub(crate) fn release(bucket: &BucketId, id: &ReservationId, hold: Hold) -> Write {
    Write::update(keys::bucket(bucket), "SET a = a + :q REMOVE h.#rid", "h.#rid = :hold AND attribute_not_exists(owed)")
        .name("#rid", id)
        .value(":q", number(hold.quantity.units()))
        .value(":hold", text(hold))
}

/// The release in a home with an open `shortfall`: it is covered first.
pub(crate) fn covering(home: &BucketId, id: &ReservationId, hold: Hold, shortfall: u64) -> Write {
    let units = divide(hold.quantity.units(), shortfall);
    let left = shortfall - units.to_shortfall;
    let expression =
        if left == 0 { "SET a = a + :q REMOVE h.#rid, owed" } else { "SET a = a + :q, owed = :left REMOVE h.#rid" };
    let write = Write::update(keys::bucket(home), expression, "h.#rid = :hold AND owed = :owed")
        .name("#rid", id)
        .value(":q", number(units.to_free))
        .value(":hold", text(hold))
        .value(":owed", number(shortfall));
    if left == 0 { write } else { write.value(":left", number(left)) }
}

/// The release in a child that owes its home: the hold goes, and the home gets the units, in one transaction.
pub(crate) fn to_home(child: &BucketId, id: &ReservationId, hold: Hold, home_shortfall: u64) -> Vec<Write> {
    let from_child = Write::update(keys::bucket(child), "REMOVE h.#rid", "h.#rid = :hold AND attribute_exists(owed)")
        .name("#rid", id)
        .value(":hold", text(hold));
    vec![from_child, credit::credit(&child.stock.home(), hold.quantity.units(), home_shortfall, None)]
}
