//! Channels and listings as the API shows them.

use std::collections::BTreeMap;

use domain::{
    channel::{ChannelKind, ChannelSettings, SyncMode},
    ids::Channel,
    listing::{Listing, SyncState},
    publish::{Closed, Terms},
    pull::PullState,
    time::Timestamp,
};
use http::view::{BufferView, PublishedView, rfc3339};
use serde::Serialize;

/// One page of a list.
#[derive(Debug, Serialize)]
pub(crate) struct Items<'a, T> {
    pub(crate) items: Vec<T>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next_cursor: Option<&'a str>,
}

/// What is set for a channel.
#[derive(Debug, Serialize)]
pub(crate) struct ChannelView<'a> {
    channel: &'a str,
    kind: &'static str,
    overflow: &'static str,
    buffer: BufferView,
    sync: &'static str,
    stale_after_seconds: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    endpoint: Option<&'a str>,
    options: &'a BTreeMap<String, String>,
    version: u64,
}

impl<'a> ChannelView<'a> {
    pub(crate) fn new(channel: &'a Channel, settings: &'a ChannelSettings) -> Self {
        Self {
            channel: channel.as_str(),
            kind: settings.kind.word(),
            overflow: settings.overflow.word(),
            buffer: settings.buffer.into(),
            sync: settings.sync.word(),
            stale_after_seconds: settings.stale_after_seconds,
            endpoint: settings.endpoint.as_deref(),
            options: &settings.options,
            version: settings.version,
        }
    }
}

/// What is set for a SKU at a channel.
#[derive(Debug, Serialize)]
pub(crate) struct ListingView<'a> {
    channel: &'a str,
    sku: &'a str,
    remote: &'a BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    buffer: Option<BufferView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sync: Option<&'static str>,
    version: u64,
}

impl<'a> ListingView<'a> {
    pub(crate) fn new(listing: &'a Listing) -> Self {
        Self {
            channel: listing.id.channel.as_str(),
            sku: listing.id.sku.as_str(),
            remote: &listing.remote,
            buffer: listing.buffer.map(Into::into),
            sync: listing.sync.map(SyncMode::word),
            version: listing.version,
        }
    }
}

/// How far the orders of a channel have been heard, and what it shows.
#[derive(Debug, Serialize)]
pub(crate) struct StatusView<'a> {
    channel: &'a str,
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    heard_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tried_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<&'a str>,
    stale: bool,
    unreadable_orders: &'a [String],
    as_of: String,
    #[serde(flatten)]
    page: Items<'a, ListingStatus<'a>>,
}

impl<'a> StatusView<'a> {
    pub(crate) fn new(
        channel: &'a Channel,
        settings: &ChannelSettings,
        pull: &'a PullState,
        now: Timestamp,
        page: Items<'a, ListingStatus<'a>>,
    ) -> Self {
        Self {
            channel: channel.as_str(),
            kind: settings.kind.word(),
            heard_at: pull.heard_at.map(rfc3339),
            tried_at: pull.tried_at.map(rfc3339),
            failure: pull.failure.as_deref(),
            stale: settings.kind != ChannelKind::Own && pull.is_stale(settings.stale_after_seconds, now),
            unreadable_orders: &pull.unreadable,
            as_of: rfc3339(now),
            page,
        }
    }
}

/// How far what is shown for a SKU has followed what there is.
#[derive(Debug, Serialize)]
pub(crate) struct ListingStatus<'a> {
    sku: &'a str,
    available: u64,
    quantity: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    published: Option<PublishedView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unanswered: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expected: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unsettled_since: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    look_at: Option<String>,
    lag_seconds: u64,
    in_flight: u64,
    disagreements: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    closed: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refusal: Option<&'a str>,
    revisions_today: u32,
}

impl<'a> ListingStatus<'a> {
    /// `told` units of its sales were recorded since the last push.
    pub(crate) fn new(listing: &'a Listing, state: &'a SyncState, terms: Terms, told: u64, now: Timestamp) -> Self {
        Self {
            sku: listing.id.sku.as_str(),
            available: terms.sellable(),
            quantity: terms.quantity(),
            published: state.pushed.map(Into::into),
            unanswered: state.unanswered,
            expected: state.expected(told),
            unsettled_since: state.marked_since.map(rfc3339),
            look_at: state.look_at.map(rfc3339),
            lag_seconds: state.lag_seconds,
            in_flight: state.in_flight.as_ref().map_or(0, |in_flight| in_flight.quantity.units()),
            disagreements: state.disagreements,
            closed: terms.closed.map(Closed::word),
            refusal: state.refusal.as_deref(),
            revisions_today: state.revisions_on(now),
        }
    }
}

