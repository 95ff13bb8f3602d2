//! Purchase orders, as they go over the wire.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use serde_json::{Value, value::RawValue};
use vendor::{Context, reading, transport::Response};

use crate::{
    Created, Currency, ErpOrderId, NewOrder, OrderLine, OrderState, Status, money,
    reading::{Id, Units, day},
};

/// Characters of SAP's words that are repeated to the merchant.
const MAX_WORDS_CHARS: usize = 300;

/// "No matching records found (ODBC -2028)".
const NO_MATCHING_RECORDS: &str = "-2028";

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Body<'a> {
    card_code: &'a str,
    num_at_card: &'a str,
    doc_date: Date,
    doc_due_date: Date,
    #[serde(skip_serializing_if = "Option::is_none")]
    doc_currency: Option<&'a str>,
    document_lines: Vec<BodyLine<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct BodyLine<'a> {
    item_code: &'a str,
    quantity: u64,
    unit_price: Box<RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    warehouse_code: Option<&'a str>,
}

/// What creates an order.
pub(super) fn body(new: &NewOrder, currency: Currency, context: &Context) -> Vec<u8> {
    let lines = new.lines.iter().map(|line| BodyLine {
        item_code: &line.item,
        quantity: line.quantity.units(),
        unit_price: currency.amount(line.unit_cost_minor.into()),
        warehouse_code: context.option("warehouse"),
    });
    money::json(&Body {
        card_code: &new.supplier,
        num_at_card: new.key.as_str(),
        doc_date: new.order_on,
        doc_due_date: new.expected_on,
        doc_currency: context.option("currency_code"),
        document_lines: lines.collect(),
    })
}

#[derive(Deserialize)]
pub(super) struct Page {
    #[serde(default)]
    pub value: Vec<Document>,
}

/// An order.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Document {
    doc_entry: Id,
    doc_num: Option<Id>,
    #[serde(default)]
    card_code: String,
    num_at_card: Option<String>,
    #[serde(default, deserialize_with = "day")]
    doc_due_date: Option<Date>,
    #[serde(rename = "DocumentStatus", default)]
    status: String,
    #[serde(default)]
    cancelled: String,
    #[serde(rename = "DocumentLines", default)]
    lines: Vec<Line>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Line {
    /// A line of text has none.
    item_code: Option<String>,
    #[serde(default)]
    quantity: Units,
    remaining_open_quantity: Option<Units>,
    #[serde(rename = "LineStatus", default)]
    status: String,
    #[serde(default, deserialize_with = "day")]
    ship_date: Option<Date>,
}

impl Document {
    pub fn id(&self) -> &ErpOrderId {
        &self.doc_entry.0
    }

    pub fn key(&self) -> &str {
        self.num_at_card.as_deref().unwrap_or_default()
    }

    pub fn supplier(&self) -> &str {
        &self.card_code
    }

    pub fn number(&self) -> String {
        self.doc_num.as_ref().unwrap_or(&self.doc_entry).0.to_string()
    }

    pub fn is_canceled(&self) -> bool {
        self.cancelled == "tYES"
    }

    pub fn created(&self, was_there: bool, concerns: Vec<String>) -> Created {
        Created { id: self.id().clone(), number: self.number(), was_there, concerns }
    }

    pub fn state(&self) -> OrderState {
        let lines = self.lines.iter().filter_map(|line| {
            let remaining = line.remaining_open_quantity.map(|units| units.0);
            let received =
                if self.is_canceled() { Some(0) } else { remaining.map(|open| line.quantity.0.saturating_sub(open)) };
            Some(OrderLine { item: line.item_code.clone()?, quantity: line.quantity.0, received })
        });
        let open = self.lines.iter().filter(|line| line.status != "bost_Close");
        OrderState {
            id: self.id().clone(),
            number: self.number(),
            status: match self.status.as_str() {
                _ if self.is_canceled() => Status::Canceled,
                "bost_Close" => Status::Closed,
                _ => Status::Open,
            },
            expected_on: open.filter_map(|line| line.ship_date).max().or(self.doc_due_date),
            lines: lines.collect(),
            concerns: Vec::new(),
        }
    }
}

