//! (c): taking a unit as `store::flow::acquire` does, step by step, for a line of one unit.
//!
//! 1. *First*: where this process believes that plenty is left, else a look at a few children. What it believes, and at which children it
//!    looks, is decided by `domain::route` itself.
//! 2. *Home*: what it is and how many children there are; then a look at more of the children.
//! 3. *Open* children for units that the home has, after room was looked for in it.
//! 4. *Survey*, once the home has none: the newest children first, until one has units; then room is made, or a unit brought home.
//!    Then look again, at most 16 times.

use std::collections::BTreeSet;

use domain::{
    acquire::{pick_by_weight, sizes_of_children},
    bucket::Home,
    limits::MAX_SETTLED_AT_ONCE,
    quantity::Quantity,
    route::{First, GLANCE, LONG_GLANCE},
    time::Timestamp,
};

use crate::{
    design::buckets::{Bucket, Seen, Status, Stock},
    limits::{BATCH_KEYS, STORE_ATTEMPTS},
    market::{Answer, Shopper},
    table::{Bill, Fault, Key},
};

/// Source: `store::flow::acquire`.
const MAX_ROUNDS: u32 = 16;
/// Source: the same.
const MAX_TRIES: usize = 3;

/// Source: `store::flow::take`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begin {
    /// With what the process remembers.
    Recalling,
    /// With a look at the home.
    Looking,
}

/// What came of trying a bucket.
enum Tried {
    Held,
    Refused(Seen),
    Throttled,
}

/// What came of a round.
enum Round {
    Again(Option<Seen>),
    Held,
    Short,
}

/// One shopper's search.
pub struct Search<'a> {
    stock: &'a Stock,
    shopper: Shopper,
    process: usize,
    bill: &'a Bill,
    closed: BTreeSet<usize>,
    tidied: BTreeSet<usize>,
    throttled: bool,
    /// A child was throttled.
    busy: bool,
    turn: u32,
}

impl<'a> Search<'a> {
    /// By this process.
    pub fn new(stock: &'a Stock, shopper: Shopper, process: usize, bill: &'a Bill) -> Self {
        let (closed, tidied) = (BTreeSet::new(), BTreeSet::new());
        Self { stock, shopper, process, bill, closed, tidied, throttled: false, busy: false, turn: 0 }
    }

    /// Takes a unit.
    pub async fn run(mut self, begin: Begin) -> Result<Answer, Fault> {
        if begin == Begin::Recalling && self.stock.route(self.process).short_of(one(), self.stock.now()).is_some() {
            return Ok(Answer::SoldOut);
        }
        let mut home = None;
        let mut looked_at = self.stock.now();
        let mut trusts_routes = begin == Begin::Recalling;
        for turn in 0..MAX_ROUNDS {
            if self.busy {
                break;
            }
            self.turn = turn;
            if home.is_none() {
                looked_at = self.stock.now();
                if trusts_routes {
                    match self.first().await? {
                        Some(Tried::Held) => return Ok(Answer::Reserved),
                        Some(Tried::Refused(seen)) if seen.bucket == 0 => home = Some(seen),
                        // Another child is next, and not the home: all the others are there.
                        Some(Tried::Refused(_)) => continue,
                        Some(Tried::Throttled) if self.busy => break,
                        Some(Tried::Throttled) | None => {}
                    }
                }
            }
            let seen = match home.take() {
                Some(seen) => seen,
                None => self.stock.table.read(Stock::key(0), self.bill, || self.stock.see(0)).await?,
            };
            // Others have opened children: they are looked at first, where there are many.
            let is_news =
                self.stock.route(self.process).saw_home(&Home { next_child: seen.next_child, ..self.stock.home() });
            trusts_routes = is_news && begin != Begin::Looking && seen.next_child > LONG_GLANCE;
            if trusts_routes {
                continue;
            }
            match self.round(seen, looked_at).await? {
                Round::Held => return Ok(Answer::Reserved),
                Round::Short if self.throttled => return Ok(Answer::Contended),
                Round::Short => return Ok(Answer::SoldOut),
                Round::Again(seen) => home = seen,
            }
        }
        Ok(Answer::Contended)
    }

    /// Tries the bucket that this process believes in, or one of a few that it looks at: of more, if there is nothing in those.
    async fn first(&mut self) -> Result<Option<Tried>, Fault> {
        for count in [GLANCE, LONG_GLANCE] {
            let first = self.stock.route(self.process).first(one());
            let tried = match first {
                First::Try(child) if !self.closed.contains(&child.map_or(0, place)) => {
                    Some(self.try_hold(child.map_or(0, place)).await?)
                }
                First::Try(None) => return Ok(None),
                _ => self.glance(count).await?,
            };
            if tried.is_some() {
                return Ok(tried);
            }
        }
        Ok(None)
    }

