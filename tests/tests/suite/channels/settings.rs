//! Which channels there are.

use serde_json::json;

use super::fields;
use crate::support::Shop;

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_is_set_up_read_and_replaced() {
    let shop = Shop::open().await;
    shop.get("/v1/channels/ebay").await.expect_problem(404, "unknown-channel");
    assert!(shop.get("/v1/channels").await.expect(200).items().is_empty());

    let made = shop.put_channel("ebay", &json!({ "kind": "ebay" })).await.expect(201);
    assert_eq!(made.header("etag"), Some("\"1\""));
    let usual = json!({
        "channel": "ebay", "kind": "ebay", "overflow": "none", "buffer": { "units": 0 }, "sync": "on-change",
        "stale_after_seconds": 900, "options": {}, "version": 1,
    });
    assert_eq!(made.body, usual);

    let other = json!({
        "kind": "ebay", "overflow": "borrow", "buffer": { "from_speed": { "floor": 2 } }, "sync": "on-poll",
        "stale_after_seconds": 600, "endpoint": "https://api.sandbox.ebay.com", "options": { "marketplace_id": "EBAY_DE" },
    });
    shop.put_channel("ebay", &other).header("If-Match", "\"7\"").await.expect_problem(412, "precondition-failed");
    let replaced = shop.put_channel("ebay", &other).header("If-Match", "\"1\"").await.expect(200);
    assert_eq!((replaced.header("etag"), replaced.number("version")), (Some("\"2\""), 2));
    let read = shop.get("/v1/channels/ebay").await.expect(200);
    assert_eq!((read.header("etag"), &read.body), (Some("\"2\""), &replaced.body));
    assert_eq!(read["buffer"], json!({ "from_speed": { "floor": 2 } }));

    shop.put_channel("amazon", &json!({ "kind": "amazon" })).header("If-Match", "*").await.expect(412);
    shop.put_channel("amazon", &json!({ "kind": "amazon" })).await.expect(201);
    let all = shop.get("/v1/channels").await.expect(200);
    let names: Vec<_> = all.items().iter().map(|channel| channel["channel"].clone()).collect();
    assert_eq!(names, ["amazon", "ebay"]);
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_that_are_wrong_say_where() {
    let shop = Shop::open().await;
    for (channel, settings, named) in [
        ("ebay", json!({}), &["kind"][..]),
        ("ebay", json!({ "kind": "ebay", "buffer": { "units": -1 } }), &["buffer.units"]),
        ("ebay", json!({ "kind": "ebay", "endpoint": "http://api.ebay.com" }), &["endpoint"]),
        ("ebay", json!({ "kind": "ebay", "options": { "Token": "x" } }), &["options.Token"]),
        ("ebay", json!({ "kind": "ebay", "token": "x" }), &["token"]),
        ("shared", json!({ "kind": "own" }), &["channel"]),
    ] {
        let refused = shop.put_channel(channel, &settings).await.expect_problem(400, "invalid-request");
        assert_eq!(fields(&refused), named, "{settings}");
    }
    assert!(shop.get("/v1/channels").await.expect(200).items().is_empty());
    shop.close().await;
}
