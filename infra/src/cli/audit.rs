//! `holdfast audit`: checks the invariants of the protocol over everything that is stored.
//!
//! It reads the table itself, not the API: what the service would say of itself proves nothing. Reading takes time, and a table
//! that is in use changes meanwhile: a hold seen in its bucket may belong to a reservation that was read before it was recorded.
//! What looks broken is therefore read again, and only what is broken each time is reported. That can still be wrong about a SKU
//! that is sold without a pause; on a table at rest there is no doubt.

use std::{process::ExitCode, sync::Arc, time::Duration};

use aws_config::SdkConfig;
use domain::audit::{Audit, Report, Violation};
use indicatif::ProgressBar;
use reqwest::Url;
use runtime::SystemClock;
use serde_json::json;
use store::{Fault, Store, StoredItem};

use super::{Failure, aws_config_at, print, progress, service::web_url, verdict::Verdict};

/// How often a table in which something looks broken is read in all.
const MAX_READINGS: u32 = 4;

/// Time for a write that was under way to be followed by its next one.
const PAUSE: Duration = Duration::from_secs(1);

/// Time for one page of the table to come.
const PAGE_TIMEOUT: Duration = Duration::from_secs(30);

/// Check the stored stock and reservations for broken invariants
///
/// Reads the whole table, not the API. Where something looks broken it reads up to three times more, for a table in use changes
/// while it is read; what is broken every time is reported with the items at fault.
///
/// Exit code: 0 every invariant holds; 1 one is broken, or the table cannot be read.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Args {
    /// Name of the table: by default the local stack's; the output `TableName` of a deployed one
    #[arg(long, value_name = "NAME", env = "TABLE_NAME", default_value = "holdfast-Table")]
    table: String,

    /// Where DynamoDB is: by default the local stack's
    #[arg(long, value_name = "URL", env = "DYNAMODB_ENDPOINT", default_value = "http://127.0.0.1:3001", value_parser = web_url)]
    endpoint: Url,

    /// Read the table on AWS, in this machine's region and with its credentials
    #[arg(long)]
    aws: bool,

    /// Also check that nothing leaks: no unit is held that nobody owns. That is so once every hold which a lost call left behind
    /// has expired and the timers have had their turn
    #[arg(long)]
    at_rest: bool,

    /// How far the local stack's clock has been moved forward
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    clock_ahead: u64,

    /// Print the summary as JSON
    #[arg(long)]
    json: bool,
}

