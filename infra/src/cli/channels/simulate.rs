//! `holdfast channels simulate`: a local stack in memory, three simulated marketplaces on loopback, and shoppers everywhere who want the
//! same SKU.
//!
//! 1. Start, set up the channels, put the units on the shelf, and wait until every marketplace shows them.
//! 2. Let shoppers come, about as fast as the units should go; print a table every second.
//! 3. Once nothing is left to buy, have lost webhooks' orders pulled, and audit.

use std::{
    collections::BTreeMap,
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use clap::value_parser;
use domain::{
    audit::{Audit, Report},
    reservation::Status,
    time::Clock,
};
use fastrand::Rng;
use holdfast::local::{Options, Stack, Vendors};
use reqwest::Method;
use serde_json::{Value, json};
use store::StoredItem;
use tokio::{
    task::{JoinSet, LocalSet, spawn_local},
    time::{Instant, MissedTickBehavior, interval, sleep, timeout},
};

use super::{
    super::{
        Failure,
        client::{Call, Client},
        print, say,
        service::Service,
    },
    market::{Marketplace, NAMES},
    table::{Row, Snapshot, Summary},
};

/// What is sold.
const SKU: &str = "mug";

/// Waiting for what happens in the background ends here.
const PATIENCE: Duration = Duration::from_mins(2);

/// Shoppers at a time: the others wait outside.
const AT_ONCE: usize = 6;

/// All channels are pulled once the clock is so far: Amazon's every three minutes.
const PULL_SECONDS: u64 = 185;

/// Let four channels sell from one shelf, and watch
///
/// Starts a service of its own, in memory, and marketplaces on this machine that speak as Amazon, eBay and Walmart do. Shoppers
/// buy at the own store, which asks for each unit, and at the marketplaces, which sell what they show; one SKU, until it is gone.
///
/// Exit code: 0 every order is recorded once and every invariant holds; 1 otherwise.
#[derive(Debug, Clone, Copy, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Args {
    /// Units on the shelf
    #[arg(long, default_value_t = 100, value_parser = value_parser!(u64).range(4..=10_000))]
    units: u64,

    /// About how many seconds it takes until they are sold
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = value_parser!(u64).range(1..=3_600))]
    seconds: u64,

    /// What decides who comes, and where
    #[arg(long, default_value_t = 1)]
    seed: u64,

    /// Of a hundred webhooks, how many are lost
    #[arg(long, value_name = "PERCENT", default_value_t = 5, value_parser = value_parser!(u8).range(0..=100))]
    lost: u8,

    /// Print each table, and the summary, as JSON
    #[arg(long)]
    json: bool,
}

