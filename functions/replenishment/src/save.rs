//! `PUT /v1/stock/{sku}/replenishment {lead_time_days, safety_stock, …}`: says when and from whom a SKU is ordered, and looks at it at once.

use domain::{ids::Sku, refusal::Refusal, replenishment::settings::Settings};
use http::{IfMatch, Problem, Request, Response};
use runtime::{App, problem};

use crate::{
    fields::{Body, settings},
    read::no_terms,
    view::ReplenishmentView,
};

#[derive(Debug)]
struct Save {
    sku: Sku,
    settings: Settings,
    if_match: Option<IfMatch>,
}

pub(crate) async fn save(app: &App, request: &Request) -> Result<Response, Problem> {
    let Save { sku, settings, if_match } = read(request)?;
    let if_match = match if_match {
        None => None,
        Some(IfMatch::Version(version)) => Some(version),
        Some(foreign) => {
            let stored = app.store.replenishment(&sku).await.map_err(|fault| problem(fault.into()))?;
            let version = stored.map_or(0, |stored| stored.version);
            if foreign == IfMatch::Foreign || version == 0 {
                return Err(Refusal::PreconditionFailed { version }.into());
            }
            Some(version)
        }
    };
    let saved = app.store.save_replenishment(&sku, &settings, if_match).await.map_err(problem)?;
    // They may have been removed since.
    let found = app.store.review_replenishment(&sku).await.map_err(problem)?.ok_or_else(no_terms)?;
    let view = ReplenishmentView::new(&sku, &found);
    let response = if saved.created { Response::created(&view) } else { Response::ok(&view) };
    Ok(response.version(found.terms.version))
}

fn read(request: &Request) -> Result<Save, Problem> {
    http::parse(request, |input| {
        let sku: Option<Sku> = input.path("sku");
        let if_match = input.if_match();
        let body: Body = input.body()?;
        let settings = settings(input, body);
        Some(Save { sku: sku?, settings: settings?, if_match })
    })
}

#[cfg(test)]
mod tests {
    use domain::{
        purchase::sizing::Rule,
        replenishment::settings::{OnAlert, SafetyStock, ServiceLevel},
    };
    use http::testing::Sample;

    use super::*;

    fn sample(body: &str) -> Request {
        Sample::new("PUT /v1/stock/{sku}/replenishment").path("sku", "tea").body(body).request()
    }

    #[test]
    fn the_lead_time_and_the_safety_stock_are_enough() {
        let save = read(&sample(r#"{"lead_time_days": 7, "safety_stock": {"percent": 20}}"#)).unwrap();
        assert_eq!(save.settings, Settings::new(7, SafetyStock::Percent(20)));
    }

    #[test]
    fn everything_can_be_said() {
        let body = r#"{"lead_time_days": 7, "lead_time_deviation_days": 1.25, "window_days": 90,
            "safety_stock": {"service_level": 0.95}, "on_alert": "send", "supplier": "Leaf & Co",
            "unit_cost_minor": 450, "currency": "EUR", "pack_size": 24, "minimum_order": 48, "backorder": true,
            "economic_order": {"order_cost_minor": 2500, "holding_cost_minor": 90}}"#;
        let settings = read(&sample(body)).unwrap().settings;
        assert_eq!((settings.lead_time_deviation_hundredths, settings.window_days), (125, 90));
        assert!(settings.backorder);
        let level = ServiceLevel::from_ten_thousandths(9_500).unwrap();
        assert_eq!((settings.safety_stock, settings.on_alert), (SafetyStock::ServiceLevel(level), OnAlert::Send));
        assert_eq!(settings.unit_cost.unwrap().minor, 450);
        assert_eq!((settings.supplies.pack.units(), settings.supplies.minimum.units()), (24, 48));
        assert_eq!(settings.order, Rule::Economic { order_cost_minor: 2_500, holding_cost_minor: 90 });
    }

    #[test]
    fn every_fault_is_named() {
        let good = r#""lead_time_days": 7, "safety_stock": {"units": 5}"#;
        for (body, fields) in [
            ("{}".to_owned(), &["lead_time_days", "safety_stock"][..]),
            (r#"{"lead_time_days": 0, "safety_stock": {}}"#.to_owned(), &["lead_time_days", "safety_stock"]),
            (
                r#"{"lead_time_days": 366, "safety_stock": {"units": 1, "percent": 1}}"#.to_owned(),
                &["lead_time_days", "safety_stock"],
            ),
            (r#"{"lead_time_days": 7, "safety_stock": {"percent": 1001}}"#.to_owned(), &["safety_stock.percent"]),
            (
                r#"{"lead_time_days": 7, "safety_stock": {"service_level": 95}}"#.to_owned(),
                &["safety_stock.service_level"],
            ),
            (format!(r#"{{{good}, "on_alert": "send"}}"#), &["supplier"]),
            (format!(r#"{{{good}, "on_alert": "order"}}"#), &["on_alert"]),
            (format!(r#"{{{good}, "unit_cost_minor": 5}}"#), &["currency"]),
            (format!(r#"{{{good}, "currency": "EUR"}}"#), &["unit_cost_minor"]),
            (format!(r#"{{{good}, "backorder": "yes"}}"#), &["backorder"]),
            (format!(r#"{{{good}, "pack_size": 0, "minimum_order": 0}}"#), &["pack_size", "minimum_order"]),
            (
                format!(
                    r#"{{{good}, "cover_days": 1, "economic_order": {{"order_cost_minor": 0, "holding_cost_minor": 1}}}}"#
                ),
                &["economic_order.order_cost_minor", "cover_days"],
            ),
            (format!(r#"{{{good}, "lead_time_deviation_days": 0.001}}"#), &["lead_time_deviation_days"]),
        ] {
            let problem = read(&sample(&body)).unwrap_err();
            let named: Vec<&str> = problem.errors().iter().map(|error| error.field.as_str()).collect();
            assert_eq!(named, fields, "{body}");
        }
    }
}
