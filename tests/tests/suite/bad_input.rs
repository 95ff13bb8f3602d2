//! A request that is wrong is told where it is wrong, all faults at once, and changes nothing.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, Call, Shop, Units};

/// Tea with a few units in it, one held, one sold; and everything that is stored then.
async fn busy_shop() -> (Shop, String) {
    let shop = Shop::with(&[("tea", 10)]).await;
    let id = shop.reserve(&[("tea", 1)]).await.expect(201).id();
    shop.order(&[("tea", 1)]).await.expect(201);
    (shop, id)
}

/// Makes the calls, each of which must be refused for its field, and looks whether anything has changed.
async fn all_refused(shop: Shop, calls: Vec<(Call, u16, &str, &str)>) {
    let before = (shop.everything().await, shop.units("tea").await);
    assert_eq!(before.1, Units { available: 8, reserved: 1, sold: 1 });
    for (call, status, slug, field) in calls {
        let answer = call.await.expect_problem(status, slug);
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
        assert_eq!((&answer["status"], answer.header("x-request-id")), (&json!(status), answer["request_id"].as_str()));
        let named = answer.fields();
        assert!(field.is_empty() || named.contains(&field), "{}: {field} is not named: {}", answer.call, answer.text);
        assert!(no_secrets(&answer), "{}", answer.text);
    }
    assert!(before.0 == shop.everything().await, "a refused request has changed what is stored");
    assert_eq!(shop.units("tea").await, before.1);
    shop.close().await;
}

fn no_secrets(answer: &Answer) -> bool {
    let inside = ["dynamodb", "amazon", "pk", "panicked", "#rid", ".rs:"];
    let text = answer.text.to_lowercase();
    inside.iter().all(|word| !text.contains(word))
}

fn lines(lines: &Value) -> Value {
    json!({ "lines": lines })
}

