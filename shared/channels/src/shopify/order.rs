//! Orders of Shopify: as GraphQL tells them, and as a webhook does.
//!
//! Shopify tells of a line how many units were ordered and how many of these are still wanted. Between the two lie those that were
//! canceled and those that came back after they had been shipped; only the first are on the shelf. So what was shipped is counted:
//! units canceled are those no longer wanted, but at most those that were never shipped. Where that cannot be told from an answer
//! ([`Seen::needs_shipments`]), the order has to be read again with its shipments.

use std::collections::BTreeMap;

use domain::{sale::Stage, time::Timestamp};
use serde::Deserialize;

use crate::reading::{self, Line, Told};

/// What is known of an order's shipments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shipments {
    /// There is none.
    None,
    /// There are some, of which is not told what they hold.
    Some,
    /// Units shipped, by line.
    Units(BTreeMap<String, u64>),
    /// There are more than can be read.
    TooMany,
}

/// A line, as Shopify tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenLine {
    /// The number in its id.
    pub id: String,
    /// Its SKU.
    pub sku: Option<String>,
    /// Units ordered, whatever became of them.
    pub quantity: u64,
    /// Of these, those that are still wanted, shipped or not.
    pub current: u64,
    /// Of these, those that have still to be shipped.
    pub unfulfilled: u64,
}

/// An order, as Shopify tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The number in its id.
    pub id: String,
    /// When it last changed.
    pub changed_at: Timestamp,
    /// All of it that was not shipped is canceled.
    pub canceled: bool,
    /// Its payment, as in `OrderDisplayFinancialStatus`.
    pub financial: Option<String>,
    /// Its shipments.
    pub shipments: Shipments,
    /// Its lines.
    pub lines: Vec<SeenLine>,
}

impl Seen {
    /// Whether it has to be read again, with its shipments.
    #[must_use]
    pub fn needs_shipments(&self) -> bool {
        let some_are_gone = self.canceled || self.lines.iter().any(|line| line.current < line.quantity);
        self.shipments == Shipments::Some && some_are_gone
    }

    /// The order in the words of the domain.
    #[must_use]
    pub fn told(&self) -> Told {
        let mut told =
            Told::new(&self.id, self.changed_at, self.lines.iter().map(|line| self.line(line).checked()).collect());
        if self.shipments == Shipments::TooMany {
            told.unreadable
                .push(format!("order {}: it has more shipments than are read; no unit of it is given back", self.id));
        }
        told
    }

    fn line<'a>(&self, line: &'a SeenLine) -> Line<'a> {
        let quantity = line.quantity;
        let never_shipped = match &self.shipments {
            Shipments::None => quantity,
            Shipments::Some => line.unfulfilled.min(quantity),
            Shipments::Units(units) => quantity.saturating_sub(units.get(&line.id).copied().unwrap_or(0)),
            Shipments::TooMany => 0,
        };
        let gone = if self.canceled { quantity } else { quantity.saturating_sub(line.current) };
        let canceled = gone.min(never_shipped);
        // A line is shipped only as a whole: of a shipped one nothing comes back by itself, but what was canceled before should.
        let stage = match never_shipped {
            0 => Stage::Shipped,
            _ if never_shipped < quantity || self.is_paid() => Stage::Paid,
            _ => Stage::Pending,
        };
        Line { id: line.id.clone(), sku: line.sku.as_deref(), quantity, canceled, stage }
    }

    /// Whether the payment is settled, or authorized: then the units are the shopper's. A status that is not known is believed to be
    /// one of these, for a pending order gives its units back after a while.
    fn is_paid(&self) -> bool {
        let status = self.financial.as_deref().unwrap_or_default();
        !["", "PENDING", "EXPIRED", "VOIDED"].iter().any(|unpaid| status.eq_ignore_ascii_case(unpaid))
    }
}

/// The number in an id such as `gid://shopify/Order/17`, or the number itself.
#[must_use]
pub fn number(id: &str) -> Option<&str> {
    let number = id.rsplit('/').next()?;
    let is_number = (1..=20).contains(&number.len()) && number.bytes().all(|b| b.is_ascii_digit());
    (is_number && (number.len() == id.len() || id.starts_with("gid://shopify/"))).then_some(number)
}

