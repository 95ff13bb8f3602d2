//! Reserve and sell: all lines or none, the same answer twice, and nothing left behind.

use domain::{
    bucket::Hold,
    ids::ReservationId,
    refusal::Refusal,
    reservation::{CancelReason, Kind, Shortage, Status},
    resolve::Settling,
};
use futures::future::join_all;

use super::{
    engine::{bench, request, rid, stock},
    mishap::Mishap,
};
use crate::{Failure, write};

fn refusal(failure: Failure) -> Refusal {
    match failure {
        Failure::Refused(refusal) => refusal,
        Failure::Fault(fault) => panic!("{fault}"),
    }
}

fn short(sku: &str, requested: u64, available: u64) -> Refusal {
    let requested = domain::quantity::Quantity::new(requested).unwrap();
    Refusal::InsufficientStock { lines: vec![Shortage { sku: sku.parse().unwrap(), requested, available }] }
}

#[tokio::test]
async fn two_hundred_shoppers_for_fifty_units() {
    let bench = bench().await;
    bench.stocked("tea", 50).await;
    let keys: Vec<String> = (0..200).map(|n| format!("k{n}")).collect();
    let answers = join_all(keys.iter().map(|key| bench.reserve(key, &["tea=1"]))).await;
    let (won, lost): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
    assert_eq!(won.len(), 50);
    for failure in lost {
        assert!(matches!(refusal(failure.unwrap_err()), Refusal::InsufficientStock { .. }));
    }
    assert_eq!((bench.level("tea").await.available, bench.level("tea").await.reserved), (0, 50));
    bench.assert_sound().await;
}

#[tokio::test]
async fn one_key_sent_fifty_times_at_once_is_one_reservation() {
    let bench = bench().await;
    bench.stocked("tea", 50).await;
    let answers = join_all((0..50).map(|_| bench.reserve("k", &["tea=2"]))).await;
    let first = answers[0].as_ref().unwrap().reservation.clone();
    for answer in answers {
        assert_eq!(answer.unwrap().reservation, first);
    }
    let level = bench.level("tea").await;
    assert_eq!((level.available, level.reserved), (48, 2));
    bench.assert_sound().await;
}

#[tokio::test]
async fn a_key_used_for_another_request_is_refused_and_holds_nothing() {
    let bench = bench().await;
    bench.stocked("tea", 10).await;
    bench.stocked("milk", 10).await;
    bench.reserve("k", &["tea=1"]).await.unwrap();
    for lines in [["tea=2"], ["milk=1"]] {
        assert_eq!(refusal(bench.reserve("k", &lines).await.unwrap_err()), Refusal::IdempotencyKeyReused);
    }
    let sale = request(Kind::Order, "k", &["tea=1"]);
    assert_eq!(refusal(bench.store.sell(&sale).await.unwrap_err()), Refusal::IdempotencyKeyReused);
    assert_eq!((bench.level("tea").await.reserved, bench.level("milk").await.reserved), (1, 0));
    assert_eq!(bench.home("milk").await.holds.len(), 0, "not even for a while");
    bench.assert_sound().await;
}

#[tokio::test]
async fn a_key_used_again_for_fewer_units_is_refused_though_the_rest_is_gone() {
    let bench = bench().await;
    bench.stocked("tea", 6).await;
    bench.reserve("k", &["tea=4"]).await.unwrap();
    bench.store.sell(&request(Kind::Order, "o", &["tea=2"])).await.unwrap();
    assert_eq!(refusal(bench.reserve("k", &["tea=3"]).await.unwrap_err()), Refusal::IdempotencyKeyReused);
    let fewer = request(Kind::Order, "o", &["tea=1"]);
    assert_eq!(refusal(bench.store.sell(&fewer).await.unwrap_err()), Refusal::IdempotencyKeyReused);
    let level = bench.level("tea").await;
    assert_eq!((level.available, level.reserved), (0, 4));
    bench.assert_sound().await;
}

#[tokio::test]
async fn all_lines_or_none_and_the_refusal_is_recorded_before_the_release() {
    let bench = bench().await;
    bench.stocked("tea", 10).await;
    bench.stocked("milk", 1).await;
    for _ in 0..2 {
        let refused = refusal(bench.reserve("k", &["tea=3", "milk=2"]).await.unwrap_err());
        assert_eq!(refused, short("milk", 2, 1));
    }
    assert_eq!((bench.home("tea").await.free, bench.home("milk").await.free), (10, 1));
    let record = bench.record("k").await.unwrap();
    assert!(matches!(record.status, Status::Canceled { reason: CancelReason::Short { .. } }));
    assert!(record.allocations.is_empty() && record.purge_at.is_some());
    bench.assert_sound().await;
}

#[tokio::test]
async fn a_single_line_that_holds_nothing_writes_nothing() {
    let bench = bench().await;
    bench.stocked("tea", 1).await;
    assert_eq!(refusal(bench.reserve("k", &["tea=2"]).await.unwrap_err()), short("tea", 2, 1));
    assert_eq!(bench.record("k").await, None);
    let refused = refusal(bench.reserve("k", &["coffee=1"]).await.unwrap_err());
    assert_eq!(refused, Refusal::UnknownSku { skus: vec!["coffee".parse().unwrap()] });
    assert_eq!(bench.record("k").await, None);
}

