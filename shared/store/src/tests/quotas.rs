//! Several channels are brought to their numbers at once: each condition of the writes alone, and then what a merchant sees of it.

use domain::{
    bucket::{Bucket, Home, Role},
    ids::Channel,
    quota::{Division, QuotaRequest},
    refusal::Refusal,
    stock::Settings,
};
use futures::future::join_all;

use super::{
    conditions::{check, home, moved, tea, with_shortfall},
    engine::{Bench, bench, movement, rid, stock, stock_in},
    transfers::refusal,
};
use crate::{pools_version, write::pool};

fn joined(bucket: Bucket) -> Bucket {
    let Role::Home(home) = bucket.role else { return bucket };
    Bucket { role: Role::Home(Home { joined: true, ..home }), ..bucket }
}

#[tokio::test]
async fn each_condition_of_a_pool_that_gives_or_gets() {
    let bench = bench().await;
    let seven = || home(7, &[("me", "2@1800000900")]);
    let left = |free| moved(home(free, &[("me", "2@1800000900")]));
    let take = |joins| pool::take(&tea(), 5, 0, joins);
    check(&bench, "take", Some(&seven()), take(false), Some(left(2))).await;
    check(&bench, "take and join", Some(&seven()), take(true), Some(joined(left(2)))).await;
    check(&bench, "take and leave", Some(&joined(seven())), take(false), Some(left(2))).await;
    check(&bench, "a >= :q", Some(&home(4, &[])), take(false), None).await;
    check(&bench, "take as seen", Some(&moved(seven())), take(false), None).await;
    check(&bench, "take from nobody", None, take(false), None).await;

    let give = |shortfall, joins| pool::give(&tea(), 5, shortfall, 0, joins);
    let short = |shortfall| with_shortfall(home(0, &[]), shortfall);
    check(&bench, "give", Some(&seven()), give(0, false), Some(left(12))).await;
    check(&bench, "give and leave", Some(&joined(seven())), give(0, false), Some(left(12))).await;
    check(&bench, "give and stay", Some(&joined(seven())), give(0, true), Some(joined(left(12)))).await;
    check(&bench, "cover", Some(&short(3)), give(3, false), Some(moved(home(2, &[])))).await;
    check(&bench, "cover a part", Some(&short(9)), give(9, false), Some(moved(short(4)))).await;
    check(&bench, "cover, and stay", Some(&short(9)), give(9, true), Some(joined(moved(short(4))))).await;
    check(&bench, "a shortfall that was not seen", Some(&short(3)), give(0, false), None).await;
    check(&bench, "another shortfall", Some(&short(3)), give(4, false), None).await;
    check(&bench, "give as seen", Some(&moved(seven())), give(0, false), None).await;
    check(&bench, "cover as seen", Some(&moved(short(3))), give(3, false), None).await;
    check(&bench, "give nobody", None, give(0, false), None).await;

    check(&bench, "open what exists", Some(&seven()), pool::open(&stock("tea"), 5), None).await;
    let made = Role::Home(Home { version: 1, generation: 1, ..Home::default() });
    let made = Bucket { role: made, ..home(5, &[]) };
    check(&bench, "open", None, pool::open(&stock("tea"), 5), Some(made)).await;
}

fn quotas(numbers: &[(&str, u64)]) -> QuotaRequest {
    let numbers = numbers.iter().map(|(channel, number)| (channel.parse().unwrap(), *number));
    divided(Division::Split(numbers.collect()))
}

fn divided(division: Division) -> QuotaRequest {
    QuotaRequest { sku: "tea".parse().unwrap(), division, reason: "season".parse().unwrap(), actor: "test".to_owned() }
}

/// Every pool: what is available, and what is reserved.
async fn shown(bench: &Bench) -> Vec<String> {
    let views = bench.store.pools(&"tea".parse().unwrap()).await.unwrap();
    let show = |view: &domain::stock::StockView| {
        let (level, joined) = (view.level(), if view.home().joined { " joined" } else { "" });
        format!("{} {}+{}{joined}", view.stock.channel, level.available, level.reserved)
    };
    views.iter().map(show).collect()
}

