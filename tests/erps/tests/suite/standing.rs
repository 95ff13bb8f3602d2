//! What becomes of an order.

use erp::{CallError, Status, Which};
use holdfast_erps::books::Standing;
use jiff::civil::date;

use crate::support::{EXPECTED, all, key, number};

#[tokio::test]
async fn an_order_is_read_as_it_was_created() {
    for world in all() {
        let created = world.created("HF-1").await;
        for which in [Which::Id(&created.id, &key("HF-1")), Which::Key(&key("HF-1"))] {
            let state = world.erp.read(which).await.unwrap().unwrap();
            assert_eq!((&state.id, &state.number), (&created.id, &created.number), "{}", world.kind);
            assert_eq!((state.status, state.expected_on), (Status::Open, Some(EXPECTED)), "{}", world.kind);
            let lines: Vec<_> =
                state.lines.iter().map(|line| (line.item.as_str(), line.quantity, line.received)).collect();
            assert_eq!(lines, [("I-1", 10, Some(0)), ("I-2", 3, Some(0))], "{}", world.kind);
        }
        let none = world.erp.read(Which::Key(&key("HF-2"))).await;
        assert_eq!(none, Ok(None), "{}", world.kind);
        assert_eq!(world.erp.read(Which::Id(&"4711".parse().unwrap(), &key("HF-1"))).await, Ok(None), "{}", world.kind);
    }
}

#[tokio::test]
async fn units_that_came_in_part_are_counted_and_all_of_them_end_the_order() {
    for world in all() {
        let id = world.created("HF-1").await.id;
        world.office.books().receive(number(&id), 0, 4);
        world.office.books().receive(number(&id), 0, 3);
        let state = world.state(&id).await;
        assert_eq!((state.received("I-1"), state.received("I-2")), (Some(7), Some(0)), "{}", world.kind);
        assert_eq!(state.status, Status::Open, "{}", world.kind);
        world.office.books().receive(number(&id), 0, 3);
        world.office.books().receive(number(&id), 1, 3);
        let state = world.state(&id).await;
        assert_eq!((state.received("I-1"), state.received("I-2")), (Some(10), Some(3)), "{}", world.kind);
        assert_eq!(state.status, Status::Closed, "{}", world.kind);
    }
}

#[tokio::test]
async fn a_date_that_slips_is_seen() {
    for world in all() {
        let id = world.created("HF-1").await.id;
        world.office.books().move_to(number(&id), date(2026, 12, 19));
        assert_eq!(world.state(&id).await.expected_on, Some(date(2026, 12, 19)), "{}", world.kind);
    }
}

#[tokio::test]
async fn what_people_end_or_delete_is_over() {
    for world in all() {
        let id = world.created("HF-1").await.id;
        world.office.books().end(number(&id), Standing::Closed);
        assert_eq!(world.state(&id).await.status, Status::Closed, "{}", world.kind);
        world.office.books().end(number(&id), Standing::Deleted);
        assert_eq!(world.erp.read(Which::Id(&id, &key("HF-1"))).await, Ok(None), "{}", world.kind);
        assert_eq!(world.erp.read(Which::Key(&key("HF-1"))).await, Ok(None), "{}", world.kind);
    }
}

#[tokio::test]
async fn nothing_more_comes_of_an_order_that_is_canceled_before_or_after_some_came() {
    for world in all() {
        let (one, two) = (world.created("HF-1").await.id, world.created("HF-2").await.id);
        world.office.books().receive(number(&two), 0, 4);
        for (id, name) in [(&one, "HF-1"), (&two, "HF-2")] {
            world.erp.cancel(id, &key(name)).await.unwrap_or_else(|error| panic!("{}: {error}", world.kind));
            assert_ne!(world.state_of(id, name).await.status, Status::Open, "{}", world.kind);
        }
        assert_eq!(world.state_of(&two, "HF-2").await.received("I-1"), Some(4), "{}", world.kind);
        assert!(world.office.books().live("HF-1").is_empty() && world.office.books().live("HF-2").is_empty());
    }
}

#[tokio::test]
async fn to_cancel_again_or_what_is_gone_changes_nothing() {
    for world in all() {
        let id = world.created("HF-1").await.id;
        world.erp.cancel(&id, &key("HF-1")).await.unwrap();
        let before = world.office.books().orders.clone();
        assert_eq!(world.another_process().cancel(&id, &key("HF-1")).await, Ok(()), "{}", world.kind);
        assert_eq!(world.office.books().orders, before, "{}", world.kind);
        world.office.books().end(number(&id), Standing::Deleted);
        assert_eq!(world.erp.cancel(&id, &key("HF-1")).await, Ok(()), "{}", world.kind);
    }
}

#[tokio::test]
async fn an_order_of_that_id_that_is_not_under_our_key_is_neither_read_nor_canceled() {
    for world in all() {
        let id = world.created("HF-2").await.id;
        let before = world.office.books().orders.clone();
        let read = world.erp.read(Which::Id(&id, &key("HF-1"))).await;
        assert!(matches!(read, Err(CallError::Refused { .. })), "{}: {read:?}", world.kind);
        let canceled = world.erp.cancel(&id, &key("HF-1")).await;
        assert!(matches!(canceled, Err(CallError::Refused { .. })), "{}: {canceled:?}", world.kind);
        assert_eq!(world.office.books().orders, before, "{}", world.kind);
    }
}

#[tokio::test]
async fn an_order_that_was_canceled_is_not_created_a_second_time() {
    for world in all() {
        let id = world.created("HF-1").await.id;
        world.erp.cancel(&id, &key("HF-1")).await.unwrap();
        let again = world.created("HF-1").await;
        assert_eq!((again.id, again.was_there), (id, true), "{}", world.kind);
    }
}
