//! The command against real queues: through the SDK and over the wire.

use aws_sdk_sqs::types::{Message, MessageSystemAttributeName as Attribute};
use clap::Parser;
use serde_json::Value;

use super::{
    fake::{MUG, PAID, POISON, Sqs, TEA},
    letter::Letter,
    redrive::Report,
    *,
};

/// The named messages; all, if none is named.
async fn redrive(sqs: &Sqs, ids: &[&str], dry_run: bool) -> Result<Report, Failure> {
    let (queue, stop) = (sqs.open().await, CancellationToken::new());
    let redrive = Redrive::new(&queue, sqs.orders.clone(), dry_run, &stop).await?;
    let ids: Vec<_> = ids.iter().map(|&id| id.to_owned()).collect();
    if ids.is_empty() { Ok(redrive.all().await) } else { redrive.named(&ids).await }
}

fn now() -> Timestamp {
    SystemClock.now()
}

fn outcomes(report: &Report) -> Vec<(String, String)> {
    let messages = json!(report)["messages"].as_array().unwrap().clone();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    messages.iter().map(|message| (text(&message["message_id"]), text(&message["outcome"]))).collect()
}

#[tokio::test]
async fn a_list_has_a_line_for_each_message_that_can_be_seen() {
    let sqs = Sqs::start().await;
    let [tea, _, mug, poison] = sqs.bury_all().await;
    let queue = sqs.open().await;
    let listing = list(&queue, now().plus_seconds(7_300), &CancellationToken::new()).await.unwrap();

    let text = listing.text();
    let lines: Vec<_> = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    let expected = [
        format!("Showing 3 of 4 dead letters in {}.", sqs.dead),
        String::new(),
        "message order age receives asks for".to_owned(),
        format!("{tea} 00000000000000aa 2 h 1 order 2 × tea (channel own) for o-1"),
        format!("{mug} 00000000000000bb 2 h 1 order 1 × mug (channel own)"),
        format!("{poison} - 2 h 1 unreadable: {POISON} (it is no order: expected ident at line 1 column 2)"),
        String::new(),
        HIDDEN.to_owned(),
    ];
    assert_eq!(lines, expected);

    let value = json!(listing);
    assert_eq!((&value["total"], &value["showing"], &value["stopped"]), (&json!(4), &json!(3), &json!(false)));
    let age = value["messages"][0]["age_seconds"].as_u64().unwrap();
    assert!((7_300..7_400).contains(&age), "{age}");
    let fields = ["kind", "id", "order_id", "asks", "why", "receives", "group"];
    let first = fields.map(|field| value["messages"][0][field].clone());
    let asks = "order 2 × tea (channel own) for o-1";
    let expected = json!(["order", "00000000000000aa", "o-1", asks, null, 1, "a"]).as_array().unwrap().clone();
    assert_eq!(first.to_vec(), expected);
    assert_eq!((&value["messages"][2]["kind"], &value["messages"][2]["message_id"]), (&json!(null), &json!(poison)));

    assert_eq!(sqs.drain_bodies(&sqs.dead).await, [TEA, MUG, POISON, PAID]);
}

#[tokio::test]
async fn a_list_of_everything_and_of_nothing_says_so() {
    let sqs = Sqs::start().await;
    let queue = sqs.open().await;
    let text = async || list(&queue, now(), &CancellationToken::new()).await.unwrap().text();
    assert_eq!(text().await, format!("No dead letters in {}.", sqs.dead));
    sqs.bury("b", MUG).await;
    let one = text().await;
    assert!(one.starts_with(&format!("1 dead letter in {}.\n", sqs.dead)) && !one.contains(HIDDEN), "{one}");
}

