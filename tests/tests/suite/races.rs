//! Many at once, one decision.

use std::collections::BTreeSet;

use serde_json::json;

use crate::support::{Answer, Shop, Units, at_once};

fn statuses(answers: &[Answer], status: u16) -> usize {
    answers.iter().filter(|answer| answer.status == status).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_shoppers_want_the_last_fifty_units() {
    let shop = Shop::with(&[("tea", 50)]).await;
    let answers = at_once((0..200).map(|_| shop.reserve(&[("tea", 1)]))).await;
    assert_eq!(statuses(&answers, 201), 50);
    assert_eq!(shop.units("tea").await, Units { available: 0, reserved: 50, sold: 0 });
    let ids: BTreeSet<String> = answers.iter().filter(|answer| answer.status == 201).map(Answer::id).collect();
    assert_eq!(ids.len(), 50);
    for answer in answers.into_iter().filter(|answer| answer.status != 201) {
        let refused = answer.expect_problem(409, "insufficient-stock");
        assert_eq!(refused["lines"][0]["requested"], 1);
    }
    let paid = at_once(ids.iter().map(|id| shop.confirm(id))).await;
    assert_eq!(statuses(&paid, 200), 50);
    assert_eq!(shop.units("tea").await, Units { available: 0, reserved: 0, sold: 50 });
    let report = shop.close().await;
    assert_eq!((report.free, report.sold), (0, 50));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_key_sent_fifty_times_at_once_is_one_reservation() {
    let shop = Shop::with(&[("tea", 100), ("mug", 100)]).await;
    for call in [shop.reserve(&[("tea", 2), ("mug", 1)]), shop.order(&[("tea", 2), ("mug", 1)]).key("order-1")] {
        let answers = at_once(vec![call; 50]).await;
        assert_eq!(statuses(&answers, 201), 50);
        let bodies: BTreeSet<&str> = answers.iter().map(|answer| answer.text.as_str()).collect();
        assert_eq!(bodies.len(), 1, "{bodies:?}");
        assert_eq!(answers.iter().filter(|answer| !answer.is_replayed()).count(), 1, "one of them made it");
    }
    assert_eq!(shop.units("tea").await, Units { available: 96, reserved: 2, sold: 2 });
    assert_eq!(shop.units("mug").await, Units { available: 98, reserved: 1, sold: 1 });
    let movement = shop.movement("tea", "receive", 10);
    let answers = at_once(vec![movement; 50]).await;
    assert_eq!(statuses(&answers, 201), 50);
    assert_eq!(answers.iter().filter(|answer| !answer.is_replayed()).count(), 1);
    assert_eq!(shop.units("tea").await.available, 106);
    let report = shop.close().await;
    assert_eq!(report.reservations.values().sum::<u64>(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn payments_race_the_end_of_their_holds() {
    let shop = Shop::with(&[("tea", 20)]).await;
    let ids: Vec<String> =
        at_once((0..20).map(|_| shop.reserve_for(300, &[("tea", 1)]))).await.iter().map(Answer::id).collect();
    shop.advance(299).await;
    // Each payment comes twice while the last second passes; so do twenty other shoppers, for whom there is a unit only if
    // somebody's payment comes too late.
    let payments = ids.iter().flat_map(|id| [shop.confirm(id), shop.confirm(id)]);
    let others = (0..20).map(|_| shop.order(&[("tea", 1)]));
    let step = shop.post("/_local/clock", &json!({ "advance_seconds": 2 }));
    let (mut answers, _) = tokio::join!(at_once(payments.chain(others)), async { step.await.expect(200) });

    let others = answers.split_off(40);
    let mut paid = 0;
    for (id, twice) in ids.iter().zip(answers.chunks(2)) {
        assert_eq!(twice[0].status, twice[1].status, "{} and {}", twice[0].text, twice[1].text);
        let status = if twice[0].status == 200 { "confirmed" } else { "expired" };
        assert_eq!(shop.reservation(id).await["status"], status);
        for answer in twice {
            match answer.status {
                200 => assert_eq!(answer.body, twice[0].body),
                _ => assert_eq!(answer.clone().expect_problem(410, "reservation-expired")["refund_required"], true),
            }
            assert_eq!(shop.confirm(id).await.status, answer.status, "the decision is final");
        }
        paid += usize::from(twice[0].status == 200);
    }
    let sold = paid + statuses(&others, 201);
    assert!(sold <= 20, "{sold} of 20 units are sold");
    assert_eq!(shop.units("tea").await, Units { available: 20 - sold as u64, reserved: 0, sold: sold as u64 });
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_races_a_cancellation() {
    let shop = Shop::with(&[("tea", 40)]).await;
    let ids: Vec<String> = at_once((0..20).map(|_| shop.reserve(&[("tea", 2)]))).await.iter().map(Answer::id).collect();
    let both = ids.iter().flat_map(|id| [shop.confirm(id), shop.cancel(id)]);
    let answers = at_once(both).await;
    let mut sold = 0;
    for (id, pair) in ids.iter().zip(answers.chunks(2)) {
        let status = match (pair[0].status, pair[1].status) {
            (200, 409) => {
                pair[1].clone().expect_problem(409, "already-confirmed");
                sold += 2;
                "confirmed"
            }
            (409, 200) => {
                assert_eq!(pair[0].clone().expect_problem(409, "already-canceled")["refund_required"], true);
                "canceled"
            }
            both => panic!("{both:?}: {} and {}", pair[0].text, pair[1].text),
        };
        assert_eq!(shop.reservation(id).await["status"], status);
        // Whoever asks again hears the same.
        assert_eq!(shop.confirm(id).await.status, pair[0].status);
        assert_eq!(shop.cancel(id).await.status, pair[1].status);
    }
    assert_eq!(shop.units("tea").await, Units { available: 40 - sold, reserved: 0, sold });
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn carts_with_the_same_skus_in_opposite_order_do_not_block_each_other() {
    let shop = Shop::with(&[("tea", 30), ("mug", 30)]).await;
    let carts = (0..40).map(|n| {
        let lines = if n % 2 == 0 { [("tea", 1), ("mug", 1)] } else { [("mug", 1), ("tea", 1)] };
        shop.order(&lines)
    });
    let answers = at_once(carts).await;
    let sold = statuses(&answers, 201) as u64;
    assert_eq!(sold + statuses(&answers, 409) as u64, 40);
    // A cart that got one of its lines lets it go again, so not every unit needs to be sold; but none twice, and none is lost.
    assert!((1..=30).contains(&sold), "{sold} carts sold");
    for sku in ["tea", "mug"] {
        assert_eq!(shop.units(sku).await, Units { available: 30 - sold, reserved: 0, sold });
    }
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_shelf_is_counted_by_many_at_once() {
    let shop = Shop::with(&[("tea", 100)]).await;
    shop.put_stock("tea", &json!({ "expected_peak_per_second": 64 })).await.expect(200);
    let held = shop.reserve_for(3_600, &[("tea", 40)]).await.expect(201).id();
    for (counted, difference) in [(90, -10), (95, 5), (30, -65), (30, 0)] {
        let answers = at_once((0..8).map(|_| shop.movement("tea", "count", counted))).await;
        // Each is recorded, and one of them found the difference.
        let deltas: Vec<i64> =
            answers.into_iter().map(|answer| answer.expect(201)["delta"].as_i64().unwrap()).collect();
        assert_eq!(deltas.iter().sum::<i64>(), difference, "{deltas:?}");
        assert_eq!(shop.stock("tea").await.number("on_hand"), counted.cast_unsigned());
        shop.audit(false).await;
    }
    // Ten of the forty held are missing: nothing can be bought until they are covered.
    assert_eq!(shop.stock("tea").await.number("shortfall"), 10);
    shop.order(&[("tea", 1)]).await.expect_problem(409, "insufficient-stock");
    shop.cancel(&held).await.expect(200);
    assert_eq!(shop.units("tea").await, Units { available: 30, reserved: 0, sold: 0 });
    shop.order(&[("tea", 30)]).await.expect(201);
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_hears_sold_out_while_units_move_between_buckets() {
    let shop = Shop::with(&[("tea", 200)]).await;
    let merchants = (0..12).map(|n| shop.put_stock("tea", &json!({ "expected_peak_per_second": n % 2 * 128 })));
    let orders = (0..40).map(|_| shop.order(&[("tea", 5)]));
    let (settings, orders) = tokio::join!(at_once(merchants), at_once(orders));
    assert_eq!(statuses(&settings, 200), 12);
    for answer in orders {
        answer.expect(201);
    }
    assert_eq!(shop.units("tea").await, Units { available: 0, reserved: 0, sold: 200 });
    shop.close().await;
}
