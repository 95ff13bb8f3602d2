//! AWS, as far as Holdfast uses it: the simulation's table with the index over it, the table's stream, and the queues. What is written is
//! shown to the [`Ledger`] in the moment in which it is.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use aws_sdk_dynamodb::config::SharedHttpClient;
use aws_smithy_async::time::TimeSource;
use aws_smithy_runtime_api::client::{
    http::{HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector},
    orchestrator::{HttpRequest, HttpResponse},
    result::ConnectorError,
    runtime_components::RuntimeComponents,
};
use aws_smithy_types::body::SdkBody;
use domain::time::{Clock, Timestamp};
use fastrand::Rng;
use holdfast_simulation::table::{Answer, Change, Table, error};
use serde_json::{Value, json};
use tokio::{
    sync::Notify,
    time::{Instant, sleep},
};

use crate::{
    fifo::Fifo,
    ledger::Ledger,
    plan::{Day, Millis},
};

/// How long a call to DynamoDB or SQS takes.
const CALL: Duration = Duration::from_millis(5);

/// Where the queues are.
pub const QUEUES: [&str; 3] = ["http://sqs/timers", "http://sqs/sync.fifo", "http://sqs/news.fifo"];

/// Woken when there is something for somebody.
#[derive(Debug, Default)]
pub struct Bells {
    /// For `expire`, from the stream.
    pub expire: Notify,
    /// For `channel-mark`, from the stream.
    pub mark: Notify,
    /// Timers.
    pub timers: Notify,
    /// The sync queue.
    pub sync: Notify,
    /// The queue of news.
    pub news: Notify,
    /// Amazon's notices.
    pub notices: Notify,
}

/// Everything that is shared in one run.
#[derive(Debug)]
pub struct Cloud {
    /// The dice of everything that is not the shoppers'.
    pub rng: Rng,
    /// What the seed decided.
    pub day: Day,
    /// The table.
    pub table: Table,
    /// Its sparse index: for each list, places and keys.
    lists: BTreeMap<String, BTreeSet<(String, String)>>,
    /// Changes of which `expire` has not been told.
    pub for_expire: VecDeque<Change>,
    /// Changes of which `channel-mark` has not been told.
    pub for_mark: VecDeque<Change>,
    /// Timer messages, and when they become visible.
    pub timers: BTreeMap<(Millis, u64), String>,
    /// Listings to look at.
    pub sync: Fifo,
    /// News of orders.
    pub news: Fifo,
    /// Amazon's notices.
    pub notices: VecDeque<String>,
    /// What was seen.
    pub ledger: Ledger,
    /// Requests that arrived.
    pub requests: u64,
    /// Who waits for what.
    pub bells: Arc<Bells>,
    began: Instant,
}

/// Clones are the same one.
#[derive(Debug, Clone)]
pub struct Shared(Arc<Mutex<Cloud>>);

impl Shared {
    /// An empty one.
    #[must_use]
    pub fn new(day: &Day) -> Self {
        Self(Arc::new(Mutex::new(Cloud {
            rng: Rng::with_seed(day.plan.seed ^ 0x0da7),
            day: day.clone(),
            table: Table::default(),
            lists: BTreeMap::new(),
            for_expire: VecDeque::new(),
            for_mark: VecDeque::new(),
            timers: BTreeMap::new(),
            sync: Fifo::default(),
            news: Fifo::default(),
            notices: VecDeque::new(),
            ledger: Ledger::following(day.plan.follow),
            requests: 0,
            bells: Arc::default(),
            began: Instant::now(),
        })))
    }

    /// It, for a moment.
    pub fn lock(&self) -> MutexGuard<'_, Cloud> {
        // A run in which something has panicked is over.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// As the SDK takes it.
    #[must_use]
    pub fn client(&self) -> SharedHttpClient {
        SharedHttpClient::new(self.clone())
    }

    /// Waits until a moment.
    pub async fn until(&self, at: Millis) {
        let began = self.lock().began;
        tokio::time::sleep_until(began + Duration::from_millis(at)).await;
    }
}

impl Cloud {
    /// Milliseconds since the run began.
    #[must_use]
    pub fn now(&self) -> Millis {
        self.began.elapsed().as_millis().try_into().unwrap_or(Millis::MAX)
    }

    /// The time.
    #[must_use]
    pub fn time(&self) -> Timestamp {
        Timestamp::from_epoch_seconds(self.day.plan.begins_at() + self.now() / 1_000)
    }

    /// Whether it happens, so often in a thousand.
    pub fn happens(&mut self, in_a_thousand: u32) -> bool {
        self.rng.u32(0..1_000) < in_a_thousand
    }

    /// A time of so many milliseconds.
    pub fn millis(&mut self, range: std::ops::Range<u64>) -> Duration {
        Duration::from_millis(self.rng.u64(range))
    }

