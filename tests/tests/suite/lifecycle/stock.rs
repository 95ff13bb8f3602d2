//! The merchant's side: settings, movements, shortfalls, lists.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::{Shop, Units, at_once};

#[tokio::test(flavor = "multi_thread")]
async fn settings_are_replaced_only_as_they_were_seen() {
    let shop = Shop::open().await;
    let created = shop.put_stock("tea", &json!({})).await.expect(201);
    assert_eq!((created.header("etag"), created.number("version")), (Some("\"1\""), 1));
    assert_eq!(shop.units("tea").await, Units { available: 0, reserved: 0, sold: 0 });
    let replaced = shop.put_stock("tea", &json!({ "expected_peak_per_second": 5 })).await.expect(200);
    assert_eq!(replaced.header("etag"), Some("\"2\""));
    assert_eq!(shop.stock("tea").await.expect(200).header("etag"), Some("\"2\""));

    let settings = json!({ "expected_peak_per_second": 7 });
    let stale = shop.put_stock("tea", &settings).header("If-Match", "\"1\"");
    stale.clone().await.expect_problem(412, "precondition-failed");
    assert_eq!(shop.stock("tea").await.number("expected_peak_per_second"), 5);
    let seen = shop.put_stock("tea", &settings).header("If-Match", "\"2\"").await.expect(200);
    assert_eq!((seen.header("etag"), seen.number("expected_peak_per_second")), (Some("\"3\""), 7));
    stale.await.expect_problem(412, "precondition-failed");
    shop.put_stock("tea", &json!({})).header("If-Match", "*").await.expect(200);
    shop.put_stock("mug", &json!({})).header("If-Match", "*").await.expect_problem(412, "precondition-failed");
    shop.stock("mug").await.expect_problem(404, "unknown-sku");
    // Two who have seen the same: one of them writes.
    let both = [8, 9].map(|peak| json!({ "expected_peak_per_second": peak }));
    let both = both.map(|settings| shop.put_stock("tea", &settings).header("If-Match", "\"4\""));
    let mut statuses: Vec<u16> = at_once(both).await.iter().map(|answer| answer.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 412]);
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_unit_has_a_reason_that_can_be_read_back() {
    let shop = Shop::open().await;
    shop.fill("tea", 0).await;
    let moves = [
        ("receive", 40, 40),
        ("adjust", -3, -3),
        ("adjust", 5, 5),
        ("count", 41, -1),
        ("count", 41, 0),
        ("receive", 1, 1),
    ];
    for (kind, quantity, delta) in moves {
        let recorded = shop.movement("tea", kind, quantity).await.expect(201);
        assert_eq!(
            (&recorded["kind"], &recorded["quantity"], &recorded["delta"]),
            (&json!(kind), &json!(quantity), &json!(delta))
        );
        assert_eq!((&recorded["actor"], &recorded["reason"]), (&json!("local"), &json!(format!("{kind} {quantity}"))));
        // A second each, so that the order is that of time.
        shop.advance_unnoticed(1);
    }
    assert_eq!(shop.units("tea").await, Units { available: 42, reserved: 0, sold: 0 });
    let pages = pages(&shop, "/v1/stock/tea/movements?limit=4").await;
    assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [4, 2]);
    let read: Vec<(String, i64, i64)> = pages
        .concat()
        .iter()
        .map(|item| (text(item, "kind"), item["quantity"].as_i64().unwrap(), item["delta"].as_i64().unwrap()))
        .collect();
    let newest_first: Vec<_> =
        moves.iter().rev().map(|(kind, quantity, delta)| ((*kind).to_owned(), *quantity, *delta)).collect();
    assert_eq!(read, newest_first);
    assert_eq!(read.iter().map(|(_, _, delta)| delta).sum::<i64>(), 42);
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_movement_is_made_once_for_each_key() {
    let shop = Shop::with(&[("tea", 10)]).await;
    for (kind, quantity, left) in [("receive", 5, 15), ("adjust", -5, 10), ("count", 8, 8)] {
        let movement = shop.movement("tea", kind, quantity).key(kind);
        let first = movement.clone().await.expect(201);
        assert!(!first.is_replayed());
        let again = movement.clone().await.expect(201);
        assert_eq!((again.is_replayed(), &again.body), (true, &first.body));
        shop.movement("tea", kind, quantity + 1).key(kind).await.expect_problem(422, "idempotency-key-reused");
        assert_eq!(shop.units("tea").await, Units { available: left, reserved: 0, sold: 0 });
    }
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn shortfalls_are_listed_until_somebody_has_read_them() {
    let shop = Shop::with(&[("tea", 6), ("mug", 4), ("cup", 2)]).await;
    let skus = [("tea", 6), ("mug", 4), ("cup", 2)];
    for (sku, units) in skus {
        shop.reserve_for(3_600, &[(sku, units)]).await.expect(201);
        shop.movement(sku, "count", 1).await.expect(201);
        shop.advance_unnoticed(1);
    }
    let pages = pages(&shop, "/v1/shortfalls?limit=2").await;
    assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [2, 1]);
    let listed: Vec<(String, u64)> =
        pages.concat().iter().map(|item| (text(item, "sku"), item["quantity"].as_u64().unwrap())).collect();
    assert_eq!(listed, [("cup".to_owned(), 1), ("mug".to_owned(), 3), ("tea".to_owned(), 5)]);
    // Units that arrive cover what is missing before anybody can buy them.
    shop.movement("tea", "receive", 4).await.expect(201);
    let stock = shop.stock("tea").await.expect(200);
    assert_eq!((stock.number("shortfall"), stock.number("available"), stock.number("on_hand")), (1, 0, 5));
    shop.movement("tea", "receive", 4).await.expect(201);
    let stock = shop.stock("tea").await.expect(200);
    assert_eq!((stock.number("shortfall"), stock.number("available"), stock.number("on_hand")), (0, 3, 9));
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_are_read_page_by_page() {
    let shop = Shop::open().await;
    let mut expected = BTreeSet::new();
    for n in 0..7 {
        let sku = format!("sku-{n}");
        shop.fill(&sku, n).await;
        expected.insert((sku, "own".to_owned(), n));
    }
    shop.put_stock("sku-0?channel=amazon", &json!({})).await.expect(201);
    expected.insert(("sku-0".to_owned(), "amazon".to_owned(), 0));
    for limit in [1, 3, 8, 100] {
        let items = pages(&shop, &format!("/v1/stock?limit={limit}")).await.concat();
        let listed: Vec<_> = items
            .iter()
            .map(|item| (text(item, "sku"), text(item, "channel"), item["available"].as_u64().unwrap()))
            .collect();
        assert_eq!(listed.len(), expected.len(), "limit {limit}");
        assert_eq!(listed.into_iter().collect::<BTreeSet<_>>(), expected, "limit {limit}");
    }
    // A cursor of another list, or one that somebody made up, is never a fault of the service.
    let foreign = shop.get("/v1/stock?limit=1").await.text_of("next_cursor");
    for path in ["/v1/stock", "/v1/stock/sku-1/movements", "/v1/shortfalls"] {
        for cursor in [&foreign, "eCM", "Iw", "MTc2Mzg5MDAwMCNhYmNkZWZnaGlqa2xtbm9w"] {
            let answer = shop.get(&format!("{path}?cursor={cursor}")).await;
            assert!(answer.status == 200 || answer.status == 400, "{}: {}", answer.call, answer.text);
        }
    }
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn availability_keeps_the_order_of_the_question() {
    let shop = Shop::with(&[("a", 1), ("b", 2), ("c", 0)]).await;
    let seen = shop.availability(&["c", "a", "b", "a"]).await.expect(200);
    assert_eq!(
        seen["items"],
        json!([
            { "sku": "c", "available": 0, "in_stock": false },
            { "sku": "a", "available": 1, "in_stock": true },
            { "sku": "b", "available": 2, "in_stock": true },
            { "sku": "a", "available": 1, "in_stock": true },
        ])
    );
    shop.availability(&["a"; 100]).await.expect(200);
    shop.put_stock("a?channel=amazon", &json!({})).await.expect(201);
    let there = shop.availability(&["a"]).query("channel=amazon").await.expect(200);
    assert_eq!((&there["channel"], &there.items()[0]["available"]), (&json!("amazon"), &json!(0)));
    shop.close().await;
}

/// All pages of a list.
async fn pages(shop: &Shop, path: &str) -> Vec<Vec<Value>> {
    let mut pages = Vec::new();
    let mut page = shop.get(path).await.expect(200);
    loop {
        pages.push(page.items().to_vec());
        let Some(cursor) = page["next_cursor"].as_str() else { return pages };
        page = shop.get(&format!("{path}&cursor={cursor}")).await.expect(200);
    }
}

fn text(item: &Value, field: &str) -> String {
    item[field].as_str().unwrap().to_owned()
}
