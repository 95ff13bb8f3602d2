//! Items to values and back. Decoding is strict: a missing attribute, another type or a negative number is a [`Fault`], never a
//! default, because a default here would be a unit that appears or vanishes.

mod bucket;
mod channel;
mod erp;
mod listing;
mod movement;
mod pull;
mod purchase;
mod replenishment;
mod reservation;
mod rule;
mod sale;

use aws_sdk_dynamodb::types::AttributeValue;
use domain::{bucket::exact, time::Timestamp};

pub(crate) use bucket::{decode_bucket, encode_bucket};
pub(crate) use channel::{decode_channel, encode_channel};
pub(crate) use erp::{decode_erp, encode_erp};
pub(crate) use listing::{decode_listing, decode_sync, encode_listing, encode_sync};
pub(crate) use movement::{decode_movement, encode_movement};
pub(crate) use pull::{decode_pull, encode_pull};
pub(crate) use purchase::{backorders, decode_on_order, decode_purchase_order, encode_on_order, encode_purchase_order};
pub(crate) use replenishment::{
    day, decode_alert, decode_day, decode_learned, decode_terms, encode_alert, encode_learned, encode_terms, is_untold,
};
pub(crate) use reservation::{decode_reservation, encode_reservation, reason, status};
pub(crate) use rule::{decode_rule, encode_rule, units, weights};
pub(crate) use sale::{decode_aftermath, decode_forced, decode_parts, encode_forced};

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

/// Any item that says something about units; nothing for one that has other uses.
pub(crate) fn decode(item: &Item) -> Result<Option<StoredItem>, Fault> {
    let reader = Reader::new(item);
    match keys::kind(reader.key) {
        keys::Kind::Bucket => {
            let id = keys::name(reader.key).parse().map_err(|_| reader.malformed("its key names no bucket"))?;
            Ok(Some(StoredItem::Bucket(id, decode_bucket(item)?)))
        }
        keys::Kind::Reservation => Ok(Some(StoredItem::Reservation(decode_reservation(item)?))),
        keys::Kind::Movement => Ok(Some(StoredItem::Movement(decode_movement(item)?))),
        keys::Kind::PurchaseOrder => Ok(Some(StoredItem::PurchaseOrder(Box::new(decode_purchase_order(item)?)))),
        keys::Kind::OnOrder => decode_on_order(item).map(|(sku, on_order)| Some(StoredItem::OnOrder(sku, on_order))),
        keys::Kind::Shortfall | keys::Kind::Aftermath | keys::Kind::Settings => Ok(None),
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
    exact(value.as_n().ok()?)
}

/// A number that is left out where it is 0: a write whose condition is that it is absent would be refused for ever otherwise.
fn as_more_than_zero(value: &AttributeValue) -> Option<u64> {
    as_number(value).filter(|number| *number > 0)
}

/// A mark is 1: a child's, whatever it owes; that of a home whose channel sells from the shared stock; that of terms with backorders.
fn as_mark(value: &AttributeValue) -> Option<u64> {
    as_number(value).filter(|mark| *mark == 1)
}

fn as_instant(value: &AttributeValue) -> Option<Timestamp> {
    as_number(value).map(Timestamp::from_epoch_seconds)
}

fn as_list<T: std::str::FromStr>(value: &AttributeValue) -> Option<Vec<T>> {
    value.as_l().ok()?.iter().map(parsed).collect()
}

/// A channel as it is stored: also that of units that are to come.
fn as_channel(value: &AttributeValue) -> Option<domain::ids::Channel> {
    domain::ids::Channel::stored(as_text(value)?).ok()
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn child() -> Item {
        Item::from([
            ("pk".to_owned(), text("S#tea#own#3")),
            ("a".to_owned(), number(5)),
            ("h".to_owned(), AttributeValue::M(HashMap::from([("0123456789abcdef".to_owned(), text("2@99"))]))),
            ("sold".to_owned(), number(0)),
            ("owed".to_owned(), number(1)),
        ])
    }

    fn home() -> Item {
        let mut item = child();
        item.extend(["lo", "hi", "g", "v", "peak"].map(|name| (name.to_owned(), number(0))));
        item.insert("pk".to_owned(), text("S#tea#own"));
        item
    }

    #[test]
    fn an_item_is_what_this_service_writes_or_it_is_malformed() {
        let hold = |text: &str| {
            AttributeValue::M(HashMap::from([("0123456789abcdef".to_owned(), AttributeValue::S(text.to_owned()))]))
        };
        let count = |text: &str| AttributeValue::N(text.to_owned());
        assert!(decode(&child()).is_ok() && decode(&home()).is_ok());
        for (item, name, value) in [
            (child(), "pk", text("S#tea#own#03")),
            (child(), "pk", text("S#tea#own#+3")),
            (child(), "a", count("05")),
            (child(), "a", count("+5")),
            (child(), "h", hold("+2@99")),
            (child(), "h", hold("2@099")),
            (child(), "owed", count("0")),
            (child(), "owed", count("2")),
            (child(), "owed", text("1")),
            (home(), "owed", count("0")),
            (home(), "joined", count("0")),
        ] {
            let mut item = item;
            item.insert(name.to_owned(), value.clone());
            assert!(matches!(decode(&item), Err(Fault::Malformed { .. })), "{name}: {value:?}");
        }
    }
}