#[tokio::test]
async fn an_unknown_sku_comes_before_a_shortage() {
    let bench = bench().await;
    bench.stocked("tea", 1).await;
    bench.stocked("milk", 5).await;
    let refused = refusal(bench.reserve("k", &["tea=2", "coffee=1", "milk=1"]).await.unwrap_err());
    assert_eq!(refused, Refusal::UnknownSku { skus: vec!["coffee".parse().unwrap()] });
    assert_eq!((bench.home("tea").await.free, bench.home("milk").await.free), (1, 5));
    bench.assert_sound().await;
}

#[tokio::test]
async fn a_refused_order_is_recorded_for_good() {
    let bench = bench().await;
    bench.stocked("tea", 1).await;
    let order = request(Kind::Order, "k", &["tea=2"]);
    assert_eq!(refusal(bench.store.sell(&order).await.unwrap_err()), short("tea", 2, 1));
    assert_eq!(bench.record("k").await.unwrap().purge_at, None);
    bench.store.move_stock(&super::engine::movement("more", "tea", "receive", 9)).await.unwrap();
    let again = refusal(bench.store.sell(&order).await.unwrap_err());
    assert_eq!(again, short("tea", 2, 1), "whoever was refunded is not sold to later");
    bench.assert_sound().await;
}

#[tokio::test]
async fn a_retry_after_a_crash_adopts_the_hold_of_the_first_attempt() {
    let bench = bench().await;
    bench.stocked("tea", 5).await;
    let hold: Hold = "2@1800000800".parse().unwrap();
    bench.store.write(&write::hold::hold(&stock("tea").home(), &rid("k"), hold)).await.unwrap();
    let recorded = bench.reserve("k", &["tea=2"]).await.unwrap();
    assert!(!recorded.replayed);
    assert_eq!(recorded.reservation.allocations[0].hold, hold, "the exact value");
    assert_eq!(recorded.reservation.expires_at, hold.expires_at);
    assert_eq!(bench.home("tea").await.free, 3);
    bench.assert_sound().await;
}

#[tokio::test]
async fn a_hold_larger_than_the_line_is_not_adopted_but_released() {
    let bench = bench().await;
    bench.stocked("tea", 5).await;
    let hold: Hold = "3@1800000800".parse().unwrap();
    bench.store.write(&write::hold::hold(&stock("tea").home(), &rid("k"), hold)).await.unwrap();
    // The home has a hold of this reservation already, so that the line needs a bucket of its own.
    let recorded = bench.reserve("k", &["tea=2"]).await.unwrap();
    assert_eq!(recorded.reservation.allocations[0].to_string(), "tea#own#0=2@1800000900");
    assert_eq!(bench.home("tea").await.holds.len(), 0);
    assert_eq!(bench.level("tea").await.available, 3);
    bench.assert_sound().await;
}

#[tokio::test]
async fn a_hold_that_has_ended_is_never_recorded() {
    let bench = bench().await;
    bench.stocked("tea", 5).await;
    let hold: Hold = "2@1800000800".parse().unwrap();
    bench.store.write(&write::hold::hold(&stock("tea").home(), &rid("k"), hold)).await.unwrap();
    bench.clock.advance(800);
    let refused = refusal(bench.reserve("k", &["tea=2"]).await.unwrap_err());
    assert_eq!(refused, Refusal::ReservationExpired { refund_required: false });
    assert!(matches!(
        bench.record("k").await.unwrap().status,
        Status::Canceled { reason: CancelReason::RecordedTooLate }
    ));
    assert_eq!(bench.home("tea").await.free, 5);
    bench.assert_sound().await;
}

#[tokio::test]
async fn the_next_shopper_takes_what_nobody_paid_for() {
    let bench = bench().await;
    bench.stocked("tea", 2).await;
    bench.reserve("first", &["tea=2"]).await.unwrap();
    bench.clock.advance(900);
    assert_eq!(refusal(bench.reserve("early", &["tea=1"]).await.unwrap_err()), short("tea", 1, 0));
    bench.clock.advance(1);
    assert_eq!(bench.level("tea").await.available, 2, "exact before anybody has swept");
    bench.reserve("second", &["tea=2"]).await.unwrap();
    assert!(matches!(bench.record("first").await.unwrap().status, Status::Expired { .. }));
    bench.assert_sound().await;
}

#[tokio::test]
async fn the_next_shopper_does_not_take_what_was_paid_for_or_extended() {
    let bench = bench().await;
    bench.stocked("tea", 2).await;
    bench.reserve("paid", &["tea=1"]).await.unwrap();
    bench.reserve("extended", &["tea=1"]).await.unwrap();
    bench.store.confirm(&rid("paid"), None).await.unwrap();
    let extension = domain::ids::ExtensionId::derive(&domain::ids::Caller::new("c"), &"e".parse().unwrap());
    bench.clock.advance(600);
    bench.store.extend(&rid("extended"), &extension, 900).await.unwrap();
    bench.clock.advance(301);
    assert_eq!(refusal(bench.reserve("second", &["tea=1"]).await.unwrap_err()), short("tea", 1, 0));
    bench.store.confirm(&rid("extended"), None).await.unwrap();
    assert_eq!(bench.level("tea").await.sold, 2);
    bench.assert_sound().await;
}

