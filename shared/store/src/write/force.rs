//! **Force**: hold units for an order that a marketplace has taken although nobody has them. All that the home has free is taken, and
//! what is missing becomes its shortfall; in one transaction with the item that lists it.
//!
//! - `a`, `hi`, `g` and `owed` as seen: no unit may become free, no child be opened, and nothing be counted between the look and the write.
//!   The free and held units less the shortfall are the same before and after.
//! - `attribute_not_exists(h.#rid)`, `size(h)` and the watermark: as for every hold.
//! - `attribute_not_exists(pk)` on the listed item, which is never deleted: an id is forced once, whatever is sent again.
//!
//! Where the home cannot take a hold (it is full of them, or has one of this order), the hold is born in a child of its own, which owes the
//! home what becomes free in it; `attribute_not_exists(pk)` and `hi` then guard as when a child is opened.

use std::collections::BTreeMap;

use domain::{
    bucket::{Bucket, Hold, Role, StockId, max_holds},
    ids::ReservationId,
    sale::ForcedSale,
};

use crate::{
    item::{encode_bucket, encode_forced, instant, number, text},
    keys,
    table::Write,
};

/// Holds `hold` in the home; `sale.missing` units of it are not there.
pub(crate) fn at_home(stock: &StockId, home: &Bucket, id: &ReservationId, hold: Hold, sale: &ForcedSale) -> Vec<Write> {
    let expression = "SET a = :zero, owed = :more, g = g + :one, h.#rid = :hold";
    let condition = "attribute_not_exists(h.#rid) AND size(h) < :max_holds AND (attribute_not_exists(w) OR w < :exp)";
    let update = from_home(stock, home, sale.missing, expression, &format!("{} AND {condition}", as_seen(home)))
        .name("#rid", id)
        .value(":hold", text(hold))
        .value(":max_holds", number(max_holds(false) as u64))
        .value(":exp", instant(hold.expires_at));
    vec![update, listed(id, sale)]
}

/// Holds `hold` in a child of its own; `sale.missing` units of it are not at home.
pub(crate) fn in_child(
    stock: &StockId,
    home: &Bucket,
    id: &ReservationId,
    hold: Hold,
    sale: &ForcedSale,
) -> Vec<Write> {
    let number_of_child = home.home().map_or(0, |home| home.next_child);
    let expression = "SET a = :zero, owed = :more, g = g + :one, hi = hi + :one";
    let update = from_home(stock, home, sale.missing, expression, &as_seen(home));
    let holds = BTreeMap::from([(id.clone(), hold)]);
    let child = Bucket { free: 0, holds, sold: 0, watermark: None, role: Role::Child { owes_home: true } };
    let child = Write::put(encode_bucket(&stock.child(number_of_child), &child), "attribute_not_exists(pk)");
    vec![update, listed(id, sale), child]
}

fn as_seen(home: &Bucket) -> String {
    let owed = if shortfall(home) == 0 { "attribute_not_exists(owed)" } else { "owed = :owed" };
    format!("a = :a AND hi = :hi AND g = :seen AND {owed}")
}

fn shortfall(home: &Bucket) -> u64 {
    home.home().map_or(0, |home| home.shortfall)
}

fn from_home(stock: &StockId, home: &Bucket, missing: u64, expression: &str, condition: &str) -> Write {
    let window = home.home().copied().unwrap_or_default();
    let update = Write::update(keys::bucket(&stock.home()), expression, condition)
        .value(":zero", number(0))
        .value(":one", number(1))
        .value(":more", number(window.shortfall + missing))
        .value(":a", number(home.free))
        .value(":hi", number(window.next_child.into()))
        .value(":seen", number(window.generation));
    if window.shortfall == 0 { update } else { update.value(":owed", number(window.shortfall)) }
}

fn listed(id: &ReservationId, sale: &ForcedSale) -> Write {
    Write::put(encode_forced(id, sale), "attribute_not_exists(pk)")
}
