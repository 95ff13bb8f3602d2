//! Hot SKUs: children open by themselves, everything in them can be sold, and they fold back.

use domain::{refusal::Refusal, stock::Settings};
use futures::{StreamExt, future::join_all, stream};

use super::engine::{Bench, bench, movement, rid, stock};
use crate::Failure;

async fn crowded(units: u64, shoppers: usize) -> Bench {
    let bench = bench().await;
    bench.stocked("tea", units).await;
    for n in 0..shoppers {
        bench.reserve(&format!("k{n}"), &["tea=1"]).await.unwrap();
    }
    bench
}

#[tokio::test]
async fn the_twenty_fifth_shopper_opens_a_child() {
    let bench = crowded(100, 25).await;
    let (home, child) = (bench.home("tea").await, bench.bucket("tea#own#0").await.unwrap());
    assert_eq!((home.holds.len(), home.free), (24, 44));
    assert_eq!((child.holds.len(), child.free), (1, 31));
    bench.meter.take();
    bench.reserve("next", &["tea=1"]).await.unwrap();
    let usage = bench.meter.take();
    assert_eq!((usage.requests.len(), usage.wcu), (2, 2.0), "who knows of the child goes there at once");
    bench.assert_sound().await;
}

#[tokio::test]
async fn a_crowded_home_settles_what_is_paid_before_it_opens_a_child() {
    let bench = crowded(100, 0).await;
    for n in 0..24 {
        bench.reserve(&format!("k{n}"), &["tea=1"]).await.unwrap();
        bench.store.confirm(&rid(&format!("k{n}")), None).await.unwrap();
        bench.clock.advance(1);
    }
    bench.reserve("next", &["tea=1"]).await.unwrap();
    let home = bench.home("tea").await;
    assert_eq!((home.sold, home.holds.len(), home.home().unwrap().next_child), (24, 1, 0));
    bench.assert_sound().await;
}

#[tokio::test]
async fn every_unit_of_a_split_sku_can_be_sold() {
    let bench = bench().await;
    bench.stocked("tea", 300).await;
    let keys: Vec<String> = (0..330).map(|n| format!("k{n}")).collect();
    let tries = stream::iter(&keys).map(|key| bench.reserve(key, &["tea=1"]));
    let answers: Vec<_> = tries.buffer_unordered(16).collect().await;
    let won = answers.iter().filter(|answer| answer.is_ok()).count();
    let short = |answer: &Result<crate::Recorded, Failure>| {
        matches!(answer, Err(Failure::Refused(Refusal::InsufficientStock { .. })))
    };
    assert_eq!((won, answers.iter().filter(|answer| short(answer)).count()), (300, 30));
    assert!(bench.home("tea").await.home().unwrap().next_child >= 8);
    bench.assert_sound().await;
}

#[tokio::test]
async fn a_line_is_split_over_several_buckets_when_none_is_large_enough() {
    let bench = bench().await;
    bench.stocked("tea", 96).await;
    let peak = Settings { expected_peak_per_second: 1_000 };
    bench.store.save_settings(&stock("tea"), &peak, None).await.unwrap();
    assert_eq!(bench.home("tea").await.free, 0);
    let reservation = bench.reserve("big", &["tea=70"]).await.unwrap().reservation;
    assert_eq!(reservation.allocations.len(), 3);
    let refused = bench.reserve("more", &["tea=27"]).await.unwrap_err();
    let Failure::Refused(Refusal::InsufficientStock { lines }) = refused else { panic!("{refused:?}") };
    assert_eq!(lines[0].available, 26);
    bench.reserve("rest", &["tea=26"]).await.unwrap();
    bench.store.confirm(&rid("big"), None).await.unwrap();
    bench.assert_sound().await;
}

#[tokio::test]
async fn a_line_too_large_for_a_child_gets_one_of_its_own() {
    let bench = crowded(200, 24).await;
    let reservation = bench.reserve("big", &["tea=100"]).await.unwrap().reservation;
    assert_eq!(reservation.allocations[0].to_string(), "tea#own#0=100@1800000900");
    let child = bench.bucket("tea#own#0").await.unwrap();
    assert_eq!((child.free, child.holds.len()), (0, 1));
    bench.assert_sound().await;
}

