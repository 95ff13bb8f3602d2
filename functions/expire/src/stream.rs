//! The table's stream.
//!
//! A shard is retried from the first record that failed: it is reported, and everything after it comes again. What was done for
//! those already is done twice, harmlessly: a timer more, a hold that has left already.

use aws_lambda_events::{
    dynamodb::{Event, EventRecord},
    streams::{DynamoDbBatchItemFailure, DynamoDbEventResponse},
};
use runtime::{App, Timer};
use store::{
    Fault, Resolved,
    stream::{ArmedHold, holds_of_removed_reservation, new_holds},
};

use crate::{image::images, resolve};

/// What a record asks for.
#[derive(Debug, Default, PartialEq)]
struct Work {
    /// Holds that need a timer.
    arm: Vec<ArmedHold>,
    /// Holds of a reservation that DynamoDB deleted.
    resolve: Vec<ArmedHold>,
}

/// Handles a batch of the table's stream.
pub async fn handle_stream(app: &App, event: Event) -> DynamoDbEventResponse {
    let sequence_numbers: Vec<Option<String>> =
        event.records.iter().map(|record| record.change.sequence_number.clone()).collect();
    let mut failed: Vec<usize> = Vec::new();
    let mut timers: Vec<(usize, Timer)> = Vec::new();
    let mut overdue: Vec<(usize, ArmedHold)> = Vec::new();
    for (position, record) in event.records.into_iter().enumerate() {
        match work(record) {
            Ok(work) => {
                timers.extend(work.arm.into_iter().map(|hold| (position, hold.into())));
                overdue.extend(work.resolve.into_iter().map(|hold| (position, hold)));
            }
            Err(fault) => {
                tracing::error!(%fault, sequence_number = sequence_numbers[position], "a record cannot be read");
                failed.push(position);
            }
        }
    }
    let (owners, overdue): (Vec<usize>, Vec<ArmedHold>) = overdue.into_iter().unzip();
    let resolved = resolve(app, &overdue).await;
    for ((position, hold), resolved) in owners.into_iter().zip(overdue).zip(resolved) {
        match resolved {
            Some(Resolved::Done) => {}
            Some(Resolved::WaitUntil(due)) => timers.push((position, Timer { hold, due })),
            None => failed.push(position),
        }
    }
    let (positions, timers): (Vec<usize>, Vec<Timer>) = timers.into_iter().unzip();
    if let Err(not_armed) = app.timers.arm(&timers, app.now()).await {
        failed.extend(not_armed.positions.into_iter().filter_map(|index| positions.get(index)));
    }
    let mut response = DynamoDbEventResponse::default();
    if let Some(first) = failed.into_iter().min() {
        let mut failure = DynamoDbBatchItemFailure::default();
        // Without a sequence number Lambda takes the whole batch as failed, which is what is meant then.
        failure.item_identifier.clone_from(&sequence_numbers[first]);
        response.batch_item_failures.push(failure);
    }
    response
}

