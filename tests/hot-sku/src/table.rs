//! One DynamoDB table: what its requests cost, when they are throttled, when they conflict, and how long they take.
//!
//! - A request is admitted, or throttled, halfway through its time; what it changes changes at that instant.
//! - **Throttled**: the partition or the table has not enough units left. It changes nothing and costs nothing.
//! - A **write** costs its item's size, whether its condition holds or not. It is refused while a transaction has the item.
//! - A **transaction** is two rounds of writes, and has its items in its hands from the first to the second; meanwhile other
//!   transactions that name one of them are canceled. Its conditions are judged, and its changes made, in the first round; only that
//!   one can be throttled.
//! - A **batch of reads** answers what was admitted; the rest is asked for again.
//!
//! An item is only a place here: what is in it belongs to the designs, which pass in what is to be judged and changed.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeSet,
    time::Duration,
};

use fastrand::Rng;

use crate::{
    clock::Clock,
    limits::{
        BATCH_KEYS, CANCELED_FACTOR, Latency, Limits, SDK_ATTEMPTS, SDK_PAUSE_MS, STORE_ATTEMPTS, STORE_PAUSE_MS,
        TRANSACTION_FACTOR, WRITE_UNIT_BYTES,
    },
    partition::Partitions,
};

/// An item's place: a hash of its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key(pub(crate) u64);

impl Key {
    /// A place that is its own number, for tests that name one.
    #[must_use]
    pub const fn number(number: u64) -> Self {
        Self(number)
    }

    /// The place of item `number` of a kind. Mixing: `SplitMix64`, as public as a hash can be.
    #[must_use]
    pub fn of(kind: u8, number: u32) -> Self {
        Self(mix((u64::from(kind) << 40) | u64::from(number)))
    }
}

/// Spreads numbers evenly.
#[must_use]
pub fn mix(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// An item that a request names, and its size.
#[derive(Debug, Clone, Copy)]
pub struct Item {
    /// Where it is.
    pub key: Key,
    /// How large it is.
    pub bytes: u32,
}

impl Item {
    /// Write units.
    #[must_use]
    pub fn units(self) -> f64 {
        f64::from(self.bytes.div_ceil(WRITE_UNIT_BYTES).max(1))
    }
}

/// What one caller has used.
#[derive(Debug, Default)]
pub struct Bill {
    /// Write units.
    pub writes: Cell<f64>,
    /// Read units.
    pub reads: Cell<f64>,
}

impl Bill {
    /// Takes over what is on another bill.
    pub fn add(&self, other: &Self) {
        self.write(other.writes.take());
        self.read(other.reads.take());
    }

    fn write(&self, units: f64) {
        self.writes.set(self.writes.get() + units);
    }

    fn read(&self, units: f64) {
        self.reads.set(self.reads.get() + units);
    }
}

/// Why nothing was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// No units were left.
    Throttled,
    /// A transaction had the item.
    Conflict,
}

/// The table.
pub struct Table {
    /// Its time.
    pub clock: Clock,
    /// What it allows.
    pub limits: Limits,
    partitions: RefCell<Partitions>,
    in_transaction: RefCell<BTreeSet<Key>>,
    rng: RefCell<Rng>,
    /// Requests that were throttled.
    pub throttled: Cell<f64>,
    /// Writes and transactions that met a transaction.
    pub conflicts: Cell<f64>,
}

impl Table {
    /// A table that is as warm as its quota lets it be.
    #[must_use]
    pub fn new(clock: Clock, limits: Limits, seed: u64) -> Self {
        let partitions = RefCell::new(Partitions::new(&limits));
        let rng = RefCell::new(Rng::with_seed(seed));
        let in_transaction = RefCell::default();
        let (throttled, conflicts) = (Cell::new(0.0), Cell::new(0.0));
        Self { clock, limits, partitions, in_transaction, rng, throttled, conflicts }
    }

    /// An even number from 0 up to 1.
    pub fn random(&self) -> f64 {
        self.rng.borrow_mut().f64()
    }

    /// One write, tried again by the SDK where it is throttled and by the store where it meets a transaction. `change` judges the
    /// condition and makes the change; its answer is the answer.
    pub async fn write<T>(&self, item: Item, bill: &Bill, mut change: impl FnMut() -> T) -> Result<T, Fault> {
        for attempt in 0..STORE_ATTEMPTS {
            match self.sdk_write(item, bill, &mut change).await {
                Err(Fault::Conflict) => self.store_pause(attempt).await,
                answer => return answer,
            }
        }
        Err(Fault::Conflict)
    }

