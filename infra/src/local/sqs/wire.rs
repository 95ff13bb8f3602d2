//! What a request may say, and how an answer is said. Limits and error codes are those of the Amazon SQS API Reference.

use std::{collections::HashMap, fmt::Display, time::Duration};

use rustack_sqs_core::message::{md5_of_body, md5_of_message_attributes};
use rustack_sqs_model::{
    error::{SqsError, SqsErrorCode},
    input::{ReceiveMessageInput, SendMessageInput},
    output::SendMessageOutput,
    types::{
        BatchResultErrorEntry, ChangeMessageVisibilityBatchRequestEntry, DeleteMessageBatchRequestEntry, Message,
        MessageAttributeValue, MessageSystemAttributeValue, SendMessageBatchRequestEntry,
    },
};
use sha2::{Digest, Sha256};

use super::{
    super::event::ACCOUNT,
    fifo::{self, Accepted, Millis, NewMessage, hex},
    queue::Queue,
};

/// What a message may weigh with its attributes, and a batch of them in all.
const MOST_BYTES: usize = 1024 * 1024;
const MOST_ATTRIBUTES: usize = 10;
const MOST_ENTRIES: usize = 10;
/// Twelve hours.
const LONGEST_VISIBILITY_TIMEOUT_SECONDS: i32 = 43_200;
const LONGEST_WAIT_SECONDS: i32 = 20;
const MOST_MESSAGES: i32 = 10;

/// The one attribute that a sender may set for AWS.
const TRACE_HEADER: &str = "AWSTraceHeader";

/// A message that may be sent.
#[derive(Debug)]
pub struct Draft<'a> {
    input: &'a SendMessageInput,
    group_id: &'a str,
    deduplication_id: String,
    deduplicated_by_group: bool,
    attributes: String,
}

impl<'a> Draft<'a> {
    pub fn check(queue: &Queue, input: &'a SendMessageInput) -> Result<Self, SqsError> {
        let body = &input.message_body;
        if body.is_empty() {
            return Err(missing("MessageBody"));
        }
        if bytes(body, &input.message_attributes) > MOST_BYTES {
            return Err(invalid(format!("Message must be shorter than {MOST_BYTES} bytes.")));
        }
        if input.message_attributes.len() > MOST_ATTRIBUTES {
            return Err(invalid(format!("A message may have {MOST_ATTRIBUTES} attributes.")));
        }
        if queue.delay_seconds != 0 {
            let message = "The embedded SQS has no FIFO queues with a delay.";
            return Err(SqsError::new(SqsErrorCode::UnsupportedOperation, message));
        }
        if input.delay_seconds.is_some_and(|seconds| seconds != 0) {
            return Err(invalid_value(
                "DelaySeconds",
                "The request includes a parameter that is not valid for this queue type.",
            ));
        }
        let group_id = input.message_group_id.as_deref().ok_or_else(|| missing("MessageGroupId"))?;
        check_id("MessageGroupId", group_id)?;
        let deduplication_id = match &input.message_deduplication_id {
            Some(id) => id.clone(),
            None if queue.content_based_deduplication => hex(&Sha256::digest(body)),
            None => {
                let message = "The queue should either have ContentBasedDeduplication enabled or \
                               MessageDeduplicationId provided explicitly";
                return Err(SqsError::invalid_parameter_value(message));
            }
        };
        check_id("MessageDeduplicationId", &deduplication_id)?;
        let attributes = serde_json::to_string(&input.message_attributes)
            .map_err(|error| SqsError::invalid_parameter_value(error.to_string()))?;
        let deduplicated_by_group = queue.deduplicated_by_group;
        Ok(Self { input, group_id, deduplication_id, deduplicated_by_group, attributes })
    }

    pub fn message(&self) -> NewMessage<'_> {
        NewMessage {
            group_id: self.group_id,
            deduplication_id: &self.deduplication_id,
            deduplicated_by_group: self.deduplicated_by_group,
            body: &self.input.message_body,
            attributes: &self.attributes,
            trace_header: self.trace_header().and_then(|value| value.string_value.as_deref()),
        }
    }

    pub fn answer(&self, accepted: Accepted) -> SendMessageOutput {
        let trace_header = self.trace_header().map(|value| {
            let MessageSystemAttributeValue { data_type, string_value, binary_value } = value.clone();
            (TRACE_HEADER.to_owned(), MessageAttributeValue { data_type, string_value, binary_value })
        });
        SendMessageOutput {
            message_id: Some(accepted.message_id),
            md5_of_message_body: Some(md5_of_body(&self.input.message_body)),
            md5_of_message_attributes: md5_of_message_attributes(&self.input.message_attributes),
            md5_of_message_system_attributes: md5_of_message_attributes(&trace_header.into_iter().collect()),
            sequence_number: Some(sequence_number(accepted.sequence)),
        }
    }

    fn trace_header(&self) -> Option<&MessageSystemAttributeValue> {
        self.input.message_system_attributes.get(TRACE_HEADER)
    }
}

