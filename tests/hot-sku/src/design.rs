//! The designs that are compared. Each is written down as its processes would run: one request after the other.

pub mod buckets;
pub mod ours;
pub mod queue;
pub mod search;
pub mod transactions;

use crate::{
    market::{Answer, Shopper},
    table::{Bill, Fault},
};

/// How units are reserved, paid for and given back.
pub trait Design {
    /// Whether a reservation is a sale already: nothing is paid or canceled afterwards.
    const SELLS_AT_ONCE: bool;

    /// A shopper asks for one unit.
    async fn reserve(&self, shopper: Shopper, bill: &Bill) -> Answer;

    /// A shopper who has a unit pays.
    async fn confirm(&self, shopper: Shopper, bill: &Bill) -> Result<(), Fault>;

    /// A shopper who has a unit does not want it any more.
    async fn cancel(&self, shopper: Shopper, bill: &Bill) -> Result<(), Fault>;

    /// What is still to be done, after the run, for what was sold in it.
    fn rest(&self, bill: &Bill);
}
