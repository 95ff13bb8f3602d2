//! One run: a design, a demand, the limits and a seed; and what came of it.

use std::{cell::RefCell, rc::Rc, time::Duration};

use crate::{
    clock::Clock,
    design::{
        Design,
        buckets::{Product, Stock},
        ours::Ours,
        queue::Queue,
        transactions::Transactions,
    },
    limits::Limits,
    market::{Answer, Arrivals, Demand, Market, Shopper, Tally},
    table::{Bill, Table, mix},
};

/// How often a payment is tried that cannot be confirmed, a second apart: the money is there, so nobody gives up soon.
const PAYMENT_ATTEMPTS: u32 = 10;

/// Which design.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// (a) One transaction for each reservation, on one stock item.
    OneItem,
    /// (b) The same on sixteen.
    Sharded,
    /// (c) Holdfast, each call at once.
    Ours,
    /// (d) Holdfast, orders in turn through the queue.
    Queue,
}

impl Kind {
    /// All of them, in the order of the table.
    pub const ALL: [Self; 4] = [Self::OneItem, Self::Sharded, Self::Ours, Self::Queue];
}

/// What is run.
#[derive(Debug, Clone, PartialEq)]
pub struct Scenario {
    /// The design.
    pub kind: Kind,
    /// The shoppers.
    pub demand: Demand,
    /// `DynamoDB`.
    pub limits: Limits,
    /// What Holdfast does.
    pub product: Product,
    /// All randomness.
    pub seed: u64,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// The counts.
    pub tally: Tally,
    /// When the last unit went.
    pub sold_out_at: Option<Duration>,
    /// Requests that were throttled.
    pub throttled: f64,
    /// Writes and transactions that met a transaction.
    pub conflicts: f64,
}

impl Scenario {
    /// Runs it.
    #[must_use]
    pub fn run(&self) -> Outcome {
        let table = Rc::new(Table::new(Clock::default(), self.limits.clone(), mix(self.seed ^ 1)));
        let market = Rc::new(Market::new(self.demand.units));
        let (to, of) = (Rc::clone(&table), Rc::clone(&market));
        let stock = || Stock::new(to, of, self.product.clone(), self.demand.buyers_per_second);
        match self.kind {
            Kind::OneItem => self.play(&table, &market, Transactions::new(Rc::clone(&table), Rc::clone(&market), 1)),
            Kind::Sharded => self.play(&table, &market, Transactions::new(Rc::clone(&table), Rc::clone(&market), 16)),
            Kind::Ours => self.play(&table, &market, Ours(stock())),
            Kind::Queue => self.play(&table, &market, Queue::new(stock())),
        }
    }

    fn play<D: Design + 'static>(&self, table: &Rc<Table>, market: &Rc<Market>, design: D) -> Outcome {
        let design = Rc::new(design);
        let clock = table.clock.clone();
        let demand = self.demand.clone();
        let ends = demand.lasts + demand.drains;
        let arrivals = RefCell::new(Arrivals::new(&demand, self.seed));
        let (of, to) = (Rc::clone(market), Rc::clone(&design));
        let own_clock = clock.clone();
        clock.spawn(async move {
            loop {
                let (gap, shopper) = arrivals.borrow_mut().draw();
                own_clock.sleep(gap).await;
                let now = own_clock.now();
                let over = of.sold_out_at().is_some_and(|at| now > at + demand.tail);
                if over || now > demand.lasts {
                    return;
                }
                own_clock.spawn(shop(own_clock.clone(), Rc::clone(&of), Rc::clone(&to), shopper));
            }
        });
        clock.run(ends);
        let bill = Bill::default();
        design.rest(&bill);
        market.charge(&bill);
        Outcome {
            tally: market.tally(),
            sold_out_at: market.sold_out_at(),
            throttled: table.throttled.get(),
            conflicts: table.conflicts.get(),
        }
    }
}

/// One shopper, from the first click to the last.
async fn shop<D: Design>(clock: Clock, market: Rc<Market>, design: Rc<D>, shopper: Shopper) {
    let bill = Bill::default();
    let came = clock.now();
    let answer = design.reserve(shopper, &bill).await;
    market.answered(answer, came, clock.now(), &bill);
    if answer == Answer::Reserved {
        if D::SELLS_AT_ONCE {
            market.confirmed(clock.now());
        } else {
            clock.sleep(shopper.pays_after).await;
            pay(&clock, &market, &*design, shopper, &bill).await;
            if shopper.cancels {
                market.let_go(&bill);
            }
        }
    }
    market.charge(&bill);
}

async fn pay<D: Design>(clock: &Clock, market: &Market, design: &D, shopper: Shopper, bill: &Bill) {
    for _ in 0..PAYMENT_ATTEMPTS {
        let done = if shopper.cancels {
            design.cancel(shopper, bill).await.is_ok()
        } else {
            let done = design.confirm(shopper, bill).await.is_ok();
            if done {
                market.confirmed(clock.now());
            }
            done
        };
        if done {
            return;
        }
        clock.sleep(Duration::from_secs(1)).await;
    }
    market.unconfirmed();
}
