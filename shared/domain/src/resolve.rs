//! What becomes of a hold, once its reservation has been looked at with a strongly consistent read.
//!
//! | record | names the hold? | the hold is |
//! |---|---|---|
//! | missing | – | closed as expired once its time is over, then looked at again; until then left |
//! | active or confirmed | no | released |
//! | active | yes | closed as expired once the *record's* time is over, then looked at again; until then left |
//! | canceled or expired | either | released |
//! | confirmed | yes | settled once its time is over; until then left |
//!
//! Before a release the record must be sure to outlive the hold's last possible copy, else it is prolonged and looked at again.

use crate::{
    bucket::{BucketId, Hold},
    reservation::{Reservation, Status, purge_after},
    time::Timestamp,
};

/// The next step for one hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resolution {
    /// Nothing to do before this instant has passed.
    WaitUntil(Timestamp),
    /// Nobody recorded it: record that it expired, then look again.
    CloseUnrecorded,
    /// Its reservation was not paid in time: record that it expired, then look again.
    CloseLapsed,
    /// Keep the record at least until this instant, then look again.
    KeepRecordUntil(Timestamp),
    /// Give the units back.
    Release,
    /// Count the units as sold.
    Settle,
}

/// How eagerly to settle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settling {
    /// When the hold's time is over.
    WhenOver,
    /// At once, if the hold ends before this instant: the watermark it leaves must not refuse the hold that needs the room.
    EndingBefore(Timestamp),
}

/// Decides. `record` is what a strongly consistent read of the hold's reservation found.
#[must_use]
pub fn resolve(
    bucket: &BucketId,
    hold: Hold,
    record: Option<&Reservation>,
    now: Timestamp,
    settling: Settling,
) -> Resolution {
    let Some(record) = record else {
        return if hold.is_over(now) { Resolution::CloseUnrecorded } else { Resolution::WaitUntil(hold.expires_at) };
    };
    let named = record.names(bucket, &hold);
    match record.status {
        Status::Active if named && now > record.expires_at => Resolution::CloseLapsed,
        Status::Active if named => Resolution::WaitUntil(record.expires_at),
        Status::Confirmed { .. } if named => {
            let early = matches!(settling, Settling::EndingBefore(instant) if hold.expires_at < instant);
            if early || hold.is_over(now) { Resolution::Settle } else { Resolution::WaitUntil(hold.expires_at) }
        }
        _ => match record.purge_at {
            Some(purge_at) if purge_at < purge_after(hold.expires_at) => {
                Resolution::KeepRecordUntil(purge_after(hold.expires_at))
            }
            _ => Resolution::Release,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        ids::{Caller, Channel, ReservationId},
        reservation::{CancelReason, Kind},
    };

    const EXP: u64 = 1_000;

    fn record(status: Status, named: bool, expires_at: u64, purge_at: Option<u64>) -> Reservation {
        let own = if named { "a#own=2@1000" } else { "a#own=1@1000" };
        Reservation {
            id: ReservationId::derive(&Caller::new("c"), &"k".parse().unwrap()),
            kind: Kind::Reservation,
            status,
            channel: Channel::own(),
            lines: vec![],
            allocations: vec![own.parse().unwrap()],
            created_at: Timestamp::from_epoch_seconds(0),
            expires_at: Timestamp::from_epoch_seconds(expires_at),
            order_id: None,
            session_id: None,
            fingerprint: None,
            purge_at: purge_at.map(Timestamp::from_epoch_seconds),
            line: None,
            extensions: std::collections::BTreeMap::new(),
        }
    }

    #[test]
    fn the_table_of_the_module_head() {
        use Resolution::{CloseLapsed, CloseUnrecorded, KeepRecordUntil, Release, Settle, WaitUntil};
        let at = Timestamp::from_epoch_seconds;
        let confirmed = Status::Confirmed { at: at(1) };
        let canceled = Status::Canceled { reason: CancelReason::Requested };
        let expired = Status::Expired { successor: None };
        let kept = Some(EXP + 24 * 3600);
        let enough = at(EXP + 24 * 3600);
        let cases = [
            ("missing, standing", None, EXP, WaitUntil(at(EXP))),
            ("missing, over", None, EXP + 1, CloseUnrecorded),
            ("active, other hold", Some(record(Status::Active, false, EXP, kept)), 1, Release),
            ("confirmed, other hold", Some(record(confirmed.clone(), false, EXP, None)), 1, Release),
            ("active, named, standing", Some(record(Status::Active, true, EXP, kept)), EXP, WaitUntil(at(EXP))),
            ("active, named, lapsed", Some(record(Status::Active, true, EXP, kept)), EXP + 1, CloseLapsed),
            (
                "active, named, extended",
                Some(record(Status::Active, true, EXP + 50, kept)),
                EXP + 1,
                WaitUntil(at(EXP + 50)),
            ),
            ("canceled, named", Some(record(canceled.clone(), true, EXP, kept)), 1, Release),
            ("canceled, other", Some(record(canceled, false, EXP, None)), 1, Release),
            ("expired, named", Some(record(expired.clone(), true, EXP, kept)), 1, Release),
            ("expired, dying too soon", Some(record(expired, true, EXP, Some(EXP))), 1, KeepRecordUntil(enough)),
            (
                "active, other, dying too soon",
                Some(record(Status::Active, false, EXP, Some(EXP))),
                1,
                KeepRecordUntil(enough),
            ),
            ("confirmed, named, standing", Some(record(confirmed.clone(), true, EXP, None)), EXP, WaitUntil(at(EXP))),
            ("confirmed, named, over", Some(record(confirmed, true, EXP, None)), EXP + 1, Settle),
        ];
        let (bucket, hold) = ("a#own".parse().unwrap(), "2@1000".parse().unwrap());
        for (name, record, now, expected) in cases {
            assert_eq!(resolve(&bucket, hold, record.as_ref(), at(now), Settling::WhenOver), expected, "{name}");
        }
    }

    #[test]
    fn a_crowded_bucket_settles_early_but_never_past_the_hold_that_needs_the_room() {
        let at = Timestamp::from_epoch_seconds;
        let record = record(Status::Confirmed { at: at(1) }, true, EXP, None);
        let (bucket, hold) = ("a#own".parse().unwrap(), "2@1000".parse().unwrap());
        for (before, expected) in [(EXP + 1, Resolution::Settle), (EXP, Resolution::WaitUntil(at(EXP)))] {
            assert_eq!(resolve(&bucket, hold, Some(&record), at(1), Settling::EndingBefore(at(before))), expected);
        }
    }
}
