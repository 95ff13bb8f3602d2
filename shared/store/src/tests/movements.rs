//! The merchant's side: every unit has a reason, a count is a fact, and no movement touches what is held.

use domain::{refusal::Refusal, stock::Settings};

use super::engine::{bench, movement, rid, stock};
use crate::Failure;

fn refusal(failure: Failure) -> Refusal {
    match failure {
        Failure::Refused(refusal) => refusal,
        Failure::Fault(fault) => panic!("{fault}"),
    }
}

#[tokio::test]
async fn a_movement_repeated_moves_nothing_twice() {
    let bench = bench().await;
    bench.stocked("tea", 0).await;
    let receipt = movement("m", "tea", "receive", 7);
    let first = bench.store.move_stock(&receipt).await.unwrap();
    let again = bench.store.move_stock(&receipt).await.unwrap();
    assert_eq!((first.replayed, again.replayed, &first.movement), (false, true, &again.movement));
    let other = movement("m", "tea", "receive", 8);
    assert_eq!(refusal(bench.store.move_stock(&other).await.unwrap_err()), Refusal::IdempotencyKeyReused);
    assert_eq!(bench.level("tea").await.available, 7);
    let unknown = movement("n", "coffee", "receive", 8);
    assert!(matches!(refusal(bench.store.move_stock(&unknown).await.unwrap_err()), Refusal::UnknownSku { .. }));
    bench.assert_sound().await;
}

#[tokio::test]
async fn the_same_movement_at_the_same_time_is_one_movement() {
    let bench = bench().await;
    bench.stocked("tea", 0).await;
    let receipt = movement("m", "tea", "receive", 7);
    let moves = futures::future::join_all((0..10).map(|_| bench.store.move_stock(&receipt))).await;
    assert_eq!(moves.into_iter().filter(|moved| !moved.as_ref().unwrap().replayed).count(), 1);
    assert_eq!(bench.level("tea").await.available, 7);
    bench.assert_sound().await;
}

#[tokio::test]
async fn a_correction_never_takes_what_is_held() {
    let bench = bench().await;
    bench.stocked("tea", 5).await;
    bench.reserve("k", &["tea=3"]).await.unwrap();
    let refused = refusal(bench.store.move_stock(&movement("m1", "tea", "adjust", -3)).await.unwrap_err());
    assert!(matches!(&refused, Refusal::InsufficientStock { lines } if lines[0].available == 2), "{refused:?}");
    bench.store.move_stock(&movement("m2", "tea", "adjust", -2)).await.unwrap();
    bench.store.move_stock(&movement("m3", "tea", "adjust", 4)).await.unwrap();
    assert_eq!((bench.level("tea").await.available, bench.level("tea").await.reserved), (4, 3));
    // A hold whose time is over is nobody's: the correction may have it.
    bench.clock.advance(901);
    bench.store.move_stock(&movement("m4", "tea", "adjust", -7)).await.unwrap();
    assert_eq!(bench.level("tea").await.on_hand(), 0);
    bench.assert_sound().await;
}

#[tokio::test]
async fn a_correction_reaches_the_units_of_children() {
    let bench = bench().await;
    bench.stocked("tea", 100).await;
    let peak = Settings { expected_peak_per_second: 1_000 };
    bench.store.save_settings(&stock("tea"), &peak, None).await.unwrap();
    assert_eq!(bench.home("tea").await.free, 4);
    bench.store.move_stock(&movement("m", "tea", "adjust", -90)).await.unwrap();
    assert_eq!(bench.level("tea").await.available, 10);
    bench.assert_sound().await;
}