fn bytes(body: &str, attributes: &HashMap<String, MessageAttributeValue>) -> usize {
    let attribute = |(name, value): (&String, &MessageAttributeValue)| {
        let text = value.string_value.as_ref().map_or(0, String::len);
        let binary = value.binary_value.as_ref().map_or(0, Vec::len);
        name.len() + value.data_type.len() + text + binary
    };
    body.len() + attributes.iter().map(attribute).sum::<usize>()
}

/// 1 to 128 letters, digits and punctuation marks.
fn check_id(name: &str, id: &str) -> Result<(), SqsError> {
    let allowed = id.bytes().all(|byte| byte.is_ascii_graphic());
    if allowed && (1..=128).contains(&id.len()) {
        return Ok(());
    }
    Err(invalid_value(name, "It can only include alphanumeric and punctuation characters. 1 to 128 in length."))
}

/// Twenty digits, as on AWS, so that their order as text is theirs as numbers.
fn sequence_number(sequence: i64) -> String {
    format!("{sequence:020}")
}

/// How much a receiver wants, and for how long.
#[derive(Debug)]
pub struct Limits {
    pub messages: usize,
    pub visibility_timeout: Millis,
    pub wait: Duration,
}

impl Limits {
    pub fn check(queue: &Queue, input: &ReceiveMessageInput) -> Result<Self, SqsError> {
        let messages = within("MaxNumberOfMessages", input.max_number_of_messages.unwrap_or(1), 1, MOST_MESSAGES)?;
        let wait = input.wait_time_seconds.unwrap_or(queue.wait_seconds);
        let wait = within("WaitTimeSeconds", wait, 0, LONGEST_WAIT_SECONDS)?;
        Ok(Self {
            messages: messages.unsigned_abs() as usize,
            visibility_timeout: visibility_timeout(
                input.visibility_timeout.unwrap_or(queue.visibility_timeout_seconds),
            )?,
            wait: Duration::from_secs(wait.unsigned_abs().into()),
        })
    }
}

pub fn visibility_timeout(seconds: i32) -> Result<Millis, SqsError> {
    let seconds = within("VisibilityTimeout", seconds, 0, LONGEST_VISIBILITY_TIMEOUT_SECONDS)?;
    Ok(Millis::from(seconds) * 1000)
}

fn within(name: &str, value: i32, least: i32, most: i32) -> Result<i32, SqsError> {
    if (least..=most).contains(&value) {
        return Ok(value);
    }
    Err(invalid_value(name, format!("Must be between {least} and {most}.")))
}

/// A received message, with the attributes that were asked for.
pub fn message(message: fifo::Message, input: &ReceiveMessageInput) -> Message {
    let receipt_handle = Some(message.receipt());
    let mut attributes: HashMap<String, MessageAttributeValue> =
        serde_json::from_str(&message.attributes).unwrap_or_default();
    attributes.retain(|name, _| input.message_attribute_names.iter().any(|pattern| names(pattern, name)));
    let wanted = |name: &str| {
        let mut names = input.attribute_names.iter().chain(&input.message_system_attribute_names);
        names.any(|wanted| wanted == name || wanted == "All")
    };
    let all = [
        ("SenderId", Some(ACCOUNT.into())),
        ("SentTimestamp", Some(message.sent.to_string())),
        ("ApproximateReceiveCount", Some(message.received.to_string())),
        ("ApproximateFirstReceiveTimestamp", Some(message.first_received.to_string())),
        ("SequenceNumber", Some(sequence_number(message.sequence))),
        ("MessageGroupId", Some(message.group_id)),
        ("MessageDeduplicationId", Some(message.deduplication_id)),
        ("DeadLetterQueueSourceArn", message.source_arn),
        (TRACE_HEADER, message.trace_header),
    ];
    let system = all.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Message {
        message_id: Some(message.id),
        receipt_handle,
        md5_of_body: Some(md5_of_body(&message.body)),
        body: Some(message.body),
        md5_of_message_attributes: md5_of_message_attributes(&attributes),
        message_attributes: attributes,
        attributes: system.filter(|(name, _)| wanted(name)).collect(),
    }
}