#[tokio::test]
async fn a_hundred_units_are_split_in_one_transaction() {
    let bench = bench().await;
    bench.stocked("tea", 100).await;
    let split = quotas(&[("own", 40), ("amazon", 35), ("ebay", 25)]);
    bench.store.set_quotas(&split, None).await.unwrap();
    assert_eq!(bench.meter.take().requests.iter().filter(|request| **request == "TransactWriteItems").count(), 1);
    assert_eq!(shown(&bench).await, ["amazon 35+0", "ebay 25+0", "own 40+0"]);
    bench.store.set_quotas(&split, None).await.unwrap();
    assert_eq!(shown(&bench).await, ["amazon 35+0", "ebay 25+0", "own 40+0"], "again changes nothing");
    for (channel, deltas) in [("own", vec![-35, -25, 100]), ("amazon", vec![35]), ("ebay", vec![25])] {
        let page = bench.store.list_movements(&stock_in("tea", channel), 10, None).await.unwrap();
        let mut booked: Vec<i64> = page.items.iter().map(|movement| movement.delta).collect();
        booked.sort_unstable();
        assert_eq!(booked, deltas, "{channel}");
    }
    bench.assert_sound().await;
}

#[tokio::test]
async fn quotas_are_met_together_or_not_at_all() {
    let bench = bench().await;
    bench.stocked("tea", 10).await;
    bench.reserve("k", &["tea=4"]).await.unwrap();
    let refused = bench.store.set_quotas(&quotas(&[("own", 3), ("ebay", 5)]), None).await.unwrap_err();
    let Refusal::InsufficientStock { lines } = refusal(refused) else { panic!("short") };
    let lines: Vec<_> = lines.iter().map(|line| (line.requested.units(), line.available)).collect();
    assert_eq!(lines, [(7, 6)], "ten less three, but four are held");
    assert_eq!(shown(&bench).await, ["own 6+4"]);
    bench.store.set_quotas(&quotas(&[("own", 4), ("ebay", 5)]), None).await.unwrap();
    assert_eq!(shown(&bench).await, ["ebay 5+0", "own 0+4", "shared 1+0"]);
    bench.store.confirm(&rid("k"), None).await.unwrap();
    // Four were sold: the number is of those that are not.
    bench.store.set_quotas(&quotas(&[("own", 2)]), None).await.unwrap_err();
    bench.store.set_quotas(&quotas(&[("own", 1)]), None).await.unwrap();
    assert_eq!(shown(&bench).await, ["ebay 5+0", "own 1+0", "shared 0+0"]);
    let unknown = QuotaRequest { sku: "coffee".parse().unwrap(), ..quotas(&[("own", 0)]) };
    let unknown = refusal(bench.store.set_quotas(&unknown, None).await.unwrap_err());
    assert!(matches!(unknown, Refusal::UnknownSku { .. }));
    bench.assert_sound().await;
}

#[tokio::test]
async fn unifying_shares_what_is_free_and_a_number_ends_it() {
    let bench = bench().await;
    bench.stocked("tea", 10).await;
    bench.store.set_quotas(&quotas(&[("own", 6), ("ebay", 4)]), None).await.unwrap();
    bench.reserve("k", &["tea=2"]).await.unwrap();
    bench.store.set_quotas(&divided(Division::Unified), None).await.unwrap();
    assert_eq!(shown(&bench).await, ["ebay 0+0 joined", "own 0+2 joined", "shared 8+0"]);
    // What is let go stays where it was held, until somebody shares it as well.
    bench.store.cancel(&rid("k")).await.unwrap();
    assert_eq!(shown(&bench).await, ["ebay 0+0 joined", "own 2+0 joined", "shared 8+0"]);
    bench.store.set_quotas(&divided(Division::Unified), None).await.unwrap();
    bench.store.set_quotas(&quotas(&[("ebay", 3)]), None).await.unwrap();
    assert_eq!(shown(&bench).await, ["ebay 3+0", "own 0+0 joined", "shared 7+0"]);
    bench.assert_sound().await;
}

