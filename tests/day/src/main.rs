//! `cargo run --release -p holdfast-day`: a day with four channels, under each approach; exits with 1 if a promise is broken.

use std::process::ExitCode;

use clap::Parser;
use holdfast_day::{plan::Plan, run::Approach, show};

/// A day with four channels: own store, Amazon, eBay and Walmart sell from one shelf.
#[derive(Debug, Parser)]
struct Arguments {
    /// What decides who comes, and when
    #[arg(long, default_value_t = Plan::WHOLE.seed)]
    seed: u64,

    /// How many SKUs
    #[arg(long, default_value_t = Plan::WHOLE.skus)]
    skus: usize,

    /// About how many orders
    #[arg(long, default_value_t = Plan::WHOLE.orders)]
    orders: usize,

    /// How long the day is
    #[arg(long, default_value_t = Plan::WHOLE.hours)]
    hours: u64,

    /// For how many minutes a channel is down
    #[arg(long, default_value_t = Plan::WHOLE.down_minutes)]
    down_minutes: u64,

    /// Only these approaches: polling, webhooks, quotas, unified
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
}

fn main() -> ExitCode {
    let Arguments { seed, skus, orders, hours, down_minutes, only } = Arguments::parse();
    let named = |approach: &Approach| only.is_empty() || only.iter().any(|word| word == approach.word());
    let approaches: Vec<Approach> = Approach::ALL.into_iter().filter(named).collect();
    show(Plan { seed, skus, orders, hours, down_minutes }, &approaches)
}
