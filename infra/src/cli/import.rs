//! `holdfast import`: receives the stock that a CSV file lists.
//!
//! Each row is a receipt: see [`receipts`](super::receipts) for why importing a file twice receives it once.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use domain::ids::Channel;
use serde::Serialize;
use serde_json::json;

use super::{
    Failure,
    client::Client,
    print,
    receipts::{Intake, Receipt, Shipment, receive},
    report::{self, CallReport, thousands},
    rows::{self, Rejected, Rows},
    service::Service,
};

/// Characters of a delivery's name that the reason of its receipts repeats: a reason has room for 200.
const MAX_SHOWN_CHARS: usize = 100;

/// Exit code when all good rows were received but some rows were bad. Not 2: that is what a mistyped command answers.
const BAD_ROWS: u8 = 3;

/// Receive the stock that a CSV file lists
///
/// The file has a header and the columns `sku` and `quantity`, and may have `reason`; others are ignored. Each row adds its
/// quantity to what is there. A row that cannot be right is reported with its line number, and the rest goes on.
///
/// Importing the same file again changes nothing: a row that was received is known again by the name of the delivery and by
/// what it says, wherever in the file it stands. So mend a bad row and import the file again.
///
/// Exit code: 0 every row was received; 1 a good row could not be received; 3 every good row was received, and some were bad.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Args {
    /// The file
    file: PathBuf,

    #[command(flatten)]
    service: Service,

    /// Name of this delivery; the same rows under another name are received again [default: the file's name]
    #[arg(long, value_name = "NAME")]
    delivery: Option<String>,

    /// Where the units are sold
    #[arg(long, default_value = "own")]
    channel: Channel,

    /// Rows that are under way at once
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=1000))]
    at_once: u16,

    /// Print the summary as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Report {
    delivery: String,
    #[serde(flatten)]
    intake: Intake,
    rejected: Vec<Rejected>,
    calls: Vec<CallReport>,
}

/// Carries out `holdfast import`.
pub async fn run(args: Args) -> Result<ExitCode, Failure> {
    let file = rows::load(&args.file)?;
    let name = || args.file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let delivery = args.delivery.unwrap_or_else(name);
    let Rows { good, rejected } = read(&file, &delivery)?;
    let client = Client::new(args.service).await?;
    let shipment = Shipment { delivery: &delivery, channel: &args.channel };
    let intake = receive(&client, good, &shipment, args.at_once.into(), args.json).await;
    let report = Report { delivery, intake, rejected, calls: client.report() };
    print(&if args.json { json!(report).to_string() } else { report.text(&args.file) });
    Ok(report.exit_code())
}

/// The good and the bad rows of a delivery's file.
fn read(file: &[u8], delivery: &str) -> Result<Rows<Receipt>, Failure> {
    let shown: String = delivery.chars().filter(|c| !c.is_control()).take(MAX_SHOWN_CHARS).collect();
    rows::read(file, &["sku", "quantity"], |row| {
        let reason = match row.text("reason") {
            "" => format!("delivery {shown}").parse().map_err(|rule| format!("reason {rule}"))?,
            _ => row.value("reason")?,
        };
        Ok(Receipt { line: row.line, sku: row.value("sku")?, quantity: row.quantity("quantity")?, reason })
    })
}

impl Report {
    fn exit_code(&self) -> ExitCode {
        match self.rejected.is_empty() {
            _ if !self.intake.is_complete() => ExitCode::FAILURE,
            true => ExitCode::SUCCESS,
            false => BAD_ROWS.into(),
        }
    }

    fn text(&self, file: &Path) -> String {
        let Intake { received, units, received_before, failed, not_tried } = &self.intake;
        let mut counts = vec![
            vec!["rows received".to_owned(), thousands(*received), format!("{} units", thousands(*units))],
            vec!["received before".to_owned(), thousands(*received_before)],
            vec!["bad rows".to_owned(), thousands(self.rejected.len() as u64)],
            vec!["failed".to_owned(), thousands(failed.len() as u64)],
        ];
        if *not_tried > 0 {
            counts.push(vec!["not tried".to_owned(), thousands(*not_tried)]);
        }
        let mut page =
            vec![format!("Imported {} as delivery {}.", file.display(), self.delivery), report::table(&counts)];
        for (title, rows) in [("Bad rows, left out:", &self.rejected), ("Good rows that were not received:", failed)] {
            if !rows.is_empty() {
                page.push(format!("{title}\n{}", report::rejected_text(rows)));
            }
        }
        if *received_before > 0 {
            let hint = "A row that was received before changes nothing. If it came again, name the new delivery: --delivery NAME.";
            page.push(hint.to_owned());
        }
        page.push(report::calls_table(&self.calls));
        report::page(&page)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(intake: Intake, bad_lines: &[u64]) -> Report {
        let rejected = bad_lines.iter().map(|&line| Rejected { line, reason: "quantity is missing".to_owned() });
        Report { delivery: "monday".to_owned(), intake, rejected: rejected.collect(), calls: Vec::new() }
    }

    #[test]
    fn a_row_without_a_reason_names_its_delivery() {
        let file = "sku,quantity,reason\nmilk,5,\nbread,2,returned\nmilk,0,\nmilk,5,\neggs,x,\n";
        let rows = read(file.as_bytes(), "monday").unwrap();
        let reasons: Vec<_> = rows.good.iter().map(|row| (row.line, row.reason.as_str())).collect();
        assert_eq!(reasons, [(2, "delivery monday"), (3, "returned"), (5, "delivery monday")]);
        let bad: Vec<_> = rows.rejected.iter().map(|row| row.line).collect();
        assert_eq!(bad, [4, 6]);

        let long = format!("sku,quantity,reason\nmilk,1,{}\nmilk,1,\n", "x".repeat(201));
        let rows = read(long.as_bytes(), &"long\n".repeat(99)).unwrap();
        assert_eq!((rows.rejected[0].line, rows.good.len()), (2, 1));
    }

    #[test]
    fn a_row_that_failed_counts_more_than_one_that_was_bad() {
        let failed = || Intake { failed: vec![Rejected { line: 2, reason: String::new() }], ..Intake::default() };
        let stopped = Intake { not_tried: 1, ..Intake::default() };
        for (intake, bad_lines, code) in [
            (Intake::default(), &[][..], ExitCode::SUCCESS),
            (Intake::default(), &[4], ExitCode::from(3)),
            (failed(), &[], ExitCode::FAILURE),
            (failed(), &[4], ExitCode::FAILURE),
            (stopped, &[], ExitCode::FAILURE),
        ] {
            assert_eq!(report(intake, bad_lines).exit_code(), code);
        }
    }

    #[test]
    fn the_summary_names_what_was_left_out() {
        let report = report(Intake { received: 1_200, units: 14_000, received_before: 1, ..Intake::default() }, &[4]);
        let expected = [
            "Imported stock.csv as delivery monday.",
            "",
            "rows received    1,200  14,000 units",
            "received before      1",
            "bad rows             1",
            "failed               0",
            "",
            "Bad rows, left out:",
            "  quantity is missing: line 4",
            "",
            "A row that was received before changes nothing. If it came again, name the new delivery: --delivery NAME.",
        ];
        assert_eq!(report.text(Path::new("stock.csv")), expected.join("\n"));
        let value = json!(report);
        assert_eq!((&value["received"], &value["rejected"][0]["line"]), (&json!(1_200), &json!(4)));
    }
}
