//! Purchase orders, as they go over the wire.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use serde_json::{json, value::RawValue};
use vendor::{Context, call::words, reading, transport::Response};

use crate::{
    Created, Currency, NewOrder, OrderKey, OrderLine, OrderState, Status, money,
    reading::{Id, Units, day},
};

/// Characters of NetSuite's words that are repeated to the merchant.
const MAX_WORDS_CHARS: usize = 300;

/// An order's place by our key. A key can stand in a path as it is.
pub(super) fn external(key: &OrderKey) -> String {
    format!("eid:{key}")
}

#[derive(Serialize)]
struct Ref<'a> {
    id: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    entity: Ref<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subsidiary: Option<Ref<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    location: Option<Ref<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    currency: Option<Ref<'a>>,
    tran_date: Date,
    due_date: Date,
    item: Items<BodyLine<'a>>,
}

#[derive(Serialize, Deserialize)]
struct Items<T> {
    items: Vec<T>,
}

impl<T> Default for Items<T> {
    fn default() -> Self {
        Self { items: Vec::new() }
    }
}

#[derive(Serialize)]
struct BodyLine<'a> {
    item: Ref<'a>,
    quantity: u64,
    rate: Box<RawValue>,
}

/// What creates an order.
pub(super) fn body(new: &NewOrder, currency: Currency, context: &Context) -> Vec<u8> {
    let option = |name| context.option(name).map(|id| Ref { id });
    let lines = new.lines.iter().map(|line| BodyLine {
        item: Ref { id: &line.item },
        quantity: line.quantity.units(),
        rate: currency.amount(line.unit_cost_minor.into()),
    });
    money::json(&Body {
        entity: Ref { id: &new.supplier },
        subsidiary: option("subsidiary_id"),
        location: option("location_id"),
        currency: option("currency_id"),
        tran_date: new.order_on,
        due_date: new.expected_on,
        item: Items { items: lines.collect() },
    })
}

/// An order.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Record {
    id: Id,
    external_id: Option<String>,
    #[serde(default)]
    tran_id: String,
    order_status: Option<Named>,
    status: Option<Named>,
    #[serde(default, deserialize_with = "day")]
    due_date: Option<Date>,
    #[serde(default)]
    item: Items<Line>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Named {
    #[serde(default)]
    id: String,
    #[serde(default)]
    ref_name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    #[serde(rename = "line")]
    place: Option<Units>,
    item: Option<Named>,
    #[serde(default)]
    quantity: Units,
    quantity_received: Option<Units>,
    #[serde(default)]
    is_closed: bool,
    #[serde(default, deserialize_with = "day")]
    expected_receipt_date: Option<Date>,
}

impl Record {
    pub fn created(&self, was_there: bool) -> Created {
        Created { id: self.id.0.clone(), number: self.tran_id.clone(), was_there, concerns: Vec::new() }
    }

    /// Whether it does not say that it is another one's.
    pub fn may_be_under(&self, key: &OrderKey) -> bool {
        self.external_id.as_deref().is_none_or(|shown| shown == key.as_str())
    }

    /// Why the order is not the one that was created: somebody has written at the same time, and lines have come together.
    pub fn differs_from(&self, new: &NewOrder) -> Option<String> {
        let wanted: u64 = new.lines.iter().map(|line| line.quantity.units()).sum();
        let found: u64 = self.item.items.iter().fold(0, |sum, line| sum.saturating_add(line.quantity.0));
        let words = || format!("NetSuite shows {found} units on the order, and not the {wanted} that were ordered");
        (found != wanted).then(words)
    }

    pub fn state(&self) -> OrderState {
        let open = self.item.items.iter().filter(|line| !line.is_closed);
        let expected_on = open.filter_map(|line| line.expected_receipt_date).max().or(self.due_date);
        let lines = self.item.items.iter().map(|line| OrderLine {
            item: line.item.as_ref().map_or_else(String::new, |item| item.id.clone()),
            quantity: line.quantity.0,
            received: line.quantity_received.map(|units| units.0),
        });
        OrderState {
            id: self.id.0.clone(),
            number: self.tran_id.clone(),
            status: self.standing(),
            expected_on,
            lines: lines.collect(),
            concerns: Vec::new(),
        }
    }

    /// What closes every line that is open.
    pub fn closing(&self) -> Vec<u8> {
        let open = self.item.items.iter().filter(|line| !line.is_closed).filter_map(|line| line.place);
        let lines: Vec<_> = open.map(|place| json!({ "line": place.0, "isClosed": true })).collect();
        json!({ "item": { "items": lines } }).to_string().into_bytes()
    }

