//! The rules of a FIFO queue, at times that each test chooses.

use rusqlite::StatementStatus;

use super::*;

const QUEUE: &str = "orders.fifo";
const NOW: Millis = 1_700_000_000_000;
const SECOND: Millis = 1000;
const DAY: Millis = 86_400 * SECOND;

/// Ten, for half a minute.
const TEN: Wanted = Wanted { messages: 10, visibility_timeout: 30 * SECOND, retention: 4 * DAY, redrive: None };

fn fifo() -> Fifo {
    Fifo::open(None).unwrap()
}

/// A message whose body is its deduplication id.
fn draft<'a>(group_id: &'a str, id: &'a str) -> NewMessage<'a> {
    NewMessage {
        group_id,
        deduplication_id: id,
        deduplicated_by_group: false,
        body: id,
        attributes: "{}",
        trace_header: None,
    }
}

fn send(fifo: &mut Fifo, group_id: &str, ids: &[&str]) {
    for id in ids {
        fifo.send(QUEUE, &draft(group_id, id), NOW).unwrap();
    }
}

fn receive(fifo: &mut Fifo, now: Millis) -> Vec<Message> {
    fifo.receive(QUEUE, &TEN, now).unwrap().messages
}

fn bodies(messages: &[Message]) -> Vec<&str> {
    messages.iter().map(|message| message.body.as_str()).collect()
}

fn dead_letters(max_receive_count: i64) -> Redrive {
    Redrive { queue: "dead.fifo".into(), max_receive_count, source_arn: "arn:orders.fifo".into() }
}

#[test]
fn a_batch_is_of_one_group_as_far_as_it_goes_then_of_the_next_oldest() {
    let mut fifo = fifo();
    send(&mut fifo, "z", &["z1"]);
    send(&mut fifo, "b", &["b1"]);
    send(&mut fifo, "z", &["z2", "z3"]);
    send(&mut fifo, "a", &["a1"]);
    send(&mut fifo, "b", &["b2", "b3"]);
    let five = Wanted { messages: 5, ..TEN };
    assert_eq!(bodies(&fifo.receive(QUEUE, &five, NOW).unwrap().messages), ["z1", "z2", "z3", "b1", "b2"]);
    assert_eq!(bodies(&receive(&mut fifo, NOW)), ["a1"]);
}

#[test]
fn no_batch_is_larger_than_asked_for() {
    let mut fifo = fifo();
    send(&mut fifo, "a", &["a1", "a2", "a3"]);
    let two = Wanted { messages: 2, ..TEN };
    assert_eq!(bodies(&fifo.receive(QUEUE, &two, NOW).unwrap().messages), ["a1", "a2"]);
}

#[test]
fn a_group_with_a_message_in_flight_gives_none() {
    let mut fifo = fifo();
    send(&mut fifo, "a", &["a1", "a2"]);
    let one = Wanted { messages: 1, ..TEN };
    let first = fifo.receive(QUEUE, &one, NOW).unwrap().messages;
    send(&mut fifo, "a", &["a3"]);
    assert!(receive(&mut fifo, NOW).is_empty());
    fifo.delete(QUEUE, &first[0].receipt(), NOW).unwrap();
    assert_eq!(bodies(&receive(&mut fifo, NOW)), ["a2", "a3"]);
}

#[test]
fn what_comes_back_comes_back_first_and_only_when_its_whole_batch_is_done() {
    let mut fifo = fifo();
    send(&mut fifo, "a", &["a1", "a2", "a3"]);
    let batch = receive(&mut fifo, NOW);
    send(&mut fifo, "a", &["a4"]);
    // The second failed, and is shown at once; the third is still being worked on.
    assert_eq!(fifo.delete(QUEUE, &batch[0].receipt(), NOW).unwrap(), Receipt::InFlight);
    assert_eq!(fifo.change_visibility(QUEUE, &batch[1].receipt(), 0, NOW).unwrap(), Receipt::InFlight);
    assert!(receive(&mut fifo, NOW).is_empty());
    assert_eq!(fifo.delete(QUEUE, &batch[2].receipt(), NOW).unwrap(), Receipt::InFlight);
    assert_eq!(bodies(&receive(&mut fifo, NOW)), ["a2", "a4"]);
}

#[test]
fn a_visibility_timeout_ends_when_it_says() {
    let mut fifo = fifo();
    send(&mut fifo, "a", &["a1", "a2"]);
    let first = receive(&mut fifo, NOW);
    assert_eq!(fifo.next_visible(QUEUE, NOW).unwrap(), Some(NOW + 30 * SECOND));
    assert!(receive(&mut fifo, NOW + 30 * SECOND - 1).is_empty());
    // Longer for one of them holds up both: they are of one group.
    fifo.change_visibility(QUEUE, &first[0].receipt(), 60 * SECOND, NOW).unwrap();
    assert!(receive(&mut fifo, NOW + 60 * SECOND - 1).is_empty());
    assert_eq!(bodies(&receive(&mut fifo, NOW + 60 * SECOND)), ["a1", "a2"]);
}

