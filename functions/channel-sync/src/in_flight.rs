//! Units held for sales of which nothing is known but that they are missing at the channel ([`store::Store::hold_in_flight`]).

use domain::{
    listing::{InFlight, ListingId, SyncState},
    quantity::Quantity,
    time::Timestamp,
};
use runtime::App;
use store::Failure;

/// Sees to it that so many units are held, if there are as many: those that were held for less or for more are let go. What is then neither
/// held nor gone is an error: the number that is computed next would promise it. `told` are the units told of since the last push.
pub(crate) async fn hold(
    app: &App,
    id: &ListingId,
    state: &SyncState,
    told: u64,
    wanted: Option<(Quantity, Timestamp)>,
) -> Result<Option<InFlight>, Failure> {
    if let Some(before) = &state.in_flight {
        if wanted == Some((before.quantity, before.since)) && app.store.is_held_in_flight(before).await? {
            return Ok(Some(InFlight { told, ..before.clone() }));
        }
        if let Some(reservation) = &before.id {
            app.store.let_go(reservation).await?;
        }
    }
    let Some((quantity, since)) = wanted else { return Ok(None) };
    tracing::info!(listing = %id, units = quantity.units(), "sales are in flight");
    let held = app.store.hold_in_flight(id, &state.version.to_string(), quantity).await?;
    Ok(Some(InFlight { id: held, quantity, since, told }))
}
