//! The homes of one SKU in a transaction that brings several channels to their numbers at once.
//!
//! - `g` as it was seen: the numbers were computed from what the home had then. Each of these writes raises it, so that no plan is
//!   carried out twice, and of two that were made from the same look one is refused.
//! - `a >= :q`: shoppers do not raise `g`; what they hold meanwhile is not moved.
//! - `owed` as it was seen: units that come in cover an open shortfall first.
//! - `joined` is set where the channel sells from the shared stock from now on, and removed where it has a quota.

use std::collections::BTreeMap;

use domain::{
    bucket::{Bucket, BucketId, Home, Role, StockId},
    stock::credit as divide,
};

use crate::{
    item::{encode_bucket, number},
    keys,
    table::Write,
};

/// **Open** a home that has so many units from the start.
pub(crate) fn open(stock: &StockId, units: u64) -> Write {
    let home = Home { version: 1, generation: 1, ..Home::default() };
    let bucket = Bucket { free: units, holds: BTreeMap::new(), sold: 0, watermark: None, role: Role::Home(home) };
    Write::put(encode_bucket(&stock.home(), &bucket), "attribute_not_exists(pk)")
}

/// **Take** units from a home, none perhaps.
pub(crate) fn take(home: &BucketId, units: u64, seen: u64, joined: bool) -> Write {
    let joins = if joined { ", joined = :one" } else { " REMOVE joined" };
    let expression = format!("SET a = a - :q, g = g + :one{joins}");
    Write::update(keys::bucket(home), expression, "a >= :q AND g = :seen")
        .value(":q", number(units))
        .value(":one", number(1))
        .value(":seen", number(seen))
}

/// **Give** units to a home whose open shortfall is `shortfall`.
pub(crate) fn give(home: &BucketId, units: u64, shortfall: u64, seen: u64, joined: bool) -> Write {
    let divided = divide(units, shortfall);
    let left = shortfall - divided.to_shortfall;
    let (owes, as_seen) = match (shortfall, left) {
        (0, _) => (None, "attribute_not_exists(owed)"),
        (_, 0) => (None, "owed = :owed"),
        _ => (Some(left), "owed = :owed"),
    };
    let set = [Some("SET a = a + :q, g = g + :one"), owes.map(|_| "owed = :left"), joined.then_some("joined = :one")];
    let mut remove = Vec::new();
    if shortfall > 0 && left == 0 {
        remove.push("owed");
    }
    if !joined {
        remove.push("joined");
    }
    let mut expression = set.into_iter().flatten().collect::<Vec<_>>().join(", ");
    if !remove.is_empty() {
        expression = format!("{expression} REMOVE {}", remove.join(", "));
    }
    let write = Write::update(keys::bucket(home), expression, format!("g = :seen AND {as_seen}"))
        .value(":q", number(divided.to_free))
        .value(":one", number(1))
        .value(":seen", number(seen));
    let write = if shortfall == 0 { write } else { write.value(":owed", number(shortfall)) };
    match owes {
        Some(left) => write.value(":left", number(left)),
        None => write,
    }
}