#[tokio::test]
async fn a_peak_is_split_ahead_and_folded_when_it_is_over() {
    let bench = bench().await;
    bench.stocked("tea", 1_000).await;
    let peak = |expected_peak_per_second| Settings { expected_peak_per_second };
    for _ in 0..2 {
        bench.store.save_settings(&stock("tea"), &peak(20), None).await.unwrap();
        let home = bench.home("tea").await;
        assert_eq!((home.free, home.home().unwrap().window()), (1_000 - 7 * 32, 0..7), "twice is once");
    }
    bench.reserve("k", &["tea=1"]).await.unwrap();
    bench.store.save_settings(&stock("tea"), &peak(0), None).await.unwrap();
    let home = bench.home("tea").await;
    assert_eq!(home.free + home.held(), 1_000 - u64::from(home.holds.is_empty()));
    bench.assert_sound().await;

    bench.clock.advance(901);
    let held = bench.record("k").await.unwrap().allocations[0].clone();
    bench.store.resolve(&held.bucket, &rid("k"), held.hold).await.unwrap();
    let home = bench.home("tea").await;
    assert_eq!((home.free, home.home().unwrap().window()), (1_000, 7..7), "and no number is used again");
    bench.assert_sound().await;
}

#[tokio::test]
async fn a_cold_child_folds_back_with_what_it_sold() {
    let bench = crowded(100, 26).await;
    bench.store.confirm(&rid("k24"), None).await.unwrap();
    bench.clock.advance(901);
    for n in 0..26 {
        let held = bench.record(&format!("k{n}")).await.unwrap().allocations[0].clone();
        bench.store.resolve(&held.bucket, &rid(&format!("k{n}")), held.hold).await.unwrap();
    }
    let home = bench.home("tea").await;
    assert_eq!((home.free, home.sold, home.home().unwrap().window()), (99, 1, 1..1));
    assert_eq!(bench.bucket("tea#own#0").await, None);
    assert_eq!(bench.audit(true).await.violations, []);
    bench.reserve("after", &["tea=99"]).await.unwrap();
    bench.assert_sound().await;
}

#[tokio::test]
async fn a_child_is_folded_whoever_resolves_its_last_hold() {
    let bench = crowded(100, 30).await;
    let mut held = Vec::new();
    for n in 24..30 {
        held.push(bench.record(&format!("k{n}")).await.unwrap());
    }
    // One cancels, and its timer comes all the same; the others' come at the same time, each alone.
    bench.store.cancel(&held[0].id).await.unwrap();
    bench.clock.advance(901);
    let timers =
        held.iter().map(|own| bench.store.resolve(&own.allocations[0].bucket, &own.id, own.allocations[0].hold));
    for resolved in join_all(timers).await {
        resolved.unwrap();
    }
    assert_eq!(bench.bucket("tea#own#0").await, None);

    // All cancel: the first timer that comes finds nothing but an empty child.
    let bench = crowded(100, 26).await;
    for n in 24..26 {
        bench.store.cancel(&rid(&format!("k{n}"))).await.unwrap();
    }
    bench.clock.advance(901);
    let own = bench.record("k24").await.unwrap().allocations[0].clone();
    bench.store.resolve(&own.bucket, &rid("k24"), own.hold).await.unwrap();
    assert_eq!(bench.bucket("tea#own#0").await, None);
    bench.assert_sound().await;
}

#[tokio::test]
async fn a_delivery_after_the_announcement_is_split_too() {
    let bench = bench().await;
    let peak = Settings { expected_peak_per_second: 12 };
    bench.store.save_settings(&stock("tea"), &peak, None).await.unwrap();
    bench.store.move_stock(&movement("m", "tea", "receive", 200)).await.unwrap();
    let home = bench.home("tea").await;
    assert_eq!((home.free, home.home().unwrap().window()), (200 - 4 * 32, 0..4));
    bench.assert_sound().await;
}

#[tokio::test]
async fn one_key_on_a_split_sku_is_one_answer() {
    let bench = bench().await;
    bench.stocked("tea", 320).await;
    let peak = Settings { expected_peak_per_second: 10_000 };
    bench.store.save_settings(&stock("tea"), &peak, None).await.unwrap();
    // An earlier attempt held all of it over nine buckets, and died.
    for number in 0..9 {
        let hold = format!("{}@1800000900", if number < 8 { 32 } else { 4 });
        let write = crate::write::hold::hold(&stock("tea").child(number), &rid("k"), hold.parse().unwrap());
        bench.store.write(&write).await.unwrap();
    }
    let reserved = bench.reserve("k", &["tea=260"]).await.unwrap().reservation;
    assert_eq!(reserved.allocations.len(), 9);
    assert_eq!(bench.level("tea").await.reserved, 260);
    bench.store.cancel(&rid("k")).await.unwrap();

    for round in 0..3 {
        let key = format!("r{round}");
        let copies = join_all((0..6).map(|_| bench.reserve(&key, &["tea=300"]))).await;
        let answers: Vec<_> = copies.into_iter().map(|copy| copy.unwrap().reservation).collect();
        assert!(answers.iter().all(|answer| *answer == answers[0]), "round {round}");
        assert_eq!(bench.level("tea").await.reserved, 300);
        bench.store.cancel(&rid(&key)).await.unwrap();
    }
    bench.assert_sound().await;
}