#[derive(Deserialize)]
struct Problem {
    error: Said,
}

#[derive(Deserialize)]
struct Said {
    #[serde(default)]
    code: Value,
    #[serde(default)]
    message: Value,
}

fn said(response: &Response) -> Option<Said> {
    reading::json::<Problem>(response.body()).ok().map(|problem| problem.error)
}

/// Whether a 404 is about the order, and not about a wrong address.
pub(super) fn says_gone(response: &Response) -> bool {
    said(response).is_some_and(|said| said.code.to_string().trim_matches('"') == NO_MATCHING_RECORDS)
}

/// SAP's words. Source: `OData` 4.01, section 21.1 (a text), and `OData` 3.0 (an object), both of which the Service Layer speaks.
pub(super) fn refusal(response: &Response) -> Option<String> {
    let message = said(response)?.message;
    let text = message.as_str().or_else(|| message.get("value")?.as_str())?;
    Some(text.chars().filter(|c| !c.is_control()).take(MAX_WORDS_CHARS).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(more: &str) -> OrderState {
        let json =
            format!(r#"{{"DocEntry":5,"DocNum":1005,"NumAtCard":"HF-1","DocDueDate":"2026-12-01T00:00:00Z"{more}}}"#);
        serde_json::from_str::<Document>(&json).unwrap().state()
    }

    #[test]
    fn what_is_not_open_any_more_was_received() {
        let lines = r#","DocumentStatus":"bost_Open","Cancelled":"tNO","DocumentLines":[
            {"LineNum":0,"ItemCode":"A","Quantity":10.0,"RemainingOpenQuantity":4.0,"LineStatus":"bost_Open","ShipDate":"2026-12-05"},
            {"LineNum":1,"ItemCode":"B","Quantity":3.0,"RemainingOpenQuantity":0.0,"LineStatus":"bost_Close","ShipDate":"2026-12-24"},
            {"LineNum":2,"ItemCode":null,"Quantity":0.0},
            {"LineNum":3,"ItemCode":"C","Quantity":1.0}]"#;
        let state = document(lines);
        assert_eq!((state.received("A"), state.received("B"), state.received("C")), (Some(6), Some(3), None));
        assert_eq!((state.status, state.lines.len()), (Status::Open, 3));
        assert_eq!(state.expected_on, Some(jiff::civil::date(2026, 12, 5)));
        assert_eq!(document("").expected_on, Some(jiff::civil::date(2026, 12, 1)));
    }

    #[test]
    fn of_a_canceled_order_nothing_was_received() {
        let json = r#","DocumentStatus":"bost_Close","Cancelled":"tYES","DocumentLines":[{"ItemCode":"A","Quantity":10.0,"RemainingOpenQuantity":0.0}]"#;
        let state = document(json);
        assert_eq!((state.status, state.received("A")), (Status::Canceled, Some(0)));
    }

    #[test]
    fn sap_is_understood_in_both_of_its_dialects() {
        let response = |body: &str| Response::new(body.as_bytes().to_vec());
        let fourth = response(r#"{"error":{"code":"-2028","message":"No matching records found (ODBC -2028)"}}"#);
        let third =
            response(r#"{"error":{"code":-2028,"message":{"lang":"en-us","value":"No matching records found"}}}"#);
        assert!(says_gone(&fourth) && says_gone(&third));
        assert_eq!(refusal(&third).as_deref(), Some("No matching records found"));
        assert!(refusal(&fourth).unwrap().starts_with("No matching"));
        for other in ["", "<html>", "{}", r#"{"error":{}}"#, r#"{"error":{"code":[],"message":{"value":1}}}"#] {
            assert_eq!((says_gone(&response(other)), refusal(&response(other))), (false, None), "{other}");
        }
    }
}
