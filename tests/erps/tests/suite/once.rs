//! One order per key, whatever crashes, repeats or comes at once.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use erp::{CallError, Created, Erp, ErpKind, Transport, TransportError, Which};
use holdfast_erps::office::Office;
use proptest::prelude::*;
use vendor::transport::{Request, Response};

use crate::support::{World, all, key, number, order};

/// As a caller does: no answer, or not now, means again.
async fn until_created(erp: &dyn Erp, key: &str) -> Created {
    for _ in 0..20 {
        match erp.create(&order(key)).await {
            Ok(created) => return created,
            Err(CallError::Unavailable { .. } | CallError::Throttled { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }
    panic!("never created");
}

#[tokio::test]
async fn an_order_whose_reply_is_lost_three_times_exists_once() {
    for world in all() {
        world.office.books().faults.lose_replies = 1;
        let mut lost = 0;
        let created = loop {
            match world.erp.create(&order("HF-1")).await {
                Ok(created) => break created,
                Err(CallError::Unavailable { .. }) => lost += 1,
                Err(error) => panic!("{}: {error}", world.kind),
            }
            // First the order itself, and then twice what is said of it.
            world.office.books().faults.lose_any = u32::from(lost < 3);
        };
        assert_eq!((lost, created.was_there), (3, true), "{}", world.kind);
        let books = world.office.books();
        assert_eq!(books.orders.len(), 1, "{}", world.kind);
        assert_eq!(books.order(number(&created.id)).unwrap().lines[0].quantity, 10);
    }
}

/// Where a lookup finds nothing of what was created a moment ago, each attempt is sent, and each reply is lost.
#[tokio::test]
async fn three_lost_replies_to_three_creates_leave_one_order_where_the_vendor_knows_the_request() {
    for kind in [ErpKind::QuickBooks, ErpKind::NetSuite] {
        let world = World::new(kind);
        world.office.books().faults.lose_replies = 3;
        let blind = world.another_over(Arc::new(Blind(world.office.clone())));
        for _ in 0..3 {
            let outcome = blind.create(&order("HF-1")).await;
            assert!(matches!(outcome, Err(CallError::Unavailable { .. })), "{kind}");
        }
        assert_eq!(world.office.books().faults.lose_replies, 0);
        assert!(world.created("HF-1").await.was_there);
        let books = world.office.books();
        let orders: Vec<_> = books.under("HF-1").collect();
        assert_eq!((orders.len(), orders[0].lines.len()), (1, 2), "{kind}");
    }
}

/// Looks up nothing.
struct Blind(Office);

#[async_trait]
impl Transport for Blind {
    async fn send(&self, request: Request) -> Result<Response, TransportError> {
        let path = request.uri().path();
        if request.method() == "GET" && path.ends_with("/query") {
            return Ok(Response::new(br#"{"QueryResponse":{}}"#.to_vec()));
        }
        if request.method() == "GET" && path.contains("/eid:") {
            let mut response = Response::new(br#"{"o:errorDetails":[{"o:errorCode":"NONEXISTENT_ID"}]}"#.to_vec());
            *response.status_mut() = wire::StatusCode::NOT_FOUND;
            return Ok(response);
        }
        self.0.send(request).await
    }
}

#[tokio::test]
async fn a_process_that_dies_before_it_notes_the_order_is_followed_by_one_that_finds_it() {
    for world in all() {
        let first = world.created("HF-1").await;
        assert!(!first.was_there, "{}", world.kind);
        world.calls();
        let second = world.another_process().create(&order("HF-1")).await.unwrap();
        assert_eq!((&second.id, &second.number, second.was_there), (&first.id, &first.number, true), "{}", world.kind);
        assert!(second.concerns.is_empty());
        assert_eq!(world.calls().len(), 1, "{}: it is looked for, and nothing else is done", world.kind);
    }
}

#[tokio::test]
async fn what_was_changed_meanwhile_is_not_written_over() {
    for world in all() {
        let id = number(&world.created("HF-1").await.id);
        world.office.books().receive(id, 0, 4);
        world.office.books().orders.get_mut(&id).unwrap().lines[1].quantity = 99;
        let before = world.office.books().orders.clone();
        world.created("HF-1").await;
        assert_eq!(world.office.books().orders, before, "{}", world.kind);
    }
}

#[tokio::test]
async fn two_creators_at_once_leave_one_order_and_know_the_same() {
    for world in all() {
        let other = world.both_let_in().await;
        let new = order("HF-1");
        let (one, two) = tokio::join!(world.erp.create(&new), other.create(&new));
        let (one, two) = (one.unwrap(), two.unwrap());
        assert_eq!(one.id, two.id, "{}", world.kind);
        let creates =
            world.calls().iter().filter(|call| !call.starts_with("GET") && !call.ends_with("/Cancel")).count();
        assert_eq!(creates, 2, "{}: the test is about both of them creating", world.kind);
        let books = world.office.books();
        assert_eq!(books.live("HF-1"), [number(&one.id)], "{}", world.kind);
        assert_eq!(books.order(number(&one.id)).unwrap().lines.len(), 2, "{}", world.kind);
    }
}

#[tokio::test]
async fn another_key_is_another_order() {
    for world in all() {
        let (one, two) = (world.created("HF-1").await, world.created("HF-2").await);
        assert_ne!(one.id, two.id, "{}", world.kind);
        // SAP compares without regard to case, and nothing is taken for ours that is not.
        assert!(!world.created("hf-1").await.was_there, "{}", world.kind);
    }
}

/// Others come in between, now more and now fewer.
struct Jostled {
    office: Office,
    waits: Mutex<std::vec::IntoIter<u8>>,
}

impl Jostled {
    async fn wait(&self) {
        let turns = self.waits.lock().unwrap().next().unwrap_or_default();
        for _ in 0..turns {
            tokio::task::yield_now().await;
        }
    }
}

#[async_trait]
impl Transport for Jostled {
    async fn send(&self, request: Request) -> Result<Response, TransportError> {
        self.wait().await;
        let answer = self.office.answer(&request);
        self.wait().await;
        answer.ok_or_else(|| TransportError { reason: "no answer came in time".to_owned() })
    }
}

async fn creators_come_at_once(kind: ErpKind, creators: usize, lose_replies: u32, waits: Vec<u8>) {
    let world = World::new(kind);
    world.office.books().faults.lose_replies = lose_replies;
    let waits = Mutex::new(waits.into_iter());
    let transport: Arc<dyn Transport> = Arc::new(Jostled { office: world.office.clone(), waits });
    // One process with a token each: whose refresh token it is, is another test.
    world.erp.read(Which::Key(&key("HF-0"))).await.unwrap();
    let erp = world.another_over(transport);
    let tasks: Vec<_> = (0..creators)
        .map(|_| {
            let erp = Arc::clone(&erp);
            tokio::spawn(async move { until_created(&*erp, "HF-1").await.id })
        })
        .collect();
    let mut ids = Vec::new();
    for task in tasks {
        ids.push(task.await.unwrap());
    }
    ids.dedup();
    assert_eq!(ids.len(), 1, "{kind}: all creators know the same order");
    let live = world.office.books().live("HF-1");
    assert!(live.contains(&number(&ids[0])), "{kind}: and it is open");
    let seen = world.erp.read(Which::Key(&key("HF-1"))).await.unwrap().unwrap();
    assert_eq!(seen.id, ids[0], "{kind}");
    assert_eq!(seen.lines.len(), 2, "{kind}: no line is there twice");
    if kind == ErpKind::SapBusinessOne && lose_replies > 0 {
        // Who never heard of the order that it made cannot cancel it: then it is told, by any reading by the key.
        assert_eq!(live.len() > 1, !seen.concerns.is_empty());
    } else {
        assert_eq!((live.len(), seen.concerns.len()), (1, 0), "{kind}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn creators_in_any_interleaving_leave_one_order(
        kind in 0..3_usize,
        creators in 1..5_usize,
        lose_replies in 0..4_u32,
        waits in proptest::collection::vec(0..6_u8, 0..60),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(creators_come_at_once(ErpKind::ALL[kind], creators, lose_replies, waits));
    }
}
