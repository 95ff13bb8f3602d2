//! Walmart.

use channels::{
    Accepted, CallError, Connector, Delivery, Heard, QuantityMeaning, Rejected, Shown, Target, walmart::Walmart,
};
use domain::sale::Stage;
use holdfast_marketplaces::{
    face::Face,
    tokens,
    walmart::{SHIP_NODE, SIGNATURE_HEADER, WalmartFace, signed},
};

use crate::shared::{OPENING, Shared, push, target};

const URL: &str = "https://shop.example/hooks/walmart";

fn shop_with(face: WalmartFace, options: &[(&str, &str)]) -> (Shared, Walmart) {
    let shared = Shared::open();
    shared.market().list("mug", &[]);
    shared.market().list("cup", &[]);
    let options = [&[("signature_header", SIGNATURE_HEADER)], options].concat();
    let connector = Walmart::new(shared.context(face, WalmartFace::credentials(), &options));
    (shared, connector)
}

fn shop() -> (Shared, Walmart) {
    shop_with(WalmartFace::default(), &[])
}

fn node() -> (Shared, Walmart) {
    shop_with(WalmartFace::default(), &[("ship_node", SHIP_NODE)])
}

fn mug() -> Target {
    target("mug", &[])
}

fn cup() -> Target {
    target("cup", &[])
}

fn reason<T>(outcome: &Result<T, CallError>) -> &str {
    match outcome {
        Err(CallError::Refused { reason } | CallError::Unauthorized { reason }) => reason,
        _ => "",
    }
}

#[tokio::test]
async fn a_quantity_is_set_and_read_back() {
    let (shared, walmart) = shop();
    assert_eq!(walmart.abilities().quantity, QuantityMeaning::Net);
    assert_eq!(walmart.push(&[push(mug(), 7), push(cup(), 0)]).await, [Ok(Accepted::ForLater), Ok(Accepted::ForLater)]);
    assert_eq!(walmart.read(&[mug(), cup()]).await, [Ok(Shown { quantity: 7 }), Ok(Shown { quantity: 0 })]);
    assert_eq!(shared.market().pushes.len(), 2);
}

#[tokio::test]
async fn what_is_sold_and_not_shipped_is_not_subtracted_twice_at_a_ship_node() {
    let (shared, walmart) = node();
    assert_eq!(walmart.abilities().quantity, QuantityMeaning::Gross);
    assert_eq!(walmart.push(&[push(mug(), 10)]).await, [Ok(Accepted::ForLater)]);
    shared.market().sell("1", &[("mug", 3)], Stage::Paid).unwrap();
    // Seven are left; another channel sells one of them.
    assert_eq!(walmart.push(&[push(mug(), 6)]).await, [Ok(Accepted::ForLater)]);
    assert_eq!(walmart.read(&[mug()]).await, [Ok(Shown { quantity: 6 })]);
    shared.market().set_stage("1", Stage::Shipped);
    assert_eq!(walmart.push(&[push(mug(), 6)]).await, [Ok(Accepted::ForLater)]);
    assert_eq!(walmart.read(&[mug()]).await, [Ok(Shown { quantity: 6 })]);
    shared.sent();
    walmart.push(&[push(mug(), 0)]).await[0].clone().unwrap();
    assert_eq!(shared.sent(), ["GET /v3/inventories/mug", "PUT /v3/inventories/mug"]);
}

#[tokio::test]
async fn one_rejected_sku_stays_alone() {
    for (shared, walmart) in [shop(), node()] {
        shared.market().faults.rejected.insert("mug".to_owned());
        let outcomes = walmart.push(&[push(mug(), 3), push(cup(), 4), push(target("new", &[]), 5)]).await;
        assert!(reason(&outcomes[0]).contains("cannot be updated"), "{outcomes:?}");
        assert_eq!(outcomes[1], Ok(Accepted::ForLater));
        assert!(reason(&outcomes[2]).contains("cannot be updated"), "{outcomes:?}");
        assert!(matches!(&walmart.read(&[target("new", &[])]).await[0], Err(CallError::Refused { .. })));
    }
}

#[tokio::test]
async fn throttled_until_the_bucket_is_full_again_and_the_rest_is_not_asked() {
    for (replenished_at, seconds) in
        [(OPENING.plus_seconds(17), 17), (OPENING, 1), (OPENING.plus_seconds(99_999), 3_600)]
    {
        let (shared, walmart) = shop_with(WalmartFace { replenished_at }, &[]);
        walmart.push(&[push(mug(), 1)]).await[0].clone().unwrap();
        shared.sent();
        shared.market().faults.throttle_next = 1;
        let throttled = Err(CallError::Throttled { retry_after_seconds: seconds });
        assert_eq!(walmart.push(&[push(mug(), 2), push(cup(), 2)]).await, [throttled.clone(), throttled]);
        assert_eq!(shared.sent().len(), 1);
    }
}

