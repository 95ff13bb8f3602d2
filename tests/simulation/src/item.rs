//! Items of the table, as the SDK and the store read them.

use aws_sdk_dynamodb::{primitives::Blob, types::AttributeValue};
use serde_json::Value;
use store::StoredItem;

use crate::expression::Item;

/// When an item is to be deleted, in epoch seconds.
#[must_use]
pub fn time_to_live(item: &Item) -> Option<u64> {
    item.get("ttl")?["N"].as_str()?.parse().ok()
}

/// An item as the SDK has it.
#[must_use]
pub fn sdk_item(item: &Item) -> store::Item {
    item.iter().map(|(name, value)| (name.clone(), sdk_value(value))).collect()
}

fn sdk_value(value: &Value) -> AttributeValue {
    let (kind, content) =
        value.as_object().and_then(|value| value.iter().next()).map_or(("", &Value::Null), |(k, v)| (k.as_str(), v));
    match kind {
        "S" => AttributeValue::S(text(content)),
        "N" => AttributeValue::N(text(content)),
        "L" => AttributeValue::L(content.as_array().into_iter().flatten().map(sdk_value).collect()),
        "M" => {
            let entries = content.as_object().into_iter().flatten();
            AttributeValue::M(entries.map(|(name, value)| (name.clone(), sdk_value(value))).collect())
        }
        // Nothing that this service writes; decoding will say so.
        _ => AttributeValue::B(Blob::new("")),
    }
}

pub(crate) fn decoded(item: &Item) -> Result<Option<StoredItem>, String> {
    store::decode(&sdk_item(item)).map_err(|fault| fault.to_string())
}

pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
