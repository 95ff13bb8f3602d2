//! Units change channels: each condition of the write alone, and then what a merchant sees of it.

use domain::{
    bucket::{Bucket, Home, Role},
    refusal::Refusal,
    stock::Settings,
};
use futures::future::join_all;

use super::{
    conditions::{home, moved, tea, with_shortfall},
    engine::{Bench, at, bench, move_units, movement, rid, stock, stock_in},
};
use crate::{
    Failure,
    item::encode_movement,
    table::{Met, Transacted},
    write::transfer::{Target, transfer},
};

pub(super) fn refusal(failure: Failure) -> Refusal {
    match failure {
        Failure::Refused(refusal) => refusal,
        Failure::Fault(fault) => panic!("{fault}"),
    }
}

/// Free units and reserved ones.
async fn units(bench: &Bench, channel: &str) -> (u64, u64) {
    let level = bench.store.stock(&[stock_in("tea", channel)]).await.unwrap()[0].level();
    (level.available, level.reserved)
}

/// Puts both homes, sends a transfer of 3, and says which parts were refused; nothing: it was applied.
async fn sent(bench: &Bench, own: Option<&Bucket>, ebay: Option<&Bucket>, target: Target) -> Option<Vec<bool>> {
    let (from, to) = (stock("tea"), stock_in("tea", "ebay"));
    for (stock, bucket) in [(&from, own), (&to, ebay)] {
        match bucket {
            Some(bucket) => bench.put_bucket(&stock.home(), bucket).await,
            None => bench.remove_bucket(&stock.home()).await,
        }
    }
    let request = move_units("k", 3, "own", "ebay");
    let movements = request.cause().movements(&[request.as_move()], at(0));
    match bench.store.transact(transfer(&from, &to, target, 3, &movements)).await.unwrap() {
        Transacted::Applied => None,
        Transacted::Refused(met) => {
            assert_eq!(bench.bucket("tea").await.as_ref(), own, "a refused transaction changes nothing");
            assert_eq!(bench.bucket("tea#ebay").await.as_ref(), ebay, "a refused transaction changes nothing");
            Some(met.iter().map(|met| *met != Met::Fine).collect())
        }
    }
}

#[tokio::test]
async fn each_condition_of_a_transfer_refuses_all_of_it() {
    let bench = bench().await;
    let known = Target::Home { shortfall: 0 };
    let refused = |part: usize| Some((0..4).map(|n| n == part).collect::<Vec<_>>());
    let (four, one) = (home(4, &[]), home(1, &[]));
    let held = home(2, &[("me", "5@1800000900")]);
    assert_eq!(sent(&bench, Some(&held), Some(&one), known).await, refused(0), "more than is free");
    assert_eq!(sent(&bench, None, Some(&one), known).await, refused(0), "no source");
    assert_eq!(sent(&bench, Some(&four), None, known).await, refused(1), "no target");
    let short = with_shortfall(home(0, &[]), 2);
    assert_eq!(sent(&bench, Some(&four), Some(&short), known).await, refused(1), "a shortfall that was not seen");
    let other = Target::Home { shortfall: 1 };
    assert_eq!(sent(&bench, Some(&four), Some(&short), other).await, refused(1), "another shortfall");
    assert_eq!(sent(&bench, Some(&four), Some(&one), Target::None).await, refused(1), "the target was made meanwhile");
    let request = move_units("k", 3, "own", "ebay");
    for (part, movement) in request.cause().movements(&[request.as_move()], at(0)).iter().enumerate() {
        bench.put(encode_movement(movement)).await;
        assert_eq!(sent(&bench, Some(&four), Some(&one), known).await, refused(2 + part), "recorded already");
        bench.remove_item(&crate::keys::movement(&movement.id)).await;
    }

    assert_eq!(sent(&bench, Some(&four), Some(&short), Target::Home { shortfall: 2 }).await, None);
    assert_eq!(bench.bucket("tea").await, Some(moved(home(1, &[]))));
    assert_eq!(bench.bucket("tea#ebay").await, Some(moved(home(1, &[]))), "what was missing is covered first");
}

#[tokio::test]
async fn a_transfer_to_a_channel_without_a_home_makes_it() {
    let bench = bench().await;
    let four = home(4, &[]);
    assert_eq!(sent(&bench, Some(&four), None, Target::None).await, None);
    let made = Role::Home(Home { version: 1, generation: 1, ..Home::default() });
    assert_eq!(bench.bucket("tea#ebay").await, Some(Bucket { role: made, ..home(3, &[]) }));
    assert_eq!(bench.store.get_bucket(&tea()).await.unwrap(), Some(moved(home(1, &[]))));
}

