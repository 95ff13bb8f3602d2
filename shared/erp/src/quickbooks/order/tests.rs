use super::*;

fn order(json: serde_json::Value) -> PurchaseOrder {
    serde_json::from_value(json).unwrap()
}

fn bill(lines: &serde_json::Value) -> Bill {
    serde_json::from_value(json!({ "Line": lines })).unwrap()
}

fn line(item: &str, units: f64, linked: &serde_json::Value) -> serde_json::Value {
    let detail = json!({ "ItemRef": { "value": item }, "Qty": units });
    json!({ "DetailType": ITEM, "ItemBasedExpenseLineDetail": detail, "LinkedTxn": linked })
}

fn two_lines() -> PurchaseOrder {
    let line = |id: &str, item: &str, units: u64| json!({ "Id": id, "DetailType": ITEM, "ItemBasedExpenseLineDetail": { "ItemRef": { "value": item }, "Qty": units } });
    order(json!({
        "Id": "257", "SyncToken": "0", "DocNumber": "HF-1", "VendorRef": { "value": "41" }, "POStatus": "Open",
        "DueDate": "2026-12-05", "Line": [line("1", "11", 10), line("2", "11", 5), line("3", "12", 4),
            { "Id": "4", "DetailType": "SubTotalLineDetail", "Amount": 1 }],
    }))
}

fn received(order: &PurchaseOrder, bills: &[Bill]) -> Vec<Option<u64>> {
    order.state(bills).lines.iter().map(|line| line.received).collect()
}

#[test]
fn what_bills_say_is_received_line_by_line() {
    let order = two_lines();
    assert_eq!(received(&order, &[]), [Some(0), Some(0), Some(0)]);
    let to = |id: &str, line: &str| json!([{ "TxnId": id, "TxnType": "PurchaseOrder", "TxnLineId": line }]);
    let first = bill(&json!([line("11", 2.0, &to("257", "2")), line("12", 1.0, &to("257", "3"))]));
    let second =
        bill(&json!([line("11", 3.0, &to("257", "1")), line("11", 7.0, &to("258", "1")), line("12", 9.0, &json!([]))]));
    assert_eq!(received(&order, &[first, second]), [Some(3), Some(2), Some(1)]);
}

#[test]
fn a_bill_that_names_no_line_counts_by_item_and_one_that_names_no_order_counts_whole() {
    let order = two_lines();
    let by_item = bill(&json!([line("12", 2.0, &json!([{ "TxnId": "257", "TxnType": "PurchaseOrder" }]))]));
    assert_eq!(received(&order, &[by_item]), [Some(0), Some(0), Some(2)]);
    let whole = bill(&json!([line("12", 2.0, &json!([])), line("99", 2.0, &json!([]))]));
    assert_eq!(received(&order, &[whole]), [Some(0), Some(0), Some(2)]);
}

#[test]
fn a_long_key_becomes_a_number_that_fits_and_no_other_key_has() {
    let key = |text: &str| text.parse::<OrderKey>().unwrap();
    assert_eq!(doc_number(&key("HF-2026-11-25-000001x")), "HF-2026-11-25-000001x");
    let (one, other) = (doc_number(&key("HF-2026-11-25-0000001x")), doc_number(&key("HF-2026-11-25-0000001y")));
    assert_eq!((one.len(), one != other), (21, true));
}
