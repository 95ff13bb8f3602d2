//! Orders that a marketplace has taken. They are facts, not requests: the shopper has been told already, so each is recorded, once
//! for each line however often it is told, and what nobody has becomes a shortfall.
//!
//! A line is told as it stands now, in any order and any number of times. [`next`] says what is to be done about its record,
//! [`after_sale`] about one that is sold; each step is one conditional write, after which it is looked at again. What was told earlier
//! is recognised without a clock of ours: a decision is final, and cancellations only grow.
//!
//! Some marketplaces let an order that was canceled be paid after all. That is another *life* of the line: nothing of the first comes back, its
//! successor takes the units anew, as for a late payment ([`revival`]). Only news can begin it that is newer than the cancellation, by the
//! marketplace's own time of the change; in the second life, a cancellation counts only if it is newer than what began that.
//!
//! A line whose quantity was changed after it was recorded has [`Parts`], each of which is told as a line of its own.

mod parts;

pub use parts::{NoParts, Parts, Resized};

use crate::{
    bucket::StockId,
    ids::{Channel, Reason, Reference, ReservationId, Sku},
    limits::PENDING_SALE_SECONDS,
    quantity::Quantity,
    reservation::{Allocation, Line, Reservation, Status},
    time::Timestamp,
};

/// How far a line of an order has got at the marketplace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// Ordered; the payment is still checked. The units are reserved.
    Pending,
    /// Paid, or to be shipped for another reason: sold.
    Paid,
    /// Shipped: units that come back from here are a return, which the merchant books when they are on the shelf again.
    Shipped,
}

/// One line of an order, as it stands at the marketplace now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SaleLine {
    /// The marketplace's name for the line; the same whenever it is told.
    pub line: Reference,
    /// What was ordered.
    pub sku: Sku,
    /// How many units were ordered at first.
    pub quantity: Quantity,
    /// How many of them were canceled since: all of them where the line is canceled.
    pub canceled: u64,
    /// How far it has got.
    pub stage: Stage,
}

impl SaleLine {
    /// Whether nothing of it is wanted any more.
    #[must_use]
    pub fn is_canceled(&self) -> bool {
        self.canceled >= self.quantity.units()
    }

    /// What was ordered at first.
    #[must_use]
    pub fn wanted(&self) -> Line {
        Line { sku: self.sku.clone(), quantity: self.quantity }
    }

    /// Whether it matters what has happened to its units since it was sold.
    #[must_use]
    pub fn needs_aftermath(&self) -> bool {
        self.canceled > 0 || self.stage == Stage::Shipped
    }

    /// What that means for its units. What was shipped has left the shelf, canceled or not.
    #[must_use]
    pub fn told(&self) -> Told {
        match self.stage {
            Stage::Pending | Stage::Paid if self.is_canceled() => Told::Canceled,
            Stage::Pending => Told::Pending,
            Stage::Paid | Stage::Shipped => Told::Sold,
        }
    }
}

/// What a line that is told means for its units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// They are reserved.
    Pending,
    /// They are sold.
    Sold,
    /// None of them is wanted any more.
    Canceled,
}

/// An order as it stands at the marketplace now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelOrder {
    /// The marketplace's id of it.
    pub order: Reference,
    /// When it last changed there; what was told of it earlier is older news.
    pub changed_at: Timestamp,
    /// Its lines.
    pub lines: Vec<SaleLine>,
}

/// A line of a marketplace's order: what a sale is keyed by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SaleKey {
    /// Where it was sold.
    pub channel: Channel,
    /// The marketplace's id of the order.
    pub order: Reference,
    /// The marketplace's name for the line.
    pub line: Reference,
}

impl SaleKey {
    /// Why units come back.
    #[must_use]
    pub fn reason_for_a_return(&self) -> Reason {
        Reason::of_canceled(&self.channel, &self.order)
    }
}

/// What became of a line that was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SaleOutcome {
    /// The record of the line.
    pub reservation: ReservationId,
    /// Units that nobody had when it was recorded by this call; they are owed, and what comes in covers them first.
    pub shortfall: u64,
    /// What this call has changed.
    pub change: SaleChange,
}

