//! Mixed load that remembers every answer: holds, payments, late payments, cancellations, sales at once and in turn, movements;
//! some requests twice at the same time, some again later.
//!
//! - `load run` drives it and writes a ledger of what was asked and told.
//! - `load check` asks again what nobody answered, lets all holds end, and compares every line of the ledger with what the
//!   service has recorded, and the stock with the sum of it all. The service must have had no other callers.
//!
//! What each shopper does follows from the seed and the shopper's number. Both end with `N passed, M failed`; exit code 1 if any
//! failed.

mod check;
mod client;
mod judge;
mod ledger;
mod memory;
mod plan;
mod run;
mod shopper;

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;

#[derive(Debug, Parser)]
#[command(about = "Mixed load on a local stack, and whether every answer was true")]
enum Command {
    /// Drive load, and write down every answer
    Run(run::Args),
    /// Compare what was written down with what is recorded
    Check(check::Args),
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let done = match Command::parse() {
        Command::Run(args) => run::run(args).await,
        Command::Check(args) => check::run(args).await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("load: {fault:#}");
            ExitCode::FAILURE
        }
    }
}

/// Prints the closing line that whoever runs several suites can add up, and fails if anything did.
fn close(passed: usize, failures: &[String]) -> Result<()> {
    // A broken rule breaks thousands of lines; twenty say what is wrong.
    for failure in failures.iter().take(20) {
        println!("FAILED {failure}");
    }
    println!("{passed} passed, {} failed", failures.len());
    anyhow::ensure!(failures.is_empty(), "{} failed", failures.len());
    Ok(())
}
