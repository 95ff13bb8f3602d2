//! Where units are: buckets, variants, channels.

use domain::{
    channel::{ChannelKind, ChannelSettings, Overflow},
    quantity::Quantity,
    sale::{SaleChange, SaleLine, Stage},
};
use serde_json::json;

use crate::support::{Answer, Call, Shop, Units, at_once};

/// An order in this channel, or a hold.
fn sell(shop: &Shop, path: &str, channel: &str, units: u64) -> Call {
    shop.post(path, &json!({ "channel": channel, "lines": [{ "sku": "tea", "quantity": units }] }))
}

/// A shop that has these units of tea, in these channels.
async fn pools(units: &[(&str, u64)]) -> Shop {
    let shop = Shop::open().await;
    for (channel, units) in units {
        shop.put_stock(&format!("tea?channel={channel}"), &json!({})).await.expect(201);
        if *units > 0 {
            receive(&shop, channel, *units).await;
        }
    }
    shop
}

async fn receive(shop: &Shop, channel: &str, units: u64) {
    let body = json!({ "kind": "receive", "quantity": units, "reason": "delivery" });
    shop.post(&format!("/v1/stock/tea/movements?channel={channel}"), &body).await.expect(201);
}

async fn borrows(shop: &Shop, channel: &str) {
    let settings = ChannelSettings { overflow: Overflow::Borrow, ..ChannelSettings::new(ChannelKind::Amazon) };
    shop.store().save_channel(&channel.parse().unwrap(), &settings, None).await.unwrap();
}

async fn available(shop: &Shop, channel: &str) -> u64 {
    let answer = shop.availability(&["tea"]).query(&format!("channel={channel}")).await.expect(200);
    answer["items"][0]["available"].as_u64().unwrap()
}

/// What a marketplace tells of an order of one line.
fn line(units: u64, canceled: u64, stage: Stage) -> SaleLine {
    let quantity = Quantity::new(units).unwrap();
    SaleLine { line: "1".parse().unwrap(), sku: "tea".parse().unwrap(), quantity, canceled, stage }
}

async fn told(shop: &Shop, order: &str, line: &SaleLine) -> SaleChange {
    let told = shop.store().record_sale(&"amazon".parse().unwrap(), &order.parse().unwrap(), line).await;
    told.unwrap().change
}