#[test]
fn a_visibility_timeout_of_nothing_gives_each_message_once_per_batch() {
    let mut fifo = fifo();
    send(&mut fifo, "a", &["a1"]);
    let peek = Wanted { visibility_timeout: 0, ..TEN };
    assert_eq!(bodies(&fifo.receive(QUEUE, &peek, NOW).unwrap().messages), ["a1"]);
    assert_eq!(bodies(&fifo.receive(QUEUE, &peek, NOW).unwrap().messages), ["a1"]);
}

#[test]
fn receipts_are_counted_and_dated() {
    let mut fifo = fifo();
    let sent = fifo.send(QUEUE, &draft("a", "a1"), NOW).unwrap();
    let first = receive(&mut fifo, NOW + SECOND);
    let second = receive(&mut fifo, NOW + 40 * SECOND);
    assert_eq!((first[0].received, second[0].received), (1, 2));
    for message in [&first[0], &second[0]] {
        assert_eq!((message.sent, message.first_received), (NOW, NOW + SECOND));
        assert_eq!((&message.id, message.sequence), (&sent.message_id, sent.sequence));
        assert_eq!((message.group_id.as_str(), message.deduplication_id.as_str()), ("a", "a1"));
    }
}

#[test]
fn a_duplicate_is_answered_as_the_first_and_adds_nothing() {
    let mut fifo = fifo();
    let first = fifo.send(QUEUE, &draft("a", "same"), NOW).unwrap();
    let other_group = fifo.send(QUEUE, &draft("b", "same"), NOW + 1).unwrap();
    assert_eq!(first, other_group);
    let received = receive(&mut fifo, NOW);
    assert_eq!(received.len(), 1);
    fifo.delete(QUEUE, &received[0].receipt(), NOW).unwrap();
    let after_deletion = fifo.send(QUEUE, &draft("a", "same"), NOW + DEDUPLICATION - 1).unwrap();
    assert_eq!(first, after_deletion);
    assert!(receive(&mut fifo, NOW + DEDUPLICATION - 1).is_empty());
}

#[test]
fn after_five_minutes_it_is_another_message() {
    let mut fifo = fifo();
    let first = fifo.send(QUEUE, &draft("a", "same"), NOW).unwrap();
    let second = fifo.send(QUEUE, &draft("a", "same"), NOW + DEDUPLICATION).unwrap();
    assert_ne!(first.message_id, second.message_id);
    assert!(first.sequence < second.sequence);
    assert_eq!(receive(&mut fifo, NOW + DEDUPLICATION).len(), 2);
}

#[test]
fn deduplication_is_of_one_queue_and_of_one_group_if_it_says_so() {
    let mut fifo = fifo();
    let by_group = |group_id| NewMessage { deduplicated_by_group: true, ..draft(group_id, "same") };
    let first = fifo.send(QUEUE, &by_group("a"), NOW).unwrap();
    assert_eq!(fifo.send(QUEUE, &by_group("a"), NOW).unwrap(), first);
    assert_ne!(fifo.send(QUEUE, &by_group("b"), NOW).unwrap(), first);
    assert_ne!(fifo.send("other.fifo", &by_group("a"), NOW).unwrap(), first);
    assert_eq!(receive(&mut fifo, NOW).len(), 2);
}

#[test]
fn only_the_last_receipt_in_time_does_anything() {
    let mut fifo = fifo();
    send(&mut fifo, "a", &["a1"]);
    let first = receive(&mut fifo, NOW)[0].receipt();
    let later = NOW + 30 * SECOND;
    assert_eq!(fifo.delete(QUEUE, &first, later).unwrap(), Receipt::Expired);
    let second = receive(&mut fifo, later)[0].receipt();
    assert_eq!(fifo.delete(QUEUE, &first, later).unwrap(), Receipt::Expired);
    assert_eq!(fifo.change_visibility(QUEUE, &first, 0, later).unwrap(), Receipt::Expired);
    assert_eq!(fifo.counts(QUEUE, DAY, later).unwrap(), Counts { visible: 0, in_flight: 1 });
    assert_eq!(fifo.delete("other.fifo", &second, later).unwrap(), Receipt::Gone);
    assert_eq!(fifo.delete(QUEUE, &second, later).unwrap(), Receipt::InFlight);
    assert_eq!(fifo.delete(QUEUE, &second, later).unwrap(), Receipt::Gone);
}

