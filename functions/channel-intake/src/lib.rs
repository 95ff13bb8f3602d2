//! Records what channels have told of their orders. No route: fed by the queue of news, and by Amazon's notifications.
//!
//! | a message | is |
//! |---|---|
//! | an order as it stands | recorded, line by line |
//! | a hint that an order has changed | fetched from the channel, then recorded |
//! | one that cannot be read | logged with an alarm and dropped: the next pull brings its order |
//! | one that fails for now, or takes too long | reported with everything behind it in its group; all of them come again |
//! | one for which no time is left | reported without a look at it; with a slow vendor, each call still gets some done |
//!
//! An order is recorded once however often it is told: every write is guarded by the id of its line.

mod amazon;

use std::{collections::BTreeSet, time::Duration};

use aws_lambda_events::{
    sqs::{SqsEvent, SqsMessage},
    streams::{SqsBatchItemFailure, SqsEventResponse},
};
use channels::CallError;
use domain::{ids::Channel, sale::ChannelOrder};
use runtime::{
    App,
    channels::{News, read_news},
    lambda::MalformedEvent,
};
use serde_json::Value;
use store::{Failure, Fault};
use tokio::time::{Instant, timeout};

/// No message is begun later than so long after its batch came, and each is given up after so long: together shorter than the function's
/// timeout in `template.yaml`. A function that is cut off has done nothing, as far as its queue knows: all of the batch would come again,
/// until it is given up.
const BEGIN_UNTIL: Duration = Duration::from_secs(40);
const PATIENCE: Duration = Duration::from_secs(15);

/// The attribute of a message that names its group.
const GROUP: &str = "MessageGroupId";

/// Why news was not recorded.
#[derive(Debug, thiserror::Error)]
enum NotRecorded {
    #[error(transparent)]
    Store(#[from] Failure),
    #[error(transparent)]
    Channel(#[from] CallError),
}

impl From<Fault> for NotRecorded {
    fn from(fault: Fault) -> Self {
        Self::Store(fault.into())
    }
}

/// Handles a batch, and answers which of its messages failed.
///
/// # Errors
/// [`MalformedEvent`] when it is no batch of messages, so that all of it comes again.
pub async fn handle(app: &App, event: Value) -> Result<Value, MalformedEvent> {
    let event: SqsEvent = serde_json::from_value(event)?;
    Ok(serde_json::to_value(handle_news(app, event).await)?)
}

/// Handles a batch of news.
pub async fn handle_news(app: &App, event: SqsEvent) -> SqsEventResponse {
    handle_until(app, event, Instant::now() + BEGIN_UNTIL).await
}

async fn handle_until(app: &App, event: SqsEvent, begin_until: Instant) -> SqsEventResponse {
    let mut response = SqsEventResponse::default();
    let mut held_up: BTreeSet<String> = BTreeSet::new();
    for message in event.records {
        let group = message.attributes.get(GROUP).cloned();
        let waits = group.as_ref().is_some_and(|group| held_up.contains(group)) || Instant::now() >= begin_until;
        let failed = if waits { true } else { !is_heard(Box::pin(hear(app, &message)), PATIENCE).await };
        if failed {
            held_up.extend(group);
            let mut failure = SqsBatchItemFailure::default();
            failure.item_identifier = message.message_id;
            response.batch_item_failures.push(failure);
        }
    }
    response
}

/// Whether a message is done within its time.
async fn is_heard(hearing: impl Future<Output = bool>, patience: Duration) -> bool {
    timeout(patience, hearing).await.unwrap_or_else(|_| {
        tracing::warn!("out of time: news comes again");
        false
    })
}

/// Records what a message says; whether nothing more is to be done about it.
async fn hear(app: &App, message: &SqsMessage) -> bool {
    let body = message.body.as_deref().unwrap_or_default();
    let told = match read_news(body) {
        Ok(news) => record(app, news).await,
        Err(malformed) => {
            let Ok(notice) = channels::amazon::parse_notification(body.as_bytes()) else {
                let message_id = message.message_id.as_deref();
                tracing::error!(alarm = "unreadable-order", %malformed, message_id, "news cannot be read");
                return true;
            };
            amazon::hear(app, notice).await
        }
    };
    match told {
        Ok(()) => true,
        Err(NotRecorded::Channel(error @ (CallError::Refused { .. } | CallError::Unconfigured(_)))) => {
            tracing::error!(alarm = "unreadable-order", %error, "an order cannot be fetched");
            true
        }
        Err(error) => {
            tracing::warn!(%error, "news comes again");
            false
        }
    }
}

async fn record(app: &App, news: News) -> Result<(), NotRecorded> {
    match news {
        News::Order(channel, order) => record_order(app, &channel, &order).await,
        News::Hint(channel, id) => {
            let Some(settings) = app.store.channel_settings(&channel).await? else {
                tracing::warn!(%channel, "news of a channel that is not set up");
                return Ok(());
            };
            let Some(connector) = app.channels.connector(&channel, &settings).await? else { return Ok(()) };
            let Some(order) = connector.order(&id).await? else {
                tracing::warn!(%channel, order = id, "the channel does not know the order of which it told");
                return Ok(());
            };
            record_order(app, &channel, &order).await
        }
    }
}

async fn record_order(app: &App, channel: &Channel, order: &ChannelOrder) -> Result<(), NotRecorded> {
    app.store.record_order(channel, order).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn batch() -> SqsEvent {
        let message = |id: &str| json!({"messageId": id, "body": "{", "eventSource": "aws:sqs"});
        serde_json::from_value(json!({"Records": [message("1"), message("2")]})).unwrap()
    }

    #[tokio::test]
    async fn what_is_not_begun_in_time_comes_again() {
        // Such a message is dropped as soon as it is looked at.
        let app = App::unreachable();
        assert!(handle_news(&app, batch()).await.batch_item_failures.is_empty());
        let late = handle_until(&app, batch(), Instant::now()).await.batch_item_failures;
        let late: Vec<_> = late.into_iter().map(|failure| failure.item_identifier).collect();
        assert_eq!(late, ["1", "2"].map(|id| Some(id.to_owned())));
    }

    #[tokio::test]
    async fn what_takes_too_long_comes_again() {
        assert!(!is_heard(std::future::pending(), Duration::from_millis(1)).await);
        assert!(is_heard(async { true }, PATIENCE).await && !is_heard(async { false }, PATIENCE).await);
        assert!(BEGIN_UNTIL + PATIENCE < Duration::from_mins(1), "the function's timeout");
    }
}
