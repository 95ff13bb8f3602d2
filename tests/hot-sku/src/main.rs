//! Prints the tables; answers 1 where Holdfast misses a goal.

use std::process::ExitCode;

use clap::Parser;
use holdfast_hot_sku::report::{Asked, report};

/// Many shoppers, one SKU: a model of Holdfast and two common designs under `DynamoDB`'s documented limits.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// All randomness: the same seed prints the same tables.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Shoppers a second, side by side.
    #[arg(long, value_delimiter = ',', default_value = "10,100,1000,10000,30000", value_parser = clap::value_parser!(u32).range(1..))]
    buyers: Vec<u32>,
    /// Units, side by side.
    #[arg(long, default_value_t = 10_000)]
    units: u32,
    /// Shoppers a second, sustained.
    #[arg(long, default_value_t = 30_000, value_parser = clap::value_parser!(u32).range(1..))]
    sustained_buyers: u32,
    /// Units, sustained.
    #[arg(long, default_value_t = 1_000_000)]
    sustained_units: u32,
    /// Shoppers a second, under other assumptions: where the product as it is breaks down.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..))]
    assumed_buyers: u32,
}

fn main() -> ExitCode {
    let Arguments { seed, buyers, units, sustained_buyers, sustained_units, assumed_buyers } = Arguments::parse();
    let (text, met) = report(&Asked { seed, buyers, units, sustained_buyers, sustained_units, assumed_buyers });
    print!("{text}");
    if met { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
