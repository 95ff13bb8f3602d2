//! The quick configurations hold, and every rule is needed. The slow ones run with `cargo run --release -p holdfast-model`.

use holdfast_model::{
    check::search,
    config::Config,
    configurations::CONFIGURATIONS,
    rules::{RULES, Rules},
};

/// Half of the quick configurations, so that two of these tests share the work.
fn hold(half: usize) {
    for config in CONFIGURATIONS.iter().filter(|config| !config.slow).skip(half).step_by(2) {
        if let Some(violation) = search(config).violation {
            panic!("{} breaks {:?}:\n{}", config.name, violation.invariants, violation.schedule.join("\n"));
        }
    }
}

#[test]
fn the_invariants_hold_in_one_half_of_the_small_worlds() {
    hold(0);
}

#[test]
fn the_invariants_hold_in_the_other_half() {
    hold(1);
}

#[test]
fn without_any_one_rule_something_breaks() {
    for rule in &RULES {
        let mut shown = CONFIGURATIONS.iter().filter(|config| config.shows.contains(&rule.rule)).peekable();
        assert!(shown.peek().is_some(), "no configuration shows that {} is needed", rule.name);
        for config in shown {
            let outcome = search(&Config { rules: Rules { without: Some(rule.rule) }, ..*config });
            assert!(outcome.violation.is_some(), "{} holds without {}", config.name, rule.name);
        }
    }
}

#[test]
fn a_schedule_is_told_in_words() {
    let config = CONFIGURATIONS.iter().find(|config| config.name == "late").unwrap();
    let without = RULES.iter().find(|rule| rule.name == "hold-once").unwrap();
    let outcome = search(&Config { rules: Rules { without: Some(without.rule) }, ..*config });
    let violation = outcome.violation.unwrap();
    assert!(violation.invariants.iter().any(|name| name.starts_with("I1")), "{:?}", violation.invariants);
    let story = violation.schedule.join("\n");
    assert!(story.contains("for A in home: sent, no answer"), "{story}");
}
