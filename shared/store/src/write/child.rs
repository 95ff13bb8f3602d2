//! Children of a hot home: open, fold, delete, and the window of their numbers.
//!
//! - **Open** `hi = :hi`: a child's number is never used twice, for `hi` never decreases. Several at once are one transaction, for the
//!   home is in the hands of one transaction at a time.
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

/// **Open** children from number `home.next_child` on, each with as many free units of the home's as `sizes` says: all of them or none.
pub(crate) fn open(stock: &StockId, home: &Home, sizes: &[u64]) -> Vec<Write> {
    let child = |free| Bucket { free, holds: BTreeMap::new(), sold: 0, watermark: None, role: CHILD };
    open_with(stock, home, sizes.iter().map(|units| child(*units)).collect())
}

/// **Open** child number `home.next_child` for a line too large for any child: with that line's `hold` in it and nothing free.
pub(crate) fn open_held(stock: &StockId, home: &Home, id: &ReservationId, hold: Hold) -> Vec<Write> {
    let holds = BTreeMap::from([(id.clone(), hold)]);
    open_with(stock, home, vec![Bucket { free: 0, holds, sold: 0, watermark: None, role: CHILD }])
}

const CHILD: Role = Role::Child { owes_home: false };

fn open_with(stock: &StockId, home: &Home, children: Vec<Bucket>) -> Vec<Write> {
    let units: u64 = children.iter().map(|child| child.free + child.held()).sum();
    let from_home =
        Write::update(keys::bucket(&stock.home()), "SET a = a - :n, hi = hi + :count", "a >= :n AND hi = :hi")
            .value(":n", number(units))
            .value(":count", number(children.len() as u64))
            .value(":hi", number(home.next_child.into()));
    let numbered = (home.next_child..).zip(children);
    let puts = numbered
        .map(|(number, bucket)| Write::put(encode_bucket(&stock.child(number), &bucket), "attribute_not_exists(pk)"));
    std::iter::once(from_home).chain(puts).collect()
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
