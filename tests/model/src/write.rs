//! Every write with its condition: the only place where the table changes.

use crate::{
    rules::{Rule, Rules},
    state::{Batch, Bucket, CHILD, HOME, Hold, Record, State, Status, Time, Write},
};

/// Applies the write if its condition holds, and says whether it did.
pub fn apply(state: &mut State, rules: Rules, write: &Write) -> bool {
    match *write {
        Write::Hold { bucket, rid, hold } => take(&mut state.buckets[usize::from(bucket)], rules, rid, hold),
        Write::Release { bucket, rid, hold } => release(&mut state.buckets[usize::from(bucket)], rules, rid, hold),
        Write::Settle { bucket, rid, hold, raises } => {
            settle(&mut state.buckets[usize::from(bucket)], rules, rid, hold, raises)
        }
        Write::Group { batch } => group(&mut state.buckets[usize::from(HOME)], rules, batch),
        Write::Put { rid, record } => {
            let found = &mut state.records[usize::from(rid)];
            let ok = found.status == Status::Missing || !rules.hold(Rule::PutOnce);
            if ok {
                *found = record;
            }
            ok
        }
        Write::Confirm { rid, .. }
        | Write::Cancel { rid }
        | Write::Expire { rid, .. }
        | Write::Close { rid, .. }
        | Write::KeepRefusal { rid }
        | Write::KeepUntil { rid, .. }
        | Write::Extend { rid, .. } => {
            let changed = decide(state.record(rid), rules, write);
            if let Some(record) = changed {
                state.records[usize::from(rid)] = record;
            }
            changed.is_some()
        }
    }
}

fn may_take(bucket: &Bucket, rules: Rules, rid: u8, hold: Hold) -> bool {
    let new = bucket.h[usize::from(rid)].is_none() || !rules.hold(Rule::HoldOnce);
    let above = bucket.w < hold.exp || !rules.hold(Rule::Watermark);
    new && above
}

fn has(bucket: &Bucket, rules: Rules, units: i8) -> bool {
    // A bucket that is not there has no `a`: it fails any comparison.
    bucket.exists && (bucket.a >= units || !rules.hold(Rule::EnoughUnits))
}

fn take(bucket: &mut Bucket, rules: Rules, rid: u8, hold: Hold) -> bool {
    let ok = has(bucket, rules, hold.q) && may_take(bucket, rules, rid, hold);
    if ok {
        bucket.a -= hold.q;
        bucket.h[usize::from(rid)] = hold;
    }
    ok
}

fn is_there(bucket: &Bucket, rid: u8, hold: Hold, exact: bool) -> bool {
    let found = bucket.h[usize::from(rid)];
    if exact { found == hold } else { !found.is_none() }
}

fn release(bucket: &mut Bucket, rules: Rules, rid: u8, hold: Hold) -> bool {
    let ok = is_there(bucket, rid, hold, rules.hold(Rule::ReleaseExact));
    if ok {
        bucket.a += hold.q;
        bucket.h[usize::from(rid)] = Hold::NONE;
    }
    ok
}

fn settle(bucket: &mut Bucket, rules: Rules, rid: u8, hold: Hold, raises: bool) -> bool {
    let below = if raises { bucket.w <= hold.exp } else { bucket.w > hold.exp };
    let ok = is_there(bucket, rid, hold, rules.hold(Rule::SettleExact)) && below;
    if ok {
        count_as_sold(bucket, rid, hold, raises);
    }
    ok
}

fn count_as_sold(bucket: &mut Bucket, rid: u8, hold: Hold, raises: bool) {
    bucket.sold += hold.q;
    bucket.h[usize::from(rid)] = Hold::NONE;
    bucket.settled[usize::from(rid)] = hold;
    if raises {
        bucket.w = hold.exp;
    }
}

/// The reservation whose hold a batch may settle.
pub const SETTLED_BY_BATCH: u8 = 2;

