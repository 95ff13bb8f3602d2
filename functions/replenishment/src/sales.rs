//! `GET /v1/stock/{sku}/sales?from=&until=`: what a SKU sold on which day, in all channels, and how long it was out of stock. Both days are
//! part of it; without them, the last four weeks. A day without anything to tell is left out.

use domain::{
    ids::Sku,
    limits::{DEFAULT_WINDOW_DAYS, MAX_WINDOW_DAYS},
    replenishment::demand::DayOfSales,
    time::Day,
};
use http::{Date, Input, Problem, Request, Response};
use runtime::{App, problem};
use serde::Serialize;

#[derive(Serialize)]
struct SalesView<'a> {
    sku: &'a str,
    days: Vec<DayView>,
}

#[derive(Serialize)]
struct DayView {
    date: String,
    units: u64,
    out_of_stock_seconds: u64,
}

impl From<&DayOfSales> for DayView {
    fn from(sales: &DayOfSales) -> Self {
        Self { date: Date(sales.day).to_string(), units: sales.units, out_of_stock_seconds: sales.out_seconds }
    }
}

pub(crate) async fn list(app: &App, request: &Request) -> Result<Response, Problem> {
    let today = Day::of(app.now());
    let (sku, from, until) = http::parse(request, |input| {
        let sku: Option<Sku> = input.path("sku");
        let span = span(input, today);
        let (from, until) = span?;
        Some((sku?, from, until))
    })?;
    let days = app.store.days_of_sales(&sku, from, until.plus_days(1)).await.map_err(|fault| problem(fault.into()))?;
    Ok(Response::ok(&SalesView { sku: sku.as_str(), days: days.iter().map(DayView::from).collect() }))
}

/// The first and the last day.
fn span(input: &mut Input<'_>, today: Day) -> Option<(Day, Day)> {
    let from = input.query::<Date>("from").map(|Date(day)| day);
    let until = input.query::<Date>("until").map_or(today, |Date(day)| day);
    let from = from.unwrap_or_else(|| until.minus_days(DEFAULT_WINDOW_DAYS));
    if from > until || until.days_since(from) > MAX_WINDOW_DAYS {
        input.refuse("from", format!("must be at most {MAX_WINDOW_DAYS} days before until, and not after it"));
        return None;
    }
    Some((from, until))
}

#[cfg(test)]
mod tests {
    use http::testing::Sample;

    use super::*;

    #[test]
    fn a_span_has_two_ends_and_a_limit() {
        let Date(today) = "2026-11-26".parse().unwrap();
        let read = |query: &str| {
            let sample = Sample::new("GET /v1/stock/{sku}/sales").query(query);
            let span = http::parse(&sample.request(), |input| span(input, today));
            span.map(|(from, until)| format!("{} {}", Date(from), Date(until)))
        };
        for (query, span) in [
            ("", "2026-10-29 2026-11-26"),
            ("from=2026-11-26", "2026-11-26 2026-11-26"),
            ("from=2017-09-25&until=2017-12-23", "2017-09-25 2017-12-23"),
        ] {
            assert_eq!(read(query).unwrap(), span);
        }
        for query in ["from=2026-11-27", "from=2017-09-25", "from=x", "until=2026-11-31", "since=2026-11-26"] {
            assert_eq!(read(query).unwrap_err().errors().len(), 1, "{query}");
        }
    }
}
