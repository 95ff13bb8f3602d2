//! Orders that wait in a queue: many decided with one write, each of them once, in their order.

use std::collections::BTreeSet;

use domain::{
    bucket::BucketId,
    ids::ReservationId,
    refusal::Refusal,
    reservation::{Kind, ReservationRequest, Status},
    stock::Settings,
};
use futures::future::join_all;

use super::{
    engine::{Bench, bench, movement, request, rid, stock},
    mishap::Mishap,
};
use crate::{Failure, Store};

fn orders(orders: &[(&str, &str)]) -> Vec<ReservationRequest> {
    orders.iter().map(|(key, line)| request(Kind::Order, key, &[*line])).collect()
}

fn singles(prefix: &str, count: usize) -> Vec<ReservationRequest> {
    (0..count).map(|n| request(Kind::Order, &format!("{prefix}{n}"), &["tea=1"])).collect()
}

fn tea() -> BucketId {
    stock("tea").home()
}

/// In one word each; what was decided before is marked.
async fn sell(store: &Store, orders: &[ReservationRequest], queue: &BucketId) -> Vec<String> {
    let word = |answer: Result<crate::Recorded, Failure>| match answer {
        Ok(recorded) if recorded.replayed => "sold before".to_owned(),
        Ok(recorded) => {
            assert!(matches!(recorded.reservation.status, Status::Confirmed { .. }));
            "sold".to_owned()
        }
        Err(Failure::Refused(Refusal::InsufficientStock { lines })) => {
            format!("short {}", lines.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "))
        }
        Err(Failure::Refused(refusal)) => refusal.rank_and_slug().1.to_owned(),
        Err(Failure::Fault(_)) => "fault".to_owned(),
    };
    store.sell_in_order(orders, queue).await.into_iter().map(word).collect()
}

async fn sell_tea(bench: &Bench, orders: &[ReservationRequest]) -> Vec<String> {
    sell(&bench.store, orders, &tea()).await
}

fn writes(requests: &[&str]) -> usize {
    requests.iter().filter(|name| !name.contains("Get")).count()
}

#[tokio::test]
async fn ten_orders_are_one_write_of_the_bucket_and_one_record_each() {
    let bench = bench().await;
    bench.stocked("tea", 1_000).await;
    assert_eq!(sell_tea(&bench, &singles("a", 10)).await, vec!["sold"; 10]);
    let usage = bench.meter.take();
    assert_eq!((writes(&usage.requests), usage.requests.len(), usage.wcu), (11, 12, 11.0), "one look at first");
    // Then it knows the bucket; and where that is full, the same write makes room.
    for batch in 0..20 {
        assert_eq!(sell_tea(&bench, &singles(&format!("b{batch}-"), 10)).await, vec!["sold"; 10]);
        let usage = bench.meter.take();
        assert_eq!((usage.requests.len(), usage.wcu), (11, 11.0), "batch {batch}");
    }
    let level = bench.level("tea").await;
    assert_eq!((level.available, level.sold, bench.home("tea").await.home().unwrap().next_child), (790, 210, 0));
    assert!(bench.home("tea").await.holds.len() <= 24);
    bench.assert_sound().await;
    bench.clock.advance(3_601);
    for (id, hold) in bench.home("tea").await.holds {
        bench.store.resolve(&tea(), &id, hold).await.unwrap();
    }
    assert_eq!(bench.audit(true).await.violations, []);
    assert_eq!(bench.home("tea").await.sold, 210);
}

#[tokio::test]
async fn what_is_left_goes_to_the_first_in_line_and_a_refusal_costs_its_record() {
    let bench = bench().await;
    bench.stocked("tea", 5).await;
    let line = orders(&[("a", "tea=2"), ("b", "tea=4"), ("c", "tea=3"), ("d", "tea=1")]);
    let expected = ["sold", "short tea=4/3", "sold", "short tea=1/0"];
    assert_eq!(sell_tea(&bench, &line).await, expected);
    assert_eq!(writes(&bench.meter.take().requests), 1 + line.len());
    // Sold out: nothing is tried any more, but everybody's refusal is recorded.
    assert_eq!(sell_tea(&bench, &singles("late", 10)).await, vec!["short tea=1/0"; 10]);
    assert_eq!(writes(&bench.meter.take().requests), 10);
    // Each hears the same again, whatever came in meanwhile.
    bench.store.move_stock(&movement("more", "tea", "receive", 50)).await.unwrap();
    assert_eq!(sell_tea(&bench, &line).await, ["sold before", "short tea=4/3", "sold before", "short tea=1/0"]);
    assert_eq!(bench.level("tea").await.available, 50);
    for refused in ["b", "d", "late3"] {
        assert_eq!(bench.record(refused).await.unwrap().purge_at, None, "a refusal may cost a refund: it is kept");
    }
    bench.assert_sound().await;
}

#[tokio::test]
async fn a_second_delivery_takes_no_unit_from_those_behind_it() {
    let bench = bench().await;
    bench.stocked("tea", 3).await;
    assert_eq!(sell_tea(&bench, &singles("a", 2)).await, ["sold", "sold"]);
    // Settled, so that no hold in the bucket reminds of them.
    bench.clock.advance(3_601);
    for (id, hold) in bench.home("tea").await.holds {
        bench.store.resolve(&tea(), &id, hold).await.unwrap();
    }
    let mut line = singles("a", 2);
    line.extend(singles("new", 2));
    assert_eq!(sell_tea(&bench, &line).await, ["sold before", "sold before", "sold", "short tea=1/0"]);
    assert_eq!((bench.home("tea").await.sold, bench.level("tea").await.sold), (2, 3));
    bench.assert_sound().await;
}

#[tokio::test]
async fn one_order_twice_in_a_batch_is_one_sale() {
    let bench = bench().await;
    bench.stocked("tea", 9).await;
    let line = [singles("a", 2), singles("a", 2)].concat();
    let answers = sell_tea(&bench, &line).await;
    assert_eq!(answers.len(), 4);
    assert!(answers.iter().all(|answer| answer.starts_with("sold")), "{answers:?}");
    assert_eq!(bench.level("tea").await.sold, 2);
    bench.assert_sound().await;
}

#[tokio::test]
async fn a_key_used_for_another_order_is_refused_and_changes_nothing() {
    let bench = bench().await;
    bench.stocked("tea", 9).await;
    assert_eq!(sell_tea(&bench, &orders(&[("a", "tea=2")])).await, ["sold"]);
    assert_eq!(sell_tea(&bench, &orders(&[("a", "tea=3"), ("b", "tea=1")])).await, ["idempotency-key-reused", "sold"]);
    assert_eq!((bench.level("tea").await.sold, bench.level("tea").await.available), (3, 6));
    bench.assert_sound().await;
}

#[tokio::test]
async fn carts_of_several_lines_are_all_or_nothing() {
    let bench = bench().await;
    bench.stocked("tea", 10).await;
    bench.stocked("mug", 2).await;
    let line = [
        request(Kind::Order, "a", &["mug=1", "tea=2"]),
        request(Kind::Order, "b", &["mug=2", "tea=2"]),
        request(Kind::Order, "c", &["mug=1", "tea=2"]),
        request(Kind::Order, "d", &["coffee=1", "tea=2"]),
        request(Kind::Order, "e", &["tea=6"]),
        request(Kind::Order, "f", &["tea=1"]),
    ];
    let expected = ["sold", "short mug=2/1", "sold", "unknown-sku", "sold", "short tea=1/0"];
    assert_eq!(sell_tea(&bench, &line).await, expected);
    assert_eq!(writes(&bench.meter.take().requests), 2 + line.len(), "one for each bucket, one for each order");
    assert_eq!((bench.level("tea").await.available, bench.level("mug").await.available), (0, 0));
    bench.assert_sound().await;
}

#[tokio::test]
async fn a_hold_that_nobody_paid_for_is_taken_back_first() {
    let bench = bench().await;
    bench.stocked("tea", 5).await;
    bench.reserve("abandoned", &["tea=3"]).await.unwrap();
    assert_eq!(sell_tea(&bench, &singles("a", 3)).await, ["sold", "sold", "short tea=1/0"]);
    bench.clock.advance(901);
    assert_eq!(sell_tea(&bench, &singles("b", 4)).await, ["sold", "sold", "sold", "short tea=1/0"]);
    bench.assert_sound().await;
}

#[tokio::test]
async fn a_hold_whose_reservation_was_extended_stands() {
    let bench = bench().await;
    bench.stocked("tea", 5).await;
    bench.reserve("cart", &["tea=3"]).await.unwrap();
    bench.clock.advance(800);
    let call = domain::ids::ExtensionId::derive(&domain::ids::Caller::new("c"), &"e".parse().unwrap());
    bench.store.extend(&rid("cart"), &call, 1_800).await.unwrap();
    bench.clock.advance(200);
    assert_eq!(sell_tea(&bench, &singles("a", 3)).await, ["sold", "sold", "short tea=1/0"]);
    bench.store.confirm(&rid("cart"), None).await.unwrap();
    bench.assert_sound().await;
}

/// The holds are made, and the process dies before the record of the `n`th order.
async fn die_before_record(bench: &Bench, line: &[ReservationRequest], n: usize) -> Vec<String> {
    // As often as the store tries.
    bench.mishaps.plan("PutItem", &format!("R#{}", line[n].id), Mishap::Conflict, 6);
    let answers = sell_tea(bench, line).await;
    bench.mishaps.forget();
    answers
}

#[tokio::test]
async fn after_a_crash_between_any_two_writes_every_order_is_decided_once() {
    for died_at in 0..4 {
        let bench = bench().await;
        bench.stocked("tea", 3).await;
        let line = singles("a", 4);
        let first = die_before_record(&bench, &line, died_at).await;
        let expected = ["sold", "sold", "sold", "short tea=1/0"];
        assert_eq!(first[..died_at], expected[..died_at]);
        assert_eq!((first.len(), first[died_at].as_str()), (died_at + 1, "fault"), "it and those behind it come again");
        // Another process gets them again, with others behind them.
        let other = Store::new(bench.store.client.clone(), bench.store.table.to_string(), bench.clock.clone());
        let again = sell(&other, &[line, singles("b", 1)].concat(), &tea()).await;
        assert_eq!(again.len(), 5);
        for (n, (answer, expected)) in again.iter().zip([&expected[..], &["short tea=1/0"]].concat()).enumerate() {
            assert!(
                *answer == expected || *answer == format!("{expected} before"),
                "died at {died_at}, order {n}: {answer}"
            );
        }
        assert_eq!((bench.level("tea").await.sold, bench.level("tea").await.available), (3, 0));
        bench.assert_sound().await;
    }
}

#[tokio::test]
async fn an_order_that_comes_again_after_its_hold_has_ended_takes_its_units_again() {
    let bench = bench().await;
    bench.stocked("tea", 3).await;
    let line = singles("a", 3);
    assert_eq!(die_before_record(&bench, &line, 0).await, ["fault"]);
    assert_eq!(bench.home("tea").await.free, 0);
    // A dead letter for an hour; the timers have given its units back, and one was sold to somebody else.
    bench.clock.advance(3_601);
    for (id, hold) in bench.home("tea").await.holds {
        bench.store.resolve(&tea(), &id, hold).await.unwrap();
    }
    assert_eq!(sell_tea(&bench, &singles("other", 1)).await, ["sold"]);
    let answers = sell_tea(&bench, &line).await;
    // Which of them had been recorded in the first attempt is a matter of timing; together they are three.
    assert_eq!(answers.iter().filter(|answer| answer.starts_with("sold")).count(), 2, "{answers:?}");
    let again = sell_tea(&bench, &line).await;
    assert_eq!(again.iter().filter(|answer| *answer == "sold before").count(), 2, "{again:?}");
    assert_eq!((bench.level("tea").await.sold, bench.level("tea").await.available), (3, 0));
    for order in &line {
        bench.store.order(&order.id).await.unwrap();
    }
    bench.assert_sound().await;
}

#[tokio::test]
async fn a_lost_reply_to_the_group_takes_the_units_once() {
    let bench = bench().await;
    bench.stocked("tea", 100).await;
    for round in 0..4 {
        bench.mishaps.plan("UpdateItem", "S#tea#own", Mishap::LostReply, 1);
        bench.mishaps.plan("PutItem", "R#", Mishap::LostReply, 2);
        let answers = sell_tea(&bench, &singles(&format!("r{round}-"), 10)).await;
        assert!(answers.iter().all(|answer| answer.starts_with("sold")), "{answers:?}");
        assert_eq!(bench.mishaps.left(), 0);
    }
    assert_eq!((bench.level("tea").await.sold, bench.level("tea").await.available), (40, 60));
    bench.assert_sound().await;
}

#[tokio::test]
async fn a_fault_stops_the_line_there() {
    let bench = bench().await;
    bench.stocked("tea", 100).await;
    bench.mishaps.plan("UpdateItem", "S#tea#own", Mishap::Conflict, 6);
    assert_eq!(sell_tea(&bench, &singles("a", 5)).await, ["fault"]);
    assert_eq!(sell_tea(&bench, &singles("a", 5)).await, vec!["sold"; 5]);
    bench.assert_sound().await;
}

#[tokio::test]
async fn a_memory_that_is_wrong_sells_nothing_that_is_not_there() {
    let bench = bench().await;
    bench.stocked("tea", 30).await;
    let other = Store::new(bench.store.client.clone(), bench.store.table.to_string(), bench.clock.clone());
    assert_eq!(sell_tea(&bench, &singles("a", 10)).await, vec!["sold"; 10]);
    // Others take and bring units behind its back.
    assert_eq!(sell(&other, &singles("b", 15), &tea()).await, vec!["sold"; 15]);
    let expected = [vec!["sold"; 5], vec!["short tea=1/0"; 5]].concat();
    assert_eq!(sell_tea(&bench, &singles("c", 10)).await, expected);
    bench.store.move_stock(&movement("more", "tea", "receive", 3)).await.unwrap();
    let expected = [vec!["sold"; 3], vec!["short tea=1/0"; 2]].concat();
    assert_eq!(sell_tea(&bench, &singles("d", 5)).await, expected);
    bench.assert_sound().await;
}

#[tokio::test]
async fn a_split_sku_is_sold_to_the_last_unit_from_all_of_its_buckets() {
    let bench = bench().await;
    bench.stocked("tea", 100).await;
    bench.store.save_settings(&stock("tea"), &Settings { expected_peak_per_second: 6 }, None).await.unwrap();
    let window = bench.home("tea").await.home().unwrap().window();
    assert_eq!(window.len(), 2);
    let mut sold = 0;
    for batch in 0..12 {
        let shard = stock("tea").child(window.start + batch % 2);
        let line = singles(&format!("s{batch}-"), 10);
        let answers = sell(&bench.store, &line, &shard).await;
        let here = answers.iter().filter(|answer| *answer == "sold").count();
        assert!(answers[..here].iter().all(|answer| answer == "sold"), "in turn: {answers:?}");
        assert!(answers[here..].iter().all(|answer| answer == "short tea=1/0"), "{answers:?}");
        sold += here;
    }
    assert_eq!((sold, bench.level("tea").await.available), (100, 0));
    // More than one bucket has, and a line that is gone.
    bench.store.move_stock(&movement("more", "tea", "receive", 40)).await.unwrap();
    assert_eq!(sell(&bench.store, &orders(&[("big", "tea=40")]), &stock("tea").child(99)).await, ["sold"]);
    bench.assert_sound().await;
}

#[tokio::test]
async fn a_line_of_many_buckets_is_one_sale() {
    let bench = bench().await;
    bench.stocked("tea", 96).await;
    bench.store.save_settings(&stock("tea"), &Settings { expected_peak_per_second: 96 }, None).await.unwrap();
    assert_eq!(
        sell_tea(&bench, &orders(&[("a", "tea=1"), ("b", "tea=90"), ("c", "tea=6"), ("d", "tea=5")])).await,
        ["sold", "sold", "short tea=6/5", "sold"]
    );
    bench.assert_sound().await;
}

#[tokio::test]
async fn many_lines_at_once_sell_every_unit_once() {
    let bench = bench().await;
    bench.stocked("tea", 150).await;
    bench.store.save_settings(&stock("tea"), &Settings { expected_peak_per_second: 96 }, None).await.unwrap();
    let window = bench.home("tea").await.home().unwrap().window();
    // Four processes, each with a memory of its own, some of them at the same shard; shoppers without a queue in between.
    let stores: Vec<Store> = (0..4)
        .map(|_| Store::new(bench.store.client.clone(), bench.store.table.to_string(), bench.clock.clone()))
        .collect();
    let shards: Vec<BucketId> = (0..4).map(|n| stock("tea").child(window.start + n % 2)).collect();
    let queued = join_all(stores.iter().zip(&shards).enumerate().map(|(process, (store, shard))| async move {
        let mut sold = 0;
        for batch in 0..5 {
            let line = singles(&format!("p{process}-{batch}-"), 10);
            let mut answers = sell(store, &line, shard).await;
            // What could not be decided comes again, as the queue would send it.
            while answers.len() < line.len()
                || answers.last().is_some_and(|last| last == "fault" || last == "contended")
            {
                answers = sell(store, &line, shard).await;
            }
            sold += answers.iter().filter(|answer| answer.starts_with("sold")).count();
        }
        sold
    }));
    let direct = join_all((0..20).map(|n| {
        let store = &stores[n % 4];
        async move { store.sell(&request(Kind::Order, &format!("direct{n}"), &["tea=1"])).await.is_ok() }
    }));
    let (queued, direct) = tokio::join!(queued, direct);
    let sold = queued.iter().sum::<usize>() + direct.iter().filter(|sold| **sold).count();
    assert_eq!((sold, bench.level("tea").await.available, bench.level("tea").await.sold), (150, 0, 150));
    bench.assert_sound().await;
}

#[tokio::test]
async fn ids_are_recorded_once_each() {
    let bench = bench().await;
    bench.stocked("tea", 25).await;
    let line = singles("a", 30);
    sell_tea(&bench, &line).await;
    let ids: BTreeSet<ReservationId> = line.iter().map(|order| order.id.clone()).collect();
    assert_eq!(bench.store.get_reservations(&ids).await.unwrap().len(), 30);
    assert_eq!(bench.level("tea").await.sold, 25);
    bench.assert_sound().await;
}

#[tokio::test]
async fn an_order_waits_in_the_line_of_its_hottest_sku() {
    let bench = bench().await;
    bench.stocked("mug", 10).await;
    bench.stocked("tea", 100).await;
    let both = request(Kind::Order, "k", &["mug=1", "tea=1"]);
    let line = |order: &ReservationRequest| {
        let (store, order) = (bench.store.clone(), order.clone());
        async move { store.queue_for(&order).await.map(|bucket| bucket.to_string()) }
    };
    assert_eq!(line(&both).await.unwrap(), "mug#own");
    bench.store.save_settings(&stock("tea"), &Settings { expected_peak_per_second: 64 }, None).await.unwrap();
    bench.meter.take();
    assert_eq!(line(&both).await.unwrap(), "mug#own", "what it knows is good for five seconds");
    assert_eq!(bench.meter.take().requests, [""; 0]);
    bench.clock.advance(6);
    let split = line(&both).await.unwrap();
    assert!(["tea#own#0", "tea#own#1"].contains(&split.as_str()), "{split}");
    let unknown = line(&request(Kind::Order, "k", &["coffee=1", "tea=1"])).await.unwrap_err();
    assert!(matches!(unknown, Failure::Refused(Refusal::UnknownSku { skus }) if skus[0].as_str() == "coffee"));
    bench.stocked("coffee", 1).await;
    line(&request(Kind::Order, "k", &["coffee=1", "tea=1"])).await.unwrap();
    assert_eq!(bench.record("k").await, None, "nothing is written");
}

#[tokio::test]
async fn a_hold_too_many_of_a_sold_order_is_not_counted_as_sold() {
    let bench = bench().await;
    bench.stocked("tea", 60).await;
    bench.store.save_settings(&stock("tea"), &Settings { expected_peak_per_second: 32 }, None).await.unwrap();
    // An attempt that died held three units of "a" at home; the order itself is served from the child.
    let child = stock("tea").child(0);
    let stray = "3@1800003000".parse().unwrap();
    assert_eq!(sell(&bench.store, &orders(&[("a", "tea=2")]), &child).await, ["sold"]);
    bench.store.write(&crate::write::hold::hold(&tea(), &rid("a"), stray)).await.unwrap();
    // Its record does not name that hold, so a crowded home gives it back instead of counting it.
    for batch in 0..3 {
        bench.store.save_settings(&stock("tea"), &Settings::default(), None).await.unwrap();
        assert_eq!(sell_tea(&bench, &singles(&format!("b{batch}-"), 10)).await, vec!["sold"; 10]);
        bench.assert_sound().await;
    }
    assert_eq!((bench.level("tea").await.sold, bench.level("tea").await.available), (32, 28));
}

#[tokio::test]
async fn nobody_overtakes_an_order_whose_hold_has_ended() {
    let bench = bench().await;
    bench.stocked("tea", 1).await;
    let line = orders(&[("a", "tea=1"), ("b", "tea=1")]);
    assert_eq!(die_before_record(&bench, &line[..1], 0).await, ["fault"]);
    bench.clock.advance(3_601);
    let other = Store::new(bench.store.client.clone(), bench.store.table.to_string(), bench.clock.clone());
    assert_eq!(sell(&other, &line, &tea()).await, ["sold", "short tea=1/0"]);
    bench.assert_sound().await;
}

#[tokio::test]
async fn units_that_a_refused_order_gives_back_go_to_the_next_in_line() {
    let bench = bench().await;
    bench.stocked("tea", 1).await;
    bench.stocked("mug", 1).await;
    let both = request(Kind::Order, "a", &["mug=1", "tea=1"]);
    bench.mishaps.plan("UpdateItem", "S#mug#own", Mishap::Conflict, 6);
    assert_eq!(sell_tea(&bench, std::slice::from_ref(&both)).await, ["fault"]);
    bench.mishaps.forget();
    assert_eq!((bench.home("tea").await.free, bench.home("mug").await.free), (0, 1));
    bench.store.sell(&request(Kind::Order, "shopper", &["mug=1"])).await.unwrap();
    let other = Store::new(bench.store.client.clone(), bench.store.table.to_string(), bench.clock.clone());
    let line = [both, request(Kind::Order, "b", &["tea=1"])];
    assert_eq!(sell(&other, &line, &tea()).await, ["short mug=1/0", "sold"]);
    bench.assert_sound().await;
}

#[tokio::test]
async fn an_order_whose_hold_is_about_to_end_waits_for_that() {
    let bench = bench().await;
    bench.stocked("tea", 5).await;
    let line = singles("a", 1);
    assert_eq!(die_before_record(&bench, &line, 0).await, ["fault"]);
    bench.clock.advance(295);
    let other = Store::new(bench.store.client.clone(), bench.store.table.to_string(), bench.clock.clone());
    assert_eq!(sell(&other, &line, &tea()).await, ["contended"]);
    bench.clock.advance(60);
    assert_eq!(sell(&other, &line, &tea()).await, ["sold"]);
    assert_eq!(bench.level("tea").await.sold, 1);
    bench.assert_sound().await;
}
