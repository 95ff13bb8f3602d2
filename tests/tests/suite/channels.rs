//! What a shop can say of its channels and hear of them; and that what is shown follows what there is.

mod explain;
mod listings;
mod marks;
mod outage;
mod settings;
mod status;
mod webhook;

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Answer, PATIENCE, Shop, Vendor};

/// A shop with 20 units of tea, all shared, that sells them at a simulated vendor as well: the channel `shop`.
async fn selling_tea() -> (Shop, Vendor) {
    let (vendor, vendors) = Vendor::woocommerce();
    let shop = Shop::selling_at(vendors).await;
    vendor.live_by(shop.stack().clock());
    vendor.market().list("tea", &[("product_id", "7")]);
    shop.fill_shared("tea", 20).await;
    shop.put_channel("shop", &woocommerce()).await.expect(201);
    shop.put_listing("shop", "tea", &json!({ "remote": { "product_id": "7" } })).await.expect(201);
    (shop, vendor)
}

/// A shop with 20 units of each of these SKUs, all shared, which the channel `shop` shows; and nothing happens but what the test says.
async fn by_hand(skus: &[&str]) -> (Shop, Vendor) {
    let (vendor, vendors) = Vendor::woocommerce();
    let shop = Shop::selling_by_hand(vendors).await;
    vendor.live_by(shop.stack().clock());
    shop.put_channel("shop", &woocommerce()).await.expect(201);
    for (n, sku) in skus.iter().enumerate() {
        let product = format!("{}", n + 7);
        vendor.market().list(sku, &[("product_id", &product)]);
        shop.fill_shared(sku, 20).await;
        shop.put_listing("shop", sku, &json!({ "remote": { "product_id": product } })).await.expect(201);
    }
    shop.poll_channels().await;
    shop.sync("shop", skus).await;
    // What is sold in the second in which a number was computed counts as unknown to it.
    shop.advance_unnoticed(2);
    (shop, vendor)
}

fn woocommerce() -> Value {
    json!({ "kind": "woocommerce", "options": { "url": "https://teashop.example" } })
}

/// Lets the channel be polled, which happens every minute; here only when it is said.
async fn poll(shop: &Shop) {
    shop.advance(61).await;
    shop.poll_channels().await;
}

/// Sells so many units in the own store.
async fn sell(shop: &Shop, units: u64) {
    let body = json!({ "channel": "own", "lines": [{ "sku": "tea", "quantity": units }] });
    shop.post("/v1/orders", &body).await.expect(201);
}

/// The only listing of the channel, once it is as it should be.
async fn listing(shop: &Shop, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    let mut last = Value::Null;
    let waited = tokio::time::timeout(PATIENCE, async {
        loop {
            let status = shop.channel_status("shop").await.expect(200);
            last = status.items()[0].clone();
            if is_so(&last) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    assert!(waited.await.is_ok(), "{what}: {last}");
    last
}

fn published(listing: &Value) -> Option<u64> {
    listing["published"]["quantity"].as_u64()
}

fn is_settled(listing: &Value) -> bool {
    listing.get("unsettled_since").is_none()
}

/// The names of the fields at fault.
fn fields(answer: &Answer) -> Vec<&str> {
    answer.fields()
}
