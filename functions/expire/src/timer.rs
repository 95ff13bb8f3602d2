//! The timer queue.
//!
//! A message that comes before its hold is over is sent again with what is left of the time: SQS delays by 15 minutes at most.
//! Each message stands for itself: those that failed become visible again, and go to the dead-letter queue after a few times.

use aws_lambda_events::{
    sqs::{SqsEvent, SqsMessage},
    streams::{SqsBatchItemFailure, SqsEventResponse},
};
use futures::{StreamExt, stream};
use runtime::{App, Timer, timers};
use store::Resolved;

use crate::{AT_ONCE, resolve};

/// What became of a message.
enum Outcome {
    Done,
    /// Its hold still stands.
    Again(Timer),
    Failed,
}

/// Handles a batch of timer messages.
pub async fn handle_timers(app: &App, event: SqsEvent) -> SqsEventResponse {
    let handled = event.records.into_iter().map(|message| async move {
        let outcome = handle_timer(app, &message).await;
        (message.message_id.unwrap_or_default(), outcome)
    });
    let handled: Vec<(String, Outcome)> = stream::iter(handled).buffer_unordered(AT_ONCE).collect().await;
    let mut failed: Vec<String> = Vec::new();
    let mut again: Vec<(String, Timer)> = Vec::new();
    for (message_id, outcome) in handled {
        match outcome {
            Outcome::Done => {}
            Outcome::Again(timer) => again.push((message_id, timer)),
            Outcome::Failed => failed.push(message_id),
        }
    }
    let (message_ids, timers): (Vec<String>, Vec<Timer>) = again.into_iter().unzip();
    if let Err(not_armed) = app.timers.arm(&timers, app.now()).await {
        failed.extend(not_armed.positions.into_iter().filter_map(|position| message_ids.get(position).cloned()));
    }
    let mut response = SqsEventResponse::default();
    response.batch_item_failures = failed.into_iter().map(failure).collect();
    response
}

fn failure(message_id: String) -> SqsBatchItemFailure {
    let mut failure = SqsBatchItemFailure::default();
    failure.item_identifier = Some(message_id);
    failure
}

async fn handle_timer(app: &App, message: &SqsMessage) -> Outcome {
    let Ok(armed) = timers::parse(message.body.as_deref().unwrap_or_default()) else {
        tracing::error!(message_id = message.message_id, "a timer message cannot be read");
        return Outcome::Failed;
    };
    if !armed.hold.is_over(app.now()) {
        return Outcome::Again(armed.into());
    }
    match resolve(app, &armed).await {
        Ok(Resolved::Done) => Outcome::Done,
        Ok(Resolved::WaitUntil(due)) => Outcome::Again(Timer { hold: armed, due }),
        Err(_) => Outcome::Failed,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn message(id: &str, hold: &str) -> serde_json::Value {
        let body = format!(r#"{{"bucket":"tea#own","rid":"0123456789abcdef","hold":"{hold}"}}"#);
        json!({"messageId": id, "body": body, "eventSource": "aws:sqs"})
    }

    async fn failed(records: serde_json::Value) -> Vec<String> {
        let event: SqsEvent = serde_json::from_value(json!({"Records": records})).unwrap();
        let response = handle_timers(&App::unreachable(), event).await;
        let mut failed: Vec<String> =
            response.batch_item_failures.into_iter().filter_map(|f| f.item_identifier).collect();
        failed.sort();
        failed
    }

    #[tokio::test]
    async fn a_hold_that_stands_is_not_looked_at() {
        // The table is unreachable: looking would have failed.
        assert!(failed(json!([message("m1", "1@99999999999")])).await.is_empty());
    }

    #[tokio::test]
    async fn each_message_fails_for_itself() {
        let malformed = json!({"messageId": "m2", "body": "{", "eventSource": "aws:sqs"});
        let records = json!([message("m1", "1@99999999999"), malformed, message("m3", "1@1")]);
        assert_eq!(failed(records).await, ["m2", "m3"]);
    }
}
