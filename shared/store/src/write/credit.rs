//! **Credit** and **debit** of a home's free units, always as a part of a transaction that says where they come from or go to.
//!
//! - `owed` must be as it was seen: units that come in cover an open shortfall first.
//! - `a >= :q`: never more than are free.

use domain::{bucket::BucketId, stock::credit as divide};

use crate::{item::number, keys, table::Write};

/// Adds `units` to a home whose open shortfall is `shortfall`.
pub(crate) fn credit(home: &BucketId, units: u64, shortfall: u64) -> Write {
    let key = keys::bucket(home);
    if shortfall == 0 {
        return Write::update(key, "SET a = a + :q", "attribute_exists(pk) AND attribute_not_exists(owed)")
            .value(":q", number(units));
    }
    let divided = divide(units, shortfall);
    let left = shortfall - divided.to_shortfall;
    let expression = if left == 0 { "SET a = a + :q REMOVE owed" } else { "SET a = a + :q, owed = :left" };
    let write = Write::update(key, expression, "owed = :owed")
        .value(":q", number(divided.to_free))
        .value(":owed", number(shortfall));
    if left == 0 { write } else { write.value(":left", number(left)) }
}

/// Takes `units` from a home's free ones.
pub(crate) fn debit(home: &BucketId, units: u64) -> Write {
    Write::update(keys::bucket(home), "SET a = a - :q", "a >= :q").value(":q", number(units))
}