    /// One write without the SDK's retries, as the record of a reservation is written: the store tries again itself.
    pub async fn write_unretried<T>(&self, item: Item, bill: &Bill, mut change: impl FnMut() -> T) -> Result<T, Fault> {
        let mut last = Fault::Conflict;
        for attempt in 0..STORE_ATTEMPTS {
            match self.write_once(item, bill, &mut change).await {
                Ok(answer) => return Ok(answer),
                Err(fault) => last = fault,
            }
            self.store_pause(attempt).await;
        }
        Err(last)
    }

    async fn sdk_write<T>(&self, item: Item, bill: &Bill, change: &mut impl FnMut() -> T) -> Result<T, Fault> {
        for attempt in 1..SDK_ATTEMPTS {
            match self.write_once(item, bill, change).await {
                Err(Fault::Throttled) => self.sdk_pause(attempt).await,
                answer => return answer,
            }
        }
        self.write_once(item, bill, change).await
    }

    async fn write_once<T>(&self, item: Item, bill: &Bill, change: &mut impl FnMut() -> T) -> Result<T, Fault> {
        let half = self.draw(self.limits.write) / 2;
        self.clock.sleep(half).await;
        let answer = if self.in_transaction.borrow().contains(&item.key) {
            Err(Fault::Conflict)
        } else if self.admit_writes(&[item]) {
            bill.write(item.units());
            Ok(change())
        } else {
            Err(Fault::Throttled)
        };
        self.count(&answer);
        self.clock.sleep(half).await;
        answer
    }

    /// A transaction, tried again by the store where it was canceled for another cause than a condition. `change` answers
    /// whether the conditions held.
    pub async fn transact(&self, items: &[Item], bill: &Bill, mut change: impl FnMut() -> bool) -> Result<bool, Fault> {
        let mut last = Fault::Conflict;
        for attempt in 0..STORE_ATTEMPTS {
            match self.transact_once(items, bill, &mut change).await {
                Ok(held) => return Ok(held),
                Err(fault) => last = fault,
            }
            self.store_pause(attempt).await;
        }
        Err(last)
    }

    /// A transaction, tried once.
    pub async fn transact_once(
        &self,
        items: &[Item],
        bill: &Bill,
        change: &mut impl FnMut() -> bool,
    ) -> Result<bool, Fault> {
        // As long as the slowest of its items.
        let times = items.iter().skip(1).map(|_| self.draw(self.limits.transaction));
        let time = times.max().unwrap_or_default();
        let held_for = time.mul_f64(self.limits.transaction_hold_share);
        let way = time.saturating_sub(held_for) / 2;
        self.clock.sleep(way).await;
        let answer = self.prepare(items, bill, change);
        self.count(&answer);
        if answer == Ok(true) {
            self.clock.sleep(held_for).await;
            let mut held = self.in_transaction.borrow_mut();
            for item in items {
                held.remove(&item.key);
            }
        }
        self.clock.sleep(way).await;
        answer
    }

    fn prepare(&self, items: &[Item], bill: &Bill, change: &mut impl FnMut() -> bool) -> Result<bool, Fault> {
        let units: f64 = items.iter().map(|item| item.units()).sum();
        let conflict = items.iter().any(|item| self.in_transaction.borrow().contains(&item.key));
        if !self.admit_writes(items) {
            return Err(Fault::Throttled);
        }
        if conflict {
            bill.write(units * CANCELED_FACTOR);
            return Err(Fault::Conflict);
        }
        let held = change();
        if held {
            self.in_transaction.borrow_mut().extend(items.iter().map(|item| item.key));
            self.partitions.borrow_mut().owe(items);
        }
        bill.write(units * if held { TRANSACTION_FACTOR } else { CANCELED_FACTOR });
        Ok(held)
    }

    /// One strongly consistent read of up to 4 KB; `see` looks at the item.
    pub async fn read<T>(&self, key: Key, bill: &Bill, mut see: impl FnMut() -> T) -> Result<T, Fault> {
        for attempt in 1..=SDK_ATTEMPTS {
            let half = self.draw(self.limits.read) / 2;
            self.clock.sleep(half).await;
            let admitted = self.partitions.borrow_mut().read(self.clock.now(), key);
            let seen = admitted.then(&mut see);
            self.clock.sleep(half).await;
            if let Some(seen) = seen {
                bill.read(1.0);
                return Ok(seen);
            }
            self.throttled.set(self.throttled.get() + 1.0);
            if attempt < SDK_ATTEMPTS {
                self.sdk_pause(attempt).await;
            }
        }
        Err(Fault::Throttled)
    }

