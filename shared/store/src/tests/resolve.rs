//! What becomes of holds that nobody confirmed, or that somebody did, or that nobody recorded.

use domain::{
    bucket::Hold,
    reservation::{Kind, Status},
};

use super::engine::{at, bench, request, rid, stock};
use crate::{Resolved, stream, write};

fn hold(text: &str) -> Hold {
    text.parse().unwrap()
}

#[tokio::test]
async fn an_unpaid_hold_comes_back_after_its_last_second() {
    let bench = bench().await;
    bench.stocked("tea", 5).await;
    bench.reserve("k", &["tea=2"]).await.unwrap();
    let (home, id) = (stock("tea").home(), rid("k"));
    let resolve = || bench.store.resolve(&home, &id, hold("2@1800000900"));
    bench.clock.advance(900);
    assert_eq!(resolve().await.unwrap(), Resolved::WaitUntil(at(900)));
    bench.clock.advance(1);
    for _ in 0..2 {
        assert_eq!(resolve().await.unwrap(), Resolved::Done);
    }
    assert_eq!((bench.home("tea").await.free, bench.record("k").await.unwrap().status_word(at(901))), (5, "expired"));
    bench.assert_sound().await;
}

#[tokio::test]
async fn a_paid_hold_is_settled_once() {
    let bench = bench().await;
    bench.stocked("tea", 5).await;
    bench.reserve("k", &["tea=2"]).await.unwrap();
    bench.store.confirm(&rid("k"), None).await.unwrap();
    bench.clock.advance(901);
    for _ in 0..3 {
        bench.store.resolve(&stock("tea").home(), &rid("k"), hold("2@1800000900")).await.unwrap();
    }
    let home = bench.home("tea").await;
    assert_eq!((home.free, home.sold, home.watermark), (3, 2, Some(at(900))));
    assert_eq!(bench.audit(true).await.violations, []);
}

#[tokio::test]
async fn a_hold_that_nobody_recorded_is_closed_before_it_is_released() {
    let bench = bench().await;
    bench.stocked("tea", 5).await;
    let home = stock("tea").home();
    bench.store.write(&write::hold::hold(&home, &rid("k"), hold("2@1800000900"))).await.unwrap();
    assert_eq!(
        bench.store.resolve(&home, &rid("k"), hold("2@1800000900")).await.unwrap(),
        Resolved::WaitUntil(at(900))
    );
    bench.clock.advance(901);
    bench.store.resolve(&home, &rid("k"), hold("2@1800000900")).await.unwrap();
    assert_eq!(bench.home("tea").await.free, 5);
    assert!(matches!(bench.record("k").await.unwrap().status, Status::Expired { successor: None }));
    // The attempt wakes up and tries to record after all: the record is there.
    let again = bench.reserve("k", &["tea=2"]).await.unwrap_err();
    let expired = domain::refusal::Refusal::ReservationExpired { refund_required: false };
    assert!(matches!(again, crate::Failure::Refused(refusal) if refusal == expired));
    assert_eq!(bench.home("tea").await.free, 5, "what the retry held is released");
    bench.assert_sound().await;
}

#[tokio::test]
async fn evidence_is_kept_for_longer_than_the_hold_it_testifies_against() {
    let bench = bench().await;
    bench.stocked("tea", 5).await;
    bench.reserve("k", &["tea=2"]).await.unwrap();
    bench.store.cancel(&rid("k")).await.unwrap();
    // A retry of the reserve, on its way since before the cancellation, holds again and dies.
    let late = hold("2@1800090000");
    let home = stock("tea").home();
    bench.store.write(&write::hold::hold(&home, &rid("k"), late)).await.unwrap();
    let before = bench.record("k").await.unwrap().purge_at.unwrap();
    assert!(before < at(90_000 + 86_400));
    bench.store.resolve(&home, &rid("k"), late).await.unwrap();
    assert_eq!(bench.record("k").await.unwrap().purge_at, Some(at(90_000 + 86_400)));
    assert_eq!(bench.home("tea").await.free, 5);
    bench.assert_sound().await;
}

#[tokio::test]
async fn a_stale_timer_releases_nothing_that_is_not_its_own() {
    let bench = bench().await;
    bench.stocked("tea", 5).await;
    bench.reserve("k", &["tea=2"]).await.unwrap();
    let home = stock("tea").home();
    // Another value than the one that stands.
    bench.clock.advance(901);
    assert_eq!(bench.store.resolve(&home, &rid("k"), hold("2@1800000899")).await.unwrap(), Resolved::Done);
    assert_eq!(bench.home("tea").await.free, 3);
    // A bucket that is gone.
    let gone = stock("tea").child(7);
    assert_eq!(bench.store.resolve(&gone, &rid("k"), hold("2@1800000900")).await.unwrap(), Resolved::Done);
    bench.assert_sound().await;
}

