//! A reservation: the record that decides holds.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::AttributeValue;
use domain::{
    ids::ExtensionId,
    reservation::{CancelReason, Kind, Reservation, Status},
    time::Timestamp,
};

use super::{Reader, as_channel, as_instant, as_list, as_text, instant, parsed, text, texts};
use crate::{Fault, Item, keys};

/// The words of the attribute `status`.
pub(crate) mod status {
    pub(crate) const ACTIVE: &str = "active";
    pub(crate) const CONFIRMED: &str = "confirmed";
    pub(crate) const CANCELED: &str = "canceled";
    pub(crate) const EXPIRED: &str = "expired";
}

/// The words of the attribute `reason`.
pub(crate) mod reason {
    pub(crate) const REQUESTED: &str = "requested";
    pub(crate) const SHORT: &str = "short";
    pub(crate) const UNKNOWN_SKU: &str = "unknown-sku";
    pub(crate) const RECORDED_TOO_LATE: &str = "recorded-too-late";
    pub(crate) const PAID_UNKNOWN: &str = "paid-unknown";
}

/// The item of a reservation.
pub(crate) fn encode_reservation(record: &Reservation) -> Item {
    let kind = match record.kind {
        Kind::Reservation => "reservation",
        Kind::Order => "order",
    };
    let extensions = record.extensions.iter().map(|(id, until)| (id.to_string(), instant(*until))).collect();
    let mut item = Item::from([
        (keys::PK.to_owned(), text(keys::reservation(&record.id))),
        ("kind".to_owned(), text(kind)),
        ("channel".to_owned(), text(&record.channel)),
        ("lines".to_owned(), texts(&record.lines)),
        ("alloc".to_owned(), texts(&record.allocations)),
        ("created_at".to_owned(), instant(record.created_at)),
        ("expires_at".to_owned(), instant(record.expires_at)),
        ("ext".to_owned(), AttributeValue::M(extensions)),
    ]);
    let mut set = |name: &str, value: Option<AttributeValue>| {
        if let Some(value) = value {
            item.insert(name.to_owned(), value);
        }
    };
    set("order_id", record.order_id.as_ref().map(text));
    set("line", record.line.as_ref().map(text));
    if let (Some(_), Some(stock)) = (&record.line, record.stocks().next()) {
        set(keys::LIST, Some(text(keys::sale_list(&stock))));
        set(keys::RANK, Some(text(keys::sale_rank(record.created_at, &record.id))));
    }
    // What a marketplace has sold is never a backorder.
    if record.line.is_none() && record.is_backorder() {
        set(keys::LIST, Some(text(keys::BACKORDER_LIST)));
        set(keys::RANK, Some(text(keys::sale_rank(record.created_at, &record.id))));
    }
    set("session_id", record.session_id.as_ref().map(text));
    set("fingerprint", record.fingerprint.as_ref().map(text));
    set("ttl", record.purge_at.map(instant));
    encode_status(&record.status, set);
    item
}

fn encode_status(decided: &Status, mut set: impl FnMut(&str, Option<AttributeValue>)) {
    let word = match decided {
        Status::Active => status::ACTIVE,
        Status::Confirmed { at } => {
            set("confirmed_at", Some(instant(*at)));
            status::CONFIRMED
        }
        Status::Canceled { reason: why } => {
            let word = match why {
                CancelReason::Requested => reason::REQUESTED,
                CancelReason::Short { lines } => {
                    set("shortages", Some(texts(lines)));
                    reason::SHORT
                }
                CancelReason::UnknownSku { skus } => {
                    set("unknown", Some(texts(skus)));
                    reason::UNKNOWN_SKU
                }
                CancelReason::RecordedTooLate => reason::RECORDED_TOO_LATE,
                CancelReason::PaidUnknown => reason::PAID_UNKNOWN,
            };
            set("reason", Some(text(word)));
            status::CANCELED
        }
        Status::Expired { successor } => {
            set("successor", successor.as_ref().map(text));
            status::EXPIRED
        }
    };
    set("status", Some(text(word)));
}

/// The reservation in an item.
pub(crate) fn decode_reservation(item: &Item) -> Result<Reservation, Fault> {
    let reader = Reader::new(item);
    Ok(Reservation {
        id: keys::name(reader.key).parse().map_err(|_| reader.malformed("its key names no reservation"))?,
        kind: reader.required("kind", |value| match as_text(value)? {
            "reservation" => Some(Kind::Reservation),
            "order" => Some(Kind::Order),
            _ => None,
        })?,
        status: decode_status(&reader)?,
        channel: reader.required("channel", as_channel)?,
        lines: reader.required("lines", as_list)?,
        allocations: reader.required("alloc", as_list)?,
        created_at: reader.required("created_at", as_instant)?,
        expires_at: reader.required("expires_at", as_instant)?,
        order_id: reader.optional("order_id", parsed)?,
        line: reader.optional("line", parsed)?,
        session_id: reader.optional("session_id", parsed)?,
        fingerprint: reader.optional("fingerprint", parsed)?,
        purge_at: reader.optional("ttl", as_instant)?,
        extensions: reader.required("ext", as_extensions)?,
    })
}

fn decode_status(reader: &Reader<'_>) -> Result<Status, Fault> {
    match reader.required("status", as_text)? {
        status::ACTIVE => Ok(Status::Active),
        status::CONFIRMED => Ok(Status::Confirmed { at: reader.required("confirmed_at", as_instant)? }),
        status::EXPIRED => Ok(Status::Expired { successor: reader.optional("successor", parsed)? }),
        status::CANCELED => {
            let reason = match reader.required("reason", as_text)? {
                reason::REQUESTED => CancelReason::Requested,
                reason::SHORT => CancelReason::Short { lines: reader.required("shortages", as_list)? },
                reason::UNKNOWN_SKU => CancelReason::UnknownSku { skus: reader.required("unknown", as_list)? },
                reason::RECORDED_TOO_LATE => CancelReason::RecordedTooLate,
                reason::PAID_UNKNOWN => CancelReason::PaidUnknown,
                _ => return Err(reader.wrong("reason")),
            };
            Ok(Status::Canceled { reason })
        }
        _ => Err(reader.wrong("status")),
    }
}

fn as_extensions(value: &AttributeValue) -> Option<BTreeMap<ExtensionId, Timestamp>> {
    let extensions = value.as_m().ok()?.iter();
    extensions.map(|(id, until)| Some((id.parse().ok()?, as_instant(until)?))).collect()
}
