//! The steps of a process. Each is one write or one read; between any two of them the process may be overtaken, or die.
//!
//! [`next`] says what the next step is, [`step`] takes it. What a process does after a write depends on the image that the
//! write returned, applied or not: that is the state right after it.

use crate::{
    batch,
    config::{Config, Kind},
    decide, resolve,
    rules::Rule,
    state::{BUCKETS, Hold, Pc, Proc, REFUND, RIDS, Record, SOLD, State, Status, Write},
    take,
    write::apply,
};

/// A process's next step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// None.
    Nothing,
    /// A read, or a decision that needs none.
    Look,
    /// This write.
    Write(Write),
}

/// Between how many next steps a process may choose.
pub fn choices(state: &State, config: &Config, process: usize) -> Vec<u8> {
    let proc = &state.procs[process];
    match proc.pc {
        Pc::Done => Vec::new(),
        Pc::Idle if config.procs[process].kind == Kind::Resolver => {
            let all = 0..u8::try_from(BUCKETS * RIDS).unwrap_or_default();
            all.filter(|choice| !seen(state, *choice).2.is_none()).collect()
        }
        Pc::RecordEach => (0..2).filter(|order| proc.open & (1 << order) != 0).collect(),
        _ => vec![0],
    }
}

/// The hold that a resolver may choose to look at.
pub fn seen(state: &State, choice: u8) -> (u8, u8, Hold) {
    let rids = u8::try_from(RIDS).unwrap_or(u8::MAX);
    let (bucket, rid) = (choice / rids, choice % rids);
    (bucket, rid, state.hold(bucket, rid))
}

/// What the process does next.
pub fn next(state: &State, config: &Config, process: usize, choice: u8) -> Next {
    let proc = &state.procs[process];
    let now = config.clock(state, process);
    let rid = proc.rid;
    match proc.pc {
        Pc::Done => Next::Nothing,
        Pc::Idle | Pc::LookBeforeRefusing | Pc::Successor | Pc::SeeEnd | Pc::Look | Pc::Plan => Next::Look,
        Pc::Take => take::hold(proc, config, process),
        Pc::Record => take::record(proc, config, process, now),
        Pc::Refuse => take::refusal(proc, config, process),
        Pc::Resolve => unresolved(proc)
            .and_then(|hold| {
                let eager = config.procs[process].eager;
                resolve::resolution(config, state, (hold.0, rid, hold.1), &proc.look, now, eager)
            })
            .map_or(Next::Look, Next::Write),
        Pc::Confirm => Next::Write(Write::Confirm { rid, now }),
        Pc::PaidUnknown => {
            let record = Record { status: Status::Canceled, expires_at: now, paid_unknown: true, ..Record::default() };
            Next::Write(Write::Put { rid, record })
        }
        Pc::KeepRefusal => Next::Write(Write::KeepRefusal { rid }),
        Pc::Close => Next::Write(Write::Close { rid, now }),
        Pc::Cancel => Next::Write(Write::Cancel { rid }),
        Pc::Extend => Next::Write(Write::Extend { rid, seen: proc.exp, until: now + config.life, now }),
        Pc::HoldAll => batch::hold_all(proc, config, state),
        Pc::RecordEach => batch::record_one(proc, config, choice, now),
    }
}

/// Takes the step that [`next`] has named.
pub fn step(state: &mut State, config: &Config, process: usize, choice: u8, next: &Next) {
    let applied = match next {
        Next::Nothing => return,
        Next::Look => false,
        Next::Write(write) => apply(state, config.rules, write),
    };
    match state.procs[process].pc {
        Pc::Done => {}
        Pc::Idle => start(state, config, process, choice),
        Pc::Take => take::after_hold(state, config, process, next, applied),
        Pc::Record => take::after_record(state, config, process, next, applied),
        Pc::LookBeforeRefusing => take::look_before_refusing(state, config, process),
        Pc::Refuse => take::after_refusal(state, config, process, applied),
        Pc::Resolve => after_resolve(state, config, process, next),
        Pc::Confirm => decide::after_confirm(state, config, process, applied),
        Pc::PaidUnknown => decide::after_paid_unknown(state, process, applied),
        Pc::KeepRefusal => decide::after_keep_refusal(state, config, process, applied),
        Pc::Close => decide::after_close(state, config, process, applied),
        Pc::Successor => decide::successor(state, config, process),
        Pc::Cancel => decide::after_cancel(state, config, process),
        Pc::SeeEnd => decide::see_end(state, config, process),
        Pc::Extend => state.procs[process] = Proc::DONE,
        Pc::Look => {
            let look = *state.record(state.procs[process].rid);
            state.procs[process] = Proc { pc: Pc::Resolve, look, ..state.procs[process] };
        }
        Pc::Plan => batch::plan(state, config, process),
        Pc::HoldAll => batch::after_hold_all(state, process, next, applied),
        Pc::RecordEach => batch::after_record_one(state, config, process, choice),
    }
}

