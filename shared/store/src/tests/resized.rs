//! A marketplace's order that is edited after it was recorded: what its lines grow by is taken, what they shrink by comes back, once, and
//! by newer news alone.

use domain::{
    ids::Channel,
    quantity::Quantity,
    sale::{ChannelOrder, SaleLine, Stage},
};

use super::engine::{Bench, at, bench, order};

fn shop() -> Channel {
    "shop".parse().unwrap()
}

/// The order with its one line, as it stood when it changed at this second.
fn stood(changed_at: u64, quantity: u64, canceled: u64, stage: Stage) -> ChannelOrder {
    let quantity = Quantity::new(quantity).unwrap();
    let line = SaleLine { line: order("1"), sku: "tea".parse().unwrap(), quantity, canceled, stage };
    ChannelOrder { order: order("o"), changed_at: at(changed_at), lines: vec![line] }
}

async fn free(bench: &Bench) -> u64 {
    bench.level_of("tea#shop").await.available
}

/// Each telling, and how many of the ten units are free then; whatever comes late changes nothing.
async fn edits(told: &[(ChannelOrder, u64)]) {
    let bench = bench().await;
    bench.pool("tea#shop", 10).await;
    for (n, (order, left)) in told.iter().enumerate() {
        for again in ["told", "told again", "told by another process"] {
            let store = if again.ends_with("process") { &bench.another_process() } else { &bench.store };
            store.record_order(&shop(), order).await.unwrap();
            assert_eq!(free(&bench).await, *left, "{n} {again}: {order:?}");
        }
    }
    bench.assert_sound().await;
    let last = told.last().unwrap();
    for (order, _) in told.iter().rev().chain(told) {
        bench.store.record_order(&shop(), order).await.unwrap();
        assert_eq!(free(&bench).await, last.1, "late: {order:?}");
    }
    bench.assert_sound().await;
}

#[tokio::test]
async fn what_an_order_grows_by_is_taken_and_what_it_shrinks_by_comes_back() {
    edits(&[
        (stood(10, 1, 0, Stage::Pending), 9),
        (stood(20, 3, 0, Stage::Pending), 7),
        (stood(30, 3, 0, Stage::Paid), 7),
        (stood(40, 2, 0, Stage::Paid), 8),
        (stood(50, 4, 0, Stage::Paid), 6),
        (stood(55, 4, 1, Stage::Paid), 7),
        (stood(60, 4, 4, Stage::Paid), 10),
        (stood(70, 4, 0, Stage::Shipped), 6),
    ])
    .await;
}

#[tokio::test]
async fn an_order_that_shrinks_and_grows_again_is_sold_as_it_stands() {
    edits(&[
        (stood(10, 3, 0, Stage::Paid), 7),
        (stood(40, 1, 0, Stage::Paid), 9),
        (stood(50, 3, 0, Stage::Paid), 7),
        (stood(60, 5, 0, Stage::Shipped), 5),
    ])
    .await;
}

#[tokio::test]
async fn what_may_be_older_news_gives_nothing_back() {
    let bench = bench().await;
    bench.pool("tea#shop", 10).await;
    bench.store.record_order(&shop(), &stood(10, 3, 0, Stage::Paid)).await.unwrap();
    let smaller = stood(20, 1, 0, Stage::Paid);
    bench.store.record_sale(&shop(), &smaller.order, &smaller.lines[0]).await.unwrap();
    assert_eq!(free(&bench).await, 7, "of which age it is, is not known");
    let before = ChannelOrder { changed_at: domain::time::Timestamp::from_epoch_seconds(1), ..smaller };
    bench.store.record_order(&shop(), &before).await.unwrap();
    assert_eq!(free(&bench).await, 7);
    bench.assert_sound().await;
}
