//! Units that are sold before they come: each condition of the writes alone, then who is promised what, and who gets it.

mod writes;

use std::collections::BTreeMap;

use domain::{
    bucket::BucketId,
    ids::{ReservationId, Sku},
    limits::{MAX_AWAITED_LINES, MAX_PURCHASE_LINES},
    purchase::{PurchaseOrder, Step},
    refusal::Refusal,
    replenishment::settings::{SafetyStock, Settings},
    reservation::{Kind, ReservationRequest, Status},
};
use futures::future::join_all;

use super::{
    engine::{Bench, at, bench, order, request, rid, stock},
    mishap::Mishap,
    purchase::{day, new, po, receipt},
    transfers::refusal,
};
use crate::{Backorder, Failure, Received, Shortfall};

pub(super) fn tea() -> Sku {
    "tea".parse().unwrap()
}

/// A request that accepts a backorder.
fn accepting(kind: Kind, key: &str, lines: &[&str]) -> ReservationRequest {
    ReservationRequest { accepts_backorder: true, ..request(kind, key, lines) }
}

impl Bench {
    /// Says whether what is on its way of tea may be promised.
    async fn backorders(&self, backorder: bool) {
        let settings = Settings { backorder, ..Settings::new(7, SafetyStock::Units(0)) };
        self.store.save_replenishment(&tea(), &settings, None).await.unwrap();
    }

    /// Tea of which so many are on the shelf, so many on their way in a week, and all of that may be sold.
    async fn promisable(&self, here: u64, to_come: u64) {
        self.stocked("tea", here).await;
        self.backorders(true).await;
        if to_come > 0 {
            self.ordered("first", to_come).await;
        }
    }

    async fn ordered(&self, key: &str, units: u64) -> PurchaseOrder {
        self.store.open_purchase_order(&new(key, &[&format!("tea={units}/0")], true)).await.unwrap().order
    }

    async fn step(&self, key: &str, step: Step) {
        self.store.step_purchase_order(&po(key), step).await.unwrap().unwrap();
    }

    async fn came(&self, key: &str, units: u64) -> Received {
        let receipt = receipt(&format!("{key}-{units}"), key, &[("tea", units)]);
        self.store.receive_purchase_order(&receipt).await.unwrap().unwrap()
    }

    /// Holds so many units of tea, and says where.
    async fn promise(&self, key: &str, units: u64) -> Vec<String> {
        let wanted = accepting(Kind::Reservation, key, &[&format!("tea={units}")]);
        let held = self.store.reserve(&wanted).await.unwrap().reservation.allocations;
        held.iter().map(|own| format!("{}={}", own.bucket, own.hold.quantity)).collect()
    }

    async fn paid(&self, key: &str) {
        self.store.confirm(&rid(key), Some(&order("o-1"))).await.unwrap();
    }

    /// What the pool's home has: free, arrived, short.
    async fn pool_home(&self) -> (u64, u64, u64) {
        let home = self.bucket("tea#incoming").await.unwrap();
        let (arrived, shortfall) = home.home().map(|home| (home.arrived, home.shortfall)).unwrap();
        (home.free, arrived, shortfall)
    }

    async fn waiting(&self) -> Vec<Backorder> {
        let page = self.store.list_backorders(Some(&tea()), 100, None).await.unwrap();
        assert_eq!(page.next_cursor, None);
        page.items
    }

    /// Who waits: units, in how many days each comes, and what nothing brings.
    async fn who_waits(&self) -> Vec<(ReservationId, u64, Option<u64>, u64)> {
        let in_days = |backorder: &Backorder| backorder.cover.expected_on().map(|on| on.days_since(day(0)));
        let waiting = self.waiting().await;
        let shown =
            waiting.iter().map(|own| (own.promise.id.clone(), own.promise.units, in_days(own), own.cover.uncovered));
        shown.collect()
    }
}

