//! Many seeds, on all cores, until one fails; that one is printed as short as it can be made.

use std::{
    process::ExitCode,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Instant,
};

use crate::{
    plan::Plan,
    run::{Outcome, minimised},
};

/// How many orders a seed sells at least, on average, those that buy all in the end included. A store that serves nobody breaks no other rule.
const LEAST_SOLD: u64 = 8;

/// Which seeds, and what is done with one that fails.
#[derive(Debug, Clone, Copy)]
pub struct Search {
    /// How many seeds.
    pub seeds: u64,
    /// The first of them.
    pub first: u64,
    /// Whether a shorter schedule is looked for.
    pub minimise: bool,
}

#[derive(Default)]
struct Tally {
    runs: AtomicU64,
    checks: AtomicU64,
    promises: AtomicU64,
    sold: AtomicU64,
}

impl Tally {
    fn count(&self, outcome: &Outcome) {
        self.runs.fetch_add(1, Ordering::Relaxed);
        self.checks.fetch_add(outcome.checks, Ordering::Relaxed);
        self.promises.fetch_add(outcome.promises as u64, Ordering::Relaxed);
        self.sold.fetch_add(outcome.sold, Ordering::Relaxed);
    }

    fn print(&self, seconds: f64) {
        let [runs, checks, promises, sold] =
            [&self.runs, &self.checks, &self.promises, &self.sold].map(|count| count.load(Ordering::Relaxed));
        #[expect(clippy::cast_precision_loss, reason = "a rate for a person to read")]
        let rate = runs as f64 / seconds;
        println!(
            "{runs} seeds in {seconds:.1} s, {rate:.0} a second: {checks} checks of the invariants, {promises} promises, \
             {sold} sold"
        );
    }
}

impl Search {
    /// Runs, prints and judges.
    #[must_use]
    pub fn run(self) -> ExitCode {
        let began = now();
        let tally = Tally::default();
        let failed = self.first_failure(&tally);
        tally.print((now() - began).as_secs_f64());
        let Some(seed) = failed else {
            let (runs, sold) = (self.seeds, tally.sold.load(Ordering::Relaxed));
            if sold < runs.saturating_mul(LEAST_SOLD) {
                println!("{runs} seeds sell too little: {sold}");
                return ExitCode::FAILURE;
            }
            println!("no violation");
            return ExitCode::SUCCESS;
        };
        let plan = Plan::of(seed);
        println!("seed {seed} fails, number {} of this search", seed - self.first + 1);
        let (plan, outcome) = if self.minimise { minimised(plan) } else { (plan, plan.run()) };
        println!("{}", outcome.log.join("\n"));
        println!("{}", outcome.violation.unwrap_or_default());
        println!("again: --plan '{plan}'");
        ExitCode::FAILURE
    }

    /// The smallest seed that fails.
    fn first_failure(self, tally: &Tally) -> Option<u64> {
        let end = self.first.saturating_add(self.seeds);
        let next = AtomicU64::new(self.first);
        let failed: Mutex<Option<u64>> = Mutex::new(None);
        let found = || failed.lock().unwrap_or_else(PoisonError::into_inner);
        thread::scope(|scope| {
            for _ in 0..thread::available_parallelism().map_or(1, Into::into) {
                scope.spawn(|| {
                    loop {
                        let seed = next.fetch_add(1, Ordering::Relaxed);
                        if seed >= end || found().is_some_and(|failed| failed < seed) {
                            return;
                        }
                        let outcome = Plan::of(seed).run();
                        tally.count(&outcome);
                        if outcome.violation.is_some() {
                            let mut failed = found();
                            *failed = Some(failed.map_or(seed, |known| known.min(seed)));
                        }
                    }
                });
            }
        });
        *found()
    }
}

#[expect(clippy::disallowed_methods, reason = "seeds a second are measured in real time")]
fn now() -> Instant {
    Instant::now()
}