#[tokio::test]
async fn a_count_corrects_in_both_directions() {
    let bench = bench().await;
    bench.stocked("tea", 10).await;
    bench.reserve("held", &["tea=3"]).await.unwrap();
    bench.reserve("sold", &["tea=2"]).await.unwrap();
    bench.store.confirm(&rid("sold"), None).await.unwrap();
    for (key, counted, delta, available) in [("m1", 8, 0, 5), ("m2", 6, -2, 3), ("m3", 9, 3, 6), ("m4", 3, -6, 0)] {
        let moved = bench.store.move_stock(&movement(key, "tea", "count", counted)).await.unwrap().movement;
        let level = bench.level("tea").await;
        assert_eq!(
            (moved.delta, level.available, level.on_hand()),
            (delta, available, counted.unsigned_abs()),
            "{key}"
        );
    }
    bench.assert_sound().await;
}

#[tokio::test]
async fn a_count_below_what_is_held_is_a_shortfall_and_breaks_no_hold() {
    let bench = bench().await;
    bench.stocked("tea", 10).await;
    bench.reserve("a", &["tea=3"]).await.unwrap();
    bench.reserve("b", &["tea=2"]).await.unwrap();
    let counted = bench.store.move_stock(&movement("m", "tea", "count", 3)).await.unwrap().movement;
    assert_eq!((counted.delta, counted.shortfall), (-7, 2));
    assert_eq!(bench.store.list_shortfalls(10, None).await.unwrap().items, [crate::Shortfall::Count(counted)]);
    let level = bench.level("tea").await;
    assert_eq!((level.available, level.reserved, level.shortfall, level.on_hand()), (0, 5, 2, 3));
    assert!(bench.reserve("c", &["tea=1"]).await.is_err());

    bench.store.cancel(&rid("b")).await.unwrap();
    assert_eq!(
        (bench.level("tea").await.available, bench.level("tea").await.shortfall),
        (0, 0),
        "they were never there"
    );
    bench.store.confirm(&rid("a"), None).await.unwrap();
    bench.store.move_stock(&movement("n", "tea", "receive", 4)).await.unwrap();
    assert_eq!(bench.level("tea").await.available, 4);
    bench.assert_sound().await;
}

#[tokio::test]
async fn a_receipt_covers_the_shortfall_first() {
    let bench = bench().await;
    bench.stocked("tea", 5).await;
    bench.reserve("a", &["tea=5"]).await.unwrap();
    bench.store.move_stock(&movement("m1", "tea", "count", 1)).await.unwrap();
    let further = bench.store.move_stock(&movement("m2", "tea", "count", 0)).await.unwrap().movement;
    assert_eq!((further.delta, further.shortfall, bench.level("tea").await.shortfall), (-1, 1, 5));
    for (key, kind, quantity, available, shortfall) in
        [("m3", "receive", 2, 0, 3), ("m4", "adjust", 2, 0, 1), ("m5", "receive", 5, 4, 0)]
    {
        bench.store.move_stock(&movement(key, "tea", kind, quantity)).await.unwrap();
        let level = bench.level("tea").await;
        assert_eq!((level.available, level.shortfall), (available, shortfall), "{key}");
    }
    bench.assert_sound().await;
}

