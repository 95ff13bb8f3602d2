//! Numbers that stop being true.

use std::collections::BTreeMap;

use serde_json::json;

use crate::support::{Shop, Units, at_once};

/// Elsewhere: the ERP sets an absolute quantity under open orders, and they cannot ship (magento2#25696). Here a count is of unsold units,
/// those among them that are held; so what is open is neither counted twice nor lost.
///
/// Breaks with: `view.level().on_hand()` in `plan_count`, `domain/src/stock.rs`, where it is what is available.
#[tokio::test(flavor = "multi_thread")]
async fn f24_an_absolute_quantity_under_open_orders() {
    let shop = Shop::with(&[("tea", 10)]).await;
    shop.order(&[("tea", 2)]).await.expect(201);
    let open = [3, 2].map(|units| shop.reserve(&[("tea", units)]));
    let [first, second] = open;
    let (first, second) = (first.await.expect(201).id(), second.await.expect(201).id());
    // (unsold units on the shelf, what that changes, what can be sold then, what is missing)
    for (counted, delta, available, shortfall) in
        [(8, 0, 3, 0), (6, -2, 1, 0), (5, -1, 0, 0), (3, -2, 0, 2), (9, 6, 4, 0)]
    {
        let answer = shop.movement("tea", "count", counted).await.expect(201);
        assert_eq!(answer["delta"], delta, "{counted} counted");
        assert_eq!(shop.units("tea").await, Units { available, reserved: 5, sold: 2 }, "{counted} counted");
        assert_eq!(shop.stock("tea").await.number("shortfall"), shortfall, "{counted} counted");
        assert_eq!(shop.stock("tea").await.number("on_hand"), counted.unsigned_abs(), "{counted} counted");
    }
    // The ERP does not know of the payment that comes between its reading and its writing: nobody's units are touched.
    shop.confirm(&first).await.expect(200);
    shop.movement("tea", "count", 6).await.expect(201);
    shop.confirm(&second).await.expect(200);
    let report = shop.close().await;
    assert_eq!((report.sold, report.free, report.shortfall), (7, 4, 0));
}

/// Elsewhere: a point-of-sale sync turns 5 → 4 into 9 (SwagPayPal#561): an absolute number was taken for a difference. Here each kind of
/// movement says which it is, and one that is sent again is one.
///
/// Breaks with: `CountPlan::Credit(counted - expected)` in `plan_count`, `domain/src/stock.rs`, and its `Debit`, where the number is added;
/// or `return replay(…)` in `move_stock`, `store/src/flow/stock/movements.rs`, where a count that comes again is made again.
#[tokio::test(flavor = "multi_thread")]
async fn f25_a_point_of_sale_sync_adds_what_it_should_set() {
    let shop = Shop::with(&[("tea", 5)]).await;
    let counted = shop.movement("tea", "count", 4);
    let first = counted.clone().await.expect(201);
    assert_eq!(first["delta"], -1);
    // Sent again, at once and later; and the same number by another call.
    assert_eq!(counted.clone().await.expect(201).body, first.body);
    assert_eq!(shop.movement("tea", "count", 4).await.expect(201)["delta"], 0);
    assert_eq!(shop.units("tea").await, Units { available: 4, reserved: 0, sold: 0 });
    shop.order(&[("tea", 1)]).await.expect(201);
    assert_eq!(counted.await.expect(201).body, first.body, "the answer of the first");
    assert_eq!(shop.units("tea").await, Units { available: 3, reserved: 0, sold: 1 }, "and no unit comes back");
    // The till's own sale is a sale, or a difference; the number that is left there afterwards is what is left here.
    shop.movement("tea", "adjust", -1).await.expect(201);
    shop.movement("tea", "count", 2).await.expect(201);
    assert_eq!(shop.units("tea").await, Units { available: 2, reserved: 0, sold: 1 });
    let report = shop.close().await;
    assert_eq!((report.free, report.sold), (2, 1));
}

