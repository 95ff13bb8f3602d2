//! What (c) and (d) share: the home, its children, the records, and what each process believes.

use std::{cell::RefCell, collections::BTreeSet, rc::Rc, time::Duration};

use domain::{
    acquire::children_ahead,
    bucket::max_holds,
    limits::{CHILD_UNITS, MAX_CHILDREN_AHEAD},
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

/// What may be changed about the product, to see what it would bring.
#[derive(Debug, Clone, PartialEq)]
pub struct Product {
    /// Children opened ahead of an announced peak. Source: `domain::limits::MAX_CHILDREN_AHEAD`.
    pub most_children_ahead: u64,
    /// Children that one transaction opens. The product: one. DynamoDB: 100 actions in a transaction, one of which is the home's.
    pub children_per_opening: u32,
    /// Whether confirmed holds are looked for, and settled, in crowded buckets that have no unit free. The product does, which frees
    /// nobody a unit.
    pub tidies_empty_buckets: bool,
    /// Children that a shopper looks at, the newest first, while the home has units to open another with. The product: all.
    pub survey_at_most: Option<usize>,
    /// Children that a shopper tries blindly, out of the window that the process last saw at the home, before looking at all of them.
    /// The product: none.
    pub probes: u32,
    /// How long a process that has seen all buckets empty says so without looking again. The product: not at all.
    pub remembers_sold_out: Duration,
    /// Processes: what each believes is its own. Source for the most: AWS Lambda, "Lambda quotas", 1,000 concurrent executions by
    /// default. Fewer where fewer are busy at a time.
    pub processes: u32,
    /// Batches of queued orders decided at a time. Source: `template.yaml`, `OrderConcurrency`, 2 to 1000, by default 10.
    pub order_concurrency: u32,
}

impl Default for Product {
    fn default() -> Self {
        Self {
            most_children_ahead: MAX_CHILDREN_AHEAD,
            children_per_opening: 1,
            tidies_empty_buckets: true,
            survey_at_most: None,
            probes: 0,
            remembers_sold_out: Duration::ZERO,
            processes: 1_000,
            order_concurrency: 1_000,
        }
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
    /// Whether it carries as many holds as it may.
    pub crowded: bool,
}

/// Which children one process believes to have units.
#[derive(Debug, Default)]
pub struct Routes(BTreeSet<usize>);

/// The stock of one SKU, and all reservations of it.
pub struct Stock {
    pub table: Rc<Table>,
    pub market: Rc<Market>,
    pub product: Product,
    /// The home first. A child's number is its place.
    pub buckets: RefCell<Vec<Bucket>>,
    /// What each reservation is, and in which bucket it holds, by the shopper's number.
    pub reservations: RefCell<Vec<Option<(Status, usize)>>>,
    routes: RefCell<Vec<Routes>>,
    /// The end of the window of children that each process last saw at the home.
    pub windows: RefCell<Vec<usize>>,
    /// Until when each process says that all is sold out.
    pub sold_out_until: RefCell<Vec<Duration>>,
    /// Children opened before the run.
    opened_ahead: usize,
}

impl Stock {
    /// All units, after the announced peak has been prepared for.
    #[must_use]
    pub fn new(table: Rc<Table>, market: Rc<Market>, product: Product, expected_peak_per_second: u32) -> Self {
        let expected_peak_per_second = u64::from(expected_peak_per_second);
        let mut home = Bucket { free: market.free(), holds: Vec::new() };
        let free = u64::from(home.free);
        // With another bound: not for the first second alone, but for as much of the stock as the bound allows.
        let ahead = if product.most_children_ahead == MAX_CHILDREN_AHEAD {
            children_ahead(expected_peak_per_second, free)
        } else {
            (free / CHILD_UNITS).min(product.most_children_ahead)
        };
        let mut children = Vec::new();
        for _ in 0..ahead {
            home.free -= child_units();
            children.push(Bucket { free: child_units(), holds: Vec::new() });
        }
        let opened_ahead = children.len();
        let routes = (0..product.processes).map(|_| Routes::default()).collect();
        let windows = (0..product.processes).map(|_| 1).collect();
        let sold_out_until = (0..product.processes).map(|_| Duration::ZERO).collect();
        let buckets = std::iter::once(home).chain(children).collect();
        Self {
            table,
            market,
            product,
            buckets: RefCell::new(buckets),
            reservations: RefCell::default(),
            routes: RefCell::new(routes),
            opened_ahead,
            windows: RefCell::new(windows),
            sold_out_until: RefCell::new(sold_out_until),
        }
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
        Seen { bucket, free: found.free, crowded: found.holds.len() >= max_holds(bucket > 0) }
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

    /// The child that a process tries first, or the home.
    pub fn first(&self, process: usize, spread: u64) -> usize {
        let routes = self.routes.borrow();
        let known = &routes[process].0;
        let at = if known.is_empty() { 0 } else { spread % known.len() as u64 };
        usize::try_from(at).ok().and_then(|at| known.iter().nth(at)).copied().unwrap_or(0)
    }

    /// A child that a process does not know, tried blindly: any of those that it has heard of.
    pub fn probe(&self, process: usize, spread: u64) -> Option<usize> {
        let end = self.windows.borrow()[process];
        let count = u64::try_from(end.checked_sub(1)?).ok().filter(|count| *count > 0)?;
        Some(1 + usize::try_from(spread % count).ok()?)
    }

    /// A process has seen the home, and in it how many children there are.
    pub fn see_window(&self, process: usize) {
        self.windows.borrow_mut()[process] = self.buckets.borrow().len();
    }

    /// A process has seen how much is free in a bucket.
    pub fn note(&self, process: usize, bucket: usize, free: u32) {
        if bucket == 0 {
            return;
        }
        let known = &mut self.routes.borrow_mut()[process].0;
        if free > 0 {
            known.insert(bucket);
        } else {
            known.remove(&bucket);
        }
    }

    /// What is done outside of the run: opening children ahead, as far as they were used in it; and settling what was sold and is still
    /// held, ten holds in a write, once the holds are over, fifteen minutes after the sale.
    pub fn settle_rest(&self, bill: &Bill) {
        let buckets = self.buckets.borrow();
        let used = buckets.iter().skip(1).take(self.opened_ahead).filter(|child| child.free < child_units()).count();
        let opening = opening_units(count(used), f64::from(self.product.children_per_opening));
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
