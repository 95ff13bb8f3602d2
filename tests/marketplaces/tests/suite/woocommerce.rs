//! `WooCommerce`: quantities and orders.

use std::{collections::BTreeSet, sync::Arc};

use channels::{Accepted, CallError, Connector, Shown, Target, woocommerce::WooCommerce};
use domain::sale::Stage;
use holdfast_marketplaces::woocommerce::WooCommerceFace;

use crate::shop::{START, Shop, golden, json, pull, push, refused, short, target};

const KEYS: [(&str, &str); 2] = [("consumer_key", "ck_1"), ("consumer_secret", "cs_1")];

const LISTINGS: [(&str, &[(&str, &str)]); 4] = [
    ("tea", &[("product_id", "11")]),
    ("coffee", &[("product_id", "12")]),
    ("mug-red", &[("product_id", "20"), ("variation_id", "21")]),
    ("mug-blue", &[("product_id", "20"), ("variation_id", "22")]),
];

fn with(face: WooCommerceFace) -> (Arc<Shop>, WooCommerce) {
    let shop = Shop::new(face);
    for (sku, remote) in LISTINGS {
        shop.market().list(sku, remote);
        shop.market().set_quantity(sku, 5);
    }
    shop.market().pushes.clear();
    let connector = WooCommerce::new(shop.context(KEYS, [("url", "https://teashop.example")]));
    (shop, connector)
}

fn shop() -> (Arc<Shop>, WooCommerce) {
    with(WooCommerceFace::default())
}

fn listing(sku: &str) -> Target {
    let (_, remote) = LISTINGS.iter().find(|(known, _)| *known == sku).unwrap();
    target(sku, remote)
}

fn pushed(shop: &Shop) -> Vec<String> {
    shop.market().pushes.iter().map(|(_, sku, quantity)| format!("{sku}={quantity}")).collect()
}

#[tokio::test]
async fn one_listing_is_put_and_many_are_a_batch() {
    let (shop, connector) = shop();
    assert_eq!(connector.push(&[push(listing("tea"), 3, None)]).await, [Ok(Accepted::Applied)]);
    assert_eq!(connector.push(&[push(listing("mug-red"), 3, None)]).await, [Ok(Accepted::Applied)]);
    let many = ["mug-red", "tea", "mug-blue", "coffee"].map(|sku| push(listing(sku), 0, None));
    assert_eq!(connector.push(&many).await, [const { Ok(Accepted::Applied) }; 4]);
    let mut pushed = pushed(&shop);
    assert_eq!(pushed[..2], ["tea=3", "mug-red=3"]);
    pushed[2..].sort_unstable();
    assert_eq!(pushed[2..], ["coffee=0", "mug-blue=0", "mug-red=0", "tea=0"]);
    golden("woocommerce_push", &shop.sent());
}

#[tokio::test]
async fn what_is_shown_can_be_read_back() {
    let (shop, connector) = shop();
    let strays =
        [target("tea", &[]), target("milk", &[("product_id", "99")]), target("tea", &[("product_id", "1/../2")])];
    let targets = [vec![listing("mug-red"), listing("tea"), listing("coffee")], strays.to_vec()].concat();
    shop.market().set_quantity("coffee", 0);
    let shown = |quantity| Ok(Shown { quantity });
    let no_id = || Err(refused("the listing has no product_id, or a variation_id that is none"));
    let none = Err(refused("the shop has no such listing"));
    assert_eq!(connector.read(&targets).await, [shown(5), shown(5), shown(0), no_id(), none, no_id()]);
    golden("woocommerce_read", &shop.sent());
}

