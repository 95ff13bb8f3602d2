//! eBay.

use channels::{Accepted, CallError, Connector, Delivery, Heard, Rejected, Shown, Target, ebay::Ebay};
use domain::sale::Stage;
use holdfast_marketplaces::{
    ebay::{EbayFace, VERIFICATION_TOKEN, signed},
    face::Face,
    tokens,
};

use crate::shared::{OPENING, Shared, push, target};

const URL: &str = "https://shop.example/hooks/ebay";

fn shop() -> (Shared, Ebay) {
    let shared = Shared::open();
    shared.market().list("mug", &[("offer_id", "8001")]);
    shared.market().list("cup", &[("offer_id", "8002,8003")]);
    let connector = Ebay::new(shared.context(EbayFace, EbayFace::credentials(), &[]));
    (shared, connector)
}

fn mug() -> Target {
    target("mug", &[("offer_id", "8001")])
}

fn cup() -> Target {
    target("cup", &[("offer_id", "8002,8003")])
}

fn reason<T>(outcome: &Result<T, CallError>) -> &str {
    match outcome {
        Err(CallError::Refused { reason } | CallError::Unauthorized { reason }) => reason,
        _ => "",
    }
}

#[tokio::test]
async fn a_quantity_is_set_and_read_back_at_every_offer() {
    let (shared, ebay) = shop();
    assert_eq!(ebay.push(&[push(mug(), 7)]).await, [Ok(Accepted::ForLater)]);
    assert_eq!(ebay.push(&[push(cup(), 0)]).await, [Ok(Accepted::ForLater)]);
    assert_eq!(ebay.read(&[mug(), cup()]).await, [Ok(Shown { quantity: 7 }), Ok(Shown { quantity: 0 })]);
    let set: Vec<(String, u64)> = shared.market().pushes.iter().map(|(_, sku, n)| (sku.clone(), *n)).collect();
    assert_eq!(set, [("mug".to_owned(), 7), ("cup".to_owned(), 0)]);
}

#[tokio::test]
async fn of_several_skus_each_is_a_call_and_one_that_is_rejected_stays_alone() {
    let (shared, ebay) = shop();
    shared.market().list("jar", &[("offer_id", "8004")]);
    shared.market().faults.rejected.insert("cup".to_owned());
    let foreign = target("jar", &[("offer_id", "9999")]);
    let outcomes = ebay.push(&[push(cup(), 3), push(mug(), 4), push(foreign, 5), push(target("new", &[]), 6)]).await;
    assert!(reason(&outcomes[0]).contains("cannot be revised"), "{outcomes:?}");
    assert_eq!(outcomes[1], Ok(Accepted::ForLater));
    assert!(reason(&outcomes[2]).contains("no such offer"), "{outcomes:?}");
    assert!(reason(&outcomes[3]).contains("no such SKU"), "{outcomes:?}");
    assert_eq!(shared.market().pushes.len(), 1);
}

#[tokio::test]
async fn the_251st_revision_of_a_day_is_refused_and_the_next_day_is_another() {
    let (shared, ebay) = shop();
    for n in 0..250 {
        assert_eq!(ebay.push(&[push(mug(), n)]).await, [Ok(Accepted::ForLater)]);
    }
    assert!(reason(&ebay.push(&[push(mug(), 1)]).await[0]).contains("too often"));
    assert_eq!(ebay.abilities().revisions_per_day, Some(250));
    shared.advance(86_400);
    assert_eq!(ebay.push(&[push(mug(), 1)]).await, [Ok(Accepted::ForLater)]);
}

#[tokio::test]
async fn throttled_says_for_how_long_and_stops_the_rest() {
    let (shared, ebay) = shop();
    ebay.push(&[push(mug(), 1)]).await[0].clone().unwrap();
    shared.sent();
    shared.market().faults.throttle_next = 1;
    let throttled = Err(CallError::Throttled { retry_after_seconds: 30 });
    assert_eq!(ebay.push(&[push(mug(), 2), push(cup(), 2)]).await, [throttled.clone(), throttled]);
    assert_eq!(shared.sent().len(), 1);
}

#[tokio::test]
async fn an_outage_is_an_error_and_no_number() {
    let (shared, ebay) = shop();
    shared.market().faults.down = true;
    assert!(matches!(ebay.push(&[push(mug(), 1)]).await[0], Err(CallError::Unavailable { .. })));
    assert!(matches!(ebay.read(&[mug()]).await[0], Err(CallError::Unavailable { .. })));
    assert!(matches!(ebay.changed_orders(OPENING, None).await, Err(CallError::Unavailable { .. })));
    assert!(matches!(ebay.order("1").await, Err(CallError::Unavailable { .. })));
}