#[tokio::test]
async fn movements_are_listed_newest_first_and_page_by_page() {
    let bench = bench().await;
    bench.stocked("tea", 1).await;
    for n in 2..8 {
        bench.clock.advance(1);
        bench.store.move_stock(&movement(&format!("m{n}"), "tea", "receive", n)).await.unwrap();
    }
    let (mut seen, mut cursor) = (Vec::new(), None);
    loop {
        let page = bench.store.list_movements(&stock("tea"), 3, cursor.as_deref()).await.unwrap();
        assert!(page.items.len() <= 3);
        seen.extend(page.items.iter().map(|movement| movement.delta));
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(seen, [7, 6, 5, 4, 3, 2, 1]);
    // No base64; base64 of "a#b"; the cursor of another kind of list.
    for nonsense in ["nonsense!", "YSNi", "dGVhI293bg"] {
        let refused = bench.store.list_movements(&stock("tea"), 3, Some(nonsense)).await.unwrap_err();
        assert!(matches!(refusal(refused), Refusal::InvalidRequest { .. }), "{nonsense}");
    }
}

#[tokio::test]
async fn stock_is_listed_by_sku() {
    let bench = bench().await;
    for sku in ["b", "a", "c"] {
        bench.stocked(sku, 1).await;
    }
    let first = bench.store.list_stock(2, None).await.unwrap();
    let rest = bench.store.list_stock(2, first.next_cursor.as_deref()).await.unwrap();
    let skus: Vec<_> = first.items.iter().chain(&rest.items).map(|view| view.stock.sku.as_str().to_owned()).collect();
    assert_eq!((skus, rest.next_cursor), (["a", "b", "c"].map(String::from).to_vec(), None));
}

#[tokio::test]
async fn settings_are_versioned() {
    let bench = bench().await;
    let save = |peak, seen| {
        let store = bench.store.clone();
        async move { store.save_settings(&stock("tea"), &Settings { expected_peak_per_second: peak }, seen).await }
    };
    assert_eq!(refusal(save(1, Some(1)).await.unwrap_err()), Refusal::PreconditionFailed { version: 0 });
    let created = save(0, None).await.unwrap();
    assert_eq!((created.created, created.version), (true, 1));
    bench.store.move_stock(&movement("m", "tea", "receive", 5)).await.unwrap();
    let changed = save(3, Some(1)).await.unwrap();
    assert_eq!((changed.created, changed.version), (false, 2));
    assert_eq!(refusal(save(4, Some(1)).await.unwrap_err()), Refusal::PreconditionFailed { version: 2 });
    assert_eq!(save(5, None).await.unwrap().version, 3);
    assert_eq!(bench.level("tea").await.available, 5, "settings never touch units");
}

#[tokio::test]
async fn counts_at_the_same_time_agree() {
    let bench = bench().await;
    for round in 0..5 {
        let sku = format!("tea-{round}");
        bench.stocked(&sku, 10).await;
        let counts: Vec<_> = (0..4).map(|n| movement(&format!("count-{round}-{n}"), &sku, "count", 7)).collect();
        let counted = futures::future::join_all(counts.iter().map(|count| bench.store.move_stock(count))).await;
        let deltas: i64 = counted.into_iter().map(|moved| moved.unwrap().movement.delta).sum();
        assert_eq!((deltas, bench.level(&sku).await.on_hand()), (-3, 7));
    }
    bench.assert_sound().await;
}

#[tokio::test]
async fn a_count_while_children_fold_counts_nothing_twice() {
    let bench = bench().await;
    bench.stocked("tea", 640).await;
    let peak = |expected_peak_per_second| Settings { expected_peak_per_second };
    for round in 0..4 {
        bench.store.save_settings(&stock("tea"), &peak(640), None).await.unwrap();
        let no_peak = peak(0);
        let tea = stock("tea");
        let fold = bench.store.save_settings(&tea, &no_peak, None);
        let count = async {
            tokio::time::sleep(std::time::Duration::from_millis(20 * round)).await;
            let count = movement(&format!("count-{round}"), "tea", "count", 640);
            loop {
                match bench.store.move_stock(&count).await {
                    Ok(moved) => break moved.movement,
                    Err(Failure::Refused(Refusal::Contended)) => {}
                    Err(failure) => panic!("{failure:?}"),
                }
            }
        };
        let look = async {
            for _ in 0..20 {
                let seen = bench.store.availability(&[stock("tea")]).await;
                match seen {
                    Ok(offers) => assert_eq!(offers[0].available, 640),
                    Err(failure) => assert_eq!(refusal(failure), Refusal::Contended),
                }
                let key = format!("r{round}");
                match bench.reserve(&key, &["tea=1"]).await {
                    Ok(held) => drop(bench.store.cancel(&held.reservation.id).await.unwrap()),
                    Err(failure) => assert_eq!(refusal(failure), Refusal::Contended, "never: out of stock"),
                }
            }
        };
        let (folded, counted, ()) = tokio::join!(fold, count, look);
        folded.unwrap();
        assert_eq!(counted.delta, 0, "round {round}");
    }
    bench.assert_sound().await;
}
