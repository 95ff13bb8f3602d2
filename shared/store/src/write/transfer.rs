//! A transfer between two channels: a **debit**, a **credit** and the two movements that explain them, in one transaction.
//!
//! - `a >= :q` at the source: never more than is free, so nothing that a shopper holds is moved.
//! - `owed` as it was seen at the target: what arrives covers an open shortfall first.
//! - a target without a home gets one, `attribute_not_exists(pk)`: a quota of nothing, which then receives.
//! - `attribute_not_exists(pk)` on both movements: a retry moves nothing twice.

use domain::{bucket::StockId, movement::Movement};

use super::{credit, movement::explain, pool};
use crate::table::Write;

/// What is known of the home that gets the units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    /// It exists, with this open shortfall.
    Home {
        /// Units that it lacks.
        shortfall: u64,
    },
    /// It does not exist.
    None,
}

/// Moves `units` from one home to the other.
pub(crate) fn transfer(from: &StockId, to: &StockId, target: Target, units: u64, movements: &[Movement]) -> Vec<Write> {
    let arrives = match target {
        Target::Home { shortfall } => credit::credit(&to.home(), units, shortfall, None),
        Target::None => pool::open(to, units),
    };
    let homes = [credit::debit(&from.home(), units, None), arrives];
    homes.into_iter().chain(movements.iter().map(explain)).collect()
}
