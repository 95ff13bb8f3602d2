//! What becomes of a request: it is lost, late, copied, answered wrongly, or done.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use crate::{
    item::text,
    network::{Fate, Sent},
    plan::Theme,
    table::{Answer, divided},
    world::World,
};

/// A run makes some thousand requests. One that makes so many does not come to an end.
const MOST_REQUESTS: u64 = 200_000;

/// SQS forgets what it has seen after this long. Source: SQS developer guide, "Exactly-once processing".
const DEDUPLICATION: Duration = Duration::from_mins(5);

impl World {
    /// What becomes of a request, how long it takes to arrive and its answer to come back.
    pub fn draw_fate(&mut self, request: &Sent) -> (Fate, Duration, Duration) {
        let there = if self.happens(self.faults.slow) { self.millis(500..600_000) } else { self.millis(1..15) };
        let back = self.millis(1..10);
        let faults = self.faults;
        let plain = request.writes() && !request.operation.starts_with("Transact");
        let fates = [
            (faults.lost, Fate::Lost, true),
            (faults.reply_lost, Fate::ReplyLost, true),
            (faults.failed_after, Fate::FailedAfter, true),
            (faults.copied, Fate::Copied, request.writes()),
            (faults.throttled, Fate::Throttled, request.service.starts_with("Dynamo")),
            (faults.conflict, Fate::Conflict, plain && request.service.starts_with("Dynamo")),
        ];
        for (rate, fate, possible) in fates {
            if self.happens(rate) && possible {
                self.say(|| format!("{fate:?}: {} {}", request.operation, subject(&request.body)));
                return (fate, there, back);
            }
        }
        let transacts = request.operation.starts_with("Transact");
        if transacts && self.dice.u32(0..1_000) < faults.canceled {
            self.say(|| format!("Canceled: {} {}", request.operation, subject(&request.body)));
            return (Fate::Canceled, there, back);
        }
        (Fate::Fine, there, back)
    }

    /// A transaction meets another one on one of its items. Mostly that is all it hears.
    pub fn cancel(&mut self, request: &Sent) -> Answer {
        if let Some(refused) = self.too_late(request) {
            return refused;
        }
        let (nth, looked) = (self.dice.usize(0..100), self.dice.u32(0..3) == 0);
        let answer = self.table.conflict(&request.body, nth, looked);
        self.judge(request, &answer);
        answer
    }

    /// How late a copy comes: often soon, sometimes when its signature is nearly dead, by a clock that was wrong.
    pub fn lateness(&mut self) -> Duration {
        let at_the_last_moment = if self.theme == Theme::Restless { 500 } else { 100 };
        if self.happens(at_the_last_moment) {
            self.millis(265_000..335_000)
        } else if self.rng.bool() {
            self.millis(1..5_000)
        } else {
            self.millis(5_000..335_000)
        }
    }

    /// What a request hears whose signature is dead.
    fn too_late(&mut self, request: &Sent) -> Option<Answer> {
        if !request.is_dead(self.now().epoch_seconds()) {
            return None;
        }
        self.say(|| format!("too late: {} {}", request.operation, subject(&request.body)));
        Some((400, crate::table::error("InvalidSignatureException", "Signature expired: planned")))
    }

    /// A request arrives.
    pub fn arrive(&mut self, request: &Sent, copy: bool) -> Answer {
        if let Some(refused) = self.too_late(request) {
            return refused;
        }
        if request.service == "AmazonSQS" {
            return self.take_message(request);
        }
        let (body, withheld) = self.withhold(request);
        let (mut answer, changes) = self.table.call(&request.operation, &body);
        self.judge(request, &answer);
        self.written(|| (request.operation.clone(), body));
        if let Some(withheld) = withheld {
            answer.1["UnprocessedKeys"] = withheld;
        }
        if request.writes() {
            let (operation, status) = (&request.operation, answer.0);
            let word = if copy { "a copy of " } else { "" };
            let done = if changes.is_empty() { "refused" } else { "applied" };
            self.say(|| format!("{word}{operation} {} {done} ({status})", subject(&request.body)));
        }
        self.changed(changes);
        if request.operation == "Query" {
            self.know_less(&mut answer.1);
        }
        answer
    }

