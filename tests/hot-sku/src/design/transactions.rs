//! (a) and (b): the stock is one item, or sixteen; a reservation is one transaction of a stock item and its own record.
//!
//! - **Reserve**: `TransactWriteItems` of the stock item (`free = free - 1 IF free >= 1`) and the record (`attribute_not_exists`).
//!   Canceled by another transaction or throttled, it is tried again with the store's pauses; after the last attempt the shopper
//!   is refused as contended.
//! - With several stock items a shopper begins with a random one; after a conflict the next attempt goes to another that is not known
//!   to be empty; where the condition failed the item is known to be empty. All of them empty: sold out. So what is left over in
//!   one item is found, at the price of failed transactions on the others. Units are never moved between items.
//! - **Confirm** is one plain write of the record, in favour of these designs: many also move the unit from reserved to sold in the
//!   stock item, in another transaction.
//! - **Cancel**: a transaction of the record and the stock item that the unit came from.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

use crate::{
    design::Design,
    limits::STORE_ATTEMPTS,
    market::{Answer, Market, Shopper},
    table::{Bill, Fault, Item, Key, Table},
};

/// Bytes of a stock item and of a record: both small. Measured for Holdfast's records: 0.4 KB.
const BYTES: u32 = 400;

/// Keys of stock items.
const STOCK: u8 = 1;
/// Keys of records.
const RECORD: u8 = 2;

/// Stock in so many items.
pub struct Transactions {
    table: Rc<Table>,
    market: Rc<Market>,
    free: RefCell<Vec<u32>>,
    /// From which stock item each reservation took its unit.
    taken_from: RefCell<BTreeMap<u32, usize>>,
}

impl Transactions {
    /// All units, evenly over the items.
    #[must_use]
    pub fn new(table: Rc<Table>, market: Rc<Market>, shards: u32) -> Self {
        let units = market.free();
        let free = (0..shards).map(|shard| units / shards + u32::from(shard < units % shards)).collect();
        Self { table, market, free: RefCell::new(free), taken_from: RefCell::default() }
    }

    fn items(shard: usize, shopper: Shopper) -> [Item; 2] {
        let stock = Key::of(STOCK, u32::try_from(shard).unwrap_or(0));
        [Item { key: stock, bytes: BYTES }, Item { key: Key::of(RECORD, shopper.number), bytes: BYTES }]
    }

    fn take(&self, shard: usize, shopper: Shopper) -> bool {
        let mut free = self.free.borrow_mut();
        let there = free[shard] > 0;
        if there {
            free[shard] -= 1;
            self.market.take(self.table.clock.now());
            self.taken_from.borrow_mut().insert(shopper.number, shard);
        }
        there
    }
}

impl Design for Transactions {
    const SELLS_AT_ONCE: bool = false;

    async fn reserve(&self, shopper: Shopper, bill: &Bill) -> Answer {
        let mut open: Vec<usize> = (0..self.free.borrow().len()).collect();
        let mut failures = 0;
        let mut turn = shopper.spread;
        while !open.is_empty() {
            let at = usize::try_from(turn % open.len() as u64).unwrap_or(0);
            let shard = open[at];
            let items = Self::items(shard, shopper);
            match self.table.transact_once(&items, bill, &mut || self.take(shard, shopper)).await {
                Ok(true) => return Answer::Reserved,
                Ok(false) => drop(open.swap_remove(at)),
                Err(_) if failures + 1 == STORE_ATTEMPTS => return Answer::Contended,
                Err(_) => {
                    self.table.store_pause(failures).await;
                    failures += 1;
                }
            }
            turn = crate::table::mix(turn);
        }
        Answer::SoldOut
    }

    async fn confirm(&self, shopper: Shopper, bill: &Bill) -> Result<(), Fault> {
        let record = Item { key: Key::of(RECORD, shopper.number), bytes: BYTES };
        self.table.write(record, bill, || ()).await
    }

    async fn cancel(&self, shopper: Shopper, bill: &Bill) -> Result<(), Fault> {
        let Some(shard) = self.taken_from.borrow().get(&shopper.number).copied() else { return Ok(()) };
        let give_back = || {
            self.free.borrow_mut()[shard] += 1;
            self.market.give_back(self.table.clock.now());
            true
        };
        self.table.transact(&Self::items(shard, shopper), bill, give_back).await.map(drop)
    }

    fn rest(&self, _: &Bill) {}
}
