//! Reordering: what sells is counted once, the numbers follow, one alert says when it is time, and it orders once.

use std::{sync::Arc, time::Duration};

use domain::time::{Clock, DAY_SECONDS, Day};
use http::Date;
use runtime::App;
use serde_json::{Value, json};
use store::{Store, StoredItem};

use crate::support::{Answer, Fate, Flaky, Shop};

/// How often the service is asked whether it has caught up with the table's stream: for ten seconds.
const MAX_LOOKS: u32 = 200;

/// The pause in between.
const PAUSE: Duration = Duration::from_millis(50);

pub(crate) fn today(shop: &Shop) -> Day {
    Day::of(shop.stack().clock().now())
}

/// Says that ten were sold on each day of the window.
pub(crate) async fn ten_a_day(shop: &Shop, sku: &str) {
    let days = (1..=28).map(|ago| Date(today(shop).minus_days(ago)).to_string());
    let days: Vec<Value> = days.map(|date| json!({ "date": date, "units": 10 })).collect();
    shop.put(&format!("/v1/stock/{sku}/sales"), &json!({ "days": days })).await.expect(200);
}

/// Sets the terms of a SKU: seven days, and these besides.
pub(crate) async fn reorder(shop: &Shop, sku: &str, more: &Value) -> Answer {
    let mut body = json!({ "lead_time_days": 7, "safety_stock": { "percent": 20 } });
    for (name, value) in more.as_object().expect("an object") {
        body[name] = value.clone();
    }
    let answer = shop.put(&format!("/v1/stock/{sku}/replenishment"), &body).await;
    assert!(matches!(answer.status, 200 | 201), "{}", answer.text);
    answer
}

/// The answer to a question, once it is as it must be.
async fn once(shop: &Shop, path: &str, is_so: impl Fn(&Answer) -> bool) -> Answer {
    for _ in 0..MAX_LOOKS {
        let answer = shop.get(path).await.expect(200);
        if is_so(&answer) {
            return answer;
        }
        tokio::time::sleep(PAUSE).await;
    }
    panic!("{path} is still {}", shop.get(path).await.text);
}

/// What was sold of a SKU today.
fn sold_today(answer: &Answer) -> u64 {
    answer["days"].as_array().and_then(|days| days.last()).map_or(0, |day| day["units"].as_u64().unwrap_or(0))
}

/// Delivers a message of the queue of looks, and says which parts of the batch have to come again.
pub(crate) async fn tell(app: &App, bodies: &[Value]) -> Vec<Value> {
    let record = |(n, body): (usize, &Value)| json!({ "messageId": n.to_string(), "body": body.to_string() });
    let records: Vec<Value> = bodies.iter().enumerate().map(record).collect();
    let answer = replenish::handle(app, json!({ "Records": records })).await.expect("a batch");
    answer["batchItemFailures"].as_array().expect("failures").clone()
}

