//! `holdfast`: the local stack, and the commands that talk to a running service.

mod cli;
mod serve;

use std::process::ExitCode;

use clap::Parser;

/// An inventory service that cannot oversell. Without a command it starts the local stack.
#[derive(Debug, Parser)]
#[command(name = "holdfast", version)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: serve::Options,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Start the whole service on this machine
    Serve(serve::Options),
    #[command(flatten)]
    Cli(cli::Command),
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match arguments.command {
        None => serve::run(arguments.serve).await,
        Some(Command::Serve(options)) => serve::run(options).await,
        Some(Command::Cli(command)) => cli::run(command).await,
    }
}
