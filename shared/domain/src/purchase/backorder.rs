//! Units that are sold before they come. What is on its way of a SKU is a pool of its own, a home of the channel
//! [`incoming`](crate::ids::Channel::incoming): whoever accepts it holds and buys there as anywhere else.
//!
//! | | over the home and its children |
//! |---|---|
//! | expected, `E` | units that purchase orders are still to bring |
//! | arrived, `F` | units that came and were set aside for those who wait |
//! | promised, `P` | held + sold − arrived: what those who wait are still owed |
//!
//! The movements of the pool sum to `E + F` at every moment: it is given what is ordered, loses what will not come, and of a receipt what
//! nobody waits for. So free − shortfall = `E − P`: what is free can be promised, and no more is promised than comes, until an order is
//! canceled. What that leaves without cover is the pool's shortfall, which the next order covers first.
//!
//! **Who is served by what** is written nowhere: first promised, first served, by what comes first. A day that slips shows by itself.
//!
//! Units that were set aside for a hold that ended unpaid are a *surplus*: they are moved to where they can be sold as any others.

use crate::{
    ids::{Fingerprint, MovementId, PurchaseOrderId, Reason, ReservationId, Sku, TransferId},
    movement::{Movement, MovementKind, Shift},
    purchase::{OnOrder, PurchaseOrder},
    stock::{StockView, credit},
    time::{Day, Timestamp},
    transfer::Cause,
};

/// Who moves units where nobody has asked for it.
const ACTOR: &str = "replenish";

/// A pool of units that are to come, over its home and children.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Pool {
    /// Units that can be promised.
    pub free: u64,
    /// Units that are held or sold.
    pub taken: u64,
    /// Of those, units that have come.
    pub arrived: u64,
    /// Units that are held or sold and that nothing brings.
    pub shortfall: u64,
}

impl Pool {
    /// As it was seen.
    #[must_use]
    pub fn of(view: &StockView) -> Self {
        let home = view.home();
        let taken = view.buckets.iter().map(|(_, bucket)| bucket.held() + bucket.sold).sum();
        Self { free: view.free(), taken, arrived: home.arrived, shortfall: home.shortfall }
    }

    /// Units that were promised and have not come.
    #[must_use]
    pub const fn promised(&self) -> u64 {
        self.taken.saturating_sub(self.arrived)
    }

    /// Units that have come and that nobody waits for any more.
    #[must_use]
    pub const fn surplus(&self) -> u64 {
        self.arrived.saturating_sub(self.taken)
    }
}

/// The free units and the shortfall of a pool's home after `delta` more are expected: more cover the shortfall first, and what is missing of
/// fewer is owed.
#[must_use]
pub fn after(free: u64, shortfall: u64, delta: i64) -> (u64, u64) {
    let units = delta.unsigned_abs();
    if delta >= 0 {
        let credit = credit(units, shortfall);
        (free + credit.to_free, shortfall - credit.to_shortfall)
    } else {
        let taken = free.min(units);
        (free - taken, shortfall + units - taken)
    }
}

/// What becomes of a receipt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Served {
    /// Units that are set aside for those who wait.
    pub to_promises: u64,
    /// Units that anybody can buy.
    pub to_stock: u64,
}

/// Divides `came` units where `promised` are waited for.
#[must_use]
pub fn serve(came: u64, promised: u64) -> Served {
    let to_promises = came.min(promised);
    Served { to_promises, to_stock: came - to_promises }
}

/// The movement by which a pool follows an order to `order`, with `delta` more units; nothing if there are as many as before.
#[must_use]
pub fn follows(order: &PurchaseOrder, sku: &Sku, delta: i64, shortfall: u64, at: Timestamp) -> Option<Movement> {
    let id = MovementId::of_expected(&order.id, sku, order.version);
    movement(id, sku, delta, shortfall, Reason::of_receipt(&order.id), order.actor.clone(), at)
}

/// The movement by which a pool begins with what is on its way; nothing if that is nothing.
#[must_use]
pub fn begins(sku: &Sku, expected: u64, at: Timestamp) -> Option<Movement> {
    let (id, actor) = (MovementId::of_first_expected(sku), ACTOR.to_owned());
    movement(id, sku, expected.cast_signed(), 0, Reason::of_backorders(), actor, at)
}

