//! Events of the table's stream, of the timer queue and of the order queue. Each input is handed to both functions that take batches.
//!
//! What must be so:
//! - an event that is no batch is an error as a whole, and changes nothing;
//! - of a batch of messages exactly those fail that cannot be read: nothing else is wrong in this shop;
//! - of a batch of the stream one record fails at most, and it is one of the batch.

use std::collections::BTreeMap;

use runtime::{orders, timers};
use serde_json::Value;

use crate::{
    Seen,
    shop::{Day, Shop},
};

/// A batch, as Lambda hands it over.
///
/// # Panics
/// When something of the above is not so.
#[must_use]
pub fn events(bytes: &[u8]) -> Seen {
    let Ok(event) = serde_json::from_slice::<Value>(bytes) else { return Seen::Refused };
    Shop::open(|day| {
        let expired = expire(day, &event);
        let consumed = consume(day, &event);
        Seen::when(expired || consumed)
    })
}

fn expire(day: &Day<'_>, event: &Value) -> bool {
    let before = day.changes();
    let Some(answer) = day.expire(event.clone()) else {
        assert_eq!(day.changes(), before, "what cannot be read has changed something");
        return false;
    };
    let failed = failures(&answer);
    if event["Records"][0]["eventSource"] == "aws:sqs" {
        assert_eq!(failed, unreadable(event, |body| timers::parse(body).is_err()));
    } else {
        assert!(failed.values().sum::<usize>() <= 1, "{answer}");
        let numbers = records(event).map(|record| text(&record["dynamodb"]["SequenceNumber"])).collect::<Vec<_>>();
        assert!(failed.keys().all(|number| numbers.contains(number)), "{answer}");
    }
    true
}

fn consume(day: &Day<'_>, event: &Value) -> bool {
    let before = day.changes();
    let Some(answer) = day.consume(event.clone()) else {
        assert_eq!(day.changes(), before, "what cannot be read has changed something");
        return false;
    };
    assert_eq!(failures(&answer), unreadable(event, |body| orders::parse(body).is_err()));
    true
}

fn records(event: &Value) -> impl Iterator<Item = &Value> {
    event["Records"].as_array().into_iter().flatten()
}

/// How often each message failed, by its id.
fn failures(answer: &Value) -> BTreeMap<String, usize> {
    let failures = answer["batchItemFailures"].as_array().expect("a list of failures");
    counted(failures.iter().map(|failure| text(&failure["itemIdentifier"])))
}

fn unreadable(event: &Value, is_unreadable: impl Fn(&str) -> bool) -> BTreeMap<String, usize> {
    let bad = records(event).filter(|message| is_unreadable(message["body"].as_str().unwrap_or_default()));
    counted(bad.map(|message| text(&message["messageId"])))
}

fn counted(ids: impl Iterator<Item = String>) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for id in ids {
        *counts.entry(id).or_default() += 1;
    }
    counts
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
