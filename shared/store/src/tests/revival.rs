//! A marketplace's order that was canceled, and is paid after all: its units are taken anew, once, and only by newer news.

use domain::{
    ids::{Channel, Reference, ReservationId},
    quantity::Quantity,
    reservation::Status,
    sale::{ChannelOrder, SaleKey, SaleLine, Stage},
};

use super::{
    engine::{Bench, at, bench, order},
    pools::level,
};
use crate::Failure;

fn shop() -> Channel {
    "shop".parse().unwrap()
}

fn id() -> ReservationId {
    let line: Reference = order("1");
    ReservationId::of_sale(&SaleKey { channel: shop(), order: order("o"), line })
}

/// The order with its one line of three, as it stood when it changed at this second.
fn stood(changed_at: u64, canceled: u64, stage: Stage) -> ChannelOrder {
    let quantity = Quantity::new(3).unwrap();
    let line = SaleLine { line: order("1"), sku: "tea".parse().unwrap(), quantity, canceled, stage };
    ChannelOrder { order: order("o"), changed_at: at(changed_at), lines: vec![line] }
}

impl Bench {
    async fn hear(&self, told: &ChannelOrder) -> Result<(), Failure> {
        self.store.record_order(&shop(), told).await
    }

    /// Free units, and sold ones, of the ten.
    async fn units(&self) -> (u64, u64) {
        let level = self.level_of("tea#shop").await;
        assert_eq!(level.available + level.reserved + level.sold, 10, "{level:?}");
        (level.available, level.sold)
    }
}

/// The lives of a line: each telling, and how many of the ten units are free then.
async fn lives(told: &[(ChannelOrder, u64)]) {
    let bench = bench().await;
    bench.pool("tea#shop", 10).await;
    for (n, (order, free)) in told.iter().enumerate() {
        for again in ["told", "told again"] {
            bench.hear(order).await.unwrap();
            assert_eq!(bench.level_of("tea#shop").await.available, *free, "{n} {again}: {order:?}");
        }
    }
    bench.assert_sound().await;
    // Whatever is told once more, in whichever order: all of it is older than what was told last, or the same.
    let last = told.last().unwrap();
    for (order, _) in told.iter().rev().chain(told) {
        bench.hear(order).await.unwrap();
        assert_eq!(bench.level_of("tea#shop").await.available, last.1, "late: {order:?}");
    }
    bench.assert_sound().await;
}

#[tokio::test]
async fn what_is_canceled_before_it_was_paid_is_paid_after_all() {
    lives(&[
        (stood(10, 0, Stage::Pending), 7),
        (stood(20, 3, Stage::Pending), 10),
        (stood(30, 0, Stage::Paid), 7),
        (stood(40, 3, Stage::Paid), 10),
        (stood(50, 0, Stage::Pending), 7),
        (stood(60, 0, Stage::Shipped), 7),
    ])
    .await;
}

#[tokio::test]
async fn what_was_sold_and_canceled_is_sold_anew() {
    lives(&[
        (stood(10, 0, Stage::Paid), 7),
        (stood(15, 1, Stage::Paid), 8),
        (stood(20, 3, Stage::Paid), 10),
        (stood(30, 1, Stage::Paid), 8),
        (stood(40, 3, Stage::Paid), 10),
    ])
    .await;
}

#[tokio::test]
async fn what_was_canceled_before_anybody_heard_of_it_is_sold_anew() {
    lives(&[(stood(20, 3, Stage::Paid), 10), (stood(30, 0, Stage::Shipped), 7)]).await;
}

#[tokio::test]
async fn f14_older_news_revives_nothing() {
    // Elsewhere: a late "paid" revived a canceled order and deducted again (mollie/WooCommerce#1252).
    let bench = bench().await;
    bench.pool("tea#shop", 10).await;
    // The order went: paid at 10, canceled at 20, a note at 40. Of these only the last two come in time.
    bench.hear(&stood(20, 3, Stage::Paid)).await.unwrap();
    bench.hear(&stood(40, 3, Stage::Paid)).await.unwrap();
    for late in
        [stood(10, 0, Stage::Paid), stood(20, 0, Stage::Paid), stood(30, 0, Stage::Paid), stood(40, 1, Stage::Paid)]
    {
        bench.hear(&late).await.unwrap();
        // News of which nobody knows the age.
        bench.store.record_sale(&shop(), &late.order, &late.lines[0]).await.unwrap();
        assert_eq!(bench.units().await, (10, 0), "{late:?}");
    }
    // The cancellation that comes once more, from before it was paid again, takes nothing from whoever has paid.
    bench.hear(&stood(50, 0, Stage::Paid)).await.unwrap();
    for late in [stood(20, 3, Stage::Paid), stood(45, 3, Stage::Paid), stood(50, 3, Stage::Paid)] {
        bench.hear(&late).await.unwrap();
        bench.store.record_sale(&shop(), &late.order, &late.lines[0]).await.unwrap();
        assert_eq!(bench.units().await, (7, 3), "{late:?}");
    }
    bench.assert_sound().await;
}

#[tokio::test]
async fn what_is_wanted_anew_and_nobody_has_is_a_shortfall() {
    let bench = bench().await;
    bench.pool("tea#shop", 10).await;
    bench.hear(&stood(10, 0, Stage::Paid)).await.unwrap();
    bench.hear(&stood(20, 3, Stage::Paid)).await.unwrap();
    let line = |quantity| {
        let quantity = Quantity::new(quantity).unwrap();
        SaleLine { line: order("1"), sku: "tea".parse().unwrap(), quantity, canceled: 0, stage: Stage::Paid }
    };
    bench.store.record_sale(&shop(), &order("other"), &line(9)).await.unwrap();
    for _ in 0..2 {
        bench.hear(&stood(30, 0, Stage::Paid)).await.unwrap();
        assert_eq!(bench.level_of("tea#shop").await, level(0, 0, 15, 2));
    }
    let record = bench.record_of(&id().successor()).await.unwrap();
    assert!(matches!(record.status, Status::Confirmed { .. }));
    assert_eq!((record.order_id, record.line), (Some(order("o")), Some(order("1"))));
    bench.assert_sound().await;
}

#[tokio::test]
async fn a_crash_between_any_two_writes_is_made_good_by_the_next_telling() {
    let pending = [stood(10, 0, Stage::Pending), stood(20, 3, Stage::Pending), stood(30, 0, Stage::Paid)];
    let sold = [stood(10, 0, Stage::Paid), stood(20, 3, Stage::Paid), stood(30, 0, Stage::Paid)];
    for (told, crashed) in [(&pending, 1), (&pending, 2), (&sold, 1), (&sold, 2)] {
        for writes in 0.. {
            let bench = bench().await;
            bench.pool("tea#shop", 10).await;
            let mut died = false;
            for (n, (told, free)) in told.iter().zip([7, 10, 7]).enumerate() {
                if n == crashed {
                    bench.mishaps.die_after(writes);
                    // Whoever died is told again.
                    let _ = bench.hear(told).await;
                    died = bench.mishaps.rise();
                }
                bench.hear(told).await.unwrap();
                assert_eq!(bench.level_of("tea#shop").await.available, free, "{writes} writes, {told:?}");
            }
            bench.assert_sound().await;
            if !died {
                assert!(writes > 1, "it notes, and then writes more");
                break;
            }
        }
    }
}
