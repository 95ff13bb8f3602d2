//! `PUT /v1/channels/{channel} {kind, overflow?, buffer?, sync?, stale_after_seconds?, endpoint?, options?}`: sets up a channel, or
//! replaces its settings. What it shows follows by itself: `channel-mark` sees the write in the table's stream.

use std::str::FromStr;

use domain::{
    channel::{ChannelKind, ChannelSettings, Overflow, SyncMode},
    ids::Channel,
    limits::{DEFAULT_STALE_AFTER_SECONDS, MAX_STALE_AFTER_SECONDS, MIN_STALE_AFTER_SECONDS},
};
use http::{
    IfMatch, Input, Problem, Request, Response,
    input::within,
    json::{Nested, Table, Text, Whole},
    vendor::{Endpoint, texts},
};
use runtime::{App, problem};
use serde::Deserialize;

use crate::{
    channel, demanded,
    fields::{self, BufferBody},
    view::ChannelView,
};

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Body {
    kind: Text,
    overflow: Text,
    buffer: Nested<BufferBody>,
    sync: Text,
    stale_after_seconds: Whole,
    endpoint: Text,
    options: Table<Text>,
}

#[derive(Debug)]
struct Save {
    channel: Channel,
    settings: ChannelSettings,
    if_match: Option<IfMatch>,
}

pub(crate) async fn save(app: &App, request: &Request) -> Result<Response, Problem> {
    let Save { channel, settings, if_match } = read(request)?;
    let if_match = match if_match {
        None => None,
        Some(IfMatch::Version(version)) => Some(version),
        Some(IfMatch::Any | IfMatch::Foreign) => {
            let stored = app.store.channel_settings(&channel).await.map_err(|fault| problem(fault.into()))?;
            demanded(if_match, stored.map_or(0, |stored| stored.version))?
        }
    };
    let saved = app.store.save_channel(&channel, &settings, if_match).await.map_err(problem)?;
    let settings = ChannelSettings { version: saved.version, ..settings };
    let view = ChannelView::new(&channel, &settings);
    let response = if saved.created { Response::created(&view) } else { Response::ok(&view) };
    Ok(response.version(saved.version))
}

fn read(request: &Request) -> Result<Save, Problem> {
    http::parse(request, |input| {
        let channel = channel(input);
        let if_match = input.if_match();
        let body: Body = input.body()?;
        let settings = settings(input, body);
        Some(Save { channel: channel?, settings: settings?, if_match })
    })
}

fn settings(input: &mut Input<'_>, body: Body) -> Option<ChannelSettings> {
    let kind: Option<ChannelKind> = input.required("kind", body.kind);
    let overflow = input.optional("overflow", body.overflow).map(|Word(overflow)| overflow);
    let buffer = fields::buffer(input, body.buffer);
    let sync = input.optional("sync", body.sync).map(|Word(sync)| sync);
    let range = within(MIN_STALE_AFTER_SECONDS..=MAX_STALE_AFTER_SECONDS);
    let stale = input.optional_whole("stale_after_seconds", body.stale_after_seconds, range);
    let endpoint = input.optional("endpoint", body.endpoint).map(|Endpoint(endpoint)| endpoint);
    let options = texts(input, "options", body.options);
    Some(ChannelSettings {
        overflow: overflow.unwrap_or_default(),
        buffer: buffer.unwrap_or_default(),
        sync: sync.unwrap_or_default(),
        stale_after_seconds: stale.unwrap_or(DEFAULT_STALE_AFTER_SECONDS),
        endpoint,
        options,
        ..ChannelSettings::new(kind?)
    })
}

/// A word of the API that says what it may be when it is another one.
pub(crate) struct Word<T>(pub(crate) T);

impl FromStr for Word<Overflow> {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self).map_err(|_| "must be none or borrow")
    }
}

impl FromStr for Word<SyncMode> {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self).map_err(|_| "must be on-change or on-poll")
    }
}

#[cfg(test)]
mod tests {
    use domain::channel::Buffer;
    use http::testing::Sample;

    use super::*;

    fn sample(body: &str) -> Sample {
        Sample::new("PUT /v1/channels/{channel}").path("channel", "amazon-de").body(body)
    }

    #[test]
    fn settings_that_are_left_out_are_the_usual_ones() {
        let save = read(&sample(r#"{"kind": "amazon"}"#).request()).unwrap();
        assert_eq!((save.channel.as_str(), save.if_match), ("amazon-de", None));
        assert_eq!(save.settings, ChannelSettings::new(ChannelKind::Amazon));
    }

    #[test]
    fn settings_are_what_was_sent() {
        let body = r#"{"kind": "ebay", "overflow": "borrow", "buffer": {"from_speed": {"floor": 2}}, "sync": "on-poll",
            "stale_after_seconds": 60, "endpoint": "https://api.sandbox.ebay.com", "options": {"marketplace_id": "EBAY_DE"}}"#;
        let save = read(&sample(body).header("If-Match", "\"3\"").request()).unwrap();
        let settings = ChannelSettings {
            overflow: Overflow::Borrow,
            buffer: Buffer::FromSpeed { floor: 2 },
            sync: SyncMode::OnPoll,
            stale_after_seconds: 60,
            endpoint: Some("https://api.sandbox.ebay.com".to_owned()),
            options: [("marketplace_id".to_owned(), "EBAY_DE".to_owned())].into(),
            ..ChannelSettings::new(ChannelKind::Ebay)
        };
        assert_eq!((save.settings, save.if_match), (settings, Some(IfMatch::Version(3))));
    }

    #[test]
    fn every_fault_is_named() {
        for (body, fields) in [
            ("{}", &["kind"][..]),
            (r#"{"kind": "etsy", "overflow": "steal", "sync": "never"}"#, &["kind", "overflow", "sync"]),
            (r#"{"kind": "own", "stale_after_seconds": 59}"#, &["stale_after_seconds"]),
            (r#"{"kind": "own", "stale_after_seconds": 86401}"#, &["stale_after_seconds"]),
            (r#"{"kind": "own", "buffer": {}, "options": {"A": "b"}}"#, &["buffer", "options.A"]),
            (r#"{"kind": "own", "secret": "x"}"#, &["secret"]),
        ] {
            let problem = read(&sample(body).request()).unwrap_err();
            let named: Vec<&str> = problem.errors().iter().map(|error| error.field.as_str()).collect();
            assert_eq!(named, fields, "{body}");
        }
        let problem = read(&sample(r#"{"kind": "own"}"#).path("channel", "shared").request()).unwrap_err();
        assert_eq!(problem.errors()[0].field, "channel");
    }
}
