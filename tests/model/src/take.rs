//! Reserve, sell, and the second half of a late payment: hold, then record, or record that something is short.

use crate::{
    config::{Config, Kind, Split},
    process::{Next, answer, applies, release_unkept, sells},
    rules::Rule,
    state::{CHILD, Hold, Pc, Proc, REFUND, Record, State, Status, Time, Write},
};

/// The first step: choose the end of the holds.
pub fn begin(config: &Config, process: usize, rid: u8, want: i8, now: Time) -> Proc {
    let pc = if want == 0 { Pc::LookBeforeRefusing } else { Pc::Take };
    let split = config.procs[process].split == Split::AtOnce && want > 1;
    Proc { pc, rid, want, exp: now + config.life, split, ..Proc::new() }
}

fn rest(proc: &Proc) -> i8 {
    proc.want - proc.kept.iter().map(|hold| hold.q).sum::<i8>()
}

/// The bucket that is tried now, and what is wanted from it.
fn asked(proc: &Proc, config: &Config, process: usize) -> (u8, Hold) {
    let bucket = config.procs[process].route[usize::from(proc.at)];
    let q = if proc.split { 1 } else { rest(proc) };
    (bucket, Hold { q, exp: proc.exp })
}

pub fn hold(proc: &Proc, config: &Config, process: usize) -> Next {
    let (bucket, hold) = asked(proc, config, process);
    Next::Write(Write::Hold { bucket, rid: proc.rid, hold })
}

/// The hold was made; or an earlier attempt's is adopted; or a later end is taken; or the next bucket is tried.
pub fn after_hold(state: &mut State, config: &Config, process: usize, next: &Next, applied: bool) {
    let Next::Write(Write::Hold { bucket, rid, hold }) = *next else { return };
    let image = *state.bucket(bucket);
    let proc = &mut state.procs[process];
    let slot = usize::from(bucket);
    let found = image.h[usize::from(rid)];
    if applied {
        proc.kept[slot] = hold;
    } else if !found.is_none() {
        let too_much = found.q > rest(proc) && applies(config, Rule::ExactSum);
        let adopted = if applies(config, Rule::AdoptWhatIsThere) { found } else { hold };
        if too_much {
            proc.extra[slot] = found;
        } else {
            proc.kept[slot] = adopted;
        }
    } else if image.exists && image.a >= hold.q && image.w >= hold.exp && proc.kept.iter().all(|kept| kept.is_none()) {
        proc.exp = image.w + 1;
        return;
    }
    if rest(proc) <= 0 {
        (proc.pc, proc.at, proc.split) = (Pc::Record, 0, false);
    } else {
        try_next(state, config, process);
    }
}

fn try_next(state: &mut State, config: &Config, process: usize) {
    let spec = &config.procs[process];
    let proc = &mut state.procs[process];
    proc.at += 1;
    loop {
        if usize::from(proc.at) >= spec.route.len() {
            if spec.split == Split::Never || proc.split || proc.want < 2 {
                break;
            }
            (proc.split, proc.at) = (true, 0);
        }
        let slot = usize::from(spec.route[usize::from(proc.at)]);
        if proc.kept[slot].is_none() && proc.extra[slot].is_none() {
            return;
        }
        proc.at += 1;
    }
    short(state, config, process);
}

fn holds_nothing(proc: &Proc) -> bool {
    proc.kept.iter().chain(&proc.extra).all(|hold| hold.is_none())
}

fn short(state: &mut State, config: &Config, process: usize) {
    let proc = &mut state.procs[process];
    (proc.at, proc.split) = (0, false);
    let own_surplus = proc.extra.iter().any(|hold| !hold.is_none());
    if own_surplus {
        // What is missing may be what attempts of this very request hold too much: no answer, and nothing is recorded.
        *proc = Proc::DONE;
        return;
    }
    refuse(state, config, process);
}

/// A sale, and whoever holds nothing, looks first whether the request was decided before.
fn refuse(state: &mut State, config: &Config, process: usize) {
    let proc = &mut state.procs[process];
    let looks = holds_nothing(proc) || sells(config, process);
    proc.pc = if looks { Pc::LookBeforeRefusing } else { Pc::Refuse };
}

fn latest(proc: &Proc) -> Time {
    proc.kept.iter().chain(&proc.extra).map(|hold| hold.exp).max().unwrap_or(0).max(proc.exp)
}