/// What a call has changed. Of several changes in one call, the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SaleChange {
    /// It was heard of for the first time: its units are reserved or sold.
    Recorded,
    /// It was reserved, and is sold now.
    Confirmed,
    /// It was reserved, or not heard of before, and nothing of it is wanted any more.
    Canceled,
    /// It was sold, and some of it was canceled: so many units came back by this call.
    Returned {
        /// How many.
        units: u64,
    },
    /// Nothing: all that was told is recorded already, or is older news.
    Unchanged,
}

/// An order that was recorded although units were missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForcedSale {
    /// Of which line.
    pub key: SaleKey,
    /// What was ordered.
    pub sku: Sku,
    /// How many units were ordered.
    pub quantity: Quantity,
    /// How many of them nobody had.
    pub missing: u64,
    /// When it was recorded.
    pub at: Timestamp,
}

/// What has happened to the units of a sold line since.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Aftermath {
    /// Units that came back because they were canceled.
    pub returned: u64,
    /// It was told that the line was shipped: nothing comes back by itself any more.
    pub shipped: bool,
    /// When the order changed, at the marketplace, by the newest news that canceled anything of this life of the line.
    pub canceled_at: Option<Timestamp>,
    /// When the order changed by the news that began this life of the line; nothing for the first.
    pub begun_at: Option<Timestamp>,
}

impl Aftermath {
    /// Whether news of a cancellation is of an earlier life. Of which age it is may not be known.
    #[must_use]
    pub fn is_of_an_earlier_life(&self, line: &SaleLine, told_at: Option<Timestamp>) -> bool {
        line.canceled > 0 && self.begun_at.is_some() && told_at <= self.begun_at
    }
}

/// What to do about a line of which nothing is kept: canceled, or sold and all of it given back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Revival {
    /// Its next life is begun, unless that was done, and decides.
    Begin,
    /// Its next life has begun, and decides.
    Follow,
    /// It is canceled still: noted, so that no news from in between begins a life.
    Note,
    /// Nothing: older news, or the same.
    Nothing,
}

/// Decides about a line of which nothing is kept. `is_followed`: its next life has begun. News whose age is not known begins nothing.
#[must_use]
pub fn revival(line: &SaleLine, told_at: Option<Timestamp>, since: Aftermath, is_followed: bool) -> Revival {
    let is_newer = told_at.is_some() && since.canceled_at.is_some() && told_at > since.canceled_at;
    match line.told() {
        Told::Canceled if is_followed => Revival::Follow,
        Told::Canceled if told_at > since.canceled_at => Revival::Note,
        Told::Pending | Told::Sold if is_newer => Revival::Begin,
        Told::Canceled | Told::Pending | Told::Sold => Revival::Nothing,
    }
}

/// The next step for a line, once its record has been looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Nobody has recorded it: take its units, and record it as active or, if `sold`, as confirmed.
    Take {
        /// Whether it is sold already.
        sold: bool,
    },
    /// Nobody has recorded it, and it is canceled: record that, so that older news cannot take units any more.
    RecordCanceled,
    /// Reserved for a moment only: reserve it until then.
    Extend(Timestamp),
    /// Reserved, and paid: confirm it.
    Confirm,
    /// Reserved, and canceled: cancel it for good, then release its holds.
    Cancel,
    /// It is neither in time nor over in this very second: look again in the next.
    WaitASecond,
    /// Its time is over but it is wanted, or canceled for good: close it in favour of its successor, and look at that.
    Close,
    /// Its time is over, and its successor decides.
    Follow,
    /// Sold: look at what has happened to its units since, and go on with [`after_sale`].
    LookAtAftermath,
    /// Canceled: what its record held is released, for whoever canceled it may have died before that; then [`revival`] decides.
    LookAtRevival,
    /// All of it is done.
    Done,
}

