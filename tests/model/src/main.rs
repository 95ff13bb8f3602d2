//! Searches all configurations, or shows what breaks without a rule.
//!
//!     cargo run --release -p holdfast-model                               every configuration
//!     cargo run --release -p holdfast-model -- retry sale                 only these
//!     cargo run --release -p holdfast-model -- --sabotage all             without each rule in turn
//!     cargo run --release -p holdfast-model -- --sabotage deadline --trace    one rule, and the schedule that breaks it
//!
//! The exit code is 1 if a configuration breaks an invariant, or if nothing breaks without a rule.

use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

use holdfast_model::{
    check::{Outcome, search},
    config::Config,
    configurations::CONFIGURATIONS,
    rules::{Described, RULES, Rules},
};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let trace = arguments.iter().any(|argument| argument == "--trace");
    let mut words = arguments.iter().filter(|argument| *argument != "--trace").map(String::as_str).peekable();
    let all_well = if words.next_if_eq(&"--sabotage").is_some() {
        let name = words.next().unwrap_or("all");
        let chosen: Vec<_> = RULES.iter().filter(|rule| name == "all" || rule.name == name).collect();
        sabotage(&chosen, trace)
    } else {
        let names: Vec<&str> = words.collect();
        let chosen: Vec<_> =
            CONFIGURATIONS.iter().filter(|config| names.is_empty() || names.contains(&config.name)).collect();
        healthy(&chosen)
    };
    if all_well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Searches, and says how long it took.
#[expect(clippy::disallowed_methods, reason = "a duration for a person to read; nothing is decided by it")]
fn timed(config: &Config) -> (Outcome, Duration) {
    let begun = Instant::now();
    let outcome = search(config);
    (outcome, begun.elapsed())
}

/// Says whether there was something to search and no configuration breaks an invariant.
fn healthy(configurations: &[&Config]) -> bool {
    println!("{:<15} {:>10} {:>6} {:>8}  verdict", "configuration", "states", "depth", "seconds");
    let mut all_well = !configurations.is_empty();
    for config in configurations {
        let (outcome, took) = timed(config);
        let Outcome { states, depth, violation } = outcome;
        let verdict = violation.as_ref().map_or_else(|| "holds".to_owned(), |found| found.invariants.join(", "));
        println!("{:<15} {states:>10} {depth:>6} {:>8.1}  {verdict}", config.name, took.as_secs_f32());
        if let Some(violation) = violation {
            println!("    {}", violation.schedule.join("\n    "));
            all_well = false;
        }
    }
    all_well
}

/// Says whether there was a rule, and something breaks without each.
fn sabotage(rules: &[&Described], trace: bool) -> bool {
    println!("{:<22} {:<14} {:>8} {:>6} {:>8}  breaks", "without", "found by", "states", "steps", "seconds");
    let mut all_found = !rules.is_empty();
    for rule in rules {
        let mut found = false;
        for config in CONFIGURATIONS.iter().filter(|config| config.shows.contains(&rule.rule)) {
            let (outcome, took) = timed(&Config { rules: Rules { without: Some(rule.rule) }, ..*config });
            let Some(violation) = outcome.violation else {
                println!("{:<22} {:<14} survives", rule.name, config.name);
                all_found = false;
                continue;
            };
            found = true;
            let (name, states, steps) = (rule.name, outcome.states, violation.schedule.len() - 1);
            let breaks = violation.invariants.join(", ");
            println!("{name:<22} {:<14} {states:>8} {steps:>6} {:>8.1}  {breaks}", config.name, took.as_secs_f32());
            if trace {
                println!("    ({})\n    {}", rule.says, violation.schedule.join("\n    "));
            }
        }
        if !found {
            println!("{:<22} no configuration shows that it is needed", rule.name);
            all_found = false;
        }
    }
    all_found
}
