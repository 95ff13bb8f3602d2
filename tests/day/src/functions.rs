//! The functions as AWS calls them: the real handlers behind the table's stream, the queues and the schedule. Each kind of function has an
//! instance of its own; what syncs has several.

use std::{sync::Arc, time::Duration};

use aws_config::{Region, SdkConfig, identity::IdentityCache};
use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use aws_smithy_async::{
    rt::sleep::{SharedAsyncSleep, TokioSleep},
    time::SharedTimeSource,
};
use channels::Delivery;
use domain::{order::OrderIdKey, time::Clock};
use holdfast_simulation::{expression::Item, table::Change};
use http::{Request, Response, testing::Sample};
use runtime::{
    App, Channels, Orders, Timers,
    channels::{Queue, Secrets},
};
use serde_json::{Value, json};
use store::Store;
use tokio::time::sleep;

use crate::{
    cloud::{QUEUES, Shared},
    fifo::{Fifo, Message},
    plan::Place,
    vendors::Vendors,
};

/// Instances that sync, and that record news: Lambda begins with five.
const CONSUMERS: usize = 5;

/// How long a message that failed is hidden: `VisibilityTimeout` of both queues in `template.yaml`.
const HIDDEN: Duration = Duration::from_mins(6);

/// All functions of a run.
#[derive(Clone)]
pub struct Functions {
    /// AWS.
    pub cloud: Shared,
    /// The marketplaces.
    pub vendors: Vendors,
    /// Whoever shoppers and merchants call.
    api: App,
    /// Whoever AWS calls.
    background: App,
    sync: Arc<[App; 2]>,
}

impl Functions {
    /// Starts them.
    #[must_use]
    pub fn start(cloud: &Shared, vendors: &Vendors) -> Self {
        let app = || instance(cloud, vendors);
        Self {
            cloud: cloud.clone(),
            vendors: vendors.clone(),
            api: app(),
            background: app(),
            sync: Arc::new([app(), app()]),
        }
    }

