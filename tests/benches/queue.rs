//! What the order queue costs: `cargo bench -p holdfast-tests --bench queue`.
//!
//! The same orders for the same units, handed to the consumer one by one and in batches of ten as SQS would hand them over: each time
//! more orders than units, so that some are sold and the rest refused. Counts every request to DynamoDB until all is at rest, the
//! settling of the last sold holds included. Exits with 1 when a count is over its budget; times are for a person to read.

mod meter;

use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

use aws_sdk_dynamodb::Client;
use domain::{
    ids::{Caller, ReservationId},
    limits::MAX_HOLD_SECONDS,
    reservation::Reservation,
};
use holdfast::local::{Options, Stack};
use http::testing::Sample;
use runtime::{App, Orders, Timers};
use serde_json::{Value, json};
use store::{Store, StoredItem};

use self::meter::Meter;

/// Units of each SKU, and as many orders again that come too late.
const UNITS: usize = 500;

/// Writes for each order that is sold, at batch size ten. Two are the least without a queue: one that takes the units, one record.
const MAX_WRITES_PER_SALE: f64 = 1.2;

/// A refused order is its record.
const MAX_WRITES_PER_REFUSAL: f64 = 1.0;

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options { without: vec!["order-consumer".to_owned(), "expire".to_owned()], ..Options::default() };
    let stack = Stack::start(options).await.expect("the local stack starts");
    let meter = Meter::default();
    let config = runtime::aws::local(stack.dynamodb_endpoint());
    let metered = aws_sdk_dynamodb::config::Builder::from(&config).interceptor(meter.clone()).build();
    let clock = stack.app().clock.clone();
    let store = Store::new(Client::from_conf(metered), stack.table(), clock.clone());
    let app = App::new(store, Timers::none(), Orders::none(), clock);

    println!(
        "batch     sold  refused  orders/request  writes/sale  reads/sale  writes/refusal  reads/refusal  time/order"
    );
    let mut kept = true;
    for batch in [1, 10] {
        let line = run(&stack, &app, &meter, batch).await;
        let Line { sold, refused, sales, refusals, time, .. } = &line;
        println!(
            "{batch:>5}{sold:>9}{refused:>9}{:>16.2}{:>13.2}{:>12.2}{:>16.2}{:>15.2}{time:>12.1?}",
            line.orders_per_request(),
            each(sales.0),
            each(sales.1),
            each(refusals.0),
            each(refusals.1)
        );
        kept &= (*sold, *refused) == (UNITS, UNITS);
        kept &= batch == 1 || (each(sales.0) <= MAX_WRITES_PER_SALE && each(refusals.0) <= MAX_WRITES_PER_REFUSAL);
    }
    stack.shutdown().await;
    println!("budget at batch 10: {MAX_WRITES_PER_SALE} writes for a sale, {MAX_WRITES_PER_REFUSAL} for a refusal");
    if kept { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What one run came to.
struct Line {
    sold: usize,
    refused: usize,
    /// Writes and reads of all sales, the settling of their holds included.
    sales: (usize, usize),
    /// Writes and reads of all refusals.
    refusals: (usize, usize),
    /// Requests until the sales were recorded.
    deciding: usize,
    /// For an order.
    time: Duration,
}

impl Line {
    fn orders_per_request(&self) -> f64 {
        1.0 / each(self.deciding)
    }
}

async fn run(stack: &Stack, app: &App, meter: &Meter, batch: usize) -> Line {
    let sku = format!("batch{batch}");
    stock_up(stack.app(), &sku).await;
    meter.take();
    let started = now();
    deliver(app, &sku, "early", batch).await;
    let early = now() - started;
    let (writes, reads, _) = meter.take();
    let started = now();
    deliver(app, &sku, "late", batch).await;
    let late = now() - started;
    let (refusal_writes, refusal_reads, _) = meter.take();
    settle(stack, app, &sku).await;
    let (settled, looks, _) = meter.take();
    let (sold, refused) = decided(stack.app(), &sku).await;
    Line {
        sold,
        refused,
        sales: (writes + settled, reads + looks),
        refusals: (refusal_writes, refusal_reads),
        deciding: writes + reads,
        time: (early + late) / u32::try_from(2 * UNITS).unwrap_or(u32::MAX),
    }
}

/// Of so many requests, those for one order.
fn each(requests: usize) -> f64 {
    count(requests) / count(UNITS)
}

#[expect(clippy::cast_precision_loss, reason = "thousands")]
fn count(number: usize) -> f64 {
    number as f64
}

async fn stock_up(app: &App, sku: &str) {
    let put = Sample::new("PUT /v1/stock/{sku}").path("sku", sku).body("{}").request();
    assert_eq!(stock::handle(app, &put).await.status(), 201);
    let body = format!(r#"{{"kind":"receive","quantity":{UNITS},"reason":"benchmark"}}"#);
    let receipt =
        Sample::new("POST /v1/stock/{sku}/movements").path("sku", sku).header("Idempotency-Key", sku).body(&body);
    assert_eq!(stock::handle(app, &receipt.request()).await.status(), 201);
}

/// As many orders as there are units, for one each, in batches of this size.
async fn deliver(app: &App, sku: &str, prefix: &str, batch: usize) {
    let orders: Vec<Value> = (0..UNITS).map(|n| message(sku, &format!("{sku}-{prefix}-{n}"))).collect();
    for batch in orders.chunks(batch) {
        let answer = order_consumer::handle(app, json!({ "Records": batch })).await.expect("messages");
        assert_eq!(answer, json!({ "batchItemFailures": [] }));
    }
}

fn message(sku: &str, key: &str) -> Value {
    let id = ReservationId::derive(&Caller::new("local"), &key.parse().expect("a key"));
    let body = json!({ "kind": "order", "id": id.as_str(), "channel": "own", "lines": [format!("{sku}=1")] });
    let attributes = json!({ "MessageGroupId": format!("{sku}#own") });
    json!({ "messageId": key, "eventSource": "aws:sqs", "body": body.to_string(), "attributes": attributes })
}

/// Lets the times of all holds pass and counts them as sold, ten at a time, as the batches of the timer queue do.
async fn settle(stack: &Stack, app: &App, sku: &str) {
    stack.clock().advance(MAX_HOLD_SECONDS + 1).expect("the clock moves");
    for item in everything(stack.app()).await {
        if let StoredItem::Bucket(id, bucket) = item
            && id.stock.sku.as_str() == sku
        {
            let holds: Vec<_> = bucket.holds.into_iter().collect();
            for batch in holds.chunks(10) {
                app.store.resolve_all(&id, batch).await.expect("holds are resolved");
            }
        }
    }
}

async fn everything(app: &App) -> Vec<StoredItem> {
    let mut items = Vec::new();
    let mut pages = app.store.scan();
    while let Some(page) = pages.next_page().await.expect("the table can be read") {
        items.extend(page);
    }
    items
}

/// How many of the orders for this SKU were sold, and how many refused.
async fn decided(app: &App, sku: &str) -> (usize, usize) {
    let orders = everything(app).await.into_iter().filter_map(|item| match item {
        StoredItem::Reservation(order) => Some(order),
        _ => None,
    });
    let own = orders.filter(|order| order.lines.iter().any(|line| line.sku.as_str() == sku));
    let (sold, refused): (Vec<_>, Vec<_>) = own.partition(Reservation::keeps_its_holds);
    (sold.len(), refused.len())
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
fn now() -> Instant {
    Instant::now()
}
