//! An alert that has opened: its purchase order first, then whoever wants to hear of it, then the mark that all of that is done.
//!
//! Dies the process in between, all of it is done again: the order is there already, under the id that derives from the alert's, and whoever
//! is told twice is told of the same id.

use domain::{
    ids::AlertId,
    refusal::Refusal,
    replenishment::{
        ordering::{home_for, purchase_order},
        review::Alert,
    },
    time::Day,
};
use runtime::{App, replenishment::NotTold};
use store::{Failure, Fault};

/// Why an alert has to be acted upon again.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotDone {
    /// Its order could not be opened, or it could not be read.
    #[error(transparent)]
    Store(#[from] Failure),
    /// Nobody could be told.
    #[error(transparent)]
    Bell(#[from] NotTold),
}

impl From<Fault> for NotDone {
    fn from(fault: Fault) -> Self {
        Self::Store(fault.into())
    }
}

/// Does what an alert asks for, unless that is done.
pub(crate) async fn act(app: &App, id: &AlertId) -> Result<(), NotDone> {
    let Some(alert) = app.store.alert(id).await?.filter(|alert| alert.told_at.is_none()) else { return Ok(()) };
    order(app, &alert).await?;
    app.bell.ring(&alert).await?;
    app.store.alert_told(id).await?;
    Ok(())
}

/// Opens the purchase order of an alert, if its rule says so and it is not open yet.
async fn order(app: &App, alert: &Alert) -> Result<(), NotDone> {
    let Some(terms) = app.store.replenishment(&alert.sku).await? else { return Ok(()) };
    let channel = home_for(&app.store.pools(&alert.sku).await?);
    let Some(new) = purchase_order(alert, &terms.settings, channel, Day::of(app.now())) else { return Ok(()) };
    match app.store.open_purchase_order(&new).await {
        Ok(opened) => {
            let (order, sku) = (&opened.order.id, &alert.sku);
            tracing::info!(%order, %sku, alert = %alert.id, replayed = opened.replayed, "ordered");
            Ok(())
        }
        Err(Failure::Refused(Refusal::Contended)) => Err(Failure::from(Refusal::Contended).into()),
        // It would be refused the next time, too: whoever is told of the alert has to order by hand.
        Err(Failure::Refused(refusal)) => {
            tracing::error!(alarm = "not-ordered", sku = %alert.sku, alert = %alert.id, ?refusal, "no order was opened");
            Ok(())
        }
        Err(failure) => Err(failure.into()),
    }
}