/// Whether a receiver that asks for `pattern` wants the attribute: `All`, `.*`, `prefix.*` or its name.
fn names(pattern: &str, name: &str) -> bool {
    pattern == "All" || pattern == name || pattern.strip_suffix(".*").is_some_and(|prefix| name.starts_with(prefix))
}

/// An entry of a batch.
pub trait Entry {
    fn id(&self) -> &str;
}

macro_rules! entries {
    ($($type:ty),*) => {
        $(impl Entry for $type {
            fn id(&self) -> &str {
                &self.id
            }
        })*
    };
}
entries!(SendMessageBatchRequestEntry, DeleteMessageBatchRequestEntry, ChangeMessageVisibilityBatchRequestEntry);

/// Does the same to each entry of a batch. One that fails says so, and the others are done.
pub fn each<E: Entry, T>(
    entries: Vec<E>,
    mut act: impl FnMut(String, E) -> Result<T, SqsError>,
) -> Result<(Vec<T>, Vec<BatchResultErrorEntry>), SqsError> {
    check_entries(&entries)?;
    let (mut successful, mut failed) = (Vec::new(), Vec::new());
    for entry in entries {
        let id = entry.id().to_owned();
        match act(id.clone(), entry) {
            Ok(done) => successful.push(done),
            Err(error) => failed.push(BatchResultErrorEntry {
                id,
                sender_fault: error.code.is_sender_fault(),
                code: error.code.error_type().into(),
                message: Some(error.message),
            }),
        }
    }
    Ok((successful, failed))
}

fn check_entries<E: Entry>(entries: &[E]) -> Result<(), SqsError> {
    let valid = |id: &str| {
        (1..=80).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    let repeated = |(index, entry): (usize, &E)| entries[..index].iter().any(|earlier| earlier.id() == entry.id());
    if entries.is_empty() {
        Err(SqsError::empty_batch_request())
    } else if entries.len() > MOST_ENTRIES {
        Err(SqsError::too_many_entries_in_batch())
    } else if entries.iter().any(|entry| !valid(entry.id())) {
        let message =
            "A batch entry id can only contain alphanumeric characters, hyphens and underscores. 1 to 80 in length.";
        Err(SqsError::new(SqsErrorCode::InvalidBatchEntryId, message))
    } else if entries.iter().enumerate().any(repeated) {
        Err(SqsError::batch_entry_ids_not_distinct())
    } else {
        Ok(())
    }
}

/// A batch may weigh no more than one message.
pub fn check_batch_size(entries: &[SendMessageBatchRequestEntry]) -> Result<(), SqsError> {
    let sum: usize = entries.iter().map(|entry| bytes(&entry.message_body, &entry.message_attributes)).sum();
    if sum <= MOST_BYTES {
        return Ok(());
    }
    let message = format!("Batch requests cannot be longer than {MOST_BYTES} bytes. You have sent {sum} bytes.");
    Err(SqsError::new(SqsErrorCode::BatchRequestTooLong, message))
}

/// An entry of a batch as the message that it is.
pub fn as_message(entry: SendMessageBatchRequestEntry) -> SendMessageInput {
    SendMessageInput {
        queue_url: String::new(),
        message_body: entry.message_body,
        delay_seconds: entry.delay_seconds,
        message_deduplication_id: entry.message_deduplication_id,
        message_group_id: entry.message_group_id,
        message_attributes: entry.message_attributes,
        message_system_attributes: entry.message_system_attributes,
    }
}

/// The message is visible again, or somebody else has received it.
pub fn expired(receipt: &str) -> SqsError {
    let message =
        format!("Value {receipt} for parameter ReceiptHandle is invalid. Reason: The receipt handle has expired.");
    SqsError::invalid_parameter_value(message)
}

/// There is nothing to hide.
pub fn not_in_flight(receipt: &str) -> SqsError {
    let message = format!(
        "Value {receipt} for parameter ReceiptHandle is invalid. Reason: Message does not exist or is not available \
         for visibility timeout change."
    );
    SqsError::invalid_parameter_value(message)
}

fn missing(name: &str) -> SqsError {
    SqsError::missing_parameter(format!("The request must contain the parameter {name}."))
}

fn invalid(reason: impl Display) -> SqsError {
    SqsError::invalid_parameter_value(format!("One or more parameters are invalid. Reason: {reason}"))
}

fn invalid_value(name: &str, reason: impl Display) -> SqsError {
    SqsError::invalid_parameter_value(format!("Value for parameter {name} is invalid. Reason: {reason}"))
}
