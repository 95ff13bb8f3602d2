//! (d): Holdfast's order queue: `POST /v1/orders` with `Prefer: respond-async`, a sale without a reservation before it.
//!
//! - An order waits in the line of one child, or of the home where there is none. A line takes 300 messages a second.
//! - One batch of a line, ten orders at most, is decided at a time; so many batches of different lines at once as the product allows.
//! - **Look** at the line's bucket: a read, though a process that had the line before remembers it. **Hold**: one write for all that fit.
//!   **Record**: one write for each order.
//! - What does not fit: all buckets are read, and the records of the holds in those that are nearly full, unless this process knows them
//!   to be sold. Then the next bucket around the circle is taken from; the same write settles sold holds where there is no room.
//!   Where no bucket can take a hold, though units are free, the first order is sold alone, as (c) would.
//! - A refused order is recorded as well.
//!
//! Simpler than the product: a batch is decided with one bucket after the other, not with several at once; how a process looks for
//! earlier records of its orders is left out.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet, VecDeque},
    rc::Rc,
};

use domain::{bucket::max_holds, limits::MAX_SETTLED_AT_ONCE};
use futures::future::join_all;

use crate::{
    clock::Promise,
    design::{
        Design,
        buckets::{Status, Stock},
        search::{Begin, Search},
    },
    limits::{LINE_BATCH, LINE_PER_SECOND, SDK_ATTEMPTS},
    market::{Answer, Shopper},
    meter::Meter,
    table::{Bill, Fault},
};

/// Source: `store::flow::group_commit`.
const MAX_ROUNDS: usize = 16;

/// An order in its line.
struct Order {
    shopper: Shopper,
    answer: Promise<Answer>,
}

struct Line {
    sends: Meter,
    orders: VecDeque<Order>,
    busy: bool,
}

struct State {
    stock: Stock,
    lines: RefCell<BTreeMap<usize, Line>>,
    ready: RefCell<VecDeque<usize>>,
    /// Processes that decide nothing now.
    idle: RefCell<Vec<usize>>,
    /// What each process knows to be sold, for it decided it or has read its record.
    sold: RefCell<Vec<BTreeSet<u32>>>,
    /// What the batches have used that is on nobody's bill yet.
    used: Bill,
}

/// Holdfast, orders in turn.
pub struct Queue(Rc<State>);

impl Queue {
    /// Over this stock.
    pub fn new(stock: Stock) -> Self {
        let processes = usize::try_from(stock.product.order_concurrency.min(stock.product.processes)).unwrap_or(1);
        let sold = RefCell::new(vec![BTreeSet::new(); processes]);
        let idle = RefCell::new((0..processes).collect());
        let (lines, ready) = (RefCell::default(), RefCell::default());
        Self(Rc::new(State { stock, lines, ready, idle, sold, used: Bill::default() }))
    }
}

impl Design for Queue {
    const SELLS_AT_ONCE: bool = true;

    async fn reserve(&self, shopper: Shopper, bill: &Bill) -> Answer {
        let table = &self.0.stock.table;
        let children = self.0.stock.buckets.borrow().len() as u64 - 1;
        let line = if children == 0 { 0 } else { usize::try_from(1 + shopper.spread % children).unwrap_or(0) };
        for attempt in 1..=SDK_ATTEMPTS {
            table.clock.sleep(table.draw(table.limits.send)).await;
            let answer = Promise::new(&table.clock);
            if self.0.enqueue(line, Order { shopper, answer: answer.clone() }) {
                State::start(&self.0);
                let answer = answer.await;
                // What the batches have used since is this shopper's, one with another.
                bill.add(&self.0.used);
                return answer;
            }
            table.sdk_pause(attempt).await;
        }
        Answer::Contended
    }

    async fn confirm(&self, _: Shopper, _: &Bill) -> Result<(), Fault> {
        Ok(())
    }

