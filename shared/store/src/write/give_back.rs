//! **Give back** units of a sold line that was canceled: the homes' credit, the movements that explain it, and the item that says how many
//! came back of the line, in one transaction.
//!
//! - `returned` as seen: of two that tell the same, one is refused, whatever each of them believes. So is a copy of this very write.
//! - `attribute_not_exists(shipped)`: what was shipped does not come back by itself.
//! - `unsold` of the home rises by it: whoever asks how much there ever was must not count it twice.
//! - `attribute_not_exists(pk)` on each movement, whose id derives from the line and the number: a second guard of the same.
//!
//! **Ship** `attribute_not_exists(shipped)`: noted once; from then on nothing is given back.
//!
//! **Cancel at** `canceled < :at`: the newest cancellation, by the marketplace's time, and never an older one. It is noted before anything is
//! given back or canceled: whoever finds that done also finds when.
//!
//! **Resize** `parts` as seen: a line whose quantity was changed grows by a part once, whoever tells of it. Noted before any part is taken.
//!
//! **Begin** `attribute_not_exists(begun)`: the next life of a line that was canceled begins once, before its units are taken.

use domain::{
    ids::ReservationId,
    movement::Movement,
    sale::{Aftermath, Parts},
    time::Timestamp,
};

use super::credit;
use crate::{
    item::{encode_movement, instant, number, text},
    keys,
    table::Write,
};

/// Gives back what the movements say, each to a stock whose home has so much of an open shortfall; `returned` units in all then.
pub(crate) fn give_back(
    id: &ReservationId,
    since: Aftermath,
    returned: u64,
    movements: &[(Movement, u64)],
) -> Vec<Write> {
    let as_seen = if since.returned == 0 { "attribute_not_exists(returned)" } else { "returned = :seen" };
    let noted = Write::update(
        keys::aftermath(id),
        "SET returned = :returned",
        format!("{as_seen} AND attribute_not_exists(shipped)"),
    )
    .value(":returned", number(returned));
    let noted = if since.returned == 0 { noted } else { noted.value(":seen", number(since.returned)) };
    let booked = movements.iter().flat_map(|(movement, shortfall)| {
        let credit = credit::credit_unsold(&movement.stock.home(), movement.delta.unsigned_abs(), *shortfall);
        [credit, Write::put(encode_movement(movement), "attribute_not_exists(pk)")]
    });
    std::iter::once(noted).chain(booked).collect()
}

/// Notes that the line was shipped.
pub(crate) fn ship(id: &ReservationId) -> Write {
    Write::update(keys::aftermath(id), "SET shipped = :one", "attribute_not_exists(shipped)").value(":one", number(1))
}

/// Notes when the order changed by which some of the line was canceled.
pub(crate) fn cancel_at(id: &ReservationId, at: Timestamp) -> Write {
    let condition = "attribute_not_exists(canceled) OR canceled < :at";
    Write::update(keys::aftermath(id), "SET canceled = :at", condition).value(":at", instant(at))
}

/// Begins a life of a line that was canceled: when the order changed by which it is wanted again.
pub(crate) fn begin(id: &ReservationId, at: Timestamp) -> Write {
    Write::update(keys::aftermath(id), "SET begun = :at", "attribute_not_exists(begun)").value(":at", instant(at))
}

/// Notes the parts of a line whose quantity was changed, by whoever saw these parts, or none.
pub(crate) fn resize(id: &ReservationId, seen: Option<&Parts>, parts: &Parts) -> Write {
    let condition = if seen.is_some() { "parts = :seen" } else { "attribute_not_exists(parts)" };
    let noted = Write::update(keys::aftermath(id), "SET parts = :parts", condition).value(":parts", text(parts));
    match seen {
        Some(seen) => noted.value(":seen", text(seen)),
        None => noted,
    }
}