/// Elsewhere: an admin cuts the stock below what is held; the order sells anyway, or canceling it crashes (vendure#1355,
/// Sylius#9435).
///
/// Breaks with: `AND attribute_not_exists(owed)` in `release`, `store/src/write/release.rs` (units that are not there are sold
/// again), or `a >= :q` in `debit`, `store/src/write/credit.rs`.
#[tokio::test(flavor = "multi_thread")]
async fn f26_stock_is_cut_below_what_is_held() {
    let shop = Shop::with(&[("tea", 5)]).await;
    let paid = shop.reserve(&[("tea", 1)]).await.expect(201).id();
    let unpaid = shop.reserve(&[("tea", 3)]).await.expect(201).id();
    // A correction never takes what is held.
    let refused = shop.movement("tea", "adjust", -2).await.expect_problem(409, "insufficient-stock");
    assert_eq!(refused["lines"], json!([{ "sku": "tea", "requested": 2, "available": 1 }]));
    // A count is a fact: there are two units where four are held.
    let counted = shop.movement("tea", "count", 2).await.expect(201);
    assert_eq!((&counted["delta"], &counted["shortfall"]), (&json!(-3), &json!(2)));
    let listed = shop.get("/v1/shortfalls").await.expect(200);
    assert_eq!(listed.items().len(), 1);
    assert_eq!((&listed.items()[0]["id"], &listed.items()[0]["quantity"]), (&counted["id"], &json!(2)));
    let stock = shop.stock("tea").await.expect(200);
    assert_eq!((stock.number("on_hand"), stock.number("shortfall")), (2, 2));
    assert_eq!(shop.units("tea").await, Units { available: 0, reserved: 4, sold: 0 });

    // No hold was broken: the first is paid, the second let go. What comes back covers what was missing before it is sold.
    shop.confirm(&paid).await.expect(200);
    shop.cancel(&unpaid).await.expect(200);
    let stock = shop.stock("tea").await.expect(200);
    assert_eq!((stock.number("on_hand"), stock.number("shortfall")), (1, 0));
    assert_eq!(shop.units("tea").await, Units { available: 1, reserved: 0, sold: 1 });
    shop.reserve(&[("tea", 2)]).await.expect_problem(409, "insufficient-stock");
    shop.reserve(&[("tea", 1)]).await.expect(201);
    let report = shop.close().await;
    assert_eq!((report.free, report.sold, report.shortfall), (1, 1, 0));
}

/// Elsewhere: a stale page cache sells to −1 twelve hours later (shopware#14816).
///
/// Breaks with: `a >= :q` in `store/src/write/hold.rs` (the sale), `"cache-control", "no-store"` in `http/src/request.rs` (the
/// page), or `Refused::NoBucket` in `domain/src/acquire.rs` and what follows it (what a process has learned is stale as well).
#[tokio::test(flavor = "multi_thread")]
async fn f27_a_stale_page_sells_to_minus_one() {
    let shop = Shop::with(&[("tea", 1), ("mug", 70)]).await;
    let page = shop.availability(&["tea"]).await.expect(200);
    assert_eq!(page.items()[0]["in_stock"], true);
    assert_eq!(page.header("cache-control"), Some("no-store"));
    shop.order(&[("tea", 1)]).await.expect(201);
    shop.advance(12 * 60 * 60).await;
    // Whoever still looks at the page is refused, and told what is true.
    for call in [shop.order(&[("tea", 1)]), shop.reserve(&[("tea", 1)])] {
        let refused = call.await.expect_problem(409, "insufficient-stock");
        assert_eq!(refused["lines"], json!([{ "sku": "tea", "requested": 1, "available": 0 }]));
    }
    assert_eq!(shop.units("tea").await, Units { available: 0, reserved: 0, sold: 1 });

    // One process has learned where the mugs are; another one moves them all.
    shop.put_stock("mug", &json!({ "expected_peak_per_second": 64 })).await.expect(200);
    let first = shop.reserve(&[("mug", 1)]).await.expect(201).id();
    shop.cancel(&first).await.expect(200);
    let branch = shop.branch(None).await;
    branch.put_stock("mug", &json!({})).await.expect(200);
    assert_eq!(branch.stock("mug").await.number("buckets"), 1);
    let answers = at_once((0..8).map(|_| shop.order(&[("mug", 10)]))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 7);
    assert_eq!(shop.units("mug").await, Units { available: 0, reserved: 0, sold: 70 });
    branch.leave().await;
    shop.close().await;
}

