//! The local stack as its users meet it: over HTTP, and as a process.

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_sqs::types::QueueAttributeName::ApproximateNumberOfMessagesDelayed;
use domain::time::Clock;
use holdfast::local::{Options, Stack};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use store::{StoredItem, stream::ArmedHold};

/// Waiting for what happens in the background ends here.
const PATIENCE: Duration = Duration::from_secs(10);

struct Shop {
    http: reqwest::Client,
    url: String,
}

impl Shop {
    fn at(url: &str) -> Self {
        // Another test of this process may have been first.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Self { http: reqwest::Client::new(), url: url.to_owned() }
    }

    async fn call(&self, method: Method, path: &str, key: &str, body: Value) -> (StatusCode, Value) {
        let request = self.http.request(method, format!("{}{path}", self.url)).body(body.to_string());
        let request = request.header("Content-Type", "application/json").header("Idempotency-Key", key);
        let answer = request.send().await.unwrap();
        let status = answer.status();
        (status, serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap_or(Value::Null))
    }

    async fn stock(&self, sku: &str, quantity: u32) {
        self.call(Method::PUT, &format!("/v1/stock/{sku}"), "", json!({})).await;
        let body = json!({"kind": "receive", "quantity": quantity, "reason": "test"});
        let (status, answer) = self.call(Method::POST, &format!("/v1/stock/{sku}/movements"), sku, body).await;
        assert_eq!(status, 201, "{answer}");
    }

    async fn reserve(&self, key: &str, sku: &str, quantity: u32) -> String {
        let body = json!({"lines": [{"sku": sku, "quantity": quantity}]});
        let (status, answer) = self.call(Method::POST, "/v1/reservations", key, body).await;
        assert_eq!(status, 201, "{answer}");
        answer["id"].as_str().unwrap().to_owned()
    }

    async fn advance(&self, seconds: u64) -> Value {
        let (status, answer) =
            self.call(Method::POST, "/_local/clock", "", json!({ "advance_seconds": seconds })).await;
        assert_eq!(status, 200, "{answer}");
        answer
    }
}

async fn everything(stack: &Stack) -> Vec<StoredItem> {
    let mut scan = stack.app().store.scan();
    let mut items = Vec::new();
    while let Some(page) = scan.next_page().await.unwrap() {
        items.extend(page);
    }
    items
}

async fn holds(stack: &Stack) -> Vec<ArmedHold> {
    let items = everything(stack).await;
    let holds = items.into_iter().flat_map(|item| match item {
        StoredItem::Bucket(bucket, content) => {
            content.holds.into_iter().map(|(id, hold)| ArmedHold { bucket: bucket.clone(), id, hold }).collect()
        }
        _ => Vec::new(),
    });
    holds.collect()
}

