//! Whoever does something: shoppers, merchants, and what AWS does by itself.

use std::time::Duration;

use domain::ids::{Caller, ReservationId};
use http::{Response, testing::Sample};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, sleep_until};

use crate::{expression::Item, function::Functions, promises::Promise};

/// What is sold. The first is hot, and split from time to time.
pub const SKUS: [&str; 3] = ["hot", "tea", "mug"];

/// How often a shopper or a merchant repeats a call that was not answered.
const MAX_ATTEMPTS: u32 = 5;

fn body(response: &Response) -> Value {
    serde_json::from_str(response.body()).unwrap_or_default()
}

impl Functions {
    /// A call as a careful shop makes it: again, under the same key, until it is answered; sometimes much later.
    async fn insist(&self, sample: Sample) -> Option<Response> {
        for _ in 0..MAX_ATTEMPTS {
            match self.call(sample.clone()).await {
                Some(response) if response.status() < 500 => return Some(response),
                _ => {}
            }
            let pause = {
                let mut world = self.world();
                if world.happens(60) { world.millis(300_000..100_000_000) } else { world.millis(200..20_000) }
            };
            sleep(pause).await;
        }
        None
    }

    /// One shopper's whole visit.
    pub async fn shopper(self, number: usize) {
        let wait = self.world().millis(0..900_000);
        sleep(wait).await;
        let cart = self.cart();
        let key = format!("shopper-{number}");
        let way = self.world().rng.u32(0..10);
        match way {
            0..=5 => self.checkout(&key, cart).await,
            6..=7 => self.order(&key, cart, false).await,
            _ => self.order(&key, cart, true).await,
        }
    }

    fn cart(&self) -> Value {
        let mut world = self.world();
        let count = if world.happens(600) { 1 } else { world.rng.usize(1..=4) };
        let lines = (0..count).map(|_| {
            let sku = if world.happens(600) { SKUS[0] } else { SKUS[world.rng.usize(0..SKUS.len())] };
            let quantity = if world.happens(700) { 1 } else { world.rng.u64(1..=4) };
            json!({ "sku": sku, "quantity": quantity })
        });
        json!({ "lines": lines.collect::<Vec<_>>() })
    }

