//! The day of the documentation, as `.ci/run` has it: the approach that a merchant is advised to take. All four, with
//! `cargo run --release -p holdfast-day`.

use std::process::ExitCode;

use holdfast_day::{plan::Plan, run::Approach, show};

fn main() -> ExitCode {
    show(Plan::WHOLE, &[Approach::Unified])
}
