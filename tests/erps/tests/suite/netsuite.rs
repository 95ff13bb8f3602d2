//! What is NetSuite's own.

use erp::{CallError, ErpKind};
use serde_json::json;

use crate::support::{Says, World, key, number, order};

#[tokio::test]
async fn an_order_with_more_units_than_were_ordered_is_a_concern() {
    // As if `replace=item` were not heeded: somebody has written the same lines a moment before.
    let world = World::new(ErpKind::NetSuite);
    let created = world.created("HF-1").await;
    let mut record = json!({ "id": created.id.as_str(), "tranId": created.number, "orderStatus": { "id": "B" } });
    let line = json!({ "line": 1, "item": { "id": "I-1" }, "quantity": 13.0 });
    record["item"] = json!({ "items": [line, line] });
    let answer = |status: u16, body: &serde_json::Value| holdfast_erps::face::json(status, body);
    let says = Says::new(vec![
        answer(200, &json!({ "access_token": "t", "expires_in": "3600" })),
        answer(404, &json!({ "o:errorDetails": [{ "detail": "none", "o:errorCode": "NONEXISTENT_ID" }] })),
        holdfast_erps::face::empty(204),
        answer(200, &record),
    ]);
    let seen = world.another_over(says).create(&order("HF-1")).await.unwrap();
    assert_eq!(seen.concerns, ["NetSuite shows 26 units on the order, and not the 13 that were ordered"]);
}

#[tokio::test]
async fn a_wrong_address_is_not_taken_for_an_order_that_is_not_there() {
    let world = World::new(ErpKind::NetSuite);
    let lost = json!({ "o:errorDetails": [{ "detail": "There is no such path", "o:errorCode": "NONEXISTENT_PATH" }] });
    let token = json!({ "access_token": "t", "expires_in": 3600 });
    let says = Says::new(vec![holdfast_erps::face::json(200, &token), holdfast_erps::face::json(404, &lost)]);
    let outcome = world.another_over(says).create(&order("HF-1")).await;
    assert_eq!(outcome, Err(CallError::Refused { reason: "There is no such path".to_owned() }));
}

#[tokio::test]
async fn only_open_lines_are_closed() {
    let world = World::new(ErpKind::NetSuite);
    let id = world.created("HF-1").await.id;
    world.office.books().receive(number(&id), 1, 3);
    world.office.take_calls();
    world.erp.cancel(&id, &key("HF-1")).await.unwrap();
    let calls = world.office.take_calls();
    let patch = calls.iter().find(|request| request.method() == "PATCH").unwrap();
    let sent: serde_json::Value = serde_json::from_slice(patch.body()).unwrap();
    assert_eq!(sent, json!({ "item": { "items": [{ "line": 1, "isClosed": true }] } }));
    assert!(world.erp.read(erp::Which::Key(&key("HF-1"))).await.unwrap().is_some());
}
