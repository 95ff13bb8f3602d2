//! Receives units, each receipt once.
//!
//! A receipt is `POST /v1/stock/{sku}/movements`; a SKU that the service does not know is created first. An existing SKU's
//! settings are never touched, which is why the receipt is tried before the SKU is created.
//!
//! **A receipt is made once.** Its Idempotency-Key derives from the name of the delivery, the channel, what the receipt says,
//! and how many receipts before it say the same; not from its line number, nor from its neighbours. Somebody who mends a bad
//! row and imports the file again therefore receives that row and nothing else.

use std::collections::HashMap;

use domain::{
    ids::{Channel, Fingerprint, Reason, Sku},
    quantity::Quantity,
};
use reqwest::Method;
use serde::Serialize;
use serde_json::json;

use super::{
    answer::NotDone,
    client::{Call, Client},
    progress,
    rows::Rejected,
};

/// Units of one SKU that came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// Line of the file; 0 if it was worked out rather than read.
    pub line: u64,
    pub sku: Sku,
    pub quantity: Quantity,
    pub reason: Reason,
}

/// What receiving came to.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub struct Intake {
    pub received: u64,
    pub units: u64,
    /// Rows that an earlier import had received.
    pub received_before: u64,
    /// Good rows that the service did not take.
    pub failed: Vec<Rejected>,
    pub not_tried: u64,
}

impl Intake {
    pub fn is_complete(&self) -> bool {
        self.failed.is_empty() && self.not_tried == 0
    }
}

/// What receipts have in common.
#[derive(Debug, Clone, Copy)]
pub struct Shipment<'a> {
    pub delivery: &'a str,
    pub channel: &'a Channel,
}

/// Receives `receipts`, each of them once however often this is done.
pub async fn receive(
    client: &Client,
    receipts: Vec<Receipt>,
    shipment: &Shipment<'_>,
    at_once: usize,
    quiet: bool,
) -> Intake {
    let total = receipts.len();
    let bar = progress(total, "receiving", quiet);
    let done = super::each(keyed(receipts, shipment), at_once, &bar, async |(receipt, key)| {
        let done = receive_one(client, &receipt, shipment.channel, &key).await;
        (receipt, done)
    })
    .await;
    let mut intake = Intake { not_tried: (total - done.len()) as u64, ..Intake::default() };
    for (receipt, done) in done {
        match done {
            Ok(true) => intake.received_before += 1,
            Ok(false) => {
                intake.received += 1;
                intake.units += receipt.quantity.units();
            }
            Err(error) => intake.failed.push(Rejected { line: receipt.line, reason: error.sentence() }),
        }
    }
    intake.failed.sort_by_key(|row| row.line);
    intake
}

/// Each receipt with its Idempotency-Key.
fn keyed(receipts: Vec<Receipt>, shipment: &Shipment<'_>) -> Vec<(Receipt, String)> {
    let mut seen: HashMap<(Sku, Quantity, Reason), u64> = HashMap::new();
    let keyed = receipts.into_iter().map(|receipt| {
        let same = seen.entry((receipt.sku.clone(), receipt.quantity, receipt.reason.clone())).or_default();
        let (quantity, nth) = (receipt.quantity.to_string(), same.to_string());
        *same += 1;
        let (sku, reason) = (receipt.sku.as_str(), receipt.reason.as_str());
        let parts = [shipment.delivery, shipment.channel.as_str(), sku, quantity.as_str(), reason, nth.as_str()];
        let key = format!("import/{}", Fingerprint::of("import", &parts));
        (receipt, key)
    });
    keyed.collect()
}

/// Receives one row, and answers whether it had been received before.
async fn receive_one(client: &Client, receipt: &Receipt, channel: &Channel, key: &str) -> Result<bool, NotDone> {
    let sku = receipt.sku.as_str();
    let path = ["stock", sku, "movements"];
    let movement = || Call {
        name: "receive",
        method: Method::POST,
        path: &path,
        channel: Some(channel),
        key: Some(key.to_owned()),
        body: Some(json!({
            "kind": "receive", "quantity": receipt.quantity.units(), "reason": receipt.reason.as_str(),
        })),
    };
    match client.call(movement()).await {
        Err(refused) if refused.is("unknown-sku") => {
            let (path, body) = (&["stock", sku], Some(json!({})));
            let create = Call { name: "create", method: Method::PUT, path, channel: Some(channel), key: None, body };
            client.call(create).await?;
            client.call(movement()).await
        }
        done => done,
    }
    .map(|answer| answer.replayed)
}

#[cfg(test)]
mod tests {
    use super::{super::fake::Fake, *};

    const ROWS: [(&str, u64, &str); 3] = [("milk", 5, "x"), ("bread", 2, "x"), ("milk", 5, "x")];

    async fn take(fake: &Fake, rows: &[(&str, u64, &str)], delivery: &str) -> Intake {
        let receipts = rows.iter().zip(2..).map(|(&(sku, quantity, reason), line)| Receipt {
            line,
            sku: sku.parse().unwrap(),
            quantity: Quantity::new(quantity).unwrap(),
            reason: reason.parse().unwrap(),
        });
        let shipment = Shipment { delivery, channel: &Channel::own() };
        receive(&Client::hasty(&fake.url).await, receipts.collect(), &shipment, 1, true).await
    }

    #[tokio::test]
    async fn the_same_again_changes_nothing_and_a_mended_row_is_received_alone() {
        let fake = Fake::start().await;
        let first = take(&fake, &ROWS, "monday").await;
        assert_eq!(first, Intake { received: 3, units: 12, ..Intake::default() });
        assert_eq!((fake.available("milk"), fake.available("bread")), (10, 2));

        let again = take(&fake, &ROWS, "monday").await;
        assert_eq!(again, Intake { received_before: 3, ..Intake::default() });

        let mended = [("bread", 2, "x"), ("milk", 7, "x"), ("milk", 5, "x"), ("milk", 5, "x"), ("milk", 5, "y")];
        let third = take(&fake, &mended, "monday").await;
        assert_eq!((third.received, third.units, third.received_before), (2, 12, 3));

        assert_eq!(take(&fake, &ROWS, "tuesday").await.units, 12);
        assert_eq!((fake.available("milk"), fake.available("bread")), (32, 4));
    }

    #[tokio::test]
    async fn settings_of_a_sku_that_is_known_are_left_alone() {
        let fake = Fake::start().await;
        fake.stock("milk", 1);
        take(&fake, &ROWS, "monday").await;
        assert_eq!(fake.created(), ["bread"]);
    }

    #[tokio::test]
    async fn a_receipt_that_fails_does_not_stop_the_others() {
        let fake = Fake::start().await;
        fake.fail_next(3);
        let intake = take(&fake, &ROWS, "monday").await;
        assert_eq!((intake.received, intake.failed.len(), intake.failed[0].line), (2, 1, 2));
        assert!(!intake.is_complete());
    }
}
