//! What the model remembers. Everything is a small integer in a fixed array, so that millions of states fit into memory.
//!
//! One SKU: a home (bucket 0) and one child (bucket 1). Five reservations: `A`, `B` and `C`, and the successors under which late
//! payments of `A` and `B` take their units again.

/// Buckets: the home and its child.
pub const BUCKETS: usize = 2;
/// The home.
pub const HOME: u8 = 0;
/// The child.
pub const CHILD: u8 = 1;
/// Reservations: three orders, and successors for the first two.
pub const RIDS: usize = 5;
/// Orders of which the answers are remembered; an order and its successor are one.
pub const ORDERS: usize = 3;
/// Processes at most.
pub const PROCS: usize = 6;
/// Copies under way at the same time at most.
pub const COPIES: usize = 2;
/// A time: ticks of the table's clock, from 1.
pub type Time = i8;

/// The reservation under which a late payment takes the units of `rid` again.
pub const fn successor(rid: u8) -> u8 {
    rid + 3
}

/// The order that a reservation belongs to.
pub const fn order(rid: u8) -> usize {
    (rid % 3) as usize
}

/// `h[rid]`: units until an instant. No units: no hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Hold {
    pub q: i8,
    pub exp: Time,
}

impl Hold {
    pub const NONE: Self = Self { q: 0, exp: 0 };

    pub const fn is_none(self) -> bool {
        self.q == 0
    }

    /// A hold stands through its last tick.
    pub const fn is_over(self, now: Time) -> bool {
        now > self.exp
    }
}

/// One item with units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Bucket {
    pub exists: bool,
    /// Free units. Signed, so that a missing condition can show.
    pub a: i8,
    pub sold: i8,
    /// The watermark; 0 is none.
    pub w: Time,
    pub h: [Hold; RIDS],
    /// Not in the table: what was settled here, to say whether a hold that is gone was sold or lost.
    pub settled: [Hold; RIDS],
}

/// Where a reservation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum Status {
    #[default]
    Missing,
    Active,
    Confirmed,
    Canceled,
    Expired,
}

/// The record that decides holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Record {
    pub status: Status,
    /// The quantity of its line; 0 where only a hold of it was ever seen.
    pub q: i8,
    pub alloc: [Hold; BUCKETS],
    pub expires_at: Time,
    /// When the table may delete it; 0 is never.
    pub ttl: Time,
    pub has_successor: bool,
    /// Canceled because a payment named a reservation that nobody knows.
    pub paid_unknown: bool,
}

impl Record {
    pub fn names(&self, bucket: u8, hold: Hold) -> bool {
        !hold.is_none() && self.alloc[usize::from(bucket)] == hold
    }

    pub fn keeps_its_holds(&self) -> bool {
        matches!(self.status, Status::Active | Status::Confirmed)
    }

    /// Whether nobody may release this hold because of this record.
    pub fn keeps(&self, bucket: u8, hold: Hold) -> bool {
        self.keeps_its_holds() && self.names(bucket, hold)
    }
}

/// A conditional write. Its condition is in `write.rs`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Write {
    Hold { bucket: u8, rid: u8, hold: Hold },
    Release { bucket: u8, rid: u8, hold: Hold },
    Settle { bucket: u8, rid: u8, hold: Hold, raises: bool },
    Group { batch: Batch },
    Put { rid: u8, record: Record },
    Confirm { rid: u8, now: Time },
    Cancel { rid: u8 },
    Expire { rid: u8, now: Time },
    Close { rid: u8, now: Time },
    KeepRefusal { rid: u8 },
    KeepUntil { rid: u8, ttl: Time },
    Extend { rid: u8, seen: Time, until: Time, now: Time },
}

/// Holds for `A`, `B` or both in the home, in one write, which may also settle the hold of `C`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Batch {
    pub holds: [Hold; 2],
    pub settled: Hold,
    pub raises: bool,
}

