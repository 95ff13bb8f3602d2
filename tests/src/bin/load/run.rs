//! `load run`: shoppers come at a steady rate, whether or not those before them were served.

use std::{
    path::PathBuf,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use anyhow::{Result, ensure};
use futures::{
    StreamExt, TryStreamExt,
    stream::{self, FuturesUnordered},
};
use reqwest::Method;
use serde_json::json;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, sleep_until};

use crate::{
    client::{Client, is_error, is_expected},
    close,
    ledger::{self, Call, Deed, Entry, Told},
    memory::{Memory, WARM_UP_SECONDS, pause},
    plan::{Line, Range},
    shopper::Shop,
};

/// Beyond the shortest hold there is.
const CLOCK_STEP_SECONDS: u64 = 301;

/// Shelves filled together.
const AT_ONCE: usize = 8;

/// All steps of the clock together stay far below the day after which an unpaid reservation is forgotten.
const MOST_CLOCK_STEPS: u32 = 100;

/// The first calls of a process take longest.
const FIRST_ANSWERS: Duration = Duration::from_mins(1);

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where the API is
    #[arg(long)]
    url: String,
    /// Where the ledger is written
    #[arg(long)]
    ledger: PathBuf,
    /// How long shoppers come
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Decides what they do
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Shoppers a second
    #[arg(long, default_value_t = 20)]
    rate: u32,
    /// Shoppers at the same time; who comes then is turned away at the door
    #[arg(long, default_value_t = 2_000)]
    at_once: usize,
    /// How long one attempt waits for its answer
    #[arg(long, default_value_t = 30)]
    timeout_seconds: u64,
    /// How long after the last shopper has come the others still wait for answers
    #[arg(long, default_value_t = 30)]
    patience_seconds: u64,
    /// A late payment comes one to two times so long after its hold
    #[arg(long, default_value_t = 310)]
    late_seconds: u64,
    /// In the last third, move the clock on by five minutes again and again
    #[arg(long)]
    move_clock: bool,
    /// An error is a failure, also one that passes: nobody disturbs this service
    #[arg(long)]
    strict: bool,
    /// The process whose memory has to stay what it is after seven minutes; in a run of less than twice that it is only told
    #[arg(long)]
    pid: Option<u32>,
}

pub async fn run(args: Args) -> Result<()> {
    let client = Client::new(&args.url, Duration::from_secs(args.timeout_seconds))?;
    let mut entries = stock_up(&client, &args).await?;
    println!("the doors are open");
    let began = Instant::now();
    let end = began + Duration::from_secs(args.seconds);
    let shop = Shop {
        client: &client,
        seed: args.seed,
        range: Range { rate: args.rate },
        late: Duration::from_secs(args.late_seconds),
        until: end + Duration::from_secs(args.patience_seconds),
    };
    let served = AtomicUsize::new(0);
    let (come, memory, ()) = tokio::join!(
        shoppers(&shop, &args, end, &served),
        watch(&client, &args, end, &served),
        move_clock(&client, &args, began, end)
    );
    entries.extend(come);
    ledger::save(&args.ledger, &entries)?;
    report(&client, &args, &entries, memory?.as_ref())
}

/// Receives what there is to sell.
async fn stock_up(client: &Client, args: &Args) -> Result<Vec<Entry>> {
    let until = Instant::now() + FIRST_ANSWERS;
    let receipt = async |number: u64, sku: String, units: i64| {
        client.must(Method::PUT, &format!("/v1/stock/{sku}"), None, &json!({}), until).await?;
        let body = json!({ "kind": "receive", "quantity": units, "reason": "before the first" });
        let path = format!("/v1/stock/{sku}/movements");
        let mut call = Call::new(Deed::Move, format!("{}/in/{sku}", args.seed), path, body);
        let answer = client.must(Method::POST, &call.path, Some(&call.key), &call.body, until).await?;
        call.told.push(Told::new(201, &answer));
        anyhow::Ok(Entry { number, lines: vec![Line { sku, quantity: 0 }], calls: vec![call] })
    };
    let receipts = (u64::from(u32::MAX)..).zip(Range { rate: args.rate }.skus());
    let receipts = receipts.map(|(number, (sku, units))| receipt(number, sku, units));
    stream::iter(receipts).buffered(AT_ONCE).try_collect().await
}