#[tokio::test]
async fn a_shop_that_does_not_manage_a_stock_has_no_number_of_it() {
    let (shop, connector) = shop();
    for (stock, shown) in [
        (r#""manage_stock":true,"stock_quantity":-3"#, Ok(Shown { quantity: 0 })),
        (r#""manage_stock":true,"stock_quantity":2.5"#, Ok(Shown { quantity: 2 })),
        (r#""manage_stock":true,"stock_quantity":null"#, Err(refused("the shop shows no quantity"))),
        (
            r#""manage_stock":"parent","stock_quantity":9"#,
            Err(refused("the stock of the variation is managed by its product")),
        ),
        (
            r#""manage_stock":false,"stock_quantity":null"#,
            Err(refused("the shop does not manage the stock of this listing, and sells it without end")),
        ),
    ] {
        shop.script([json(200, &format!(r#"[{{"id":11,{stock}}}]"#))]);
        assert_eq!(connector.read(&[listing("tea")]).await, [shown], "{stock}");
    }
}

#[tokio::test]
async fn one_refused_listing_of_a_batch_is_refused_alone() {
    let (shop, connector) = shop();
    shop.market().faults.rejected = BTreeSet::from(["coffee".to_owned()]);
    let milk = target("milk", &[("product_id", "99")]);
    let results =
        connector.push(&[push(listing("coffee"), 1, None), push(listing("tea"), 1, None), push(milk, 1, None)]).await;
    assert_eq!(
        results,
        [
            Err(refused("woocommerce_rest_invalid_stock: A plugin of the shop says no.")),
            Ok(Accepted::Applied),
            Err(refused("woocommerce_rest_product_invalid_id: Invalid ID.")),
        ]
    );
    let single = connector.push(&[push(listing("coffee"), 1, None)]).await;
    assert_eq!(single, [Err(refused("woocommerce_rest_invalid_stock: A plugin of the shop says no."))]);
}

#[tokio::test]
async fn accepted_is_not_applied_if_the_shop_shows_another_number() {
    let (shop, connector) = shop();
    shop.market().faults.swallows = true;
    let results = connector.push(&[push(listing("tea"), 1, None), push(listing("coffee"), 2, None)]).await;
    assert_eq!(
        results,
        [Err(refused("the shop was told 1 and shows 5")), Err(refused("the shop was told 2 and shows 5"))]
    );
    // Nor if the answer is about something else.
    shop.script([json(200, r#"{"update":[{"id":12,"stock_quantity":1}]}"#)]);
    let results = connector.push(&[push(listing("tea"), 1, None), push(listing("coffee"), 1, None)]).await;
    assert!(results.iter().all(|result| matches!(result, Err(CallError::Unavailable { .. }))), "{results:?}");
}

#[tokio::test]
async fn throttling_outages_and_wrong_keys_are_told_apart() {
    let (shop, connector) = shop();
    let one = [push(listing("tea"), 1, None)];
    shop.market().faults.throttle_next = 1;
    assert_eq!(connector.push(&one).await, [Err(CallError::Throttled { retry_after_seconds: 7 })]);
    shop.market().faults.down = true;
    assert!(matches!(connector.push(&one).await[0], Err(CallError::Unavailable { .. })));
    shop.market().faults.down = false;
    shop.script([json(500, r#"{"code":"internal_server_error"}"#), json(200, "<br/>PHP Warning"), json(301, "")]);
    assert!(matches!(connector.push(&one).await[0], Err(CallError::Unavailable { .. })));
    assert!(matches!(connector.push(&one).await[0], Err(CallError::Unavailable { .. })));
    assert!(matches!(connector.push(&one).await[0], Err(CallError::Refused { .. })));
    let keys = [("consumer_key", "ck_1"), ("consumer_secret", "s3cret")];
    let other = WooCommerce::new(shop.context(keys, [("url", "https://teashop.example")]));
    let results = other.push(&one).await;
    assert!(matches!(results[0], Err(CallError::Unauthorized { .. })));
    assert!(!format!("{results:?}").contains("s3cret"));
    let nobody = WooCommerce::new(shop.context([], [("url", "https://teashop.example")]));
    assert!(matches!(nobody.push(&one).await[0], Err(CallError::Unconfigured(_))));
}

#[tokio::test]
async fn keys_are_sent_over_tls_or_not_at_all() {
    let (shop, _) = shop();
    for url in ["http://teashop.example", "http://127.0.0.1.example", "teashop.example", ""] {
        let connector = WooCommerce::new(shop.context(KEYS, [("url", url)]));
        assert!(matches!(connector.push(&[push(listing("tea"), 1, None)]).await[0], Err(CallError::Refused { .. })));
        assert!(matches!(connector.changed_orders(START, None).await, Err(CallError::Refused { .. })), "{url}");
    }
    assert!(shop.sent().is_empty());
    for url in ["https://teashop.example/", "http://127.0.0.1:8080"] {
        let connector = WooCommerce::new(shop.context(KEYS, [("url", url)]));
        assert_eq!(connector.push(&[push(listing("tea"), 1, None)]).await, [Ok(Accepted::Applied)], "{url}");
    }
}

#[tokio::test]
async fn orders_come_page_by_page_each_in_its_stage() {
    let (shop, connector) = with(WooCommerceFace { page: 2, ..WooCommerceFace::default() });
    let sell = |id: &str, stage| shop.market().sell(id, &[("tea", 1), ("coffee", 1)], stage).unwrap();
    sell("1000", Stage::Paid);
    shop.advance(10);
    let since = shop.market().now;
    sell("1001", Stage::Pending);
    sell("1002", Stage::Paid);
    sell("1003", Stage::Paid);
    sell("1004", Stage::Paid);
    shop.advance(10);
    shop.market().set_stage("1003", Stage::Shipped);
    shop.market().cancel("1004");
    let (pages, orders) = pull(&connector, since).await;
    assert_eq!(pages.len(), 2);
    assert_eq!(
        orders.iter().map(short).collect::<Vec<_>>(),
        [
            "1001: 1001001 tea=1-0 pending, 1001002 coffee=1-0 pending",
            "1002: 1002001 tea=1-0 paid, 1002002 coffee=1-0 paid",
            "1003: 1003001 tea=1-0 shipped, 1003002 coffee=1-0 shipped",
            "1004: 1004001 tea=1-1 paid, 1004002 coffee=1-1 paid",
        ]
    );
    assert_eq!(orders[0].changed_at, since);
    golden("woocommerce_orders", &shop.sent());
    assert!(matches!(connector.changed_orders(since, Some("two")).await, Err(CallError::Refused { .. })));
}

#[tokio::test]
async fn a_page_without_its_headers_is_the_last_if_it_is_not_full() {
    let (shop, connector) = shop();
    let order = r#"{"id":1,"status":"processing","date_modified_gmt":"2026-11-25T10:00:00","line_items":[{"id":2,"sku":"tea","quantity":1}]}"#;
    let page = |orders: usize| json(200, &format!("[{}]", vec![order; orders].join(",")));
    shop.script([page(50), page(49)]);
    assert_eq!(connector.changed_orders(START, None).await.unwrap().cursor.as_deref(), Some("2"));
    assert_eq!(connector.changed_orders(START, Some("2")).await.unwrap().cursor, None);
}

#[tokio::test]
async fn a_partial_refund_is_asked_for_line_by_line() {
    let (shop, connector) = shop();
    shop.market().sell("1001", &[("tea", 3), ("coffee", 1)], Stage::Paid).unwrap();
    shop.market().orders.get_mut("1001").unwrap().lines[0].canceled = 2;
    let order = connector.order("1001").await.unwrap().unwrap();
    assert_eq!(short(&order), "1001: 1001001 tea=3-2 paid, 1001002 coffee=1-0 paid");
    golden("woocommerce_order", &shop.sent());
    // What was refunded before the rest was shipped still comes back.
    shop.market().set_stage("1001", Stage::Shipped);
    let (_, orders) = pull(&connector, START).await;
    assert_eq!(short(&orders[0]), "1001: 1001001 tea=3-2 paid, 1001002 coffee=1-0 shipped");
    assert_eq!(connector.order("1002").await, Ok(None));
    assert_eq!(connector.order("1001/refunds").await, Ok(None));
}

#[tokio::test]
async fn what_cannot_be_read_is_said_and_hides_nothing() {
    let (shop, connector) = shop();
    shop.market().list("green tea", &[]);
    shop.market().set_quantity("green tea", 5);
    shop.market().sell("1001", &[("green tea", 1), ("tea", 2)], Stage::Paid).unwrap();
    shop.market().sell("1002", &[("green tea", 1)], Stage::Paid).unwrap();
    let (pages, orders) = pull(&connector, START).await;
    assert_eq!(orders.iter().map(short).collect::<Vec<_>>(), ["1001: 1001002 tea=2-0 paid"]);
    assert_eq!(pages[0].unreadable.len(), 2);
    assert!(matches!(connector.order("1002").await, Err(CallError::Refused { .. })));
    // An order of another shape does not hide the others of its page.
    let page = r#"[{"id":7,"status":5},{"id":8,"status":"processing","date_modified_gmt":"2026-11-25T10:00:00",
        "line_items":[{"id":9,"sku":"tea","quantity":1}]}]"#;
    shop.script([json(200, page)]);
    let page = connector.changed_orders(START, None).await.unwrap();
    assert_eq!(page.unreadable, ["order 7: it is not of the documented shape"]);
    assert_eq!(page.orders.iter().map(short).collect::<Vec<_>>(), ["8: 9 tea=1-0 paid"]);
}
