//! Holds that end, and holds that should.

use domain::time::Clock;
use serde_json::json;

use crate::support::{Fate, Flaky, Shop, Units, at_once, timer_message};

/// Elsewhere: the sweeper schedules its next run only after success, so one crash stops all expiry (woocommerce#30682). Here
/// nothing needs to run for a hold to end; and what does run fails for one hold at a time.
///
/// Breaks with: `self.store.make_room(bucket, seen, …)` in `try_hold`, `store/src/flow/acquire/hold.rs` (the next shopper), or
/// `None => failed.push(message_id)` in `expire/src/timer.rs` (a failed timer never comes again).
#[tokio::test(flavor = "multi_thread")]
async fn f18_one_crash_stops_all_expiry() {
    let shop = Shop::with(&[("tea", 5), ("mug", 5)]).await;
    let lost = shop.reserve(&[("tea", 5)]).await.expect(201).id();
    shop.reserve(&[("mug", 3)]).await.expect(201);
    // Every timer and every sweep is dead. The units are free to the second all the same.
    shop.advance_unnoticed(899);
    shop.reserve(&[("tea", 1)]).await.expect_problem(409, "insufficient-stock");
    shop.advance_unnoticed(2);
    assert_eq!(shop.reservation(&lost).await["status"], "expired");
    assert_eq!(shop.units("tea").await, Units { available: 5, reserved: 0, sold: 0 });
    shop.reserve(&[("tea", 5)]).await.expect(201);
    shop.advance_unnoticed(901);

    // The timers of both holds fail while DynamoDB does, and one that cannot be read comes with them.
    let flaky = Flaky::before(shop.stack().dynamodb_endpoint()).await;
    let branch = shop.branch(Some(&flaky.url)).await;
    branch.advance_unnoticed(3_600);
    let holds = branch.holds().await;
    assert_eq!(holds.len(), 2);
    flaky.condemn(&["GetItem", "UpdateItem"], Fate::Fail);
    assert_eq!(branch.ring(&holds).await.len(), 2);
    flaky.heal();
    assert_eq!(branch.deliver(&[timer_message("unreadable", "{")]).await, ["unreadable"]);
    assert!(branch.ring(&holds).await.is_empty());
    assert!(branch.holds().await.is_empty());
    branch.leave().await;
    shop.close().await;
}

/// Elsewhere: saving settings resets the timer, and the release comes at one to two times the minutes that were set (woocommerce#55310,
/// #24581). Here a hold says itself when it ends, and no settings know of holds.
///
/// Breaks with: `attribute_not_exists(pk)` in `create`, `store/src/write/settings.rs`: settings that are saved again put a new home there.
/// Listings are in [`super::listings`].
#[tokio::test(flavor = "multi_thread")]
async fn f19_saving_settings_resets_the_timer() {
    let shop = Shop::with(&[("tea", 5)]).await;
    let held = shop.reserve(&[("tea", 3)]).await.expect(201);
    let id = held.id();
    let untouched = shop.reservation(&id).await.expect(200);
    for round in 1..9 {
        shop.advance_unnoticed(100);
        let settings = json!({ "expected_peak_per_second": round });
        shop.put_stock("tea", &settings).await.expect(200);
        let channel = json!({ "kind": "own", "buffer": { "units": round } });
        shop.put_channel("own", &channel).await;
        shop.advance(0).await;
        assert_eq!(shop.reservation(&id).await.expect(200).body, untouched.body, "round {round}");
        assert_eq!(shop.units("tea").await, Units { available: 2, reserved: 3, sold: 0 }, "round {round}");
    }
    // It is over when it was to be over from the first. Time goes on by itself, too: half a minute is left for a slow machine.
    let ends: jiff::Timestamp = untouched["expires_at"].as_str().unwrap().parse().unwrap();
    let now = shop.stack().clock().now().epoch_seconds();
    let left = u64::try_from(ends.as_second()).unwrap() - now;
    shop.advance(left - 30).await;
    shop.put_stock("tea", &json!({})).await.expect(200);
    assert_eq!(shop.units("tea").await.reserved, 3);
    shop.advance(31).await;
    assert_eq!(shop.units("tea").await, Units { available: 5, reserved: 0, sold: 0 });
    assert_eq!(shop.reservation(&id).await.expect(200)["status"], "expired");
    shop.close().await;
}

/// Elsewhere: failed-payment webhooks are ignored, and the hold stays (medusa#16398, #11266).
///
/// Breaks with: `self.release_unkept(&record, &record.allocations)` in `cancel`, `store/src/flow/decide.rs`.
#[tokio::test(flavor = "multi_thread")]
async fn f20_a_failed_payment_keeps_the_hold() {
    let shop = Shop::with(&[("tea", 100), ("mug", 1)]).await;
    shop.put_stock("tea", &json!({ "expected_peak_per_second": 64 })).await.expect(200);
    for lines in [&[("mug", 1)][..], &[("tea", 100)], &[("tea", 1), ("mug", 1)], &[("mug", 1), ("tea", 80)]] {
        let id = shop.reserve(lines).await.expect(201).id();
        let canceled = shop.cancel(&id).await.expect(200);
        assert_eq!(canceled["status"], "canceled");
        // At once, and once only, however often the webhook comes.
        for _ in 0..2 {
            assert_eq!(shop.units("tea").await, Units { available: 100, reserved: 0, sold: 0 });
            assert_eq!(shop.units("mug").await, Units { available: 1, reserved: 0, sold: 0 });
            assert!(shop.holds().await.is_empty());
            assert_eq!(shop.cancel(&id).await.expect(200).body, canceled.body);
        }
    }
    shop.order(&[("tea", 100), ("mug", 1)]).await.expect(201);
    shop.close().await;
}

