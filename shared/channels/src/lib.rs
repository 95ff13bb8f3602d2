//! The other side of the wire: one module for each marketplace and shop, all behind one small interface ([`Connector`]).
//!
//! A connector knows how its vendor says things and nothing of what Holdfast does with them: it turns quantities into the vendor's
//! calls, and the vendor's orders and notices into [`domain::sale`]. It has no clock, no socket and no environment of its own
//! ([`Context`]), so that a test can play the vendor and say what time it is. **A new channel is one file here**, and a line in
//! [`connect`].
//!
//! | module | holds |
//! |---|---|
//! | [`connector`] | the interface, and what a channel can do |
//! | [`reading`] | what the orders of several vendors have in common |
//! | [`amazon`], [`ebay`], [`walmart`], [`shopify`], [`woocommerce`] | the vendors |
//!
//! What is not about channels, [`transport`], [`credentials`], [`token`] and the like, is `vendor`'s, and the ERPs' too.

pub mod amazon;
pub mod connector;
pub mod ebay;
mod one_by_one;
pub mod reading;
pub mod shopify;
pub mod walmart;
pub mod woocommerce;

pub use connector::{
    Abilities, Accepted, CallError, Connector, Context, Delivery, Heard, OrderPage, Push, QuantityMeaning, Rejected,
    Shown, Target,
};
pub use vendor::{Credentials, Transport, TransportError, credentials, endpoint, path, signature, token, transport};

use std::sync::Arc;

use domain::channel::ChannelKind;

/// The connector of a kind of channel; nothing for one that has no vendor.
#[must_use]
pub fn connect(kind: ChannelKind, context: Context) -> Option<Arc<dyn Connector>> {
    Some(match kind {
        ChannelKind::Own => return None,
        ChannelKind::Amazon => Arc::new(amazon::Amazon::new(context)),
        ChannelKind::Ebay => Arc::new(ebay::Ebay::new(context)),
        ChannelKind::Walmart => Arc::new(walmart::Walmart::new(context)),
        ChannelKind::Shopify => Arc::new(shopify::Shopify::new(context)),
        ChannelKind::Woocommerce => Arc::new(woocommerce::WooCommerce::new(context)),
    })
}
