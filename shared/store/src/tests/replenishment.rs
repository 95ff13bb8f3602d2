//! Reordering: each condition of the writes alone, then sales that are counted, and looks that open and close alerts.

mod writes;

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    ids::{AlertId, ReservationId, Sku},
    refusal::Refusal,
    replenishment::{
        demand::Told,
        review::Turn,
        settings::{SafetyStock, Settings},
    },
    reservation::Kind,
    sale::{SaleLine, Stage},
    time::{DAY_SECONDS, Day},
};
use futures::future::join_all;

use super::{
    engine::{Bench, at, bench, movement, order, request, rid},
    mishap::Mishap,
    transfers::refusal,
};
use crate::{AlertPage, Counted, Failure, Saved};

fn tea() -> Sku {
    "tea".parse().unwrap()
}

fn today() -> Day {
    Day::of(at(0))
}

fn terms() -> Settings {
    Settings::new(7, SafetyStock::Percent(20))
}

/// Says only how many were sold.
fn told(units: u64) -> Told {
    Told { units, out_seconds: None }
}

/// Ten a day on each day of the window, and so many units on the shelf.
async fn ten_a_day(bench: &Bench, units: u64) {
    bench.stocked("tea", units).await;
    let days: BTreeMap<Day, Told> = (1..=28).map(|ago| (today().minus_days(ago), told(10))).collect();
    assert_eq!(bench.store.import_sales(&tea(), &days).await.unwrap(), 28);
    bench.store.save_replenishment(&tea(), &terms(), None).await.unwrap();
}

/// Sells without a hold.
async fn sell(bench: &Bench, key: &str, lines: &[&str]) -> ReservationId {
    bench.store.sell(&request(Kind::Order, key, lines)).await.unwrap();
    rid(key)
}

async fn receive(bench: &Bench, key: &str, units: i64) {
    bench.store.move_stock(&movement(key, "tea", "receive", units)).await.unwrap();
}

async fn sold_on(bench: &Bench, sku: &str, day: Day) -> u64 {
    let days = bench.store.days_of_sales(&sku.parse().unwrap(), day, day.plus_days(1)).await.unwrap();
    days.iter().map(|day| day.units).sum()
}

/// The numbers of the alerts that are open, and of those that are closed.
async fn alerts(bench: &Bench) -> (Vec<u64>, Vec<u64>) {
    let mut numbers = Vec::new();
    for which in [AlertPage::Open, AlertPage::Closed] {
        let page = bench.store.list_alerts(which, 100, None).await.unwrap();
        let number = |id: &AlertId| (1..100).find(|episode| *id == AlertId::of(&tea(), *episode)).unwrap();
        numbers.push(page.items.iter().map(|alert| number(&alert.id)).collect::<Vec<u64>>());
    }
    let closed = numbers.pop().unwrap();
    (numbers.pop().unwrap(), closed)
}

async fn review(bench: &Bench) -> Option<Turn> {
    bench.store.review_replenishment(&tea()).await.unwrap().unwrap().turn
}

#[tokio::test]
async fn terms_are_saved_as_they_were_seen() {
    let bench = bench().await;
    let unknown = bench.store.save_replenishment(&tea(), &terms(), None).await;
    assert_eq!(refusal(unknown.unwrap_err()), Refusal::UnknownSku { skus: vec![tea()] });
    bench.stocked("tea", 5).await;
    let save = async |days: u64, if_match| {
        let settings = Settings { lead_time_days: days, ..terms() };
        bench.store.save_replenishment(&tea(), &settings, if_match).await
    };
    assert_eq!(refusal(save(1, Some(1)).await.unwrap_err()), Refusal::PreconditionFailed { version: 0 });
    assert_eq!(save(1, None).await.unwrap(), Saved { created: true, version: 1 });
    assert_eq!(save(2, Some(1)).await.unwrap(), Saved { created: false, version: 2 });
    assert_eq!(refusal(save(3, Some(1)).await.unwrap_err()), Refusal::PreconditionFailed { version: 2 });
    assert_eq!(save(4, None).await.unwrap().version, 3);
    bench.mishaps.plan("PutItem", "N#tea", Mishap::LostReply, 1);
    assert_eq!(save(5, Some(3)).await.unwrap().version, 4, "sent again, it is still ours");
    let page = bench.store.list_replenished(10, None).await.unwrap();
    assert_eq!(page.items, [tea()]);
    assert!(bench.store.remove_replenishment(&tea()).await.unwrap());
    assert!(!bench.store.remove_replenishment(&tea()).await.unwrap());
    assert_eq!(bench.store.review_replenishment(&tea()).await.unwrap(), None);
    assert_eq!(bench.store.look_at_replenishment(&tea()).await.unwrap(), None);
    bench.assert_sound().await;
}

