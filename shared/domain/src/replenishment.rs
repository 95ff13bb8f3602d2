//! Reorder before it runs out.
//!
//! 1. **Demand** ([`demand`]): what sold on an average day of the last complete days. A day counts for the share of it in which there was
//!    something to sell, so that days out of stock do not drag the average down.
//! 2. **Reorder point** ([`reorder`]): what sells until an order arrives, and a safety stock for what differs from the average.
//! 3. **Position** ([`review`]): available − open shortfall + on its way. Once it falls to the reorder point there is *one* alert, and there
//!    is no other before supply has come, or the next day.
//! 4. **Backtest** ([`backtest`]): the same rules over days that have been, beside ordering when the shelf is empty.

pub mod backtest;
pub mod demand;
pub mod ordering;
pub mod reorder;
pub mod review;
pub mod settings;
