//! How much memory a process has, second by second.

use std::{fmt, fs, time::Duration};

use anyhow::{Context, Result};
use tokio::time::sleep;

/// After this, a run has as much of everything as it will ever have: the shortest hold lasts five minutes, the load's own half a
/// minute longer, and then their timers come.
pub const WARM_UP_SECONDS: u64 = 7 * 60;

/// Above this share of its early size, a process grows.
const MOST_GROWTH_PERCENT: u64 = 110;

/// The memory of one process.
pub struct Memory {
    pid: u32,
    kib: Vec<u64>,
}

impl Memory {
    pub fn new(pid: u32) -> Self {
        Self { pid, kib: Vec::new() }
    }

    /// The resident set: what the process really occupies.
    pub fn sample(&mut self) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid)).context("the service is gone")?;
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
        let kib = resident.trim().trim_end_matches(" kB").parse()?;
        self.kib.push(kib);
        Ok(kib)
    }

    /// The mean of the minute that ends `at` seconds after the start.
    fn mean(&self, at: usize) -> u64 {
        let last = at.min(self.kib.len());
        let minute = &self.kib[last.saturating_sub(60)..last];
        minute.iter().sum::<u64>() / (minute.len() as u64).max(1)
    }

    /// After the warm-up, and at the end.
    fn early_and_late(&self) -> (u64, u64) {
        let warm_up = usize::try_from(WARM_UP_SECONDS).unwrap_or(usize::MAX);
        (self.mean(warm_up), self.mean(self.kib.len()))
    }

    /// Whether the end is what was there after the warm-up.
    pub fn is_flat(&self) -> bool {
        let (early, late) = self.early_and_late();
        late * 100 <= early * MOST_GROWTH_PERCENT
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (early, late) = self.early_and_late();
        let percent = late * 100 / early.max(1);
        write!(f, "{early} KiB after {WARM_UP_SECONDS} s, {late} KiB at the end: {percent} %")
    }
}

/// A second between two samples.
pub async fn pause() {
    sleep(Duration::from_secs(1)).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memory(kib: impl IntoIterator<Item = u64>) -> Memory {
        Memory { pid: 0, kib: kib.into_iter().collect() }
    }

    #[test]
    fn what_is_flat_after_the_start_passes_and_what_grows_does_not() {
        let flat = memory((0..900).map(|second| 50_000 + second.min(200) * 300 + second % 7));
        assert!(flat.is_flat(), "{flat}");
        let grows = memory((0..900).map(|second| 50_000 + second * 20));
        assert!(!grows.is_flat(), "{grows}");
    }

    #[test]
    fn this_process_has_memory() {
        assert!(Memory::new(std::process::id()).sample().unwrap() > 1_000);
    }
}
