//! Every unit has a reason: receipts, corrections, counts, returns and changes of channel, written together with the change that they
//! explain.

use crate::{
    bucket::StockId,
    ids::{Channel, Fingerprint, MovementId, Reason},
    limits::MAX_QUANTITY,
    quantity::Quantity,
    time::Timestamp,
};

/// What happened on the shelf.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MovementKind {
    /// Units arrived.
    Receive(Quantity),
    /// Units are corrected, up or down; never below what is free.
    Adjust(Correction),
    /// The shelf was counted: so many unsold units are there. A fact, even where more are held.
    Count(u64),
    /// Units that were sold come back.
    Return(Quantity),
    /// Units changed channels; see [`crate::transfer`]. One of a pair: what leaves one channel arrives in another.
    Transfer(Shift),
    /// In an incoming pool: so many more units, or fewer, are on their way or set aside for those who wait.
    Expect(Shift),
}

/// How many units changed channels or are expected, signed: they arrived, or they left. Never 0. A quota may move more units at once than anybody can
/// ask for in one line: all that were ever received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shift(i64);

impl Shift {
    /// Nothing if `units` is 0, for then nothing happened.
    #[must_use]
    pub const fn new(units: i64) -> Option<Self> {
        if units == 0 { None } else { Some(Self(units)) }
    }

    /// The signed number of units.
    #[must_use]
    pub const fn units(self) -> i64 {
        self.0
    }
}

/// A correction: −1,000,000 to 1,000,000 units, never 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Correction(i64);

/// Not a correction: 0, or more than 1,000,000 units either way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a whole number from -{MAX_QUANTITY} to {MAX_QUANTITY}, but not 0")]
pub struct CorrectionError;

impl Correction {
    /// Checks the range.
    ///
    /// # Errors
    /// [`CorrectionError`] when `units` is 0 or beyond [`MAX_QUANTITY`] either way.
    pub const fn new(units: i64) -> Result<Self, CorrectionError> {
        if units == 0 || units.unsigned_abs() > MAX_QUANTITY { Err(CorrectionError) } else { Ok(Self(units)) }
    }

    /// The signed number of units.
    #[must_use]
    pub const fn units(self) -> i64 {
        self.0
    }
}

impl MovementKind {
    /// The word for it in the API and the table.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Receive(_) => "receive",
            Self::Adjust(_) => "adjust",
            Self::Count(_) => "count",
            Self::Return(_) => "return",
            Self::Transfer(_) => "transfer",
            Self::Expect(_) => "expect",
        }
    }

    /// The number that was given with it, signed.
    #[must_use]
    pub fn quantity(self) -> i64 {
        match self {
            Self::Receive(quantity) | Self::Return(quantity) => quantity.units().cast_signed(),
            Self::Adjust(correction) => correction.units(),
            Self::Count(counted) => counted.cast_signed(),
            Self::Transfer(shift) | Self::Expect(shift) => shift.units(),
        }
    }

    /// Reads it back from its word and number.
    #[must_use]
    pub fn from_parts(word: &str, quantity: i64) -> Option<Self> {
        match word {
            "receive" => Some(Self::Receive(Quantity::new(u64::try_from(quantity).ok()?).ok()?)),
            "return" => Some(Self::Return(Quantity::new(u64::try_from(quantity).ok()?).ok()?)),
            "adjust" => Some(Self::Adjust(Correction::new(quantity).ok()?)),
            "count" => Some(Self::Count(u64::try_from(quantity).ok().filter(|counted| *counted <= MAX_QUANTITY)?)),
            "transfer" => Some(Self::Transfer(Shift::new(quantity)?)),
            "expect" => Some(Self::Expect(Shift::new(quantity)?)),
            _ => None,
        }
    }
}

/// What a merchant wants recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MovementRequest {
    /// Derived from the caller and the `Idempotency-Key`: a retry moves nothing twice.
    pub id: MovementId,
    /// The SKU and channel.
    pub stock: StockId,
    /// What happened.
    pub kind: MovementKind,
    /// Why, in the merchant's words.
    pub reason: Reason,
    /// Who says so.
    pub actor: String,
}

impl MovementRequest {
    /// What the request asks for: the same key with another fingerprint is a reused key.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        let (word, quantity) = (self.kind.word(), self.kind.quantity().to_string());
        Fingerprint::of("movement", &[&self.stock.to_string(), word, &quantity, self.reason.as_str()])
    }
}

/// A recorded movement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Movement {
    /// Its id.
    pub id: MovementId,
    /// The SKU and channel.
    pub stock: StockId,
    /// What happened.
    pub kind: MovementKind,
    /// By how much the unsold units changed. Over all movements of a SKU these sum to what its buckets contain, less the open
    /// shortfall.
    pub delta: i64,
    /// Units that this count found missing although somebody holds or has bought them.
    pub shortfall: u64,
    /// Where the units went to or came from, if they changed channels.
    pub other: Option<Channel>,
    /// Why.
    pub reason: Reason,
    /// Who.
    pub actor: String,
    /// When.
    pub at: Timestamp,
    /// What the request asked for.
    pub fingerprint: Fingerprint,
}

impl Movement {
    /// The record of `request`, which changed the unsold units by `delta` and left `shortfall` of them missing.
    #[must_use]
    pub fn new(request: &MovementRequest, delta: i64, shortfall: u64, at: Timestamp) -> Self {
        Self {
            id: request.id.clone(),
            stock: request.stock.clone(),
            kind: request.kind,
            delta,
            shortfall,
            other: None,
            reason: request.reason.clone(),
            actor: request.actor.clone(),
            at,
            fingerprint: request.fingerprint(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_movement_reads_back_from_its_word_and_number() {
        for (word, quantity) in [
            ("receive", 1),
            ("receive", 1_000_000),
            ("adjust", -5),
            ("adjust", 1_000_000),
            ("adjust", -1_000_000),
            ("count", 0),
            ("count", 1_000_000),
            ("return", 1),
            ("transfer", -1),
            ("transfer", 2_000_000),
            ("expect", -1),
            ("expect", 33_000_000),
        ] {
            let kind = MovementKind::from_parts(word, quantity).unwrap();
            assert_eq!((kind.word(), kind.quantity()), (word, quantity));
        }
        for (word, quantity) in [
            ("receive", 0),
            ("receive", -1),
            ("receive", 1_000_001),
            ("adjust", 0),
            ("adjust", 1_000_001),
            ("adjust", -1_000_001),
            ("count", -1),
            ("count", 1_000_001),
            ("return", 0),
            ("return", -1),
            ("transfer", 0),
            ("expect", 0),
            ("x", 1),
        ] {
            assert_eq!(MovementKind::from_parts(word, quantity), None, "{word} {quantity}");
        }
    }
}
