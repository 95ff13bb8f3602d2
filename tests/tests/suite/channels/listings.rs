//! What is listed where.

use domain::sale::Stage;
use serde_json::json;

use super::{by_hand, fields};
use crate::support::{Shop, Units};

#[tokio::test(flavor = "multi_thread")]
async fn a_sku_is_listed_read_and_replaced() {
    let shop = Shop::with(&[("mug", 1)]).await;
    for sku in ["tea", "coffee"] {
        shop.fill_shared(sku, 5).await;
    }
    shop.put_listing("ebay", "tea", &json!({})).await.expect_problem(404, "unknown-channel");
    shop.put_channel("ebay", &json!({ "kind": "ebay" })).await.expect(201);
    shop.put_channel("till", &json!({ "kind": "own" })).await.expect(201);

    let made = shop.put_listing("ebay", "tea", &json!({ "remote": { "offer_id": "o-1" } })).await.expect(201);
    let expected = json!({ "channel": "ebay", "sku": "tea", "remote": { "offer_id": "o-1" }, "version": 1 });
    assert_eq!((made.header("etag"), &made.body), (Some("\"1\""), &expected));
    let special = json!({ "buffer": { "units": 3 }, "sync": "on-poll" });
    shop.put_listing("ebay", "tea", &special).header("If-Match", "\"2\"").await.expect(412);
    let replaced = shop.put_listing("ebay", "tea", &special).header("If-Match", "*").await.expect(200);
    assert_eq!((replaced.number("version"), &replaced["remote"]), (2, &json!({})));
    assert_eq!(shop.get("/v1/channels/ebay/listings/tea").await.expect(200).body, replaced.body);

    // What exists nowhere would be shown as sold out; and a mug is sold in the own store only.
    for sku in ["milk", "mug"] {
        shop.put_listing("ebay", sku, &json!({})).await.expect_problem(404, "unknown-sku");
    }
    let refused = shop.put_listing("till", "tea", &json!({})).await.expect_problem(400, "invalid-request");
    assert_eq!(fields(&refused), ["channel"]);
    shop.get("/v1/channels/ebay/listings/coffee").await.expect_problem(404, "unknown-sku");
    shop.get("/v1/channels/etsy/listings/tea").await.expect_problem(404, "unknown-channel");

    shop.put_listing("ebay", "coffee", &json!({})).await.expect(201);
    let first = shop.get("/v1/channels/ebay/listings?limit=1").await.expect(200);
    assert_eq!(first.items()[0]["sku"], "coffee");
    let next = format!("/v1/channels/ebay/listings?limit=2&cursor={}", first.text_of("next_cursor"));
    let second = shop.get(&next).await.expect(200);
    assert_eq!((&second.items()[0]["sku"], second.body.get("next_cursor")), (&json!("tea"), None));
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listing_whose_product_is_another_one_is_told_anew_and_holds_nothing() {
    let (shop, vendor) = by_hand(&["tea"]).await;
    vendor.market().list("tea-in-tins", &[("product_id", "8")]);
    assert_eq!(vendor.market().listings["tea"].shown, 20);
    shop.put_listing("shop", "tea", &json!({ "remote": { "product_id": "8" } })).await.expect(200);
    shop.sync("shop", &["tea"]).await;
    // It shows none: that is no sale of the 20 that the other one shows.
    assert_eq!(shop.units("tea?channel=shared").await, Units { available: 20, reserved: 0, sold: 0 });
    assert_eq!(vendor.market().listings["tea-in-tins"].shown, 20);

    // Two are sold there before anybody says so: they are missing, wherever the SKU is listed next.
    shop.advance_unnoticed(2);
    vendor.market().sell("41", &[("tea-in-tins", 2)], Stage::Paid).expect("an order");
    shop.put_listing("shop", "tea", &json!({ "remote": { "product_id": "8" }, "buffer": { "units": 1 } }))
        .await
        .expect(200);
    shop.sync("shop", &["tea"]).await;
    assert_eq!(shop.units("tea?channel=shared").await, Units { available: 18, reserved: 2, sold: 0 });
    shop.put_listing("shop", "tea", &json!({ "remote": { "product_id": "7" } })).await.expect(200);
    shop.sync("shop", &["tea"]).await;
    assert_eq!(shop.units("tea?channel=shared").await, Units { available: 18, reserved: 2, sold: 0 });
    assert_eq!(vendor.market().listings["tea"].shown, 18);
    shop.close().await;
}
