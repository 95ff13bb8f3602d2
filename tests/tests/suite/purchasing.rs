//! What is ordered from suppliers: on its way once, on the shelf once, and shoppers hear when.

mod backorders;
mod erp;

use domain::time::{Clock, Day};
use http::Date;
use serde_json::{Value, json};

use crate::support::{Shop, at_once};

/// Turns the clock to the next noon, so that no test runs through midnight, and says which day that is.
async fn at_noon(shop: &Shop) -> Day {
    let now = shop.stack().clock().now();
    let tomorrow = Day::of(now).plus_days(1);
    shop.advance(tomorrow.begins_at().plus_seconds(12 * 60 * 60).seconds_since(now)).await;
    tomorrow
}

fn date(day: Day) -> String {
    Date(day).to_string()
}

/// When the next of a SKU come: the day, in how many days that is, and how many they are.
async fn next(shop: &Shop, sku: &str) -> Option<(String, u64, u64)> {
    let answer = shop.availability(&[sku]).await.expect(200);
    let item = &answer.items()[0];
    let named = ["expected_at", "available_in_days", "incoming"].map(|name| item.get(name).is_some());
    assert!(named == [true; 3] || named == [false; 3], "all of it or nothing: {item}");
    let number = |name: &str| item[name].as_u64().unwrap();
    item.get("expected_at").map(|at| (at.as_str().unwrap().to_owned(), number("available_in_days"), number("incoming")))
}

