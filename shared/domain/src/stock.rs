//! How much there is: the sums over a home and its children, and where units that come back go.

use std::collections::BTreeMap;

use crate::{
    bucket::{Bucket, BucketId, Home, StockId},
    ids::ReservationId,
    reservation::{Reservation, Status},
    time::Timestamp,
};

/// What a merchant sets for a SKU in a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Settings {
    /// The reserves per second expected at the peak; children are opened ahead for it. 0: none is announced.
    pub expected_peak_per_second: u64,
}

/// A home with all of its children, and the records of their holds, as strongly consistent reads found them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StockView {
    /// Which SKU and channel.
    pub stock: StockId,
    /// The instant by which holds were sorted into those that are over and those that stand: the sums are as of then.
    pub as_of: Timestamp,
    /// The home and every child that was found, the home first.
    pub buckets: Vec<(BucketId, Bucket)>,
    /// The records of the holds that had to be looked up, where there are any.
    pub records: BTreeMap<ReservationId, Reservation>,
}

/// The sums of a SKU in a channel. `on_hand + sold = free + held + sold − shortfall` at every moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Level {
    /// Units that nobody holds, counting holds whose time is over and that nobody paid for.
    pub available: u64,
    /// Units held by reservations that may still be paid.
    pub reserved: u64,
    /// Units of confirmed reservations, settled or not.
    pub sold: u64,
    /// Units that are reserved or sold but were missing when the shelf was counted.
    pub shortfall: u64,
}

impl Level {
    /// Unsold units that should be on the shelf.
    #[must_use]
    pub fn on_hand(&self) -> u64 {
        (self.available + self.reserved).saturating_sub(self.shortfall)
    }
}

impl StockView {
    /// The home's own part.
    #[must_use]
    pub fn home(&self) -> Home {
        self.buckets.iter().find_map(|(_, bucket)| bucket.home().copied()).unwrap_or_default()
    }

    /// Units that nobody holds, as the buckets say: what a movement can take at once.
    #[must_use]
    pub fn free(&self) -> u64 {
        self.buckets.iter().map(|(_, bucket)| bucket.free).sum()
    }

    /// The sums. A hold counts as available again from the second its reservation can no longer be confirmed, whether
    /// or not anyone has released it. While a shortfall is open, units that come back cover it first.
    #[must_use]
    pub fn level(&self) -> Level {
        let now = self.as_of;
        let mut level = Level { available: self.free(), shortfall: self.home().shortfall, ..Level::default() };
        for (bucket_id, bucket) in &self.buckets {
            level.sold += bucket.sold;
            for (id, hold) in &bucket.holds {
                let units = hold.quantity.units();
                match self.records.get(id) {
                    Some(record) if record.names(bucket_id, hold) => match record.status {
                        Status::Confirmed { .. } => level.sold += units,
                        Status::Active if now <= record.expires_at => level.reserved += units,
                        _ => level.available += units,
                    },
                    Some(_) => level.available += units,
                    None if hold.is_over(now) => level.available += units,
                    None => level.reserved += units,
                }
            }
        }
        let covered = level.available.min(level.shortfall);
        Level { available: level.available - covered, shortfall: level.shortfall - covered, ..level }
    }
}

impl StockView {
    /// When the next of the units that are reserved may come back: their reservation is not paid by then. Needs the records of all holds.
    #[must_use]
    pub fn next_end(&self) -> Option<Timestamp> {
        let now = self.as_of;
        let ends = self.buckets.iter().flat_map(|(bucket_id, bucket)| {
            bucket.holds.iter().filter_map(move |(id, hold)| match self.records.get(id) {
                Some(record) if record.names(bucket_id, hold) && record.status == Status::Active => {
                    Some(record.expires_at).filter(|end| now <= *end)
                }
                Some(_) => None,
                None => Some(hold.expires_at).filter(|_| !hold.is_over(now)),
            })
        });
        ends.min()
    }
}

/// Where units that come to a home go: an open shortfall is covered first, for those units were sold or promised already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Credit {
    /// Units that become free.
    pub to_free: u64,
    /// Units that cover the shortfall.
    pub to_shortfall: u64,
}

/// Divides `units` that come to a home with this open `shortfall`.
#[must_use]
pub fn credit(units: u64, shortfall: u64) -> Credit {
    let to_shortfall = units.min(shortfall);
    Credit { to_free: units - to_shortfall, to_shortfall }
}

