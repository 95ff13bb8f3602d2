//! Units held for sales of which nothing is known but that they are missing: each goes to its order, and to nobody else meanwhile.

use std::collections::BTreeMap;

use domain::{
    ids::Channel,
    listing::{IN_FLIGHT_SECONDS, InFlight, Listing, ListingId, SyncState},
    quantity::Quantity,
    sale::{ChannelOrder, SaleLine, Stage},
};

use super::{
    engine::{Bench, at, bench, order},
    mishap::Mishap,
    pools::{in_channel, level},
};

fn id() -> ListingId {
    "ebay#tea".parse().unwrap()
}

fn ebay() -> Channel {
    "ebay".parse().unwrap()
}

fn units(units: u64) -> Quantity {
    Quantity::new(units).unwrap()
}

/// An order of so many units, as it is told first.
fn sold(name: &str, quantity: u64) -> ChannelOrder {
    let line = SaleLine {
        line: order("1"),
        sku: "tea".parse().unwrap(),
        quantity: units(quantity),
        canceled: 0,
        stage: Stage::Paid,
    };
    ChannelOrder { order: order(name), changed_at: at(0), lines: vec![line] }
}

impl Bench {
    /// A listing at which three units are missing, of so many that are there.
    async fn three_are_missing(&self, there: i64) {
        self.pool("tea#shared", there).await;
        let listing = Listing { id: id(), remote: BTreeMap::new(), buffer: None, sync: None, version: 0 };
        self.store.save_listing(&listing, None).await.unwrap();
        let held = self.store.hold_in_flight(&id(), "0", units(3)).await.unwrap();
        let (_, seen) = self.store.listing(&id()).await.unwrap().unwrap();
        let in_flight = Some(InFlight { id: held, quantity: units(3), since: at(0), told: 0 });
        let known = SyncState { version: 1, in_flight, ..seen.clone() };
        self.store.save_sync(&id(), &seen, known, None).await.unwrap().unwrap();
    }

    async fn hear_of(&self, name: &str, quantity: u64) {
        self.store.record_order(&ebay(), &sold(name, quantity)).await.unwrap();
    }

    /// What is known to be in flight, and whether it is held.
    async fn missing(&self) -> (u64, bool) {
        let (_, state) = self.store.listing(&id()).await.unwrap().unwrap();
        let Some(in_flight) = state.in_flight else { return (0, false) };
        (in_flight.quantity.units(), self.store.is_held_in_flight(&in_flight).await.unwrap())
    }
}

#[tokio::test]
async fn the_first_of_several_orders_takes_its_own_unit_and_nobody_elses() {
    // Whoever comes between two of the orders gets what is free, and none that they have sold.
    for (there, free) in [(3, [0, 0, 0]), (4, [0, 0, 0]), (10, [6, 5, 4])] {
        let bench = bench().await;
        bench.three_are_missing(there).await;
        for (name, free) in ["a", "b", "c"].into_iter().zip(free) {
            bench.hear_of(name, 1).await;
            let level = bench.level_of("tea#shared").await;
            assert_eq!((level.available, level.shortfall), (free, 0), "{there}: {name}: {level:?}");
            if free == 0 {
                assert!(bench.store.reserve(&in_channel(name, "own", &["tea=1"])).await.is_err(), "{there}: {name}");
            }
        }
        bench.assert_sound().await;
    }
}

#[tokio::test]
async fn what_is_let_go_for_an_order_is_held_anew_but_for_its_units() {
    let bench = bench().await;
    bench.three_are_missing(3).await;
    bench.hear_of("a", 2).await;
    assert_eq!((bench.missing().await, bench.level_of("tea#shared").await), ((1, true), level(0, 1, 2, 0)));
    let (_, state) = bench.store.listing(&id()).await.unwrap().unwrap();
    assert_eq!(state.in_flight.unwrap().since, at(0), "it is missing as long as before");
    // The same once more takes nothing, and the last one all.
    bench.hear_of("a", 2).await;
    assert_eq!(bench.missing().await, (1, true));
    bench.hear_of("b", 1).await;
    assert_eq!(bench.level_of("tea#shared").await, level(0, 0, 3, 0));
    bench.assert_sound().await;
}

#[tokio::test]
async fn what_need_not_be_let_go_is_held_until_somebody_looks() {
    let bench = bench().await;
    bench.three_are_missing(10).await;
    bench.hear_of("a", 1).await;
    assert_eq!((bench.missing().await, bench.level_of("tea#shared").await), ((3, true), level(6, 3, 1, 0)));
}

#[tokio::test]
async fn a_hold_that_is_over_holds_nothing_for_whoever_comes_again() {
    let bench = bench().await;
    bench.pool("tea#shared", 5).await;
    let first = bench.store.hold_in_flight(&id(), "4", units(3)).await.unwrap().unwrap();
    let again = bench.store.hold_in_flight(&id(), "4", units(3)).await.unwrap().unwrap();
    assert_eq!(
        (&first, bench.level_of("tea#shared").await),
        (&again, level(2, 3, 0, 0)),
        "found again, not held twice"
    );
    bench.clock.advance(IN_FLIGHT_SECONDS + 1);
    let anew = bench.store.hold_in_flight(&id(), "4", units(3)).await.unwrap().unwrap();
    assert_ne!(anew, first);
    assert_eq!(bench.level_of("tea#shared").await, level(2, 3, 0, 0));
    bench.store.let_go(&anew).await.unwrap();
    let anew = bench.store.hold_in_flight(&id(), "4", units(3)).await.unwrap().unwrap();
    let held = InFlight { id: Some(anew), quantity: units(3), since: at(0), told: 0 };
    assert!(bench.store.is_held_in_flight(&held).await.unwrap());
    bench.assert_sound().await;
}

#[tokio::test]
async fn as_many_are_held_as_there_are_and_what_is_unknown_is_an_error() {
    let bench = bench().await;
    assert_eq!(bench.store.hold_in_flight(&id(), "1", units(3)).await.unwrap(), None, "it exists nowhere");
    bench.pool("tea#shared", 2).await;
    bench.clock.advance(60);
    assert!(bench.store.hold_in_flight(&id(), "2", units(3)).await.unwrap().is_some());
    assert_eq!(bench.level_of("tea#shared").await, level(0, 2, 0, 0));
    assert_eq!(bench.store.hold_in_flight(&id(), "3", units(3)).await.unwrap(), None);
    bench.clock.advance(60);
    bench.mishaps.plan("UpdateItem", "S#tea#shared", Mishap::Throttled, 40);
    assert!(bench.store.hold_in_flight(&id(), "4", units(1)).await.is_err());
}
