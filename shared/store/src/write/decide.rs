//! The decisions about a recorded reservation: confirm, cancel, expire, hand over to a successor, extend; and keeping the
//! evidence of a decision for as long as somebody may still ask.
//!
//! - `#status`: a decision is final. Whoever comes second finds it and answers with it.
//! - `expires_at`: the merchant's policy. Confirming needs it to be later than now, expiring earlier; both fail in the second
//!   between, so that one clock cannot do both.
//! - `REMOVE #ttl`: what somebody paid for, or was refused a paid order for, is never deleted.

use domain::{
    ids::{ExtensionId, Reference, ReservationId},
    time::Timestamp,
};

use crate::{
    item::{instant, status, text},
    keys,
    table::Write,
};

const STATUS: &str = "#status";
const TTL: &str = "#ttl";

/// **Confirm**: one write for the whole cart. Not the line of a marketplace's order, which says itself when it is paid ([`super::sale`]).
pub(crate) fn confirm(id: &ReservationId, order_id: Option<&Reference>, now: Timestamp) -> Write {
    let set_order = if order_id.is_some() { ", order_id = :order" } else { "" };
    let write = Write::update(
        keys::reservation(id),
        format!("SET #status = :confirmed, confirmed_at = :now{set_order} REMOVE #ttl"),
        "#status = :active AND expires_at > :now AND attribute_not_exists(line)",
    )
    .name(STATUS, "status")
    .name(TTL, "ttl")
    .value(":confirmed", text(status::CONFIRMED))
    .value(":active", text(status::ACTIVE))
    .value(":now", instant(now));
    match order_id {
        Some(order) => write.value(":order", text(order)),
        None => write,
    }
}

/// **Cancel**; its holds are released afterwards. Not the line of a marketplace's order: only the marketplace can cancel that.
pub(crate) fn cancel(id: &ReservationId) -> Write {
    Write::update(
        keys::reservation(id),
        "SET #status = :canceled, reason = :requested",
        "#status = :active AND attribute_not_exists(line)",
    )
    .name(STATUS, "status")
    .value(":canceled", text(status::CANCELED))
    .value(":requested", text(crate::item::reason::REQUESTED))
    .value(":active", text(status::ACTIVE))
}

/// **Expire**: nobody paid in time.
pub(crate) fn expire(id: &ReservationId, now: Timestamp) -> Write {
    Write::update(keys::reservation(id), "SET #status = :expired", "#status = :active AND expires_at < :now")
        .name(STATUS, "status")
        .value(":expired", text(status::EXPIRED))
        .value(":active", text(status::ACTIVE))
        .value(":now", instant(now))
}

/// **Close** an expired reservation in favour of the `successor` under which a late payment takes the units again.
pub(crate) fn close(id: &ReservationId, successor: &ReservationId, now: Timestamp) -> Write {
    Write::update(
        keys::reservation(id),
        "SET #status = :expired, successor = :successor REMOVE #ttl",
        "#status = :expired OR (#status = :active AND expires_at < :now)",
    )
    .name(STATUS, "status")
    .name(TTL, "ttl")
    .value(":expired", text(status::EXPIRED))
    .value(":successor", text(successor))
    .value(":active", text(status::ACTIVE))
    .value(":now", instant(now))
}

/// **Keep a refusal**: a payment was answered with "refund", so the record that says so must not be deleted.
pub(crate) fn keep_refusal(id: &ReservationId) -> Write {
    Write::update(keys::reservation(id), "REMOVE #ttl", "#status = :canceled OR #status = :expired")
        .name(STATUS, "status")
        .name(TTL, "ttl")
        .value(":canceled", text(status::CANCELED))
        .value(":expired", text(status::EXPIRED))
}

/// **Keep the record** until `purge_at` at least: evidence must outlive the hold that it testifies against.
pub(crate) fn keep_until(id: &ReservationId, purge_at: Timestamp) -> Write {
    Write::update(keys::reservation(id), "SET #ttl = :purge_at", "attribute_exists(#ttl) AND #ttl < :purge_at")
        .name(TTL, "ttl")
        .value(":purge_at", instant(purge_at))
}

/// **Extend**: another end for the reservation; its holds stay as they are. The end that the new one was computed from must
/// still stand, and the same call is never applied twice.
pub(crate) fn extend(
    id: &ReservationId,
    extension: &ExtensionId,
    seen: Timestamp,
    until: Timestamp,
    now: Timestamp,
) -> Write {
    Write::update(
        keys::reservation(id),
        "SET expires_at = :until, ext.#extension = :until",
        "#status = :active AND expires_at > :now AND expires_at = :seen AND attribute_not_exists(ext.#extension)",
    )
    .name(STATUS, "status")
    .name("#extension", extension)
    .value(":until", instant(until))
    .value(":active", text(status::ACTIVE))
    .value(":now", instant(now))
    .value(":seen", instant(seen))
}