#[tokio::test]
async fn a_message_is_shown_by_any_of_its_ids() {
    let sqs = Sqs::start().await;
    let [tea, ..] = sqs.bury_all().await;
    let queue = sqs.open().await;
    let stop = CancellationToken::new();
    for id in [tea.as_str(), "00000000000000aa", "o-1"] {
        let found = show(&queue, id, now(), &stop).await.unwrap();
        let value = json!(found);
        assert_eq!((found.len(), &value[0]["message_id"], &value[0]["body"]), (1, &json!(tea), &json!(TEA)), "{id}");
        assert_eq!(value[0]["attributes"]["MessageGroupId"], "a");
        assert_eq!(value[0]["message_attributes"], json!({"colour": "red"}));
    }
    let text = show(&queue, "o-1", now(), &stop).await.unwrap()[0].text();
    let today = json!(list(&queue, now(), &stop).await.unwrap())["messages"][0]["sent_at"].as_str().unwrap().to_owned();
    let lines: Vec<_> = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    let expected = [
        format!("message {tea}"),
        "order 00000000000000aa".to_owned(),
        "the shop's order o-1".to_owned(),
        "asks for order 2 × tea (channel own) for o-1".to_owned(),
        "group a".to_owned(),
        format!("deduplication id a-{}-{}", TEA.len(), &TEA[..5]),
        format!("sequence number {:020}", 1),
        format!("sent at {today}"),
        lines[8].clone(),
        "receives 4".to_owned(),
        "SenderId 000000000000".to_owned(),
        "attribute colour red".to_owned(),
    ];
    assert_eq!(lines[..12], expected);
    assert!(lines[8].starts_with("first received at 20"), "{}", lines[8]);
    let body = "\n\n{\n  \"channel\": \"own\",\n  \"id\": \"00000000000000aa\",\n";
    assert!(text.contains(body), "{text}");
}

#[tokio::test]
async fn an_unknown_id_is_a_sentence_and_sends_nothing() {
    let sqs = Sqs::start().await;
    let queue = sqs.open().await;
    let stop = CancellationToken::new();
    let refused = show(&queue, "x", now(), &stop).await.unwrap_err().to_string();
    assert_eq!(refused, "x is neither the id of a message nor of an order among 0 dead letters.");

    sqs.bury_all().await;
    let among = "the 3 dead letters that can be seen now, of 4 in all";
    let refused = show(&queue, "x", now(), &stop).await.unwrap_err().to_string();
    assert_eq!(refused, format!("x is neither the id of a message nor of an order among {among}."));
    let refused = redrive(&sqs, &["o-1", "x"], false).await.unwrap_err().to_string();
    assert_eq!(refused, format!("x is neither the id of a message nor of an order among {among}. Nothing was sent."));
    assert_eq!(sqs.drain(&sqs.orders).await.len(), 0);
    assert_eq!(sqs.drain(&sqs.dead).await.len(), 4);
}

#[tokio::test]
async fn one_message_goes_back_as_it_was_and_the_others_stay() {
    let sqs = Sqs::start().await;
    let [_, _, mug, _] = sqs.bury_all().await;
    let report = redrive(&sqs, &[&mug], false).await.unwrap();
    assert!(report.is_complete());
    let text = report.text();
    let expected = format!(
        "Sent 1 message back to {}.\n\n{mug}  00000000000000bb  sent back\n\n3 dead letters are left.",
        sqs.orders
    );
    assert_eq!(text, expected);
    let value = json!(report);
    assert_eq!(
        value["messages"],
        json!([{"message_id": mug, "id": "00000000000000bb", "outcome": "redriven", "why": null}])
    );
    assert_eq!((&value["queue"], &value["to"], &value["left"]), (&json!(sqs.dead), &json!(sqs.orders), &json!(3)));
    assert_eq!((&value["dry_run"], &value["stopped"]), (&json!(false), &json!(null)));

    let sent = sqs.drain(&sqs.orders).await;
    assert_eq!((sent.len(), sent[0].body().unwrap()), (1, MUG));
    assert_eq!(sent[0].attributes().unwrap()[&Attribute::MessageGroupId], "b");
    assert_eq!(sent[0].message_attributes().unwrap()["colour"].string_value().unwrap(), "red");
    assert_eq!(sqs.drain_bodies(&sqs.dead).await, [TEA, POISON, PAID]);
}

