//! Webhooks.

use serde::Deserialize;
use vendor::{Delivery, Rejected, reading, signature::is_hmac_sha256_base64};

use crate::{ErpOrderId, Heard};

#[derive(Deserialize)]
struct Event {
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    intuitentityid: String,
    #[serde(default)]
    intuitaccountid: String,
}

/// Whether Intuit has signed these bytes.
pub(super) fn check(delivery: &Delivery, verifier: &str) -> Result<(), Rejected> {
    let signature = delivery.header("intuit-signature").ok_or(Rejected::Unbelieved("it is not signed"))?;
    if is_hmac_sha256_base64(verifier, &delivery.body, signature) {
        Ok(())
    } else {
        Err(Rejected::Unbelieved("the signature is another"))
    }
}

/// The orders and bills of this company that it names, once each.
pub(super) fn parse(body: &[u8], realm: &str) -> Result<Heard, Rejected> {
    let events: Vec<Event> = reading::json(body).map_err(Rejected::Malformed)?;
    let mut heard = Heard::default();
    for event in events.iter().filter(|event| event.intuitaccountid == realm) {
        let mut words = event.kind.split('.');
        let named: &mut Vec<ErpOrderId> = match (words.next(), words.next()) {
            (Some("qbo"), Some("purchaseorder")) => &mut heard.orders,
            (Some("qbo"), Some("bill")) => &mut heard.bills,
            _ => continue,
        };
        let id =
            event.intuitentityid.parse().map_err(|error| Rejected::Malformed(format!("an entity's id {error}")))?;
        if !named.contains(&id) {
            named.push(id);
        }
    }
    Ok(heard)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(kind: &str, id: &str, realm: &str) -> String {
        format!(
            r#"{{"specversion":"1.0","id":"e","source":"intuit.x","type":"{kind}","time":"2025-09-10T21:31:25.179851517Z","intuitentityid":"{id}","intuitaccountid":"{realm}","data":{{}}}}"#
        )
    }

    #[test]
    fn orders_and_bills_of_this_company_are_heard_once_each() {
        let events = [
            event("qbo.purchaseorder.created.v1", "145", "310687"),
            event("qbo.purchaseorder.updated.v1", "145", "310687"),
            event("qbo.bill.created.v1", "17", "310687"),
            event("qbo.billpayment.created.v1", "18", "310687"),
            event("qbo.invoice.created.v1", "19", "310687"),
            event("qbo.purchaseorder.updated.v1", "7", "999"),
        ];
        let heard = parse(format!("[{}]", events.join(",")).as_bytes(), "310687").unwrap();
        assert_eq!(heard.orders.iter().map(ErpOrderId::as_str).collect::<Vec<_>>(), ["145"]);
        assert_eq!(heard.bills.iter().map(ErpOrderId::as_str).collect::<Vec<_>>(), ["17"]);
    }

    #[test]
    fn what_is_not_an_array_of_events_is_malformed() {
        let bad_id = format!("[{}]", event("qbo.bill.created.v1", "../1", "1"));
        for wrong in ["", "{}", "[1]", bad_id.as_str()] {
            assert!(matches!(parse(wrong.as_bytes(), "1"), Err(Rejected::Malformed(_))), "{wrong}");
        }
        assert_eq!(parse(b"[]", "1"), Ok(Heard::default()));
    }
}
