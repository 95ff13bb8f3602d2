//! The queues of channels: FIFO, so that one message of a group is handled at a time.

use std::borrow::Cow;

use aws_sdk_sqs::{Client, error::DisplayErrorContext, types::SendMessageBatchRequestEntry};
use domain::{
    ids::Channel,
    listing::ListingId,
    quantity::Quantity,
    sale::{ChannelOrder, SaleLine, Stage},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

/// Messages in one call. Source: SQS API reference, `SendMessageBatch`.
const BATCH: usize = 10;

/// One queue.
#[derive(Debug, Clone)]
pub struct Queue {
    client: Client,
    url: String,
}

/// Messages could not be sent; why is logged. Some may have been.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the queue did not take everything")]
pub struct NotSent;

/// What has become known of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// It stands like this.
    Order(Channel, ChannelOrder),
    /// It has changed: fetch it, by the vendor's id.
    Hint(Channel, String),
}

struct Message {
    group: String,
    deduplication: String,
    body: String,
}

impl Queue {
    /// The queue with this URL.
    #[must_use]
    pub fn new(client: Client, url: impl Into<String>) -> Self {
        Self { client, url: url.into() }
    }

    /// Asks for a look at listings, each with how often it was marked. That and `now` make another request another one, where SQS drops what
    /// it has seen in five minutes: a change may follow a look within the same second.
    ///
    /// # Errors
    /// [`NotSent`] when SQS did not say that it has all of them.
    pub async fn look_at(&self, listings: &[(ListingId, u64)], now: Timestamp) -> Result<(), NotSent> {
        let messages = listings.iter().map(|(id, marks)| Message {
            group: id.to_string(),
            deduplication: format!("{id}#{marks}#{now}"),
            body: sync_body(id),
        });
        self.send(messages.collect()).await
    }

    /// Hands over news. `delivery` is the vendor's id of what brought it, the same when it is brought again.
    ///
    /// # Errors
    /// [`NotSent`] when SQS did not say that it has all of it.
    pub async fn hand_over(&self, news: &[News], delivery: &str) -> Result<(), NotSent> {
        let messages = news.iter().map(|news| {
            let (channel, order) = match news {
                News::Order(channel, order) => (channel, order.order.as_str()),
                News::Hint(channel, order) => (channel, order.as_str()),
            };
            let group = group(channel, order);
            Message { deduplication: digest(&[&group, delivery]), group, body: news_body(news) }
        });
        self.send(messages.collect()).await
    }

    async fn send(&self, messages: Vec<Message>) -> Result<(), NotSent> {
        for batch in messages.chunks(BATCH) {
            let entries = batch.iter().enumerate().map(|(index, message)| {
                SendMessageBatchRequestEntry::builder()
                    .id(index.to_string())
                    .message_body(&message.body)
                    .message_group_id(&message.group)
                    .message_deduplication_id(&message.deduplication)
                    .build()
            });
            // Fails only without an id or a body; both are set above.
            let entries = entries.collect::<Result<Vec<_>, _>>().map_err(|_| NotSent)?;
            let sent = self.client.send_message_batch().queue_url(&self.url).set_entries(Some(entries)).send().await;
            let sent = sent.map_err(|error| {
                tracing::warn!(error = %DisplayErrorContext(&error), "a queue cannot be reached");
                NotSent
            })?;
            if !sent.failed.is_empty() {
                tracing::warn!(failed = ?sent.failed, "a queue did not take everything");
                return Err(NotSent);
            }
        }
        Ok(())
    }
}

/// A group of the queue of news: 128 characters at most, which a vendor's id of an order may have alone.
fn group(channel: &Channel, order: &str) -> String {
    digest(&[channel.as_str(), order])
}

fn digest(parts: &[&str]) -> String {
    domain::ids::Fingerprint::of("news", parts).to_string()
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SyncMessage<'a> {
    listing: Cow<'a, str>,
}

/// The body of a message of the sync queue.
///
/// # Panics
/// Never: texts always serialize.
#[must_use]
pub fn sync_body(id: &ListingId) -> String {
    serde_json::to_string(&SyncMessage { listing: id.to_string().into() }).expect("texts serialize")
}

