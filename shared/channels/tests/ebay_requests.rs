//! What goes over the wire to eBay: one golden file for each kind of call.

mod scripted;

use domain::time::Timestamp;
use holdfast_channels::{Connector, Delivery, Push, Rejected, Target, ebay::Ebay};
use scripted::Scripted;

const TOKEN: &str = r#"{"access_token":"t0ken","expires_in":7200}"#;

fn ebay(answers: &[&'static str]) -> (Scripted, Ebay) {
    let script = Scripted::new([&[TOKEN], answers].concat());
    let credentials = [("client_id", "id"), ("client_secret", "s3cret"), ("refresh_token", "r&fresh")];
    let connector = Ebay::new(script.context(credentials.into(), &[]));
    (script, connector)
}

fn mug() -> Target {
    Target { sku: "mug-1.b".parse().unwrap(), remote: [("offer_id".to_owned(), "8001,8002".to_owned())].into() }
}

#[tokio::test]
async fn a_push() {
    let (script, ebay) = ebay(&[
        r#"{"responses":[{"sku":"mug-1.b","offerId":"8001","statusCode":200},{"offerId":"8002","statusCode":200}]}"#,
    ]);
    ebay.push(&[Push { target: mug(), quantity: 7, expected: None, key: "k".to_owned() }]).await[0].clone().unwrap();
    script.assert_golden("ebay_push");
}

#[tokio::test]
async fn a_reading() {
    let item = r#"{"availability":{"shipToLocationAvailability":{"quantity":9}}}"#;
    let (script, ebay) = ebay(&[item, r#"{"availableQuantity":7}"#, r#"{"availableQuantity":8}"#]);
    assert_eq!(ebay.read(&[mug()]).await[0].clone().unwrap().quantity, 7);
    script.assert_golden("ebay_read");
}

#[tokio::test]
async fn orders() {
    let (script, ebay) = ebay(&[r#"{"orders":[],"next":"https://evil.example/"}"#, r#"{"orders":[]}"#]);
    let since = Timestamp::from_epoch_seconds(1_795_600_000);
    let page = ebay.changed_orders(since, None).await.unwrap();
    ebay.changed_orders(since, page.cursor.as_deref()).await.unwrap();
    script.assert_golden("ebay_orders");
}

#[tokio::test]
async fn an_order() {
    let (script, ebay) = ebay(&["{}"]);
    assert!(ebay.order("649!26/..?x").await.is_err());
    script.assert_golden("ebay_order");
}

#[tokio::test]
async fn a_public_key() {
    let (script, ebay) = ebay(&["{}"]);
    assert!(ebay.hear(&delivery()).await.is_err());
    script.assert_golden("ebay_public_key");
}

#[tokio::test]
async fn a_key_that_does_not_exist_is_disbelief_and_one_that_is_not_answered_is_not() {
    for answer in ["400 {}", "404 {}"] {
        let (_, ebay) = ebay(&[answer]);
        assert!(matches!(ebay.hear(&delivery()).await, Err(Rejected::Unbelieved(_))), "{answer}");
    }
    for answer in ["500 {}", "429 {}", "409 {}", "{}"] {
        let (_, ebay) = ebay(&[answer]);
        assert!(matches!(ebay.hear(&delivery()).await, Err(Rejected::Unavailable(_))), "{answer}");
    }
}

/// With a signature of `{"kid":"9936261a-7d7b","signature":""}`.
fn delivery() -> Delivery {
    let header = "eyJraWQiOiI5OTM2MjYxYS03ZDdiIiwic2lnbmF0dXJlIjoiIn0=";
    let headers = vec![("X-EBAY-SIGNATURE".to_owned(), header.to_owned())];
    Delivery { method: "POST".to_owned(), headers, ..Delivery::default() }
}
