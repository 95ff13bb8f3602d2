//! **Credit** and **debit** of a home's free units, always as a part of a transaction that says where they come from or go to.
//!
//! - `owed` must be as it was seen: units that come in cover an open shortfall first.
//! - `a >= :q`: never more than are free.
//! - `unsold` rises where what comes in was sold before and never shipped: it is no new supply.
//! - `g` rises with each: whoever summed up several buckets meanwhile notices. A count demands the `g` that it saw, so that units
//!   which moved between its looks, or another count, are not counted again.

use domain::{bucket::BucketId, stock::credit as divide};

use crate::{item::number, keys, table::Write};

/// Adds `units` to a home whose open shortfall is `shortfall`; for a count, only in the generation that it saw.
pub(crate) fn credit(home: &BucketId, units: u64, shortfall: u64, seen: Option<u64>) -> Write {
    credited(home, units, shortfall, seen, "")
}

/// The same for units that were sold, and whose order was canceled.
pub(crate) fn credit_unsold(home: &BucketId, units: u64, shortfall: u64) -> Write {
    credited(home, units, shortfall, None, " ADD unsold :units").value(":units", number(units))
}

fn credited(home: &BucketId, units: u64, shortfall: u64, seen: Option<u64>, more: &str) -> Write {
    let divided = divide(units, shortfall);
    let left = shortfall - divided.to_shortfall;
    let (expression, condition) = match (shortfall, left) {
        (0, _) => ("SET a = a + :q, g = g + :one", "attribute_exists(pk) AND attribute_not_exists(owed)"),
        (_, 0) => ("SET a = a + :q, g = g + :one REMOVE owed", "owed = :owed"),
        _ => ("SET a = a + :q, g = g + :one, owed = :left", "owed = :owed"),
    };
    let write =
        in_generation(home, &format!("{expression}{more}"), condition, seen).value(":q", number(divided.to_free));
    let write = if shortfall == 0 { write } else { write.value(":owed", number(shortfall)) };
    if left == 0 { write } else { write.value(":left", number(left)) }
}

/// Takes `units` from a home's free ones; for a count, only in the generation that it saw.
pub(crate) fn debit(home: &BucketId, units: u64, seen: Option<u64>) -> Write {
    in_generation(home, "SET a = a - :q, g = g + :one", "a >= :q", seen).value(":q", number(units))
}

fn in_generation(home: &BucketId, expression: &str, condition: &str, seen: Option<u64>) -> Write {
    let key = keys::bucket(home);
    let write = match seen {
        None => Write::update(key, expression, condition),
        Some(seen) => Write::update(key, expression, format!("{condition} AND g = :seen")).value(":seen", number(seen)),
    };
    write.value(":one", number(1))
}
