//! ERPs that behave as the real ones do when it matters: they create an order and lose the answer, refuse in their own words, end a
//! session, change a refresh token with every use, move a date, receive in part. For tests, and for a newcomer who wants to watch.
//!
//! | module | holds |
//! |---|---|
//! | [`books`] | what every ERP has: purchase orders, suppliers, items, and what goes wrong |
//! | [`face`] | how one vendor speaks: its wire formats over [`books::Books`] |
//! | [`office`] | books and a face in one place: as a transport, in one process, with a clock of its own |
//! | [`served`] | the same on a socket of this machine |
//! | [`quickbooks`], [`netsuite`], [`sap`] | the faces |

pub mod books;
pub mod face;
pub mod netsuite;
pub mod office;
pub mod quickbooks;
pub mod sap;
pub mod served;
