//! Listings: each conditional write alone, then marks and followers that meet.

use std::collections::BTreeMap;

use domain::{
    channel::{Buffer, SyncMode},
    ids::Channel,
    listing::{InFlight, Listing, ListingId, Seen, SyncState, claimed, taken},
    publish::{Counted, Pushed},
    pull::PullState,
    quantity::Quantity,
    refusal::Refusal,
};

use super::{
    engine::{Bench, at, bench, rid},
    mishap::Mishap,
};
use crate::{
    Failure, Item, Marked, Saved,
    item::{decode_listing, decode_pull, decode_sync, encode_listing, encode_pull, encode_sync},
    keys,
    table::{Write, Written},
    write::listing as writes,
};

fn id() -> ListingId {
    "ebay#tea".parse().unwrap()
}

fn ebay() -> Channel {
    "ebay".parse().unwrap()
}

fn listing(version: u64) -> Listing {
    let remote = BTreeMap::from([("offer_id".to_owned(), "o-1".to_owned())]);
    Listing { id: id(), remote, buffer: Some(Buffer::Units(2)), sync: Some(SyncMode::OnChange), version }
}

fn state() -> SyncState {
    SyncState {
        version: 4,
        marks: 9,
        marked_since: Some(at(10)),
        pushed: Some(Pushed { quantity: 5, in_flight: 1, as_of: at(8), counted: Counted { from: at(2), units: 3 } }),
        in_flight: Some(InFlight { id: Some(rid("gap")), quantity: Quantity::new(1).unwrap(), since: at(7), told: 0 }),
        ..SyncState::default()
    }
}

/// All marks that there were.
fn all(seen: &SyncState) -> Seen {
    Seen { marks: seen.marks, at: at(0) }
}

#[test]
fn golden() {
    let next = SyncState { version: 5, unanswered: Some(3), ..state() };
    let pulled = PullState::default().succeeded(at(5), &["order 7: no SKU".to_owned()]);
    let goldens: Vec<(&str, Write)> = vec![
        ("listing_create", writes::create(&listing(1))),
        ("listing_change", writes::change(&listing(4), 3)),
        ("listing_begin", writes::begin(&id(), at(10))),
        ("listing_mark", writes::mark(&id(), at(10))),
        ("listing_follow", writes::follow(&id(), &state(), &next)),
        ("listing_settle", writes::follow(&id(), &state(), &SyncState { marked_since: None, ..next.clone() })),
        ("pull", writes::pull(&ebay(), 0, &pulled)),
    ];
    insta::with_settings!({ snapshot_path => "../../tests/golden", prepend_module_to_snapshot => false, omit_expression => true }, {
        for (name, write) in goldens {
            insta::assert_snapshot!(name, write.to_string());
        }
    });
}

/// Puts `before`, sends the write, and compares with `after`; refused where that is what was there before.
async fn check(bench: &Bench, name: &str, before: Option<Item>, write: Write, applied: bool) {
    let delete = bench.store.client.delete_item().table_name(&*bench.store.table);
    let key = before.as_ref().map(|item| keys::of(item).to_owned());
    for key in [keys::listing(&id()), keys::sync(&id()), keys::pull(&ebay())] {
        delete.clone().key("pk", crate::item::text(key)).send().await.unwrap();
    }
    if let Some(before) = &before {
        let put = bench.store.client.put_item().table_name(&*bench.store.table);
        put.set_item(Some(before.clone())).send().await.unwrap();
    }
    let written = bench.store.write(&write).await.unwrap();
    assert_eq!(matches!(written, Written::Applied(_)), applied, "{name}");
    if !applied {
        let found = match key {
            Some(key) => bench.store.get(key).await.unwrap(),
            None => None,
        };
        assert_eq!(found, before, "{name}: must not change");
    }
}

