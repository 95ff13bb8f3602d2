//! The invariants of the protocol, checked over everything that is stored.
//!
//! Feed every item once, in any order, then ask for the [`Report`]. For every SKU in a channel, over home and children:
//!
//! | | |
//! |---|---|
//! | `I1` | the movements sum to free + held + sold − shortfall: no unit appears or vanishes |
//! | `I2` | the units of confirmed reservations = sold + the holds that a confirmed reservation names: each sale counted once |
//! | `I3` | every hold that an active reservation names is in its bucket: no sale without a unit |
//! | `I4` | a reservation's allocations sum exactly to its lines, or it has none and owns nothing |
//! | `I5` | *at rest only*: no hold is over unless a confirmed reservation names it: nothing leaks |
//!
//! That nothing is negative needs no check here: decoding refuses a negative number.

use std::{collections::BTreeMap, fmt};

use crate::{
    bucket::{Bucket, BucketId, StockId},
    ids::{ReservationId, Sku},
    movement::Movement,
    reservation::{Reservation, Status},
    time::Timestamp,
};

/// Everything stored, taken in item by item.
#[derive(Debug, Default)]
pub struct Audit {
    buckets: BTreeMap<BucketId, Bucket>,
    reservations: BTreeMap<ReservationId, Reservation>,
    moved: BTreeMap<StockId, i128>,
    movements: u64,
}

/// A broken invariant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// `I1` to `I5`.
    pub invariant: &'static str,
    /// The item or SKU at fault.
    pub subject: String,
    /// What is wrong with it, in numbers.
    pub detail: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} broken by {}: {}", self.invariant, self.subject, self.detail)
    }
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// SKUs in channels.
    pub stocks: u64,
    /// Homes and children.
    pub buckets: u64,
    /// Holds in all buckets.
    pub holds: u64,
    /// Movements.
    pub movements: u64,
    /// Reservations and orders by status, as it reads at the time of the audit.
    pub reservations: BTreeMap<&'static str, u64>,
    /// Units that nobody holds.
    pub free: u64,
    /// Units held.
    pub held: u64,
    /// Units settled as sold.
    pub sold: u64,
    /// Units missing.
    pub shortfall: u64,
    /// Every broken invariant.
    pub violations: Vec<Violation>,
}

#[derive(Default)]
struct Sums {
    free: u64,
    held: u64,
    sold: u64,
    shortfall: u64,
    held_by_confirmed: u64,
    confirmed: u64,
}

impl Audit {
    /// Takes in a bucket.
    pub fn bucket(&mut self, id: BucketId, bucket: Bucket) {
        self.buckets.insert(id, bucket);
    }

    /// Takes in a reservation.
    pub fn reservation(&mut self, reservation: Reservation) {
        self.reservations.insert(reservation.id.clone(), reservation);
    }

    /// Lets go of a bucket that is no more.
    pub fn forget_bucket(&mut self, id: &BucketId) {
        self.buckets.remove(id);
    }

    /// Lets go of a reservation that is no more.
    pub fn forget_reservation(&mut self, id: &ReservationId) {
        self.reservations.remove(id);
    }

    /// A reservation that was taken in.
    #[must_use]
    pub fn get(&self, id: &ReservationId) -> Option<&Reservation> {
        self.reservations.get(id)
    }

    /// Every bucket that was taken in.
    pub fn buckets(&self) -> impl Iterator<Item = (&BucketId, &Bucket)> {
        self.buckets.iter()
    }

    /// Takes in a movement.
    pub fn movement(&mut self, movement: &Movement) {
        *self.moved.entry(movement.stock.clone()).or_default() += i128::from(movement.delta);
        self.movements += 1;
    }

    /// Checks the invariants. `at_rest` also checks `I5`: pass it once all resolvers have had their turn.
    #[must_use]
    pub fn report(&self, now: Timestamp, at_rest: bool) -> Report {
        let sums = self.sums();
        let mut report = self.counts(now, &sums);
        report.violations.extend(self.units(&sums));
        report.violations.extend(self.reservations.values().flat_map(|record| self.record(record)));
        if at_rest {
            report.violations.extend(self.leaks(now));
        }
        report
    }