#[tokio::test]
async fn many_shoppers_opening_children_at_once_use_each_number_once() {
    let bench = crowded(500, 24).await;
    let keys: Vec<String> = (0..60).map(|n| format!("x{n}")).collect();
    let answers = join_all(keys.iter().map(|key| bench.reserve(key, &["tea=3"]))).await;
    for answer in answers {
        answer.unwrap();
    }
    assert_eq!(bench.level("tea").await.reserved, 24 + 180);
    bench.assert_sound().await;
}

#[tokio::test]
async fn a_shortfall_of_a_split_sku_is_covered_by_what_its_children_free() {
    let bench = crowded(60, 30).await;
    // 30 held, 24 of them at home; the shelf has only 20.
    let counted = bench.store.move_stock(&movement("count", "tea", "count", 20)).await.unwrap().movement;
    assert_eq!((counted.delta, counted.shortfall), (-40, 10));
    let level = bench.level("tea").await;
    assert_eq!((level.available, level.reserved, level.shortfall, level.on_hand()), (0, 30, 10, 20));
    bench.assert_sound().await;
    // The six shoppers in the child let go, then six at home: ten units were never there, two are free.
    for n in (24..30).chain(0..6) {
        bench.store.cancel(&rid(&format!("k{n}"))).await.unwrap();
    }
    let level = bench.level("tea").await;
    assert_eq!((level.available, level.reserved, level.shortfall, level.on_hand()), (2, 18, 0, 20));
    bench.reserve("two", &["tea=2"]).await.unwrap();
    assert!(bench.reserve("three", &["tea=1"]).await.is_err(), "the shelf has no more");
    bench.assert_sound().await;
}

#[tokio::test]
async fn units_in_a_child_that_is_full_of_holds_are_not_out_of_reach() {
    let bench = crowded(124, 24).await;
    // A child of a hundred units, whose large line is let go; then as many small holds as it may carry.
    bench.reserve("big", &["tea=100"]).await.unwrap();
    bench.store.cancel(&rid("big")).await.unwrap();
    for n in 0..40 {
        bench.reserve(&format!("x{n}"), &["tea=1"]).await.unwrap();
    }
    bench.reserve("rest", &["tea=60"]).await.unwrap();
    assert_eq!(bench.level("tea").await.available, 0);
    bench.assert_sound().await;
}

/// So many units in children, none at home.
async fn in_children(units: u64) -> Bench {
    let bench = bench().await;
    bench.stocked("tea", units).await;
    let peak = Settings { expected_peak_per_second: 10_000 };
    bench.store.save_settings(&stock("tea"), &peak, None).await.unwrap();
    assert_eq!(bench.home("tea").await.free, 0);
    bench.meter.take();
    bench
}

#[tokio::test]
async fn who_knows_no_child_looks_at_a_few_and_then_stays_with_one() {
    let bench = in_children(40 * 32).await;
    let mut sent = Vec::new();
    for n in 0..30 {
        bench.reserve(&format!("k{n}"), &["tea=1"]).await.unwrap();
        let usage = bench.meter.take();
        assert_eq!((n, usage.wcu), (n, 2.0));
        sent.push(usage.requests);
    }
    // The first one does not know that the SKU is split. The home tells, and costs a refused write.
    assert_eq!(sent[0], ["UpdateItem", "BatchGetItem", "UpdateItem", "PutItem"]);
    let plain = |requests: &&Vec<&str>| **requests == ["UpdateItem", "PutItem"];
    assert_eq!(sent[1..28].iter().filter(plain).count(), 27, "{sent:?}");
    assert_eq!(sent[28], ["BatchGetItem", "UpdateItem", "PutItem"], "with four left, it looks first");
    assert_eq!(bench.home("tea").await.home().unwrap().next_child, 40);
    bench.assert_sound().await;
}

