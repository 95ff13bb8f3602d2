//! Marketplaces that behave as the real ones do when it matters: they sell between our read and our write, throttle, apply late, reject
//! one listing of a batch, are down for an hour. For tests, and for a newcomer who wants to watch.
//!
//! | module | holds |
//! |---|---|
//! | [`market`] | what every marketplace has: listings, orders, and what goes wrong |
//! | [`face`] | how one vendor speaks: its wire formats over a [`market::Market`] |
//! | [`tokens`] | access tokens that a face has issued |
//! | [`amazon`], [`ebay`], [`walmart`], [`shopify`], [`woocommerce`] | the faces |

pub mod amazon;
pub mod ebay;
pub mod face;
pub mod market;
pub mod shopify;
pub mod tokens;
pub mod walmart;
pub mod woocommerce;