#[test]
fn a_receipt_that_was_never_given_is_invalid() {
    let mut fifo = fifo();
    send(&mut fifo, "a", &["a1"]);
    let receipt = receive(&mut fifo, NOW)[0].receipt();
    let forged = receipt.replace('-', "+");
    for receipt in ["", "1", "1.1", "x.1.y", forged.as_str()] {
        assert_eq!(fifo.delete(QUEUE, receipt, NOW).unwrap(), Receipt::Invalid, "{receipt}");
    }
}

#[test]
fn what_was_received_often_enough_goes_to_the_dead_letters_and_its_group_goes_on() {
    let mut fifo = fifo();
    let redrive = dead_letters(2);
    let wanted = Wanted { redrive: Some(&redrive), ..TEN };
    send(&mut fifo, "a", &["a1", "a2"]);
    let one = Wanted { messages: 1, ..wanted };
    for attempt in 0..2 {
        let batch = fifo.receive(QUEUE, &one, NOW + attempt * DAY).unwrap();
        assert_eq!((bodies(&batch.messages), batch.redriven), (vec!["a1"], false));
    }
    let third = fifo.receive(QUEUE, &one, NOW + 2 * DAY).unwrap();
    assert_eq!((bodies(&third.messages), third.redriven), (vec!["a2"], true));
    let dead = fifo.receive("dead.fifo", &TEN, NOW + 2 * DAY).unwrap().messages;
    assert_eq!(bodies(&dead), ["a1"]);
    assert_eq!((dead[0].group_id.as_str(), dead[0].received, dead[0].sent), ("a", 1, NOW + 2 * DAY));
    assert_eq!(dead[0].source_arn.as_deref(), Some("arn:orders.fifo"));
}

#[test]
fn a_receiver_gets_what_is_behind_dead_letters_at_once() {
    let mut fifo = fifo();
    let redrive = dead_letters(1);
    let wanted = Wanted { messages: 2, redrive: Some(&redrive), ..TEN };
    send(&mut fifo, "a", &["a1"]);
    send(&mut fifo, "b", &["b1"]);
    assert_eq!(fifo.receive(QUEUE, &wanted, NOW).unwrap().messages.len(), 2);
    send(&mut fifo, "c", &["c1"]);
    let batch = fifo.receive(QUEUE, &wanted, NOW + DAY).unwrap();
    assert_eq!((bodies(&batch.messages), batch.redriven), (vec!["c1"], true));
}

#[test]
fn dead_letters_of_one_deduplication_id_all_arrive() {
    let mut fifo = fifo();
    let redrive = dead_letters(1);
    let wanted = Wanted { redrive: Some(&redrive), ..TEN };
    fifo.send("dead.fifo", &draft("a", "same"), NOW).unwrap();
    for group_id in ["a", "b"] {
        fifo.send(QUEUE, &NewMessage { deduplicated_by_group: true, ..draft(group_id, "same") }, NOW).unwrap();
    }
    fifo.receive(QUEUE, &wanted, NOW).unwrap();
    fifo.receive(QUEUE, &wanted, NOW + 30 * SECOND).unwrap();
    let dead = fifo.receive("dead.fifo", &TEN, NOW + 30 * SECOND).unwrap().messages;
    assert_eq!(bodies(&dead), ["same", "same", "same"]);
    assert_ne!(dead[1].deduplication_id, dead[2].deduplication_id);
}

#[test]
fn dead_letters_go_back_in_order_and_are_counted_afresh() {
    let mut fifo = fifo();
    let redrive = dead_letters(1);
    let wanted = Wanted { redrive: Some(&redrive), ..TEN };
    send(&mut fifo, "a", &["a1", "a2"]);
    fifo.receive(QUEUE, &wanted, NOW).unwrap();
    assert!(fifo.receive(QUEUE, &wanted, NOW + DAY).unwrap().messages.is_empty());
    fifo.send("dead.fifo", &draft("b", "of its own"), NOW + DAY).unwrap();
    assert_eq!(fifo.sources("dead.fifo").unwrap(), [Some("arn:orders.fifo".into()), None]);
    assert_eq!(fifo.redrive("dead.fifo", Some("arn:other.fifo"), QUEUE, NOW + DAY).unwrap(), 0);
    assert_eq!(fifo.redrive("dead.fifo", Some("arn:orders.fifo"), QUEUE, NOW + DAY).unwrap(), 2);
    let back = fifo.receive(QUEUE, &wanted, NOW + DAY).unwrap().messages;
    assert_eq!((bodies(&back), back[0].received), (vec!["a1", "a2"], 1));
    // Without a source it is everything that nobody holds.
    assert_eq!(fifo.receive("dead.fifo", &TEN, NOW + DAY).unwrap().messages.len(), 1);
    assert_eq!(fifo.redrive("dead.fifo", None, QUEUE, NOW + DAY).unwrap(), 0);
    assert_eq!(fifo.redrive("dead.fifo", None, QUEUE, NOW + 2 * DAY).unwrap(), 1);
}

