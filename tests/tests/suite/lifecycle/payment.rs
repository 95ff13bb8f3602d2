//! Paying late, asking for more time, letting go.

use serde_json::json;

use super::strategies::seconds_between;
use crate::support::{Shop, Units};

#[tokio::test(flavor = "multi_thread")]
async fn a_late_payment_takes_the_units_again_if_it_can() {
    let shop = Shop::with(&[("tea", 5), ("mug", 5)]).await;
    let held = shop.reserve(&[("tea", 2), ("mug", 1)]).await.expect(201);
    shop.advance(1_000).await;
    assert_eq!(shop.reservation(&held.id()).await["status"], "expired");
    assert_eq!(shop.units("tea").await, Units { available: 5, reserved: 0, sold: 0 });
    let path = format!("/v1/reservations/{}/confirm", held.id());
    let paid = shop.post(&path, &json!({ "order_id": "100042" })).await.expect(200);
    // To the shop it is one reservation, whatever it took to honour it.
    assert_eq!((&paid["id"], &paid["status"], &paid["order_id"]), (&held["id"], &json!("confirmed"), &json!("100042")));
    assert_eq!(shop.units("tea").await, Units { available: 3, reserved: 0, sold: 2 });
    shop.advance(100_000).await;
    assert_eq!(shop.confirm(&held.id()).await.expect(200).body, paid.body);
    assert_eq!(shop.reservation(&held.id()).await.expect(200).body, paid.body);
    assert_eq!(shop.get(&format!("/v1/orders/{}", held.id())).await.expect(200)["status"], "confirmed");
    assert!(shop.cancel(&held.id()).await.expect_problem(409, "already-confirmed")["refund_required"].is_null());
    let second = shop.post(&path, &json!({ "order_id": "100043" })).await.expect_problem(409, "already-confirmed");
    assert_eq!(second["refund_required"], true);
    assert_eq!(shop.units("mug").await, Units { available: 4, reserved: 0, sold: 1 });
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_payment_that_cannot_be_honoured_is_given_back() {
    let shop = Shop::with(&[("tea", 2), ("mug", 2)]).await;
    let held = shop.reserve(&[("tea", 2), ("mug", 1)]).await.expect(201).id();
    shop.advance(1_000).await;
    shop.order(&[("tea", 1)]).await.expect(201);
    let refused = shop.confirm(&held).await.expect_problem(410, "reservation-expired");
    assert_eq!(refused["refund_required"], true);
    assert_eq!(shop.reservation(&held).await.expect(200)["status"], "expired");
    // No line of the cart is kept, and what is free is free for others.
    assert_eq!(shop.units("tea").await, Units { available: 1, reserved: 0, sold: 1 });
    assert_eq!(shop.units("mug").await, Units { available: 2, reserved: 0, sold: 0 });
    shop.get(&format!("/v1/orders/{held}")).await.expect_problem(404, "unknown-order");
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_for_nothing_is_given_back() {
    let shop = Shop::with(&[("tea", 2)]).await;
    let nobody = "0123456789abcdef";
    for _ in 0..2 {
        let refused = shop.confirm(nobody).await.expect_problem(404, "unknown-reservation");
        assert_eq!(refused["refund_required"], true);
    }
    let gone = shop.reserve(&[("tea", 1)]).await.expect(201).id();
    shop.cancel(&gone).await.expect(200);
    assert_eq!(shop.confirm(&gone).await.expect_problem(409, "already-canceled")["refund_required"], true);
    assert_eq!(shop.units("tea").await, Units { available: 2, reserved: 0, sold: 0 });
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shopper_gets_more_time_within_bounds() {
    let shop = Shop::with(&[("tea", 3)]).await;
    let held = shop.reserve_for(300, &[("tea", 2)]).await.expect(201);
    // Never earlier than it was.
    let longer = shop.extend(&held.id(), 3_600).await.expect(200);
    let until = longer["expires_at"].clone();
    assert!((3_600..3_660).contains(&seconds_between(&held["created_at"], &until)));
    assert_eq!(shop.extend(&held.id(), 300).await.expect(200)["expires_at"], until);
    // The same call again hears the same answer, not a later end.
    let extend = shop.extend(&held.id(), 3_600);
    shop.advance(600).await;
    let first = extend.clone().await.expect(200);
    shop.advance(600).await;
    let again = extend.await.expect(200);
    assert_eq!((again.is_replayed(), &again["expires_at"]), (true, &first["expires_at"]));
    // The hold outlives its first end.
    assert_eq!(shop.units("tea").await, Units { available: 1, reserved: 2, sold: 0 });
    // In total, two hours.
    shop.advance(2_400).await;
    let last = shop.extend(&held.id(), 3_600).await.expect(200);
    shop.advance(1_200).await;
    let bound = shop.extend(&held.id(), 3_600).await.expect(200);
    assert_eq!(seconds_between(&held["created_at"], &bound["expires_at"]), 7_200);
    assert!(seconds_between(&last["expires_at"], &bound["expires_at"]) >= 0);
    shop.confirm(&held.id()).await.expect(200);
    shop.extend(&held.id(), 600).await.expect_problem(409, "already-confirmed");
    assert_eq!(shop.units("tea").await, Units { available: 1, reserved: 0, sold: 2 });
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_gets_more_time_for_ever() {
    let shop = Shop::with(&[("tea", 3)]).await;
    let held = shop.reserve(&[("tea", 2)]).await.expect(201).id();
    for _ in 0..16 {
        shop.extend(&held, 1_000).await.expect(200);
    }
    shop.extend(&held, 1_000).await.expect_problem(409, "too-many-extensions");
    let over = shop.reserve_for(300, &[("tea", 1)]).await.expect(201).id();
    shop.advance(301).await;
    shop.extend(&over, 600).await.expect_problem(410, "reservation-expired");
    assert_eq!(shop.units("tea").await, Units { available: 1, reserved: 2, sold: 0 });
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn letting_go_gives_the_units_back_at_once() {
    let shop = Shop::with(&[("tea", 3)]).await;
    let held = shop.reserve(&[("tea", 3)]).await.expect(201).id();
    let canceled = shop.cancel(&held).body("").without("Content-Type").await.expect(200);
    assert_eq!(canceled["status"], "canceled");
    assert_eq!(shop.units("tea").await, Units { available: 3, reserved: 0, sold: 0 });
    // What has expired is given up already.
    let expired = shop.reserve(&[("tea", 3)]).await.expect(201).id();
    shop.advance(1_000).await;
    assert_eq!(shop.cancel(&expired).await.expect(200)["status"], "expired");
    shop.cancel("0123456789abcdef").await.expect_problem(404, "unknown-reservation");
    assert_eq!(shop.units("tea").await, Units { available: 3, reserved: 0, sold: 0 });
    // What nobody paid is forgotten in the end.
    shop.advance(2 * 24 * 60 * 60).await;
    for id in [&held, &expired] {
        shop.reservation(id).await.expect_problem(404, "unknown-reservation");
    }
    shop.close().await;
}