/// A message is not one of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a message of a channel: {0}")]
pub struct MalformedNews(&'static str);

/// Reads a message of the sync queue: `{"listing":"ebay#tea"}`.
///
/// # Errors
/// [`MalformedNews`] when it is none.
pub fn read_sync(body: &str) -> Result<ListingId, MalformedNews> {
    let message: SyncMessage<'_> = serde_json::from_str(body).map_err(|_| MalformedNews("its shape"))?;
    message.listing.parse().map_err(|_| MalformedNews("listing"))
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewsMessage<'a> {
    channel: Cow<'a, str>,
    order: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    changed_at: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lines: Option<Vec<LineMessage<'a>>>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LineMessage<'a> {
    line: Cow<'a, str>,
    sku: Cow<'a, str>,
    quantity: u64,
    canceled: u64,
    stage: Cow<'a, str>,
}

/// The body of a message of the queue of news.
///
/// # Panics
/// Never: texts and numbers always serialize.
#[must_use]
pub fn news_body(news: &News) -> String {
    let message = match news {
        News::Hint(channel, order) => {
            NewsMessage { channel: channel.as_str().into(), order: order.into(), changed_at: None, lines: None }
        }
        News::Order(channel, order) => NewsMessage {
            channel: channel.as_str().into(),
            order: order.order.as_str().into(),
            changed_at: Some(order.changed_at.epoch_seconds()),
            lines: Some(order.lines.iter().map(line_message).collect()),
        },
    };
    serde_json::to_string(&message).expect("texts and numbers serialize")
}

fn line_message(line: &SaleLine) -> LineMessage<'_> {
    LineMessage {
        line: line.line.as_str().into(),
        sku: line.sku.as_str().into(),
        quantity: line.quantity.units(),
        canceled: line.canceled,
        stage: word(line.stage).into(),
    }
}

const STAGES: [Stage; 3] = [Stage::Pending, Stage::Paid, Stage::Shipped];

fn word(stage: Stage) -> &'static str {
    match stage {
        Stage::Pending => "pending",
        Stage::Paid => "paid",
        Stage::Shipped => "shipped",
    }
}

/// Reads a message of the queue of news: `{"channel":"ebay","order":"7"}`, or with `changed_at` and `lines` how it stands.
///
/// # Errors
/// [`MalformedNews`] when it is none.
pub fn read_news(body: &str) -> Result<News, MalformedNews> {
    let message: NewsMessage<'_> = serde_json::from_str(body).map_err(|_| MalformedNews("its shape"))?;
    let channel = message.channel.parse().map_err(|_| MalformedNews("channel"))?;
    let (Some(changed_at), Some(lines)) = (message.changed_at, message.lines) else {
        return Ok(News::Hint(channel, message.order.into_owned()));
    };
    let lines = lines.iter().map(|line| {
        Ok(SaleLine {
            line: line.line.parse().map_err(|_| MalformedNews("line"))?,
            sku: line.sku.parse().map_err(|_| MalformedNews("sku"))?,
            quantity: Quantity::new(line.quantity).map_err(|_| MalformedNews("quantity"))?,
            canceled: line.canceled,
            stage: STAGES.into_iter().find(|stage| word(*stage) == line.stage).ok_or(MalformedNews("stage"))?,
        })
    });
    let order = ChannelOrder {
        order: message.order.parse().map_err(|_| MalformedNews("order"))?,
        changed_at: Timestamp::from_epoch_seconds(changed_at),
        lines: lines.collect::<Result<_, _>>()?,
    };
    Ok(News::Order(channel, order))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORDER: &str = r#"{"channel":"ebay","order":"7","changed_at":1800000000,"lines":[{"line":"1","sku":"tea","quantity":2,"canceled":0,"stage":"paid"}]}"#;

    #[test]
    fn messages_read_back_what_they_write() {
        for body in [ORDER, r#"{"channel":"ebay","order":"7"}"#] {
            assert_eq!(news_body(&read_news(body).unwrap()), body);
        }
        let body = r#"{"listing":"ebay#tea"}"#;
        assert_eq!(sync_body(&read_sync(body).unwrap()), body);
    }

    #[test]
    fn a_malformed_message_is_none() {
        for malformed in [
            "",
            "{}",
            r#"{"channel":"eBay","order":"7"}"#,
            &ORDER.replace("\"tea\"", "\"\""),
            &ORDER.replace("\"quantity\":2", "\"quantity\":0"),
            &ORDER.replace("paid", "lost"),
            &ORDER.replace("\"order\":\"7\"", "\"order\":\"\""),
            &ORDER.replace("\"stage\"", "\"step\""),
        ] {
            assert!(read_news(malformed).is_err(), "{malformed}");
        }
        for malformed in ["", "{}", r#"{"listing":"tea"}"#, r#"{"listing":"ebay#tea","x":1}"#] {
            assert!(read_sync(malformed).is_err(), "{malformed}");
        }
    }

    #[test]
    fn news_of_one_order_waits_in_one_group() {
        let ebay: Channel = "ebay".parse().unwrap();
        assert_eq!(group(&ebay, "7"), group(&ebay, "7"));
        assert_ne!(group(&ebay, "7"), group(&"amazon".parse().unwrap(), "7"));
    }
}