#[test]
fn what_is_older_than_the_retention_period_is_gone() {
    let mut fifo = fifo();
    send(&mut fifo, "a", &["a1"]);
    fifo.send(QUEUE, &draft("a", "a2"), NOW + SECOND).unwrap();
    assert_eq!(fifo.counts(QUEUE, 4 * DAY, NOW + 4 * DAY - 1).unwrap().visible, 2);
    assert_eq!(fifo.counts(QUEUE, 4 * DAY, NOW + 4 * DAY).unwrap().visible, 1);
    assert_eq!(bodies(&receive(&mut fifo, NOW + 4 * DAY)), ["a2"]);
    assert!(receive(&mut fifo, NOW + 5 * DAY).is_empty());
}

#[test]
fn a_queue_counts_what_it_holds() {
    let mut fifo = fifo();
    send(&mut fifo, "a", &["a1", "a2", "a3"]);
    fifo.send("other.fifo", &draft("a", "b1"), NOW).unwrap();
    let two = Wanted { messages: 2, ..TEN };
    fifo.receive(QUEUE, &two, NOW).unwrap();
    assert_eq!(fifo.counts(QUEUE, DAY, NOW).unwrap(), Counts { visible: 1, in_flight: 2 });
    assert_eq!(fifo.counts(QUEUE, DAY, NOW + 30 * SECOND).unwrap(), Counts { visible: 3, in_flight: 0 });
}

#[test]
fn a_purged_queue_is_empty_and_a_forgotten_one_is_new() {
    let mut fifo = fifo();
    send(&mut fifo, "a", &["a1", "a2"]);
    fifo.send("other.fifo", &draft("a", "b1"), NOW).unwrap();
    fifo.receive(QUEUE, &Wanted { messages: 1, ..TEN }, NOW).unwrap();
    fifo.purge(QUEUE).unwrap();
    assert_eq!(fifo.counts(QUEUE, DAY, NOW).unwrap(), Counts { visible: 0, in_flight: 0 });
    send(&mut fifo, "a", &["a1"]);
    assert!(receive(&mut fifo, NOW).is_empty());
    fifo.forget(QUEUE).unwrap();
    send(&mut fifo, "a", &["a1"]);
    assert_eq!(bodies(&receive(&mut fifo, NOW)), ["a1"]);
    assert_eq!(fifo.counts("other.fifo", DAY, NOW).unwrap().visible, 1);
}

#[test]
fn whoever_died_holds_nothing_and_what_was_accepted_is_still_there() {
    let file = std::env::temp_dir().join(format!("holdfast-fifo-{}.sqlite", std::process::id()));
    let mut fifo = Fifo::open(Some(&file)).unwrap();
    send(&mut fifo, "a", &["a1", "a2", "a3"]);
    let batch = receive(&mut fifo, NOW);
    fifo.delete(QUEUE, &batch[0].receipt(), NOW).unwrap();
    // As when a process is killed: nothing is closed, nothing is written any more.
    std::mem::forget(fifo);

    let mut fifo = Fifo::open(Some(&file)).unwrap();
    assert_eq!(fifo.delete(QUEUE, &batch[1].receipt(), NOW).unwrap(), Receipt::Expired);
    send(&mut fifo, "a", &["a3", "a4"]);
    let again = receive(&mut fifo, NOW);
    assert_eq!(bodies(&again), ["a2", "a3", "a4"]);
    assert_eq!(again.iter().map(|message| message.received).collect::<Vec<_>>(), [2, 2, 1]);
    drop(fifo);
    for suffix in ["", "-wal", "-shm"] {
        drop(std::fs::remove_file(format!("{}{suffix}", file.display())));
    }
}

/// The engine counts the steps of a query: there must be no more of them when there are more messages.
#[test]
fn a_backlog_behind_a_message_in_flight_is_not_read() {
    let steps = |backlog: usize| {
        let mut fifo = fifo();
        let ids: Vec<String> = (0..backlog).map(|id| id.to_string()).collect();
        send(&mut fifo, "a", &ids.iter().map(String::as_str).collect::<Vec<_>>());
        send(&mut fifo, "b", &["b1"]);
        fifo.receive(QUEUE, &Wanted { messages: 1, ..TEN }, NOW).unwrap();
        let mut statement = fifo.0.prepare(FREE_GROUPS).unwrap();
        let groups = statement.query_map(params![QUEUE, NOW, 10], |row| row.get(0)).unwrap();
        assert_eq!(groups.collect::<Result<Vec<String>>>().unwrap(), ["b"]);
        statement.get_status(StatementStatus::VmStep)
    };
    assert_eq!(steps(2), steps(200));
}
