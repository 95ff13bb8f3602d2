//! SKUs that everybody wants.

use serde_json::json;

use crate::support::{Answer, Shop, Units, at_once};

#[tokio::test(flavor = "multi_thread")]
async fn a_hot_sku_is_split_by_its_shoppers_and_comes_together_again() {
    let shop = Shop::with(&[("tea", 250)]).await;
    let answers = at_once((0..100).map(|_| shop.reserve(&[("tea", 1)]))).await;
    assert!(answers.iter().all(|answer| answer.status == 201));
    let split = shop.stock("tea").await.number("buckets");
    assert!(split > 1, "a hundred holds in one bucket");
    assert_eq!(shop.units("tea").await, Units { available: 150, reserved: 100, sold: 0 });
    // A large cart takes what it needs from wherever it is.
    let large = shop.order(&[("tea", 150)]).await.expect(201).id();
    assert_eq!(shop.units("tea").await, Units { available: 0, reserved: 100, sold: 150 });
    shop.reserve(&[("tea", 1)]).await.expect_problem(409, "insufficient-stock");

    let ids: Vec<String> = answers.iter().map(Answer::id).collect();
    let (paid, unpaid) = ids.split_at(40);
    at_once(paid.iter().map(|id| shop.confirm(id))).await.into_iter().for_each(|answer| drop(answer.expect(200)));
    at_once(unpaid[..30].iter().map(|id| shop.cancel(id)))
        .await
        .into_iter()
        .for_each(|answer| drop(answer.expect(200)));
    assert_eq!(shop.units("tea").await, Units { available: 30, reserved: 30, sold: 190 });
    shop.audit(false).await;
    // When the rush is over, the sold units are booked, the others free, and the SKU is one item again.
    shop.advance(1_000).await;
    assert_eq!(shop.units("tea").await, Units { available: 60, reserved: 0, sold: 190 });
    assert_eq!(shop.stock("tea").await.number("buckets"), 1);
    assert_eq!(shop.get(&format!("/v1/orders/{large}")).await.expect(200)["status"], "confirmed");
    shop.order(&[("tea", 60)]).await.expect(201);
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hot_sku_that_nobody_bought_comes_together_again() {
    let shop = Shop::with(&[("tea", 250)]).await;
    let answers = at_once((0..100).map(|_| shop.reserve(&[("tea", 1)]))).await;
    let holds = shop.holds().await;
    at_once(answers.iter().map(|answer| shop.cancel(&answer.id())))
        .await
        .into_iter()
        .for_each(|answer| drop(answer.expect(200)));
    assert_eq!(shop.units("tea").await, Units { available: 250, reserved: 0, sold: 0 });
    assert!(shop.stock("tea").await.number("buckets") > 1);
    // The holds are gone long before their timers come.
    shop.advance_unnoticed(1_000);
    for batch in holds.chunks(10) {
        assert!(shop.ring(batch).await.is_empty());
    }
    assert_eq!(shop.stock("tea").await.number("buckets"), 1);
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_announced_peak_is_split_ahead() {
    let shop = Shop::with(&[("tea", 500)]).await;
    let stock = shop.put_stock("tea", &json!({ "expected_peak_per_second": 30 })).await.expect(200);
    // A child has 32 units: ten of them serve the first ten seconds.
    assert_eq!((stock.number("buckets"), stock.number("expected_peak_per_second")), (11, 30));
    assert_eq!(shop.units("tea").await, Units { available: 500, reserved: 0, sold: 0 });
    let answers = at_once((0..120).map(|_| shop.reserve(&[("tea", 2)]))).await;
    assert!(answers.iter().all(|answer| answer.status == 201));
    assert_eq!(shop.units("tea").await, Units { available: 260, reserved: 240, sold: 0 });
    // While the peak is announced, children that still have units stay.
    shop.advance(1_000).await;
    assert_eq!(shop.units("tea").await, Units { available: 500, reserved: 0, sold: 0 });
    assert!(shop.stock("tea").await.number("buckets") > 1);
    // Then they come home. Timers may be at the same children at that very moment; what they leave, the next call brings.
    let mut stock = shop.put_stock("tea", &json!({})).await.expect(200);
    for _ in 0..20 {
        if stock.number("buckets") > 1 {
            stock = shop.put_stock("tea", &json!({})).await.expect(200);
        }
    }
    assert_eq!((stock.number("buckets"), stock.number("available")), (1, 500));
    shop.order(&[("tea", 500)]).await.expect(201);
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peak_is_not_split_further_than_there_are_units() {
    let shop = Shop::with(&[("tea", 70)]).await;
    let stock = shop.put_stock("tea", &json!({ "expected_peak_per_second": 100_000 })).await.expect(200);
    assert_eq!((stock.number("buckets"), stock.number("available")), (3, 70));
    // Units in children are counted and corrected like any others.
    shop.movement("tea", "adjust", -60).await.expect(201);
    assert_eq!(shop.units("tea").await, Units { available: 10, reserved: 0, sold: 0 });
    shop.movement("tea", "receive", 90).await.expect(201);
    shop.put_stock("tea", &json!({ "expected_peak_per_second": 64 })).await.expect(200);
    let held = shop.reserve(&[("tea", 40)]).await.expect(201).id();
    let counted = shop.movement("tea", "count", 90).await.expect(201);
    assert_eq!((&counted["delta"], &counted["shortfall"]), (&json!(-10), &json!(null)));
    assert_eq!(shop.units("tea").await, Units { available: 50, reserved: 40, sold: 0 });
    shop.cancel(&held).await.expect(200);
    assert_eq!(shop.units("tea").await, Units { available: 90, reserved: 0, sold: 0 });
    shop.close().await;
}