#[tokio::test]
async fn a_sale_is_counted_once_however_often_it_is_told_of() {
    let bench = bench().await;
    bench.stocked("tea", 500).await;
    bench.stocked("milk", 500).await;
    let mut ids = BTreeSet::new();
    for n in 0..120 {
        ids.insert(sell(&bench, &format!("k{n}"), &["tea=2", "milk=1"]).await);
    }
    let held = bench.reserve("held", &["tea=9"]).await.unwrap().reservation.id.clone();
    ids.insert(held.clone());
    ids.insert(rid("nobody"));
    let counted = bench.store.count_sales(&ids).await.unwrap();
    assert_eq!(counted, Counted { sales: 120, units: 360 });
    assert_eq!((sold_on(&bench, "tea", today()).await, sold_on(&bench, "milk", today()).await), (240, 120));
    assert_eq!(bench.store.count_sales(&ids).await.unwrap(), Counted::default());
    bench.store.confirm(&held, None).await.unwrap();
    ids.insert(sell(&bench, "later", &["tea=1"]).await);
    assert_eq!(bench.store.count_sales(&ids).await.unwrap(), Counted { sales: 2, units: 10 });
    assert_eq!(sold_on(&bench, "tea", today()).await, 250);
    bench.assert_sound().await;
}

#[tokio::test]
async fn those_who_count_the_same_sales_at_once_count_each_once() {
    let bench = bench().await;
    bench.stocked("tea", 500).await;
    let mut ids = Vec::new();
    for n in 0..30 {
        ids.push(sell(&bench, &format!("k{n}"), &["tea=1"]).await);
    }
    // Batches that overlap, as a stream brings them that goes back.
    let batches = (0..6).map(|n| ids[n * 4..n * 4 + 10].iter().cloned().collect::<BTreeSet<_>>());
    let batches: Vec<_> = batches.collect();
    let done = join_all(batches.iter().map(|batch| bench.store.count_sales(batch))).await;
    let failed: Vec<_> = done.iter().filter(|done| done.is_err()).collect();
    assert!(failed.iter().all(|failed| matches!(failed, Err(Failure::Fault(_)))), "{failed:?}");
    for batch in &batches {
        bench.store.count_sales(batch).await.unwrap();
    }
    assert_eq!(sold_on(&bench, "tea", today()).await, 30);
}

#[tokio::test]
async fn a_lost_reply_counts_nothing_twice() {
    let bench = bench().await;
    bench.stocked("tea", 50).await;
    let ids: BTreeSet<_> = [sell(&bench, "a", &["tea=2"]).await, sell(&bench, "b", &["tea=3"]).await].into();
    bench.mishaps.plan("TransactWriteItems", "counted", Mishap::LostReply, 1);
    bench.store.count_sales(&ids).await.unwrap();
    assert_eq!(bench.mishaps.left(), 0);
    assert_eq!(sold_on(&bench, "tea", today()).await, 5);
}

