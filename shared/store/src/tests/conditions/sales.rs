//! The writes for marketplaces: forcing, deciding, giving back; and the settings of a channel.

use domain::{
    bucket::{Bucket, Hold, Home, Role},
    channel::{Buffer, ChannelKind, ChannelSettings, Overflow},
    ids::Channel,
    movement::Movement,
    refusal::Refusal,
    reservation::{CancelReason, Kind, Reservation, Status},
    sale::{Aftermath, ForcedSale, SaleKey},
    time::Timestamp,
};

use super::{
    super::{
        engine::{Bench, at, bench, movement, order, rid, stock},
        mishap::Mishap::LostReply,
    },
    check_record, home, kid, moved, transact, with_shortfall,
};
use crate::{
    Failure,
    table::{Write, Written},
    write::{channel, decide, force, give_back, sale},
};

#[tokio::test]
async fn forcing() {
    let bench = bench().await;
    let key = SaleKey { channel: "amazon".parse().unwrap(), order: order("o"), line: order("1") };
    let five: Hold = "5@1800000900".parse().unwrap();
    let sale = ForcedSale { key, sku: stock("tea").sku, quantity: five.quantity, missing: 3, at: at(0) };
    let me = rid("me");
    let held = |free, shortfall| {
        let held = home(free, &[("me", "5@1800000900")]);
        if shortfall == 0 { held } else { with_shortfall(held, shortfall) }
    };
    let seen = home(2, &[]);
    let before = with_shortfall(home(2, &[]), 4);
    let forget = async |bench: &Bench| {
        let key = crate::item::text("X#".to_owned() + me.as_str());
        bench.store.client.delete_item().table_name(&*bench.store.table).key("pk", key).send().await.unwrap();
    };

    for (seen, after) in [(&seen, moved(held(0, 3))), (&before, moved(held(0, 7)))] {
        let write = || force::at_home(&stock("tea"), seen, &me, five, &sale);
        assert_eq!(transact(&bench, seen, None, write()).await, None);
        assert_eq!(bench.home("tea").await, after);
        assert_eq!(transact(&bench, seen, None, write()).await, Some(vec![false, true]), "forced before");
        forget(&bench).await;
    }
    let crowd = |count: usize| Bucket {
        holds: (0..count).map(|n| (rid(&format!("c{n}")), "1@1800000900".parse().unwrap())).collect(),
        ..seen.clone()
    };
    let marked = |watermark| Bucket { watermark: Some(Timestamp::from_epoch_seconds(watermark)), ..seen.clone() };
    let opened = Bucket { role: Role::Home(Home { next_child: 1, ..Home::default() }), ..seen.clone() };
    let elsewhere = [
        ("free as seen", home(3, &[])),
        ("no child opened since", opened.clone()),
        ("nothing moved since", moved(seen.clone())),
        ("shortfall as seen", with_shortfall(seen.clone(), 1)),
    ];
    let at_home_only = [
        ("not held already", home(2, &[("me", "1@1800000900")])),
        ("size(h)", crowd(24)),
        ("watermark", marked(1_800_000_900)),
    ];
    for (name, found) in elsewhere.iter().chain(&at_home_only) {
        let write = force::at_home(&stock("tea"), &seen, &me, five, &sale);
        assert_eq!(transact(&bench, found, None, write).await, Some(vec![true, false]), "{name}");
    }
    let other = force::at_home(&stock("tea"), &before, &me, five, &sale);
    let shorter = with_shortfall(home(2, &[]), 5);
    assert_eq!(transact(&bench, &shorter, None, other).await, Some(vec![true, false]), "another shortfall");

    let in_child = || force::in_child(&stock("tea"), &seen, &me, five, &sale);
    for (name, found) in &elsewhere {
        assert_eq!(transact(&bench, found, None, in_child()).await, Some(vec![true, false, false]), "{name}");
    }
    let there = kid(1, &[]);
    assert_eq!(
        transact(&bench, &seen, Some(&there), in_child()).await,
        Some(vec![false, false, true]),
        "a child is there"
    );
    assert_eq!(transact(&bench, &seen, None, in_child()).await, None);
    let short = Home { next_child: 1, shortfall: 3, generation: 1, ..Home::default() };
    assert_eq!(bench.home("tea").await, Bucket { role: Role::Home(short), ..home(0, &[]) });
    let born = Bucket { role: Role::Child { owes_home: true }, ..kid(0, &[("me", "5@1800000900")]) };
    assert_eq!(bench.bucket("tea#own#0").await, Some(born));
    assert_eq!(transact(&bench, &seen, None, in_child()).await, Some(vec![false, true, false]), "forced before");
}

