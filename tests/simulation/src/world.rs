//! Everything that is shared in one run: the seed's dice, the time, the table, the queues, and what was promised to whom.
//!
//! The time is tokio's, paused: it jumps to whatever happens next. Each function has a clock of its own, some of them wrong.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use aws_sdk_dynamodb::{primitives::Blob, types::AttributeValue};
use aws_smithy_async::time::TimeSource;
use domain::{
    audit::Audit,
    ids::ReservationId,
    reservation::{Reservation, Status},
    time::{Clock, Timestamp},
};
use fastrand::Rng;
use serde_json::{Value, json};
use store::StoredItem;
use tokio::{sync::Notify, time::Instant};

use crate::{
    expression::Item,
    network::{Fate, Faults, Sent},
    plan::Theme,
    table::{Answer, Change, Table, divided},
};

/// When every run begins, in epoch seconds: 2027-01-15T08:00:00Z.
pub const START: u64 = 1_800_000_000;

/// A run makes some thousand requests. One that makes so many does not come to an end.
const MOST_REQUESTS: u64 = 200_000;

/// SQS forgets what it has seen after this long. Source: SQS developer guide, "Exactly-once processing".
const DEDUPLICATION: Duration = Duration::from_mins(5);

/// One run's world.
#[derive(Debug)]
pub struct World {
    /// The seed's dice.
    pub rng: Rng,
    /// More of them, for what has joined the simulation since plans were kept: without it, everything goes as it went.
    pub dice: Rng,
    /// What goes wrong now.
    pub faults: Faults,
    /// What kind of day it is.
    pub theme: Theme,
    /// The table.
    pub table: Table,
    /// The invariants, over everything stored, kept up to date.
    pub audit: Audit,
    /// Changes of buckets that `expire` has not been told of: the stream's shards, each in order.
    pub shards: Vec<VecDeque<Change>>,
    /// Timer messages, and when they become visible.
    pub timers: Vec<(Instant, String)>,
    /// Queued orders by their line.
    pub lines: BTreeMap<String, VecDeque<String>>,
    /// Lines with messages in flight.
    pub in_flight: BTreeSet<String>,
    /// Woken when there is something new in one of the above.
    pub news: Arc<Notify>,
    /// What was said to callers; see [`crate::promises`].
    pub promises: Vec<crate::promises::Promise>,
    /// What marketplaces have sold.
    pub stories: Vec<crate::marketplace::Story>,
    /// Which quotas merchants want, by the reason that they give.
    pub divisions: BTreeMap<String, crate::divider::Division>,
    /// Transfers that were answered.
    pub transfers: Vec<crate::divider::Transferred>,
    /// Every request that reached the table, where somebody wants to repeat them.
    pub transcript: Option<Vec<(String, Value)>>,
    /// What happened, in words.
    pub log: Vec<String>,
    /// The first thing that must not be.
    pub violation: Option<String>,
    /// Told of it.
    pub violated: Arc<Notify>,
    /// Checks of the invariants so far.
    pub checks: u64,
    /// What TTL has deleted, and when last: nobody remembers it.
    pub purged: BTreeMap<String, Timestamp>,
    /// What each record of a reservation has been, and since when; nothing while there was none.
    pub history: BTreeMap<ReservationId, Vec<(Timestamp, Option<Reservation>)>>,
    /// Reservations that somebody has asked to cancel.
    pub let_go: BTreeSet<String>,
    /// Requests that have arrived.
    requests: u64,
    deduplicated: BTreeMap<String, Instant>,
    late: BTreeMap<String, u64>,
    listed: BTreeMap<String, Instant>,
    began: Instant,
}

impl World {
    /// An empty one.
    #[must_use]
    pub fn new(seed: u64, faults: Faults) -> Self {
        Self {
            rng: Rng::with_seed(seed),
            dice: Rng::with_seed(seed.rotate_left(29) ^ 0x5851_f42d_4c95_7f2d),
            faults,
            theme: Theme::Everyday,
            table: Table::default(),
            audit: Audit::default(),
            shards: vec![VecDeque::new()],
            timers: Vec::new(),
            lines: BTreeMap::new(),
            in_flight: BTreeSet::new(),
            news: Arc::new(Notify::new()),
            promises: Vec::new(),
            stories: Vec::new(),
            divisions: BTreeMap::new(),
            transfers: Vec::new(),
            transcript: None,
            log: Vec::new(),
            violation: None,
            violated: Arc::new(Notify::new()),
            checks: 0,
            purged: BTreeMap::new(),
            history: BTreeMap::new(),
            let_go: BTreeSet::new(),
            requests: 0,
            deduplicated: BTreeMap::new(),
            late: BTreeMap::new(),
            listed: BTreeMap::new(),
            began: Instant::now(),
        }
    }

