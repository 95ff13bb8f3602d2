//! A shop with a service of its own.

use std::{
    ops::Deref,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use aws_config::timeout::TimeoutConfig;
use domain::{
    audit::{Audit, Report},
    time::Clock,
};
use holdfast::local::{Options, Stack, Vendors};
use serde_json::{Value, json};
use store::{Store, StoredItem, stream::ArmedHold};

use super::Api;

/// How often a table in which something looks broken is read: it may have changed while it was read.
const MAX_READINGS: usize = 5;

/// Longer than any reservation lives, however often it is extended.
const ALL_TIMES_OVER_SECONDS: u64 = 2 * 60 * 60 + 1;

/// The numbers of a SKU.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Units {
    pub available: u64,
    pub reserved: u64,
    pub sold: u64,
}

/// A running service with a table of its own, and its API.
pub struct Shop {
    stack: Stack,
    api: Api,
    prefix: String,
}

impl Shop {
    /// An empty one.
    pub async fn open() -> Self {
        static SHOPS: AtomicUsize = AtomicUsize::new(0);
        let number = SHOPS.fetch_add(1, Ordering::Relaxed);
        Self::open_at(&format!("t{}-{number}", std::process::id()), None, external_dynamodb()).await
    }

    /// One that sells at these vendors, too, and asks them for nothing by itself: [`Self::poll_channels`].
    pub async fn selling_at(vendors: Vendors) -> Self {
        Self::selling(vendors, external_dynamodb(), &["channel-poll"]).await
    }

    /// One that sells at these vendors, and does for them only what the test says: [`Self::poll_channels`], [`Self::sync`].
    pub async fn selling_by_hand(vendors: Vendors) -> Self {
        Self::selling(vendors, external_dynamodb(), &["channel-poll", "channel-sync"]).await
    }

    async fn selling(vendors: Vendors, dynamodb_endpoint: Option<String>, without: &[&str]) -> Self {
        static SHOPS: AtomicUsize = AtomicUsize::new(0);
        let prefix = format!("v{}-{}", std::process::id(), SHOPS.fetch_add(1, Ordering::Relaxed));
        let without = without.iter().map(|function| (*function).to_owned()).collect();
        let options = Options { dynamodb_endpoint, prefix: prefix.clone(), without, vendors, ..Options::default() };
        let stack = Stack::start(options).await.expect("the local stack starts");
        Self { api: Api::new(stack.url()), stack, prefix }
    }

    /// One with these units whose orders stay in the queue.
    pub async fn without_order_consumer(units: &[(&str, u64)]) -> Self {
        static SHOPS: AtomicUsize = AtomicUsize::new(0);
        let prefix = format!("q{}-{}", std::process::id(), SHOPS.fetch_add(1, Ordering::Relaxed));
        let options = Options {
            dynamodb_endpoint: external_dynamodb(),
            prefix: prefix.clone(),
            without: vec!["order-consumer".to_owned()],
            ..Options::default()
        };
        let stack = Stack::start(options).await.expect("the local stack starts");
        let shop = Self { api: Api::new(stack.url()), stack, prefix };
        for (sku, units) in units {
            shop.fill(sku, *units).await;
        }
        shop
    }

    /// One with these units where this function gets no events: what waits for it waits.
    pub async fn without_function(name: &str, units: &[(&str, u64)]) -> Self {
        static SHOPS: AtomicUsize = AtomicUsize::new(0);
        let prefix = format!("w{}-{}", std::process::id(), SHOPS.fetch_add(1, Ordering::Relaxed));
        let without = vec![name.to_owned()];
        let options =
            Options { dynamodb_endpoint: external_dynamodb(), prefix: prefix.clone(), without, ..Options::default() };
        let stack = Stack::start(options).await.expect("the local stack starts");
        let shop = Self { api: Api::new(stack.url()), stack, prefix };
        for (sku, units) in units {
            shop.fill(sku, *units).await;
        }
        shop
    }

    /// One that has received these units.
    pub async fn with(stock: &[(&str, u64)]) -> Self {
        let shop = Self::open().await;
        for (sku, units) in stock {
            shop.fill(sku, *units).await;
        }
        shop
    }

