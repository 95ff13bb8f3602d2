//! Units held for sales of which nothing is known but that they are missing at a channel.
//!
//! They are an ordinary reservation of the channel, so that nobody else is promised them. It ends by itself. An order that is told takes units
//! of its own; the next look at the channel then holds so many fewer. Only if nobody has a unit left for it, what is held is let go for it, and
//! the rest is held anew at once: those are other orders', which are told next.

use domain::{
    ids::{Caller, Channel, IdempotencyKey, ReservationId, Sku},
    listing::{IN_FLIGHT_SECONDS, InFlight, ListingId, SyncState},
    quantity::Quantity,
    refusal::Refusal,
    reservation::{Cart, Kind, Line, ReservationRequest, Status},
    time::Timestamp,
};

use crate::{
    Failure, Fault, Recorded, Store,
    flow::take::{Begin, Taking},
};

/// How often is tried under other names, each of which may have been used by a pass that died. More than holds of their length that fit into
/// the day for which they are remembered.
const MAX_ATTEMPTS: u32 = 60;

/// Who holds them.
const CALLER: &str = "sales in flight";

impl Store {
    /// Holds so many units, or as many as there are; nothing where nobody has one: that becomes the order's shortfall when it is told. What
    /// was held under this `name` before, and is held still, is found again.
    ///
    /// # Errors
    /// Refused with `Contended` when nobody knows whether they can be had; or a fault.
    pub async fn hold_in_flight(
        &self,
        id: &ListingId,
        name: &str,
        wanted: Quantity,
    ) -> Result<Option<ReservationId>, Failure> {
        let mut units = wanted;
        for attempt in 0..MAX_ATTEMPTS {
            let request = request(id, name, attempt, units);
            // No memory of a moment ago says here that nobody has any: the shelf is looked at.
            let taking = Taking { begin: Begin::Trying, ..Taking::from_request(&request) };
            let answer = match self.take(&taking).await {
                Ok(taken) => self.answer(&request, taken).await,
                Err(failure) => Err(failure),
            };
            match after(answer, units, self.now())? {
                After::Held => return Ok(Some(request.id)),
                After::Try(others) => units = others,
                After::Nobody => return Ok(None),
            }
        }
        Err(Refusal::Contended.into())
    }

    /// Whether the units are held still: an order that was told meanwhile may have let them go.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be read.
    pub async fn is_held_in_flight(&self, in_flight: &InFlight) -> Result<bool, Fault> {
        let Some(id) = &in_flight.id else { return Ok(false) };
        match self.reservation(id).await {
            Ok(record) => Ok(record.status == Status::Active && self.now() <= record.expires_at),
            Err(Failure::Refused(_)) => Ok(false),
            Err(Failure::Fault(fault)) => Err(fault),
        }
    }

    /// Lets units go that were held for sales in flight. Whether that was done.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be written.
    pub async fn let_go(&self, reservation: &ReservationId) -> Result<bool, Fault> {
        match self.cancel(reservation).await {
            Ok(_) => Ok(true),
            // Whatever became of it, it holds nothing any more.
            Err(Failure::Refused(_)) => Ok(false),
            Err(Failure::Fault(fault)) => Err(fault),
        }
    }

    /// Lets go what is held for sales in flight of this SKU. Whether it held anything.
    pub(crate) async fn let_go_in_flight(&self, channel: &Channel, sku: &Sku) -> Result<bool, Fault> {
        let id = ListingId { channel: channel.clone(), sku: sku.clone() };
        let held = self.listing(&id).await?.and_then(|(_, state)| state.in_flight).and_then(|in_flight| in_flight.id);
        match held {
            Some(held) => self.let_go(&held).await,
            None => Ok(false),
        }
    }

    /// Holds anew what is in flight besides the `told` units of an order that was recorded as `order`, if all was let go for that. Where it
    /// was not, more is held than has to be, until somebody looks.
    pub(crate) async fn hold_rest_in_flight(
        &self,
        id: &ListingId,
        order: &ReservationId,
        told: Quantity,
    ) -> Result<(), Failure> {
        let Some((_, state)) = self.listing(id).await? else { return Ok(()) };
        let Some(before) = state.in_flight.clone().filter(|before| before.id.is_some()) else { return Ok(()) };
        let is_over = self.now().seconds_since(before.since) > IN_FLIGHT_SECONDS;
        if is_over || self.is_held_in_flight(&before).await? {
            return Ok(());
        }
        let Ok(rest) = Quantity::new(before.quantity.units().saturating_sub(told.units())) else { return Ok(()) };
        let held = self.hold_in_flight(id, order.as_str(), rest).await?;
        let in_flight = Some(InFlight { id: held.clone(), quantity: rest, told: before.told + told.units(), ..before });
        let known = SyncState { version: state.version + 1, in_flight, ..state.clone() };
        if self.save_sync(id, &state, known, None).await?.is_none()
            && let Some(held) = held
        {
            // Somebody looks at this very moment, and holds what is missing.
            self.let_go(&held).await?;
        }
        Ok(())
    }
}

