//! The shoppers, the truth about the units, and what is measured.
//!
//! The market knows at every instant how many units nobody has, which no design does. So it can say who was refused although units
//! were there, for how long they had been there, and whether a design ever took one that was not.

use std::{
    cell::{Cell, RefCell},
    time::Duration,
};

use fastrand::Rng;

use crate::table::{Bill, mix};

/// What is asked of a design.
#[derive(Debug, Clone, PartialEq)]
pub struct Demand {
    /// Shoppers a second, at random instants (a Poisson process).
    pub buyers_per_second: u32,
    /// Units on the shelf.
    pub units: u32,
    /// Nobody comes after this.
    pub lasts: Duration,
    /// So long after the last shopper came the run ends, whoever still waits.
    pub drains: Duration,
    /// Nobody comes once the units have been sold out for so long.
    pub tail: Duration,
    /// Seconds between the answer and the payment: evenly from the first to the second. Assumed.
    pub pays_after_seconds: (f64, f64),
    /// The share of shoppers who cancel instead of paying. Assumed.
    pub cancels: f64,
}

/// One shopper. The same in every run with the same seed, whatever the design.
#[derive(Debug, Clone, Copy)]
pub struct Shopper {
    /// Counted from 0.
    pub number: u32,
    /// How long it takes this one to pay, or to cancel.
    pub pays_after: Duration,
    /// Whether this one cancels.
    pub cancels: bool,
    /// A number that spreads shoppers, as a reservation's id does.
    pub spread: u64,
}

/// What a shopper hears.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// The unit is theirs.
    Reserved,
    /// No unit is left.
    SoldOut,
    /// Too many at a time: try again.
    Contended,
}

/// Who comes when.
pub struct Arrivals {
    demand: Demand,
    gaps: Rng,
    seed: u64,
    next: u32,
}

impl Arrivals {
    /// Of a seed.
    #[must_use]
    pub fn new(demand: &Demand, seed: u64) -> Self {
        Self { demand: demand.clone(), gaps: Rng::with_seed(mix(seed)), seed, next: 0 }
    }

    /// The next shopper, and how long after the one before.
    pub fn draw(&mut self) -> (Duration, Shopper) {
        let gap = -(1.0 - self.gaps.f64()).ln() / f64::from(self.demand.buyers_per_second);
        let number = self.next;
        self.next += 1;
        let spread = mix(self.seed ^ mix(u64::from(number)));
        let mut own = Rng::with_seed(spread);
        let (from, to) = self.demand.pays_after_seconds;
        let pays_after = Duration::from_secs_f64(own.f64().mul_add(to - from, from));
        let shopper = Shopper { number, pays_after, cancels: own.f64() < self.demand.cancels, spread };
        (Duration::from_secs_f64(gap), shopper)
    }
}

/// What has happened so far.
pub struct Market {
    free: Cell<u32>,
    free_since: Cell<Duration>,
    sold_out_at: Cell<Option<Duration>>,
    tally: RefCell<Tally>,
}

/// Counts.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Tally {
    /// When each unit was reserved, and how long its shopper had waited.
    pub reserved: Vec<(Duration, Duration)>,
    /// When each payment was confirmed.
    pub confirmed: Vec<Duration>,
    /// Payments that were never confirmed, however often they were tried.
    pub unconfirmed: u32,
    /// Refused as sold out while units were there.
    pub sold_out_wrongly: u32,
    /// Refused as contended while units were there.
    pub contended_wrongly: u32,
    /// Refused as sold out, rightly.
    pub sold_out: u32,
    /// Refused as contended when nothing was left to contend for.
    pub contended: u32,
    /// The longest time that units had been there when somebody was told that they were sold out.
    pub longest_wrong: Duration,
    /// Units of the bill for orders: all that is not for those who were refused when there was nothing left.
    pub writes: f64,
    /// Read units of the same.
    pub reads: f64,
    /// Write units of those who let their unit go. In the bill for orders as well.
    pub let_go_writes: f64,
    /// Write units of those who were refused when there was nothing left.
    pub refusal_writes: f64,
    /// Read units of the same.
    pub refusal_reads: f64,
}

impl Market {
    /// With so many units, all free.
    #[must_use]
    pub fn new(units: u32) -> Self {
        let tally = RefCell::new(Tally::default());
        Self { free: Cell::new(units), free_since: Cell::default(), sold_out_at: Cell::new(None), tally }
    }

    /// Units that nobody has.
    #[must_use]
    pub fn free(&self) -> u32 {
        self.free.get()
    }

    /// When the last unit went for the first time.
    #[must_use]
    pub fn sold_out_at(&self) -> Option<Duration> {
        self.sold_out_at.get()
    }

    /// A unit was taken.
    ///
    /// # Panics
    /// If there was none: the design has sold a unit twice.
    pub fn take(&self, now: Duration) {
        let left = self.free.get().checked_sub(1).expect("no design sells a unit that is not there");
        self.free.set(left);
        if left == 0 && self.sold_out_at.get().is_none() {
            self.sold_out_at.set(Some(now));
        }
    }

    /// A unit came back.
    pub fn give_back(&self, now: Duration) {
        if self.free.replace(self.free.get() + 1) == 0 {
            self.free_since.set(now);
        }
    }

    /// A shopper hears this, having come at `came`.
    pub fn answered(&self, answer: Answer, came: Duration, now: Duration, bill: &Bill) {
        let mut tally = self.tally.borrow_mut();
        let there = self.free.get() > 0;
        match answer {
            Answer::Reserved => tally.reserved.push((now, now.saturating_sub(came))),
            Answer::SoldOut if there => {
                tally.sold_out_wrongly += 1;
                tally.longest_wrong = tally.longest_wrong.max(now.saturating_sub(self.free_since.get().max(came)));
            }
            Answer::Contended if there => tally.contended_wrongly += 1,
            Answer::SoldOut => tally.sold_out += 1,
            Answer::Contended => tally.contended += 1,
        }
        if answer != Answer::Reserved && !there {
            tally.refusal_writes += bill.writes.take();
            tally.refusal_reads += bill.reads.take();
        }
    }

    /// A payment was confirmed.
    pub fn confirmed(&self, now: Duration) {
        self.tally.borrow_mut().confirmed.push(now);
    }

    /// A payment was not confirmed, however often it was tried.
    pub fn unconfirmed(&self) {
        self.tally.borrow_mut().unconfirmed += 1;
    }

    /// This was used by somebody who lets the unit go: part of what orders cost all the same.
    pub fn let_go(&self, bill: &Bill) {
        self.tally.borrow_mut().let_go_writes += bill.writes.get();
    }

    /// This was used for orders.
    pub fn charge(&self, bill: &Bill) {
        let mut tally = self.tally.borrow_mut();
        tally.writes += bill.writes.take();
        tally.reads += bill.reads.take();
    }

    /// The counts.
    #[must_use]
    pub fn tally(&self) -> Tally {
        self.tally.borrow().clone()
    }
}
