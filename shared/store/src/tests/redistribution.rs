//! Rules by which units are divided anew: each condition of the writes alone, and then what such a rule does.

use std::collections::BTreeMap;

use domain::{
    ids::{Caller, Channel, Sku, TransferId},
    movement::MovementKind,
    redistribution::{Memory, Rule, Weights},
    refusal::Refusal,
};
use futures::future::join_all;

use super::{
    engine::{Bench, at, bench, move_units, rid, stock_in},
    transfers::refusal,
};
use crate::{
    Occasion, StoredRule,
    item::{decode_rule, encode_rule},
    table::{Write, Written},
    write::rule,
};

fn tea() -> Sku {
    "tea".parse().unwrap()
}

fn numbers(numbers: &[(&str, u64)]) -> BTreeMap<Channel, u64> {
    numbers.iter().map(|(channel, number)| (channel.parse().unwrap(), *number)).collect()
}

fn by_sales(minimum: &[(&str, u64)], trigger_below: u64) -> Rule {
    Rule { weights: Weights::RecentSales, minimum: numbers(minimum), trigger_below, reason: None }
}

fn stored(looks: u64, version: u64) -> StoredRule {
    let memory = Memory { looks, seen_at: Some(at(1)), sold: numbers(&[("own", 3)]), recent: numbers(&[("own", 7)]) };
    let rule = Rule { reason: Some("why".parse().unwrap()), ..by_sales(&[("own", 1)], 2) };
    StoredRule { rule, memory, version }
}

/// Puts the rule, sends the write, and compares: `Some(after)` if it must be applied, nothing if it must be refused.
async fn check(bench: &Bench, name: &str, before: Option<&StoredRule>, write: Write, after: Option<StoredRule>) {
    bench.remove_item(&crate::keys::rule(&tea())).await;
    if let Some(before) = before {
        bench.put(encode_rule(&tea(), before)).await;
    }
    let written = bench.store.write(&write).await.unwrap();
    let found = bench.store.redistribution(&tea()).await.unwrap();
    if let Some(after) = after {
        assert!(matches!(written, Written::Applied(_)), "{name}: {written:?}");
        assert_eq!(found, Some(after), "{name}");
    } else {
        assert!(matches!(written, Written::Refused(_)), "{name}: {written:?}");
        assert_eq!(found.as_ref(), before, "{name}: must not change");
    }
}

#[tokio::test]
async fn each_condition_of_a_rule() {
    let bench = bench().await;
    let (seen, fixed) = (stored(4, 2), Rule { weights: Weights::Fixed(numbers(&[("own", 9)])), ..by_sales(&[], 5) });
    let made = StoredRule { rule: fixed.clone(), memory: Memory::default(), version: 1 };
    check(&bench, "create", None, rule::create(&tea(), &fixed), Some(made)).await;
    check(&bench, "create what exists", Some(&seen), rule::create(&tea(), &fixed), None).await;
    let changed = |rule: &Rule| StoredRule { rule: rule.clone(), version: 3, ..seen.clone() };
    for rule in [&fixed, &seen.rule] {
        let name = "change; what is remembered stays";
        check(&bench, name, Some(&seen), rule::change(&tea(), rule, None), Some(changed(rule))).await;
        check(&bench, "change as seen", Some(&seen), rule::change(&tea(), rule, Some(2)), Some(changed(rule))).await;
        check(&bench, "another version", Some(&seen), rule::change(&tea(), rule, Some(3)), None).await;
        check(&bench, "change nothing", None, rule::change(&tea(), rule, None), None).await;
    }
    let memory = Memory { looks: 5, seen_at: Some(at(9)), ..Memory::default() };
    let look = || rule::look(&tea(), &seen, &memory);
    let after = StoredRule { memory: memory.clone(), ..seen.clone() };
    check(&bench, "look", Some(&seen), look(), Some(after)).await;
    check(&bench, "somebody else has looked", Some(&stored(5, 2)), look(), None).await;
    check(&bench, "it is another rule", Some(&stored(4, 3)), look(), None).await;
    check(&bench, "look by no rule", None, look(), None).await;
    assert!(bench.store.save_redistribution(&tea(), &fixed, None).await.is_err(), "no SKU");
    bench.put(encode_rule(&tea(), &seen)).await;
    assert!(bench.store.remove_redistribution(&tea()).await.unwrap());
    assert!(!bench.store.remove_redistribution(&tea()).await.unwrap());
}

#[test]
fn a_rule_is_read_as_it_is_written_or_it_is_malformed() {
    let item = encode_rule(&tea(), &stored(4, 2));
    assert_eq!(decode_rule(&item).unwrap(), stored(4, 2));
    for (name, value) in [
        ("weights", crate::item::text("sales")),
        ("weights", crate::item::number(1)),
        ("minimum", crate::item::text("own")),
        ("below", crate::item::text("2")),
        ("reason", crate::item::text("")),
        ("sold", crate::item::number(1)),
    ] {
        let mut item = item.clone();
        item.insert(name.to_owned(), value.clone());
        assert!(decode_rule(&item).is_err(), "{name}: {value:?}");
        item.remove(name);
        assert_eq!(decode_rule(&item).is_err(), name != "reason", "without {name}");
    }
}

