//! What is sold of a SKU, what is learned of it, and its alerts.
//!
//! - **Terms**: **create** `attribute_not_exists(pk)`, **change** and **remove** `v`: only the version that the merchant saw is replaced.
//! - **Count** a sale: `#status = confirmed` and `attribute_not_exists(counted)`. It is one transaction with the day that it is added to, so
//!   a sale is in one day once, however often the stream tells of it.
//! - **Sell** on a day: `attribute_not_exists(imported)`. A day of which the merchant has said what was sold is as he said.
//! - **Import** a day: unless it says the same already.
//! - **Empty**: seconds of a day without stock. Nothing of its own to guard it: it is one transaction with **learn**.
//! - **Learn** `n` as seen: of two who look at a SKU at the same time one is refused, so that an alert is opened once and no second is
//!   written twice. An alert that opens or closes is one transaction with it.
//! - **Open** an alert `attribute_not_exists(pk)`, **close** it `attribute_not_exists(closed_at)`, **tell** of it
//!   `attribute_not_exists(told_at)`: each happens once.

use domain::{
    ids::{AlertId, ReservationId, Sku},
    replenishment::{
        demand::Told,
        review::{Alert, Learned},
    },
    time::{Day, Timestamp},
};

use crate::{
    flow::StoredTerms,
    item::{day as day_number, encode_alert, encode_learned, encode_terms, instant, number, status, text},
    keys,
    table::Write,
};

/// Where another write of the same transaction is the guard: DynamoDB takes no empty condition.
const GUARDED: &str = "attribute_exists(pk) OR attribute_not_exists(pk)";

/// **Create** the terms of a SKU.
pub(crate) fn create(sku: &Sku, terms: &StoredTerms) -> Write {
    Write::put(encode_terms(sku, terms), "attribute_not_exists(pk)")
}

/// **Change** terms whose version was `seen`.
pub(crate) fn change(sku: &Sku, terms: &StoredTerms, seen: u64) -> Write {
    Write::put(encode_terms(sku, terms), "v = :seen").value(":seen", number(seen))
}

/// **Remove** terms whose version was `seen`.
pub(crate) fn remove(sku: &Sku, seen: u64) -> Write {
    Write::delete(keys::terms(sku), "v = :seen").value(":seen", number(seen))
}

/// **Count** a sale to the day on which it was confirmed.
pub(crate) fn count(id: &ReservationId, day: Day) -> Write {
    Write::update(keys::reservation(id), "SET counted = :day", "#status = :confirmed AND attribute_not_exists(counted)")
        .name("#status", "status")
        .value(":day", day_number(day))
        .value(":confirmed", text(status::CONFIRMED))
}

/// **Sell** so many units on a day.
pub(crate) fn sell(sku: &Sku, day: Day, units: u64) -> Write {
    Write::update(keys::day_of_sales(sku, day), "ADD sold :units", "attribute_not_exists(imported)")
        .value(":units", number(units))
}

/// **Import** a day: so many units were sold on it, whatever was known of it; and for so long nothing was available, where that is said.
pub(crate) fn import(sku: &Sku, day: Day, told: Told) -> Write {
    let (set, changes) = ("SET sold = :units, imported = :one", "attribute_not_exists(imported) OR sold <> :units");
    let write = match told.out_seconds {
        None => Write::update(keys::day_of_sales(sku, day), set, changes),
        Some(seconds) => Write::update(
            keys::day_of_sales(sku, day),
            format!("{set}, #empty = :seconds"),
            format!("{changes} OR attribute_not_exists(#empty) OR #empty <> :seconds"),
        )
        .name("#empty", "empty")
        .value(":seconds", number(seconds)),
    };
    write.value(":units", number(told.units)).value(":one", number(1))
}

/// **Empty**: on this day nothing was available for so many seconds more.
pub(crate) fn empty(sku: &Sku, day: Day, seconds: u64) -> Write {
    Write::update(keys::day_of_sales(sku, day), "ADD #empty :seconds", GUARDED)
        .name("#empty", "empty")
        .value(":seconds", number(seconds))
}

/// **Learn**: what is known from now on, by whoever saw version `seen`; 0 where nothing was known.
pub(crate) fn learn(sku: &Sku, seen: u64, learned: &Learned) -> Write {
    Write::put(encode_learned(sku, learned), "attribute_not_exists(pk) OR n = :seen").value(":seen", number(seen))
}

/// **Open** an alert.
pub(crate) fn open(alert: &Alert) -> Write {
    Write::put(encode_alert(alert), "attribute_not_exists(pk)")
}

/// **Close** an alert.
pub(crate) fn close(id: &AlertId, now: Timestamp) -> Write {
    Write::update(
        keys::alert(id),
        "SET closed_at = :now, #list = :closed",
        "attribute_exists(pk) AND attribute_not_exists(closed_at)",
    )
    .name("#list", keys::LIST)
    .value(":now", instant(now))
    .value(":closed", text(keys::CLOSED_ALERT_LIST))
}

/// **Tell**: somebody was told of an alert.
pub(crate) fn tell(id: &AlertId, now: Timestamp) -> Write {
    Write::update(keys::alert(id), "SET told_at = :now", "attribute_exists(pk) AND attribute_not_exists(told_at)")
        .value(":now", instant(now))
}
