//! Does what a DynamoDB event source mapping does: reads the table's stream, keeps what the filters let through, and
//! hands it to the function in batches. A batch that fails is halved until the bad record stands alone, tried again a
//! bounded number of times, and then set aside in the on-failure queue.

use std::{
    collections::{BTreeSet, VecDeque},
    time::Duration,
};

use anyhow::{Context, Result, anyhow};
use aws_sdk_dynamodbstreams::{
    Client,
    types::{Record, ShardIteratorType},
};
use domain::time::Clock;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::{clock::LocalClock, event, functions::EventFunction, pattern::Pattern};

/// How long an idle stream is left alone. Lambda asks four times a second.
const IDLE: Duration = Duration::from_millis(100);
/// The first wait after a failure; each further one is twice as long, up to [`LONGEST_WAIT`]. Lambda waits longer, but
/// there nobody sits in front of it.
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// One mapping.
pub struct StreamPoller {
    pub client: Client,
    pub stream_arn: String,
    /// Which attribute says when an item's time is over.
    pub ttl_attribute: Option<String>,
    /// A record is wanted if one of these matches, or if there are none.
    pub filters: Vec<Pattern>,
    pub batch_size: usize,
    /// Tries after the first; −1 is for ever.
    pub retries: i64,
    pub function: EventFunction,
    pub on_failure: Option<(aws_sdk_sqs::Client, String)>,
    pub clock: LocalClock,
}

/// Where the reading of a shard has got to.
#[derive(Debug)]
struct Shard {
    id: String,
    /// `None` once the shard has been read to its end.
    iterator: Option<String>,
    /// The last record read, in case the iterator is lost.
    last: Option<String>,
}

/// Records that are tried together.
struct Batch {
    records: Vec<Value>,
    /// How often exactly these have failed.
    failures: i64,
}

impl StreamPoller {
    /// Finds the end of the stream, from which [`Poller::run`] goes on: whatever is written after this returns is seen.
    pub async fn open(self) -> Result<Poller> {
        let mut poller = Poller { mapping: self, shards: Vec::new(), known: BTreeSet::new() };
        poller.discover(&ShardIteratorType::Latest).await.context("open the table's stream")?;
        Ok(poller)
    }
}

/// A mapping that has found its place in the stream.
pub struct Poller {
    mapping: StreamPoller,
    shards: Vec<Shard>,
    known: BTreeSet<String>,
}

impl Poller {
    /// Reads until dropped.
    pub async fn run(mut self) {
        let mut wait = FIRST_WAIT;
        loop {
            match self.pass().await {
                Ok(0) => sleep(IDLE).await,
                Ok(_) => wait = FIRST_WAIT,
                Err(fault) => {
                    tracing::warn!("the table's stream cannot be read: {fault:#}");
                    sleep(wait).await;
                    wait = LONGEST_WAIT.min(wait * 2);
                }
            }
        }
    }

    /// Reads each shard once and answers how many records there were.
    async fn pass(&mut self) -> Result<usize> {
        let mut count = 0;
        for index in 0..self.shards.len() {
            let shard = &mut self.shards[index];
            let Some(iterator) = shard.iterator.clone() else { continue };
            let page = match self.mapping.client.get_records().shard_iterator(iterator).send().await {
                Ok(page) => page,
                // An iterator lasts 15 minutes, which a sleeping laptop outlasts.
                Err(fault) => {
                    shard.iterator = Some(self.mapping.iterator(shard, &ShardIteratorType::TrimHorizon).await?);
                    return Err(fault.into());
                }
            };
            count += page.records().len();
            self.mapping.deliver(page.records()).await;
            let last = page.records().last().and_then(Record::dynamodb).and_then(|change| change.sequence_number());
            shard.last = last.map(str::to_owned).or(shard.last.take());
            shard.iterator = page.next_shard_iterator;
        }
        if self.shards.iter().any(|shard| shard.iterator.is_none()) {
            self.shards.retain(|shard| shard.iterator.is_some());
            self.discover(&ShardIteratorType::TrimHorizon).await?;
        }
        Ok(count)
    }

    /// Looks for shards that are not known yet, and begins them at `position`.
    async fn discover(&mut self, position: &ShardIteratorType) -> Result<()> {
        let found = self.mapping.client.describe_stream().stream_arn(&self.mapping.stream_arn).send().await?;
        let shards = found.stream_description.and_then(|stream| stream.shards).unwrap_or_default();
        for id in shards.into_iter().filter_map(|shard| shard.shard_id) {
            if self.known.insert(id.clone()) {
                let mut shard = Shard { id, iterator: None, last: None };
                shard.iterator = Some(self.mapping.iterator(&shard, position).await?);
                self.shards.push(shard);
            }
        }
        Ok(())
    }
}

