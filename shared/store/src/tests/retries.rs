//! Lost replies, throttling and conflicts: what the SDK sends again is applied once, and what it does not send again we do.

use domain::{
    refusal::Refusal,
    reservation::{Kind, Status},
    stock::Settings,
};

use super::{
    engine::{bench, movement, request, rid, stock},
    mishap::Mishap::{Conflict, LostReply, Throttled},
};
use crate::Failure;

#[tokio::test]
async fn a_lost_reply_applies_nothing_twice() {
    let bench = bench().await;
    bench.stocked("tea", 10).await;
    // The hold, and the record of it.
    bench.mishaps.plan("UpdateItem", "S#tea#own", LostReply, 1);
    bench.mishaps.plan("PutItem", "R#", LostReply, 1);
    let reserved = bench.reserve("k", &["tea=2"]).await.unwrap();
    assert_eq!((bench.mishaps.left(), bench.home("tea").await.free), (0, 8));
    assert_eq!(reserved.reservation.status, Status::Active);

    bench.mishaps.plan("UpdateItem", "R#", LostReply, 1);
    let confirmed = bench.store.confirm(&rid("k"), Some(&"o-1".parse().unwrap())).await.unwrap();
    assert_eq!((bench.mishaps.left(), confirmed.status_word(bench.clock_now())), (0, "confirmed"));

    bench.reserve("l", &["tea=3"]).await.unwrap();
    bench.mishaps.plan("UpdateItem", "R#", LostReply, 1);
    bench.mishaps.plan("UpdateItem", "S#tea#own", LostReply, 1);
    bench.store.cancel(&rid("l")).await.unwrap();
    assert_eq!((bench.mishaps.left(), bench.home("tea").await.free), (0, 8), "released once");

    bench.mishaps.plan("TransactWriteItems", "M#", LostReply, 1);
    let moved = bench.store.move_stock(&movement("m", "tea", "receive", 5)).await.unwrap();
    assert_eq!((bench.mishaps.left(), moved.movement.delta, bench.home("tea").await.free), (0, 5, 13));

    bench.clock.advance(901);
    bench.mishaps.plan("UpdateItem", "S#tea#own", LostReply, 1);
    let held = reserved.reservation.allocations[0].clone();
    bench.store.resolve(&held.bucket, &rid("k"), held.hold).await.unwrap();
    assert_eq!((bench.mishaps.left(), bench.home("tea").await.sold), (0, 2), "settled once");

    bench.mishaps.plan("UpdateItem", "S#tea#own", LostReply, 1);
    let version = bench.home("tea").await.home().unwrap().version;
    let saved = bench.store.save_settings(&stock("tea"), &Settings::default(), Some(version)).await.unwrap();
    assert_eq!((bench.mishaps.left(), saved.version), (0, version + 1));
    bench.assert_sound().await;
}

#[tokio::test]
async fn a_lost_reply_to_the_opening_of_a_child_opens_one() {
    let bench = bench().await;
    bench.stocked("tea", 100).await;
    for n in 0..24 {
        bench.reserve(&format!("k{n}"), &["tea=1"]).await.unwrap();
    }
    bench.mishaps.plan("TransactWriteItems", "S#tea#own#0", LostReply, 1);
    bench.reserve("next", &["tea=1"]).await.unwrap();
    assert_eq!((bench.mishaps.left(), bench.home("tea").await.home().unwrap().next_child), (0, 1));
    bench.assert_sound().await;
}

#[tokio::test]
async fn a_write_that_meets_a_transaction_is_tried_again() {
    let bench = bench().await;
    bench.stocked("tea", 10).await;
    bench.mishaps.plan("UpdateItem", "S#tea#own", Conflict, 3);
    bench.mishaps.plan("PutItem", "R#", Conflict, 2);
    bench.reserve("k", &["tea=2"]).await.unwrap();
    assert_eq!(bench.mishaps.left(), 0);
    bench.mishaps.plan("UpdateItem", "R#", Conflict, 100);
    let failure = bench.store.confirm(&rid("k"), None).await.unwrap_err();
    assert!(matches!(failure, Failure::Fault(fault) if fault.is_transient()), "but not for ever");
    bench.assert_sound().await;
}

