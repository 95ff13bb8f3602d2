//! The phases of the protocol, as methods of [`crate::Store`].
//!
//! | module | phase |
//! |---|---|
//! | `acquire` | hold the units of one line: one bucket, else several, else a new child |
//! | `take` | hold all lines, then record; or record the refusal, then release |
//! | `reserve` | reserve, sell, read back: `take` with the terms of each |
//! | `group_commit` | sell the orders of a queue together, one write for each bucket |
//! | `queue` | in which line an order waits |
//! | `decide` | confirm (in time and late), cancel, extend |
//! | `resolve` | what becomes of a hold that nobody confirmed, or that somebody did |
//! | `children` | split a hot SKU, fold a cold one |
//! | `stock` | the merchant's side: settings, movements, counts, lists |

mod acquire;
mod children;
mod decide;
mod group_commit;
mod queue;
mod reserve;
mod resolve;
mod stock;
mod take;

pub use reserve::Recorded;
pub use resolve::Resolved;
pub use stock::{Moved, Saved};
