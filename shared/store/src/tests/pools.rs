//! Quotas and the shared stock: which of them serves a channel, alone and in groups.

use domain::{
    bucket::{BucketId, StockId},
    channel::{ChannelKind, ChannelSettings, Overflow},
    refusal::Refusal,
    reservation::{Kind, ReservationRequest, Status},
    stock::{Level, Settings},
};

use super::engine::{Bench, bench, movement, request};
use crate::Failure;

pub(super) fn stock(id: &str) -> StockId {
    id.parse::<BucketId>().unwrap().stock
}

pub(super) fn level(available: u64, reserved: u64, sold: u64, shortfall: u64) -> Level {
    Level { available, reserved, sold, shortfall }
}

pub(super) fn in_channel(key: &str, channel: &str, lines: &[&str]) -> ReservationRequest {
    ReservationRequest { channel: channel.parse().unwrap(), ..request(Kind::Reservation, key, lines) }
}

impl Bench {
    /// A home, written `tea#shared`, with so many units.
    pub(super) async fn pool(&self, id: &str, units: i64) {
        let stock = stock(id);
        self.store.save_settings(&stock, &Settings::default(), None).await.unwrap();
        if units > 0 {
            let receipt = movement(&format!("first-{stock}"), "tea", "receive", units);
            let moved = self.store.move_stock(&domain::movement::MovementRequest { stock, ..receipt }).await;
            moved.unwrap();
        }
        self.meter.take();
    }

    pub(super) async fn borrows(&self, channel: &str) {
        let settings = ChannelSettings { overflow: Overflow::Borrow, ..ChannelSettings::new(ChannelKind::Amazon) };
        self.store.save_channel(&channel.parse().unwrap(), &settings, None).await.unwrap();
    }

    pub(super) async fn level_of(&self, id: &str) -> Level {
        self.store.stock(&[stock(id)]).await.unwrap()[0].level()
    }
}

#[tokio::test]
async fn a_channel_without_a_quota_sells_from_the_shared_stock_with_two_writes() {
    let bench = bench().await;
    bench.pool("tea#shared", 10).await;
    let reserved = bench.store.reserve(&in_channel("k", "amazon", &["tea=2"])).await.unwrap().reservation;
    assert_eq!(reserved.allocations[0].bucket.to_string(), "tea#shared");
    assert_eq!(
        bench.meter.take().requests,
        ["UpdateItem", "GetItem", "UpdateItem", "PutItem"],
        "the first looks for a quota"
    );
    bench.store.reserve(&in_channel("l", "amazon", &["tea=2"])).await.unwrap();
    assert_eq!(bench.meter.take().requests, ["UpdateItem", "PutItem"]);
    bench.store.reserve(&in_channel("m", "ebay", &["tea=3"])).await.unwrap();
    assert_eq!(bench.level_of("tea#shared").await, level(3, 7, 0, 0));
    bench.clock.advance(61);
    bench.meter.take();
    bench.store.reserve(&in_channel("n", "amazon", &["tea=1"])).await.unwrap();
    assert_eq!(
        bench.meter.take().requests,
        ["UpdateItem", "GetItem", "UpdateItem", "PutItem"],
        "it looks again after a minute"
    );
    bench.assert_sound().await;
}

#[tokio::test]
async fn f10_a_quota_is_sold_by_its_channel_alone() {
    // Elsewhere: allocation ignored the channel, and one sold the stock of another (vendure#4030).
    let bench = bench().await;
    bench.pool("tea#shared", 5).await;
    bench.pool("tea#amazon", 3).await;
    bench.pool("tea#ebay", 4).await;
    let refused = bench.store.reserve(&in_channel("k", "amazon", &["tea=4"])).await;
    assert!(refused.is_err(), "neither the shared stock nor another's quota");
    bench.store.reserve(&in_channel("l", "amazon", &["tea=3"])).await.unwrap();
    bench.store.reserve(&in_channel("m", "own", &["tea=5"])).await.unwrap();
    bench.store.reserve(&in_channel("n", "own", &["tea=1"])).await.unwrap_err();
    assert_eq!(bench.level_of("tea#ebay").await, level(4, 0, 0, 0));
    bench.assert_sound().await;
}

#[tokio::test]
async fn a_channel_that_borrows_takes_from_the_shared_stock_what_its_quota_lacks() {
    let bench = bench().await;
    bench.borrows("amazon").await;
    bench.pool("tea#shared", 5).await;
    bench.pool("tea#amazon", 3).await;
    let offer = bench.store.availability(&[stock("tea#amazon")]).await.unwrap();
    assert_eq!(offer[0].available, 8);
    bench.store.reserve(&in_channel("k", "amazon", &["tea=9"])).await.unwrap_err();
    assert!(bench.record("k").await.is_none(), "nothing was held, so nothing is recorded");
    let reserved = bench.store.reserve(&in_channel("l", "amazon", &["tea=7"])).await.unwrap().reservation;
    let held: Vec<String> = reserved.allocations.iter().map(|own| own.bucket.to_string()).collect();
    assert_eq!(held, ["tea#amazon", "tea#shared"]);
    assert_eq!(bench.level_of("tea#amazon").await, level(0, 3, 0, 0));
    assert_eq!(bench.level_of("tea#shared").await, level(1, 4, 0, 0));
    bench.assert_sound().await;
}