#[tokio::test]
async fn rules_are_versioned_and_listed() {
    let bench = bench().await;
    for sku in ["b", "a", "c"] {
        bench.stocked(sku, 1).await;
        let made = bench.store.save_redistribution(&sku.parse().unwrap(), &by_sales(&[], 1), None).await.unwrap();
        assert_eq!((made.created, made.version), (true, 1));
    }
    let a = "a".parse().unwrap();
    let save = |seen| {
        let (bench, a) = (&bench, &a);
        async move { bench.store.save_redistribution(a, &by_sales(&[], 9), seen).await }
    };
    assert_eq!(save(Some(1)).await.unwrap().version, 2);
    // The SDK re-sends what was not answered: that is not somebody else's change.
    assert_eq!(save(Some(1)).await.unwrap().version, 2);
    assert_eq!(refusal(save(Some(3)).await.unwrap_err()), Refusal::PreconditionFailed { version: 2 });
    assert_eq!(save(None).await.unwrap().version, 3);
    let first = bench.store.list_redistributions(2, None).await.unwrap();
    let rest = bench.store.list_redistributions(2, first.next_cursor.as_deref()).await.unwrap();
    let skus: Vec<_> = first.items.iter().chain(&rest.items).map(Sku::as_str).collect();
    assert_eq!((skus, rest.next_cursor), (vec!["a", "b", "c"], None));
    assert!(bench.store.list_redistributions(2, Some("nonsense!")).await.is_err());
    bench.assert_sound().await;
}

/// 20 units own, 4 at eBay.
async fn two_channels() -> Bench {
    let bench = bench().await;
    bench.stocked("tea", 24).await;
    bench.store.transfer(&move_units("first", 4, "own", "ebay")).await.unwrap();
    bench
}

async fn available(bench: &Bench) -> [u64; 2] {
    let views = bench.store.stock(&["own", "ebay"].map(|channel| stock_in("tea", channel))).await.unwrap();
    [0, 1].map(|n| views[n].level().available)
}

async fn sell(bench: &Bench, key: &str, units: u64) {
    bench.reserve(key, &[&format!("tea={units}")]).await.unwrap();
    bench.store.confirm(&rid(key), None).await.unwrap();
}

#[tokio::test]
async fn units_are_divided_by_sales_once_a_channel_runs_low() {
    let bench = two_channels().await;
    let look = || bench.store.redistribute(&SKU, &Occasion::Scheduled);
    assert!(look().await.unwrap().is_none(), "no rule");
    let rule = Rule { reason: Some("autumn".parse().unwrap()), ..by_sales(&[("ebay", 2)], 4) };
    bench.store.save_redistribution(&tea(), &rule, None).await.unwrap();
    sell(&bench, "r1", 14).await;
    assert!(look().await.unwrap().unwrap().transfers.is_empty(), "nobody has fewer than 4");
    assert_eq!(
        bench.store.redistribution(&tea()).await.unwrap().unwrap().memory.sold,
        numbers(&[("ebay", 0), ("own", 14)])
    );
    sell(&bench, "r2", 3).await;
    // The newest movement is the newest in seconds.
    bench.clock.advance(1);
    let moved = look().await.unwrap().unwrap().transfers;
    let moved: Vec<_> = moved
        .iter()
        .map(|transfer| (transfer.moved.units, transfer.reason.as_str(), transfer.actor.as_str()))
        .collect();
    assert_eq!(moved, [(2, "redistributed by recent sales: autumn", "redistribute")]);
    assert_eq!(available(&bench).await, [5, 2], "only the own store has sold; eBay keeps its minimum");
    let booked = bench.store.list_movements(&stock_in("tea", "ebay"), 1, None).await.unwrap().items;
    assert!(matches!(booked[0].kind, MovementKind::Transfer(shift) if shift.units() == -2), "{booked:?}");
    assert!(look().await.unwrap().unwrap().transfers.is_empty(), "everybody has a share");
    bench.assert_sound().await;
}

static SKU: std::sync::LazyLock<Sku> = std::sync::LazyLock::new(tea);

#[tokio::test]
async fn looks_at_the_same_time_move_units_once() {
    let bench = two_channels().await;
    let even = Rule { weights: Weights::Fixed(numbers(&[("own", 1), ("ebay", 1)])), ..by_sales(&[], 5) };
    bench.store.save_redistribution(&tea(), &even, None).await.unwrap();
    let looks = join_all((0..6).map(|_| bench.store.redistribute(&SKU, &Occasion::Scheduled))).await;
    let transfers = looks.into_iter().map(|look| look.unwrap().unwrap().transfers.len()).sum::<usize>();
    assert_eq!((transfers, available(&bench).await), (1, [12, 12]));
    bench.assert_sound().await;
}

#[tokio::test]
async fn a_look_by_hand_needs_nobody_to_run_low_and_is_taken_once_for_each_key() {
    let bench = two_channels().await;
    let even = Rule { weights: Weights::Fixed(numbers(&[("own", 1), ("ebay", 1)])), ..by_sales(&[], 0) };
    bench.store.save_redistribution(&tea(), &even, None).await.unwrap();
    let id = |key: &str| TransferId::derive(&Caller::new("test"), &key.parse().unwrap());
    let by_hand = |key| Occasion::ByHand { id: id(key), actor: "merchant".to_owned() };
    let first = bench.store.redistribute(&tea(), &by_hand("k")).await.unwrap().unwrap();
    sell(&bench, "r", 6).await;
    let again = bench.store.redistribute(&tea(), &by_hand("k")).await.unwrap().unwrap();
    assert_eq!((first.replayed, again.replayed, &first.transfers), (false, true, &again.transfers));
    assert_eq!((first.transfers[0].actor.as_str(), available(&bench).await), ("merchant", [6, 12]));
    let reused = bench.store.redistribute(&tea(), &by_hand("first")).await.unwrap_err();
    assert_eq!(refusal(reused), Refusal::IdempotencyKeyReused, "it belongs to a transfer");
    bench.store.redistribute(&tea(), &by_hand("l")).await.unwrap();
    assert_eq!(available(&bench).await, [9, 9]);
    bench.assert_sound().await;
}
