//! Reorders that do not stop.

use serde_json::{Value, json};

use crate::{
    replenishment::{reorder, tell, ten_a_day},
    support::Shop,
};

/// How many alerts there are: open, and closed.
async fn alerts(shop: &Shop) -> (usize, usize) {
    let count = async |status: &str| shop.get(&format!("/v1/alerts?status={status}")).await.expect(200).items().len();
    (count("open").await, count("closed").await)
}

/// Everything that makes the service look, as often as it may come.
async fn look(shop: &Shop) {
    let app = shop.stack().app();
    let twice = [json!({ "skus": ["tea"] }), json!({ "skus": ["tea"] })];
    let (first, second) = tokio::join!(Box::pin(tell(app, &twice)), Box::pin(tell(app, &twice)));
    assert_eq!((first, second), (Vec::<Value>::new(), Vec::<Value>::new()));
    replenish::handle(app, json!({ "source": "aws.events" })).await.expect("a tick");
}

/// Elsewhere: a reorder fires again and again for one shortage (odoo#20719, erpnext#50205).
///
/// Breaks with: `sight.supply() > open.supply` in `domain/src/replenishment/review.rs` (a hold that expires closes the alert, and the next
/// sale opens another one), or `n = :seen` in `learn`, `store/src/write/replenishment.rs` (two that look at once open two).
#[tokio::test(flavor = "multi_thread")]
async fn f30_a_reorder_fires_again_and_again_for_one_shortage() {
    let shop = Shop::with(&[("tea", 100)]).await;
    ten_a_day(&shop, "tea").await;
    reorder(&shop, "tea", &json!({})).await;
    // 84 is the reorder point. Each of these holds takes the position below it, and gives the units back.
    for round in 0..3 {
        let held = shop.reserve_for(300, &[("tea", 20)]).await.expect(201).id();
        look(&shop).await;
        assert_eq!(alerts(&shop).await, (1, 0), "round {round}");
        if round == 1 {
            shop.cancel(&held).await.expect(200)
        } else {
            shop.get("/v1/alerts").await
        };
        shop.advance(301).await;
        look(&shop).await;
        assert_eq!(alerts(&shop).await, (1, 0), "round {round}: nothing has come");
    }
    // It goes on to sell, down to nothing: still the one shortage.
    for units in [30, 30, 40] {
        shop.order(&[("tea", units)]).await.expect(201);
        look(&shop).await;
        assert_eq!(alerts(&shop).await, (1, 0));
    }
    // Too little comes, and then enough.
    shop.movement("tea", "receive", 84).await.expect(201);
    look(&shop).await;
    assert_eq!(alerts(&shop).await, (1, 0), "84 is not above the reorder point");
    shop.movement("tea", "receive", 20).await.expect(201);
    look(&shop).await;
    assert_eq!(alerts(&shop).await, (0, 1));
    // The next shortage is another one.
    shop.order(&[("tea", 20)]).await.expect(201);
    look(&shop).await;
    assert_eq!(alerts(&shop).await, (1, 1));
    shop.close().await;
}
