//! The invariants of the protocol, checked over everything that is stored.
//!
//! Feed every item once, in any order, then ask for the [`Report`]. For every SKU in a channel, over home and children:
//!
//! | | |
//! |---|---|
//! | `I1` | the movements sum to free + held + sold − shortfall: no unit appears or vanishes; and every child is in its home's window, where it is looked for |
//! | `I2` | the units of confirmed reservations = sold + the holds that a confirmed reservation names: each sale counted once |
//! | `I3` | every hold that an active reservation names is in its bucket: no sale without a unit |
//! | `I4` | a reservation's allocations sum exactly to its lines, or it has none and owns nothing; none is sold once more under its successor's id |
//! | `I6` | what is on its way of a SKU is what its purchase orders are still to bring; where it may be promised, its pool was given that, and what has arrived for promises |
//! | `I5` | *at rest only*: no hold is over unless a confirmed reservation names it: nothing leaks |
//!
//! That nothing is negative needs no check here: decoding refuses a negative number.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use crate::{
    bucket::{Bucket, BucketId, Hold, StockId},
    ids::{Channel, PurchaseOrderId, ReservationId, Sku},
    movement::Movement,
    purchase::{Incoming, OnOrder, PurchaseOrder},
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
    orders: BTreeMap<PurchaseOrderId, PurchaseOrder>,
    on_order: BTreeMap<Sku, OnOrder>,
}

