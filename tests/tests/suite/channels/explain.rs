//! Why a channel shows the number that it shows.

use serde_json::json;

use super::{listing, poll, published, selling_tea, woocommerce};
use crate::support::Shop;

#[tokio::test(flavor = "multi_thread")]
async fn every_term_of_the_number_is_named() {
    let (shop, vendor) = selling_tea().await;
    let mut settings = woocommerce();
    settings["overflow"] = json!("borrow");
    settings["buffer"] = json!({ "units": 4 });
    shop.put_channel("shop", &settings).await.expect(200);
    shop.put_quotas("tea", &[("shop", 15)]).await.expect(200);
    let held = json!({ "channel": "shop", "lines": [{ "sku": "tea", "quantity": 2 }] });
    shop.post("/v1/reservations", &held).await.expect(201);
    poll(&shop).await;
    listing(&shop, "it shows what is explained", |listing| published(listing) == Some(14)).await;
    assert_eq!(vendor.market().listings["tea"].shown, 14);

    let explained = shop.get("/v1/stock/tea/explain?channel=shop").await.expect(200);
    let pool = |channel: &str, available: u64, reserved: u64| {
        json!({
            "channel": channel, "on_hand": available + reserved, "available": available, "reserved": reserved, "sold": 0,
            "shortfall": 0,
        })
    };
    assert_eq!(explained["pools"], json!([pool("shop", 13, 2), pool("shared", 5, 0)]));
    for (field, expected) in [
        ("quota", json!(13)),
        ("shared", json!(5)),
        ("overflow", json!("borrow")),
        ("sellable", json!(18)),
        ("buffer", json!({ "rule": { "units": 4 }, "units": 4 })),
        ("quantity", json!(14)),
        ("listed", json!(true)),
        ("in_flight", json!(0)),
        ("expected", json!(14)),
    ] {
        assert_eq!(explained[field], expected, "{field}: {}", explained.text);
    }
    assert_eq!(explained["published"]["quantity"], 14);
    assert!(explained.body.get("next_hold_ends_at").is_some() && explained.body.get("closed").is_none());
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_that_nobody_has_set_up_sells_what_there_is() {
    let shop = Shop::with(&[("tea", 3)]).await;
    let explained = shop.get("/v1/stock/tea/explain").await.expect(200);
    assert_eq!(
        (&explained["kind"], &explained["quantity"], &explained["listed"]),
        (&json!("own"), &json!(3), &json!(false))
    );
    shop.get("/v1/stock/tea/explain?channel=ebay").await.expect_problem(404, "unknown-sku");
    shop.get("/v1/stock/tea/explain?channel=shared").await.expect_problem(400, "invalid-request");
    shop.close().await;
}
