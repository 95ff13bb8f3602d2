//! The dead-letter queue, as SQS lets it be looked at: receiving is the only way, and hides what was received for a while.
//!
//! A FIFO queue gives out at most ten messages of a group, and no more of it until those are deleted or visible again. So a look
//! receives until nothing new comes, one group after the other, and then makes everything visible at once. What is deeper in a
//! group than that cannot be seen. Two people who look at the same time see a part each.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use aws_sdk_sqs::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
    operation::get_queue_url::GetQueueUrlError,
    types::{
        ChangeMessageVisibilityBatchRequestEntry, MessageSystemAttributeName,
        QueueAttributeName::{
            self, ApproximateNumberOfMessages, ApproximateNumberOfMessagesDelayed,
            ApproximateNumberOfMessagesNotVisible, QueueArn, RedrivePolicy,
        },
    },
};
use reqwest::Url;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use super::{
    super::{Failure, aws_config_at, client::chain},
    letter::Letter,
};

/// The most that SQS gives out or changes in one call.
const BATCH: i32 = 10;

/// How long a message that is looked at is hidden from others. A look takes seconds and then undoes this; only what a look that
/// was killed held stays away so long.
const HIDDEN_SECONDS: i32 = 60;

/// Waiting, if only a second, makes SQS ask all of its servers instead of some: a message that is there is found.
const WAIT_SECONDS: i32 = 1;

/// Time for a call to be answered: many times what SQS takes, the wait included.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(10);

/// Messages that one look finds at most. It reads ten in a call, and [`HIDDEN_SECONDS`] must not run out meanwhile.
const MOST_LOOKED_AT: usize = 1_000;

/// The queue and who may be asked about it.
#[derive(Debug)]
pub struct DeadLetters {
    client: Client,
    pub url: String,
    /// "at http://…" or "on AWS".
    place: String,
    on_aws: bool,
    pub wait_seconds: i32,
}

impl DeadLetters {
    /// The queue of this name or URL, at `endpoint` or on AWS.
    pub async fn open(name_or_url: &str, endpoint: Option<&Url>) -> Result<Self, Failure> {
        let client = Client::new(&aws_config_at(endpoint, ATTEMPT_TIMEOUT).await);
        let place = endpoint.map_or_else(|| "on AWS".to_owned(), |url| format!("at {url}"));
        let mut queue =
            Self { client, url: String::new(), place, on_aws: endpoint.is_none(), wait_seconds: WAIT_SECONDS };
        queue.url = queue.resolve(name_or_url, "--queue").await?;
        Ok(queue)
    }

    /// The URL of a queue that `option` named.
    async fn resolve(&self, name_or_url: &str, option: &str) -> Result<String, Failure> {
        if name_or_url.contains("://") {
            return Ok(name_or_url.to_owned());
        }
        let found = self.client.get_queue_url().queue_name(name_or_url).send().await.map_err(|error| {
            if error.as_service_error().is_some_and(GetQueueUrlError::is_queue_does_not_exist) {
                let hint = "a deployed stack says the URLs of its queues in its outputs";
                return Failure(format!(
                    "There is no queue {name_or_url} {}: name it with {option}; {hint}.",
                    self.place
                ));
            }
            Failure(format!("The queue {name_or_url} cannot be found: {}.", self.says(&error)))
        })?;
        found.queue_url.ok_or_else(|| Failure(format!("SQS {} knows no URL of the queue {name_or_url}.", self.place)))
    }

    /// Where to send messages back to: `to`, or the one queue whose dead letters these are.
    pub async fn target(&self, to: Option<&str>) -> Result<String, Failure> {
        let target = match to {
            Some(to) => self.resolve(to, "--to").await?,
            None => self.source().await?,
        };
        // Each message would be sent behind the last one, for ever.
        if path(&target) == path(&self.url) {
            return Err(Failure("The dead letters cannot be sent to their own queue: name another with --to.".into()));
        }
        Ok(target)
    }