#[tokio::test]
async fn a_transfer_repeated_moves_nothing_twice() {
    let bench = bench().await;
    bench.stocked("tea", 10).await;
    let request = move_units("k", 4, "own", "amazon");
    let first = bench.store.transfer(&request).await.unwrap();
    let again = bench.store.transfer(&request).await.unwrap();
    assert_eq!((first.replayed, again.replayed, &first.transfer), (false, true, &again.transfer));
    let other = move_units("k", 5, "own", "amazon");
    assert_eq!(refusal(bench.store.transfer(&other).await.unwrap_err()), Refusal::IdempotencyKeyReused);
    assert_eq!((units(&bench, "own").await, units(&bench, "amazon").await), ((6, 0), (4, 0)));
    for (channel, deltas) in [("own", vec![-4, 10]), ("amazon", vec![4])] {
        let page = bench.store.list_movements(&stock_in("tea", channel), 10, None).await.unwrap();
        let mut booked: Vec<i64> = page.items.iter().map(|movement| movement.delta).collect();
        booked.sort_unstable();
        assert_eq!(booked, deltas, "{channel}");
    }
    bench.assert_sound().await;
}

#[tokio::test]
async fn the_same_transfer_at_the_same_time_is_one_transfer() {
    let bench = bench().await;
    bench.stocked("tea", 10).await;
    let request = move_units("k", 4, "own", "amazon");
    let made = join_all((0..8).map(|_| bench.store.transfer(&request))).await;
    assert_eq!(made.into_iter().filter(|made| !made.as_ref().unwrap().replayed).count(), 1);
    assert_eq!((units(&bench, "own").await, units(&bench, "amazon").await), ((6, 0), (4, 0)));
    bench.assert_sound().await;
}

#[tokio::test]
async fn a_transfer_takes_what_is_free_and_nothing_that_is_held() {
    let bench = bench().await;
    bench.stocked("tea", 5).await;
    bench.reserve("k", &["tea=3"]).await.unwrap();
    let refused = refusal(bench.store.transfer(&move_units("t1", 3, "own", "ebay")).await.unwrap_err());
    assert!(matches!(&refused, Refusal::InsufficientStock { lines } if lines[0].available == 2), "{refused:?}");
    bench.store.transfer(&move_units("t2", 2, "own", "ebay")).await.unwrap();
    // A hold whose time is over is nobody's: the transfer may have it.
    bench.clock.advance(901);
    bench.store.transfer(&move_units("t3", 3, "own", "shared")).await.unwrap();
    let all = [units(&bench, "own").await, units(&bench, "ebay").await, units(&bench, "shared").await];
    assert_eq!(all, [(0, 0), (2, 0), (3, 0)]);
    let unknown = move_units("t4", 1, "walmart", "own");
    assert!(matches!(refusal(bench.store.transfer(&unknown).await.unwrap_err()), Refusal::UnknownSku { .. }));
    assert_eq!(bench.bucket("tea#walmart").await, None);
    bench.assert_sound().await;
}

#[tokio::test]
async fn a_transfer_reaches_the_units_of_children_and_is_split_for_a_peak() {
    let bench = bench().await;
    bench.stocked("tea", 100).await;
    let peak = Settings { expected_peak_per_second: 1_000 };
    bench.store.save_settings(&stock("tea"), &peak, None).await.unwrap();
    bench.store.save_settings(&stock_in("tea", "ebay"), &peak, None).await.unwrap();
    assert_eq!(bench.home("tea").await.free, 4);
    bench.store.transfer(&move_units("t", 90, "own", "ebay")).await.unwrap();
    assert_eq!((units(&bench, "own").await, units(&bench, "ebay").await), ((10, 0), (90, 0)));
    assert_eq!(bench.bucket("tea#ebay").await.unwrap().free, 90 - 2 * 32);
    bench.assert_sound().await;
}

#[tokio::test]
async fn what_arrives_covers_a_shortfall_and_none_leaves_while_one_is_open() {
    let bench = bench().await;
    bench.stocked("tea", 5).await;
    bench.store.transfer(&move_units("t1", 2, "own", "ebay")).await.unwrap();
    bench.reserve("k", &["tea=3"]).await.unwrap();
    bench.store.move_stock(&movement("m", "tea", "count", 2)).await.unwrap();
    assert!(bench.store.transfer(&move_units("t2", 1, "own", "ebay")).await.is_err());
    bench.store.transfer(&move_units("t3", 2, "ebay", "own")).await.unwrap();
    let level = bench.level("tea").await;
    assert_eq!((level.available, level.reserved, level.shortfall), (1, 3, 0));
    bench.store.confirm(&rid("k"), None).await.unwrap();
    bench.assert_sound().await;
}

#[tokio::test]
async fn transfers_race_with_shoppers_and_nothing_goes_below_zero() {
    let bench = bench().await;
    bench.stocked("tea", 20).await;
    let shoppers = (0..30).map(|n| {
        let bench = &bench;
        async move { bench.reserve(&format!("r{n}"), &["tea=1"]).await.is_ok() }
    });
    let transfers = (0..6).map(|n| {
        let store = &bench.store;
        async move { store.transfer(&move_units(&format!("t{n}"), 5, "own", "ebay")).await.is_ok() }
    });
    let (held, moved) = tokio::join!(join_all(shoppers), join_all(transfers));
    let count = |done: Vec<bool>| done.into_iter().filter(|done| *done).count() as u64;
    let (held, moved) = (count(held), count(moved) * 5);
    assert_eq!(units(&bench, "own").await, (20 - held - moved, held));
    if moved > 0 {
        assert_eq!(units(&bench, "ebay").await, (moved, 0));
    }
    bench.assert_sound().await;
}
