//! A rush: `rush [ORDERS] [UNITS] [KILLS]` queues orders for one SKU, one after the other as fast as one client can, while the service is
//! killed and started again. Then it asks what became of each.
//!
//! By default 5,000 orders for 1,000 units, and two kills (SIGKILL, in the middle). The orders that arrived first must be sold, exactly
//! as many as there are units, all others refused, and an audit of everything that is stored must find nothing. Prints what was
//! measured; exit code 1 if anything is not so. The queue and the table outlive the process, as they do on AWS.

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, ExitCode, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use domain::audit::{Audit, Report};
use futures::{StreamExt, TryStreamExt, stream};
use holdfast::local::{Options, Stack};
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use store::{Store, StoredItem};

/// How long an order may stay queued after the last one was sent.
const PATIENCE: Duration = Duration::from_mins(3);

/// Questions under way at once.
const ASKED_AT_ONCE: usize = 16;

#[tokio::main]
async fn main() -> ExitCode {
    let numbers: Option<Vec<usize>> = std::env::args().skip(1).map(|argument| argument.parse().ok()).collect();
    let Some(numbers) = numbers else {
        eprintln!("usage: rush [ORDERS] [UNITS] [KILLS]");
        return ExitCode::FAILURE;
    };
    let number = |position: usize, default| numbers.get(position).copied().unwrap_or(default);
    let rush = Rush { orders: number(0, 5_000), units: number(1, 1_000), kills: number(2, 2) };
    match rush.run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("rush: {fault:#}");
            ExitCode::FAILURE
        }
    }
}

struct Rush {
    orders: usize,
    units: usize,
    kills: usize,
}

impl Rush {
    async fn run(&self) -> Result<()> {
        // Whoever was first has chosen; there is one provider in the program.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let directory = std::env::temp_dir().join(format!("holdfast-rush-{}", std::process::id()));
        let outcome = self.run_in(&directory).await;
        // Left over by a run that failed before it was made.
        let _ = std::fs::remove_dir_all(&directory);
        outcome
    }

    async fn run_in(&self, directory: &Path) -> Result<()> {
        let shop = Shop { client: Client::builder().no_proxy().timeout(Duration::from_secs(30)).build()? };
        let mut service = Service::start(directory)?;
        shop.stock_up(&service.url, self.units).await?;

        let started = now();
        let mut ids = Vec::with_capacity(self.orders);
        let (mut killed, mut sent_again) = (0, 0);
        while ids.len() < self.orders {
            if killed < self.kills && ids.len() >= (killed + 1) * self.orders / (self.kills + 1) {
                service.kill()?;
                killed += 1;
                // It is sent although nobody is there, as a shop does that does not know yet.
                ensure!(shop.queue(&service.url, ids.len()).await.is_err(), "a dead service answered");
                sent_again += 1;
                service = Service::start(directory)?;
            }
            ids.push(shop.queue(&service.url, ids.len()).await?);
        }
        let sent = now() - started;
        let outcomes = shop.outcomes(&service.url, &ids).await?;
        let decided = now() - started;
        service.kill()?;

        let sold = outcomes.iter().filter(|outcome| *outcome == "confirmed").count();
        let refused = outcomes.iter().filter(|outcome| *outcome == "rejected").count();
        let first_refused = outcomes.iter().position(|outcome| outcome != "confirmed").unwrap_or(outcomes.len());
        let report = audit(directory).await?;
        println!(
            "{} orders for {} units, {killed} kills, {sent_again} sent to a dead service",
            self.orders, self.units
        );
        println!("{sold} confirmed, {refused} rejected; the first {first_refused} in line are confirmed");
        println!(
            "sent in {:.1} s, {:.0} a second; all decided after {:.1} s",
            sent.as_secs_f64(),
            rate(self.orders, sent),
            decided.as_secs_f64()
        );
        println!(
            "audit: {} free, {} held, {} sold, {} violations",
            report.free,
            report.held,
            report.sold,
            report.violations.len()
        );
        let expected = self.units.min(self.orders);
        ensure!(sold == expected && refused == self.orders - expected, "not every unit was sold once");
        ensure!(first_refused == expected, "somebody was served out of turn");
        ensure!(report.violations.is_empty(), "{:#?}", report.violations);
        let units = u64::try_from(self.units)?;
        ensure!(report.free + report.held + report.sold == units, "units are missing");
        Ok(())
    }
}

