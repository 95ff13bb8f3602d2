//! Group commit: two orders of a queue, held by one write to the home that may also settle a hold of a third.

use crate::{
    config::Config,
    process::{Next, answer, applies, go_on, unresolved},
    rules::Rule,
    state::{Batch, HOME, Hold, Pc, Proc, Record, State, Status, Time, Write},
    write::SETTLED_BY_BATCH,
};

/// Looks at the home and, where it could settle, at the record of that hold. Adopts what an earlier delivery has taken; takes what
/// fits, in the order of the queue; the others are short.
pub fn plan(state: &mut State, config: &Config, process: usize) {
    let home = *state.bucket(HOME);
    let sold = *state.record(SETTLED_BY_BATCH);
    let settleable = home.h[usize::from(SETTLED_BY_BATCH)];
    let proc = &mut state.procs[process];
    let known_sold = sold.status == Status::Confirmed && sold.names(HOME, settleable);
    proc.settling = if known_sold { settleable } else { Hold::NONE };
    proc.exp = proc.exp.max(home.w + 1).max(if known_sold { settleable.exp + 1 } else { 0 });
    (proc.taking, proc.refusing, proc.open) = (0, 0, 0b11);
    let mut free = home.a;
    for (order, want) in (0..2_usize).zip(config.want) {
        let bit = 1 << order;
        let own = home.h[order];
        proc.kept[order] = own;
        if !own.is_none() {
            continue;
        }
        // Without this rule a plan may count on units that are not there, as one made from an old view does.
        if free >= want || !applies(config, Rule::EnoughUnits) {
            free -= want;
            proc.taking |= bit;
        } else {
            proc.refusing |= bit;
        }
    }
    proc.pc = if proc.taking == 0 { Pc::RecordEach } else { Pc::HoldAll };
}

pub fn hold_all(proc: &Proc, config: &Config, state: &State) -> Next {
    let mut holds = [Hold::NONE; 2];
    for ((order, hold), q) in (0..).zip(&mut holds).zip(config.want) {
        if proc.taking & (1 << order) != 0 {
            *hold = Hold { q, exp: proc.exp };
        }
    }
    let raises = !proc.settling.is_none() && state.bucket(HOME).w <= proc.settling.exp;
    Next::Write(Write::Group { batch: Batch { holds, settled: proc.settling, raises } })
}

/// Refused, the plan is made again.
pub fn after_hold_all(state: &mut State, process: usize, next: &Next, applied: bool) {
    let Next::Write(Write::Group { batch }) = *next else { return };
    let proc = &mut state.procs[process];
    if !applied {
        *proc = Proc { pc: Pc::Plan, exp: proc.exp, ..Proc::new() };
        return;
    }
    for (kept, hold) in proc.kept.iter_mut().zip(batch.holds).filter(|(_, hold)| !hold.is_none()) {
        *kept = hold;
    }
    (proc.taking, proc.settling, proc.pc) = (0, Hold::NONE, Pc::RecordEach);
}

/// A sale, or a refusal: where the order is short, or its hold has ended.
fn wanted(proc: &Proc, config: &Config, order: u8, now: Time) -> Record {
    let hold = proc.kept[usize::from(order)];
    let in_time = now < hold.exp || !applies(config, Rule::Deadline);
    let q = config.want[usize::from(order)];
    if proc.refusing & (1 << order) == 0 && in_time {
        let alloc = [hold, Hold::NONE];
        return Record { status: Status::Confirmed, q, alloc, expires_at: hold.exp, ..Record::default() };
    }
    Record { status: Status::Canceled, q, expires_at: proc.exp, ..Record::default() }
}

pub fn record_one(proc: &Proc, config: &Config, order: u8, now: Time) -> Next {
    Next::Write(Write::Put { rid: order, record: wanted(proc, config, order, now) })
}

/// Answers with what is recorded, and lets go of the hold if the record does not keep it.
pub fn after_record_one(state: &mut State, config: &Config, process: usize, order: u8) {
    let record = *state.record(order);
    let proc = &mut state.procs[process];
    proc.open &= !(1 << order);
    proc.refusing &= !(1 << order);
    let hold = std::mem::take(&mut proc.kept[usize::from(order)]);
    if !record.keeps(HOME, hold) {
        proc.extra[usize::from(HOME)] = hold;
    }
    proc.rid = order;
    proc.look = record;
    proc.then = if proc.open == 0 { Pc::Done } else { Pc::RecordEach };
    proc.pc = Pc::Resolve;
    let nothing_to_resolve = unresolved(proc).is_none();
    answer(state, order, &record);
    if nothing_to_resolve {
        go_on(state, config, process);
    }
}
