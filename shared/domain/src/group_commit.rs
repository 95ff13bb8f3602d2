//! Group commit: many orders of a queue, decided in its order with one write for each bucket that they want.
//!
//! [`plan`] looks at the buckets as they were seen and goes through the orders one after the other:
//!
//! 1. Holds that an earlier attempt of the same order made are *adopted*.
//! 2. If every line of an order fits into what is left, its units are set aside. All or nothing.
//! 3. If a line certainly does not, the order is *refused*, and takes nothing from those behind it. It is certain only if all buckets
//!    of the SKU were seen, at once, and nothing in them can be given back.
//! 4. Otherwise the plan *ends* before this order: whoever carries it out looks closer and plans again, so that nobody overtakes. It ends
//!    behind an order whose earlier attempts hold units that go back: those behind it may have them.
//!
//! The units of a bucket are then taken by one conditional write that holds them for all of its orders. Where a bucket would carry too
//! many holds, the same write counts confirmed ones as sold. The new holds end later than those, for the watermark that settling
//! leaves refuses every hold that does not.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    bucket::{Bucket, BucketId, Hold, StockId, max_holds},
    ids::{ReservationId, Sku},
    limits::{MAX_HOLD_SECONDS, MAX_SETTLED_AT_ONCE},
    quantity::Quantity,
    reservation::{Allocation, CancelReason, Line, ReservationRequest, Shortage},
    time::Timestamp,
};

/// How much of a SKU was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sight {
    /// The SKU does not exist in the channel.
    Unknown,
    /// Some of its buckets, or as they were a while ago.
    Part,
    /// All of its buckets, at once and just now.
    All,
}

/// What was seen.
#[derive(Debug, Clone, Default)]
pub struct View {
    /// Buckets.
    pub buckets: BTreeMap<BucketId, Bucket>,
    /// How much of each SKU they are; none means part.
    pub sights: BTreeMap<StockId, Sight>,
    /// Holds that a confirmed reservation is known to name: they are sold.
    pub sold: BTreeSet<OwnedHold>,
    /// The shared stock that serves a SKU in a channel without a home of its own, by what its orders name.
    pub shared: BTreeMap<StockId, StockId>,
    /// What can take from the shared stock what it lacks itself: nothing of it is short before that was asked as well.
    pub borrowing: BTreeSet<StockId>,
    /// Holds that stand although their time is over: the reservation was extended.
    pub standing: BTreeSet<OwnedHold>,
}

impl View {
    /// The stock that serves this one.
    #[must_use]
    pub fn pool_of(&self, stock: StockId) -> StockId {
        self.shared.get(&stock).cloned().unwrap_or(stock)
    }
}

/// An exact hold, in its bucket, of a reservation. One reservation may have several, and not all of them need be its own for good.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct OwnedHold {
    /// Where it is.
    pub bucket: BucketId,
    /// Whose it is.
    pub owner: ReservationId,
    /// The hold.
    pub hold: Hold,
}

impl OwnedHold {
    /// Of these three.
    #[must_use]
    pub fn new(bucket: &BucketId, owner: &ReservationId, hold: Hold) -> Self {
        Self { bucket: bucket.clone(), owner: owner.clone(), hold }
    }
}

/// What is to be done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// What becomes of the first orders; fewer than there are where the plan ends early.
    pub fates: Vec<Fate>,
    /// One write for each of these buckets. The fates come true once all of them are applied.
    pub commits: BTreeMap<BucketId, Commit>,
}

/// What becomes of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// It is sold these holds; `leftovers` do not fit and are to be released.
    Sell {
        /// Exactly the lines.
        allocations: Vec<Allocation>,
        /// Holds of earlier attempts.
        leftovers: Vec<Allocation>,
    },
    /// It is refused; what earlier attempts hold is to be released.
    Refuse {
        /// Why.
        reason: CancelReason,
        /// Holds of earlier attempts.
        leftovers: Vec<Allocation>,
    },
}