/// The service in a process of its own.
struct Service {
    child: Child,
    url: String,
}

impl Service {
    fn start(directory: &Path) -> Result<Self> {
        let program: PathBuf = std::env::current_exe()?.with_file_name("stack");
        let mut child = Command::new(&program)
            .arg("rush")
            .arg(directory)
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("start {}", program.display()))?;
        let output = child.stdout.take().context("its output is piped")?;
        let mut url = String::new();
        BufReader::new(output).read_line(&mut url)?;
        ensure!(!url.is_empty(), "the service did not start");
        Ok(Self { child, url: url.trim().to_owned() })
    }

    /// SIGKILL: nothing is finished, nothing is cleaned up.
    fn kill(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // Dead already, if all went well.
        let _ = self.kill();
    }
}

/// The one client.
struct Shop {
    client: Client,
}

impl Shop {
    async fn stock_up(&self, url: &str, units: usize) -> Result<()> {
        let made = self.client.put(format!("{url}/v1/stock/tea")).header("content-type", "application/json").body("{}");
        made.send().await?.error_for_status()?;
        let body = json!({ "kind": "receive", "quantity": units, "reason": "before the rush" });
        let request = self.client.post(format!("{url}/v1/stock/tea/movements")).header("idempotency-key", "in");
        request.header("content-type", "application/json").body(body.to_string()).send().await?.error_for_status()?;
        Ok(())
    }

    /// Queues one order for one unit.
    async fn queue(&self, url: &str, number: usize) -> Result<String> {
        let request = self
            .client
            .post(format!("{url}/v1/orders"))
            .header("idempotency-key", format!("order-{number}"))
            .header("prefer", "respond-async")
            .header("content-type", "application/json")
            .body(json!({ "lines": [{ "sku": "tea", "quantity": 1 }] }).to_string());
        let answer = request.send().await?;
        let (status, text) = (answer.status(), answer.text().await?);
        ensure!(status == StatusCode::ACCEPTED, "order {number}: {status} {text}");
        let body: Value = serde_json::from_str(&text)?;
        Ok(body["id"].as_str().context("an accepted order has no id")?.to_owned())
    }

    /// What became of each, once all are decided.
    async fn outcomes(&self, url: &str, ids: &[String]) -> Result<Vec<String>> {
        let deadline = now() + PATIENCE;
        let asking = stream::iter(ids).map(|id| self.outcome(url, id, deadline)).buffered(ASKED_AT_ONCE);
        asking.try_collect().await
    }

    async fn outcome(&self, url: &str, id: &str, deadline: Instant) -> Result<String> {
        while now() < deadline {
            let answer = self.client.get(format!("{url}/v1/orders/{id}")).send().await?.error_for_status()?;
            let body: Value = serde_json::from_str(&answer.text().await?)?;
            match body["status"].as_str() {
                Some("queued") => tokio::time::sleep(Duration::from_millis(200)).await,
                Some(decided) => return Ok(decided.to_owned()),
                None => bail!("order {id} has no status: {body}"),
            }
        }
        bail!("order {id} is still queued")
    }
}

/// Checks the invariants over everything that was left behind.
async fn audit(directory: &Path) -> Result<Report> {
    let options = Options {
        data: Some(directory.to_owned()),
        prefix: "rush".to_owned(),
        without: vec!["order-consumer".to_owned(), "expire".to_owned()],
        ..Options::default()
    };
    let stack = Stack::start(options).await?;
    let store: &Store = &stack.app().store;
    let mut audit = Audit::default();
    let mut pages = store.scan();
    while let Some(items) = pages.next_page().await? {
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
    let clock = Arc::clone(&stack.app().clock);
    let report = audit.report(clock.now(), true);
    stack.shutdown().await;
    Ok(report)
}

fn rate(orders: usize, time: Duration) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "thousands")]
    let orders = orders as f64;
    orders / time.as_secs_f64()
}

#[expect(clippy::disallowed_methods, reason = "what is measured is real time")]
fn now() -> Instant {
    Instant::now()
}