/// Decides, by what a strongly consistent look at the record found.
///
/// | record | told pending | told sold | told canceled |
/// |---|---|---|---|
/// | missing | take, active | take, confirmed | record as canceled |
/// | active | extend, once | confirm | cancel |
/// | active, its time over | close | close | cancel |
/// | expired | close, unless it was pending for long | close | close |
/// | confirmed | aftermath | aftermath | aftermath |
/// | canceled | revival | revival | revival |
///
/// A record that a shopper's checkout would give up is closed here in favour of a successor, as for a late payment; and that successor's
/// record is the next one to be looked at. So an order is never dropped.
#[must_use]
pub fn next(record: Option<&Reservation>, line: &SaleLine, now: Timestamp) -> Next {
    let told = line.told();
    let Some(record) = record else {
        return match told {
            Told::Canceled => Next::RecordCanceled,
            Told::Pending | Told::Sold => Next::Take { sold: told == Told::Sold },
        };
    };
    let pending_until = record.created_at.plus_seconds(PENDING_SALE_SECONDS);
    match record.status {
        Status::Confirmed { .. } => Next::LookAtAftermath,
        Status::Canceled { .. } => Next::LookAtRevival,
        Status::Active if told == Told::Canceled => Next::Cancel,
        Status::Active if told == Told::Pending && record.expires_at >= pending_until => Next::Done,
        Status::Active if now > record.expires_at => Next::Close,
        Status::Active if now == record.expires_at => Next::WaitASecond,
        Status::Active if told == Told::Sold => Next::Confirm,
        Status::Active => Next::Extend(pending_until),
        Status::Expired { successor: Some(_) } => Next::Follow,
        // It waited for its payment as long as any order may: it is taken again when that comes.
        Status::Expired { successor: None } if told == Told::Pending && record.expires_at >= pending_until => {
            Next::Done
        }
        Status::Expired { successor: None } => Next::Close,
    }
}

/// What is to be done about a sold line of `sold` units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AfterSale {
    /// These units come back, `returned` of them in all.
    Return {
        /// How many come back now.
        units: u64,
        /// How many have then.
        returned: u64,
    },
    /// All of it came back: [`revival`] decides.
    LookAtRevival,
    /// It is noted that the line was shipped.
    MarkShipped,
    /// Nothing.
    Nothing,
}

/// Decides. Cancellations only ever grow, so a smaller number is older news. What was shipped does not come back by itself: the units are
/// with the shopper, whoever pays for them. Of a line of which nothing is wanted any more all comes back, however many it is told with: some
/// marketplaces say then that none were ordered.
#[must_use]
pub fn after_sale(sold: u64, line: &SaleLine, since: Aftermath) -> AfterSale {
    let canceled = if line.is_canceled() { sold } else { line.canceled.min(sold) };
    match line.stage {
        _ if since.shipped => AfterSale::Nothing,
        _ if since.returned >= sold => AfterSale::LookAtRevival,
        Stage::Shipped => AfterSale::MarkShipped,
        Stage::Pending | Stage::Paid if canceled > since.returned => {
            AfterSale::Return { units: canceled - since.returned, returned: canceled }
        }
        Stage::Pending | Stage::Paid => AfterSale::Nothing,
    }
}

