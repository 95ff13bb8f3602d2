//! Everything that is shared in one run: the seed's dice, the time, the table, the queues, and what was promised to whom.
//!
//! The time is tokio's, paused: it jumps to whatever happens next. Each function has a clock of its own, some of them wrong.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use domain::{
    audit::Audit,
    ids::ReservationId,
    reservation::{Reservation, Status},
    time::Timestamp,
};
use fastrand::Rng;
use serde_json::{Value, json};
use store::StoredItem;
use tokio::{sync::Notify, time::Instant};

use crate::{
    item::{decoded, time_to_live},
    network::Faults,
    plan::Theme,
    table::{Change, Table},
};

/// When every run begins, in epoch seconds: 2027-01-15T08:00:00Z.
pub const START: u64 = 1_800_000_000;

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
    pub(crate) requests: u64,
    pub(crate) deduplicated: BTreeMap<String, Instant>,
    late: BTreeMap<String, u64>,
    pub(crate) listed: BTreeMap<String, Instant>,
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

    pub(crate) fn written(&mut self, request: impl FnOnce() -> (String, Value)) {
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
}

/// A stream keeps the order of one partition key's records, and of no others: which of the shards gets them (FNV-1a).
fn shard_of(key: &str, shards: usize) -> usize {
    let hash = key
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    usize::try_from(hash % shards.max(1) as u64).unwrap_or(0)
}