/// What a count of the shelf means for the home.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CountPlan {
    /// More was found than expected, or exactly that: credit the units.
    Credit(u64),
    /// Less was found: take the units from the home's free ones.
    Debit(u64),
    /// Less was found and the home alone has too few free units: bring the children's home first.
    FoldFirst,
    /// More is missing than is free: take all that is free, and record the rest as a shortfall.
    Shortfall {
        /// Units taken from the free ones.
        take: u64,
        /// Units that somebody holds or has bought but that were not there.
        missing: u64,
    },
}

/// Compares a count with what should be on the shelf. `home_free` are the home's own free units.
#[must_use]
pub fn plan_count(view: &StockView, counted: u64) -> CountPlan {
    let home_free = view.buckets.first().map_or(0, |(_, home)| home.free);
    let expected = view.level().on_hand();
    match expected.checked_sub(counted) {
        None => CountPlan::Credit(counted - expected),
        Some(0) => CountPlan::Credit(0),
        Some(missing) if missing <= home_free => CountPlan::Debit(missing),
        Some(_) if view.free() > home_free => CountPlan::FoldFirst,
        Some(missing) => CountPlan::Shortfall { take: home_free, missing: missing - home_free },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        bucket::Role,
        ids::{Caller, Channel},
        reservation::{CancelReason, Kind},
    };

    fn view(home_free: u64, holds: &[&str], child_free: u64, shortfall: u64) -> StockView {
        let stock = "a#own".parse::<BucketId>().unwrap().stock;
        let holds = holds
            .iter()
            .enumerate()
            .map(|(n, hold)| {
                let id = ReservationId::derive(&Caller::new("c"), &n.to_string().parse().unwrap());
                (id, hold.parse().unwrap())
            })
            .collect();
        let home = Home { shortfall, next_child: 1, ..Home::default() };
        let bucket = |free, holds, role| Bucket { free, holds, sold: 0, watermark: None, role };
        let buckets = vec![
            (stock.home(), bucket(home_free, holds, Role::Home(home))),
            (stock.child(0), bucket(child_free, BTreeMap::new(), Role::Child { owes_home: false })),
        ];
        StockView { stock, as_of: Timestamp::from_epoch_seconds(50), buckets, records: BTreeMap::new() }
    }

    #[test]
    fn a_hold_without_a_record_is_reserved_until_its_time_is_over() {
        let view = view(5, &["2@100", "1@200"], 3, 0);
        for (now, available, reserved) in [(100, 8, 3), (101, 10, 1), (201, 11, 0)] {
            let level = StockView { as_of: Timestamp::from_epoch_seconds(now), ..view.clone() }.level();
            assert_eq!((level.available, level.reserved, level.on_hand()), (available, reserved, 11), "{now}");
        }
    }

    /// The record of the first hold of [`view`].
    fn record_until(seconds: u64, status: Status, allocation: &str) -> Reservation {
        Reservation {
            id: ReservationId::derive(&Caller::new("c"), &"0".parse().unwrap()),
            kind: Kind::Reservation,
            status,
            channel: Channel::own(),
            lines: vec!["a=3".parse().unwrap()],
            allocations: vec![allocation.parse().unwrap()],
            created_at: Timestamp::from_epoch_seconds(1),
            expires_at: Timestamp::from_epoch_seconds(seconds),
            order_id: None,
            session_id: None,
            fingerprint: None,
            purge_at: None,
            line: None,
            extensions: BTreeMap::new(),
        }
    }

    #[test]
    fn a_hold_counts_as_what_its_record_says() {
        let named = |status, allocation| record_until(100, status, allocation);
        let (own, other) = ("a#own=3@100", "a#own=4@100");
        let active = || named(Status::Active, own);
        let confirmed = |allocation| named(Status::Confirmed { at: Timestamp::from_epoch_seconds(9) }, allocation);
        let canceled = || named(Status::Canceled { reason: CancelReason::Requested }, own);
        let expired = || named(Status::Expired { successor: None }, own);
        // 5 and 7 units free and 2 and 4 settled as sold, in home and child; the hold of 3 is what is asked about.
        let cases = [
            ("active", active(), 50, (12, 3, 6)),
            ("active, in its last second", active(), 100, (12, 3, 6)),
            ("active, over", active(), 101, (15, 0, 6)),
            ("active, but the hold is another one", named(Status::Active, other), 50, (15, 0, 6)),
            ("confirmed", confirmed(own), 50, (12, 0, 9)),
            ("confirmed, and the hold's time is over", confirmed(own), 101, (12, 0, 9)),
            ("confirmed, but the hold is another one", confirmed(other), 50, (15, 0, 6)),
            ("canceled", canceled(), 50, (15, 0, 6)),
            ("expired", expired(), 50, (15, 0, 6)),
        ];
        for (name, record, now, expected) in cases {
            let mut view = view(5, &["3@100"], 7, 0);
            (view.buckets[0].1.sold, view.buckets[1].1.sold) = (2, 4);
            view.as_of = Timestamp::from_epoch_seconds(now);
            view.records.insert(record.id.clone(), record);
            let level = view.level();
            assert_eq!((level.available, level.reserved, level.sold), expected, "{name}");
        }
    }

    #[test]
    fn the_next_of_the_reserved_units_comes_back_when_its_reservation_ends() {
        let two = view(5, &["2@100", "1@200"], 3, 0);
        for (now, next) in [(50, Some(100)), (100, Some(100)), (101, Some(200)), (201, None)] {
            let view = StockView { as_of: Timestamp::from_epoch_seconds(now), ..two.clone() };
            assert_eq!(view.next_end(), next.map(Timestamp::from_epoch_seconds), "{now}");
        }
        let (hold, other) = ("a#own=2@100", "a#own=9@100");
        for (status, allocation, next) in [
            // Extended: its hold is shorter than it is.
            (Status::Active, hold, 150),
            (Status::Active, other, 200),
            (Status::Canceled { reason: CancelReason::Requested }, hold, 200),
            (Status::Confirmed { at: Timestamp::from_epoch_seconds(9) }, hold, 200),
        ] {
            let mut view = two.clone();
            let record = record_until(150, status.clone(), allocation);
            view.records.insert(record.id.clone(), record);
            assert_eq!(view.next_end(), Some(Timestamp::from_epoch_seconds(next)), "{status:?} {allocation}");
        }
    }

    #[test]
    fn the_home_tells_its_own_part_wherever_it_stands() {
        let mut view = view(5, &[], 3, 4);
        view.buckets.reverse();
        assert_eq!(view.home(), Home { shortfall: 4, next_child: 1, ..Home::default() });
        view.buckets.truncate(1);
        assert_eq!(view.home(), Home::default(), "only the child was found");
    }

    #[test]
    fn units_that_come_back_cover_the_shortfall_first() {
        assert_eq!(credit(5, 0), Credit { to_free: 5, to_shortfall: 0 });
        assert_eq!(credit(5, 3), Credit { to_free: 2, to_shortfall: 3 });
        assert_eq!(credit(2, 3), Credit { to_free: 0, to_shortfall: 2 });
        let short = view(0, &["2@100"], 0, 1);
        let level = StockView { as_of: Timestamp::from_epoch_seconds(101), ..short }.level();
        assert_eq!((level.available, level.shortfall), (1, 0));
        let shorter = view(0, &["2@100", "3@100"], 0, 9);
        let level = StockView { as_of: Timestamp::from_epoch_seconds(101), ..shorter }.level();
        assert_eq!((level.available, level.shortfall), (0, 4));
    }

    #[test]
    fn a_count_is_compared_with_the_unsold_units() {
        let cases = [
            (view(5, &["2@100"], 0, 0), 7, CountPlan::Credit(0)),
            (view(5, &["2@100"], 0, 0), 9, CountPlan::Credit(2)),
            (view(5, &["2@100"], 0, 0), 2, CountPlan::Debit(5)),
            (view(5, &["2@100"], 0, 0), 1, CountPlan::Shortfall { take: 5, missing: 1 }),
            (view(5, &["2@100"], 4, 0), 3, CountPlan::FoldFirst),
            (view(0, &["2@100"], 0, 1), 1, CountPlan::Credit(0)),
            (view(0, &["2@100"], 0, 1), 0, CountPlan::Shortfall { take: 0, missing: 1 }),
            (view(0, &["2@100"], 0, 1), 4, CountPlan::Credit(3)),
        ];
        for (view, counted, expected) in cases {
            assert_eq!(plan_count(&view, counted), expected, "counted {counted}");
        }
    }
}
