//! (c): taking a unit as `store::flow::acquire` does, step by step, for a line of one unit.
//!
//! 1. *First try*: a child that this process believes to have units, else the home.
//! 2. *Survey*: the home and all of its children are read; one that has units and room is tried.
//! 3. *Make room*: crowded buckets give up holds that are confirmed; the records are read to find out.
//! 4. *Open* a child for units that the home cannot give, or bring a child's home. Then look again, at most 16 times.

use std::collections::BTreeSet;

use domain::limits::MAX_SETTLED_AT_ONCE;

use crate::{
    design::buckets::{Bucket, Seen, Status, Stock, child_units},
    market::{Answer, Shopper},
    table::{Bill, Fault, mix},
};

/// Source: `store::flow::acquire`.
const MAX_ROUNDS: usize = 16;
/// Source: the same.
const MAX_TRIES: usize = 3;

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
    /// Spreads blind tries.
    tries: u64,
}

impl<'a> Search<'a> {
    /// By this process.
    pub fn new(stock: &'a Stock, shopper: Shopper, process: usize, bill: &'a Bill) -> Self {
        let (closed, tidied) = (BTreeSet::new(), BTreeSet::new());
        Self { stock, shopper, process, bill, closed, tidied, throttled: false, tries: shopper.spread }
    }

    /// Takes a unit, beginning with a write, or with a look where a write was likely to be refused.
    pub async fn run(mut self, with_a_look: bool) -> Result<Answer, Fault> {
        let mut home = None;
        let first = self.stock.first(self.process, self.shopper.spread);
        // Who may try children blindly does so, rather than write to a home that is likely to be full.
        let blindly = first == 0 && self.probe().await?;
        if blindly {
            return Ok(Answer::Reserved);
        }
        let home_is_likely_full = self.stock.product.probes > 0 && self.stock.probe(self.process, 0).is_some();
        if !(with_a_look || first == 0 && home_is_likely_full) {
            match self.try_hold(first).await? {
                Tried::Held => return Ok(Answer::Reserved),
                Tried::Refused(seen) if first == 0 => home = Some(seen),
                Tried::Refused(_) | Tried::Throttled => {}
            }
        }
        for _ in 0..MAX_ROUNDS {
            let seen = match home.take() {
                Some(seen) => seen,
                None => self.stock.table.read(Stock::key(0), self.bill, || self.stock.see(0)).await?,
            };
            self.stock.see_window(self.process);
            if self.probe().await? {
                return Ok(Answer::Reserved);
            }
            match self.round(seen).await? {
                Round::Held => return Ok(Answer::Reserved),
                Round::Short if self.throttled => return Ok(Answer::Contended),
                Round::Short => return Ok(Answer::SoldOut),
                Round::Again(seen) => home = seen,
            }
        }
        Ok(Answer::Contended)
    }

    /// Tries a few children blindly, each time others; says whether one held.
    async fn probe(&mut self) -> Result<bool, Fault> {
        for _ in 0..self.stock.product.probes {
            self.tries = mix(self.tries);
            let Some(child) = self.stock.probe(self.process, self.tries) else { return Ok(false) };
            if !self.closed.contains(&child) && matches!(self.try_hold(child).await?, Tried::Held) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn round(&mut self, home: Seen) -> Result<Round, Fault> {
        let seen = self.survey(home).await?;
        let open: Vec<usize> =
            seen.iter().filter(|bucket| self.reachable(bucket)).map(|bucket| bucket.bucket).collect();
        if !open.is_empty() {
            let at = usize::try_from(self.shopper.spread % open.len() as u64).unwrap_or(0);
            return Ok(match self.try_hold(open[at]).await? {
                Tried::Held => Round::Held,
                Tried::Refused(seen) if seen.bucket == 0 => Round::Again(Some(seen)),
                Tried::Refused(_) | Tried::Throttled => Round::Again(None),
            });
        }
        let home_is_full = home.crowded || self.closed.contains(&0);
        let opens = home_is_full && home.free > 0;
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
            return Ok(Round::Short);
        }
        if opens {
            return self.open_and_hold().await;
        }
        let stuck = |bucket: &&Seen| {
            bucket.bucket > 0 && bucket.free > 0 && (bucket.crowded || self.closed.contains(&bucket.bucket))
        };
        for bucket in seen.iter().filter(stuck) {
            self.fold(*bucket).await?;
        }
        Ok(Round::Again(None))
    }

    /// The home and its children, read a hundred at a time.
    async fn survey(&self, home: Seen) -> Result<Vec<Seen>, Fault> {
        let count = self.stock.buckets.borrow().len();
        let first = match self.stock.product.survey_at_most {
            Some(most) if home.free > 0 => count.saturating_sub(most).max(1),
            _ => 1,
        };
        let keys: Vec<_> = (first..count).map(Stock::key).collect();
        let mut seen = vec![home];
        self.stock.table.read_many(&keys, self.bill, |at| seen.push(self.stock.see(first + at))).await?;
        for bucket in &seen {
            self.stock.note(self.process, bucket.bucket, bucket.free);
        }
        Ok(seen)
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
                    self.closed.insert(bucket);
                    return Ok(Tried::Throttled);
                }
                Err(fault) => return Err(fault),
            };
            self.stock.note(self.process, bucket, seen.free);
            if applied {
                return Ok(Tried::Held);
            }
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
        if !seen.crowded || (seen.free == 0 && !self.stock.product.tidies_empty_buckets) {
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

    /// Opens a child, or as many as the product opens at once, for units that the home has and cannot give, and holds one there.
    async fn open_and_hold(&mut self) -> Result<Round, Fault> {
        let count = self.stock.buckets.borrow().len();
        let seen_free = self.stock.see(0).free;
        let children = seen_free.div_ceil(child_units()).clamp(1, self.stock.product.children_per_opening);
        let last = count + usize::try_from(children).unwrap_or(1);
        let items: Vec<_> = std::iter::once(0).chain(count..last).map(Stock::item).collect();
        let wanted = (children * child_units()).min(seen_free.max(1));
        let open = || {
            let mut buckets = self.stock.buckets.borrow_mut();
            if buckets.len() != count || buckets[0].free < wanted {
                return false;
            }
            buckets[0].free -= wanted;
            let mut left = wanted;
            for _ in 0..children {
                let free = left.min(child_units());
                left -= free;
                buckets.push(Bucket { free, holds: Vec::new() });
            }
            true
        };
        if !self.stock.table.transact(&items, self.bill, open).await? {
            // The image of the home comes with the refusal.
            return Ok(Round::Again(Some(self.stock.see(0))));
        }
        for child in count..last {
            self.stock.note(self.process, child, child_units());
        }
        // Where several were opened, others have learnt of them as well: not everybody goes to the first.
        let at = usize::try_from(self.shopper.spread % u64::from(children)).unwrap_or(0);
        Ok(match self.try_hold(count + at).await? {
            Tried::Held => Round::Held,
            Tried::Refused(_) | Tried::Throttled => Round::Again(None),
        })
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
        self.stock.note(self.process, seen.bucket, 0);
        self.stock.table.transact(&[Stock::item(seen.bucket), Stock::item(0)], self.bill, bring).await.map(drop)
    }
}
