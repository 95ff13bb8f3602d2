//! Does what an SQS event source mapping does: receives a batch, hands it to the function, and deletes what did not
//! fail. What failed comes back when its visibility timeout is over, and moves to the dead-letter queue after as many
//! receipts as the queue's redrive policy allows.

use std::time::Duration;

use anyhow::Result;
use aws_sdk_sqs::{
    Client,
    types::{DeleteMessageBatchRequestEntry, Message, MessageSystemAttributeName},
};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::{event, functions::EventFunction, sqs::Created};

/// The longest that SQS waits for a message.
const WAIT_SECONDS: i32 = 20;
/// The most messages that SQS answers with.
const MOST_MESSAGES: usize = 10;

/// One mapping.
#[derive(Clone)]
pub struct QueuePoller {
    pub client: Client,
    pub queue: Created,
    pub batch_size: usize,
    pub function: EventFunction,
}

impl QueuePoller {
    /// Receives until dropped.
    pub async fn run(self) {
        loop {
            if let Err(fault) = self.pass().await {
                tracing::warn!("queue {}: {fault:#}", self.queue.arn);
                sleep(Duration::from_secs(1)).await;
            }
        }
    }

    async fn pass(&self) -> Result<()> {
        let most = i32::try_from(self.batch_size.min(MOST_MESSAGES))?;
        let received = self
            .client
            .receive_message()
            .queue_url(&self.queue.url)
            .max_number_of_messages(most)
            .wait_time_seconds(WAIT_SECONDS)
            .message_system_attribute_names(MessageSystemAttributeName::All)
            .send()
            .await?;
        let messages = received.messages();
        if messages.is_empty() {
            return Ok(());
        }
        let records = messages.iter().map(|message| event::queue_message(message, &self.queue.arn));
        let answer = self.function.call(json!({ "Records": records.collect::<Vec<_>>() })).await?;
        self.delete(done(messages, &answer)).await
    }

    async fn delete(&self, messages: Vec<&Message>) -> Result<()> {
        if messages.is_empty() {
            return Ok(());
        }
        let entry = |(index, message): (usize, &&Message)| {
            let entry = DeleteMessageBatchRequestEntry::builder().id(index.to_string());
            entry.set_receipt_handle(message.receipt_handle.clone()).build()
        };
        let entries = messages.iter().enumerate().map(entry).collect::<Result<_, _>>()?;
        self.client.delete_message_batch().queue_url(&self.queue.url).set_entries(Some(entries)).send().await?;
        Ok(())
    }
}

/// The messages that the function did not report as failed.
fn done<'a>(messages: &'a [Message], answer: &Value) -> Vec<&'a Message> {
    let failures = answer["batchItemFailures"].as_array();
    let failed = |message: &&Message| {
        let mut failures = failures.into_iter().flatten();
        failures.any(|failure| failure["itemIdentifier"].as_str() == message.message_id())
    };
    messages.iter().filter(|message| !failed(message)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_did_not_fail_is_done() {
        let messages: Vec<Message> = ["a", "b"].iter().map(|id| Message::builder().message_id(*id).build()).collect();
        let ids = |answer: Value| -> Vec<String> {
            done(&messages, &answer).into_iter().filter_map(|message| message.message_id.clone()).collect()
        };
        assert_eq!(ids(json!({"batchItemFailures": [{"itemIdentifier": "a"}]})), ["b"]);
        assert_eq!(ids(json!({"batchItemFailures": []})), ["a", "b"]);
        assert_eq!(ids(Value::Null), ["a", "b"]);
    }
}
