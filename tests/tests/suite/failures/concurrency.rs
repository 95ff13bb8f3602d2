//! Many shoppers at the same moment.

use futures::future::join_all;
use serde_json::json;

use crate::support::{Shop, Units, at_once, order_message};

/// Elsewhere: two direct reserves of the last unit both succeed; a counter loses an update (medusa#16569).
///
/// Breaks with: `a >= :q` in `store/src/write/hold.rs`.
#[tokio::test(flavor = "multi_thread")]
async fn f01_two_direct_reserves_of_the_last_unit() {
    let shop = Shop::open().await;
    for round in 0..10 {
        let sku = format!("tea-{round}");
        shop.fill(&sku, 1).await;
        let answers = at_once([shop.reserve(&[(&sku, 1)]), shop.reserve(&[(&sku, 1)])]).await;
        let mut statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
        statuses.sort_unstable();
        assert_eq!(statuses, [201, 409]);
        assert_eq!(shop.units(&sku).await, Units { available: 0, reserved: 1, sold: 0 });
    }
    shop.close().await;
}

/// Elsewhere: the loser of the race leaves an orphan order behind (medusa#16825).
///
/// Breaks with: `self.release_unkept(&record, &holds.all())` in `Store::refuse`, `store/src/flow/take.rs`.
#[tokio::test(flavor = "multi_thread")]
async fn f02_the_loser_of_the_race_leaves_an_orphan_order() {
    let shop = Shop::with(&[("mug", 100)]).await;
    for round in 0..5 {
        let tea = format!("tea-{round}");
        shop.fill(&tea, 1).await;
        // Mugs there are enough, and each order holds one before it learns that the tea is gone.
        let orders = ["a", "b"].map(|who| shop.order(&[("mug", 1), (&tea, 1)]).key(&format!("{who}-{round}")));
        let mut answers = at_once(orders).await;
        answers.sort_by_key(|answer| answer.status);
        let [winner, loser] = <[_; 2]>::try_from(answers).unwrap();
        let (winner, loser) = (winner.expect(201).id(), loser.expect_problem(409, "insufficient-stock"));
        assert_eq!(loser["lines"], json!([{ "sku": tea, "requested": 1, "available": 0 }]));
        assert_eq!(shop.get(&format!("/v1/orders/{winner}")).await.expect(200)["status"], "confirmed");
        assert_eq!(shop.units("mug").await, Units { available: 99 - round, reserved: 0, sold: round + 1 });
        assert_eq!(shop.units(&tea).await, Units { available: 0, reserved: 0, sold: 1 });
    }
    // Every mug of a loser can be had.
    shop.order(&[("mug", 95)]).await.expect(201);
    let report = shop.close().await;
    assert_eq!(report.reservations["confirmed"], 6);
    assert_eq!(report.reservations["canceled"], 5);
}

/// The same, where both orders come out of the queue, from different lines and in different processes. Of each pair one is sold and
/// one refused: no order is left without an outcome, and no mug is left with a refused one.
///
/// Breaks with: `self.release_unkept(&record, &holds.all())` in `Store::refuse`, `store/src/flow/take.rs`.
#[tokio::test(flavor = "multi_thread")]
async fn f02_the_loser_of_the_race_in_the_queue_leaves_an_orphan_order() {
    let shop = Shop::without_order_consumer(&[("mug", 100)]).await;
    let branch = shop.branch_without_order_consumer().await;
    for round in 0..5_u64 {
        let tea = format!("tea-{round}");
        shop.fill(&tea, 1).await;
        let lines = ["mug=1".to_owned(), format!("{tea}=1")];
        let lines = [lines[0].as_str(), lines[1].as_str()];
        let queued = |who: &str| shop.queue(&[("mug", 1), (&tea, 1)]).key(&format!("{who}-{round}"));
        let ids = at_once(["a", "b"].map(queued)).await.into_iter().map(|answer| answer.expect(202).id());
        let first = [order_message(&format!("a-{round}"), "mug#own", &lines)];
        let second = [order_message(&format!("b-{round}"), &format!("{tea}#own"), &lines)];
        let (a, b) = tokio::join!(shop.deliver_orders(&first), branch.deliver_orders(&second));
        // One that met the other in the middle comes again.
        for (failed, message, shop) in [(a, &first, &shop), (b, &second, &branch)] {
            if !failed.is_empty() {
                assert_eq!(shop.deliver_orders(message).await, [""; 0]);
            }
        }
        let mut outcomes = Vec::new();
        for id in ids {
            outcomes.push(shop.decided(&id).await.text_of("status"));
        }
        outcomes.sort();
        assert_eq!(outcomes, ["confirmed", "rejected"]);
        assert_eq!(shop.units("mug").await, Units { available: 99 - round, reserved: 0, sold: round + 1 });
        assert_eq!(shop.units(&tea).await, Units { available: 0, reserved: 0, sold: 1 });
    }
    branch.leave().await;
    shop.order(&[("mug", 95)]).await.expect(201);
    let report = shop.close().await;
    assert_eq!((report.reservations["confirmed"], report.reservations["canceled"]), (6, 5));
}

