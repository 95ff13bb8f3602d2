//! Confirm, cancel, extend: one write each in the ordinary case.
//!
//! A **late payment** (after expiry) goes through these steps, in this order:
//!
//! 1. Close the old record in favour of a successor, so that nobody else can decide it.
//! 2. Take the units again under the successor's id, and record it as confirmed.
//! 3. If they cannot be had, record the refusal for good; only then answer "refund". A refusal that was deleted before it could be kept is
//!    none: everything is looked at again.

use domain::{
    ids::{ExtensionId, Reference, ReservationId},
    limits::DEFAULT_HOLD_SECONDS,
    refusal::Refusal,
    reservation::{CancelReason, Kind, Reservation, Status, extended_until},
    time::Timestamp,
};

use crate::{
    Failure, Fault, Store,
    flow::{
        reserve::Recorded,
        take::{Begin, Taken, Taking, Terms},
    },
    item::decode_reservation,
    table::Written,
    write,
};

/// How often a decision is tried when the record changes underneath it.
const MAX_LOOKS: usize = 6;

impl Store {
    /// Confirms a reservation: its order is paid. Late payments take the units again if they can be had.
    ///
    /// # Errors
    /// Refused with `AlreadyCanceled`, `ReservationExpired` or `UnknownReservation`, each requiring a refund; with
    /// `AlreadyConfirmed` when it was confirmed for another order; with `Contended`; or a fault.
    pub async fn confirm(&self, id: &ReservationId, order_id: Option<&Reference>) -> Result<Reservation, Failure> {
        for _ in 0..MAX_LOOKS {
            let now = self.now();
            let found = match self.write(&write::decide::confirm(id, order_id, now)).await? {
                Written::Applied(image) => return Ok(decode_required(id, image)?),
                Written::Refused(found) => found.as_ref().map(decode_reservation).transpose()?,
            };
            let Some(record) = found else {
                if self.record_paid_unknown(id, now).await? {
                    return Err(Refusal::UnknownReservation { refund_required: true }.into());
                }
                continue;
            };
            if record.line.is_some() {
                // A marketplace says itself when its order is paid.
                return Err(Refusal::UnknownReservation { refund_required: true }.into());
            }
            match record.status {
                Status::Confirmed { .. } => return confirmed_for(record, order_id),
                Status::Canceled { reason: CancelReason::PaidUnknown } => {
                    return Err(Refusal::UnknownReservation { refund_required: true }.into());
                }
                Status::Canceled { .. } => {
                    if let Written::Applied(_) = self.write(&write::decide::keep_refusal(id)).await? {
                        return Err(Refusal::AlreadyCanceled { refund_required: true }.into());
                    }
                }
                Status::Expired { successor: Some(_) } => {
                    if let Some(decided) = self.confirm_successor(record, order_id).await? {
                        return Ok(decided);
                    }
                }
                // In its very last second a reservation can neither be confirmed nor be closed: let the second pass.
                Status::Active if record.expires_at == now => {
                    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
                }
                Status::Active | Status::Expired { successor: None } => {
                    let close = write::decide::close(id, &id.successor(), now);
                    if let Written::Applied(image) = self.write(&close).await?
                        && let Some(decided) = self.confirm_successor(decode_required(id, image)?, order_id).await?
                    {
                        return Ok(decided);
                    }
                }
            }
        }
        Err(Refusal::Contended.into())
    }

    /// Records that a payment named a reservation that does not exist, so that none can appear under its id any more. Says
    /// whether there was indeed none.
    async fn record_paid_unknown(&self, id: &ReservationId, now: Timestamp) -> Result<bool, Fault> {
        let record = Reservation {
            id: id.clone(),
            kind: Kind::Reservation,
            status: Status::Canceled { reason: CancelReason::PaidUnknown },
            channel: domain::ids::Channel::own(),
            lines: Vec::new(),
            allocations: Vec::new(),
            created_at: now,
            expires_at: now,
            order_id: None,
            session_id: None,
            fingerprint: None,
            purge_at: None,
            line: None,
            extensions: std::collections::BTreeMap::new(),
        };
        Ok(matches!(self.write(&write::record::record(&record)).await?, Written::Applied(_)))
    }