    async fn source(&self) -> Result<String, Failure> {
        let sources = match self.sources().await {
            Ok(found) if found.is_empty() && !self.on_aws => self.sources_by_policy().await,
            sources => sources,
        };
        match &sources.map_err(|why| Failure(format!("The queue to send to cannot be found: {why}.")))?[..] {
            [source] => Ok(source.clone()),
            [] => Err(Failure(format!("No queue has {} for its dead letters: say with --to where to send.", self.url))),
            several => Err(Failure(format!(
                "Several queues have {} for their dead letters: say with --to where to send. They are {}.",
                self.url,
                several.join(", ")
            ))),
        }
    }

    /// The queues whose dead letters these are, as SQS knows them.
    async fn sources(&self) -> Result<Vec<String>, String> {
        let asked = self.client.list_dead_letter_source_queues().queue_url(&self.url);
        let mut pages = asked.into_paginator().items().send();
        let mut sources = Vec::new();
        while let Some(found) = pages.next().await {
            sources.push(found.map_err(|error| self.says(&error))?);
        }
        Ok(sources)
    }

    /// The same from each queue's own policy. The local stack's SQS names the list in its answer as AWS does not, so that the SDK
    /// finds it empty; on AWS there may be thousands of queues to ask.
    async fn sources_by_policy(&self) -> Result<Vec<String>, String> {
        let dead = self.attributes(&self.url, &[QueueArn]).await?.remove(&QueueArn);
        let mut pages = self.client.list_queues().into_paginator().items().send();
        let mut sources = Vec::new();
        while let Some(found) = pages.next().await {
            let url = found.map_err(|error| self.says(&error))?;
            let policy = self.attributes(&url, &[RedrivePolicy]).await?.remove(&RedrivePolicy).unwrap_or_default();
            let policy: Value = serde_json::from_str(&policy).unwrap_or_default();
            if dead.is_some() && policy["deadLetterTargetArn"].as_str() == dead.as_deref() {
                sources.push(url);
            }
        }
        Ok(sources)
    }

    /// How many there are in all, also those that somebody looks at right now.
    pub async fn total(&self) -> Result<usize, Failure> {
        let counts =
            [ApproximateNumberOfMessages, ApproximateNumberOfMessagesNotVisible, ApproximateNumberOfMessagesDelayed];
        let found = self.attributes(&self.url, &counts).await;
        let found = found.map_err(|why| Failure(format!("The dead letters cannot be counted: {why}.")))?;
        Ok(counts.iter().filter_map(|name| found.get(name)?.parse::<usize>().ok()).sum())
    }

    async fn attributes(
        &self,
        url: &str,
        names: &[QueueAttributeName],
    ) -> Result<HashMap<QueueAttributeName, String>, String> {
        let asked = self.client.get_queue_attributes().queue_url(url).set_attribute_names(Some(names.to_vec()));
        asked.send().await.map(|found| found.attributes.unwrap_or_default()).map_err(|error| self.says(&error))
    }

    /// Up to ten messages that nobody else sees for [`HIDDEN_SECONDS`]; none when there are none, or on `stop`.
    pub async fn receive(&self, stop: &CancellationToken) -> Result<Vec<Letter>, Failure> {
        let asked = self.client.receive_message().queue_url(&self.url).max_number_of_messages(BATCH);
        let asked = asked.visibility_timeout(HIDDEN_SECONDS).wait_time_seconds(self.wait_seconds);
        let asked =
            asked.message_system_attribute_names(MessageSystemAttributeName::All).message_attribute_names("All");
        tokio::select! {
            biased;
            // What was on its way is visible again in a minute.
            () = stop.cancelled() => Ok(Vec::new()),
            found = asked.send() => match found {
                Ok(found) => Ok(found.messages.unwrap_or_default().into_iter().map(Letter::from).collect()),
                Err(error) => Err(Failure(format!("The dead letters cannot be read: {}.", self.says(&error)))),
            },
        }
    }