/// Carries out `holdfast audit`.
pub async fn run(args: Args) -> Result<ExitCode, Failure> {
    let endpoint = (!args.aws).then_some(&args.endpoint);
    let place = endpoint.map_or_else(|| "on AWS".to_owned(), |url| format!("at {url}"));
    let client = aws_sdk_dynamodb::Client::new(&config(endpoint).await);
    let store = Store::new(client, args.table.clone(), Arc::new(SystemClock));
    let bar = progress(0, "reading", args.json);
    let check = Check { at_rest: args.at_rest, clock_ahead: args.clock_ahead, pause: PAUSE };
    let (readings, report) = check.run(&store, &bar).await?;
    bar.finish_and_clear();
    let verdict = Verdict::new(format!("{} {place}", args.table), readings, report);
    print(&if args.json { json!(verdict).to_string() } else { verdict.text() });
    Ok(if verdict.violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What is asked of the table.
struct Check {
    at_rest: bool,
    clock_ahead: u64,
    pause: Duration,
}

impl Check {
    /// Reads the table until nothing looks broken or it has been read often enough; answers how often that was.
    async fn run(&self, store: &Store, bar: &ProgressBar) -> Result<(u32, Report), Failure> {
        let mut suspects = None;
        let mut readings = 0;
        loop {
            let audit = read(store, bar).await?;
            readings += 1;
            let now = store.now().plus_seconds(self.clock_ahead);
            let report = standing(audit.report(now, self.at_rest), suspects.as_deref());
            if report.violations.is_empty() || readings == MAX_READINGS {
                return Ok((readings, report));
            }
            suspects = Some(report.violations);
            tokio::time::sleep(self.pause).await;
        }
    }
}

/// Nobody waits at a till here: a page of a megabyte may take longer than the reads of a shopper.
async fn config(endpoint: Option<&Url>) -> SdkConfig {
    aws_config_at(endpoint, PAGE_TIMEOUT).await
}

/// Everything that is stored.
async fn read(store: &Store, bar: &ProgressBar) -> Result<Audit, Failure> {
    let mut audit = Audit::default();
    let mut scan = store.scan();
    let failed = |fault: &Fault| match fault {
        Fault::Unavailable { .. } => Failure("The table cannot be audited: DynamoDB does not answer.".to_owned()),
        fault => Failure(format!("The table cannot be audited: {fault}.")),
    };
    while let Some(items) = scan.next_page().await.map_err(|fault| failed(&fault))? {
        bar.inc_length(items.len() as u64);
        bar.inc(items.len() as u64);
        for item in items {
            match item {
                StoredItem::Bucket(id, bucket) => audit.bucket(id, bucket),
                StoredItem::Reservation(reservation) => audit.reservation(reservation),
                StoredItem::Movement(movement) => audit.movement(&movement),
                StoredItem::PurchaseOrder(order) => audit.purchase_order(*order),
                StoredItem::OnOrder(sku, on_order) => audit.on_order(sku, on_order),
            }
        }
    }
    Ok(audit)
}

/// The report with those violations only that were `suspects` in the reading before. Their numbers may have changed: only the
/// invariant and the subject count.
fn standing(report: Report, suspects: Option<&[Violation]>) -> Report {
    let Some(suspects) = suspects else { return report };
    let stands = |found: &Violation| {
        suspects.iter().any(|before| (before.invariant, &before.subject) == (found.invariant, &found.subject))
    };
    Report { violations: report.violations.into_iter().filter(stands).collect(), ..report }
}

#[cfg(test)]
mod tests {
    use aws_sdk_dynamodb::types::AttributeValue;
    use domain::{
        bucket::StockId,
        ids::{Caller, Channel, MovementId},
        movement::{MovementKind, MovementRequest},
        stock::Settings,
    };

    use super::*;

    fn violation(invariant: &'static str, subject: &str, detail: &str) -> Violation {
        Violation { invariant, subject: subject.to_owned(), detail: detail.to_owned() }
    }

    #[test]
    fn only_what_is_broken_again_stands() {
        let first = [violation("I1", "milk#own", "7"), violation("I3", "reservation x", "")];
        let again = Report {
            violations: vec![
                violation("I1", "milk#own", "8"),
                violation("I2", "milk#own", ""),
                violation("I3", "y", ""),
            ],
            ..Report::default()
        };
        assert_eq!(standing(again.clone(), None).violations.len(), 3);
        assert_eq!(standing(again, Some(&first)).violations, [violation("I1", "milk#own", "8")]);
    }

    #[tokio::test]
    async fn a_unit_from_nowhere_is_found_in_every_reading() {
        let (client, store) = table().await;
        let stock = StockId { sku: "milk".parse().unwrap(), channel: Channel::own() };
        store.save_settings(&stock, &Settings { expected_peak_per_second: 0 }, None).await.unwrap();
        let receipt = MovementRequest {
            id: MovementId::derive(&Caller::new("test"), &"k".parse().unwrap()),
            stock,
            kind: MovementKind::from_parts("receive", 5).unwrap(),
            reason: "test".parse().unwrap(),
            actor: "test".to_owned(),
        };
        store.move_stock(&receipt).await.unwrap();
        let check = Check { at_rest: true, clock_ahead: 0, pause: Duration::ZERO };
        let (readings, report) = check.run(&store, &ProgressBar::hidden()).await.unwrap();
        assert_eq!((readings, report.stocks, report.movements, report.free, report.violations.len()), (1, 1, 1, 5, 0));

        let key = AttributeValue::S("S#milk#own".to_owned());
        let one = AttributeValue::N("1".to_owned());
        let write = client.update_item().table_name("holdfast").key("pk", key).update_expression("ADD a :one");
        write.expression_attribute_values(":one", one).send().await.unwrap();
        let (readings, report) = check.run(&store, &ProgressBar::hidden()).await.unwrap();
        let broken: Vec<_> = report.violations.iter().map(|found| (found.invariant, found.subject.as_str())).collect();
        assert_eq!((readings, broken), (MAX_READINGS, vec![("I1", "milk#own")]));
    }

    #[tokio::test]
    async fn a_table_that_cannot_be_read_is_a_sentence() {
        let client = aws_sdk_dynamodb::Client::new(&config(Some(&"http://127.0.0.1:9".parse().unwrap())).await);
        let store = Store::new(client, "holdfast", Arc::new(SystemClock));
        let refused = read(&store, &ProgressBar::hidden()).await.unwrap_err().to_string();
        assert_eq!(refused, "The table cannot be audited: DynamoDB does not answer.");
    }

    /// An empty table called `holdfast`.
    async fn table() -> (aws_sdk_dynamodb::Client, Store) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let database = dynoxide::Database::memory().unwrap();
        tokio::spawn(dynoxide::server::serve_with_shutdown(listener, database, std::future::pending()));
        let client = aws_sdk_dynamodb::Client::new(&config(Some(&url)).await);
        store::schema::create_table(&client, "holdfast").await.unwrap();
        (client.clone(), Store::new(client, "holdfast", Arc::new(SystemClock)))
    }
}
