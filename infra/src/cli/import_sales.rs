//! `holdfast import-sales`: says what was sold on days that are over, so that the reorder point knows it from the first day on.

use std::{path::PathBuf, process::ExitCode};

use domain::{ids::Sku, limits::MAX_DAYS_OF_SALES, time::Day};
use http::Date;
use reqwest::Method;
use serde::Serialize;
use serde_json::{Value, json};

use super::{
    Failure,
    client::{Call, Client},
    each,
    history::History,
    print, progress,
    report::{self, CallReport, thousands},
    rows::{self, Rejected},
    service::Service,
};

/// Exit code when all good rows were imported but some rows were bad, as that of `holdfast import`.
const BAD_ROWS: u8 = 3;

/// Load what was sold on which day from a CSV file
///
/// The file has a header and the columns `date` (2026-11-26), `sku` or `product_id`, and `units`; and `out_of_stock_seconds`, if you know
/// for how long there was nothing to sell, for such days say little of demand. Others are ignored. Rows of the same SKU and day add up. A row that cannot be right is reported with its line number, and the rest goes on.
///
/// A day is as the file says, whatever was counted; so importing the same file again changes nothing. Today is refused: its sales are
/// counted as they are made.
///
/// Exit code: 0 every row was imported; 1 a good row could not be imported; 3 every good row was imported, and some were bad.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Args {
    /// The file
    file: PathBuf,

    #[command(flatten)]
    service: Service,

    /// Requests that are under way at once
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=1000))]
    at_once: u16,

    /// Print the summary as JSON
    #[arg(long)]
    json: bool,
}

/// Days of one SKU that fit into one request.
#[derive(Debug)]
struct Part {
    sku: Sku,
    days: Vec<Told>,
}

/// A day, the units that were sold on it, and the seconds in which there was nothing to sell.
type Told = (Day, u64, Option<u64>);

/// A request that was not done.
#[derive(Debug, Serialize)]
struct Failed {
    sku: String,
    reason: String,
}

#[derive(Debug, Default, Serialize)]
struct Report {
    skus: u64,
    days: u64,
    /// Days that are other than before.
    changed: u64,
    units: u64,
    failed: Vec<Failed>,
    /// Requests that never began, because somebody pressed Ctrl-C.
    not_tried: u64,
    rejected: Vec<Rejected>,
    calls: Vec<CallReport>,
}

/// Carries out `holdfast import-sales`.
pub async fn run(args: Args) -> Result<ExitCode, Failure> {
    let history = History::read(&rows::load(&args.file)?)?;
    let client = Client::new(args.service).await?;
    let report = import(&client, history, args.at_once.into(), args.json).await;
    print(&if args.json { json!(report).to_string() } else { report.text() });
    Ok(report.exit_code())
}

async fn import(client: &Client, history: History, at_once: usize, quiet: bool) -> Report {
    let mut report = Report {
        skus: history.skus.len() as u64,
        days: history.skus.values().map(|days| days.len() as u64).sum(),
        units: history.skus.values().flat_map(|days| days.values()).sum(),
        rejected: history.rejected,
        ..Report::default()
    };
    let mut parts = Vec::new();
    for (sku, days) in history.skus {
        let out = history.out.get(&sku);
        let out = |day: &Day| out.and_then(|out| out.get(day)).copied();
        let days: Vec<Told> = days.into_iter().map(|(day, units)| (day, units, out(&day))).collect();
        parts.extend(days.chunks(MAX_DAYS_OF_SALES).map(|days| Part { sku: sku.clone(), days: days.to_vec() }));
    }
    let all = parts.len();
    let bar = progress(all, "importing", quiet);
    let results = each(parts, at_once, &bar, async |part: Part| (part.sku.clone(), send(client, &part).await)).await;
    report.not_tried = (all - results.len()) as u64;
    for (sku, result) in results {
        match result {
            Ok(changed) => report.changed += changed,
            Err(reason) => report.failed.push(Failed { sku: sku.to_string(), reason }),
        }
    }
    report.failed.sort_by(|a, b| a.sku.cmp(&b.sku));
    report.calls = client.report();
    report
}

/// How many of the days are other than before.
async fn send(client: &Client, part: &Part) -> Result<u64, String> {
    let day = |(day, units, out): &Told| {
        let mut told = json!({ "date": Date(*day).to_string(), "units": units });
        if let Some(seconds) = out {
            told["out_of_stock_seconds"] = json!(seconds);
        }
        told
    };
    let days: Vec<Value> = part.days.iter().map(day).collect();
    let path = ["stock", part.sku.as_str(), "sales"];
    let body = Some(json!({ "days": days }));
    let call = Call { name: "sales", method: Method::PUT, path: &path, channel: None, key: None, body };
    let answer = client.call(call).await.map_err(|not_done| not_done.sentence())?;
    Ok(answer.body["changed"].as_u64().unwrap_or_default())
}

impl Report {
    fn exit_code(&self) -> ExitCode {
        match self.rejected.is_empty() {
            _ if !self.failed.is_empty() || self.not_tried > 0 => ExitCode::FAILURE,
            true => ExitCode::SUCCESS,
            false => BAD_ROWS.into(),
        }
    }

    fn text(&self) -> String {
        let mut counts = vec![
            vec!["SKUs".to_owned(), thousands(self.skus)],
            vec!["days".to_owned(), thousands(self.days), format!("{} units", thousands(self.units))],
            vec!["changed".to_owned(), thousands(self.changed)],
            vec!["bad rows".to_owned(), thousands(self.rejected.len() as u64)],
            vec!["failed".to_owned(), thousands(self.failed.len() as u64)],
        ];
        if self.not_tried > 0 {
            counts.push(vec!["not tried".to_owned(), thousands(self.not_tried)]);
        }
        let mut page = vec![report::table(&counts)];
        if !self.rejected.is_empty() {
            page.push(format!("Bad rows, left out:\n{}", report::rejected_text(&self.rejected)));
        }
        if !self.failed.is_empty() {
            let failed: Vec<String> =
                self.failed.iter().map(|failed| format!("  {}: {}", failed.sku, failed.reason)).collect();
            page.push(format!("Not imported:\n{}", failed.join("\n")));
        }
        page.push(report::calls_table(&self.calls));
        report::page(&page)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_failed_counts_more_than_what_was_bad() {
        let bad = || vec![Rejected { line: 2, reason: "units is missing".to_owned() }];
        let failed = || vec![Failed { sku: "tea".to_owned(), reason: "no".to_owned() }];
        for (report, code) in [
            (Report::default(), ExitCode::SUCCESS),
            (Report { rejected: bad(), ..Report::default() }, ExitCode::from(3)),
            (Report { rejected: bad(), failed: failed(), ..Report::default() }, ExitCode::FAILURE),
            (Report { not_tried: 1, ..Report::default() }, ExitCode::FAILURE),
        ] {
            assert_eq!(report.exit_code(), code);
        }
    }

    #[test]
    fn the_summary_says_what_came_of_it() {
        let report = Report { skus: 2, days: 1_180, changed: 1_000, units: 21_000, ..Report::default() };
        let expected = [
            "SKUs          2",
            "days      1,180  21,000 units",
            "changed   1,000",
            "bad rows      0",
            "failed        0",
        ];
        assert_eq!(report.text(), expected.join("\n"));
    }
}