    async fn cancel(&self, _: Shopper, _: &Bill) -> Result<(), Fault> {
        Ok(())
    }

    fn rest(&self, bill: &Bill) {
        bill.add(&self.0.used);
        self.0.stock.settle_rest(bill);
    }
}

impl State {
    fn enqueue(&self, number: usize, order: Order) -> bool {
        let smoothing = self.stock.table.limits.smoothing_seconds;
        let mut lines = self.lines.borrow_mut();
        let fresh = || Line { sends: Meter::new(LINE_PER_SECOND, smoothing), orders: VecDeque::new(), busy: false };
        let line = lines.entry(number).or_insert_with(fresh);
        let admitted = line.sends.has(self.stock.table.clock.now(), 1.0);
        if admitted {
            line.sends.take(1.0);
            line.orders.push_back(order);
            if !line.busy {
                line.busy = true;
                self.ready.borrow_mut().push_back(number);
            }
        }
        admitted
    }

    /// Gives lines that are ready to processes that are idle.
    fn start(own: &Rc<Self>) {
        while !own.ready.borrow().is_empty() && !own.idle.borrow().is_empty() {
            let (Some(line), Some(process)) = (own.ready.borrow_mut().pop_front(), own.idle.borrow_mut().pop()) else {
                return;
            };
            let shared = Rc::clone(own);
            own.stock.table.clock.spawn(async move {
                shared.work(line, process).await;
                shared.idle.borrow_mut().push(process);
                Self::start(&shared);
            });
        }
    }

    /// One batch of a line.
    async fn work(&self, line: usize, process: usize) {
        let table = &self.stock.table;
        table.clock.sleep(table.draw(table.limits.receive)).await;
        let mut orders: Vec<Order> = Vec::new();
        if let Some(own) = self.lines.borrow_mut().get_mut(&line) {
            let count = own.orders.len().min(LINE_BATCH);
            orders.extend(own.orders.drain(..count));
        }
        let bill = Bill::default();
        let decided = self.decide(line, process, &orders, &bill).await;
        self.used.add(&bill);
        let again = orders.split_off(decided);
        let mut lines = self.lines.borrow_mut();
        if let Some(own) = lines.get_mut(&line) {
            for order in again.into_iter().rev() {
                own.orders.push_front(order);
            }
            own.busy = !own.orders.is_empty();
            if own.busy {
                self.ready.borrow_mut().push_back(line);
            }
        }
    }

    /// Decides the first of these orders, and says how many; the others come again.
    async fn decide(&self, line: usize, process: usize, orders: &[Order], bill: &Bill) -> usize {
        let mut decided = 0;
        for _ in 0..MAX_ROUNDS {
            let rest = &orders[decided..];
            if rest.is_empty() {
                break;
            }
            match self.decide_some(line, process, rest, bill).await {
                Ok(count) => decided += count,
                Err(_) => break,
            }
        }
        decided
    }

    async fn decide_some(&self, line: usize, process: usize, orders: &[Order], bill: &Bill) -> Result<usize, Fault> {
        let own = self.stock.table.read(Stock::key(line), bill, || self.room(line, process)).await?;
        let bucket = if own > 0 { Some(line) } else { self.survey(line, process, bill).await? };
        if let Some(bucket) = bucket {
            return self.sell(bucket, process, orders, bill).await;
        }
        let Some(first) = orders.first() else { return Ok(0) };
        if self.stock.buckets.borrow().iter().all(|bucket| bucket.free == 0) {
            self.record(orders, Answer::SoldOut, bill).await?;
            return Ok(orders.len());
        }
        let answer = Search::new(&self.stock, first.shopper, process, bill).run(Begin::Looking).await?;
        if answer == Answer::Contended {
            return Ok(0);
        }
        if answer == Answer::Reserved {
            self.sold_to(process, first.shopper.number);
        }
        self.record(&orders[..1], answer, bill).await?;
        Ok(1)
    }

