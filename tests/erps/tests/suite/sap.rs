//! What is SAP Business One's own: two orders under one reference can be there.

use std::sync::Arc;

use erp::{CallError, Credentials, ErpKind, RefreshTokens, Status, Which, connect};
use holdfast_erps::books::{Books, Order, Standing};

use crate::support::{World, context, key, number, order};

/// Somebody else's order under the same reference.
fn twin(books: &mut Books, of: u64) -> u64 {
    let twin = Order { standing: Standing::Open, ..books.orders[&of].clone() };
    books.create(twin).unwrap()
}

#[tokio::test]
async fn the_younger_of_two_is_canceled_by_who_made_it_and_told() {
    let world = World::new(ErpKind::SapBusinessOne);
    let other = world.both_let_in().await;
    let new = order("HF-1");
    let (one, two) = tokio::join!(world.erp.create(&new), other.create(&new));
    let (one, two) = (one.unwrap(), two.unwrap());
    assert_eq!((one.id.as_str(), two.id.as_str()), ("98", "98"));
    let books = world.office.books();
    assert_eq!((books.orders[&98].standing, books.orders[&99].standing), (Standing::Open, Standing::Canceled));
    let told = [one, two].map(|created| created.concerns).concat().join("; ");
    assert!(told.contains("1099 was canceled at once"), "{told}");
}

#[tokio::test]
async fn a_second_order_that_nobody_can_answer_for_is_told_and_left_alone() {
    let world = World::new(ErpKind::SapBusinessOne);
    let id = world.created("HF-1").await.id;
    let younger = twin(&mut world.office.books(), number(&id));
    let again = world.created("HF-1").await;
    let words = "SAP has further open purchase orders of this reference: 1099";
    assert_eq!((&again.id, again.concerns), (&id, vec![words.to_owned()]));
    let state = world.erp.read(Which::Key(&key("HF-1"))).await.unwrap().unwrap();
    assert_eq!((&state.id, state.concerns), (&id, vec![words.to_owned()]));
    assert_eq!(world.state(&id).await.concerns, [words], "and so does every look at the one that is ours");
    assert_eq!(world.office.books().orders[&younger].standing, Standing::Open);
}

/// SAP is busy for a minute and a half, and the caller hears nothing.
#[tokio::test]
async fn an_order_that_is_there_late_is_found_by_who_waits_and_told_to_who_does_not() {
    for (wait, made) in [(120, 1), (60, 2)] {
        let world = World::new(ErpKind::SapBusinessOne);
        world.office.books().faults.commit_late_seconds = 90;
        assert!(matches!(world.erp.create(&order("HF-1")).await, Err(CallError::Unavailable { .. })));
        world.office.advance(wait);
        let created = world.created("HF-1").await;
        assert_eq!((created.was_there, created.concerns.len()), (made == 1, 0));
        world.office.advance(60);
        let state = world.state(&created.id).await;
        assert_eq!((world.office.books().orders.len(), state.concerns.len()), (made, made - 1), "{:?}", state.concerns);
    }
}

#[tokio::test]
async fn a_login_that_is_refused_is_not_tried_again_for_a_quarter_of_an_hour() {
    let world = World::new(ErpKind::SapBusinessOne);
    let mut context = context(ErpKind::SapBusinessOne, Arc::new(world.office.clone()), Arc::new(world.office.clone()));
    context.credentials = Credentials::from([("user", "manager"), ("password", "wr0ng")]);
    let erp = connect(ErpKind::SapBusinessOne, context, Arc::clone(&world.kept) as Arc<dyn RefreshTokens>);
    for (later, logins) in [(0, 1), (60, 0), (14 * 60 - 1, 0), (1, 1), (0, 0)] {
        world.office.advance(later);
        let outcome = erp.create(&order("HF-1")).await;
        assert!(matches!(outcome, Err(CallError::Unauthorized { .. })), "{outcome:?}");
        assert_eq!(world.office.take_calls().len(), logins, "after {later} s");
    }
}

#[tokio::test]
async fn the_oldest_that_is_not_canceled_is_the_order() {
    let world = World::new(ErpKind::SapBusinessOne);
    let id = world.created("HF-1").await.id;
    let younger = twin(&mut world.office.books(), number(&id));
    world.office.books().end(number(&id), Standing::Canceled);
    let state = world.erp.read(Which::Key(&key("HF-1"))).await.unwrap().unwrap();
    assert_eq!((number(&state.id), state.status, state.concerns.len()), (younger, Status::Open, 0));
    // Where all are canceled, the oldest is: nothing is created under a key a second time.
    world.office.books().end(younger, Standing::Canceled);
    let again = world.created("HF-1").await;
    assert_eq!((again.id, again.was_there), (id, true));
}

#[tokio::test]
async fn a_session_is_renewed_before_its_half_hour_is_over() {
    let world = World::new(ErpKind::SapBusinessOne);
    world.created("HF-1").await;
    world.office.advance(28 * 60);
    world.created("HF-2").await;
    assert_eq!(world.office.books().logins, 1);
    world.office.advance(90);
    world.created("HF-3").await;
    assert_eq!(world.office.books().logins, 2);
}