#[cfg(test)]
mod tests {
    use domain::{
        channel::Buffer,
        listing::InFlight,
        publish::{Counted, Pushed},
        quantity::Quantity,
    };

    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_epoch_seconds(1_763_888_400 + seconds)
    }

    /// The JSON, on one line.
    fn json(view: &impl Serialize) -> String {
        http::Response::ok(view).body().to_owned()
    }

    #[test]
    fn a_channel_shows_what_is_set() {
        let channel = "amazon-de".parse().unwrap();
        let plain = ChannelSettings { version: 1, ..ChannelSettings::new(ChannelKind::Amazon) };
        assert_eq!(
            json(&ChannelView::new(&channel, &plain)),
            r#"{"channel":"amazon-de","kind":"amazon","overflow":"none","buffer":{"units":0},"sync":"on-change","stale_after_seconds":900,"options":{},"version":1}"#
        );
        let options = [("seller_id".to_owned(), "A1".to_owned())].into();
        let endpoint = Some("https://sandbox".to_owned());
        let full = ChannelSettings { buffer: Buffer::FromSpeed { floor: 2 }, endpoint, options, ..plain };
        let text = json(&ChannelView::new(&channel, &full));
        assert!(text.contains(r#""buffer":{"from_speed":{"floor":2}},"#), "{text}");
        assert!(text.contains(r#""endpoint":"https://sandbox","options":{"seller_id":"A1"},"#), "{text}");
    }

    #[test]
    fn a_listing_shows_what_is_set() {
        let id = "ebay#tea".parse().unwrap();
        let remote = [("offer_id".to_owned(), "o-1".to_owned())].into();
        let listing = Listing { id, remote, buffer: None, sync: None, version: 1 };
        assert_eq!(
            json(&ListingView::new(&listing)),
            r#"{"channel":"ebay","sku":"tea","remote":{"offer_id":"o-1"},"version":1}"#
        );
        let special = Listing { buffer: Some(Buffer::Units(3)), sync: Some(SyncMode::OnPoll), ..listing };
        assert!(json(&ListingView::new(&special)).contains(r#""buffer":{"units":3},"sync":"on-poll","#));
    }

    #[test]
    fn a_status_shows_what_is_known_and_nothing_else() {
        let channel = "ebay".parse().unwrap();
        let listing =
            Listing { id: "ebay#tea".parse().unwrap(), remote: BTreeMap::new(), buffer: None, sync: None, version: 1 };
        let settings = ChannelSettings::new(ChannelKind::Ebay);
        let page = |status| Items { items: vec![status], next_cursor: None };
        let new = SyncState::default();
        let terms = Terms { shared: Some(5), closed: Some(Closed::Stale), ..Terms::default() };
        let status = ListingStatus::new(&listing, &new, terms, 0, at(0));
        assert_eq!(
            json(&StatusView::new(&channel, &settings, &PullState::default(), at(0), page(status))),
            r#"{"channel":"ebay","kind":"ebay","stale":true,"unreadable_orders":[],"as_of":"2025-11-23T09:00:00Z","items":[{"sku":"tea","available":5,"quantity":0,"lag_seconds":0,"in_flight":0,"disagreements":0,"closed":"stale","revisions_today":0}]}"#
        );
        let pull = PullState::default().succeeded(at(0), &[]);
        let pull = pull.failed(at(60), "down".to_owned(), &["order 7: no SKU".to_owned()]);
        let state = SyncState {
            pushed: Some(Pushed { quantity: 5, in_flight: 0, as_of: at(10), counted: Counted::default() }),
            unanswered: Some(3),
            marked_since: Some(at(20)),
            look_at: Some(at(30)),
            in_flight: Some(InFlight { id: None, quantity: Quantity::new(2).unwrap(), since: at(15), told: 0 }),
            refusal: Some("no such offer".to_owned()),
            lag_seconds: 4,
            ..SyncState::default()
        };
        let terms = Terms { quota: Some(6), buffer: 1, ..Terms::default() };
        let status = ListingStatus::new(&listing, &state, terms, 1, at(60));
        assert_eq!(
            json(&StatusView::new(&channel, &settings, &pull, at(60), page(status))),
            r#"{"channel":"ebay","kind":"ebay","heard_at":"2025-11-23T09:00:00Z","tried_at":"2025-11-23T09:01:00Z","failure":"down","stale":false,"unreadable_orders":["order 7: no SKU"],"as_of":"2025-11-23T09:01:00Z","items":[{"sku":"tea","available":6,"quantity":5,"published":{"quantity":5,"at":"2025-11-23T09:00:10Z"},"unanswered":3,"expected":4,"unsettled_since":"2025-11-23T09:00:20Z","look_at":"2025-11-23T09:00:30Z","lag_seconds":4,"in_flight":2,"disagreements":0,"refusal":"no such offer","revisions_today":0}]}"#
        );
    }

    #[test]
    fn a_channel_without_a_vendor_is_never_stale() {
        let channel = "own".parse().unwrap();
        let page: Items<'_, ListingStatus<'_>> = Items { items: Vec::new(), next_cursor: None };
        let settings = ChannelSettings::new(ChannelKind::Own);
        let text = json(&StatusView::new(&channel, &settings, &PullState::default(), at(0), page));
        assert!(text.contains(r#""stale":false"#), "{text}");
    }
}
