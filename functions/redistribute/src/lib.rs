//! Divides units anew where a channel runs low. No route: woken by a schedule, whose event says nothing that matters.
//!
//! Every rule is looked at, page by page, a few at a time. Each look stands for itself and is written only if nobody else has looked
//! meanwhile, so that a tick which comes twice, or while the one before is still under way, moves nothing twice. A look that failed is
//! logged and left to the next tick; that some failed is the function's error, for the alarm to ring.

use std::time::Duration;

use domain::{ids::Sku, refusal::Refusal};
use futures::{StreamExt, stream::iter};
use runtime::App;
use serde_json::{Value, json};
use store::{Failure, Fault, Occasion};

/// Rules on a page of the list.
const PAGE: usize = 100;

/// Rules that are looked at at the same time: enough to fill the waiting for DynamoDB, few enough not to be throttled.
const AT_ONCE: usize = 8;

/// One look is given up after this long, so that one bad SKU does not cost the others their turn.
const PATIENCE: Duration = Duration::from_secs(20);

/// Not every rule was looked at.
#[derive(Debug, thiserror::Error)]
pub enum Unfinished {
    /// The rules could not be listed.
    #[error("the rules could not be listed")]
    List(#[source] Failure),
    /// These looks failed, for the reasons that are logged.
    #[error("{0} rules could not be looked at")]
    Looks(usize),
}

/// Looks at every rule, and answers at how many, and how many units were moved.
///
/// # Errors
/// [`Unfinished`] when some could not be looked at.
pub async fn handle(app: &App, _: Value) -> Result<Value, Unfinished> {
    let (mut looks, mut units, mut failed) = (0_usize, 0_u64, 0_usize);
    let mut cursor = None;
    loop {
        let page = app.store.list_redistributions(PAGE, cursor.as_deref()).await.map_err(Unfinished::List)?;
        let mut looking = iter(&page.items).map(|sku| look(app, sku)).buffer_unordered(AT_ONCE);
        while let Some(moved) = looking.next().await {
            looks += 1;
            match moved {
                Ok(moved) => units += moved,
                Err(()) => failed += 1,
            }
        }
        drop(looking);
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    if failed > 0 { Err(Unfinished::Looks(failed)) } else { Ok(json!({ "looks": looks, "units_moved": units })) }
}

/// One look; how many units it moved.
async fn look(app: &App, sku: &Sku) -> Result<u64, ()> {
    let looking = app.store.redistribute(sku, &Occasion::Scheduled);
    let looked = tokio::time::timeout(PATIENCE, looking).await.unwrap_or_else(|_| {
        Err(Fault::Unavailable { operation: "divide units anew", reason: "it took too long".to_owned() }.into())
    });
    match looked {
        // Without a rule: it was removed since it was listed.
        Ok(None) => Ok(0),
        Ok(Some(done)) => {
            let units = done.transfers.iter().map(|transfer| transfer.moved.units).sum();
            if units > 0 {
                tracing::info!(%sku, units, transfers = done.transfers.len(), "divided anew");
            }
            Ok(units)
        }
        // Shoppers were faster each time, and no harm is done: the next tick tries again.
        Err(Failure::Refused(Refusal::Contended)) => {
            tracing::info!(%sku, "contended, left to the next tick");
            Ok(0)
        }
        Err(failure) => {
            tracing::error!(%sku, error = ?failure, "not divided anew");
            Err(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_outage_is_an_error_so_that_the_alarm_rings() {
        let answer = handle(&App::unreachable(), json!({ "source": "aws.events" })).await;
        assert!(matches!(answer, Err(Unfinished::List(_))), "{answer:?}");
    }

    #[tokio::test]
    async fn a_look_that_fails_is_counted() {
        assert_eq!(look(&App::unreachable(), &"tea".parse().unwrap()).await, Err(()));
    }
}