/// Why a surplus changes pools. Whoever sees the same generation of the incoming home makes the same movements.
#[must_use]
pub fn surplus(sku: &Sku, generation: u64) -> Cause {
    let seen = [sku.to_string(), generation.to_string()];
    Cause {
        id: TransferId::from_seen("surplus", &seen),
        sku: sku.clone(),
        reason: Reason::of_surplus(),
        actor: ACTOR.to_owned(),
        fingerprint: Fingerprint::of("surplus", &[sku.as_str()]),
    }
}

fn movement(
    id: MovementId,
    sku: &Sku,
    delta: i64,
    shortfall: u64,
    reason: Reason,
    actor: String,
    at: Timestamp,
) -> Option<Movement> {
    let stock = crate::bucket::StockId { sku: sku.clone(), channel: crate::ids::Channel::incoming() };
    let fingerprint = Fingerprint::of("expect", &[id.as_str()]);
    let kind = MovementKind::Expect(Shift::new(delta)?);
    Some(Movement { id, stock, kind, delta, shortfall, other: None, reason, actor, at, fingerprint })
}

/// Units of one SKU that one reservation or order was promised.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Promise {
    /// When.
    pub at: Timestamp,
    /// Whose record it is; of two in one second, the order.
    pub id: ReservationId,
    /// How many.
    pub units: u64,
}

/// Those that still wait, in the order of their promises, where so many units of all are `owed`: the latest.
#[must_use]
pub fn waiting(mut promises: Vec<Promise>, owed: u64) -> Vec<Promise> {
    promises.sort_unstable();
    let mut left = owed;
    let mut waiting: Vec<Promise> = Vec::new();
    for promise in promises.into_iter().rev() {
        let units = promise.units.min(left);
        left -= units;
        if units > 0 {
            waiting.push(Promise { units, ..promise });
        }
    }
    waiting.reverse();
    waiting
}

/// A part of what somebody waits for, and what brings it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Which purchase order.
    pub order: PurchaseOrderId,
    /// How many units of it.
    pub units: u64,
    /// When, if that is known.
    pub expected_on: Option<Day>,
}

/// What brings the units that somebody waits for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cover {
    /// By which purchase orders, as they come.
    pub parts: Vec<Part>,
    /// Units that nothing brings.
    pub uncovered: u64,
}

impl Cover {
    /// What brings `units` to somebody before whom `before` others wait.
    #[must_use]
    pub fn of(on_order: &OnOrder, before: u64, units: u64) -> Self {
        let (mut before, mut left, mut parts) = (before, units, Vec::new());
        for (order, incoming) in on_order.in_order() {
            let theirs = incoming.units().min(before);
            before -= theirs;
            let units = (incoming.units() - theirs).min(left);
            left -= units;
            if units > 0 {
                parts.push(Part { order: order.clone(), units, expected_on: incoming.expected_on() });
            }
        }
        Self { parts, uncovered: left }
    }

    /// The day on which all of it has come, if that is known.
    #[must_use]
    pub fn expected_on(&self) -> Option<Day> {
        let last = self.parts.iter().map(|part| part.expected_on).collect::<Option<Vec<_>>>()?.into_iter().max();
        last.filter(|_| self.uncovered == 0)
    }
}

