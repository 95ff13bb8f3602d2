//! A rule by which units are divided anew: `weights`, `minimum`, `below`, `reason` and its version `v`; and what it remembers: `looks`,
//! `seen_at`, `sold`, `recent`.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::AttributeValue;
use domain::{
    ids::{Channel, Sku},
    redistribution::{Memory, Rule, Weights},
};

use super::{Reader, as_instant, as_number, as_text, instant, number, parsed, text};
use crate::{Fault, Item, flow::StoredRule, keys};

/// The word for dividing by what was sold of late.
const RECENT_SALES: &str = "recent_sales";

/// The item of a rule.
pub(crate) fn encode_rule(sku: &Sku, stored: &StoredRule) -> Item {
    let StoredRule { rule, memory, version } = stored;
    let mut item = Item::from([
        (keys::PK.to_owned(), text(keys::rule(sku))),
        (keys::LIST.to_owned(), text(keys::RULE_LIST)),
        (keys::RANK.to_owned(), text(sku)),
        ("weights".to_owned(), weights(&rule.weights)),
        ("minimum".to_owned(), units(&rule.minimum)),
        ("below".to_owned(), number(rule.trigger_below)),
        ("v".to_owned(), number(*version)),
        ("looks".to_owned(), number(memory.looks)),
        ("sold".to_owned(), units(&memory.sold)),
        ("recent".to_owned(), units(&memory.recent)),
    ]);
    if let Some(reason) = &rule.reason {
        item.insert("reason".to_owned(), text(reason));
    }
    if let Some(seen_at) = memory.seen_at {
        item.insert("seen_at".to_owned(), instant(seen_at));
    }
    item
}

/// The rule in an item.
pub(crate) fn decode_rule(item: &Item) -> Result<StoredRule, Fault> {
    let reader = Reader::new(item);
    let rule = Rule {
        weights: reader.required("weights", as_weights)?,
        minimum: reader.required("minimum", as_units)?,
        trigger_below: reader.required("below", as_number)?,
        reason: reader.optional("reason", parsed)?,
    };
    let memory = Memory {
        looks: reader.required("looks", as_number)?,
        seen_at: reader.optional("seen_at", as_instant)?,
        sold: reader.required("sold", as_units)?,
        recent: reader.required("recent", as_units)?,
    };
    Ok(StoredRule { rule, memory, version: reader.required("v", as_number)? })
}

/// Weights: a word, or a number for each channel.
pub(crate) fn weights(weights: &Weights) -> AttributeValue {
    match weights {
        Weights::RecentSales => text(RECENT_SALES),
        Weights::Fixed(weights) => units(weights),
    }
}

/// A number for each channel.
pub(crate) fn units(units: &BTreeMap<Channel, u64>) -> AttributeValue {
    AttributeValue::M(units.iter().map(|(channel, units)| (channel.to_string(), number(*units))).collect())
}

fn as_weights(value: &AttributeValue) -> Option<Weights> {
    match as_text(value) {
        Some(RECENT_SALES) => Some(Weights::RecentSales),
        Some(_) => None,
        None => as_units(value).map(Weights::Fixed),
    }
}

fn as_units(value: &AttributeValue) -> Option<BTreeMap<Channel, u64>> {
    let units = value.as_m().ok()?.iter();
    units.map(|(channel, units)| Some((channel.parse().ok()?, as_number(units)?))).collect()
}