#[tokio::test]
async fn an_imported_day_is_as_the_merchant_says() {
    let bench = bench().await;
    bench.stocked("tea", 50).await;
    let sold = sell(&bench, "a", &["tea=2"]).await;
    let late = sell(&bench, "b", &["tea=3"]).await;
    bench.store.count_sales(&[sold].into()).await.unwrap();
    let days = BTreeMap::from([(today(), told(7)), (today().minus_days(1), told(0))]);
    for (days, changed) in [(&days, 2), (&days, 0), (&BTreeMap::from([(today(), told(8))]), 1)] {
        assert_eq!(bench.store.import_sales(&tea(), days).await.unwrap(), changed);
    }
    let empty = |out_seconds| BTreeMap::from([(today().minus_days(1), Told { units: 0, out_seconds })]);
    for (out_seconds, changed, known) in [(Some(60), 1, 60), (Some(60), 0, 60), (Some(0), 1, 0), (None, 0, 0)] {
        assert_eq!(bench.store.import_sales(&tea(), &empty(out_seconds)).await.unwrap(), changed, "{out_seconds:?}");
        let days = bench.store.days_of_sales(&tea(), today().minus_days(1), today()).await.unwrap();
        assert_eq!(days[0].out_seconds, known);
    }
    let counted = bench.store.count_sales(&[late.clone()].into()).await.unwrap();
    assert_eq!((counted.sales, sold_on(&bench, "tea", today()).await), (1, 8), "the day is said already");
    assert_eq!(bench.store.count_sales(&[late].into()).await.unwrap(), Counted::default());
}

#[tokio::test]
async fn the_reorder_point_follows_what_was_sold() {
    let bench = bench().await;
    ten_a_day(&bench, 500).await;
    let found = bench.store.look_at_replenishment(&tea()).await.unwrap().unwrap();
    assert_eq!((found.reorder.units, found.sight.available, found.sight.position()), (84, 500, 500));
    assert_eq!(bench.store.review_replenishment(&tea()).await.unwrap().unwrap().reorder.units, 84);
    bench.meter.take();
    review(&bench).await;
    let asked = bench.meter.take().requests;
    assert!(asked.iter().all(|request| !request.contains("Put") && !request.contains("Write")), "{asked:?}");
    // What was sold on the day of the first look is a part of a day, and does not count.
    let sold = sell(&bench, "in-part", &["tea=30"]).await;
    bench.store.count_sales(&[sold].into()).await.unwrap();
    bench.clock.advance(DAY_SECONDS);
    assert_eq!(bench.store.review_replenishment(&tea()).await.unwrap().unwrap().reorder.units, 84);
    // Twenty were sold today: from tomorrow on they count.
    let sold = sell(&bench, "k", &["tea=20"]).await;
    bench.store.count_sales(&[sold].into()).await.unwrap();
    assert_eq!(bench.store.look_at_replenishment(&tea()).await.unwrap().unwrap().reorder.units, 84);
    bench.clock.advance(DAY_SECONDS);
    // 26 times 10 and once 20, in 27 days: 10.4 a day.
    assert_eq!(bench.store.review_replenishment(&tea()).await.unwrap().unwrap().reorder.units, 88);
}

#[tokio::test]
async fn a_paid_order_of_a_marketplace_that_is_canceled_is_no_supply() {
    let bench = bench().await;
    ten_a_day(&bench, 0).await;
    bench.pool("tea#amazon", 100).await;
    let stands = async |canceled| {
        let quantity = domain::quantity::Quantity::new(30).unwrap();
        let line = SaleLine { line: order("1"), sku: tea(), quantity, canceled, stage: Stage::Paid };
        bench.store.record_sale(&"amazon".parse().unwrap(), &order("o"), &line).await.unwrap();
        bench.store.look_at_replenishment(&tea()).await.unwrap().unwrap().sight
    };
    let sold = stands(0).await;
    assert_eq!((sold.available, sold.supply()), (70, 100));
    assert!(matches!(review(&bench).await, Some(Turn::Opened(_))));
    for (canceled, available) in [(10, 80), (30, 100), (30, 100)] {
        let sight = stands(canceled).await;
        assert_eq!((sight.available, sight.supply(), sight.given_back), (available, 100, canceled));
    }
    assert_eq!(review(&bench).await, None, "nothing has come: the next sale would open another alert");
    bench.assert_sound().await;
}

