//! Each conditional write alone: as it is sent, where it is applied, and each way in which its condition fails.

use aws_sdk_dynamodb::types::AttributeValue;
use domain::{
    replenishment::{
        demand::{Demand, Known, Told},
        review::{Alert, Learned, OpenAlert, Sight},
        settings::OnAlert,
    },
    reservation::{Reservation, Status},
};

use super::{
    super::engine::{Bench, at, bench, rid},
    *,
};
use crate::{
    Item, StoredTerms,
    item::{encode_alert, encode_learned, encode_reservation, encode_terms, number, text},
    keys,
    table::{Write, Written},
    write::replenishment as writes,
};

fn stored(version: u64) -> StoredTerms {
    StoredTerms { settings: Settings { supplier: "Leaf & Co".parse().ok(), ..terms() }, version }
}

fn learned(version: u64) -> Learned {
    let demand = Demand {
        units: 280,
        in_stock_seconds: 28 * DAY_SECONDS,
        deviation_thousandths: 3_162,
        from: today().minus_days(28),
        until: today(),
    };
    Learned {
        version,
        known: Known { told: Some((today().minus_days(28), today().minus_days(1))), watched_since: Some(today()) },
        looked_on: Some(today()),
        demand: Some(demand),
        out_since: Some(at(0)),
        episodes: 2,
        open: Some(OpenAlert { id: AlertId::of(&tea(), 2), supply: 84, terms: 1 }),
    }
}

fn alert() -> Alert {
    let sight = Sight {
        available: 80,
        reserved: 4,
        sold: 16,
        given_back: 0,
        shortfall: 0,
        on_order: 0,
        promised: 0,
        arrived: 0,
        as_of: at(0),
    };
    Alert {
        id: AlertId::of(&tea(), 2),
        sku: tea(),
        sight,
        reorder_point: 84,
        quantity: domain::quantity::Quantity::new(144).ok(),
        on_alert: OnAlert::Send,
        supplier: "Leaf & Co".parse().ok(),
        told_at: None,
        closed_at: None,
    }
}

fn record(status: Status) -> Item {
    encode_reservation(&Reservation {
        id: rid("k"),
        kind: Kind::Order,
        status,
        channel: domain::ids::Channel::own(),
        lines: vec!["tea=3".parse().unwrap()],
        allocations: vec!["tea#own=3@1800000900".parse().unwrap()],
        created_at: at(0),
        expires_at: at(900),
        order_id: None,
        session_id: None,
        fingerprint: None,
        purge_at: None,
        line: None,
        extensions: BTreeMap::new(),
    })
}

fn with(mut item: Item, name: &str, value: AttributeValue) -> Item {
    item.insert(name.to_owned(), value);
    item
}

fn day(sold: u64, imported: bool) -> Item {
    let item =
        Item::from([("pk".to_owned(), text(keys::day_of_sales(&tea(), today()))), ("sold".to_owned(), number(sold))]);
    if imported { with(item, "imported", number(1)) } else { item }
}

#[test]
fn golden() {
    let goldens = [
        ("terms_create", writes::create(&tea(), &stored(1))),
        ("terms_change", writes::change(&tea(), &stored(4), 3)),
        ("terms_remove", writes::remove(&tea(), 3)),
        ("sale_count", writes::count(&rid("k"), today())),
        ("day_sell", writes::sell(&tea(), today(), 3)),
        ("day_import", writes::import(&tea(), today(), told(7))),
        ("day_import_out_of_stock", writes::import(&tea(), today(), Told { units: 7, out_seconds: Some(60) })),
        ("day_empty", writes::empty(&tea(), today(), 600)),
        ("learn", writes::learn(&tea(), 8, &learned(9))),
        ("alert_open", writes::open(&alert())),
        ("alert_close", writes::close(&alert().id, at(10))),
        ("alert_tell", writes::tell(&alert().id, at(10))),
    ];
    insta::with_settings!({ snapshot_path => "../../../tests/golden", prepend_module_to_snapshot => false, omit_expression => true }, {
        for (name, write) in goldens {
            insta::assert_snapshot!(name, write.to_string());
        }
    });
}

