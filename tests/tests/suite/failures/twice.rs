//! Confirmed or released more than once.

use futures::future::join_all;
use serde_json::json;

use crate::support::{Fate, Flaky, Shop, Units, at_once, order_message, order_message_of};

/// Elsewhere: ship, then cancel, and the units are compensated twice (magento/inventory#1849, #1878).
///
/// Breaks with: `"#status = :active"` in `cancel`, `store/src/write/decide.rs`.
#[tokio::test(flavor = "multi_thread")]
async fn f12_ship_then_cancel() {
    let shop = Shop::with(&[("tea", 5)]).await;
    let id = shop.reserve(&[("tea", 2)]).await.expect(201).id();
    shop.confirm(&id).await.expect(200);
    let sold = Units { available: 3, reserved: 0, sold: 2 };
    for wait_seconds in [0, 901, 100_000] {
        // At once; when the hold has been settled; and when an unpaid one would be forgotten.
        shop.advance(wait_seconds).await;
        shop.cancel(&id).await.expect_problem(409, "already-confirmed");
        assert_eq!(shop.units("tea").await, sold);
        assert_eq!(shop.reservation(&id).await.expect(200)["status"], "confirmed");
    }
    // Goods that come back are a movement, and that counts once as well.
    let back = shop.movement("tea", "receive", 2).key("return-1");
    back.clone().await.expect(201);
    assert!(back.await.expect(201).is_replayed());
    assert_eq!(shop.units("tea").await, Units { available: 5, reserved: 0, sold: 2 });
    shop.close().await;
}

/// Elsewhere: a payment webhook that is delivered twice deducts twice (woocommerce-payments#3345, #8292).
///
/// Breaks with: `#status = :active` in `confirm`, `store/src/write/decide.rs` (a second answer); `h.{rid} = :hold{n}` in
/// `store/src/write/settle.rs` (a second deduction).
#[tokio::test(flavor = "multi_thread")]
async fn f13_a_webhook_delivered_twice() {
    let shop = Shop::with(&[("tea", 5)]).await;
    let id = shop.reserve(&[("tea", 2)]).await.expect(201).id();
    let first = shop.confirm(&id).await.expect(200);
    shop.advance(2).await;
    for again in at_once((0..20).map(|_| shop.confirm(&id))).await {
        assert_eq!(again.expect(200).body, first.body);
    }
    assert_eq!(shop.units("tea").await, Units { available: 3, reserved: 0, sold: 2 });

    // The timer that books the sale comes twice as well: each delivery has read that the hold stands before any has written.
    let flaky = Flaky::before(shop.stack().dynamodb_endpoint()).await;
    let branch = shop.branch(Some(&flaky.url)).await;
    branch.advance_unnoticed(1_000);
    flaky.condemn(&["UpdateItem"], Fate::Wait);
    let holds = shop.holds().await;
    assert_eq!(holds.len(), 1);
    for failed in join_all((0..10).map(|_| branch.ring(&holds))).await {
        assert!(failed.is_empty());
    }
    assert!(shop.holds().await.is_empty());
    branch.leave().await;
    assert_eq!(shop.units("tea").await, Units { available: 3, reserved: 0, sold: 2 });
    assert_eq!(shop.confirm(&id).await.expect(200).body, first.body);
    let report = shop.close().await;
    assert_eq!((report.free, report.sold), (3, 2));
}

/// The same, where the payment and the sale are messages of the order queue: delivered twice at once, again later, and once more when the
/// sold units have long been booked.
///
/// Breaks with: `attribute_not_exists(h.#rid{n})` in `store/src/write/group.rs` and `attribute_not_exists(pk)` in
/// `store/src/write/record.rs` together; for the payment as above.
#[tokio::test(flavor = "multi_thread")]
async fn f13_an_order_message_delivered_twice() {
    let shop = Shop::without_order_consumer(&[("tea", 9)]).await;
    let held = shop.reserve(&[("tea", 2)]).await.expect(201).id();
    let payment = json!({ "kind": "confirmation", "id": held, "order_id": "o-1" });
    let messages = [
        order_message_of("payment", &held, &payment),
        order_message("a", "tea#own", &["tea=1"]),
        order_message("b", "tea#own", &["tea=3"]),
    ];
    let others = [shop.branch_without_order_consumer().await, shop.branch_without_order_consumer().await];
    let expected = Units { available: 3, reserved: 0, sold: 6 };
    for wait_seconds in [0, 301, 1_000, 100_000] {
        shop.advance(wait_seconds).await;
        let mut failed =
            join_all([&shop, &others[0], &others[1]].map(|shop| shop.deliver_orders(&messages))).await.concat();
        while !failed.is_empty() {
            // Whoever met another in the middle comes again.
            failed = shop.deliver_orders(&messages).await;
        }
        assert_eq!(shop.units("tea").await, expected, "{wait_seconds} s later");
    }
    for other in others {
        other.leave().await;
    }
    let report = shop.close().await;
    assert_eq!((report.free, report.sold, report.reservations["confirmed"]), (3, 6, 3));
}