    /// Steps 2 and 3 of a late payment; also whoever comes after a crash in between. Nothing if the successor's refusal was deleted before
    /// it could be kept.
    async fn confirm_successor(
        &self,
        record: Reservation,
        order_id: Option<&Reference>,
    ) -> Result<Option<Reservation>, Failure> {
        let id = record.id.successor();
        let decided = if let Some(decided) = self.get_reservation(&id).await? {
            decided
        } else {
            let taking = Taking {
                id: id.clone(),
                terms: Terms::Sale,
                channel: record.channel.clone(),
                lines: record.lines.clone(),
                hold_seconds: DEFAULT_HOLD_SECONDS,
                order_id: order_id.or(record.order_id.as_ref()).cloned(),
                line: record.line.clone(),
                session_id: record.session_id.clone(),
                fingerprint: record.fingerprint.clone(),
                begin: Begin::Trying,
                // Whoever was promised a unit that is on the shelf is not put off to one that is not.
                accepts_backorder: record.is_backorder(),
            };
            match self.take(&taking).await? {
                Taken::Recorded(decided) | Taken::Found(decided) => decided,
                Taken::Refused(_) => return Err(Refusal::ReservationExpired { refund_required: true }.into()),
            }
        };
        if matches!(decided.status, Status::Confirmed { .. }) {
            return confirmed_for(record.succeeded_by(decided), order_id).map(Some);
        }
        // A resolver may have closed the successor with a record that DynamoDB would delete.
        match self.write(&write::decide::keep_refusal(&id)).await? {
            Written::Applied(_) => Err(Refusal::ReservationExpired { refund_required: true }.into()),
            Written::Refused(_) => Ok(None),
        }
    }

    /// Cancels a reservation and releases its holds. One that has expired stays expired: what was wanted is so already.
    ///
    /// # Errors
    /// Refused with `UnknownReservation` or `AlreadyConfirmed`; or a fault.
    pub async fn cancel(&self, id: &ReservationId) -> Result<Reservation, Failure> {
        let record = match self.write(&write::decide::cancel(id)).await? {
            Written::Applied(image) | Written::Refused(image) => image.as_ref().map(decode_reservation).transpose()?,
        };
        // The line of a marketplace's order is nobody's to cancel here: what it has sold is a fact.
        let ours = |record: &Reservation| !record.is_placeholder() && record.line.is_none();
        let Some(record) = record.filter(ours) else {
            return Err(Refusal::UnknownReservation { refund_required: false }.into());
        };
        let record = match record.status {
            Status::Expired { successor: Some(_) } => self.follow(record).await?,
            _ => record,
        };
        if matches!(record.status, Status::Confirmed { .. }) {
            return Err(Refusal::AlreadyConfirmed { refund_required: false }.into());
        }
        // Also when it was canceled before: whoever did may have died before the release.
        self.release_unkept(&record, &record.allocations).await;
        Ok(record)
    }

    /// Gives the shopper more time: `ttl_seconds` from now, bounded in total. Its holds stay as they are.
    ///
    /// # Errors
    /// Refused with `UnknownReservation`, `AlreadyCanceled`, `AlreadyConfirmed`, `ReservationExpired`, `TooManyExtensions` or
    /// `Contended`; or a fault.
    pub async fn extend(
        &self,
        id: &ReservationId,
        extension: &ExtensionId,
        ttl_seconds: u64,
    ) -> Result<Recorded, Failure> {
        let mut seen = self.get_reservation(id).await?;
        for _ in 0..MAX_LOOKS {
            let Some(record) = seen.filter(|record| !record.is_placeholder() && record.line.is_none()) else {
                return Err(Refusal::UnknownReservation { refund_required: false }.into());
            };
            let now = self.now();
            if let Some(until) = record.extensions.get(extension).copied() {
                return Ok(Recorded { reservation: Reservation { expires_at: until, ..record }, replayed: true });
            }
            match record.status {
                Status::Active if record.expires_at > now => {}
                Status::Active | Status::Expired { .. } => {
                    return Err(Refusal::ReservationExpired { refund_required: false }.into());
                }
                Status::Canceled { .. } => return Err(Refusal::AlreadyCanceled { refund_required: false }.into()),
                Status::Confirmed { .. } => {
                    return Err(Refusal::AlreadyConfirmed { refund_required: false }.into());
                }
            }
            let Some(until) = extended_until(&record, now, ttl_seconds) else {
                return Err(Refusal::TooManyExtensions.into());
            };
            match self.write(&write::decide::extend(id, extension, record.expires_at, until, now)).await? {
                Written::Applied(image) => {
                    return Ok(Recorded { reservation: decode_required(id, image)?, replayed: false });
                }
                Written::Refused(found) => seen = found.as_ref().map(decode_reservation).transpose()?,
            }
        }
        Err(Refusal::Contended.into())
    }
}

/// The same answer again; but whoever paid for another order has paid for nothing.
fn confirmed_for(record: Reservation, order_id: Option<&Reference>) -> Result<Reservation, Failure> {
    match (&record.order_id, order_id) {
        (Some(recorded), Some(asked)) if recorded != asked => {
            Err(Refusal::AlreadyConfirmed { refund_required: true }.into())
        }
        _ => Ok(record),
    }
}

fn decode_required(id: &ReservationId, image: Option<crate::Item>) -> Result<Reservation, Fault> {
    match image {
        Some(image) => decode_reservation(&image),
        None => Err(Fault::Malformed { key: id.to_string(), reason: "an applied update returned no image".to_owned() }),
    }
}
