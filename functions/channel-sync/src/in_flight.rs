//! Units held for sales of which nothing is known but that they are missing at the channel.
//!
//! They are an ordinary reservation of the channel, so that nobody else is promised them. It ends by itself; when the order is told, it
//! takes its units itself and lets this one go ([`store::Store::record_order`]).

use domain::{
    ids::{Caller, IdempotencyKey, ReservationId},
    listing::{IN_FLIGHT_SECONDS, InFlight, ListingId, SyncState},
    quantity::Quantity,
    refusal::Refusal,
    reservation::{Cart, Kind, Line, ReservationRequest, Status},
    time::Timestamp,
};
use runtime::App;
use store::{Failure, Fault};

/// How often other units are tried.
const MAX_ATTEMPTS: u32 = 8;

/// Who holds them.
const CALLER: &str = "sales in flight";

/// Sees to it that so many units are held, if they can be had: those that were held for less or for more are let go.
pub(crate) async fn hold(
    app: &App,
    id: &ListingId,
    state: &SyncState,
    wanted: Option<(Quantity, Timestamp)>,
) -> Result<Option<InFlight>, Fault> {
    let before = state.in_flight.clone();
    if let Some(before) = &before
        && wanted == Some((before.quantity, before.since))
        && is_held(app, before).await?
    {
        return Ok(Some(before.clone()));
    }
    if let Some(reservation) = before.and_then(|before| before.id) {
        let_go(app, &reservation).await?;
    }
    let Some((quantity, since)) = wanted else { return Ok(None) };
    tracing::info!(listing = %id, units = quantity.units(), "sales are in flight");
    let mut rest = Some(quantity);
    let mut attempt = 0;
    while let Some(units) = rest {
        let request = request(id, state.version, attempt, units);
        match app.store.reserve(&request).await {
            Ok(_) => return Ok(Some(InFlight { id: Some(request.id), quantity, since })),
            // As many as there are; what nobody has becomes the order's shortfall when it is told.
            Err(Failure::Refused(Refusal::InsufficientStock { lines })) => {
                rest = lines.first().and_then(|short| units.at_most(short.available));
                rest = rest.filter(|fewer| *fewer < units && attempt < MAX_ATTEMPTS);
            }
            // A pass that died after it held had counted other units.
            Err(Failure::Refused(Refusal::IdempotencyKeyReused)) if attempt < MAX_ATTEMPTS => {}
            Err(Failure::Refused(refusal)) => {
                tracing::warn!(listing = %id, ?refusal, "units for sales in flight cannot be held");
                rest = None;
            }
            Err(Failure::Fault(fault)) => return Err(fault),
        }
        attempt += 1;
    }
    Ok(Some(InFlight { id: None, quantity, since }))
}

/// Whether the units are held still: an order that was told meanwhile has let them go.
async fn is_held(app: &App, in_flight: &InFlight) -> Result<bool, Fault> {
    let Some(id) = &in_flight.id else { return Ok(false) };
    match app.store.reservation(id).await {
        Ok(record) => Ok(record.status == Status::Active),
        Err(Failure::Refused(_)) => Ok(false),
        Err(Failure::Fault(fault)) => Err(fault),
    }
}

async fn let_go(app: &App, reservation: &ReservationId) -> Result<(), Fault> {
    match app.store.cancel(reservation).await {
        // Whatever became of it, it holds nothing any more.
        Ok(_) | Err(Failure::Refused(_)) => Ok(()),
        Err(Failure::Fault(fault)) => Err(fault),
    }
}

/// # Panics
/// Never: the key is made of ids and numbers, and one line is a cart.
fn request(id: &ListingId, version: u64, attempt: u32, quantity: Quantity) -> ReservationRequest {
    let key: IdempotencyKey = format!("{id}#{version}#{attempt}").parse().expect("ids and numbers are visible ASCII");
    let line = Line { sku: id.sku.clone(), quantity };
    ReservationRequest {
        id: ReservationId::derive(&Caller::new(CALLER), &key),
        kind: Kind::Reservation,
        channel: id.channel.clone(),
        cart: Cart::new(vec![line]).expect("one line within its limits is a cart"),
        hold_seconds: IN_FLIGHT_SECONDS,
        order_id: None,
        session_id: None,
    }
}