async fn eventually(what: &str, condition: impl AsyncFn() -> bool) {
    let waited = tokio::time::timeout(PATIENCE, async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    assert!(waited.await.is_ok(), "{what}");
}

#[tokio::test]
async fn moving_the_clock_gives_back_what_expired() {
    let stack = Stack::start(Options::default()).await.unwrap();
    let shop = Shop::at(stack.url());
    shop.stock("mug", 10).await;
    let id = shop.reserve("cart", "mug", 2).await;
    let before = stack.clock().now();
    let answer = shop.advance(901).await;
    assert!(answer["epoch_seconds"].as_u64().unwrap() >= before.epoch_seconds() + 901);
    // In the table itself: the API would show the units as free anyway.
    assert_eq!(holds(&stack).await, []);
    let (_, reservation) = shop.call(Method::GET, &format!("/v1/reservations/{id}"), "", Value::Null).await;
    assert_eq!(reservation["status"], "expired");
    stack.shutdown().await;
}

#[tokio::test]
async fn a_new_hold_gets_a_timer_and_the_timer_resolves_it() {
    let stack = Stack::start(Options::default()).await.unwrap();
    let shop = Shop::at(stack.url());
    shop.stock("mug", 10).await;
    shop.reserve("cart", "mug", 2).await;
    let sqs = aws_sdk_sqs::Client::new(&runtime::aws::local(stack.sqs_endpoint()));
    let queue = format!("{}/000000000000/holdfast-TimerQueue", stack.sqs_endpoint());
    eventually("the stream arms a timer", async || {
        let found = sqs.get_queue_attributes().queue_url(&queue);
        let found = found.attribute_names(ApproximateNumberOfMessagesDelayed).send().await.unwrap();
        found.attributes.unwrap()[&ApproximateNumberOfMessagesDelayed] == "1"
    })
    .await;

    // Only time moves, so that nothing but the message can resolve the hold.
    let now = stack.clock().advance(901).unwrap();
    stack.app().timers.arm(&holds(&stack).await, now).await.unwrap();
    eventually("the timer resolves the hold", async || holds(&stack).await.is_empty()).await;
}

#[tokio::test]
async fn time_to_live_removes_what_is_long_over() {
    let stack = Stack::start(Options::default()).await.unwrap();
    let shop = Shop::at(stack.url());
    shop.stock("mug", 10).await;
    let id = shop.reserve("cart", "mug", 2).await;
    let (status, _) = shop.call(Method::POST, &format!("/v1/reservations/{id}/cancel"), "cancel", json!({})).await;
    assert_eq!(status, 200);
    let reservations = async || {
        let items = everything(&stack).await;
        items.iter().filter(|item| matches!(item, StoredItem::Reservation(_))).count()
    };
    shop.advance(901).await;
    assert_eq!(reservations().await, 1);
    shop.advance(3 * 24 * 60 * 60).await;
    assert_eq!(reservations().await, 0);
}

#[tokio::test]
async fn the_removal_of_what_is_long_over_counts_as_dynamodbs_own() {
    let stack = Stack::start(Options::default()).await.unwrap();
    let shop = Shop::at(stack.url());
    shop.stock("mug", 10).await;
    let id = shop.reserve("cart", "mug", 2).await;
    // Only time moves, so that nothing but the stream's record of the removal can lead to the hold.
    stack.clock().advance(3 * 24 * 60 * 60).unwrap();
    let dynamodb = aws_sdk_dynamodb::Client::new(&runtime::aws::local(stack.dynamodb_endpoint()));
    let key = AttributeValue::S(format!("R#{id}"));
    dynamodb.delete_item().table_name(stack.table()).key("pk", key).send().await.unwrap();
    eventually("the hold is given back", async || holds(&stack).await.is_empty()).await;
}

#[tokio::test]
async fn the_gateway_refuses_in_its_own_words() {
    let stack = Stack::start(Options::default()).await.unwrap();
    let shop = Shop::at(stack.url());
    for (method, path) in [(Method::GET, "/v2"), (Method::DELETE, "/v1/stock/mug"), (Method::HEAD, "/v1/stock")] {
        let (status, _) = shop.call(method.clone(), path, "", Value::Null).await;
        assert_eq!(status, 404, "{method} {path}");
    }
    let (_, answer) = shop.call(Method::GET, "/v2", "", Value::Null).await;
    assert_eq!(answer, json!({"message": "Not Found"}));
    let (status, answer) = shop.call(Method::POST, "/v1/orders", "k", json!("x".repeat(11 << 20))).await;
    assert_eq!((status, answer), (StatusCode::PAYLOAD_TOO_LARGE, json!({"message": "Request Entity Too Large"})));
}

#[tokio::test]
async fn the_documents_are_served() {
    let stack = Stack::start(Options::default()).await.unwrap();
    let shop = Shop::at(stack.url());
    for (path, expected) in [("/openapi.yaml", "openapi: 3.1"), ("/docs", "<h2><b class=\"post\">POST</b>")] {
        let answer = shop.http.get(format!("{}{path}", shop.url)).send().await.unwrap();
        assert!(answer.text().await.unwrap().contains(expected), "{path}");
    }
}

#[tokio::test]
async fn a_clock_is_moved_forward_only() {
    let stack = Stack::start(Options::default()).await.unwrap();
    let shop = Shop::at(stack.url());
    for body in
        [json!({"advance_seconds": -1}), json!({"advance": 1}), json!({"advance_seconds": u64::MAX}), json!(null)]
    {
        let (status, _) = shop.call(Method::POST, "/_local/clock", "", body.clone()).await;
        assert_eq!(status, 400, "{body}");
    }
}

/// `holdfast` as a process of its own.
struct Process {
    child: Child,
    url: String,
}

impl Process {
    fn start(data: &Path) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_holdfast"))
            .args(["--port", "0", "--data"])
            .arg(data)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut first = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
        let url = first.split_whitespace().nth(1).unwrap_or_else(|| panic!("no address in {first:?}")).to_owned();
        Self { child, url }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Kill is SIGKILL; a process that is gone already is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn empty_directory(name: &str) -> PathBuf {
    let directory = std::env::temp_dir().join(format!("holdfast-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&directory);
    directory
}

#[tokio::test]
async fn what_was_answered_survives_sigkill_and_what_is_due_is_given_back() {
    let data = empty_directory("sigkill");
    let process = Process::start(&data);
    let shop = Shop::at(&process.url);
    shop.stock("mug", 10).await;
    let id = shop.reserve("cart", "mug", 2).await;
    shop.advance(100).await;
    drop(process);

    let stack = Stack::start(Options { data: Some(data.clone()), ..Options::default() }).await.unwrap();
    let shop = Shop::at(stack.url());
    let ahead = stack.clock().now().seconds_since(runtime::SystemClock.now());
    assert!((99..=101).contains(&ahead), "the clock went back: {ahead} seconds ahead");
    assert_eq!(shop.reserve("cart", "mug", 2).await, id);
    assert_eq!(holds(&stack).await.len(), 1);
    stack.clock().advance(900).unwrap();
    stack.shutdown().await;

    // The hold fell due while nothing ran: its timer died with the queue.
    let stack = Stack::start(Options { data: Some(data.clone()), ..Options::default() }).await.unwrap();
    eventually("the hold is given back", async || holds(&stack).await.is_empty()).await;
    stack.shutdown().await;
    std::fs::remove_dir_all(data).unwrap();
}

#[test]
fn two_processes_do_not_share_a_directory() {
    let data = empty_directory("shared");
    let _first = Process::start(&data);
    let second =
        Command::new(env!("CARGO_BIN_EXE_holdfast")).args(["--port", "0", "--data"]).arg(&data).output().unwrap();
    assert!(!second.status.success());
    assert!(String::from_utf8_lossy(&second.stderr).contains("another holdfast uses"));
}

#[cfg(unix)]
#[test]
fn a_signal_ends_it_cleanly() {
    let data = empty_directory("signal");
    for signal in ["-INT", "-TERM"] {
        let mut process = Process::start(&data);
        Command::new("kill").args([signal, &process.child.id().to_string()]).status().unwrap();
        assert!(process.child.wait().unwrap().success(), "{signal}");
    }
    std::fs::remove_dir_all(data).unwrap();
}
