//! Searching a configuration, and what came of it.

use stateright::{Checker, HasDiscoveries, Model};

use crate::{
    config::Config,
    invariants::INVARIANTS,
    model::{Action, Protocol},
    state::State,
    words,
};

/// What a search has found.
pub struct Outcome {
    /// Different states.
    pub states: usize,
    /// The longest of the shortest ways to a state.
    pub depth: usize,
    /// A violation, if there is one.
    pub violation: Option<Violation>,
}

/// A shortest way to break an invariant.
pub struct Violation {
    /// Those that the last state breaks.
    pub invariants: Vec<&'static str>,
    /// What happened, in words; the state at the end.
    pub schedule: Vec<String>,
}

/// Searches all states of a configuration, up to the first violation.
#[must_use]
pub fn search(config: &Config) -> Outcome {
    let (mut shortest, states, depth) = search_below(config, None);
    // The search goes on a little after the first violation and keeps the last: look for one with fewer steps until there is none.
    while let Some(found) = &shortest {
        let (shorter, ..) = search_below(config, Some(found.len()));
        if shorter.is_none() {
            break;
        }
        shortest = shorter;
    }
    Outcome { states, depth, violation: shortest.map(|path| violation(config, &path)) }
}

type Path = Vec<(State, Option<Action>)>;

/// A way of fewer states than `limit` to a violation, how many states were seen, and how deep they are.
fn search_below(config: &Config, limit: Option<usize>) -> (Option<Path>, usize, usize) {
    let checker = Protocol(*config).checker().finish_when(HasDiscoveries::AnyFailures);
    let checker = match limit {
        Some(limit) => checker.target_max_depth(limit),
        None => checker,
    };
    let checker = checker.spawn_bfs().join();
    let paths = checker.discoveries().into_values().map(stateright::Path::into_vec);
    (paths.min_by_key(Vec::len), checker.unique_state_count(), checker.max_depth())
}

fn violation(config: &Config, path: &[(State, Option<Action>)]) -> Violation {
    let mut schedule: Vec<String> = path
        .windows(2)
        .filter_map(|pair| match pair {
            [(before, Some(action)), (after, _)] => Some(words::step(config, before, *action, after)),
            _ => None,
        })
        .collect();
    let mut invariants = Vec::new();
    if let Some((last, _)) = path.last() {
        schedule.push(words::state(last));
        invariants.extend(INVARIANTS.iter().filter(|(_, check)| !check(config, last)).map(|(name, _)| *name));
    }
    Violation { invariants, schedule }
}
