//! What Holdfast asks of an ERP, and what it is told.

use std::{fmt, str::FromStr};

use async_trait::async_trait;
use jiff::civil::Date;
use vendor::CallError;

use crate::order::{NewOrder, OrderKey};

/// The ERP's own id of an order: 1 to 20 digits at every vendor, so that it is one segment of a path whatever an answer said.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ErpOrderId(String);

/// Not an id of an ERP's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to 20 digits")]
pub struct ErpOrderIdError;

impl ErpOrderId {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What the ids of one ERP are ordered by: each gives a later order a larger number.
    #[must_use]
    pub(crate) fn age(&self) -> (usize, &str) {
        let digits = self.0.trim_start_matches('0');
        (digits.len(), digits)
    }
}

impl FromStr for ErpOrderId {
    type Err = ErpOrderIdError;

    fn from_str(text: &str) -> Result<Self, ErpOrderIdError> {
        let fits = (1..=20).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        if fits { Ok(Self(text.to_owned())) } else { Err(ErpOrderIdError) }
    }
}

impl fmt::Display for ErpOrderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An order that is there, whoever has created it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Created {
    /// The ERP's id.
    pub id: ErpOrderId,
    /// What people at the ERP call it.
    pub number: String,
    /// It was there already: an earlier call has created it, and its answer was lost; or another call at the same time.
    pub was_there: bool,
    /// What a person should look at, in words: a second order under the same key, say. Nothing is wrong with the first.
    pub concerns: Vec<String>,
}

/// How an order is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which<'a> {
    /// By the ERP's id, and our key: the order that was created, and no other. One of this id that is not under our key is refused: it is in
    /// another company's books, or a person has given it another reference.
    Id(&'a ErpOrderId, &'a OrderKey),
    /// By our key: the oldest order under it that is not canceled. For whoever never saw the answer.
    Key(&'a OrderKey),
}

/// Where an order stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Units may still come.
    Open,
    /// Nothing more comes: all is received, or a person has closed it.
    Closed,
    /// It was canceled before anything came.
    Canceled,
}

/// One line of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderLine {
    /// The ERP's id of the item.
    pub item: String,
    /// Units ordered.
    pub quantity: u64,
    /// Units received so far; nothing where the ERP does not say.
    pub received: Option<u64>,
}

/// An order as the ERP shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderState {
    /// The ERP's id.
    pub id: ErpOrderId,
    /// What people at the ERP call it.
    pub number: String,
    /// Where it stands.
    pub status: Status,
    /// When it is expected.
    pub expected_on: Option<Date>,
    /// Its lines, in the ERP's order. An item may be on several.
    pub lines: Vec<OrderLine>,
    /// As in [`Created::concerns`].
    pub concerns: Vec<String>,
}

impl OrderState {
    /// Whether any line is of this item.
    #[must_use]
    pub fn has(&self, item: &str) -> bool {
        self.lines.iter().any(|line| line.item == item)
    }

    /// Units of an item that were received on all its lines; nothing if the ERP does not say, or has no such line.
    #[must_use]
    pub fn received(&self, item: &str) -> Option<u64> {
        let mut lines = self.lines.iter().filter(|line| line.item == item).peekable();
        lines.peek()?;
        lines.try_fold(0_u64, |sum, line| Some(sum.saturating_add(line.received?)))
    }
}

/// One vendor.
///
/// A [`CallError::Refused`] is the ERP's own words. After [`CallError::Unavailable`] it is not known whether the order was created: the
/// same call again finds it or creates it. [`CallError::Unauthorized`] deserves another try a little later before a person is called:
/// two processes may just have refreshed a token at once.
#[async_trait]
pub trait Erp: Send + Sync {
    /// Creates an order, or finds the one that is there under its key. Again and again, by anyone: it is there once.
    async fn create(&self, order: &NewOrder) -> Result<Created, CallError>;

    /// Reads an order; nothing if there is none (any more: in some ERPs, to delete is the only way to cancel).
    async fn read(&self, which: Which<'_>) -> Result<Option<OrderState>, CallError>;

    /// Sees to it that nothing more comes of the order of this id and key. One that is over or gone is none that could fail; one that is not
    /// under our key is left alone, and refused.
    async fn cancel(&self, id: &ErpOrderId, key: &OrderKey) -> Result<(), CallError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> ErpOrderId {
        text.parse().unwrap()
    }

    #[test]
    fn an_id_is_digits_and_a_larger_number_is_younger() {
        for wrong in ["", "1/2", "..", "-1", "1 ", "\u{663}", &"1".repeat(21)] {
            assert_eq!(wrong.parse::<ErpOrderId>(), Err(ErpOrderIdError), "{wrong}");
        }
        assert!(id("9").age() < id("10").age());
        assert!(id("010").age() < id("11").age());
    }

    #[test]
    fn what_was_received_of_an_item_is_the_sum_of_its_lines() {
        let line = |item: &str, received| OrderLine { item: item.into(), quantity: 5, received };
        let lines = vec![line("a", Some(2)), line("b", None), line("a", Some(3))];
        let (number, status) = (String::new(), Status::Open);
        let state = OrderState { id: id("1"), number, status, expected_on: None, lines, concerns: Vec::new() };
        assert_eq!((state.received("a"), state.received("b"), state.received("c")), (Some(5), None, None));
        assert!(state.has("b") && !state.has("c"));
    }
}