#[tokio::test]
async fn all_go_back_each_group_in_its_order() {
    let sqs = Sqs::start().await;
    sqs.bury_all().await;
    // Looking first must not disturb the order.
    list(&sqs.open().await, now(), &CancellationToken::new()).await.unwrap();
    let report = redrive(&sqs, &[], false).await.unwrap();
    assert!(report.is_complete());
    assert_eq!(outcomes(&report).len(), 4);
    assert!(report.text().ends_with("\n\nNo dead letters are left."), "{}", report.text());
    assert_eq!(sqs.drain(&sqs.dead).await.len(), 0);
    let sent: Vec<_> = sqs.drain(&sqs.orders).await;
    let group = |name: &str| -> Vec<_> {
        let of_group = sent.iter().filter(|message| message.attributes().unwrap()[&Attribute::MessageGroupId] == name);
        of_group.map(|message| message.body().unwrap()).collect()
    };
    assert_eq!((group("a"), group("b"), group("c")), (vec![TEA, PAID], vec![MUG], vec![POISON]));
    assert!(redrive(&sqs, &[], false).await.unwrap().is_complete());
}

#[tokio::test]
async fn a_message_that_just_failed_is_not_swallowed_for_its_deduplication_id() {
    let sqs = Sqs::start().await;
    let send = sqs.client.send_message().queue_url(&sqs.orders).message_group_id("b").message_body(MUG);
    send.message_deduplication_id("its own").send().await.unwrap();
    let receive = || sqs.client.receive_message().queue_url(&sqs.orders).visibility_timeout(0);
    assert_eq!(receive().send().await.unwrap().messages().len(), 1);
    assert_eq!(receive().send().await.unwrap().messages().len(), 0);
    let buried = async {
        while sqs.open().await.total().await.unwrap() == 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(10), buried).await.unwrap();

    assert!(redrive(&sqs, &["00000000000000bb"], false).await.unwrap().is_complete());
    assert_eq!(sqs.drain_bodies(&sqs.orders).await, [MUG]);
    assert_eq!(sqs.drain(&sqs.dead).await.len(), 0);
}

#[tokio::test]
async fn a_redrive_that_died_after_sending_is_repeated_without_sending_twice() {
    let sqs = Sqs::start().await;
    sqs.bury("b", MUG).await;
    let queue = sqs.open().await;
    let letters = queue.look(&CancellationToken::new()).await.unwrap();
    queue.send(&sqs.orders, &letters[0]).await.unwrap();
    queue.give_back(&letters).await;

    assert!(redrive(&sqs, &[], false).await.unwrap().is_complete());
    assert_eq!(sqs.drain_bodies(&sqs.orders).await, [MUG]);
    assert_eq!(sqs.drain(&sqs.dead).await.len(), 0);
}

#[tokio::test]
async fn what_cannot_be_sent_stays_with_all_that_is_behind_it() {
    let sqs = Sqs::start().await;
    let large = "x".repeat(1_025);
    let stays = sqs.bury("a", &large).await;
    sqs.bury("a", PAID).await;
    let goes = sqs.bury("b", MUG).await;
    let report = redrive(&sqs, &[], false).await.unwrap();
    assert!(!report.is_complete());
    assert_eq!(outcomes(&report), [(stays.clone(), "failed".to_owned()), (goes, "redriven".to_owned())]);
    let text = report.text();
    assert!(text.contains(&format!("{stays}  unreadable  FAILED: it could not be sent: ")), "{text}");
    assert!(text.contains("1024") && text.ends_with("\n\n2 dead letters are left."), "{text}");
    assert_eq!(sqs.drain_bodies(&sqs.orders).await, [MUG]);
    assert_eq!(sqs.drain_bodies(&sqs.dead).await, [large.as_str(), PAID]);
}