fn work(record: EventRecord) -> Result<Work, Fault> {
    // Only TTL signs its deletions so; nothing else of this service deletes a reservation.
    let by_ttl = record.user_identity.as_ref().is_some_and(|who| who.principal_id == "dynamodb.amazonaws.com");
    let removed = record.event_name == "REMOVE";
    let (old, new) = images(record.change);
    match (removed, old, new) {
        (true, Some(old), _) if by_ttl => Ok(Work { resolve: holds_of_removed_reservation(&old)?, ..Work::default() }),
        (true, ..) => Ok(Work::default()),
        (false, old, new) => Ok(Work { arm: new_holds(old.as_ref(), new.as_ref())?, ..Work::default() }),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const RID: &str = "0123456789abcdef";

    fn bucket(holds: &Value) -> Value {
        json!({
            "pk": {"S": "S#tea#own"}, "a": {"N": "5"}, "sold": {"N": "0"}, "h": {"M": holds}, "g": {"N": "0"}, "v": {"N": "1"},
            "lo": {"N": "0"}, "hi": {"N": "0"}, "peak": {"N": "0"},
            "list": {"S": "stock"}, "rank": {"S": "tea#own"},
        })
    }

    fn record(sequence_number: &str, event_name: &str, change: &Value) -> Value {
        let mut record = json!({
            "eventID": sequence_number, "eventName": event_name, "eventSource": "aws:dynamodb", "awsRegion": "us-east-1",
            "dynamodb": change,
        });
        record["dynamodb"]["SequenceNumber"] = json!(sequence_number);
        record["dynamodb"]["SizeBytes"] = json!(100);
        record
    }

    fn read(record: Value) -> Result<Work, Fault> {
        work(serde_json::from_value(record).unwrap())
    }

    #[test]
    fn a_new_hold_needs_a_timer_and_an_old_one_does_not() {
        let old = bucket(&json!({"aaaaaaaaaaaaaaaa": {"S": "1@100"}}));
        let new = bucket(&json!({"aaaaaaaaaaaaaaaa": {"S": "1@100"}, RID: {"S": "3@1763890000"}}));
        let work = read(record("1", "MODIFY", &json!({"OldImage": old, "NewImage": new}))).unwrap();
        let armed: Vec<String> = work.arm.iter().map(runtime::timers::body).collect();
        assert_eq!(armed, [r#"{"bucket":"tea#own","rid":"0123456789abcdef","hold":"3@1763890000"}"#]);
        assert!(work.resolve.is_empty());
    }

    #[test]
    fn a_hold_that_leaves_needs_nothing() {
        let old = bucket(&json!({RID: {"S": "3@1763890000"}}));
        let new = bucket(&json!({}));
        assert_eq!(read(record("1", "MODIFY", &json!({"OldImage": old, "NewImage": new}))).unwrap(), Work::default());
    }

    fn removed_reservation(user_identity: Value) -> Value {
        let old = json!({
            "pk": {"S": format!("R#{RID}")}, "kind": {"S": "reservation"}, "status": {"S": "canceled"},
            "reason": {"S": "requested"}, "channel": {"S": "own"},
            "lines": {"L": [{"S": "tea=3"}]}, "alloc": {"L": [{"S": "tea#own=3@1763890000"}]},
            "created_at": {"N": "1763889000"}, "expires_at": {"N": "1763890000"}, "ttl": {"N": "1763976400"}, "ext": {"M": {}},
        });
        let mut record = record("1", "REMOVE", &json!({"OldImage": old}));
        record["userIdentity"] = user_identity;
        record
    }

    #[test]
    fn a_reservation_removed_by_ttl_leaves_its_holds_to_be_resolved() {
        let ttl = json!({"type": "Service", "principalId": "dynamodb.amazonaws.com"});
        let work = read(removed_reservation(ttl)).unwrap();
        assert_eq!((work.resolve.len(), work.resolve[0].bucket.to_string()), (1, "tea#own".to_owned()));
        assert!(work.arm.is_empty());
    }

    #[test]
    fn a_reservation_that_a_person_removed_is_left_alone() {
        assert_eq!(read(removed_reservation(json!(null))).unwrap(), Work::default());
    }

    #[tokio::test]
    async fn the_first_record_that_failed_is_reported() {
        let malformed = json!({"NewImage": {"pk": {"S": "S#tea#own"}, "a": {"N": "-1"}}});
        let records = json!({"Records": [
            record("100", "MODIFY", &json!({"NewImage": bucket(&json!({}))})),
            record("101", "MODIFY", &malformed),
            record("102", "MODIFY", &malformed),
        ]});
        let response = handle_stream(&App::unreachable(), serde_json::from_value(records).unwrap()).await;
        let reported: Vec<_> =
            response.batch_item_failures.iter().map(|failure| failure.item_identifier.as_deref()).collect();
        assert_eq!(reported, [Some("101")]);
    }
}