#[tokio::test]
async fn a_division_is_made_only_of_the_pools_that_were_seen() {
    let bench = bench().await;
    bench.stocked("tea", 10).await;
    let seen = pools_version(&bench.store.pools(&"tea".parse().unwrap()).await.unwrap());
    bench.store.move_stock(&movement("m", "tea", "receive", 1)).await.unwrap();
    let refused = bench.store.set_quotas(&quotas(&[("own", 3)]), Some(seen)).await.unwrap_err();
    assert_eq!(refusal(refused), Refusal::PreconditionFailed { version: seen + 1 });
    bench.store.set_quotas(&quotas(&[("own", 3)]), Some(seen + 1)).await.unwrap();
    assert_eq!(shown(&bench).await, ["own 3+0", "shared 8+0"]);
    bench.assert_sound().await;
}

#[tokio::test]
async fn divisions_at_the_same_time_are_made_one_after_the_other() {
    let bench = bench().await;
    bench.stocked("tea", 30).await;
    bench.store.set_quotas(&quotas(&[("own", 10)]), None).await.unwrap();
    let wanted: Vec<_> = (0..6_u64).map(|n| quotas(&[("own", n), ("ebay", 10 - n)])).collect();
    let shoppers = (0..8).map(|n| {
        let bench = &bench;
        async move { bench.reserve(&format!("r{n}"), &["tea=1"]).await.is_ok() }
    });
    let (set, held) =
        tokio::join!(join_all(wanted.iter().map(|wanted| bench.store.set_quotas(wanted, None))), join_all(shoppers));
    for set in set {
        if let Err(failure) = set {
            assert!(matches!(refusal(failure), Refusal::InsufficientStock { .. } | Refusal::Contended));
        }
    }
    let views = bench.store.pools(&"tea".parse().unwrap()).await.unwrap();
    let sum: u64 = views.iter().map(|view| view.level().available + view.level().reserved).sum();
    let reserved: u64 = views.iter().map(|view| view.level().reserved).sum();
    assert_eq!((sum, reserved), (30, held.into_iter().filter(|held| *held).count() as u64));
    bench.assert_sound().await;
}

#[tokio::test]
async fn a_quota_reaches_the_units_of_children() {
    let bench = bench().await;
    bench.stocked("tea", 100).await;
    let peak = Settings { expected_peak_per_second: 1_000 };
    bench.store.save_settings(&stock("tea"), &peak, None).await.unwrap();
    bench.store.set_quotas(&quotas(&[("own", 10), ("ebay", 50)]), None).await.unwrap();
    assert_eq!(shown(&bench).await, ["ebay 50+0", "own 10+0", "shared 40+0"]);
    assert!(stock_in("tea", "shared").channel == Channel::shared());
    bench.assert_sound().await;
}

#[tokio::test]
async fn more_children_than_one_call_folds_are_left_to_the_next() {
    // 300 children of 32 units; one call brings 256 of them home.
    let bench = bench().await;
    let peak = Settings { expected_peak_per_second: 960 };
    bench.store.save_settings(&stock("tea"), &peak, None).await.unwrap();
    bench.store.move_stock(&movement("in", "tea", "receive", 9_600)).await.unwrap();
    let moved = quotas(&[("own", 0), ("ebay", 9_600)]);
    let call = || bench.store.set_quotas(&moved, None);
    assert_eq!(refusal(call().await.unwrap_err()), Refusal::Contended);
    assert_eq!(bench.bucket("tea").await.unwrap().free, 256 * 32, "what is brought home stays there");
    call().await.unwrap();
    let levels = bench.store.stock(&[stock("tea"), stock_in("tea", "ebay")]).await.unwrap();
    assert_eq!(levels.iter().map(|view| view.level().available).collect::<Vec<_>>(), [0, 9_600]);
    bench.assert_sound().await;
}