    /// Holds, then pays, lets go or vanishes.
    async fn checkout(&self, key: &str, mut cart: Value) {
        let ttl = self.world().rng.u64(300..=1_200);
        cart["ttl_seconds"] = json!(ttl);
        let sample = Sample::new("POST /v1/reservations").header("Idempotency-Key", key).body(&cart.to_string());
        let Some(held) = self.insist(sample.clone()).await.filter(|held| held.status() == 201) else { return };
        let id = body(&held)["id"].as_str().unwrap_or_default().to_owned();
        let choice = self.world().rng.u32(0..100);
        match choice {
            0..=9 => return,
            10..=19 => {
                let route = "POST /v1/reservations/{id}/cancel";
                drop(self.insist(Sample::new(route).path("id", &id).header("Idempotency-Key", "c")).await);
                return;
            }
            20..=29 => {
                let route = "POST /v1/reservations/{id}/extend";
                let longer = Sample::new(route).path("id", &id).header("Idempotency-Key", "e");
                drop(self.insist(longer.body(r#"{"ttl_seconds": 1800}"#)).await);
            }
            _ => {}
        }
        let before_paying = {
            let mut world = self.world();
            if world.happens(250) { world.millis(ttl * 900..ttl * 1_500) } else { world.millis(1_000..ttl * 800) }
        };
        sleep(before_paying).await;
        let twice = self.world().happens(200);
        if twice {
            tokio::join!(self.pay(&id, "o-1"), self.pay(&id, "o-1"));
        } else {
            self.pay(&id, "o-1").await;
        }
        let much_later = self.world().happens(100);
        if much_later {
            // The same request again, hours later: it must hear what became of it, and hold nothing for long.
            let wait = self.world().millis(4_000_000..200_000_000);
            sleep(wait).await;
            drop(self.insist(sample).await);
        }
    }

    async fn pay(&self, id: &str, order_id: &str) {
        let through_the_queue = self.world().happens(200);
        if through_the_queue {
            let asked = json!({ "reservation_id": id, "order_id": order_id });
            let sample =
                Sample::new("POST /v1/orders").header("Idempotency-Key", "q").header("Prefer", "respond-async");
            if let Some(queued) = self.insist(sample.body(&asked.to_string())).await {
                self.follow(id, &queued, Some(order_id)).await;
            }
            return;
        }
        let sample = Sample::new("POST /v1/reservations/{id}/confirm").path("id", id).header("Idempotency-Key", "p");
        let Some(paid) = self.insist(sample.body(&json!({ "order_id": order_id }).to_string())).await else { return };
        let (id, order_id) = (id.to_owned(), Some(order_id.to_owned()));
        match paid.status() {
            200 => self.world().promise(Promise::Sold { id, order_id }),
            _ if body(&paid)["refund_required"] == true => self.world().promise(Promise::Refused { id, order_id }),
            _ => {}
        }
    }

    /// A sale without a hold, at once or in turn.
    async fn order(&self, key: &str, cart: Value, later: bool) {
        let sample = Sample::new("POST /v1/orders").header("Idempotency-Key", key).body(&cart.to_string());
        let sample = if later { sample.header("Prefer", "respond-async") } else { sample };
        let Some(answer) = self.insist(sample.clone()).await else { return };
        let id = ReservationId::derive(&Caller::new("local"), &key.parse().expect("a key")).to_string();
        match answer.status() {
            201 => self.world().promise(Promise::Sold { id, order_id: None }),
            202 => {
                self.follow(&id, &answer, None).await;
                let again = self.world().happens(200);
                if again {
                    // After the queue has forgotten that it had this one.
                    let wait = self.world().millis(301_000..2_000_000);
                    sleep(wait).await;
                    drop(self.insist(sample).await);
                }
            }
            409 | 404 | 410 => self.world().promise(Promise::Refused { id, order_id: None }),
            _ => {}
        }
    }

    /// Asks for a queued order until it is decided.
    async fn follow(&self, id: &str, queued: &Response, order_id: Option<&str>) {
        if queued.status() != 202 {
            return;
        }
        self.world().promise(Promise::Queued { id: id.to_owned() });
        let issued = body(queued)["id"].as_str().unwrap_or_default().to_owned();
        for _ in 0..400 {
            sleep(Duration::from_secs(7)).await;
            let Some(read) = self.call(Sample::new("GET /v1/orders/{id}").path("id", &issued)).await else { continue };
            let (id, order_id) = (id.to_owned(), order_id.map(str::to_owned));
            match body(&read)["status"].as_str() {
                Some("confirmed") => return self.world().promise(Promise::Sold { id, order_id }),
                Some("rejected") => return self.world().promise(Promise::Refused { id, order_id }),
                _ => {}
            }
        }
    }

    /// A merchant who receives, corrects, counts and splits.
    pub async fn merchant(self, number: usize) {
        for turn in 0..6 {
            let wait = self.world().millis(20_000..300_000);
            sleep(wait).await;
            let (sku, choice, quantity) = {
                let mut world = self.world();
                let sku = SKUS[world.rng.usize(0..SKUS.len())];
                (sku, world.rng.u32(0..10), world.rng.u64(1..=20))
            };
            let (kind, quantity) = match choice {
                0..=3 => ("receive", i64::try_from(quantity).unwrap_or(1)),
                4..=5 => ("adjust", -i64::try_from(quantity / 4 + 1).unwrap_or(1)),
                6..=7 => ("count", i64::try_from(quantity * 2).unwrap_or(1)),
                _ => {
                    let peak = if choice == 8 { 96 } else { 0 };
                    self.settings(sku, peak).await;
                    continue;
                }
            };
            self.movement(sku, &format!("merchant-{number}-{turn}"), kind, quantity).await;
        }
    }

    /// Books a movement.
    pub async fn movement(&self, sku: &str, key: &str, kind: &str, quantity: i64) {
        let asked = json!({ "kind": kind, "quantity": quantity, "reason": "simulation" }).to_string();
        let sample = Sample::new("POST /v1/stock/{sku}/movements").path("sku", sku).header("Idempotency-Key", key);
        drop(self.insist(sample.body(&asked)).await);
    }

    /// Announces a peak, or that there is none.
    pub async fn settings(&self, sku: &str, peak: u64) {
        let asked = json!({ "expected_peak_per_second": peak }).to_string();
        drop(self.insist(Sample::new("PUT /v1/stock/{sku}").path("sku", sku).body(&asked)).await);
    }

    /// The table's stream: batches in order, retried until they are handled, some of them twice.
    pub async fn stream(self) {
        let news = self.world().news.clone();
        loop {
            let wait = self.world().millis(50..2_000);
            sleep(wait).await;
            let batch: Vec<_> = {
                let mut world = self.world();
                let count = world.stream.len().min(10);
                world.stream.drain(..count).collect()
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
                    world.stream.push_front(change);
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
            let wait = self.world().millis(600_000..7_200_000);
            sleep(wait).await;
            self.delete_overdue(at_most_late_seconds).await;
        }
    }

    /// Deletes what is overdue, each by its own lateness.
    pub async fn delete_overdue(&self, at_most_late_seconds: u64) {
        let deleted: Vec<_> = {
            let mut world = self.world();
            let now = world.now().epoch_seconds();
            let overdue: Vec<String> = world
                .table
                .items()
                .filter(|(_, item)| {
                    let ttl = item.get("ttl").and_then(|ttl| ttl["N"].as_str()).and_then(|ttl| ttl.parse::<u64>().ok());
                    ttl.is_some_and(|ttl| ttl < now)
                })
                .map(|(key, _)| key.clone())
                .collect();
            let mut changes = Vec::new();
            for key in overdue {
                if at_most_late_seconds > 0 && world.rng.bool() {
                    continue;
                }
                if let Some(change) = world.table.expire(&key) {
                    world.say(|| format!("TTL deletes {key}"));
                    world.changed(vec![change.clone()]);
                    changes.push(change);
                }
            }
            changes
        };
        for change in deleted {
            let mut event = record("REMOVE", change.old.as_ref(), None);
            event["userIdentity"] = json!({ "type": "Service", "principalId": "dynamodb.amazonaws.com" });
            drop(self.expire(json!({ "Records": [event] })).await);
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
