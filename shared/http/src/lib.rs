//! A request parsed, an answer or a problem rendered; how units are counted is not known here.
//!
//! ```text
//! API Gateway event → Request → parse(|input| …) → domain command → … → domain outcome → Response or Problem → event
//! ```
//!
//! | module | holds |
//! |---|---|
//! | [`request`] | what arrived: route, parameters, headers, body, and who calls |
//! | [`input`] | reading it into domain types; every fault is collected, so that one answer names them all |
//! | [`json`] | the leaves of a body: texts, whole numbers and lists that say what is wrong with them instead of failing |
//! | [`cart`] | the `lines` of a reservation or an order |
//! | [`problem`], [`kind`] | every "no" as `application/problem+json`, in order of precedence |
//! | [`response`] | status, headers and body of an answer |
//! | [`view`] | reservations, orders and instants as the API shows them |
//!
//! The parser is strict on purpose: an unknown field, an unknown query parameter, a number written as a text or the same key
//! twice is refused, because a misspelt `quantiy` must not reserve nothing and look as if it had.

pub mod cart;
mod date;
mod document;
pub mod input;
pub mod json;
pub mod kind;
pub mod problem;
pub mod request;
pub mod response;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod view;

pub use date::{Date, DateError};
pub use input::{IfMatch, Input, parse};
pub use kind::Kind;
pub use problem::Problem;
pub use request::Request;
pub use response::Response;