    /// Seconds since the run began.
    #[must_use]
    pub fn elapsed(&self) -> u64 {
        self.began.elapsed().as_secs()
    }

    /// The right time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        Timestamp::from_epoch_seconds(START + self.elapsed())
    }

    /// Takes down what happens.
    pub fn say(&mut self, what: impl FnOnce() -> String) {
        let line = format!("{:>7} s  {}", self.elapsed(), what());
        self.log.push(line);
    }

    /// Takes down what must not be; the first counts.
    pub fn violate(&mut self, what: String) {
        if self.violation.is_none() {
            self.say(|| format!("VIOLATION: {what}"));
            self.violation = Some(what);
            self.violated.notify_one();
        }
    }

    /// Whether it happens, so often in a thousand.
    pub fn happens(&mut self, in_a_thousand: u32) -> bool {
        self.rng.u32(0..1_000) < in_a_thousand
    }

    /// A time from `range`, in milliseconds.
    pub fn millis(&mut self, range: std::ops::Range<u64>) -> Duration {
        Duration::from_millis(self.rng.u64(range))
    }

    /// What becomes of a request, how long it takes to arrive and its answer to come back.
    pub fn draw_fate(&mut self, request: &Sent) -> (Fate, Duration, Duration) {
        let there = if self.happens(self.faults.slow) { self.millis(500..600_000) } else { self.millis(1..15) };
        let back = self.millis(1..10);
        let faults = self.faults;
        let plain = request.writes() && !request.operation.starts_with("Transact");
        let fates = [
            (faults.lost, Fate::Lost, true),
            (faults.reply_lost, Fate::ReplyLost, true),
            (faults.failed_after, Fate::FailedAfter, true),
            (faults.copied, Fate::Copied, request.writes()),
            (faults.throttled, Fate::Throttled, request.service.starts_with("Dynamo")),
            (faults.conflict, Fate::Conflict, plain && request.service.starts_with("Dynamo")),
        ];
        for (rate, fate, possible) in fates {
            if self.happens(rate) && possible {
                self.say(|| format!("{fate:?}: {} {}", request.operation, subject(&request.body)));
                return (fate, there, back);
            }
        }
        let transacts = request.operation.starts_with("Transact");
        if transacts && self.dice.u32(0..1_000) < faults.canceled {
            self.say(|| format!("Canceled: {} {}", request.operation, subject(&request.body)));
            return (Fate::Canceled, there, back);
        }
        (Fate::Fine, there, back)
    }

    /// A transaction meets another one on one of its items. Mostly that is all it hears.
    pub fn cancel(&mut self, request: &Sent) -> Answer {
        if let Some(refused) = self.too_late(request) {
            return refused;
        }
        let (nth, looked) = (self.dice.usize(0..100), self.dice.u32(0..3) == 0);
        let answer = self.table.conflict(&request.body, nth, looked);
        self.judge(request, &answer);
        answer
    }

    /// How late a copy comes: often soon, sometimes when its signature is nearly dead, by a clock that was wrong.
    pub fn lateness(&mut self) -> Duration {
        let at_the_last_moment = if self.theme == Theme::Restless { 500 } else { 100 };
        if self.happens(at_the_last_moment) {
            self.millis(265_000..335_000)
        } else if self.rng.bool() {
            self.millis(1..5_000)
        } else {
            self.millis(5_000..335_000)
        }
    }

    /// What a request hears whose signature is dead.
    fn too_late(&mut self, request: &Sent) -> Option<Answer> {
        if !request.is_dead(self.now().epoch_seconds()) {
            return None;
        }
        self.say(|| format!("too late: {} {}", request.operation, subject(&request.body)));
        Some((400, crate::table::error("InvalidSignatureException", "Signature expired: planned")))
    }

    /// A request arrives.
    pub fn arrive(&mut self, request: &Sent, copy: bool) -> Answer {
        if let Some(refused) = self.too_late(request) {
            return refused;
        }
        if request.service == "AmazonSQS" {
            return self.take_message(request);
        }
        let (body, withheld) = self.withhold(request);
        let (mut answer, changes) = self.table.call(&request.operation, &body);
        self.judge(request, &answer);
        self.written(|| (request.operation.clone(), body));
        if let Some(withheld) = withheld {
            answer.1["UnprocessedKeys"] = withheld;
        }
        if request.writes() {
            let (operation, status) = (&request.operation, answer.0);
            let word = if copy { "a copy of " } else { "" };
            let done = if changes.is_empty() { "refused" } else { "applied" };
            self.say(|| format!("{word}{operation} {} {done} ({status})", subject(&request.body)));
        }
        self.changed(changes);
        if request.operation == "Query" {
            self.know_less(&mut answer.1);
        }
        answer
    }

    /// A batch of reads of which only a part is answered: that part, and the rest.
    fn withhold(&mut self, request: &Sent) -> (Value, Option<Value>) {
        let strikes = request.operation == "BatchGetItem"
            && self.faults.withheld > 0
            && self.dice.u32(0..1_000) < self.faults.withheld;
        if !strikes {
            return (request.body.clone(), None);
        }
        let (answered, rest) = divided(&request.body, |_| self.dice.bool());
        (answered, Some(rest))
    }

    /// Nothing may be asked that DynamoDB does not understand, and nothing be read that may be old: see "a strongly consistent look" in the
    /// protocol. The index is what it is.
    fn judge(&mut self, request: &Sent, answer: &Answer) {
        self.requests += 1;
        if self.requests > MOST_REQUESTS {
            self.violate(format!("after {MOST_REQUESTS} requests there is no end"));
        }
        let asked = |what: &Value| what["ConsistentRead"] == true;
        let consistent = match request.operation.as_str() {
            "GetItem" => asked(&request.body),
            "BatchGetItem" => request.body["RequestItems"].as_object().into_iter().flatten().all(|(_, of)| asked(of)),
            _ => true,
        };
        if !consistent {
            self.violate(format!("{} may read what is old: {}", request.operation, request.body));
        }
        if answer.1["__type"].as_str().is_some_and(|kind| kind.ends_with("#ValidationException")) {
            let (operation, why) = (&request.operation, &answer.1["message"]);
            self.violate(format!("{operation} is not understood, {why}: {}", request.body));
        }
    }

    /// The index learns of a new item a moment after it is written.
    fn know_less(&mut self, page: &mut Value) {
        let lag = if self.dice.bool() { Duration::from_millis(self.dice.u64(0..5_000)) } else { Duration::ZERO };
        if let Some(items) = page["Items"].as_array_mut() {
            items.retain(|item| self.listed.get(&text(&item["pk"]["S"])).is_none_or(|listed| listed.elapsed() >= lag));
        }
    }

    /// Whether DynamoDB deletes an item whose time was over at `ttl` now: each is late by a time of its own, up to `at_most_late_seconds`.
    pub fn is_deleted(&mut self, key: &str, ttl: u64, at_most_late_seconds: u64) -> bool {
        let overdue = self.now().epoch_seconds().saturating_sub(ttl);
        if at_most_late_seconds == 0 || overdue == 0 {
            return overdue > 0;
        }
        let rng = &mut self.rng;
        let mut draw = || if rng.u32(0..4) == 0 { 0 } else { rng.u64(0..at_most_late_seconds) };
        overdue > *self.late.entry(key.to_owned()).or_insert_with(&mut draw)
    }

    /// DynamoDB deletes an item whose time is over.
    pub fn expire(&mut self, key: &str) -> Option<Change> {
        let change = self.table.expire(key)?;
        self.say(|| format!("TTL deletes {key}"));
        self.purged.insert(key.to_owned(), self.now());
        self.late.remove(key);
        self.written(|| ("DeleteItem".to_owned(), json!({ "TableName": "table", "Key": { "pk": { "S": key } } })));
        self.changed(vec![change.clone()]);
        Some(change)
    }

    /// When the record of a reservation is to be deleted.
    #[must_use]
    pub fn ttl_of(&self, reservation: &str) -> Option<Timestamp> {
        let item = self.table.get(&format!("R#{reservation}"))?;
        time_to_live(item).map(Timestamp::from_epoch_seconds)
    }

    /// How long it is until the next item is to be deleted.
    #[must_use]
    pub fn next_deletion(&self) -> Option<Duration> {
        let next = self.table.items().filter_map(|(_, item)| time_to_live(item)).min()?;
        Some(Duration::from_secs(next.saturating_sub(self.now().epoch_seconds())))
    }

    fn written(&mut self, request: impl FnOnce() -> (String, Value)) {
        if let Some(transcript) = &mut self.transcript {
            transcript.push(request());
        }
    }

    /// What changed together: checks the invariants, and shows it to the stream.
    pub fn changed(&mut self, changes: Vec<Change>) {
        if changes.is_empty() {
            return;
        }
        for change in &changes {
            self.follow(change);
        }
        self.check_division(&changes);
        self.check(false);
        let shown = changes.into_iter().filter(|change| change.key.starts_with("S#") && change.new.is_some());
        for change in shown {
            let shard = shard_of(&change.key, self.shards.len());
            self.shards[shard].push_back(change);
        }
        self.news.notify_waiters();
    }

    /// What the record of a reservation has been in the last seconds, the latest first.
    pub(crate) fn lately(&self, id: &ReservationId, seconds: u64) -> impl Iterator<Item = &Reservation> {
        let since = self.now().epoch_seconds().saturating_sub(seconds);
        let mut over = false;
        let history = self.history.get(id).into_iter().flatten().rev();
        let lately = history.take_while(move |(at, _)| !std::mem::replace(&mut over, at.epoch_seconds() < since));
        lately.filter_map(|(_, record)| record.as_ref())
    }

    fn remember(&mut self, id: &ReservationId, record: Option<Reservation>) {
        let now = self.now();
        self.history.entry(id.clone()).or_default().push((now, record));
    }

    fn follow(&mut self, change: &Change) {
        if change.old.is_none() && change.new.as_ref().is_some_and(|item| item.contains_key("list")) {
            self.listed.insert(change.key.clone(), Instant::now());
        }
        if change.key.starts_with("B#") {
            self.check_shipped(change);
        }
        let (old, new) = (change.old.as_ref().map(decoded), change.new.as_ref().map(decoded));
        match (old, new) {
            (_, Some(Err(malformed))) => self.violate(format!("{} is malformed: {malformed}", change.key)),
            (_, Some(Ok(Some(StoredItem::Bucket(id, bucket))))) => self.audit.bucket(id, bucket),
            (before, Some(Ok(Some(StoredItem::Reservation(record))))) => {
                if let Some(Ok(Some(StoredItem::Reservation(before)))) = before
                    && matches!(before.status, Status::Confirmed { .. })
                    && !matches!(record.status, Status::Confirmed { .. })
                {
                    self.violate(format!("I2 broken: {} was sold, and is {:?}", record.id, record.status));
                }
                self.check_channel(&record);
                self.remember(&record.id, Some(record.clone()));
                self.audit.reservation(record);
            }
            (None, Some(Ok(Some(StoredItem::Movement(movement))))) => self.audit.movement(&movement),
            (Some(Ok(Some(StoredItem::Bucket(id, _)))), None) => self.audit.forget_bucket(&id),
            (Some(Ok(Some(StoredItem::Reservation(record)))), None) => {
                self.remember(&record.id, None);
                self.audit.forget_reservation(&record.id);
            }
            _ => {}
        }
    }

    /// Checks the invariants over everything.
    pub fn check(&mut self, at_rest: bool) {
        self.checks += 1;
        let report = self.audit.report(self.now(), at_rest);
        if let Some(violation) = report.violations.first() {
            self.violate(violation.to_string());
        }
    }

    fn take_message(&mut self, request: &Sent) -> Answer {
        let body = &request.body;
        match request.operation.as_str() {
            "SendMessageBatch" => {
                let entries = body["Entries"].as_array().into_iter().flatten();
                let mut sent = Vec::new();
                for entry in entries {
                    let delay = Duration::from_secs(entry["DelaySeconds"].as_u64().unwrap_or(0));
                    let late = self.millis(0..3_000);
                    self.timers.push((Instant::now() + delay + late, text(&entry["MessageBody"])));
                    sent.push(json!({ "Id": entry["Id"], "MessageId": "m", "MD5OfMessageBody": "x" }));
                }
                self.news.notify_waiters();
                (200, json!({ "Successful": sent, "Failed": [] }))
            }
            "SendMessage" => {
                let (line, id) = (text(&body["MessageGroupId"]), text(&body["MessageDeduplicationId"]));
                let known = self.deduplicated.get(&id).is_some_and(|seen| seen.elapsed() < DEDUPLICATION);
                if !known {
                    self.deduplicated.insert(id, Instant::now());
                    self.lines.entry(line).or_default().push_back(text(&body["MessageBody"]));
                    self.news.notify_waiters();
                }
                (200, json!({ "MessageId": "m", "MD5OfMessageBody": "x", "SequenceNumber": "1" }))
            }
            other => {
                self.violate(format!("the simulation knows no {other}"));
                (200, json!({}))
            }
        }
    }
}