    /// A batch of reads of which only a part is answered: that part, and the rest.
    fn withhold(&mut self, request: &Sent) -> (Value, Option<Value>) {
        let strikes = request.operation == "BatchGetItem"
            && self.faults.withheld > 0
            && self.dice.u32(0..1_000) < self.faults.withheld;
        if !strikes {
            return (request.body.clone(), None);
        }
        let (answered, rest) = divided(&request.body, |_| self.dice.bool());
        (answered, Some(rest))
    }

    /// Nothing may be asked that DynamoDB does not understand, and nothing be read that may be old: see "a strongly consistent look" in the
    /// protocol. The index is what it is.
    fn judge(&mut self, request: &Sent, answer: &Answer) {
        self.requests += 1;
        if self.requests > MOST_REQUESTS {
            self.violate(format!("after {MOST_REQUESTS} requests there is no end"));
        }
        let asked = |what: &Value| what["ConsistentRead"] == true;
        let consistent = match request.operation.as_str() {
            "GetItem" => asked(&request.body),
            "BatchGetItem" => request.body["RequestItems"].as_object().into_iter().flatten().all(|(_, of)| asked(of)),
            _ => true,
        };
        if !consistent {
            self.violate(format!("{} may read what is old: {}", request.operation, request.body));
        }
        if answer.1["__type"].as_str().is_some_and(|kind| kind.ends_with("#ValidationException")) {
            let (operation, why) = (&request.operation, &answer.1["message"]);
            self.violate(format!("{operation} is not understood, {why}: {}", request.body));
        }
    }

    /// The index learns of a new item a moment after it is written.
    fn know_less(&mut self, page: &mut Value) {
        let lag = if self.dice.bool() { Duration::from_millis(self.dice.u64(0..5_000)) } else { Duration::ZERO };
        if let Some(items) = page["Items"].as_array_mut() {
            items.retain(|item| self.listed.get(&text(&item["pk"]["S"])).is_none_or(|listed| listed.elapsed() >= lag));
        }
    }

    fn take_message(&mut self, request: &Sent) -> Answer {
        let body = &request.body;
        match request.operation.as_str() {
            "SendMessageBatch" => {
                let entries = body["Entries"].as_array().into_iter().flatten();
                let mut sent = Vec::new();
                for entry in entries {
                    let delay = Duration::from_secs(entry["DelaySeconds"].as_u64().unwrap_or(0));
                    let late = self.millis(0..3_000);
                    self.timers.push((Instant::now() + delay + late, text(&entry["MessageBody"])));
                    sent.push(json!({ "Id": entry["Id"], "MessageId": "m", "MD5OfMessageBody": "x" }));
                }
                self.news.notify_waiters();
                (200, json!({ "Successful": sent, "Failed": [] }))
            }
            "SendMessage" => {
                let (line, id) = (text(&body["MessageGroupId"]), text(&body["MessageDeduplicationId"]));
                let known = self.deduplicated.get(&id).is_some_and(|seen| seen.elapsed() < DEDUPLICATION);
                if !known {
                    self.deduplicated.insert(id, Instant::now());
                    self.lines.entry(line).or_default().push_back(text(&body["MessageBody"]));
                    self.news.notify_waiters();
                }
                (200, json!({ "MessageId": "m", "MD5OfMessageBody": "x", "SequenceNumber": "1" }))
            }
            other => {
                self.violate(format!("the simulation knows no {other}"));
                (200, json!({}))
            }
        }
    }
}

/// The items that a request is about.
fn subject(body: &Value) -> String {
    if let Some(items) = body["TransactItems"].as_array() {
        return items
            .iter()
            .flat_map(|item| item.as_object().into_iter().flatten())
            .map(|(_, write)| subject(write))
            .collect::<Vec<_>>()
            .join(" ");
    }
    let key = [&body["Key"], &body["Item"]].into_iter().find_map(|key| key["pk"]["S"].as_str());
    let key = key.unwrap_or_default();
    match (body["UpdateExpression"].as_str(), body["Item"]["status"]["S"].as_str()) {
        (Some(update), _) => format!("{key} [{update}]"),
        (_, Some(status)) => format!("{key} [{status}]"),
        _ => key.to_owned(),
    }
}

/// `20270115T080000Z`, in epoch seconds; 0 for anything else.
#[must_use]
pub fn signing_instant(date: &str) -> u64 {
    let parsed =
        jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", date).and_then(|at| at.to_zoned(jiff::tz::TimeZone::UTC));
    parsed.ok().and_then(|at| u64::try_from(at.timestamp().as_second()).ok()).unwrap_or(0)
}