/// From which stocks units come back: the last that were taken come back first, so that what was borrowed is given back before what is
/// the channel's own. `before` of them came back already.
#[must_use]
pub fn give_back(allocations: &[Allocation], before: u64, units: u64) -> Vec<(StockId, u64)> {
    let (mut skip, mut left) = (before, units);
    let mut parts: Vec<(StockId, u64)> = Vec::new();
    for own in allocations.iter().rev() {
        let held = own.hold.quantity.units();
        let gone = held.min(skip);
        skip -= gone;
        let part = (held - gone).min(left);
        left -= part;
        match parts.iter_mut().find(|(stock, _)| *stock == own.bucket.stock) {
            _ if part == 0 => {}
            Some((_, units)) => *units += part,
            None => parts.push((own.bucket.stock.clone(), part)),
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::reservation::{CancelReason, Kind};

    fn line(stage: Stage, canceled: u64) -> SaleLine {
        let quantity = Quantity::new(3).unwrap();
        SaleLine { line: "1".parse().unwrap(), sku: "tea".parse().unwrap(), quantity, canceled, stage }
    }

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_epoch_seconds(seconds)
    }

    fn record(status: Status, expires_at: u64) -> Reservation {
        let key =
            SaleKey { channel: "amazon".parse().unwrap(), order: "o-1".parse().unwrap(), line: "1".parse().unwrap() };
        Reservation {
            id: ReservationId::of_sale(&key),
            kind: Kind::Order,
            status,
            channel: key.channel,
            lines: vec!["tea=3".parse().unwrap()],
            allocations: vec!["tea#amazon=3@1000".parse().unwrap()],
            created_at: at(100),
            expires_at: at(expires_at),
            order_id: Some(key.order),
            line: Some(key.line),
            session_id: None,
            fingerprint: None,
            purge_at: None,
            extensions: BTreeMap::new(),
        }
    }

    #[test]
    fn the_longest_names_make_a_reason() {
        let key = SaleKey {
            channel: "c".repeat(32).parse().unwrap(),
            order: "o".repeat(128).parse().unwrap(),
            line: "1".parse().unwrap(),
        };
        let reason = key.reason_for_a_return();
        assert_eq!(reason.as_str().parse(), Ok(reason));
    }

    #[test]
    fn what_is_told_is_what_is_wanted() {
        for (stage, canceled, told) in [
            (Stage::Pending, 2, Told::Pending),
            (Stage::Paid, 0, Told::Sold),
            (Stage::Paid, 2, Told::Sold),
            (Stage::Pending, 3, Told::Canceled),
            (Stage::Paid, 9, Told::Canceled),
            (Stage::Shipped, 3, Told::Sold),
        ] {
            assert_eq!(line(stage, canceled).told(), told, "{stage:?}, {canceled} canceled");
        }
    }

    #[test]
    fn the_table_of_what_comes_next() {
        use Next::{
            Cancel, Close, Confirm, Done, Extend, Follow, LookAtAftermath, LookAtRevival, RecordCanceled, Take,
            WaitASecond,
        };
        let long = 100 + PENDING_SALE_SECONDS;
        let expired = |until| Some(record(Status::Expired { successor: None }, until));
        let canceled = Some(record(Status::Canceled { reason: CancelReason::Requested }, 1_000));
        let followed = Some(record(Status::Expired { successor: Some(record(Status::Active, 1).id) }, 1_000));
        let confirmed = Some(record(Status::Confirmed { at: at(500) }, 1_000));
        let short = Some(record(Status::Active, 1_000));
        let cases = [
            ("missing", None, 500, [Take { sold: false }, Take { sold: true }, RecordCanceled]),
            ("active", short.clone(), 999, [Extend(at(long)), Confirm, Cancel]),
            ("in its last second", short.clone(), 1_000, [WaitASecond, WaitASecond, Cancel]),
            ("over", short, 1_001, [Close, Close, Cancel]),
            ("pending", Some(record(Status::Active, long)), 5_000, [Done, Confirm, Cancel]),
            ("pending for too long", Some(record(Status::Active, long)), long + 1, [Done, Close, Cancel]),
            ("expired before it was extended", expired(1_000), 5_000, [Close, Close, Close]),
            ("expired after it was pending for long", expired(long), long + 9, [Done, Close, Close]),
            ("taken again", followed, 5_000, [Follow, Follow, Follow]),
            ("confirmed", confirmed, 5_000, [LookAtAftermath; 3]),
            ("canceled", canceled, 5_000, [LookAtRevival; 3]),
        ];
        for (name, record, now, expected) in cases {
            let told = [line(Stage::Pending, 0), line(Stage::Paid, 0), line(Stage::Paid, 3)];
            assert_eq!(told.map(|line| next(record.as_ref(), &line, at(now))), expected, "{name}");
        }
    }

    #[test]
    fn what_is_canceled_comes_back_once_and_what_is_shipped_does_not() {
        let since = |returned, shipped| Aftermath { returned, shipped, ..Aftermath::default() };
        let back = |units, returned| AfterSale::Return { units, returned };
        let cases = [
            (Stage::Paid, 0, since(0, false), AfterSale::Nothing),
            (Stage::Paid, 1, since(0, false), back(1, 1)),
            (Stage::Pending, 1, since(0, false), back(1, 1)),
            (Stage::Paid, 3, since(1, false), back(2, 3)),
            (Stage::Paid, 9, since(1, false), back(2, 3)),
            (Stage::Paid, 1, since(2, false), AfterSale::Nothing),
            (Stage::Paid, 3, since(3, false), AfterSale::LookAtRevival),
            (Stage::Paid, 0, since(3, false), AfterSale::LookAtRevival),
            (Stage::Shipped, 0, since(3, false), AfterSale::LookAtRevival),
            (Stage::Paid, 0, since(3, true), AfterSale::Nothing),
            (Stage::Shipped, 3, since(0, false), AfterSale::MarkShipped),
            (Stage::Shipped, 3, since(1, true), AfterSale::Nothing),
            (Stage::Paid, 3, since(0, true), AfterSale::Nothing),
        ];
        for (stage, canceled, since, expected) in cases {
            assert_eq!(after_sale(3, &line(stage, canceled), since), expected, "{stage:?} {canceled} {since:?}");
        }
        // Amazon tells of 0 ordered: one unit, canceled.
        let none = SaleLine { quantity: Quantity::new(1).unwrap(), ..line(Stage::Paid, 1) };
        assert_eq!(after_sale(3, &none, since(0, false)), back(3, 3));
        assert_eq!(after_sale(3, &none, since(2, false)), back(1, 3));
    }

    #[test]
    fn a_canceled_line_is_revived_by_newer_news_only() {
        use Revival::{Begin, Follow, Note, Nothing};
        let canceled =
            |at: Option<u64>| Aftermath { canceled_at: at.map(Timestamp::from_epoch_seconds), ..Aftermath::default() };
        // (canceled at, told at) and what is told: pending, paid, shipped, canceled, and canceled when the next life has begun.
        for (since, told_at, expected) in [
            (Some(100), Some(99), [Nothing, Nothing, Nothing, Nothing, Follow]),
            (Some(100), Some(100), [Nothing, Nothing, Nothing, Nothing, Follow]),
            (Some(100), Some(101), [Begin, Begin, Begin, Note, Follow]),
            (Some(100), None, [Nothing, Nothing, Nothing, Nothing, Follow]),
            (None, Some(101), [Nothing, Nothing, Nothing, Note, Follow]),
            (None, None, [Nothing, Nothing, Nothing, Nothing, Follow]),
        ] {
            let told_at = told_at.map(at);
            let told = [(Stage::Pending, 0), (Stage::Paid, 1), (Stage::Shipped, 0), (Stage::Paid, 3)];
            let told = told.map(|(stage, canceled)| line(stage, canceled));
            let [pending, paid, shipped, all] =
                told.each_ref().map(|line| revival(line, told_at, canceled(since), false));
            let followed = revival(&told[3], told_at, canceled(since), true);
            assert_eq!([pending, paid, shipped, all, followed], expected, "canceled at {since:?}, told at {told_at:?}");
        }
    }

    #[test]
    fn a_cancellation_counts_in_a_later_life_only_if_it_is_newer_than_that() {
        let begun = |begun_at: Option<u64>| Aftermath { begun_at: begun_at.map(at), ..Aftermath::default() };
        for (begun_at, canceled, told_at, older) in [
            (None, 3, None, false),
            (None, 3, Some(1), false),
            (Some(100), 3, Some(99), true),
            (Some(100), 1, Some(100), true),
            (Some(100), 1, Some(101), false),
            (Some(100), 3, None, true),
            (Some(100), 0, Some(99), false),
        ] {
            let line = line(Stage::Paid, canceled);
            let found = begun(begun_at).is_of_an_earlier_life(&line, told_at.map(at));
            assert_eq!(found, older, "{canceled} canceled, begun {begun_at:?}, told {told_at:?}");
        }
    }

    #[test]
    fn what_was_taken_last_comes_back_first() {
        let parsed = ["tea#amazon=2@9", "tea#amazon#1=1@9", "tea#shared=2@9"].map(|own| own.parse().unwrap());
        let of = |before, units| {
            let parts = give_back(&parsed, before, units);
            parts.iter().map(|(stock, units)| format!("{stock}:{units}")).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(of(0, 1), "tea#shared:1");
        assert_eq!(of(0, 3), "tea#shared:2 tea#amazon:1");
        assert_eq!(of(1, 2), "tea#shared:1 tea#amazon:1");
        assert_eq!(of(2, 3), "tea#amazon:3");
        assert_eq!(of(0, 5), "tea#shared:2 tea#amazon:3");
    }
}