fn one(sku: &Value, quantity: &Value) -> Value {
    lines(&json!([{ "sku": sku, "quantity": quantity }]))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cart_that_is_wrong_is_refused_at_its_field() {
    let (shop, _) = busy_shop().await;
    let mut calls = Vec::new();
    for path in ["/v1/reservations", "/v1/orders"] {
        let bodies = [
            (one(&json!("tea"), &json!(0)), "lines[0].quantity"),
            (one(&json!("tea"), &json!(-1)), "lines[0].quantity"),
            (one(&json!("tea"), &json!(1.5)), "lines[0].quantity"),
            (one(&json!("tea"), &json!(1.25)), "lines[0].quantity"),
            (one(&json!("tea"), &json!("2")), "lines[0].quantity"),
            (one(&json!("tea"), &json!(1_000_000_000_000_u64)), "lines[0].quantity"),
            (one(&json!("tea"), &json!(1_000_001)), "lines[0].quantity"),
            (one(&json!("tea"), &json!(1e30)), "lines[0].quantity"),
            (one(&json!("tea"), &Value::Null), "lines[0].quantity"),
            (one(&json!("tea"), &json!(true)), "lines[0].quantity"),
            (one(&json!("tea"), &json!([1])), "lines[0].quantity"),
            (one(&json!(""), &json!(1)), "lines[0].sku"),
            (one(&json!("t ea"), &json!(1)), "lines[0].sku"),
            (one(&json!("tea#own"), &json!(1)), "lines[0].sku"),
            (one(&json!("té"), &json!(1)), "lines[0].sku"),
            (one(&json!("x".repeat(65)), &json!(1)), "lines[0].sku"),
            (one(&json!(7), &json!(1)), "lines[0].sku"),
            (one(&Value::Null, &json!(1)), "lines[0].sku"),
            (lines(&json!([{ "sku": "tea" }])), "lines[0].quantity"),
            (lines(&json!([{ "quantity": 1 }])), "lines[0].sku"),
            (lines(&json!([{ "sku": "tea", "quantiy": 1 }])), "lines[0].quantiy"),
            (
                lines(&json!([{ "sku": "tea", "quantity": 1 }, { "sku": "tea", "quantity": 1_000_000 }])),
                "lines[0].quantity",
            ),
            (lines(&json!([{ "sku": "tea", "quantity": 1 }, null])), "lines[1]"),
            (lines(&json!([])), "lines"),
            (lines(&json!({})), "lines"),
            (lines(&vec![json!({ "sku": "tea", "quantity": 1 }); 51].into()), "lines"),
            (json!({}), "lines"),
            (json!({ "lines": [{ "sku": "tea", "quantity": 1 }], "line": [] }), "line"),
            (json!({ "lines": [{ "sku": "tea", "quantity": 1 }], "channel": "OWN" }), "channel"),
            (json!({ "lines": [{ "sku": "tea", "quantity": 1 }], "channel": "x".repeat(33) }), "channel"),
            (json!({ "lines": [{ "sku": "tea", "quantity": 1 }], "channel": null }), "channel"),
            (json!({ "lines": [{ "sku": "tea", "quantity": 1 }], "order_id": "" }), "order_id"),
            (json!({ "lines": [{ "sku": "tea", "quantity": 1 }], "order_id": "a b" }), "order_id"),
            (json!({ "lines": [{ "sku": "tea", "quantity": 1 }], "session_id": 5 }), "session_id"),
            (json!([]), "body"),
            (json!("tea"), "body"),
            (Value::Null, "body"),
        ];
        calls.extend(bodies.map(|(body, field)| (shop.post(path, &body), 400, "invalid-request", field)));
    }
    calls.push((shop.reserve(&[("coffee", 1)]), 404, "unknown-sku", "lines[0].sku"));
    let elsewhere = json!({ "channel": "ebay", "lines": [{ "sku": "tea", "quantity": 1 }] });
    calls.push((shop.post("/v1/reservations", &elsewhere), 404, "unknown-sku", "lines[0].sku"));
    for ttl_seconds in [json!(299), json!(3_601), json!(-900), json!("900"), json!(900.5), Value::Null] {
        let body = json!({ "ttl_seconds": ttl_seconds, "lines": [{ "sku": "tea", "quantity": 1 }] });
        calls.push((shop.post("/v1/reservations", &body), 400, "invalid-request", "ttl_seconds"));
        // An order holds nothing: the field is not known there.
        calls.push((shop.post("/v1/orders", &body), 400, "invalid-request", "ttl_seconds"));
    }
    all_refused(shop, calls).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_missing_or_odd_is_refused() {
    let (shop, id) = busy_shop().await;
    let mut calls = Vec::new();
    let movement = json!({ "kind": "receive", "quantity": 1, "reason": "why" });
    let posts = [
        ("/v1/reservations".to_owned(), one(&json!("tea"), &json!(1))),
        ("/v1/orders".to_owned(), one(&json!("tea"), &json!(1))),
        (format!("/v1/reservations/{id}/confirm"), json!({})),
        (format!("/v1/reservations/{id}/cancel"), json!({})),
        (format!("/v1/reservations/{id}/extend"), json!({ "ttl_seconds": 600 })),
        ("/v1/stock/tea/movements".to_owned(), movement),
    ];
    for (path, body) in posts {
        let call = shop.post(&path, &body);
        calls.push((call.clone().without("Idempotency-Key"), 400, "invalid-request", "Idempotency-Key"));
        for key in ["", "two words", &"k".repeat(256), &"k".repeat(300), "schlüssel", "tab\there"] {
            calls.push((call.clone().key(key), 400, "invalid-request", "Idempotency-Key"));
        }
    }
    all_refused(shop, calls).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_no_json_object_is_refused() {
    let (shop, id) = busy_shop().await;
    let mut calls = Vec::new();
    let posts = [
        "/v1/reservations".to_owned(),
        "/v1/orders".to_owned(),
        format!("/v1/reservations/{id}/confirm"),
        format!("/v1/reservations/{id}/cancel"),
        format!("/v1/reservations/{id}/extend"),
        "/v1/stock/tea/movements".to_owned(),
    ];
    let megabyte = format!(r#"{{"order_id":"{}"}}"#, "x".repeat(1024 * 1024));
    for path in &posts {
        let call = shop.post(path, &json!({}));
        for body in [&b"{"[..], b"lines=1", b"{} {}", b"[1]", b"\xff\xfe", b"{\"order_id\": \"\xc3\x28\"}", b"nul"] {
            calls.push((call.clone().body(body), 400, "invalid-request", "body"));
        }
        calls.push((call.clone().body(megabyte.clone()), 413, "body-too-large", ""));
        for content_type in ["text/plain", "application/x-www-form-urlencoded", "application/jsonx", ""] {
            calls.push((call.clone().header("Content-Type", content_type), 415, "unsupported-media-type", ""));
        }
        calls.push((call.clone().without("Content-Type"), 415, "unsupported-media-type", ""));
        // Where several things are wrong, the documented order decides.
        calls.push((
            call.clone().header("Content-Type", "text/plain").body(megabyte.clone()),
            415,
            "unsupported-media-type",
            "",
        ));
        calls.push((call.without("Idempotency-Key").body(megabyte.clone()), 413, "body-too-large", ""));
    }
    for required in ["/v1/reservations", "/v1/orders", "/v1/stock/tea/movements"] {
        let empty = shop.post(required, &json!({})).body("");
        calls.push((empty, 400, "invalid-request", "body"));
    }
    let put = shop.put_stock("tea", &json!({}));
    calls.push((put.clone().header("Content-Type", "text/plain"), 415, "unsupported-media-type", ""));
    calls.push((put.clone().body(megabyte), 413, "body-too-large", ""));
    calls.push((put.body("{"), 400, "invalid-request", "body"));
    all_refused(shop, calls).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decision_that_is_wrong_is_refused_at_its_field() {
    let (shop, id) = busy_shop().await;
    let mut calls = Vec::new();
    for action in ["confirm", "cancel", "extend"] {
        let body = if action == "extend" { json!({ "ttl_seconds": 600 }) } else { json!({}) };
        for odd in ["short", "0123456789abcde!", "0123456789abcdefg", "%20", "..%2F..%2Fstock"] {
            calls.push((shop.post(&format!("/v1/reservations/{odd}/{action}"), &body), 400, "invalid-request", "id"));
        }
        let unknown_field = shop.post(&format!("/v1/reservations/{id}/{action}"), &json!({ "reason": "x" }));
        calls.push((unknown_field, 400, "invalid-request", "reason"));
        calls.push((
            shop.post(&format!("/v1/reservations/{id}/{action}"), &body).query("force=1"),
            400,
            "invalid-request",
            "force",
        ));
    }
    for seconds in [json!(299), json!(3_601), json!("600"), json!(-1), json!(600.5), Value::Null] {
        let body = json!({ "ttl_seconds": seconds });
        calls.push((shop.post(&format!("/v1/reservations/{id}/extend"), &body), 400, "invalid-request", "ttl_seconds"));
    }
    calls.push((
        shop.post(&format!("/v1/reservations/{id}/extend"), &json!({})),
        400,
        "invalid-request",
        "ttl_seconds",
    ));
    for order_id in [json!(""), json!("a b"), json!("x".repeat(129)), json!(5), Value::Null] {
        let body = json!({ "order_id": order_id });
        calls.push((shop.post(&format!("/v1/reservations/{id}/confirm"), &body), 400, "invalid-request", "order_id"));
    }
    for action in ["cancel", "extend"] {
        let body = if action == "extend" { json!({ "ttl_seconds": 600 }) } else { json!({}) };
        let nobody = shop.post(&format!("/v1/reservations/0123456789abcdef/{action}"), &body);
        calls.push((nobody, 404, "unknown-reservation", ""));
    }
    for path in ["/v1/reservations/x", "/v1/orders/x"] {
        calls.push((shop.get(path), 400, "invalid-request", "id"));
    }
    calls.push((shop.reservation("0123456789abcdef"), 404, "unknown-reservation", ""));
    calls.push((shop.get("/v1/orders/0123456789abcdef"), 404, "unknown-order", ""));
    // Held, but not paid: no order yet.
    calls.push((shop.get(&format!("/v1/orders/{id}")), 404, "unknown-order", ""));
    all_refused(shop, calls).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_merchants_request_that_is_wrong_is_refused_at_its_field() {
    let (shop, _) = busy_shop().await;
    let mut calls = Vec::new();
    let movement = |kind: Value, quantity: Value, reason: Value| {
        shop.post("/v1/stock/tea/movements", &json!({ "kind": kind, "quantity": quantity, "reason": reason }))
    };
    for (kind, quantity) in [
        ("receive", json!(0)),
        ("receive", json!(-1)),
        ("receive", json!(1_000_001)),
        ("receive", json!("2")),
        ("adjust", json!(0)),
        ("adjust", json!(-1_000_001)),
        ("adjust", json!(0.5)),
        ("count", json!(-1)),
        ("count", json!(1_000_001)),
        ("count", Value::Null),
    ] {
        calls.push((movement(json!(kind), quantity, json!("why")), 400, "invalid-request", "quantity"));
    }
    for kind in [json!("give"), json!(""), json!(1), Value::Null] {
        calls.push((movement(kind, json!(1), json!("why")), 400, "invalid-request", "kind"));
    }
    for reason in [json!(""), json!("x".repeat(201)), json!("two\nlines"), json!(5), Value::Null] {
        calls.push((movement(json!("receive"), json!(1), reason), 400, "invalid-request", "reason"));
    }
    let body = json!({ "kind": "receive", "quantity": 1, "reason": "why" });
    let extra = json!({ "kind": "receive", "quantity": 1, "reason": "why", "delta": 1 });
    calls.push((shop.post("/v1/stock/tea/movements", &extra), 400, "invalid-request", "delta"));
    for (path, field) in [
        ("/v1/stock/t%20ea/movements", "sku"),
        ("/v1/stock/t%23own/movements", "sku"),
        ("/v1/stock/tea/movements?channel=OWN", "channel"),
        ("/v1/stock/tea/movements?channel=own&channel=own", "channel"),
        ("/v1/stock/tea/movements?chanel=own", "chanel"),
    ] {
        calls.push((shop.post(path, &body), 400, "invalid-request", field));
    }
    calls.push((shop.post("/v1/stock/coffee/movements", &body), 404, "unknown-sku", "sku"));
    calls.push((shop.post("/v1/stock/tea/movements?channel=ebay", &body), 404, "unknown-sku", "sku"));
    for (settings, field) in [
        (json!({ "expected_peak_per_second": -1 }), "expected_peak_per_second"),
        (json!({ "expected_peak_per_second": 100_001 }), "expected_peak_per_second"),
        (json!({ "expected_peak_per_second": "5" }), "expected_peak_per_second"),
        (json!({ "expected_peak_per_second": null }), "expected_peak_per_second"),
        (json!({ "expected_peak": 5 }), "expected_peak"),
        (json!([]), "body"),
    ] {
        calls.push((shop.put_stock("tea", &settings), 400, "invalid-request", field));
    }
    for tag in ["1", "\"1", "\"1\", \"2\""] {
        calls.push((shop.put_stock("tea", &json!({})).header("If-Match", tag), 400, "invalid-request", "If-Match"));
    }
    for tag in ["\"2\"", "\"0\"", "\"x\"", "W/\"1\""] {
        calls.push((shop.put_stock("tea", &json!({})).header("If-Match", tag), 412, "precondition-failed", ""));
    }
    for tag in ["*", "\"1\""] {
        calls.push((shop.put_stock("coffee", &json!({})).header("If-Match", tag), 412, "precondition-failed", ""));
    }
    calls.push((shop.put_stock("x".repeat(65).as_str(), &json!({})), 400, "invalid-request", "sku"));
    all_refused(shop, calls).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_that_is_wrong_is_refused_at_its_parameter() {
    let (shop, _) = busy_shop().await;
    let hundred_and_one = format!("/v1/availability?{}", vec!["sku=tea"; 101].join("&"));
    let long_cursor = format!("/v1/stock?cursor={}", "A".repeat(2_000));
    let cases = [
        ("/v1/availability", "sku"),
        ("/v1/availability?sku=", "sku"),
        ("/v1/availability?sku=tea,mug", "sku"),
        ("/v1/availability?sku=tea&sku=t%20", "sku"),
        (hundred_and_one.as_str(), "sku"),
        ("/v1/availability?sku=tea&channel=a&channel=b", "channel"),
        ("/v1/availability?sku=tea&channel=%00", "channel"),
        ("/v1/availability?sku=tea&limit=1", "limit"),
        ("/v1/stock?limit=0", "limit"),
        ("/v1/stock?limit=101", "limit"),
        ("/v1/stock?limit=ten", "limit"),
        ("/v1/stock?limit=5&limit=6", "limit"),
        ("/v1/stock?cursor=", "cursor"),
        ("/v1/stock?cursor=%C3%A4", "cursor"),
        ("/v1/stock?cursor=bm90IG91cnM", "cursor"),
        ("/v1/stock?cursor=a&cursor=b", "cursor"),
        (long_cursor.as_str(), "cursor"),
        ("/v1/stock?page=2", "page"),
        ("/v1/stock/t%20ea", "sku"),
        ("/v1/stock/tea?channel=", "channel"),
        ("/v1/stock/tea/movements?limit=-1", "limit"),
        ("/v1/stock/tea/movements?cursor=!", "cursor"),
        ("/v1/shortfalls?cursor=!", "cursor"),
        ("/v1/shortfalls?limit=1e2", "limit"),
    ];
    let mut calls: Vec<_> =
        cases.iter().map(|(path, field)| (shop.get(path), 400, "invalid-request", *field)).collect();
    calls.push((shop.get("/v1/availability?sku=tea&sku=coffee&sku=mug"), 404, "unknown-sku", "sku"));
    calls.push((shop.get("/v1/availability?sku=tea&channel=ebay"), 404, "unknown-sku", "sku"));
    calls.push((shop.stock("coffee"), 404, "unknown-sku", "sku"));
    calls.push((shop.get("/v1/stock/coffee/movements"), 404, "unknown-sku", "sku"));
    all_refused(shop, calls).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_faults_are_named_at_once() {
    let (shop, _) = busy_shop().await;
    let body = json!({
        "channel": "OWN", "order_id": "", "ttl_seconds": 1,
        "lines": [{ "sku": "tea", "quantity": 0 }, { "sku": "tea", "quantity": 1 }, { "sku": "" }],
    });
    let refused = shop.post("/v1/reservations", &body).without("Idempotency-Key").query("x=1");
    let refused = refused.await.expect_problem(400, "invalid-request");
    let expected = [
        "Idempotency-Key",
        "channel",
        "order_id",
        "ttl_seconds",
        "lines[0].quantity",
        "lines[2].sku",
        "lines[2].quantity",
        "x",
    ];
    assert_eq!(refused.fields(), expected);
    // An unknown SKU is looked for in every line, too; what was held for the others is let go.
    for call in [shop.reserve(&[("a", 1), ("tea", 1), ("b", 1)]), shop.order(&[("a", 1), ("tea", 1), ("b", 1)])] {
        let refused = call.await.expect_problem(404, "unknown-sku");
        assert_eq!(refused.fields(), ["lines[0].sku", "lines[2].sku"]);
        assert_eq!(shop.units("tea").await, Units { available: 8, reserved: 1, sold: 1 });
    }
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_a_route_is_not_found() {
    let (shop, id) = busy_shop().await;
    let before = shop.everything().await;
    for (method, path) in [
        (Method::GET, "/".to_owned()),
        (Method::GET, "/v1".to_owned()),
        (Method::GET, "/v1/reservations".to_owned()),
        (Method::DELETE, format!("/v1/reservations/{id}")),
        (Method::PATCH, "/v1/stock/tea".to_owned()),
        (Method::DELETE, "/v1/stock/tea".to_owned()),
        (Method::POST, "/v1/reservations/".to_owned()),
        (Method::POST, "/v2/reservations".to_owned()),
    ] {
        let answer = Call::new(&shop, method, &path).await;
        // The gateway's own words: no function was called.
        assert_eq!(answer.expect(404).body, json!({ "message": "Not Found" }));
    }
    assert!(before == shop.everything().await);
    shop.close().await;
}