fn start(state: &mut State, config: &Config, process: usize, choice: u8) {
    let spec = &config.procs[process];
    let now = config.clock(state, process);
    let rid = spec.order;
    let runs = state.procs[process].runs;
    state.procs[process] = match spec.kind {
        Kind::Reserve | Kind::Sell => take::begin(config, process, rid, config.want(rid), now),
        Kind::Confirm => Proc { pc: Pc::Confirm, rid, ..Proc::new() },
        Kind::Cancel => Proc { pc: Pc::Cancel, rid, ..Proc::new() },
        Kind::Extend => Proc { pc: Pc::SeeEnd, rid, ..Proc::new() },
        Kind::Batch => Proc { pc: Pc::Plan, exp: now + config.life, ..Proc::new() },
        Kind::Resolver => {
            let (bucket, rid, hold) = seen(state, choice);
            let mut proc = Proc { pc: Pc::Look, rid, runs: runs.saturating_sub(1), ..Proc::new() };
            proc.extra[usize::from(bucket)] = hold;
            // The next hold, or none.
            proc.then = if proc.runs > 0 { Pc::Idle } else { Pc::Done };
            proc
        }
    };
}

pub fn unresolved(proc: &Proc) -> Option<(u8, Hold)> {
    (0..).zip(proc.extra).find(|(_, hold)| !hold.is_none())
}

fn after_resolve(state: &mut State, config: &Config, process: usize, next: &Next) {
    let look = *state.record(state.procs[process].rid);
    let proc = &mut state.procs[process];
    match next {
        Next::Write(write) if !resolve::is_last(write) => proc.look = look,
        // Left its bucket, or has to wait for another resolver.
        _ => {
            if let Some((bucket, _)) = unresolved(proc) {
                proc.extra[usize::from(bucket)] = Hold::NONE;
            }
        }
    }
    if unresolved(proc).is_none() {
        go_on(state, config, process);
    }
}

/// Resolves what the process holds and `look` does not keep, then goes on with `then`.
pub fn release_unkept(state: &mut State, config: &Config, process: usize, look: Record, then: Pc) {
    let proc = &mut state.procs[process];
    let kept = std::mem::take(&mut proc.kept);
    for (extra, hold) in proc.extra.iter_mut().zip(kept).filter(|(_, hold)| !hold.is_none()) {
        *extra = hold;
    }
    for (bucket, hold) in (0..).zip(&mut proc.extra) {
        if look.keeps(bucket, *hold) {
            *hold = Hold::NONE;
        }
    }
    proc.look = look;
    proc.then = then;
    proc.pc = Pc::Resolve;
    if unresolved(proc).is_none() {
        go_on(state, config, process);
    }
}

/// Goes on after resolving, with nothing in mind that is not needed any more.
pub fn go_on(state: &mut State, config: &Config, process: usize) {
    let proc = &mut state.procs[process];
    let cleared = Proc { pc: proc.then, ..Proc::new() };
    *proc = match proc.then {
        Pc::Idle if config.procs[process].kind == Kind::Resolver => Proc { runs: proc.runs, ..cleared },
        Pc::RecordEach => Proc { pc: Pc::RecordEach, then: Pc::Done, look: Record::default(), rid: 0, ..*proc },
        Pc::Done | Pc::Idle => Proc::DONE,
        _ => Proc { rid: proc.rid, ..cleared },
    };
}

/// The answer that a record gives to whoever asks for the order.
pub fn answer(state: &mut State, rid: u8, record: &Record) {
    match record.status {
        Status::Confirmed => state.answer(rid, SOLD),
        Status::Canceled => state.answer(rid, REFUND),
        _ => {}
    }
}

/// Whether the handler sells, rather than holds until paid.
pub fn sells(config: &Config, process: usize) -> bool {
    config.procs[process].kind != Kind::Reserve
}

/// Whether a rule applies.
pub fn applies(config: &Config, rule: Rule) -> bool {
    config.rules.hold(rule)
}
