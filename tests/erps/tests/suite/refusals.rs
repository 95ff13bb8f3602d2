//! What an ERP refuses, and what it cannot do now.

use erp::{CallError, Currency, ErpKind};

use crate::support::{World, all, order, refusal};

#[tokio::test]
async fn a_refusal_is_in_the_words_of_the_erp_and_can_be_mended() {
    for world in all() {
        let mut new = order("HF-1");
        new.lines[1].item = "I-9".to_owned();
        let outcome = world.erp.create(&new).await;
        assert!(refusal(&outcome).contains("Item I-9 is not active"), "{}: {outcome:?}", world.kind);
        assert_eq!(world.office.books().orders.len(), 0);
        // Mended at the ERP: the very same order, counted as another attempt.
        world.office.books().items.insert("I-9".to_owned());
        new.refusals += 1;
        assert!(!world.erp.create(&new).await.unwrap().was_there, "{}", world.kind);
        assert_eq!(world.office.books().orders.len(), 1);
    }
}

#[tokio::test]
async fn words_that_a_person_chose_come_through_as_they_are() {
    for world in all() {
        world.office.books().faults.refuse = Some("Credit hold: ask \u{201e}Purchasing\u{201c} (ext. 7)".to_owned());
        let outcome = world.erp.create(&order("HF-1")).await;
        assert!(refusal(&outcome).contains("Credit hold: ask \u{201e}Purchasing\u{201c} (ext. 7)"), "{}", world.kind);
    }
}

#[tokio::test]
async fn an_erp_that_refuses_duplicates_says_which_order_is_there() {
    for world in all() {
        world.office.books().faults.refuse_duplicates = true;
        let other = world.both_let_in().await;
        let (new, mut another) = (order("HF-1"), order("HF-1"));
        // As after a refusal that only one of them has heard of.
        another.refusals = 1;
        let (one, two) = tokio::join!(world.erp.create(&new), other.create(&another));
        assert_eq!(one.unwrap().id, two.unwrap().id, "{}", world.kind);
        assert_eq!(world.office.books().orders.len(), 1, "{}", world.kind);
    }
}

#[tokio::test]
async fn an_order_of_the_same_number_for_another_supplier_is_not_ours() {
    for kind in [ErpKind::QuickBooks, ErpKind::SapBusinessOne] {
        let world = World::new(kind);
        world.created("HF-1").await;
        let mut new = order("HF-1");
        new.supplier = "V-2".to_owned();
        let outcome = world.erp.create(&new).await;
        assert!(refusal(&outcome).contains("another"), "{outcome:?}");
        assert_eq!(world.office.books().orders.len(), 1);
    }
}

#[tokio::test]
async fn what_cannot_be_an_order_is_not_sent() {
    for world in all() {
        let mut none = order("HF-1");
        none.lines.clear();
        let mut nobody = order("HF-2");
        nobody.supplier.clear();
        let mut nothing = order("HF-3");
        nothing.lines[0].item.clear();
        for (new, words) in [(none, "no lines"), (nobody, "no supplier"), (nothing, "tea has no item")] {
            let outcome = world.erp.create(&new).await;
            assert!(refusal(&outcome).contains(words), "{}: {outcome:?}", world.kind);
        }
        assert!(world.calls().iter().all(|call| call.starts_with("GET")), "{}", world.kind);
    }
}

#[tokio::test]
async fn not_now_is_not_a_refusal() {
    for world in all() {
        world.office.books().faults.throttle_next = 1;
        let wait = if world.kind == ErpKind::QuickBooks { 60 } else { 2 };
        let throttled = CallError::Throttled { retry_after_seconds: wait };
        assert_eq!(world.erp.create(&order("HF-1")).await, Err(throttled), "{}", world.kind);

        world.office.books().faults.fail_next = 1;
        let outcome = world.erp.create(&order("HF-1")).await;
        assert!(matches!(outcome, Err(CallError::Unavailable { .. })), "{}: {outcome:?}", world.kind);

        world.office.books().faults.down = true;
        let outcome = world.erp.create(&order("HF-1")).await;
        assert!(matches!(outcome, Err(CallError::Unavailable { .. })), "{}: {outcome:?}", world.kind);

        world.office.books().faults.down = false;
        assert!(!world.created("HF-1").await.was_there, "{}", world.kind);
    }
}

#[tokio::test]
async fn money_keeps_its_digits() {
    for world in all() {
        let yen: Currency = "JPY".parse().unwrap();
        let mut new = order("HF-1");
        new.currency = Some(yen);
        world.erp.create(&new).await.unwrap();
        let sent = world.office.take_calls();
        let body = sent.iter().rev().find(|request| String::from_utf8_lossy(request.body()).contains("I-1")).unwrap();
        let body = String::from_utf8_lossy(body.body());
        assert!(body.contains(":450,") || body.contains(":450}"), "{}: {body}", world.kind);
        world.created("HF-2").await;
        let sent = world.office.take_calls();
        let body = sent.iter().rev().find(|request| String::from_utf8_lossy(request.body()).contains("I-1")).unwrap();
        let body = String::from_utf8_lossy(body.body());
        assert!(body.contains(":4.50") && body.contains(":0.07"), "{}: {body}", world.kind);
    }
}
