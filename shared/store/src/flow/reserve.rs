//! Reserve and sell, and reading what became of it.

use domain::{
    ids::ReservationId,
    order::{OrderId, OrderState, state},
    refusal::Refusal,
    reservation::{CancelReason, Kind, Reservation, ReservationRequest, Status},
};

use crate::{
    Failure, Fault, Store,
    flow::take::{Taken, Taking},
    table::Written,
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
        let taken = self.take(&Taking::from_request(request)).await?;
        self.answer(request, taken).await
    }

    /// The answer to a request of which this came.
    pub(crate) async fn answer(&self, request: &ReservationRequest, taken: Taken) -> Result<Recorded, Failure> {
        let record = match taken {
            Taken::Recorded(reservation) => return Ok(Recorded { reservation, replayed: false }),
            Taken::Refused(reason) => return Err(reason.refusal(false).into()),
            Taken::Found(record) => record,
        };
        if used_for_another(&record, request) {
            return Err(Refusal::IdempotencyKeyReused.into());
        }
        if request.kind == Kind::Order && matches!(record.status, Status::Expired { .. }) {
            return self.sell_again(request, record).await;
        }
        let reservation = self.follow(record).await?;
        match reservation.status {
            Status::Canceled { reason: CancelReason::Requested } => {}
            Status::Canceled { reason } => return Err(reason.refusal(false).into()),
            // Its holds ended before anybody recorded it, so that it never was.
            Status::Expired { .. } if reservation.is_placeholder() => {
                return Err(Refusal::ReservationExpired { refund_required: false }.into());
            }
            Status::Active | Status::Confirmed { .. } | Status::Expired { .. } => {}
        }
        Ok(Recorded { reservation, replayed: true })
    }

    /// The holds of this order ended before anybody recorded it. Whoever asks again wants it still, and may have taken money: its units
    /// are taken again under its successor's id, as for a late payment.
    async fn sell_again(&self, request: &ReservationRequest, record: Reservation) -> Result<Recorded, Failure> {
        let id = request.id.successor();
        if !matches!(record.status, Status::Expired { successor: Some(_) }) {
            let close = write::decide::close(&request.id, &id, self.now());
            if let Written::Refused(_) = self.write(&close).await? {
                // Deleted since it was seen. Sold under the successor's id, it could be sold once more under its own.
                return Err(Refusal::Contended.into());
            }
        }
        let (decided, replayed) = if let Some(decided) = self.get_reservation(&id).await? {
            (decided, true)
        } else {
            match self.take(&Taking { id: id.clone(), ..Taking::from_request(request) }).await? {
                Taken::Recorded(decided) => (decided, false),
                Taken::Found(decided) => (decided, true),
                Taken::Refused(reason) => return Err(reason.refusal(false).into()),
            }
        };
        // The record of a hold that nobody recorded in time does not know what was asked for: its successor does.
        if used_for_another(&decided, request) {
            return Err(Refusal::IdempotencyKeyReused.into());
        }
        match &decided.status {
            Status::Confirmed { .. } => Ok(Recorded { reservation: record.succeeded_by(decided), replayed }),
            Status::Canceled { reason } => Err(reason.refusal(false).into()),
            Status::Active | Status::Expired { .. } => {
                // Whoever may have to give money back is refused for good: no retry may find the record deleted.
                Err(match self.write(&write::decide::keep_refusal(&id)).await? {
                    Written::Applied(_) => Refusal::ReservationExpired { refund_required: false }.into(),
                    Written::Refused(_) => Refusal::Contended.into(),
                })
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

    /// What has become of an order that was queued.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be read.
    pub async fn queued_order(&self, order: &OrderId) -> Result<OrderState, Fault> {
        let record = self.get_reservation(&order.id).await?;
        let successor = match record.as_ref().map(|record| &record.status) {
            Some(Status::Expired { successor: Some(successor) }) => self.get_reservation(successor).await?,
            _ => None,
        };
        Ok(state(order, record, successor, self.now()))
    }

    /// The record, or what its successor made of it: to the caller both are one reservation.
    pub(crate) async fn follow(&self, record: Reservation) -> Result<Reservation, Fault> {
        let Status::Expired { successor: Some(successor) } = &record.status else {
            return Ok(record);
        };
        match self.get_reservation(successor).await? {
            // An order of which only a hold was seen at first is whatever its successor is, sold or refused.
            Some(successor) if matches!(successor.status, Status::Confirmed { .. }) || record.is_placeholder() => {
                Ok(record.succeeded_by(successor))
            }
            _ => Ok(record),
        }
    }
}

/// Whether the request's key was used for another request before.
fn used_for_another(record: &Reservation, request: &ReservationRequest) -> bool {
    let asked = request.fingerprint();
    record.fingerprint.as_ref().is_some_and(|recorded| *recorded != asked)
}
