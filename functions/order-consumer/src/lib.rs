//! Decides the orders that wait in the order queue. No route: fed by SQS FIFO, ten messages at a time.
//!
//! | a message | is |
//! |---|---|
//! | that is decided, sold or refused for good | done: the record says what became of it |
//! | that could not be decided now | reported with everything behind it in its line, so that nobody overtakes; all of them come again |
//! | that cannot be read | reported alone, and made to come again at once: it holds up its line until, after five receives, it is a dead letter |
//!
//! Messages come in lines (SQS: message groups). Within a line their order is kept: the units of sales that stand together are taken
//! in one write, and what stands between them is decided in between. Lines do not wait for each other.
//!
//! A message may come twice, or once more after a crash in the middle: every write is guarded by the id that the message carries.

mod line;

use std::time::Duration;

use aws_lambda_events::{
    sqs::{SqsEvent, SqsMessage},
    streams::{SqsBatchItemFailure, SqsEventResponse},
};
use futures::future::join_all;
use runtime::{App, lambda::MalformedEvent};
use serde_json::Value;

use crate::line::Line;

/// A batch is given up after this long, and what is not decided comes again: shorter than the function's timeout in `template.yaml`,
/// which would report nothing and bring back what is decided as well.
const PATIENCE: Duration = Duration::from_secs(8);

/// The attribute of a message that names its line.
const GROUP: &str = "MessageGroupId";

/// Handles a batch, and answers which of its messages failed.
///
/// # Errors
/// [`MalformedEvent`] when it is no batch of messages, so that all of it comes again.
pub async fn handle(app: &App, event: Value) -> Result<Value, MalformedEvent> {
    let event: SqsEvent = serde_json::from_value(event)?;
    Ok(serde_json::to_value(handle_orders(app, event).await)?)
}

/// Handles a batch of order messages.
pub async fn handle_orders(app: &App, event: SqsEvent) -> SqsEventResponse {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    let lines = lines(event.records).into_iter().map(|line| line.decide(app, deadline));
    // Different lines: the order within each is the line's own matter.
    let failed = join_all(lines).await.concat();
    let mut response = SqsEventResponse::default();
    response.batch_item_failures = failed.into_iter().map(failure).collect();
    response
}

/// The lines of a batch, each in its own order.
fn lines(messages: Vec<SqsMessage>) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    for message in messages {
        let name = message.attributes.get(GROUP).cloned().unwrap_or_default();
        if let Some(known) = lines.iter_mut().find(|line| line.name == name) {
            known.push(message);
        } else {
            lines.push(Line::new(name, message));
        }
    }
    lines
}

fn failure(message_id: String) -> SqsBatchItemFailure {
    let mut failure = SqsBatchItemFailure::default();
    failure.item_identifier = Some(message_id);
    failure
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn message(id: &str, group: &str, body: &str) -> Value {
        json!({"messageId": id, "body": body, "eventSource": "aws:sqs", "attributes": {"MessageGroupId": group}})
    }

    const ORDER: &str = r#"{"kind":"order","id":"0123456789abcdef","channel":"own","lines":["tea=2"]}"#;

    async fn failed(records: Value) -> Vec<String> {
        let answer = handle(&App::unreachable(), json!({ "Records": records })).await.unwrap();
        let failures = answer["batchItemFailures"].as_array().unwrap().iter();
        failures.map(|failure| failure["itemIdentifier"].as_str().unwrap().to_owned()).collect()
    }

    #[tokio::test]
    async fn an_event_without_messages_is_an_error() {
        for event in [json!({}), json!({"Records": 1}), json!(null)] {
            assert!(handle(&App::unreachable(), event).await.is_err());
        }
    }

    #[tokio::test]
    async fn in_an_outage_every_message_comes_again() {
        let payment = r#"{"kind":"confirmation","id":"0123456789abcdef"}"#;
        let records = json!([
            message("m1", "tea#own", ORDER),
            message("m2", "tea#own", payment),
            message("m3", "mug#own", ORDER)
        ]);
        assert_eq!(failed(records).await, ["m1", "m2", "m3"]);
    }

    #[tokio::test]
    async fn a_message_that_cannot_be_read_fails_alone() {
        let records = json!([message("m1", "tea#own", "{"), message("m2", "tea#own", r#"{"kind":"gift"}"#)]);
        assert_eq!(failed(records).await, ["m1", "m2"]);
    }

    #[test]
    fn lines_keep_their_order_and_each_its_own() {
        let message = |id: &str, group: &str| serde_json::from_value(message(id, group, ORDER)).unwrap();
        let lines =
            lines(vec![message("1", "a"), message("2", "b"), message("3", "a"), message("4", "c"), message("5", "b")]);
        let ids: Vec<_> = lines.iter().map(|line| (line.name.as_str(), line.message_ids())).collect();
        assert_eq!(ids, [("a", vec!["1", "3"]), ("b", vec!["2", "5"]), ("c", vec!["4"])]);
    }
}