#[tokio::test]
async fn a_throttled_home_opens_a_child_and_nobody_is_told_sold_out() {
    let bench = bench().await;
    bench.stocked("tea", 100).await;
    // As often as the SDK tries.
    bench.mishaps.plan("UpdateItem", "S#tea#own", Throttled, 3);
    let reserved = bench.reserve("k", &["tea=2"]).await.unwrap().reservation;
    assert_eq!(reserved.allocations[0].bucket.to_string(), "tea#own#0");
    assert_eq!((bench.mishaps.left(), bench.bucket("tea#own#0").await.unwrap().free), (0, 30));

    // The child is throttled too. What was seen free is there, so it is not "sold out".
    bench.mishaps.plan("UpdateItem", "S#tea#own", Throttled, 100);
    let refused = bench.reserve("l", &["tea=98"]).await.unwrap_err();
    assert!(matches!(refused, Failure::Refused(Refusal::Contended)), "{refused:?}");
    bench.mishaps.forget();
    bench.reserve("l", &["tea=98"]).await.unwrap();
    bench.assert_sound().await;
}

#[tokio::test]
async fn the_record_is_signed_with_the_instant_that_was_compared_with_the_deadline() {
    let bench = bench().await;
    bench.stocked("tea", 10).await;
    bench.clock.advance(7);
    bench.mishaps.plan("PutItem", "R#", LostReply, 1);
    bench.store.sell(&request(Kind::Order, "k", &["tea=1"])).await.unwrap();
    // 1,800,000,000 is 2027-01-15T08:00:00Z.
    assert_eq!(bench.mishaps.dates("PutItem")[1..], ["20270115T080007Z", "20270115T080007Z"], "each attempt of ours");
}

#[tokio::test]
async fn a_record_is_not_sent_once_its_holds_have_ended() {
    let bench = bench().await;
    bench.stocked("tea", 10).await;
    bench.mishaps.plan("PutItem", "R#", Conflict, 1);
    let id = rid("k");
    let reserve = bench.reserve("k", &["tea=2"]);
    // While the first attempt is refused and the second waits, the hold ends.
    let turn = async {
        while bench.mishaps.left() > 0 {
            tokio::task::yield_now().await;
        }
        bench.clock.advance(900);
    };
    let (reserved, ()) = tokio::join!(reserve, turn);
    let expired = Refusal::ReservationExpired { refund_required: false };
    assert!(matches!(reserved, Err(Failure::Refused(refusal)) if refusal == expired));
    assert!(matches!(bench.store.get_reservation(&id).await.unwrap().unwrap().status, Status::Canceled { .. }));
    assert_eq!(bench.home("tea").await.free, 10);
    bench.assert_sound().await;
}

#[tokio::test]
async fn a_throttled_child_is_no_reason_to_look_everywhere() {
    let bench = bench().await;
    bench.stocked("tea", 40 * 32).await;
    let peak = Settings { expected_peak_per_second: 10_000 };
    bench.store.save_settings(&stock("tea"), &peak, None).await.unwrap();
    bench.reserve("k", &["tea=1"]).await.unwrap();
    bench.meter.take();
    // As often as the SDK tries.
    bench.mishaps.plan("UpdateItem", "S#tea#own#", Throttled, 3);
    let refused = bench.reserve("l", &["tea=1"]).await.unwrap_err();
    assert!(matches!(refused, Failure::Refused(Refusal::Contended)), "{refused:?}");
    assert_eq!((bench.mishaps.left(), bench.meter.take().requests), (0, vec!["UpdateItem"]));
    bench.reserve("l", &["tea=1"]).await.unwrap();
    assert_eq!(bench.meter.take().requests, ["UpdateItem", "PutItem"], "and it is tried again by the next");
    bench.assert_sound().await;
}

#[tokio::test]
async fn children_that_another_transaction_was_in_the_way_of_are_looked_for_before_more_are_opened() {
    let bench = bench().await;
    bench.stocked("tea", 100).await;
    for n in 0..24 {
        bench.reserve(&format!("k{n}"), &["tea=1"]).await.unwrap();
    }
    bench.meter.take();
    bench.mishaps.plan("TransactWriteItems", "S#tea#own#0", Conflict, 1);
    bench.reserve("next", &["tea=1"]).await.unwrap();
    let sent = bench.meter.take().requests;
    let opening = sent.iter().position(|request| *request == "TransactWriteItems").unwrap();
    assert!(sent[opening + 1] == "GetItem", "{sent:?}");
    assert_eq!((bench.mishaps.left(), bench.home("tea").await.home().unwrap().next_child), (0, 1));
    bench.assert_sound().await;
}