#[tokio::test]
async fn a_hot_sku_that_was_just_seen_empty_is_looked_at_again_in_the_next_second() {
    let bench = in_children(40 * 32).await;
    bench.reserve("all", &["tea=1280"]).await.unwrap();
    let refused = async |key: &str| {
        bench.meter.take();
        let refused = bench.reserve(key, &["tea=1"]).await.unwrap_err();
        assert!(matches!(refused, Failure::Refused(Refusal::InsufficientStock { .. })), "{refused:?}");
        bench.meter.take().requests
    };
    assert!(refused("a").await.len() > 2, "the first one looks");
    assert_eq!(refused("b").await, ["GetItem"], "only for an earlier record of this request");
    bench.clock.advance(1);
    assert!(refused("c").await.len() > 2, "a second is over");
    assert_eq!(refused("d").await, ["GetItem"]);
    bench.meter.take();
    let paid = crate::tests::engine::request(domain::reservation::Kind::Order, "e", &["tea=1"]);
    bench.store.sell(&paid).await.unwrap_err();
    assert!(bench.meter.take().requests.len() > 2, "whoever pays is not told what was true a moment ago");

    // What comes back through this process is known at once; what comes back through another, in the next second.
    bench.store.cancel(&rid("all")).await.unwrap();
    bench.reserve("f", &["tea=1280"]).await.unwrap();
    assert!(refused("g").await.len() > 2);
    bench.another_process().cancel(&rid("f")).await.unwrap();
    assert_eq!(refused("h").await, ["GetItem"]);
    bench.clock.advance(1);
    bench.reserve("i", &["tea=1"]).await.unwrap();
    bench.store.cancel(&rid("i")).await.unwrap();
    bench.reserve("j", &["tea=1280"]).await.unwrap();
    assert!(refused("k").await.len() > 2);
    bench.store.move_stock(&movement("more", "tea", "receive", 5)).await.unwrap();
    bench.reserve("l", &["tea=5"]).await.unwrap();
    bench.assert_sound().await;
}

#[tokio::test]
async fn a_sku_with_few_children_is_never_refused_without_a_look() {
    let bench = in_children(3 * 32).await;
    bench.reserve("all", &["tea=96"]).await.unwrap();
    bench.reserve("a", &["tea=1"]).await.unwrap_err();
    bench.another_process().cancel(&rid("all")).await.unwrap();
    bench.reserve("b", &["tea=1"]).await.unwrap();
    bench.assert_sound().await;
}

#[tokio::test]
async fn many_children_without_units_and_a_full_home_with_some_are_many_new_children() {
    let bench = crowded(1_040, 24).await;
    // The home's children have come and gone, but for their numbers.
    let mut home = bench.home("tea").await;
    if let domain::bucket::Role::Home(window) = &mut home.role {
        window.next_child = 40;
    }
    bench.put_bucket(&stock("tea").home(), &home).await;
    let next = bench.reserve("next", &["tea=1"]).await.unwrap().reservation;
    let home = bench.home("tea").await;
    assert_eq!((home.free, home.home().unwrap().next_child), (0, 72), "1,016 units in 32 children");
    let child = next.allocations[0].bucket.child.unwrap();
    assert!((40..72).contains(&child), "{child}");
    assert_eq!(bench.bucket("tea#own#71").await.unwrap().free + u64::from(child == 71), 24);
    bench.assert_sound().await;
}

#[tokio::test]
async fn a_full_child_without_units_is_not_settled_for_nothing() {
    let bench = in_children(2 * 32).await;
    for n in 0..64 {
        bench.reserve(&format!("k{n}"), &["tea=1"]).await.unwrap();
        bench.store.confirm(&rid(&format!("k{n}")), None).await.unwrap();
    }
    bench.reserve("next", &["tea=1"]).await.unwrap_err();
    for child in ["tea#own#0", "tea#own#1"] {
        let child = bench.bucket(child).await.unwrap();
        assert_eq!((child.holds.len(), child.sold), (32, 0));
    }
    bench.assert_sound().await;
}

#[tokio::test]
async fn units_at_a_home_without_children_that_have_any_are_found_there_and_then_without_a_look() {
    let bench = in_children(2 * 32).await;
    bench.reserve("all", &["tea=64"]).await.unwrap();
    // More than the peak needs, so they stay at home.
    let none = Settings { expected_peak_per_second: 0 };
    bench.store.save_settings(&stock("tea"), &none, None).await.unwrap();
    bench.store.move_stock(&movement("more", "tea", "receive", 50)).await.unwrap();
    bench.reserve("a", &["tea=1"]).await.unwrap();
    bench.meter.take();
    bench.reserve("b", &["tea=1"]).await.unwrap();
    assert_eq!(bench.meter.take().requests, ["UpdateItem", "PutItem"]);
    bench.assert_sound().await;
}