    fn sums(&self) -> BTreeMap<StockId, Sums> {
        let mut all: BTreeMap<StockId, Sums> = BTreeMap::new();
        for stock in self.moved.keys() {
            all.entry(stock.clone()).or_default();
        }
        for (id, bucket) in &self.buckets {
            let sums = all.entry(id.stock.clone()).or_default();
            sums.free += bucket.free;
            sums.held += bucket.held();
            sums.sold += bucket.sold;
            sums.shortfall += bucket.home().map_or(0, |home| home.shortfall);
            let confirmed = bucket.holds.iter().filter(|(owner, hold)| self.is_sold(id, owner, hold));
            sums.held_by_confirmed += confirmed.map(|(_, hold)| hold.quantity.units()).sum::<u64>();
        }
        for record in self.reservations.values().filter(|r| matches!(r.status, Status::Confirmed { .. })) {
            for allocation in &record.allocations {
                all.entry(allocation.bucket.stock.clone()).or_default().confirmed += allocation.hold.quantity.units();
            }
        }
        all
    }

    fn is_sold(&self, bucket: &BucketId, owner: &ReservationId, hold: &crate::bucket::Hold) -> bool {
        self.reservations
            .get(owner)
            .is_some_and(|record| matches!(record.status, Status::Confirmed { .. }) && record.names(bucket, hold))
    }

    fn counts(&self, now: Timestamp, sums: &BTreeMap<StockId, Sums>) -> Report {
        let mut report = Report {
            stocks: sums.len() as u64,
            buckets: self.buckets.len() as u64,
            holds: self.buckets.values().map(|bucket| bucket.holds.len() as u64).sum(),
            movements: self.movements,
            ..Report::default()
        };
        for sums in sums.values() {
            report.free += sums.free;
            report.held += sums.held;
            report.sold += sums.sold;
            report.shortfall += sums.shortfall;
        }
        for record in self.reservations.values() {
            *report.reservations.entry(record.status_word(now)).or_default() += 1;
        }
        report
    }

    fn units(&self, sums: &BTreeMap<StockId, Sums>) -> Vec<Violation> {
        let mut violations = Vec::new();
        for (stock, sums) in sums {
            let moved = self.moved.get(stock).copied().unwrap_or_default();
            let there =
                i128::from(sums.free) + i128::from(sums.held) + i128::from(sums.sold) - i128::from(sums.shortfall);
            if moved != there {
                let Sums { free, held, sold, shortfall, .. } = sums;
                let detail = format!(
                    "movements sum to {moved}, but {free} free + {held} held + {sold} sold - {shortfall} short"
                );
                violations.push(Violation { invariant: "I1", subject: stock.to_string(), detail });
            }
            if sums.confirmed != sums.sold + sums.held_by_confirmed {
                let Sums { confirmed, sold, held_by_confirmed, .. } = sums;
                let detail =
                    format!("{confirmed} units confirmed, but {sold} settled + {held_by_confirmed} held for them");
                violations.push(Violation { invariant: "I2", subject: stock.to_string(), detail });
            }
        }
        violations
    }

    fn record(&self, record: &Reservation) -> Vec<Violation> {
        let mut violations = Vec::new();
        let mut violate = |invariant, detail| {
            violations.push(Violation { invariant, subject: format!("reservation {}", record.id), detail });
        };
        if record.keeps_its_holds() {
            let mut allocated: BTreeMap<&Sku, u64> = BTreeMap::new();
            for allocation in &record.allocations {
                *allocated.entry(&allocation.bucket.stock.sku).or_default() += allocation.hold.quantity.units();
            }
            let wanted: BTreeMap<&Sku, u64> =
                record.lines.iter().map(|line| (&line.sku, line.quantity.units())).collect();
            if allocated != wanted || wanted.is_empty() {
                violate("I4", "its holds do not sum to its lines".to_owned());
            }
        }
        if record.status == Status::Active {
            for allocation in &record.allocations {
                let found = self.buckets.get(&allocation.bucket).and_then(|bucket| bucket.holds.get(&record.id));
                if found != Some(&allocation.hold) {
                    violate("I3", format!("it is active, but its hold {allocation} is not in the bucket"));
                }
            }
        }
        violations
    }

