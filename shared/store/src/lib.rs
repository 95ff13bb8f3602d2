//! The only crate that knows the table: its keys, its attribute names and its expressions.
//!
//! Two layers, and nothing leads back up:
//!
//! | layer | does |
//! |---|---|
//! | `flow` | the phases of the protocol: take units, record, resolve, split and fold, move stock. Methods of [`Store`] |
//! | `write` | one module per conditional write: its expression, and nothing else. Each has a golden file under `tests/golden` |
//!
//! A write that fails its condition is not an error: it returns what was found instead (`table::Written::Refused`), and
//! `domain` says what that means. Errors are outages and bugs ([`Fault`]).
//!
//! # Round trips of a shopper
//!
//! | call | requests | WCU |
//! |---|---|---|
//! | reserve, one line | 2: hold, record | 2 |
//! | reserve, refused | 1 write and 1 read | 1 |
//! | reserve, one line, a hot SKU | 2; and one read of a few children, once in about 28 orders of a process | 2 |
//! | reserve, a hot SKU that was just seen empty | 1 read | 0 |
//! | confirm, any number of lines | 1 | 1 for each KB of the record: a cart of about ten lines |
//! | cancel, one line | 2: decide, release | 2 |
//!
//! Nothing in this crate reads a clock, draws a random number or looks at the environment: the clock is a parameter of
//! [`Store::new`], and the jitter of a retry derives from the id of the request.

mod fault;
mod flow;
mod item;
mod keys;
mod read;
mod route;
pub mod schema;
pub mod stream;
mod table;
mod write;

#[cfg(test)]
mod tests;

use std::{collections::HashMap, sync::Arc};

use aws_sdk_dynamodb::{Client, types::AttributeValue};
use domain::{
    bucket::{Bucket, BucketId},
    ids::Sku,
    movement::Movement,
    purchase::{OnOrder, PurchaseOrder},
    reservation::Reservation,
    time::{Clock, Timestamp},
};

pub use fault::{Failure, Fault};
pub use flow::{
    AlertPage, Backorder, Basis, Counted, Explained, Marked, Moved, Occasion, Opened, Received, Recorded,
    Redistributed, Resolved, Reviewed, Saved, Shortfall, StoredRule, StoredTerms, Transferred, pools_version,
};
pub use read::Scan;

/// A DynamoDB item as the SDK has it.
pub type Item = HashMap<String, AttributeValue>;

/// The table, and everything Holdfast does with it. Cheap to clone; clones share what they have learned about hot SKUs.
#[derive(Clone)]
pub struct Store {
    client: Client,
    table: Arc<str>,
    clock: Arc<dyn Clock>,
    routes: Arc<route::Routes>,
}

/// Anything that is stored and says something about units.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoredItem {
    /// A home or a child.
    Bucket(BucketId, Bucket),
    /// A reservation or an order.
    Reservation(Reservation),
    /// A movement.
    Movement(Movement),
    /// A purchase order.
    PurchaseOrder(Box<PurchaseOrder>),
    /// What is on its way of a SKU.
    OnOrder(Sku, OnOrder),
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// Where the next page begins; nothing on the last one. Opaque.
    pub next_cursor: Option<String>,
}

/// What an item says about units; nothing for one that only helps to list. For whoever has items from elsewhere than a scan.
///
/// # Errors
/// [`Fault::Malformed`] when it is not what this service writes.
pub fn decode(item: &Item) -> Result<Option<StoredItem>, Fault> {
    item::decode(item)
}

/// The item of what was decoded: what a test compares with the one that was read.
#[cfg(any(test, feature = "testing"))]
#[must_use]
pub fn encode(stored: &StoredItem) -> Item {
    match stored {
        StoredItem::Bucket(id, bucket) => item::encode_bucket(id, bucket),
        StoredItem::Reservation(record) => item::encode_reservation(record),
        StoredItem::Movement(movement) => item::encode_movement(movement),
        StoredItem::PurchaseOrder(order) => item::encode_purchase_order(order),
        StoredItem::OnOrder(sku, on_order) => item::encode_on_order(sku, on_order),
    }
}

impl Store {
    /// A store over `table`, which must exist (see [`schema`]).
    #[must_use]
    pub fn new(client: Client, table: impl Into<String>, clock: Arc<dyn Clock>) -> Self {
        let table: String = table.into();
        Self { client, table: table.into(), clock, routes: Arc::new(route::Routes::default()) }
    }

    /// The current instant by this store's clock.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }
}