#[tokio::test]
async fn deletion_by_ttl_resolves_what_the_record_left_behind() {
    let bench = bench().await;
    bench.stocked("tea", 5).await;
    bench.reserve("k", &["tea=2"]).await.unwrap();
    let image = bench.store.get(crate::keys::reservation(&rid("k"))).await.unwrap().unwrap();
    bench.clock.advance(100_000);
    bench.delete_record("k").await;
    for armed in stream::holds_of_removed_reservation(&image).unwrap() {
        assert_eq!(bench.store.resolve(&armed.bucket, &armed.id, armed.hold).await.unwrap(), Resolved::Done);
    }
    assert_eq!(bench.home("tea").await.free, 5);
    // Resolving again finds no hold, and makes no record of one.
    bench.delete_record("k").await;
    bench.store.resolve(&stock("tea").home(), &rid("k"), hold("2@1800000900")).await.unwrap();
    assert_eq!(bench.record("k").await, None);
    bench.assert_sound().await;
}

#[tokio::test]
async fn the_stream_tells_new_holds_from_old_ones() {
    let bench = bench().await;
    bench.stocked("tea", 5).await;
    let image = || bench.store.get("S#tea#own".to_owned());
    let before = image().await.unwrap().unwrap();
    bench.reserve("one", &["tea=1"]).await.unwrap();
    let between = image().await.unwrap().unwrap();
    bench.reserve("two", &["tea=2"]).await.unwrap();
    let after = image().await.unwrap().unwrap();
    let new = |old, new| stream::new_holds(old, new).unwrap().into_iter().map(|armed| armed.id).collect::<Vec<_>>();
    assert_eq!(new(Some(&before), Some(&between)), [rid("one")]);
    assert_eq!(new(Some(&between), Some(&after)), [rid("two")]);
    assert_eq!(new(None, Some(&after)).len(), 2);
    assert_eq!(new(Some(&after), Some(&after)), []);
    assert_eq!(new(Some(&after), None), []);
    let record = bench.store.get(crate::keys::reservation(&rid("one"))).await.unwrap().unwrap();
    assert_eq!(new(None, Some(&record)), []);
    assert_eq!(stream::holds_of_removed_reservation(&record).unwrap().len(), 1);
    assert_eq!(stream::holds_of_removed_reservation(&after).unwrap(), []);
}

#[tokio::test]
async fn an_order_is_settled_like_any_paid_hold() {
    let bench = bench().await;
    bench.stocked("tea", 5).await;
    let order = bench.store.sell(&request(Kind::Order, "k", &["tea=2"])).await.unwrap().reservation;
    bench.clock.advance(901);
    bench.store.resolve(&stock("tea").home(), &order.id, order.allocations[0].hold).await.unwrap();
    assert_eq!(bench.home("tea").await.sold, 2);
    assert_eq!(bench.store.order(&order.id).await.unwrap(), order);
    assert_eq!(bench.audit(true).await.violations, []);
}

#[tokio::test]
async fn paid_holds_of_one_bucket_are_settled_ten_in_a_write() {
    let bench = bench().await;
    bench.stocked("tea", 50).await;
    let mut holds = Vec::new();
    for n in 0..22 {
        let held = bench.reserve(&format!("k{n}"), &["tea=1"]).await.unwrap().reservation;
        if n < 20 {
            bench.store.confirm(&held.id, None).await.unwrap();
        }
        holds.push((held.id, held.allocations[0].hold));
    }
    bench.clock.advance(901);
    bench.meter.take();
    let resolved = bench.store.resolve_all(&stock("tea").home(), &holds[..21]).await.unwrap();
    assert_eq!(resolved, [Resolved::Done; 21]);
    // Two settlements, and for the one that was not paid: its record and its release.
    let writes = bench.meter.take().requests.into_iter().filter(|request| *request == "UpdateItem").count();
    assert_eq!(writes, 4);
    let home = bench.home("tea").await;
    assert_eq!((home.sold, home.free, home.holds.len()), (20, 29, 1));
    bench.assert_sound().await;
}

#[tokio::test]
async fn a_timer_that_comes_twice_in_one_batch_settles_once() {
    let bench = bench().await;
    bench.stocked("tea", 10).await;
    let mut holds = Vec::new();
    for key in ["a", "b"] {
        let order = bench.store.sell(&request(Kind::Order, key, &["tea=2"])).await.unwrap().reservation;
        holds.push((order.id, order.allocations[0].hold));
    }
    bench.reserve("unpaid", &["tea=3"]).await.unwrap();
    holds.push((rid("unpaid"), bench.home("tea").await.holds[&rid("unpaid")]));
    bench.clock.advance(3_601);
    let twice = [holds.clone(), holds].concat();
    let resolved = bench.store.resolve_all(&stock("tea").home(), &twice).await.unwrap();
    assert_eq!(resolved, vec![Resolved::Done; 6]);
    let home = bench.home("tea").await;
    assert_eq!((home.sold, home.free, home.holds.len()), (4, 6, 0));
    bench.assert_sound().await;
}
