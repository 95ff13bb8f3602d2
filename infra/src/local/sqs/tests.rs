//! The embedded server as the AWS SDK sees it.

mod refusals;

use std::time::Duration;

use aws_sdk_sqs::{
    error::ProvideErrorMetadata,
    operation::receive_message::builders::ReceiveMessageFluentBuilder,
    types::{
        DeleteMessageBatchRequestEntry, Message, MessageAttributeValue, MessageSystemAttributeName as System,
        MessageSystemAttributeNameForSends, MessageSystemAttributeValue, SendMessageBatchRequestEntry,
        SendMessageBatchResultEntry,
    },
};
use rustack_sqs_core::message::md5_of_body;
use tokio::{
    task::JoinHandle,
    time::{Instant, sleep, timeout},
};

use super::{
    super::servers::{Clients, listen, url},
    *,
};

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(10);

struct Embedded {
    client: Client,
    server: JoinHandle<()>,
}

impl Embedded {
    async fn start(data: Option<&Path>) -> Self {
        let listener = listen(0, 0).await.unwrap();
        let endpoint = url(&listener).unwrap();
        let server = tokio::spawn(embedded(listener, data).unwrap());
        Self { client: Clients::new("http://127.0.0.1:1", &endpoint).sqs, server }
    }

    async fn queue(&self, name: &str, attributes: &[(Attribute, &str)]) -> String {
        let attributes = attributes.iter().map(|(name, value)| (name.clone(), (*value).to_owned()));
        let attributes = attributes.chain([(FifoQueue, "true".to_owned())]).collect();
        let made = self.client.create_queue().queue_name(name).set_attributes(Some(attributes)).send().await.unwrap();
        made.queue_url.unwrap()
    }

    /// A queue whose messages go to another one, which is the second answer.
    async fn queue_with_dead_letters(&self, max_receive_count: u32) -> (String, String) {
        let dead = self.queue("dead.fifo", &[]).await;
        let policy = policy(max_receive_count);
        (self.queue("work.fifo", &[(RedrivePolicy, &policy)]).await, dead)
    }

    async fn send(&self, queue: &str, group: &str, body: &str) {
        let message = self.client.send_message().queue_url(queue).message_group_id(group).message_body(body);
        message.message_deduplication_id(body).send().await.unwrap();
    }

    /// Ten messages, not waiting for any.
    fn wanted(&self, queue: &str) -> ReceiveMessageFluentBuilder {
        let wanted = self.client.receive_message().queue_url(queue).max_number_of_messages(10);
        wanted.message_system_attribute_names(System::All)
    }

    async fn receive(&self, queue: &str) -> Vec<Message> {
        received(self.wanted(queue)).await
    }

    async fn delete(&self, queue: &str, message: &Message) {
        let receipt = message.receipt_handle().unwrap();
        self.client.delete_message().queue_url(queue).receipt_handle(receipt).send().await.unwrap();
    }

    async fn counts(&self, queue: &str) -> (String, String) {
        let found = self.client.get_queue_attributes().queue_url(queue).attribute_names(Attribute::All).send().await;
        let mut attributes = found.unwrap().attributes.unwrap();
        let mut take = |name| attributes.remove(&name).unwrap();
        (take(Attribute::ApproximateNumberOfMessages), take(Attribute::ApproximateNumberOfMessagesNotVisible))
    }
}

fn policy(max_receive_count: u32) -> String {
    json!({"deadLetterTargetArn": arn("dead.fifo"), "maxReceiveCount": max_receive_count}).to_string()
}

fn arn(queue: &str) -> String {
    format!("arn:aws:sqs:{REGION}:{ACCOUNT}:{queue}")
}

async fn received(wanted: ReceiveMessageFluentBuilder) -> Vec<Message> {
    timeout(PATIENCE, wanted.send()).await.unwrap().unwrap().messages.unwrap_or_default()
}

fn bodies(messages: &[Message]) -> Vec<&str> {
    messages.iter().filter_map(Message::body).collect()
}

fn attribute<'a>(message: &'a Message, name: &System) -> &'a str {
    &message.attributes.as_ref().unwrap()[name]
}

fn entry(id: &str, group: &str, body: &str) -> SendMessageBatchRequestEntry {
    let entry = SendMessageBatchRequestEntry::builder().id(id).message_body(body).message_group_id(group);
    entry.message_deduplication_id(id).build().unwrap()
}

