//! Terms, their numbers and alerts as the API shows them.

use domain::{
    ids::Sku,
    purchase::sizing::Rule,
    quantity::Quantity,
    replenishment::{
        demand::Demand,
        reorder::{ReorderPoint, quantile},
        review::{Alert, Sight, quantity},
        settings::{SafetyStock, Settings},
    },
};
use http::{Date, view::rfc3339};
use serde::Serialize;
use store::Reviewed;

/// When a SKU is ordered, and how the numbers came about.
#[derive(Debug, Serialize)]
pub(crate) struct ReplenishmentView<'a> {
    sku: &'a str,
    #[serde(flatten)]
    terms: TermsView<'a>,
    version: u64,
    reorder_point: PointView,
    #[serde(skip_serializing_if = "Option::is_none")]
    demand: Option<DemandView>,
    stock: SightView,
    /// What would be ordered now; absent above the reorder point.
    #[serde(skip_serializing_if = "Option::is_none")]
    order_quantity: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    alert: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    out_of_stock_since: Option<String>,
    as_of: String,
}

#[derive(Debug, Serialize)]
struct TermsView<'a> {
    lead_time_days: u64,
    lead_time_deviation_days: f64,
    window_days: u64,
    safety_stock: SafetyView,
    on_alert: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    supplier: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unit_cost_minor: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    currency: Option<&'a str>,
    pack_size: u64,
    minimum_order: u64,
    backorder: bool,
    #[serde(flatten)]
    order: OrderView,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
enum SafetyView {
    Units(u64),
    Percent(u64),
    ServiceLevel(f64),
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
enum OrderView {
    CoverDays(u64),
    EconomicOrder { order_cost_minor: u64, holding_cost_minor: u64 },
}

/// Reorder point = what sells during the lead time + safety stock, rounded up.
#[derive(Debug, Serialize)]
struct PointView {
    units: u64,
    lead_time_demand: f64,
    safety_stock: f64,
    how: String,
}

#[derive(Debug, Serialize)]
struct DemandView {
    average_per_day: f64,
    deviation_per_day: f64,
    units_sold: u64,
    from: String,
    until: String,
    days: u64,
    days_in_stock: f64,
}

#[derive(Debug, Serialize)]
struct SightView {
    available: u64,
    reserved: u64,
    shortfall: u64,
    on_order: u64,
    /// Of those, units that somebody was promised.
    backordered: u64,
    position: i64,
}

impl<'a> ReplenishmentView<'a> {
    pub(crate) fn new(sku: &'a Sku, found: &'a Reviewed) -> Self {
        let Reviewed { terms, learned, sight, reorder, .. } = found;
        let demand = learned.demand.as_ref();
        let ordered = quantity(&terms.settings, demand, reorder, sight.position());
        Self {
            sku: sku.as_str(),
            terms: TermsView::new(&terms.settings),
            version: terms.version,
            reorder_point: PointView::new(&terms.settings, demand, reorder),
            demand: demand.map(DemandView::new),
            stock: SightView::new(sight),
            order_quantity: ordered.map(Quantity::units),
            alert: learned.open.as_ref().map(|open| open.id.as_str()),
            out_of_stock_since: learned.out_since.map(rfc3339),
            as_of: rfc3339(sight.as_of),
        }
    }
}

impl<'a> TermsView<'a> {
    fn new(settings: &'a Settings) -> Self {
        let cost = settings.unit_cost.as_ref();
        Self {
            lead_time_days: settings.lead_time_days,
            lead_time_deviation_days: part(settings.lead_time_deviation_hundredths, 100),
            window_days: settings.window_days,
            safety_stock: match settings.safety_stock {
                SafetyStock::Units(units) => SafetyView::Units(units),
                SafetyStock::Percent(percent) => SafetyView::Percent(percent),
                SafetyStock::ServiceLevel(level) => SafetyView::ServiceLevel(part(level.ten_thousandths(), 10_000)),
            },
            on_alert: settings.on_alert.word(),
            supplier: settings.supplier.as_ref().map(domain::ids::Supplier::as_str),
            unit_cost_minor: cost.map(|cost| cost.minor),
            currency: cost.map(|cost| cost.currency.as_str()),
            pack_size: settings.supplies.pack.units(),
            minimum_order: settings.supplies.minimum.units(),
            backorder: settings.backorder,
            order: match settings.order {
                Rule::CoverDays(days) => OrderView::CoverDays(days),
                Rule::Economic { order_cost_minor, holding_cost_minor } => {
                    OrderView::EconomicOrder { order_cost_minor, holding_cost_minor }
                }
            },
        }
    }
}

impl PointView {
    fn new(settings: &Settings, demand: Option<&Demand>, reorder: &ReorderPoint) -> Self {
        Self {
            units: reorder.units,
            lead_time_demand: rounded(reorder.lead_time_demand),
            safety_stock: rounded(reorder.safety_stock),
            how: how(settings, demand),
        }
    }
}

/// The sum in words that a person can check.
fn how(settings: &Settings, demand: Option<&Demand>) -> String {
    let days = settings.lead_time_days;
    let Some(demand) = demand else {
        return "no complete day in stock is known yet: only units of safety stock count".to_owned();
    };
    let per_day = rounded(demand.per_day());
    let safety_stock = match settings.safety_stock {
        SafetyStock::Units(units) => format!("{units} units"),
        SafetyStock::Percent(percent) => format!("{percent} % of that"),
        SafetyStock::ServiceLevel(level) => {
            let (z, deviation) = (rounded(quantile(level)), rounded(demand.deviation()));
            let late = part(settings.lead_time_deviation_hundredths, 100);
            format!("{z} x sqrt({days} x {deviation}^2 + {per_day}^2 x {late}^2)")
        }
    };
    format!("{per_day} a day x {days} days + {safety_stock}, rounded up")
}

impl DemandView {
    fn new(demand: &Demand) -> Self {
        Self {
            average_per_day: rounded(demand.per_day()),
            deviation_per_day: rounded(demand.deviation()),
            units_sold: demand.units,
            from: Date(demand.from).to_string(),
            until: Date(demand.until.minus_days(1)).to_string(),
            days: demand.days(),
            days_in_stock: rounded(demand.days_in_stock()),
        }
    }
}

impl SightView {
    fn new(sight: &Sight) -> Self {
        Self {
            available: sight.available,
            reserved: sight.reserved,
            shortfall: sight.shortfall,
            on_order: sight.on_order,
            backordered: sight.promised,
            position: sight.position(),
        }
    }
}

/// One page of alerts.
#[derive(Debug, Serialize)]
pub(crate) struct AlertsView<'a> {
    pub(crate) items: Vec<AlertView<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next_cursor: Option<String>,
}

