//! The search in its short form, as CI runs it: `cargo bench --bench seeds`. Exits with 1 when a seed fails.

use std::process::ExitCode;

use holdfast_simulation::search::Search;

/// On two cores of their own a good minute, so that a machine half as fast is done within three.
const SEEDS: u64 = 2_000;

fn main() -> ExitCode {
    Search { seeds: SEEDS, first: 0, minimise: true }.run()
}
