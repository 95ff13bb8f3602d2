//! `load check`: is everything so as it was told?
//!
//! 1. What nobody has answered is asked again, under its key, until it is. Then every order is waited for.
//! 2. All holds end; one in three of those who had walked away pays after all; and all holds end again.
//! 3. Every request that was decided is made once more; what that held ends as well; and everything is read.
//! 4. For each SKU, the units sold are those of the shoppers who were told so, and the movements explain the rest.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    time::Duration,
};

use anyhow::{Context, Result};
use futures::{StreamExt, TryStreamExt, stream};
use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::{
    client::{Client, is_expected},
    close,
    judge::{Seen, judge},
    ledger::{self, Deed, Entry},
    plan::{Line, dice},
    shopper::{is_final, payment},
};

/// Longer than any reservation lives, however often it is extended.
const ALL_TIMES_OVER_SECONDS: u64 = 2 * 60 * 60 + 1;

/// Shoppers looked at together.
const AT_ONCE: usize = 16;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where the API is
    #[arg(long)]
    url: String,
    /// What `load run` has written
    #[arg(long)]
    ledger: PathBuf,
    /// The seed of that run
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How long what was not answered is asked again, and how long an order may be queued
    #[arg(long, default_value_t = 240)]
    patience_seconds: u64,
}

struct Check {
    client: Client,
    seed: u64,
    patience: Duration,
}

pub async fn run(args: Args) -> Result<()> {
    let client = Client::new(&args.url, Duration::from_mins(1))?;
    let check = Check { client, seed: args.seed, patience: Duration::from_secs(args.patience_seconds) };
    let entries = ledger::load(&args.ledger)?;
    let began = Instant::now();
    let entries = check.each(entries, async |entry| check.ask_again(entry).await).await?;
    check.each(entries.iter().collect(), async |entry| check.orders(entry).await).await?;
    println!("everything is answered and decided after {:.0} s", began.elapsed().as_secs_f64());
    check.client.advance_clock(ALL_TIMES_OVER_SECONDS).await?;
    let entries = check.each(entries, async |entry| check.pay_after_all(entry).await).await?;
    check.client.advance_clock(ALL_TIMES_OVER_SECONDS).await?;
    let entries = check.each(entries, async |entry| check.repeat(entry).await).await?;
    // A repeated sale takes units before it finds its record. Where it cannot give them back at once, they come back in time.
    let now = check.client.advance_clock(ALL_TIMES_OVER_SECONDS).await?;
    ledger::save(&args.ledger, &entries)?;

    let mut failures = Vec::new();
    let mut sold: BTreeMap<String, u64> = BTreeMap::new();
    let seen = check.each(entries.iter().collect(), async |entry| check.look(entry).await).await?;
    let mut passed = 0;
    for (entry, seen) in entries.iter().zip(&seen) {
        let (faults, lines) = judge(entry, seen);
        passed += usize::from(faults.is_empty());
        failures.extend(faults);
        failures.extend(surprises(entry));
        for Line { sku, quantity } in lines {
            *sold.entry(sku).or_default() += quantity;
        }
    }
    let skus: BTreeSet<&str> = entries.iter().flat_map(|entry| &entry.lines).map(|line| line.sku.as_str()).collect();
    for sku in skus {
        let faults = check.stock(sku, &entries, sold.get(sku).copied().unwrap_or_default()).await?;
        passed += usize::from(faults.is_empty());
        failures.extend(faults);
    }
    println!(
        "{} shoppers compared, {} units sold; the clock stands at {now}",
        entries.len(),
        sold.values().sum::<u64>()
    );
    close(passed, &failures)
}

/// Answers that nobody should get.
fn surprises(entry: &Entry) -> impl Iterator<Item = String> {
    let told = entry.calls.iter().flat_map(|call| call.told.iter().map(move |told| (call, told)));
    told.filter(|(call, told)| !is_expected(call.deed, told)).map(|(call, told)| format!("{}: {told:?}", call.key))
}

impl Check {
    /// Does something for each, in their order.
    async fn each<T, R>(&self, items: Vec<T>, work: impl AsyncFn(T) -> Result<R>) -> Result<Vec<R>> {
        stream::iter(items).map(|item| work(item)).buffered(AT_ONCE).try_collect().await
    }

    fn until(&self) -> Instant {
        Instant::now() + self.patience
    }

    /// Makes those calls again that nobody has answered.
    async fn ask_again(&self, mut entry: Entry) -> Result<Entry> {
        let mut dice = dice(self.seed, entry.number);
        for call in entry.calls.iter_mut().filter(|call| call.told.is_empty()) {
            call.told.extend(self.client.insist(call, &mut dice, self.until()).await);
        }
        Ok(entry)
    }

