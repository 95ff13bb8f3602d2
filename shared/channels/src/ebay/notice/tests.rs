use super::*;

/// Source: eBay, `event-notification-nodejs-sdk` (Apache-2.0), `test/test.json`, `VALID`; the message written compactly,
/// as its validator does. No file has a line break at its end.
const HEADER: &str = include_str!("../../../tests/vectors/ebay/signature.txt");
const BODY: &str = include_str!("../../../tests/vectors/ebay/body.json");
const KEY: &str = include_str!("../../../tests/vectors/ebay/key.json");

/// Source: the same file, `SIGNATURE_MISMATCH`.
const OTHER_HEADER: &str = include_str!("../../../tests/vectors/ebay/other_signature.txt");

/// `publishDate` of the vector.
const PUBLISHED: Timestamp = Timestamp::from_epoch_seconds(1_616_186_639);

fn key() -> Key {
    Key::parse(KEY.as_bytes()).unwrap()
}

#[test]
fn ebays_own_vector_is_believed_and_nothing_that_differs_from_it() {
    let signature = Signature::parse(HEADER).unwrap();
    assert_eq!(signature.kid, "9936261a-7d7b-4621-a0f1-96ccb428af49");
    assert!(key().has_signed(BODY.as_bytes(), &signature));
    assert!(!key().has_signed(BODY.as_bytes(), &Signature::parse(OTHER_HEADER).unwrap()));
    for bit in 0..8 {
        let mut body = BODY.as_bytes().to_vec();
        body[20] ^= 1 << bit;
        assert!(!key().has_signed(&body, &signature));
        let mut flipped = signature.clone();
        flipped.der[40] ^= 1 << bit;
        assert!(!key().has_signed(BODY.as_bytes(), &flipped));
    }
    assert!(!key().has_signed(b"", &signature));
}

