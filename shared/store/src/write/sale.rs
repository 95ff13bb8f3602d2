//! Decisions about the record of a marketplace's line, next to those in [`super::decide`].
//!
//! - **Wait** for the payment, as **extend**: `status`, an end that is still to come, and the end that was seen; a second copy finds another
//!   one. The record must outlive its new end, so its `ttl` moves along.
//! - **Confirm** as for a reservation: `status`, and an end that is still to come. It knows its order already.
//! - **Cancel for good** `status = active`, and `REMOVE #ttl`: news that is older than the cancellation may come at any time, and must find it.

use domain::{ids::ReservationId, reservation::purge_after, time::Timestamp};

use crate::{
    item::{instant, reason, status, text},
    keys,
    table::Write,
};

/// **Wait** until the payment is checked: until `until` instead of `seen`.
pub(crate) fn wait(id: &ReservationId, seen: Timestamp, until: Timestamp, now: Timestamp) -> Write {
    Write::update(
        keys::reservation(id),
        "SET expires_at = :until, #ttl = :purge_at",
        "#status = :active AND expires_at > :now AND expires_at = :seen",
    )
    .name("#status", "status")
    .name("#ttl", "ttl")
    .value(":until", instant(until))
    .value(":purge_at", instant(purge_after(until)))
    .value(":active", text(status::ACTIVE))
    .value(":now", instant(now))
    .value(":seen", instant(seen))
}

/// **Confirm**: it is paid.
pub(crate) fn confirm(id: &ReservationId, now: Timestamp) -> Write {
    Write::update(
        keys::reservation(id),
        "SET #status = :confirmed, confirmed_at = :now REMOVE #ttl",
        "#status = :active AND expires_at > :now",
    )
    .name("#status", "status")
    .name("#ttl", "ttl")
    .value(":confirmed", text(status::CONFIRMED))
    .value(":active", text(status::ACTIVE))
    .value(":now", instant(now))
}

/// **Cancel for good**; its holds are released afterwards.
pub(crate) fn cancel(id: &ReservationId) -> Write {
    Write::update(
        keys::reservation(id),
        "SET #status = :canceled, reason = :requested REMOVE #ttl",
        "#status = :active",
    )
    .name("#status", "status")
    .name("#ttl", "ttl")
    .value(":canceled", text(status::CANCELED))
    .value(":requested", text(reason::REQUESTED))
    .value(":active", text(status::ACTIVE))
}
