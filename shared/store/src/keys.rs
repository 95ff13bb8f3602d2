//! Keys and attribute names. `#` separates the parts of a key; no id can contain it.

use domain::{
    bucket::{BucketId, StockId},
    ids::{MovementId, ReservationId},
    movement::Movement,
};

/// Partition key; there is no sort key.
pub(crate) const PK: &str = "pk";

/// The sparse index that lists homes, movements and shortfalls. Its attributes never change once written, so that no write of
/// a bucket touches it.
pub(crate) const INDEX: &str = "lists";
/// Partition key of the index: which list.
pub(crate) const LIST: &str = "list";
/// Sort key of the index: the order in the list.
pub(crate) const RANK: &str = "rank";

/// The list of all homes.
pub(crate) const STOCK_LIST: &str = "stock";
/// The list of all shortfalls.
pub(crate) const SHORTFALL_LIST: &str = "shortfalls";

const BUCKET: &str = "S#";
const RESERVATION: &str = "R#";
const MOVEMENT: &str = "M#";
const SHORTFALL: &str = "X#";

/// What a key is for.
pub(crate) enum Kind {
    Bucket,
    Reservation,
    Movement,
    Shortfall,
    Unknown,
}

/// Reads what a key is for.
pub(crate) fn kind(key: &str) -> Kind {
    match key.get(..2) {
        Some(BUCKET) => Kind::Bucket,
        Some(RESERVATION) => Kind::Reservation,
        Some(MOVEMENT) => Kind::Movement,
        Some(SHORTFALL) => Kind::Shortfall,
        _ => Kind::Unknown,
    }
}

pub(crate) fn bucket(id: &BucketId) -> String {
    format!("{BUCKET}{id}")
}

pub(crate) fn reservation(id: &ReservationId) -> String {
    format!("{RESERVATION}{id}")
}

pub(crate) fn movement(id: &MovementId) -> String {
    format!("{MOVEMENT}{id}")
}

pub(crate) fn shortfall(id: &MovementId) -> String {
    format!("{SHORTFALL}{id}")
}

/// The key of an item.
pub(crate) fn of(item: &crate::Item) -> &str {
    item.get(PK).and_then(|key| key.as_s().ok()).map_or("", String::as_str)
}

/// The rest of a key after its two-character prefix.
pub(crate) fn name(key: &str) -> &str {
    key.get(2..).unwrap_or_default()
}

/// The key of the home at this place in the list of all homes; nothing if no home can be there.
pub(crate) fn home_at(rank: &str) -> Option<String> {
    let id: BucketId = rank.parse().ok()?;
    id.child.is_none().then(|| bucket(&id))
}

/// The key of the movement at this place in a list of movements; nothing if no movement can be there.
pub(crate) fn movement_at(rank: &str) -> Option<String> {
    movement_in(rank).as_ref().map(movement)
}

/// The key of the shortfall at this place in the list of shortfalls; nothing if no shortfall can be there.
pub(crate) fn shortfall_at(rank: &str) -> Option<String> {
    movement_in(rank).as_ref().map(shortfall)
}

fn movement_in(rank: &str) -> Option<MovementId> {
    let (seconds, id) = rank.split_once('#')?;
    let is_time = seconds.len() == 10 && seconds.bytes().all(|byte| byte.is_ascii_digit());
    is_time.then(|| id.parse().ok()).flatten()
}

/// The key of the movement whose shortfall has this key.
pub(crate) fn movement_of_shortfall(key: &str) -> String {
    format!("{MOVEMENT}{}", name(key))
}

/// The list of a SKU's movements.
pub(crate) fn movement_list(stock: &StockId) -> String {
    format!("movements#{stock}")
}

/// By time, then by id. Ten digits of epoch seconds sort as text until the year 2286.
pub(crate) fn movement_rank(movement: &Movement) -> String {
    format!("{:010}#{}", movement.at.epoch_seconds(), movement.id)
}