/// One write of a bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// Who takes how many units.
    pub holds: Vec<(ReservationId, Quantity)>,
    /// Until when.
    pub expires_at: Timestamp,
    /// Confirmed holds that are counted as sold in the same write; all end before `expires_at`.
    pub settled: Vec<(ReservationId, Hold)>,
}

/// A hold that ends so soon is not adopted any more, in seconds: its record may be too late, and that would be a refusal.
pub const TOO_LATE_TO_ADOPT_SECONDS: u64 = 10;

/// Plans. `first` is the bucket whose line of orders this is: its units go first. Holds last until `expires_at`, or longer where a
/// watermark asks for it.
#[must_use]
pub fn plan(
    orders: &[ReservationRequest],
    view: &View,
    first: &BucketId,
    now: Timestamp,
    expires_at: Timestamp,
) -> Plan {
    let latest = now.plus_seconds(MAX_HOLD_SECONDS).max(expires_at);
    let rooms = view.buckets.iter().map(|(id, bucket)| (id.clone(), Room::of(id, bucket, view, latest)));
    let mut planner = Planner { view, first, now, rooms: rooms.collect() };
    let mut fates: Vec<Drafted> = Vec::new();
    for order in orders {
        let Some(drafted) = planner.draft(order) else { break };
        let gives_back = drafted.gives_back();
        fates.push(drafted);
        if gives_back {
            break;
        }
    }
    let commits = planner.commits(expires_at);
    let fates = fates.into_iter().map(|drafted| drafted.fate(&commits)).collect();
    Plan { fates, commits }
}

/// Whether this order holds units here that it may be too late to record.
#[must_use]
pub fn is_nearly_over(bucket: &Bucket, id: &ReservationId, now: Timestamp) -> bool {
    let soon = now.plus_seconds(TOO_LATE_TO_ADOPT_SECONDS);
    bucket.holds.get(id).is_some_and(|own| own.expires_at <= soon)
}

/// What is left of a bucket while the plan is made.
struct Room<'a> {
    bucket: &'a Bucket,
    free: u64,
    /// How many more holds it may carry, if all of `settleable` leave.
    holds: usize,
    /// How many more it may carry as it is.
    holds_unsettled: usize,
    settleable: Vec<(ReservationId, Hold)>,
    taken: Vec<(ReservationId, Quantity)>,
}

impl<'a> Room<'a> {
    fn of(id: &BucketId, bucket: &'a Bucket, view: &View, latest: Timestamp) -> Self {
        let sold = bucket
            .holds
            .iter()
            .filter(|(owner, hold)| hold.expires_at < latest && view.sold.contains(&OwnedHold::new(id, owner, **hold)));
        let mut settleable: Vec<_> = sold.map(|(id, hold)| (id.clone(), *hold)).collect();
        // The earliest first: the watermark that they leave is then as low as it can be.
        settleable.sort_by_key(|(_, hold)| hold.expires_at);
        settleable.truncate(MAX_SETTLED_AT_ONCE);
        let closed = bucket.watermark.is_some_and(|watermark| watermark >= latest);
        let unsettled = if closed { 0 } else { max_holds(id.child.is_some()).saturating_sub(bucket.holds.len()) };
        let holds = if closed { 0 } else { unsettled + settleable.len() };
        Self { bucket, free: bucket.free, holds, holds_unsettled: unsettled, settleable, taken: Vec::new() }
    }
}

struct Planner<'a> {
    view: &'a View,
    first: &'a BucketId,
    now: Timestamp,
    rooms: BTreeMap<BucketId, Room<'a>>,
}

/// A fate whose new holds have no end yet.
enum Drafted {
    Sell { adopted: Vec<Allocation>, taken: Vec<(BucketId, Quantity)>, leftovers: Vec<Allocation> },
    Refuse { reason: CancelReason, leftovers: Vec<Allocation> },
}

/// Where a line could be placed.
enum Placed {
    At(Vec<(BucketId, Quantity)>),
    Short(u64),
    Unclear,
}

