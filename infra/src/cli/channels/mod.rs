//! `holdfast channels`: what a newcomer can see of channels without having an account anywhere.
//!
//! | module | holds |
//! |---|---|
//! | [`simulate`] | the command: four channels sell from one shelf |
//! | [`market`] | a simulated marketplace on loopback, its shoppers, and what it tells |
//! | [`table`] | what is printed every second, and in the end |

mod market;
mod simulate;
mod table;

use std::process::ExitCode;

use super::Failure;

/// Try channels without an account anywhere
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Simulate(simulate::Args),
}

/// Carries out `holdfast channels`.
pub async fn run(args: Args) -> Result<ExitCode, Failure> {
    let Command::Simulate(args) = args.command;
    simulate::run(args).await
}
