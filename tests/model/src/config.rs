//! What is searched: units, processes, clocks, and how much may go wrong.

use crate::{
    rules::{Rule, Rules},
    state::{Bucket, CHILD, HOME, Hold, ORDERS, PROCS, Proc, Record, State, Status, Time, order},
    write::SETTLED_BY_BATCH,
};

/// Orders by name.
pub(crate) const A: u8 = 0;
/// The second order.
pub(crate) const B: u8 = 1;
/// The third, which has no late payment.
pub(crate) const C: u8 = SETTLED_BY_BATCH;

/// What a process is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Holds until paid.
    Reserve,
    /// Sells without a hold before it.
    Sell,
    /// Confirms, late or not.
    Confirm,
    /// Cancels.
    Cancel,
    /// Extends.
    Extend,
    /// Resolves the holds that it sees, one after the other.
    Resolver,
    /// Sells `A` and `B` in one write to the home.
    Batch,
}

/// When a line is split: one unit from each bucket of the route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Split {
    /// Not at all.
    Never,
    /// Where no bucket has all of it.
    WhereShort,
    /// At once, because an old view said that no bucket has all of it.
    AtOnce,
}

/// A process. Two of the same kind for the same order are a client's retry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spec {
    /// What it is.
    pub kind: Kind,
    /// For which order.
    pub order: u8,
    /// The buckets that it tries, in this order.
    pub route: &'static [u8],
    /// Whether it splits the line over several buckets.
    pub split: Split,
    /// Resolver: how many holds it looks at.
    pub runs: u8,
    /// Resolver: whether it settles before a hold is over, as in a crowded bucket.
    pub eager: bool,
}

impl Spec {
    const fn new(kind: Kind, order: u8, route: &'static [u8]) -> Self {
        Self { kind, order, route, split: Split::Never, runs: 0, eager: false }
    }

    /// A reservation.
    pub(crate) const fn reserve(order: u8, route: &'static [u8]) -> Self {
        Self::new(Kind::Reserve, order, route)
    }

    /// A sale.
    pub(crate) const fn sell(order: u8, route: &'static [u8]) -> Self {
        Self::new(Kind::Sell, order, route)
    }

    /// A payment. A late one looks for units on `route`.
    pub(crate) const fn confirm(order: u8, route: &'static [u8]) -> Self {
        Self::new(Kind::Confirm, order, route)
    }

    pub(crate) const fn cancel(order: u8) -> Self {
        Self::new(Kind::Cancel, order, &[])
    }

    pub(crate) const fn extend(order: u8) -> Self {
        Self::new(Kind::Extend, order, &[])
    }

    /// A resolver of so many holds.
    pub(crate) const fn resolver(runs: u8) -> Self {
        Self { runs, ..Self::new(Kind::Resolver, 0, &[]) }
    }

    /// A delivery of a batch of two sales.
    pub(crate) const fn batch() -> Self {
        Self::new(Kind::Batch, A, &[HOME])
    }

    /// The same, splitting its line where no bucket has all of it.
    pub(crate) const fn splitting(self) -> Self {
        Self { split: Split::WhereShort, ..self }
    }

    /// The same, splitting its line at once, because an old view said that no bucket has all of it.
    pub(crate) const fn splitting_at_once(self) -> Self {
        Self { split: Split::AtOnce, ..self }
    }

    /// The same, settling early.
    pub(crate) const fn eager(self) -> Self {
        Self { eager: true, ..self }
    }
}

/// A small world.
#[derive(Debug, Clone, Copy)]
pub struct Config {
    /// On the command line.
    pub name: &'static str,
    /// What it is about.
    pub about: &'static str,
    /// The rules that apply.
    pub rules: Rules,
    /// The rules whose absence this configuration has to find.
    pub shows: &'static [Rule],
    /// Whether it takes longer than a test may.
    pub slow: bool,
    /// Units at home, and in the child; without any there is no child.
    pub home: i8,
    /// See `home`.
    pub child: i8,
    /// How many units each order wants.
    pub want: [i8; ORDERS],
    /// Whether `C` has been sold, its hold not settled.
    pub c_is_sold: bool,
    /// Who takes part; each begins when it likes.
    pub procs: &'static [Spec],
    /// How far each process's clock is ahead of the table's, in one or several variants; those left out are 0.
    pub skews: &'static [&'static [Time]],
    /// The last tick.
    pub ticks: Time,
    /// Ticks that a hold lasts.
    pub life: Time,
    /// Ticks that a signature lives.
    pub window: Time,
    /// Ticks that a record outlives its holds.
    pub grace: Time,
    /// Writes that may be copied.
    pub copies: u8,
    /// Times that a child may be opened, folded or deleted.
    pub child_ops: u8,
}

impl Config {
    /// One unit at home, true clocks, one copied write.
    pub(crate) const fn new(name: &'static str, about: &'static str, procs: &'static [Spec]) -> Self {
        Self {
            name,
            about,
            rules: Rules { without: None },
            shows: &[],
            slow: false,
            home: 1,
            child: 0,
            want: [1; ORDERS],
            c_is_sold: false,
            procs,
            skews: &[&[]],
            ticks: 4,
            life: 1,
            window: 1,
            grace: 1,
            copies: 1,
            child_ops: 0,
        }
    }

    /// The clock of a process.
    pub(crate) fn clock(&self, state: &State, process: usize) -> Time {
        let ahead = self.skews[usize::from(state.skew)].get(process).copied().unwrap_or(0);
        state.now + ahead
    }

    /// How many units a reservation is for.
    pub(crate) fn want(&self, rid: u8) -> i8 {
        self.want[order(rid)]
    }

    /// All units that there are.
    pub(crate) fn received(&self) -> i8 {
        self.home + self.child
    }

    /// When a record may be deleted whose holds end at `exp`.
    pub(crate) fn purge_after(&self, exp: Time) -> Time {
        if self.rules.hold(Rule::Grace) { exp + self.grace } else { exp }
    }

    /// The beginnings: one for each variant of the clocks.
    pub(crate) fn beginnings(&self) -> Vec<State> {
        let mut buckets = [Bucket::default(); 2];
        buckets[usize::from(HOME)] = Bucket { exists: true, a: self.home, ..Bucket::default() };
        if self.child > 0 {
            buckets[usize::from(CHILD)] = Bucket { exists: true, a: self.child, ..Bucket::default() };
        }
        let mut records = [Record::default(); 5];
        if self.c_is_sold {
            let hold = Hold { q: self.want(C), exp: 1 + self.life };
            let home = &mut buckets[usize::from(HOME)];
            home.a -= hold.q;
            home.h[usize::from(C)] = hold;
            records[usize::from(C)] = Record {
                status: Status::Confirmed,
                q: hold.q,
                alloc: [hold, Hold::NONE],
                expires_at: hold.exp,
                ..Record::default()
            };
        }
        let mut procs = [Proc::DONE; PROCS];
        for (proc, spec) in procs.iter_mut().zip(self.procs) {
            *proc = Proc { runs: spec.runs, ..Proc::new() };
        }
        let beginning = State {
            now: 1,
            skew: 0,
            buckets,
            records,
            number_used: self.child > 0,
            procs,
            copies: [None; 2],
            copies_left: self.copies,
            child_ops_left: self.child_ops,
            answers: [0; ORDERS],
        };
        let mut beginnings = vec![beginning; self.skews.len()];
        for (skew, state) in (0..).zip(&mut beginnings) {
            state.skew = skew;
        }
        beginnings
    }
}
