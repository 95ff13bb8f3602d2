//! A vendor that is not there, says "not now", or does not do what it has accepted. Everything happens when the test says so.

use serde_json::{Value, json};

use super::{by_hand, sell};
use crate::support::{Shop, Vendor};

/// What is known of a SKU at the channel.
async fn status_of(shop: &Shop, sku: &str) -> Value {
    let status = shop.channel_status("shop").await.expect(200);
    status.items().iter().find(|item| item["sku"] == sku).expect("it is listed").clone()
}

fn shown(vendor: &Vendor, sku: &str) -> u64 {
    vendor.market().listings[sku].shown
}

/// Has every listing looked at, in one batch.
async fn look(shop: &Shop, skus: &[&str]) {
    for sku in skus {
        shop.store().mark(&format!("shop#{sku}").parse().unwrap()).await.unwrap();
    }
    shop.sync("shop", skus).await;
}

/// A minute passes: the channel is polled, and what is marked is looked at.
async fn minute(shop: &Shop, skus: &[&str]) {
    shop.advance_unnoticed(60);
    shop.poll_channels().await;
    shop.sync("shop", skus).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_whose_orders_are_not_heard_shows_nothing_until_they_are() {
    let skus = ["tea", "mug"];
    let (shop, vendor) = by_hand(&skus).await;
    assert_eq!((shown(&vendor, "tea"), shown(&vendor, "mug")), (20, 20));
    vendor.fail(Some(|request| request.uri().path().ends_with("/orders")));
    vendor.market().sell("41", &[("tea", 2)], domain::sale::Stage::Paid).expect("an order");
    for _ in 0..14 {
        minute(&shop, &skus).await;
    }
    assert_eq!(shown(&vendor, "mug"), 20, "for a quarter of an hour that is borne");
    for _ in 0..3 {
        minute(&shop, &skus).await;
    }
    assert_eq!((shown(&vendor, "tea"), shown(&vendor, "mug")), (0, 0));
    let status = shop.channel_status("shop").await.expect(200);
    assert_eq!(status["stale"], true);
    assert!(status["failure"].as_str().unwrap().contains("503"), "{}", status.text);
    assert!(status.items().iter().all(|item| item["closed"] == "stale" && item["quantity"] == 0), "{}", status.text);
    assert_eq!(status_of(&shop, "mug").await["available"], 20, "they can be sold elsewhere");

    vendor.fail(None);
    for _ in 0..2 {
        minute(&shop, &skus).await;
    }
    assert_eq!((shown(&vendor, "tea"), shown(&vendor, "mug")), (18, 20));
    let status = shop.channel_status("shop").await.expect(200);
    assert_eq!((&status["stale"], status.body.get("failure")), (&json!(false), None));
    assert!(status.items().iter().all(|item| item.get("closed").is_none()), "{}", status.text);
    assert_eq!(shop.units("tea?channel=shared").await.sold, 2, "what was sold meanwhile is heard of, once");
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_of_an_hour_costs_a_call_a_minute_and_its_end_is_no_stampede() {
    let names: Vec<String> = (0..12).map(|n| format!("tea-{n:02}")).collect();
    let skus: Vec<&str> = names.iter().map(String::as_str).collect();
    let (shop, vendor) = by_hand(&skus).await;
    vendor.market().faults.down = true;
    let before = vendor.calls("/products");
    for _ in 0..60 {
        shop.advance_unnoticed(60);
        shop.poll_channels().await;
        // As the queue would: each listing in a batch of its own.
        for sku in &skus {
            look(&shop, &[sku]).await;
        }
    }
    let calls = vendor.calls("/products") - before;
    assert!((40..=70).contains(&calls), "720 looks, {calls} calls");
    assert_eq!(shop.channel_status("shop").await.expect(200)["stale"], true);

    vendor.market().faults.down = false;
    let order = json!({ "channel": "own", "lines": [{ "sku": "tea-03", "quantity": 5 }] });
    shop.post("/v1/orders", &order).await.expect(201);
    let before = vendor.calls("/products");
    // The first to be let through finds that it is back; the others follow, all in one call to read and one to set.
    shop.advance_unnoticed(60);
    shop.poll_channels().await;
    look(&shop, &skus[..1]).await;
    look(&shop, &skus).await;
    let calls = vendor.calls("/products") - before;
    assert!(calls <= 4, "{calls} calls");
    for sku in &skus {
        assert_eq!(shown(&vendor, sku), if *sku == "tea-03" { 15 } else { 20 }, "{sku}");
        assert!(status_of(&shop, sku).await.get("closed").is_none());
    }
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vendor_that_throttles_is_not_asked_before_it_says() {
    let (shop, vendor) = by_hand(&["tea"]).await;
    sell(&shop, 3).await;
    vendor.market().faults.throttle_next = 1;
    let before = vendor.calls("/products");
    look(&shop, &["tea"]).await;
    assert_eq!((vendor.calls("/products") - before, shown(&vendor, "tea")), (1, 20));
    // Its header says seven seconds.
    for _ in 0..2 {
        shop.advance_unnoticed(2);
        look(&shop, &["tea"]).await;
    }
    assert_eq!(vendor.calls("/products") - before, 1, "whoever comes meanwhile leaves it marked");
    assert!(status_of(&shop, "tea").await.get("unsettled_since").is_some());
    shop.advance_unnoticed(4);
    look(&shop, &["tea"]).await;
    assert_eq!(shown(&vendor, "tea"), 17);

    // A pull that is throttled says so, and the next one brings what it would have.
    vendor.market().sell("41", &[("tea", 2)], domain::sale::Stage::Paid).expect("an order");
    vendor.market().faults.throttle_next = 1;
    shop.advance_unnoticed(61);
    shop.poll_channels().await;
    let status = shop.channel_status("shop").await.expect(200);
    assert_eq!((&status["failure"], &status["stale"]), (&json!("throttled for 7 s"), &json!(false)));
    shop.advance_unnoticed(61);
    shop.poll_channels().await;
    assert_eq!(shop.units("tea?channel=shared").await.sold, 5);
    assert!(shop.channel_status("shop").await.expect(200).body.get("failure").is_none());
    shop.close().await;
}

/// Accepted is not applied.
#[tokio::test(flavor = "multi_thread")]
async fn a_listing_that_shows_twice_what_it_was_not_told_is_closed_until_it_agrees() {
    let (shop, vendor) = by_hand(&["tea"]).await;
    vendor.market().faults.apply_after_seconds = 1_000_000;
    sell(&shop, 3).await;
    look(&shop, &["tea"]).await;
    assert_eq!(status_of(&shop, "tea").await["published"]["quantity"], 17);
    let mut closed_after = None;
    for minutes in 1..=40 {
        minute(&shop, &["tea"]).await;
        let status = status_of(&shop, "tea").await;
        if status.get("closed").is_some() {
            closed_after = closed_after.or(Some(minutes));
            assert_eq!((&status["closed"], &status["quantity"]), (&json!("disagrees"), &json!(0)));
            assert!(status["disagreements"].as_u64() >= Some(2), "{status}");
        }
    }
    // Twice a quarter of an hour to apply it, and the looks of every other minute.
    assert!(closed_after.is_some_and(|minutes| (30..=36).contains(&minutes)), "closed after {closed_after:?} minutes");
    assert_eq!(shown(&vendor, "tea"), 20, "it is told 0, and still does not apply it");

    // It applies at last what it has accepted. 0 is shown, which agrees: the listing opens again.
    {
        let mut market = vendor.market();
        market.faults.apply_after_seconds = 0;
        let listing = market.listings.get_mut("tea").expect("a listing");
        let accepted: Vec<u64> = listing.accepted.drain(..).map(|(_, quantity)| quantity).collect();
        // This vendor says that it has applied what it takes: another number can only be somebody else's, and is set right at each look.
        assert!((10..=25).contains(&accepted.len()), "{accepted:?}");
        listing.shown = *accepted.last().expect("0 was accepted");
        assert_eq!(listing.shown, 0);
    }
    look(&shop, &["tea"]).await;
    let status = status_of(&shop, "tea").await;
    assert_eq!((status.get("closed"), &status["disagreements"]), (None, &json!(0)), "{status}");
    assert_eq!(shown(&vendor, "tea"), 17);
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_that_somebody_sets_at_the_channel_is_set_right_within_hours_although_nothing_changes() {
    let (shop, vendor) = by_hand(&["tea"]).await;
    for _ in 0..4 {
        minute(&shop, &["tea"]).await;
    }
    vendor.market().listings.get_mut("tea").expect("a listing").shown = 30;
    let (before, pushes) = (vendor.calls("/products"), vendor.market().pushes.len());
    for _ in 0..4 {
        minute(&shop, &["tea"]).await;
    }
    assert_eq!((vendor.calls("/products") - before, shown(&vendor, "tea")), (0, 30), "nobody looks all the time");
    let mut set_right_after = None;
    for quarter in 1..=26 {
        // So often that the channel is never stale, which would have everything looked at.
        shop.advance_unnoticed(14 * 60);
        shop.poll_channels().await;
        shop.sync("shop", &["tea"]).await;
        if shown(&vendor, "tea") == 20 {
            set_right_after = set_right_after.or(Some(quarter));
        }
    }
    assert!(set_right_after.is_some_and(|quarter| quarter >= 3), "after {set_right_after:?} quarters of an hour");
    assert_eq!(vendor.market().pushes.len() - pushes, 1, "the other looks cost none");
    assert_eq!(shop.units("tea?channel=shared").await.available, 20);
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_listing_that_is_rejected_keeps_back_no_other() {
    let skus = ["cup", "mug", "tea"];
    let (shop, vendor) = by_hand(&skus).await;
    vendor.market().faults.rejected.insert("mug".to_owned());
    for sku in skus {
        let order = json!({ "channel": "own", "lines": [{ "sku": sku, "quantity": 4 }] });
        shop.post("/v1/orders", &order).await.expect(201);
    }
    look(&shop, &skus).await;
    assert_eq!(skus.map(|sku| shown(&vendor, sku)), [16, 20, 16]);
    let status = status_of(&shop, "mug").await;
    assert!(status["refusal"].as_str().unwrap().contains("A plugin of the shop says no."), "{status}");
    assert!(status_of(&shop, "tea").await.get("refusal").is_none());
    // It is tried again when something changes, and once an hour.
    for _ in 0..5 {
        minute(&shop, &skus).await;
    }
    vendor.market().faults.rejected.clear();
    minute(&shop, &skus).await;
    assert_eq!(shown(&vendor, "mug"), 20);
    for _ in 0..60 {
        minute(&shop, &skus).await;
    }
    assert_eq!(shown(&vendor, "mug"), 16);
    assert!(status_of(&shop, "mug").await.get("refusal").is_none());
    shop.close().await;
}
