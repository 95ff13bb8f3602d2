//! A schedule in words.

use std::fmt::Write as _;

use crate::{
    config::{Config, Kind},
    model::Action,
    process::{self, Next},
    state::{CHILD, HOME, Hold, Pc, REFUND, Record, SOLD, State, Status, Write},
    write::{SETTLED_BY_BATCH, apply},
};

/// What happened between two states.
pub fn step(config: &Config, before: &State, action: Action, after: &State) -> String {
    let what = match action {
        Action::Step { process, choice } => {
            let next = process::next(before, config, process, choice);
            let done = match next {
                Next::Write(wanted) => {
                    let mut trial = *before;
                    let applied = apply(&mut trial, config.rules, &wanted);
                    format!("{}: {}", written(&wanted), if applied { "applied" } else { "refused" })
                }
                Next::Look | Next::Nothing => look(before, config, process, choice),
            };
            format!("{}: {done}", name(config, process))
        }
        Action::Lose { process, choice } => match process::next(before, config, process, choice) {
            Next::Write(wanted) => format!("{}: {}: sent, no answer", name(config, process), written(&wanted)),
            Next::Look | Next::Nothing => name(config, process),
        },
        Action::Arrive { copy } => match before.copies[copy] {
            Some(copied) => {
                let mut trial = *before;
                let applied = apply(&mut trial, config.rules, &copied.write);
                let result = if applied { "applied" } else { "refused" };
                format!("arrives, signed at {}: {}: {result}", copied.signed_at, written(&copied.write))
            }
            None => "nothing arrives".to_owned(),
        },
        Action::Purge { rid } => format!("the table deletes the record of {}", rid_name(rid)),
        Action::OpenChild => "the child is opened".to_owned(),
        Action::FoldChild => "the child's free units go home".to_owned(),
        Action::DeleteChild => "the child is deleted".to_owned(),
        Action::Tick => format!("time passes: {}", after.now),
    };
    let mut line = format!("t={} {what}", before.now);
    for (n, (old, new)) in before.answers.iter().zip(after.answers).enumerate() {
        let given = new & !old;
        let text = match given {
            SOLD => "sold",
            REFUND => "refund",
            _ => continue,
        };
        let _ = write!(line, "; {} is answered \"{text}\"", ["A", "B", "C"][n]);
    }
    line
}

fn name(config: &Config, process: usize) -> String {
    let spec = &config.procs[process];
    let order = rid_name(spec.order);
    let what = match spec.kind {
        Kind::Reserve => format!("reserve {order}"),
        Kind::Sell => format!("sell {order}"),
        Kind::Confirm => format!("confirm {order}"),
        Kind::Cancel => format!("cancel {order}"),
        Kind::Extend => format!("extend {order}"),
        Kind::Resolver => "resolver".to_owned(),
        Kind::Batch => "batch of A and B".to_owned(),
    };
    match spec.route {
        [CHILD, ..] => what + " (child first)",
        _ => what,
    }
}

fn look(before: &State, config: &Config, process: usize, choice: u8) -> String {
    let proc = &before.procs[process];
    let found = |rid: u8| format!("reads {}: {}", rid_name(rid), record(before.record(rid)));
    match proc.pc {
        Pc::Idle if config.procs[process].kind == Kind::Resolver => {
            let (bucket, rid, seen) = process::seen(before, choice);
            format!("sees {} of {} in {}", hold(seen), rid_name(rid), bucket_name(bucket))
        }
        Pc::Idle => "begins".to_owned(),
        Pc::Look | Pc::LookBeforeRefusing | Pc::SeeEnd => found(proc.rid),
        Pc::Successor => found(crate::state::successor(proc.rid)),
        Pc::Record => "is too late to record".to_owned(),
        Pc::Plan => "looks at home and plans".to_owned(),
        Pc::Resolve => "leaves the hold".to_owned(),
        _ => "goes on".to_owned(),
    }
}

fn written(write: &Write) -> String {
    match *write {
        Write::Hold { bucket, rid, hold: h } => {
            format!("hold {} for {} in {}", hold(h), rid_name(rid), bucket_name(bucket))
        }
        Write::Release { bucket, rid, hold: h } => {
            format!("release {} of {} in {}", hold(h), rid_name(rid), bucket_name(bucket))
        }
        Write::Settle { bucket, rid, hold: h, .. } => {
            format!("settle {} of {} in {}", hold(h), rid_name(rid), bucket_name(bucket))
        }
        Write::Group { batch } => {
            // Writing to a String cannot fail, here and below.
            let mut text = String::from("hold at once");
            for (rid, h) in (0..).zip(batch.holds).filter(|(_, h)| !h.is_none()) {
                let _ = write!(text, " {} for {}", hold(h), rid_name(rid));
            }
            if !batch.settled.is_none() {
                let _ = write!(text, " and settle {} of {}", hold(batch.settled), rid_name(SETTLED_BY_BATCH));
            }
            text
        }
        Write::Put { rid, record: r } => format!("put {} {}", rid_name(rid), record(&r)),
        Write::Confirm { rid, now } => format!("confirm {} at {now}", rid_name(rid)),
        Write::Cancel { rid } => format!("cancel {}", rid_name(rid)),
        Write::Expire { rid, now } => format!("expire {} at {now}", rid_name(rid)),
        Write::Close { rid, now } => format!("close {} for its successor at {now}", rid_name(rid)),
        Write::KeepRefusal { rid } => format!("keep the refusal of {}", rid_name(rid)),
        Write::KeepUntil { rid, ttl } => format!("keep the record of {} until {ttl}", rid_name(rid)),
        Write::Extend { rid, until, .. } => format!("extend {} until {until}", rid_name(rid)),
    }
}

fn record(record: &Record) -> String {
    let mut text = match record.status {
        Status::Missing => return "no record".to_owned(),
        Status::Active => "active",
        Status::Confirmed => "confirmed",
        Status::Canceled => "canceled",
        Status::Expired => "expired",
    }
    .to_owned();
    for (bucket, own) in (0..).zip(record.alloc).filter(|(_, own)| !own.is_none()) {
        let _ = write!(text, " {} in {}", hold(own), bucket_name(bucket));
    }
    if record.has_successor {
        text += " with a successor";
    }
    match record.ttl {
        0 => text + ", for good",
        ttl => format!("{text}, ttl {ttl}"),
    }
}

/// The whole state, as its last words.
pub fn state(state: &State) -> String {
    let mut lines = Vec::new();
    for (bucket, b) in (0..).zip(&state.buckets).filter(|(_, b)| b.exists) {
        let mut line = format!("{}: a={} sold={} w={}", bucket_name(bucket), b.a, b.sold, b.w);
        for (rid, own) in (0..).zip(b.h).filter(|(_, own)| !own.is_none()) {
            let _ = write!(line, " {}={}", rid_name(rid), hold(own));
        }
        lines.push(line);
    }
    for (rid, r) in (0..).zip(&state.records).filter(|(_, r)| r.status != Status::Missing) {
        lines.push(format!("{}: {} (line of {})", rid_name(rid), record(r), r.q));
    }
    lines.join("; ")
}

fn hold(hold: Hold) -> String {
    format!("{}@{}", hold.q, hold.exp)
}

fn rid_name(rid: u8) -> &'static str {
    ["A", "B", "C", "A'", "B'"][usize::from(rid)]
}

fn bucket_name(bucket: u8) -> &'static str {
    if bucket == HOME { "home" } else { "child" }
}