#[tokio::test]
async fn what_is_not_there_is_promised_from_what_is_to_come_and_nothing_more() {
    let bench = bench().await;
    bench.promisable(2, 10).await;
    assert_eq!(bench.pool_home().await, (10, 0, 0));
    let refused = refusal(bench.reserve("plain", &["tea=3"]).await.unwrap_err());
    assert!(matches!(refused, Refusal::InsufficientStock { lines } if lines[0].available == 2));
    let too_many = bench.store.reserve(&accepting(Kind::Reservation, "much", &["tea=13"])).await.unwrap_err();
    assert!(matches!(refusal(too_many), Refusal::InsufficientStock { lines } if lines[0].available == 12));
    assert_eq!((bench.pool_home().await, bench.level("tea").await.available), ((10, 0, 0), 2), "nothing was held");
    assert_eq!(bench.promise("k", 5).await, ["tea#own=2", "tea#incoming=3"]);
    assert_eq!(bench.promise("l", 7).await, ["tea#incoming=7"]);
    let refused = bench.store.reserve(&accepting(Kind::Reservation, "late", &["tea=1"])).await.unwrap_err();
    assert!(matches!(refusal(refused), Refusal::InsufficientStock { lines } if lines[0].available == 0));
    assert_eq!(bench.level("tea").await.on_hand(), 2, "what is to come is not on hand");
    bench.assert_sound().await;
}

#[tokio::test]
async fn stock_comes_before_promises() {
    let bench = bench().await;
    bench.promisable(5, 10).await;
    assert_eq!(bench.promise("k", 5).await, ["tea#own=5"]);
    assert_eq!(bench.waiting().await, []);
    bench.assert_sound().await;
}

#[tokio::test]
async fn those_who_wait_are_served_first() {
    let bench = bench().await;
    bench.promisable(0, 10).await;
    bench.promise("k", 3).await;
    bench.paid("k").await;
    bench.clock.advance(10);
    bench.promise("l", 2).await;
    let part = bench.came("first", 4).await;
    assert_eq!((part.movements[0].kind.quantity(), part.movements[0].delta), (4, 0), "all of it was waited for");
    assert_eq!((bench.pool_home().await, bench.level("tea").await.available), ((5, 4, 0), 0));
    assert_eq!(bench.who_waits().await, [(rid("l"), 1, Some(7), 0)]);
    bench.assert_sound().await;
    let rest = bench.came("first", 6).await;
    assert_eq!((rest.movements[0].kind.quantity(), rest.movements[0].delta), (6, 5));
    assert_eq!((bench.pool_home().await, bench.level("tea").await.available), ((0, 5, 0), 5));
    assert_eq!(bench.waiting().await, []);
    bench.paid("l").await;
    bench.clock.advance(1_000);
    bench.store.tend_backorders(&tea()).await.unwrap();
    assert_eq!((bench.pool_home().await, bench.level("tea").await.available), ((0, 5, 0), 5), "sold, and not moved");
    assert!(bench.audit(true).await.violations.is_empty());
}

#[tokio::test]
async fn more_than_was_ordered_serves_those_who_wait_for_another_order() {
    let bench = bench().await;
    bench.promisable(0, 2).await;
    bench.ordered("second", 5).await;
    bench.promise("k", 6).await;
    let came = bench.came("first", 4).await;
    assert_eq!(came.movements[0].delta, 0);
    assert_eq!(bench.pool_home().await, (3, 4, 0), "two fewer are waited for of the second");
    assert_eq!(bench.who_waits().await, [(rid("k"), 2, Some(7), 0)]);
    bench.assert_sound().await;
}

#[tokio::test]
async fn a_promise_that_is_not_paid_can_be_made_to_another() {
    let bench = bench().await;
    bench.promisable(0, 3).await;
    bench.promise("k", 3).await;
    bench.clock.advance(901);
    assert_eq!(bench.promise("l", 3).await, ["tea#incoming=3"], "in the very next second");
    bench.store.cancel(&rid("l")).await.unwrap();
    assert_eq!((bench.pool_home().await, bench.waiting().await), ((3, 0, 0), vec![]));
    bench.assert_sound().await;
}

