//! Purchase orders and bills, as they go over the wire.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use serde_json::{json, value::RawValue};
use sha2::{Digest, Sha256};
use vendor::{CallError, Context, signature::hex};

use crate::{
    Currency, ErpOrderId, NewOrder, OrderKey, OrderLine, OrderState, Status, money,
    reading::{Id, Units, day},
};

/// Source: Intuit, `DocNumber` of transactions, "maximum of 21 chars".
const MAX_DOC_NUMBER_CHARS: usize = 21;

/// The number of an order at QuickBooks: the key, or a name made from it.
pub(super) fn doc_number(key: &OrderKey) -> String {
    if key.as_str().len() <= MAX_DOC_NUMBER_CHARS {
        return key.as_str().to_owned();
    }
    format!("HF-{}", &hex(&Sha256::digest(key.as_str()))[..18])
}

/// `requestid`: the same for the same attempt.
pub(super) fn request_id(new: &NewOrder) -> String {
    let digest = Sha256::digest(format!("purchase order {} attempt {}", new.key, new.refusals));
    hex(&digest[..16])
}

#[derive(Serialize, Deserialize)]
pub(super) struct Ref {
    pub value: String,
}

fn reference(value: &str) -> Ref {
    Ref { value: value.to_owned() }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Body<'a> {
    doc_number: String,
    txn_date: Date,
    due_date: Date,
    #[serde(rename = "APAccountRef")]
    ap_account: Ref,
    #[serde(rename = "VendorRef")]
    vendor: Ref,
    #[serde(rename = "CurrencyRef", skip_serializing_if = "Option::is_none")]
    currency: Option<Ref>,
    private_note: &'a str,
    #[serde(rename = "Line")]
    lines: Vec<BodyLine<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct BodyLine<'a> {
    amount: Box<RawValue>,
    description: &'a str,
    detail_type: &'static str,
    item_based_expense_line_detail: BodyItem,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct BodyItem {
    #[serde(rename = "ItemRef")]
    item: Ref,
    qty: u64,
    unit_price: Box<RawValue>,
}

/// What creates an order.
pub(super) fn body(new: &NewOrder, currency: Currency, context: &Context) -> Result<Vec<u8>, CallError> {
    let lines = new.lines.iter().map(|line| BodyLine {
        // `Amount` must be `Qty` times `UnitPrice` to the last digit, or QuickBooks refuses.
        amount: currency.amount(u128::from(line.quantity.units()) * u128::from(line.unit_cost_minor)),
        description: line.sku.as_str(),
        detail_type: ITEM,
        item_based_expense_line_detail: BodyItem {
            item: reference(&line.item),
            qty: line.quantity.units(),
            unit_price: currency.amount(line.unit_cost_minor.into()),
        },
    });
    let body = Body {
        doc_number: doc_number(&new.key),
        txn_date: new.order_on,
        due_date: new.expected_on,
        ap_account: reference(context.required("ap_account_id")?),
        vendor: reference(&new.supplier),
        currency: (context.option("multicurrency") == Some("true")).then(|| reference(currency.code())),
        private_note: new.key.as_str(),
        lines: lines.collect(),
    };
    Ok(money::json(&body))
}

const ITEM: &str = "ItemBasedExpenseLineDetail";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Answer {
    pub purchase_order: PurchaseOrder,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct BillAnswer {
    pub bill: Bill,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct QueryAnswer {
    pub query_response: Found,
}

#[derive(Deserialize)]
pub(super) struct Found {
    #[serde(rename = "PurchaseOrder", default)]
    pub purchase_orders: Vec<PurchaseOrder>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PurchaseOrder {
    pub id: Id,
    sync_token: String,
    doc_number: Option<String>,
    private_note: Option<String>,
    #[serde(rename = "VendorRef")]
    pub vendor: Ref,
    #[serde(rename = "POStatus")]
    status: Option<String>,
    #[serde(default, deserialize_with = "day")]
    due_date: Option<Date>,
    #[serde(rename = "Line", default)]
    lines: Vec<Line>,
    #[serde(default)]
    linked_txn: Vec<Linked>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Line {
    id: Option<String>,
    item_based_expense_line_detail: Option<Item>,
    #[serde(default)]
    linked_txn: Vec<Linked>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Item {
    #[serde(rename = "ItemRef")]
    item: Option<Ref>,
    #[serde(default)]
    qty: Units,
}

#[derive(Deserialize)]
struct Linked {
    #[serde(rename = "TxnId")]
    id: String,
    #[serde(rename = "TxnType")]
    kind: String,
    #[serde(rename = "TxnLineId")]
    line: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Bill {
    #[serde(rename = "Line", default)]
    lines: Vec<Line>,
}

impl Line {
    /// Item and units, of a line that has them.
    fn counted(&self) -> Option<(&str, u64)> {
        let detail = self.item_based_expense_line_detail.as_ref()?;
        Some((detail.item.as_ref()?.value.as_str(), detail.qty.0))
    }

    fn orders(&self) -> impl Iterator<Item = &Linked> {
        self.linked_txn.iter().filter(|linked| linked.kind == "PurchaseOrder")
    }
}

fn ids<'a>(linked: impl Iterator<Item = &'a Linked>) -> Vec<ErpOrderId> {
    let mut ids: Vec<ErpOrderId> = linked.filter_map(|linked| linked.id.parse().ok()).collect();
    ids.sort();
    ids.dedup();
    ids
}

impl PurchaseOrder {
    pub fn number(&self) -> &str {
        self.doc_number.as_deref().unwrap_or_default()
    }

    /// Whether it bears our number, or our key in its note: it may have been numbered otherwise, and people write on it.
    pub fn is_under(&self, key: &OrderKey) -> bool {
        self.number() == doc_number(key) || self.private_note.as_deref().is_some_and(|note| note.contains(key.as_str()))
    }

    pub fn is_closed(&self) -> bool {
        self.status.as_deref() == Some("Closed")
    }

    /// The bills that are linked to it, once each.
    pub fn bills(&self) -> Vec<ErpOrderId> {
        ids(self.linked_txn.iter().filter(|linked| linked.kind == "Bill"))
    }

    /// What closes it, if nobody has changed it since.
    pub fn closing(&self) -> Vec<u8> {
        let (id, token) = (self.id.0.as_str(), &self.sync_token);
        json!({ "Id": id, "SyncToken": token, "sparse": true, "POStatus": "Closed" }).to_string().into_bytes()
    }

    /// It, and what its bills say was received.
    pub fn state(&self, bills: &[Bill]) -> OrderState {
        let lines: Vec<(Option<&str>, &str, u64)> = self
            .lines
            .iter()
            .filter_map(|line| line.counted().map(|(item, units)| (line.id.as_deref(), item, units)))
            .collect();
        let mut received = vec![0_u64; lines.len()];
        for (line_id, item, units) in bills.iter().flat_map(|bill| self.billed(bill)) {
            let by_line = lines.iter().position(|(id, _, _)| line_id.is_some() && *id == line_id);
            let by_item = || lines.iter().position(|(_, known, _)| *known == item);
            if let Some(place) = by_line.or_else(by_item) {
                received[place] = received[place].saturating_add(units);
            }
        }
        let shown = lines.iter().zip(received).map(|((_, item, quantity), received)| OrderLine {
            item: (*item).to_owned(),
            quantity: *quantity,
            received: Some(received),
        });
        OrderState {
            id: self.id.0.clone(),
            number: self.number().to_owned(),
            status: if self.is_closed() { Status::Closed } else { Status::Open },
            expected_on: self.due_date,
            lines: shown.collect(),
            concerns: Vec::new(),
        }
    }

    /// What a bill bills of this order: the line of the order where it says, the item, the units. A bill none of whose lines names any
    /// order is for this one as a whole.
    fn billed<'a>(&'a self, bill: &'a Bill) -> impl Iterator<Item = (Option<&'a str>, &'a str, u64)> {
        let names_orders = bill.lines.iter().any(|line| line.orders().next().is_some());
        bill.lines.iter().filter_map(move |line| {
            let (item, units) = line.counted()?;
            match line.orders().find(|linked| linked.id == self.id.0.as_str()) {
                Some(linked) => Some((linked.line.as_deref(), item, units)),
                None if names_orders => None,
                None => Some((None, item, units)),
            }
        })
    }
}

#[cfg(test)]
#[path = "order/tests.rs"]
mod tests;
