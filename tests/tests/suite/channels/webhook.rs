//! What channels tell us themselves.

use std::time::Duration;

use domain::sale::Stage;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{is_settled, listing, poll, published, selling_tea};
use crate::support::Call;

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
    let told = |listing: &Value| listing["available"] == 18 && is_settled(listing);
    let listing = listing(&shop, "two of 20 are sold", told).await;
    assert_eq!((&listing["expected"], &listing["in_flight"]), (&json!(18), &json!(0)));
    assert_eq!(shop.units("tea?channel=shared").await.sold, 2);
    assert_eq!(vendor.market().pushes.len(), 1, "the shop has taken them off itself");
    shop.close().await;
}

/// Deliveries that are timed, and how many of them may be slow because the machine had other things to do.
const TIMED: usize = 20;
const SLOW: usize = 2;

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
    assert!(times[TIMED - 1 - SLOW] < Duration::from_secs(1), "{times:?}");
    listing(&shop, "all of them are recorded", |listing| listing["available"] == 0).await;
    // Not at rest yet: what is timed is the answer.
    shop.audit(false).await;
    shop.leave().await;
}
