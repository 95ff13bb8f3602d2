//! The command line of the binary and of the benchmark: they differ in how large a day they have when nothing is said.

use clap::Parser;

use crate::{plan::Plan, run::Approach};

/// A day with four channels: own store, Amazon, eBay and Walmart sell from one shelf.
#[derive(Debug, Parser)]
pub struct Arguments {
    /// What decides who comes, and when
    #[arg(long)]
    seed: Option<u64>,

    /// How many SKUs
    #[arg(long)]
    skus: Option<usize>,

    /// About how many orders
    #[arg(long)]
    orders: Option<usize>,

    /// How many hours the day has
    #[arg(long)]
    hours: Option<u64>,

    /// For how many minutes a channel is down
    #[arg(long)]
    down_minutes: Option<u64>,

    /// Only these approaches: polling, webhooks, quotas, unified
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,

    /// Tell on standard error all that happens to the SKU with this number
    #[arg(long)]
    follow: Option<usize>,

    /// What Cargo says to a benchmark
    #[arg(long, hide = true)]
    bench: bool,
}

impl Arguments {
    /// The day that was asked for.
    #[must_use]
    pub fn plan(&self, usual: Plan) -> Plan {
        Plan {
            seed: self.seed.unwrap_or(usual.seed),
            skus: self.skus.unwrap_or(usual.skus),
            orders: self.orders.unwrap_or(usual.orders),
            hours: self.hours.unwrap_or(usual.hours),
            down_minutes: self.down_minutes.unwrap_or(usual.down_minutes),
            follow: self.follow,
        }
    }

    /// Under which approaches.
    #[must_use]
    pub fn approaches(&self) -> Vec<Approach> {
        let named = |approach: &Approach| self.only.is_empty() || self.only.iter().any(|word| word == approach.word());
        Approach::ALL.into_iter().filter(named).collect()
    }
}
