//! Messages that wake `expire` when a hold is over.
//!
//! SQS delays a message by at most 15 minutes, so a timer that is due later is sent again until it is due. A timer that comes too
//! early, twice or not at all does no harm: the message names an exact hold, and resolving looks at what is stored.

use aws_sdk_sqs::{Client, error::DisplayErrorContext, types::SendMessageBatchRequestEntry};
use domain::time::Timestamp;
use futures::{StreamExt, stream};
use serde::{Deserialize, Serialize};
use store::stream::ArmedHold;

/// The longest that SQS delays a message, in seconds. Source: SQS API reference, `DelaySeconds`.
const MAX_DELAY_SECONDS: u64 = 900;

/// Messages in one call. Source: SQS API reference, `SendMessageBatch`.
const BATCH: usize = 10;

/// Calls under way at once: enough that a full batch of the stream is armed in a few round trips.
const CALLS_AT_ONCE: usize = 4;

/// A hold, and the last second at which there is nothing to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timer {
    /// The hold.
    pub hold: ArmedHold,
    /// Look at it after this instant.
    pub due: Timestamp,
}

impl From<ArmedHold> for Timer {
    /// Due when the hold is over.
    fn from(hold: ArmedHold) -> Self {
        Self { due: hold.hold.expires_at, hold }
    }
}

/// The timer queue.
#[derive(Debug, Clone)]
pub struct Timers(Option<Queue>);

#[derive(Debug, Clone)]
struct Queue {
    client: Client,
    url: String,
}

impl Timers {
    /// The queue with this URL.
    #[must_use]
    pub fn new(client: Client, queue_url: impl Into<String>) -> Self {
        Self(Some(Queue { client, url: queue_url.into() }))
    }

    /// No queue: nothing is armed, and holds are resolved by the next shopper alone.
    #[must_use]
    pub fn none() -> Self {
        Self(None)
    }

    /// Sends a message for each timer.
    ///
    /// # Errors
    /// [`NotArmed`] says which could not be sent; why is logged. All others were.
    pub async fn arm<T>(&self, timers: &[T], now: Timestamp) -> Result<(), NotArmed>
    where
        T: Clone + Into<Timer>,
    {
        let Some(queue) = &self.0 else { return Ok(()) };
        let numbered: Vec<(usize, Timer)> = timers.iter().cloned().map(Into::into).enumerate().collect();
        let batches: Vec<_> = numbered.chunks(BATCH).map(|batch| queue.send(batch, now)).collect();
        let failed: Vec<Vec<usize>> = stream::iter(batches).buffered(CALLS_AT_ONCE).collect().await;
        let positions = failed.concat();
        if positions.is_empty() { Ok(()) } else { Err(NotArmed { positions }) }
    }
}

/// Some timers could not be sent.
#[derive(Debug, thiserror::Error)]
#[error("{} timers could not be armed", positions.len())]
pub struct NotArmed {
    /// Their positions among those that were to be sent.
    pub positions: Vec<usize>,
}

impl Queue {
    async fn send(&self, batch: &[(usize, Timer)], now: Timestamp) -> Vec<usize> {
        let all = || batch.iter().map(|(position, _)| *position).collect();
        let entries = batch.iter().map(|(position, timer)| {
            SendMessageBatchRequestEntry::builder()
                .id(position.to_string())
                .message_body(body(&timer.hold))
                .delay_seconds(delay_seconds(timer.due, now))
                .build()
        });
        // Fails only without an id or a body; both are set above.
        let Ok(entries) = entries.collect() else { return all() };
        let sent = self.client.send_message_batch().queue_url(&self.url).set_entries(Some(entries)).send().await;
        match sent {
            Err(error) => {
                tracing::warn!(error = %DisplayErrorContext(&error), timers = batch.len(), "could not arm timers");
                all()
            }
            Ok(output) => {
                let failed = output.failed.iter();
                failed
                    .inspect(|entry| {
                        tracing::warn!(code = entry.code, message = entry.message, "could not arm a timer");
                    })
                    .filter_map(|entry| entry.id.parse().ok())
                    .collect()
            }
        }
    }
}

/// One second after it is due, for until then it stands; no longer than SQS allows.
fn delay_seconds(due: Timestamp, now: Timestamp) -> i32 {
    let seconds = (due.seconds_since(now) + 1).min(MAX_DELAY_SECONDS);
    i32::try_from(seconds).unwrap_or(i32::MAX)
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Message<'a> {
    bucket: std::borrow::Cow<'a, str>,
    rid: std::borrow::Cow<'a, str>,
    hold: std::borrow::Cow<'a, str>,
}

/// A timer message is not one of ours.
#[derive(Debug, thiserror::Error)]
#[error("not a timer message")]
pub struct MalformedTimer;

/// The body of a timer message: `{"bucket":"tea#own","rid":"…","hold":"3@1763890000"}`.
///
/// # Panics
/// Never: three texts always serialize.
#[must_use]
pub fn body(hold: &ArmedHold) -> String {
    let message = Message {
        bucket: hold.bucket.to_string().into(),
        rid: hold.id.as_str().into(),
        hold: hold.hold.to_string().into(),
    };
    serde_json::to_string(&message).expect("texts serialize")
}

/// Reads the body of a timer message.
///
/// # Errors
/// [`MalformedTimer`] when it is not what [`body`] writes.
pub fn parse(body: &str) -> Result<ArmedHold, MalformedTimer> {
    let message: Message<'_> = serde_json::from_str(body).map_err(|_| MalformedTimer)?;
    Ok(ArmedHold {
        bucket: message.bucket.parse().map_err(|_| MalformedTimer)?,
        id: message.rid.parse().map_err(|_| MalformedTimer)?,
        hold: message.hold.parse().map_err(|_| MalformedTimer)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &str = r#"{"bucket":"tea#own#3","rid":"0123456789abcdef","hold":"3@1763890000"}"#;

    #[test]
    fn a_message_reads_back_what_it_writes() {
        assert_eq!(body(&parse(BODY).unwrap()), BODY);
    }

    #[test]
    fn a_malformed_message_is_none() {
        for malformed in [
            "",
            "{}",
            "[\"tea#own\",\"0123456789abcdef\",\"3@5\",1]",
            &BODY.replace("tea#own#3", "tea"),
            &BODY.replace("0123456789abcdef", "short"),
            &BODY.replace("3@1763890000", "0@1763890000"),
            &BODY.replace('}', ",\"x\":1}"),
        ] {
            assert!(parse(malformed).is_err(), "{malformed}");
        }
    }

    #[test]
    fn the_delay_ends_one_second_after_it_is_due_and_within_what_sqs_allows() {
        let at = Timestamp::from_epoch_seconds;
        for (due, now, seconds) in
            [(1_000, 1_000, 1), (1_000, 990, 11), (1_000, 2_000, 1), (1_000, 101, 900), (3_700, 100, 900)]
        {
            assert_eq!(delay_seconds(at(due), at(now)), seconds, "{due} {now}");
        }
    }

    #[tokio::test]
    async fn without_a_queue_nothing_is_armed_and_nothing_fails() {
        let holds = [parse(BODY).unwrap()];
        assert!(Timers::none().arm(&holds, Timestamp::from_epoch_seconds(0)).await.is_ok());
    }
}