/// The lines of an order: SKU, ordered, received, on its way.
fn lines(order: &Value) -> Vec<(&str, u64, u64, u64)> {
    let number = |line: &Value, name: &str| line[name].as_u64().unwrap();
    let lines = order["lines"].as_array().unwrap().iter();
    lines
        .map(|line| {
            (
                line["sku"].as_str().unwrap(),
                number(line, "quantity"),
                number(line, "received"),
                number(line, "on_order"),
            )
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn shoppers_hear_that_it_comes_in_7_days_and_nothing_more_once_it_is_canceled() {
    let shop = Shop::with(&[("tea", 0), ("milk", 5)]).await;
    let today = at_noon(&shop).await;
    let due = date(today.plus_days(7));
    let draft = shop.purchase(&[("tea", 12)], &json!({ "expected_on": due })).await.expect(201).id();
    assert_eq!(next(&shop, "tea").await, None, "a draft is on nobody's way");
    shop.step(&draft, "send", &json!({})).await.expect(200);
    assert_eq!(next(&shop, "tea").await, Some((format!("{due}T00:00:00Z"), 7, 12)));
    assert_eq!(next(&shop, "milk").await, None);
    // The same whichever channel asks, for nothing of it is in one yet.
    let answer = shop.get("/v1/availability?sku=tea").await.expect(200);
    assert_eq!((&answer.items()[0]["available"], &answer.items()[0]["in_stock"]), (&json!(0), &json!(false)));
    shop.step(&draft, "cancel", &json!({})).await.expect(200);
    assert_eq!(next(&shop, "tea").await, None);
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_date_that_slips_is_the_one_that_shoppers_hear() {
    let shop = Shop::with(&[("tea", 0)]).await;
    let today = at_noon(&shop).await;
    let later = |days| date(today.plus_days(days));
    let more = json!({ "expected_on": later(7), "send": true });
    let first = shop.purchase(&[("tea", 12)], &more).await.expect(201).id();
    let second = shop.purchase(&[("tea", 5)], &json!({ "send": true })).await.expect(201).id();
    assert_eq!(next(&shop, "tea").await.unwrap().1, 7, "the other supplier has named no day");
    let slip = async |id: &str, days: u64| {
        let answer = shop.step(id, "acknowledge", &json!({ "expected_on": later(days) })).await.expect(200);
        assert_eq!(answer["expected_on"], later(days));
        answer
    };
    assert_eq!(slip(&first, 9).await["status"], "acknowledged");
    assert_eq!(next(&shop, "tea").await.map(|(_, days, units)| (days, units)), Some((9, 12)));
    slip(&second, 8).await;
    assert_eq!(next(&shop, "tea").await.map(|(_, days, units)| (days, units)), Some((8, 5)), "what comes first");
    slip(&first, 8).await;
    assert_eq!(next(&shop, "tea").await.map(|(_, days, units)| (days, units)), Some((8, 17)), "both on one day");
    // Time goes by; on the day it is due today, and after it nobody promises it any more.
    for (days, expected) in [(3, Some(5)), (5, Some(0)), (1, None)] {
        shop.advance(days * 24 * 60 * 60).await;
        assert_eq!(next(&shop, "tea").await.map(|(_, days, _)| days), expected);
    }
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_is_on_the_shelf_and_no_longer_on_its_way() {
    let shop = Shop::with(&[("tea", 1), ("milk", 0)]).await;
    let today = at_noon(&shop).await;
    let more = json!({
        "expected_on": date(today.plus_days(7)), "send": true, "currency": "EUR",
        "lines": [{ "sku": "tea", "quantity": 12, "unit_cost_minor": 450 }, { "sku": "milk", "quantity": 3, "unit_cost_minor": 99 }],
    });
    let order = shop.purchase(&[], &more).await.expect(201);
    assert_eq!((&order["total_minor"], &order["currency"]), (&json!(12 * 450 + 3 * 99), &json!("EUR")));
    let id = order.id();
    let part = shop.receive(&id, &[("tea", 5)]).await.expect(200);
    assert_eq!(
        (&part["status"], lines(&part.body)),
        (&json!("partially_received"), vec![("milk", 3, 0, 3), ("tea", 12, 5, 7)])
    );
    assert_eq!((shop.units("tea").await.available, next(&shop, "tea").await.unwrap().2), (6, 7));
    let listed = shop.get("/v1/purchase-orders?status=partially_received").await.expect(200);
    assert_eq!(listed.items(), std::slice::from_ref(&part.body));
    // One more than was ordered came, a second later: movements are listed by time.
    shop.advance(1).await;
    let all = shop.receive(&id, &[("milk", 3), ("tea", 8)]).await.expect(200);
    assert_eq!((&all["status"], lines(&all.body)), (&json!("received"), vec![("milk", 3, 3, 0), ("tea", 12, 13, 0)]));
    assert!(all.body.get("closed_at").is_some());
    assert_eq!((shop.units("tea").await.available, next(&shop, "tea").await), (14, None));
    let movements = shop.get("/v1/stock/tea/movements").await.expect(200);
    let newest = &movements.items()[0];
    assert_eq!((&newest["kind"], &newest["quantity"]), (&json!("receive"), &json!(8)));
    assert_eq!(newest["reason"], format!("purchase order {id}"));
    shop.receive(&id, &[("tea", 1)]).await.expect_problem(409, "wrong-status");
    let report = shop.close().await;
    assert_eq!((report.free, report.movements), (17, 4));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_is_booked_once_however_often_and_by_however_many_it_is_sent() {
    let shop = Shop::with(&[("tea", 0)]).await;
    let id = shop.purchase(&[("tea", 100)], &json!({ "send": true })).await.expect(201).id();
    let one = shop.receive(&id, &[("tea", 30)]);
    let same = at_once((0..8).map(|_| one.clone())).await;
    assert_eq!(same.iter().filter(|answer| !answer.is_replayed()).count(), 1);
    assert!(same.iter().all(|answer| answer.status == 200));
    assert_eq!(shop.units("tea").await.available, 30);
    shop.receive(&id, &[("tea", 31)]).key("other").await.expect(200);
    shop.receive(&id, &[("tea", 30)]).key("other").await.expect_problem(422, "idempotency-key-reused");
    // Several receivers at once, each with boxes of his own.
    let others = at_once((0..3).map(|_| shop.receive(&id, &[("tea", 13)]))).await;
    assert!(others.iter().all(|answer| answer.status == 200 && !answer.is_replayed()));
    assert_eq!(shop.purchase_order(&id).await["status"], "received");
    assert!(one.await.expect(200).is_replayed(), "told again after the end, it is still that receipt");
    let report = shop.close().await;
    assert_eq!((report.free, report.movements), (100, 5));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_is_made_once_and_says_where_it_is() {
    let shop = Shop::with(&[("tea", 0)]).await;
    let wanted = shop.purchase(&[("tea", 12)], &json!({ "send": true }));
    let made = at_once((0..6).map(|_| wanted.clone())).await;
    assert!(made.iter().all(|answer| answer.status == 201 && answer.body == made[0].body));
    assert_eq!(made.iter().filter(|answer| !answer.is_replayed()).count(), 1);
    let path = made[0].header("location").unwrap();
    assert_eq!(shop.get(path).await.expect(200).body, made[0].body);
    assert_eq!(shop.get("/v1/purchase-orders").await.items().len(), 1);
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_says_which_line_is_at_fault() {
    let shop = Shop::with(&[("tea", 0), ("milk", 0)]).await;
    let unknown = shop.purchase(&[("tea", 1), ("coffee", 1)], &json!({})).await.expect_problem(404, "unknown-sku");
    assert_eq!(unknown.fields(), ["lines[1].sku"]);
    let twice = json!({ "lines": [{ "sku": "tea", "quantity": 1 }, { "sku": "tea", "quantity": 1 }] });
    assert_eq!(shop.purchase(&[], &twice).await.expect(400).fields(), ["lines[1].sku"]);
    let id = shop.purchase(&[("tea", 1)], &json!({ "send": true })).await.expect(201).id();
    let foreign = shop.receive(&id, &[("tea", 1), ("milk", 1)]).await.expect_problem(400, "invalid-request");
    assert_eq!(foreign.fields(), ["lines[1].sku"]);
    let draft = shop.purchase(&[("tea", 1)], &json!({})).await.expect(201).id();
    let early = shop.receive(&draft, &[("tea", 1)]).await.expect_problem(409, "wrong-status");
    assert_eq!(early["detail"], "The purchase order is a draft: it cannot receive units.");
    let report = shop.close().await;
    assert_eq!((report.free, report.movements), (0, 0), "nothing of it was booked");
}
