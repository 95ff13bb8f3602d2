//! Confirm, cancel, extend: one decision, and the same answer every time.

use domain::{
    ids::{Caller, ExtensionId},
    refusal::Refusal,
    reservation::{Kind, Status},
};
use futures::future::join_all;

use super::{
    engine::{Bench, at, bench, order, request, rid, stock},
    mishap::Mishap,
};
use crate::{Failure, write};

fn refusal(failure: Failure) -> Refusal {
    match failure {
        Failure::Refused(refusal) => refusal,
        Failure::Fault(fault) => panic!("{fault}"),
    }
}

fn extension(key: &str) -> ExtensionId {
    ExtensionId::derive(&Caller::new("test"), &key.parse().unwrap())
}

async fn with_one_reservation() -> Bench {
    let bench = bench().await;
    bench.stocked("tea", 5).await;
    bench.reserve("k", &["tea=2"]).await.unwrap();
    bench
}

#[tokio::test]
async fn confirming_twice_is_one_confirmation() {
    let bench = with_one_reservation().await;
    let first = bench.store.confirm(&rid("k"), Some(&order("o-1"))).await.unwrap();
    assert_eq!((first.status.clone(), first.purge_at), (Status::Confirmed { at: at(0) }, None));
    bench.clock.advance(5_000);
    for asked in [Some(order("o-1")), None] {
        assert_eq!(bench.store.confirm(&rid("k"), asked.as_ref()).await.unwrap(), first);
    }
    let other = bench.store.confirm(&rid("k"), Some(&order("o-2"))).await;
    assert_eq!(refusal(other.unwrap_err()), Refusal::AlreadyConfirmed { refund_required: true });
    bench.assert_sound().await;
}

#[tokio::test]
async fn cancel_after_confirm_and_confirm_after_cancel_change_nothing() {
    let bench = with_one_reservation().await;
    bench.store.confirm(&rid("k"), None).await.unwrap();
    assert_eq!(
        refusal(bench.store.cancel(&rid("k")).await.unwrap_err()),
        Refusal::AlreadyConfirmed { refund_required: false }
    );
    assert_eq!(bench.level("tea").await.sold, 2);

    bench.reserve("l", &["tea=3"]).await.unwrap();
    let canceled = bench.store.cancel(&rid("l")).await.unwrap();
    assert_eq!(bench.store.cancel(&rid("l")).await.unwrap(), canceled);
    assert_eq!(bench.level("tea").await.available, 3);
    for _ in 0..2 {
        let refused = refusal(bench.store.confirm(&rid("l"), None).await.unwrap_err());
        assert_eq!(refused, Refusal::AlreadyCanceled { refund_required: true });
    }
    assert_eq!(bench.record("l").await.unwrap().purge_at, None, "a refund that was answered is never forgotten");
    bench.assert_sound().await;
}

#[tokio::test]
async fn a_confirmation_racing_a_cancellation_has_one_winner() {
    for round in 0..10 {
        let bench = with_one_reservation().await;
        let id = rid("k");
        let (confirmed, canceled) = tokio::join!(bench.store.confirm(&id, None), bench.store.cancel(&id));
        assert!(confirmed.is_ok() != canceled.is_ok(), "round {round}: {confirmed:?} {canceled:?}");
        assert_eq!(bench.store.confirm(&id, None).await.is_ok(), confirmed.is_ok());
        bench.assert_sound().await;
    }
}

#[tokio::test]
async fn a_late_payment_takes_the_units_again() {
    let bench = with_one_reservation().await;
    bench.clock.advance(1_000);
    let answers = join_all((0..5).map(|_| async { bench.store.confirm(&rid("k"), Some(&order("o-1"))).await })).await;
    for answer in answers {
        let reservation = answer.unwrap();
        assert_eq!((reservation.id.clone(), reservation.status_word(at(1_000))), (rid("k"), "confirmed"));
        assert_eq!(reservation.order_id, Some(order("o-1")));
    }
    let level = bench.level("tea").await;
    assert_eq!((level.sold, level.available), (2, 3), "once, and the old hold is free");
    assert_eq!(
        refusal(bench.store.cancel(&rid("k")).await.unwrap_err()),
        Refusal::AlreadyConfirmed { refund_required: false }
    );
    assert_eq!(bench.store.reservation(&rid("k")).await.unwrap().status_word(at(1_000)), "confirmed");
    assert!(bench.reserve("k", &["tea=2"]).await.unwrap().replayed);
    bench.assert_sound().await;
}

