use domain::sale::SaleLine;

use super::*;

fn line(quantity: u64, current: u64, unfulfilled: u64) -> SeenLine {
    SeenLine { id: "5".to_owned(), sku: Some("tea".to_owned()), quantity, current, unfulfilled }
}

fn seen(line: SeenLine) -> Seen {
    Seen {
        id: "17".to_owned(),
        changed_at: Timestamp::from_epoch_seconds(1),
        canceled: false,
        financial: Some("PAID".to_owned()),
        shipments: Shipments::None,
        lines: vec![line],
    }
}

fn shipped(units: u64) -> Shipments {
    Shipments::Units(BTreeMap::from([("5".to_owned(), units)]))
}

fn only(seen: &Seen) -> (u64, Stage) {
    let SaleLine { canceled, stage, .. } = seen.told().order.unwrap().lines.remove(0);
    (canceled, stage)
}

#[test]
fn units_that_were_shipped_are_never_canceled() {
    for (quantity, current, units, canceled, stage) in [
        (3, 3, 0, 0, Stage::Paid),
        (3, 1, 0, 2, Stage::Paid),
        (3, 0, 0, 3, Stage::Paid),
        // Two were canceled, then one was shipped, and then it came back.
        (3, 1, 1, 2, Stage::Paid),
        (3, 0, 1, 2, Stage::Paid),
        // All were shipped, and some came back.
        (3, 3, 3, 0, Stage::Shipped),
        (3, 1, 3, 0, Stage::Shipped),
        (3, 0, 3, 0, Stage::Shipped),
        // One was shipped of what is still wanted.
        (3, 3, 1, 0, Stage::Paid),
        (3, 2, 1, 1, Stage::Paid),
    ] {
        let order = Seen { shipments: shipped(units), ..seen(line(quantity, current, 0)) };
        assert_eq!(only(&order), (canceled, stage), "{quantity} {current} {units}");
        let all = Seen { canceled: true, ..order };
        assert_eq!(only(&all).0, quantity - units, "{quantity} {current} {units}, all canceled");
    }
}

#[test]
fn shipments_are_asked_for_only_where_something_is_gone() {
    let some = |line| Seen { shipments: Shipments::Some, ..seen(line) };
    assert!(!some(line(3, 3, 1)).needs_shipments());
    assert_eq!(only(&some(line(3, 3, 1))), (0, Stage::Paid));
    assert_eq!(only(&some(line(3, 3, 0))), (0, Stage::Shipped));
    assert!(some(line(3, 2, 0)).needs_shipments());
    assert!(Seen { canceled: true, ..some(line(3, 3, 0)) }.needs_shipments());
    assert!(!seen(line(3, 2, 2)).needs_shipments());
    assert!(!Seen { shipments: shipped(1), ..seen(line(3, 2, 1)) }.needs_shipments());
}

#[test]
fn more_shipments_than_are_read_give_nothing_back_and_are_told() {
    let order = Seen { shipments: Shipments::TooMany, ..seen(line(3, 1, 0)) };
    assert_eq!(only(&order), (0, Stage::Shipped));
    assert_eq!(order.told().unreadable.len(), 1);
}

#[test]
fn an_order_is_pending_only_as_long_as_its_payment_is_open() {
    for (status, stage) in [
        (None, Stage::Pending),
        (Some("PENDING"), Stage::Pending),
        (Some("pending"), Stage::Pending),
        (Some("EXPIRED"), Stage::Pending),
        (Some("voided"), Stage::Pending),
        (Some("AUTHORIZED"), Stage::Paid),
        (Some("PARTIALLY_PAID"), Stage::Paid),
        (Some("paid"), Stage::Paid),
        (Some("REFUNDED"), Stage::Paid),
        (Some("OF_NEXT_YEAR"), Stage::Paid),
    ] {
        let order = Seen { financial: status.map(str::to_owned), ..seen(line(1, 1, 1)) };
        assert_eq!(only(&order).1, stage, "{status:?}");
    }
    // To be paid on delivery.
    let order = Seen { financial: Some("PENDING".to_owned()), shipments: Shipments::Some, ..seen(line(2, 2, 1)) };
    assert_eq!(only(&order).1, Stage::Paid);
}

#[test]
fn an_id_is_a_number_however_it_is_written() {
    for (id, is) in [
        ("17", Some("17")),
        ("gid://shopify/Order/17", Some("17")),
        ("gid://shopify/Order/", None),
        ("gid://other/Order/17", None),
        ("17/17", None),
        ("-17", None),
        ("", None),
        ("123456789012345678901", None),
    ] {
        assert_eq!(number(id), is, "{id}");
    }
}

#[test]
fn a_canceled_shipment_ships_nothing() {
    let node = |status: &str, more: bool, count: u64| {
        let text = format!(
            r#"{{"id":"gid://shopify/Order/17","updatedAt":"2026-11-25T10:00:00Z","cancelledAt":null,"fulfillmentsCount":{{"count":{count}}},
            "displayFinancialStatus":"PAID","lineItems":{{"pageInfo":{{"hasNextPage":false,"endCursor":null}},"nodes":
              [{{"id":"gid://shopify/LineItem/5","sku":"tea","quantity":3,"currentQuantity":1,"unfulfilledQuantity":-1}}]}},
            "fulfillments":[{{"status":"{status}","fulfillmentLineItems":{{"pageInfo":{{"hasNextPage":{more}}},"nodes":
              [{{"lineItem":{{"id":"gid://shopify/LineItem/5"}},"quantity":3}}]}}}}]}}"#
        );
        serde_json::from_str::<OrderNode>(&text).unwrap().seen().unwrap()
    };
    assert_eq!(only(&node("SUCCESS", false, 1)), (0, Stage::Shipped));
    assert_eq!(only(&node("CANCELLED", false, 1)), (2, Stage::Paid));
    assert_eq!(node("SUCCESS", true, 1).shipments, Shipments::TooMany);
    assert_eq!(node("SUCCESS", false, 2).shipments, Shipments::TooMany);
}

#[test]
fn a_webhook_of_an_older_version_tells_refunds_in_their_place() {
    let body = |current: &str| {
        format!(
            r#"{{"id":17,"updated_at":"2026-11-25T05:00:00-05:00","cancelled_at":null,"financial_status":"partially_refunded",
            "line_items":[{{"id":5,"sku":"tea","quantity":3,"fulfillable_quantity":1{current}}}],
            "refunds":[{{"refund_line_items":[{{"line_item_id":5,"quantity":1}},{{"line_item_id":6,"quantity":1}}]}},
              {{"refund_line_items":[{{"line_item_id":5,"quantity":1}}]}}]}}"#
        )
    };
    let old = parse_webhook(body("").as_bytes()).unwrap();
    assert_eq!(only(&old), (2, Stage::Paid));
    assert_eq!(old.changed_at, Timestamp::from_epoch_seconds(1_795_600_800));
    let new = parse_webhook(body(r#","current_quantity":2"#).as_bytes()).unwrap();
    assert_eq!(only(&new), (1, Stage::Paid));
}

#[test]
fn what_is_no_order_is_an_error_in_words() {
    let untimed = r#"{"id":17,"updated_at":"yesterday","cancelled_at":null,"financial_status":null,"line_items":[]}"#;
    for body in ["", "[]", "{}", r#"{"id":"17"}"#, untimed, r#"{"order_edit":{"order_id":17}}"#] {
        assert!(parse_webhook(body.as_bytes()).is_err(), "{body}");
    }
}