async fn purchase_orders(shop: &Shop) -> Vec<domain::purchase::PurchaseOrder> {
    let orders = shop.everything().await.into_iter().filter_map(|item| match item {
        StoredItem::PurchaseOrder(order) => Some(*order),
        _ => None,
    });
    orders.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_missions_example_gives_70_and_84() {
    let shop = Shop::with(&[("tea", 500)]).await;
    ten_a_day(&shop, "tea").await;
    let plain = reorder(&shop, "tea", &json!({ "safety_stock": { "units": 0 } })).await.expect(201);
    assert_eq!(plain["reorder_point"]["units"], 70);
    let percent = reorder(&shop, "tea", &json!({})).await.expect(200);
    let point = &percent["reorder_point"];
    assert_eq!(
        (&point["units"], &point["lead_time_demand"], &point["safety_stock"]),
        (&json!(84), &json!(70.0), &json!(14.0))
    );
    assert_eq!(point["how"], "10 a day x 7 days + 20 % of that, rounded up");
    let demand = &percent["demand"];
    assert_eq!(
        (&demand["average_per_day"], &demand["days"], &demand["units_sold"]),
        (&json!(10.0), &json!(28), &json!(280))
    );
    assert_eq!(percent["stock"]["position"], 500);
    assert!(percent["order_quantity"].is_null() && percent["alert"].is_null());
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn days_out_of_stock_do_not_drag_the_average_down() {
    let shop = Shop::with(&[("tea", 0)]).await;
    ten_a_day(&shop, "tea").await;
    reorder(&shop, "tea", &json!({})).await;
    // Five days without a unit, and without a sale.
    for _ in 0..5 {
        shop.advance(DAY_SECONDS).await;
    }
    let found = shop.get("/v1/stock/tea/replenishment").await.expect(200);
    assert!(found["out_of_stock_since"].is_string());
    let average = found["demand"]["average_per_day"].as_f64().unwrap();
    assert!((average - 10.0).abs() < 0.6, "the first day was only in part out of stock: {average}");
    assert!(found["demand"]["days_in_stock"].as_f64().unwrap() < 24.0);
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sales_are_counted_once_however_often_the_stream_tells_of_them() {
    let shop = Shop::with(&[("tea", 100), ("milk", 100)]).await;
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(shop.order(&[("tea", 2), ("milk", 1)]).await.expect(201).id());
    }
    let held = shop.reserve(&[("tea", 3)]).await.expect(201).id();
    shop.confirm(&held).await.expect(200);
    ids.push(held);
    let never_paid = shop.reserve(&[("tea", 30)]).await.expect(201).id();
    once(&shop, "/v1/stock/tea/sales", |answer| sold_today(answer) == 13).await;
    once(&shop, "/v1/stock/milk/sales", |answer| sold_today(answer) == 5).await;
    // The same again, in two batches at once, as a stream brings them that goes back.
    ids.push(never_paid);
    let batch = [json!({ "sales": ids }), json!({ "sales": ids[..3] })];
    let app = shop.stack().app();
    let (first, second) = tokio::join!(tell(app, &batch), tell(app, &batch));
    assert_eq!((first, second), (vec![], vec![]));
    let counted = shop.get("/v1/stock/tea/sales").await.expect(200);
    assert_eq!(sold_today(&counted), 13);
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_dies_while_it_counts_counts_nothing_twice() {
    let shop = Shop::without_function("replenish", &[("tea", 100)]).await;
    let mut ids = Vec::new();
    for _ in 0..4 {
        ids.push(shop.order(&[("tea", 5)]).await.expect(201).id());
    }
    let flaky = Flaky::before(shop.stack().dynamodb_endpoint()).await;
    let dying = over(&shop, &flaky);
    flaky.judge(|operation| if operation == "TransactWriteItems" { Fate::Fail } else { Fate::Pass });
    assert_eq!(tell(&dying, &[json!({ "sales": ids[..2] })]).await.len(), 1, "it comes again");
    flaky.heal();
    assert_eq!(tell(&dying, &[json!({ "sales": ids[..2] })]).await, Vec::<Value>::new());
    assert_eq!(tell(&dying, &[json!({ "sales": ids })]).await, Vec::<Value>::new());
    assert_eq!(sold_today(&shop.get("/v1/stock/tea/sales").await.expect(200)), 20);
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_is_told_and_closes_once_units_have_come() {
    let shop = Shop::with(&[("tea", 100)]).await;
    ten_a_day(&shop, "tea").await;
    reorder(&shop, "tea", &json!({})).await;
    assert!(shop.get("/v1/alerts").await.expect(200).items().is_empty());
    shop.order(&[("tea", 16)]).await.expect(201);
    let open = once(&shop, "/v1/alerts?status=open", |answer| {
        answer.items().first().is_some_and(|alert| alert["told_at"].is_string())
    })
    .await;
    let alert = &open.items()[0];
    assert_eq!(
        (&alert["sku"], &alert["reorder_point"], &alert["stock"]["position"]),
        (&json!("tea"), &json!(84), &json!(84))
    );
    assert_eq!((&alert["order_quantity"], &alert["status"]), (&json!(140), &json!("open")));
    let found = shop.get("/v1/stock/tea/replenishment").await.expect(200);
    assert_eq!((&found["alert"], &found["order_quantity"]), (&alert["id"], &json!(140)));
    shop.movement("tea", "receive", 1).await.expect(201);
    let closed = once(&shop, "/v1/alerts?status=closed", |answer| !answer.items().is_empty()).await;
    assert_eq!(closed.items()[0]["id"], alert["id"]);
    // Without a status the open ones come first; here there is none.
    let all = shop.get("/v1/alerts?limit=1").await.expect(200);
    assert!(all.items().is_empty());
    let next = all["next_cursor"].as_str().expect("the closed ones follow");
    let next = shop.get(&format!("/v1/alerts?limit=1&cursor={next}")).await.expect(200);
    assert_eq!(next.items()[0]["id"], alert["id"]);
    assert!(purchase_orders(&shop).await.is_empty(), "nobody asked for one");
    shop.close().await;
}

/// The same service, whose table is reached by a detour.
fn over(shop: &Shop, flaky: &Flaky) -> App {
    let client = aws_sdk_dynamodb::Client::new(&runtime::aws::local(&flaky.url));
    let store = Store::new(client, shop.stack().table(), Arc::new(shop.stack().clock().clone()));
    App { store, ..shop.stack().app().clone() }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_orders_once_wherever_its_function_dies() {
    for (dies_at, ordered_by_then) in [("TransactWriteItems", 0), ("UpdateItem", 1)] {
        let shop = Shop::without_function("replenish", &[("tea", 80)]).await;
        ten_a_day(&shop, "tea").await;
        let terms = json!({ "on_alert": "send", "supplier": "Leaf & Co", "unit_cost_minor": 450, "currency": "EUR" });
        let alert = reorder(&shop, "tea", &terms).await["alert"].clone();
        let told = [json!({ "alerts": [alert] })];
        let flaky = Flaky::before(shop.stack().dynamodb_endpoint()).await;
        let dying = over(&shop, &flaky);
        flaky.judge(move |operation| if operation == dies_at { Fate::Fail } else { Fate::Pass });
        for _ in 0..2 {
            assert_eq!(tell(&dying, &told).await.len(), 1, "it comes again");
            assert_eq!(purchase_orders(&shop).await.len(), ordered_by_then, "{dies_at}");
        }
        flaky.heal();
        let app = shop.stack().app();
        let (first, second) = tokio::join!(tell(app, &told), tell(app, &told));
        assert_eq!((first, second), (vec![], vec![]));
        // A tick, and the look that follows because more is on its way, change nothing either.
        replenish::handle(app, json!({})).await.expect("a tick");
        assert_eq!(tell(app, &[json!({ "skus": ["tea"] }), told[0].clone()]).await, Vec::<Value>::new());
        let orders = purchase_orders(&shop).await;
        assert_eq!(orders.len(), 1, "{dies_at}");
        assert_eq!(orders[0].lines.as_slice()[0].to_string(), "tea=144/0@450");
        assert_eq!(orders[0].expected_on, Some(today(&shop).plus_days(7)));
        let closed = shop.get("/v1/alerts?status=closed").await.expect(200);
        assert_eq!((closed.items().len(), &closed.items()[0]["id"]), (1, &alert), "enough is on its way");
        assert!(closed.items()[0]["told_at"].is_string());
        shop.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tick_acts_upon_an_alert_of_which_nobody_heard() {
    let shop = Shop::without_function("replenish", &[("tea", 84)]).await;
    ten_a_day(&shop, "tea").await;
    reorder(&shop, "tea", &json!({ "on_alert": "draft", "supplier": "Leaf & Co" })).await;
    for _ in 0..3 {
        replenish::handle(shop.stack().app(), json!({ "source": "aws.events" })).await.expect("a tick");
    }
    let orders = purchase_orders(&shop).await;
    assert_eq!(orders.iter().map(|order| order.status.word()).collect::<Vec<_>>(), ["draft"]);
    let open = shop.get("/v1/alerts").await.expect(200);
    assert!(open.items()[0]["told_at"].is_string(), "a draft is not on its way: {}", open.text);
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_an_alert_has_sent_closes_it_by_itself() {
    let shop = Shop::with(&[("tea", 200)]).await;
    ten_a_day(&shop, "tea").await;
    reorder(&shop, "tea", &json!({ "on_alert": "send", "supplier": "Leaf & Co", "pack_size": 24 })).await;
    shop.order(&[("tea", 120)]).await.expect(201);
    let closed = once(&shop, "/v1/alerts?status=closed", |answer| !answer.items().is_empty()).await;
    assert_eq!(closed.items().len(), 1);
    let orders = purchase_orders(&shop).await;
    assert_eq!(orders.len(), 1);
    assert_eq!(orders[0].lines.as_slice()[0].to_string(), "tea=144/0");
    let found = shop.get("/v1/stock/tea/replenishment").await.expect(200);
    assert_eq!((&found["stock"]["on_order"], &found["stock"]["position"]), (&json!(144), &json!(224)));
    shop.close().await;
}
