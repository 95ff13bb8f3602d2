//! `cargo run --release -p holdfast-simulation -- --seeds 1000000`: runs seeds until one fails; prints that one, as short as it can be
//! made, in words.

use std::process::ExitCode;

use clap::Parser;
use holdfast_simulation::{plan::Plan, search::Search};

/// Try to oversell, with faults of every kind, from seeds.
#[derive(Debug, Parser)]
struct Arguments {
    /// How many seeds
    #[arg(long, default_value_t = 2_000)]
    seeds: u64,

    /// The first of them
    #[arg(long, default_value_t = 0)]
    first: u64,

    /// Run one plan, as a failed search prints it, and print everything that happens in it
    #[arg(long, conflicts_with_all = ["seeds", "first"])]
    plan: Option<Plan>,

    /// Do not look for a shorter schedule
    #[arg(long)]
    as_it_is: bool,
}

fn main() -> ExitCode {
    let Arguments { seeds, first, plan, as_it_is } = Arguments::parse();
    let Some(plan) = plan else {
        return Search { seeds, first, minimise: !as_it_is }.run();
    };
    let outcome = plan.run();
    println!("{}", outcome.log.join("\n"));
    if outcome.violation.is_some() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
