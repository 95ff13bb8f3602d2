//! What goes into a FIFO queue and comes out of it.

use sha2::{Digest, Sha256};

use super::Millis;

/// A message to be sent.
#[derive(Debug)]
pub struct NewMessage<'a> {
    pub group_id: &'a str,
    pub deduplication_id: &'a str,
    /// Whether the same deduplication id in another group is another message.
    pub deduplicated_by_group: bool,
    pub body: &'a str,
    /// Kept as they are.
    pub attributes: &'a str,
    pub trace_header: Option<&'a str>,
}

/// What a message was accepted as; a duplicate as the first one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    pub message_id: String,
    pub sequence: i64,
}

/// What is wanted of a queue.
#[derive(Debug)]
pub struct Wanted<'a> {
    pub messages: usize,
    pub visibility_timeout: Millis,
    pub retention: Millis,
    pub redrive: Option<&'a Redrive>,
}

/// Where messages go that were received too often.
#[derive(Debug, Clone)]
pub struct Redrive {
    /// The dead-letter queue.
    pub queue: String,
    pub max_receive_count: i64,
    /// The queue that they come from.
    pub source_arn: String,
}

/// What was received, and whether messages went to the dead-letter queue on the way.
#[derive(Debug, Default)]
pub struct Batch {
    pub messages: Vec<Message>,
    pub redriven: bool,
}

/// A received message.
#[derive(Debug)]
pub struct Message {
    pub sequence: i64,
    pub group_id: String,
    pub id: String,
    pub deduplication_id: String,
    pub sent: Millis,
    /// This time included.
    pub received: i64,
    pub first_received: Millis,
    pub source_arn: Option<String>,
    pub trace_header: Option<String>,
    pub attributes: String,
    pub body: String,
}

impl Message {
    /// The receipt handle.
    pub fn receipt(&self) -> String {
        format!("{}.{}.{}", self.sequence, self.received, self.id)
    }
}

/// What a receipt handle stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Receipt {
    /// A message in flight: what was asked for has been done to it.
    InFlight,
    /// A message that is visible again, or was received again.
    Expired,
    /// A message that was deleted or moved.
    Gone,
    /// Nothing that was ever answered.
    Invalid,
}

/// What a queue holds.
#[derive(Debug, PartialEq, Eq)]
pub struct Counts {
    pub visible: i64,
    pub in_flight: i64,
}

/// Looks like a UUID. Unique, because within five minutes none of these parts is accepted twice.
pub fn message_id(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part);
        hash.update([0]);
    }
    let hex = hex(&hash.finalize());
    let sections = [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..32]];
    sections.join("-")
}

/// Two digits for each byte.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

/// The number, how often it had been received, and the id.
pub fn parse_receipt(receipt: &str) -> Option<(i64, i64, &str)> {
    let (sequence, rest) = receipt.split_once('.')?;
    let (received, message_id) = rest.split_once('.')?;
    Some((sequence.parse().ok()?, received.parse().ok()?, message_id))
}
