//! The terms of a number as the API shows them.

use domain::{
    listing::ListingId,
    publish::{BufferTerm, Closed},
    stock::StockView,
    time::Timestamp,
};
use http::view::{BufferView, PublishedView, rfc3339};
use serde::Serialize;
use store::{Basis, Explained};

/// Every term of the number that a channel shows for a SKU.
#[derive(Debug, Serialize)]
pub(crate) struct Explanation<'a> {
    sku: &'a str,
    channel: &'a str,
    kind: &'static str,
    pools: Vec<PoolView<'a>>,
    /// What the channel's own quota has to sell.
    #[serde(skip_serializing_if = "Option::is_none")]
    quota: Option<u64>,
    /// What it may sell of the shared stock.
    #[serde(skip_serializing_if = "Option::is_none")]
    shared: Option<u64>,
    overflow: &'static str,
    sellable: u64,
    buffer: BufferTermView,
    #[serde(skip_serializing_if = "Option::is_none")]
    closed: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    heard_at: Option<String>,
    stale_after_seconds: u64,
    in_flight: u64,
    /// What it should show.
    quantity: u64,
    listed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    published: Option<PublishedView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expected: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unsettled_since: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refusal: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_hold_ends_at: Option<String>,
    as_of: String,
}

/// A pool that serves the channel.
#[derive(Debug, Serialize)]
struct PoolView<'a> {
    channel: &'a str,
    on_hand: u64,
    available: u64,
    reserved: u64,
    sold: u64,
    shortfall: u64,
}

/// Units that are never shown, and how they come about.
#[derive(Debug, Serialize)]
struct BufferTermView {
    rule: BufferView,
    #[serde(skip_serializing_if = "Option::is_none")]
    sold_last_hour: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lag_seconds: Option<u64>,
    units: u64,
}

impl From<BufferTerm> for BufferTermView {
    fn from(BufferTerm { rule, speed, units }: BufferTerm) -> Self {
        let sold_last_hour = speed.map(|speed| speed.sold);
        Self { rule: rule.into(), sold_last_hour, lag_seconds: speed.map(|speed| speed.lag_seconds), units }
    }
}

impl<'a> PoolView<'a> {
    fn new(view: &'a StockView) -> Self {
        let level = view.level();
        Self {
            channel: view.stock.channel.as_str(),
            on_hand: level.on_hand(),
            available: level.available,
            reserved: level.reserved,
            sold: level.sold,
            shortfall: level.shortfall,
        }
    }
}

