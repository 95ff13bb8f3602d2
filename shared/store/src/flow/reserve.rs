//! Reserve and sell, and reading what became of it.

use domain::{
    ids::ReservationId,
    refusal::Refusal,
    reservation::{CancelReason, Kind, Reservation, ReservationRequest, Status},
};

use crate::{
    Failure, Fault, Store,
    flow::take::{Taken, Taking},
    write,
};

/// A reservation, and whether this very request had made it before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// As it is recorded.
    pub reservation: Reservation,
    /// The answer to an earlier request, given again.
    pub replayed: bool,
}

impl Store {
    /// Holds every line of the cart until paid, or none: two writes for one line.
    ///
    /// # Errors
    /// Refused with `UnknownSku`, `InsufficientStock`, `IdempotencyKeyReused` or `Contended`; or a fault.
    pub async fn reserve(&self, request: &ReservationRequest) -> Result<Recorded, Failure> {
        self.take_and_answer(request).await
    }

    /// Sells every line of the cart at once, without a hold before it, or none. A refusal is recorded for good.
    ///
    /// # Errors
    /// As [`Store::reserve`].
    pub async fn sell(&self, request: &ReservationRequest) -> Result<Recorded, Failure> {
        self.take_and_answer(request).await
    }

    async fn take_and_answer(&self, request: &ReservationRequest) -> Result<Recorded, Failure> {
        match self.take(&Taking::from_request(request)).await? {
            Taken::Recorded(reservation) => Ok(Recorded { reservation, replayed: false }),
            Taken::Refused(reason) => Err(refusal(reason).into()),
            Taken::Found(record) => {
                let fingerprint = request.fingerprint();
                if record.fingerprint.as_ref().is_some_and(|recorded| *recorded != fingerprint) {
                    return Err(Refusal::IdempotencyKeyReused.into());
                }
                let reservation = self.follow(record).await?;
                match reservation.status {
                    Status::Canceled { reason: CancelReason::Requested } => {}
                    Status::Canceled { reason } => return Err(refusal(reason).into()),
                    // Its holds ended before anybody recorded it, so that it never was.
                    Status::Expired { .. } if request.kind == Kind::Order || reservation.is_placeholder() => {
                        if request.kind == Kind::Order {
                            // Whoever may have to give money back is refused for good: no retry may find the record deleted.
                            self.write(&write::decide::keep_refusal(&request.id)).await?;
                        }
                        return Err(Refusal::ReservationExpired { refund_required: false }.into());
                    }
                    Status::Active | Status::Confirmed { .. } | Status::Expired { .. } => {}
                }
                Ok(Recorded { reservation, replayed: true })
            }
        }
    }

    /// A reservation as it stands, late payment included.
    ///
    /// # Errors
    /// Refused with `UnknownReservation`; or a fault.
    pub async fn reservation(&self, id: &ReservationId) -> Result<Reservation, Failure> {
        match self.get_reservation(id).await?.filter(|record| !record.is_placeholder()) {
            Some(record) => Ok(self.follow(record).await?),
            None => Err(Refusal::UnknownReservation { refund_required: false }.into()),
        }
    }

    /// An order as it was decided, or a reservation that was paid.
    ///
    /// # Errors
    /// Refused with `UnknownOrder`; or a fault.
    pub async fn order(&self, id: &ReservationId) -> Result<Reservation, Failure> {
        let record = match self.get_reservation(id).await? {
            Some(record) => self.follow(record).await?,
            None => return Err(Refusal::UnknownOrder.into()),
        };
        let is_order = record.kind == Kind::Order || matches!(record.status, Status::Confirmed { .. });
        if is_order { Ok(record) } else { Err(Refusal::UnknownOrder.into()) }
    }

    /// The record, or what its successor made of it: to the caller both are one reservation.
    pub(crate) async fn follow(&self, record: Reservation) -> Result<Reservation, Fault> {
        let Status::Expired { successor: Some(successor) } = &record.status else {
            return Ok(record);
        };
        match self.get_reservation(successor).await? {
            Some(successor) if matches!(successor.status, Status::Confirmed { .. }) => Ok(as_one(record, successor)),
            _ => Ok(record),
        }
    }
}

/// A reservation that was paid late, under the id that its owner knows.
pub(crate) fn as_one(record: Reservation, successor: Reservation) -> Reservation {
    Reservation { order_id: successor.order_id.or(record.order_id), status: successor.status, ..record }
}

/// The answer to a request whose record was canceled for this reason.
pub(crate) fn refusal(reason: CancelReason) -> Refusal {
    match reason {
        CancelReason::Short { lines } => Refusal::InsufficientStock { lines },
        CancelReason::UnknownSku { skus } => Refusal::UnknownSku { skus },
        CancelReason::RecordedTooLate => Refusal::ReservationExpired { refund_required: false },
        CancelReason::Requested | CancelReason::PaidUnknown => Refusal::AlreadyCanceled { refund_required: false },
    }
}
