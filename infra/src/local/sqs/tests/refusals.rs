//! What the embedded server does not do, and what it says then.

use super::*;

#[tokio::test]
async fn what_a_queue_cannot_keep_is_refused() {
    let sqs = Embedded::start(None).await;
    let queue = sqs.queue("work.fifo", &[]).await;
    let message = || sqs.client.send_message().queue_url(&queue);
    let complete = || message().message_body("b").message_group_id("a").message_deduplication_id("d");
    let long = "x".repeat(129);
    let large = "x".repeat(1024 * 1024);
    let invalid = "InvalidParameterValue";
    let refused = [
        (message().message_body("b").message_deduplication_id("d"), "MissingParameter"),
        (message().message_body("b").message_group_id("a"), invalid),
        (complete().message_body(""), "MissingParameter"),
        (complete().message_body(format!("{large}x")), invalid),
        (complete().message_group_id(""), invalid),
        (complete().message_group_id("a b"), invalid),
        (complete().message_group_id(&long), invalid),
        (complete().message_deduplication_id(&long), invalid),
        (complete().message_deduplication_id("ä"), invalid),
        (complete().delay_seconds(1), invalid),
        (complete().queue_url(queue.replace("work", "nowhere")), "AWS.SimpleQueueService.NonExistentQueue"),
    ];
    for (request, code) in refused {
        let input = format!("{:.200?}", request.as_input());
        assert_eq!(request.send().await.unwrap_err().code(), Some(code), "{input}");
    }
    assert_eq!(sqs.counts(&queue).await.0, "0");

    complete().message_group_id(&long[1..]).message_body(large).delay_seconds(0).send().await.unwrap();
    complete().message_deduplication_id("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~").send().await.unwrap();
    assert_eq!(sqs.receive(&queue).await.len(), 2);
    let late = sqs.queue("late.fifo", &[(Attribute::DelaySeconds, "1")]).await;
    let refused = complete().queue_url(late).send().await.unwrap_err();
    assert_eq!(refused.code(), Some("AWS.SimpleQueueService.UnsupportedOperation"));
}

#[tokio::test]
async fn a_batch_is_checked_as_a_whole_and_done_one_by_one() {
    let sqs = Embedded::start(None).await;
    let queue = sqs.queue("work.fifo", &[]).await;
    let batch = |entries| sqs.client.send_message_batch().queue_url(&queue).set_entries(Some(entries)).send();
    let ids: Vec<String> = (0..11).map(|id| id.to_string()).collect();
    let half = "x".repeat(600_000);
    let refused = [
        (vec![], "EmptyBatchRequest"),
        (ids.iter().map(|id| entry(id, "a", id)).collect(), "TooManyEntriesInBatchRequest"),
        (vec![entry("1", "a", "x"), entry("1", "a", "y")], "BatchEntryIdsNotDistinct"),
        (vec![entry("a b", "a", "x")], "InvalidBatchEntryId"),
        (vec![entry("1", "a", &half), entry("2", "a", &half)], "BatchRequestTooLong"),
    ];
    for (entries, code) in refused {
        let error = batch(entries).await.unwrap_err();
        assert_eq!(error.code().map(|code| code.rsplit('.').next().unwrap()), Some(code));
    }
    let answer = batch(vec![entry("1", "a", "x"), entry("2", "no group", "y"), entry("3", "a", "z")]).await.unwrap();
    assert_eq!(answer.successful().iter().map(SendMessageBatchResultEntry::id).collect::<Vec<_>>(), ["1", "3"]);
    let failed = &answer.failed()[0];
    assert_eq!((failed.id(), failed.code(), failed.sender_fault()), ("2", "InvalidParameterValue", true));
    assert_eq!(bodies(&sqs.receive(&queue).await), ["x", "z"]);
}

#[tokio::test]
async fn limits_of_a_receipt_are_those_of_sqs() {
    let sqs = Embedded::start(None).await;
    let queue = sqs.queue("work.fifo", &[]).await;
    let refused = [
        sqs.wanted(&queue).max_number_of_messages(0),
        sqs.wanted(&queue).max_number_of_messages(11),
        sqs.wanted(&queue).wait_time_seconds(21),
        sqs.wanted(&queue).visibility_timeout(43_201),
        sqs.wanted(&queue).visibility_timeout(-1),
    ];
    for request in refused {
        assert_eq!(request.send().await.unwrap_err().code(), Some("InvalidParameterValue"));
    }
    sqs.send(&queue, "a", "a1").await;
    sqs.send(&queue, "a", "a2").await;
    // One message and no attributes, unless they are asked for.
    let bare = sqs.client.receive_message().queue_url(&queue).visibility_timeout(0);
    let found = received(bare.clone()).await;
    assert_eq!((bodies(&found), found[0].attributes.as_ref()), (vec!["a1"], None));
    let found = received(bare.message_system_attribute_names(System::SentTimestamp)).await;
    assert_eq!(found[0].attributes.as_ref().map(HashMap::len), Some(1));
}

#[tokio::test]
async fn receipts_that_are_over_say_so() {
    let sqs = Embedded::start(None).await;
    let queue = sqs.queue("work.fifo", &[]).await;
    sqs.send(&queue, "a", "a1").await;
    let stale = received(sqs.wanted(&queue).visibility_timeout(0)).await.remove(0).receipt_handle.unwrap();
    let current = sqs.receive(&queue).await.remove(0);
    let delete = |receipt: &str| sqs.client.delete_message().queue_url(&queue).receipt_handle(receipt).send();
    let hide = |receipt: &str, seconds| {
        let change = sqs.client.change_message_visibility().queue_url(&queue).receipt_handle(receipt);
        change.visibility_timeout(seconds).send()
    };
    assert_eq!(delete(&stale).await.unwrap_err().code(), Some("InvalidParameterValue"));
    assert_eq!(delete("forged").await.unwrap_err().code(), Some("ReceiptHandleIsInvalid"));
    assert_eq!(hide(&stale, 1).await.unwrap_err().code(), Some("InvalidParameterValue"));
    assert_eq!(sqs.counts(&queue).await, ("0".into(), "1".into()));
    let receipt = current.receipt_handle().unwrap();
    assert_eq!(hide(receipt, 43_201).await.unwrap_err().code(), Some("InvalidParameterValue"));
    hide(receipt, 43_200).await.unwrap();
    delete(receipt).await.unwrap();
    delete(receipt).await.unwrap();
    assert_eq!(hide(receipt, 1).await.unwrap_err().code(), Some("InvalidParameterValue"));
}
