//! Many shoppers, one SKU: a model under DynamoDB's documented limits, not a measurement.
//!
//! | module | holds |
//! |---|---|
//! | [`limits`] | every number from outside, with its source |
//! | [`clock`] | virtual time: shoppers are tasks, a run depends on its seed alone |
//! | [`table`], [`partition`], [`meter`] | DynamoDB: units, throttling, conflicts, splits, latencies |
//! | [`market`] | the shoppers, the truth about the units, and what is measured |
//! | [`design`] | who takes units how: transactions on one item or several, Holdfast, Holdfast's order queue |
//! | [`report`] | the tables, and whether the goals are met |
//! | [`run`] | one design, one demand, one seed: what came of it |

pub mod clock;
mod design;
pub mod limits;
pub mod market;
pub mod meter;
pub mod partition;
pub mod report;
pub mod run;
pub mod table;

pub use design::buckets::Product;

/// A count as a number to reckon with: exact, for nothing here is counted beyond four billion.
pub(crate) fn count(things: usize) -> f64 {
    u32::try_from(things).map_or(f64::INFINITY, f64::from)
}
