//! What goes over the wire to Walmart: one golden file for each kind of call.

mod scripted;

use domain::time::Timestamp;
use holdfast_channels::{CallError, Connector, OrderPage, Push, Target, walmart::Walmart};
use scripted::Scripted;

const TOKEN: &str = r#"{"access_token":"t0ken","expires_in":900}"#;

fn walmart(options: &[(&str, &str)], answers: &[&'static str]) -> (Scripted, Walmart) {
    let script = Scripted::new([&[TOKEN], answers].concat());
    let connector = Walmart::new(script.context([("client_id", "id"), ("client_secret", "s3cret")].into(), options));
    (script, connector)
}

fn mug() -> Target {
    Target { sku: "mug-1.b".parse().unwrap(), remote: [].into() }
}

fn push() -> Push {
    Push { target: mug(), quantity: 7, expected: None, key: "k".to_owned() }
}

#[tokio::test]
async fn a_push() {
    let (script, walmart) = walmart(&[], &[r#"{"sku":"mug-1.b","quantity":{"unit":"EACH","amount":7}}"#]);
    walmart.push(&[push()]).await[0].clone().unwrap();
    script.assert_golden("walmart_push");
}

#[tokio::test]
async fn a_push_to_a_ship_node_adds_what_is_reserved_there() {
    let answers = [
        r#"{"nodes":[{"shipNode":"n 1","availToSellQty":{"amount":1},"reservedQty":{"amount":3}}]}"#,
        r#"{"nodes":[{"shipNode":"n 1","status":"Success"}]}"#,
    ];
    let (script, walmart) = walmart(&[("ship_node", "n 1"), ("channel_type", "c-1")], &answers);
    walmart.push(&[push()]).await[0].clone().unwrap();
    script.assert_golden("walmart_push_to_a_ship_node");
}

#[tokio::test]
async fn a_reading() {
    let (script, walmart) = walmart(&[], &[r#"{"quantity":{"unit":"EACH","amount":7}}"#]);
    assert_eq!(walmart.read(&[mug()]).await[0].clone().unwrap().quantity, 7);
    script.assert_golden("walmart_read");
}

#[tokio::test]
async fn orders() {
    let first = r#"{"list":{"meta":{"nextCursor":"?limit=200&hasMoreElements=true&soIndex=201&poIndex=200"}}}"#;
    let (script, walmart) = walmart(&[], &[first, r#"{"list":{}}"#]);
    let since = Timestamp::from_epoch_seconds(1_795_600_000);
    let page = walmart.changed_orders(since, None).await.unwrap();
    walmart.changed_orders(since, page.cursor.as_deref()).await.unwrap();
    script.assert_golden("walmart_orders");
}

#[tokio::test]
async fn an_order() {
    let (script, walmart) = walmart(&[], &["{}"]);
    assert!(walmart.order("1796277083022/..?x").await.is_err());
    script.assert_golden("walmart_order");
}

#[tokio::test]
async fn a_404_is_nothing_found_only_if_it_says_so() {
    let gone = r#"404 {"errors":{"error":[{"code":"CONTENT_NOT_FOUND.GMP_ORDER_API","description":"none"}]}}"#;
    let lost = r#"404 {"errors":{"error":[{"code":"RESOURCE_NOT_FOUND.GMP_GATEWAY_API","description":"no path"}]}}"#;
    let node = &[("ship_node", "n1")];
    let (_, walmart) = walmart(node, &[gone, lost, gone, gone, lost, gone, r#"{"nodes":[]}"#, lost]);
    let since = Timestamp::from_epoch_seconds(1_795_600_000);
    assert_eq!(walmart.changed_orders(since, None).await, Ok(OrderPage::default()));
    assert!(matches!(walmart.changed_orders(since, None).await, Err(CallError::Refused { .. })));
    let page = walmart.changed_orders(since, Some("?nextCursor=2")).await;
    assert!(
        matches!(page, Err(CallError::Refused { .. })),
        "of a page that is gone nobody knows what was on it: {page:?}"
    );
    assert_eq!(walmart.order("1").await, Ok(None));
    assert!(matches!(walmart.order("1").await, Err(CallError::Refused { .. })));
    // Of a SKU that was never at the node nothing is reserved there; the answer to the push says what it is worth.
    assert!(matches!(walmart.push(&[push()]).await[0], Err(CallError::Unavailable { .. })));
    assert!(matches!(walmart.push(&[push()]).await[0], Err(CallError::Refused { .. })));
}