    /// One over the tables of this prefix, in this directory or at this endpoint.
    pub async fn open_at(prefix: &str, data: Option<PathBuf>, dynamodb_endpoint: Option<String>) -> Self {
        let options = Options { data, dynamodb_endpoint, prefix: prefix.to_owned(), ..Options::default() };
        let stack = Stack::start(options).await.expect("the local stack starts");
        Self { api: Api::new(stack.url()), stack, prefix: prefix.to_owned() }
    }

    /// Another process's worth of the same service, over the same table: it knows nothing of what this one has learned. It may
    /// reach the table by a detour.
    pub async fn branch(&self, dynamodb_endpoint: Option<&str>) -> Self {
        let endpoint = dynamodb_endpoint.unwrap_or(self.stack.dynamodb_endpoint()).to_owned();
        Self::open_at(&self.prefix, None, Some(endpoint)).await
    }

    /// As [`Self::branch`], but whose orders stay in the queue.
    pub async fn branch_without_order_consumer(&self) -> Self {
        let options = Options {
            dynamodb_endpoint: Some(self.stack.dynamodb_endpoint().to_owned()),
            prefix: self.prefix.clone(),
            without: vec!["order-consumer".to_owned()],
            ..Options::default()
        };
        let stack = Stack::start(options).await.expect("the local stack starts");
        Self { api: Api::new(stack.url()), stack, prefix: self.prefix.clone() }
    }

    /// A SKU with so many units.
    pub async fn fill(&self, sku: &str, units: u64) {
        self.put_stock(sku, &json!({})).await.expect(201);
        if units > 0 {
            self.movement(sku, "receive", units.cast_signed()).await.expect(201);
        }
    }

    /// A SKU with so many units that belong to no channel.
    pub async fn fill_shared(&self, sku: &str, units: u64) {
        self.put_stock(&format!("{sku}?channel=shared"), &json!({})).await.expect(201);
        let body = json!({ "kind": "receive", "quantity": units, "reason": "shared" });
        self.post(&format!("/v1/stock/{sku}/movements?channel=shared"), &body).await.expect(201);
    }

    pub fn stack(&self) -> &Stack {
        &self.stack
    }

    /// Lets time pass, and everything happen that falls due.
    pub async fn advance(&self, seconds: u64) {
        self.post("/_local/clock", &json!({ "advance_seconds": seconds })).await.expect(200);
    }

    /// Lets time pass while nothing happens: every timer and every sweep is dead.
    pub fn advance_unnoticed(&self, seconds: u64) {
        self.stack.clock().advance(seconds).expect("the clock moves");
    }

    /// Does what the schedule of channel-poll does every minute.
    pub async fn poll_channels(&self) {
        channel_poll::handle(self.stack.app(), json!({})).await.expect("it takes any event");
    }

    /// Delivers messages of the sync queue, one for each of these listings of a channel, whenever they were sent.
    pub async fn sync(&self, channel: &str, skus: &[&str]) {
        let message = |sku: &&str| json!({ "listing": format!("{channel}#{sku}") }).to_string();
        let records = skus.iter().map(|sku| timer_message(sku, &message(sku)));
        let event = json!({ "Records": records.collect::<Vec<_>>() });
        let answer = channel_sync::handle(self.stack.app(), event).await.expect("messages");
        assert_eq!(answer, json!({ "batchItemFailures": [] }));
    }

    pub async fn units(&self, sku: &str) -> Units {
        let stock = self.stock(sku).await.expect(200);
        let number = |field| stock.number(field);
        Units { available: number("available"), reserved: number("reserved"), sold: number("sold") }
    }

    /// Everything that is stored, in a fixed order.
    pub async fn everything(&self) -> Vec<StoredItem> {
        let mut pages = self.store().scan();
        let mut items = Vec::new();
        while let Some(page) = pages.next_page().await.expect("the table can be read") {
            items.extend(page);
        }
        items.sort_by_cached_key(|item| format!("{item:?}"));
        items
    }

    /// Every hold that is in a bucket.
    pub async fn holds(&self) -> Vec<ArmedHold> {
        let mut holds = Vec::new();
        for item in self.everything().await {
            let StoredItem::Bucket(bucket, content) = item else { continue };
            let own = content.holds.into_iter();
            holds.extend(own.map(|(id, hold)| ArmedHold { bucket: bucket.clone(), id, hold }));
        }
        holds
    }

