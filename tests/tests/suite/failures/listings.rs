//! What other channels show, and what is sold there. Everything here happens when the test says so: nobody else polls or pushes.

use domain::{listing::SyncState, sale::Stage};
use serde_json::json;

use crate::support::{Shop, Units, Vendor};

/// A shop with 20 units of tea, all shared, of which its `WooCommerce` shop shows 20.
async fn showing_20() -> (Shop, Vendor) {
    let (vendor, vendors) = Vendor::woocommerce();
    let shop = Shop::selling_by_hand(vendors).await;
    vendor.live_by(shop.stack().clock());
    vendor.market().list("tea", &[("product_id", "7")]);
    shop.fill_shared("tea", 20).await;
    shop.put_channel("shop", &settings(0)).await.expect(201);
    shop.put_listing("shop", "tea", &listing()).await.expect(201);
    shop.poll_channels().await;
    look(&shop).await;
    assert_eq!(pushes(&vendor), [20]);
    // What is sold in the second in which a number was computed counts as unknown to it.
    shop.advance_unnoticed(2);
    (shop, vendor)
}

fn settings(buffer: u64) -> serde_json::Value {
    json!({ "kind": "woocommerce", "options": { "url": "https://teashop.example" }, "buffer": { "units": buffer } })
}

fn listing() -> serde_json::Value {
    json!({ "remote": { "product_id": "7" } })
}

/// Marks the listing, as a change of its units does in its own time, and delivers the message that says so.
async fn look(shop: &Shop) {
    shop.store().mark(&"shop#tea".parse().unwrap()).await.unwrap();
    shop.sync("shop", &["tea"]).await;
}

async fn known(shop: &Shop) -> SyncState {
    shop.store().listing(&"shop#tea".parse().unwrap()).await.unwrap().expect("it is listed").1
}

fn pushes(vendor: &Vendor) -> Vec<u64> {
    vendor.market().pushes.iter().map(|(_, _, quantity)| *quantity).collect()
}

async fn sell(shop: &Shop, units: u64) {
    let body = json!({ "channel": "own", "lines": [{ "sku": "tea", "quantity": units }] });
    shop.post("/v1/orders", &body).await.expect(201);
}

/// Elsewhere: saving settings resets the timer (woocommerce#55310). Here the state of a listing is another item than what the merchant
/// says of it: sales in flight, spent revisions and disagreements are not forgotten because a form was sent again.
///
/// Breaks with: `attribute_not_exists(pk)` in `begin`, `store/src/write/listing.rs`.
#[tokio::test(flavor = "multi_thread")]
async fn f19_saving_a_listing_forgets_what_is_in_flight() {
    let (shop, vendor) = showing_20().await;
    // Two are sold there, and nobody has told us: they are held.
    vendor.market().sell("41", &[("tea", 2)], Stage::Paid).expect("an order");
    look(&shop).await;
    let before = known(&shop).await;
    let in_flight = before.in_flight.clone().expect("two units");
    assert_eq!((in_flight.quantity.units(), shop.units("tea?channel=shared").await.available), (2, 18));

    shop.advance_unnoticed(600);
    shop.put_listing("shop", "tea", &listing()).await.expect(200);
    shop.put_channel("shop", &settings(0)).await.expect(200);
    shop.put_stock("tea?channel=shared", &json!({})).await.expect(200);
    let after = known(&shop).await;
    let kept = SyncState { marks: before.marks, marked_since: before.marked_since, ..after.clone() };
    assert_eq!(kept, before, "only that somebody has to look is new");
    look(&shop).await;
    assert_eq!(known(&shop).await.in_flight, Some(in_flight), "since the same instant, by the same hold");
    assert_eq!(vendor.market().listings["tea"].shown, 18);

    // Half an hour after they were missed they are free again, and not half an hour after the last form.
    shop.advance(20 * 60 + 1).await;
    assert_eq!(shop.units("tea?channel=shared").await, Units { available: 20, reserved: 0, sold: 0 });
    shop.close().await;
}

/// Elsewhere: a point-of-sale sync turns 5 → 4 into 9 (SwagPayPal#561). What a channel shows is compared, never added.
///
/// Breaks with: `Look::InFlight(possible - shown)` in `compare`, `domain/src/publish.rs`, where it is what is shown; and what is shown
/// there is `quantity` in `Next::Push`, never the sum of two numbers.
#[tokio::test(flavor = "multi_thread")]
async fn f25_what_a_channel_shows_is_added_to_what_there_is() {
    let (shop, vendor) = showing_20().await;
    sell(&shop, 15).await;
    look(&shop).await;
    assert_eq!(vendor.market().listings["tea"].shown, 5);
    shop.advance_unnoticed(2);
    // 5 → 4, read twice before the order is told, and once after.
    vendor.market().sell("41", &[("tea", 1)], Stage::Paid).expect("an order");
    for _ in 0..2 {
        look(&shop).await;
        assert_eq!(shop.units("tea?channel=shared").await, Units { available: 4, reserved: 1, sold: 15 });
        assert_eq!(vendor.market().listings["tea"].shown, 4);
    }
    shop.advance_unnoticed(61);
    shop.poll_channels().await;
    look(&shop).await;
    assert_eq!(shop.units("tea?channel=shared").await, Units { available: 4, reserved: 0, sold: 16 });
    // Somebody sets 9 by hand at the channel: 4 is what there is.
    vendor.market().listings.get_mut("tea").expect("a listing").shown = 9;
    look(&shop).await;
    assert_eq!(vendor.market().listings["tea"].shown, 4);
    assert_eq!(shop.units("tea?channel=shared").await, Units { available: 4, reserved: 0, sold: 16 });
    shop.close().await;
}

/// Elsewhere: a push of an old quantity overwrites newer marketplace sales (connector-magento#226, WooCommerce#7673).
///
/// A worker that froze after it had read what is shown thaws when another one has pushed, and the marketplace has sold from that.
///
/// Breaks with: `found.version == version` in `save_sync`, `store/src/flow/listing.rs`, where another writer's state is taken for one's own.
#[tokio::test(flavor = "multi_thread")]
async fn f31_an_old_push_overwrites_newer_sales() {
    let (shop, vendor) = showing_20().await;
    sell(&shop, 1).await;
    let mut read = vendor.freeze_answer(|request| request.method() == "GET");
    let old = look(&shop);
    let newer = async {
        read.reached().await;
        sell(&shop, 1).await;
        look(&shop).await;
        assert_eq!(pushes(&vendor), [20, 18]);
        vendor.market().sell("41", &[("tea", 3)], Stage::Paid).expect("an order");
        read.thaw();
    };
    tokio::join!(old, newer);
    assert_eq!((pushes(&vendor), vendor.market().listings["tea"].shown), (vec![20, 18], 15));
    // Messages that were sent long ago, in whichever order, bring no number of long ago.
    shop.advance_unnoticed(2);
    for _ in 0..3 {
        look(&shop).await;
        shop.sync("shop", &["tea", "tea"]).await;
    }
    assert_eq!((pushes(&vendor), vendor.market().listings["tea"].shown), (vec![20, 18], 15));
    assert_eq!(shop.units("tea?channel=shared").await, Units { available: 15, reserved: 3, sold: 2 });
    shop.close().await;
}
