//! The search in its short form, as CI runs it: `cargo bench --bench seeds`. Exits with 1 when a seed fails.

use std::process::ExitCode;

use holdfast_simulation::search::Search;

fn main() -> ExitCode {
    Search { seeds: 3_000, first: 0, minimise: true }.run()
}
