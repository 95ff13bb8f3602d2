//! What Holdfast decides, without doing any of it.
//!
//! Values in, values out: no AWS, no tokio, no clock, no environment, no randomness; `Cargo.toml` is the proof. A handler parses
//! a request into these types, `store` carries out what they say with conditional writes and reports what it found, and these
//! types turn what was found into the answer.
//!
//! | module | holds |
//! |---|---|
//! | [`limits`] | every limit, with its reason |
//! | [`channel`] | where a merchant sells, and on which terms |
//! | [`listing`] | how far what a channel shows has followed what there is |
//! | [`pause`] | when a vendor that is not there is asked again |
//! | [`pull`] | how far the orders of a channel have been heard |
//! | [`publish`] | which number a channel shows, and what it means when it shows another |
//! | [`sale`] | orders that a marketplace has taken: facts, not requests |
//! | [`ids`], [`quantity`], [`time`] | the words: SKU, channel, reservation id, units, seconds, days |
//! | [`bucket`] | where units are: a home and its children, and the holds inside them |
//! | [`reservation`] | the record that decides holds |
//! | [`acquire`] | which bucket to try next, and what a refused hold means |
//! | [`route`] | where one process looks first for the units of a SKU that is split |
//! | [`order`] | orders that wait in a queue: their ids, and what has become of one |
//! | [`group_commit`] | many queued orders decided with one write for each bucket |
//! | [`resolve`] | what becomes of a hold once its reservation is known |
//! | [`movement`], [`stock`] | the merchant's side: receipts, corrections, counts, shortfalls |
//! | [`purchase`] | what is ordered from suppliers: its way from a draft to the shelf, and what is to come of a SKU, and who waits for it |
//! | [`erp`] | the merchant's ERP, and what there is in it of a purchase order |
//! | [`transfer`], [`quota`], [`redistribution`] | units that change channels: by hand, to a number for each channel, by a rule |
//! | [`replenishment`] | what sells, when to order, and the one alert that says so |
//! | [`refusal`] | every "no", in order of precedence |
//! | [`audit`] | the invariants, checked over everything that is stored |

pub mod acquire;
pub mod audit;
pub mod bucket;
pub mod channel;
pub mod erp;
pub mod group_commit;
pub mod ids;
pub mod limits;
pub mod listing;
pub mod movement;
pub mod order;
pub mod pause;
pub mod publish;
pub mod pull;
pub mod purchase;
pub mod quantity;
pub mod quota;
pub mod redistribution;
pub mod refusal;
pub mod replenishment;
pub mod reservation;
pub mod resolve;
pub mod route;
pub mod sale;
pub mod stock;
pub mod time;
pub mod transfer;
