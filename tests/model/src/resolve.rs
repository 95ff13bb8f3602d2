//! What becomes of a hold, once its record has been looked at; and what remains when all has become quiet.

use crate::{
    config::Config,
    rules::Rule,
    state::{BUCKETS, Copied, Hold, RIDS, Record, State, Status, Time, Write},
    write::apply,
};

/// The next write for a hold whose record was seen to be `look`; nothing if it has to wait.
pub fn resolution(
    config: &Config,
    state: &State,
    (bucket, rid, hold): (u8, u8, Hold),
    look: &Record,
    now: Time,
    eager: bool,
) -> Option<Write> {
    let release = Write::Release { bucket, rid, hold };
    match look.status {
        Status::Missing if !hold.is_over(now) || !config.rules.hold(Rule::CloseUnrecorded) => None,
        Status::Missing if !config.rules.hold(Rule::RecordBeforeRelease) => Some(release),
        Status::Missing => {
            let ttl = config.purge_after(hold.exp);
            let record = Record { status: Status::Expired, expires_at: hold.exp, ttl, ..Record::default() };
            Some(Write::Put { rid, record })
        }
        Status::Active if look.names(bucket, hold) => (now > look.expires_at).then_some(Write::Expire { rid, now }),
        Status::Confirmed if look.names(bucket, hold) => {
            // Whoever guesses the watermark wrong is refused and tries the other form, so the right one is modelled.
            let raises = state.bucket(bucket).w <= hold.exp;
            (eager || hold.is_over(now)).then_some(Write::Settle { bucket, rid, hold, raises })
        }
        _ => {
            let kept_until = config.purge_after(hold.exp);
            let dies_too_soon = look.ttl != 0 && look.ttl < kept_until;
            if dies_too_soon && config.rules.hold(Rule::EvidenceOutlives) {
                Some(Write::KeepUntil { rid, ttl: kept_until })
            } else {
                Some(release)
            }
        }
    }
}

/// Whether this write ends the resolving of its hold.
pub fn is_last(write: &Write) -> bool {
    matches!(write, Write::Release { .. } | Write::Settle { .. })
}

/// Writes for one hold after which it must have left its bucket.
const MAX_LOOKS: usize = 6;

/// The state if everybody crashed now, everything under way were lost, and the resolvers ran much later.
pub fn when_quiet(config: &Config, state: &State) -> State {
    let mut quiet = State { copies: [None::<Copied>; 2], ..*state };
    let late = Time::MAX / 2;
    for bucket in 0..u8::try_from(BUCKETS).unwrap_or_default() {
        for rid in 0..u8::try_from(RIDS).unwrap_or_default() {
            for _ in 0..MAX_LOOKS {
                let hold = quiet.hold(bucket, rid);
                if hold.is_none() {
                    break;
                }
                let look = *quiet.record(rid);
                match resolution(config, &quiet, (bucket, rid, hold), &look, late, false) {
                    Some(write) => apply(&mut quiet, config.rules, &write),
                    None => break,
                };
            }
        }
    }
    quiet
}