fn group(home: &mut Bucket, rules: Rules, Batch { holds, settled, raises }: Batch) -> bool {
    let taken = holds.iter().map(|hold| hold.q).sum();
    let once = rules.hold(Rule::HoldOnce);
    let new = home.h.iter().zip(&holds).all(|(found, hold)| hold.is_none() || found.is_none() || !once);
    let exp = holds.iter().map(|hold| hold.exp).max().unwrap_or(0);
    let watermark = if settled.is_none() {
        home.w < exp || !rules.hold(Rule::Watermark)
    } else {
        let there = is_there(home, SETTLED_BY_BATCH, settled, rules.hold(Rule::SettleExact));
        let above = home.w < exp || !rules.hold(Rule::Watermark);
        there && if raises { home.w <= settled.exp } else { home.w > settled.exp && above }
    };
    let ok = has(home, rules, taken) && new && watermark;
    if ok {
        home.a -= taken;
        for (own, hold) in home.h.iter_mut().zip(&holds).filter(|(_, hold)| !hold.is_none()) {
            *own = *hold;
        }
        if !settled.is_none() {
            count_as_sold(home, SETTLED_BY_BATCH, settled, raises);
        }
    }
    ok
}

/// What a decision makes of a record; nothing if its condition fails.
fn decide(record: &Record, rules: Rules, write: &Write) -> Option<Record> {
    let active = record.status == Status::Active;
    let lapsed = |now: Time| active && record.expires_at < now;
    let changed = match *write {
        Write::Confirm { now, .. } => {
            let guard = active || (!rules.hold(Rule::StatusInConfirm) && record.status != Status::Missing);
            let ttl = if rules.hold(Rule::ConfirmKeeps) { 0 } else { record.ttl };
            (guard && record.expires_at > now).then_some(Record { status: Status::Confirmed, ttl, ..*record })
        }
        Write::Cancel { .. } => active.then_some(Record { status: Status::Canceled, ..*record }),
        Write::Expire { now, .. } => lapsed(now).then_some(Record { status: Status::Expired, ..*record }),
        Write::Close { now, .. } => {
            let ttl = if rules.hold(Rule::CloseKeeps) { 0 } else { record.ttl };
            let closed = Record { status: Status::Expired, has_successor: true, ttl, ..*record };
            (record.status == Status::Expired || lapsed(now)).then_some(closed)
        }
        Write::KeepRefusal { .. } => {
            matches!(record.status, Status::Canceled | Status::Expired).then_some(Record { ttl: 0, ..*record })
        }
        Write::KeepUntil { ttl, .. } => (record.ttl != 0 && record.ttl < ttl).then_some(Record { ttl, ..*record }),
        Write::Extend { seen, until, now, .. } => (active && record.expires_at > now && record.expires_at == seen)
            .then_some(Record { expires_at: until, ..*record }),
        _ => None,
    };
    changed.filter(|_| record.status != Status::Missing)
}

/// Opens the child with `units` of the home: one transaction.
pub fn open_child(state: &mut State, rules: Rules, units: i8) -> bool {
    let [home, child] = &mut state.buckets;
    let number_is_new = !state.number_used || !rules.hold(Rule::NumberOnce);
    let ok = home.a >= units && number_is_new && !child.exists;
    if ok {
        home.a -= units;
        *child = Bucket { exists: true, a: units, settled: child.settled, ..Bucket::default() };
        state.number_used = true;
    }
    ok
}

/// Brings the child's free units home: one transaction.
pub fn fold_child(state: &mut State) -> bool {
    let [home, child] = &mut state.buckets;
    let ok = child.exists && child.a > 0;
    if ok {
        home.a += child.a;
        child.a = 0;
    }
    ok
}

/// Deletes an empty child: one transaction.
pub fn delete_child(state: &mut State, rules: Rules) -> bool {
    let [home, child] = &mut state.buckets;
    let ok = child.exists && child.a == 0 && child.h.iter().all(|hold| hold.is_none());
    if ok {
        if rules.hold(Rule::MoveSold) {
            home.sold += child.sold;
        }
        *child = Bucket { settled: child.settled, ..Bucket::default() };
    }
    ok
}

const _: () = assert!(CHILD == 1 && HOME == 0, "the transactions take the buckets apart in this order");
