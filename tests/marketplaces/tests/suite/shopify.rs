//! Shopify: quantities, tokens and orders.

use std::{collections::BTreeSet, sync::Arc};

use channels::{Accepted, CallError, Connector, Push, Shown, Target, shopify::Shopify};
use domain::sale::Stage;
use holdfast_marketplaces::shopify::ShopifyFace;

use crate::shop::{START, Shop, golden, json, pull, push, refused, short, target};

const SKUS: [(&str, &str); 3] = [("tea", "11"), ("coffee", "12"), ("cocoa", "13")];

fn shop() -> Arc<Shop> {
    with(ShopifyFace { token: Some("shpat_static".to_owned()), ..ShopifyFace::default() })
}

fn with(face: ShopifyFace) -> Arc<Shop> {
    let shop = Shop::new(face);
    for (sku, id) in SKUS {
        shop.market().list(sku, &[("inventory_item_id", id)]);
        shop.market().set_quantity(sku, 5);
    }
    shop.market().pushes.clear();
    shop
}

fn connector(shop: &Arc<Shop>) -> Shopify {
    let options = [("shop", "teashop.myshopify.com"), ("location_id", "7")];
    Shopify::new(shop.context([("access_token", "shpat_static"), ("webhook_secret", "hush")], options))
}

fn own_app(shop: &Arc<Shop>, secret: &str) -> Shopify {
    let options = [("shop", "teashop.myshopify.com"), ("location_id", "7")];
    Shopify::new(shop.context([("client_id", "client"), ("client_secret", secret)], options))
}

fn item(sku: &str) -> Target {
    let (_, id) = SKUS.iter().find(|(known, _)| *known == sku).unwrap();
    target(sku, &[("inventory_item_id", id)])
}

fn to(sku: &str, quantity: u64, expected: u64) -> Push {
    push(item(sku), quantity, Some(expected))
}

fn pushed(shop: &Shop) -> Vec<String> {
    shop.market().pushes.iter().map(|(_, sku, quantity)| format!("{sku}={quantity}")).collect()
}

#[tokio::test]
async fn quantities_are_set_where_the_shop_shows_what_is_expected() {
    let shop = shop();
    let connector = connector(&shop);
    assert_eq!(connector.push(&[to("tea", 3, 5)]).await, [Ok(Accepted::Applied)]);
    let many = [to("tea", 2, 3), to("coffee", 0, 5), push(item("cocoa"), 9, None)];
    assert_eq!(connector.push(&many).await, [const { Ok(Accepted::Applied) }; 3]);
    assert_eq!(pushed(&shop), ["tea=3", "tea=2", "coffee=0", "cocoa=9"]);
    golden("shopify_set_quantities", &shop.sent());
}

#[tokio::test]
async fn what_is_shown_can_be_read_back() {
    let shop = shop();
    let connector = connector(&shop);
    let other = target("milk", &[("inventory_item_id", "99")]);
    let elsewhere = target("tea", &[("inventory_item_id", "gid://shopify/InventoryItem/11"), ("location_id", "8")]);
    let read = connector.read(&[item("tea"), other, item("coffee"), elsewhere, target("tea", &[])]).await;
    let shown = |quantity| Ok(Shown { quantity });
    assert_eq!(
        read,
        [
            shown(5),
            Err(refused("the shop has no such inventory item")),
            shown(5),
            Err(refused("the item is not stocked at the location")),
            Err(refused("the listing has no inventory_item_id of Shopify")),
        ]
    );
    golden("shopify_levels", &shop.sent());
}

#[tokio::test]
async fn an_unseen_sale_makes_a_push_stale_and_changes_nothing() {
    let shop = shop();
    shop.market().sell("1001", &[("tea", 1)], Stage::Paid).unwrap();
    let results = connector(&shop).push(&[to("tea", 5, 5), to("coffee", 4, 5)]).await;
    assert_eq!(results, [Err(CallError::Stale { shown: None }), Ok(Accepted::Applied)]);
    assert_eq!(pushed(&shop), ["coffee=4"]);
}

