//! What is sold before it comes: promised once, in order, and kept.

use domain::time::Day;
use serde_json::{Value, json};

use super::{at_noon, date, next};
use crate::{
    replenishment::reorder,
    support::{Answer, Api, Call, PATIENCE, Shop, Units},
};

/// A shop with so much tea, of which so much more comes in a week and may be sold; and which order brings it.
async fn promising(here: u64, to_come: u64) -> (Shop, Day, String) {
    let shop = Shop::with(&[("tea", here)]).await;
    let today = at_noon(&shop).await;
    reorder(&shop, "tea", &json!({ "backorder": true })).await;
    let order = ordered(&shop, to_come, today.plus_days(7)).await;
    (shop, today, order)
}

async fn ordered(shop: &Shop, units: u64, on: Day) -> String {
    shop.purchase(&[("tea", units)], &json!({ "send": true, "expected_on": date(on) })).await.expect(201).id()
}

/// A request for tea that accepts a backorder.
fn accepting(api: &Api, path: &str, units: u64) -> Call {
    api.post(path, &json!({ "lines": [{ "sku": "tea", "quantity": units }], "accept_backorder": true }))
}

fn promise(api: &Api, units: u64) -> Call {
    accepting(api, "/v1/reservations", units)
}

/// What of the only line of an answer is backordered, and when it comes.
fn backordered(answer: &Answer) -> (Option<u64>, Option<String>) {
    let line = &answer["lines"][0];
    (line["backordered"].as_u64(), line["expected_at"].as_str().map(str::to_owned))
}

/// The first second of a day, as the API shows it.
#[expect(clippy::unnecessary_wraps, reason = "it is compared with what may be absent")]
fn morning(day: Day) -> Option<String> {
    Some(format!("{}T00:00:00Z", date(day)))
}

/// Who waits: whose, how many, when they come, and whether something brings them.
async fn waiting(shop: &Shop) -> Vec<(String, u64, Option<String>, bool)> {
    let answer = shop.get("/v1/backorders?sku=tea").await.expect(200);
    let shown = |item: &Value| {
        let expected_at = item["expected_at"].as_str().map(str::to_owned);
        let id = item["reservation_id"].as_str().unwrap().to_owned();
        (id, item["quantity"].as_u64().unwrap(), expected_at, !item["uncovered"].as_bool().unwrap())
    };
    answer.items().iter().map(shown).collect()
}