    /// A: pending approval, B: pending receipt, C: rejected, D: partially received, E: pending billing and partially received,
    /// F: pending bill, G: fully billed, H: closed. Whatever else it says, units may still come.
    fn standing(&self) -> Status {
        let named = [&self.order_status, &self.status].into_iter().flatten();
        let words = named.flat_map(|named| [named.id.as_str(), named.ref_name.as_str()]);
        for word in words {
            let word: String = word.chars().filter(char::is_ascii_alphanumeric).collect();
            match word.to_ascii_lowercase().as_str() {
                "c" | "rejectedbysupervisor" | "rejected" => return Status::Canceled,
                "f" | "pendingbill" | "g" | "fullybilled" | "h" | "closed" => return Status::Closed,
                "" => {}
                _ => return Status::Open,
            }
        }
        // Nothing is said: closed is what has no open line.
        let all_closed = !self.item.items.is_empty() && self.item.items.iter().all(|line| line.is_closed);
        if all_closed { Status::Closed } else { Status::Open }
    }
}

#[derive(Deserialize)]
struct Problem {
    #[serde(rename = "o:errorDetails", default)]
    details: Vec<Detail>,
}

#[derive(Deserialize)]
struct Detail {
    #[serde(rename = "detail", default)]
    words: String,
    #[serde(rename = "o:errorCode", default)]
    code: String,
    #[serde(rename = "o:errorPath")]
    path: Option<String>,
}

fn details(response: &Response) -> Vec<Detail> {
    reading::json::<Problem>(response.body()).map(|problem| problem.details).unwrap_or_default()
}

/// Whether a 404 is about the order, and not about a wrong address.
pub(super) fn says_gone(response: &Response) -> bool {
    details(response).iter().any(|detail| detail.code == "NONEXISTENT_ID")
}

/// NetSuite's words.
pub(super) fn refusal(response: &Response) -> String {
    let said: Vec<String> = details(response)
        .into_iter()
        .map(|detail| match detail.path {
            Some(path) => format!("{} ({path})", detail.words),
            None => detail.words,
        })
        .collect();
    let said = if said.is_empty() { words(response) } else { said.join("; ") };
    said.chars().filter(|c| !c.is_control()).take(MAX_WORDS_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(more: &str) -> Record {
        serde_json::from_str(&format!(r#"{{"id":"647","tranId":"PO12"{more}}}"#)).unwrap()
    }

    #[test]
    fn a_status_is_read_as_a_letter_and_in_words() {
        for (json, is) in [
            (r#","orderStatus":{"id":"B","refName":"Pending Receipt"}"#, Status::Open),
            (r#","orderStatus":{"id":"A"}"#, Status::Open),
            (r#","orderStatus":{"id":"D"}"#, Status::Open),
            (r#","orderStatus":{"id":"E"}"#, Status::Open),
            (r#","orderStatus":{"id":"F"}"#, Status::Closed),
            (r#","orderStatus":{"id":"H","refName":"Closed"}"#, Status::Closed),
            (r#","orderStatus":{"id":"C"}"#, Status::Canceled),
            (r#","status":{"id":"Pending Receipt","refName":"Pending Receipt"}"#, Status::Open),
            (r#","status":{"id":"pendingBillPartReceived"}"#, Status::Open),
            (r#","status":{"id":"fullyBilled"}"#, Status::Closed),
            (r#","status":{"refName":"Closed"}"#, Status::Closed),
            (r#","status":{"id":"something new"}"#, Status::Open),
            (r#","item":{"items":[{"isClosed":true}]}"#, Status::Closed),
            ("", Status::Open),
        ] {
            assert_eq!(record(json).state().status, is, "{json}");
        }
    }

    #[test]
    fn the_latest_open_line_says_when_an_order_is_expected() {
        let lines = r#","dueDate":"2026-12-01","item":{"items":[
            {"line":1,"item":{"id":"9"},"quantity":10.0,"quantityReceived":4.0,"expectedReceiptDate":"2026-12-05"},
            {"line":2,"item":{"id":"8"},"quantity":1,"isClosed":true,"expectedReceiptDate":"2026-12-24"}]}"#;
        let state = record(lines).state();
        assert_eq!(state.expected_on, Some(jiff::civil::date(2026, 12, 5)));
        assert_eq!((state.received("9"), state.received("8")), (Some(4), None));
        assert_eq!(record(r#","dueDate":"2026-12-01""#).state().expected_on, Some(jiff::civil::date(2026, 12, 1)));
        let closing: serde_json::Value = serde_json::from_slice(&record(lines).closing()).unwrap();
        assert_eq!(closing, json!({ "item": { "items": [{ "line": 1, "isClosed": true }] } }));
    }
}