#[tokio::test]
async fn what_a_marketplace_decides() {
    let bench = bench().await;
    let record = |status, purge_at| Reservation {
        id: rid("k"),
        kind: Kind::Order,
        status,
        channel: "amazon".parse().unwrap(),
        lines: vec!["tea=3".parse().unwrap()],
        allocations: vec!["tea#own=3@1800000900".parse().unwrap()],
        created_at: at(0),
        expires_at: at(900),
        order_id: Some(order("o")),
        line: Some(order("1")),
        session_id: None,
        fingerprint: None,
        purge_at,
        extensions: std::collections::BTreeMap::new(),
    };
    let kept = Some(at(87_300));
    let active = record(Status::Active, kept);
    let confirmed = record(Status::Confirmed { at: at(1) }, None);
    let canceled = record(Status::Canceled { reason: CancelReason::Requested }, kept);
    let expired = record(Status::Expired { successor: None }, kept);

    let wait = |seen, now| sale::wait(&rid("k"), at(seen), at(5_000), at(now));
    check_record(&bench, "wait", &active, wait(900, 10), Some(("active", Some(at(5_000 + 86_400)), at(5_000)))).await;
    check_record(&bench, "wait in the last second", &active, wait(900, 900), None).await;
    check_record(&bench, "wait from another end", &active, wait(901, 10), None).await;
    for other in [&confirmed, &canceled, &expired] {
        check_record(&bench, "wait when it is decided", other, wait(900, 10), None).await;
        check_record(&bench, "cancel what is decided", other, sale::cancel(&rid("k")), None).await;
    }
    check_record(&bench, "confirm", &active, sale::confirm(&rid("k"), at(899)), Some(("confirmed", None, at(900))))
        .await;
    check_record(&bench, "confirm in the last second", &active, sale::confirm(&rid("k"), at(900)), None).await;
    check_record(&bench, "confirm what is decided", &canceled, sale::confirm(&rid("k"), at(10)), None).await;
    check_record(&bench, "confirm by somebody else", &active, decide::confirm(&rid("k"), None, at(10)), None).await;
    check_record(&bench, "cancel", &active, sale::cancel(&rid("k")), Some(("canceled", None, at(900)))).await;
    check_record(&bench, "by somebody else", &active, decide::cancel(&rid("k")), None).await;
}

/// A home to which units were given back.
fn with_given_back(bucket: Bucket, given_back: u64) -> Bucket {
    let Role::Home(home) = bucket.role else { return bucket };
    Bucket { role: Role::Home(Home { given_back, ..home }), ..bucket }
}