    /// The orders of this shopper under every id, once they are decided.
    async fn orders(&self, entry: &Entry) -> Result<Vec<Value>> {
        let ids = entry.calls.iter().filter(|call| call.in_turn() || call.deed == Deed::Order);
        let told = ids.flat_map(|call| &call.told).filter(|told| told.is_done());
        let ids: BTreeSet<String> = told.filter_map(|told| told.id.clone()).collect();
        let mut orders = Vec::new();
        for id in ids {
            orders.push(self.order(&id).await?);
        }
        Ok(orders)
    }

    async fn order(&self, id: &str) -> Result<Value> {
        let until = self.until();
        loop {
            let (_, order) = self.client.get(&format!("/v1/orders/{id}"), until).await?;
            // One that is still queued when patience ends is a finding, not an accident.
            if order["status"] != "queued" || Instant::now() >= until {
                return Ok(order);
            }
            sleep(Duration::from_millis(500)).await;
        }
    }

    /// One in three of those who hold something and have said nothing more.
    async fn pay_after_all(&self, mut entry: Entry) -> Result<Entry> {
        let walked_away = entry.calls.len() == 1 && entry.number.is_multiple_of(3);
        if let Some(id) = entry.reservation().filter(|_| walked_away) {
            let mut call = payment(self.seed, entry.number, id);
            let mut dice = dice(self.seed, entry.number);
            call.told.extend(self.client.insist(&call, &mut dice, self.until()).await);
            entry.calls.push(call);
        }
        Ok(entry)
    }

    /// Makes every call once more whose answer is final.
    async fn repeat(&self, mut entry: Entry) -> Result<Entry> {
        let mut dice = dice(self.seed, entry.number);
        let again = |deed| !matches!(deed, Deed::Extend | Deed::Queue | Deed::QueuePayment);
        for call in entry.calls.iter_mut().filter(|call| again(call.deed)) {
            let fixed = call.done().is_some() || call.told.first().is_some_and(|told| is_final(call.deed, told));
            if fixed {
                call.told.extend(self.client.insist(call, &mut dice, self.until()).await);
            }
        }
        Ok(entry)
    }

    async fn look(&self, entry: &Entry) -> Result<Seen> {
        let reservation = match entry.reservation() {
            Some(id) => Some(self.client.get(&format!("/v1/reservations/{id}"), self.until()).await?.1),
            None => None,
        };
        Ok(Seen { reservation, orders: self.orders(entry).await? })
    }

    /// Compares a SKU's numbers with the ledger.
    async fn stock(&self, sku: &str, entries: &[Entry], sold: u64) -> Result<Vec<String>> {
        let (_, stock) = self.client.get(&format!("/v1/stock/{sku}"), self.until()).await?;
        let listed = self.movements(sku).await?;
        let moves = entries.iter().filter(|entry| entry.lines.first().is_some_and(|line| line.sku == sku));
        let moves = moves.flat_map(|entry| entry.of(Deed::Move)).filter_map(|call| call.done());
        let told: BTreeSet<_> = moves.map(|told| (told.id.clone().unwrap_or_default(), told.delta)).collect();
        let delta: i64 = told.iter().filter_map(|(_, delta)| *delta).sum();
        let number = |field: &str| stock[field].as_i64().unwrap_or(i64::MIN);
        let mut faults = Vec::new();
        if listed.len() != told.len() || listed.into_iter().collect::<BTreeSet<_>>() != told {
            faults.push(format!("{sku}: the movements are not those that were told"));
        }
        for (what, is, should) in [
            ("sold", number("sold"), sold.cast_signed()),
            ("reserved", number("reserved"), 0),
            ("on hand", number("on_hand"), delta - sold.cast_signed()),
            ("available", number("available"), delta - sold.cast_signed() + number("shortfall")),
        ] {
            if is != should {
                faults.push(format!("{sku}: {what} is {is}, and should be {should}"));
            }
        }
        Ok(faults)
    }

    /// Id and delta of every movement of the SKU.
    async fn movements(&self, sku: &str) -> Result<Vec<(String, Option<i64>)>> {
        let (mut movements, mut cursor) = (Vec::new(), String::new());
        loop {
            let path = format!("/v1/stock/{sku}/movements?limit=100{cursor}");
            let (_, page) = self.client.get(&path, self.until()).await?;
            for movement in page["items"].as_array().context("a page of movements")? {
                let id = movement["id"].as_str().unwrap_or_default().to_owned();
                movements.push((id, movement["delta"].as_i64()));
            }
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return Ok(movements),
            }
        }
    }
}