/// A stream keeps the order of one partition key's records, and of no others: which of the shards gets them (FNV-1a).
fn shard_of(key: &str, shards: usize) -> usize {
    let hash = key
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    usize::try_from(hash % shards.max(1) as u64).unwrap_or(0)
}

/// When an item is to be deleted, in epoch seconds.
#[must_use]
pub fn time_to_live(item: &Item) -> Option<u64> {
    item.get("ttl")?["N"].as_str()?.parse().ok()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// The items that a request is about.
fn subject(body: &Value) -> String {
    if let Some(items) = body["TransactItems"].as_array() {
        return items
            .iter()
            .flat_map(|item| item.as_object().into_iter().flatten())
            .map(|(_, write)| subject(write))
            .collect::<Vec<_>>()
            .join(" ");
    }
    let key = [&body["Key"], &body["Item"]].into_iter().find_map(|key| key["pk"]["S"].as_str());
    let key = key.unwrap_or_default();
    match (body["UpdateExpression"].as_str(), body["Item"]["status"]["S"].as_str()) {
        (Some(update), _) => format!("{key} [{update}]"),
        (_, Some(status)) => format!("{key} [{status}]"),
        _ => key.to_owned(),
    }
}

/// An item as the SDK has it.
#[must_use]
pub fn sdk_item(item: &Item) -> store::Item {
    item.iter().map(|(name, value)| (name.clone(), sdk_value(value))).collect()
}

fn sdk_value(value: &Value) -> AttributeValue {
    let (kind, content) =
        value.as_object().and_then(|value| value.iter().next()).map_or(("", &Value::Null), |(k, v)| (k.as_str(), v));
    match kind {
        "S" => AttributeValue::S(text(content)),
        "N" => AttributeValue::N(text(content)),
        "L" => AttributeValue::L(content.as_array().into_iter().flatten().map(sdk_value).collect()),
        "M" => {
            let entries = content.as_object().into_iter().flatten();
            AttributeValue::M(entries.map(|(name, value)| (name.clone(), sdk_value(value))).collect())
        }
        // Nothing that this service writes; decoding will say so.
        _ => AttributeValue::B(Blob::new("")),
    }
}

fn decoded(item: &Item) -> Result<Option<StoredItem>, String> {
    store::decode(&sdk_item(item)).map_err(|fault| fault.to_string())
}

/// `20270115T080000Z`, in epoch seconds; 0 for anything else.
#[must_use]
pub fn signing_instant(date: &str) -> u64 {
    let parsed =
        jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", date).and_then(|at| at.to_zoned(jiff::tz::TimeZone::UTC));
    parsed.ok().and_then(|at| u64::try_from(at.timestamp().as_second()).ok()).unwrap_or(0)
}

/// A function's clock: right but for a constant.
#[derive(Debug, Clone)]
pub struct SkewedClock {
    /// The world whose time it shows.
    pub world: Arc<Mutex<World>>,
    /// How many seconds it is ahead.
    pub skew_seconds: i64,
}

impl Clock for SkewedClock {
    fn now(&self) -> Timestamp {
        let right = self.world.lock().unwrap_or_else(PoisonError::into_inner).now().epoch_seconds();
        Timestamp::from_epoch_seconds(right.saturating_add_signed(self.skew_seconds))
    }
}

impl TimeSource for SkewedClock {
    fn now(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(Clock::now(self).epoch_seconds())
    }
}