#[tokio::test]
async fn one_refused_quantity_keeps_no_other_from_being_set() {
    let shop = shop();
    shop.market().faults.rejected = BTreeSet::from(["coffee".to_owned()]);
    let pushes = [to("tea", 1, 5), to("coffee", 1, 5), push(target("milk", &[]), 1, None), to("cocoa", 1, 5)];
    let results = connector(&shop).push(&pushes).await;
    assert_eq!(
        results,
        [
            Ok(Accepted::Applied),
            Err(refused("NON_MUTABLE_INVENTORY_ITEM NON_MUTABLE_INVENTORY_ITEM in words")),
            Err(refused("the listing has no inventory_item_id of Shopify")),
            Ok(Accepted::Applied),
        ]
    );
    assert_eq!(pushed(&shop), ["tea=1", "cocoa=1"]);
}

#[tokio::test]
async fn a_refusal_that_names_no_place_is_looked_for_by_halves() {
    let shop = shop();
    let stale = r#"{"data":{"inventorySetQuantities":{"userErrors":
        [{"code":"CHANGE_FROM_QUANTITY_STALE","field":null,"message":"stale"}]}}}"#;
    // All three, then the second half of them, then its last.
    shop.script([json(200, stale), json(200, stale), json(200, stale)]);
    let results = connector(&shop).push(&[to("tea", 1, 5), to("coffee", 1, 5), to("cocoa", 1, 5)]).await;
    assert_eq!(results, [Ok(Accepted::Applied), Ok(Accepted::Applied), Err(CallError::Stale { shown: None })]);
}

#[tokio::test]
async fn a_shop_that_never_takes_a_call_is_left_alone_after_some() {
    let shop = shop();
    let failed = r#"{"data":{"inventorySetQuantities":{"userErrors":
        [{"code":"IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED","field":null,"message":"failed"}]}}}"#;
    shop.script((0..50).map(|_| json(200, failed)));
    let results = connector(&shop).push(&[to("tea", 1, 5)]).await;
    assert!(matches!(results[0], Err(CallError::Unavailable { .. })), "{results:?}");
    assert_eq!(shop.sent().len(), 12);
}

#[tokio::test]
async fn the_same_push_is_replayed_and_a_failed_one_is_sent_under_another_key() {
    let shop = shop();
    let connector = connector(&shop);
    let first = to("tea", 3, 5);
    assert_eq!(connector.push(std::slice::from_ref(&first)).await, [Ok(Accepted::Applied)]);
    // As after a lost answer: it does not compare again.
    assert_eq!(connector.push(std::slice::from_ref(&first)).await, [Ok(Accepted::Applied)]);
    assert_eq!(pushed(&shop), ["tea=3"]);
    // Shopify remembers that this one failed; by now it fits.
    let second = to("tea", 1, 9);
    assert_eq!(connector.push(std::slice::from_ref(&second)).await, [Err(CallError::Stale { shown: None })]);
    shop.market().set_quantity("tea", 9);
    assert_eq!(connector.push(&[second]).await, [Ok(Accepted::Applied)]);
    // One key never names two calls.
    let reused = Push { quantity: 2, ..first };
    let results = connector.push(&[reused]).await;
    assert!(matches!(&results[0], Err(CallError::Refused { reason }) if reason.contains("MISMATCH")), "{results:?}");
}

#[tokio::test]
async fn a_shop_that_sold_more_than_it_had_counts_as_empty() {
    let shop = shop();
    let connector = connector(&shop);
    let stale = r#"{"data":{"inventorySetQuantities":{"userErrors":[{"code":"CHANGE_FROM_QUANTITY_STALE",
        "field":["input","quantities","0","changeFromQuantity"],"message":"stale"}]}}}"#;
    let level = |units: i64| {
        json(
            200,
            &format!(
                r#"{{"data":{{"nodes":[{{"tracked":true,"inventoryLevel":{{"quantities":[{{"quantity":{units}}}]}}}}]}}}}"#
            ),
        )
    };
    let done = r#"{"data":{"inventorySetQuantities":{"userErrors":[]}}}"#;
    shop.script([level(-2)]);
    assert_eq!(connector.read(&[item("tea")]).await, [Ok(Shown { quantity: 0 })]);
    shop.sent();
    shop.script([json(200, stale), level(-2), json(200, done)]);
    assert_eq!(connector.push(&[to("tea", 4, 0)]).await, [Ok(Accepted::Applied)]);
    let last: serde_json::Value = serde_json::from_slice(shop.sent()[2].body()).unwrap();
    assert_eq!(last["variables"]["input"]["quantities"][0]["changeFromQuantity"], -2);
    // Units that came there by themselves are no such thing.
    shop.script([json(200, stale), level(3)]);
    assert_eq!(connector.push(&[to("tea", 4, 0)]).await, [Err(CallError::Stale { shown: Some(3) })]);
}