/// What to do after an attempt.
#[derive(Debug, PartialEq, Eq)]
enum After {
    /// They are held.
    Held,
    /// So many, under another name.
    Try(Quantity),
    /// Nobody has a unit.
    Nobody,
}

/// What an attempt to hold `units` came to. Whatever says neither that they are held nor that there are none is an error: units that somebody
/// may still sell must not be shown as if they were held.
fn after(answer: Result<Recorded, Failure>, units: Quantity, now: Timestamp) -> Result<After, Failure> {
    match answer {
        Ok(Recorded { reservation, .. }) if reservation.status == Status::Active && now <= reservation.expires_at => {
            Ok(After::Held)
        }
        // That of a pass that died after it held: it is over, or it had counted other units.
        Ok(_) | Err(Failure::Refused(Refusal::ReservationExpired { .. } | Refusal::IdempotencyKeyReused)) => {
            Ok(After::Try(units))
        }
        Err(Failure::Refused(Refusal::InsufficientStock { lines })) => {
            Ok(lines.first().and_then(|short| units.at_most(short.available)).map_or(After::Nobody, After::Try))
        }
        Err(Failure::Refused(Refusal::UnknownSku { .. })) => Ok(After::Nobody),
        Err(failure) => Err(failure),
    }
}

/// # Panics
/// Never: the key is made of ids and numbers, and one line is a cart.
fn request(id: &ListingId, name: &str, attempt: u32, quantity: Quantity) -> ReservationRequest {
    let key: IdempotencyKey = format!("{id}#{name}#{attempt}").parse().expect("ids and numbers are visible ASCII");
    let line = Line { sku: id.sku.clone(), quantity };
    ReservationRequest {
        id: ReservationId::derive(&Caller::new(CALLER), &key),
        kind: Kind::Reservation,
        channel: id.channel.clone(),
        cart: Cart::new(vec![line]).expect("one line within its limits is a cart"),
        hold_seconds: IN_FLIGHT_SECONDS,
        order_id: None,
        session_id: None,
        accepts_backorder: false,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use domain::reservation::{CancelReason, Reservation, Shortage};

    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_epoch_seconds(seconds)
    }

    fn units(units: u64) -> Quantity {
        Quantity::new(units).unwrap()
    }

    /// A record of three units, held until second 1800.
    fn recorded(status: Status) -> Recorded {
        let request = request(&"ebay#tea".parse().unwrap(), "4", 0, units(3));
        let reservation = Reservation {
            id: request.id,
            kind: Kind::Reservation,
            status,
            channel: request.channel,
            lines: request.cart.lines().to_vec(),
            allocations: Vec::new(),
            created_at: at(0),
            expires_at: at(1_800),
            order_id: None,
            line: None,
            session_id: None,
            fingerprint: None,
            purge_at: None,
            extensions: BTreeMap::new(),
        };
        Recorded { reservation, replayed: true }
    }

    fn refused(refusal: Refusal) -> Result<Recorded, Failure> {
        Err(refusal.into())
    }

    fn short(available: u64) -> Result<Recorded, Failure> {
        let shortage = Shortage { sku: "tea".parse().unwrap(), requested: units(3), available };
        refused(Refusal::InsufficientStock { lines: vec![shortage] })
    }

    #[test]
    fn units_are_held_only_by_what_holds_them_still() {
        let canceled = || Status::Canceled { reason: CancelReason::Requested };
        let again = || After::Try(units(3));
        for (name, answer, now, expected) in [
            ("held", Ok(recorded(Status::Active)), 1_800, After::Held),
            ("a record whose time is over", Ok(recorded(Status::Active)), 1_801, again()),
            ("an expired one", Ok(recorded(Status::Expired { successor: None })), 9, again()),
            ("a canceled one", Ok(recorded(canceled())), 9, again()),
            ("one that never was", refused(Refusal::ReservationExpired { refund_required: false }), 9, again()),
            ("other units under this name", refused(Refusal::IdempotencyKeyReused), 9, again()),
            ("two are left", short(2), 9, After::Try(units(2))),
            ("enough came meanwhile", short(5), 9, again()),
            ("none is left", short(0), 9, After::Nobody),
            ("it exists nowhere", refused(Refusal::UnknownSku { skus: Vec::new() }), 9, After::Nobody),
        ] {
            assert_eq!(after(answer, units(3), at(now)).unwrap(), expected, "{name}");
        }
    }

    #[test]
    fn whatever_is_not_known_to_be_held_or_gone_is_an_error() {
        for refusal in [Refusal::Contended, Refusal::UnknownReservation { refund_required: false }] {
            assert!(after(refused(refusal), units(3), at(9)).is_err());
        }
    }
}
