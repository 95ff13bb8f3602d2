//! The timer queue.
//!
//! A message that comes before its hold is over is sent again with what is left of the time: SQS delays by 15 minutes at most.
//! A hold that stands for longer than any shopper's may (a marketplace checks the payment of its order for days) gets no further message:
//! SQS delivers more than once, and a message that is sent again for two weeks would be many in the end. Whoever records the payment
//! settles it; once its time is over, the next shopper or the deletion of its record by TTL gives it back.
//!
//! Each message stands for itself: those that failed become visible again, and go to the dead-letter queue after a few times.

use aws_lambda_events::{
    sqs::SqsEvent,
    streams::{SqsBatchItemFailure, SqsEventResponse},
};
use domain::limits::MAX_LIFE_SECONDS;
use runtime::{App, Timer, timers};
use store::{Resolved, stream::ArmedHold};

use crate::resolve;

/// Handles a batch of timer messages.
pub async fn handle_timers(app: &App, event: SqsEvent) -> SqsEventResponse {
    let mut failed: Vec<String> = Vec::new();
    let mut again: Vec<(String, Timer)> = Vec::new();
    let mut due: Vec<(String, ArmedHold)> = Vec::new();
    for message in event.records {
        let message_id = message.message_id.unwrap_or_default();
        match timers::parse(message.body.as_deref().unwrap_or_default()) {
            Ok(armed) if armed.hold.is_over(app.now()) => due.push((message_id, armed)),
            Ok(armed) => again.push((message_id, armed.into())),
            Err(_) => {
                tracing::error!(message_id, "a timer message cannot be read");
                failed.push(message_id);
            }
        }
    }
    let (message_ids, due): (Vec<String>, Vec<ArmedHold>) = due.into_iter().unzip();
    let resolved = resolve(app, &due).await;
    for ((message_id, hold), resolved) in message_ids.into_iter().zip(due).zip(resolved) {
        match resolved {
            Some(Resolved::Done) => {}
            Some(Resolved::WaitUntil(due)) if due > app.now().plus_seconds(MAX_LIFE_SECONDS) => {}
            Some(Resolved::WaitUntil(due)) => again.push((message_id, Timer { hold, due })),
            None => failed.push(message_id),
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