#[tokio::test]
async fn a_replay_is_answered_whatever_became_of_the_reservation() {
    let bench = bench().await;
    bench.stocked("tea", 1).await;
    bench.reserve("k", &["tea=1"]).await.unwrap();
    bench.store.confirm(&rid("k"), None).await.unwrap();
    bench.clock.advance(901);
    let home = stock("tea").home();
    bench.store.resolve(&home, &rid("k"), "1@1800000900".parse().unwrap()).await.unwrap();
    assert_eq!((bench.home("tea").await.sold, bench.home("tea").await.holds.len()), (1, 0));
    // Nothing is left to hold; still the answer is the recorded reservation, not a shortage.
    let again = bench.reserve("k", &["tea=1"]).await.unwrap();
    assert!(again.replayed && matches!(again.reservation.status, Status::Confirmed { .. }));
    bench.assert_sound().await;
}

#[tokio::test]
async fn ids_of_different_callers_do_not_meet() {
    let key = "k".parse().unwrap();
    let other = ReservationId::derive(&domain::ids::Caller::new("other"), &key);
    assert_ne!(other, rid("k"));
}

#[tokio::test]
async fn an_order_that_died_before_its_record_takes_its_units_again() {
    let bench = bench().await;
    bench.stocked("tea", 5).await;
    for (key, sold) in [("k", true), ("l", true), ("m", false)] {
        let (home, hold) = (stock("tea").home(), "2@1800000900".parse().unwrap());
        let mut with_hold = bench.home("tea").await;
        if with_hold.free >= 2 {
            with_hold.free -= 2;
            with_hold.holds.insert(rid(key), hold);
            bench.put_bucket(&home, &with_hold).await;
        }
        bench.clock.advance(901);
        bench.store.resolve_seen(&home, &rid(key), hold, None, Settling::WhenOver).await.unwrap();
        let order = request(Kind::Order, key, &["tea=2"]);
        for attempt in 0..2 {
            let answer = bench.store.sell(&order).await;
            if sold {
                let recorded = answer.unwrap();
                assert_eq!((recorded.replayed, &recorded.reservation.id), (attempt > 0, &order.id));
                assert_eq!(bench.store.order(&order.id).await.unwrap(), recorded.reservation);
            } else {
                assert_eq!(refusal(answer.unwrap_err()), short("tea", 2, 1));
                let kept = bench.record_of(&order.id.successor()).await.unwrap();
                assert_eq!(kept.purge_at, None, "else a retry after a day is a sale");
                assert!(bench.store.order(&order.id).await.is_ok());
            }
        }
    }
    assert_eq!((bench.level("tea").await.sold, bench.level("tea").await.available), (4, 1));
    bench.assert_sound().await;
}

#[tokio::test]
async fn an_order_that_took_its_units_again_still_knows_what_it_was_for() {
    let bench = bench().await;
    bench.stocked("tea", 5).await;
    let hold = "1@1800000900".parse().unwrap();
    bench.clock.advance(901);
    // Its hold ended before anybody recorded it; the record that says so knows no lines.
    bench.store.resolve_seen(&stock("tea").home(), &rid("k"), hold, None, Settling::WhenOver).await.unwrap();
    let order = request(Kind::Order, "k", &["tea=1"]);
    assert!(!bench.store.sell(&order).await.unwrap().replayed);
    let other = request(Kind::Order, "k", &["tea=3"]);
    assert_eq!(refusal(bench.store.sell(&other).await.unwrap_err()), Refusal::IdempotencyKeyReused);
    assert!(bench.store.sell(&order).await.unwrap().replayed);
    assert_eq!(bench.level("tea").await.available, 4);
    bench.assert_sound().await;
}

/// Its record is deleted between the look and the write that closes it: sold under its successor's id, it would be sold once more under its
/// own by the next retry.
#[tokio::test]
async fn an_order_whose_expired_record_was_deleted_is_sold_once() {
    let bench = bench().await;
    bench.stocked("tea", 5).await;
    let hold = "1@1800000900".parse().unwrap();
    bench.clock.advance(901);
    bench.store.resolve_seen(&stock("tea").home(), &rid("k"), hold, None, Settling::WhenOver).await.unwrap();
    let order = request(Kind::Order, "k", &["tea=1"]);
    bench.mishaps.plan("UpdateItem", "successor", Mishap::Deleted, 1);
    assert_eq!(refusal(bench.store.sell(&order).await.unwrap_err()), Refusal::Contended, "nothing was decided");
    assert_eq!(bench.mishaps.left(), 0);
    let sold = bench.store.sell(&order).await.unwrap();
    assert!(bench.store.sell(&order).await.unwrap().replayed);
    assert_eq!((sold.reservation.id, bench.level("tea").await.available), (order.id, 4));
    bench.assert_sound().await;
}
