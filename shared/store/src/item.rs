//! Items to values and back. Decoding is strict: a missing attribute, another type or a negative number is a [`Fault`], never a
//! default, because a default here would be a unit that appears or vanishes.

mod bucket;
mod movement;
mod reservation;

use aws_sdk_dynamodb::types::AttributeValue;
use domain::time::Timestamp;

pub(crate) use bucket::{decode_bucket, encode_bucket};
pub(crate) use movement::{decode_movement, encode_movement};
pub(crate) use reservation::{decode_reservation, encode_reservation, reason, status};

use crate::{Fault, Item, StoredItem, keys};

/// A number.
pub(crate) fn number(value: u64) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

/// An instant, as a number of seconds.
pub(crate) fn instant(value: Timestamp) -> AttributeValue {
    number(value.epoch_seconds())
}

/// A string.
pub(crate) fn text(value: impl std::fmt::Display) -> AttributeValue {
    AttributeValue::S(value.to_string())
}

/// A list of strings.
pub(crate) fn texts<T: std::fmt::Display>(values: &[T]) -> AttributeValue {
    AttributeValue::L(values.iter().map(text).collect())
}

/// Any item that says something about units; nothing for one that only helps to list.
pub(crate) fn decode(item: &Item) -> Result<Option<StoredItem>, Fault> {
    let reader = Reader::new(item);
    match keys::kind(reader.key) {
        keys::Kind::Bucket => {
            let id = keys::name(reader.key).parse().map_err(|_| reader.malformed("its key names no bucket"))?;
            Ok(Some(StoredItem::Bucket(id, decode_bucket(item)?)))
        }
        keys::Kind::Reservation => Ok(Some(StoredItem::Reservation(decode_reservation(item)?))),
        keys::Kind::Movement => Ok(Some(StoredItem::Movement(decode_movement(item)?))),
        keys::Kind::Shortfall => Ok(None),
        keys::Kind::Unknown => Err(reader.malformed("its key has no known prefix")),
    }
}

/// Reads attributes of one item and says which one is wrong.
struct Reader<'a> {
    item: &'a Item,
    key: &'a str,
}

impl<'a> Reader<'a> {
    fn new(item: &'a Item) -> Self {
        Self { item, key: keys::of(item) }
    }

    fn malformed(&self, reason: impl Into<String>) -> Fault {
        Fault::Malformed { key: self.key.to_owned(), reason: reason.into() }
    }

    fn wrong(&self, name: &str) -> Fault {
        self.malformed(format!("attribute {name} is missing or not what it must be"))
    }

    fn optional<T>(&self, name: &str, read: impl Fn(&'a AttributeValue) -> Option<T>) -> Result<Option<T>, Fault> {
        match self.item.get(name) {
            None => Ok(None),
            Some(value) => read(value).map(Some).ok_or_else(|| self.wrong(name)),
        }
    }

    fn required<T>(&self, name: &str, read: impl Fn(&'a AttributeValue) -> Option<T>) -> Result<T, Fault> {
        self.optional(name, read)?.ok_or_else(|| self.wrong(name))
    }
}

fn as_text(value: &AttributeValue) -> Option<&str> {
    value.as_s().ok().map(String::as_str)
}

fn parsed<T: std::str::FromStr>(value: &AttributeValue) -> Option<T> {
    as_text(value)?.parse().ok()
}

fn as_number<T: std::str::FromStr>(value: &AttributeValue) -> Option<T> {
    value.as_n().ok()?.parse().ok()
}

fn as_instant(value: &AttributeValue) -> Option<Timestamp> {
    as_number(value).map(Timestamp::from_epoch_seconds)
}

fn as_list<T: std::str::FromStr>(value: &AttributeValue) -> Option<Vec<T>> {
    value.as_l().ok()?.iter().map(parsed).collect()
}
