//! Purchase orders in the merchant's ERP. No route: called every minute.
//!
//! Every open order is looked at, several at once, and what `domain::purchase::erp` says is done about it ([`at`]): created, looked at,
//! canceled. Nothing is remembered between two calls but what is written on the order, so that a call that dies, or two that overlap, do
//! nothing twice: before the ERP is called it is written that it will be, and the connectors create one order for a key however often they
//! are asked. What an ERP answers in the negative is written on the order as well, in its own words.

mod at;

use std::time::Duration;

use domain::purchase::{PurchaseOrder, erp::Task};
use futures::StreamExt;
use runtime::{App, lambda::MalformedEvent};
use serde_json::{Value, json};
use store::Failure;

/// A call is given up after this long, and what is not done is done by the next: shorter than the function's timeout in `template.yaml`.
const PATIENCE: Duration = Duration::from_secs(50);

/// Orders that are looked at side by side: four calls a second at an ERP that answers in two, where the strictest allows eight.
const AT_ONCE: usize = 8;

/// Does what is due in the ERP.
///
/// # Errors
/// [`MalformedEvent`] never; the signature is that of every function that is fed events.
pub async fn handle(app: &App, _event: Value) -> Result<Value, MalformedEvent> {
    match tokio::time::timeout(PATIENCE, attend_all(app)).await {
        Ok(Ok(())) => {}
        Ok(Err(failure)) => tracing::warn!(%failure, "no purchase order was looked at"),
        Err(_) => tracing::warn!("out of time: what is left is looked at by the next call"),
    }
    Ok(json!({}))
}

async fn attend_all(app: &App) -> Result<(), Failure> {
    let Some(settings) = app.store.erp_settings().await? else { return Ok(()) };
    let Some(kind) = settings.kind else { return Ok(()) };
    let connector = match app.erp.connector(&settings).await {
        Ok(Some(connector)) => connector,
        Ok(None) => return Ok(()),
        Err(error) => {
            tracing::error!(alarm = "erp-unreachable", %error, "the ERP cannot be called");
            return Ok(());
        }
    };
    let now = app.now();
    let open = app.store.open_purchase_orders().await?;
    let due: Vec<PurchaseOrder> =
        open.into_iter().filter(|order| order.task(&settings, now) != Task::Nothing).collect();
    let desk = at::Desk { app, kind, settings: &settings, erp: &*connector };
    let attended = due.iter().map(|order| async {
        if let Err(failure) = desk.attend(order).await {
            tracing::warn!(%failure, order = %order.id, "a purchase order is looked at again by the next call");
        }
    });
    futures::stream::iter(attended).buffer_unordered(AT_ONCE).collect::<()>().await;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn no_call_ever_fails() {
        assert_eq!(handle(&App::unreachable(), json!({})).await.unwrap(), json!({}));
    }
}
