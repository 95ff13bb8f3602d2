//! Where units are: buckets, variants, channels.

use serde_json::json;

use crate::support::{Shop, Units};

/// Elsewhere: confirming looks at the sum over all locations but reserves only at the first (medusa#14987). Here the locations
/// of a SKU are its buckets.
///
/// Breaks with: `missing.at_most(free)` in `split`, `domain/src/acquire.rs`, where the first bucket is asked for everything.
#[tokio::test(flavor = "multi_thread")]
async fn f09_confirm_reserves_only_at_the_first_location() {
    let shop = Shop::with(&[("tea", 70), ("mug", 1)]).await;
    shop.put_stock("tea", &json!({ "expected_peak_per_second": 64 })).await.expect(200);
    assert_eq!(shop.stock("tea").await.number("buckets"), 3);
    // No bucket has more than 32.
    let held = shop.reserve(&[("tea", 65), ("mug", 1)]).await.expect(201).id();
    assert_eq!(shop.units("tea").await, Units { available: 5, reserved: 65, sold: 0 });
    shop.reserve(&[("tea", 6)]).await.expect_problem(409, "insufficient-stock");
    shop.confirm(&held).await.expect(200);
    assert_eq!(shop.units("tea").await, Units { available: 5, reserved: 0, sold: 65 });
    shop.order(&[("tea", 6)]).await.expect_problem(409, "insufficient-stock");
    shop.order(&[("tea", 5)]).await.expect(201);
    assert_eq!(shop.units("tea").await, Units { available: 0, reserved: 0, sold: 70 });
    let report = shop.close().await;
    assert_eq!((report.free, report.sold), (0, 71));
}

/// Elsewhere: the hold lands on the parent SKU, not on the variant (magento2#30877).
///
/// Breaks with: `write!(f, "{}#{}", self.sku, self.channel)` in `domain/src/bucket.rs`, where the key says less than that.
#[tokio::test(flavor = "multi_thread")]
async fn f11_the_hold_lands_on_the_parent() {
    let skus = ["shirt", "shirt-red", "shirt.red", "shirt_red", "Shirt", "shirt-red-0", "0"];
    let shop = Shop::with(&skus.map(|sku| (sku, 5))).await;
    shop.put_stock("shirt?channel=amazon", &json!({})).await.expect(201);
    let receive = json!({ "kind": "receive", "quantity": 5, "reason": "for the marketplace" });
    shop.post("/v1/stock/shirt/movements?channel=amazon", &receive).await.expect(201);

    let untouched = Units { available: 5, reserved: 0, sold: 0 };
    for sku in skus {
        let held = shop.reserve(&[(sku, 2)]).await.expect(201).id();
        for other in skus {
            let expected = if other == sku { Units { available: 3, reserved: 2, sold: 0 } } else { untouched };
            assert_eq!(shop.units(other).await, expected, "{sku} was held; {other}");
        }
        assert_eq!(shop.units("shirt?channel=amazon").await, untouched);
        shop.cancel(&held).await.expect(200);
        assert_eq!(shop.units(sku).await, untouched);
    }
    let there = json!({ "channel": "amazon", "lines": [{ "sku": "shirt", "quantity": 5 }] });
    shop.post("/v1/orders", &there).await.expect(201);
    assert_eq!(shop.units("shirt").await, untouched);
    assert_eq!(shop.units("shirt?channel=amazon").await, Units { available: 0, reserved: 0, sold: 5 });
    shop.close().await;
}