#[tokio::test]
async fn a_late_payment_for_what_is_gone_is_refunded_for_good() {
    let bench = with_one_reservation().await;
    bench.clock.advance(1_000);
    bench.store.sell(&request(Kind::Order, "other", &["tea=4"])).await.unwrap();
    let refund = Refusal::ReservationExpired { refund_required: true };
    assert_eq!(refusal(bench.store.confirm(&rid("k"), None).await.unwrap_err()), refund);
    // New stock does not undo a refund that was answered.
    bench.store.move_stock(&super::engine::movement("more", "tea", "receive", 9)).await.unwrap();
    for _ in 0..2 {
        assert_eq!(refusal(bench.store.confirm(&rid("k"), None).await.unwrap_err()), refund);
    }
    let successor = bench.store.get_reservation(&rid("k").successor()).await.unwrap().unwrap();
    assert_eq!((successor.purge_at, bench.record("k").await.unwrap().purge_at), (None, None));
    bench.assert_sound().await;
}

#[tokio::test]
async fn a_late_payment_that_died_half_way_is_finished_by_the_next_one() {
    let bench = with_one_reservation().await;
    bench.clock.advance(1_000);
    // It closed the record, held the units again, and died before it could record them.
    let (id, successor) = (rid("k"), rid("k").successor());
    bench.store.write(&write::decide::close(&id, &successor, at(1_000))).await.unwrap();
    let hold = "2@1800001900".parse().unwrap();
    bench.store.write(&write::hold::hold(&stock("tea").home(), &successor, hold)).await.unwrap();
    bench.store.confirm(&id, None).await.unwrap();
    let level = bench.level("tea").await;
    assert_eq!((level.sold, level.available, level.reserved), (2, 3, 0));
    bench.assert_sound().await;
}

#[tokio::test]
async fn a_successor_that_a_resolver_closed_is_a_refund_and_stays_one() {
    let bench = with_one_reservation().await;
    bench.clock.advance(1_000);
    let (id, successor) = (rid("k"), rid("k").successor());
    bench.store.write(&write::decide::close(&id, &successor, at(1_000))).await.unwrap();
    let hold = "2@1800001900".parse().unwrap();
    bench.store.write(&write::hold::hold(&stock("tea").home(), &successor, hold)).await.unwrap();
    bench.clock.advance(1_000);
    bench.store.resolve(&stock("tea").home(), &successor, hold).await.unwrap();
    let refund = Refusal::ReservationExpired { refund_required: true };
    assert_eq!(refusal(bench.store.confirm(&id, None).await.unwrap_err()), refund);
    let record = bench.store.get_reservation(&successor).await.unwrap().unwrap();
    assert_eq!(record.purge_at, None, "else DynamoDB deletes it, and the next payment is a sale");
    bench.assert_sound().await;
}

/// Deleted between the look and the write that was to keep it, a refusal is none: what is answered then is recorded.
#[tokio::test]
async fn a_refund_is_only_answered_if_its_record_is_there_to_stay() {
    let bench = with_one_reservation().await;
    bench.store.cancel(&rid("k")).await.unwrap();
    bench.mishaps.plan("UpdateItem", "\"REMOVE #ttl\"", Mishap::Deleted, 1);
    let unknown = Refusal::UnknownReservation { refund_required: true };
    assert_eq!(refusal(bench.store.confirm(&rid("k"), None).await.unwrap_err()), unknown);
    assert_eq!(bench.mishaps.left(), 0);
    assert!(bench.reserve("k", &["tea=2"]).await.is_err(), "else what was refunded is sold");
    assert_eq!(refusal(bench.store.confirm(&rid("k"), None).await.unwrap_err()), unknown, "the same answer again");
    bench.assert_sound().await;
}

#[tokio::test]
async fn a_successors_refusal_that_was_deleted_is_no_refusal() {
    let bench = with_one_reservation().await;
    bench.clock.advance(1_000);
    let (id, successor) = (rid("k"), rid("k").successor());
    bench.store.write(&write::decide::close(&id, &successor, at(1_000))).await.unwrap();
    let hold = "2@1800001900".parse().unwrap();
    bench.store.write(&write::hold::hold(&stock("tea").home(), &successor, hold)).await.unwrap();
    bench.clock.advance(1_000);
    bench.store.resolve(&stock("tea").home(), &successor, hold).await.unwrap();
    bench.mishaps.plan("UpdateItem", "\"REMOVE #ttl\"", Mishap::Deleted, 1);
    let paid = bench.store.confirm(&id, None).await.unwrap();
    assert_eq!((bench.mishaps.left(), paid.status_word(at(2_000))), (0, "confirmed"));
    assert_eq!(bench.store.confirm(&id, None).await.unwrap(), paid, "the same answer again");
    assert_eq!(bench.level("tea").await.available, 3);
    bench.assert_sound().await;
}

