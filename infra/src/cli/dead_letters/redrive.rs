//! Sending dead letters back to the queue that they came from.
//!
//! Each is first sent and then deleted, so whenever this dies a message is in one queue or in both, never in none. In both is
//! harmless: the order is decided once. Ctrl-C is heard between two messages. When one cannot be sent, those behind it in its group
//! stay as well: a group is worked off in order.

use std::collections::BTreeSet;

use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::{
    super::{
        Failure,
        report::{self, count, thousands},
    },
    letter::Letter,
    queue::DeadLetters,
};

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    Redriven,
    WouldBeRedriven,
    Failed,
}

#[derive(Debug, Serialize)]
struct Redriven {
    message_id: String,
    id: Option<String>,
    outcome: Outcome,
    /// Why it failed.
    why: Option<String>,
}

/// What was done.
#[derive(Debug, Serialize)]
pub struct Report {
    queue: String,
    to: String,
    dry_run: bool,
    messages: Vec<Redriven>,
    /// Why it ended before all were tried.
    stopped: Option<String>,
    /// How many dead letters there still are: what SQS counted before, without what was sent. Its counts lag behind by a minute.
    left: usize,
}

/// A redrive under way.
pub struct Redrive<'a> {
    queue: &'a DeadLetters,
    to: String,
    dry_run: bool,
    stop: &'a CancellationToken,
    /// How many dead letters there were.
    total: usize,
    messages: Vec<Redriven>,
    /// What is still among the dead letters, hidden.
    kept: Vec<Letter>,
    /// Groups of which a message could not be sent.
    stuck: BTreeSet<String>,
}

impl<'a> Redrive<'a> {
    /// Of the letters in `queue` to the queue `to`.
    pub async fn new(
        queue: &'a DeadLetters,
        to: String,
        dry_run: bool,
        stop: &'a CancellationToken,
    ) -> Result<Self, Failure> {
        let total = queue.total().await?;
        Ok(Self { queue, to, dry_run, stop, total, messages: Vec::new(), kept: Vec::new(), stuck: BTreeSet::new() })
    }

    /// Those messages that `ids` name. If one of them names none, nothing is done.
    pub async fn named(mut self, ids: &[String]) -> Result<Report, Failure> {
        let letters = self.queue.look(self.stop).await?;
        if self.stop.is_cancelled() {
            self.kept = letters;
            return Ok(self.end(None).await);
        }
        if let Some(unknown) = ids.iter().find(|id| !letters.iter().any(|letter| letter.is_called(id))) {
            self.queue.give_back(&letters).await;
            return Err(super::unknown(unknown, letters.len(), self.total, "Nothing was sent."));
        }
        for letter in letters {
            if ids.iter().any(|id| letter.is_called(id)) {
                self.one(letter).await;
            } else {
                self.kept.push(letter);
            }
        }
        Ok(self.end(None).await)
    }

    /// Every message there is. Deleting what was sent makes those behind it in its group visible.
    pub async fn all(mut self) -> Report {
        let mut tried = BTreeSet::new();
        loop {
            let letters = match self.queue.receive(self.stop).await {
                Ok(letters) => letters,
                Err(failure) => return self.end(Some(failure.to_string())).await,
            };
            let before = tried.len();
            for letter in letters {
                if tried.insert(letter.message_id.clone()) {
                    self.one(letter).await;
                } else {
                    self.kept.push(letter);
                }
            }
            if tried.len() == before {
                return self.end(None).await;
            }
        }
    }

    pub(super) async fn one(&mut self, letter: Letter) {
        if self.stop.is_cancelled() {
            return self.kept.push(letter);
        }
        let done = if self.dry_run { Ok(Outcome::WouldBeRedriven) } else { self.move_back(&letter).await };
        let (outcome, why) = match done {
            Ok(outcome) => (outcome, None),
            Err(why) => (Outcome::Failed, Some(why)),
        };
        let id = letter.id().map(str::to_owned);
        self.messages.push(Redriven { message_id: letter.message_id.clone(), id, outcome, why });
        if outcome != Outcome::Redriven {
            self.kept.push(letter);
        }
    }

    async fn move_back(&mut self, letter: &Letter) -> Result<Outcome, String> {
        if letter.group().is_some_and(|group| self.stuck.contains(group)) {
            return Err("a message before it in its group could not be sent".to_owned());
        }
        if let Err(why) = self.queue.send(&self.to, letter).await {
            self.stuck.extend(letter.group().map(str::to_owned));
            return Err(format!("it could not be sent: {why}"));
        }
        let kept = |why| format!("it was sent, but is still a dead letter as well: {why}");
        self.queue.delete(letter).await.map_err(kept)?;
        Ok(Outcome::Redriven)
    }

    pub(super) async fn end(self, failure: Option<String>) -> Report {
        self.queue.give_back(&self.kept).await;
        let stopped = failure.or_else(|| self.stop.is_cancelled().then(|| "It was stopped.".to_owned()));
        let Self { queue, to, dry_run, total, messages, kept, .. } = self;
        let sent = messages.iter().filter(|message| message.outcome == Outcome::Redriven).count();
        let left = total.saturating_sub(sent).max(kept.len());
        Report { queue: queue.url.clone(), to, dry_run, messages, stopped, left }
    }
}

impl Report {
    /// Whether all was done that was asked for.
    pub fn is_complete(&self) -> bool {
        self.stopped.is_none() && self.number(Outcome::Failed) == 0
    }

    fn number(&self, outcome: Outcome) -> usize {
        self.messages.iter().filter(|message| message.outcome == outcome).count()
    }

    /// For people.
    pub fn text(&self) -> String {
        let title = if self.dry_run {
            let number = count(self.number(Outcome::WouldBeRedriven) as u64, "message");
            format!("Would send {number} back to {}. Nothing was changed.", self.to)
        } else {
            format!("Sent {} back to {}.", count(self.number(Outcome::Redriven) as u64, "message"), self.to)
        };
        let line = |message: &Redriven| {
            let what = match (message.outcome, &message.why) {
                (Outcome::Redriven, _) => "sent back".to_owned(),
                (Outcome::WouldBeRedriven, _) => "would be sent back".to_owned(),
                (Outcome::Failed, why) => format!("FAILED: {}", why.as_deref().unwrap_or_default()),
            };
            let id = message.id.as_deref().unwrap_or("unreadable").escape_debug();
            format!("{}  {id}  {what}", message.message_id)
        };
        let lines: Vec<_> = self.messages.iter().map(line).collect();
        let stopped = self.stopped.clone().unwrap_or_default();
        let left = match self.left as u64 {
            _ if self.dry_run => String::new(),
            0 => "No dead letters are left.".to_owned(),
            1 => "1 dead letter is left.".to_owned(),
            left => format!("{} dead letters are left.", thousands(left)),
        };
        report::page(&[title, lines.join("\n"), stopped, left])
    }
}
