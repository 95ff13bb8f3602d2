//! The three ways to sell: hold at checkout, hold at the cart, no hold.

use serde_json::json;

use crate::support::{Shop, Units};

#[tokio::test(flavor = "multi_thread")]
async fn hybrid_holds_at_checkout_for_a_quarter_of_an_hour() {
    let shop = Shop::with(&[("tea", 5), ("mug", 2)]).await;
    let body = json!({
        "order_id": "100042", "session_id": "sess-1",
        "lines": [{ "sku": "tea", "quantity": 2 }, { "sku": "mug", "quantity": 1 }],
    });
    let held = shop.post("/v1/reservations", &body).await.expect(201);
    assert_eq!(held.header("location"), Some(format!("/v1/reservations/{}", held.id()).as_str()));
    assert!(!held.is_replayed());
    assert_eq!((&held["status"], &held["channel"]), (&json!("active"), &json!("own")));
    assert_eq!((&held["order_id"], &held["session_id"]), (&json!("100042"), &json!("sess-1")));
    assert_eq!(held["lines"], json!([{ "sku": "mug", "quantity": 1 }, { "sku": "tea", "quantity": 2 }]));
    assert_eq!(seconds_between(&held["created_at"], &held["expires_at"]), 900);
    assert_eq!(shop.units("tea").await, Units { available: 3, reserved: 2, sold: 0 });
    assert_eq!(shop.reservation(&held.id()).await.expect(200).body, held.body);

    let paid = shop.confirm(&held.id()).await.expect(200);
    assert_eq!((&paid["status"], &paid["order_id"]), (&json!("confirmed"), &json!("100042")));
    assert!(paid["confirmed_at"].is_string());
    assert_eq!(shop.units("tea").await, Units { available: 3, reserved: 0, sold: 2 });
    assert_eq!(shop.units("mug").await, Units { available: 1, reserved: 0, sold: 1 });
    // What was paid can be read as an order, too, and is not forgotten.
    shop.advance(40 * 24 * 60 * 60).await;
    let order = shop.get(&format!("/v1/orders/{}", held.id())).await.expect(200);
    assert_eq!((&order["status"], &order["lines"]), (&json!("confirmed"), &held["lines"]));
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pessimistic_holds_at_the_cart_for_an_hour() {
    let shop = Shop::with(&[("tea", 5)]).await;
    let held = shop.reserve_for(3_600, &[("tea", 5)]).await.expect(201);
    assert_eq!(seconds_between(&held["created_at"], &held["expires_at"]), 3_600);
    shop.advance(3_590).await;
    assert_eq!(shop.units("tea").await, Units { available: 0, reserved: 5, sold: 0 });
    shop.reserve(&[("tea", 1)]).await.expect_problem(409, "insufficient-stock");
    shop.confirm(&held.id()).await.expect(200);
    shop.advance(3_600).await;
    assert_eq!(shop.units("tea").await, Units { available: 0, reserved: 0, sold: 5 });
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn optimistic_sells_at_once_or_not_at_all() {
    let shop = Shop::with(&[("tea", 3), ("mug", 1)]).await;
    let body = json!({ "order_id": "AMZ-1", "lines": [{ "sku": "tea", "quantity": 2 }] });
    let sale = shop.post("/v1/orders", &body);
    let sold = sale.clone().await.expect(201);
    assert_eq!(sold.header("location"), Some(format!("/v1/orders/{}", sold.id()).as_str()));
    assert_eq!((&sold["status"], &sold["order_id"]), (&json!("confirmed"), &json!("AMZ-1")));
    assert_eq!(sold["created_at"], sold["confirmed_at"]);
    assert_eq!(shop.units("tea").await, Units { available: 1, reserved: 0, sold: 2 });

    // A cart is sold whole.
    let short = shop.order(&[("tea", 2), ("mug", 1)]).key("short");
    let refused = short.clone().await.expect_problem(409, "insufficient-stock");
    assert_eq!(refused["lines"], json!([{ "sku": "tea", "requested": 2, "available": 1 }]));
    assert_eq!(shop.units("mug").await, Units { available: 1, reserved: 0, sold: 0 });
    // The refusal was an answer: it stays the same when units arrive.
    shop.movement("tea", "receive", 10).await.expect(201);
    assert_eq!(short.await.expect_problem(409, "insufficient-stock")["lines"], refused["lines"]);

    let again = sale.await.expect(201);
    assert_eq!((again.is_replayed(), &again.body), (true, &sold.body));
    assert_eq!(shop.get(&format!("/v1/orders/{}", sold.id())).await.expect(200).body, sold.body);
    assert_eq!(shop.units("tea").await, Units { available: 11, reserved: 0, sold: 2 });
    shop.close().await;
}

/// Seconds from one time of the API to another of the same day or the next.
pub fn seconds_between(from: &serde_json::Value, to: &serde_json::Value) -> i64 {
    let seconds = |time: &serde_json::Value| {
        let time = time.as_str().unwrap_or_else(|| panic!("{time} is no time"));
        time.parse::<jiff::Timestamp>().unwrap().as_second()
    };
    seconds(to) - seconds(from)
}
