//! The settings of a channel.
//!
//! - **Create** `attribute_not_exists(pk)`: the first write of them; a second one changes.
//! - **Change** `v`: with `If-Match`, only the version that the merchant saw is replaced. The attributes of the list stay as they are.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use domain::{channel::ChannelSettings, ids::Channel};

use crate::{
    item::{encode_channel, number, text},
    keys,
    table::Write,
};

/// **Create** the settings of a channel that has none.
pub(crate) fn create(channel: &Channel, settings: &ChannelSettings) -> Write {
    let first = ChannelSettings { version: 1, ..settings.clone() };
    Write::put(encode_channel(channel, &first), "attribute_not_exists(pk)")
}

/// **Change** those that it has.
pub(crate) fn change(channel: &Channel, settings: &ChannelSettings, if_match: Option<u64>) -> Write {
    let condition = if if_match.is_some() { "v = :seen" } else { "attribute_exists(pk)" };
    let endpoint = if settings.endpoint.is_some() { ", #endpoint = :endpoint" } else { " REMOVE #endpoint" };
    let expression = format!(
        "SET v = v + :one, kind = :kind, overflow = :overflow, #buffer = :buffer, #sync = :sync, stale = :stale, \
         #options = :options{endpoint}"
    );
    let options: HashMap<_, _> = settings.options.iter().map(|(name, value)| (name.clone(), text(value))).collect();
    let write = Write::update(keys::channel(channel), expression, condition)
        .name("#buffer", "buffer")
        .name("#sync", "sync")
        .name("#options", "options")
        .name("#endpoint", "endpoint")
        .value(":one", number(1))
        .value(":kind", text(settings.kind))
        .value(":overflow", text(settings.overflow))
        .value(":buffer", text(settings.buffer))
        .value(":sync", text(settings.sync))
        .value(":stale", number(settings.stale_after_seconds))
        .value(":options", AttributeValue::M(options));
    let write = match &settings.endpoint {
        Some(endpoint) => write.value(":endpoint", text(endpoint)),
        None => write,
    };
    match if_match {
        Some(seen) => write.value(":seen", number(seen)),
        None => write,
    }
}