    fn leaks(&self, now: Timestamp) -> Vec<Violation> {
        let mut violations = Vec::new();
        for (id, bucket) in &self.buckets {
            for (owner, hold) in &bucket.holds {
                let owned = match self.reservations.get(owner) {
                    Some(record) if record.names(id, hold) => match record.status {
                        Status::Confirmed { .. } => true,
                        Status::Active => now <= record.expires_at,
                        _ => false,
                    },
                    Some(_) => false,
                    None => !hold.is_over(now),
                };
                if !owned {
                    let detail = format!("nobody owns the hold {hold} of {owner}");
                    violations.push(Violation { invariant: "I5", subject: format!("bucket {id}"), detail });
                }
            }
        }
        violations
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        bucket::{Home, Role},
        ids::{Caller, Channel, Fingerprint, MovementId},
        movement::MovementKind,
        reservation::{CancelReason, Kind},
    };

    fn id() -> ReservationId {
        ReservationId::derive(&Caller::new("c"), &"k".parse().unwrap())
    }

    /// 10 units received: 7 free, 2 held for one reservation, 1 sold to another.
    fn sound(status: Status) -> Audit {
        let mut audit = Audit::default();
        let home: BucketId = "a#own".parse().unwrap();
        let hold = "2@1000".parse().unwrap();
        let sold = u64::from(!matches!(status, Status::Confirmed { .. }));
        audit.bucket(
            home.clone(),
            Bucket {
                free: 8 - sold,
                holds: [(id(), hold)].into(),
                sold,
                watermark: None,
                role: Role::Home(Home::default()),
            },
        );
        let record = |id, status, allocation: &str, line: &str| Reservation {
            id,
            kind: Kind::Reservation,
            status,
            channel: Channel::own(),
            lines: vec![line.parse().unwrap()],
            allocations: vec![allocation.parse().unwrap()],
            created_at: Timestamp::from_epoch_seconds(100),
            expires_at: Timestamp::from_epoch_seconds(1000),
            order_id: None,
            session_id: None,
            fingerprint: None,
            purge_at: None,
            extensions: BTreeMap::new(),
        };
        audit.reservation(record(id(), status, "a#own=2@1000", "a=2"));
        if sold > 0 {
            let at = Timestamp::from_epoch_seconds(200);
            audit.reservation(record(id().successor(), Status::Confirmed { at }, "a#own=1@900", "a=1"));
        }
        audit.movement(&Movement {
            id: MovementId::derive(&Caller::new("c"), &"k".parse().unwrap()),
            stock: home.stock,
            kind: MovementKind::from_parts("receive", 10).unwrap(),
            delta: 10,
            shortfall: 0,
            reason: "delivery".parse().unwrap(),
            actor: "local".to_owned(),
            at: Timestamp::from_epoch_seconds(1),
            fingerprint: Fingerprint::of("x", &[]),
        });
        audit
    }

    fn broken(audit: &Audit) -> Vec<&'static str> {
        let report = audit.report(Timestamp::from_epoch_seconds(500), true);
        report.violations.iter().map(|violation| violation.invariant).collect()
    }

    #[test]
    fn a_sound_table_has_no_violation() {
        for status in [Status::Active, Status::Confirmed { at: Timestamp::from_epoch_seconds(5) }] {
            assert_eq!(broken(&sound(status)), [""; 0]);
        }
    }

    #[test]
    fn each_invariant_notices_its_own_breach() {
        let home: BucketId = "a#own".parse().unwrap();
        let breach = |change: fn(&mut Bucket, &mut Reservation), status: Status| {
            let mut audit = sound(status);
            let mut bucket = audit.buckets.remove(&home).unwrap();
            let mut record = audit.reservations.remove(&id()).unwrap();
            change(&mut bucket, &mut record);
            audit.bucket(home.clone(), bucket);
            audit.reservation(record);
            broken(&audit)
        };
        let confirmed = Status::Confirmed { at: Timestamp::from_epoch_seconds(5) };
        assert_eq!(breach(|b, _| b.free += 1, Status::Active), ["I1"]);
        assert_eq!(breach(|b, _| (b.sold, b.free) = (2, 6), Status::Active), ["I2"]);
        assert_eq!(breach(|b, _| (b.holds, b.free) = (BTreeMap::new(), 9), Status::Active), ["I3"]);
        assert_eq!(breach(|b, _| (b.holds, b.free) = (BTreeMap::new(), 10), confirmed.clone()), ["I2"]);
        assert_eq!(breach(|_, r| r.lines = vec!["a=3".parse().unwrap()], Status::Active), ["I4"]);
        assert_eq!(breach(|_, r| r.allocations.clear(), confirmed), ["I4", "I5"]);
        let canceled = Status::Canceled { reason: CancelReason::Requested };
        assert_eq!(broken(&sound(canceled)), ["I5"]);
    }
}
