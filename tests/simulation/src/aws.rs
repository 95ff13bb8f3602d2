//! What AWS does by itself: the table's stream, the two queues, and the time to live.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, sleep, sleep_until};

use crate::{expression::Item, function::Functions, item::time_to_live};

impl Functions {
    /// A shard of the table's stream: batches in order, retried until they are handled, some of them twice. Where there are several, one may
    /// fall behind the others.
    pub async fn stream(self, shard: usize) {
        let news = self.world().news.clone();
        loop {
            let wait = {
                let mut world = self.world();
                let falls_behind = world.shards.len() > 1 && world.dice.u32(0..100) < 4;
                let behind = if falls_behind { world.dice.u64(2_000..1_200_000) } else { 0 };
                world.millis(50..2_000) + Duration::from_millis(behind)
            };
            sleep(wait).await;
            let batch: Vec<_> = {
                let mut world = self.world();
                let count = world.shards[shard].len().min(10);
                world.shards[shard].drain(..count).collect()
            };
            if batch.is_empty() {
                news.notified().await;
                continue;
            }
            let records: Vec<Value> =
                batch.iter().map(|change| record("MODIFY", change.old.as_ref(), change.new.as_ref())).collect();
            let answer = self.expire(json!({ "Records": records })).await;
            let failed = answer.is_none_or(|answer| answer != json!({ "batchItemFailures": [] }));
            let mut world = self.world();
            if failed || world.happens(50) {
                for change in batch.into_iter().rev() {
                    world.shards[shard].push_front(change);
                }
            }
        }
    }

    /// The timer queue: messages when they are due, some of them twice; failed ones again after three minutes.
    pub async fn timers(self) {
        let news = self.world().news.clone();
        loop {
            let now = Instant::now();
            let due: Vec<String> = {
                let mut world = self.world();
                let (due, later) = std::mem::take(&mut world.timers).into_iter().partition(|(at, _)| *at <= now);
                world.timers = later;
                let due: Vec<(Instant, String)> = due;
                due.into_iter().map(|(_, body)| body).collect()
            };
            if due.is_empty() {
                let next = self.world().timers.iter().map(|(at, _)| *at).min();
                match next {
                    Some(next) => tokio::select! { biased; () = news.notified() => {}, () = sleep_until(next) => {} },
                    None => news.notified().await,
                }
                continue;
            }
            for batch in due.chunks(10) {
                let records: Vec<Value> =
                    batch.iter().enumerate().map(|(n, body)| message(&n.to_string(), body, None)).collect();
                let answer = self.expire(json!({ "Records": records })).await;
                let mut world = self.world();
                for (n, body) in batch.iter().enumerate() {
                    let failed = answer.as_ref().is_none_or(|answer| failures(answer).contains(&n.to_string()));
                    if failed || world.happens(30) {
                        world.timers.push((Instant::now() + Duration::from_mins(3), body.clone()));
                    }
                }
            }
        }
    }

    /// The order queue: up to ten messages of a line that has none in flight; failed ones again after a minute, in their place; some batches
    /// twice, as if their time had been over.
    pub async fn queue(self) {
        let news = self.world().news.clone();
        loop {
            let next = {
                let mut world = self.world();
                let free =
                    world.lines.iter().find(|(line, waiting)| !waiting.is_empty() && !world.in_flight.contains(*line));
                free.map(|(line, waiting)| (line.clone(), waiting.iter().take(10).cloned().collect::<Vec<_>>()))
                    .inspect(|(line, _)| {
                        world.in_flight.insert(line.clone());
                    })
            };
            let Some((line, batch)) = next else {
                news.notified().await;
                continue;
            };
            let records: Vec<Value> =
                batch.iter().enumerate().map(|(n, body)| message(&n.to_string(), body, Some(&line))).collect();
            let event = json!({ "Records": records });
            let twice = self.world().happens(50);
            let answer = if twice {
                tokio::join!(self.consume(event.clone()), self.consume(event)).0
            } else {
                self.consume(event).await
            };
            let failed = |n: usize| answer.as_ref().is_none_or(|answer| failures(answer).contains(&n.to_string()));
            if (0..batch.len()).any(failed) {
                sleep(Duration::from_mins(1)).await;
            }
            let mut world = self.world();
            world.in_flight.remove(&line);
            if let Some(waiting) = world.lines.get_mut(&line) {
                let left: Vec<String> = (0..batch.len()).filter(|n| failed(*n)).map(|n| batch[n].clone()).collect();
                waiting.drain(..batch.len());
                for body in left.into_iter().rev() {
                    waiting.push_front(body);
                }
            }
            world.news.notify_waiters();
        }
    }

