//! A movement: the change of a home, and the item that explains it, in one transaction.
//!
//! - `attribute_not_exists(pk)` on the movement: a retry moves nothing twice.
//! - a count is only right in the generation that it saw (`g`, see [`super::credit`]).
//! - **Shortfall** also `a`, `hi` and `owed` as seen: more was missing than is free, so everything free is taken and the rest is
//!   recorded; no unit may become free, and no child be opened, between the look and the write.

use domain::{bucket::Bucket, movement::Movement};

use super::credit;
use crate::{
    Item,
    item::{encode_movement, number, text},
    keys,
    table::Write,
};

/// Units come in.
pub(crate) fn incoming(movement: &Movement, units: u64, shortfall: u64, seen: Option<u64>) -> Vec<Write> {
    vec![credit::credit(&movement.stock.home(), units, shortfall, seen), explain(movement)]
}

/// Units go out.
pub(crate) fn outgoing(movement: &Movement, units: u64, seen: Option<u64>) -> Vec<Write> {
    vec![credit::debit(&movement.stock.home(), units, seen), explain(movement)]
}

/// A count found less than is held: all that the `home` has free goes, and `movement.shortfall` is recorded.
pub(crate) fn shortfall(movement: &Movement, home: &Bucket) -> Vec<Write> {
    let window = home.home().copied().unwrap_or_default();
    let as_seen = if window.shortfall == 0 { "attribute_not_exists(owed)" } else { "owed = :owed" };
    let update = Write::update(
        keys::bucket(&movement.stock.home()),
        "SET a = :zero, owed = :missing, g = g + :one",
        format!("a = :a AND hi = :hi AND g = :seen AND {as_seen}"),
    )
    .value(":zero", number(0))
    .value(":one", number(1))
    .value(":seen", number(window.generation))
    .value(":missing", number(window.shortfall + movement.shortfall))
    .value(":a", number(home.free))
    .value(":hi", number(window.next_child.into()));
    let update = if window.shortfall == 0 { update } else { update.value(":owed", number(window.shortfall)) };
    vec![update, explain(movement), list(movement)]
}

/// The item that lists a movement among the shortfalls.
pub(crate) fn list(movement: &Movement) -> Write {
    let listed = Item::from([
        (keys::PK.to_owned(), text(keys::shortfall(&movement.id))),
        (keys::LIST.to_owned(), text(keys::SHORTFALL_LIST)),
        (keys::RANK.to_owned(), text(keys::movement_rank(movement))),
    ]);
    Write::put(listed, "attribute_not_exists(pk)")
}

/// The item that explains it.
pub(crate) fn explain(movement: &Movement) -> Write {
    Write::put(encode_movement(movement), "attribute_not_exists(pk)")
}