#[tokio::test]
async fn an_outage_is_an_error_and_no_number() {
    for (shared, walmart) in [shop(), node()] {
        shared.market().faults.down = true;
        assert!(matches!(walmart.push(&[push(mug(), 1)]).await[0], Err(CallError::Unavailable { .. })));
        assert!(matches!(walmart.read(&[mug()]).await[0], Err(CallError::Unavailable { .. })));
        assert!(matches!(walmart.changed_orders(OPENING, None).await, Err(CallError::Unavailable { .. })));
        assert!(matches!(walmart.order("1").await, Err(CallError::Unavailable { .. })));
    }
}

#[tokio::test]
async fn a_token_lasts_a_quarter_of_an_hour_and_one_that_is_not_taken_is_fetched_anew_once() {
    let (shared, walmart) = shop();
    let (token, get) = ("POST /v3/token", "GET /v3/inventory");
    walmart.read(&[mug(), mug()]).await[0].clone().unwrap();
    assert_eq!(shared.sent(), [token, get, get]);
    shared.advance(839);
    walmart.read(&[mug()]).await[0].clone().unwrap();
    assert_eq!(shared.sent(), [get]);
    shared.advance(1);
    walmart.read(&[mug()]).await[0].clone().unwrap();
    assert_eq!(shared.sent(), [token, get]);
    tokens::revoke_all(&mut shared.market());
    walmart.read(&[mug()]).await[0].clone().unwrap();
    assert_eq!(shared.sent(), [get, token, get]);
}

#[tokio::test]
async fn a_wrong_secret_is_told_and_not_repeated() {
    let shared = Shared::open();
    let credentials = [("client_id", "client-id"), ("client_secret", "s3cret")];
    let walmart = Walmart::new(shared.context(WalmartFace::default(), credentials.into(), &[]));
    let outcome = &walmart.push(&[push(mug(), 1)]).await[0];
    assert!(matches!(outcome, Err(CallError::Unauthorized { .. })), "{outcome:?}");
    assert!(!format!("{outcome:?}").contains("s3cret"));
    let walmart = Walmart::new(shared.context(WalmartFace::default(), [].into(), &[]));
    assert!(matches!(walmart.order("1").await, Err(CallError::Unconfigured(_))));
}

#[tokio::test]
async fn orders_come_page_by_page_from_the_watermark_each_in_its_stage() {
    let (shared, walmart) = shop();
    walmart.push(&[push(mug(), 1_000), push(cup(), 10)]).await[0].clone().unwrap();
    assert_eq!(walmart.changed_orders(OPENING, None).await, Ok(channels::OrderPage::default()));
    {
        let mut market = shared.market();
        market.sell("old", &[("mug", 1)], Stage::Paid).unwrap();
        market.advance(OPENING.plus_seconds(60));
        for n in 0..200 {
            market.sell(&format!("17-{n:03}"), &[("mug", 2)], Stage::Pending).unwrap();
        }
        market.sell("17-200", &[("mug", 3)], Stage::Paid).unwrap();
        market.sell("17-201", &[("mug", 4)], Stage::Paid).unwrap();
        market.set_stage("17-201", Stage::Shipped);
        market.sell("17-202", &[("mug", 5), ("cup", 2)], Stage::Paid).unwrap();
        market.orders.get_mut("17-202").unwrap().lines[0].canceled = 2;
    }
    let since = OPENING.plus_seconds(60);
    let first = walmart.changed_orders(since, None).await.unwrap();
    assert_eq!(first.orders.len(), 200);
    assert!(first.orders.iter().all(|order| order.lines[0].stage == Stage::Paid && order.changed_at == since));
    let second = walmart.changed_orders(since, first.cursor.as_deref()).await.unwrap();
    let seen = |order: usize, line: usize| {
        let order = &second.orders[order];
        let line = &order.lines[line];
        (order.order.as_str(), line.sku.as_str(), line.quantity.units(), line.canceled, line.stage)
    };
    assert_eq!(seen(0, 0), ("17-200", "mug", 3, 0, Stage::Paid));
    assert_eq!(seen(1, 0), ("17-201", "mug", 4, 0, Stage::Shipped));
    assert_eq!(seen(2, 0), ("17-202", "mug", 5, 2, Stage::Paid));
    assert_eq!(seen(2, 1), ("17-202", "cup", 2, 0, Stage::Paid));
    assert_eq!((second.orders.len(), second.cursor, second.unreadable.len()), (3, None, 0));
    shared.sent();
    let elsewhere = walmart.changed_orders(since, Some("@evil.example/")).await;
    assert!(matches!(elsewhere, Err(CallError::Refused { .. })));
    assert_eq!(shared.sent(), [""; 0]);
}