#[tokio::test]
async fn what_came_for_a_promise_that_ends_unpaid_is_sold_to_anybody() {
    let bench = bench().await;
    bench.promisable(0, 3).await;
    bench.promise("k", 3).await;
    bench.came("first", 3).await;
    assert_eq!((bench.pool_home().await, bench.level("tea").await.available), ((0, 3, 0), 0));
    assert_eq!(bench.store.tend_backorders(&tea()).await.unwrap(), 0, "it may still be paid for");
    bench.clock.advance(901);
    assert_eq!(bench.store.tend_backorders(&tea()).await.unwrap(), 3);
    assert_eq!((bench.pool_home().await, bench.level("tea").await.available), ((0, 0, 0), 3));
    assert_eq!(bench.store.tend_backorders(&tea()).await.unwrap(), 0);
    let moved = bench.store.list_movements(&stock("tea"), 10, None).await.unwrap().items;
    assert_eq!(moved.iter().filter(|movement| movement.kind.word() == "transfer").count(), 1);
    assert!(bench.audit(true).await.violations.is_empty());
}

#[tokio::test]
async fn what_a_canceled_order_leaves_without_cover_is_promised_anew_by_the_next() {
    let bench = bench().await;
    bench.promisable(0, 10).await;
    bench.promise("k", 4).await;
    bench.paid("k").await;
    bench.clock.advance(10);
    bench.promise("l", 3).await;
    bench.ordered("second", 2).await;
    bench.step("first", Step::Cancel).await;
    assert_eq!(bench.pool_home().await, (0, 0, 5));
    assert_eq!(bench.who_waits().await, [(rid("k"), 4, None, 2), (rid("l"), 3, None, 3)]);
    let listed = bench.store.list_shortfalls(10, None).await.unwrap().items;
    assert!(matches!(&listed[..], [Shortfall::Count(movement)] if movement.shortfall == 5));
    bench.assert_sound().await;
    // What is given back covers what is owed, and so does what is ordered next.
    bench.store.cancel(&rid("l")).await.unwrap();
    assert_eq!(bench.pool_home().await, (0, 0, 2));
    bench.ordered("third", 6).await;
    assert_eq!((bench.pool_home().await, bench.who_waits().await), ((4, 0, 0), vec![(rid("k"), 4, Some(7), 0)]));
    bench.assert_sound().await;
}

#[tokio::test]
async fn a_day_that_slips_is_the_day_of_those_who_wait() {
    let bench = bench().await;
    bench.promisable(0, 3).await;
    bench.ordered("second", 3).await;
    bench.promise("k", 2).await;
    bench.clock.advance(1);
    bench.promise("l", 2).await;
    bench.step("second", Step::Acknowledge { expected_on: Some(day(9)) }).await;
    assert_eq!(bench.who_waits().await, [(rid("k"), 2, Some(7), 0), (rid("l"), 2, Some(9), 0)]);
    bench.step("first", Step::Acknowledge { expected_on: Some(day(20)) }).await;
    assert_eq!(bench.who_waits().await, [(rid("k"), 2, Some(9), 0), (rid("l"), 2, Some(20), 0)]);
    let days = async |key: &str, fresh| {
        let record = bench.record(key).await.unwrap();
        bench.store.promised_days(&record, fresh).await.unwrap().remove(&tea()).map(|on| on.days_since(day(0)))
    };
    assert_eq!((days("k", false).await, days("l", false).await, days("l", true).await), (Some(9), Some(20), Some(20)));
    // A shopper hears of what nobody was promised.
    let next = async || bench.store.availability(&[stock("tea")]).await.unwrap()[0].next;
    assert_eq!(next().await.map(|next| (next.on, next.units)), Some((day(20), 2)));
    bench.promise("m", 2).await;
    assert_eq!(next().await, None);
    bench.clock.advance(10 * 86_400);
    assert_eq!(days("k", false).await, None, "nothing is owed: it has expired");
    assert_eq!(next().await.map(|next| (next.on, next.units)), Some((day(20), 3)), "what is late promises nothing");
    bench.assert_sound().await;
}