#[test]
fn a_header_that_is_none_is_no_signature() {
    let of = |json: &str| Signature::parse(&STANDARD.encode(json));
    assert!(of(r#"{"kid":"a-1","signature":"MEYC","more":1}"#).is_some());
    for wrong in [
        "",
        "[]",
        r#"{"kid":"a-1"}"#,
        r#"{"kid":"","signature":"MEYC"}"#,
        r#"{"kid":"../../v1/topic","signature":"MEYC"}"#,
        r#"{"kid":"a","signature":"?"}"#,
    ] {
        assert_eq!(of(wrong), None, "{wrong}");
    }
    assert_eq!(Signature::parse("not base64!"), None);
    assert_eq!(Signature::parse(&"A".repeat(2_052)), None);
}

#[test]
fn only_a_key_of_the_documented_kind_is_taken() {
    let lined = KEY.replace("KEY-----M", r"KEY-----\nM").replace("==-----", r"==\n-----");
    assert_eq!(Key::parse(lined.as_bytes()), Ok(key()));
    for wrong in [
        KEY.replace("SHA1", "MD5"),
        KEY.replace("ECDSA", "RSA"),
        // A point that is not on the curve.
        KEY.replace("90FUg==", "90FUw=="),
        KEY.replace("MFkw", "MFk?"),
        "{}".to_owned(),
    ] {
        assert!(matches!(Key::parse(wrong.as_bytes()), Err(CallError::Unavailable { .. })), "{wrong}");
    }
}

#[test]
fn a_notice_is_a_hint_for_a_day_and_an_order() {
    let notice = |topic: &str, data: &str| {
        format!(
            r#"{{"metadata":{{"topic":"{topic}"}},"notification":
                {{"notificationId":"n-1","publishDate":"2021-03-19T20:43:59.679Z","data":{data}}}}}"#
        )
    };
    let hint = Heard::Hint { orders: vec!["12-3".to_owned()], delivery: Some("n-1".to_owned()) };
    for data in [r#"{"orderId":"12-3"}"#, r#"{"order":{"orderId":"12-3"}}"#, r#"{"lines":[1,{"orderId":"12-3"}]}"#] {
        assert_eq!(parse_notice(notice("ORDER_CONFIRMATION", data).as_bytes(), PUBLISHED), Ok(hint.clone()));
    }
    let same = notice("ORDER_CONFIRMATION", r#"{"orderId":"12-3"}"#);
    assert_eq!(parse_notice(same.as_bytes(), PUBLISHED.plus_seconds(MAX_AGE_SECONDS)), Ok(hint));
    let late = parse_notice(same.as_bytes(), PUBLISHED.plus_seconds(MAX_AGE_SECONDS + 1));
    assert_eq!(late, Err(Rejected::Unbelieved("too old")));
    assert_eq!(parse_notice(BODY.as_bytes(), PUBLISHED), Ok(Heard::Nothing));
    for wrong in [notice("ORDER_CONFIRMATION", "{}"), notice("ORDER_CONFIRMATION", r#"{"orderId":""}"#), "{".to_owned()]
    {
        assert!(matches!(parse_notice(wrong.as_bytes(), PUBLISHED), Err(Rejected::Malformed(_))), "{wrong}");
    }
    let deep = format!(r#"{}{{"orderId":"1"}}{}"#, r#"{"a":"#.repeat(5), "}".repeat(5));
    assert!(parse_notice(notice("ORDER_CONFIRMATION", &deep).as_bytes(), PUBLISHED).is_err());
}

#[test]
fn a_challenge_is_answered_with_the_hash_of_code_token_and_endpoint() {
    let delivery = Delivery {
        method: "GET".to_owned(),
        url: "https://shop.example/hooks/ebay?challenge_code=a8628072".to_owned(),
        query: vec![("challenge_code".to_owned(), "a8628072".to_owned())],
        ..Delivery::default()
    };
    let Ok(Heard::Handshake { content_type, body }) = challenge(&delivery, "a-token-of-thirty-two-characters") else {
        panic!("no handshake")
    };
    assert_eq!(content_type, "application/json");
    // printf a8628072a-token-of-thirty-two-charactershttps://shop.example/hooks/ebay | sha256sum
    let hash = "b90ed5b9c4ca468cf4556d2959e03052738c510d96416549804f69f108fc77bf";
    assert_eq!(String::from_utf8(body).unwrap(), format!(r#"{{"challengeResponse":"{hash}"}}"#));
    assert!(matches!(challenge(&Delivery::default(), "token"), Err(Rejected::Malformed(_))));
}

#[tokio::test]
async fn a_key_is_fetched_once_an_hour_and_one_that_does_not_exist_too() {
    let ring = KeyRing::default();
    let unexpected = || async { panic!("fetched again") };
    assert_eq!(ring.get("a", PUBLISHED, async { Ok(Some(key())) }).await, Ok(key()));
    assert_eq!(ring.get("a", PUBLISHED.plus_seconds(3_599), unexpected()).await, Ok(key()));
    let gone = ring.get("a", PUBLISHED.plus_seconds(3_600), async { Ok(None) }).await;
    assert!(matches!(gone, Err(Rejected::Unbelieved(_))));
    assert_eq!(ring.get("a", PUBLISHED.plus_seconds(3_601), unexpected()).await, gone);
    // What could not be known is asked again.
    let down = CallError::Unavailable { reason: String::new() };
    let failed = ring.get("b", PUBLISHED.plus_seconds(3_602), async { Err(down.clone()) }).await;
    assert_eq!(failed, Err(Rejected::Unavailable(down)));
    assert_eq!(ring.get("b", PUBLISHED.plus_seconds(3_603), async { Ok(Some(key())) }).await, Ok(key()));
}

#[tokio::test]
async fn invented_keys_cost_no_more_calls_than_an_hour_allows_and_no_key_its_place() {
    let ring = KeyRing::default();
    ring.get("real", PUBLISHED, async { Ok(Some(key())) }).await.unwrap();
    for n in 1..MAX_FETCHES_PER_HOUR {
        let invented = ring.get(&format!("invented-{n}"), PUBLISHED.plus_seconds(1), async { Ok(None) }).await;
        assert!(matches!(invented, Err(Rejected::Unbelieved(_))));
    }
    let more = ring.get("one-more", PUBLISHED.plus_seconds(60), async { panic!("fetched") }).await;
    assert_eq!(more, Err(Rejected::Unavailable(CallError::Throttled { retry_after_seconds: 3_540 })));
    assert_eq!(ring.get("real", PUBLISHED.plus_seconds(60), async { panic!("fetched") }).await, Ok(key()));
    assert_eq!(ring.get("next", PUBLISHED.plus_seconds(3_600), async { Ok(Some(key())) }).await, Ok(key()));
}

#[tokio::test]
async fn invented_keys_take_no_fetch_from_a_known_one() {
    let ring = KeyRing::default();
    ring.get("real", PUBLISHED, async { Ok(Some(key())) }).await.unwrap();
    let later = PUBLISHED.plus_seconds(3_600);
    for n in 0..40 {
        drop(ring.get(&format!("invented-{n}"), later, async { Ok(None) }).await);
    }
    assert!(ring.get("one-more", later, async { panic!("fetched") }).await.is_err(), "theirs are used up");
    assert_eq!(ring.get("real", later, async { Ok(Some(key())) }).await, Ok(key()), "it is asked for as ever");
    assert_eq!(ring.get("real", later.plus_seconds(3_599), async { panic!("fetched") }).await, Ok(key()));
}

#[tokio::test]
async fn a_known_key_is_believed_while_it_cannot_be_asked_for_any_more() {
    let ring = KeyRing::default();
    ring.get("real", PUBLISHED, async { Ok(Some(key())) }).await.unwrap();
    let later = PUBLISHED.plus_seconds(3_600);
    for _ in 0..30 {
        let down = async { Err(CallError::Unavailable { reason: String::new() }) };
        assert!(ring.get("real", later, down).await.is_err());
    }
    assert_eq!(ring.get("real", later, async { panic!("fetched") }).await, Ok(key()));
    let withdrawn = ring.get("real", later.plus_seconds(3_600), async { Ok(None) }).await;
    assert!(matches!(withdrawn, Err(Rejected::Unbelieved(_))));
    let forgotten = PUBLISHED.plus_seconds(10 * 86_400);
    assert!(ring.get("real", forgotten, async { Ok(None) }).await.is_err());
}

#[tokio::test]
async fn whoever_names_an_invented_key_makes_no_other_delivery_wait() {
    let ring = KeyRing::default();
    ring.get("real", PUBLISHED, async { Ok(Some(key())) }).await.unwrap();
    let slow = ring.get("invented", PUBLISHED, std::future::pending());
    let real = async {
        tokio::task::yield_now().await;
        let fresh = ring.get("real", PUBLISHED, async { panic!("fetched") }).await;
        let refreshed = ring.get("real", PUBLISHED.plus_seconds(3_600), async { Ok(Some(key())) }).await;
        (fresh, refreshed)
    };
    tokio::select! {
        biased;
        _ = slow => panic!("eBay never answers"),
        answers = real => assert_eq!(answers, (Ok(key()), Ok(key()))),
    }
}