#[tokio::test]
async fn giving_back() {
    let bench = bench().await;
    let since = |returned, shipped| Aftermath { returned, shipped, ..Aftermath::default() };
    let movement = |key: &str| Movement::new(&movement(key, "tea", "return", 2), 2, 0, at(0));
    let (first, more) = ([(movement("m1"), 0)], [(movement("m2"), 0)]);
    let back = |since, returned, movements| give_back::give_back(&rid("k"), since, returned, movements);
    let (covering, late) = ([(movement("m2"), 1)], [(movement("m3"), 0)]);
    let seen = home(1, &[]);

    assert_eq!(transact(&bench, &seen, None, back(since(0, false), 2, &first)).await, None);
    assert_eq!(bench.home("tea").await, with_given_back(moved(home(3, &[])), 2));
    let again = back(since(0, false), 2, &first);
    assert_eq!(transact(&bench, &seen, None, again).await, Some(vec![true, false, true]), "came back already");
    let again = back(since(1, false), 3, &more);
    assert_eq!(transact(&bench, &seen, None, again).await, Some(vec![true, false, false]), "another number came back");
    let booked = back(since(2, false), 4, &first);
    assert_eq!(transact(&bench, &seen, None, booked).await, Some(vec![false, false, true]), "booked already");
    let short = with_shortfall(home(0, &[]), 1);
    let covers = back(since(2, false), 4, &more);
    assert_eq!(transact(&bench, &short, None, covers).await, Some(vec![false, true, false]), "another shortfall");
    let covered = back(since(2, false), 4, &covering);
    assert_eq!(transact(&bench, &short, None, covered).await, None);
    assert_eq!(bench.home("tea").await, with_given_back(moved(home(1, &[])), 2));

    let ship = || give_back::ship(&rid("k"));
    assert!(matches!(bench.store.write(&ship()).await.unwrap(), Written::Applied(_)));
    assert!(matches!(bench.store.write(&ship()).await.unwrap(), Written::Refused(_)), "shipped already");
    for (name, write, applied) in [
        ("canceled", give_back::cancel_at(&rid("k"), at(10)), true),
        ("canceled in the same second", give_back::cancel_at(&rid("k"), at(10)), false),
        ("canceled before", give_back::cancel_at(&rid("k"), at(9)), false),
        ("canceled later", give_back::cancel_at(&rid("k"), at(11)), true),
        ("begun", give_back::begin(&rid("k"), at(20)), true),
        ("begun before", give_back::begin(&rid("k"), at(21)), false),
    ] {
        let written = bench.store.write(&write).await.unwrap();
        assert_eq!(matches!(written, Written::Applied(_)), applied, "{name}");
    }
    let [grown, shrunk] = ["1/1 2/2@20", "1/1 2/1@30"].map(|parts| parts.parse().unwrap());
    for (name, write, applied) in [
        ("resized: whole no more", give_back::resize(&rid("k"), Some(&shrunk), &grown), false),
        ("resized", give_back::resize(&rid("k"), None, &grown), true),
        ("resized meanwhile", give_back::resize(&rid("k"), None, &grown), false),
        ("resized again", give_back::resize(&rid("k"), Some(&grown), &shrunk), true),
        ("resized again meanwhile", give_back::resize(&rid("k"), Some(&grown), &shrunk), false),
    ] {
        let written = bench.store.write(&write).await.unwrap();
        assert_eq!(matches!(written, Written::Applied(_)), applied, "{name}");
    }
    let late = back(since(4, false), 6, &late);
    assert_eq!(transact(&bench, &seen, None, late).await, Some(vec![true, false, false]), "shipped since");
}

#[tokio::test]
async fn settings_of_a_channel() {
    let bench = bench().await;
    let amazon: Channel = "amazon".parse().unwrap();
    let settings = ChannelSettings::new(ChannelKind::Amazon);
    let with_endpoint = |version| ChannelSettings {
        overflow: Overflow::Borrow,
        buffer: Buffer::FromSpeed { floor: 3 },
        endpoint: Some("http://127.0.0.1:9".to_owned()),
        options: [("seller".to_owned(), "A1".to_owned())].into(),
        version,
        ..settings.clone()
    };
    let refused = async |write: Write| matches!(bench.store.write(&write).await.unwrap(), Written::Refused(_));
    assert!(refused(channel::change(&amazon, &settings, None)).await, "there are none");
    assert!(!refused(channel::create(&amazon, &settings)).await);
    assert!(refused(channel::create(&amazon, &settings)).await, "there are some");
    assert!(refused(channel::change(&amazon, &settings, Some(2))).await, "another version");

    let saved = bench.store.save_channel(&amazon, &with_endpoint(0), None).await.unwrap();
    assert_eq!((saved.created, saved.version), (false, 2));
    assert_eq!(bench.store.channel_settings(&amazon).await.unwrap(), Some(with_endpoint(2)));
    bench.mishaps.plan("UpdateItem", "C#amazon", LostReply, 1);
    assert_eq!(bench.store.save_channel(&amazon, &settings, Some(2)).await.unwrap().version, 3);
    let failure = bench.store.save_channel(&amazon, &with_endpoint(0), Some(2)).await.unwrap_err();
    assert!(matches!(failure, Failure::Refused(Refusal::PreconditionFailed { version: 3 })));
    assert!(bench.store.save_channel(&Channel::shared(), &settings, None).await.is_err());

    for n in 0..120 {
        let channel = format!("shop-{n:03}").parse().unwrap();
        assert!(bench.store.save_channel(&channel, &with_endpoint(0), None).await.unwrap().created);
    }
    let listed = bench.store.list_channels().await.unwrap();
    assert_eq!(listed.len(), 121);
    assert_eq!(listed[0], (amazon, ChannelSettings { version: 3, ..settings.clone() }));
    assert_eq!(listed[120], ("shop-119".parse().unwrap(), with_endpoint(1)));
    bench.assert_sound().await;
}