#[tokio::test]
async fn a_token_is_used_until_its_end_and_one_that_is_not_taken_is_fetched_anew_once() {
    let (shared, ebay) = shop();
    let token = "POST /identity/v1/oauth2/token";
    let fetches = |shared: &Shared| shared.sent().iter().filter(|call| *call == token).count();
    ebay.read(&[mug(), cup()]).await[0].clone().unwrap();
    assert_eq!(fetches(&shared), 1);
    shared.advance(7_139);
    ebay.read(&[mug()]).await[0].clone().unwrap();
    assert_eq!(fetches(&shared), 0);
    shared.advance(1);
    ebay.read(&[mug()]).await[0].clone().unwrap();
    assert_eq!(fetches(&shared), 1);
    tokens::revoke_all(&mut shared.market());
    ebay.read(&[target("mug", &[])]).await[0].clone().unwrap();
    let item = "GET /sell/inventory/v1/inventory_item/mug";
    assert_eq!(shared.sent(), [item, token, item]);
}

#[tokio::test]
async fn a_consent_that_was_taken_back_is_told_without_the_secret() {
    let shared = Shared::open();
    for (name, credentials) in [
        ("refresh_token", [("client_id", "app-id"), ("client_secret", "cert-id"), ("refresh_token", "s3cret")]),
        ("client", [("client_id", "app-id"), ("client_secret", "s3cret"), ("refresh_token", "v^1.1#refresh")]),
    ] {
        let ebay = Ebay::new(shared.context(EbayFace, credentials.into(), &[]));
        let outcome = &ebay.push(&[push(mug(), 1)]).await[0];
        assert!(matches!(outcome, Err(CallError::Unauthorized { .. })), "{name}: {outcome:?}");
        assert!(!format!("{outcome:?}").contains("s3cret"));
    }
    let ebay = Ebay::new(shared.context(EbayFace, [].into(), &[]));
    assert!(matches!(ebay.order("1").await, Err(CallError::Unconfigured(_))));
}

#[tokio::test]
async fn orders_come_page_by_page_from_the_watermark_each_in_its_stage() {
    let (shared, ebay) = shop();
    ebay.push(&[push(mug(), 1_000)]).await[0].clone().unwrap();
    {
        let mut market = shared.market();
        market.sell("old", &[("mug", 1)], Stage::Paid).unwrap();
        market.advance(OPENING.plus_seconds(60));
        for n in 0..200 {
            market.sell(&format!("12-{n:03}"), &[("mug", 2)], Stage::Pending).unwrap();
        }
        market.sell("12-200", &[("mug", 3)], Stage::Paid).unwrap();
        market.sell("12-201", &[("mug", 4)], Stage::Paid).unwrap();
        market.set_stage("12-201", Stage::Shipped);
        market.sell("12-202", &[("mug", 5)], Stage::Paid).unwrap();
        market.cancel("12-202");
    }
    let since = OPENING.plus_seconds(60);
    let first = ebay.changed_orders(since, None).await.unwrap();
    assert_eq!((first.orders.len(), first.cursor.as_deref()), (200, Some("200")));
    assert!(first.orders.iter().all(|order| order.lines[0].stage == Stage::Pending && order.changed_at == since));
    let second = ebay.changed_orders(since, first.cursor.as_deref()).await.unwrap();
    let seen = |n: usize| {
        let order = &second.orders[n];
        let line = &order.lines[0];
        (order.order.as_str(), line.quantity.units(), line.canceled, line.stage)
    };
    assert_eq!(seen(0), ("12-200", 3, 0, Stage::Paid));
    assert_eq!(seen(1), ("12-201", 4, 0, Stage::Shipped));
    assert_eq!(seen(2), ("12-202", 5, 5, Stage::Paid));
    assert_eq!((second.orders.len(), second.cursor, second.unreadable.len()), (3, None, 0));
    for wrong in ["x", "-1", "10000001"] {
        assert!(matches!(ebay.changed_orders(since, Some(wrong)).await, Err(CallError::Refused { .. })));
    }
}

