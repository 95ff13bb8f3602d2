//! `cargo run --release -p holdfast-day`: a whole day with four channels, under each approach; exits with 1 if a promise is broken.

use std::process::ExitCode;

use clap::Parser;
use holdfast_day::{arguments::Arguments, plan::Plan, show};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    show(arguments.plan(Plan::WHOLE), &arguments.approaches())
}
