//! What is known of a channel.

use domain::sale::Stage;
use serde_json::{Value, json};

use super::{is_settled, listing, poll, published, sell, selling_tea};

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_shows_nothing_before_it_was_heard_and_then_what_there_is() {
    let (shop, vendor) = selling_tea().await;
    let status = shop.channel_status("shop").await.expect(200);
    assert_eq!((&status["stale"], status.body.get("heard_at")), (&json!(true), None));
    let new = &status.items()[0];
    assert_eq!((&new["available"], &new["quantity"], &new["closed"]), (&json!(20), &json!(0), &json!("stale")));
    assert!(new.get("unsettled_since").is_some() && published(new).is_none(), "{new}");

    poll(&shop).await;
    let shown = listing(&shop, "it shows 20", |listing| published(listing) == Some(20)).await;
    assert_eq!(
        (&shown["quantity"], &shown["expected"], &shown["revisions_today"]),
        (&json!(20), &json!(20), &json!(1))
    );
    assert_eq!((shown.get("closed"), &shown["in_flight"]), (None, &json!(0)));
    assert_eq!(vendor.market().listings["tea"].shown, 20);
    let status = shop.channel_status("shop").await.expect(200);
    assert_eq!((&status["stale"], status.body.get("failure")), (&json!(false), None));

    shop.channel_status("till").await.expect_problem(404, "unknown-channel");
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sold_elsewhere_is_shown_less() {
    let (shop, vendor) = selling_tea().await;
    poll(&shop).await;
    listing(&shop, "it shows 20", |listing| published(listing) == Some(20)).await;
    sell(&shop, 3).await;
    // Nobody polls: the table's stream tells, and the queue.
    listing(&shop, "it shows 17", |listing| published(listing) == Some(17)).await;
    assert_eq!(vendor.market().listings["tea"].shown, 17);
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn other_settings_are_shown_without_anybody_asking() {
    let (shop, vendor) = selling_tea().await;
    poll(&shop).await;
    listing(&shop, "it shows 20", |listing| published(listing) == Some(20)).await;
    let mut settings = super::woocommerce();
    settings["buffer"] = json!({ "units": 4 });
    shop.put_channel("shop", &settings).await.expect(200);
    listing(&shop, "it shows 16", |listing| published(listing) == Some(16)).await;
    assert_eq!(vendor.market().listings["tea"].shown, 16);
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_has_told_us_is_held_and_what_is_told_is_sold() {
    let (shop, vendor) = selling_tea().await;
    poll(&shop).await;
    listing(&shop, "it shows 20", |listing| published(listing) == Some(20)).await;
    vendor.market().sell("41", &[("tea", 2)], Stage::Paid).expect("an order");
    // The webhook is lost; the next pull brings the order.
    poll(&shop).await;
    let told = |listing: &Value| listing["available"] == 18 && listing["in_flight"] == 0 && is_settled(listing);
    listing(&shop, "two of 20 are sold", told).await;
    assert_eq!(shop.units("tea?channel=shared").await.sold, 2);
    assert_eq!(vendor.market().listings["tea"].shown, 18);
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_that_does_not_answer_says_so_and_is_closed() {
    let (shop, vendor) = selling_tea().await;
    poll(&shop).await;
    listing(&shop, "it shows 20", |listing| published(listing) == Some(20)).await;
    vendor.market().faults.down = true;
    for _ in 0..2 {
        shop.advance(600).await;
        shop.poll_channels().await;
    }
    let status = shop.channel_status("shop").await.expect(200);
    assert_eq!(status["stale"], true);
    assert!(status["failure"].as_str().unwrap().contains("nobody answers"), "{}", status.text);
    assert_eq!((&status.items()[0]["closed"], &status.items()[0]["quantity"]), (&json!("stale"), &json!(0)));
    // What it still shows is what it was told last.
    assert_eq!(published(&status.items()[0]), Some(20));
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_buffer_that_follows_the_speed_of_sales_is_shown_again_when_nothing_is_sold() {
    let (shop, vendor) = selling_tea().await;
    let mut settings = super::woocommerce();
    settings["buffer"] = json!({ "from_speed": { "floor": 0 } });
    shop.put_channel("shop", &settings).await.expect(200);
    poll(&shop).await;
    listing(&shop, "it shows 20", |listing| published(listing) == Some(20)).await;
    vendor.market().sell("41", &[("tea", 6)], Stage::Paid).expect("an order");
    poll(&shop).await;
    let pushed = listing(&shop, "a unit is kept back", |listing| published(listing) == Some(13)).await;
    // The push is looked at again, and found; from here on nothing happens.
    shop.advance(70).await;
    poll(&shop).await;
    listing(&shop, "it was looked at", |listing| listing.get("look_at") != pushed.get("look_at")).await;
    shop.advance(3_640).await;
    poll(&shop).await;
    listing(&shop, "nothing was sold for an hour", |listing| published(listing) == Some(14)).await;
    assert_eq!(vendor.market().listings["tea"].shown, 14);
    shop.close().await;
}
