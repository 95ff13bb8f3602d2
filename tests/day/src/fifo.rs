//! A FIFO queue, as far as Holdfast relies on it: one batch of a group at a time, and what was sent twice within five minutes is dropped.
//! Source: SQS developer guide, "FIFO queue delivery logic" and "Exactly-once processing".

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use crate::plan::Millis;

/// For how long SQS remembers what it has seen.
const DEDUPLICATION_MS: Millis = 5 * 60_000;

/// A message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Its id.
    pub id: u64,
    /// Its group.
    pub group: String,
    /// Its body.
    pub body: String,
}

/// A queue.
#[derive(Debug, Default)]
pub struct Fifo {
    groups: BTreeMap<String, VecDeque<Message>>,
    /// Groups with messages of which none is in flight, the longest waiting first.
    ready: VecDeque<String>,
    in_flight: BTreeSet<String>,
    seen: HashMap<String, Millis>,
    sent: u64,
}

impl Fifo {
    /// Takes a message, unless it has seen it.
    pub fn send(&mut self, group: &str, deduplication: &str, body: String, now: Millis) {
        let name = format!("{group} {deduplication}");
        if self.seen.get(&name).is_some_and(|seen| now - seen < DEDUPLICATION_MS) {
            return;
        }
        self.seen.insert(name, now);
        self.sent += 1;
        if self.sent.is_multiple_of(4_096) {
            self.seen.retain(|_, seen| now - *seen < DEDUPLICATION_MS);
        }
        let waiting = self.groups.entry(group.to_owned()).or_default();
        waiting.push_back(Message { id: self.sent, group: group.to_owned(), body });
        if waiting.len() == 1 && !self.in_flight.contains(group) {
            self.ready.push_back(group.to_owned());
        }
    }

    /// Hands out up to so many messages, as many of a group as there are before those of the next. Nothing more of these groups until
    /// [`Self::done`].
    pub fn receive(&mut self, most: usize) -> Vec<Message> {
        let mut batch = Vec::new();
        while batch.len() < most {
            let Some(group) = self.ready.pop_front() else { break };
            let waiting = self.groups.get_mut(&group).into_iter().flatten();
            batch.extend(waiting.take(most - batch.len()).map(|message| message.clone()));
            self.in_flight.insert(group);
        }
        batch
    }

    /// Deletes those of a batch that did not fail. The groups of the others go on waiting until [`Self::visible`] is called for them.
    pub fn done(&mut self, batch: &[Message], failed: &[u64]) -> Vec<String> {
        let groups: BTreeSet<&str> = batch.iter().map(|message| message.group.as_str()).collect();
        let mut hidden = Vec::new();
        for group in groups {
            let gone = |message: &Message| batch.contains(message) && !failed.contains(&message.id);
            if let Some(waiting) = self.groups.get_mut(group) {
                waiting.retain(|message| !gone(message));
            }
            if batch.iter().any(|message| message.group == group && failed.contains(&message.id)) {
                hidden.push(group.to_owned());
            } else {
                self.visible(group);
            }
        }
        hidden
    }

    /// A group may be handed out again.
    pub fn visible(&mut self, group: &str) {
        self.in_flight.remove(group);
        match self.groups.get(group) {
            Some(waiting) if !waiting.is_empty() => self.ready.push_back(group.to_owned()),
            _ => drop(self.groups.remove(group)),
        }
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.groups.values().all(VecDeque::is_empty)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bodies(batch: &[Message]) -> Vec<&str> {
        batch.iter().map(|message| message.body.as_str()).collect()
    }

    #[test]
    fn a_group_has_one_batch_in_flight_and_what_failed_comes_first_again() {
        let mut queue = Fifo::default();
        for (group, text) in [("a", "1"), ("b", "2"), ("a", "3"), ("a", "3")] {
            queue.send(group, text, text.to_owned(), 0);
        }
        let first = queue.receive(2);
        assert_eq!(bodies(&first), ["1", "3"], "the same was sent twice");
        queue.send("a", "4", "4".to_owned(), 0);
        let second = queue.receive(10);
        assert_eq!(bodies(&second), ["2"], "a is in flight");
        assert_eq!(queue.done(&first, &[first[1].id]), ["a"]);
        assert!(queue.done(&second, &[]).is_empty() && queue.receive(10).is_empty());
        queue.visible("a");
        assert_eq!(bodies(&queue.receive(10)), ["3", "4"]);
        queue.send("b", "2", "2".to_owned(), DEDUPLICATION_MS);
        assert_eq!(bodies(&queue.receive(10)), ["2"], "five minutes later it is news");
    }
}