    /// A number that spreads shoppers, another one each time.
    fn spread(&self) -> u64 {
        self.shopper.spread.rotate_left(7 * self.turn)
    }

    /// Looks at a few children, and tries one of those that have a unit.
    async fn glance(&mut self, count: u32) -> Result<Option<Tried>, Fault> {
        let children = self.stock.route(self.process).glance(count, self.spread());
        let children: Vec<usize> = children.into_iter().map(place).collect();
        let keys: Vec<Key> = children.iter().map(|bucket| Stock::key(*bucket)).collect();
        let mut seen = Vec::with_capacity(children.len());
        match self.stock.table.read_some(&keys, self.bill, |at| seen.push(self.stock.see(children[at]))).await {
            Ok(()) => self.try_one_of(&seen).await,
            Err(_) => Ok(None),
        }
    }

    async fn look(&self, buckets: &[usize]) -> Result<Vec<Seen>, Fault> {
        let keys: Vec<Key> = buckets.iter().map(|bucket| Stock::key(*bucket)).collect();
        let mut seen = Vec::with_capacity(buckets.len());
        self.stock.table.read_many(&keys, self.bill, |at| seen.push(self.stock.see(buckets[at]))).await?;
        Ok(seen)
    }

    async fn try_one_of(&mut self, seen: &[Seen]) -> Result<Option<Tried>, Fault> {
        let open: Vec<Seen> = seen.iter().filter(|bucket| self.reachable(bucket)).copied().collect();
        match pick_by_weight(&open, |bucket| u64::from(bucket.free), self.spread()) {
            Some(chosen) => self.try_hold(chosen.bucket).await.map(Some),
            None => Ok(None),
        }
    }

    async fn round(&mut self, home: Seen, looked_at: Timestamp) -> Result<Round, Fault> {
        if home.free > 0 && home.next_child > LONG_GLANCE {
            return self.at_home(home).await;
        }
        let (seen, all) = self.survey(home).await?;
        if let Some(tried) = self.try_one_of(&seen).await? {
            return Ok(after(&tried));
        }
        if !all {
            return Ok(Round::Again(None));
        }
        for bucket in &seen {
            if self.tidied.insert(bucket.bucket) && self.make_room(*bucket).await? {
                return Ok(Round::Again(None));
            }
        }
        if seen.iter().all(|bucket| bucket.free == 0) {
            if seen.len() > 1 {
                // The home again, for its generation: nothing moves between buckets in this run, or it is moved by `fold`.
                self.stock.table.read(Stock::key(0), self.bill, || ()).await?;
            }
            if !self.throttled {
                self.stock.route(self.process).saw_all(looked_at, 0);
            }
            return Ok(Round::Short);
        }
        if home.free > 0 {
            return self.at_home(home).await;
        }
        let stuck = |bucket: &&Seen| {
            bucket.bucket > 0 && bucket.free > 0 && (bucket.crowded || self.closed.contains(&bucket.bucket))
        };
        for bucket in seen.iter().filter(stuck) {
            self.fold(*bucket).await?;
        }
        Ok(Round::Again(None))
    }

    /// The home has units: held there, or put into children.
    async fn at_home(&mut self, home: Seen) -> Result<Round, Fault> {
        if self.reachable(&home) {
            return Ok(after(&self.try_hold(0).await?));
        }
        if self.tidied.insert(0) && self.make_room(home).await? {
            return Ok(Round::Again(None));
        }
        self.open_and_hold(home).await
    }

    /// The home and its children, a hundred at a time and the newest first, until one has a unit; and whether these are all.
    async fn survey(&self, home: Seen) -> Result<(Vec<Seen>, bool), Fault> {
        let children: Vec<usize> = (1..=home.next_child).rev().map(|n| place(n - 1)).collect();
        let mut seen = vec![home];
        let mut left = children.chunks(BATCH_KEYS);
        for batch in left.by_ref() {
            let batch = self.look(batch).await?;
            let found = batch.iter().any(|bucket| self.reachable(bucket));
            seen.extend(batch);
            if found {
                break;
            }
        }
        Ok((seen, left.len() == 0))
    }

    fn reachable(&self, bucket: &Seen) -> bool {
        bucket.free > 0 && !bucket.crowded && !self.closed.contains(&bucket.bucket)
    }

    async fn try_hold(&mut self, bucket: usize) -> Result<Tried, Fault> {
        let mut last = None;
        for _ in 0..MAX_TRIES {
            let hold = || self.stock.hold(bucket, self.shopper.number);
            let (applied, seen) = match self.stock.table.write(Stock::item(bucket), self.bill, hold).await {
                Ok(answer) => answer,
                Err(Fault::Throttled) => {
                    self.throttled = true;
                    self.busy = bucket > 0;
                    self.closed.insert(bucket);
                    return Ok(Tried::Throttled);
                }
                Err(fault) => return Err(fault),
            };
            if applied {
                self.stock.route(self.process).held(child(bucket), seen.within_reach);
                return Ok(Tried::Held);
            }
            self.stock.route(self.process).refused(child(bucket), seen.within_reach);
            if !self.tidied.insert(bucket) || !self.make_room(seen).await? {
                return Ok(Tried::Refused(seen));
            }
            last = Some(seen);
        }
        Ok(last.map_or(Tried::Throttled, Tried::Refused))
    }