    /// Strongly consistent reads of many items, a hundred at a time, as `Store::batch_get` makes them; `see` looks at the item of
    /// the key at a position.
    pub async fn read_many(&self, keys: &[Key], bill: &Bill, mut see: impl FnMut(usize)) -> Result<(), Fault> {
        for (start, batch) in (0..).step_by(BATCH_KEYS).zip(keys.chunks(BATCH_KEYS)) {
            let mut missing: Vec<(usize, Key)> = (start..).zip(batch.iter().copied()).collect();
            // Attempts and pauses of `Store::batch_get_once`.
            for attempt in 0..8 {
                self.read_batch(&mut missing, bill, &mut see).await?;
                if missing.is_empty() {
                    break;
                }
                self.clock.sleep(Duration::from_millis(10 << attempt)).await;
            }
            if !missing.is_empty() {
                return Err(Fault::Throttled);
            }
        }
        Ok(())
    }

    /// One batch of up to a hundred, without asking again for what was not read: for a look where any of the items will do.
    pub async fn read_some(&self, keys: &[Key], bill: &Bill, mut see: impl FnMut(usize)) -> Result<(), Fault> {
        self.read_batch(&mut keys.iter().copied().enumerate().collect(), bill, &mut see).await
    }

    /// One `BatchGetItem`. That nothing at all could be read is an error, which the SDK tries again.
    async fn read_batch(
        &self,
        missing: &mut Vec<(usize, Key)>,
        bill: &Bill,
        see: &mut impl FnMut(usize),
    ) -> Result<(), Fault> {
        for attempt in 1..=SDK_ATTEMPTS {
            let half = self.draw(self.limits.batch_read) / 2;
            self.clock.sleep(half).await;
            let before = missing.len();
            let now = self.clock.now();
            let mut read = 0.0;
            missing.retain(|(position, key)| {
                let admitted = self.partitions.borrow_mut().read(now, *key);
                if admitted {
                    read += 1.0;
                    see(*position);
                }
                !admitted
            });
            bill.read(read);
            self.clock.sleep(half).await;
            if missing.len() < before {
                return Ok(());
            }
            self.throttled.set(self.throttled.get() + 1.0);
            if attempt < SDK_ATTEMPTS {
                self.sdk_pause(attempt).await;
            }
        }
        Err(Fault::Throttled)
    }

    /// The pause of the SDK: anything from nothing up to a bound that doubles.
    pub async fn sdk_pause(&self, attempt: u32) {
        let ms = SDK_PAUSE_MS * f64::from(1_u32 << (attempt - 1)) * self.random();
        self.clock.sleep(millis(ms)).await;
    }

    /// The pause of the store: half certain, half spread, and doubling.
    pub async fn store_pause(&self, attempt: u32) {
        let ms = STORE_PAUSE_MS * f64::from(1_u32 << attempt) * (0.5 + 0.5 * self.random());
        self.clock.sleep(millis(ms)).await;
    }

    /// How long something takes that is spread so.
    pub fn draw(&self, latency: Latency) -> Duration {
        // Box and Muller: a normal number from two even ones.
        let (first, second) = (1.0 - self.random(), self.random());
        let normal = (-2.0 * first.ln()).sqrt() * (std::f64::consts::TAU * second).cos();
        let spread = (latency.p99_ms / latency.p50_ms).ln() / P99;
        millis(latency.p50_ms * (spread * normal).exp())
    }

    fn admit_writes(&self, items: &[Item]) -> bool {
        self.partitions.borrow_mut().write(self.clock.now(), items)
    }

    fn count<T>(&self, answer: &Result<T, Fault>) {
        let counter = match answer {
            Ok(_) => return,
            Err(Fault::Throttled) => &self.throttled,
            Err(Fault::Conflict) => &self.conflicts,
        };
        counter.set(counter.get() + 1.0);
    }
}

/// Standard deviations between the median and the 99th percentile of a normal distribution.
const P99: f64 = 2.326;

/// A time from milliseconds.
#[must_use]
pub fn millis(ms: f64) -> Duration {
    Duration::from_secs_f64(ms / 1_000.0)
}
