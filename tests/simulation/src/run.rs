//! One run: a plan from beginning to end. Then everything is let come to rest, and what is left must be right.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use serde_json::Value;
use tokio::{task::LocalSet, time::sleep};

use crate::{SKUS, frailty::Frailty, function::Functions, network::Faults, plan::Plan, world::World};

/// The longest of all days is over long before this. Whatever goes on for longer does not come to an end.
const LONGEST_DAY: Duration = Duration::from_hours(24 * 120);

/// What came of a run.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The first thing that must not be.
    pub violation: Option<String>,
    /// Everything that happened.
    pub log: Vec<String>,
    /// Every request that reached the table, where it was asked for.
    pub transcript: Vec<(String, Value)>,
    /// Checks of the invariants.
    pub checks: u64,
    /// Promises that were kept.
    pub promises: usize,
    /// Reservations and orders that were sold.
    pub sold: u64,
}

impl Plan {
    /// Runs it.
    #[must_use]
    pub fn run(self) -> Outcome {
        self.play(false)
    }

    /// Runs it, and takes down every request that reaches the table.
    #[must_use]
    pub fn transcribe(self) -> Outcome {
        self.play(true)
    }

    fn play(self, transcribed: bool) -> Outcome {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        let runtime = runtime.expect("a runtime without input and output can always be made");
        let local = LocalSet::new();
        let world = runtime.block_on(local.run_until(self.live(transcribed)));
        // What still waits is dropped with the runtime.
        let mut world = world.lock().unwrap_or_else(PoisonError::into_inner);
        Outcome {
            violation: world.violation.clone(),
            log: std::mem::take(&mut world.log),
            transcript: world.transcript.take().unwrap_or_default(),
            checks: world.checks,
            promises: world.promises.len(),
            sold: world.audit.report(world.now(), false).reservations.get("confirmed").copied().unwrap_or(0),
        }
    }

    async fn live(self, transcribed: bool) -> Arc<Mutex<World>> {
        let mut world = World::new(self.seed, Faults::default());
        world.transcript = transcribed.then(Vec::new);
        world.theme = self.theme;
        world.shards.resize_with(self.shards, VecDeque::new);
        let world = Arc::new(Mutex::new(world));
        let functions = Functions::start(&world, Frailty::default());
        let violated = functions.world().violated.clone();
        tokio::select! {
            biased;
            // What comes after it proves nothing.
            () = violated.notified() => {}
            () = self.day(&functions) => {}
            () = sleep(LONGEST_DAY) => functions.world().violate("the day does not come to an end".to_owned()),
        }
        world
    }

    async fn day(self, functions: &Functions) {
        for sku in SKUS {
            functions.settings(sku, if self.seed.is_multiple_of(3) { 64 } else { 0 }).await;
            functions.movement(sku, &format!("first-{sku}"), "receive", self.units).await;
        }
        if self.marketplaces + self.disputes > 0 {
            functions.open_marketplaces().await;
        }
        if self.dividers > 0 {
            functions.open_channels().await;
        }
        functions.world().faults = self.faults;
        let functions = functions.clone().with(self.frailty);
        for shard in 0..self.shards {
            tokio::task::spawn_local(functions.clone().stream(shard));
        }
        tokio::task::spawn_local(functions.clone().timers());
        tokio::task::spawn_local(functions.clone().queue());
        tokio::task::spawn_local(functions.clone().queue());
        let late = if self.prompt_ttl { 0 } else { 172_800 };
        tokio::task::spawn_local(functions.clone().time_to_live(late));
        let mut visits: Vec<_> =
            (0..self.shoppers).map(|n| tokio::task::spawn_local(functions.clone().shopper(n))).collect();
        visits.extend((0..self.merchants).map(|n| tokio::task::spawn_local(functions.clone().merchant(n))));
        visits.extend((0..self.marketplaces).map(|n| tokio::task::spawn_local(functions.clone().marketplace(n))));
        visits.extend((0..self.disputes).map(|n| tokio::task::spawn_local(functions.clone().dispute(n))));
        visits.extend((0..self.dividers).map(|n| tokio::task::spawn_local(functions.clone().divider(n))));
        for visit in visits {
            if visit.await.is_err() {
                functions.world().violate("a function panicked".to_owned());
            }
        }
        functions.rest().await;
    }
}

/// Takes away what a failing plan does not need, so that a person reads less: shoppers, merchants, risks, one after the other.
#[must_use]
pub fn minimised(plan: Plan) -> (Plan, Outcome) {
    let mut best = (plan, plan.run());
    loop {
        let lesser = best.0.lesser().into_iter().map(|plan| (plan, plan.run()));
        let Some(failing) = lesser.into_iter().find(|(_, outcome)| outcome.violation.is_some()) else { return best };
        best = failing;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Plans that once failed, or that catch a sabotage; see the file.
    const REGRESSIONS: &str = include_str!("../regressions.txt");

    #[test]
    fn a_plan_always_runs_the_same_way() {
        for seed in [0, 1, 2, 3] {
            let (first, second) = (Plan::of(seed).run(), Plan::of(seed).run());
            assert!(first.log.len() > 50, "a run in which nothing happens proves nothing");
            assert_eq!(first.log, second.log);
        }
    }

    #[test]
    fn what_failed_once_does_not_fail_again() {
        let plans = REGRESSIONS.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
        for line in plans {
            let plan: Plan = line.split('|').next().unwrap_or_default().parse().unwrap();
            let outcome = plan.run();
            assert_eq!(outcome.violation, None, "{line}\n{}", outcome.log.join("\n"));
        }
    }

    #[test]
    fn seeds_in_a_row() {
        for seed in 0..40 {
            let outcome = Plan::of(seed).run();
            assert_eq!(outcome.violation, None, "seed {seed}\n{}", outcome.log.join("\n"));
        }
    }
}
