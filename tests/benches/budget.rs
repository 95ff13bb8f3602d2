//! What the protocol costs, against the least that any protocol could: `cargo bench -p holdfast-tests --bench budget`.
//!
//! In one run, against one engine, in turns: the whole `reserve` handler, and the two bare SDK writes that it cannot do without
//! (the same update and the same item, without any condition, parsing or decision). Prints the medians and their ratio, and the
//! requests and write capacity units of every call on a shopper's path, as the engine counts them. Exits with 1 when a count is
//! over its budget; the ratio depends on what else the machine does, and is for a person to read.

mod meter;

use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

use aws_sdk_dynamodb::{
    Client,
    types::{AttributeValue, ReturnValue},
};
use holdfast::local::{Options, Stack};
use http::testing::Sample;
use runtime::{App, Orders, Timers};
use store::Store;

use self::meter::{Budget, Meter};

/// Measured pairs, after as many again to warm up.
const ROUNDS: usize = 400;

/// The handler's median may be this much above that of the bare writes.
const MAX_RATIO: f64 = 1.2;

#[tokio::main]
async fn main() -> ExitCode {
    let stack = Stack::start(Options::default()).await.expect("the local stack starts");
    let meter = Meter::default();
    let config = runtime::aws::local(stack.dynamodb_endpoint());
    let metered = aws_sdk_dynamodb::config::Builder::from(&config).interceptor(meter.clone()).build();
    let app = |client| {
        App::new(
            Store::new(client, stack.table(), stack.app().clock.clone()),
            Timers::none(),
            Orders::none(),
            stack.app().clock.clone(),
        )
    };
    let plain = Client::new(&config);

    stock_up(stack.app(), "paced", 1_000_000).await;
    stock_up(stack.app(), "counted", 1_000).await;
    let counted = counts(&app(Client::from_conf(metered)), &meter).await;
    pace(&app(plain.clone()), &plain, stack.table()).await;
    stack.shutdown().await;
    if counted { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn stock_up(app: &App, sku: &str, units: u64) {
    let put = Sample::new("PUT /v1/stock/{sku}").path("sku", sku).body("{}").request();
    assert_eq!(stock::handle(app, &put).await.status(), 201);
    let body = format!(r#"{{"kind":"receive","quantity":{units},"reason":"benchmark"}}"#);
    let receipt =
        Sample::new("POST /v1/stock/{sku}/movements").path("sku", sku).header("Idempotency-Key", sku).body(&body);
    assert_eq!(stock::handle(app, &receipt.request()).await.status(), 201);
}

/// Counts what each call on a shopper's path costs, and compares it with its budget.
async fn counts(app: &App, meter: &Meter) -> bool {
    println!("{:<34}{:>8}{:>8}{:>8}", "call", "writes", "reads", "WCU");
    let mut kept = true;
    let mut line = |call: &str, budget: Budget| {
        let used = meter.take();
        let within = used.0 <= budget.0 && used.1 <= budget.1 && used.2 <= budget.2;
        println!("{call:<34}{:>8}{:>8}{:>8}{}", used.0, used.1, used.2, if within { "" } else { "  over budget" });
        kept &= within;
    };
    let id = reserve(app, "k1", r#"{"lines":[{"sku":"counted","quantity":1}]}"#, 201).await;
    line("reserve, one line", (2, 0, 2.0));
    let path = |route: &str, id: &str| Sample::new(route).path("id", id).request();
    assert_eq!(confirm::handle(app, &path("POST /v1/reservations/{id}/confirm", &id)).await.status(), 200);
    line("confirm, one line", (1, 0, 1.0));
    let two = r#"{"lines":[{"sku":"counted","quantity":1},{"sku":"paced","quantity":1}]}"#;
    let id = reserve(app, "k2", two, 201).await;
    line("reserve, two lines", (3, 0, 3.0));
    assert_eq!(confirm::handle(app, &path("POST /v1/reservations/{id}/confirm", &id)).await.status(), 200);
    line("confirm, two lines", (1, 0, 1.0));
    let id = reserve(app, "k3", r#"{"lines":[{"sku":"counted","quantity":1}]}"#, 201).await;
    meter.take();
    assert_eq!(cancel::handle(app, &path("POST /v1/reservations/{id}/cancel", &id)).await.status(), 200);
    line("cancel, one line", (2, 0, 2.0));
    // Whether the channel may borrow is asked for the first refusal of a while, and known for the next ones.
    reserve(app, "k4", r#"{"lines":[{"sku":"paced","quantity":1000000}]}"#, 409).await;
    meter.take();
    reserve(app, "k5", r#"{"lines":[{"sku":"counted","quantity":1000}]}"#, 409).await;
    // DynamoDB bills the refused write as one unit, though its answer does not say so.
    line("reserve, refused", (1, 1, 1.0));
    kept
}

async fn reserve(app: &App, key: &str, body: &str, status: i64) -> String {
    let request = Sample::new("POST /v1/reservations").header("Idempotency-Key", key).body(body).request();
    let response = reserve::handle(app, &request).await;
    assert_eq!(i64::from(response.status()), status, "{key}");
    let location = response.header("Location").unwrap_or_default();
    location.rsplit('/').next().unwrap_or_default().to_owned()
}

/// Times the handler and the bare writes in turns.
async fn pace(app: &App, client: &Client, table: &str) {
    let (mut ours, mut bare) = (Vec::new(), Vec::new());
    for round in 0..2 * ROUNDS {
        let key = format!("p{round}");
        let body = r#"{"lines":[{"sku":"paced","quantity":1}]}"#;
        let started = now();
        let id = reserve(app, &key, body, 201).await;
        let handler = now() - started;
        // The bucket is emptied again, so that its size is the same in every round.
        let let_go = Sample::new("POST /v1/reservations/{id}/cancel").path("id", &id).request();
        assert_eq!(cancel::handle(app, &let_go).await.status(), 200);

        let started = now();
        bare_writes(client, table, &id, round).await;
        let least = now() - started;
        if round >= ROUNDS {
            ours.push(handler);
            bare.push(least);
        }
    }
    let (ours, bare) = (median(ours), median(bare));
    let ratio = ours.as_secs_f64() / bare.as_secs_f64();
    println!(
        "\nmedian of {ROUNDS}: reserve handler {ours:?}, two bare writes {bare:?}, ratio {ratio:.2} (at most {MAX_RATIO})"
    );
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
fn now() -> Instant {
    Instant::now()
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

/// The update and the item of a reservation of one line, as large as the real ones.
async fn bare_writes(client: &Client, table: &str, id: &str, round: usize) {
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let number = |number: usize| AttributeValue::N(number.to_string());
    client
        .update_item()
        .table_name(table)
        .key("pk", text("bare"))
        .update_expression("SET a = :a, h = :h")
        .expression_attribute_values(":a", number(1_000_000 - round))
        .expression_attribute_values(":h", AttributeValue::M([(id.to_owned(), text("1@1800000900"))].into()))
        .return_values(ReturnValue::AllNew)
        .send()
        .await
        .expect("an update");
    client
        .put_item()
        .table_name(table)
        .item("pk", text(&format!("bare-{round}")))
        .item("status", text("active"))
        .item("kind", text("reservation"))
        .item("channel", text("own"))
        .item("lines", AttributeValue::L(vec![text("paced=1")]))
        .item("alloc", AttributeValue::L(vec![text("paced#own=1@1800000900")]))
        .item("created_at", number(1_800_000_000))
        .item("expires_at", number(1_800_000_900))
        .item("ttl", number(1_800_087_300))
        .item("fingerprint", text(id))
        .item("ext", AttributeValue::M([].into()))
        .send()
        .await
        .expect("a put");
}
