//! Amazon. Every exchange is checked against Amazon's models as well (`amazon_models.rs`).

use std::{slice, sync::Arc, time::Duration};

use channels::{
    Accepted, CallError, Connector, Credentials, Delivery, Push, Rejected, Shown, TransportError,
    amazon::{Amazon, MAX_PATCHES, Said, feed, orders, parse_notification},
    transport::Response,
};
use domain::sale::Stage;
use holdfast_marketplaces::{
    amazon::{AmazonFace, TOKEN_SECONDS},
    face::Face,
};

use crate::{
    amazon_models::{MODELS, check},
    support::{BEGIN, World, push, show, target},
};

fn credentials(face: &AmazonFace) -> Credentials {
    [
        ("client_id", face.client_id.as_str()),
        ("client_secret", face.client_secret.as_str()),
        ("refresh_token", face.refresh_token.as_str()),
    ]
    .into()
}

fn seller(face: &AmazonFace) -> (Arc<World>, Amazon) {
    let world = World::new(face.clone(), check);
    let options = [("seller_id", face.seller_id.as_str()), ("marketplace_id", face.marketplace_id.as_str())];
    let amazon = Amazon::new(world.context(credentials(face), &options));
    (world, amazon)
}

/// Lists `sku-0`, `sku-1`, … and gives a push of 5 for each.
fn list_many(world: &World, count: usize) -> Vec<Push> {
    let skus: Vec<String> = (0..count).map(|n| format!("sku-{n}")).collect();
    for sku in &skus {
        world.market().list(sku, &[]);
    }
    skus.iter().map(|sku| push(sku, 5)).collect()
}

fn shown(world: &World, sku: &str) -> u64 {
    world.market().listings[sku].shown
}

fn refused(answer: &Result<impl std::fmt::Debug, CallError>, words: &str) {
    assert!(matches!(answer, Err(CallError::Refused { reason }) if reason.contains(words)), "{answer:?}");
}

fn is_unavailable<T>(answer: &Result<T, CallError>) -> bool {
    matches!(answer, Err(CallError::Unavailable { .. }))
}

#[tokio::test(start_paused = true)]
async fn a_quantity_is_patched_and_reads_back_once_it_is_applied() {
    let (world, amazon) = seller(&AmazonFace::default());
    world.market().list("mug", &[]);
    world.market().faults.apply_after_seconds = 60;
    assert_eq!(amazon.push(&[push("mug", 7)]).await, [Ok(Accepted::ForLater)]);
    assert_eq!(amazon.read(&[target("mug", &[])]).await, [Ok(Shown { quantity: 0 })]);
    tokio::time::advance(Duration::from_mins(1)).await;
    assert_eq!(amazon.read(&[target("mug", &[])]).await, [Ok(Shown { quantity: 7 })]);
}

#[tokio::test(start_paused = true)]
async fn one_rejected_listing_of_a_batch_is_refused_in_amazons_words_and_the_others_are_set() {
    let (world, amazon) = seller(&AmazonFace::default());
    let pushes = list_many(&world, 3);
    world.market().faults.rejected.insert("sku-1".into());
    let answers = amazon.push(&pushes).await;
    assert_eq!((&answers[0], &answers[2]), (&Ok(Accepted::ForLater), &Ok(Accepted::ForLater)));
    refused(&answers[1], "main_image");
    assert_eq!([0, 1, 2].map(|n| shown(&world, &format!("sku-{n}"))), [5, 0, 5]);
}

