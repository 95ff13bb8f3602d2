//! Channels that share the units of one shelf: each sells exactly its own, and units change channels only as somebody says.

use serde_json::{Value, json};

use crate::support::{Shop, Units, at_once};

const CHANNELS: [(&str, u64); 3] = [("own", 40), ("amazon", 35), ("ebay", 25)];

/// `channel available+reserved`, for every pool.
async fn pools(shop: &Shop, sku: &str) -> Vec<String> {
    let quotas = shop.quotas(sku).await.expect(200);
    let pools = quotas["pools"].as_array().unwrap().iter();
    let written = |pool: &Value| {
        let channel = pool["channel"].as_str().unwrap();
        format!("{channel} {}+{}", pool["available"], pool["reserved"])
    };
    pools.map(written).collect()
}

/// What the movements of a channel sum to, and how many there are of each kind and reason.
async fn booked(shop: &Shop, sku: &str, channel: &str) -> (i64, Vec<(String, i64, String)>) {
    let page = shop.get(&format!("/v1/stock/{sku}/movements?channel={channel}&limit=100")).await.expect(200);
    let text = |item: &Value, field: &str| item[field].as_str().unwrap_or_default().to_owned();
    let movements = page.items().iter().map(|item| {
        let delta = item["delta"].as_i64().unwrap();
        (text(item, "other_channel"), delta, text(item, "reason"))
    });
    let movements: Vec<_> = movements.collect();
    (movements.iter().map(|(_, delta, _)| delta).sum(), movements)
}

/// The movements of each channel sum to what it has, sold units included.
async fn assert_explained(shop: &Shop, sku: &str, channels: &[&str]) {
    for channel in channels {
        let Units { available, reserved, sold } = shop.units(&format!("{sku}?channel={channel}")).await;
        assert_eq!(booked(shop, sku, channel).await.0, (available + reserved + sold).cast_signed(), "{channel}");
    }
}