    fn arrive(&mut self, target: &str, body: &Value) -> Answer {
        self.requests += 1;
        let (service, operation) = target.rsplit_once('.').unwrap_or_default();
        if service == "AmazonSQS" {
            return self.take_messages(body);
        }
        if operation == "Query" {
            return self.query(body);
        }
        let (answer, changes) = self.table.call(operation, body);
        let now = self.now();
        for change in changes {
            self.index(&change);
            self.ledger.written(now, &change);
            if change.key.starts_with("S#") && change.new.is_some() {
                self.for_expire.push_back(change.clone());
                self.bells.expire.notify_one();
            }
            if change.key.starts_with("S#") || change.key.starts_with("C#") {
                self.for_mark.push_back(change);
                self.bells.mark.notify_one();
            }
        }
        answer
    }

    fn index(&mut self, change: &Change) {
        let place = |item: &Option<holdfast_simulation::expression::Item>| {
            let item = item.as_ref()?;
            let text = |name: &str| item.get(name)?["S"].as_str().map(str::to_owned);
            Some((text("list")?, text("rank")?))
        };
        let (old, new) = (place(&change.old), place(&change.new));
        if old == new {
            return;
        }
        if let Some((list, rank)) = old {
            self.lists.entry(list).or_default().remove(&(rank, change.key.clone()));
        }
        if let Some((list, rank)) = new {
            self.lists.entry(list).or_default().insert((rank, change.key.clone()));
        }
    }

    /// A page of the index. Source: DynamoDB API reference, `Query`: as many as `Limit`, and the key of the last if there may be more.
    fn query(&self, request: &Value) -> Answer {
        let values = &request["ExpressionAttributeValues"];
        let text = |value: &Value| value["S"].as_str().unwrap_or_default().to_owned();
        let (list, prefix) = (text(&values[":list"]), text(&values[":prefix"]));
        let after = &request["ExclusiveStartKey"];
        let after = after.is_object().then(|| (text(&after["rank"]), text(&after["pk"])));
        let limit = request["Limit"].as_u64().and_then(|limit| limit.try_into().ok()).unwrap_or(usize::MAX);
        let item = |(rank, key): &(String, String)| json!({ "pk": { "S": key }, "list": { "S": list }, "rank": { "S": rank } });
        let none = BTreeSet::new();
        let places = self.lists.get(&list).unwrap_or(&none);
        let page: Vec<Value> = if request["ScanIndexForward"] == false {
            let end = after.map_or(std::ops::Bound::Unbounded, std::ops::Bound::Excluded);
            let rest = places.range((std::ops::Bound::Unbounded, end)).rev();
            rest.filter(|(rank, _)| rank.starts_with(&prefix)).take(limit).map(item).collect()
        } else {
            let begin = after.map_or(std::ops::Bound::Unbounded, std::ops::Bound::Excluded);
            let rest = places.range((begin, std::ops::Bound::Unbounded));
            rest.filter(|(rank, _)| rank.starts_with(&prefix)).take(limit).map(item).collect()
        };
        let end = page.last().filter(|_| page.len() == limit).cloned();
        let mut answer = json!({ "Items": page, "Count": page.len(), "ScannedCount": page.len() });
        if let Some(end) = end {
            answer["LastEvaluatedKey"] = end;
        }
        (200, answer)
    }

    fn take_messages(&mut self, body: &Value) -> Answer {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let now = self.now();
        let mut sent = Vec::new();
        for entry in body["Entries"].as_array().into_iter().flatten() {
            let message = text(&entry["MessageBody"]);
            let (group, deduplication) = (text(&entry["MessageGroupId"]), text(&entry["MessageDeduplicationId"]));
            match QUEUES.iter().position(|url| body["QueueUrl"] == **url) {
                Some(0) => {
                    let delay = entry["DelaySeconds"].as_u64().unwrap_or(0) * 1_000 + self.rng.u64(0..500);
                    let number = self.requests * 16 + sent.len() as u64;
                    self.timers.insert((now + delay, number), message);
                    self.bells.timers.notify_one();
                }
                Some(1) => {
                    self.sync.send(&group, &deduplication, message, now);
                    self.bells.sync.notify_one();
                }
                Some(_) => {
                    self.news.send(&group, &deduplication, message, now);
                    self.bells.news.notify_one();
                }
                None => return (400, error("QueueDoesNotExist", "no such queue")),
            }
            sent.push(json!({ "Id": entry["Id"], "MessageId": "m", "MD5OfMessageBody": "x" }));
        }
        (200, json!({ "Successful": sent, "Failed": [] }))
    }
}

impl HttpClient for Shared {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Shared {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let target = request.headers().get("x-amz-target").unwrap_or_default().to_owned();
        let body: Value = serde_json::from_slice(request.body().bytes().unwrap_or_default()).unwrap_or_default();
        let cloud = self.clone();
        HttpConnectorFuture::new(async move {
            sleep(CALL).await;
            let (status, body) = cloud.lock().arrive(&target, &body);
            let broken = || ConnectorError::io("the connection broke".into());
            Ok(HttpResponse::new(status.try_into().map_err(|_| broken())?, SdkBody::from(body.to_string())))
        })
    }
}

impl Clock for Shared {
    fn now(&self) -> Timestamp {
        self.lock().time()
    }
}

impl TimeSource for Shared {
    fn now(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(self.lock().time().epoch_seconds())
    }
}
