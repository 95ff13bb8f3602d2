//! Units per second: a bucket of tokens that fills evenly.

use std::time::Duration;

/// How much of a rate is used.
#[derive(Debug, Clone)]
pub struct Meter {
    per_second: f64,
    most: f64,
    tokens: f64,
    filled_at: Duration,
}

impl Meter {
    /// A rate of which so many seconds' worth may be used at once.
    #[must_use]
    pub fn new(per_second: f64, seconds_at_once: f64) -> Self {
        let most = per_second * seconds_at_once;
        Self { per_second, most, tokens: most, filled_at: Duration::ZERO }
    }

    /// Whether so many units may be used now.
    pub fn has(&mut self, now: Duration, units: f64) -> bool {
        let passed = now.saturating_sub(self.filled_at).as_secs_f64();
        self.tokens = passed.mul_add(self.per_second, self.tokens).min(self.most);
        self.filled_at = now;
        self.tokens >= units
    }

    /// Uses units. What it does not have it owes: it fills up later.
    pub fn take(&mut self, units: f64) {
        self.tokens -= units;
    }
}
