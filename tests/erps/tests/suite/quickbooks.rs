//! What is QuickBooks' own.

use erp::{ErpKind, Which};
use holdfast_erps::{office::Office, quickbooks::QuickBooksFace};

use crate::support::{OPENING, World, key, number, order, refusal};

fn quickbooks(face: QuickBooksFace) -> World {
    World::at(ErpKind::QuickBooks, Office::open(face, OPENING))
}

#[tokio::test]
async fn a_fault_in_xml_with_status_200_is_a_refusal_and_what_is_gone_is_gone() {
    let world = quickbooks(QuickBooksFace { faults_in_xml: true, ..QuickBooksFace::default() });
    world.office.books().faults.refuse = Some("Vendor is inactive".to_owned());
    let outcome = world.erp.create(&order("HF-1")).await;
    assert_eq!(refusal(&outcome), "Invalid Reference Id: Vendor is inactive");
    assert_eq!(world.erp.read(Which::Id(&"4711".parse().unwrap(), &key("HF-1"))).await, Ok(None));
}

#[tokio::test]
async fn a_refusal_is_replayed_for_the_same_attempt_only() {
    let world = World::new(ErpKind::QuickBooks);
    let mut new = order("HF-1");
    world.office.books().faults.refuse = Some("Vendor is inactive".to_owned());
    refusal(&world.erp.create(&new).await);
    world.office.books().faults.refuse = None;
    refusal(&world.erp.create(&new).await);
    new.refusals = 1;
    assert!(!world.erp.create(&new).await.unwrap().was_there);
}

#[tokio::test]
async fn a_request_that_intuit_has_forgotten_is_found_by_its_number() {
    let world = World::new(ErpKind::QuickBooks);
    world.office.books().faults.lose_replies = 1;
    world.erp.create(&order("HF-1")).await.unwrap_err();
    world.office.books().remembered.clear();
    assert!(world.created("HF-1").await.was_there);
    assert_eq!(world.office.books().orders.len(), 1);
}

#[tokio::test]
async fn a_key_that_is_too_long_for_a_number_is_in_the_note() {
    let world = World::new(ErpKind::QuickBooks);
    let long = "HF-2026-11-25-tea-and-mugs-0001";
    let created = world.created(long).await;
    assert_eq!((created.number.len(), created.concerns.len()), (21, 0));
    let note = world.office.books().order(number(&created.id)).unwrap().note.clone();
    assert_eq!(note, long);
    assert!(world.created(long).await.was_there);
    assert_eq!(world.erp.read(Which::Key(&key(long))).await.unwrap().unwrap().id, created.id);
}

#[tokio::test]
async fn a_company_that_numbers_by_itself_is_a_concern() {
    let world = quickbooks(QuickBooksFace { numbers_by_itself: true, ..QuickBooksFace::default() });
    let created = world.created("HF-1").await;
    assert!(created.concerns[0].contains("custom transaction numbers"), "{created:?}");
    // What is remembered of the request keeps it at one, for as long as it is remembered.
    assert_eq!(world.created("HF-1").await.id, created.id);
}

#[tokio::test]
async fn further_orders_of_the_number_are_a_concern_and_the_oldest_is_the_order() {
    let world = World::new(ErpKind::QuickBooks);
    let ids = [world.created("HF-1").await.id, world.created("HF-2").await.id, world.created("HF-3").await.id];
    for id in &ids[1..] {
        world.office.books().orders.get_mut(&number(id)).unwrap().key = "HF-1".to_owned();
    }
    // 98, 99 and 100: the oldest is the smallest number, not the first text.
    let again = world.created("HF-1").await;
    assert_eq!(again.id, ids[0]);
    assert_eq!(again.concerns, ["QuickBooks has further purchase orders of this number: 99, 100"]);
}

#[tokio::test]
async fn closing_an_order_that_somebody_changes_is_tried_with_what_they_left() {
    let world = World::new(ErpKind::QuickBooks);
    let id = world.created("HF-1").await.id;
    world.calls();
    let meddle = async {
        for _ in 0..2 {
            tokio::task::yield_now().await;
        }
        world.office.books().receive(number(&id), 0, 1);
    };
    let ours = key("HF-1");
    let (canceled, ()) = tokio::join!(world.erp.cancel(&id, &ours), meddle);
    assert_eq!(canceled, Ok(()));
    assert_eq!(world.calls().len(), 4, "read and refused, read again and closed");
    assert!(world.office.books().live("HF-1").is_empty());
}
