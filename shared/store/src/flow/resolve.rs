//! What becomes of holds: released, settled, or left for later. `domain::resolve` decides; this module looks and writes.
//!
//! Every write here demands the exact hold, so a stale look at a bucket does no harm. A look at a *record* must be strongly
//! consistent: a read, or the image that a write of it returned.

use domain::{
    bucket::{Bucket, BucketId, Hold, Role},
    ids::ReservationId,
    limits::MAX_SETTLED_AT_ONCE,
    reservation::{Allocation, Kind, Reservation, Status, purge_after},
    resolve::{Resolution, Settling, resolve},
    time::Timestamp,
};
use futures::{StreamExt, TryStreamExt, stream};

use crate::{
    Fault, Store,
    item::{decode_bucket, decode_reservation},
    table::{Met, Transacted, Written},
    write,
};

/// How often a record is looked at again before the hold is left to the next resolver.
const MAX_LOOKS: usize = 6;

/// Holds of one bucket that are resolved at the same time.
const CONCURRENCY: usize = 8;

/// What came of resolving a hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resolved {
    /// The hold has left its bucket.
    Done,
    /// It stands until this instant has passed.
    WaitUntil(Timestamp),
}

impl Store {
    /// Resolves one hold; see [`Store::resolve_all`].
    ///
    /// # Errors
    /// As [`Store::resolve_all`].
    pub async fn resolve(&self, bucket: &BucketId, id: &ReservationId, hold: Hold) -> Result<Resolved, Fault> {
        let resolved = self.resolve_all(bucket, &[(id.clone(), hold)]).await?;
        Ok(resolved.first().copied().unwrap_or(Resolved::Done))
    }

    /// Resolves holds of one bucket, as timers and deletions by TTL ask for it; the answers stand in the order of the holds. What
    /// was paid for is settled ten holds in a write. Afterwards a child without holds is folded back.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be read or written; what was not resolved stands, and the same call may be made again.
    pub async fn resolve_all(
        &self,
        bucket: &BucketId,
        holds: &[(ReservationId, Hold)],
    ) -> Result<Vec<Resolved>, Fault> {
        let mut resolved = vec![Resolved::Done; holds.len()];
        let Some(found) = self.get_bucket(bucket).await? else { return Ok(resolved) };
        // A hold that has left already needs no record to be looked at, let alone to be made.
        let standing = || holds.iter().zip(0..).filter(|((id, hold), _)| found.holds.get(id) == Some(hold));
        let records = self.get_reservations(standing().map(|((id, _), _)| id).collect::<Vec<_>>()).await?;
        let now = self.now();
        let mut sold = Vec::new();
        for ((id, hold), position) in standing() {
            let record = records.get(id);
            match resolve(bucket, *hold, record, now, Settling::WhenOver) {
                Resolution::WaitUntil(instant) => resolved[position] = Resolved::WaitUntil(instant),
                // SQS may deliver a timer twice in one batch: a write that names a hold twice is none.
                Resolution::Settle if sold.iter().any(|(known, _)| known == id) => {}
                Resolution::Settle => sold.push((id.clone(), *hold)),
                _ => {
                    let record = record.cloned();
                    resolved[position] = self.resolve_seen(bucket, id, *hold, record, Settling::WhenOver).await?;
                }
            }
        }
        self.settle(bucket, sold, found.watermark).await?;
        // Whoever comes last folds: of those who resolve the same child at the same time, none knows which one that is.
        if bucket.child.is_some() && found.holds.values().all(|hold| hold.is_over(now)) {
            self.fold_if_cold(bucket).await?;
        }
        Ok(resolved)
    }

    /// Resolves one hold whose record was just seen to be `record`.
    pub(crate) async fn resolve_seen(
        &self,
        bucket: &BucketId,
        id: &ReservationId,
        hold: Hold,
        mut record: Option<Reservation>,
        settling: Settling,
    ) -> Result<Resolved, Fault> {
        for _ in 0..MAX_LOOKS {
            let now = self.now();
            let write = match resolve(bucket, hold, record.as_ref(), now, settling) {
                Resolution::WaitUntil(instant) => return Ok(Resolved::WaitUntil(instant)),
                Resolution::Release => return self.release(bucket, id, hold).await.map(|()| Resolved::Done),
                Resolution::Settle => {
                    return self.settle(bucket, vec![(id.clone(), hold)], None).await.map(|()| Resolved::Done);
                }
                Resolution::CloseUnrecorded => write::record::record(&unrecorded(bucket, id, hold, now)),
                Resolution::CloseLapsed => write::decide::expire(id, now),
                Resolution::KeepRecordUntil(instant) => write::decide::keep_until(id, instant),
            };
            let (Written::Applied(look) | Written::Refused(look)) = self.write(&write).await?;
            record = look.as_ref().map(decode_reservation).transpose()?;
        }
        Err(Fault::Unavailable { operation: "resolve a hold", reason: "its record kept changing".to_owned() })
    }

    /// Releases the holds of `id` that `record`, just seen, does not keep. A failure is left to the timers: it costs time, never
    /// a unit, and the caller's answer is decided already.
    pub(crate) async fn release_unkept(&self, record: &Reservation, holds: &[Allocation]) {
        let unkept = holds.iter().filter(|own| !(record.keeps_its_holds() && record.names(&own.bucket, &own.hold)));
        let released = stream::iter(unkept)
            .map(|own| self.resolve_seen(&own.bucket, &record.id, own.hold, Some(record.clone()), Settling::WhenOver))
            .buffer_unordered(CONCURRENCY)
            .try_collect::<Vec<_>>()
            .await;
        if let Err(fault) = released {
            tracing::warn!(%fault, reservation = %record.id, "a release is left to the timer");
        }
    }