#[tokio::test]
async fn a_retry_of_a_half_done_request_adopts_what_both_pools_hold_for_it() {
    let bench = bench().await;
    bench.borrows("amazon").await;
    bench.pool("tea#shared", 5).await;
    bench.pool("tea#amazon", 3).await;
    let request = in_channel("k", "amazon", &["tea=7"]);
    bench.store.reserve(&request).await.unwrap();
    // As if it had died before the record.
    bench.delete_record("k").await;
    let more = movement("more", "tea", "receive", 9);
    let stock_of_amazon = stock("tea#amazon");
    let more = domain::movement::MovementRequest { stock: stock_of_amazon, ..more };
    for quota_is_larger in [false, true] {
        if quota_is_larger {
            bench.delete_record("k").await;
        }
        let again = bench.another_process().reserve(&request).await.unwrap();
        assert_eq!(again.reservation.allocations.iter().map(|own| own.hold.quantity.units()).sum::<u64>(), 7);
        assert_eq!((bench.level_of("tea#shared").await.available, again.replayed), (1, false));
    }
    bench.store.move_stock(&more).await.unwrap();
    bench.assert_sound().await;
}

fn order_in(key: &str, channel: &str, line: &str) -> ReservationRequest {
    ReservationRequest { kind: Kind::Order, ..in_channel(key, channel, &[line]) }
}

fn words(answers: Vec<Result<crate::Recorded, Failure>>) -> Vec<String> {
    let word = |answer| match answer {
        Ok(crate::Recorded { reservation, replayed }) => {
            assert!(matches!(reservation.status, Status::Confirmed { .. }));
            if replayed { "sold before".to_owned() } else { "sold".to_owned() }
        }
        Err(Failure::Refused(Refusal::InsufficientStock { lines })) => format!("short {}", lines[0]),
        Err(Failure::Refused(refusal)) => refusal.rank_and_slug().1.to_owned(),
        Err(Failure::Fault(fault)) => fault.to_string(),
    };
    answers.into_iter().map(word).collect()
}

#[tokio::test]
async fn queued_orders_of_channels_without_a_quota_are_one_write_of_the_shared_home() {
    let bench = bench().await;
    bench.pool("tea#shared", 9).await;
    let line = ["amazon", "ebay", "own", "amazon"];
    let orders: Vec<_> =
        line.iter().enumerate().map(|(n, channel)| order_in(&n.to_string(), channel, "tea=2")).collect();
    let queue = bench.store.queue_for(&orders[0]).await.unwrap();
    assert_eq!(queue.to_string(), "tea#shared");
    bench.meter.take();
    let consumer = bench.another_process();
    assert_eq!(words(consumer.sell_in_order(&orders, &queue).await), ["sold"; 4]);
    let writes = |requests: &[&str]| requests.iter().filter(|name| !name.contains("Get")).count();
    assert_eq!(writes(&bench.meter.take().requests), 1 + 4);
    let more = [order_in("5", "ebay", "tea=2"), order_in("6", "ebay", "tea=1"), order_in("0", "amazon", "tea=2")];
    assert_eq!(words(consumer.sell_in_order(&more, &queue).await), ["short tea=2/1", "sold", "sold before"]);
    assert_eq!(bench.level_of("tea#shared").await, level(0, 0, 9, 0));
    let nowhere = [order_in("7", "ebay", "mug=2")];
    assert_eq!(words(consumer.sell_in_order(&nowhere, &queue).await), ["unknown-sku"]);
    assert!(matches!(bench.store.queue_for(&nowhere[0]).await, Err(Failure::Refused(Refusal::UnknownSku { .. }))));
    bench.assert_sound().await;
}

#[tokio::test]
async fn a_queued_order_of_a_channel_that_borrows_is_short_only_when_both_are() {
    let bench = bench().await;
    bench.borrows("amazon").await;
    bench.pool("tea#shared", 5).await;
    bench.pool("tea#amazon", 3).await;
    let orders = [2, 3, 4, 1].map(|units| order_in(&units.to_string(), "amazon", &format!("tea={units}")));
    let queue = bench.store.queue_for(&orders[0]).await.unwrap();
    assert_eq!(queue.to_string(), "tea#amazon");
    let consumer = bench.another_process();
    assert_eq!(words(consumer.sell_in_order(&orders, &queue).await), ["sold", "sold", "short tea=4/3", "sold"]);
    assert_eq!(bench.level_of("tea#shared").await.available + bench.level_of("tea#amazon").await.available, 2);
    bench.assert_sound().await;
}

#[tokio::test]
async fn a_quota_that_is_made_or_a_shared_stock_that_is_not_there_is_found_whatever_is_remembered() {
    let bench = bench().await;
    bench.pool("tea#shared", 9).await;
    let consumer = bench.another_process();
    let first = [order_in("a", "amazon", "tea=2")];
    let queue = consumer.queue_for(&first[0]).await.unwrap();
    assert_eq!(words(consumer.sell_in_order(&first, &queue).await), ["sold"]);
    bench.pool("tea#amazon", 5).await;
    bench.clock.advance(61);
    let second = [order_in("b", "amazon", "tea=4")];
    let queue = consumer.queue_for(&second[0]).await.unwrap();
    assert_eq!(
        (queue.to_string(), words(consumer.sell_in_order(&second, &queue).await)),
        ("tea#amazon".to_owned(), vec!["sold".to_owned()])
    );
    assert_eq!((bench.level_of("tea#amazon").await.sold, bench.level_of("tea#shared").await.sold), (4, 2));
    // Remembered as served from the shared stock, which is gone.
    consumer.sell(&order_in("c", "ebay", "tea=1")).await.unwrap();
    bench.pool("tea#ebay", 2).await;
    let home = bench.home("tea#shared").await;
    bench.remove_bucket(&stock("tea#shared").home()).await;
    consumer.sell(&order_in("d", "ebay", "tea=1")).await.unwrap();
    consumer.sell(&order_in("e", "amazon", "tea=1")).await.unwrap();
    bench.put_bucket(&stock("tea#shared").home(), &home).await;
    bench.assert_sound().await;
}
