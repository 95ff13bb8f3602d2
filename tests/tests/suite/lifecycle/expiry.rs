//! Units that come back by themselves.

use std::time::Duration;

use serde_json::json;

use crate::support::{Shop, Units};

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_paid_for_is_free_again() {
    let shop = Shop::with(&[("tea", 5), ("mug", 5)]).await;
    let unpaid = shop.reserve(&[("tea", 2), ("mug", 2)]).await.expect(201).id();
    let paid = shop.reserve(&[("tea", 1)]).await.expect(201).id();
    shop.confirm(&paid).await.expect(200);
    assert_eq!(shop.holds().await.len(), 3);
    shop.advance(901).await;
    // Not only do the numbers say so: the holds have left their buckets, and the sold one is counted as sold.
    assert!(shop.holds().await.is_empty());
    assert_eq!(shop.reservation(&unpaid).await.expect(200)["status"], "expired");
    assert_eq!(shop.units("tea").await, Units { available: 4, reserved: 0, sold: 1 });
    assert_eq!(shop.units("mug").await, Units { available: 5, reserved: 0, sold: 0 });
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_stream_and_the_timer_queue_end_a_hold_by_themselves() {
    let shop = Shop::with(&[("tea", 5)]).await;
    // By this one's clock the hold has two seconds left when it sees it in the stream. Nobody moves its clock, and nobody calls.
    let branch = shop.branch(None).await;
    branch.advance_unnoticed(298);
    let id = shop.reserve_for(300, &[("tea", 5)]).await.expect(201).id();
    for _ in 0..300 {
        if shop.holds().await.is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(shop.holds().await.is_empty(), "no timer has come for half a minute");
    assert_eq!(shop.reservation(&id).await.expect(200)["status"], "expired");
    assert_eq!(shop.units("tea").await, Units { available: 5, reserved: 0, sold: 0 });
    branch.leave().await;
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_extended_hold_is_looked_at_again_when_it_really_ends() {
    let shop = Shop::with(&[("tea", 5)]).await;
    let id = shop.reserve_for(300, &[("tea", 2)]).await.expect(201).id();
    shop.extend(&id, 900).await.expect(200);
    shop.advance(600).await;
    assert_eq!(shop.units("tea").await, Units { available: 3, reserved: 2, sold: 0 });
    assert_eq!(shop.holds().await.len(), 1);
    shop.advance(400).await;
    assert!(shop.holds().await.is_empty());
    assert_eq!(shop.units("tea").await, Units { available: 5, reserved: 0, sold: 0 });
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn availability_is_exact_to_the_second() {
    let shop = Shop::with(&[("tea", 5)]).await;
    let held = shop.reserve_for(300, &[("tea", 5)]).await.expect(201);
    let mut free_at = None;
    shop.advance_unnoticed(296);
    for _ in 0..300 {
        let seen = shop.availability(&["tea"]).await.expect(200);
        let (available, as_of) = (seen.items()[0]["available"].clone(), seen["as_of"].clone());
        assert!(available == json!(0) || available == json!(5), "{available}");
        // Times of the same format and zone compare as text.
        if available == json!(5) {
            assert!(as_of.as_str() > held["expires_at"].as_str(), "free at {as_of}, held until {}", held["expires_at"]);
            free_at = Some(as_of);
            break;
        }
        assert!(
            as_of.as_str() <= held["expires_at"].as_str(),
            "not free at {as_of}, held until {}",
            held["expires_at"]
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(free_at.is_some());
    shop.reserve(&[("tea", 5)]).await.expect(201);
    shop.close().await;
}