    /// Gives a hold's units back. Whoever calls has seen a record that allows it.
    async fn release(&self, bucket: &BucketId, id: &ReservationId, hold: Hold) -> Result<(), Fault> {
        let mut attempt = write::release::release(bucket, id, hold);
        for _ in 0..MAX_LOOKS {
            let found = match self.write(&attempt).await? {
                Written::Applied(_) => {
                    self.routes.freed(bucket);
                    return Ok(());
                }
                Written::Refused(found) => found.as_ref().map(decode_bucket).transpose()?,
            };
            let Some(found) = found.filter(|found| found.holds.get(id) == Some(&hold)) else {
                return Ok(());
            };
            match found.role {
                Role::Home(home) if home.shortfall > 0 => {
                    attempt = write::release::covering(bucket, id, hold, home.shortfall);
                }
                Role::Home(_) => attempt = write::release::release(bucket, id, hold),
                Role::Child { .. } => return self.release_to_home(bucket, id, hold).await,
            }
        }
        Err(Fault::Unavailable { operation: "release a hold", reason: "its bucket kept changing".to_owned() })
    }

    /// The release in a child that owes its home.
    async fn release_to_home(&self, child: &BucketId, id: &ReservationId, hold: Hold) -> Result<(), Fault> {
        for _ in 0..MAX_LOOKS {
            let home = self.get_bucket(&child.stock.home()).await?;
            let shortfall = home.as_ref().and_then(Bucket::home).map_or(0, |home| home.shortfall);
            match self.transact(write::release::to_home(child, id, hold, shortfall)).await? {
                Transacted::Applied => return Ok(()),
                // The hold is gone: somebody else has released it.
                Transacted::Refused(met) if matches!(met.first(), Some(Met::Failed(_))) => return Ok(()),
                Transacted::Refused(_) => {}
            }
        }
        Err(Fault::Unavailable { operation: "release a hold", reason: "its home kept changing".to_owned() })
    }

    /// Counts confirmed holds of one bucket as sold, ten in a write. `watermark` is what the bucket's was seen to be.
    async fn settle(
        &self,
        bucket: &BucketId,
        holds: Vec<(ReservationId, Hold)>,
        watermark: Option<Timestamp>,
    ) -> Result<(), Fault> {
        for part in holds.chunks(MAX_SETTLED_AT_ONCE) {
            self.settle_part(bucket, part.to_vec(), watermark).await?;
        }
        Ok(())
    }

    async fn settle_part(
        &self,
        bucket: &BucketId,
        mut holds: Vec<(ReservationId, Hold)>,
        mut watermark: Option<Timestamp>,
    ) -> Result<(), Fault> {
        for _ in 0..MAX_LOOKS {
            let found = match self.write(&write::settle::settle(bucket, &holds, watermark)).await? {
                Written::Applied(_) => return Ok(()),
                Written::Refused(found) => found.as_ref().map(decode_bucket).transpose()?,
            };
            let Some(found) = found else { return Ok(()) };
            watermark = found.watermark;
            holds.retain(|(id, hold)| found.holds.get(id) == Some(hold));
            if holds.is_empty() {
                return Ok(());
            }
        }
        Err(Fault::Unavailable { operation: "settle holds", reason: "their bucket kept changing".to_owned() })
    }

    /// Makes room in a bucket for the hold of another shopper that ends at `needed_until`: releases what is over; where the
    /// bucket has units and is crowded, also settles what is confirmed. Says whether anything has changed.
    pub(crate) async fn make_room(
        &self,
        bucket: &BucketId,
        found: &Bucket,
        shopper: &ReservationId,
        needed_until: Timestamp,
    ) -> Result<bool, Fault> {
        let now = self.now();
        // Room for a hold is of no use where there is no unit.
        let crowded = found.is_crowded() && found.free > 0;
        let candidates: Vec<_> =
            found.holds.iter().filter(|(id, hold)| *id != shopper && (crowded || hold.is_over(now))).collect();
        if candidates.is_empty() {
            return Ok(false);
        }
        let mut records = self.get_reservations(candidates.iter().map(|(id, _)| *id)).await?;
        let settling = if crowded { Settling::EndingBefore(needed_until) } else { Settling::WhenOver };
        let (mut sold, mut others) = (Vec::new(), Vec::new());
        for (id, hold) in candidates {
            let record = records.remove(id);
            match resolve(bucket, *hold, record.as_ref(), now, settling) {
                // Settling gives nobody a unit: it is worth a write here only where the number of holds is in the way.
                Resolution::Settle if crowded => sold.push((id.clone(), *hold)),
                Resolution::WaitUntil(_) | Resolution::Settle => {}
                _ => others.push((id, *hold, record)),
            }
        }
        let changed = !(sold.is_empty() && others.is_empty());
        self.settle(bucket, sold, found.watermark).await?;
        stream::iter(others)
            .map(|(id, hold, record)| self.resolve_seen(bucket, id, hold, record, Settling::WhenOver))
            .buffer_unordered(CONCURRENCY)
            .try_collect::<Vec<_>>()
            .await?;
        Ok(changed)
    }
}

/// The record of a hold that nobody recorded in time.
fn unrecorded(bucket: &BucketId, id: &ReservationId, hold: Hold, now: Timestamp) -> Reservation {
    Reservation {
        id: id.clone(),
        kind: Kind::Reservation,
        status: Status::Expired { successor: None },
        channel: bucket.stock.channel.clone(),
        lines: Vec::new(),
        allocations: Vec::new(),
        created_at: now,
        expires_at: hold.expires_at,
        order_id: None,
        session_id: None,
        fingerprint: None,
        purge_at: Some(purge_after(hold.expires_at)),
        line: None,
        extensions: std::collections::BTreeMap::new(),
    }
}
