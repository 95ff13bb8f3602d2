//! One run: a seed decides who comes, what they do, and what goes wrong. Then everything is let come to rest.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use domain::limits::MAX_LIFE_SECONDS;
use fastrand::Rng;
use tokio::{task::LocalSet, time::sleep};

use crate::{
    actors::SKUS,
    function::{Frailty, Functions},
    network::Faults,
    world::World,
};

/// What a seed runs with. Everything follows from the seed; a person may take something away to see whether it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// The seed.
    pub seed: u64,
    /// How many shoppers come.
    pub shoppers: usize,
    /// How many merchants work meanwhile.
    pub merchants: usize,
    /// What goes wrong on the way.
    pub faults: Faults,
    /// What goes wrong with processes.
    pub frailty: Frailty,
    /// TTL deletes at once, not up to two days late.
    pub prompt_ttl: bool,
    /// Units of each SKU at first.
    pub units: i64,
}

/// What came of a run.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The first thing that must not be.
    pub violation: Option<String>,
    /// Everything that happened.
    pub log: Vec<String>,
    /// Checks of the invariants.
    pub checks: u64,
    /// Promises that were kept.
    pub promises: usize,
    /// Reservations and orders that were sold.
    pub sold: u64,
}

impl Plan {
    /// The plan of a seed. Uniform schedules are weak, so each seed is strong in one or two faults, and calm in the others.
    #[must_use]
    pub fn of(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let mut some = |often: u32, most: u32| if rng.u32(0..100) < often { rng.u32(1..=most) } else { 0 };
        let faults = Faults {
            lost: some(30, 30),
            reply_lost: some(50, 80),
            failed_after: some(30, 40),
            copied: some(60, 250),
            throttled: some(20, 20),
            conflict: some(20, 30),
            slow: some(50, 80),
        };
        let frailty = Frailty { crash: some(60, 200), freeze: some(60, 200) };
        Self {
            seed,
            shoppers: rng.usize(3..=14),
            merchants: rng.usize(0..=2),
            faults,
            frailty,
            prompt_ttl: rng.bool(),
            units: rng.i64(3..=60),
        }
    }

    /// Runs it.
    ///
    /// # Panics
    /// When no runtime can be made.
    #[must_use]
    pub fn run(self) -> Outcome {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        let runtime = runtime.expect("a runtime without input and output can always be made");
        let local = LocalSet::new();
        let world = runtime.block_on(local.run_until(self.live()));
        // What still waits is dropped with the runtime.
        let world = world.lock().unwrap_or_else(PoisonError::into_inner);
        Outcome {
            violation: world.violation.clone(),
            log: world.log.clone(),
            checks: world.checks,
            promises: world.promises.len(),
            sold: world.audit.report(world.now(), false).reservations.get("confirmed").copied().unwrap_or(0),
        }
    }

    async fn live(self) -> Arc<Mutex<World>> {
        let world = Arc::new(Mutex::new(World::new(self.seed, Faults::default())));
        let functions = Functions::start(&world, Frailty::default());
        for sku in SKUS {
            functions.settings(sku, if self.seed.is_multiple_of(3) { 64 } else { 0 }).await;
            functions.movement(sku, &format!("first-{sku}"), "receive", self.units).await;
        }
        functions.world().faults = self.faults;
        let functions = functions.with(self.frailty);
        tokio::task::spawn_local(functions.clone().stream());
        tokio::task::spawn_local(functions.clone().timers());
        tokio::task::spawn_local(functions.clone().queue());
        tokio::task::spawn_local(functions.clone().queue());
        let late = if self.prompt_ttl { 0 } else { 172_800 };
        tokio::task::spawn_local(functions.clone().time_to_live(late));
        let mut visits: Vec<_> =
            (0..self.shoppers).map(|n| tokio::task::spawn_local(functions.clone().shopper(n))).collect();
        visits.extend((0..self.merchants).map(|n| tokio::task::spawn_local(functions.clone().merchant(n))));
        for visit in visits {
            if visit.await.is_err() {
                functions.world().violate("a function panicked".to_owned());
            }
        }
        self.rest(&functions).await;
        world
    }

    /// No more faults; all timers have their turn; then what is left must be right.
    async fn rest(self, functions: &Functions) {
        functions.heal();
        functions.world().faults = Faults::default();
        for _ in 0..3 {
            sleep(Duration::from_secs(MAX_LIFE_SECONDS + 600)).await;
            functions.resolve_everything().await;
        }
        let mut world = functions.world();
        world.check(true);
        world.keep_promises();
    }
}

/// Takes away what a failing plan does not need, so that a person reads less: shoppers, merchants, faults, one after the other.
#[must_use]
pub fn minimised(plan: Plan) -> (Plan, Outcome) {
    let mut best = (plan, plan.run());
    loop {
        let smaller =
            lesser(best.0).into_iter().map(|plan| (plan, plan.run())).find(|(_, outcome)| outcome.violation.is_some());
        match smaller {
            Some(smaller) => best = smaller,
            None => return best,
        }
    }
}

fn lesser(plan: Plan) -> Vec<Plan> {
    let mut plans = Vec::new();
    if plan.shoppers > 1 {
        plans.extend([plan.shoppers / 2, plan.shoppers - 1].map(|shoppers| Plan { shoppers, ..plan }));
    }
    if plan.merchants > 0 {
        plans.push(Plan { merchants: plan.merchants - 1, ..plan });
    }
    let calmer = |change: fn(&mut Faults) -> &mut u32| {
        let mut faults = plan.faults;
        (*change(&mut faults) > 0).then(|| {
            *change(&mut faults) = 0;
            Plan { faults, ..plan }
        })
    };
    let kinds: [fn(&mut Faults) -> &mut u32; 7] = [
        |faults| &mut faults.lost,
        |faults| &mut faults.reply_lost,
        |faults| &mut faults.failed_after,
        |faults| &mut faults.copied,
        |faults| &mut faults.throttled,
        |faults| &mut faults.conflict,
        |faults| &mut faults.slow,
    ];
    plans.extend(kinds.into_iter().filter_map(calmer));
    if plan.frailty.crash > 0 {
        plans.push(Plan { frailty: Frailty { crash: 0, ..plan.frailty }, ..plan });
    }
    if plan.frailty.freeze > 0 {
        plans.push(Plan { frailty: Frailty { freeze: 0, ..plan.frailty }, ..plan });
    }
    plans
}