    /// Delivers the timers of these holds, and answers which of them have to come again.
    pub async fn ring(&self, holds: &[ArmedHold]) -> Vec<Value> {
        let records = holds.iter().map(|hold| timer_message(hold.id.as_str(), &runtime::timers::body(hold)));
        self.deliver(&records.collect::<Vec<_>>()).await
    }

    /// Delivers messages of the timer queue, and answers which of them have to come again.
    pub async fn deliver(&self, messages: &[Value]) -> Vec<Value> {
        let answer = expire::handle(self.stack.app(), json!({ "Records": messages })).await.expect("a known source");
        let failures = answer["batchItemFailures"].as_array().expect("failures").iter();
        failures.map(|failure| failure["itemIdentifier"].clone()).collect()
    }

    /// Delivers messages of the order queue, in this order, and answers which of them have to come again.
    pub async fn deliver_orders(&self, messages: &[Value]) -> Vec<Value> {
        let answer = order_consumer::handle(self.stack.app(), json!({ "Records": messages })).await.expect("messages");
        let failures = answer["batchItemFailures"].as_array().expect("failures").iter();
        failures.map(|failure| failure["itemIdentifier"].clone()).collect()
    }

    /// Checks the invariants over everything that is stored, and stops the test if one is broken.
    pub async fn audit(&self, at_rest: bool) -> Report {
        let mut report = self.report(at_rest).await;
        for _ in 1..MAX_READINGS {
            if report.violations.is_empty() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
            report = self.report(at_rest).await;
        }
        assert!(report.violations.is_empty(), "{:#?}", report.violations);
        report
    }

    async fn report(&self, at_rest: bool) -> Report {
        let mut audit = Audit::default();
        for item in self.everything().await {
            match item {
                StoredItem::Bucket(id, bucket) => audit.bucket(id, bucket),
                StoredItem::Reservation(record) => audit.reservation(record),
                StoredItem::Movement(movement) => audit.movement(&movement),
                StoredItem::PurchaseOrder(order) => audit.purchase_order(*order),
                StoredItem::OnOrder(sku, on_order) => audit.on_order(sku, on_order),
            }
        }
        audit.report(self.stack.clock().now(), at_rest)
    }

    /// The end of a test: every invariant holds; and once all times are over, every unit is free or sold.
    pub async fn close(self) -> Report {
        self.audit(false).await;
        self.advance(ALL_TIMES_OVER_SECONDS).await;
        let report = self.audit(true).await;
        assert_eq!(report.held, 0, "all times are over, but units are held");
        self.stack.shutdown().await;
        report
    }

    /// The end of a branch.
    pub async fn leave(self) {
        self.stack.shutdown().await;
    }

    /// Reads the table past everything that the service does, and more patiently than a handler.
    pub fn store(&self) -> Store {
        let patient = runtime::aws::local(self.stack.dynamodb_endpoint());
        let patient = patient.into_builder().timeout_config(TimeoutConfig::disabled()).build();
        let clock = Arc::new(self.stack.clock().clone());
        Store::new(aws_sdk_dynamodb::Client::new(&patient), self.stack.table(), clock)
    }
}

impl Deref for Shop {
    type Target = Api;

    fn deref(&self) -> &Api {
        &self.api
    }
}

/// A message of the timer queue.
pub fn timer_message(id: &str, body: &str) -> Value {
    json!({ "messageId": id, "eventSource": "aws:sqs", "body": body })
}

/// A message of the order queue in the line of a SKU: what is queued under this key.
pub fn order_message(key: &str, line: &str, lines: &[&str]) -> Value {
    let key = key.parse().expect("a key");
    let id = domain::ids::ReservationId::derive(&domain::ids::Caller::new("local"), &key);
    let body = json!({ "kind": "order", "id": id.as_str(), "channel": "own", "lines": lines });
    order_message_of(key.as_str(), line, &body)
}

/// A message of the order queue.
pub fn order_message_of(id: &str, line: &str, body: &Value) -> Value {
    let attributes = json!({ "MessageGroupId": line });
    json!({ "messageId": id, "eventSource": "aws:sqs", "body": body.to_string(), "attributes": attributes })
}

/// Another DynamoDB to test against than the embedded one.
#[expect(clippy::disallowed_methods, reason = "this is the one place where the suite is configured")]
pub fn external_dynamodb() -> Option<String> {
    std::env::var("DYNAMODB_ENDPOINT").ok().filter(|endpoint| !endpoint.is_empty())
}