    /// DynamoDB's TTL: at once or up to two days late, and the stream's record of it.
    pub async fn time_to_live(self, at_most_late_seconds: u64) {
        loop {
            let wait = {
                let mut world = self.world();
                if at_most_late_seconds == 0 {
                    // To the second, or nearly: whoever relies on a record has no time to lose.
                    let due = world.next_deletion().unwrap_or(Duration::MAX).min(Duration::from_hours(2));
                    due + world.millis(1_000..15_000)
                } else {
                    world.millis(600_000..7_200_000)
                }
            };
            sleep(wait).await;
            self.delete_overdue(at_most_late_seconds).await;
        }
    }

    /// Deletes what is overdue, each by its own lateness.
    pub async fn delete_overdue(&self, at_most_late_seconds: u64) {
        let deleted: Vec<_> = {
            let mut world = self.world();
            let with_an_end = world.table.items().filter_map(|(key, item)| Some((key.clone(), time_to_live(item)?)));
            let mut changes = Vec::new();
            for (key, ttl) in with_an_end.collect::<Vec<_>>() {
                if world.is_deleted(&key, ttl, at_most_late_seconds)
                    && let Some(change) = world.expire(&key)
                {
                    changes.push(change);
                }
            }
            changes
        };
        for change in deleted {
            let mut event = record("REMOVE", change.old.as_ref(), None);
            event["userIdentity"] = json!({ "type": "Service", "principalId": "dynamodb.amazonaws.com" });
            // Until it is handled, and sometimes once more.
            for _ in 0..5 {
                let answer = self.expire(json!({ "Records": [event] })).await;
                let handled = answer.is_some_and(|answer| answer == json!({ "batchItemFailures": [] }));
                let again = self.world().happens(50);
                if handled && !again {
                    break;
                }
            }
        }
    }

    /// What the timers do in the end: looks at every hold there is.
    pub async fn resolve_everything(&self) {
        let bodies: Vec<String> = {
            let world = self.world();
            let holds = world.audit.buckets().flat_map(|(bucket, content)| {
                let holds = content.holds.iter();
                holds.map(|(id, hold)| store::stream::ArmedHold { bucket: bucket.clone(), id: id.clone(), hold: *hold })
            });
            holds.map(|hold| runtime::timers::body(&hold)).collect()
        };
        for batch in bodies.chunks(10) {
            let records: Vec<Value> =
                batch.iter().enumerate().map(|(n, body)| message(&n.to_string(), body, None)).collect();
            drop(self.expire(json!({ "Records": records })).await);
        }
    }
}

fn failures(answer: &Value) -> Vec<String> {
    let failures = answer["batchItemFailures"].as_array().into_iter().flatten();
    failures.filter_map(|failure| failure["itemIdentifier"].as_str().map(str::to_owned)).collect()
}

fn message(id: &str, body: &str, line: Option<&str>) -> Value {
    let attributes = line.map_or_else(|| json!({}), |line| json!({ "MessageGroupId": line }));
    json!({ "messageId": id, "receiptHandle": id, "body": body, "eventSource": "aws:sqs", "attributes": attributes })
}

fn record(event: &str, old: Option<&Item>, new: Option<&Item>) -> Value {
    let key = new.or(old).and_then(|item| item.get("pk"));
    let mut change = json!({ "Keys": { "pk": key }, "SequenceNumber": "1", "SizeBytes": 1 });
    for (name, image) in [("OldImage", old), ("NewImage", new)] {
        if let Some(image) = image {
            change[name] = json!(image);
        }
    }
    json!({ "eventID": "1", "eventName": event, "eventSource": "aws:dynamodb", "awsRegion": "us-east-1", "dynamodb": change })
}
