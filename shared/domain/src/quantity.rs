//! How many units.

use std::fmt;

use crate::limits::MAX_QUANTITY;

/// A number of units that someone asks for: 1 to 1,000,000, so that no line can hold nothing and no sum can overflow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Quantity(u64);

/// Not a quantity: below 1 or above 1,000,000.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a whole number from 1 to {MAX_QUANTITY}")]
pub struct QuantityError;

impl Quantity {
    /// Checks the range.
    ///
    /// # Errors
    /// [`QuantityError`] when `units` is 0 or above [`MAX_QUANTITY`].
    pub const fn new(units: u64) -> Result<Self, QuantityError> {
        if units == 0 || units > MAX_QUANTITY { Err(QuantityError) } else { Ok(Self(units)) }
    }

    /// The number of units.
    #[must_use]
    pub const fn units(self) -> u64 {
        self.0
    }

    /// The smaller of this quantity and `units`, or nothing if `units` is 0.
    #[must_use]
    pub const fn at_most(self, units: u64) -> Option<Self> {
        match units {
            0 => None,
            _ if units < self.0 => Some(Self(units)),
            _ => Some(self),
        }
    }

    /// What is left after taking `taken` away, or nothing if that is all of it.
    #[must_use]
    pub const fn minus(self, taken: Self) -> Option<Self> {
        match self.0.checked_sub(taken.0) {
            None | Some(0) => None,
            Some(rest) => Some(Self(rest)),
        }
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantity_is_between_one_and_a_million() {
        for (units, ok) in [(0, false), (1, true), (35_836, true), (1_000_000, true), (1_000_001, false)] {
            assert_eq!(Quantity::new(units).is_ok(), ok, "{units}");
        }
    }

    #[test]
    fn a_part_of_a_quantity_is_never_empty() {
        let five = Quantity::new(5).unwrap();
        assert_eq!(five.at_most(0), None);
        assert_eq!(five.at_most(2).map(Quantity::units), Some(2));
        assert_eq!(five.at_most(9).map(Quantity::units), Some(5));
        assert_eq!(five.minus(five), None);
        assert_eq!(five.minus(Quantity::new(2).unwrap()).map(Quantity::units), Some(3));
    }
}