#[tokio::test]
async fn conditions() {
    let bench = bench().await;
    let stored = |version| Some(encode_listing(&listing(version)));
    check(&bench, "create", None, writes::create(&listing(1)), true).await;
    check(&bench, "create: it is there", stored(1), writes::create(&listing(1)), false).await;
    check(&bench, "change", stored(3), writes::change(&listing(4), 3), true).await;
    check(&bench, "change: another version", stored(4), writes::change(&listing(4), 3), false).await;
    check(&bench, "change: it is not there", None, writes::change(&listing(4), 3), false).await;

    let known = |state: &SyncState| Some(encode_sync(&id(), state));
    check(&bench, "begin", None, writes::begin(&id(), at(0)), true).await;
    check(&bench, "begin: it is known", known(&state()), writes::begin(&id(), at(0)), false).await;
    check(&bench, "mark", known(&state()), writes::mark(&id(), at(0)), true).await;
    check(&bench, "mark: it is not listed", None, writes::mark(&id(), at(0)), false).await;
    let next = SyncState { version: 5, ..state() };
    let follow = || writes::follow(&id(), &state(), &next);
    check(&bench, "follow", known(&state()), follow(), true).await;
    check(&bench, "follow: another writer", known(&SyncState { version: 5, ..state() }), follow(), false).await;
    check(&bench, "follow: marked meanwhile", known(&SyncState { marks: 10, ..state() }), follow(), false).await;
    check(&bench, "follow: it is not there", None, follow(), false).await;

    let pulled = PullState::default().succeeded(at(5), &[]);
    let heard = |version| Some(encode_pull(&ebay(), &PullState { version, ..pulled.clone() }));
    check(&bench, "pull: the first", None, writes::pull(&ebay(), 0, &pulled), true).await;
    check(&bench, "pull", heard(1), writes::pull(&ebay(), 1, &pulled), true).await;
    check(&bench, "pull: another one", heard(2), writes::pull(&ebay(), 1, &pulled), false).await;
    check(&bench, "pull: not the first", heard(1), writes::pull(&ebay(), 0, &pulled), false).await;
}

#[tokio::test]
async fn a_listing_is_saved_and_marked() {
    let bench = bench().await;
    let store = &bench.store;
    let created = store.save_listing(&listing(0), None).await.unwrap();
    assert_eq!(created, Saved { created: true, version: 1 });
    let (saved, state) = store.listing(&id()).await.unwrap().unwrap();
    assert_eq!((saved, state.marks, state.marked_since), (listing(1), 1, Some(at(0))));
    let other = Listing { buffer: None, ..listing(0) };
    let changed = store.save_listing(&other, Some(1)).await.unwrap();
    assert_eq!(changed, Saved { created: false, version: 2 });
    let (saved, state) = store.listing(&id()).await.unwrap().unwrap();
    assert_eq!((saved.buffer, state.marks), (None, 2));
    let repeated = store.save_listing(&other, Some(1)).await.unwrap();
    assert_eq!(repeated.version, 2, "the same once more is the answer of the first");
    let refused = store.save_listing(&listing(0), Some(1)).await.unwrap_err();
    assert!(matches!(refused, Failure::Refused(Refusal::PreconditionFailed { version: 2 })), "{refused:?}");
    assert_eq!(store.list_listings(&ebay(), 10, None).await.unwrap().items.len(), 1);
    assert_eq!(store.unsettled(&ebay()).await.unwrap().len(), 1);
}

#[tokio::test]
async fn only_the_first_mark_is_news_until_nobody_comes() {
    let bench = bench().await;
    let store = &bench.store;
    assert_eq!(store.mark(&id()).await.unwrap(), None, "it is not listed");
    store.save_listing(&listing(0), None).await.unwrap();
    bench.clock.advance(1);
    assert_eq!(store.mark(&id()).await.unwrap(), Some(Marked { marks: 2, is_news: false }));
    bench.clock.advance(119);
    assert_eq!(store.mark(&id()).await.unwrap(), Some(Marked { marks: 3, is_news: true }));
    let (_, seen) = store.listing(&id()).await.unwrap().unwrap();
    let state = SyncState { version: seen.version + 1, ..seen.clone() };
    let settled = store.save_sync(&id(), &seen, state, Some(all(&seen))).await.unwrap().unwrap();
    assert_eq!(settled.marked_since, None);
    assert!(store.unsettled(&ebay()).await.unwrap().is_empty());
    assert_eq!(store.mark(&id()).await.unwrap(), Some(Marked { marks: 4, is_news: true }));
}

#[tokio::test]
async fn a_mark_that_comes_while_somebody_looks_is_not_lost() {
    let bench = bench().await;
    let store = &bench.store;
    store.save_listing(&listing(0), None).await.unwrap();
    let (_, seen) = store.listing(&id()).await.unwrap().unwrap();
    bench.clock.advance(1);
    store.mark(&id()).await.unwrap();
    let begun = claimed(&seen, 5, store.now());
    let begun = store.save_sync(&id(), &seen, begun, None).await.unwrap().unwrap();
    assert_eq!(begun.marks, 2);
    // The mark came after the look: what is pushed is not known to be all.
    let five = Pushed { quantity: 5, in_flight: 0, as_of: at(0), counted: Counted::default() };
    let pushed = taken(&begun, five, Vec::new(), store.now());
    let looked = Seen { marks: seen.marks, at: at(0) };
    let state = store.save_sync(&id(), &begun, pushed, Some(looked)).await.unwrap().unwrap();
    assert_eq!((state.marked_since, state.marks), (Some(at(0)), 2));
    assert_eq!(state.pushed.map(|pushed| pushed.quantity), Some(5));
    // Nobody is told of a mark more: whoever wrote that has to tell.
    assert_eq!(store.mark(&id()).await.unwrap(), Some(Marked { marks: 3, is_news: false }));
    // The next look is later, and so is what is marked since.
    let looked = Seen { marks: 2, at: at(1) };
    let settled =
        store.save_sync(&id(), &state, SyncState { version: 3, ..state.clone() }, Some(looked)).await.unwrap();
    assert_eq!(settled.unwrap().marked_since, Some(at(1)));
}

