//! `PUT /v1/stock/{sku}?channel= {expected_peak_per_second?}`: makes a SKU, or replaces its settings. An announced peak opens
//! buckets ahead of it, so that the first second of a sale does not have to.

use domain::{bucket::StockId, limits::MAX_EXPECTED_PEAK_PER_SECOND, refusal::Refusal, stock::Settings};
use http::{IfMatch, Problem, Request, Response, input::within, json::Whole};
use runtime::{App, problem};
use serde::Deserialize;

use crate::{stock_id, view::Stock};

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Body {
    expected_peak_per_second: Whole,
}

#[derive(Debug)]
struct Save {
    stock: StockId,
    settings: Settings,
    if_match: Option<IfMatch>,
}

pub(crate) async fn save(app: &App, request: &Request) -> Result<Response, Problem> {
    let Save { stock, settings, if_match } = read(request)?;
    let if_match = match if_match {
        None => None,
        Some(IfMatch::Version(version)) => Some(version),
        Some(IfMatch::Any) => {
            version(app, &stock).await?.ok_or(Refusal::PreconditionFailed { version: 0 })?;
            // A SKU is never removed: from here on it exists.
            None
        }
        Some(IfMatch::Foreign) => {
            let version = version(app, &stock).await?.unwrap_or_default();
            return Err(Refusal::PreconditionFailed { version }.into());
        }
    };
    let saved = app.store.save_settings(&stock, &settings, if_match).await.map_err(problem)?;
    let views = app.store.stock(&[stock]).await.map_err(problem)?;
    // One view for the one SKU that was just written.
    let view = Stock::new(views.first().ok_or_else(Problem::internal_error)?);
    let response = if saved.created { Response::created(&view) } else { Response::ok(&view) };
    Ok(response.version(saved.version))
}

/// The version of the settings that are stored, if there are any.
async fn version(app: &App, stock: &StockId) -> Result<Option<u64>, Problem> {
    app.store.settings_version(stock).await.map_err(|fault| problem(fault.into()))
}

fn read(request: &Request) -> Result<Save, Problem> {
    http::parse(request, |input| {
        let stock = stock_id(input);
        let if_match = input.if_match();
        let body: Body = input.optional_body()?;
        let range = within(0..=MAX_EXPECTED_PEAK_PER_SECOND);
        let peak = input.optional_whole("expected_peak_per_second", body.expected_peak_per_second, range);
        let settings = Settings { expected_peak_per_second: peak.unwrap_or_default() };
        Some(Save { stock: stock?, settings, if_match })
    })
}

#[cfg(test)]
mod tests {
    use http::testing::Sample;

    use super::*;

    fn sample(body: &str) -> Sample {
        Sample::new("PUT /v1/stock/{sku}").path("sku", "tea").body(body)
    }

    #[test]
    fn settings_that_are_left_out_are_reset() {
        for (body, peak) in [("", 0), ("{}", 0), (r#"{"expected_peak_per_second": 5000}"#, 5000)] {
            let save = read(&sample(body).request()).unwrap();
            assert_eq!((save.settings.expected_peak_per_second, save.if_match), (peak, None));
        }
        let save = read(&sample("{}").header("If-Match", "\"3\"").request()).unwrap();
        assert_eq!(save.if_match, Some(IfMatch::Version(3)));
    }

    #[test]
    fn every_fault_is_named() {
        for (body, field) in [
            (r#"{"expected_peak_per_second": -1}"#, "expected_peak_per_second"),
            (r#"{"expected_peak_per_second": 100001}"#, "expected_peak_per_second"),
            (r#"{"expected_peak_per_second": "5"}"#, "expected_peak_per_second"),
            (r#"{"expected_peak": 5}"#, "expected_peak"),
        ] {
            assert_eq!(read(&sample(body).request()).unwrap_err().errors()[0].field, field, "{body}");
        }
        let problem = read(&sample("{}").header("If-Match", "3").request()).unwrap_err();
        assert_eq!(problem.errors()[0].field, "If-Match");
    }
}