    /// Everything that can be seen, in the order of the queue. It stays hidden until it is [given back](Self::give_back).
    pub async fn look(&self, stop: &CancellationToken) -> Result<Vec<Letter>, Failure> {
        let mut letters = Vec::new();
        match self.receive_all(&mut letters, stop).await {
            Ok(()) => Ok(letters),
            Err(failure) => {
                self.give_back(&letters).await;
                Err(failure)
            }
        }
    }

    async fn receive_all(&self, letters: &mut Vec<Letter>, stop: &CancellationToken) -> Result<(), Failure> {
        let mut known = BTreeMap::new();
        while letters.len() < MOST_LOOKED_AT {
            let before = letters.len();
            for letter in self.receive(stop).await? {
                if let Some(&index) = known.get(&letter.message_id) {
                    // It was visible again already: only its newest receipt counts.
                    letters[index] = letter;
                } else {
                    known.insert(letter.message_id.clone(), letters.len());
                    letters.push(letter);
                }
            }
            if letters.len() == before {
                break;
            }
        }
        Ok(())
    }

    /// Makes messages visible again, the last first: a server that puts each at the head of its group restores the order.
    pub async fn give_back(&self, letters: &[Letter]) {
        let letters: Vec<_> = letters.iter().rev().collect();
        for some in letters.chunks(10) {
            let entry = |(index, letter): (usize, &&Letter)| {
                let entry = ChangeMessageVisibilityBatchRequestEntry::builder().id(index.to_string());
                entry.receipt_handle(&letter.receipt_handle).visibility_timeout(0).build()
            };
            let Ok(entries) = some.iter().enumerate().map(entry).collect() else { continue };
            let asked = self.client.change_message_visibility_batch().queue_url(&self.url).set_entries(Some(entries));
            // Whatever cannot be given back comes back by itself in a minute.
            let _ = asked.send().await;
        }
    }

    /// Sends a letter's message to `to`, with its group. Why not, if it cannot be.
    ///
    /// SQS swallows a second message of the same deduplication id within five minutes. The message's own may have been used that
    /// recently; one that is derived from the message's id has not, except by an earlier try of this very message, which then has
    /// arrived already. A message that fails again has another id by then.
    pub async fn send(&self, to: &str, letter: &Letter) -> Result<(), String> {
        let mut asked = self.client.send_message().queue_url(to).message_body(&letter.body);
        asked = asked.set_message_group_id(letter.group().map(str::to_owned));
        asked = asked.message_deduplication_id(deduplication_id(&letter.message_id));
        if !letter.message_attributes.is_empty() {
            asked = asked.set_message_attributes(Some(letter.message_attributes.clone()));
        }
        asked.send().await.map(drop).map_err(|error| reason(&error))
    }

    /// Removes a letter for good. Why not, if it cannot be.
    pub async fn delete(&self, letter: &Letter) -> Result<(), String> {
        let asked = self.client.delete_message().queue_url(&self.url).receipt_handle(&letter.receipt_handle);
        asked.send().await.map(drop).map_err(|error| reason(&error))
    }

    fn says<E>(&self, error: &SdkError<E>) -> String
    where
        E: std::error::Error + ProvideErrorMetadata + 'static,
    {
        format!("SQS {} says: {}", self.place, reason(error))
    }
}

/// The same for every try of one message, and of a form that SQS takes, whatever the id looks like.
fn deduplication_id(message_id: &str) -> String {
    let digest = Sha256::digest(message_id);
    digest.iter().fold("redrive-".to_owned(), |id, byte| format!("{id}{byte:02x}"))
}

/// What SQS said, or why it said nothing.
fn reason<E>(error: &SdkError<E>) -> String
where
    E: std::error::Error + ProvideErrorMetadata + 'static,
{
    let said = error.as_service_error().and_then(|refused| refused.message().or(refused.code()));
    said.map_or_else(|| chain(error), |said| said.trim_end_matches('.').to_owned())
}

/// The account and the name of a queue, under whatever host it is reached.
fn path(url: &str) -> &str {
    url.split_once("://").and_then(|(_, rest)| rest.split_once('/')).map_or(url, |(_, path)| path)
}
