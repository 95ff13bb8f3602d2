use domain::sale::SaleLine;

use super::*;

fn order(status: &str, completed: Option<&str>, refunds: bool) -> Seen {
    let body = serde_json::json!({
        "id": 17, "status": status, "date_modified_gmt": "2026-11-25T10:00:00", "date_completed_gmt": completed,
        "line_items": [{ "id": 5, "sku": "tea", "quantity": 3, "total": "9.00" }],
        "refunds": if refunds { vec![1] } else { vec![] },
    });
    parse_order(body.to_string().as_bytes()).unwrap()
}

fn refund(at: &str, quantity: i64, about: impl Into<Value>) -> Refund {
    let meta = serde_json::json!([{ "id": 1, "key": "_refunded_item_id", "value": about.into() }]);
    let line = serde_json::json!({ "id": 9, "quantity": quantity, "meta_data": meta });
    let refund = serde_json::json!({ "id": 8, "date_created_gmt": at, "line_items": [line] });
    serde_json::from_value(refund).unwrap()
}

fn only(seen: &Seen) -> (u64, Stage) {
    let SaleLine { canceled, stage, .. } = seen.told().order.unwrap().lines.remove(0);
    (canceled, stage)
}

const NOON: Option<&str> = Some("2026-11-25T12:00:00");

#[test]
fn each_status_is_a_stage() {
    for (status, completed, canceled, stage) in [
        ("pending", None, 0, Stage::Pending),
        ("on-hold", None, 0, Stage::Pending),
        ("failed", None, 0, Stage::Pending),
        ("processing", None, 0, Stage::Paid),
        ("partially-shipped", None, 0, Stage::Paid),
        ("completed", NOON, 0, Stage::Shipped),
        ("completed", None, 0, Stage::Shipped),
        ("cancelled", None, 3, Stage::Paid),
        ("refunded", None, 3, Stage::Paid),
        ("trash", None, 3, Stage::Paid),
        // It came back, or did not; but it had left the shelf.
        ("refunded", NOON, 0, Stage::Shipped),
        ("cancelled", NOON, 0, Stage::Shipped),
    ] {
        assert_eq!(only(&order(status, completed, false)), (canceled, stage), "{status} {completed:?}");
    }
}

#[test]
fn a_cart_is_no_order() {
    for status in ["checkout-draft", "auto-draft", "draft"] {
        let draft = order(status, None, true);
        assert_eq!(draft.told(), Told::default(), "{status}");
        assert!(!draft.needs_refunds());
    }
}

#[test]
fn a_refund_from_before_the_order_was_completed_is_a_cancellation() {
    let refunds = || {
        vec![
            refund("2026-11-25T11:59:59", -1, "5"),
            refund("2026-11-25T12:00:00", -1, 5),
            refund("2026-11-25T11:00:00", -1, "6"),
        ]
    };
    for (status, completed, canceled, stage) in [
        ("processing", None, 2, Stage::Paid),
        ("completed", NOON, 1, Stage::Paid),
        ("completed", Some("2026-11-25T11:59:59"), 0, Stage::Shipped),
        ("completed", None, 0, Stage::Shipped),
        ("refunded", NOON, 1, Stage::Paid),
    ] {
        let mut order = order(status, completed, true);
        assert!(order.needs_refunds());
        order.refunded = Refunded::Lines(refunds());
        assert!(!order.needs_refunds());
        assert_eq!(only(&order), (canceled, stage), "{status} {completed:?}");
    }
    // All of it is canceled, whatever was refunded.
    assert!(!order("cancelled", None, true).needs_refunds());
}

#[test]
fn a_refund_of_money_alone_cancels_nothing() {
    let mut order = order("processing", None, true);
    order.refunded = Refunded::Lines(vec![refund("2026-11-25T11:00:00", 0, "5")]);
    assert_eq!(only(&order), (0, Stage::Paid));
}

#[test]
fn a_quantity_that_is_not_whole_is_said() {
    let body = r#"{"id":17,"status":"processing","date_modified_gmt":null,"date_created_gmt":"2026-11-25T10:00:00",
        "line_items":[{"id":5,"sku":"tea","quantity":1.5},{"id":6,"sku":"tea","quantity":-1},{"id":7,"sku":"tea","quantity":1}]}"#;
    let told = parse_order(body.as_bytes()).unwrap().told();
    assert_eq!(
        told.unreadable,
        [
            "order 17: line 5: the quantity 1.5 is no whole number",
            "order 17: line 6: the quantity -1 is no whole number",
        ]
    );
    let order = told.order.unwrap();
    assert_eq!((order.changed_at, order.lines.len()), (Timestamp::from_epoch_seconds(1_795_600_800), 1));
}

#[test]
fn what_is_no_order_is_an_error_in_words() {
    let denied = r#"{"code":"woocommerce_rest_cannot_view","message":"Sorry","data":{"status":401}}"#;
    for body in ["", "[]", "{}", denied, r#"{"id":17,"status":"processing"}"#] {
        assert!(parse_order(body.as_bytes()).is_err(), "{body}");
    }
}