/// Where a process is; its next step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum Pc {
    #[default]
    Idle,
    /// Hold in the next bucket of the route.
    Take,
    /// Record the holds, before the first of them ends.
    Record,
    /// Something is short: read the record first.
    LookBeforeRefusing,
    /// Record the refusal.
    Refuse,
    /// Release or settle `extra`, one hold after the other, after a look at the record.
    Resolve,
    Confirm,
    /// Record that a payment named an unknown reservation.
    PaidUnknown,
    /// Keep the record of a refusal for good, then answer "refund".
    KeepRefusal,
    /// Close an expired record in favour of its successor.
    Close,
    /// Read the successor; take the units again if there is none.
    Successor,
    Cancel,
    /// Extend: read, then write.
    SeeEnd,
    Extend,
    /// Read the record of the hold that was seen.
    Look,
    /// Batch: look at the home and plan.
    Plan,
    /// Batch: one write for all orders.
    HoldAll,
    /// Batch: one record for each order.
    RecordEach,
    Done,
}

/// A process: a handler, a batch or a resolver. One that crashes takes no further step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Proc {
    pub pc: Pc,
    /// What to do after `Pc::Resolve`.
    pub then: Pc,
    /// The reservation that it works on: its own, or the successor.
    pub rid: u8,
    /// How many units it wants for it.
    pub want: i8,
    /// When a new hold ends. Extend: the end that was seen.
    pub exp: Time,
    /// The position on the route.
    pub at: u8,
    /// Whether the line is split: one unit from each bucket.
    pub split: bool,
    /// Holds that fit, by bucket. Batch: by order, all in the home.
    pub kept: [Hold; 2],
    /// Holds to resolve, by bucket.
    pub extra: [Hold; BUCKETS],
    /// The record as it was seen last.
    pub look: Record,
    /// Batch: orders to hold, to refuse, and not recorded yet, as bits; and the hold of `C` to settle.
    pub taking: u8,
    pub refusing: u8,
    pub open: u8,
    pub settling: Hold,
    /// Resolver: how many more holds it will look at.
    pub runs: u8,
}

impl Proc {
    pub const DONE: Self = Self { pc: Pc::Done, ..Self::new() };

    pub const fn new() -> Self {
        let missing = Record {
            status: Status::Missing,
            q: 0,
            alloc: [Hold::NONE; BUCKETS],
            expires_at: 0,
            ttl: 0,
            has_successor: false,
            paid_unknown: false,
        };
        Self {
            pc: Pc::Idle,
            then: Pc::Done,
            rid: 0,
            want: 0,
            exp: 0,
            at: 0,
            split: false,
            kept: [Hold::NONE; 2],
            extra: [Hold::NONE; BUCKETS],
            look: missing,
            taking: 0,
            refusing: 0,
            open: 0,
            settling: Hold::NONE,
            runs: 0,
        }
    }
}

/// A write that is under way: signed at an instant, by some process's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Copied {
    pub write: Write,
    pub signed_at: Time,
}

/// All of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct State {
    /// The table's clock.
    pub now: Time,
    /// Which of the configuration's clock skews apply.
    pub skew: u8,
    pub buckets: [Bucket; BUCKETS],
    pub records: [Record; RIDS],
    /// The home's `hi`: whether the child's number has been used.
    pub number_used: bool,
    pub procs: [Proc; PROCS],
    pub copies: [Option<Copied>; COPIES],
    /// How many more writes may be copied, and how often a child may be opened, folded or deleted.
    pub copies_left: u8,
    pub child_ops_left: u8,
    /// Not in the table: the answers given, [`SOLD`], [`REFUND`] and [`CANCELED`].
    pub answers: [u8; ORDERS],
}

/// "Your order is sold" was answered.
pub const SOLD: u8 = 1;
/// "Give the money back" was answered.
pub const REFUND: u8 = 2;
/// "It is canceled" was answered, and the record that says so is there.
pub const CANCELED: u8 = 4;

impl State {
    pub fn bucket(&self, bucket: u8) -> &Bucket {
        &self.buckets[usize::from(bucket)]
    }

    pub fn record(&self, rid: u8) -> &Record {
        &self.records[usize::from(rid)]
    }

    pub fn hold(&self, bucket: u8, rid: u8) -> Hold {
        self.bucket(bucket).h[usize::from(rid)]
    }

    pub fn answer(&mut self, rid: u8, answer: u8) {
        self.answers[order(rid)] |= answer;
    }

    /// The table deletes a record. Nothing is known of it any more, and the same request may ask for something new.
    pub fn purge(&mut self, rid: u8) {
        self.records[usize::from(rid)] = Record::default();
        if usize::from(rid) < ORDERS {
            self.answers[order(rid)] &= !CANCELED;
        }
    }
}
