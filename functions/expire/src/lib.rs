//! Gives back what was not paid for. No route: fed by the table's stream and by the timer queue.
//!
//! | comes | means | is done |
//! |---|---|---|
//! | a bucket with a new hold, from the stream | units were taken | a timer is armed for the hold, recorded or not |
//! | a deleted reservation, from the stream | DynamoDB TTL removed it, a day or more later | its holds are resolved |
//! | a timer message | the hold should be over | the hold is resolved; if it still stands, the timer is armed again |
//!
//! Nothing here is needed for a unit to be sellable: the next shopper resolves holds that are over as well. Nothing here can do
//! harm either, however late, early or often it comes: a hold leaves its bucket only as the record of its reservation says.

mod image;
mod stream;
mod timer;

use std::{collections::BTreeMap, time::Duration};

use aws_lambda_events::{dynamodb, sqs::SqsEvent};
use domain::{
    bucket::{BucketId, Hold},
    ids::ReservationId,
};
use futures::{StreamExt, stream::iter};
use runtime::{App, lambda::MalformedEvent};
use serde_json::Value;
use store::{Fault, Resolved, stream::ArmedHold};

pub use stream::handle_stream;
pub use timer::handle_timers;

/// Buckets whose holds are resolved at the same time: enough to fill the waiting for DynamoDB, few enough not to be throttled.
const AT_ONCE: usize = 8;

/// One bucket is given up after this long and left to a retry, so that one bad bucket does not cost the whole batch its time.
const PATIENCE: Duration = Duration::from_secs(6);

/// Handles a batch of either source, and answers which of its items failed.
///
/// # Errors
/// [`MalformedEvent`] when it is of neither source, so that Lambda retries it and then sets it aside.
pub async fn handle(app: &App, event: Value) -> Result<Value, MalformedEvent> {
    let source = event.pointer("/Records/0/eventSource").and_then(Value::as_str).unwrap_or_default().to_owned();
    let answer = match source.as_str() {
        "aws:dynamodb" => {
            let event: dynamodb::Event = serde_json::from_value(event)?;
            serde_json::to_value(handle_stream(app, event).await)?
        }
        "aws:sqs" => {
            let event: SqsEvent = serde_json::from_value(event)?;
            serde_json::to_value(handle_timers(app, event).await)?
        }
        _ => {
            tracing::error!(source, "an event of no known source");
            return Err(MalformedEvent(None));
        }
    };
    Ok(answer)
}

/// Resolves holds, those of one bucket together. For each, in their order, what came of it; nothing where that failed, which is
/// logged.
async fn resolve(app: &App, holds: &[ArmedHold]) -> Vec<Option<Resolved>> {
    let mut buckets: BTreeMap<&BucketId, Vec<usize>> = BTreeMap::new();
    for (position, armed) in holds.iter().enumerate() {
        buckets.entry(&armed.bucket).or_default().push(position);
    }
    let resolving = buckets.into_iter().map(|(bucket, positions)| async move {
        let own = positions.iter().map(|position| (holds[*position].id.clone(), holds[*position].hold)).collect();
        (positions, resolve_bucket(app, bucket, own).await)
    });
    let mut resolved = vec![None; holds.len()];
    let mut buckets = iter(resolving).buffer_unordered(AT_ONCE);
    while let Some((positions, outcomes)) = buckets.next().await {
        for (position, outcome) in positions.into_iter().zip(outcomes) {
            resolved[position] = Some(outcome);
        }
    }
    resolved
}

/// What came of each of these holds of one bucket; nothing at all where that failed.
async fn resolve_bucket(app: &App, bucket: &BucketId, holds: Vec<(ReservationId, Hold)>) -> Vec<Resolved> {
    let resolving = app.store.resolve_all(bucket, &holds);
    let resolved = tokio::time::timeout(PATIENCE, resolving).await.unwrap_or_else(|_| {
        Err(Fault::Unavailable { operation: "resolve holds", reason: "it took too long".to_owned() })
    });
    match resolved {
        Ok(outcomes) => {
            tracing::debug!(%bucket, holds = holds.len(), ?outcomes, "resolved");
            outcomes
        }
        Err(fault) => {
            tracing::warn!(%fault, %bucket, holds = holds.len(), "not resolved, left to a retry");
            Vec::new()
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[tokio::test]
    async fn an_event_of_another_source_is_an_error() {
        for event in [json!({}), json!({"Records": []}), json!({"Records": [{"eventSource": "aws:s3"}]}), json!(null)] {
            assert!(handle(&App::unreachable(), event).await.is_err());
        }
    }

    #[tokio::test]
    async fn each_source_has_its_handler() {
        let record = json!({
            "eventSource": "aws:dynamodb", "eventID": "1", "eventName": "MODIFY", "awsRegion": "us-east-1",
            "dynamodb": {"Keys": {"pk": {"S": "R#x"}}, "SequenceNumber": "1", "SizeBytes": 1},
        });
        let answer = handle(&App::unreachable(), json!({"Records": [record]})).await.unwrap();
        assert_eq!(answer, json!({"batchItemFailures": []}));
        let message = json!({"eventSource": "aws:sqs", "messageId": "m1", "body": "{}"});
        let answer = handle(&App::unreachable(), json!({"Records": [message]})).await.unwrap();
        assert_eq!(answer, json!({"batchItemFailures": [{"itemIdentifier": "m1"}]}));
    }
}