#[tokio::test]
async fn what_is_on_its_way_already_can_be_promised_once_that_is_allowed_and_no_more_once_it_is_not() {
    let bench = bench().await;
    bench.stocked("tea", 0).await;
    bench.ordered("first", 5).await;
    let wanted = |key| accepting(Kind::Reservation, key, &["tea=2"]);
    assert!(bench.store.reserve(&wanted("early")).await.is_err());
    assert_eq!(bench.bucket("tea#incoming").await, None);
    bench.backorders(true).await;
    assert_eq!(bench.pool_home().await, (5, 0, 0));
    bench.backorders(true).await;
    bench.promise("k", 2).await;
    bench.paid("k").await;
    bench.backorders(false).await;
    assert!(bench.store.reserve(&wanted("late")).await.is_err());
    bench.ordered("second", 4).await;
    assert_eq!(bench.pool_home().await, (7, 0, 0), "what was promised is owed still, so that the orders are followed");
    bench.assert_sound().await;
    assert!(bench.store.remove_replenishment(&tea()).await.unwrap());
    bench.came("first", 5).await;
    assert_eq!((bench.pool_home().await, bench.level("tea").await.available), ((4, 2, 0), 3));
    bench.assert_sound().await;
}

#[tokio::test]
async fn a_late_payment_is_promised_again_only_if_it_was_before() {
    let bench = bench().await;
    bench.promisable(2, 5).await;
    bench.promise("here", 2).await;
    bench.promise("k", 2).await;
    bench.clock.advance(901);
    let paid = bench.store.confirm(&rid("k"), None).await.unwrap();
    assert!(matches!(paid.status, Status::Confirmed { .. }));
    assert!(!paid.is_backorder(), "what others gave back is there");
    let refused = bench.store.confirm(&rid("here"), None).await.unwrap_err();
    assert_eq!(refusal(refused), Refusal::ReservationExpired { refund_required: true });
    bench.promise("l", 2).await;
    bench.clock.advance(901);
    let paid = bench.store.confirm(&rid("l"), None).await.unwrap();
    assert_eq!(paid.backordered(&tea()), 2);
    assert_eq!(bench.who_waits().await, [(rid("l").successor(), 2, Some(7), 0)]);
    let days = bench.store.promised_days(&bench.store.reservation(&rid("l")).await.unwrap(), false).await.unwrap();
    assert_eq!(days.get(&tea()), Some(&day(7)));
    bench.assert_sound().await;
}

#[tokio::test]
async fn a_retry_adopts_what_an_attempt_that_died_holds_in_both() {
    let bench = bench().await;
    bench.promisable(2, 5).await;
    for writes in 0..4 {
        let key = format!("k{writes}");
        let wanted = accepting(Kind::Reservation, &key, &["tea=3"]);
        bench.mishaps.die_after(writes);
        let first = bench.store.reserve(&wanted).await;
        assert_eq!(bench.mishaps.rise(), first.is_err());
        let recorded = bench.another_process().reserve(&wanted).await.unwrap().reservation;
        assert_eq!((recorded.backordered(&tea()), recorded.allocations.len()), (1, 2), "{writes}");
        bench.store.cancel(&recorded.id).await.unwrap();
        assert_eq!((bench.pool_home().await, bench.level("tea").await.available), ((5, 0, 0), 2), "{writes}");
    }
    assert!(bench.audit(true).await.violations.is_empty());
}

