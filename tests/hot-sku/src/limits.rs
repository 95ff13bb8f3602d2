//! Every number that the model assumes, each with its source. "Assumed" says that nobody documents it.
//!
//! Pages of the Amazon DynamoDB Developer Guide are named by their titles.

use std::time::Duration;

/// How a latency is spread: log-normal, fixed by two of its percentiles.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Latency {
    /// Half of all answers come within this.
    pub p50_ms: f64,
    /// 99 of 100 answers come within this.
    pub p99_ms: f64,
}

/// What DynamoDB allows and how long it takes.
#[derive(Debug, Clone, PartialEq)]
pub struct Limits {
    /// Source: "Best practices for designing and using partition keys effectively in DynamoDB": 1,000 write units per partition.
    pub partition_wcu_per_second: f64,
    /// Source: the same page: 3,000 read units per partition.
    pub partition_rcu_per_second: f64,
    /// Source: "Quotas in Amazon DynamoDB", throughput default quotas: 40,000 write units per table; can be raised on request.
    pub table_wcu_per_second: f64,
    /// Source: the same page: 40,000 read units per table; can be raised on request.
    pub table_rcu_per_second: f64,
    /// How much of a second's units may be used at once. Assumed: the documentation only says "per second"; the smaller, the less
    /// a short rush profits.
    pub smoothing_seconds: f64,
    /// Unused capacity that is kept. Source: "DynamoDB burst and adaptive capacity" names up to 300 seconds and promises none of it
    /// ("might change", "can consume burst capacity for background maintenance"), so the model keeps none.
    pub burst_seconds: f64,
    /// How long a partition is throttled before it is split. Assumed: AWS Database Blog, "Scaling DynamoDB: How partitions, hot keys,
    /// and split for heat impact performance", part 2, shows splits after about ten minutes of sustained load.
    pub split_after: Duration,
    /// A write of one item. Assumed within "single-digit millisecond performance" ("What is Amazon DynamoDB?").
    pub write: Latency,
    /// A strongly consistent read of one item. Assumed, as above.
    pub read: Latency,
    /// `BatchGetItem` of up to 100 items: as long as the slowest of them. Assumed.
    pub batch_read: Latency,
    /// A transaction of two items; one of more takes as long as the slowest of them. Assumed at two and a half times a write, for it is two rounds of writes ("Amazon `DynamoDB`
    /// Transactions: How it works": "one to prepare the transaction and one to commit the transaction").
    pub transaction: Latency,
    /// From sending a message to a FIFO queue until it is accepted. Assumed.
    pub send: Latency,
    /// From a message being there, and its line free, until the function that decides has it. Assumed.
    pub receive: Latency,
    /// The part of a transaction's time during which its items are in its hands, so that others conflict. Assumed: from the middle of
    /// the first round to the middle of the second.
    pub transaction_hold_share: f64,
}

/// Bytes in a write unit. Source: "DynamoDB read and write operations": one write unit per 1 KB, rounded up.
pub const WRITE_UNIT_BYTES: u32 = 1024;

/// Write units for each unit of an item in a transaction. Source: "Amazon DynamoDB Transactions: How it works", capacity management:
/// two underlying writes of every item.
pub const TRANSACTION_FACTOR: f64 = 2.0;

/// The same where the transaction was canceled by a condition or a conflict. Assumed: only the first of the two writes was made; that
/// refused writes are billed is documented ("Working with items and attributes in DynamoDB", units consumed by conditional writes).
pub const CANCELED_FACTOR: f64 = 1.0;

/// Keys in one `BatchGetItem`. Source: Amazon DynamoDB API Reference, `BatchGetItem`.
pub const BATCH_KEYS: usize = 100;

/// Messages that one line takes in a second. Source: Amazon SQS Developer Guide, "Troubleshoot FIFO throttling issues in Amazon SQS":
/// 300 requests a second for each action; with `FifoThroughputLimit: perMessageGroupId` for each message group.
pub const LINE_PER_SECOND: f64 = 300.0;

/// Messages in a batch of a FIFO queue. Source: the same guide, "Amazon SQS message quotas".
pub const LINE_BATCH: usize = 10;

/// Attempts of the SDK at a throttled request. Source: `shared/runtime/src/aws.rs`; three is the SDKs' default (AWS SDKs and Tools
/// Reference Guide, "Retry behavior", standard mode).
pub const SDK_ATTEMPTS: u32 = 3;

/// The most that the SDK pauses after the first attempt; it doubles, and is spread evenly from nothing. Source: the same.
pub const SDK_PAUSE_MS: f64 = 25.0;

/// Attempts of Holdfast's store at what met a transaction. Source: `shared/store/src/table.rs`. The two other designs are given the same.
pub const STORE_ATTEMPTS: u32 = 6;

/// The pause after the first of them; it doubles, and half of it is spread. Source: the same.
pub const STORE_PAUSE_MS: f64 = 10.0;

/// Dollars for a million write units. Source: Amazon DynamoDB pricing, on-demand capacity, US East (N. Virginia), November 2026.
pub const DOLLARS_PER_MILLION_WRITES: f64 = 0.625;

/// Dollars for a million read units. Source: the same.
pub const DOLLARS_PER_MILLION_READS: f64 = 0.125;

impl Default for Limits {
    fn default() -> Self {
        Self {
            partition_wcu_per_second: 1_000.0,
            partition_rcu_per_second: 3_000.0,
            table_wcu_per_second: 40_000.0,
            table_rcu_per_second: 40_000.0,
            smoothing_seconds: 0.1,
            burst_seconds: 0.0,
            split_after: Duration::from_mins(10),
            write: Latency { p50_ms: 4.0, p99_ms: 10.0 },
            read: Latency { p50_ms: 3.0, p99_ms: 9.0 },
            batch_read: Latency { p50_ms: 6.0, p99_ms: 15.0 },
            transaction: Latency { p50_ms: 10.0, p99_ms: 25.0 },
            send: Latency { p50_ms: 10.0, p99_ms: 40.0 },
            receive: Latency { p50_ms: 15.0, p99_ms: 60.0 },
            transaction_hold_share: 0.5,
        }
    }
}

impl Limits {
    /// Partitions of a table that was warmed to its quota. Source: "Understanding DynamoDB warm throughput": the throughput that a table
    /// supports at once; divided by what a partition can do it is the least number of partitions that can.
    #[must_use]
    pub fn partitions(&self) -> usize {
        let wanted = self.table_wcu_per_second / self.partition_wcu_per_second;
        (1..=u16::MAX).find(|count| f64::from(*count) >= wanted).map_or(1, usize::from)
    }
}
