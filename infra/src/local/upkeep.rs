//! What AWS would have done while time passed that did not pass here: when the clock was moved, and while the process
//! was dead.
//!
//! - Items whose time to live is over are deleted ([`super::ttl`]).
//! - The timer queue measures delays by real time and lives in memory. So every bucket is looked at: a hold that is due
//!   goes straight to the function that the timer queue feeds, as its message would have; after a start, the others get a
//!   message.
//!   A hold that is handled twice does no harm: resolving demands the exact hold.
//! - Schedules that fell due wake their functions ([`super::schedule`]), once all holds are resolved.

use std::{sync::Arc, time::Duration};

use anyhow::Result;
use domain::time::{Clock, Timestamp};
use futures::{StreamExt, TryStreamExt};
use runtime::App;
use serde_json::json;
use store::{StoredItem, stream::ArmedHold};
use tokio::time::sleep;

use super::{clock::LocalClock, dynamodb::Table, queue_poller::QueuePoller, schedule::Ticker, ttl};

/// How often items are looked for whose time to live is over. Each look reads the whole table; DynamoDB may take days.
const SWEEP: Duration = Duration::from_hours(1);
/// Batches of due holds at the same time.
const AT_ONCE: usize = 4;

/// What is needed to catch up.
pub struct Upkeep {
    pub clock: LocalClock,
    pub app: App,
    pub dynamodb: aws_sdk_dynamodb::Client,
    pub tables: Vec<Table>,
    pub timers: QueuePoller,
    pub tickers: Vec<Ticker>,
}

impl Upkeep {
    /// Moves the clock, and returns when all that fell due by then has been handled.
    pub async fn advance(&self, seconds: u64) -> Result<Timestamp> {
        let now = self.clock.advance(seconds)?;
        self.sweep().await?;
        self.visit_holds(false).await?;
        for ticker in &self.tickers {
            ticker.tick().await;
        }
        Ok(now)
    }

    /// Catches up once after the start, and sweeps from time to time until dropped.
    pub async fn run(self: Arc<Self>) {
        if let Err(fault) = self.visit_holds(true).await {
            tracing::error!("not every hold has a timer again: {fault:#}");
        }
        loop {
            if let Err(fault) = self.sweep().await {
                tracing::error!("items whose time to live is over remain: {fault:#}");
            }
            sleep(SWEEP).await;
        }
    }

    async fn sweep(&self) -> Result<()> {
        for table in &self.tables {
            ttl::sweep(&self.dynamodb, &table.name, &table.properties, self.clock.now()).await?;
        }
        Ok(())
    }

    async fn visit_holds(&self, arm_the_others: bool) -> Result<()> {
        let now = self.clock.now();
        let mut pages = self.app.store.scan();
        while let Some(items) = pages.next_page().await? {
            let (due, others): (Vec<_>, Vec<_>) =
                items.into_iter().flat_map(holds).partition(|armed| armed.hold.is_over(now));
            let batches: Vec<_> = due.chunks(self.timers.batch_size).map(<[_]>::to_vec).collect();
            let batches = batches.into_iter().map(|batch| self.expire(batch));
            futures::stream::iter(batches).buffer_unordered(AT_ONCE).try_collect::<()>().await?;
            if arm_the_others {
                self.app.timers.arm(&others, now).await?;
            }
        }
        Ok(())
    }

    /// Gives the function the messages that the timer queue would have delivered.
    async fn expire(&self, holds: Vec<ArmedHold>) -> Result<()> {
        let message = |(index, armed): (usize, &ArmedHold)| {
            json!({
                "messageId": format!("due-{index}"),
                "body": runtime::timers::body(armed),
                "eventSource": "aws:sqs",
                "eventSourceARN": self.timers.queue.arn,
            })
        };
        let records: Vec<_> = holds.iter().enumerate().map(message).collect();
        let answer = self.timers.function.call(json!({ "Records": records })).await?;
        let failed = answer["batchItemFailures"].as_array().map_or(0, Vec::len);
        if failed > 0 {
            tracing::error!("{failed} holds that are due could not be resolved; their timers are still in the queue");
        }
        Ok(())
    }
}

fn holds(item: StoredItem) -> Vec<ArmedHold> {
    let StoredItem::Bucket(bucket, content) = item else { return Vec::new() };
    let holds = content.holds.into_iter();
    holds.map(|(id, hold)| ArmedHold { bucket: bucket.clone(), id, hold }).collect()
}