#[tokio::test]
async fn a_crowded_pool_is_split_and_followed_all_the_same() {
    let bench = bench().await;
    bench.promisable(0, 60).await;
    for n in 0..40 {
        bench.promise(&format!("k{n}"), 1).await;
        bench.clock.advance(1);
    }
    assert!(bench.bucket("tea#incoming#0").await.is_some(), "24 holds are as many as a home carries");
    assert_eq!(bench.waiting().await.len(), 40);
    bench.came("first", 10).await;
    assert_eq!(bench.waiting().await.iter().map(|own| own.promise.at).min(), Some(at(10)));
    bench.assert_sound().await;
    // Twenty are on their way that nobody was promised, some of them in children.
    bench.ordered("second", 5).await;
    bench.step("first", Step::Cancel).await;
    let owed: u64 = bench.waiting().await.iter().map(|own| own.cover.uncovered).sum();
    assert_eq!((owed, bench.pool_home().await), (25, (0, 10, 25)));
    bench.assert_sound().await;
    // Of those who are never served, what is given back covers what is owed to the others, wherever it was.
    for n in 15..40 {
        bench.store.cancel(&rid(&format!("k{n}"))).await.unwrap();
    }
    assert_eq!(bench.pool_home().await, (0, 10, 0));
    bench.came("second", 5).await;
    assert_eq!((bench.waiting().await.len(), bench.level("tea").await.available), (0, 0));
    bench.clock.advance(2_000);
    assert_eq!(bench.store.tend_backorders(&tea()).await.unwrap(), 15);
    assert_eq!(bench.level("tea").await.available, 15);
    assert!(bench.audit(true).await.violations.is_empty());
}

#[tokio::test]
async fn queued_orders_are_promised_in_their_turn() {
    let bench = bench().await;
    bench.promisable(3, 4).await;
    let sale = |key, units| request(Kind::Order, key, &[units]);
    let orders = [
        sale("a", "tea=2"),
        accepting(Kind::Order, "b", &["tea=3"]),
        sale("c", "tea=1"),
        accepting(Kind::Order, "d", &["tea=3"]),
        accepting(Kind::Order, "e", &["tea=2"]),
    ];
    let queue: BucketId = "tea#own".parse().unwrap();
    let answers = bench.store.sell_in_order(&orders, &queue).await;
    let sold: Vec<Option<u64>> =
        answers.into_iter().map(|answer| answer.ok().map(|sold| sold.reservation.backordered(&tea()))).collect();
    assert_eq!(sold, [Some(0), Some(2), None, None, Some(2)]);
    bench.assert_sound().await;
}

#[tokio::test]
async fn a_promised_unit_lowers_the_position_once_and_supply_never() {
    let bench = bench().await;
    bench.promisable(2, 10).await;
    let sight = async || {
        let sight = bench.store.look_at_replenishment(&tea()).await.unwrap().unwrap().sight;
        (sight.position(), sight.supply(), sight.promised)
    };
    assert_eq!(sight().await, (12, 12, 0));
    bench.promise("k", 5).await;
    assert_eq!(sight().await, (7, 12, 3));
    bench.paid("k").await;
    assert_eq!(sight().await, (7, 12, 3));
    bench.came("first", 4).await;
    assert_eq!(sight().await, (7, 12, 0), "what comes changes neither");
    bench.promise("l", 2).await;
    assert_eq!(sight().await, (5, 12, 1), "one is on the shelf");
    bench.came("first", 6).await;
    assert_eq!(sight().await, (5, 12, 0));
    bench.store.cancel(&rid("l")).await.unwrap();
    bench.store.tend_backorders(&tea()).await.unwrap();
    assert_eq!(sight().await, (7, 12, 0));
    bench.promise("m", 7).await;
    bench.ordered("second", 3).await;
    bench.promise("n", 3).await;
    bench.step("second", Step::Cancel).await;
    assert_eq!(sight().await, (-3, 12, 3), "owed, and nothing brings it");
    bench.assert_sound().await;
}