#[tokio::test]
async fn a_batch_with_several_messages_of_a_group_ends_for_that_group_where_one_fails() {
    let sqs = Sqs::start().await;
    let letter = |group: &str, body: &str| -> Letter {
        let message =
            Message::builder().message_id(format!("{group}-{}", body.len())).receipt_handle("none").body(body);
        message.attributes(Attribute::MessageGroupId, group).build().into()
    };
    let (queue, stop) = (sqs.open().await, CancellationToken::new());
    let mut redrive = Redrive::new(&queue, sqs.orders.clone(), false, &stop).await.unwrap();
    for (group, body) in [("a", "x".repeat(1_025)), ("a", PAID.to_owned()), ("b", MUG.to_owned())] {
        redrive.one(letter(group, &body)).await;
    }
    assert_eq!(sqs.drain_bodies(&sqs.orders).await, [MUG]);
    let value = json!(redrive.end(None).await);
    assert_eq!(value["messages"][1]["why"], "a message before it in its group could not be sent");
}

#[tokio::test]
async fn nothing_is_lost_when_the_queue_to_send_to_is_missing() {
    let sqs = Sqs::start().await;
    sqs.bury_all().await;
    let (queue, stop) = (sqs.open().await, CancellationToken::new());
    let gone = format!("{}000000000000/gone.fifo", sqs.endpoint);
    let to = queue.target(Some(&gone)).await.unwrap();
    let report = Redrive::new(&queue, to, false, &stop).await.unwrap().all().await;
    assert!(!report.is_complete());
    assert!(outcomes(&report).iter().all(|(_, outcome)| outcome == "failed"));
    assert_eq!(outcomes(&report).len(), 3);
    assert_eq!(sqs.drain_bodies(&sqs.dead).await, [TEA, MUG, POISON, PAID]);
}

#[tokio::test]
async fn a_dry_run_changes_nothing() {
    let sqs = Sqs::start().await;
    let [tea, _, mug, poison] = sqs.bury_all().await;
    let would = |id: &str| (id.to_owned(), "would_be_redriven".to_owned());
    let all = redrive(&sqs, &[], true).await.unwrap();
    assert!(all.is_complete());
    assert_eq!(outcomes(&all), [would(&tea), would(&mug), would(&poison)]);
    let text = all.text();
    assert!(
        text.starts_with(&format!("Would send 3 messages back to {}. Nothing was changed.\n", sqs.orders)),
        "{text}"
    );
    let one = redrive(&sqs, &["o-1"], true).await.unwrap();
    assert_eq!(outcomes(&one), [would(&tea)]);
    assert_eq!(sqs.drain(&sqs.orders).await.len(), 0);
    assert_eq!(sqs.drain_bodies(&sqs.dead).await, [TEA, MUG, POISON, PAID]);
}

#[tokio::test]
async fn a_command_that_is_stopped_sends_no_more_and_holds_nothing_back() {
    let sqs = Sqs::start().await;
    sqs.bury_all().await;
    let (queue, stop) = (sqs.open().await, CancellationToken::new());
    let mut redrive = Redrive::new(&queue, sqs.orders.clone(), false, &stop).await.unwrap();
    let mut letters = queue.look(&stop).await.unwrap().into_iter();
    redrive.one(letters.next().unwrap()).await;
    stop.cancel();
    for letter in letters {
        redrive.one(letter).await;
    }
    let report = redrive.end(None).await;
    assert!(!report.is_complete());
    assert!(report.text().ends_with("It was stopped.\n\n3 dead letters are left."), "{}", report.text());

    let redrive = async || Redrive::new(&queue, sqs.orders.clone(), false, &stop).await.unwrap();
    let named = redrive().await.named(&["o-1".to_owned()]).await.unwrap();
    assert!(!named.is_complete() && !redrive().await.all().await.is_complete());
    assert!(list(&queue, now(), &stop).await.unwrap().stopped);
    let refused = show(&queue, "o-1", now(), &stop).await.unwrap_err().to_string();
    assert_eq!(refused, "It was stopped.");

    assert_eq!(sqs.drain_bodies(&sqs.orders).await, [TEA]);
    assert_eq!(sqs.drain_bodies(&sqs.dead).await, [PAID, MUG, POISON]);
}