#[tokio::test]
async fn an_order_of_last_month_that_is_canceled_today_is_told() {
    let (shared, walmart) = shop();
    walmart.push(&[push(mug(), 9)]).await[0].clone().unwrap();
    shared.market().sell("17-1", &[("mug", 1)], Stage::Paid).unwrap();
    shared.advance(30 * 86_400);
    shared.market().cancel("17-1");
    let page = walmart.changed_orders(OPENING.plus_seconds(1), None).await.unwrap();
    assert!(page.orders[0].lines[0].is_canceled());
}

#[tokio::test]
async fn an_order_is_fetched_by_its_id_and_a_sku_that_is_none_is_told() {
    let (shared, walmart) = shop();
    shared.market().list("two words", &[]);
    for sku in ["mug", "two words"] {
        shared.market().set_quantity(sku, 9).unwrap();
    }
    shared.market().sell("17-1", &[("mug", 1)], Stage::Pending).unwrap();
    shared.market().sell("17-2", &[("mug", 1), ("two words", 1)], Stage::Paid).unwrap();
    let order = walmart.order("17-1").await.unwrap().unwrap();
    assert_eq!((order.order.as_str(), order.lines[0].line.as_str()), ("17-1", "1"));
    assert_eq!(walmart.order("none").await, Ok(None));
    assert_eq!(walmart.order("..").await, Ok(None));
    assert!(reason(&walmart.order("17-2").await).contains("line 2: its SKU"));
    let page = walmart.changed_orders(OPENING, None).await.unwrap();
    assert_eq!((page.orders.len(), page.unreadable.len()), (2, 1));
}

#[tokio::test]
async fn a_notification_is_a_hint_when_an_order_is_made_and_when_a_line_is_canceled() {
    let (shared, walmart) = shop();
    let face = WalmartFace::default();
    shared.market().set_quantity("mug", 9).unwrap();
    shared.market().sell("17-1", &[("mug", 2)], Stage::Paid).unwrap();
    let created = face.webhook(&shared.market(), "17-1", URL).unwrap();
    shared.advance(5);
    shared.market().cancel("17-1");
    let canceled = face.webhook(&shared.market(), "17-1", URL).unwrap();
    let hint = |delivery: String| Ok(Heard::Hint { orders: vec!["17-1".to_owned()], delivery: Some(delivery) });
    assert_eq!(walmart.hear(&created).await, hint(format!("PO_CREATED-17-1-{OPENING}")));
    let later = OPENING.plus_seconds(5);
    assert_eq!(walmart.hear(&canceled).await, hint(format!("PO_LINE_AUTOCANCELLED-17-1-{later}")));
}

#[tokio::test]
async fn a_notification_that_is_not_walmarts_is_not_believed() {
    let (shared, walmart) = shop();
    shared.market().set_quantity("mug", 9).unwrap();
    shared.market().sell("17-1", &[("mug", 2)], Stage::Paid).unwrap();
    let good = WalmartFace::default().webhook(&shared.market(), "17-1", URL).unwrap();
    let mut flipped = good.clone();
    flipped.body[12] ^= 1;
    let missing = Delivery { headers: vec![], ..good.clone() };
    let elsewhere = Delivery { headers: vec![("Signature".to_owned(), signed(&good.body))], ..good.clone() };
    let other = Delivery { headers: vec![(SIGNATURE_HEADER.to_owned(), signed(b"other"))], ..good.clone() };
    for wrong in [flipped, missing, elsewhere, other] {
        assert!(matches!(walmart.hear(&wrong).await, Err(Rejected::Unbelieved(_))), "{wrong:?}");
    }
    let credentials = [("client_id", "client-id"), ("client_secret", "x"), ("webhook_secret", "another-secret")];
    let options = [("signature_header", SIGNATURE_HEADER)];
    let stranger = Walmart::new(shared.context(WalmartFace::default(), credentials.into(), &options));
    assert!(matches!(stranger.hear(&good).await, Err(Rejected::Unbelieved(_))));
    let unset = Walmart::new(shared.context(WalmartFace::default(), WalmartFace::credentials(), &[]));
    assert!(matches!(unset.hear(&good).await, Err(Rejected::Unavailable(_))));
    assert!(walmart.hear(&good).await.is_ok());
    shared.advance(86_401);
    assert_eq!(walmart.hear(&good).await, Err(Rejected::Unbelieved("too old")));
}