    /// Holds as many as fit, and records them.
    async fn sell(&self, bucket: usize, process: usize, orders: &[Order], bill: &Bill) -> Result<usize, Fault> {
        let count = orders.len().min(self.room(bucket, process));
        let hold = || {
            if self.room(bucket, process) < count {
                return false;
            }
            let held = self.stock.buckets.borrow()[bucket].holds.len();
            if held + count > max_holds(bucket > 0) {
                let sold = self.settleable(bucket, process);
                self.stock.settle(bucket, &sold);
            }
            orders[..count].iter().all(|order| self.stock.hold(bucket, order.shopper.number).0)
        };
        if !self.stock.table.write(Stock::item(bucket), bill, hold).await? {
            return Ok(0);
        }
        for order in &orders[..count] {
            self.sold_to(process, order.shopper.number);
        }
        self.record(&orders[..count], Answer::Reserved, bill).await?;
        Ok(count)
    }

    fn sold_to(&self, process: usize, shopper: u32) {
        if let Some((_, bucket)) = self.stock.status(shopper) {
            self.stock.set(shopper, Status::Confirmed, bucket);
        }
        self.sold.borrow_mut()[process].insert(shopper);
    }

    /// Records what becomes of orders, and tells their shoppers. An order that is held is recorded when its message comes again, if
    /// it could not be now: the shopper waits for it.
    async fn record(&self, orders: &[Order], answer: Answer, bill: &Bill) -> Result<(), Fault> {
        let records = orders.iter().map(|order| async move {
            while self.stock.table.write(Stock::record(order.shopper.number), bill, || ()).await.is_err() {}
            order.answer.give(answer);
        });
        join_all(records).await;
        Ok(())
    }

    /// How many orders a bucket can take in one write of this process.
    fn room(&self, bucket: usize, process: usize) -> usize {
        let buckets = self.stock.buckets.borrow();
        let (free, held) = (buckets[bucket].free, buckets[bucket].holds.len());
        drop(buckets);
        let room = max_holds(bucket > 0).saturating_sub(held) + self.settleable(bucket, process).len();
        room.min(usize::try_from(free).unwrap_or(usize::MAX))
    }

    fn settleable(&self, bucket: usize, process: usize) -> Vec<u32> {
        let sold = &self.sold.borrow()[process];
        let buckets = self.stock.buckets.borrow();
        buckets[bucket].holds.iter().filter(|own| sold.contains(own)).take(MAX_SETTLED_AT_ONCE).copied().collect()
    }

    /// All buckets, and the records that matter; the first bucket around the circle that can take an order.
    async fn survey(&self, line: usize, process: usize, bill: &Bill) -> Result<Option<usize>, Fault> {
        let count = self.stock.buckets.borrow().len();
        let keys: Vec<_> = (0..count).map(Stock::key).collect();
        self.stock.table.read_many(&keys, bill, |_| ()).await?;
        self.stock.table.read(Stock::key(0), bill, || ()).await?;
        let unclear: Vec<u32> = {
            let sold = &self.sold.borrow()[process];
            let buckets = self.stock.buckets.borrow();
            let crowded = (0..count).filter(|at| buckets[*at].holds.len() + LINE_BATCH > max_holds(*at > 0));
            crowded.flat_map(|at| buckets[at].holds.iter().copied()).filter(|own| !sold.contains(own)).collect()
        };
        let records: Vec<_> = unclear.iter().map(|own| Stock::record(*own).key).collect();
        self.stock
            .table
            .read_many(&records, bill, |at| {
                if matches!(self.stock.status(unclear[at]), Some((Status::Confirmed, _))) {
                    self.sold.borrow_mut()[process].insert(unclear[at]);
                }
            })
            .await?;
        let circle = (line..count).chain(0..line.min(count));
        Ok(circle.into_iter().find(|bucket| self.room(*bucket, process) > 0))
    }
}