/// Elsewhere: allocation ignores the channel, and one channel sells the stock of another (vendure#4030, #2356).
///
/// Breaks with: `wanted.all_of(stock.clone())` in `store/src/flow/pools.rs`, where any other stock is asked.
#[tokio::test(flavor = "multi_thread")]
async fn f10_allocation_ignores_other_channels() {
    let shop = pools(&[("amazon", 10), ("ebay", 10), ("shared", 10)]).await;
    let paths = ["/v1/reservations", "/v1/orders"];
    // Forty in each channel want one unit each, at once; `own` has no quota, and sells from the shared stock.
    let calls = (0..40).flat_map(|n| ["amazon", "ebay", "own"].map(|channel| sell(&shop, paths[n % 2], channel, 1)));
    let answers: Vec<Answer> = at_once(calls).await;
    for (place, channel) in ["amazon", "ebay", "own"].into_iter().enumerate() {
        let sold = answers.iter().skip(place).step_by(3).filter(|answer| answer.status == 201).count();
        assert_eq!(sold, 10, "{channel}");
        assert_eq!(available(&shop, channel).await, 0);
    }
    for channel in ["amazon", "ebay", "shared"] {
        let units = shop.units(&format!("tea?channel={channel}")).await;
        assert_eq!((units.available, units.reserved + units.sold), (0, 10), "{channel}");
    }
    receive(&shop, "ebay", 5).await;
    sell(&shop, "/v1/orders", "amazon", 1).await.expect_problem(409, "insufficient-stock");
    sell(&shop, "/v1/orders", "own", 1).await.expect_problem(409, "insufficient-stock");
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn channels_without_a_quota_share_one_stock() {
    let shop = pools(&[("shared", 10)]).await;
    for path in ["/v1/reservations", "/v1/orders"] {
        let refused = sell(&shop, path, "shared", 1).await.expect_problem(400, "invalid-request");
        assert_eq!(refused["errors"][0]["field"], "channel");
    }
    sell(&shop, "/v1/orders", "amazon", 3).await.expect(201);
    let held = sell(&shop, "/v1/reservations", "own", 2).await.expect(201).id();
    shop.confirm(&held).await.expect(200);
    for channel in ["own", "amazon", "ebay", "shared"] {
        assert_eq!(available(&shop, channel).await, 5, "{channel}");
    }
    assert_eq!(shop.stock("tea?channel=ebay").await.expect(200)["channel"], "shared");
    let queued = sell(&shop, "/v1/orders", "ebay", 5).header("Prefer", "respond-async").await.expect(202).id();
    let decided = shop.decided(&queued).await;
    assert_eq!((&decided["status"], &decided["channel"]), (&json!("confirmed"), &json!("ebay")));
    assert_eq!(shop.units("tea?channel=shared").await, Units { available: 0, reserved: 0, sold: 10 });
    // A quota that is made now is the channel's own from then on.
    shop.put_stock("tea?channel=amazon", &json!({})).await.expect(201);
    receive(&shop, "amazon", 2).await;
    assert_eq!((available(&shop, "amazon").await, available(&shop, "ebay").await), (2, 0));
    shop.advance(61).await;
    sell(&shop, "/v1/orders", "amazon", 2).await.expect(201);
    let report = shop.close().await;
    assert_eq!((report.free, report.sold), (0, 12));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_that_may_borrow_takes_what_it_lacks_from_the_shared_stock_alone() {
    let shop = pools(&[("amazon", 3), ("ebay", 9), ("shared", 4)]).await;
    borrows(&shop, "amazon").await;
    assert_eq!(available(&shop, "amazon").await, 7);
    sell(&shop, "/v1/orders", "amazon", 8).await.expect_problem(409, "insufficient-stock");
    sell(&shop, "/v1/orders", "amazon", 6).await.expect(201);
    assert_eq!(available(&shop, "amazon").await, 1);
    assert_eq!(shop.units("tea?channel=ebay").await, Units { available: 9, reserved: 0, sold: 0 });
    shop.close().await;
}

/// Elsewhere: shipped, then canceled, and compensated twice (magento/inventory#1849); a late "paid" revives a canceled order
/// (mollie/WooCommerce#1252); a canceled one is reserved again (open-mercato#4521).
///
/// Breaks with: `since.shipped` and `canceled > since.returned` in `after_sale`, or the row of canceled records in `next`, `domain/src/sale.rs`.
#[tokio::test(flavor = "multi_thread")]
async fn f12_f14_f16_what_a_marketplace_tells_is_true_once() {
    let shop = pools(&[("shared", 10)]).await;
    let (pending, paid, canceled) = (line(4, 0, Stage::Pending), line(4, 0, Stage::Paid), line(4, 4, Stage::Paid));
    for (order, line, change) in [
        ("shipped", &paid, SaleChange::Recorded),
        ("shipped", &line(4, 0, Stage::Shipped), SaleChange::Unchanged),
        ("shipped", &canceled, SaleChange::Unchanged),
        ("late", &pending, SaleChange::Recorded),
        ("late", &canceled, SaleChange::Canceled),
        ("late", &paid, SaleChange::Unchanged),
        ("late", &pending, SaleChange::Unchanged),
        ("fewer", &line(4, 1, Stage::Paid), SaleChange::Returned { units: 1 }),
        ("fewer", &line(4, 1, Stage::Paid), SaleChange::Unchanged),
    ] {
        assert_eq!(told(&shop, order, line).await, change, "{order}: {line:?}");
    }
    assert_eq!(available(&shop, "amazon").await, 3);
    let report = shop.close().await;
    assert_eq!((report.free, report.sold), (3, 8));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_marketplace_sold_and_nobody_has_is_a_shortfall_that_a_receipt_covers_first() {
    let shop = pools(&[("amazon", 3), ("ebay", 5)]).await;
    assert_eq!(told(&shop, "902-1", &line(5, 0, Stage::Paid)).await, SaleChange::Recorded);
    let listed = shop.get("/v1/shortfalls").await.expect(200);
    let item = &listed["items"][0];
    assert_eq!((&item["order_id"], &item["quantity"], &item["missing"]), (&json!("902-1"), &json!(5), &json!(2)));
    assert_eq!(shop.stock("tea?channel=amazon").await.expect(200)["shortfall"], 2);
    sell(&shop, "/v1/orders", "amazon", 1).await.expect_problem(409, "insufficient-stock");
    assert_eq!(shop.units("tea?channel=ebay").await, Units { available: 5, reserved: 0, sold: 0 });
    receive(&shop, "amazon", 3).await;
    assert_eq!(available(&shop, "amazon").await, 1);
    let came_back = json!({ "kind": "return", "quantity": 1, "reason": "order 902-1 came back" });
    shop.post("/v1/stock/tea/movements?channel=amazon", &came_back).await.expect(201);
    assert_eq!(available(&shop, "amazon").await, 2);
    let report = shop.close().await;
    assert_eq!((report.free, report.sold, report.shortfall), (7, 5, 0));
}

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