#[tokio::test]
async fn ten_of_a_group_come_at_once_and_what_failed_comes_back_in_order() {
    let sqs = Embedded::start(None).await;
    let queue = sqs.queue("work.fifo", &[(VisibilityTimeout, "1")]).await;
    let ids: Vec<String> = (0..10).map(|id| id.to_string()).collect();
    let entries = ids.iter().map(|id| entry(id, "a", id)).collect();
    let sent = sqs.client.send_message_batch().queue_url(&queue).set_entries(Some(entries)).send().await.unwrap();
    assert_eq!((sent.successful().len(), sent.failed().len()), (10, 0));
    sqs.send(&queue, "a", "after").await;

    let batch = sqs.receive(&queue).await;
    assert_eq!(bodies(&batch), ids);
    for (sent, message) in sent.successful().iter().zip(&batch) {
        assert_eq!(Some(sent.message_id()), message.message_id());
        assert_eq!(sent.sequence_number(), Some(attribute(message, &System::SequenceNumber)));
        assert_eq!(Some(md5_of_body(message.body().unwrap()).as_str()), message.md5_of_body());
        assert_eq!(sent.md5_of_message_body(), message.md5_of_body().unwrap());
        assert_eq!(attribute(message, &System::MessageGroupId), "a");
        assert_eq!(attribute(message, &System::MessageDeduplicationId), sent.id());
        assert_eq!(attribute(message, &System::ApproximateReceiveCount), "1");
        let first_received: u64 = attribute(message, &System::ApproximateFirstReceiveTimestamp).parse().unwrap();
        assert!(first_received >= attribute(message, &System::SentTimestamp).parse().unwrap());
    }

    // Two fail. Whoever waits for them sees them when their time is over, before what was sent after them.
    let done = batch.iter().filter(|message| !["3", "7"].contains(&message.body().unwrap()));
    let entry = |message: &Message| {
        let entry = DeleteMessageBatchRequestEntry::builder().id(message.message_id().unwrap());
        entry.set_receipt_handle(message.receipt_handle.clone()).build().unwrap()
    };
    let done = done.map(entry).collect();
    let deleted = sqs.client.delete_message_batch().queue_url(&queue).set_entries(Some(done)).send().await.unwrap();
    assert_eq!((deleted.successful().len(), deleted.failed().len()), (8, 0));
    assert!(sqs.receive(&queue).await.is_empty());
    let again = received(sqs.wanted(&queue).wait_time_seconds(20)).await;
    assert_eq!(bodies(&again), ["3", "7", "after"]);
    assert_eq!(attribute(&again[0], &System::ApproximateReceiveCount), "2");
}

#[tokio::test]
async fn the_sixth_receipt_is_the_dead_letter_queue_s() {
    let sqs = Embedded::start(None).await;
    let (queue, dead) = sqs.queue_with_dead_letters(5).await;
    sqs.send(&queue, "a", "poison").await;
    sqs.send(&queue, "a", "sound").await;
    let waiting = tokio::spawn(received(sqs.wanted(&dead).wait_time_seconds(20)));
    for _ in 0..5 {
        let one = sqs.wanted(&queue).max_number_of_messages(1).visibility_timeout(0);
        assert_eq!(bodies(&received(one).await), ["poison"]);
    }
    assert_eq!(bodies(&sqs.receive(&queue).await), ["sound"]);
    let dead_letters = waiting.await.unwrap();
    assert_eq!(bodies(&dead_letters), ["poison"]);
    assert_eq!(attribute(&dead_letters[0], &System::MessageGroupId), "a");
    assert_eq!(attribute(&dead_letters[0], &System::DeadLetterQueueSourceArn), arn("work.fifo"));
}

#[tokio::test]
async fn messages_stay_while_there_is_no_dead_letter_queue() {
    let sqs = Embedded::start(None).await;
    let queue = sqs.queue("work.fifo", &[(RedrivePolicy, &policy(1))]).await;
    sqs.send(&queue, "a", "a1").await;
    for _ in 0..2 {
        assert_eq!(bodies(&received(sqs.wanted(&queue).visibility_timeout(0)).await), ["a1"]);
    }
}

