//! A purchase order that is to be created.

use std::{fmt, str::FromStr};

use domain::{ids::Sku, quantity::Quantity};
use jiff::civil::Date;
use vendor::{CallError, Context};

use crate::money::Currency;

/// Our name for an order, at every ERP: the idempotency key. 1 to 100 characters of `A-Z a-z 0-9 . _ -`, not dots alone, so that it can
/// stand in a path, in a query and in quotes as it is. 100 is what `NumAtCard` holds (SAP, `OPOR.NumAtCard`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OrderKey(String);

/// Not a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to 100 characters of A-Z a-z 0-9 . _ -, not dots alone")]
pub struct OrderKeyError;

const MAX_KEY_CHARS: usize = 100;

impl OrderKey {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for OrderKey {
    type Err = OrderKeyError;

    fn from_str(text: &str) -> Result<Self, OrderKeyError> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        let fits = text.len() <= MAX_KEY_CHARS && text.bytes().all(allowed) && text.bytes().any(|byte| byte != b'.');
        if fits { Ok(Self(text.to_owned())) } else { Err(OrderKeyError) }
    }
}

impl fmt::Display for OrderKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewLine {
    /// The ERP's id of the item.
    pub item: String,
    /// What we call it.
    pub sku: Sku,
    /// Units to order.
    pub quantity: Quantity,
    /// What one unit costs, in the smallest unit of the currency.
    pub unit_cost_minor: u64,
}

/// An order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewOrder {
    /// The same whenever this order is sent again, and never for another.
    pub key: OrderKey,
    /// How often the ERP has refused it, by its answer ([`CallError::Refused`]): what was refused, and then mended on either side, is
    /// another attempt. Not to be raised where no answer came.
    pub refusals: u32,
    /// The ERP's id of the supplier.
    pub supplier: String,
    /// The date of the order.
    pub order_on: Date,
    /// When it is expected.
    pub expected_on: Date,
    /// What the costs are in; nothing: the option `currency` of the settings.
    pub currency: Option<Currency>,
    /// The lines, at least one.
    pub lines: Vec<NewLine>,
}

impl NewOrder {
    /// The order, if it can be one, and the currency of its costs.
    pub(crate) fn checked(&self, context: &Context) -> Result<Currency, CallError> {
        let refused = |reason: &str| CallError::Refused { reason: reason.to_owned() };
        if self.lines.is_empty() {
            return Err(refused("the order has no lines"));
        }
        if self.supplier.is_empty() {
            return Err(refused("the order has no supplier"));
        }
        if let Some(line) = self.lines.iter().find(|line| line.item.is_empty()) {
            return Err(CallError::Refused { reason: format!("{} has no item in the ERP", line.sku) });
        }
        match self.currency {
            Some(currency) => Ok(currency),
            None => context.required("currency")?.parse().map_err(|_| refused("the option currency is no currency")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_can_stand_anywhere() {
        assert!("HF-2026-11-25.1_a".parse::<OrderKey>().is_ok());
        assert!("a".repeat(100).parse::<OrderKey>().is_ok());
        for wrong in ["", "..", "a b", "a'b", "a/b", "ü", &"a".repeat(101)] {
            assert_eq!(wrong.parse::<OrderKey>(), Err(OrderKeyError), "{wrong}");
        }
    }
}
