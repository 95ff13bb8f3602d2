//! The end of a run: nothing goes wrong any more, and what is left must be right.
//!
//! | step | must be so |
//! |---|---|
//! | whoever stands still goes on, and the stream and the timers come to an end | nothing leaks: `I5`, by what `expire` was told and nothing else |
//! | `expire` is told of all holds, and what may be deleted is | nothing leaks at all |
//! | each SKU is bought out | what is free is sold, and no more |
//! | | every promise is kept |
//!
//! The first step leaves out what the timers leave to others, a marketplace's orders: they may be held for two weeks.

use std::time::Duration;

use domain::limits::MAX_LIFE_SECONDS;
use http::{Response, testing::Sample};
use tokio::time::sleep;

use crate::{SKUS, function::Functions, network::Faults, shopper::MAX_ATTEMPTS, world::World};

/// No function stands still for longer than this, and no record of an unpaid reservation lives longer after its end.
const LONGEST_SLEEP: Duration = Duration::from_hours(32);

/// No hold of a shopper ends later than this, and its timer comes soon after, even one that failed before.
const LAST_TIMERS: Duration = Duration::from_secs(MAX_LIFE_SECONDS + 3_600);

impl Functions {
    /// Lets everything come to rest, and judges.
    pub(crate) async fn rest(&self) {
        self.heal();
        self.world().faults = Faults::default();
        sleep(LONGEST_SLEEP).await;
        self.hear_all_marketplaces().await;
        sleep(LAST_TIMERS).await;
        self.world().check_timers();
        for _ in 0..3 {
            sleep(Duration::from_secs(MAX_LIFE_SECONDS + 600)).await;
            self.resolve_everything().await;
        }
        self.delete_overdue(0).await;
        self.world().check(true);
        for sku in SKUS {
            self.buy_out(sku).await;
        }
        let mut world = self.world();
        world.check(true);
        world.keep_promises();
        world.keep_facts();
        world.keep_transfers();
    }

    /// Buys all that the shop may sell of a SKU, in one order, once nothing goes wrong any more: it must be served, and the next one refused.
    pub(crate) async fn buy_out(&self, sku: &str) {
        let free = self.world().free_in_the_shop(sku);
        for (quantity, status) in [(free, 201), (1, 409)] {
            if quantity == 0 {
                continue;
            }
            let wish =
                Self::wish_for("POST /v1/orders", &format!("all-{sku}-{status}"), None, &[(sku.to_owned(), quantity)]);
            let Some(answer) = self.insist_healthy(&wish.sample).await else {
                return self.world().violate(format!("an order for {quantity} of {free} {sku} is never answered"));
            };
            if answer.status() != status {
                let said = answer.body();
                return self
                    .world()
                    .violate(format!("{free} {sku} are free, but an order for {quantity} is told {said}"));
            }
            self.heard(&wish, &answer);
        }
    }

    /// A call that is repeated while it is told to come again.
    async fn insist_healthy(&self, sample: &Sample) -> Option<Response> {
        for _ in 0..MAX_ATTEMPTS {
            match self.call(sample.clone()).await {
                Some(response) if response.status() < 500 => return Some(response),
                _ => sleep(Duration::from_secs(2)).await,
            }
        }
        None
    }
}

impl World {
    /// Whether the timers have resolved all that is theirs.
    fn check_timers(&mut self) {
        let told = self.told_lines();
        let leaked = self.audit.leaked(self.now()).find(|(_, owner, _)| !told.contains(*owner));
        let leak = leaked.map(|(bucket, owner, hold)| format!("the hold {hold} of {owner} in {bucket}"));
        if let Some(leak) = leak {
            self.violate(format!("I5 broken: no timer has resolved {leak}"));
        }
    }
}
