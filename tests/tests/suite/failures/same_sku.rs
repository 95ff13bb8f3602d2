//! The same SKU twice.

use serde_json::json;

use crate::support::{Shop, Units};

/// Elsewhere: two lines of one cart share an item, and each is checked against the undecremented stock (medusa#16502,
/// vendure#2702, #2736).
///
/// Breaks with: `*merged.entry(sku).or_default() += quantity.units()` in `domain/src/reservation.rs`.
#[tokio::test(flavor = "multi_thread")]
async fn f07_same_sku_on_two_lines() {
    let shop = Shop::with(&[("tea", 3)]).await;
    for path in ["/v1/reservations", "/v1/orders"] {
        let lines = json!([{ "sku": "tea", "quantity": 2 }, { "sku": "tea", "quantity": 2 }]);
        let refused = shop.post(path, &json!({ "lines": lines })).await.expect_problem(409, "insufficient-stock");
        assert_eq!(refused["lines"], json!([{ "sku": "tea", "requested": 4, "available": 3 }]));
        assert_eq!(shop.units("tea").await, Units { available: 3, reserved: 0, sold: 0 });
    }
    let held = shop.reserve(&[("tea", 1), ("tea", 2)]).await.expect(201);
    assert_eq!(held["lines"], json!([{ "sku": "tea", "quantity": 3 }]));
    assert_eq!(shop.units("tea").await, Units { available: 0, reserved: 3, sold: 0 });
    shop.confirm(&held.id()).await.expect(200);
    assert_eq!(shop.units("tea").await, Units { available: 0, reserved: 0, sold: 3 });
    shop.close().await;
}

/// Elsewhere: several allocations on one stock row, and the last overwrites the others (saleor PR#17657). Here a large line is
/// held in several buckets, and many reservations are held in one.
///
/// Breaks with: `h.#rid = :hold` in the *expression* of `store/src/write/hold.rs` (one field for all), or
/// `self.acquired.allocations.push(allocation)` in `store/src/flow/acquire/hold.rs`.
#[tokio::test(flavor = "multi_thread")]
async fn f08_several_allocations_on_one_stock() {
    let shop = Shop::with(&[("tea", 100)]).await;
    let first = shop.reserve(&[("tea", 1)]).await.expect(201).id();
    let second = shop.reserve(&[("tea", 2)]).await.expect(201).id();
    // 97 are left: three children of 32, and one at home.
    shop.put_stock("tea", &json!({ "expected_peak_per_second": 96 })).await.expect(200);
    assert_eq!(shop.stock("tea").await.number("buckets"), 4);
    let large = shop.reserve(&[("tea", 90)]).await.expect(201).id();
    assert_eq!(shop.units("tea").await, Units { available: 7, reserved: 93, sold: 0 });

    shop.cancel(&first).await.expect(200);
    assert_eq!(shop.units("tea").await, Units { available: 8, reserved: 92, sold: 0 });
    shop.confirm(&large).await.expect(200);
    assert_eq!(shop.units("tea").await, Units { available: 8, reserved: 2, sold: 90 });
    shop.cancel(&second).await.expect(200);
    assert_eq!(shop.units("tea").await, Units { available: 10, reserved: 0, sold: 90 });

    shop.reserve(&[("tea", 11)]).await.expect_problem(409, "insufficient-stock");
    let report = shop.close().await;
    assert_eq!((report.free, report.sold), (10, 90));
}