/// Elsewhere: a shopper is blocked by their own hold (woocommerce#67354, Sylius#3573).
///
/// Breaks with: `return Refused::AlreadyHeld(*hold)` in `domain/src/acquire.rs`.
#[tokio::test(flavor = "multi_thread")]
async fn f21_a_shopper_blocked_by_their_own_hold() {
    let shop = Shop::with(&[("tea", 1)]).await;
    let flaky = Flaky::before(shop.stack().dynamodb_endpoint()).await;
    let branch = shop.branch(Some(&flaky.url)).await;
    // The unit is held, and then the record of it cannot be written.
    flaky.condemn(&["PutItem"], Fate::Fail);
    let checkout = branch.reserve(&[("tea", 1)]).key("checkout-1");
    checkout.clone().impatient().await.expect_problem(503, "contended");
    assert_eq!(shop.units("tea").await, Units { available: 0, reserved: 1, sold: 0 });
    flaky.heal();
    // Others wait; the shopper who comes back gets what is theirs, as often as they reload.
    shop.reserve(&[("tea", 1)]).await.expect_problem(409, "insufficient-stock");
    let id = checkout.clone().await.expect(201).id();
    let again = checkout.clone().await.expect(201);
    assert_eq!((again.is_replayed(), again.id()), (true, id.clone()));

    // Nor are they by a hold that has expired.
    shop.advance(901).await;
    let second = shop.reserve(&[("tea", 1)]).key("checkout-2").await.expect(201).id();
    shop.confirm(&second).await.expect(200);
    assert_eq!(shop.units("tea").await, Units { available: 0, reserved: 0, sold: 1 });
    branch.leave().await;
    shop.close().await;
}

/// Elsewhere: reviving an expired cart locks out both buyers (be-BOP#533).
///
/// Breaks with: `successor = :successor` in `close`, `store/src/write/decide.rs` (a payment that succeeded is lost), or
/// `self.release_unkept(&record, &holds.all())` in `Store::refuse`, `store/src/flow/take.rs` (a half revived cart stays held).
#[tokio::test(flavor = "multi_thread")]
async fn f22_reviving_an_expired_cart_locks_out_both() {
    let shop = Shop::with(&[("mug", 10)]).await;
    for round in 0..5 {
        let tea = format!("tea-{round}");
        shop.fill(&tea, 1).await;
        let expired = shop.reserve(&[("mug", 1), (&tea, 1)]).await.expect(201).id();
        shop.advance_unnoticed(901);
        shop.extend(&expired, 600).await.expect_problem(410, "reservation-expired");
        // Both reach for the tea at once: exactly one gets it.
        let answers = at_once([shop.confirm(&expired), shop.order(&[(&tea, 1)])]).await;
        let [revived, other] = <[_; 2]>::try_from(answers).unwrap();
        assert_ne!(revived.status == 200, other.status == 201, "{} and {}", revived.text, other.text);
        assert_eq!(shop.units(&tea).await, Units { available: 0, reserved: 0, sold: 1 });
        let status = if revived.status == 200 { "confirmed" } else { "expired" };
        assert_eq!(shop.reservation(&expired).await.expect(200)["status"], status);
        if revived.status != 200 {
            assert_eq!(revived.expect_problem(410, "reservation-expired")["refund_required"], true);
        }
        // The rest of the cart is sold or can be had.
        let Units { available, reserved, sold } = shop.units("mug").await;
        assert_eq!((available + sold, reserved), (10, 0));
        let rest = shop.reserve(&[("mug", available)]).await.expect(201).id();
        shop.cancel(&rest).await.expect(200);
    }
    shop.close().await;
}

/// Elsewhere: a paid order is stuck because its stock went meanwhile, and money is captured without a hold (vendure#2030,
/// woocommerce-gateway-stripe PR#5720).
///
/// Breaks with: `nothing_held && taking.terms == Terms::Hold` in `Store::refuse`, `store/src/flow/take.rs`, where a refused
/// payment is not recorded either.
#[tokio::test(flavor = "multi_thread")]
async fn f23_a_paid_order_without_its_stock() {
    let shop = Shop::with(&[("tea", 2)]).await;
    let late = shop.reserve(&[("tea", 2)]).await.expect(201).id();
    shop.advance(901).await;
    shop.order(&[("tea", 1)]).await.expect(201);
    // The answer to the payment says what to do, and stays the same when units arrive later: the refund may be under way.
    for round in 0..4 {
        let refused = shop.confirm(&late).await.expect_problem(410, "reservation-expired");
        assert_eq!(refused["refund_required"], true);
        assert_eq!(shop.units("tea").await, Units { available: round + 1, reserved: 0, sold: 1 });
        shop.movement("tea", "receive", 1).await.expect(201);
        shop.advance(if round == 1 { 200_000 } else { 60 }).await;
    }
    assert_eq!(shop.reservation(&late).await.expect(200)["status"], "expired");
    shop.close().await;
}