fn units(available: u64, reserved: u64, sold: u64) -> Units {
    Units { available, reserved, sold }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_promised_to_whoever_accepts_it_and_no_more_than_comes() {
    let (shop, today, order) = promising(2, 10).await;
    let week = today.plus_days(7);
    shop.reserve(&[("tea", 3)]).await.expect_problem(409, "insufficient-stock");
    let held = promise(&shop, 5).key("first").await.expect(201);
    assert_eq!((held["lines"][0]["quantity"].as_u64(), backordered(&held)), (Some(5), (Some(3), morning(week))));
    assert_eq!(next(&shop, "tea").await.map(|(at, _, units)| (Some(at), units)), Some((morning(week), 7)));
    let short = promise(&shop, 8).await.expect_problem(409, "insufficient-stock");
    assert!(short.text.contains('7'), "{}", short.text);
    shop.audit(false).await;
    // The same request is the same reservation, and the same words without the last are another request.
    let again = promise(&shop, 5).key("first").await.expect(201);
    assert!(again.is_replayed());
    assert_eq!((again.id(), backordered(&again)), (held.id(), backordered(&held)));
    shop.reserve(&[("tea", 5)]).key("first").await.expect_problem(422, "idempotency-key-reused");
    let whole = promise(&shop, 1).await.expect(201);
    shop.cancel(&whole.id()).await.expect(200);
    let paid = shop.confirm(&held.id()).await.expect(200);
    assert_eq!(paid["lines"][0]["backordered"], 3);
    assert_eq!(backordered(&shop.reservation(&held.id()).await.expect(200)), (Some(3), morning(week)));
    assert_eq!(waiting(&shop).await, [(held.id(), 3, morning(week), true)]);
    let listed = shop.get("/v1/backorders").await.expect(200);
    let brought_by = &listed.items()[0]["purchase_orders"];
    assert_eq!(*brought_by, json!([{ "id": order, "quantity": 3, "expected_on": date(week) }]));
    assert_eq!(shop.units("tea").await, units(0, 0, 2), "what is to come is in no stock");
    assert_eq!(shop.stock("tea").await["on_hand"], 0);
    assert_eq!(shop.get("/v1/stock").await.expect(200).items().len(), 1);
    assert_eq!(shop.quotas("tea").await.expect(200)["pools"].as_array().unwrap().len(), 1);
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_is_promised_at_once_or_in_its_turn() {
    let (shop, today, _) = promising(1, 4).await;
    let week = today.plus_days(7);
    let sold = accepting(&shop, "/v1/orders", 2).await.expect(201);
    assert_eq!(backordered(&sold), (Some(1), morning(week)));
    let queued = accepting(&shop, "/v1/orders", 3).header("Prefer", "respond-async").await.expect(202).id();
    let decided = shop.decided(&queued).await;
    assert_eq!((&decided["status"], backordered(&decided)), (&json!("confirmed"), (Some(3), morning(week))));
    let late = accepting(&shop, "/v1/orders", 1).header("Prefer", "respond-async").await.expect(202).id();
    assert_eq!(shop.decided(&late).await["rejection"]["type"], "/problems/insufficient-stock");
    shop.order(&[("tea", 1)]).await.expect_problem(409, "insufficient-stock");
    let waiting: Vec<u64> = waiting(&shop).await.into_iter().map(|(_, units, ..)| units).collect();
    assert_eq!(waiting.iter().sum::<u64>(), 4);
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn those_who_wait_hear_of_a_day_that_slips() {
    let (shop, today, first) = promising(0, 3).await;
    let second = ordered(&shop, 3, today.plus_days(8)).await;
    let one = promise(&shop, 2).await.expect(201).id();
    shop.advance(1).await;
    let two = promise(&shop, 2).await.expect(201).id();
    let expected = async |id: &str| backordered(&shop.reservation(id).await.expect(200)).1;
    assert_eq!(
        (expected(&one).await, expected(&two).await),
        (morning(today.plus_days(7)), morning(today.plus_days(8)))
    );
    assert_eq!(next(&shop, "tea").await.map(|(_, days, units)| (days, units)), Some((8, 2)));
    let slips = json!({ "expected_on": date(today.plus_days(20)) });
    shop.step(&first, "acknowledge", &slips).await.expect(200);
    let twenty = morning(today.plus_days(20));
    assert_eq!((expected(&one).await, expected(&two).await), (morning(today.plus_days(8)), twenty.clone()));
    assert_eq!(waiting(&shop).await[1], (two.clone(), 2, twenty, true));
    let listed = shop.get("/v1/backorders").await.expect(200);
    let orders: Vec<&Value> =
        listed.items()[1]["purchase_orders"].as_array().unwrap().iter().map(|part| &part["id"]).collect();
    assert_eq!(orders, [&json!(second), &json!(first)]);
    assert_eq!(next(&shop, "tea").await.map(|(_, days, units)| (days, units)), Some((20, 2)));
    shop.audit(false).await;
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_canceled_order_was_to_bring_is_promised_by_the_next() {
    let (shop, today, first) = promising(0, 5).await;
    let held = promise(&shop, 4).await.expect(201).id();
    shop.confirm(&held).await.expect(200);
    shop.step(&first, "cancel", &json!({})).await.expect(200);
    assert_eq!(waiting(&shop).await, [(held.clone(), 4, None, false)]);
    assert_eq!(backordered(&shop.reservation(&held).await.expect(200)), (Some(4), None));
    let shortfalls = shop.get("/v1/shortfalls").await.expect(200);
    let shortfall = &shortfalls.items()[0];
    assert_eq!((&shortfall["channel"], &shortfall["quantity"]), (&json!("incoming"), &json!(4)));
    assert_eq!(shortfall["reason"], format!("purchase order {first}"));
    promise(&shop, 1).await.expect_problem(409, "insufficient-stock");
    shop.audit(false).await;
    let position = shop.get("/v1/stock/tea/replenishment").await.expect(200)["stock"].clone();
    assert_eq!((&position["position"], &position["backordered"]), (&json!(-4), &json!(4)));
    // A draft promises nothing; sent, it brings first what is owed.
    let more = json!({ "expected_on": date(today.plus_days(9)) });
    let next_order = shop.purchase(&[("tea", 6)], &more).await.expect(201).id();
    assert_eq!(waiting(&shop).await, [(held.clone(), 4, None, false)]);
    shop.step(&next_order, "send", &json!({})).await.expect(200);
    assert_eq!(waiting(&shop).await, [(held.clone(), 4, morning(today.plus_days(9)), true)]);
    assert_eq!(next(&shop, "tea").await.map(|(_, days, units)| (days, units)), Some((9, 2)));
    shop.audit(false).await;
    shop.receive(&next_order, &[("tea", 6)]).await.expect(200);
    assert_eq!((shop.units("tea").await.available, waiting(&shop).await), (2, vec![]));
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_serves_those_who_wait_before_anybody_else() {
    let (shop, _, order) = promising(0, 10).await;
    let held = promise(&shop, 6).await.expect(201).id();
    shop.confirm(&held).await.expect(200);
    shop.receive(&order, &[("tea", 4)]).await.expect(200);
    assert_eq!((shop.units("tea").await, waiting(&shop).await[0].1), (units(0, 0, 0), 2));
    shop.audit(false).await;
    let part = shop.receive(&order, &[("tea", 6)]).key("rest").await.expect(200);
    assert_eq!(part["status"], "received");
    assert!(shop.receive(&order, &[("tea", 6)]).key("rest").await.expect(200).is_replayed());
    assert_eq!((shop.units("tea").await.available, waiting(&shop).await), (4, vec![]));
    assert_eq!(backordered(&shop.reservation(&held).await.expect(200)), (Some(6), None), "it has come");
    let movements = shop.get("/v1/stock/tea/movements").await.expect(200);
    let received: Vec<(i64, i64)> = movements
        .items()
        .iter()
        .map(|movement| (movement["quantity"].as_i64().unwrap(), movement["delta"].as_i64().unwrap()))
        .collect();
    assert!(received.contains(&(4, 0)) && received.contains(&(6, 4)), "{received:?}");
    let followed = shop.get("/v1/stock/tea/movements?channel=incoming").await.expect(200);
    let delta: i64 = followed.items().iter().map(|movement| movement["delta"].as_i64().unwrap()).sum();
    assert_eq!((followed.items()[0]["kind"].as_str(), delta), (Some("expect"), 6));
    let report = shop.close().await;
    assert_eq!((report.free, report.incoming, report.sold), (4, 0, 6));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_pays_for_comes_back_before_it_has_come_and_after() {
    let (shop, _, order) = promising(0, 5).await;
    promise(&shop, 5).await.expect(201);
    promise(&shop, 1).await.expect_problem(409, "insufficient-stock");
    shop.advance(901).await;
    let held = promise(&shop, 5).await.expect(201).id();
    shop.receive(&order, &[("tea", 5)]).await.expect(200);
    assert_eq!((shop.units("tea").await.available, waiting(&shop).await), (0, vec![]));
    shop.audit(false).await;
    shop.cancel(&held).await.expect(200);
    // The table's stream tells of it.
    let is_stock = async {
        while shop.units("tea").await.available < 5 {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, is_stock).await.expect("it is sold to anybody");
    shop.reserve(&[("tea", 5)]).await.expect(201);
    let report = shop.close().await;
    assert_eq!((report.free, report.incoming), (5, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_names_what_is_to_come() {
    let (shop, _, _) = promising(3, 5).await;
    let receipt = json!({ "kind": "receive", "quantity": 1, "reason": "x" });
    let line = json!([{ "sku": "tea", "quantity": 1 }]);
    let order = json!({ "supplier": "x", "channel": "incoming", "lines": line });
    let wrong = [
        shop.put("/v1/stock/tea?channel=incoming", &json!({})),
        shop.get("/v1/stock/tea?channel=incoming"),
        shop.post("/v1/stock/tea/movements?channel=incoming", &receipt),
        shop.transfer("tea", "own", "incoming", 1),
        shop.transfer("tea", "incoming", "own", 1),
        shop.put_quotas("tea", &[("incoming", 1)]),
        shop.put_rule("tea", &json!({ "weights": { "incoming": 1, "own": 1 }, "trigger_below": 1 })),
        shop.put_channel("incoming", &json!({ "kind": "own" })),
        shop.get("/v1/stock/tea/explain?channel=incoming"),
        shop.get("/v1/availability?sku=tea&channel=incoming"),
        shop.post("/v1/reservations", &json!({ "channel": "incoming", "lines": line })),
        shop.order_in("incoming", &[("tea", 1)]),
        shop.post("/v1/purchase-orders", &order),
    ];
    for call in wrong {
        call.await.expect_problem(400, "invalid-request");
    }
    // All that is free is divided, and what is to come is no part of it.
    shop.put("/v1/stock/tea/quotas", &json!({ "channels": {}, "reason": "all" })).await.expect(200);
    shop.put_quotas("tea", &[("ebay", 2)]).await.expect(200);
    assert_eq!(next(&shop, "tea").await.map(|(_, _, units)| units), Some(5));
    let report = shop.close().await;
    assert_eq!((report.free, report.incoming), (3, 5));
}
