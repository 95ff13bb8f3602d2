//! Shows at the channels what there is. No route: fed by the sync queue, whose groups are listings.
//!
//! A message only says "look": what is shown is computed now, so that many changes become one push, and an old message can never put an
//! old number over a newer one. What is not done stays marked, and is told again by the next poll; so no message ever fails.
//!
//! For the listings of a batch that are at the same channel ([`pass`]):
//!
//! 1. **Look** at what the channel shows, and judge it: sales in flight, or a push that was not applied.
//! 2. **Hold** units for sales in flight, before anything is computed ([`in_flight`]).
//! 3. **Compute** what is to be shown ([`store::Store::terms`]); nothing where the channel was not heard for too long or disagrees.
//! 4. **Push**, what could oversell first: write that it begins, send, write what came of it.

mod in_flight;
mod pass;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use aws_lambda_events::{sqs::SqsEvent, streams::SqsEventResponse};
use domain::{ids::Channel, listing::ListingId};
use runtime::{App, channels::read_sync, lambda::MalformedEvent};
use serde_json::Value;

/// A batch is given up after this long, and what is not done stays marked: shorter than the function's timeout in `template.yaml`.
const PATIENCE: Duration = Duration::from_secs(50);

/// Handles a batch, and answers that no message of it failed.
///
/// # Errors
/// [`MalformedEvent`] when it is no batch of messages.
pub async fn handle(app: &App, event: Value) -> Result<Value, MalformedEvent> {
    let event: SqsEvent = serde_json::from_value(event)?;
    Ok(serde_json::to_value(handle_batch(app, event).await)?)
}

/// Handles a batch of messages that each name a listing.
pub async fn handle_batch(app: &App, event: SqsEvent) -> SqsEventResponse {
    let mut channels: BTreeMap<Channel, BTreeSet<ListingId>> = BTreeMap::new();
    for message in event.records {
        match read_sync(message.body.as_deref().unwrap_or_default()) {
            Ok(id) => drop(channels.entry(id.channel.clone()).or_default().insert(id)),
            Err(malformed) => {
                tracing::error!(%malformed, message_id = message.message_id, "a sync message cannot be read");
            }
        }
    }
    let passes = channels.iter().map(|(channel, listings)| async move {
        match tokio::time::timeout(PATIENCE, pass::pass(app, channel, listings)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, %channel, "listings stay marked"),
            Err(_) => tracing::warn!(%channel, "out of time: listings stay marked"),
        }
    });
    futures::future::join_all(passes).await;
    SqsEventResponse::default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[tokio::test]
    async fn no_message_ever_fails() {
        let message = |body: &str| json!({"messageId": "m", "body": body, "eventSource": "aws:sqs"});
        let event = json!({"Records": [message("{"), message(r#"{"listing":"ebay#tea"}"#)]});
        assert_eq!(handle(&App::unreachable(), event).await.unwrap(), json!({"batchItemFailures": []}));
    }

    #[tokio::test]
    async fn an_event_without_messages_is_an_error() {
        for event in [json!({"Records": 1}), json!(null)] {
            assert!(handle(&App::unreachable(), event).await.is_err());
        }
    }
}
