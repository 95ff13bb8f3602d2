//! What (c) and (d) share: the home, its children, the records, and what each process believes.

use std::{
    cell::{RefCell, RefMut},
    rc::Rc,
};

use domain::{
    acquire::children_ahead,
    bucket::{Home, max_holds},
    limits::{CHILD_UNITS, MAX_CHILDREN_AT_ONCE},
    route::{Route, within_reach},
    time::Timestamp,
};

use crate::{
    count,
    market::Market,
    table::{Bill, Fault, Item, Key, Table},
};

/// Bytes of a bucket: never more than a write unit. Source: `domain::limits::MAX_HOLDS` and `CHILD_UNITS`.
const BUCKET_BYTES: u32 = 1024;
/// Bytes of a reservation's record. Source: README, "Cost": 0.4 KB an order.
const RECORD_BYTES: u32 = 400;

/// Keys of buckets: number 0 is the home.
const BUCKET: u8 = 3;
/// Keys of records.
const RECORD: u8 = 4;

/// How the product is deployed.
#[derive(Debug, Clone, PartialEq)]
pub struct Product {
    /// Processes: what each believes is its own. Source for the most: AWS Lambda, "Lambda quotas", 1,000 concurrent executions by
    /// default. Fewer where fewer are busy at a time.
    pub processes: u32,
    /// Batches of queued orders decided at a time. Source: `template.yaml`, `OrderConcurrency`, 2 to 1000, by default 10.
    pub order_concurrency: u32,
    /// Whether the merchant has announced the peak that comes.
    pub announced: bool,
}

impl Default for Product {
    fn default() -> Self {
        Self { processes: 1_000, order_concurrency: 1_000, announced: true }
    }
}

/// A reservation, as its record and its hold say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Held; there may be no record yet.
    Active,
    /// Paid.
    Confirmed,
    /// Let go.
    Canceled,
}

/// A bucket.
#[derive(Debug, Default)]
pub struct Bucket {
    /// Units that nobody has.
    pub free: u32,
    /// Who holds a unit here: one each.
    pub holds: Vec<u32>,
}

/// What was seen of a bucket.
#[derive(Debug, Clone, Copy)]
pub struct Seen {
    /// Which.
    pub bucket: usize,
    /// Units free.
    pub free: u32,
    /// How many of them can be held here.
    pub within_reach: u64,
    /// Whether it carries as many holds as it may.
    pub crowded: bool,
    /// Of the home: the number that the next child gets.
    pub next_child: u32,
}

/// The stock of one SKU, and all reservations of it.
pub struct Stock {
    pub table: Rc<Table>,
    pub market: Rc<Market>,
    pub product: Product,
    /// The home first. A child's number is its place.
    pub buckets: RefCell<Vec<Bucket>>,
    /// What each reservation is, and in which bucket it holds, by the shopper's number.
    pub reservations: RefCell<Vec<Option<(Status, usize)>>>,
    /// What each process believes: the product's own code.
    routes: RefCell<Vec<Route>>,
    /// Children opened before the run.
    opened_ahead: usize,
    expected_peak_per_second: u64,
}

impl Stock {
    /// All units, after the announced peak has been prepared for.
    #[must_use]
    pub fn new(table: Rc<Table>, market: Rc<Market>, product: Product, expected_peak_per_second: u32) -> Self {
        let expected_peak_per_second = if product.announced { u64::from(expected_peak_per_second) } else { 0 };
        let mut home = Bucket { free: market.free(), holds: Vec::new() };
        let mut children = Vec::new();
        for _ in 0..children_ahead(expected_peak_per_second, u64::from(home.free)) {
            home.free -= child_units();
            children.push(Bucket { free: child_units(), holds: Vec::new() });
        }
        let opened_ahead = children.len();
        let routes = RefCell::new((0..product.processes).map(|_| Route::default()).collect());
        let buckets = RefCell::new(std::iter::once(home).chain(children).collect());
        let reservations = RefCell::default();
        Self { table, market, product, buckets, reservations, routes, opened_ahead, expected_peak_per_second }
    }

    /// The item of a bucket.
    pub fn item(bucket: usize) -> Item {
        Item { key: Self::key(bucket), bytes: BUCKET_BYTES }
    }

    /// The key of a bucket.
    pub fn key(bucket: usize) -> Key {
        Key::of(BUCKET, u32::try_from(bucket).unwrap_or(u32::MAX))
    }