/// Carries out `holdfast channels simulate`.
pub async fn run(args: Args) -> Result<ExitCode, Failure> {
    let json = args.json;
    if !json {
        say("Starting a service, and Amazon, eBay and Walmart, on this machine.");
    }
    let summary = simulate(&args, |snapshot| {
        print(&if json { json!(snapshot).to_string() } else { snapshot.text() });
    })
    .await?;
    print(&if json { json!(summary).to_string() } else { summary.text() });
    Ok(if summary.violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Four channels, their service, and whoever buys.
struct Simulation {
    stack: Stack,
    client: Client,
    http: reqwest::Client,
    markets: Vec<Arc<Marketplace>>,
    own_sold: AtomicU64,
    webhooks_lost: AtomicU64,
    is_closed: AtomicBool,
    began: Instant,
}

/// On one thread, as a function's handler is called: some of what shoppers wait for cannot be moved to another one.
async fn simulate(args: &Args, show: impl FnMut(&Snapshot)) -> Result<Summary, Failure> {
    LocalSet::new().run_until(Box::pin(sell_everything(args, show))).await
}

async fn sell_everything(args: &Args, mut show: impl FnMut(&Snapshot)) -> Result<Summary, Failure> {
    let mut servers = JoinSet::new();
    let simulation = Arc::new(Simulation::start(args.units, &mut servers).await?);
    let shoppers = spawn_local(Arc::clone(&simulation).shoppers(*args));
    let end = Instant::now() + Duration::from_secs(args.seconds * 2) + PATIENCE;
    loop {
        show(&simulation.snapshot().await?);
        if simulation.is_sold_out().await? || Instant::now() > end {
            break;
        }
        sleep(Duration::from_secs(1)).await;
    }
    simulation.is_closed.store(true, Ordering::Relaxed);
    shoppers.await.map_err(|broken| Failure(format!("The shoppers broke off: {broken}.")))?;
    let summary = simulation.settle(args.units).await?;
    show(&simulation.snapshot().await?);
    if let Some(simulation) = Arc::into_inner(simulation) {
        simulation.stack.shutdown().await;
    }
    Ok(summary)
}

/// A shopper.
#[derive(Debug, Clone, Copy)]
struct Visit {
    number: u64,
    /// Of a hundred shoppers 35 come to the own store, 30 to Amazon, 20 to eBay and 15 to Walmart.
    place: u32,
    units: u64,
    thinks: Duration,
    pays: bool,
    is_told: bool,
    told_after: Duration,
}

impl Visit {
    fn draw(rng: &mut Rng, number: u64, lost: u8) -> Self {
        Self {
            number,
            place: rng.u32(0..100),
            units: [1, 1, 1, 2][rng.usize(0..4)],
            thinks: Duration::from_millis(rng.u64(100..2_000)),
            pays: rng.u32(0..10) > 0,
            is_told: rng.u8(0..100) >= lost,
            told_after: Duration::from_millis(rng.u64(50..1_500)),
        }
    }

    fn market(self) -> Option<usize> {
        match self.place {
            0..35 => None,
            35..65 => Some(0),
            65..85 => Some(1),
            _ => Some(2),
        }
    }
}

impl Simulation {
    async fn start(units: u64, servers: &mut JoinSet<()>) -> Result<Self, Failure> {
        let mut markets = Vec::new();
        for name in NAMES {
            markets.push(Marketplace::open(name, SKU, servers).await?);
        }
        let secret = |name: &str| Ok((name.parse()?, Marketplace::credentials(name)));
        let secrets: Result<BTreeMap<_, _>, domain::ids::IdError> = NAMES.into_iter().map(secret).collect();
        let secrets = secrets.map_err(|error| Failure(format!("A channel cannot have this name: {error}.")))?;
        let options = Options { vendors: Vendors { transport: None, secrets }, ..Options::default() };
        let stack = Stack::start(options).await.map_err(|fault| Failure(format!("{fault:#}")))?;
        let url = stack.url().parse().map_err(|error| Failure(format!("The service is nowhere: {error}.")))?;
        let client = Client::new(Service { url, token: None, sigv4: false }).await?;
        for market in &markets {
            market.live_by(stack.clock());
        }
        let simulation = Self {
            stack,
            client,
            http: reqwest::Client::new(),
            markets,
            own_sold: AtomicU64::new(0),
            webhooks_lost: AtomicU64::new(0),
            is_closed: AtomicBool::new(false),
            began: Instant::now(),
        };
        simulation.set_up(units).await?;
        Ok(Self { began: Instant::now(), ..simulation })
    }

    /// Everything in one shared stock, shown everywhere.
    async fn set_up(&self, units: u64) -> Result<(), Failure> {
        let shared = "shared".parse().ok();
        self.call(Method::PUT, &["stock", SKU], shared.as_ref(), Some(json!({}))).await?;
        let receipt = json!({ "kind": "receive", "quantity": units, "reason": "the shelf is filled" });
        self.call(Method::POST, &["stock", SKU, "movements"], shared.as_ref(), Some(receipt)).await?;
        for market in &self.markets {
            self.call(Method::PUT, &["channels", market.name], None, Some(market.settings())).await?;
            let remote = if market.name == "ebay" { json!({ "offer_id": "8001" }) } else { json!({}) };
            let listing = json!({ "remote": remote });
            self.call(Method::PUT, &["channels", market.name, "listings", SKU], None, Some(listing)).await?;
        }
        // Before a channel was heard nothing is shown there, and it is asked every minute.
        self.advance(61)?;
        let is_shown = async || self.markets.iter().all(|market| market.shown(SKU) == units);
        self.wait_until("The marketplaces do not show what is on the shelf.", is_shown).await
    }

    async fn call(
        &self,
        method: Method,
        path: &[&str],
        channel: Option<&domain::ids::Channel>,
        body: Option<Value>,
    ) -> Result<Value, Failure> {
        let key = (method == Method::POST).then(|| path.join("-"));
        let answer = self.client.call(Call { name: "set up", method, path, channel, key, body }).await;
        answer.map(|answer| answer.body).map_err(|error| Failure(error.sentence()))
    }

    /// Moves the time of everything.
    fn advance(&self, seconds: u64) -> Result<(), Failure> {
        self.stack.clock().advance(seconds).map(drop).map_err(|fault| Failure(format!("{fault:#}")))
    }

    async fn wait_until(&self, otherwise: &str, is_so: impl AsyncFn() -> bool) -> Result<(), Failure> {
        let waiting = async {
            while !is_so().await {
                sleep(Duration::from_millis(100)).await;
            }
        };
        timeout(PATIENCE, waiting).await.map_err(|_| Failure(otherwise.to_owned()))
    }

    /// Lets shoppers come, about as fast as the units should go, until the doors are closed.
    async fn shoppers(self: Arc<Self>, args: Args) {
        let mut rng = Rng::with_seed(args.seed);
        let mut visits = JoinSet::new();
        let mut comes = interval(Duration::from_millis((args.seconds * 1_000 / args.units).max(1)));
        // On a machine that is too slow they come more slowly: what is shown here is channels, not a crowd.
        comes.set_missed_tick_behavior(MissedTickBehavior::Delay);
        for number in 1.. {
            comes.tick().await;
            if visits.len() >= AT_ONCE {
                visits.join_next().await;
            }
            if self.is_closed.load(Ordering::Relaxed) {
                break;
            }
            visits.spawn_local(Arc::clone(&self).visit(Visit::draw(&mut rng, number, args.lost)));
        }
        while visits.join_next().await.is_some() {}
    }

    /// A shopper comes, and buys what there is.
    async fn visit(self: Arc<Self>, visit: Visit) {
        let Some(market) = visit.market().map(|place| Arc::clone(&self.markets[place])) else {
            return self.visit_own(visit).await;
        };
        let Some(order) = market.buy(visit.number, SKU, visit.units) else { return };
        sleep(visit.told_after).await;
        if !visit.is_told {
            self.webhooks_lost.fetch_add(1, Ordering::Relaxed);
            return;
        }
        market.tell(&self.stack, &self.http, &order).await;
        // On a machine that is too slow the next shopper waits until this order is recorded.
        let Some(id) = market.record_of(&order) else { return };
        let recorded = async {
            while self.stack.app().store.reservation(&id).await.is_err() {
                sleep(Duration::from_millis(100)).await;
            }
        };
        drop(timeout(Duration::from_secs(10), recorded).await);
    }

    /// Holds, and pays or thinks better of it. A refusal is a shopper who goes away.
    async fn visit_own(&self, visit: Visit) {
        let key = format!("visit-{}", visit.number);
        let cart = json!({ "lines": [{ "sku": SKU, "quantity": visit.units }] });
        let hold = Call {
            name: "hold",
            method: Method::POST,
            path: &["reservations"],
            channel: None,
            key: Some(key.clone()),
            body: Some(cart),
        };
        let Ok(answer) = self.client.call(hold).await else { return };
        let id = answer.body["id"].as_str().unwrap_or_default();
        sleep(visit.thinks).await;
        let verb = if visit.pays { "confirm" } else { "cancel" };
        let path = ["reservations", id, verb];
        let key = Some(format!("{key}-{verb}"));
        let decide = Call { name: verb, method: Method::POST, path: &path, channel: None, key, body: None };
        if self.client.call(decide).await.is_ok() && visit.pays {
            self.own_sold.fetch_add(visit.units, Ordering::Relaxed);
        }
    }

    /// Whether nobody can buy anything any more.
    async fn is_sold_out(&self) -> Result<bool, Failure> {
        let (report, recorded) = self.read().await?;
        let is_shown = self.markets.iter().any(|market| market.shown(SKU) > 0);
        // What is held is not paid for yet, and may come back.
        Ok(report.free == 0 && !is_shown && recorded >= report.sold + report.held)
    }

    async fn snapshot(&self) -> Result<Snapshot, Failure> {
        let shortfalls = self.call(Method::GET, &["shortfalls"], None, None).await?;
        let of = |channel: &str| {
            let items = shortfalls["items"].as_array().into_iter().flatten();
            items.filter(|item| item["channel"] == channel).count() as u64
        };
        let shared = "shared".parse().ok();
        let stock = self.call(Method::GET, &["stock", SKU], shared.as_ref(), None).await?;
        let number = |value: &Value| value.as_u64().unwrap_or(0);
        let own = Row {
            channel: "own",
            published: None,
            available: number(&stock["available"]),
            sold: self.own_sold.load(Ordering::Relaxed),
            in_flight: 0,
            shortfalls: of("own"),
        };
        let mut channels = vec![own];
        for market in &self.markets {
            let status = self.call(Method::GET, &["channels", market.name, "status"], None, None).await?;
            let listing = &status["items"][0];
            channels.push(Row {
                channel: market.name,
                published: Some(market.shown(SKU)),
                available: number(&listing["available"]),
                sold: market.sold(),
                in_flight: number(&listing["in_flight"]),
                shortfalls: of(market.name),
            });
        }
        Ok(Snapshot { seconds: self.began.elapsed().as_secs(), channels })
    }

    /// Units that shoppers have bought.
    fn bought(&self) -> u64 {
        self.own_sold.load(Ordering::Relaxed) + self.markets.iter().map(|market| market.sold()).sum::<u64>()
    }

    /// What is stored, and the units of all that is confirmed.
    async fn read(&self) -> Result<(Report, u64), Failure> {
        let (mut audit, mut recorded) = (Audit::default(), 0);
        let mut scan = self.stack.app().store.scan();
        while let Some(items) = scan.next_page().await.map_err(|fault| Failure(fault.to_string()))? {
            for item in items {
                match item {
                    StoredItem::Bucket(id, bucket) => audit.bucket(id, bucket),
                    StoredItem::Movement(movement) => audit.movement(&movement),
                    StoredItem::PurchaseOrder(order) => audit.purchase_order(*order),
                    StoredItem::OnOrder(sku, on_order) => audit.on_order(sku, on_order),
                    StoredItem::Reservation(record) => {
                        if matches!(record.status, Status::Confirmed { .. }) {
                            recorded += record.lines.iter().map(|line| line.quantity.units()).sum::<u64>();
                        }
                        audit.reservation(record);
                    }
                }
            }
        }
        Ok((audit.report(self.stack.clock().now(), false), recorded))
    }

    /// Has everything pulled that was not told, and audits.
    async fn settle(&self, units: u64) -> Result<Summary, Failure> {
        self.advance(PULL_SECONDS)?;
        let is_recorded = async || {
            let read = self.read().await;
            read.is_ok_and(|(report, recorded)| recorded == self.bought() && report.violations.is_empty())
        };
        // If that does not come true, the summary says what is wrong.
        drop(self.wait_until("", is_recorded).await);
        let (report, recorded) = self.read().await?;
        Ok(Summary::new(units, self.bought(), recorded, self.webhooks_lost.load(Ordering::Relaxed), &report))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn four_channels_sell_every_unit_of_one_shelf_once() {
        let args = Args { units: 24, seconds: 3, seed: 7, lost: 20, json: false };
        let mut tables = Vec::new();
        let summary = simulate(&args, |snapshot| tables.push(snapshot.clone())).await.unwrap();
        assert_eq!(summary.violations, Vec::<String>::new(), "{tables:?}");
        assert!(summary.bought >= 24 && summary.bought == 24 + summary.short, "{summary:?}");
        let first = &tables[0];
        assert!(first.channels.iter().all(|row| row.published.is_none_or(|units| units > 15)), "{first:?}");
        let last = tables.last().unwrap();
        assert_eq!(last.channels.iter().map(|row| row.sold).sum::<u64>(), summary.bought);
        let places = last.channels.iter().filter(|row| row.sold > 0).count();
        assert!(places >= 3, "one shelf, several channels: {last:?}");
    }
}
