//! What channels tell us themselves.

use std::time::Duration;

use domain::sale::Stage;
use reqwest::Method;
use serde_json::Value;
use tokio::time::Instant;

use super::{is_settled, listing, poll, published, selling_tea};
use crate::support::{Call, PATIENCE, Shop};

/// What the shop delivers when its order has changed.
type Delivery = (Vec<(String, String)>, Vec<u8>);

async fn deliver(shop: &Shop, (headers, body): &Delivery) {
    let call = Call::new(shop, Method::POST, "/v1/webhooks/shop").body(body.clone());
    headers.iter().fold(call, |call, (name, value)| call.header(name, value)).await.expect(200);
}

/// Waits until so many of the 20 units are free, and sees whether it stays so.
async fn free(shop: &Shop, units: u64, what: &str) {
    let looks = tokio::time::timeout(PATIENCE, async {
        while shop.units("tea?channel=shared").await.available != units {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    });
    assert!(looks.await.is_ok(), "{what}: {:?}", shop.units("tea?channel=shared").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_believed_who_does_not_sign() {
    let (shop, vendor) = selling_tea().await;
    vendor.market().sell("41", &[], Stage::Paid).expect("an order");
    let (headers, body) = vendor.webhook("41");
    let signed = headers
        .into_iter()
        .fold(Call::new(&shop, Method::POST, "/v1/webhooks/shop"), |call, (name, value)| call.header(&name, value));
    let signed = signed.body(body.clone());
    let forged = [&body[..], b" "].concat();
    for (what, call) in [
        ("no signature", signed.clone().without("X-WC-Webhook-Signature")),
        ("another body", signed.clone().body(forged)),
        ("a question", Call::new(&shop, Method::GET, "/v1/webhooks/shop")),
        ("a channel without a vendor", Call::new(&shop, Method::POST, "/v1/webhooks/own")),
        ("a channel that cannot be", Call::new(&shop, Method::POST, "/v1/webhooks/A")),
    ] {
        let answer = call.await.expect_problem(401, "unauthorized");
        assert!(
            !answer.text.contains("signature") || answer["detail"] == "The request is not signed as it must be.",
            "{what}"
        );
    }
    signed.await.expect(200);
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_webhook_is_tried_and_answered() {
    let (shop, _) = selling_tea().await;
    let ping = Call::new(&shop, Method::POST, "/v1/webhooks/shop");
    let ping = ping.header("Content-Type", "application/x-www-form-urlencoded").body("webhook_id=5");
    let answer = ping.await.expect(200);
    assert_eq!((answer.header("content-type"), answer.text.as_str()), (Some("text/plain"), ""));
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_is_delivered_twice_is_recorded_once() {
    let (shop, vendor) = selling_tea().await;
    poll(&shop).await;
    listing(&shop, "it shows 20", |listing| published(listing) == Some(20)).await;
    // What is sold in the very second of a push counts as still unknown.
    shop.advance(2).await;
    vendor.market().sell("41", &[("tea", 2)], Stage::Paid).expect("an order");
    let (headers, body) = vendor.webhook("41");
    for _ in 0..2 {
        let call = Call::new(&shop, Method::POST, "/v1/webhooks/shop").body(body.clone());
        headers.iter().fold(call, |call, (name, value)| call.header(name, value)).await.expect(200);
    }
    // Nobody polls.
    let told = |listing: &Value| {
        listing["available"] == 18 && listing["expected"] == 18 && listing["in_flight"] == 0 && is_settled(listing)
    };
    listing(&shop, "two of 20 are sold", told).await;
    assert_eq!(shop.units("tea?channel=shared").await.sold, 2);
    // The shop has taken them off itself. Whoever looked before the order was recorded has shown less for a moment, and nobody more.
    let pushes: Vec<u64> = vendor.market().pushes.iter().map(|(_, _, quantity)| *quantity).collect();
    assert!(pushes[0] == 20 && pushes[1..].iter().all(|quantity| *quantity <= 18), "{pushes:?}");
    assert_eq!(vendor.market().listings["tea"].shown, 18);
    shop.close().await;
}

/// Elsewhere: a late "paid" revives a canceled order (mollie/WooCommerce#1252), and one that is really paid late is not sold. The shop says which
/// is newer.
#[tokio::test(flavor = "multi_thread")]
async fn f14_an_order_that_is_told_out_of_order_stands_as_the_shop_says() {
    let (shop, vendor) = selling_tea().await;
    poll(&shop).await;
    listing(&shop, "it shows 20", |listing| published(listing) == Some(20)).await;
    shop.advance(10).await;
    vendor.market().sell("41", &[("tea", 2)], Stage::Pending).expect("an order");
    let pending = vendor.webhook("41");
    shop.advance(10).await;
    vendor.market().set_stage("41", Stage::Paid);
    let paid = vendor.webhook("41");
    shop.advance(10).await;
    vendor.market().cancel("41");
    let canceled = vendor.webhook("41");
    shop.advance(10).await;

    deliver(&shop, &canceled).await;
    deliver(&shop, &paid).await;
    deliver(&shop, &pending).await;
    // Another order, whose line waits behind nothing: when it is heard, so were the others.
    vendor.market().sell("42", &[("tea", 5)], Stage::Paid).expect("an order");
    deliver(&shop, &vendor.webhook("42")).await;
    free(&shop, 15, "only the other order is sold").await;
    poll(&shop).await;
    free(&shop, 15, "and the pull says the same").await;

    // The payment comes after all, and the owner sets it to processing.
    shop.advance(10).await;
    {
        let mut market = vendor.market();
        let now = market.now;
        let order = market.orders.get_mut("41").expect("the order");
        (order.stage, order.changed_at) = (Stage::Paid, now);
        order.lines.iter_mut().for_each(|line| line.canceled = 0);
    }
    let anew = vendor.webhook("41");
    for late in [&anew, &canceled, &paid, &anew] {
        deliver(&shop, late).await;
        free(&shop, 13, "it is sold anew, once").await;
    }
    poll(&shop).await;
    free(&shop, 13, "and the pull says the same").await;
    // It is canceled once more. Behind all that was delivered late, so whatever that had done would show.
    shop.advance(10).await;
    vendor.market().cancel("41");
    deliver(&shop, &vendor.webhook("41")).await;
    free(&shop, 15, "nothing of it is sold in the end").await;
    shop.close().await;
}

/// Deliveries that are timed. Half of them may be slow because the machine has other things to do: other tests run beside this one.
const TIMED: usize = 20;

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_is_answered_within_a_second() {
    let (shop, vendor) = selling_tea().await;
    poll(&shop).await;
    listing(&shop, "it shows 20", |listing| published(listing) == Some(20)).await;
    let mut times: Vec<Duration> = Vec::new();
    for order in 0..TIMED {
        let id = (100 + order).to_string();
        vendor.market().sell(&id, &[("tea", 1)], Stage::Paid).expect("an order");
        let (headers, body) = vendor.webhook(&id);
        let call = Call::new(&shop, Method::POST, "/v1/webhooks/shop").body(body);
        let call = headers.iter().fold(call, |call, (name, value)| call.header(name, value));
        let began = Instant::now();
        call.await.expect(200);
        times.push(began.elapsed());
    }
    times.sort_unstable();
    println!("{TIMED} deliveries: median {:?}, slowest {:?}", times[TIMED / 2], times[TIMED - 1]);
    assert!(times[TIMED / 2] < Duration::from_secs(1), "{times:?}");
    listing(&shop, "all of them are recorded", |listing| listing["available"] == 0).await;
    // Not at rest yet: what is timed is the answer.
    shop.audit(false).await;
    shop.leave().await;
}
