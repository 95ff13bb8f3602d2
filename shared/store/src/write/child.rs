//! Children of a hot home: open, fold, delete, and the window of their numbers.
//!
//! - **Open** `hi = :hi`: a child's number is never used twice, for `hi` never decreases.
//! - **Fold** `a >= :q`: the child's free units go home.
//! - **Delete** `a = 0`, no hold, and `sold` as seen: what was sold moves home in the same transaction.
//! - **Owe** marks a child whose units belong to an open shortfall of the home; harmless when repeated or without need.

use std::collections::BTreeMap;

use domain::{
    bucket::{Bucket, BucketId, Hold, Home, Role, StockId},
    ids::ReservationId,
};

use super::credit;
use crate::{
    item::{encode_bucket, number},
    keys,
    table::Write,
};

/// **Open** child number `home.next_child` with `units` of the home's, all free; or, for a line too large for any child, with
/// that line's `hold` in it and nothing free.
pub(crate) fn open(stock: &StockId, home: &Home, units: u64, born_with: Option<(&ReservationId, Hold)>) -> Vec<Write> {
    let from_home =
        Write::update(keys::bucket(&stock.home()), "SET a = a - :n, hi = hi + :one", "a >= :n AND hi = :hi")
            .value(":n", number(units))
            .value(":one", number(1))
            .value(":hi", number(home.next_child.into()));
    let child = stock.child(home.next_child);
    let holds: BTreeMap<_, _> = born_with.into_iter().map(|(id, hold)| (id.clone(), hold)).collect();
    let held: u64 = holds.values().map(|hold| hold.quantity.units()).sum();
    let role = Role::Child { owes_home: false };
    let bucket = Bucket { free: units - held, holds, sold: 0, watermark: None, role };
    vec![from_home, Write::put(encode_bucket(&child, &bucket), "attribute_not_exists(pk)")]
}

/// **Fold** `units` of a child's free ones back into its home, whose open shortfall is `home_shortfall`.
pub(crate) fn fold(child: &BucketId, units: u64, home_shortfall: u64) -> Vec<Write> {
    let from_child = Write::update(keys::bucket(child), "SET a = a - :q", "a >= :q").value(":q", number(units));
    vec![from_child, credit::credit(&child.stock.home(), units, home_shortfall, None)]
}

/// **Delete** an empty child; its `sold` units are counted at home from now on.
pub(crate) fn delete(child: &BucketId, sold: u64) -> Vec<Write> {
    let gone = Write::delete(keys::bucket(child), "a = :zero AND size(h) = :zero AND sold = :sold")
        .value(":zero", number(0))
        .value(":sold", number(sold));
    let home = Write::update(
        keys::bucket(&child.stock.home()),
        "SET sold = sold + :sold, g = g + :one",
        "attribute_exists(pk)",
    )
    .value(":one", number(1))
    .value(":sold", number(sold));
    vec![gone, home]
}

/// **Advance** the window over numbers whose children are gone for good.
pub(crate) fn advance(stock: &StockId, from: u32, to: u32) -> Write {
    Write::update(keys::bucket(&stock.home()), "SET lo = :to", "lo = :from AND hi >= :to")
        .value(":to", number(to.into()))
        .value(":from", number(from.into()))
}

/// **Owe**: units that become free in this child go to the home.
pub(crate) fn owe(child: &BucketId) -> Write {
    Write::update(keys::bucket(child), "SET owed = :one", "attribute_exists(pk)").value(":one", number(1))
}
