//! Reorders before it runs out. No route: fed by the queue of what `channel-mark` has seen in the table's stream, and woken by a schedule.
//!
//! | comes | is done |
//! |---|---|
//! | sales | each is counted to its day, once |
//! | SKUs with other units, or others on their way | each is looked at: an alert may open or close; units that came for promises which ended are moved to the stock |
//! | an alert that has opened | its purchase order is opened, if its rule says so; then somebody is told; then that is written down |
//! | a tick, each hour | every SKU with terms is looked at, and every open alert of which nobody was told is acted upon |
//!
//! Everything here may come twice, late or not at all: a sale carries the mark that it is counted, what is learned of a SKU its version, and
//! the purchase order of an alert has an id that derives from the alert's. A process that dies between any two writes leaves a message that
//! comes again, or an alert that the next tick finds.

mod act;
mod batch;
mod tick;

use std::time::Duration;

use aws_lambda_events::sqs::SqsEvent;
use domain::ids::Sku;
use runtime::{App, lambda::MalformedEvent};
use serde_json::Value;
use store::{Failure, Fault, Reviewed};

pub use batch::handle_batch;
pub use tick::{Unfinished, tick};

/// SKUs and alerts that are worked on at the same time: enough to fill the waiting for DynamoDB, few enough not to be throttled.
const AT_ONCE: usize = 8;

/// One look is given up after this long, so that one bad SKU does not cost the others their turn.
const PATIENCE: Duration = Duration::from_secs(20);

/// Why an event was not dealt with.
#[derive(Debug, thiserror::Error)]
pub enum Failed {
    /// It cannot be read.
    #[error(transparent)]
    Malformed(#[from] MalformedEvent),
    /// Not all of a tick was done.
    #[error(transparent)]
    Unfinished(#[from] Unfinished),
}

/// Handles a batch of messages, and answers which of them failed; or a tick.
///
/// # Errors
/// [`Failed`] when it is a batch that cannot be read, or a tick that could not be finished.
pub async fn handle(app: &App, event: Value) -> Result<Value, Failed> {
    if event.get("Records").is_none() {
        return Ok(tick(app).await?);
    }
    let event: SqsEvent = serde_json::from_value(event).map_err(MalformedEvent::from)?;
    Ok(serde_json::to_value(handle_batch(app, event).await).map_err(MalformedEvent::from)?)
}

/// Looks at one SKU. First what came for those who wait no longer is moved to where it can be sold: the look then counts it there.
async fn look(app: &App, sku: &Sku) -> Result<Option<Reviewed>, Failure> {
    let looking = async {
        let moved = app.store.tend_backorders(sku).await?;
        if moved > 0 {
            tracing::info!(%sku, moved, "set aside for nobody any more");
        }
        app.store.review_replenishment(sku).await
    };
    tokio::time::timeout(PATIENCE, looking).await.unwrap_or_else(|_| {
        Err(Fault::Unavailable { operation: "look at a SKU", reason: "it took too long".to_owned() }.into())
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[tokio::test]
    async fn an_outage_is_an_error_so_that_the_alarm_rings() {
        let answer = handle(&App::unreachable(), json!({ "source": "aws.events" })).await;
        assert!(matches!(answer, Err(Failed::Unfinished(Unfinished::List(_)))), "{answer:?}");
    }

    #[tokio::test]
    async fn a_batch_that_cannot_be_read_comes_again() {
        let answer = handle(&App::unreachable(), json!({ "Records": 1 })).await;
        assert!(matches!(answer, Err(Failed::Malformed(_))), "{answer:?}");
    }
}
