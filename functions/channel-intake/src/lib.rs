//! Records what channels have told of their orders. No route: fed by the queue of news, and by Amazon's notifications.
//!
//! | a message | is |
//! |---|---|
//! | an order as it stands | recorded, line by line |
//! | a hint that an order has changed | fetched from the channel, then recorded |
//! | one that cannot be read | logged with an alarm and dropped: the next pull brings its order |
//! | one that fails for now | reported with everything behind it in its group; all of them come again |
//!
//! An order is recorded once however often it is told: every write is guarded by the id of its line.

mod amazon;

use std::collections::BTreeSet;

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
    let mut response = SqsEventResponse::default();
    let mut held_up: BTreeSet<String> = BTreeSet::new();
    for message in event.records {
        let group = message.attributes.get(GROUP).cloned();
        let waits = group.as_ref().is_some_and(|group| held_up.contains(group));
        let failed = if waits { true } else { !hear(app, &message).await };
        if failed {
            held_up.extend(group);
            let mut failure = SqsBatchItemFailure::default();
            failure.item_identifier = message.message_id;
            response.batch_item_failures.push(failure);
        }
    }
    response
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