/// Elsewhere: the in-stock filter ignores reserved units (saleor#10877).
///
/// Breaks with: `level.available` in `Item`, `availability/src/availability.rs`, where it is what is on hand; or
/// `None => level.reserved += units` in `domain/src/stock.rs`.
#[tokio::test(flavor = "multi_thread")]
async fn f28_the_in_stock_filter_ignores_reserved_units() {
    let shop = Shop::with(&[("tea", 3), ("mug", 3), ("cup", 0)]).await;
    let id = shop.reserve(&[("tea", 3), ("mug", 2)]).await.expect(201).id();
    let seen = async || {
        let listed = shop.availability(&["tea", "mug", "cup"]).await.expect(200);
        let seen = listed.items().iter().map(|item| (item["available"].as_u64().unwrap(), item["in_stock"] == true));
        seen.collect::<Vec<_>>()
    };
    assert_eq!(seen().await, [(0, false), (1, true), (0, false)]);
    let stocks = shop.get("/v1/stock").await.expect(200);
    let available: BTreeMap<_, _> = stocks
        .items()
        .iter()
        .map(|stock| (stock["sku"].as_str().unwrap(), stock["available"].as_u64().unwrap()))
        .collect();
    assert_eq!(available, BTreeMap::from([("cup", 0), ("mug", 1), ("tea", 0)]));
    assert!(stocks.items().iter().all(|stock| stock["on_hand"] == if stock["sku"] == "cup" { 0 } else { 3 }));

    shop.extend(&id, 3_600).await.expect(200);
    shop.advance(1_800).await;
    assert_eq!(seen().await, [(0, false), (1, true), (0, false)], "an extended hold stands");
    shop.confirm(&id).await.expect(200);
    assert_eq!(seen().await, [(0, false), (1, true), (0, false)]);
    shop.close().await;
}

/// Elsewhere: the reserved counter drifts, and needs a nightly repair job (odoo#62139). Here every number is a sum over what is
/// stored, and after any traffic it is what the movements and the reservations say.
///
/// Breaks with: `h.#rid = :hold` in `release`, `store/src/write/release.rs`: a hold that is released twice.
#[tokio::test(flavor = "multi_thread")]
async fn f29_the_reserved_counter_drifts() {
    let skus = ["tea", "mug", "cup"];
    let shop = Shop::with(&skus.map(|sku| (sku, 40))).await;
    let mut dice = Dice(29);
    let mut ids: Vec<String> = Vec::new();
    for round in 0..12 {
        let mut calls = Vec::new();
        for _ in 0..16 {
            let sku = skus[dice.below(3)];
            let units = dice.below(4) as u64 + 1;
            let id = (!ids.is_empty()).then(|| ids[dice.below(ids.len())].clone());
            let call = match (dice.below(8), id) {
                (0, _) => shop.order(&[(sku, units)]),
                (1, _) => shop.movement(sku, "receive", units.cast_signed()),
                (2, _) => shop.movement(sku, "adjust", -units.cast_signed()),
                (3, Some(id)) => shop.confirm(&id),
                // Two at once, for a hold that is released twice is what drifts.
                (4, Some(id)) => {
                    calls.push(shop.cancel(&id));
                    shop.cancel(&id)
                }
                (5, Some(id)) => shop.extend(&id, 3_600),
                _ => shop.reserve_for([300, 3_600][dice.below(2)], &[(sku, units), (skus[dice.below(3)], units)]),
            };
            calls.push(call);
        }
        for answer in at_once(calls).await {
            assert!(answer.status < 500, "{}", answer.text);
            if answer.status == 201 && answer["lines"].is_array() {
                ids.push(answer.id());
            }
        }
        if round % 3 == 2 {
            shop.advance(200).await;
        }
        shop.audit(false).await;
    }
    for sku in skus {
        assert_eq!(sums(&shop, sku).await, from_history(&shop, &ids, sku).await, "{sku}");
    }
    shop.close().await;
}

/// What the stock says: on hand with what is sold, reserved, sold.
async fn sums(shop: &Shop, sku: &str) -> (u64, u64, u64) {
    let Units { available, reserved, sold } = shop.units(sku).await;
    (available + reserved + sold, reserved, sold)
}

/// The same, from the movements and from what has become of each reservation.
async fn from_history(shop: &Shop, ids: &[String], sku: &str) -> (u64, u64, u64) {
    let mut moved = 0;
    let mut cursor = String::new();
    loop {
        let page = shop.get(&format!("/v1/stock/{sku}/movements?limit=20{cursor}")).await.expect(200);
        moved += page.items().iter().map(|movement| movement["delta"].as_i64().unwrap()).sum::<i64>();
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    let (mut reserved, mut sold) = (0, 0);
    for id in ids {
        let record = shop.reservation(id).await.expect(200);
        let lines = record["lines"].as_array().unwrap().iter().filter(|line| line["sku"] == sku);
        let units: u64 = lines.map(|line| line["quantity"].as_u64().unwrap()).sum();
        match record.text_of("status").as_str() {
            "active" => reserved += units,
            "confirmed" => sold += units,
            _ => {}
        }
    }
    (moved.cast_unsigned(), reserved, sold)
}

/// Random enough, and the same on every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        // Knuth's MMIX generator; its low bits are poor, so only the high ones are used.
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % end
    }
}
