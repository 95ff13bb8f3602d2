//! Stock and movements as the API shows them.

use domain::{movement::Movement, stock::StockView};
use http::view::rfc3339;
use serde::Serialize;
use store::{Page, Shortfall};

/// A SKU in a channel. `on_hand = available + reserved − shortfall`: unsold units that should be on the shelf.
#[derive(Debug, Serialize)]
pub(crate) struct Stock<'a> {
    sku: &'a str,
    channel: &'a str,
    on_hand: u64,
    available: u64,
    reserved: u64,
    sold: u64,
    shortfall: u64,
    buckets: usize,
    expected_peak_per_second: u64,
    version: u64,
    as_of: String,
}

impl<'a> Stock<'a> {
    pub(crate) fn new(view: &'a StockView) -> Self {
        let (level, home) = (view.level(), view.home());
        Self {
            sku: view.stock.sku.as_str(),
            channel: view.stock.channel.as_str(),
            on_hand: level.on_hand(),
            available: level.available,
            reserved: level.reserved,
            sold: level.sold,
            shortfall: level.shortfall,
            buckets: view.buckets.len(),
            expected_peak_per_second: home.expected_peak_per_second,
            version: home.version,
            as_of: rfc3339(view.as_of),
        }
    }
}

/// A movement.
#[derive(Debug, Serialize)]
pub(crate) struct MovementView<'a> {
    id: &'a str,
    sku: &'a str,
    channel: &'a str,
    kind: &'static str,
    quantity: i64,
    delta: i64,
    #[serde(skip_serializing_if = "is_zero")]
    shortfall: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    other_channel: Option<&'a str>,
    reason: &'a str,
    actor: &'a str,
    at: String,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(units: &u64) -> bool {
    *units == 0
}

impl<'a> MovementView<'a> {
    pub(crate) fn new(movement: &'a Movement) -> Self {
        Self {
            id: movement.id.as_str(),
            sku: movement.stock.sku.as_str(),
            channel: movement.stock.channel.as_str(),
            kind: movement.kind.word(),
            quantity: movement.kind.quantity(),
            delta: movement.delta,
            shortfall: movement.shortfall,
            other_channel: movement.other.as_ref().map(domain::ids::Channel::as_str),
            reason: movement.reason.as_str(),
            actor: &movement.actor,
            at: rfc3339(movement.at),
        }
    }
}

/// A count that found less than was held or sold, or an order that a marketplace had taken for more than anybody had.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum ShortfallView<'a> {
    /// A count.
    Count {
        id: &'a str,
        sku: &'a str,
        channel: &'a str,
        /// Units missing.
        quantity: u64,
        reason: &'a str,
        actor: &'a str,
        at: String,
    },
    /// An order.
    Order {
        id: &'a str,
        sku: &'a str,
        channel: &'a str,
        /// Units ordered.
        quantity: u64,
        /// Units missing.
        missing: u64,
        order_id: &'a str,
        line: &'a str,
        at: String,
    },
}

impl<'a> ShortfallView<'a> {
    pub(crate) fn new(shortfall: &'a Shortfall) -> Self {
        match shortfall {
            Shortfall::Count(movement) => Self::Count {
                id: movement.id.as_str(),
                sku: movement.stock.sku.as_str(),
                channel: movement.stock.channel.as_str(),
                quantity: movement.shortfall,
                reason: movement.reason.as_str(),
                actor: &movement.actor,
                at: rfc3339(movement.at),
            },
            Shortfall::Order { id, sale } => Self::Order {
                id: id.as_str(),
                sku: sale.sku.as_str(),
                channel: sale.key.channel.as_str(),
                quantity: sale.quantity.units(),
                missing: sale.missing,
                order_id: sale.key.order.as_str(),
                line: sale.key.line.as_str(),
                at: rfc3339(sale.at),
            },
        }
    }
}

/// One page of a list.
#[derive(Debug, Serialize)]
pub(crate) struct PageView<'a, T> {
    items: Vec<T>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<&'a str>,
}

impl<'a, T> PageView<'a, T> {
    pub(crate) fn new<U>(page: &'a Page<U>, item: impl Fn(&'a U) -> T) -> Self {
        Self { items: page.items.iter().map(item).collect(), next_cursor: page.next_cursor.as_deref() }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use domain::{
        bucket::{Bucket, BucketId, Home, Role},
        ids::{Caller, Fingerprint, MovementId, ReservationId},
        movement::{Correction, MovementKind},
        time::Timestamp,
    };

    use super::*;

    /// The JSON, on one line.
    fn json(view: &impl Serialize) -> String {
        http::Response::ok(view).body().to_owned()
    }

    #[test]
    fn stock_shows_the_sums_of_its_buckets() {
        let id: BucketId = "tea#own".parse().unwrap();
        let holder = ReservationId::derive(&Caller::new("c"), &"k".parse().unwrap());
        let home = Home { version: 2, expected_peak_per_second: 50, ..Home::default() };
        let bucket = Bucket {
            free: 5,
            holds: BTreeMap::from([(holder, "2@1763889300".parse().unwrap())]),
            sold: 3,
            watermark: None,
            role: Role::Home(home),
        };
        let view = StockView {
            stock: id.stock.clone(),
            as_of: Timestamp::from_epoch_seconds(1_763_888_400),
            buckets: vec![(id, bucket)],
            records: BTreeMap::new(),
        };
        assert_eq!(
            json(&Stock::new(&view)),
            r#"{"sku":"tea","channel":"own","on_hand":7,"available":5,"reserved":2,"sold":3,"shortfall":0,"buckets":1,"expected_peak_per_second":50,"version":2,"as_of":"2025-11-23T09:00:00Z"}"#
        );
    }

    #[test]
    fn a_movement_shows_a_shortfall_only_if_there_is_one() {
        let movement = Movement {
            id: MovementId::derive(&Caller::new("c"), &"k".parse().unwrap()),
            stock: "tea#own".parse::<BucketId>().unwrap().stock,
            kind: MovementKind::Adjust(Correction::new(-2).unwrap()),
            delta: -2,
            shortfall: 0,
            other: None,
            reason: "broken".parse().unwrap(),
            actor: "local".to_owned(),
            at: Timestamp::from_epoch_seconds(1_763_888_400),
            fingerprint: Fingerprint::of("movement", &[]),
        };
        let text = json(&MovementView::new(&movement));
        assert!(text.ends_with(
            r#""sku":"tea","channel":"own","kind":"adjust","quantity":-2,"delta":-2,"reason":"broken","actor":"local","at":"2025-11-23T09:00:00Z"}"#
        ));
        let short = Movement { kind: MovementKind::Count(1), shortfall: 4, ..movement };
        assert!(json(&MovementView::new(&short)).contains(r#""quantity":1,"delta":-2,"shortfall":4,"#));
        assert!(json(&ShortfallView::new(&Shortfall::Count(short))).contains(r#""quantity":4,"#));
    }

    #[test]
    fn the_last_page_has_no_cursor() {
        let page = |next_cursor| Page { items: vec![1, 2], next_cursor };
        assert_eq!(json(&PageView::new(&page(None), |item| item + 1)), r#"{"items":[2,3]}"#);
        assert_eq!(json(&PageView::new(&page(Some("x".to_owned())), |_| 0)), r#"{"items":[0,0],"next_cursor":"x"}"#);
    }
}