    /// Where a bucket is crowded, reads the records of its holds and settles those that are confirmed, ten in a write; releases those
    /// that are canceled. Says whether there were any.
    async fn make_room(&self, seen: Seen) -> Result<bool, Fault> {
        if !seen.crowded || seen.free == 0 {
            return Ok(false);
        }
        let holders = self.stock.buckets.borrow()[seen.bucket].holds.clone();
        let keys: Vec<_> = holders.iter().map(|holder| Stock::record(*holder).key).collect();
        let (mut sold, mut gone) = (Vec::new(), Vec::new());
        let look = |at: usize| match self.stock.status(holders[at]) {
            Some((Status::Confirmed, _)) => sold.push(holders[at]),
            Some((Status::Canceled, _)) => gone.push(holders[at]),
            _ => {}
        };
        self.stock.table.read_many(&keys, self.bill, look).await?;
        for part in sold.chunks(MAX_SETTLED_AT_ONCE) {
            let settle = || self.stock.settle(seen.bucket, part);
            self.stock.table.write(Stock::item(seen.bucket), self.bill, settle).await?;
        }
        for holder in &gone {
            self.stock.release(seen.bucket, *holder, self.bill).await?;
        }
        Ok(!(sold.is_empty() && gone.is_empty()))
    }

    /// Opens children for units that the home has and cannot give, and holds one in one of them.
    async fn open_and_hold(&mut self, home: Seen) -> Result<Round, Fault> {
        let window = Home { next_child: home.next_child, ..self.stock.home() };
        let sizes = sizes_of_children(u64::from(home.free), &window, one());
        let sizes: Vec<u32> = sizes.into_iter().filter_map(|size| u32::try_from(size).ok()).collect();
        let units: u32 = sizes.iter().sum();
        let first = place(window.next_child);
        let items: Vec<_> = std::iter::once(0).chain(first..first + sizes.len()).map(Stock::item).collect();
        let mut open = || {
            let mut buckets = self.stock.buckets.borrow_mut();
            if buckets.len() != first || buckets[0].free < units {
                return false;
            }
            buckets[0].free -= units;
            buckets.extend(sizes.iter().map(|free| Bucket { free: *free, holds: Vec::new() }));
            true
        };
        match self.stock.table.transact_once(&items, self.bill, &mut open).await {
            Ok(true) => {}
            // The image of the home comes with the refusal.
            Ok(false) => return Ok(Round::Again(Some(self.stock.see(0)))),
            // Canceled by another, or because the units of one of its items were used up.
            Err(Fault::Conflict | Fault::Throttled) => {
                self.stock.table.store_pause(self.turn.min(STORE_ATTEMPTS)).await;
                return Ok(Round::Again(None));
            }
        }
        let at = usize::try_from(self.spread() % sizes.len() as u64).unwrap_or(0);
        let opened = window.next_child + u32::try_from(at).unwrap_or(0);
        self.stock.route(self.process).opened(opened, u64::from(sizes[at]));
        Ok(after(&self.try_hold(first + at).await?))
    }

    /// Brings a child's free units home.
    async fn fold(&self, seen: Seen) -> Result<(), Fault> {
        let bring = || {
            let mut buckets = self.stock.buckets.borrow_mut();
            let there = buckets[seen.bucket].free >= seen.free;
            if there {
                buckets[seen.bucket].free -= seen.free;
                buckets[0].free += seen.free;
            }
            there
        };
        self.stock.route(self.process).refused(child(seen.bucket), 0);
        self.stock.table.transact(&[Stock::item(seen.bucket), Stock::item(0)], self.bill, bring).await.map(drop)
    }
}

fn after(tried: &Tried) -> Round {
    match tried {
        Tried::Held => Round::Held,
        Tried::Refused(seen) if seen.bucket == 0 => Round::Again(Some(*seen)),
        Tried::Refused(_) | Tried::Throttled => Round::Again(None),
    }
}

/// Every shopper wants one unit.
fn one() -> Quantity {
    Quantity::new(1).expect("one is a quantity")
}

/// The place of a child, by its number; the home is at 0.
fn place(child: u32) -> usize {
    usize::try_from(child).unwrap_or(usize::MAX - 1) + 1
}

/// The number of the child at a place.
fn child(bucket: usize) -> Option<u32> {
    bucket.checked_sub(1).and_then(|number| u32::try_from(number).ok())
}