    /// The store, for what no function does.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.api.store
    }

    /// Calls a function over HTTP.
    pub async fn call(&self, sample: Sample) -> Response {
        let request = sample.request();
        route(&self.api, &request).await
    }

    /// What a vendor delivers to our webhook. The status of the answer.
    pub async fn deliver(&self, place: Place, delivery: Delivery) -> u16 {
        let body = String::from_utf8(delivery.body).unwrap_or_default();
        let sample = Sample::new("POST /v1/webhooks/{channel}").path("channel", place.name()).body(&body);
        let sample =
            delivery.headers.iter().fold(sample, |sample, (name, value)| sample.header(&name.to_lowercase(), value));
        webhook::handle(&self.api, &sample.request()).await.status()
    }

    /// Everything that AWS does by itself.
    pub fn run(&self) {
        tokio::task::spawn_local(self.clone().stream_to_expire());
        tokio::task::spawn_local(self.clone().stream_to_mark());
        tokio::task::spawn_local(self.clone().timers());
        for number in 0..CONSUMERS {
            tokio::task::spawn_local(self.clone().sync(number));
            tokio::task::spawn_local(self.clone().news());
        }
        tokio::task::spawn_local(self.clone().notices());
        tokio::task::spawn_local(self.clone().schedule());
    }

    /// `expire` and the table's stream.
    async fn stream_to_expire(self) {
        let bells = self.cloud.lock().bells.clone();
        loop {
            sleep(Duration::from_millis(300)).await;
            let batch: Vec<Change> = {
                let mut cloud = self.cloud.lock();
                let count = cloud.for_expire.len().min(100);
                cloud.for_expire.drain(..count).collect()
            };
            if batch.is_empty() {
                bells.expire.notified().await;
                continue;
            }
            let event = json!({ "Records": batch.iter().map(record).collect::<Vec<_>>() });
            // What is not armed is resolved by the next shopper; here nothing fails.
            drop(expire::handle(&self.background, event).await);
        }
    }

    /// `channel-mark` and the table's stream: batches of a second.
    async fn stream_to_mark(self) {
        let bells = self.cloud.lock().bells.clone();
        loop {
            sleep(Duration::from_secs(1)).await;
            let batch: Vec<Change> = {
                let mut cloud = self.cloud.lock();
                let count = cloud.for_mark.len().min(100);
                cloud.for_mark.drain(..count).collect()
            };
            if batch.is_empty() {
                bells.mark.notified().await;
                continue;
            }
            let event = json!({ "Records": batch.iter().map(record).collect::<Vec<_>>() });
            let answer = channel_mark::handle(&self.background, event).await;
            if answer.is_ok_and(|answer| answer["batchItemFailures"] != json!([])) {
                let mut cloud = self.cloud.lock();
                batch.into_iter().rev().for_each(|change| cloud.for_mark.push_front(change));
            }
        }
    }

    /// `expire` and the timer queue.
    async fn timers(self) {
        let bells = self.cloud.lock().bells.clone();
        loop {
            let (due, next) = {
                let mut cloud = self.cloud.lock();
                let now = cloud.now();
                let later = cloud.timers.split_off(&(now + 1, 0));
                let mut due = std::mem::replace(&mut cloud.timers, later);
                let rest = due.keys().nth(10).copied().map(|first| due.split_off(&first)).unwrap_or_default();
                cloud.timers.extend(rest);
                let next = cloud.timers.first_key_value().map(|((at, _), _)| *at);
                (due, next)
            };
            if due.is_empty() {
                match next {
                    Some(next) => tokio::select! {
                        biased;
                        () = bells.timers.notified() => {}
                        () = self.cloud.until(next) => {}
                    },
                    None => bells.timers.notified().await,
                }
                continue;
            }
            let records: Vec<Value> = due.values().enumerate().map(|(n, body)| message(n as u64, body, None)).collect();
            let answer = expire::handle(&self.background, json!({ "Records": records })).await.unwrap_or_default();
            let failed = failures(&answer);
            let mut cloud = self.cloud.lock();
            for (n, ((at, number), body)) in due.into_iter().enumerate() {
                if failed.contains(&(n as u64)) {
                    cloud.timers.insert((at + 180_000, number), body);
                }
            }
        }
    }

    /// `channel-sync`.
    async fn sync(self, number: usize) {
        let bells = self.cloud.lock().bells.clone();
        loop {
            let batch = self.cloud.lock().sync.receive(10);
            if batch.is_empty() {
                bells.sync.notified().await;
                continue;
            }
            let answer = channel_sync::handle(&self.sync[number % self.sync.len()], records(&batch)).await;
            self.done(|cloud| &mut cloud.sync, &batch, &answer.unwrap_or_default());
        }
    }

    /// `channel-intake` and the queue of news.
    async fn news(self) {
        let bells = self.cloud.lock().bells.clone();
        loop {
            let batch = self.cloud.lock().news.receive(5);
            if batch.is_empty() {
                bells.news.notified().await;
                continue;
            }
            let answer = channel_intake::handle(&self.background, records(&batch)).await;
            self.done(|cloud| &mut cloud.news, &batch, &answer.unwrap_or_default());
        }
    }

    /// Deletes what did not fail; the rest comes again.
    fn done(&self, queue: fn(&mut crate::cloud::Cloud) -> &mut Fifo, batch: &[Message], answer: &Value) {
        let hidden = queue(&mut self.cloud.lock()).done(batch, &failures(answer));
        for group in hidden {
            let cloud = self.cloud.clone();
            tokio::task::spawn_local(async move {
                sleep(HIDDEN).await;
                queue(&mut cloud.lock()).visible(&group);
                let bells = cloud.lock().bells.clone();
                bells.sync.notify_one();
                bells.news.notify_one();
            });
        }
    }

    /// `channel-intake` and the queue into which Amazon puts its notices.
    async fn notices(self) {
        let bells = self.cloud.lock().bells.clone();
        loop {
            let batch: Vec<String> = {
                let mut cloud = self.cloud.lock();
                let count = cloud.notices.len().min(5);
                cloud.notices.drain(..count).collect()
            };
            if batch.is_empty() {
                bells.notices.notified().await;
                continue;
            }
            let records: Vec<Value> = batch.iter().enumerate().map(|(n, body)| message(n as u64, body, None)).collect();
            let answer =
                channel_intake::handle(&self.background, json!({ "Records": records })).await.unwrap_or_default();
            for n in failures(&answer) {
                let (cloud, body) = (self.cloud.clone(), batch[usize::try_from(n).unwrap_or_default()].clone());
                tokio::task::spawn_local(async move {
                    sleep(HIDDEN).await;
                    let mut cloud = cloud.lock();
                    cloud.notices.push_back(body);
                    cloud.bells.notices.notify_one();
                });
            }
        }
    }

    /// `channel-poll`, every minute, whether or not the last one is done.
    async fn schedule(self) {
        loop {
            sleep(Duration::from_mins(1)).await;
            let app = self.background.clone();
            tokio::task::spawn_local(async move { drop(channel_poll::handle(&app, json!({})).await) });
        }
    }
}

