//! The protocol as a transition system: what may happen next, in any order.

use stateright::{Model, Property};

use crate::{
    config::Config,
    invariants::INVARIANTS,
    process::{self, Next},
    state::{COPIES, Copied, PROCS, State},
    write,
};

/// Something that happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// A process takes its next step; a write of it is applied at once, and it sees the result.
    Step {
        process: usize,
        choice: u8,
    },
    /// A process signs its next write, which is under way from now on; it hears nothing, and tries again or dies.
    Lose {
        process: usize,
        choice: u8,
    },
    /// A write that is under way arrives.
    Arrive {
        copy: usize,
    },
    /// The table deletes a record whose time has come.
    Purge {
        rid: u8,
    },
    /// Transactions on the child.
    OpenChild,
    FoldChild,
    DeleteChild,
    Tick,
}

/// A configuration to be searched.
#[derive(Debug, Clone, Copy)]
pub struct Protocol(pub Config);

impl Model for Protocol {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        self.0.beginnings()
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        let config = &self.0;
        let room = state.copies.iter().any(Option::is_none);
        for process in 0..config.procs.len() {
            for choice in process::choices(state, config, process) {
                actions.push(Action::Step { process, choice });
                if state.copies_left > 0 && room {
                    actions.push(Action::Lose { process, choice });
                }
            }
        }
        actions.extend((0..COPIES).filter(|n| state.copies[*n].is_some()).map(|copy| Action::Arrive { copy }));
        let purged = (0..).zip(&state.records).filter(|(_, record)| record.ttl != 0 && record.ttl < state.now);
        actions.extend(purged.map(|(rid, _)| Action::Purge { rid }));
        if state.child_ops_left > 0 {
            actions.extend([Action::OpenChild, Action::FoldChild, Action::DeleteChild]);
        }
        if state.now < config.ticks {
            actions.push(Action::Tick);
        }
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = *last;
        self.act(&mut state, action);
        self.forget(&mut state);
        (state != *last).then_some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(INVARIANTS[0].0, |model, state| (INVARIANTS[0].1)(&model.0, state)),
            Property::always(INVARIANTS[1].0, |model, state| (INVARIANTS[1].1)(&model.0, state)),
            Property::always(INVARIANTS[2].0, |model, state| (INVARIANTS[2].1)(&model.0, state)),
            Property::always(INVARIANTS[3].0, |model, state| (INVARIANTS[3].1)(&model.0, state)),
            Property::always(INVARIANTS[4].0, |model, state| (INVARIANTS[4].1)(&model.0, state)),
            Property::always(INVARIANTS[5].0, |model, state| (INVARIANTS[5].1)(&model.0, state)),
        ]
    }
}

impl Protocol {
    fn act(&self, state: &mut State, action: Action) {
        let config = &self.0;
        match action {
            Action::Step { process, choice } => {
                let next = process::next(state, config, process, choice);
                process::step(state, config, process, choice, &next);
            }
            Action::Lose { process, choice } => {
                let signed_at = config.clock(state, process);
                let next = process::next(state, config, process, choice);
                let slot = state.copies.iter_mut().find(|copy| copy.is_none());
                if let (Next::Write(write), Some(slot)) = (next, slot) {
                    *slot = Some(Copied { write, signed_at });
                    state.copies_left -= 1;
                }
            }
            Action::Arrive { copy } => {
                if let Some(arrived) = state.copies[copy].take() {
                    write::apply(state, config.rules, &arrived.write);
                }
            }
            Action::Purge { rid } => state.purge(rid),
            Action::OpenChild => Self::on_child(state, |state| write::open_child(state, config.rules, 1)),
            Action::FoldChild => Self::on_child(state, write::fold_child),
            Action::DeleteChild => Self::on_child(state, |state| write::delete_child(state, config.rules)),
            Action::Tick => state.now += 1,
        }
    }

    fn on_child(state: &mut State, transaction: impl Fn(&mut State) -> bool) {
        if transaction(state) {
            state.child_ops_left -= 1;
        }
    }

    /// Forgets what cannot matter any more, and which of two equal processes is which.
    fn forget(&self, state: &mut State) {
        let config = &self.0;
        let now = state.now;
        for copy in &mut state.copies {
            *copy = copy.filter(|copy| copy.signed_at + config.window >= now);
        }
        state.copies.sort_unstable();
        let ahead = |process: usize| config.clock(state, process);
        let mut procs = state.procs;
        for _ in 1..config.procs.len().min(PROCS) {
            for n in 1..config.procs.len() {
                let equal = config.procs[n - 1] == config.procs[n] && ahead(n - 1) == ahead(n);
                if equal && procs[n - 1] > procs[n] {
                    procs.swap(n - 1, n);
                }
            }
        }
        state.procs = procs;
    }
}
