//! `PUT /v1/stock/{sku}/sales {days: [{date, units, out_of_stock_seconds?}]}`: says what was sold on days that are over. A day that is said twice is as it was said
//! last, and saying the same again changes nothing; so a file can be sent again after it broke off. The SKU need not exist yet.

use std::collections::BTreeMap;

use domain::{
    ids::Sku,
    limits::{MAX_DAYS_OF_SALES, MAX_UNITS_A_DAY},
    replenishment::demand::Told,
    time::{DAY_SECONDS, Day},
};
use http::{
    Date, Input, Problem, Request, Response,
    input::within,
    json::{List, Text, Whole},
};
use runtime::{App, problem};
use serde::{Deserialize, Serialize};

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Body {
    days: List<DayBody>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct DayBody {
    date: Text,
    units: Whole,
    out_of_stock_seconds: Whole,
}

#[derive(Serialize)]
struct Imported<'a> {
    sku: &'a str,
    days: usize,
    changed: u64,
}

pub(crate) async fn import(app: &App, request: &Request) -> Result<Response, Problem> {
    let (sku, days) = read(request, Day::of(app.now()))?;
    let changed = app.store.import_sales(&sku, &days).await.map_err(problem)?;
    if changed > 0
        && let Err(failure) = app.store.review_replenishment(&sku).await
    {
        // The days are written: the next look at the SKU knows of them.
        tracing::warn!(%sku, error = ?failure, "left to the next look");
    }
    Ok(Response::ok(&Imported { sku: sku.as_str(), days: days.len(), changed }))
}

fn read(request: &Request, today: Day) -> Result<(Sku, BTreeMap<Day, Told>), Problem> {
    http::parse(request, |input| {
        let sku: Option<Sku> = input.path("sku");
        let body: Body = input.body()?;
        let days = days(input, body.days, today);
        Some((sku?, days?))
    })
}

fn days(input: &mut Input<'_>, days: List<DayBody>, today: Day) -> Option<BTreeMap<Day, Told>> {
    let days = input.given("days", days)?;
    if !(1..=MAX_DAYS_OF_SALES).contains(&days.len()) {
        input.refuse("days", format!("must have 1 to {MAX_DAYS_OF_SALES} days"));
        return None;
    }
    let mut read = BTreeMap::new();
    for (index, DayBody { date, units, out_of_stock_seconds }) in days.into_iter().enumerate() {
        let field = |name: &str| format!("days[{index}].{name}");
        let date: Option<Date> = input.required(&field("date"), date);
        let units = input.required_whole(&field("units"), units, within(0..=MAX_UNITS_A_DAY));
        let of_a_day = within(0..=DAY_SECONDS);
        let out_seconds = input.optional_whole(&field("out_of_stock_seconds"), out_of_stock_seconds, of_a_day);
        let (Some(Date(day)), Some(units)) = (date, units) else { continue };
        if day >= today {
            input.refuse(field("date"), "must be over: today's sales are counted as they are made");
        } else if read.insert(day, Told { units, out_seconds }).is_some() {
            input.refuse(field("date"), "must not be given twice");
        }
    }
    Some(read)
}

#[cfg(test)]
mod tests {
    use http::testing::Sample;

    use super::*;

    #[test]
    fn days_that_are_over_are_read_and_all_faults_are_named() {
        let today: Date = "2026-11-26".parse().unwrap();
        let read = |body: &str| {
            let sample = Sample::new("PUT /v1/stock/{sku}/sales").path("sku", "tea").body(body);
            read(&sample.request(), today.0)
        };
        let days = r#"{"days": [{"date": "2026-11-25", "units": 3},
            {"date": "2017-09-25", "units": 0, "out_of_stock_seconds": 86400}]}"#;
        let (_, days) = read(days).unwrap();
        let days: Vec<_> = days.values().map(|told| (told.units, told.out_seconds)).collect();
        assert_eq!(days, [(0, Some(86_400)), (3, None)]);
        for (body, field) in [
            ("{}", "days"),
            (r#"{"days": []}"#, "days"),
            (r#"{"days": [{"date": "2026-11-26", "units": 3}]}"#, "days[0].date"),
            (r#"{"days": [{"date": "2026-11-31", "units": 3}]}"#, "days[0].date"),
            (r#"{"days": [{"date": "2026-11-25", "units": -1}]}"#, "days[0].units"),
            (r#"{"days": [{"date": "2026-11-25"}]}"#, "days[0].units"),
            (
                r#"{"days": [{"date": "2026-11-25", "units": 1, "out_of_stock_seconds": 86401}]}"#,
                "days[0].out_of_stock_seconds",
            ),
            (r#"{"days": [{"date": "2026-11-25", "units": 1}, {"date": "2026-11-25", "units": 1}]}"#, "days[1].date"),
        ] {
            assert_eq!(read(body).unwrap_err().errors()[0].field, field, "{body}");
        }
    }
}