impl StreamPoller {
    /// An iterator after the last record read, or at `position` if none was.
    async fn iterator(&self, shard: &Shard, position: &ShardIteratorType) -> Result<String> {
        let request = self.client.get_shard_iterator().stream_arn(&self.stream_arn).shard_id(&shard.id);
        let request = match &shard.last {
            Some(number) => request.shard_iterator_type(ShardIteratorType::AfterSequenceNumber).sequence_number(number),
            None => request.shard_iterator_type(position.clone()),
        };
        request.send().await?.shard_iterator.ok_or_else(|| anyhow!("no iterator in the answer"))
    }

    /// Hands over what the filters let through, and returns when each record has been dealt with.
    async fn deliver(&self, records: &[Record]) {
        let now = self.clock.now();
        let ttl = self.ttl_attribute.as_deref();
        let records = records.iter().map(|record| event::stream_record(record, &self.stream_arn, ttl, now));
        let wanted =
            |record: &Value| self.filters.is_empty() || self.filters.iter().any(|filter| filter.matches(record));
        let records: Vec<Value> = records.filter(wanted).collect();
        let batches = records.chunks(self.batch_size);
        let mut todo: VecDeque<Batch> =
            batches.map(|records| Batch { records: records.to_vec(), failures: 0 }).collect();
        while let Some(mut batch) = todo.pop_front() {
            let event = json!({ "Records": batch.records });
            let failed_from = match self.function.call(event).await {
                Ok(answer) => first_failure(&batch.records, &answer),
                Err(fault) => {
                    tracing::warn!("{} failed: {fault:#}", self.function.name);
                    Some(0)
                }
            };
            let Some(from) = failed_from else { continue };
            batch.records.drain(..from);
            for batch in self.again(batch).await.into_iter().rev() {
                todo.push_front(batch);
            }
        }
    }

    /// What to try next, now that every record of `batch` is in doubt.
    async fn again(&self, mut batch: Batch) -> Vec<Batch> {
        if batch.records.len() > 1 {
            let second = batch.records.split_off(batch.records.len() / 2);
            let half = |records| Batch { records, failures: batch.failures };
            return vec![half(batch.records), half(second)];
        }
        if self.retries >= 0 && batch.failures >= self.retries {
            self.set_aside(&batch.records[0]).await;
            return Vec::new();
        }
        // The exponent is bounded so that it cannot overflow; the wait is bounded anyway.
        let exponent = u32::try_from(batch.failures.min(10)).unwrap_or_default();
        sleep(LONGEST_WAIT.min(FIRST_WAIT * 2_u32.pow(exponent))).await;
        batch.failures += 1;
        vec![batch]
    }

    async fn set_aside(&self, record: &Value) {
        let number = &record["dynamodb"]["SequenceNumber"];
        tracing::error!("{} failed for stream record {number} every time; it is set aside", self.function.name);
        let Some((queues, url)) = &self.on_failure else { return };
        let letter = json!({
            "version": "1.0",
            "requestContext": {"functionArn": self.function.name, "condition": "RetryAttemptsExhausted"},
            "DDBStreamBatchInfo": {
                "streamArn": self.stream_arn,
                "startSequenceNumber": number,
                "endSequenceNumber": number,
                "batchSize": 1,
            },
        });
        if let Err(fault) = queues.send_message().queue_url(url).message_body(letter.to_string()).send().await {
            tracing::error!(
                "the record could not be set aside either: {}",
                aws_sdk_sqs::error::DisplayErrorContext(fault)
            );
        }
    }
}

/// Where a batch begins to have failed. Lambda goes back to the lowest sequence number reported, and does all after it
/// again.
fn first_failure(records: &[Value], answer: &Value) -> Option<usize> {
    let failures = answer["batchItemFailures"].as_array()?;
    let failed = |record: &Value| {
        failures.iter().any(|failure| failure["itemIdentifier"] == record["dynamodb"]["SequenceNumber"])
    };
    let first = records.iter().position(failed);
    // A number that is not in the batch means that the whole batch failed.
    first.or((!failures.is_empty()).then_some(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_goes_back_to_the_first_record_reported() {
        let records: Vec<Value> =
            ["5", "6", "7"].iter().map(|number| json!({"dynamodb": {"SequenceNumber": number}})).collect();
        let failures = |numbers: &[&str]| {
            let failures = numbers.iter().map(|number| json!({ "itemIdentifier": number }));
            json!({ "batchItemFailures": failures.collect::<Vec<_>>() })
        };
        assert_eq!(first_failure(&records, &failures(&[])), None);
        assert_eq!(first_failure(&records, &json!({})), None);
        assert_eq!(first_failure(&records, &failures(&["7", "6"])), Some(1));
        assert_eq!(first_failure(&records, &failures(&["unknown"])), Some(0));
    }
}