#[tokio::test]
async fn an_item_that_is_not_tracked_is_an_error_and_no_number() {
    let shop = shop();
    shop.script([json(200, r#"{"data":{"nodes":[{"tracked":false,"inventoryLevel":null}]}}"#)]);
    let read = connector(&shop).read(&[item("tea")]).await;
    assert_eq!(read, [Err(refused("the shop does not track the inventory of this item, and sells it without end"))]);
}

#[tokio::test]
async fn throttling_says_how_long_and_stops_the_batch() {
    let shop = shop();
    let connector = connector(&shop);
    shop.market().faults.throttle_next = 1;
    // 250 points are wanted, 50 are there, 100 come each second.
    let throttled = CallError::Throttled { retry_after_seconds: 3 };
    let results = connector.push(&[to("tea", 1, 5), to("coffee", 1, 5)]).await;
    assert_eq!(results, [Err(throttled.clone()), Err(throttled.clone())]);
    assert_eq!(connector.push(&[to("tea", 1, 5)]).await, [Ok(Accepted::Applied)]);
    shop.market().faults.throttle_next = 1;
    assert_eq!(connector.changed_orders(START, None).await, Err(throttled));
}

#[tokio::test]
async fn an_outage_is_for_later() {
    let shop = shop();
    let connector = connector(&shop);
    shop.market().faults.down = true;
    let results = connector.push(&[to("tea", 1, 5)]).await;
    assert!(matches!(results[0], Err(CallError::Unavailable { .. })));
    assert!(matches!(connector.read(&[item("tea")]).await[0], Err(CallError::Unavailable { .. })));
    shop.market().faults.down = false;
    shop.script([json(502, "<html>Bad Gateway</html>"), json(200, "<html>maintenance</html>")]);
    assert!(matches!(connector.push(&[to("tea", 1, 5)]).await[0], Err(CallError::Unavailable { .. })));
    assert!(matches!(connector.push(&[to("tea", 1, 5)]).await[0], Err(CallError::Unavailable { .. })));
    assert_eq!(connector.push(&[to("tea", 1, 5)]).await, [Ok(Accepted::Applied)]);
}

#[tokio::test]
async fn a_token_is_fetched_once_a_day_and_once_more_if_it_is_refused() {
    let shop = with(ShopifyFace::default());
    let connector = own_app(&shop, "hush");
    let is_grant =
        |shop: &Shop| shop.sent().iter().filter(|one| one.uri().path() == "/admin/oauth/access_token").count();
    assert_eq!(connector.push(&[to("tea", 4, 5)]).await, [Ok(Accepted::Applied)]);
    assert_eq!(connector.push(&[to("tea", 3, 4)]).await, [Ok(Accepted::Applied)]);
    assert_eq!(is_grant(&shop), 1);
    shop.advance(86_399 - 60);
    assert_eq!(connector.push(&[to("tea", 2, 3)]).await, [Ok(Accepted::Applied)]);
    assert_eq!(is_grant(&shop), 1);
    // The merchant has rotated the app's tokens.
    shop.market().remembered.retain(|name, _| !name.starts_with("token "));
    assert_eq!(connector.push(&[to("tea", 1, 2)]).await, [Ok(Accepted::Applied)]);
    golden("shopify_token", &shop.sent()[1..2]);
}

#[tokio::test]
async fn a_wrong_secret_lets_nobody_in_and_is_not_repeated() {
    let shop = with(ShopifyFace::default());
    let results = own_app(&shop, "s3cret").push(&[to("tea", 4, 5)]).await;
    assert!(matches!(&results[0], Err(CallError::Unauthorized { .. })), "{results:?}");
    assert!(!format!("{results:?}").contains("s3cret"));
    // A token of the merchant's own is not fetched anew.
    shop.sent();
    let results = connector(&shop).push(&[to("tea", 4, 5)]).await;
    assert!(matches!(&results[0], Err(CallError::Unauthorized { .. })), "{results:?}");
    assert_eq!(shop.sent().len(), 1);
    let nothing = Shopify::new(shop.context([], [("shop", "teashop.myshopify.com"), ("location_id", "7")]));
    assert!(matches!(nothing.push(&[to("tea", 4, 5)]).await[0], Err(CallError::Unconfigured(_))));
}

#[tokio::test]
async fn secrets_go_to_the_shop_over_tls_and_nowhere_else() {
    let shop = shop();
    for name in ["teashop.myshopify.com.evil.example", "evil.example/.myshopify.com", ".myshopify.com", ""] {
        let connector = Shopify::new(shop.context([("access_token", "t")], [("shop", name), ("location_id", "7")]));
        assert!(matches!(connector.push(&[to("tea", 4, 5)]).await[0], Err(CallError::Refused { .. })), "{name}");
    }
    let mut context = shop.context([("access_token", "t")], [("location_id", "7")]);
    context.endpoint = Some("http://teashop.example".to_owned());
    assert!(matches!(Shopify::new(context).push(&[to("tea", 4, 5)]).await[0], Err(CallError::Refused { .. })));
    assert!(shop.sent().is_empty());
}

#[tokio::test]
async fn orders_come_page_by_page_each_in_its_stage() {
    let shop = with(ShopifyFace { token: Some("shpat_static".to_owned()), page: 2, ..ShopifyFace::default() });
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
    let (pages, orders) = pull(&connector(&shop), since).await;
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
    golden("shopify_orders", &shop.sent());
}

#[tokio::test]
async fn part_of_an_order_is_canceled_before_and_after_the_rest_is_shipped() {
    let shop = shop();
    let connector = connector(&shop);
    shop.market().sell("1001", &[("tea", 3)], Stage::Paid).unwrap();
    shop.market().orders.get_mut("1001").unwrap().lines[0].canceled = 1;
    let order = connector.order("1001").await.unwrap().unwrap();
    assert_eq!(short(&order), "1001: 1001001 tea=3-1 paid");
    shop.sent();
    // Two were shipped: the page does not say so, so the order is read again.
    shop.market().set_stage("1001", Stage::Shipped);
    let (_, orders) = pull(&connector, START).await;
    assert_eq!(short(&orders[0]), "1001: 1001001 tea=3-1 paid");
    let sent = shop.sent();
    assert_eq!(sent.len(), 2);
    golden("shopify_order", &sent[1..]);
}

#[tokio::test]
async fn an_order_of_many_lines_is_read_to_its_end() {
    let shop = shop();
    shop.market().set_quantity("tea", 200);
    let lines = vec![("tea", 1); 120];
    shop.market().sell("1001", &lines, Stage::Paid).unwrap();
    let (_, orders) = pull(&connector(&shop), START).await;
    assert_eq!(orders[0].lines.len(), 120);
    assert_eq!(orders[0].lines[119].line.as_str(), "1001120");
}

#[tokio::test]
async fn what_cannot_be_read_is_said_and_hides_nothing() {
    let shop = shop();
    let connector = connector(&shop);
    shop.market().list("green tea", &[]);
    shop.market().set_quantity("green tea", 5);
    shop.market().sell("1001", &[("green tea", 1), ("tea", 2)], Stage::Paid).unwrap();
    shop.market().sell("1002", &[("green tea", 1)], Stage::Paid).unwrap();
    let (pages, orders) = pull(&connector, START).await;
    assert_eq!(orders.iter().map(short).collect::<Vec<_>>(), ["1001: 1001002 tea=2-0 paid"]);
    assert_eq!(pages[0].unreadable.len(), 2);
    assert!(pages[0].unreadable[1].starts_with(r#"order 1002: line 1002001: the SKU "green tea""#));
    assert!(matches!(connector.order("1002").await, Err(CallError::Refused { .. })));
    assert_eq!(connector.order("1003").await, Ok(None));
    assert_eq!(connector.order("../1001").await, Ok(None));
}
