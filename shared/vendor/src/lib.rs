//! What is the same for every vendor on the other side of the wire, marketplace, shop or ERP: how it is called, and how what it says is
//! read. What any one of them says is for `channels` and `erp`.
//!
//! | module | holds |
//! |---|---|
//! | [`call`] | what a connector works with, and what may come of a call |
//! | [`transport`] | HTTP as values: sent by `runtime`, or by a test |
//! | [`credentials`] | secrets, which print as nothing |
//! | [`token`] | access tokens that are fetched anew before they end |
//! | [`delivery`], [`signature`] | webhooks: signatures compared in constant time, over the raw bytes |
//! | [`endpoint`] | where a vendor is: over TLS, or nowhere |
//! | [`path`] | vendors' ids in paths |
//! | [`reading`] | JSON from outside |

pub mod call;
pub mod credentials;
pub mod delivery;
pub mod endpoint;
pub mod path;
pub mod reading;
pub mod signature;
pub mod token;
pub mod transport;

pub use call::{CallError, Context};
pub use credentials::Credentials;
pub use delivery::{Delivery, Rejected};
pub use transport::{Transport, TransportError};
