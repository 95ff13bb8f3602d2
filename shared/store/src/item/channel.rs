//! The settings of a channel.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::AttributeValue;
use domain::{channel::ChannelSettings, ids::Channel};

use super::{Reader, as_number, as_text, number, parsed, text};
use crate::{Fault, Item, keys};

/// The item of a channel's settings.
pub(crate) fn encode_channel(channel: &Channel, settings: &ChannelSettings) -> Item {
    let options = settings.options.iter().map(|(name, value)| (name.clone(), text(value))).collect();
    let mut item = Item::from([
        (keys::PK.to_owned(), text(keys::channel(channel))),
        (keys::LIST.to_owned(), text(keys::CHANNEL_LIST)),
        (keys::RANK.to_owned(), text(channel)),
        ("kind".to_owned(), text(settings.kind)),
        ("overflow".to_owned(), text(settings.overflow)),
        ("buffer".to_owned(), text(settings.buffer)),
        ("sync".to_owned(), text(settings.sync)),
        ("stale".to_owned(), number(settings.stale_after_seconds)),
        ("options".to_owned(), AttributeValue::M(options)),
        ("v".to_owned(), number(settings.version)),
    ]);
    if let Some(endpoint) = &settings.endpoint {
        item.insert("endpoint".to_owned(), text(endpoint));
    }
    item
}

/// The settings in an item, and whose they are.
pub(crate) fn decode_channel(item: &Item) -> Result<(Channel, ChannelSettings), Fault> {
    let reader = Reader::new(item);
    let channel = keys::name(reader.key).parse().map_err(|_| reader.malformed("its key names no channel"))?;
    let settings = ChannelSettings {
        kind: reader.required("kind", parsed)?,
        overflow: reader.required("overflow", parsed)?,
        buffer: reader.required("buffer", parsed)?,
        sync: reader.required("sync", parsed)?,
        stale_after_seconds: reader.required("stale", as_number)?,
        endpoint: reader.optional("endpoint", as_text)?.map(str::to_owned),
        options: reader.required("options", as_options)?,
        version: reader.required("v", as_number)?,
    };
    Ok((channel, settings))
}

fn as_options(value: &AttributeValue) -> Option<BTreeMap<String, String>> {
    let options = value.as_m().ok()?.iter();
    options.map(|(name, value)| Some((name.clone(), as_text(value)?.to_owned()))).collect()
}