#[tokio::test]
async fn who_waits_is_listed_page_by_page_across_skus() {
    let bench = bench().await;
    for sku in ["mug", "tea", "zinc"] {
        bench.stocked(sku, 0).await;
        let settings = Settings { backorder: sku != "zinc", ..Settings::new(7, SafetyStock::Units(0)) };
        bench.store.save_replenishment(&sku.parse().unwrap(), &settings, None).await.unwrap();
    }
    let lines = ["mug=20/0", "tea=20/0", "zinc=20/0"];
    bench.store.open_purchase_order(&new("all", &lines, true)).await.unwrap();
    for n in 0..7 {
        let key = format!("k{n}");
        bench.store.reserve(&accepting(Kind::Reservation, &key, &["mug=1", "tea=2"])).await.unwrap();
        // Some in the same second: then by id.
        bench.clock.advance(n % 2);
    }
    let (mut found, mut cursor) = (Vec::new(), None::<String>);
    for _ in 0..20 {
        let page = bench.store.list_backorders(None, 3, cursor.as_deref()).await.unwrap();
        assert!(page.items.len() <= 3);
        found.extend(page.items.iter().map(|own| (own.sku.to_string(), own.promise.at, own.promise.id.clone())));
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(cursor, None);
    assert_eq!(found.len(), 14);
    let mut sorted = found.clone();
    sorted.sort();
    assert_eq!(found, sorted, "by SKU, then by promise");
    let page = bench.store.list_backorders(Some(&"zinc".parse().unwrap()), 3, None).await.unwrap();
    assert_eq!((page.items, page.next_cursor), (vec![], None));
    let foreign = bench.store.list_backorders(None, 3, Some("!")).await.unwrap_err();
    assert!(matches!(refusal(foreign), Refusal::InvalidRequest { errors } if errors[0].field == "cursor"));
    bench.assert_sound().await;
}

#[tokio::test]
async fn many_at_once_are_promised_no_more_than_comes() {
    let bench = bench().await;
    bench.promisable(3, 20).await;
    let wanted: Vec<ReservationRequest> =
        (0..30).map(|n| accepting(Kind::Reservation, &format!("k{n}"), &["tea=1"])).collect();
    let try_again = async |wanted: &ReservationRequest| loop {
        match bench.store.reserve(wanted).await {
            Err(Failure::Refused(Refusal::Contended)) => {}
            answer => break answer.is_ok(),
        }
    };
    let shopping = join_all(wanted.iter().map(try_again));
    let receiving = async {
        for units in [3, 4, 5] {
            loop {
                let came = receipt(&format!("r{units}"), "first", &[("tea", units)]);
                match bench.store.receive_purchase_order(&came).await {
                    Err(Failure::Refused(Refusal::Contended)) => {}
                    answer => break drop(answer.unwrap()),
                }
            }
        }
    };
    let (served, ()) = futures::future::join(shopping, receiving).await;
    let served = served.into_iter().filter(|served| *served).count();
    bench.assert_sound().await;
    assert!(served <= 23, "{served}");
    // Whoever was refused while the units changed pools finds them now.
    let again = join_all(wanted.iter().map(try_again)).await.into_iter().filter(|served| *served).count();
    assert_eq!(again, 23);
    bench.assert_sound().await;
}

/// Whatever happens in whatever order, and whatever is lost on the wire, every invariant holds after it, and in the end everybody who paid
/// is served.
#[tokio::test]
async fn any_order_of_events_is_sound() {
    for seed in 0..6_u64 {
        let bench = bench().await;
        bench.promisable(1, 4).await;
        let (mut state, mut orders, mut paid) =
            (seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1, vec!["first".to_owned()], 0);
        let mut random = |below: u64| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state % below
        };
        for step in 0..40 {
            let (key, units) = (format!("s{step}"), 1 + random(4));
            let line = format!("tea={units}");
            let mishap = [Mishap::LostReply, Mishap::Conflict][usize::try_from(random(2)).unwrap()];
            match random(6) {
                0 => bench.mishaps.plan("TransactWriteItems", "tea#incoming", mishap, 1),
                1 => bench.mishaps.plan("UpdateItem", "tea#incoming", mishap, 1),
                // A shopper's process dies, and nobody asks again.
                2 => {
                    let wanted = accepting(Kind::Reservation, &format!("dead{step}"), &[&line]);
                    bench.mishaps.die_after(usize::try_from(random(3)).unwrap());
                    let _ = bench.store.reserve(&wanted).await;
                    bench.mishaps.rise();
                }
                _ => {}
            }
            match random(9) {
                0 | 1 => {
                    // Three lost replies in a row are an outage to whoever asked; it may have been done.
                    let _ = bench.store.open_purchase_order(&new(&key, &[&format!("tea={units}/0")], true)).await;
                    orders.push(key);
                }
                2 => {
                    let order = &orders[usize::try_from(random(orders.len() as u64)).unwrap()];
                    let came = receipt(&key, order, &[("tea", units)]);
                    // What is closed receives nothing.
                    let _ = bench.store.receive_purchase_order(&came).await;
                }
                3 => {
                    let order = &orders[usize::try_from(random(orders.len() as u64)).unwrap()];
                    let _ = bench.store.step_purchase_order(&po(order), Step::Cancel).await;
                }
                4 => bench.clock.advance(1 + random(600)),
                5 => drop(bench.store.tend_backorders(&tea()).await),
                6 => drop(bench.store.reserve(&accepting(Kind::Reservation, &key, &[&line])).await),
                _ => {
                    if bench.store.sell(&accepting(Kind::Order, &key, &[&line])).await.is_ok() {
                        paid += units;
                    }
                }
            }
            let violations = bench.audit(false).await.violations;
            assert_eq!(violations, [], "seed {seed}, step {step}");
            let uncovered: u64 = bench.waiting().await.iter().map(|own| own.cover.uncovered).sum();
            assert!(uncovered <= bench.pool_home().await.2, "seed {seed}, step {step}");
        }
        bench.mishaps.forget();
        bench.clock.advance(10_000);
        let open = bench.store.on_order(&tea()).await.unwrap().units();
        bench.ordered("last", 100).await;
        bench.came("last", 100).await;
        bench.store.tend_backorders(&tea()).await.unwrap();
        let (free, _, shortfall) = bench.pool_home().await;
        assert_eq!((free, shortfall, bench.waiting().await), (open, 0, vec![]), "seed {seed}: {paid} were paid for");
        assert_eq!(bench.audit(false).await.violations, [], "seed {seed}");
    }
}

