//! Deliveries of `WooCommerce`.

use std::sync::Arc;

use channels::{CallError, Connector, Delivery, Heard, Rejected, woocommerce::WooCommerce};
use domain::sale::Stage;
use holdfast_marketplaces::woocommerce::WooCommerceFace;

use crate::shop::{Shop, short};

fn shop() -> (Arc<Shop>, WooCommerce) {
    let shop = Shop::new(WooCommerceFace::default());
    shop.market().list("tea", &[]);
    shop.market().set_quantity("tea", 5);
    shop.market().sell("1001", &[("tea", 2)], Stage::Pending).unwrap();
    let connector = WooCommerce::new(shop.context([("webhook_secret", "hush")], []));
    (shop, connector)
}

fn set(delivery: &mut Delivery, name: &str, value: Option<&str>) {
    delivery.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
    delivery.headers.extend(value.map(|value| (name.to_owned(), value.to_owned())));
}

fn ping(body: &str) -> Delivery {
    let headers = vec![("Content-Type".to_owned(), "application/x-www-form-urlencoded".to_owned())];
    Delivery { method: "POST".to_owned(), headers, body: body.as_bytes().to_vec(), ..Delivery::default() }
}

#[tokio::test]
async fn a_delivery_tells_the_order_as_it_stands() {
    let (shop, connector) = shop();
    let told = async || match connector.hear(&shop.webhook("1001")).await.unwrap() {
        Heard::Orders { orders, .. } => short(&orders[0]),
        heard => panic!("{heard:?}"),
    };
    assert_eq!(told().await, "1001: 1001001 tea=2-0 pending");
    shop.advance(1);
    shop.market().set_stage("1001", Stage::Paid);
    assert_eq!(told().await, "1001: 1001001 tea=2-0 paid");
    shop.market().cancel("1001");
    assert_eq!(told().await, "1001: 1001001 tea=2-2 paid");
}

#[tokio::test]
async fn two_orders_of_one_second_are_two_deliveries() {
    let (shop, connector) = shop();
    let name = async |delivery: &Delivery| match connector.hear(delivery).await.unwrap() {
        Heard::Orders { delivery, .. } => delivery.unwrap(),
        heard => panic!("{heard:?}"),
    };
    shop.market().sell("1002", &[("tea", 2)], Stage::Pending).unwrap();
    let (first, second) = (shop.webhook("1001"), shop.webhook("1002"));
    assert_eq!(first.header("x-wc-webhook-delivery-id"), second.header("x-wc-webhook-delivery-id"));
    assert_ne!(name(&first).await, name(&second).await);
    // A replay has the same name, whatever its headers say.
    let mut replay = first.clone();
    set(&mut replay, "X-WC-Webhook-Delivery-ID", Some("another"));
    assert_eq!(name(&replay).await, name(&first).await);
}

#[tokio::test]
async fn a_new_webhook_is_tried_with_an_unsigned_form() {
    let (_, connector) = shop();
    let heard = connector.hear(&ping("webhook_id=5")).await;
    assert_eq!(heard, Ok(Heard::Handshake { content_type: "text/plain", body: Vec::new() }));
    for body in [
        "webhook_id=",
        "webhook_id=five",
        "webhook_id=5&id=1001",
        "{\"id\":1001}",
        "",
        "webhook_id=111111111111111111111",
    ] {
        assert_eq!(connector.hear(&ping(body)).await, Err(Rejected::Unbelieved("no signature")), "{body}");
    }
}

#[tokio::test]
async fn a_delivery_is_believed_only_as_it_was_signed() {
    let (shop, connector) = shop();
    let good = shop.webhook("1001");
    let other = WooCommerce::new(shop.context([("webhook_secret", "other")], []));
    assert!(matches!(other.hear(&good).await, Err(Rejected::Unbelieved(_))));
    let nobody = WooCommerce::new(shop.context([], []));
    assert!(matches!(nobody.hear(&good).await, Err(Rejected::Unavailable(CallError::Unconfigured(_)))));
    for bit in [0, 7, good.body.len() * 8 - 1] {
        let mut flipped = good.clone();
        flipped.body[bit / 8] ^= 1 << (bit % 8);
        assert!(matches!(connector.hear(&flipped).await, Err(Rejected::Unbelieved(_))), "{bit}");
    }
    for value in [None, Some(""), Some("nonsense")] {
        let mut broken = good.clone();
        set(&mut broken, "X-WC-Webhook-Signature", value);
        assert!(matches!(connector.hear(&broken).await, Err(Rejected::Unbelieved(_))), "{value:?}");
    }
    assert!(connector.hear(&good).await.is_ok());
}

#[tokio::test]
async fn an_order_with_refunds_is_a_hint_and_a_deleted_one_too() {
    let (shop, connector) = shop();
    let mut deleted = shop.webhook("1001");
    set(&mut deleted, "X-WC-Webhook-Topic", Some("order.deleted"));
    assert!(matches!(connector.hear(&deleted).await, Ok(Heard::Hint { orders, .. }) if orders == ["1001"]));
    shop.market().orders.get_mut("1001").unwrap().lines[0].canceled = 1;
    let heard = connector.hear(&shop.webhook("1001")).await;
    assert!(matches!(heard, Ok(Heard::Hint { orders, .. }) if orders == ["1001"]));
    let mut other = shop.webhook("1001");
    set(&mut other, "X-WC-Webhook-Topic", Some("product.updated"));
    assert_eq!(connector.hear(&other).await, Ok(Heard::Nothing));
}