/// What is short, as it was when the alert opened.
#[derive(Debug, Serialize)]
pub(crate) struct AlertView<'a> {
    id: &'a str,
    sku: &'a str,
    status: &'static str,
    reorder_point: u64,
    stock: SightView,
    #[serde(skip_serializing_if = "Option::is_none")]
    order_quantity: Option<u64>,
    on_alert: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    supplier: Option<&'a str>,
    opened_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    told_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    closed_at: Option<String>,
}

impl<'a> AlertView<'a> {
    pub(crate) fn new(alert: &'a Alert) -> Self {
        Self {
            id: alert.id.as_str(),
            sku: alert.sku.as_str(),
            status: if alert.closed_at.is_some() { "closed" } else { "open" },
            reorder_point: alert.reorder_point,
            stock: SightView::new(&alert.sight),
            order_quantity: alert.quantity.map(Quantity::units),
            on_alert: alert.on_alert.word(),
            supplier: alert.supplier.as_ref().map(domain::ids::Supplier::as_str),
            opened_at: rfc3339(alert.sight.as_of),
            told_at: alert.told_at.map(rfc3339),
            closed_at: alert.closed_at.map(rfc3339),
        }
    }
}

/// A thousandth of a unit is exact enough for a person.
fn rounded(number: f64) -> f64 {
    (number * 1_000.0).round() / 1_000.0
}

#[expect(clippy::cast_precision_loss, reason = "settings are far below 2^53")]
fn part(number: u64, of: u64) -> f64 {
    number as f64 / of as f64
}