#[tokio::test]
async fn accepted_messages_outlive_the_server() {
    let data = std::env::temp_dir().join(format!("holdfast-sqs-{}", std::process::id()));
    std::fs::create_dir_all(&data).unwrap();
    let first = Embedded::start(Some(&data)).await;
    let queue = first.queue("work.fifo", &[]).await;
    for body in ["a1", "a2", "a3"] {
        first.send(&queue, "a", body).await;
    }
    let batch = first.receive(&queue).await;
    first.delete(&queue, &batch[0]).await;
    first.server.abort();

    // Another port, and so another URL.
    let second = Embedded::start(Some(&data)).await;
    let queue = second.queue("work.fifo", &[]).await;
    let again = second.receive(&queue).await;
    assert_eq!(bodies(&again), ["a2", "a3"]);
    assert_eq!(attribute(&again[0], &System::ApproximateReceiveCount), "2");
    second.server.abort();
    std::fs::remove_dir_all(data).unwrap();
}

#[tokio::test]
async fn whoever_waits_hears_of_what_is_sent_shown_or_freed() {
    let sqs = Embedded::start(None).await;
    let queue = sqs.queue("work.fifo", &[]).await;
    let wait = || tokio::spawn(received(sqs.wanted(&queue).max_number_of_messages(1).wait_time_seconds(20)));
    // Time for the request to arrive. Were it too short, the test would pass all the same.
    let a_moment = || sleep(Duration::from_millis(100));

    let waiting = wait();
    a_moment().await;
    sqs.send(&queue, "a", "a1").await;
    let sent = waiting.await.unwrap();
    assert_eq!(bodies(&sent), ["a1"]);

    let waiting = wait();
    a_moment().await;
    let receipt = sent[0].receipt_handle().unwrap();
    let change = sqs.client.change_message_visibility().queue_url(&queue).receipt_handle(receipt);
    change.visibility_timeout(0).send().await.unwrap();
    let shown = waiting.await.unwrap();
    assert_eq!(bodies(&shown), ["a1"]);

    sqs.send(&queue, "a", "a2").await;
    let waiting = wait();
    a_moment().await;
    sqs.delete(&queue, &shown[0]).await;
    assert_eq!(bodies(&waiting.await.unwrap()), ["a2"]);
}

#[tokio::test]
async fn nobody_waits_longer_than_asked() {
    let sqs = Embedded::start(None).await;
    let queue = sqs.queue("work.fifo", &[(Attribute::ReceiveMessageWaitTimeSeconds, "1")]).await;
    let begun = Instant::now();
    assert!(sqs.receive(&queue).await.is_empty());
    assert!(begun.elapsed() >= Duration::from_secs(1));
    let begun = Instant::now();
    assert!(received(sqs.wanted(&queue).wait_time_seconds(0)).await.is_empty());
    assert!(begun.elapsed() < Duration::from_secs(1));
}

#[tokio::test]
async fn deduplication_is_as_the_queue_says() {
    let sqs = Embedded::start(None).await;
    let by_content = [(ContentBasedDeduplication, "true"), (Attribute::DeduplicationScope, "messageGroup")];
    let queue = sqs.queue("work.fifo", &by_content).await;
    let send = async |group: &str| {
        let message = sqs.client.send_message().queue_url(&queue).message_group_id(group).message_body("same");
        message.send().await.unwrap()
    };
    let (first, second, other_group) = (send("a").await, send("a").await, send("b").await);
    assert_eq!((first.message_id(), first.sequence_number()), (second.message_id(), second.sequence_number()));
    assert_ne!(first.message_id(), other_group.message_id());
    let messages = sqs.receive(&queue).await;
    assert_eq!(messages.len(), 2);
    let sha256 = "0967115f2813a3541eaef77de9d9d5773f1c0c04314b0bbfe4ff3b3b1c55b5d5";
    assert_eq!(attribute(&messages[0], &System::MessageDeduplicationId), sha256);
}