impl<'a> Explanation<'a> {
    /// `told` units of its sales were recorded since the last push.
    pub(crate) fn new(
        id: &'a ListingId,
        basis: Basis<'a>,
        explained: &'a Explained,
        listed: bool,
        told: u64,
        now: Timestamp,
    ) -> Self {
        let (state, terms) = (basis.state, explained.terms);
        Self {
            sku: id.sku.as_str(),
            channel: id.channel.as_str(),
            kind: basis.settings.kind.word(),
            pools: explained.pools.iter().map(PoolView::new).collect(),
            quota: terms.quota,
            shared: terms.shared,
            overflow: basis.settings.overflow.word(),
            sellable: terms.sellable(),
            buffer: explained.buffer.into(),
            closed: terms.closed.map(Closed::word),
            heard_at: basis.pull.heard_at.map(rfc3339),
            stale_after_seconds: basis.settings.stale_after_seconds,
            in_flight: state.in_flight.as_ref().map_or(0, |in_flight| in_flight.quantity.units()),
            quantity: terms.quantity(),
            listed,
            published: state.pushed.map(Into::into),
            expected: state.expected(told),
            unsettled_since: state.marked_since.map(rfc3339),
            refusal: state.refusal.as_deref(),
            next_hold_ends_at: explained.pools.iter().filter_map(StockView::next_end).min().map(rfc3339),
            as_of: rfc3339(now),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use domain::{
        bucket::{Bucket, BucketId, Home, Role},
        channel::{Buffer, ChannelKind, ChannelSettings, Overflow},
        ids::{Caller, ReservationId},
        listing::{InFlight, SyncState},
        publish::{Counted, Pushed, Speed, Terms},
        pull::PullState,
        quantity::Quantity,
    };

    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_epoch_seconds(1_763_888_400 + seconds)
    }

    fn pool(home: &str, free: u64, held: u64, shortfall: u64) -> StockView {
        let id: BucketId = home.parse().unwrap();
        let holder = ReservationId::derive(&Caller::new("c"), &"k".parse().unwrap());
        let only = format!("{held}@{}", at(300).epoch_seconds()).parse().unwrap();
        let role = Role::Home(Home { shortfall, ..Home::default() });
        let bucket = Bucket { free, holds: BTreeMap::from([(holder, only)]), sold: 4, watermark: None, role };
        StockView { stock: id.stock.clone(), as_of: at(0), buckets: vec![(id, bucket)], records: BTreeMap::new() }
    }

    #[test]
    fn every_term_is_shown_with_the_number_that_it_makes() {
        let id: ListingId = "ebay#tea".parse().unwrap();
        let rule = Buffer::FromSpeed { floor: 1 };
        let settings =
            ChannelSettings { overflow: Overflow::Borrow, buffer: rule, ..ChannelSettings::new(ChannelKind::Ebay) };
        let pull = PullState::default().succeeded(at(0), &[]);
        let state = SyncState {
            pushed: Some(Pushed { quantity: 9, in_flight: 0, as_of: at(5), counted: Counted::default() }),
            in_flight: Some(InFlight { id: None, quantity: Quantity::new(2).unwrap(), since: at(6), told: 0 }),
            marked_since: Some(at(7)),
            refusal: Some("no such offer".to_owned()),
            ..SyncState::default()
        };
        let basis = Basis { settings: &settings, pull: &pull, buffer: None, state: &state };
        let buffer = BufferTerm::new(rule, Some(Speed { sold: 90, lag_seconds: 60 }));
        let terms = Terms { quota: Some(5), shared: Some(7), buffer: buffer.units, closed: None };
        let pools = vec![pool("tea#ebay", 5, 2, 0), pool("tea#shared", 7, 3, 0)];
        let explained = Explained { pools, buffer, terms };
        let shown = Explanation::new(&id, basis, &explained, true, 1, at(10));
        assert_eq!(
            http::Response::ok(&shown).body(),
            r#"{"sku":"tea","channel":"ebay","kind":"ebay","pools":[{"channel":"ebay","on_hand":7,"available":5,"reserved":2,"sold":4,"shortfall":0},{"channel":"shared","on_hand":10,"available":7,"reserved":3,"sold":4,"shortfall":0}],"quota":5,"shared":7,"overflow":"borrow","sellable":12,"buffer":{"rule":{"from_speed":{"floor":1}},"sold_last_hour":90,"lag_seconds":60,"units":2},"heard_at":"2025-11-23T09:00:00Z","stale_after_seconds":900,"in_flight":2,"quantity":10,"listed":true,"published":{"quantity":9,"at":"2025-11-23T09:00:05Z"},"expected":8,"unsettled_since":"2025-11-23T09:00:07Z","refusal":"no such offer","next_hold_ends_at":"2025-11-23T09:05:00Z","as_of":"2025-11-23T09:00:10Z"}"#
        );
    }

    #[test]
    fn what_does_not_apply_is_left_out() {
        let id: ListingId = "own#tea".parse().unwrap();
        let settings = ChannelSettings::new(ChannelKind::Own);
        let (pull, state) = (PullState::default(), SyncState::default());
        let basis = Basis { settings: &settings, pull: &pull, buffer: None, state: &state };
        let buffer = BufferTerm::new(Buffer::Units(0), None);
        let terms = Terms { shared: Some(0), ..Terms::default() };
        let explained = Explained { pools: vec![pool("tea#shared", 0, 3, 2)], buffer, terms };
        let later = Explained { pools: vec![StockView { as_of: at(301), ..explained.pools[0].clone() }], ..explained };
        let shown = Explanation::new(&id, basis, &later, false, 0, at(301));
        assert_eq!(
            http::Response::ok(&shown).body(),
            r#"{"sku":"tea","channel":"own","kind":"own","pools":[{"channel":"shared","on_hand":1,"available":1,"reserved":0,"sold":4,"shortfall":0}],"shared":0,"overflow":"none","sellable":0,"buffer":{"rule":{"units":0},"units":0},"stale_after_seconds":900,"in_flight":0,"quantity":0,"listed":false,"as_of":"2025-11-23T09:05:01Z"}"#
        );
    }
}
