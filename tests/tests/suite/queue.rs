//! Orders that wait in the order queue.

mod rush;

use domain::ids::{Caller, ReservationId};
use serde_json::{Value, json};

use crate::support::{Fate, Flaky, Shop, Units, order_message, order_message_of};

#[tokio::test(flavor = "multi_thread")]
async fn an_order_is_queued_then_confirmed_or_rejected_with_the_reason() {
    let shop = Shop::with(&[("tea", 3), ("mug", 1)]).await;
    let queued = shop.queue(&[("tea", 2), ("mug", 1)]).await.expect(202);
    assert_eq!(
        (queued["status"].as_str(), queued.header("preference-applied")),
        (Some("queued"), Some("respond-async"))
    );
    assert_eq!(queued.header("location"), Some(format!("/v1/orders/{}", queued.id()).as_str()));
    let sold = shop.decided(&queued.id()).await;
    assert_eq!((&sold["status"], &sold["id"]), (&json!("confirmed"), &queued["id"]));
    assert_eq!(sold["lines"], json!([{ "sku": "mug", "quantity": 1 }, { "sku": "tea", "quantity": 2 }]));
    assert_eq!(sold["queued_at"], queued["queued_at"]);
    assert_eq!(shop.units("tea").await, Units { available: 1, reserved: 0, sold: 2 });

    let poor = shop.queue(&[("tea", 1), ("mug", 4)]).await.expect(202);
    let rejected = shop.decided(&poor.id()).await;
    assert_eq!((&rejected["status"], &rejected["confirmed_at"]), (&json!("rejected"), &Value::Null));
    assert_eq!(rejected["rejection"]["type"], "/problems/insufficient-stock");
    assert_eq!(rejected["rejection"]["lines"], json!([{ "sku": "mug", "requested": 4, "available": 0 }]));
    assert_eq!(shop.units("tea").await, Units { available: 1, reserved: 0, sold: 2 });
    // Under the sixteen characters that name the order, too.
    for (order, status) in [(&queued, "confirmed"), (&poor, "rejected")] {
        let read = shop.get(&format!("/v1/orders/{}", &order.id()[..16])).await.expect(200);
        assert_eq!(read["status"], status);
    }
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_written_while_an_order_waits_and_an_id_that_was_not_issued_is_unknown() {
    let shop = Shop::without_order_consumer(&[("tea", 3)]).await;
    let before = shop.everything().await;
    let queued = shop.queue(&[("tea", 2)]).await.expect(202);
    let payment = shop.queue_payment(&"x".repeat(16), None).await.expect(202);
    assert_eq!(shop.everything().await, before);
    for id in [queued.id(), payment.id()] {
        let waiting = shop.get(&format!("/v1/orders/{id}")).await.expect(200);
        assert_eq!((&waiting["status"], waiting.header("retry-after")), (&json!("queued"), Some("1")));
    }
    // The same order, another time, another key: each character counts.
    let id = queued.id();
    for position in [0, 15, 16, 20, 30, 43] {
        let other = if id.as_bytes()[position] == b'A' { "B" } else { "A" };
        let forged = format!("{}{other}{}", &id[..position], &id[position + 1..]);
        shop.get(&format!("/v1/orders/{forged}")).await.expect_problem(404, "unknown-order");
    }
    shop.get(&format!("/v1/orders/{}", &id[..16])).await.expect_problem(404, "unknown-order");
    // After as long as no queue keeps it, it is forgotten.
    shop.advance_unnoticed(18 * 86_400 + 1);
    shop.get(&format!("/v1/orders/{id}")).await.expect_problem(404, "unknown-order");
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_be_known_to_be_wrong_is_refused_at_once() {
    let shop = Shop::with(&[("tea", 3)]).await;
    let before = shop.everything().await;
    let unknown = shop.queue(&[("tea", 1), ("coffee", 1)]).await.expect_problem(404, "unknown-sku");
    assert_eq!(unknown.fields(), ["lines[1].sku"]);
    let bad = shop.queue(&[("tea", 0)]).await.expect_problem(400, "invalid-request");
    assert_eq!(bad.fields(), ["lines[0].quantity"]);
    let both = json!({ "reservation_id": "x".repeat(16), "lines": [{ "sku": "tea", "quantity": 1 }] });
    let both = shop.post("/v1/orders", &both).header("Prefer", "respond-async").await.expect(400);
    assert_eq!(both.fields(), ["lines"]);
    let neither = shop.post("/v1/orders", &json!({})).header("Prefer", "respond-async").await.expect(400);
    assert_eq!(neither.fields(), ["lines"]);
    shop.queue(&[("tea", 1)]).without("Idempotency-Key").await.expect(400);
    // A preference that is none is ignored.
    shop.order(&[("tea", 1)]).header("Prefer", "wait=10").await.expect(201);
    assert_eq!(shop.everything().await.len(), before.len() + 1);
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reservation_is_paid_through_the_queue() {
    let shop = Shop::with(&[("tea", 5)]).await;
    let held = shop.reserve(&[("tea", 2)]).await.expect(201).id();
    let paid = shop.queue_payment(&held, Some("o-1")).await.expect(202);
    let sold = shop.decided(&paid.id()).await;
    assert_eq!((&sold["status"], &sold["order_id"]), (&json!("confirmed"), &json!("o-1")));
    assert_eq!(shop.reservation(&held).await.expect(200)["status"], "confirmed");
    // Again, and for another order.
    assert_eq!(shop.decided(&shop.queue_payment(&held, Some("o-1")).await.id()).await["status"], "confirmed");
    let other = shop.decided(&shop.queue_payment(&held, Some("o-2")).await.id()).await;
    assert_eq!(other["rejection"]["type"], "/problems/already-confirmed");
    assert_eq!(other["rejection"]["refund_required"], true);

    // Canceled, and unknown: the money goes back, for good.
    let canceled = shop.reserve(&[("tea", 1)]).await.expect(201).id();
    shop.cancel(&canceled).await.expect(200);
    for (id, slug) in [(canceled.as_str(), "already-canceled"), ("0000000000000000", "unknown-reservation")] {
        let refused = shop.decided(&shop.queue_payment(id, None).await.id()).await;
        assert_eq!(
            (&refused["status"], &refused["rejection"]["type"]),
            (&json!("rejected"), &json!(format!("/problems/{slug}")))
        );
        assert_eq!(refused["rejection"]["refund_required"], true);
    }

    // Too late: taken again if it can be had, refunded if not.
    let late = shop.reserve(&[("tea", 2)]).await.expect(201).id();
    let too_late = shop.reserve(&[("tea", 1)]).await.expect(201).id();
    shop.advance(901).await;
    assert_eq!(shop.decided(&shop.queue_payment(&late, None).await.id()).await["status"], "confirmed");
    shop.order(&[("tea", 1)]).await.expect(201);
    let refused = shop.decided(&shop.queue_payment(&too_late, None).await.id()).await;
    assert_eq!(refused["rejection"]["type"], "/problems/reservation-expired");
    assert_eq!(shop.units("tea").await, Units { available: 0, reserved: 0, sold: 5 });

    // And the same without a queue.
    let direct = shop.post("/v1/orders", &json!({ "reservation_id": held, "order_id": "o-1" }));
    assert_eq!(direct.await.expect(201)["id"], held);
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_key_is_one_order_whichever_way_it_comes() {
    let shop = Shop::with(&[("tea", 9)]).await;
    let queue = shop.queue(&[("tea", 2)]).key("k");
    let first = queue.clone().await.expect(202);
    assert_eq!(shop.decided(&first.id()).await["status"], "confirmed");
    shop.advance(10).await;
    let again = queue.await.expect(202);
    assert_eq!(again.id()[..16], first.id()[..16], "another id of the same order");
    assert_ne!(again.id(), first.id());
    assert_eq!(shop.decided(&again.id()).await["status"], "confirmed");
    let direct = shop.order(&[("tea", 2)]).key("k").await.expect(201);
    assert_eq!((direct.is_replayed(), direct.id()), (true, first.id()[..16].to_owned()));
    // Another cart under the same key, before and after it is decided.
    let other = shop.queue(&[("tea", 3)]).key("k").await.expect(202);
    let refused = shop.decided(&other.id()).await;
    assert_eq!(refused["rejection"]["type"], "/problems/idempotency-key-reused");
    assert_eq!(refused["lines"], Value::Null, "the other order is nobody's business");
    // Nor does a sale stand in for the reservation of the same key.
    shop.reserve(&[("tea", 1)]).key("r").await.expect(201);
    let refused = shop.decided(&shop.queue(&[("tea", 1)]).key("r").await.id()).await;
    assert_eq!(refused["rejection"]["type"], "/problems/idempotency-key-reused");
    assert_eq!(shop.units("tea").await, Units { available: 6, reserved: 1, sold: 2 });
    shop.close().await;
}

/// Two carts under one key, while neither is decided.
#[tokio::test(flavor = "multi_thread")]
async fn a_reused_key_is_found_out_even_before_the_first_order_is_decided() {
    let shop = Shop::without_order_consumer(&[("tea", 9)]).await;
    let ours = shop.queue(&[("tea", 2)]).key("k").await.expect(202).id();
    let theirs = shop.queue(&[("tea", 3)]).key("k").await.expect(202).id();
    let messages = [order_message("k", "tea#own", &["tea=2"]), order_message("k", "tea#own", &["tea=3"])];
    assert_eq!(shop.deliver_orders(&messages).await, [""; 0]);
    assert_eq!(shop.decided(&ours).await["status"], "confirmed");
    assert_eq!(shop.decided(&theirs).await["rejection"]["type"], "/problems/idempotency-key-reused");
    assert_eq!(shop.units("tea").await, Units { available: 7, reserved: 0, sold: 2 });
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_do_not_wait_for_each_other_and_a_fault_stops_its_own_line_only() {
    let shop = Shop::without_order_consumer(&[("tea", 9), ("mug", 9)]).await;
    let flaky = Flaky::before(shop.stack().dynamodb_endpoint()).await;
    let branch = shop.branch(Some(&flaky.url)).await;
    let messages = [
        order_message("t1", "tea#own", &["tea=1"]),
        order_message("m1", "mug#own", &["mug=1"]),
        order_message_of("broken", "mug#own", &json!({ "kind": "gift" })),
        order_message("t2", "tea#own", &["tea=1"]),
        order_message("m2", "mug#own", &["mug=1"]),
    ];
    // The records of the tea's line cannot be written.
    let id = |key: &str| ReservationId::derive(&Caller::new("local"), &key.parse().unwrap());
    let (first, second) = (id("t1").to_string(), id("t2").to_string());
    flaky.judge_bodies(move |operation, body| {
        let tea = body.contains(&first) || body.contains(&second);
        if operation == "PutItem" && tea { Fate::Fail } else { Fate::Pass }
    });
    let mut failed = branch.deliver_orders(&messages).await;
    failed.sort_by_key(ToString::to_string);
    assert_eq!(failed, ["broken", "t1", "t2"]);
    assert_eq!(shop.units("mug").await, Units { available: 7, reserved: 0, sold: 2 });
    flaky.heal();
    assert_eq!(branch.deliver_orders(&messages).await, ["broken"]);
    assert_eq!(shop.units("tea").await, Units { available: 7, reserved: 0, sold: 2 });
    assert_eq!(shop.units("mug").await, Units { available: 7, reserved: 0, sold: 2 });
    branch.leave().await;
    shop.close().await;
}

/// The consumer dies after each of its writes in turn, and its messages come again, to another process; once behind others, once after
/// the window in which SQS remembers duplicates, once after their holds have ended.
#[tokio::test(flavor = "multi_thread")]
async fn a_batch_dies_after_any_of_its_writes() {
    let shop = Shop::without_order_consumer(&[("tea", 60), ("mug", 60)]).await;
    let flaky = Flaky::before(shop.stack().dynamodb_endpoint()).await;
    let mut sold = Units { available: 60, reserved: 0, sold: 0 };
    for wait_seconds in [1, 301, 1_000] {
        for survives in 0..6_u32 {
            let branch = shop.branch(Some(&flaky.url)).await;
            let key = |n: u32| format!("{wait_seconds}-{survives}-{n}");
            // Two buckets and three records.
            let batch = [
                order_message(&key(0), "tea#own", &["tea=1"]),
                order_message(&key(1), "tea#own", &["mug=1", "tea=1"]),
                order_message(&key(2), "tea#own", &["tea=1"]),
            ];
            let mut number = 0;
            flaky.judge(move |operation| {
                let writes = ["UpdateItem", "PutItem"].contains(&operation);
                number += u32::from(writes);
                if writes && number > survives { Fate::Fail } else { Fate::Pass }
            });
            let failed = branch.deliver_orders(&batch).await;
            assert!(failed.is_empty() == (survives >= 5), "{survives}: {failed:?}");
            flaky.heal();
            branch.leave().await;
            shop.advance(wait_seconds).await;
            let other = shop.branch(None).await;
            assert_eq!(other.deliver_orders(&batch).await, [""; 0]);
            assert_eq!(other.deliver_orders(&batch).await, [""; 0], "and once more");
            other.leave().await;
            sold = Units { available: sold.available - 3, sold: sold.sold + 3, ..sold };
            assert_eq!(shop.units("tea").await, sold, "{wait_seconds} s later, died after {survives}");
            shop.audit(false).await;
        }
    }
    assert_eq!(shop.units("mug").await.sold, 18);
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poison_message_is_set_aside_and_the_others_go_on() {
    let shop = Shop::with(&[("tea", 9)]).await;
    // What no order of ours looks like, in the line of an order that is.
    let sqs = aws_sdk_sqs::Client::new(&runtime::aws::local(shop.stack().sqs_endpoint()));
    let urls = sqs.list_queues().send().await.unwrap().queue_urls.unwrap();
    let url = |name: &str| urls.iter().find(|url| url.contains(name)).unwrap().clone();
    let send = sqs.send_message().queue_url(url("OrderQueue")).message_body("{}");
    send.message_group_id("tea#own").message_deduplication_id("poison").send().await.unwrap();
    let behind = shop.queue(&[("tea", 2)]).await.expect(202);
    assert_eq!(shop.decided(&behind.id()).await["status"], "confirmed");
    let mut dead = None;
    for _ in 0..400 {
        let found = sqs.receive_message().queue_url(url("OrderDeadLetters")).wait_time_seconds(1).send().await.unwrap();
        dead = found.messages().first().cloned();
        if dead.is_some() {
            break;
        }
    }
    assert_eq!(dead.expect("a dead letter").body(), Some("{}"));
    shop.close().await;
}