async fn route(app: &App, request: &Request) -> Response {
    match request.route() {
        "POST /v1/reservations" => reserve::handle(app, request).await,
        "POST /v1/reservations/{id}/confirm" => confirm::handle(app, request).await,
        "POST /v1/reservations/{id}/cancel" => cancel::handle(app, request).await,
        "POST /v1/orders" => order_intake::handle(app, request).await,
        route if route.contains("/v1/channels") => channel_settings::handle(app, request).await,
        _ => stock::handle(app, request).await,
    }
}

fn instance(cloud: &Shared, vendors: &Vendors) -> App {
    let config = config(cloud);
    let clock: Arc<dyn Clock> = Arc::new(cloud.clone());
    let dynamodb = aws_sdk_dynamodb::Client::new(&config);
    let sqs = aws_sdk_sqs::Client::new(&config);
    let secrets =
        vendors.sides().map(|side| (side.place.name().parse().expect("a channel's name"), side.credentials()));
    let channels = Channels::new(Arc::new(vendors.clone()), Secrets::fixed(secrets.collect()), clock.clone())
        .with_sync(Queue::new(sqs.clone(), QUEUES[1]))
        .with_news(Queue::new(sqs.clone(), QUEUES[2]));
    let store = Store::new(dynamodb, "table", clock.clone());
    let orders = Orders::new(sqs.clone(), "http://sqs/orders.fifo", OrderIdKey::new("day"));
    App::new(store, Timers::new(sqs, QUEUES[0]), orders, clock).with_channels(channels)
}

/// The settings of `runtime::aws`, with this network and this time.
fn config(cloud: &Shared) -> SdkConfig {
    let credentials = SharedCredentialsProvider::new(Credentials::new("day", "day", None, None, "day"));
    runtime::aws::sdk_config("us-east-1", credentials, cloud.client(), Some("http://aws"))
        .into_builder()
        .region(Region::new("us-east-1"))
        .identity_cache(IdentityCache::no_cache())
        .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
        .time_source(SharedTimeSource::new(cloud.clone()))
        .build()
}

fn records(batch: &[Message]) -> Value {
    let records = batch.iter().map(|sent| message(sent.id, &sent.body, Some(&sent.group)));
    json!({ "Records": records.collect::<Vec<_>>() })
}

fn message(id: u64, body: &str, group: Option<&str>) -> Value {
    let attributes = group.map_or_else(|| json!({}), |group| json!({ "MessageGroupId": group }));
    let id = id.to_string();
    json!({ "messageId": id, "receiptHandle": id, "body": body, "eventSource": "aws:sqs", "attributes": attributes })
}

fn failures(answer: &Value) -> Vec<u64> {
    let failures = answer["batchItemFailures"].as_array().into_iter().flatten();
    failures.filter_map(|failure| failure["itemIdentifier"].as_str()?.parse().ok()).collect()
}

fn record(change: &Change) -> Value {
    let mut dynamodb = json!({ "Keys": { "pk": { "S": change.key } }, "SequenceNumber": "1", "SizeBytes": 1 });
    let mut image = |name: &str, item: &Option<Item>| {
        if let Some(item) = item {
            dynamodb[name] = json!(item);
        }
    };
    image("OldImage", &change.old);
    image("NewImage", &change.new);
    json!({ "eventID": "1", "eventName": "MODIFY", "eventSource": "aws:dynamodb", "awsRegion": "us-east-1", "dynamodb": dynamodb })
}