impl Planner<'_> {
    /// Nothing if it is unclear what becomes of the order.
    fn draft(&mut self, order: &ReservationRequest) -> Option<Drafted> {
        let (mut adopted, mut leftovers, mut taken) = (Vec::new(), Vec::new(), Vec::new());
        let (mut unknown, mut short): (Vec<Sku>, Vec<Shortage>) = (Vec::new(), Vec::new());
        for line in order.cart.lines() {
            let stock = self.view.pool_of(order.stock(&line.sku));
            if self.view.sights.get(&stock) == Some(&Sight::Unknown) {
                unknown.push(line.sku.clone());
                continue;
            }
            if self.rooms_of(&stock).any(|(_, room)| is_nearly_over(room.bucket, &order.id, self.now)) {
                // It goes back first.
                return None;
            }
            let (own, surplus, rest) = self.adopt(&order.id, &stock, line);
            let surplus_held = !surplus.is_empty();
            adopted.extend(own);
            leftovers.extend(surplus);
            let Some(rest) = rest else { continue };
            match self.place(&order.id, &stock, rest) {
                Placed::At(parts) => taken.extend(parts),
                // What is missing may be what attempts of this very order hold too much; or it may be borrowed, by whoever sells it alone.
                Placed::Short(available) if !surplus_held && !self.view.borrowing.contains(&stock) => {
                    let requested = line.quantity;
                    short.push(Shortage { sku: line.sku.clone(), requested, available });
                }
                Placed::Short(_) | Placed::Unclear => return None,
            }
        }
        let reason = if !unknown.is_empty() {
            CancelReason::UnknownSku { skus: unknown }
        } else if !short.is_empty() {
            CancelReason::Short { lines: short }
        } else {
            for (bucket, quantity) in &taken {
                let room = self.rooms.get_mut(bucket)?;
                room.free -= quantity.units();
                room.holds -= 1;
                room.taken.push((order.id.clone(), *quantity));
            }
            return Some(Drafted::Sell { adopted, taken, leftovers });
        };
        leftovers.extend(adopted);
        Some(Drafted::Refuse { reason, leftovers })
    }

    /// Holds that earlier attempts of the order made: those that fit, those that do not, and what is still to be held.
    fn adopt(
        &self,
        id: &ReservationId,
        stock: &StockId,
        line: &Line,
    ) -> (Vec<Allocation>, Vec<Allocation>, Option<Quantity>) {
        let (mut own, mut surplus, mut rest) = (Vec::new(), Vec::new(), Some(line.quantity));
        for (bucket, room) in self.rooms_of(stock) {
            let Some(hold) = room.bucket.holds.get(id) else { continue };
            let allocation = Allocation { bucket: bucket.clone(), hold: *hold };
            match rest {
                Some(missing) if hold.quantity <= missing => {
                    rest = missing.minus(hold.quantity);
                    own.push(allocation);
                }
                _ => surplus.push(allocation),
            }
        }
        (own, surplus, rest)
    }

    fn place(&self, id: &ReservationId, stock: &StockId, rest: Quantity) -> Placed {
        let open = |room: &Room<'_>| room.free > 0 && room.holds > 0 && !room.bucket.holds.contains_key(id);
        let mut open: Vec<(&BucketId, u64)> =
            self.rooms_of(stock).filter(|(_, room)| open(room)).map(|(id, room)| (id, room.free)).collect();
        // Around the circle from the bucket of this line of orders: each line empties its own bucket first, then its neighbour's.
        let behind = open.iter().filter(|(id, _)| *id < self.first).count();
        open.rotate_left(behind);
        if let Some((bucket, _)) = open.iter().find(|(_, free)| *free >= rest.units()) {
            return Placed::At(vec![((*bucket).clone(), rest)]);
        }
        let mut missing = Some(rest);
        let mut parts = Vec::new();
        for (bucket, free) in open {
            let Some(part) = missing.and_then(|missing| missing.at_most(free)) else { break };
            missing = missing.and_then(|missing| missing.minus(part));
            parts.push((bucket.clone(), part));
        }
        if missing.is_none() {
            return Placed::At(parts);
        }
        let available: u64 = self.rooms_of(stock).map(|(_, room)| room.free).sum();
        let all_seen = self.view.sights.get(stock) == Some(&Sight::All);
        let may_come_back = self.rooms_of(stock).any(|(id, room)| {
            room.bucket
                .holds
                .iter()
                .any(|(owner, hold)| hold.is_over(self.now) && self.may_be_nobodys(id, owner, *hold))
        });
        if all_seen && !may_come_back && available < rest.units() { Placed::Short(available) } else { Placed::Unclear }
    }

    fn may_be_nobodys(&self, bucket: &BucketId, owner: &ReservationId, hold: Hold) -> bool {
        let known = OwnedHold::new(bucket, owner, hold);
        !self.view.sold.contains(&known) && !self.view.standing.contains(&known)
    }

    fn rooms_of(&self, stock: &StockId) -> impl Iterator<Item = (&BucketId, &Room<'_>)> {
        let home = stock.home();
        self.rooms.range(home..).take_while(|(id, _)| id.stock == *stock)
    }

    fn commits(&self, expires_at: Timestamp) -> BTreeMap<BucketId, Commit> {
        let written = self.rooms.iter().filter(|(_, room)| !room.taken.is_empty());
        let commit = |(id, room): (&BucketId, &Room<'_>)| {
            let crowded = room.taken.len() > room.holds_unsettled;
            let settled = if crowded { room.settleable.clone() } else { Vec::new() };
            let marks = settled.iter().map(|(_, hold)| hold.expires_at).chain(room.bucket.watermark);
            let expires_at = marks.max().map_or(expires_at, |mark| mark.plus_seconds(1).max(expires_at));
            (id.clone(), Commit { holds: room.taken.clone(), expires_at, settled })
        };
        written.map(commit).collect()
    }
}