#[tokio::test]
async fn terms_whose_writer_died_are_made_good_by_the_next_look() {
    let bench = bench().await;
    bench.stocked("tea", 0).await;
    bench.ordered("first", 5).await;
    let settings = Settings { backorder: true, ..Settings::new(7, SafetyStock::Units(0)) };
    bench.mishaps.die_after(1);
    bench.store.save_replenishment(&tea(), &settings, None).await.unwrap_err();
    assert!(bench.mishaps.rise());
    assert_eq!(bench.bucket("tea#incoming").await, None);
    bench.store.tend_backorders(&tea()).await.unwrap();
    assert_eq!(bench.pool_home().await, (5, 0, 0));
    bench.assert_sound().await;
}

#[tokio::test]
async fn a_lost_reply_or_a_conflict_follows_nothing_twice() {
    let bench = bench().await;
    bench.promisable(0, 10).await;
    bench.promise("k", 4).await;
    for (n, mishap) in [Mishap::LostReply, Mishap::Conflict, Mishap::LostReply].into_iter().enumerate() {
        bench.mishaps.plan("TransactWriteItems", "tea#incoming", mishap, 1);
        let came = receipt(&format!("r{n}"), "first", &[("tea", 2)]);
        bench.store.receive_purchase_order(&came).await.unwrap().unwrap();
        bench.mishaps.plan("TransactWriteItems", "tea#incoming", mishap, 1);
        bench.ordered(&format!("o{n}"), 1).await;
        assert_eq!(bench.mishaps.left(), 0);
        bench.assert_sound().await;
    }
    assert_eq!((bench.pool_home().await, bench.level("tea").await.available), ((7, 4, 0), 2));
    bench.mishaps.plan("TransactWriteItems", "tea#incoming", Mishap::LostReply, 1);
    bench.step("first", Step::Cancel).await;
    assert_eq!(bench.pool_home().await, (3, 4, 0));
    bench.store.cancel(&rid("k")).await.unwrap();
    bench.mishaps.plan("TransactWriteItems", "tea#incoming", Mishap::LostReply, 1);
    bench.store.tend_backorders(&tea()).await.unwrap();
    assert_eq!((bench.pool_home().await, bench.level("tea").await.available), ((3, 0, 0), 6));
    bench.assert_sound().await;
}

