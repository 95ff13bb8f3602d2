//! A purchase order as the API shows it.

use domain::{
    ids::{Currency, Reference},
    purchase::{Incoming, PurchaseLine, PurchaseOrder},
};
use http::{Date, view::rfc3339};
use serde::Serialize;

/// A purchase order.
#[derive(Debug, Serialize)]
pub(crate) struct PurchaseOrderView<'a> {
    id: &'a str,
    status: &'static str,
    supplier: &'a str,
    channel: &'a str,
    lines: Vec<LineView<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    currency: Option<&'a str>,
    /// Of all lines, where the cost of each is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    total_minor: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expected_on: Option<String>,
    created_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    sent_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    closed_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    alert_id: Option<&'a str>,
    actor: &'a str,
}

#[derive(Debug, Serialize)]
struct LineView<'a> {
    sku: &'a str,
    quantity: u64,
    received: u64,
    on_order: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    unit_cost_minor: Option<u64>,
}

impl<'a> PurchaseOrderView<'a> {
    pub(crate) fn new(order: &'a PurchaseOrder) -> Self {
        let lines = order.lines.as_slice();
        // Exact: the limits of quantity, cost and lines keep it below 2^53.
        let cost = |line: &PurchaseLine| line.unit_cost_minor.map(|cost| cost * line.quantity.units());
        Self {
            id: order.id.as_str(),
            status: order.status.word(),
            supplier: order.supplier.as_str(),
            channel: order.channel.as_str(),
            lines: lines.iter().map(|line| LineView::new(order, line)).collect(),
            currency: order.currency.as_ref().map(Currency::as_str),
            total_minor: lines.iter().map(cost).sum(),
            expected_on: order.expected_on.map(|day| Date(day).to_string()),
            created_at: rfc3339(order.created_at),
            sent_at: order.sent_at.map(rfc3339),
            closed_at: order.closed_at.map(rfc3339),
            alert_id: order.alert.as_ref().map(Reference::as_str),
            actor: &order.actor,
        }
    }
}

impl<'a> LineView<'a> {
    fn new(order: &PurchaseOrder, line: &'a PurchaseLine) -> Self {
        Self {
            sku: line.sku.as_str(),
            quantity: line.quantity.units(),
            received: line.received,
            on_order: order.incoming(&line.sku).map_or(0, Incoming::units),
            unit_cost_minor: line.unit_cost_minor,
        }
    }
}