#[tokio::test]
async fn a_payment_for_an_unknown_reservation_closes_its_id() {
    let bench = bench().await;
    bench.stocked("tea", 5).await;
    let unknown = Refusal::UnknownReservation { refund_required: true };
    assert_eq!(refusal(bench.store.confirm(&rid("k"), None).await.unwrap_err()), unknown);
    assert!(bench.reserve("k", &["tea=1"]).await.is_err(), "a late copy of the reserve finds the refund");
    assert_eq!(refusal(bench.store.confirm(&rid("k"), None).await.unwrap_err()), unknown, "the same answer again");
    assert!(bench.store.reservation(&rid("k")).await.is_err() && bench.store.cancel(&rid("k")).await.is_err());
    assert_eq!(bench.level("tea").await.available, 5);
    let cancel = refusal(bench.store.cancel(&rid("never")).await.unwrap_err());
    assert_eq!(cancel, Refusal::UnknownReservation { refund_required: false });
    bench.assert_sound().await;
}

#[tokio::test]
async fn in_its_last_second_a_reservation_waits_for_the_next() {
    let bench = with_one_reservation().await;
    bench.clock.advance(900);
    let id = rid("k");
    let confirm = bench.store.confirm(&id, None);
    let turn = async {
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        bench.clock.advance(1);
    };
    let (confirmed, ()) = tokio::join!(confirm, turn);
    assert_eq!(confirmed.unwrap().status_word(at(901)), "confirmed", "as a late payment");
    bench.assert_sound().await;
}

#[tokio::test]
async fn cancelling_what_has_expired_leaves_it_expired() {
    let bench = with_one_reservation().await;
    bench.clock.advance(901);
    bench.store.resolve(&stock("tea").home(), &rid("k"), "2@1800000900".parse().unwrap()).await.unwrap();
    assert_eq!(bench.store.cancel(&rid("k")).await.unwrap().status, Status::Expired { successor: None });
    bench.assert_sound().await;
}

#[tokio::test]
async fn an_extension_moves_the_end_once_and_is_bounded() {
    let bench = with_one_reservation().await;
    bench.clock.advance(600);
    let extend = |key, seconds| {
        let (store, key) = (bench.store.clone(), extension(key));
        async move { store.extend(&rid("k"), &key, seconds).await }
    };
    let first = extend("e1", 900).await.unwrap();
    assert_eq!((first.reservation.expires_at, first.replayed), (at(1_500), false));
    bench.clock.advance(100);
    let again = extend("e1", 900).await.unwrap();
    assert_eq!((again.reservation.expires_at, again.replayed), (at(1_500), true), "the first answer");
    assert_eq!(extend("e2", 300).await.unwrap().reservation.expires_at, at(1_500), "never shorter");
    assert_eq!(extend("e3", 3_600).await.unwrap().reservation.expires_at, at(4_300));
    bench.clock.advance(3_500);
    assert_eq!(extend("e4", 3_600).await.unwrap().reservation.expires_at, at(7_200), "two hours in all");
    bench.clock.advance(4_000);
    let late = refusal(extend("e5", 3_600).await.unwrap_err());
    assert_eq!(late, Refusal::ReservationExpired { refund_required: false });
    bench.assert_sound().await;
}

#[tokio::test]
async fn an_extension_is_refused_by_what_is_decided_or_unknown() {
    let bench = with_one_reservation().await;
    let extend = |id: &'static str, key: &'static str| {
        let store = bench.store.clone();
        async move { store.extend(&rid(id), &extension(key), 900).await.map(|_| ()) }
    };
    for n in 0..16 {
        let key: &'static str = Box::leak(format!("n{n}").into_boxed_str());
        extend("k", key).await.unwrap();
    }
    assert_eq!(refusal(extend("k", "n16").await.unwrap_err()), Refusal::TooManyExtensions);
    bench.store.confirm(&rid("k"), None).await.unwrap();
    assert_eq!(refusal(extend("k", "x").await.unwrap_err()), Refusal::AlreadyConfirmed { refund_required: false });
    let unknown = Refusal::UnknownReservation { refund_required: false };
    assert_eq!(refusal(extend("never", "x").await.unwrap_err()), unknown);
}