#[derive(Deserialize)]
pub(super) struct Connection<T> {
    pub nodes: Vec<T>,
    #[serde(rename = "pageInfo")]
    pub page: Page,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Page {
    pub end_cursor: Option<String>,
    pub has_next_page: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OrderNode {
    pub id: String,
    updated_at: String,
    cancelled_at: Option<String>,
    display_financial_status: Option<String>,
    fulfillments_count: Option<Count>,
    pub line_items: Connection<LineNode>,
    fulfillments: Option<Vec<Fulfillment>>,
}

#[derive(Deserialize)]
struct Count {
    count: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct LineNode {
    id: String,
    sku: Option<String>,
    quantity: i64,
    current_quantity: i64,
    unfulfilled_quantity: i64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Fulfillment {
    status: String,
    fulfillment_line_items: Fulfilled,
}

#[derive(Deserialize)]
struct Fulfilled {
    nodes: Vec<FulfilledLine>,
    #[serde(rename = "pageInfo")]
    page: More,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct More {
    has_next_page: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FulfilledLine {
    line_item: IdNode,
    quantity: Option<i64>,
}

#[derive(Deserialize)]
struct IdNode {
    id: String,
}

/// Nothing is below none.
fn units(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

impl OrderNode {
    /// What it tells.
    ///
    /// # Errors
    /// In words, when it is not what the schema says.
    pub(super) fn seen(self) -> Result<Seen, String> {
        let Some(id) = number(&self.id).map(str::to_owned) else {
            return Err("an order whose id holds no number".to_owned());
        };
        let Some(changed_at) = reading::instant(&self.updated_at) else {
            return Err(format!("order {id}: its time is none"));
        };
        let count = self.fulfillments_count.map_or(0, |count| count.count);
        let shipments = shipments(count, self.fulfillments);
        let lines = self.line_items.nodes.into_iter().map(LineNode::seen).collect::<Option<_>>();
        let Some(lines) = lines else { return Err(format!("order {id}: a line whose id holds no number")) };
        let canceled = self.cancelled_at.is_some();
        Ok(Seen { id, changed_at, canceled, financial: self.display_financial_status, shipments, lines })
    }
}

fn shipments(count: u64, told: Option<Vec<Fulfillment>>) -> Shipments {
    let Some(told) = told else { return if count == 0 { Shipments::None } else { Shipments::Some } };
    let all = told.len() as u64 >= count && !told.iter().any(|one| one.fulfillment_line_items.page.has_next_page);
    if !all {
        return Shipments::TooMany;
    }
    let mut shipped = BTreeMap::<String, u64>::new();
    for one in told.into_iter().filter(|one| !["CANCELLED", "ERROR", "FAILURE"].contains(&one.status.as_str())) {
        for line in one.fulfillment_line_items.nodes {
            let id = number(&line.line_item.id).unwrap_or_default().to_owned();
            *shipped.entry(id).or_default() += units(line.quantity.unwrap_or(0));
        }
    }
    Shipments::Units(shipped)
}

impl LineNode {
    pub(super) fn seen(self) -> Option<SeenLine> {
        Some(SeenLine {
            id: number(&self.id)?.to_owned(),
            sku: self.sku,
            quantity: units(self.quantity),
            current: units(self.current_quantity),
            unfulfilled: units(self.unfulfilled_quantity),
        })
    }
}

#[derive(Deserialize)]
struct Body {
    id: u64,
    updated_at: String,
    cancelled_at: Option<String>,
    financial_status: Option<String>,
    #[serde(default)]
    fulfillments: Vec<serde::de::IgnoredAny>,
    #[serde(default)]
    refunds: Vec<Refund>,
    line_items: Vec<BodyLine>,
}

#[derive(Deserialize)]
struct BodyLine {
    id: u64,
    sku: Option<String>,
    quantity: u64,
    current_quantity: Option<u64>,
    fulfillable_quantity: Option<u64>,
}

#[derive(Deserialize)]
struct Refund {
    #[serde(default)]
    refund_line_items: Vec<RefundLine>,
}

#[derive(Deserialize)]
struct RefundLine {
    line_item_id: u64,
    quantity: u64,
}

/// Reads the body of a webhook about an order. Source: shopify.dev, "Order" of the REST Admin API, whose fields a webhook has.
///
/// # Errors
/// In words, when it is none.
pub fn parse_webhook(body: &[u8]) -> Result<Seen, String> {
    let body: Body = reading::json(body)?;
    let Some(changed_at) = reading::instant(&body.updated_at) else {
        return Err(format!("order {}: its time is none", body.id));
    };
    let refunded = |id: u64| -> u64 {
        let lines = body.refunds.iter().flat_map(|refund| &refund.refund_line_items);
        lines.filter(|line| line.line_item_id == id).map(|line| line.quantity).fold(0, u64::saturating_add)
    };
    let lines = body.line_items.iter().map(|line| SeenLine {
        id: line.id.to_string(),
        sku: line.sku.clone(),
        quantity: line.quantity,
        // Older versions of the API have no such field.
        current: line.current_quantity.unwrap_or_else(|| line.quantity.saturating_sub(refunded(line.id))),
        unfulfilled: line.fulfillable_quantity.unwrap_or(line.quantity),
    });
    Ok(Seen {
        id: body.id.to_string(),
        changed_at,
        canceled: body.cancelled_at.is_some(),
        financial: body.financial_status.clone(),
        shipments: if body.fulfillments.is_empty() { Shipments::None } else { Shipments::Some },
        lines: lines.collect(),
    })
}

#[cfg(test)]
mod tests;