impl Drafted {
    fn gives_back(&self) -> bool {
        let (Self::Sell { leftovers, .. } | Self::Refuse { leftovers, .. }) = self;
        !leftovers.is_empty()
    }

    fn fate(self, commits: &BTreeMap<BucketId, Commit>) -> Fate {
        match self {
            Self::Refuse { reason, leftovers } => Fate::Refuse { reason, leftovers },
            Self::Sell { adopted: mut allocations, taken, leftovers } => {
                let held = taken.into_iter().filter_map(|(bucket, quantity)| {
                    let expires_at = commits.get(&bucket)?.expires_at;
                    Some(Allocation { bucket, hold: Hold { quantity, expires_at } })
                });
                allocations.extend(held);
                Fate::Sell { allocations, leftovers }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        bucket::{Home, Role},
        ids::{Caller, Channel},
        limits::{MAX_HOLDS, MIN_HOLD_SECONDS},
        reservation::{Cart, Kind},
    };

    const NOW: u64 = 1_000;
    const END: u64 = 1_900;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_epoch_seconds(seconds)
    }

    fn id(key: &str) -> ReservationId {
        ReservationId::derive(&Caller::new("c"), &key.parse().unwrap())
    }

    fn order(key: &str, lines: &[&str]) -> ReservationRequest {
        ReservationRequest {
            id: id(key),
            kind: Kind::Order,
            channel: Channel::own(),
            cart: Cart::new(lines.iter().map(|line| line.parse().unwrap()).collect()).unwrap(),
            hold_seconds: MIN_HOLD_SECONDS,
            order_id: None,
            session_id: None,
            accepts_backorder: false,
        }
    }

    fn bucket(free: u64, holds: &[(&str, &str)], child: bool) -> Bucket {
        let holds = holds.iter().map(|(key, hold)| (id(key), hold.parse().unwrap())).collect();
        let role = if child { Role::Child { owes_home: false } } else { Role::Home(Home::default()) };
        Bucket { free, holds, sold: 0, watermark: None, role }
    }

    /// Homes as they were seen just now, each SKU one item.
    fn homes(homes: &[(&str, u64)]) -> View {
        let mut view = View::default();
        for (sku, free) in homes {
            let home: BucketId = format!("{sku}#own").parse().unwrap();
            view.sights.insert(home.stock.clone(), Sight::All);
            view.buckets.insert(home, bucket(*free, &[], false));
        }
        view
    }

    fn plan_for(orders: &[ReservationRequest], view: &View) -> Plan {
        plan(orders, view, &"tea#own".parse().unwrap(), at(NOW), at(END))
    }

    /// In few words: what becomes of each order.
    fn words(plan: &Plan) -> Vec<String> {
        let texts =
            |allocations: &[Allocation]| allocations.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        let word = |fate: &Fate| match fate {
            Fate::Sell { allocations, leftovers } if leftovers.is_empty() => texts(allocations),
            Fate::Sell { allocations, leftovers } => format!("{} less {}", texts(allocations), texts(leftovers)),
            Fate::Refuse { reason: CancelReason::Short { lines }, .. } => {
                format!("short {}", lines.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "))
            }
            Fate::Refuse { reason: CancelReason::UnknownSku { skus }, .. } => format!("unknown {}", skus[0]),
            Fate::Refuse { reason, .. } => format!("{reason:?}"),
        };
        plan.fates.iter().map(word).collect()
    }

    #[test]
    fn all_orders_of_a_bucket_are_one_write() {
        let orders: Vec<_> = (0..10).map(|n| order(&n.to_string(), &["tea=2"])).collect();
        let plan = plan_for(&orders, &homes(&[("tea", 20)]));
        assert_eq!(words(&plan), vec!["tea#own=2@1900"; 10]);
        assert_eq!(plan.commits.len(), 1);
        let commit = &plan.commits[&"tea#own".parse().unwrap()];
        assert_eq!((commit.holds.len(), commit.expires_at, commit.settled.len()), (10, at(END), 0));
    }

    #[test]
    fn a_poor_order_does_not_drag_down_the_others_nor_do_they_overtake_it() {
        let orders = [order("a", &["tea=2"]), order("b", &["tea=9"]), order("c", &["tea=3"]), order("d", &["tea=1"])];
        let plan = plan_for(&orders, &homes(&[("tea", 5)]));
        assert_eq!(words(&plan), ["tea#own=2@1900", "short tea=9/3", "tea#own=3@1900", "short tea=1/0"]);
        // As long as it is not certain that the second is short, nobody behind it is served.
        let mut partly = homes(&[("tea", 5)]);
        partly.sights.clear();
        assert_eq!(words(&plan_for(&orders, &partly)), ["tea#own=2@1900"]);
    }

    #[test]
    fn an_order_takes_all_of_its_lines_or_none() {
        let view = homes(&[("mug", 1), ("tea", 5)]);
        let orders = [order("a", &["mug=2", "tea=3"]), order("b", &["mug=1", "tea=5"]), order("c", &["tea=1"])];
        let plan = plan_for(&orders, &view);
        assert_eq!(words(&plan), ["short mug=2/1", "mug#own=1@1900 tea#own=5@1900", "short tea=1/0"]);
        let units: Vec<_> = plan.commits.values().map(|commit| commit.holds.len()).collect();
        assert_eq!(units, [1, 1]);
    }

    #[test]
    fn an_unknown_sku_is_refused_before_a_shortage() {
        let mut view = homes(&[("tea", 1)]);
        view.sights.insert("mug#own".parse::<BucketId>().unwrap().stock, Sight::Unknown);
        assert_eq!(words(&plan_for(&[order("a", &["mug=1", "tea=9"])], &view)), ["unknown mug"]);
    }

    #[test]
    fn holds_of_an_earlier_attempt_are_adopted_but_never_more_than_the_line() {
        let home = "tea#own".parse::<BucketId>().unwrap();
        let mut view = homes(&[("tea", 1)]);
        view.buckets.insert(home.clone(), bucket(1, &[("a", "2@1500"), ("b", "2@1600")], false));
        view.buckets.insert(home.stock.child(0), bucket(4, &[("a", "2@1700"), ("b", "1@1700")], true));
        let plan = plan_for(&[order("a", &["tea=3"]), order("b", &["tea=3"]), order("c", &["tea=5"])], &view);
        // "a" has a surplus and lacks a unit: it is looked at alone.
        assert_eq!(words(&plan), [""; 0]);
        view.buckets.insert(home.stock.child(1), bucket(4, &[], true));
        let plan = plan_for(&[order("b", &["tea=3"]), order("a", &["tea=3"]), order("c", &["tea=5"])], &view);
        assert_eq!(
            words(&plan),
            ["tea#own=2@1600 tea#own#0=1@1700", "tea#own=2@1500 tea#own#1=1@1900 less tea#own#0=2@1700"],
            "what is left over may be what the third lacks"
        );
    }

    #[test]
    fn an_order_is_not_refused_for_units_that_its_own_attempts_hold_too_much() {
        let home = "tea#own".parse::<BucketId>().unwrap();
        let mut view = homes(&[("tea", 0)]);
        view.buckets.insert(home.clone(), bucket(0, &[("a", "2@1500")], false));
        view.buckets.insert(home.stock.child(0), bucket(0, &[("a", "2@1700")], true));
        assert_eq!(words(&plan_for(&[order("a", &["tea=3"])], &view)), [""; 0], "four are held, three are wanted");
        assert_eq!(words(&plan_for(&[order("a", &["tea=5"])], &view)), ["short tea=5/0"], "all four are not enough");
    }

    #[test]
    fn a_refused_order_gives_back_before_those_behind_it_are_looked_at() {
        let home = "tea#own".parse::<BucketId>().unwrap();
        let mut view = homes(&[("mug", 0), ("tea", 0)]);
        view.buckets.insert(home, bucket(0, &[("a", "1@1500")], false));
        let orders = [order("a", &["mug=1", "tea=1"]), order("b", &["tea=1"])];
        assert_eq!(words(&plan_for(&orders, &view)), ["short mug=1/0"]);
    }

    #[test]
    fn a_hold_that_is_nearly_over_is_not_adopted() {
        let home = "tea#own".parse::<BucketId>().unwrap();
        for (hold, expected) in [("1@1011", vec!["tea#own=1@1011"]), ("1@1010", vec![]), ("1@999", vec![])] {
            let mut view = homes(&[("tea", 5)]);
            view.buckets.insert(home.clone(), bucket(5, &[("a", hold)], false));
            assert_eq!(words(&plan_for(&[order("a", &["tea=1"])], &view)), expected, "{hold}");
        }
    }

    #[test]
    fn a_hold_that_is_over_makes_a_shortage_uncertain_unless_it_is_known_to_stay() {
        let home = "tea#own".parse::<BucketId>().unwrap();
        let mut view = homes(&[("tea", 1)]);
        view.buckets.insert(home, bucket(1, &[("x", "2@999")], false));
        let orders = [order("a", &["tea=3"])];
        assert_eq!(words(&plan_for(&orders, &view)), [""; 0]);
        let own = OwnedHold::new(&"tea#own".parse().unwrap(), &id("x"), "2@999".parse().unwrap());
        for is_sold in [true, false] {
            let mut view = view.clone();
            if is_sold { &mut view.sold } else { &mut view.standing }.insert(own.clone());
            assert_eq!(words(&plan_for(&orders, &view)), ["short tea=3/1"]);
        }
        // Its own hold that is over cannot be recorded any more.
        assert_eq!(words(&plan_for(&[order("x", &["tea=2"])], &view)), [""; 0]);
    }

    #[test]
    fn a_crowded_bucket_counts_sold_holds_and_the_new_ones_end_later() {
        let home = "tea#own".parse::<BucketId>().unwrap();
        let mut view = homes(&[("tea", 50)]);
        let keys: Vec<String> = (0..MAX_HOLDS - 2).map(|n| format!("s{n}")).collect();
        let holds: Vec<(&str, &str)> = keys.iter().map(|key| (key.as_str(), "1@1900")).collect();
        view.buckets.insert(home.clone(), bucket(50, &holds, false));
        let orders = [order("a", &["tea=1"]), order("b", &["tea=1"]), order("c", &["tea=1"])];
        // Nobody knows whose the others are: two have room.
        assert_eq!(words(&plan_for(&orders, &view)), ["tea#own=1@1900", "tea#own=1@1900"]);
        let others =
            |hold: &str| keys.iter().map(|key| OwnedHold::new(&home, &id(key), hold.parse().unwrap())).collect();
        view.sold = others("1@1901");
        assert_eq!(
            words(&plan_for(&orders, &view)),
            ["tea#own=1@1900", "tea#own=1@1900"],
            "other holds of theirs are sold"
        );
        view.sold = others("1@1900");
        let plan = plan_for(&orders, &view);
        assert_eq!(words(&plan), ["tea#own=1@1901", "tea#own=1@1901", "tea#own=1@1901"]);
        assert_eq!(plan.commits[&home].settled.len(), MAX_SETTLED_AT_ONCE);
        // Two need no room to be made.
        assert_eq!(words(&plan_for(&orders[..2], &view)), ["tea#own=1@1900", "tea#own=1@1900"]);
    }

    #[test]
    fn a_crowded_bucket_makes_room_for_as_many_as_it_settles() {
        let home = "tea#own".parse::<BucketId>().unwrap();
        let keys: Vec<String> = (0..MAX_HOLDS - 2).map(|n| format!("s{n}")).collect();
        let orders: Vec<_> = (0..14).map(|n| order(&n.to_string(), &["tea=1"])).collect();
        // A hold may end up to an hour from now, 4,600: one that ends then leaves a watermark that no new hold could pass.
        for (hold, decided) in [("1@1900", 2 + MAX_SETTLED_AT_ONCE), ("1@4599", 2 + MAX_SETTLED_AT_ONCE), ("1@4600", 2)]
        {
            let mut view = homes(&[("tea", 50)]);
            let holds: Vec<(&str, &str)> = keys.iter().map(|key| (key.as_str(), hold)).collect();
            view.buckets.insert(home.clone(), bucket(50, &holds, false));
            view.sold = keys.iter().map(|key| OwnedHold::new(&home, &id(key), hold.parse().unwrap())).collect();
            assert_eq!(plan_for(&orders, &view).fates.len(), decided, "{hold}");
        }
    }

    #[test]
    fn units_that_are_there_but_out_of_reach_are_not_a_shortage() {
        let home = "tea#own".parse::<BucketId>().unwrap();
        let keys: Vec<String> = (0..MAX_HOLDS).map(|n| format!("s{n}")).collect();
        let holds: Vec<(&str, &str)> = keys.iter().map(|key| (key.as_str(), "1@1500")).collect();
        let mut view = homes(&[("tea", 5)]);
        view.buckets.insert(home, bucket(5, &holds, false));
        for (line, expected) in [("tea=4", vec![]), ("tea=5", vec![]), ("tea=6", vec!["short tea=6/5"])] {
            assert_eq!(words(&plan_for(&[order("a", &[line])], &view)), expected, "{line} of 5 in a crowded bucket");
        }
    }

    #[test]
    fn a_line_that_fits_nowhere_is_spread_over_the_buckets_that_have_units() {
        let stock = "tea#own".parse::<BucketId>().unwrap().stock;
        let mut view = homes(&[("tea", 2)]);
        for (number, free) in [(0, 0), (1, 3), (2, 4)] {
            view.buckets.insert(stock.child(number), bucket(free, &[], true));
        }
        for (line, expected) in [
            ("tea=4", "tea#own#2=4@1900"),
            ("tea=5", "tea#own=2@1900 tea#own#1=3@1900"),
            ("tea=6", "tea#own=2@1900 tea#own#1=3@1900 tea#own#2=1@1900"),
            ("tea=9", "tea#own=2@1900 tea#own#1=3@1900 tea#own#2=4@1900"),
            ("tea=10", "short tea=10/9"),
        ] {
            assert_eq!(words(&plan_for(&[order("a", &[line])], &view)), [expected], "{line}");
        }
    }

    #[test]
    fn no_hold_lasts_longer_than_an_hour_however_high_the_watermark() {
        let home = "tea#own".parse::<BucketId>().unwrap();
        let orders = [order("a", &["tea=1"])];
        for (watermark, expected) in [(1_950, vec!["tea#own=1@1951"]), (4_599, vec!["tea#own=1@4600"]), (4_600, vec![])]
        {
            let mut view = homes(&[("tea", 50)]);
            view.buckets.get_mut(&home).unwrap().watermark = Some(at(watermark));
            assert_eq!(words(&plan_for(&orders, &view)), expected, "{watermark}");
        }
    }

    #[test]
    fn a_line_of_orders_empties_its_own_bucket_first() {
        let stock = "tea#own".parse::<BucketId>().unwrap().stock;
        let mut view = homes(&[("tea", 3)]);
        for number in 0..3 {
            view.buckets.insert(stock.child(number), bucket(2, &[], true));
        }
        let orders: Vec<_> = (0..4).map(|n| order(&n.to_string(), &["tea=2"])).collect();
        let plan = plan(&orders, &view, &stock.child(1), at(NOW), at(END));
        assert_eq!(words(&plan), ["tea#own#1=2@1900", "tea#own#2=2@1900", "tea#own=2@1900", "tea#own#0=2@1900"]);
    }

    proptest! {
        /// Whatever is seen: no bucket gives more than it has, every sale is exactly its lines, and the first orders that are refused
        /// could indeed not have been served after those before them.
        #[test]
        fn a_plan_adds_up(
            frees in prop::collection::vec(0_u64..12, 1..5),
            wanted in prop::collection::vec((1_u64..6, 0_u64..4), 1..12),
            first in 0_usize..4,
            all in prop::bool::ANY,
        ) {
            let stock = "tea#own".parse::<BucketId>().unwrap().stock;
            let mut view = homes(&[("tea", frees[0]), ("mug", 9)]);
            for (number, free) in (0..).zip(&frees[1..]) {
                view.buckets.insert(stock.child(number), bucket(*free, &[], true));
            }
            if !all {
                view.sights.clear();
            }
            let orders: Vec<_> = wanted.iter().enumerate().map(|(n, (tea, mug))| {
                let mut lines = vec![format!("tea={tea}")];
                if *mug > 0 {
                    lines.push(format!("mug={mug}"));
                }
                order(&n.to_string(), &lines.iter().map(String::as_str).collect::<Vec<_>>())
            }).collect();
            let first = if first == 0 { stock.home() } else { stock.child(u32::try_from(first - 1).unwrap()) };
            let plan = plan(&orders, &view, &first, at(NOW), at(END));
            for (bucket, commit) in &plan.commits {
                let taken: u64 = commit.holds.iter().map(|(_, quantity)| quantity.units()).sum();
                prop_assert!(taken <= view.buckets[bucket].free);
            }
            prop_assert!(!all || plan.fates.len() == orders.len(), "what is seen completely is clear");
            let (mut tea, mut mug) = (frees.iter().sum::<u64>(), 9);
            for (fate, (order, (wants_tea, wants_mug))) in plan.fates.iter().zip(orders.iter().zip(&wanted)) {
                match fate {
                    Fate::Sell { allocations, .. } => {
                        for line in order.cart.lines() {
                            let own = allocations.iter().filter(|own| own.bucket.stock.sku == line.sku);
                            prop_assert_eq!(own.map(|own| own.hold.quantity.units()).sum::<u64>(), line.quantity.units());
                        }
                        tea -= wants_tea;
                        mug -= wants_mug;
                    }
                    Fate::Refuse { .. } => prop_assert!(*wants_tea > tea || *wants_mug > mug),
                }
            }
        }
    }
}
