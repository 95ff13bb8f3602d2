//! The body of the terms on which a SKU is reordered.

use domain::{
    ids::Currency,
    limits::{
        DEFAULT_COVER_DAYS, DEFAULT_WINDOW_DAYS, MAX_LEAD_TIME_DAYS, MAX_QUANTITY, MAX_SAFETY_PERCENT,
        MAX_UNIT_COST_MINOR, MAX_WINDOW_DAYS,
    },
    purchase::sizing::{Rule, Terms},
    quantity::Quantity,
    replenishment::settings::{OnAlert, SafetyStock, ServiceLevel, Settings, UnitCost, any_number},
};
use http::{
    Input,
    input::within,
    json::{Decimal, Field, Flag, Nested, Text, Whole},
};
use serde::Deserialize;

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Body {
    lead_time_days: Whole,
    lead_time_deviation_days: Decimal,
    window_days: Whole,
    safety_stock: Nested<SafetyBody>,
    on_alert: Text,
    supplier: Text,
    unit_cost_minor: Whole,
    currency: Text,
    pack_size: Whole,
    minimum_order: Whole,
    cover_days: Whole,
    economic_order: Nested<EconomicBody>,
    backorder: Flag,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct SafetyBody {
    units: Whole,
    percent: Whole,
    service_level: Decimal,
}

#[derive(Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct EconomicBody {
    order_cost_minor: Whole,
    holding_cost_minor: Whole,
}

/// The terms in a body.
pub(crate) fn settings(input: &mut Input<'_>, body: Body) -> Option<Settings> {
    let lead_time = input.required_whole("lead_time_days", body.lead_time_days, within(1..=MAX_LEAD_TIME_DAYS));
    let deviation = match body.lead_time_deviation_days {
        Field::Absent => Some(0),
        given => input.required_decimal("lead_time_deviation_days", given, 2, 0..=100 * MAX_LEAD_TIME_DAYS),
    };
    let window = input.optional_whole("window_days", body.window_days, within(1..=MAX_WINDOW_DAYS));
    let safety_stock = safety_stock(input, body.safety_stock);
    let on_alert: Option<OnAlert> = input.optional("on_alert", body.on_alert);
    let supplier = input.optional("supplier", body.supplier);
    if supplier.is_none() && matches!(on_alert, Some(OnAlert::Draft | OnAlert::Send)) {
        input.refuse("supplier", "is required where an alert orders");
    }
    let unit_cost = unit_cost(input, body.unit_cost_minor, body.currency);
    let of_supplier = Terms {
        pack: units(input, "pack_size", body.pack_size).unwrap_or(any_number().pack),
        minimum: units(input, "minimum_order", body.minimum_order).unwrap_or(any_number().minimum),
    };
    let order = order(input, body.cover_days, body.economic_order);
    let backorder = match body.backorder {
        Field::Absent => Some(false),
        given => input.given("backorder", given),
    };
    Some(Settings {
        window_days: window.unwrap_or(DEFAULT_WINDOW_DAYS),
        lead_time_deviation_hundredths: deviation?,
        on_alert: on_alert.unwrap_or_default(),
        supplier,
        unit_cost,
        order: order?,
        supplies: of_supplier,
        backorder: backorder?,
        ..Settings::new(lead_time?, safety_stock?)
    })
}

/// Exactly one of the three.
fn safety_stock(input: &mut Input<'_>, body: Nested<SafetyBody>) -> Option<SafetyStock> {
    let SafetyBody { units, percent, service_level } = *input.given("safety_stock", body)?;
    match (units, percent, service_level) {
        (units, Field::Absent, Field::Absent) if units != Field::Absent => {
            let units = input.required_whole("safety_stock.units", units, within(0..=MAX_QUANTITY));
            units.map(SafetyStock::Units)
        }
        (Field::Absent, percent, Field::Absent) if percent != Field::Absent => {
            let percent = input.required_whole("safety_stock.percent", percent, within(0..=MAX_SAFETY_PERCENT));
            percent.map(SafetyStock::Percent)
        }
        (Field::Absent, Field::Absent, level) if level != Field::Absent => {
            let level = input.required_decimal("safety_stock.service_level", level, 4, 5_000..=9_999)?;
            ServiceLevel::from_ten_thousandths(level).ok().map(SafetyStock::ServiceLevel)
        }
        _ => {
            input.refuse("safety_stock", "must have exactly one of units, percent and service_level");
            None
        }
    }
}

fn unit_cost(input: &mut Input<'_>, minor: Whole, currency: Text) -> Option<UnitCost> {
    if (&minor, &currency) == (&Field::Absent, &Field::Absent) {
        return None;
    }
    let minor = input.required_whole("unit_cost_minor", minor, within(0..=MAX_UNIT_COST_MINOR));
    let currency: Option<Currency> = input.required("currency", currency);
    Some(UnitCost { minor: minor?, currency: currency? })
}

fn units(input: &mut Input<'_>, field: &str, number: Whole) -> Option<Quantity> {
    let units = input.optional_whole(field, number, within(1..=MAX_QUANTITY))?;
    Quantity::new(units).ok()
}

/// So many days of sales, or what costs the least.
fn order(input: &mut Input<'_>, cover_days: Whole, economic: Nested<EconomicBody>) -> Option<Rule> {
    let both = cover_days != Field::Absent && economic != Field::Absent;
    let rule = if economic == Field::Absent {
        let days = input.optional_whole("cover_days", cover_days, within(0..=MAX_LEAD_TIME_DAYS));
        Some(Rule::CoverDays(days.unwrap_or(DEFAULT_COVER_DAYS)))
    } else {
        let EconomicBody { order_cost_minor, holding_cost_minor } = *input.given("economic_order", economic)?;
        let cost = || within(1..=MAX_UNIT_COST_MINOR);
        let order = input.required_whole("economic_order.order_cost_minor", order_cost_minor, cost());
        let holding = input.required_whole("economic_order.holding_cost_minor", holding_cost_minor, cost());
        order
            .zip(holding)
            .map(|(order_cost_minor, holding_cost_minor)| Rule::Economic { order_cost_minor, holding_cost_minor })
    };
    if both {
        input.refuse("cover_days", "must not be given beside economic_order");
    }
    rule
}
