//! Merchants who receive, correct, count and announce peaks.

use http::testing::Sample;
use serde_json::json;
use tokio::time::sleep;

use crate::{SKUS, function::Functions, plan::Theme};

/// How often a merchant changes his mind.
const TURNS: u32 = 60;

impl Functions {
    /// A merchant at work.
    pub async fn merchant(self, number: usize) {
        let theme = self.world().theme;
        if theme == Theme::Restless { self.change_his_mind().await } else { self.keep_the_shelf(number).await }
    }

    /// Announces a peak of one SKU for the rush and calls it off; then again and again, most of all when the holds of the rush end.
    async fn change_his_mind(&self) {
        for turn in 0..TURNS {
            let wait = match turn {
                0 => 100..2_000,
                1 => 15_000..40_000,
                2 => 150_000..400_000,
                // Off for a moment, on for longer: children are there for most of the time, and never for long.
                _ if turn % 2 == 0 => 500..3_000,
                _ => 4_000..14_000,
            };
            let wait = self.world().millis(wait);
            sleep(wait).await;
            if turn == 3 {
                // What was sold must not keep the next peak from having a child.
                self.movement(SKUS[0], "restless", "receive", 12).await;
            }
            // He does not wait for the answer.
            let (functions, change) = (self.clone(), settings(SKUS[0], if turn % 2 == 0 { 96 } else { 0 }));
            tokio::task::spawn_local(async move { functions.call(change).await });
        }
    }

    /// Receives, corrects, counts and splits.
    async fn keep_the_shelf(&self, number: usize) {
        for turn in 0..6 {
            let wait = self.world().millis(20_000..300_000);
            sleep(wait).await;
            let (sku, choice, quantity) = {
                let mut world = self.world();
                let sku = SKUS[world.rng.usize(0..SKUS.len())];
                (sku, world.rng.u32(0..10), world.rng.u64(1..=20))
            };
            let (kind, quantity) = match choice {
                0..=3 => ("receive", i64::try_from(quantity).unwrap_or(1)),
                4..=5 => ("adjust", -i64::try_from(quantity / 4 + 1).unwrap_or(1)),
                6..=7 => ("count", i64::try_from(quantity * 2).unwrap_or(1)),
                _ => {
                    let peak = if choice == 8 { 96 } else { 0 };
                    self.settings(sku, peak).await;
                    continue;
                }
            };
            self.movement(sku, &format!("merchant-{number}-{turn}"), kind, quantity).await;
        }
    }

    /// Books a movement.
    pub async fn movement(&self, sku: &str, key: &str, kind: &str, quantity: i64) {
        let asked = json!({ "kind": kind, "quantity": quantity, "reason": "simulation" }).to_string();
        let sample = Sample::new("POST /v1/stock/{sku}/movements").path("sku", sku).header("Idempotency-Key", key);
        drop(self.insist(sample.body(&asked)).await);
    }

    /// Announces a peak, or that there is none.
    pub async fn settings(&self, sku: &str, peak: u64) {
        drop(self.insist(settings(sku, peak)).await);
    }
}

fn settings(sku: &str, peak: u64) -> Sample {
    let asked = json!({ "expected_peak_per_second": peak }).to_string();
    Sample::new("PUT /v1/stock/{sku}").path("sku", sku).body(&asked)
}
