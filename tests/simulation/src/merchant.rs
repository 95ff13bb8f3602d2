//! Merchants who receive, correct, count and announce peaks.

use http::testing::Sample;
use serde_json::json;
use tokio::time::sleep;

use crate::{SKUS, function::Functions, plan::Theme};

impl Functions {
    /// A merchant at work.
    pub async fn merchant(self, number: usize) {
        let theme = self.world().theme;
        if theme == Theme::Restless { self.change_his_mind().await } else { self.keep_the_shelf(number).await }
    }

    /// Announces a peak of the same SKU and calls it off, again and again.
    async fn change_his_mind(&self) {
        for turn in 0..80 {
            let wait = self.world().millis(1_000..12_000);
            sleep(wait).await;
            self.settings(SKUS[0], if turn % 2 == 0 { 96 } else { 0 }).await;
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
        let asked = json!({ "expected_peak_per_second": peak }).to_string();
        drop(self.insist(Sample::new("PUT /v1/stock/{sku}").path("sku", sku).body(&asked)).await);
    }
}
