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
//! | `listing` | what channels show: who has to look, and what is known since |
//! | `in_flight` | units held for sales that are only missing at a channel |
//! | `terms` | what a channel is to show, and why |
//! | `pools` | the quota of a channel, the shared stock, and which of them serves a line |
//! | `sale` | what a marketplace has sold: recorded, whatever there is |
//! | `told` | whole orders of a marketplace, and how many units that were |
//! | `channel` | what a merchant sets for a channel |
//! | `purchase` | purchase orders, what is on its way because of them, and receipts of them |
//! | `backorders` | units sold before they come: whether that is allowed, who waits, what came for nobody |
//! | `erp` | the merchant's ERP: its settings, and what is noted of purchase orders in it |
//! | `replenishment` | what sells, when to order, and the alerts that say so |
//! | `stock` | the merchant's side: settings, movements, counts, transfers, quotas, lists |

mod acquire;
mod backorders;
mod channel;
mod children;
mod decide;
mod erp;
mod group_commit;
mod in_flight;
mod listing;
mod pools;
mod purchase;
mod queue;
mod replenishment;
mod reserve;
mod resolve;
mod sale;
mod stock;
mod take;
mod terms;
mod told;

pub use backorders::Backorder;
pub use listing::Marked;
pub use purchase::{Opened, Received};
pub use replenishment::{AlertPage, Counted, Reviewed, StoredTerms};
pub use reserve::Recorded;
pub use resolve::Resolved;
pub use stock::{Moved, Occasion, Redistributed, Saved, Shortfall, StoredRule, Transferred, pools_version};
pub use terms::{Basis, Explained};
