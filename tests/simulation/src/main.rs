//! `cargo run --release -p holdfast-simulation -- --seeds 1000000`: runs seeds until one fails; prints that one, as short as it can be
//! made, in words.

use std::{
    process::ExitCode,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Instant,
};

use clap::Parser;
use holdfast_simulation::run::{Plan, minimised};

/// Try to oversell, with faults of every kind, from seeds.
#[derive(Debug, Parser)]
struct Arguments {
    /// How many seeds
    #[arg(long, default_value_t = 2_000)]
    seeds: u64,

    /// The first of them
    #[arg(long, default_value_t = 0)]
    first: u64,

    /// Run one seed and print everything that happens in it
    #[arg(long, conflicts_with_all = ["seeds", "first"])]
    seed: Option<u64>,

    /// Do not look for a shorter schedule
    #[arg(long)]
    as_it_is: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let Some(seed) = arguments.seed {
        let outcome = Plan::of(seed).run();
        println!("{}", outcome.log.join("\n"));
        return verdict(outcome.violation.is_none());
    }
    let began = now();
    let (next, done, checks, promises, sold) =
        (AtomicU64::new(arguments.first), AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
    let end = arguments.first.saturating_add(arguments.seeds);
    let failed: Mutex<Option<u64>> = Mutex::new(None);
    let found = || *failed.lock().unwrap_or_else(PoisonError::into_inner);
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, Into::into) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= end || found().is_some_and(|failed| failed < seed) {
                        return;
                    }
                    let outcome = Plan::of(seed).run();
                    done.fetch_add(1, Ordering::Relaxed);
                    checks.fetch_add(outcome.checks, Ordering::Relaxed);
                    promises.fetch_add(outcome.promises as u64, Ordering::Relaxed);
                    sold.fetch_add(outcome.sold, Ordering::Relaxed);
                    if outcome.violation.is_some() {
                        let mut failed = failed.lock().unwrap_or_else(PoisonError::into_inner);
                        *failed = Some(failed.map_or(seed, |known| known.min(seed)));
                    }
                }
            });
        }
    });
    let (done, seconds) = (done.load(Ordering::Relaxed), (now() - began).as_secs_f64());
    #[expect(clippy::cast_precision_loss, reason = "a rate for a person to read")]
    let rate = done as f64 / seconds;
    println!(
        "{done} seeds in {seconds:.1} s, {rate:.0} a second: {} checks of the invariants, {} promises, {} sold",
        checks.load(Ordering::Relaxed),
        promises.load(Ordering::Relaxed),
        sold.load(Ordering::Relaxed)
    );
    let Some(seed) = found() else {
        println!("no violation");
        return ExitCode::SUCCESS;
    };
    let plan = Plan::of(seed);
    let (plan, outcome) = if arguments.as_it_is { (plan, plan.run()) } else { minimised(plan) };
    println!("seed {seed} fails: {}", outcome.violation.clone().unwrap_or_default());
    println!("{plan:?}\n{}", outcome.log.join("\n"));
    println!("seed {seed} fails: {}", outcome.violation.unwrap_or_default());
    ExitCode::FAILURE
}

fn verdict(good: bool) -> ExitCode {
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

#[expect(clippy::disallowed_methods, reason = "seeds a second are measured in real time")]
fn now() -> Instant {
    Instant::now()
}