    /// The item of a record.
    pub fn record(shopper: u32) -> Item {
        Item { key: Key::of(RECORD, shopper), bytes: RECORD_BYTES }
    }

    /// A bucket as it is.
    pub fn see(&self, bucket: usize) -> Seen {
        let buckets = self.buckets.borrow();
        let found = &buckets[bucket];
        let holds = found.holds.len();
        let within_reach = within_reach(u64::from(found.free), holds, bucket > 0);
        let next_child = u32::try_from(buckets.len() - 1).unwrap_or(u32::MAX);
        Seen { bucket, free: found.free, within_reach, crowded: holds >= max_holds(bucket > 0), next_child }
    }

    /// The write that holds a unit, where it is admitted: whether it was applied, and the bucket afterwards.
    pub fn hold(&self, bucket: usize, shopper: u32) -> (bool, Seen) {
        let before = self.see(bucket);
        let applies = before.free > 0 && !before.crowded;
        if applies {
            let mut buckets = self.buckets.borrow_mut();
            buckets[bucket].free -= 1;
            buckets[bucket].holds.push(shopper);
            drop(buckets);
            self.set(shopper, Status::Active, bucket);
            self.market.take(self.table.clock.now());
        }
        (applies, self.see(bucket))
    }

    /// Notes what a reservation is.
    pub fn set(&self, shopper: u32, status: Status, bucket: usize) {
        let mut all = self.reservations.borrow_mut();
        let at = usize::try_from(shopper).unwrap_or(usize::MAX);
        if all.len() <= at {
            all.resize(at + 1, None);
        }
        all[at] = Some((status, bucket));
    }

    /// What a reservation is.
    pub fn status(&self, shopper: u32) -> Option<(Status, usize)> {
        self.reservations.borrow().get(usize::try_from(shopper).ok()?).copied().flatten()
    }

    /// The release of a hold: says nothing, for a hold that is gone is released.
    pub async fn release(&self, bucket: usize, shopper: u32, bill: &Bill) -> Result<(), Fault> {
        self.table
            .write(Self::item(bucket), bill, || {
                let mut buckets = self.buckets.borrow_mut();
                let Some(at) = buckets[bucket].holds.iter().position(|own| *own == shopper) else { return };
                buckets[bucket].holds.swap_remove(at);
                buckets[bucket].free += 1;
                drop(buckets);
                self.market.give_back(self.table.clock.now());
            })
            .await
    }

    /// The write that counts confirmed holds as sold.
    pub fn settle(&self, bucket: usize, sold: &[u32]) {
        self.buckets.borrow_mut()[bucket].holds.retain(|own| !sold.contains(own));
    }

    /// What a process believes.
    pub fn route(&self, process: usize) -> RefMut<'_, Route> {
        RefMut::map(self.routes.borrow_mut(), |routes| &mut routes[process])
    }

    /// What the home says of its children.
    pub fn home(&self) -> Home {
        let next_child = u32::try_from(self.buckets.borrow().len() - 1).unwrap_or(u32::MAX);
        Home { next_child, expected_peak_per_second: self.expected_peak_per_second, ..Home::default() }
    }

    /// The clock of the product: whole seconds.
    pub fn now(&self) -> Timestamp {
        Timestamp::from_epoch_seconds(self.table.clock.now().as_secs())
    }

    /// What is done outside of the run: opening children ahead, as far as they were used in it; and settling what was sold and is still
    /// held, ten holds in a write, once the holds are over, fifteen minutes after the sale.
    pub fn settle_rest(&self, bill: &Bill) {
        let buckets = self.buckets.borrow();
        let used = buckets.iter().skip(1).take(self.opened_ahead).filter(|child| child.free < child_units()).count();
        let opening = opening_units(count(used), f64::from(MAX_CHILDREN_AT_ONCE));
        let sold = |own: &&u32| matches!(self.status(**own), Some((Status::Confirmed, _)));
        let writes = buckets.iter().map(|bucket| {
            let held = bucket.holds.iter().filter(sold).count();
            count(held.div_ceil(domain::limits::MAX_SETTLED_AT_ONCE))
        });
        bill.writes.set(bill.writes.get() + opening + writes.sum::<f64>());
    }
}

/// Write units of opening children: two for each, and two for the home in each transaction.
fn opening_units(children: f64, in_one: f64) -> f64 {
    2.0 * children + 2.0 * (children / in_one).ceil()
}

/// Units that a child is opened with.
pub fn child_units() -> u32 {
    u32::try_from(CHILD_UNITS).unwrap_or(u32::MAX)
}
