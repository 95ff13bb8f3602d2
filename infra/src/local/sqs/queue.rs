//! What rustack knows of a FIFO queue, as far as its messages depend on it.

use std::collections::HashMap;

use rustack_sqs_core::{provider::RustackSqs, queue::extract_queue_name};
use rustack_sqs_model::{error::SqsError, input::GetQueueAttributesInput, types::RedrivePolicy};

use super::fifo::{Millis, Redrive};

/// A queue and its settings.
#[derive(Debug)]
pub struct Queue {
    pub name: String,
    pub arn: String,
    pub visibility_timeout_seconds: i32,
    pub wait_seconds: i32,
    pub delay_seconds: i32,
    pub retention: Millis,
    pub content_based_deduplication: bool,
    pub deduplicated_by_group: bool,
    redrive_policy: Option<RedrivePolicy>,
}

impl Queue {
    /// Asks rustack for the queue: that is a message to a task of this process, so nothing is kept that might be old.
    pub async fn find(rustack: &RustackSqs, url: &str) -> Result<Self, SqsError> {
        let name = name(url)?;
        let all = GetQueueAttributesInput { queue_url: url.into(), attribute_names: vec!["All".into()] };
        let attributes = rustack.get_queue_attributes(all).await?.attributes;
        Ok(Self {
            name,
            arn: attributes.get("QueueArn").cloned().unwrap_or_default(),
            visibility_timeout_seconds: number(&attributes, "VisibilityTimeout")?,
            wait_seconds: number(&attributes, "ReceiveMessageWaitTimeSeconds")?,
            delay_seconds: number(&attributes, "DelaySeconds")?,
            retention: Millis::from(number(&attributes, "MessageRetentionPeriod")?) * 1000,
            content_based_deduplication: is(&attributes, "ContentBasedDeduplication", "true"),
            deduplicated_by_group: is(&attributes, "DeduplicationScope", "messageGroup"),
            redrive_policy: attributes.get("RedrivePolicy").and_then(|policy| serde_json::from_str(policy).ok()),
        })
    }

    /// Where messages go that were received too often. While that is not a FIFO queue that exists, they stay.
    pub async fn redrive(&self, rustack: &RustackSqs) -> Option<Redrive> {
        let policy = self.redrive_policy.as_ref()?;
        match by_arn(rustack, &policy.dead_letter_target_arn).await {
            Ok(target) => Some(Redrive {
                queue: target.name,
                max_receive_count: policy.max_receive_count.into(),
                source_arn: self.arn.clone(),
            }),
            Err(error) => {
                tracing::warn!("dead-letter queue of {}: {}", self.name, error.message);
                None
            }
        }
    }
}

/// The FIFO queue of this ARN.
pub async fn by_arn(rustack: &RustackSqs, arn: &str) -> Result<Queue, SqsError> {
    if !is_fifo(arn) {
        return Err(SqsError::invalid_parameter_value("Messages of a FIFO queue can only go to a FIFO queue."));
    }
    Queue::find(rustack, &rustack.queue_url_for_arn(arn)?).await
}

/// The name of a queue. A message is kept under it: the URL has the port, which may be another one next time.
pub fn name(url: &str) -> Result<String, SqsError> {
    let name = extract_queue_name(url).map(String::from);
    name.ok_or_else(|| SqsError::non_existent_queue("The specified queue does not exist."))
}

/// Whether this name, URL or ARN is one of a FIFO queue.
#[expect(clippy::case_sensitive_file_extension_comparisons, reason = "SQS compares them so, and it is no file")]
pub fn is_fifo(name: &str) -> bool {
    name.ends_with(".fifo")
}

fn number(attributes: &HashMap<String, String>, name: &str) -> Result<i32, SqsError> {
    let number = attributes.get(name).and_then(|value| value.parse().ok());
    number.ok_or_else(|| SqsError::internal_error(format!("The queue has no {name}.")))
}

fn is(attributes: &HashMap<String, String>, name: &str, value: &str) -> bool {
    attributes.get(name).is_some_and(|found| found == value)
}