#[tokio::test(start_paused = true)]
async fn patches_keep_to_five_a_second() {
    let (world, amazon) = seller(&AmazonFace::default());
    let pushes = list_many(&world, MAX_PATCHES);
    assert!(amazon.push(&pushes).await.iter().all(Result::is_ok));
    let sent = world.take_sent();
    let patched: Vec<u64> =
        sent.iter().filter(|(_, request)| request.method() == "PATCH").map(|(at, _)| at.seconds_since(BEGIN)).collect();
    assert_eq!(patched.len(), MAX_PATCHES);
    for (early, late) in patched.iter().zip(&patched[5..]) {
        assert!(early < late, "{patched:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn more_than_that_go_as_one_feed_whose_report_refuses_by_message() {
    for packs_reports in [true, false] {
        let (world, amazon) = seller(&AmazonFace { packs_reports, ..AmazonFace::default() });
        let pushes = list_many(&world, MAX_PATCHES + 1);
        world.market().faults.rejected.insert("sku-7".into());
        let answers = amazon.push(&pushes).await;
        for (n, answer) in answers.iter().enumerate() {
            match n {
                7 => refused(answer, "main_image"),
                _ => assert_eq!(answer, &Ok(Accepted::ForLater)),
            }
        }
        assert!(!world.take_lines().iter().any(|line| line.starts_with("PATCH")));
        assert_eq!([6, 7, 8].map(|n| shown(&world, &format!("sku-{n}"))), [5, 0, 5]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_feed_that_takes_long_is_for_later_and_reading_back_tells() {
    let (world, amazon) = seller(&AmazonFace { feed_seconds: 3_600, ..AmazonFace::default() });
    let pushes = list_many(&world, MAX_PATCHES + 1);
    world.market().faults.rejected.insert("sku-7".into());
    assert!(amazon.push(&pushes).await.iter().all(|answer| answer == &Ok(Accepted::ForLater)));
    let polls = world.take_lines().iter().filter(|line| line.starts_with("GET /feeds/2021-06-30/feeds/")).count();
    assert_eq!(polls, feed::POLLS as usize);
    tokio::time::advance(Duration::from_hours(1)).await;
    let targets: Vec<_> = pushes.iter().map(|push| push.target.clone()).collect();
    let read = amazon.read(&targets).await;
    assert_eq!((&read[6], &read[7]), (&Ok(Shown { quantity: 5 }), &Ok(Shown { quantity: 0 })));
    // Pushed again it is one of few, and a patch says why.
    refused(&amazon.push(&pushes[7..8]).await[0], "main_image");
}

#[tokio::test(start_paused = true)]
async fn a_feed_that_ends_badly_is_to_be_pushed_again() {
    for end in ["FATAL", "CANCELLED"] {
        let (world, amazon) = seller(&AmazonFace { feeds_end: Some(end), ..AmazonFace::default() });
        let pushes = list_many(&world, MAX_PATCHES + 1);
        let answers = amazon.push(&pushes).await;
        assert_eq!(answers.len(), pushes.len());
        assert!(answers.iter().all(is_unavailable));
    }
}

#[tokio::test(start_paused = true)]
async fn a_feed_whose_outcome_cannot_be_read_was_still_accepted() {
    let (world, amazon) = seller(&AmazonFace::default());
    let pushes = list_many(&world, MAX_PATCHES + 1);
    world.detour(|request| {
        let is_poll = request.method() == "GET" && request.uri().path().contains("/feeds/2021-06-30/feeds/");
        is_poll.then(|| Err(TransportError { reason: "away".into() }))
    });
    assert!(amazon.push(&pushes).await.iter().all(|answer| answer == &Ok(Accepted::ForLater)));
}

#[tokio::test(start_paused = true)]
async fn a_document_that_cannot_be_uploaded_is_no_feed_and_its_address_stays_secret() {
    let (world, amazon) = seller(&AmazonFace::default());
    let pushes = list_many(&world, MAX_PATCHES + 1);
    world.detour(|request| {
        let mut response = Response::new(request.uri().to_string().into_bytes());
        *response.status_mut() = 403.try_into().unwrap();
        (request.method() == "PUT").then_some(Ok(response))
    });
    let answers = amazon.push(&pushes).await;
    assert!(answers.iter().all(is_unavailable));
    assert!(!format!("{answers:?}").contains("s3cret"));
    assert!(!world.take_lines().contains(&"POST /feeds/2021-06-30/feeds".to_owned()));
    world.detour(|request| {
        let reason = format!("cannot reach {}", request.uri());
        (request.method() == "PUT").then_some(Err(TransportError { reason }))
    });
    let answers = amazon.push(&pushes).await;
    assert!(answers.iter().all(is_unavailable));
    assert!(!format!("{answers:?}").contains("s3cret"));
}

#[tokio::test(start_paused = true)]
async fn what_amazon_fulfils_is_never_written() {
    let (world, amazon) = seller(&AmazonFace::default());
    world.market().list("said", &[("fulfillment_channel", "AMAZON_NA")]);
    world.market().list("unsaid", &[("fulfillment_channel", "AMAZON_EU")]);
    world.market().list("mug", &[]);
    let said = Push { target: target("said", &[("fulfillment_channel", "AMAZON_NA")]), ..push("said", 5) };
    let answers = amazon.push(&[said.clone(), push("unsaid", 5), push("mug", 5)]).await;
    refused(&answers[0], "AMAZON_NA");
    refused(&answers[1], "AMAZON_EU");
    assert_eq!(answers[2], Ok(Accepted::ForLater));
    assert_eq!(world.take_lines().iter().filter(|line| line.starts_with("PATCH")).count(), 1);
    refused(&amazon.read(slice::from_ref(&said.target)).await[0], "AMAZON_NA");

    // Nor when there are many.
    let mut pushes = list_many(&world, MAX_PATCHES + 2);
    world.market().list("sku-3", &[("fulfillment_channel", "AMAZON_EU")]);
    pushes.push(said);
    let answers = amazon.push(&pushes).await;
    refused(&answers[3], "AMAZON_EU");
    refused(&answers[MAX_PATCHES + 2], "AMAZON_NA");
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), MAX_PATCHES + 1);
    assert!(world.market().pushes.iter().all(|(_, sku, _)| sku != "said" && sku != "unsaid" && sku != "sku-3"));
}

#[tokio::test(start_paused = true)]
async fn who_fulfils_a_listing_is_looked_at_again_after_an_hour() {
    let (world, amazon) = seller(&AmazonFace::default());
    world.market().list("mug", &[]);
    let count_looks = || world.take_lines().iter().filter(|line| line.ends_with("/A2SELLER")).count();
    assert_eq!(amazon.push(&[push("mug", 5)]).await, [Ok(Accepted::ForLater)]);
    assert_eq!(count_looks(), 1);
    assert_eq!(amazon.push(&[push("mug", 4)]).await, [Ok(Accepted::ForLater)]);
    assert_eq!(count_looks(), 0);
    world.market().list("mug", &[("fulfillment_channel", "AMAZON_NA")]);
    tokio::time::advance(Duration::from_hours(1)).await;
    refused(&amazon.push(&[push("mug", 3)]).await[0], "AMAZON_NA");
}

#[tokio::test(start_paused = true)]
async fn what_is_not_listed_is_refused_where_amazon_would_accept_it() {
    let (world, amazon) = seller(&AmazonFace::default());
    refused(&amazon.push(&[push("ghost", 5)]).await[0], "not among");
    refused(&amazon.read(&[target("ghost", &[])]).await[0], "not found");
    assert!(world.market().pushes.is_empty());
}

#[tokio::test(start_paused = true)]
async fn of_two_quantities_of_one_sku_only_the_later_is_sent() {
    let (world, amazon) = seller(&AmazonFace::default());
    world.market().list("mug", &[]);
    let answers = amazon.push(&[push("mug", 5), push("mug", 4)]).await;
    refused(&answers[0], "another quantity");
    assert_eq!(answers[1], Ok(Accepted::ForLater));
    assert_eq!(world.market().pushes.iter().map(|(_, _, quantity)| *quantity).collect::<Vec<_>>(), [4]);
}

#[tokio::test(start_paused = true)]
async fn a_throttled_call_says_when_to_come_again_and_the_rest_is_not_tried() {
    let (world, amazon) = seller(&AmazonFace::default());
    let pushes = list_many(&world, 12);
    assert!(amazon.push(&pushes).await.iter().all(Result::is_ok));
    world.take_sent();
    world.market().faults.throttle_next = 1;
    let answers = amazon.push(&pushes).await;
    let throttled = Err(CallError::Throttled { retry_after_seconds: 2 });
    assert_eq!(answers.len(), 12);
    assert_eq!(answers.iter().filter(|answer| **answer == throttled).count(), 8);
    assert_eq!(world.take_sent().len(), 5);
}

#[tokio::test(start_paused = true)]
async fn an_outage_is_unavailable_and_passes() {
    let (world, amazon) = seller(&AmazonFace::default());
    let pushes = list_many(&world, 12);
    assert!(amazon.push(&pushes).await.iter().all(Result::is_ok));
    world.market().faults.down = true;
    world.take_sent();
    assert!(amazon.push(&pushes).await.iter().all(is_unavailable));
    assert_eq!(world.take_sent().len(), 5, "one burst is enough to see that nobody is there");
    assert!(is_unavailable(&amazon.read(&[target("sku-0", &[])]).await[0]));
    assert!(is_unavailable(&amazon.changed_orders(BEGIN, None).await));
    assert!(is_unavailable(&amazon.order("902-0000000-0000001").await));
    world.market().faults.down = false;
    assert!(amazon.push(&pushes).await.iter().all(Result::is_ok));
}

#[tokio::test(start_paused = true)]
async fn a_token_is_fetched_once_and_anew_before_it_ends() {
    let (world, amazon) = seller(&AmazonFace::default());
    world.market().list("mug", &[]);
    let targets = [target("mug", &[])];
    let count_tokens = || world.take_lines().iter().filter(|line| line.ends_with("/token")).count();
    for _ in 0..3 {
        assert!(amazon.read(&targets).await[0].is_ok());
    }
    assert_eq!(count_tokens(), 1);
    tokio::time::advance(Duration::from_secs(TOKEN_SECONDS - 30)).await;
    assert!(amazon.read(&targets).await[0].is_ok());
    assert_eq!(count_tokens(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_token_that_is_not_taken_is_replaced_once() {
    let (world, amazon) = seller(&AmazonFace::default());
    world.market().list("mug", &[]);
    let targets = [target("mug", &[])];
    assert!(amazon.read(&targets).await[0].is_ok());
    AmazonFace::revoke(&mut world.market());
    world.take_sent();
    assert!(amazon.read(&targets).await[0].is_ok());
    assert_eq!(world.take_lines().len(), 3);
    // And not for ever, where no token is good.
    world.detour(|request| {
        let mut response = Response::new(br#"{"errors":[{"code":"Unauthorized","message":"no"}]}"#.to_vec());
        *response.status_mut() = 403.try_into().unwrap();
        request.uri().path().starts_with("/listings").then_some(Ok(response))
    });
    let answer = &amazon.read(&targets).await[0];
    assert_eq!(answer, &Err(CallError::Unauthorized { reason: "Unauthorized: no".into() }));
    assert_eq!(world.take_lines().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_refused_refresh_token_is_for_the_merchant_and_no_secret_is_told() {
    let face = AmazonFace::default();
    let (world, _) = seller(&face);
    let options = [("seller_id", "A2SELLER"), ("marketplace_id", "ATVPDKIKX0DER")];
    let wrong = [("client_id", face.client_id.as_str()), ("client_secret", "s3cret"), ("refresh_token", "s3cret")];
    let amazon = Amazon::new(world.context(wrong.into(), &options));
    let answers = amazon.push(&[push("mug", 1)]).await;
    assert!(matches!(&answers[0], Err(CallError::Unauthorized { reason }) if reason.starts_with("invalid_client")));
    assert!(!format!("{answers:?}").contains("s3cret"));
    let missing = Amazon::new(world.context([("client_id", "x")].into(), &options));
    assert!(matches!(missing.push(&[push("mug", 1)]).await[0], Err(CallError::Unconfigured(_))));
    let nobody = Amazon::new(world.context(credentials(&face), &[]));
    refused(&nobody.push(&[push("mug", 1)]).await[0], "seller_id");
}

#[tokio::test(start_paused = true)]
async fn orders_come_page_by_page_at_every_stage() {
    let (world, amazon) = seller(&AmazonFace { page: 2, ..AmazonFace::default() });
    {
        let mut market = world.market();
        market.list("mug", &[]);
        market.set_quantity("mug", 100);
        for (id, stage) in [("902-1", Stage::Pending), ("902-2", Stage::Paid), ("902-3", Stage::Shipped)] {
            market.sell(id, &[("mug", 3)], stage).unwrap();
        }
        market.sell("902-4", &[("mug", 3)], Stage::Paid).unwrap();
        market.cancel("902-4");
        market.sell("902-5", &[("mug", 3), ("mug", 2)], Stage::Paid).unwrap();
        market.orders.get_mut("902-5").unwrap().lines[0].canceled = 1;
        market.orders.get_mut("902-5").unwrap().lines[1].sku = "no sku".into();
    }
    let mut told = Vec::new();
    let mut unreadable = Vec::new();
    let mut cursor = None;
    loop {
        let page = amazon.changed_orders(BEGIN, cursor.as_deref()).await.unwrap();
        assert!(page.orders.len() <= 2);
        unreadable.extend(page.unreadable);
        for order in page.orders {
            assert_eq!(order.changed_at, BEGIN);
            let line = &order.lines[0];
            assert_eq!((order.lines.len(), line.line.as_str(), line.sku.as_str()), (1, "1", "mug"));
            told.push((order.order.to_string(), line.quantity.units(), line.canceled, line.stage));
        }
        cursor = page.cursor;
        if cursor.is_none() {
            break;
        }
    }
    let expected = [
        ("902-1", 0, Stage::Pending),
        ("902-2", 0, Stage::Paid),
        ("902-3", 0, Stage::Shipped),
        ("902-4", 3, Stage::Pending),
        ("902-5", 1, Stage::Paid),
    ];
    assert_eq!(told, expected.map(|(id, canceled, stage)| (id.to_owned(), 3, canceled, stage)));
    assert_eq!(unreadable.len(), 1);
    assert!(unreadable[0].starts_with("order 902-5: line 2: the SKU \"no sku\""), "{unreadable:?}");
    // Later than all of them: nothing; and one after the other.
    assert_eq!(amazon.changed_orders(BEGIN.plus_seconds(1), None).await.unwrap().orders, []);
    assert_eq!(amazon.order("902-2").await.unwrap().unwrap().lines[0].stage, Stage::Paid);
    assert_eq!(amazon.order("902-9").await, Ok(None));
    refused(&amazon.order("902-5").await, "no sku");
    world.take_sent();
    for nonsense in ["", "..", "902-1/x", "902-1?x"] {
        assert_eq!(amazon.order(nonsense).await, Ok(None));
    }
    assert!(world.take_sent().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_notice_is_read_from_the_queue_and_believed_nowhere_else() {
    let face = AmazonFace::default();
    let (world, amazon) = seller(&face);
    let (delivery, quantity) = {
        let mut market = world.market();
        market.list("mug", &[]);
        market.set_quantity("mug", 10);
        market.sell("902-1", &[("mug", 3)], Stage::Pending).unwrap();
        let delivery = face.webhook(&market, "902-1", "https://shop.example/hooks/amazon").unwrap();
        (delivery, face.quantity_change(&market, "mug").unwrap())
    };
    for body in [&delivery.body, &quantity] {
        if let Some(models) = &*MODELS {
            models.check_notice(body);
        }
    }

    let notice = parse_notification(&delivery.body).unwrap();
    assert_eq!(notice.seller.as_deref(), Some("A2SELLER"));
    let Said::Order(read) = notice.said else { panic!("an order") };
    let order = read.order.unwrap();
    assert_eq!((order.order.as_str(), order.lines[0].stage, order.lines[0].canceled), ("902-1", Stage::Pending, 0));
    // What the order itself says, says the notice.
    assert_eq!(amazon.order("902-1").await, Ok(Some(order)));
    // The same notice again has the same id; another of the same order has not.
    assert_eq!(parse_notification(&delivery.body).unwrap().id, notice.id);
    tokio::time::advance(Duration::from_secs(1)).await;
    world.market().cancel("902-1");
    let canceled = face.webhook(&world.market(), "902-1", "").unwrap();
    let canceled = parse_notification(&canceled.body).unwrap();
    assert_ne!(canceled.id, notice.id);
    let Said::Order(read) = canceled.said else { panic!("an order") };
    assert!(read.order.unwrap().lines[0].is_canceled());

    let said = parse_notification(&quantity).unwrap().said;
    assert_eq!(said, Said::Quantity { sku: "mug".parse().unwrap(), shown: Shown { quantity: 7 }, at: BEGIN });

    let get = Delivery { method: "GET".into(), ..Delivery::default() };
    let post = Delivery { method: "POST".into(), ..delivery };
    for delivery in [get, post] {
        assert!(matches!(amazon.hear(&delivery).await, Err(Rejected::Unbelieved(_))));
    }
}

#[tokio::test(start_paused = true)]
async fn many_listings_are_read_in_twenties() {
    let (world, amazon) = seller(&AmazonFace::default());
    let pushes = list_many(&world, 45);
    world.market().set_quantity("sku-44", 9);
    let targets: Vec<_> = pushes.iter().map(|push| push.target.clone()).collect();
    let read = amazon.read(&targets).await;
    assert_eq!(read.len(), 45);
    assert_eq!((&read[0], &read[44]), (&Ok(Shown { quantity: 0 }), &Ok(Shown { quantity: 9 })));
    assert_eq!(world.take_lines().len(), 1 + 3);
}

/// What Amazon itself gives as examples can be read.
#[test]
fn amazons_own_examples_are_understood() {
    let Some(models) = &*MODELS else { return };
    for name in ["OrderChangeNotification", "ListingsItemMfnQuantityChange"] {
        for example in models.document(name)["examples"].as_array().unwrap() {
            let notice = parse_notification(example.to_string().as_bytes()).unwrap();
            assert_ne!(notice.said, Said::Nothing, "{name}");
        }
    }
    let model = models.document("orders_2026-01-01");
    let example =
        |path: &str| model["paths"][path]["get"]["responses"]["200"]["examples"]["application/json"].to_string();
    let page = orders::parse_page(example("/orders/2026-01-01/orders").as_bytes()).unwrap();
    assert_eq!(page.unreadable, Vec::<String>::new());
    assert!(!page.orders.is_empty());
    let read = orders::parse_order(example("/orders/2026-01-01/orders/{orderId}").as_bytes()).unwrap();
    assert_eq!(read.order.unwrap().lines[0].stage, Stage::Shipped);
}

/// Every kind of request as Amazon gets it, in a file of its own. After a deliberate change:
/// `INSTA_UPDATE=always cargo test -p holdfast-marketplaces golden`, and read the difference.
#[tokio::test(start_paused = true)]
async fn golden() {
    let (world, amazon) = seller(&AmazonFace { page: 1, ..AmazonFace::default() });
    let pushes = list_many(&world, MAX_PATCHES + 1);
    let stated = |push: &Push| Push {
        target: target(push.target.sku.as_str(), &[("fulfillment_channel", "DEFAULT")]),
        ..push.clone()
    };
    amazon.push(&[push("sku-1", 5)]).await;
    amazon.read(&[target("sku-1", &[])]).await;
    let patched = world.take_sent();
    amazon.push(&pushes.iter().map(stated).collect::<Vec<_>>()).await;
    let fed = world.take_sent();
    world.market().sell("902-1", &[("sku-1", 1)], Stage::Paid).unwrap();
    world.market().sell("902-2", &[("sku-1", 1)], Stage::Paid).unwrap();
    let page = amazon.changed_orders(BEGIN, None).await.unwrap();
    amazon.changed_orders(BEGIN, page.cursor.as_deref()).await.unwrap();
    amazon.order("902-1").await.unwrap();
    let ordered = world.take_sent();
    let request = |sent: &[(domain::time::Timestamp, _)], n: usize| show(&sent[n].1, &["x-amz-access-token"]);
    let mut upload = fed[1].1.clone();
    let mut document: serde_json::Value = serde_json::from_slice(upload.body()).unwrap();
    document["messages"].as_array_mut().unwrap().truncate(1);
    *upload.body_mut() = document.to_string().into_bytes();
    let goldens = [
        ("amazon_token", request(&patched, 0)),
        ("amazon_search_listings", request(&patched, 1)),
        ("amazon_patch_listing", request(&patched, 2)),
        ("amazon_get_listing", request(&patched, 3)),
        ("amazon_create_document", request(&fed, 0)),
        ("amazon_upload", show(&upload, &[])),
        ("amazon_create_feed", request(&fed, 2)),
        ("amazon_get_feed", request(&fed, 3)),
        ("amazon_get_document", request(&fed, fed.len() - 2)),
        ("amazon_download", request(&fed, fed.len() - 1)),
        ("amazon_search_orders", request(&ordered, 0)),
        ("amazon_search_orders_next", request(&ordered, 1)),
        ("amazon_get_order", request(&ordered, 2)),
    ];
    insta::with_settings!({
        snapshot_path => "../../../../shared/channels/tests/golden", prepend_module_to_snapshot => false,
        omit_expression => true
    }, {
        for (name, text) in goldens {
            insta::assert_snapshot!(name, text);
        }
    });
}