/// Who waits, in the order of their promises, and what brings them what they wait for.
#[must_use]
pub fn cover(on_order: &OnOrder, waiting: Vec<Promise>) -> Vec<(Promise, Cover)> {
    let mut before = 0;
    let covered = waiting.into_iter().map(|promise| {
        let cover = Cover::of(on_order, before, promise.units);
        before += promise.units;
        (promise, cover)
    });
    covered.collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::{
        bucket::{Bucket, Home, Role, StockId},
        ids::{Caller, Channel},
        purchase::{Backorders, Status, tests::order},
    };

    fn on_order(entries: &[&str]) -> OnOrder {
        let orders = entries.iter().enumerate().map(|(n, entry)| (po(n), entry.parse().unwrap())).collect();
        OnOrder { orders, generation: 1, backorders: Backorders::Open }
    }

    fn po(n: usize) -> PurchaseOrderId {
        PurchaseOrderId::derive(&Caller::new("c"), &n.to_string().parse().unwrap())
    }

    fn promise(at: u64, key: &str, units: u64) -> Promise {
        let id = ReservationId::derive(&Caller::new("c"), &key.parse().unwrap());
        Promise { at: Timestamp::from_epoch_seconds(at), id, units }
    }

    #[test]
    fn a_pool_is_the_sum_of_its_home_and_its_children() {
        let stock = StockId { sku: "a".parse().unwrap(), channel: Channel::incoming() };
        let id = ReservationId::derive(&Caller::new("c"), &"k".parse().unwrap());
        let holds = BTreeMap::from([(id, "3@100".parse().unwrap())]);
        let home = Home { arrived: 4, shortfall: 1, ..Home::default() };
        let bucket = |free, sold, role| Bucket { free, holds: holds.clone(), sold, watermark: None, role };
        let buckets = vec![
            (stock.home(), bucket(5, 2, Role::Home(home))),
            (stock.child(0), bucket(6, 1, Role::Child { owes_home: false })),
        ];
        let view = StockView { stock, as_of: Timestamp::default(), buckets, records: BTreeMap::new() };
        let pool = Pool::of(&view);
        assert_eq!(pool, Pool { free: 11, taken: 9, arrived: 4, shortfall: 1 });
        assert_eq!((pool.promised(), pool.surplus()), (5, 0));
        let released = Pool { taken: 3, ..pool };
        assert_eq!((released.promised(), released.surplus()), (0, 1));
    }

    #[test]
    fn what_is_ordered_covers_what_is_owed_and_what_is_missing_is_owed() {
        for (free, shortfall, delta, expected) in [
            (5, 0, 3, (8, 0)),
            (0, 2, 3, (1, 0)),
            (0, 5, 3, (0, 2)),
            (5, 0, 0, (5, 0)),
            (5, 0, -3, (2, 0)),
            (5, 0, -5, (0, 0)),
            (5, 0, -7, (0, 2)),
            (0, 2, -3, (0, 5)),
        ] {
            assert_eq!(after(free, shortfall, delta), expected, "{delta} to {free} - {shortfall}");
        }
    }

    #[test]
    fn those_who_wait_are_served_first() {
        for (came, promised, to_promises, to_stock) in [(5, 0, 0, 5), (5, 3, 3, 2), (5, 5, 5, 0), (5, 9, 5, 0)] {
            assert_eq!(serve(came, promised), Served { to_promises, to_stock });
        }
    }

    #[test]
    fn a_pool_follows_each_version_of_an_order_once() {
        let sent = order(Status::Sent, &["tea=12/0"]);
        let (tea, at) = ("tea".parse().unwrap(), Timestamp::from_epoch_seconds(9));
        let more = follows(&sent, &tea, 12, 0, at).unwrap();
        assert_eq!((more.stock.to_string(), more.kind.word(), more.delta), ("tea#incoming".to_owned(), "expect", 12));
        assert_eq!(follows(&sent, &tea, 0, 0, at), None);
        let next = PurchaseOrder { version: sent.version + 1, ..sent.clone() };
        assert_ne!(follows(&next, &tea, 12, 0, at).unwrap().id, more.id);
        assert_ne!(follows(&sent, &"milk".parse().unwrap(), 12, 0, at).unwrap().id, more.id);
        let canceled = follows(&next, &tea, -12, 5, at).unwrap();
        assert_eq!((canceled.kind.quantity(), canceled.delta, canceled.shortfall), (-12, -12, 5));
        assert_eq!((begins(&tea, 0, at), begins(&tea, 7, at).map(|first| first.delta)), (None, Some(7)));
    }

    #[test]
    fn those_who_were_promised_last_wait() {
        let promises = || vec![promise(3, "c", 4), promise(1, "a", 5), promise(2, "b", 1)];
        let units = |promised| waiting(promises(), promised).iter().map(|p| (p.at.epoch_seconds(), p.units)).collect();
        for (promised, expected) in [
            (10, vec![(1, 5), (2, 1), (3, 4)]),
            (11, vec![(1, 5), (2, 1), (3, 4)]),
            (7, vec![(1, 2), (2, 1), (3, 4)]),
            (5, vec![(2, 1), (3, 4)]),
            (2, vec![(3, 2)]),
            (0, vec![]),
        ] {
            let found: Vec<(u64, u64)> = units(promised);
            assert_eq!(found, expected, "{promised}");
        }
        let same_second = waiting(vec![promise(1, "a", 1), promise(1, "b", 1)], 2);
        assert!(same_second[0].id < same_second[1].id);
    }

    #[test]
    fn first_promised_first_served_by_what_comes_first() {
        let on_order = on_order(&["5@110", "3@107", "2@-"]);
        let shown = |cover: &Cover| {
            let parts = cover.parts.iter().map(|part| part.units.to_string()).collect::<Vec<_>>().join("+");
            (parts, cover.uncovered, cover.expected_on().map(Day::epoch_days))
        };
        let who = vec![promise(1, "a", 2), promise(2, "b", 4), promise(3, "c", 3), promise(4, "d", 3)];
        let covered = cover(&on_order, who);
        let shown: Vec<_> = covered.iter().map(|(_, cover)| shown(cover)).collect();
        let text = |parts: &str, uncovered, day| (parts.to_owned(), uncovered, day);
        let expected = [text("2", 0, Some(107)), text("1+3", 0, Some(110)), text("2+1", 0, None), text("1", 2, None)];
        assert_eq!(shown, expected);
        assert_eq!((&covered[1].1.parts[0].order, &covered[1].1.parts[1].order), (&po(1), &po(0)));
        assert_eq!(Cover::of(&on_order, 2, 4), covered[1].1);
    }

    #[derive(Debug, Clone)]
    enum Event {
        Sent(u64),
        Taken(u64),
        Released(u64),
        Came(u64),
        Canceled(u64),
        Moved,
    }

    fn event() -> impl Strategy<Value = Event> {
        prop_oneof![
            (1_u64..9).prop_map(Event::Sent),
            (1_u64..9).prop_map(Event::Taken),
            (1_u64..9).prop_map(Event::Released),
            (1_u64..9).prop_map(Event::Came),
            (1_u64..9).prop_map(Event::Canceled),
            Just(Event::Moved),
        ]
    }

    proptest! {
        /// Whatever happens in whatever order: the pool has what is expected and what has arrived, nothing is free while something is owed,
        /// and no more is promised than comes, but for what was canceled.
        #[test]
        fn free_units_are_those_expected_and_not_promised(events in prop::collection::vec(event(), 0..40)) {
            let (mut pool, mut expected, mut stock, mut in_all) = (Pool::default(), 0_u64, 0_u64, 0_u64);
            for event in events {
                match event {
                    Event::Sent(units) => {
                        (pool.free, pool.shortfall) = after(pool.free, pool.shortfall, units.cast_signed());
                        expected += units;
                    }
                    Event::Taken(units) if units <= pool.free => {
                        pool.free -= units;
                        pool.taken += units;
                    }
                    Event::Released(units) if units <= pool.taken => {
                        let back = credit(units, pool.shortfall);
                        pool = Pool {
                            free: pool.free + back.to_free,
                            shortfall: pool.shortfall - back.to_shortfall,
                            taken: pool.taken - units,
                            ..pool
                        };
                    }
                    Event::Came(units) if expected > 0 => {
                        // More than were ordered, perhaps.
                        let closed = units.min(expected);
                        let served = serve(units, pool.promised());
                        let delta = served.to_promises.cast_signed() - closed.cast_signed();
                        prop_assert!(delta >= 0 || pool.free >= delta.unsigned_abs(), "what is promised is not taken");
                        (pool.free, pool.shortfall) = after(pool.free, pool.shortfall, delta);
                        pool.arrived += served.to_promises;
                        expected -= closed;
                        stock += served.to_stock;
                        in_all += units;
                    }
                    Event::Canceled(units) if units <= expected => {
                        (pool.free, pool.shortfall) = after(pool.free, pool.shortfall, -units.cast_signed());
                        expected -= units;
                    }
                    Event::Moved => {
                        let surplus = pool.surplus();
                        prop_assert!(pool.free >= surplus);
                        pool.free -= surplus;
                        pool.arrived -= surplus;
                        stock += surplus;
                    }
                    _ => {}
                }
                let there = i128::from(pool.free + pool.taken) - i128::from(pool.shortfall);
                prop_assert_eq!(there, i128::from(expected + pool.arrived));
                prop_assert!(pool.free == 0 || pool.shortfall == 0);
                prop_assert_eq!(in_all, stock + pool.arrived, "what came is in stock or set aside");
                prop_assert_eq!(pool.promised().saturating_sub(expected), pool.shortfall);
            }
        }
    }
}