/// Elsewhere: a late "paid" revives a canceled order and deducts again (mollie/WooCommerce#1252).
///
/// Breaks with: `#status = :active` in `confirm`, `store/src/write/decide.rs`.
#[tokio::test(flavor = "multi_thread")]
async fn f14_a_late_paid_revives_a_canceled_order() {
    let shop = Shop::with(&[("tea", 2)]).await;
    let canceled = shop.reserve(&[("tea", 2)]).await.expect(201).id();
    shop.cancel(&canceled).await.expect(200);
    shop.order(&[("tea", 1)]).await.expect(201);
    let expected = Units { available: 1, reserved: 0, sold: 1 };
    for wait_seconds in [0, 901, 200_000] {
        shop.advance(wait_seconds).await;
        let refused = shop.confirm(&canceled).await.expect_problem(409, "already-canceled");
        assert_eq!(refused["refund_required"], true);
        assert_eq!(shop.reservation(&canceled).await.expect(200)["status"], "canceled");
        assert_eq!(shop.units("tea").await, expected);
    }
    shop.close().await;
}

/// Elsewhere: editing a price reserves fulfilled units again, and a rollback resurrects holds that were consumed (medusa#16406).
///
/// Breaks with: `attribute_not_exists(pk)` in `store/src/write/record.rs`.
#[tokio::test(flavor = "multi_thread")]
async fn f15_fulfilled_units_are_reserved_again() {
    let shop = Shop::with(&[("tea", 5)]).await;
    let reserve = shop.reserve(&[("tea", 2)]).key("order-7");
    let id = reserve.clone().await.expect(201).id();
    let paid = shop.confirm(&id).await.expect(200);
    for wait_seconds in [0, 901, 100_000] {
        shop.advance(wait_seconds).await;
        // The merchant edits, and the shop sends the order again.
        shop.put_stock("tea", &json!({ "expected_peak_per_second": 32 })).await.expect(200);
        let again = reserve.clone().await.expect(201);
        assert!(again.is_replayed());
        assert_eq!(again.body, paid.body);
        assert_eq!(shop.units("tea").await, Units { available: 3, reserved: 0, sold: 2 });
    }
    shop.close().await;
}

/// Elsewhere: reserving again is allowed on a canceled order (open-mercato#4521).
///
/// Breaks with: `self.release_unkept(&record, &holds.all())` in `Store::found`, `store/src/flow/take.rs`.
#[tokio::test(flavor = "multi_thread")]
async fn f16_reserving_again_on_a_canceled_order() {
    let shop = Shop::with(&[("tea", 5)]).await;
    let reserve = shop.reserve(&[("tea", 2)]).key("order-7");
    let id = reserve.clone().await.expect(201).id();
    shop.cancel(&id).await.expect(200);
    for _ in 0..3 {
        let again = reserve.clone().await.expect(201);
        assert_eq!((again.is_replayed(), &again["status"]), (true, &json!("canceled")));
        shop.extend(&id, 600).await.expect_problem(409, "already-canceled");
        shop.confirm(&id).await.expect_problem(409, "already-canceled");
        assert_eq!(shop.units("tea").await, Units { available: 5, reserved: 0, sold: 0 });
    }
    shop.order(&[("tea", 5)]).await.expect(201);
    shop.close().await;
}

/// Elsewhere: a second tab orders from a stale cart (shopware#19943).
///
/// Breaks with: `*recorded != fingerprint` in `store/src/flow/reserve.rs` (another cart under the same key), or
/// `recorded != asked` in `store/src/flow/decide.rs` (another order of the same cart).
#[tokio::test(flavor = "multi_thread")]
async fn f17_a_second_tab_orders_from_a_stale_cart() {
    let shop = Shop::with(&[("tea", 5), ("mug", 5)]).await;
    let cart = |lines| shop.reserve(lines).key("checkout-of-session-1");
    let first_tab = cart(&[("tea", 2)]).await.expect(201);
    let untouched = Units { available: 5, reserved: 0, sold: 0 };
    for stale in [&[("tea", 2), ("mug", 1)][..], &[("tea", 3)], &[("tea", 1)], &[("mug", 2)]] {
        cart(stale).await.expect_problem(422, "idempotency-key-reused");
        assert_eq!(shop.units("tea").await, Units { available: 3, reserved: 2, sold: 0 });
        assert_eq!(shop.units("mug").await, untouched);
    }
    let pay =
        |order: &str| shop.post(&format!("/v1/reservations/{}/confirm", first_tab.id()), &json!({ "order_id": order }));
    pay("100042").await.expect(200);
    // The second payment bought nothing.
    assert_eq!(pay("100043").await.expect_problem(409, "already-confirmed")["refund_required"], true);
    cart(&[("mug", 2)]).await.expect_problem(422, "idempotency-key-reused");
    assert_eq!(shop.reservation(&first_tab.id()).await["order_id"], "100042");
    assert_eq!(shop.units("tea").await, Units { available: 3, reserved: 0, sold: 2 });
    assert_eq!(shop.units("mug").await, untouched);
    shop.close().await;
}