/// Lets them come until the end, and waits until each has been served or has given up.
async fn shoppers(shop: &Shop<'_>, args: &Args, end: Instant, served: &AtomicUsize) -> Vec<Entry> {
    let mut door = interval(Duration::from_secs(1) / args.rate);
    door.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let (mut inside, mut entries) = (FuturesUnordered::new(), Vec::new());
    let mut number = 0;
    loop {
        let open = Instant::now() < end;
        if !open && inside.is_empty() {
            return entries;
        }
        tokio::select! {
            _ = door.tick(), if open => {
                if inside.len() < args.at_once {
                    inside.push(shop.serve(number));
                }
                number += 1;
            }
            Some(entry) = inside.next() => {
                entries.push(entry);
                served.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

/// Prints a line a minute, and looks at the service's memory each second.
async fn watch(client: &Client, args: &Args, end: Instant, served: &AtomicUsize) -> Result<Option<Memory>> {
    let mut memory = args.pid.map(Memory::new);
    let mut second = 0;
    while Instant::now() < end {
        pause().await;
        second += 1;
        let size = memory.as_mut().map(Memory::sample).transpose()?;
        if second % 60 == 0 {
            let tally = client.tally();
            let answers: u64 = tally.values().sum();
            let errors: u64 = tally.iter().filter(|(name, _)| is_error(name)).map(|(_, count)| count).sum();
            let size = size.map(|kib| format!(", {kib} KiB")).unwrap_or_default();
            let served = served.load(Ordering::Relaxed);
            println!("minute {}: {served} shoppers served, {answers} answers, {errors} errors{size}", second / 60);
        }
    }
    Ok(memory)
}

/// Nobody waits for real holds to end in a run of a minute. It begins late, for the local stack over a foreign DynamoDB forgets
/// its shift when it is killed, and time would go back; and a write that is delayed in between must not be older than AWS would
/// let a signed request become.
async fn move_clock(client: &Client, args: &Args, began: Instant, end: Instant) {
    if !args.move_clock {
        return;
    }
    let third = (end - began) / 3;
    sleep_until(end - third).await;
    let step = Duration::from_secs(4).max(third / MOST_CLOCK_STEPS);
    while Instant::now() + step < end {
        // It may not be answered in time; what counts is that it moves.
        if let Err(why) = client.advance_clock(CLOCK_STEP_SECONDS).await {
            println!("the clock: {why}");
        }
        sleep(step).await;
    }
}

fn report(client: &Client, args: &Args, entries: &[Entry], memory: Option<&Memory>) -> Result<()> {
    let calls = || entries.iter().flat_map(|entry| &entry.calls);
    let unanswered = calls().filter(|call| call.told.is_empty()).count();
    println!(
        "answers: {}",
        client.tally().iter().map(|(name, count)| format!("{name} {count}")).collect::<Vec<_>>().join(", ")
    );
    println!("{} shoppers, {} calls, {unanswered} of them unanswered", entries.len(), calls().count());
    ensure!(calls().any(|call| !call.told.is_empty()), "nothing was answered at all");
    let mut failures: Vec<String> = calls()
        .flat_map(|call| call.told.iter().filter(|told| !is_expected(call.deed, told)).map(move |told| (call, told)))
        .map(|(call, told)| format!("{} {}: {told:?}", call.key, call.path))
        .collect();
    let mut passed = calls().map(|call| call.told.len()).sum::<usize>() - failures.len();
    if args.strict {
        failures.extend(client.errors());
    }
    if let Some(memory) = memory {
        println!("{memory}");
        if args.seconds >= 2 * WARM_UP_SECONDS {
            if memory.is_flat() { passed += 1 } else { failures.push(format!("the service grows: {memory}")) }
        }
    }
    close(passed, &failures)
}
