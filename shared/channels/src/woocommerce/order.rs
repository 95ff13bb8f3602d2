//! Orders of `WooCommerce`. An order is the same in the API and in a webhook.
//!
//! It says that something of it was refunded, but not of which line: that is another call. A refund from before the order was completed is
//! a cancellation, one from after that is a return. An order is completed as a whole; a shop that ships in parts says so by a plugin, in
//! words of its own.

use domain::{sale::Stage, time::Timestamp};
use serde::Deserialize;
use serde_json::{Number, Value};

use crate::reading::{self, Line, Told};

/// What is known of an order's refunds.
#[derive(Debug)]
pub enum Refunded {
    /// There is none.
    Nothing,
    /// There is some, of which is not told what was refunded.
    Something,
    /// They.
    Lines(Vec<Refund>),
}

/// A refund. Source: REST API documentation, "Order refund properties".
#[derive(Debug, Deserialize)]
pub struct Refund {
    date_created_gmt: Option<String>,
    #[serde(default)]
    line_items: Vec<RefundLine>,
}

#[derive(Debug, Deserialize)]
struct RefundLine {
    /// Below 0.
    quantity: Number,
    #[serde(default)]
    meta_data: Vec<Meta>,
}

#[derive(Debug, Deserialize)]
struct Meta {
    #[serde(default)]
    key: String,
    #[serde(default)]
    value: Value,
}

impl RefundLine {
    /// The line of the order that it is about.
    fn line(&self) -> Option<u64> {
        let value = &self.meta_data.iter().find(|meta| meta.key == "_refunded_item_id")?.value;
        value.as_u64().or_else(|| value.as_str()?.parse().ok())
    }

    fn units(&self) -> u64 {
        self.quantity.as_i64().map_or(0, i64::unsigned_abs)
    }
}

/// A line, as the shop tells it.
#[derive(Debug)]
struct SeenLine {
    id: u64,
    sku: Option<String>,
    quantity: Number,
}

/// An order, as the shop tells it.
#[derive(Debug)]
pub struct Seen {
    /// Its id.
    pub id: u64,
    /// What is known of its refunds.
    pub refunded: Refunded,
    status: Status,
    changed_at: Timestamp,
    completed_at: Option<Timestamp>,
    lines: Vec<SeenLine>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Status {
    Draft,
    Pending,
    Paid,
    Completed,
    Canceled,
}

impl From<&str> for Status {
    fn from(text: &str) -> Self {
        match text {
            "checkout-draft" | "auto-draft" | "draft" => Self::Draft,
            "pending" | "on-hold" | "failed" => Self::Pending,
            "completed" => Self::Completed,
            "cancelled" | "refunded" | "trash" => Self::Canceled,
            // `processing`, and the merchant's own: whatever such an order waits for, its units are spoken for.
            _ => Self::Paid,
        }
    }
}

#[derive(Deserialize)]
struct Body {
    id: u64,
    status: String,
    date_created_gmt: Option<String>,
    date_modified_gmt: Option<String>,
    date_completed_gmt: Option<String>,
    #[serde(default)]
    line_items: Vec<BodyLine>,
    #[serde(default)]
    refunds: Vec<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
struct BodyLine {
    id: u64,
    sku: Option<String>,
    quantity: Number,
}

/// Reads an order.
///
/// # Errors
/// In words, when it is none.
pub fn parse_order(body: &[u8]) -> Result<Seen, String> {
    seen(reading::json(body)?)
}

/// Reads an order of a list.
///
/// # Errors
/// In words with its id, when it is none.
pub fn from_value(value: Value) -> Result<Seen, String> {
    let id = value.get("id").map(Value::to_string).unwrap_or_default();
    let body = serde_json::from_value(value).map_err(|_| format!("order {id}: it is not of the documented shape"))?;
    seen(body)
}

fn seen(body: Body) -> Result<Seen, String> {
    let changed_at = body.date_modified_gmt.as_deref().or(body.date_created_gmt.as_deref()).and_then(gmt);
    let Some(changed_at) = changed_at else { return Err(format!("order {}: its time is none", body.id)) };
    let status = Status::from(body.status.as_str());
    // An order that was imported may be completed without a time; whatever was refunded of it was after that.
    let completed_at = match (status, body.date_completed_gmt.as_deref().and_then(gmt)) {
        (Status::Completed, None) => Some(Timestamp::default()),
        (_, at) => at,
    };
    let lines =
        body.line_items.into_iter().map(|line| SeenLine { id: line.id, sku: line.sku, quantity: line.quantity });
    let refunded = if body.refunds.is_empty() { Refunded::Nothing } else { Refunded::Something };
    Ok(Seen { id: body.id, refunded, status, changed_at, completed_at, lines: lines.collect() })
}

/// A time as the shop writes it, `2017-03-22T16:28:02`: UTC, without saying so.
fn gmt(text: &str) -> Option<Timestamp> {
    reading::instant(text).or_else(|| reading::instant(&format!("{text}Z")))
}

impl Seen {
    /// Whether it has to be asked for its refunds.
    #[must_use]
    pub fn needs_refunds(&self) -> bool {
        let is_over = self.status == Status::Canceled && self.completed_at.is_none();
        matches!(self.refunded, Refunded::Something) && self.status != Status::Draft && !is_over
    }

    /// The order in the words of the domain: nothing while it is a draft.
    #[must_use]
    pub fn told(&self) -> Told {
        if self.status == Status::Draft {
            return Told::default();
        }
        let lines = self.lines.iter().map(|line| self.line(line)).collect();
        Told::new(&self.id.to_string(), self.changed_at, lines)
    }

    fn line(&self, line: &SeenLine) -> Result<domain::sale::SaleLine, String> {
        let Some(quantity) = line.quantity.as_u64() else {
            return Err(format!("line {}: the quantity {} is no whole number", line.id, line.quantity));
        };
        let canceled = match (self.status, self.completed_at) {
            (Status::Canceled, None) => quantity,
            _ => self.canceled(line.id).min(quantity),
        };
        let stage = match (self.status, self.completed_at) {
            // Of a shipped line nothing comes back by itself, but what was canceled before should.
            (Status::Completed | Status::Canceled, Some(_)) if canceled == 0 => Stage::Shipped,
            (Status::Pending, _) => Stage::Pending,
            _ => Stage::Paid,
        };
        Line { id: line.id.to_string(), sku: line.sku.as_deref(), quantity, canceled, stage }.checked()
    }

    /// Units of a line that were refunded before the order was completed.
    fn canceled(&self, line: u64) -> u64 {
        let Refunded::Lines(refunds) = &self.refunded else { return 0 };
        let is_before = |refund: &&Refund| match (self.completed_at, refund.date_created_gmt.as_deref().and_then(gmt)) {
            (None, _) => true,
            (Some(completed), Some(refunded)) => refunded < completed,
            (Some(_), None) => false,
        };
        let lines = refunds.iter().filter(is_before).flat_map(|refund| &refund.line_items);
        lines.filter(|one| one.line() == Some(line)).map(RefundLine::units).fold(0, u64::saturating_add)
    }
}

#[cfg(test)]
mod tests;