#[tokio::test]
async fn an_order_is_fetched_by_its_id_and_a_sku_that_is_none_is_told() {
    let (shared, ebay) = shop();
    shared.market().list("two words", &[]);
    for sku in ["mug", "two words"] {
        shared.market().set_quantity(sku, 9).unwrap();
    }
    shared.market().sell("649!26", &[("mug", 1)], Stage::Pending).unwrap();
    shared.market().sell("7", &[("mug", 1), ("two words", 1)], Stage::Paid).unwrap();
    let order = ebay.order("649!26").await.unwrap().unwrap();
    assert_eq!((order.order.as_str(), order.lines[0].line.as_str()), ("649!26", "1"));
    assert_eq!(ebay.order("none").await, Ok(None));
    assert_eq!(ebay.order("..").await, Ok(None));
    assert!(reason(&ebay.order("7").await).contains("line 2: its SKU"));
    let page = ebay.changed_orders(OPENING, None).await.unwrap();
    assert_eq!((page.orders.len(), page.unreadable.len()), (2, 1));
}

#[tokio::test]
async fn a_notification_is_a_hint_and_its_key_is_fetched_once_an_hour() {
    let (shared, ebay) = shop();
    shared.market().set_quantity("mug", 9).unwrap();
    shared.market().sell("12-1", &[("mug", 1)], Stage::Pending).unwrap();
    let key = "GET /commerce/notification/v1/public_key/9f2d1c66-0000-4000-8000-1a2b3c4d5e6f";
    let token = "POST /identity/v1/oauth2/token";
    let hear = |seconds: u64| {
        shared.advance(seconds);
        EbayFace.webhook(&shared.market(), "12-1", URL).unwrap()
    };
    let delivery = Some(format!("12-1_{OPENING}"));
    let hint = Ok(Heard::Hint { orders: vec!["12-1".to_owned()], delivery });
    assert_eq!(ebay.hear(&hear(0)).await, hint);
    assert_eq!(shared.sent(), [token, key]);
    assert_eq!(ebay.hear(&hear(3_599)).await, hint);
    assert_eq!(shared.sent(), [""; 0]);
    assert_eq!(ebay.hear(&hear(1)).await, hint);
    assert_eq!(shared.sent(), [key]);
}

#[tokio::test]
async fn a_notification_that_is_not_ebays_is_not_believed() {
    let (shared, ebay) = shop();
    shared.market().set_quantity("mug", 9).unwrap();
    shared.market().sell("12-1", &[("mug", 1)], Stage::Pending).unwrap();
    let good = EbayFace.webhook(&shared.market(), "12-1", URL).unwrap();
    assert!(ebay.hear(&good).await.is_ok());
    let mut flipped = good.clone();
    flipped.body[12] ^= 1;
    let missing = Delivery { headers: vec![], ..good.clone() };
    let with_header =
        |value: String| Delivery { headers: vec![("X-EBAY-SIGNATURE".to_owned(), value)], ..good.clone() };
    // The vector of eBay's SDK: signed well, with a key that this eBay does not know.
    let foreign = include_str!("../../../../shared/channels/tests/vectors/ebay/signature.txt");
    let of_another_body = with_header(signed(b"another body"));
    for wrong in [flipped, missing, with_header("rubbish".to_owned()), with_header(foreign.to_owned()), of_another_body]
    {
        assert!(matches!(ebay.hear(&wrong).await, Err(Rejected::Unbelieved(_))), "{wrong:?}");
    }
    shared.advance(86_401);
    assert_eq!(ebay.hear(&good).await, Err(Rejected::Unbelieved("too old")));
}

#[tokio::test]
async fn a_key_that_cannot_be_had_now_is_no_disbelief() {
    let (shared, ebay) = shop();
    shared.market().set_quantity("mug", 9).unwrap();
    shared.market().sell("12-1", &[("mug", 1)], Stage::Pending).unwrap();
    let good = EbayFace.webhook(&shared.market(), "12-1", URL).unwrap();
    shared.market().faults.down = true;
    assert!(matches!(ebay.hear(&good).await, Err(Rejected::Unavailable(_))));
    shared.market().faults.down = false;
    assert!(ebay.hear(&good).await.is_ok());
}

#[tokio::test]
async fn the_challenge_is_answered_for_the_endpoint_as_ebay_knows_it() {
    let (_, ebay) = shop();
    let challenge = Delivery {
        method: "GET".to_owned(),
        url: format!("{URL}?challenge_code=c0de"),
        query: vec![("challenge_code".to_owned(), "c0de".to_owned())],
        ..Delivery::default()
    };
    let Ok(Heard::Handshake { body, .. }) = ebay.hear(&challenge).await else { panic!("no handshake") };
    let hash = <sha2::Sha256 as sha2::Digest>::digest(format!("c0de{VERIFICATION_TOKEN}{URL}"));
    let hex = channels::signature::hex(&hash);
    assert_eq!(body, format!(r#"{{"challengeResponse":"{hex}"}}"#).into_bytes());
}