/// Elsewhere: one channel sells what another has (vendure#4030, #2356).
#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_units_are_split_and_each_channel_sells_exactly_its_own() {
    let shop = Shop::with(&[("mug", 100)]).await;
    let split = shop.put_quotas("mug", &CHANNELS).await.expect(200);
    assert_eq!(split["pools"][0]["quota"], 35);
    assert_eq!(pools(&shop, "mug").await, ["amazon 35+0", "ebay 25+0", "own 40+0"]);
    let again = shop.put_quotas("mug", &CHANNELS).await.expect(200);
    assert_eq!(again.header("etag"), split.header("etag"), "sent again, it changes nothing");

    let orders =
        CHANNELS.iter().flat_map(|(channel, quota)| (0..quota + 5).map(|_| shop.order_in(channel, &[("mug", 1)])));
    let mut sold = [0; 3];
    let answers = at_once(orders).await;
    for (channel, answer) in answers.iter().enumerate().map(|(n, answer)| {
        (
            if n < 45 {
                0
            } else if n < 85 {
                1
            } else {
                2
            },
            answer,
        )
    }) {
        match answer.status {
            201 => sold[channel] += 1,
            _ => drop(answer.clone().expect_problem(409, "insufficient-stock")),
        }
    }
    assert_eq!(sold, CHANNELS.map(|(_, quota)| quota));
    assert_explained(&shop, "mug", &["own", "amazon", "ebay"]).await;
    let report = shop.close().await;
    assert_eq!((report.free, report.sold), (0, 100));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transfer_is_made_once_for_each_key_and_explained_on_both_sides() {
    let shop = Shop::with(&[("mug", 10)]).await;
    let transfer = shop.transfer("mug", "own", "amazon", 4);
    let first = transfer.clone().await.expect(201);
    let again = transfer.clone().await.expect(201);
    assert_eq!((first.is_replayed(), again.is_replayed(), &first.body), (false, true, &again.body));
    assert_eq!((first.number("quantity"), &first["actor"]), (4, &json!("local")));
    let other = json!({ "from": "own", "to": "amazon", "quantity": 5, "reason": "4 to amazon" });
    transfer.json(&other).await.expect_problem(422, "idempotency-key-reused");
    assert_eq!(pools(&shop, "mug").await, ["amazon 4+0", "own 6+0"]);
    let (_, amazon) = booked(&shop, "mug", "amazon").await;
    assert_eq!(amazon, [("own".to_owned(), 4, "4 to amazon".to_owned())]);
    let (_, own) = booked(&shop, "mug", "own").await;
    assert!(own.contains(&("amazon".to_owned(), -4, "4 to amazon".to_owned())), "{own:?}");
    let page = shop.get("/v1/stock/mug/movements?channel=amazon").await.expect(200);
    assert_eq!((&page.items()[0]["kind"], &page.items()[0]["id"]), (&json!("transfer"), &first["movements"][1]));

    shop.transfer("mug", "own", "amazon", 7).await.expect_problem(409, "insufficient-stock");
    shop.transfer("mug", "walmart", "own", 1).await.expect_problem(404, "unknown-sku");
    let same = shop.transfer("mug", "own", "own", 1).await.expect_problem(400, "invalid-request");
    assert_eq!(same.fields(), ["to"]);
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn transfers_and_quotas_race_with_shoppers_and_nothing_goes_below_zero() {
    let shop = Shop::with(&[("mug", 60)]).await;
    shop.put_quotas("mug", &[("own", 30), ("ebay", 30)]).await.expect(200);
    let mut calls = Vec::new();
    for n in 0..20 {
        calls.push(shop.order_in("own", &[("mug", 2)]));
        calls.push(shop.order_in("ebay", &[("mug", 2)]));
        let (from, to) = if n % 2 == 0 { ("own", "ebay") } else { ("ebay", "own") };
        calls.push(shop.transfer("mug", from, to, 3));
        if n % 5 == 0 {
            calls.push(shop.put_quotas("mug", &[("own", 5), ("ebay", 5)]));
        }
    }
    let answers = at_once(calls).await;
    let sold = answers.iter().filter(|answer| answer.status == 201 && answer["lines"].is_array()).count() as u64 * 2;
    for answer in &answers {
        assert!([200, 201, 409].contains(&answer.status), "{}: {}", answer.call, answer.text);
    }
    let mut left = 0;
    for channel in ["own", "ebay", "shared"] {
        let answer = shop.stock(&format!("mug?channel={channel}")).await;
        left += if answer.status == 404 { 0 } else { answer.number("available") };
    }
    assert_eq!(left + sold, 60);
    assert_explained(&shop, "mug", &["own", "ebay"]).await;
    shop.close().await;
}

/// Elsewhere: an admin cuts the stock below what is held; the order sells anyway, or canceling it crashes (vendure#1355,
/// Sylius#9435). A transfer and a quota take units away as well.
#[tokio::test(flavor = "multi_thread")]
async fn f26_units_that_are_held_change_no_channel() {
    let shop = Shop::with(&[("mug", 10)]).await;
    let held = shop.reserve(&[("mug", 6)]).await.expect(201).id();
    let refused = shop.transfer("mug", "own", "ebay", 5).await.expect_problem(409, "insufficient-stock");
    assert_eq!(refused["lines"], json!([{ "sku": "mug", "requested": 5, "available": 4 }]));
    // All or nothing: eBay could have its three, but the own store cannot go down to five.
    let refused = shop.put_quotas("mug", &[("own", 5), ("ebay", 3)]).await.expect_problem(409, "insufficient-stock");
    assert_eq!(refused["lines"], json!([{ "sku": "mug", "requested": 5, "available": 4 }]));
    assert_eq!(pools(&shop, "mug").await, ["own 4+6"]);
    shop.put_quotas("mug", &[("own", 6), ("ebay", 3)]).await.expect(200);
    assert_eq!(pools(&shop, "mug").await, ["ebay 3+0", "own 0+6", "shared 1+0"]);
    shop.confirm(&held).await.expect(200);
    assert_explained(&shop, "mug", &["own", "ebay", "shared"]).await;
    let report = shop.close().await;
    assert_eq!((report.free, report.sold, report.shortfall), (4, 6, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn quotas_are_replaced_only_as_they_were_seen_and_given_up_for_one_stock() {
    let shop = Shop::with(&[("mug", 20)]).await;
    let seen = shop.put_quotas("mug", &[("own", 8), ("ebay", 8)]).await.expect(200);
    let etag = seen.header("etag").unwrap().to_owned();
    shop.transfer("mug", "shared", "ebay", 1).await.expect(201);
    let stale = shop.put_quotas("mug", &[("own", 20)]).header("If-Match", &etag);
    stale.await.expect_problem(412, "precondition-failed");
    shop.reserve(&[("mug", 2)]).await.expect(201);
    let unified = shop.put_quotas("mug", &[]).header("If-Match", "*").await.expect(200);
    let joined: Vec<_> = unified["pools"].as_array().unwrap().iter().map(|pool| pool["joined"] == true).collect();
    assert_eq!(joined, [true, true, false]);
    assert_eq!(pools(&shop, "mug").await, ["ebay 0+0", "own 0+2", "shared 18+0"]);
    let split = shop.put_quotas("mug", &[("own", 10)]).await.expect(200);
    assert_eq!(split["pools"][1]["joined"], false);
    assert_explained(&shop, "mug", &["own", "ebay", "shared"]).await;
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_divides_units_by_recent_sales_once_a_channel_runs_low() {
    let shop = Shop::with(&[("mug", 100)]).await;
    shop.put_quotas("mug", &[("own", 50), ("amazon", 30), ("ebay", 20)]).await.expect(200);
    let rule = json!({ "weights": "recent_sales", "minimum": { "own": 8 }, "trigger_below": 5, "reason": "festival" });
    let made = shop.put_rule("mug", &rule).await.expect(201);
    assert_eq!(
        (&made["weights"], made.number("trigger_below"), made.number("version")),
        (&json!("recent_sales"), 5, 1)
    );
    shop.order_in("ebay", &[("mug", 15)]).await.expect(201);
    shop.order_in("amazon", &[("mug", 5)]).await.expect(201);
    shop.advance(300).await;
    assert_eq!(pools(&shop, "mug").await, ["amazon 25+0", "ebay 5+0", "own 50+0"], "nobody runs low");
    let quotas = shop.quotas("mug").await.expect(200);
    assert_eq!(quotas["redistribution"]["recent_sales"], json!({ "amazon": 5, "ebay": 15, "own": 0 }));

    // 79 units: the own store, which sold nothing, keeps 8; the rest is divided 15.9 to 5.
    shop.order_in("ebay", &[("mug", 1)]).await.expect(201);
    shop.advance(200).await;
    assert_eq!(pools(&shop, "mug").await, ["amazon 25+0", "ebay 4+0", "own 50+0"], "it is not time");
    shop.advance(101).await;
    assert_eq!(pools(&shop, "mug").await, ["amazon 17+0", "ebay 54+0", "own 8+0"]);
    let (_, ebay) = booked(&shop, "mug", "ebay").await;
    let moved: Vec<_> =
        ebay.iter().filter(|(_, _, reason)| reason == "redistributed by recent sales: festival").collect();
    assert_eq!(moved.iter().map(|(_, delta, _)| delta).sum::<i64>(), 50);
    assert_explained(&shop, "mug", &["own", "amazon", "ebay"]).await;

    shop.advance(300).await;
    assert_eq!(pools(&shop, "mug").await, ["amazon 17+0", "ebay 54+0", "own 8+0"], "nobody runs low any more");
    assert_eq!(shop.delete("/v1/stock/mug/redistribution").await.expect(200)["removed"], true);
    shop.rule("mug").await.expect_problem(404, "not-found");
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_runs_by_hand_once_for_each_key_and_is_replaced_only_as_it_was_seen() {
    let shop = Shop::with(&[("mug", 30)]).await;
    shop.transfer("mug", "own", "ebay", 2).await.expect(201);
    let rule = json!({ "weights": { "own": 2, "ebay": 1 }, "trigger_below": 0 });
    shop.put_rule("mug", &rule).await.expect(201);
    shop.advance(600).await;
    assert_eq!(pools(&shop, "mug").await, ["ebay 2+0", "own 28+0"], "only by hand");
    let run = shop.run_rule("mug");
    let first = run.clone().await.expect(200);
    assert_eq!((&first["transfers"][0]["quantity"], &first["transfers"][0]["to"]), (&json!(8), &json!("ebay")));
    shop.order_in("ebay", &[("mug", 4)]).await.expect(201);
    let again = run.await.expect(200);
    assert_eq!((first.is_replayed(), again.is_replayed(), &first.body), (false, true, &again.body));
    assert_eq!(pools(&shop, "mug").await, ["ebay 6+0", "own 20+0"]);

    let seen = shop.rule("mug").await.expect(200);
    assert_eq!(seen.header("etag"), Some("\"1\""));
    let other = json!({ "weights": { "own": 1, "ebay": 1 }, "minimum": { "ebay": 20 }, "trigger_below": 7 });
    shop.put_rule("mug", &other).header("If-Match", "\"9\"").await.expect_problem(412, "precondition-failed");
    assert_eq!(shop.put_rule("mug", &other).header("If-Match", "\"1\"").await.expect(200).number("version"), 2);
    shop.advance(301).await;
    assert_eq!(pools(&shop, "mug").await, ["ebay 20+0", "own 6+0"]);
    assert_explained(&shop, "mug", &["own", "ebay"]).await;
    shop.close().await;
}
