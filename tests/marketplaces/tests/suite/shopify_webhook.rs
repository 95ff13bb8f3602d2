//! Deliveries of Shopify.

use std::sync::Arc;

use channels::{CallError, Connector, Delivery, Heard, Rejected, shopify::Shopify, shopify::webhook};
use domain::sale::Stage;
use holdfast_marketplaces::shopify::ShopifyFace;

use crate::shop::{Shop, short};

fn shop() -> (Arc<Shop>, Shopify) {
    let shop = Shop::new(ShopifyFace::default());
    shop.market().list("tea", &[]);
    shop.market().set_quantity("tea", 5);
    shop.market().sell("1001", &[("tea", 2)], Stage::Pending).unwrap();
    let options = [("shop", "teashop.myshopify.com")];
    let connector = Shopify::new(shop.context([("client_id", "client"), ("client_secret", "hush")], options));
    (shop, connector)
}

fn set(delivery: &mut Delivery, name: &str, value: Option<&str>) {
    delivery.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
    delivery.headers.extend(value.map(|value| (name.to_owned(), value.to_owned())));
}

async fn told(connector: &Shopify, delivery: &Delivery) -> String {
    match connector.hear(delivery).await.unwrap() {
        Heard::Orders { orders, .. } => orders.iter().map(short).collect::<Vec<_>>().join("; "),
        heard => format!("{heard:?}"),
    }
}

#[tokio::test]
async fn a_delivery_tells_the_order_as_it_stands() {
    let (shop, connector) = shop();
    assert_eq!(told(&connector, &shop.webhook("1001")).await, "1001: 1001001 tea=2-0 pending");
    shop.advance(1);
    shop.market().set_stage("1001", Stage::Paid);
    assert_eq!(told(&connector, &shop.webhook("1001")).await, "1001: 1001001 tea=2-0 paid");
    shop.market().cancel("1001");
    assert_eq!(told(&connector, &shop.webhook("1001")).await, "1001: 1001001 tea=2-2 paid");
    assert!(shop.sent().is_empty());
}

#[tokio::test]
async fn a_webhook_and_a_pull_tell_the_same_order() {
    let (shop, connector) = shop();
    let Heard::Orders { orders, .. } = connector.hear(&shop.webhook("1001")).await.unwrap() else { panic!() };
    assert_eq!(connector.order("1001").await.unwrap().as_ref(), Some(&orders[0]));
}

#[tokio::test]
async fn a_delivery_that_comes_again_has_the_same_name() {
    let (shop, connector) = shop();
    let name = async |delivery: &Delivery| match connector.hear(delivery).await.unwrap() {
        Heard::Orders { delivery, .. } => delivery.unwrap(),
        heard => panic!("{heard:?}"),
    };
    let delivery = shop.webhook("1001");
    let first = name(&delivery).await;
    shop.advance(4 * 60 * 60);
    assert_eq!(name(&delivery).await, first);
    shop.market().set_stage("1001", Stage::Paid);
    assert_ne!(name(&shop.webhook("1001")).await, first);
}

#[tokio::test]
async fn a_delivery_is_believed_only_as_it_was_signed() {
    let (shop, connector) = shop();
    let good = shop.webhook("1001");
    let other = Shopify::new(shop.context([("webhook_secret", "other")], []));
    assert!(matches!(other.hear(&good).await, Err(Rejected::Unbelieved(_))));
    let nobody = Shopify::new(shop.context([], []));
    assert!(matches!(nobody.hear(&good).await, Err(Rejected::Unavailable(CallError::Unconfigured(_)))));
    for bit in [0, 7, good.body.len() * 8 - 1] {
        let mut flipped = good.clone();
        flipped.body[bit / 8] ^= 1 << (bit % 8);
        assert!(matches!(connector.hear(&flipped).await, Err(Rejected::Unbelieved(_))), "{bit}");
    }
    for header in ["X-Shopify-Hmac-Sha256", "X-Shopify-Triggered-At"] {
        for value in [None, Some(""), Some("nonsense")] {
            let mut broken = good.clone();
            set(&mut broken, header, value);
            assert!(matches!(connector.hear(&broken).await, Err(Rejected::Unbelieved(_))), "{header} {value:?}");
        }
    }
    let mut elsewhere = good.clone();
    set(&mut elsewhere, "X-Shopify-Shop-Domain", Some("coffeeshop.myshopify.com"));
    assert!(matches!(connector.hear(&elsewhere).await, Err(Rejected::Unbelieved(_))));
    assert!(connector.hear(&good).await.is_ok());
}

#[tokio::test]
async fn a_delivery_is_refused_once_no_retry_is_that_old() {
    let (shop, connector) = shop();
    let delivery = shop.webhook("1001");
    shop.advance(webhook::MAX_AGE_SECONDS);
    assert!(connector.hear(&delivery).await.is_ok());
    shop.advance(1);
    assert_eq!(connector.hear(&delivery).await, Err(Rejected::Unbelieved("too old")));
    // Nor one from tomorrow.
    let mut early = delivery.clone();
    set(&mut early, "X-Shopify-Triggered-At", Some("2026-12-25T10:00:00Z"));
    assert_eq!(connector.hear(&early).await, Err(Rejected::Unbelieved("not yet")));
}

#[tokio::test]
async fn an_order_that_has_to_be_read_again_is_a_hint() {
    let (shop, connector) = shop();
    shop.market().set_stage("1001", Stage::Shipped);
    assert_eq!(told(&connector, &shop.webhook("1001")).await, "1001: 1001001 tea=2-0 shipped");
    // One of two was canceled, the other shipped.
    shop.market().orders.get_mut("1001").unwrap().lines[0].canceled = 1;
    let heard = connector.hear(&shop.webhook("1001")).await.unwrap();
    assert!(matches!(heard, Heard::Hint { orders, .. } if orders == ["1001"]));
    // So is one of which nothing can be read.
    shop.market().list("green tea", &[]);
    shop.market().set_quantity("green tea", 5);
    shop.market().sell("1002", &[("green tea", 1)], Stage::Paid).unwrap();
    let heard = connector.hear(&shop.webhook("1002")).await.unwrap();
    assert!(matches!(heard, Heard::Hint { orders, .. } if orders == ["1002"]));
}

#[tokio::test]
async fn topics_that_are_not_about_orders_are_nothing() {
    let (shop, connector) = shop();
    let mut delivery = shop.webhook("1001");
    set(&mut delivery, "X-Shopify-Topic", Some("app/uninstalled"));
    assert_eq!(connector.hear(&delivery).await, Ok(Heard::Nothing));
    set(&mut delivery, "X-Shopify-Topic", None);
    assert_eq!(connector.hear(&delivery).await, Ok(Heard::Nothing));
    // Signed, and still no refund.
    set(&mut delivery, "X-Shopify-Topic", Some("refunds/create"));
    assert!(matches!(connector.hear(&delivery).await, Err(Rejected::Malformed(_))));
}