#[tokio::test]
async fn one_alert_for_each_shortage() {
    let bench = bench().await;
    ten_a_day(&bench, 100).await;
    assert_eq!(review(&bench).await, None);
    sell(&bench, "a", &["tea=10"]).await;
    bench.reserve("b", &["tea=6"]).await.unwrap();
    assert!(matches!(review(&bench).await, Some(Turn::Opened(_))), "84 are left");
    for key in ["c", "d"] {
        sell(&bench, key, &["tea=1"]).await;
        assert_eq!(review(&bench).await, None);
    }
    assert_eq!(alerts(&bench).await, (vec![1], vec![]));
    receive(&bench, "r1", 2).await;
    assert_eq!(review(&bench).await, None, "84 again");
    bench.clock.advance(901);
    assert!(matches!(review(&bench).await, Some(Turn::Closed(_))), "the hold is over, and supply had come");
    assert_eq!(alerts(&bench).await, (vec![], vec![1]));
    sell(&bench, "e", &["tea=20"]).await;
    assert!(matches!(review(&bench).await, Some(Turn::Opened(_))));
    assert_eq!(alerts(&bench).await, (vec![2], vec![1]));
    bench.assert_sound().await;
}

#[tokio::test]
async fn those_who_look_at_once_open_one_alert() {
    let bench = bench().await;
    ten_a_day(&bench, 84).await;
    let sku = tea();
    let looks = join_all((0..6).map(|_| bench.store.review_replenishment(&sku))).await;
    let opened = looks.iter().flatten().flatten().filter(|look| matches!(look.turn, Some(Turn::Opened(_)))).count();
    assert_eq!((opened, alerts(&bench).await), (1, (vec![1], vec![])));
}

#[tokio::test]
async fn an_alert_whose_reply_was_lost_is_opened_once() {
    let bench = bench().await;
    ten_a_day(&bench, 84).await;
    bench.mishaps.plan("TransactWriteItems", "A#", Mishap::LostReply, 1);
    review(&bench).await;
    assert_eq!(bench.mishaps.left(), 0);
    assert_eq!(alerts(&bench).await, (vec![1], vec![]));
    assert_eq!(review(&bench).await, None);
}

#[tokio::test]
async fn an_alert_is_told_once_and_closes_with_its_terms() {
    let bench = bench().await;
    ten_a_day(&bench, 84).await;
    let Some(Turn::Opened(alert)) = review(&bench).await else { panic!("no alert") };
    assert_eq!(bench.store.alert(&alert.id).await.unwrap().unwrap(), alert);
    assert!(bench.store.alert_told(&alert.id).await.unwrap());
    assert!(!bench.store.alert_told(&alert.id).await.unwrap());
    assert_eq!(bench.store.alert(&alert.id).await.unwrap().unwrap().told_at, Some(at(0)));
    assert!(bench.store.remove_replenishment(&tea()).await.unwrap());
    assert_eq!(alerts(&bench).await, (vec![], vec![1]));
    bench.store.save_replenishment(&tea(), &terms(), None).await.unwrap();
    assert!(matches!(review(&bench).await, Some(Turn::Opened(_))));
    assert_eq!(alerts(&bench).await, (vec![2], vec![1]), "its number is never used again");
}

#[tokio::test]
async fn time_out_of_stock_is_written_to_its_days() {
    let bench = bench().await;
    ten_a_day(&bench, 10).await;
    sell(&bench, "a", &["tea=10"]).await;
    review(&bench).await;
    let rest = DAY_SECONDS - at(0).seconds_since(today().begins_at());
    bench.clock.advance(rest + DAY_SECONDS + 60);
    review(&bench).await;
    bench.clock.advance(40);
    receive(&bench, "r", 5).await;
    review(&bench).await;
    let days = bench.store.days_of_sales(&tea(), today(), today().plus_days(3)).await.unwrap();
    let out: Vec<u64> = days.iter().map(|day| day.out_seconds).collect();
    assert_eq!(out, [rest, DAY_SECONDS, 100]);
}

#[tokio::test]
async fn units_of_all_channels_count() {
    let bench = bench().await;
    ten_a_day(&bench, 100).await;
    bench.store.transfer(&super::engine::move_units("t", 60, "own", "ebay")).await.unwrap();
    assert_eq!(bench.store.look_at_replenishment(&tea()).await.unwrap().unwrap().sight.position(), 100);
    assert_eq!(review(&bench).await, None);
    sell(&bench, "a", &["tea=16"]).await;
    assert!(matches!(review(&bench).await, Some(Turn::Opened(_))));
}