/// The record, unless its first hold has ended; then it is too late.
pub fn record(proc: &Proc, config: &Config, process: usize, now: Time) -> Next {
    let first_end = proc.kept.iter().filter(|hold| !hold.is_none()).map(|hold| hold.exp).min().unwrap_or(0);
    if now >= first_end && applies(config, Rule::Deadline) {
        return Next::Look;
    }
    let sells = sells(config, process);
    let record = Record {
        status: if sells { Status::Confirmed } else { Status::Active },
        q: proc.want,
        alloc: proc.kept,
        expires_at: first_end,
        ttl: if sells { 0 } else { config.purge_after(latest(proc)) },
        ..Record::default()
    };
    Next::Write(Write::Put { rid: proc.rid, record })
}

pub fn after_record(state: &mut State, config: &Config, process: usize, next: &Next, applied: bool) {
    let Next::Write(Write::Put { rid, record }) = *next else {
        return refuse(state, config, process);
    };
    if applied {
        if sells(config, process) {
            answer(state, rid, &record);
        }
        release_unkept(state, config, process, record, Pc::Done);
    } else {
        found(state, config, process);
    }
}

pub fn look_before_refusing(state: &mut State, config: &Config, process: usize) {
    let proc = &mut state.procs[process];
    if state.records[usize::from(proc.rid)].status != Status::Missing {
        found(state, config, process);
    } else if holds_nothing(proc) && !sells(config, process) {
        *proc = Proc::DONE;
    } else if holds_nothing(proc) && !applies(config, Rule::RecordRefusal) {
        let rid = proc.rid;
        *proc = Proc::DONE;
        state.answer(rid, REFUND);
    } else {
        proc.pc = Pc::Refuse;
    }
}

fn refused(proc: &Proc, config: &Config, process: usize) -> Record {
    let for_good = sells(config, process) && applies(config, Rule::RefusalKept);
    let latest = latest(proc);
    let ttl = if for_good { 0 } else { config.purge_after(latest) };
    Record { status: Status::Canceled, q: proc.want, expires_at: latest, ttl, ..Record::default() }
}

pub fn refusal(proc: &Proc, config: &Config, process: usize) -> Next {
    if !applies(config, Rule::RecordBeforeAbort) && !holds_nothing(proc) {
        return Next::Look;
    }
    Next::Write(Write::Put { rid: proc.rid, record: refused(proc, config, process) })
}

pub fn after_refusal(state: &mut State, config: &Config, process: usize, applied: bool) {
    let proc = state.procs[process];
    let skipped = !applies(config, Rule::RecordBeforeAbort) && !holds_nothing(&proc);
    if applied || skipped {
        let record = refused(&proc, config, process);
        if sells(config, process) && applied {
            answer(state, proc.rid, &record);
        }
        release_unkept(
            state,
            config,
            process,
            Record { ttl: if skipped { 0 } else { record.ttl }, ..record },
            Pc::Done,
        );
    } else {
        found(state, config, process);
    }
}

/// The request was decided before: that is the answer, once what the record does not keep has been released.
fn found(state: &mut State, config: &Config, process: usize) {
    let rid = state.procs[process].rid;
    let record = *state.record(rid);
    let is_successor = rid > 2;
    let then = match (config.procs[process].kind, record.status) {
        (Kind::Reserve, _) | (_, Status::Missing | Status::Active) => Pc::Done,
        // A sale records its refusals without a ttl.
        (_, Status::Confirmed) | (Kind::Sell, Status::Canceled) => {
            answer(state, rid, &record);
            Pc::Done
        }
        (_, Status::Expired | Status::Canceled) if is_successor => Pc::KeepRefusal,
        (Kind::Sell, Status::Expired) if record.has_successor => Pc::Successor,
        (Kind::Sell, Status::Expired) => Pc::Close,
        _ => Pc::Done,
    };
    release_unkept(state, config, process, record, then);
}

/// Begins again under the same id.
pub fn begin_again(state: &mut State, config: &Config, process: usize) {
    let now = config.clock(state, process);
    let rid = state.procs[process].rid;
    state.procs[process] = begin(config, process, rid, config.want(rid), now);
}

const _: () = assert!(CHILD == 1, "`kept` and `extra` are indexed by bucket");