#[tokio::test]
async fn two_writers_never_both_follow() {
    let bench = bench().await;
    let store = &bench.store;
    store.save_listing(&listing(0), None).await.unwrap();
    let (_, seen) = store.listing(&id()).await.unwrap().unwrap();
    let mine = claimed(&seen, 5, at(1));
    assert!(store.save_sync(&id(), &seen, mine.clone(), None).await.unwrap().is_some());
    let theirs = claimed(&seen, 7, at(1));
    assert_eq!(store.save_sync(&id(), &seen, theirs, None).await.unwrap(), None);
    let again = store.save_sync(&id(), &seen, mine, None).await.unwrap();
    assert!(again.is_some(), "the SDK sent it twice");
}

#[tokio::test]
async fn a_lost_reply_of_a_follower_is_its_own() {
    let bench = bench().await;
    let store = &bench.store;
    store.save_listing(&listing(0), None).await.unwrap();
    let (_, seen) = store.listing(&id()).await.unwrap().unwrap();
    bench.mishaps.plan("PutItem", "T#ebay#tea", Mishap::LostReply, 1);
    let next = claimed(&seen, 5, at(1));
    let written = store.save_sync(&id(), &seen, next.clone(), Some(all(&seen))).await.unwrap().unwrap();
    assert_eq!(written, SyncState { marked_since: None, ..next });
}

#[tokio::test]
async fn pulls_do_not_go_back() {
    let bench = bench().await;
    let store = &bench.store;
    let seen = store.pull_state(&ebay()).await.unwrap();
    assert_eq!(seen, PullState::default());
    let first = seen.succeeded(at(10), &[]);
    assert!(store.save_pull(&ebay(), &seen, &first).await.unwrap());
    let late = seen.succeeded(at(5), &[]);
    assert!(!store.save_pull(&ebay(), &seen, &late).await.unwrap());
    assert_eq!(store.pull_state(&ebay()).await.unwrap(), first);
    // What is stored is what was encoded.
    let item = store.get(keys::pull(&ebay())).await.unwrap().unwrap();
    assert_eq!(decode_pull(&item).unwrap(), first);
    assert!(decode_sync(&item).is_err() && decode_listing(&item).is_err());
}

#[tokio::test]
async fn settled_listings_are_found_when_they_are_to_be_read_again_and_not_before() {
    let bench = bench().await;
    let store = &bench.store;
    for n in 0..230_u64 {
        let id: ListingId = format!("ebay#sku-{n:03}").parse().unwrap();
        store.save_listing(&Listing { id: id.clone(), ..listing(0) }, None).await.unwrap();
        let (_, seen) = store.listing(&id).await.unwrap().unwrap();
        let state = SyncState { version: 1, check_at: Some(at(100 + n % 2 * 100)), ..seen.clone() };
        store.save_sync(&id, &seen, state, Some(all(&seen))).await.unwrap().unwrap();
    }
    for (second, due) in [(99, 0), (100, 115), (199, 115), (200, 230)] {
        bench.clock.advance(at(second).seconds_since(bench.clock_now()));
        assert_eq!(store.unsettled(&ebay()).await.unwrap().len(), due, "second {second}");
    }
    // One that is marked is in the other list, and in no two.
    store.mark(&"ebay#sku-000".parse().unwrap()).await.unwrap();
    let found = store.unsettled(&ebay()).await.unwrap();
    assert_eq!((found.len(), found[0].0.id.sku.as_str()), (230, "sku-000"));
}

#[tokio::test]
async fn unsettled_listings_are_read_to_the_last() {
    let bench = bench().await;
    let store = &bench.store;
    for n in 0..105 {
        let listing = Listing { id: format!("ebay#sku-{n:03}").parse().unwrap(), ..listing(0) };
        store.save_listing(&listing, None).await.unwrap();
    }
    assert_eq!(store.unsettled(&ebay()).await.unwrap().len(), 105);
    let page = store.list_listings(&ebay(), 100, None).await.unwrap();
    let rest = store.list_listings(&ebay(), 100, page.next_cursor.as_deref()).await.unwrap();
    assert_eq!((page.items.len(), rest.items.len(), rest.next_cursor), (100, 5, None));
}