#[tokio::test]
async fn the_queue_to_send_to_is_the_one_that_has_these_dead_letters() {
    let sqs = Sqs::start().await;
    let queue = sqs.open().await;
    assert_eq!(queue.target(None).await.unwrap(), sqs.orders);
    assert_eq!(queue.target(Some("orders.fifo")).await.unwrap(), sqs.orders);
    assert_eq!(queue.target(Some("https://sqs.x/1/y.fifo")).await.unwrap(), "https://sqs.x/1/y.fifo");

    let own = sqs.dead.replace("127.0.0.1", "localhost");
    let refused = queue.target(Some(&own)).await.unwrap_err().to_string();
    assert_eq!(refused, "The dead letters cannot be sent to their own queue: name another with --to.");

    sqs.source("more.fifo").await;
    let refused = queue.target(None).await.unwrap_err().to_string();
    assert!(refused.starts_with(&format!("Several queues have {} for their dead letters: say with --to", sqs.dead)));
    assert!(refused.contains(&sqs.orders) && refused.contains("more.fifo"), "{refused}");

    let queue = DeadLetters::open("orders.fifo", Some(&sqs.endpoint)).await.unwrap();
    let refused = queue.target(None).await.unwrap_err().to_string();
    assert_eq!(refused, format!("No queue has {} for its dead letters: say with --to where to send.", sqs.orders));
}

/// The embedded SQS does not answer this as AWS does.
#[tokio::test]
async fn on_aws_sqs_itself_knows_the_queue_to_send_to() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint: Url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    let answer = axum::Json(json!({"queueUrls": ["http://x/1/orders.fifo"]}));
    let routes = axum::Router::new().fallback(async || answer);
    tokio::spawn(async move { axum::serve(listener, routes).await });
    let queue = DeadLetters::open("http://x/1/dead.fifo", Some(&endpoint)).await.unwrap();
    assert_eq!(queue.target(None).await.unwrap(), "http://x/1/orders.fifo");
}

#[tokio::test]
async fn a_queue_or_a_server_that_is_not_there_is_a_sentence() {
    let sqs = Sqs::start().await;
    let refused = DeadLetters::open("none.fifo", Some(&sqs.endpoint)).await.unwrap_err().to_string();
    assert!(refused.starts_with(&format!("There is no queue none.fifo at {}: name it with --queue;", sqs.endpoint)));

    let gone = format!("{}000000000000/gone.fifo", sqs.endpoint);
    let queue = DeadLetters::open(&gone, Some(&sqs.endpoint)).await.unwrap();
    let refused = list(&queue, now(), &CancellationToken::new()).await.unwrap_err().to_string();
    assert!(refused.starts_with("The dead letters cannot be counted: SQS at http://127.0.0.1:"), "{refused}");
    assert!(refused.ends_with("says: The specified queue does not exist for this wsdl version."), "{refused}");

    let nobody = "http://127.0.0.1:9".parse().unwrap();
    let refused = DeadLetters::open("dead.fifo", Some(&nobody)).await.unwrap_err().to_string();
    let start = "The queue dead.fifo cannot be found: SQS at http://127.0.0.1:9/ ";
    assert!(refused.starts_with(start) && refused.to_lowercase().contains("connection refused"), "{refused}");
}

#[test]
fn redrive_takes_ids_or_all_of_them_but_not_both_and_not_neither() {
    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }
    let parse = |line: &str| Line::try_parse_from(line.split(' '));
    for good in ["x list", "x list --aws --json", "x show a", "x redrive a b --dry-run", "x redrive --all --to q.fifo"]
    {
        assert!(parse(good).is_ok(), "{good}");
    }
    for bad in ["x", "x show", "x redrive", "x redrive a --all", "x redrive --dry-run", "x list --endpoint ftp://x"] {
        assert!(parse(bad).is_err(), "{bad}");
    }
    let Action::Redrive(RedriveArgs { ids, place, .. }) = parse("x redrive a b").unwrap().args.action else { panic!() };
    assert_eq!(ids, ["a", "b"]);
    assert_eq!(place.endpoint.as_str(), "http://127.0.0.1:3002/");
}