/// Elsewhere: concurrent checkouts all pass a check that was made before the write (saleor#543, magento/inventory#3072,
/// vendure#3508).
///
/// Breaks with: `a >= :q` in `store/src/write/hold.rs`, also where it only asks for *some* unit: `a > :zero`.
#[tokio::test(flavor = "multi_thread")]
async fn f03_a_check_before_the_write() {
    let shop = Shop::with(&[("tea", 5)]).await;
    // Each shopper sees five, and each wants three of them.
    let checks = at_once((0..20).map(|_| shop.availability(&["tea"]))).await;
    assert!(checks.iter().all(|check| check.items()[0]["available"] == 5));
    let answers = at_once((0..20).map(|_| shop.order(&[("tea", 3)]))).await;
    let sold: Vec<_> = answers.iter().filter(|answer| answer.status == 201).collect();
    assert_eq!(sold.len(), 1);
    for answer in answers.into_iter().filter(|answer| answer.status != 201) {
        answer.expect_problem(409, "insufficient-stock");
    }
    assert_eq!(shop.units("tea").await, Units { available: 2, reserved: 0, sold: 3 });
    shop.close().await;
}

/// Elsewhere: availability is a ledger sum with nothing to lock, so writers of the ledger do not see each other (shopper PR#581).
///
/// Breaks with: `a >= :q` in `debit`, `store/src/write/credit.rs`.
#[tokio::test(flavor = "multi_thread")]
async fn f04_availability_is_a_ledger_sum() {
    let shop = Shop::with(&[("tea", 10)]).await;
    // Ten units, and thirty who want one: shoppers, and a merchant who takes broken ones out of the books.
    let reserves = (0..15).map(|_| shop.reserve(&[("tea", 1)]));
    let corrections = (0..15).map(|_| shop.movement("tea", "adjust", -1));
    let answers = at_once(reserves.chain(corrections)).await;
    let (taken, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status == 201);
    assert_eq!(taken.len(), 10);
    for answer in refused {
        answer.expect_problem(409, "insufficient-stock");
    }
    let by_shoppers = taken.iter().filter(|answer| answer.body.get("lines").is_some()).count() as u64;
    assert_eq!(shop.units("tea").await, Units { available: 0, reserved: by_shoppers, sold: 0 });
    shop.close().await;
}

/// Elsewhere: skipping locked rows duplicates a quant, and two are reserved of one (odoo PR#272560). Here a crowded SKU is split:
/// shoppers who find no room move units into a bucket of their own.
///
/// Breaks with: `SET a = a - :n` in `open`, `store/src/write/child.rs`.
#[tokio::test(flavor = "multi_thread")]
async fn f05_a_row_is_split_under_the_shoppers() {
    let shop = Shop::with(&[("tea", 60)]).await;
    let answers = at_once((0..80).map(|_| shop.reserve(&[("tea", 1)]))).await;
    let held = answers.iter().filter(|answer| answer.status == 201).count();
    assert_eq!(held, 60);
    assert!(shop.stock("tea").await.number("buckets") > 1, "the SKU was never split");
    assert_eq!(shop.units("tea").await, Units { available: 0, reserved: 60, sold: 0 });
    shop.close().await;
}

/// Elsewhere: simultaneous reservation entries exceed the stock (erpnext PR#51375).
///
/// Breaks with: `SET a = a - :q` in `store/src/write/hold.rs`, for instance where it writes back what was read before.
#[tokio::test(flavor = "multi_thread")]
async fn f06_simultaneous_entries_exceed_the_stock() {
    let shop = Shop::with(&[("tea", 40), ("mug", 30)]).await;
    // Carts of 1 to 5 units, 120 in all, in every order of their lines.
    let carts = (0..20).map(|n| {
        let (tea, mug) = (("tea", n % 5 + 1), ("mug", n % 5 + 1));
        shop.reserve(&if n % 2 == 0 { [tea, mug] } else { [mug, tea] })
    });
    let answers = at_once(carts).await;
    let units = |sku: &str| {
        let taken =
            answers.iter().filter(|answer| answer.status == 201).flat_map(|answer| answer["lines"].as_array().unwrap());
        taken.filter(|line| line["sku"] == sku).map(|line| line["quantity"].as_u64().unwrap()).sum::<u64>()
    };
    let (tea, mug) = (units("tea"), units("mug"));
    assert!(tea <= 40 && mug <= 30 && mug > 0, "{tea} tea, {mug} mugs");
    assert_eq!(shop.units("tea").await, Units { available: 40 - tea, reserved: tea, sold: 0 });
    assert_eq!(shop.units("mug").await, Units { available: 30 - mug, reserved: mug, sold: 0 });
    let paid = answers.iter().filter(|answer| answer.status == 201).map(|answer| shop.confirm(&answer.id()));
    join_all(paid.map(IntoFuture::into_future)).await.into_iter().for_each(|answer| drop(answer.expect(200)));
    assert_eq!(shop.units("mug").await, Units { available: 30 - mug, reserved: 0, sold: mug });
    shop.close().await;
}
