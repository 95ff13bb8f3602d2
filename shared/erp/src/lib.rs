//! Purchase orders at the merchant's ERP: one module for each vendor, all behind one small interface ([`Erp`]).
//!
//! A connector knows how its vendor says things and nothing of replenishment. It has no clock, no socket and no environment of its own
//! ([`vendor::Context`]), so that a test can play the vendor and say what time it is. **A new ERP is one module here**, a word in
//! [`ErpKind`], and a line in [`connect`].
//!
//! **Exactly one purchase order per key**, whatever crashes, repeats or comes at once. Every connector looks before it creates, and creates
//! under the key; what it does about two creators at once depends on what the vendor offers, and is at the head of its module:
//!
//! | vendor | the key is | looked up by | a second create |
//! |---|---|---|---|
//! | QuickBooks Online | `requestid`, and `DocNumber` | a query for the `DocNumber` | gets the first answer |
//! | NetSuite | the external id | its address | writes the same over the same |
//! | SAP Business One | `NumAtCard` | a filter on `NumAtCard` | is seen afterwards: the younger one is canceled by who made it |
//!
//! | module | holds |
//! |---|---|
//! | [`interface`] | what Holdfast asks of an ERP, and what it is told |
//! | [`order`] | an order that is to be created |
//! | [`money`] | amounts as whole minor units, and as exact decimals on the wire |
//! | [`refresh`] | refresh tokens that change with every use |
//! | [`quickbooks`], [`netsuite`], [`sap`] | the vendors |

pub mod interface;
pub mod money;
pub mod netsuite;
pub mod order;
pub mod quickbooks;
mod reading;
pub mod refresh;
pub mod sap;

pub use domain::erp::{ErpKind, ErpKindError};
pub use interface::{Created, Erp, ErpOrderId, OrderLine, OrderState, Status, Which};
pub use money::Currency;
pub use order::{NewLine, NewOrder, OrderKey};
pub use refresh::{NotKept, RefreshTokens};
pub use vendor::{CallError, Context, Credentials, Transport, TransportError};

use std::sync::Arc;

/// The connector of an ERP. Only QuickBooks has refresh tokens.
#[must_use]
pub fn connect(kind: ErpKind, context: Context, refresh_tokens: Arc<dyn RefreshTokens>) -> Arc<dyn Erp> {
    match kind {
        ErpKind::QuickBooks => Arc::new(quickbooks::QuickBooks::new(context, refresh_tokens)),
        ErpKind::NetSuite => Arc::new(netsuite::NetSuite::new(context)),
        ErpKind::SapBusinessOne => Arc::new(sap::BusinessOne::new(context)),
    }
}