/// Puts `before`, sends the write, and looks: what must not be applied must change nothing.
async fn check(bench: &Bench, name: &str, before: Option<Item>, write: Write, applied: bool) {
    let keys = [
        keys::terms(&tea()),
        keys::learned(&tea()),
        keys::alert(&alert().id),
        keys::reservation(&rid("k")),
        keys::day_of_sales(&tea(), today()),
    ];
    for key in &keys {
        bench.remove_item(key).await;
    }
    if let Some(before) = &before {
        bench.put(before.clone()).await;
    }
    let written = bench.store.write(&write).await.unwrap();
    assert_eq!(matches!(written, Written::Applied(_)), applied, "{name}: {written:?}");
    if !applied {
        let mut found = Vec::new();
        for key in keys {
            found.extend(bench.store.get(key).await.unwrap());
        }
        assert_eq!(found, Vec::from_iter(before), "{name}: must not change");
    }
}

#[tokio::test]
async fn each_condition_of_the_terms() {
    let bench = bench().await;
    let there = |version| Some(encode_terms(&tea(), &stored(version)));
    for (name, before, write, applied) in [
        ("create", None, writes::create(&tea(), &stored(1)), true),
        ("create: it is there", there(1), writes::create(&tea(), &stored(1)), false),
        ("change", there(3), writes::change(&tea(), &stored(4), 3), true),
        ("change: another version", there(4), writes::change(&tea(), &stored(4), 3), false),
        ("change: it is not there", None, writes::change(&tea(), &stored(4), 3), false),
        ("remove", there(3), writes::remove(&tea(), 3), true),
        ("remove: another version", there(4), writes::remove(&tea(), 3), false),
        ("remove: it is not there", None, writes::remove(&tea(), 3), false),
    ] {
        check(&bench, name, before, write, applied).await;
    }
}

#[tokio::test]
async fn each_condition_of_sales() {
    let bench = bench().await;
    let count = || writes::count(&rid("k"), today());
    let confirmed = || record(Status::Confirmed { at: at(0) });
    let (sell, import) = (|| writes::sell(&tea(), today(), 3), || writes::import(&tea(), today(), told(7)));
    for (name, before, write, applied) in [
        ("count", Some(confirmed()), count(), true),
        ("count: it is counted", Some(with(confirmed(), "counted", number(1))), count(), false),
        ("count: it is not paid", Some(record(Status::Active)), count(), false),
        ("count: it is not there", None, count(), false),
        ("sell: the first of the day", None, sell(), true),
        ("sell", Some(day(5, false)), sell(), true),
        ("sell: the day is said", Some(day(5, true)), sell(), false),
        ("import: nothing is known", None, import(), true),
        ("import: it was counted", Some(day(7, false)), import(), true),
        ("import: another number", Some(day(5, true)), import(), true),
        ("import: the same", Some(day(7, true)), import(), false),
        ("empty: nothing is known", None, writes::empty(&tea(), today(), 60), true),
        ("empty", Some(day(7, true)), writes::empty(&tea(), today(), 60), true),
    ] {
        check(&bench, name, before, write, applied).await;
    }
}

#[tokio::test]
async fn each_condition_of_what_is_learned_and_of_alerts() {
    let bench = bench().await;
    let known = |version| Some(encode_learned(&tea(), &learned(version)));
    let id = alert().id;
    let (open, closed) = (encode_alert(&alert()), encode_alert(&Alert { closed_at: Some(at(5)), ..alert() }));
    let told = encode_alert(&Alert { told_at: Some(at(5)), ..alert() });
    for (name, before, write, applied) in [
        ("learn: the first", None, writes::learn(&tea(), 0, &learned(1)), true),
        ("learn", known(8), writes::learn(&tea(), 8, &learned(9)), true),
        ("learn: somebody else has looked", known(9), writes::learn(&tea(), 8, &learned(9)), false),
        ("learn: not the first", known(1), writes::learn(&tea(), 0, &learned(1)), false),
        ("open", None, writes::open(&alert()), true),
        ("open: it is there", Some(open.clone()), writes::open(&alert()), false),
        ("close", Some(open.clone()), writes::close(&id, at(9)), true),
        ("close: it is closed", Some(closed.clone()), writes::close(&id, at(9)), false),
        ("close: it is not there", None, writes::close(&id, at(9)), false),
        ("tell", Some(open), writes::tell(&id, at(9)), true),
        ("tell: it is closed meanwhile", Some(closed), writes::tell(&id, at(9)), true),
        ("tell: somebody was told", Some(told), writes::tell(&id, at(9)), false),
        ("tell: it is not there", None, writes::tell(&id, at(9)), false),
    ] {
        check(&bench, name, before, write, applied).await;
    }
}
