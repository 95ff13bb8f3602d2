//! Confirm, cancel, extend; and the first half of a late payment: close the old record, then look at its successor.

use crate::{
    config::{Config, Kind},
    process::{answer, applies, release_unkept},
    rules::Rule,
    state::{CANCELED, Pc, Proc, REFUND, SOLD, State, Status, successor as successor_of},
    take,
};

pub fn after_confirm(state: &mut State, config: &Config, process: usize, applied: bool) {
    let rid = state.procs[process].rid;
    let now = config.clock(state, process);
    let record = *state.record(rid);
    let proc = &mut state.procs[process];
    if applied || record.status == Status::Confirmed {
        *proc = Proc::DONE;
        return state.answer(rid, SOLD);
    }
    proc.pc = match record.status {
        Status::Missing => Pc::PaidUnknown,
        Status::Canceled if record.paid_unknown => {
            *proc = Proc::DONE;
            return state.answer(rid, REFUND);
        }
        Status::Canceled => Pc::KeepRefusal,
        // In its very last tick a reservation can neither be confirmed nor be closed.
        Status::Active if record.expires_at == now => Pc::Confirm,
        Status::Expired if record.has_successor => Pc::Successor,
        _ if !applies(config, Rule::CloseFirst) => Pc::Successor,
        _ => Pc::Close,
    };
}

pub fn after_paid_unknown(state: &mut State, process: usize, applied: bool) {
    let proc = &mut state.procs[process];
    let rid = proc.rid;
    if applied {
        *proc = Proc::DONE;
        state.answer(rid, REFUND);
    } else {
        proc.pc = Pc::Confirm;
    }
}

/// The answer is "refund", if the record that says so is there to stay.
pub fn after_keep_refusal(state: &mut State, config: &Config, process: usize, applied: bool) {
    let proc = &mut state.procs[process];
    let rid = proc.rid;
    if applied || !applies(config, Rule::KeepSeen) {
        *proc = Proc::DONE;
        state.answer(rid, REFUND);
    } else if rid > 2 {
        // Deleted since it was seen: look at the successor again.
        *proc = Proc { pc: Pc::Successor, rid: rid - 3, ..Proc::new() };
    } else {
        *proc = Proc { pc: Pc::Confirm, rid, ..Proc::new() };
    }
}

pub fn after_close(state: &mut State, config: &Config, process: usize, applied: bool) {
    let sells = config.procs[process].kind == Kind::Sell;
    if applied || (sells && !applies(config, Rule::CloseSeen)) {
        state.procs[process].pc = Pc::Successor;
    } else if sells {
        take::begin_again(state, config, process);
    } else {
        state.procs[process].pc = Pc::Confirm;
    }
}

/// Reads the successor: its record decides. Without one the units are taken again.
pub fn successor(state: &mut State, config: &Config, process: usize) {
    let old = state.procs[process].rid;
    let rid = successor_of(old);
    let record = *state.record(rid);
    let now = config.clock(state, process);
    let sells = config.procs[process].kind == Kind::Sell;
    match record.status {
        Status::Missing => {
            // Of a reservation of which only a hold was ever seen, nobody but its buyer knows what it was for.
            let known = sells || state.record(old).q > 0;
            let want = if known { config.want(old) } else { 0 };
            state.procs[process] = take::begin(config, process, rid, want, now);
        }
        Status::Confirmed => {
            state.procs[process] = Proc::DONE;
            answer(state, rid, &record);
        }
        Status::Canceled if sells => {
            state.procs[process] = Proc::DONE;
            answer(state, rid, &record);
        }
        _ => state.procs[process] = Proc { pc: Pc::KeepRefusal, rid, ..Proc::new() },
    }
}

pub fn after_cancel(state: &mut State, config: &Config, process: usize) {
    let rid = state.procs[process].rid;
    let record = *state.record(rid);
    if record.status == Status::Canceled && !record.paid_unknown {
        state.answer(rid, CANCELED);
    }
    let is_sold = record.has_successor && state.record(successor_of(rid)).status == Status::Confirmed;
    if record.keeps_its_holds() || record.status == Status::Missing || is_sold {
        state.procs[process] = Proc::DONE;
    } else {
        state.procs[process].extra = record.alloc;
        release_unkept(state, config, process, record, Pc::Done);
    }
}

pub fn see_end(state: &mut State, config: &Config, process: usize) {
    let now = config.clock(state, process);
    let proc = &mut state.procs[process];
    let record = state.records[usize::from(proc.rid)];
    *proc = if record.status == Status::Active && record.expires_at > now {
        Proc { pc: Pc::Extend, exp: record.expires_at, ..*proc }
    } else {
        Proc::DONE
    };
}
