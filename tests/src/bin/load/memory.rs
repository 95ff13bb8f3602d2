//! How much memory a process has, second by second.

use std::{fs, time::Duration};

use anyhow::{Context, Result, ensure};
use tokio::time::sleep;

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

    /// Compares the end with what was there `warm_up` after the start.
    pub fn verdict(&self, warm_up: Duration) -> Result<String> {
        let warm_up_seconds = usize::try_from(warm_up.as_secs())?;
        let (early, late) = (self.mean(warm_up_seconds), self.mean(self.kib.len()));
        let percent = late * 100 / early.max(1);
        let figures = format!("memory: {early} KiB after {warm_up_seconds} s, {late} KiB at the end: {percent} %");
        ensure!(percent <= MOST_GROWTH_PERCENT, "{figures}, more than {MOST_GROWTH_PERCENT} %");
        Ok(figures)
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
        flat.verdict(Duration::from_mins(5)).unwrap();
        let grows = memory((0..900).map(|second| 50_000 + second * 20));
        grows.verdict(Duration::from_mins(5)).unwrap_err();
    }

    #[test]
    fn this_process_has_memory() {
        assert!(Memory::new(std::process::id()).sample().unwrap() > 1_000);
    }
}
