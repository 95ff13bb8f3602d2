//! A short day under each approach, as `.ci/run` has it.

use std::process::ExitCode;

use clap::Parser;
use holdfast_day::{arguments::Arguments, plan::Plan, show};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    show(arguments.plan(Plan::SHORT), &arguments.approaches())
}