/// A broken invariant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// `I1` to `I6`.
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
    /// Units that are to come and that nobody was promised.
    pub incoming: u64,
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

    /// Takes in a purchase order.
    pub fn purchase_order(&mut self, order: PurchaseOrder) {
        self.orders.insert(order.id.clone(), order);
    }

    /// Takes in what is on its way of a SKU.
    pub fn on_order(&mut self, sku: Sku, on_order: OnOrder) {
        self.on_order.insert(sku, on_order);
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
        report.violations.extend(self.lost_children());
        report.violations.extend(self.reservations.values().flat_map(|record| self.record(record)));
        report.violations.extend(self.on_their_way());
        report.violations.extend(self.promisable());
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

    fn is_sold(&self, bucket: &BucketId, owner: &ReservationId, hold: &Hold) -> bool {
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
        for (stock, sums) in sums {
            let free = if stock.channel.is_incoming() { &mut report.incoming } else { &mut report.free };
            *free += sums.free;
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

    /// A child that is not in its home's window: nobody looks for its units.
    fn lost_children(&self) -> Vec<Violation> {
        let lost = self.buckets.keys().filter(|id| {
            id.child.is_some_and(|number| {
                let home = self.buckets.get(&id.stock.home()).and_then(Bucket::home);
                home.is_none_or(|home| !home.window().contains(&number))
            })
        });
        let detail = "it is not in its home's window, so nobody looks for its units";
        lost.map(|id| Violation { invariant: "I1", subject: format!("bucket {id}"), detail: detail.to_owned() })
            .collect()
    }

    fn is_confirmed(&self, id: &ReservationId) -> bool {
        self.reservations.get(id).is_some_and(|record| matches!(record.status, Status::Confirmed { .. }))
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
        // A marketplace's line that was canceled and is wanted after all is sold anew under its successor's id: what came back is counted.
        let is_sold = matches!(record.status, Status::Confirmed { .. }) && record.line.is_none();
        if is_sold && self.is_confirmed(&record.id.successor()) {
            violate("I4", "it is sold, and once more under its successor's id".to_owned());
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

    /// What the purchase orders say, and what is written of their SKUs.
    fn on_their_way(&self) -> Vec<Violation> {
        let mut said: BTreeMap<(&Sku, &PurchaseOrderId), Incoming> = BTreeMap::new();
        for order in self.orders.values() {
            let lines = order.lines.as_slice().iter();
            said.extend(lines.filter_map(|line| Some(((&line.sku, &order.id), order.incoming(&line.sku)?))));
        }
        let written = self
            .on_order
            .iter()
            .flat_map(|(sku, on_order)| on_order.orders.iter().map(move |(id, incoming)| ((sku, id), *incoming)));
        let written: BTreeMap<_, _> = written.collect();
        let places: BTreeSet<_> = said.keys().chain(written.keys()).collect();
        let differ = places.into_iter().filter(|place| said.get(place) != written.get(place));
        let shown = |incoming: Option<&Incoming>| incoming.map_or("nothing".to_owned(), ToString::to_string);
        differ
            .map(|place| Violation {
                invariant: "I6",
                subject: format!("{} of purchase order {}", place.0, place.1),
                detail: format!(
                    "it brings {}, but {} is on its way",
                    shown(said.get(place)),
                    shown(written.get(place))
                ),
            })
            .collect()
    }

    /// The pools of what is to come: each has what is on its way and what has arrived for promises, and is there where it may be promised.
    fn promisable(&self) -> Vec<Violation> {
        let homes = self.buckets.iter().filter(|(id, _)| id.stock.channel.is_incoming() && id.child.is_none());
        let homes: BTreeMap<&Sku, u64> =
            homes.map(|(id, bucket)| (&id.stock.sku, bucket.home().map_or(0, |home| home.arrived))).collect();
        let marked = self.on_order.iter().filter(|(_, on_order)| on_order.backorders.has_pool()).map(|(sku, _)| sku);
        let skus: BTreeSet<&Sku> = homes.keys().copied().chain(marked).collect();
        let violations = skus.into_iter().filter_map(|sku| {
            let on_order = self.on_order.get(sku);
            let stock = StockId { sku: sku.clone(), channel: Channel::incoming() };
            let moved = self.moved.get(&stock).copied().unwrap_or_default();
            let expected = on_order.map_or(0, OnOrder::units);
            let detail = match (homes.get(sku), on_order.is_some_and(|on_order| on_order.backorders.has_pool())) {
                (Some(arrived), true) if moved == i128::from(expected) + i128::from(*arrived) => return None,
                (Some(arrived), true) => {
                    format!("its pool was given {moved}, but {expected} are on their way and {arrived} have arrived")
                }
                (Some(_), false) => "it has a pool of what is to come, which follows no order".to_owned(),
                (None, _) => "it may be promised before it comes, but has no pool".to_owned(),
            };
            Some(Violation { invariant: "I6", subject: stock.to_string(), detail })
        });
        violations.collect()
    }

    /// The holds that nobody owns any more: where they are, of whom, and what.
    pub fn leaked(&self, now: Timestamp) -> impl Iterator<Item = (&BucketId, &ReservationId, &Hold)> {
        let holds =
            self.buckets.iter().flat_map(|(id, bucket)| bucket.holds.iter().map(move |(o, hold)| (id, o, hold)));
        holds.filter(move |(id, owner, hold)| match self.reservations.get(owner) {
            Some(record) if record.names(id, hold) => match record.status {
                Status::Confirmed { .. } => false,
                Status::Active => now > record.expires_at,
                _ => true,
            },
            Some(_) => true,
            None => hold.is_over(now),
        })
    }

    fn leaks(&self, now: Timestamp) -> Vec<Violation> {
        let leaks = self.leaked(now).map(|(id, owner, hold)| {
            let detail = format!("nobody owns the hold {hold} of {owner}");
            Violation { invariant: "I5", subject: format!("bucket {id}"), detail }
        });
        leaks.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        bucket::{Home, Role},
        ids::{Caller, Fingerprint, MovementId},
        movement::MovementKind,
        reservation::{CancelReason, Kind},
    };

    fn id() -> ReservationId {
        ReservationId::derive(&Caller::new("c"), &"k".parse().unwrap())
    }

    fn record(id: ReservationId, status: Status, allocation: &str, line: &str) -> Reservation {
        Reservation {
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
            line: None,
            extensions: BTreeMap::new(),
        }
    }

    fn movement(stock: StockId, kind: &str, delta: i64) -> Movement {
        Movement {
            id: MovementId::derive(&Caller::new("c"), &"k".parse().unwrap()),
            stock,
            kind: MovementKind::from_parts(kind, delta).unwrap(),
            delta,
            shortfall: 0,
            other: None,
            reason: "delivery".parse().unwrap(),
            actor: "local".to_owned(),
            at: Timestamp::from_epoch_seconds(1),
            fingerprint: Fingerprint::of("x", &[]),
        }
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
        audit.reservation(record(id(), status, "a#own=2@1000", "a=2"));
        if sold > 0 {
            let at = Timestamp::from_epoch_seconds(200);
            audit.reservation(record(id().successor(), Status::Confirmed { at }, "a#own=1@900", "a=1"));
        }
        audit.movement(&movement(home.stock, "receive", 10));
        audit
    }

    fn broken(audit: &Audit) -> Vec<&'static str> {
        broken_at(audit, 500)
    }

    fn broken_at(audit: &Audit, now: u64) -> Vec<&'static str> {
        let report = audit.report(Timestamp::from_epoch_seconds(now), true);
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

    /// Two SKUs. "a" has a child with a hold that is over; of "b", counted one short, all units are sold, settled or not.
    fn two_stocks() -> Audit {
        let mut audit = Audit::default();
        let id = |key: &str| ReservationId::derive(&Caller::new("c"), &key.parse().unwrap());
        let bucket = |free, hold: (&str, &str), sold, role| Bucket {
            free,
            holds: [(id(hold.0), hold.1.parse().unwrap())].into(),
            sold,
            watermark: None,
            role,
        };
        let (a, b): (BucketId, BucketId) = ("a#own".parse().unwrap(), "b#own".parse().unwrap());
        let home = |shortfall| Role::Home(Home { shortfall, next_child: 1, ..Home::default() });
        audit.bucket(a.clone(), bucket(7, ("held", "2@1000"), 5, home(0)));
        audit.bucket(a.stock.child(0), bucket(3, ("over", "4@400"), 6, Role::Child { owes_home: false }));
        audit.bucket(b.clone(), bucket(0, ("paid", "3@1000"), 2, home(1)));
        let confirmed = || Status::Confirmed { at: Timestamp::from_epoch_seconds(200) };
        let over = record(id("over"), Status::Active, "a#own#0=4@400", "a=4");
        audit.reservation(Reservation { expires_at: Timestamp::from_epoch_seconds(400), ..over });
        audit.reservation(record(id("held"), Status::Active, "a#own=2@1000", "a=2"));
        audit.reservation(record(id("settled-a"), confirmed(), "a#own=11@300", "a=11"));
        audit.reservation(record(id("settled-b"), confirmed(), "b#own=2@300", "b=2"));
        audit.reservation(record(id("paid"), confirmed(), "b#own=3@1000", "b=3"));
        for (stock, kind, delta) in
            [(&a.stock, "receive", 20), (&a.stock, "receive", 8), (&a.stock, "adjust", -1), (&b.stock, "receive", 4)]
        {
            audit.movement(&movement(stock.clone(), kind, delta));
        }
        audit
    }

    #[test]
    fn a_child_that_nobody_looks_for_is_noticed() {
        let (home, child): (BucketId, BucketId) = ("a#own".parse().unwrap(), "a#own#0".parse().unwrap());
        let windowed = |first_child, next_child| {
            let mut audit = two_stocks();
            let mut bucket = audit.buckets.remove(&home).unwrap();
            bucket.role = Role::Home(Home { first_child, next_child, ..Home::default() });
            audit.bucket(home.clone(), bucket);
            audit.report(Timestamp::from_epoch_seconds(300), false).violations
        };
        assert_eq!(windowed(0, 1), []);
        for (first, next) in [(0, 0), (1, 1), (1, 2)] {
            let found: Vec<_> =
                windowed(first, next).into_iter().map(|found| (found.invariant, found.subject)).collect();
            assert_eq!(found, [("I1", format!("bucket {child}"))], "{first}..{next}");
        }
    }

    #[test]
    fn what_is_sold_under_its_own_id_and_its_successors_is_sold_twice() {
        let sold_again = |status: Status| {
            let mut audit = sound(Status::Active);
            audit.reservation(record(id(), status, "a#own=2@1000", "a=2"));
            broken(&audit)
        };
        assert_eq!(sold_again(Status::Active), [""; 0]);
        assert_eq!(sold_again(Status::Confirmed { at: Timestamp::from_epoch_seconds(5) }), ["I4"]);
    }

    #[test]
    fn a_report_counts_everything_over_all_skus() {
        let report = two_stocks().report(Timestamp::from_epoch_seconds(500), false);
        let expected = Report {
            stocks: 2,
            buckets: 3,
            holds: 3,
            movements: 4,
            reservations: [("active", 1), ("confirmed", 3), ("expired", 1)].into(),
            incoming: 0,
            free: 7 + 3,
            held: 2 + 4 + 3,
            sold: 5 + 6 + 2,
            shortfall: 1,
            violations: vec![],
        };
        assert_eq!(report, expected);
        assert_eq!(Audit::default().report(Timestamp::from_epoch_seconds(500), true), Report::default());
    }

    #[test]
    fn a_violation_names_the_invariant_its_subject_and_the_numbers() {
        let home: BucketId = "a#own".parse().unwrap();
        let texts = |change: fn(&mut Bucket), status: Status| {
            let mut audit = sound(status);
            let mut bucket = audit.buckets.remove(&home).unwrap();
            change(&mut bucket);
            audit.bucket(home.clone(), bucket);
            let report = audit.report(Timestamp::from_epoch_seconds(500), true);
            report.violations.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        let short = |bucket: &mut Bucket| bucket.role = Role::Home(Home { shortfall: 4, ..Home::default() });
        assert_eq!(
            texts(short, Status::Active),
            ["I1 broken by a#own: movements sum to 10, but 7 free + 2 held + 1 sold - 4 short"]
        );
        assert_eq!(
            texts(|bucket| (bucket.free, bucket.sold) = (6, 2), Status::Active),
            ["I2 broken by a#own: 1 units confirmed, but 2 settled + 0 held for them"]
        );
        let lost = |bucket: &mut Bucket| (bucket.free, bucket.holds) = (9, BTreeMap::new());
        assert_eq!(
            texts(lost, Status::Active),
            [format!(
                "I3 broken by reservation {}: it is active, but its hold a#own=2@1000 is not in the bucket",
                id()
            )]
        );
        assert_eq!(
            texts(|_| (), Status::Expired { successor: None }),
            [format!("I5 broken by bucket a#own: nobody owns the hold 2@1000 of {}", id())]
        );
    }

    #[test]
    fn a_movement_alone_is_a_sku_whose_units_vanished() {
        let mut audit = Audit::default();
        audit.movement(&movement("a#own".parse::<BucketId>().unwrap().stock, "receive", 3));
        assert_eq!((broken(&audit), audit.report(Timestamp::from_epoch_seconds(1), true).stocks), (vec!["I1"], 1));
    }

    #[test]
    fn what_is_on_its_way_is_what_orders_bring() {
        let order = crate::purchase::tests::order(crate::purchase::Status::Sent, &["milk=3/3", "tea=12/5"]);
        let tea: Sku = "tea".parse().unwrap();
        let entry = |text: &str| OnOrder {
            orders: [(order.id.clone(), text.parse().unwrap())].into(),
            generation: 1,
            ..OnOrder::default()
        };
        let broken = |order: Option<&PurchaseOrder>, on_order: Option<OnOrder>| {
            let mut audit = Audit::default();
            if let Some(order) = order {
                audit.purchase_order(order.clone());
            }
            if let Some(on_order) = on_order {
                audit.on_order(tea.clone(), on_order);
            }
            let report = audit.report(Timestamp::from_epoch_seconds(1), false);
            report.violations.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        let subject = format!("I6 broken by tea of purchase order {}", order.id);
        for (name, order, on_order, expected) in [
            ("as it should be", Some(&order), Some(entry("7@20840")), None),
            (
                "another number",
                Some(&order),
                Some(entry("8@20840")),
                Some("it brings 7@20840, but 8@20840 is on its way"),
            ),
            ("another day", Some(&order), Some(entry("7@-")), Some("it brings 7@20840, but 7@- is on its way")),
            ("not written", Some(&order), None, Some("it brings 7@20840, but nothing is on its way")),
            ("of no order", None, Some(entry("7@20840")), Some("it brings nothing, but 7@20840 is on its way")),
        ] {
            let expected: Vec<String> = expected.into_iter().map(|detail| format!("{subject}: {detail}")).collect();
            assert_eq!(broken(order, on_order), expected, "{name}");
        }
    }

    #[test]
    fn a_pool_has_what_is_on_its_way_and_what_has_arrived_for_promises() {
        use crate::purchase::Backorders::{Closed, Never, Open};
        let order = crate::purchase::tests::order(crate::purchase::Status::Sent, &["tea=12/5"]);
        let tea: Sku = "tea".parse().unwrap();
        let home: BucketId = "tea#incoming".parse().unwrap();
        // Seven are to come, five have arrived: three of them are sold, and two of the rest are free.
        let broken = |given: i64, arrived: u64, backorders, has_home: bool| {
            let mut audit = Audit::default();
            audit.purchase_order(order.clone());
            let orders = [(order.id.clone(), "7@20840".parse().unwrap())].into();
            audit.on_order(tea.clone(), OnOrder { orders, generation: 1, backorders });
            if has_home {
                let role = Role::Home(Home { arrived, ..Home::default() });
                let bucket = Bucket { free: 12, holds: BTreeMap::new(), sold: 0, watermark: None, role };
                audit.bucket(home.clone(), bucket);
                audit.movement(&movement(home.stock.clone(), "expect", given));
            }
            let report = audit.report(Timestamp::from_epoch_seconds(1), true);
            assert_eq!((report.free, report.incoming), (0, if has_home { 12 } else { 0 }));
            let of_pools = report.violations.into_iter().filter(|violation| violation.invariant == "I6");
            of_pools.map(|violation| violation.to_string()).collect::<Vec<_>>()
        };
        for (name, given, arrived, backorders, has_home, expected) in [
            ("as it should be", 12, 5, Open, true, None),
            ("not any more", 12, 5, Closed, true, None),
            (
                "arrived without a receipt",
                12,
                6,
                Open,
                true,
                Some("its pool was given 12, but 7 are on their way and 6 have arrived"),
            ),
            (
                "promised without an order",
                13,
                5,
                Open,
                true,
                Some("its pool was given 13, but 7 are on their way and 5 have arrived"),
            ),
            ("not followed", 12, 5, Never, true, Some("it has a pool of what is to come, which follows no order")),
            ("no pool", 12, 5, Open, false, Some("it may be promised before it comes, but has no pool")),
            ("never", 12, 5, Never, false, None),
        ] {
            let expected: Vec<String> =
                expected.into_iter().map(|detail| format!("I6 broken by tea#incoming: {detail}")).collect();
            assert_eq!(broken(given, arrived, backorders, has_home), expected, "{name}");
        }
    }

    #[test]
    fn what_owns_nothing_but_says_that_it_does_is_noticed() {
        let mut audit = Audit::default();
        let empty =
            Reservation { lines: vec![], allocations: vec![], ..record(id(), Status::Active, "a#own=1@9", "a=1") };
        audit.reservation(empty.clone());
        assert_eq!(broken(&audit), ["I4"], "an active reservation of nothing");
        audit.reservation(Reservation { status: Status::Expired { successor: None }, ..empty });
        assert_eq!(broken(&audit), [""; 0], "a placeholder");
    }

    #[test]
    fn a_hold_leaks_once_nobody_can_own_it_any_more() {
        let confirmed = Status::Confirmed { at: Timestamp::from_epoch_seconds(5) };
        let cases = [
            ("active, in its last second", Some(Status::Active), 1000, false),
            ("active, over", Some(Status::Active), 1001, true),
            ("confirmed, over", Some(confirmed), 1001, false),
            ("canceled", Some(Status::Canceled { reason: CancelReason::Requested }), 500, true),
            ("expired", Some(Status::Expired { successor: None }), 500, true),
            ("not recorded, in its last second", None, 1000, false),
            ("not recorded, over", None, 1001, true),
        ];
        for (name, status, now, leaks) in cases {
            let mut audit = sound(status.clone().unwrap_or(Status::Active));
            if status.is_none() {
                audit.forget_reservation(&id());
            }
            assert_eq!(broken_at(&audit, now), vec!["I5"; usize::from(leaks)], "{name}");
            let at_work = audit.report(Timestamp::from_epoch_seconds(now), false);
            assert_eq!(at_work.violations, [], "{name}: no leak is sure before all is at rest");
        }
    }

    #[test]
    fn what_is_let_go_of_is_audited_no_more() {
        let mut audit = two_stocks();
        let (owner, child) = (ReservationId::derive(&Caller::new("c"), &"over".parse().unwrap()), "a#own#0");
        let buckets = |audit: &Audit| audit.buckets().map(|(id, _)| id.to_string()).collect::<Vec<_>>();
        assert_eq!(buckets(&audit), ["a#own", "a#own#0", "b#own"]);
        assert_eq!(audit.get(&owner).map(|record| &record.id), Some(&owner));
        audit.forget_reservation(&owner);
        audit.forget_bucket(&child.parse().unwrap());
        assert_eq!(buckets(&audit), ["a#own", "b#own"]);
        assert_eq!(audit.get(&owner), None);
        assert_eq!(broken(&audit), ["I1", "I2"], "13 units went with the child, 6 of them sold");
    }
}