#[tokio::test]
async fn attributes_of_a_message_arrive_with_it() {
    let sqs = Embedded::start(None).await;
    let queue = sqs.queue("work.fifo", &[]).await;
    let text = |value: &str| MessageAttributeValue::builder().data_type("String").string_value(value).build().unwrap();
    let trace = MessageSystemAttributeValue::builder().data_type("String").string_value("Root=1").build().unwrap();
    let sent = sqs.client.send_message().queue_url(&queue).message_group_id("a").message_deduplication_id("d");
    let sent = sent
        .message_body("b")
        .message_attributes("shop.id", text("s-1"))
        .message_attributes("kind", text("k"))
        .message_system_attributes(MessageSystemAttributeNameForSends::AwsTraceHeader, trace)
        .send()
        .await
        .unwrap();
    let received_with = async |names: &[&str]| {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        let wanted = sqs.wanted(&queue).visibility_timeout(0).set_message_attribute_names(Some(names));
        received(wanted).await.remove(0)
    };
    let all = received_with(&["All"]).await;
    assert_eq!(all.message_attributes.as_ref().unwrap()["kind"], text("k"));
    assert_eq!(all.md5_of_message_attributes(), sent.md5_of_message_attributes());
    assert_eq!(attribute(&all, &System::AwsTraceHeader), "Root=1");
    for (names, count) in [(vec![], 0), (vec!["kind"], 1), (vec!["shop.*"], 1), (vec![".*"], 2), (vec!["other"], 0)] {
        let found = received_with(&names).await;
        assert_eq!(found.message_attributes.map_or(0, |found| found.len()), count, "{names:?}");
    }
}

#[tokio::test]
async fn a_queue_is_counted_purged_and_deleted() {
    let sqs = Embedded::start(None).await;
    let queue = sqs.queue("work.fifo", &[]).await;
    for body in ["a1", "a2", "a3"] {
        sqs.send(&queue, "a", body).await;
    }
    received(sqs.wanted(&queue).max_number_of_messages(1)).await;
    assert_eq!(sqs.counts(&queue).await, ("2".into(), "1".into()));
    sqs.client.purge_queue().queue_url(&queue).send().await.unwrap();
    assert_eq!(sqs.counts(&queue).await, ("0".into(), "0".into()));

    sqs.send(&queue, "a", "a4").await;
    sqs.client.delete_queue().queue_url(&queue).send().await.unwrap();
    let gone = sqs.wanted(&queue).send().await.unwrap_err();
    assert_eq!(gone.code(), Some("AWS.SimpleQueueService.NonExistentQueue"));
    let queue = sqs.queue("work.fifo", &[]).await;
    assert!(sqs.receive(&queue).await.is_empty());
}

#[tokio::test]
async fn dead_letters_move_back_to_where_they_came_from() {
    let sqs = Embedded::start(None).await;
    let (queue, dead) = sqs.queue_with_dead_letters(1).await;
    let other = sqs.queue("other.fifo", &[(RedrivePolicy, &policy(1))]).await;
    let fail = async |queue: &str| {
        received(sqs.wanted(queue).visibility_timeout(0)).await;
        assert!(sqs.receive(queue).await.is_empty());
    };
    sqs.send(&queue, "a", "a1").await;
    sqs.send(&queue, "a", "a2").await;
    sqs.send(&other, "a", "b1").await;
    fail(&queue).await;
    fail(&other).await;
    let start = |source: &str| sqs.client.start_message_move_task().source_arn(arn(source));
    start("dead.fifo").send().await.unwrap();
    assert_eq!(sqs.counts(&dead).await.0, "0");
    assert_eq!(bodies(&sqs.receive(&other).await), ["b1"]);
    fail(&queue).await;
    start("dead.fifo").destination_arn(arn("work.fifo")).send().await.unwrap();
    assert_eq!(bodies(&sqs.receive(&queue).await), ["a1", "a2"]);

    let moves = sqs.client.list_message_move_tasks().source_arn(arn("dead.fifo")).max_results(10).send().await.unwrap();
    let moves: Vec<_> = moves.results().iter().map(|task| (task.status(), task.destination_arn().is_some())).collect();
    assert_eq!(moves, [(Some("COMPLETED"), true), (Some("COMPLETED"), false)]);
    assert_eq!(start("no.fifo").send().await.unwrap_err().code(), Some("ResourceNotFoundException"));
    let standard = start("dead.fifo").destination_arn(arn("standard")).send().await.unwrap_err();
    assert_eq!(standard.code(), Some("InvalidParameterValue"));
}

#[tokio::test]
async fn standard_queues_are_left_alone() {
    let sqs = Embedded::start(None).await;
    let queue = sqs.client.create_queue().queue_name("plain").send().await.unwrap().queue_url.unwrap();
    sqs.client.send_message().queue_url(&queue).message_body("b").delay_seconds(0).send().await.unwrap();
    assert_eq!(sqs.counts(&queue).await.0, "1");
    let found = sqs.receive(&queue).await;
    assert_eq!(bodies(&found), ["b"]);
    sqs.delete(&queue, &found[0]).await;
    assert_eq!(sqs.counts(&queue).await, ("0".into(), "0".into()));
}