/// As many SKUs as an order has lines at most, all of which may be promised.
async fn many(bench: &Bench) -> Vec<String> {
    let skus: Vec<String> = (0..MAX_PURCHASE_LINES).map(|n| format!("sku-{n:02}")).collect();
    for sku in &skus {
        bench.stocked(sku, 0).await;
        let settings = Settings { backorder: true, ..Settings::new(7, SafetyStock::Units(0)) };
        bench.store.save_replenishment(&sku.parse().unwrap(), &settings, None).await.unwrap();
    }
    let lines: Vec<String> = skus.iter().map(|sku| format!("{sku}=2/0")).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    bench.store.open_purchase_order(&new("all", &lines, true)).await.unwrap();
    skus
}

#[tokio::test]
async fn an_order_of_the_most_lines_is_sent_canceled_and_received_in_parts() {
    let bench = bench().await;
    let skus = many(&bench).await;
    for (n, cart) in skus.chunks(30).enumerate() {
        let lines: Vec<String> = cart.iter().map(|sku| format!("{sku}=1")).collect();
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        bench.store.reserve(&accepting(Kind::Reservation, &format!("k{n}"), &lines)).await.unwrap();
    }
    let of = |count: usize, units| skus.iter().take(count).map(|sku| (sku.as_str(), units)).collect::<Vec<_>>();
    let receive = async |count, units| {
        bench.store.receive_purchase_order(&receipt(&format!("{count}-{units}"), "all", &of(count, units))).await
    };
    // One of each is waited for, and one is not: that is five items for each.
    let too_many = refusal(receive(MAX_AWAITED_LINES + 1, 2).await.unwrap_err());
    assert!(matches!(too_many, Refusal::InvalidRequest { errors } if errors[0].field == "lines"));
    receive(MAX_AWAITED_LINES, 1).await.unwrap().unwrap();
    bench.assert_sound().await;
    // An ERP says what has come in all, and goes on until it is booked.
    let come: BTreeMap<Sku, u64> = skus.iter().take(25).map(|sku| (sku.parse().unwrap(), 2)).collect();
    for booked in [19 + MAX_AWAITED_LINES as u64, 50, 50] {
        let order = bench.store.receive_from_erp(&po("all"), &come, "erp").await.unwrap().unwrap();
        let received: u64 = order.lines.as_slice().iter().map(|line| line.received).sum();
        assert_eq!(received, booked);
    }
    bench.step("all", Step::Cancel).await;
    let report = bench.audit(false).await;
    assert_eq!((report.violations, report.free, report.incoming, report.shortfall), (vec![], 25, 0, 8));
}

#[tokio::test]
async fn an_order_of_the_most_lines_is_canceled_though_all_of_it_is_promised() {
    let bench = bench().await;
    let skus = many(&bench).await;
    for (n, cart) in skus.chunks(30).enumerate() {
        let lines: Vec<String> = cart.iter().map(|sku| format!("{sku}=2")).collect();
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        bench.store.sell(&accepting(Kind::Order, &format!("k{n}"), &lines)).await.unwrap();
    }
    bench.step("all", Step::Cancel).await;
    let report = bench.audit(false).await;
    assert_eq!((report.violations, report.shortfall), (vec![], 2 * MAX_PURCHASE_LINES as u64));
    let (mut uncovered, mut cursor) = (0, None::<String>);
    loop {
        let page = bench.store.list_backorders(None, 100, cursor.as_deref()).await.unwrap();
        uncovered += page.items.iter().map(|own| own.cover.uncovered).sum::<u64>();
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(
        uncovered,
        2 * MAX_PURCHASE_LINES as u64,
        "all of them are listed here, whatever a transaction has room for"
    );
}
