//! What a marketplace has sold: recorded once, with its whole quantity, whatever there is and however it is told.

use domain::{
    ids::ReservationId,
    quantity::Quantity,
    reservation::{Kind, Reservation, ReservationRequest, Status},
    sale::{SaleChange, SaleKey, SaleLine, SaleOutcome, Stage},
    stock::{Level, Settings},
};

use super::{
    engine::{Bench, bench, movement, order},
    mishap::Mishap::LostReply,
    pools::{in_channel, level, stock},
};
use crate::{Failure, Shortfall, StoredItem};

fn amazon() -> domain::ids::Channel {
    "amazon".parse().unwrap()
}

fn line(quantity: u64, canceled: u64, stage: Stage) -> SaleLine {
    let quantity = Quantity::new(quantity).unwrap();
    SaleLine { line: order("1"), sku: "tea".parse().unwrap(), quantity, canceled, stage }
}

fn sale_id(name: &str) -> ReservationId {
    ReservationId::of_sale(&SaleKey { channel: amazon(), order: order(name), line: order("1") })
}

impl Bench {
    async fn told(&self, name: &str, line: &SaleLine) -> Result<SaleOutcome, Failure> {
        self.store.record_sale(&amazon(), &order(name), line).await
    }

    async fn tell(&self, name: &str, line: &SaleLine) -> SaleChange {
        self.told(name, line).await.unwrap().change
    }

    async fn sale(&self, name: &str) -> Reservation {
        self.record_of(&sale_id(name)).await.unwrap()
    }

    async fn owed(&self, id: &str) -> u64 {
        self.home(id).await.home().unwrap().shortfall
    }
}

#[tokio::test]
async fn a_sale_is_recorded_once_however_often_it_is_told() {
    let bench = bench().await;
    bench.pool("tea#amazon", 10).await;
    let paid = line(3, 0, Stage::Paid);
    assert_eq!(bench.tell("o", &paid).await, SaleChange::Recorded);
    for again in [&paid, &line(3, 0, Stage::Pending), &paid] {
        assert_eq!(bench.tell("o", again).await, SaleChange::Unchanged);
    }
    let elsewhere = bench.another_process().record_sale(&amazon(), &order("o"), &paid).await.unwrap();
    assert_eq!((elsewhere.change, elsewhere.reservation.clone()), (SaleChange::Unchanged, sale_id("o")));
    let record = bench.sale("o").await;
    assert!(matches!(record.status, Status::Confirmed { .. }));
    assert_eq!((record.order_id, record.line, record.purge_at), (Some(order("o")), Some(order("1")), None));
    assert_eq!(bench.level_of("tea#amazon").await, level(7, 0, 3, 0));
    bench.assert_sound().await;
}

#[tokio::test]
async fn a_pending_sale_waits_for_its_payment_for_two_weeks() {
    let bench = bench().await;
    bench.pool("tea#amazon", 10).await;
    let (pending, paid) = (line(3, 0, Stage::Pending), line(3, 0, Stage::Paid));
    for name in ["o", "late"] {
        assert_eq!(bench.tell(name, &pending).await, SaleChange::Recorded);
        assert_eq!(bench.tell(name, &pending).await, SaleChange::Unchanged);
    }
    let record = bench.sale("o").await;
    assert_eq!(record.status, Status::Active);
    assert!(record.purge_at.unwrap() > record.expires_at, "the record outlives its end");
    bench.clock.advance(13 * 86_400);
    let own = record.allocations[0].clone();
    bench.store.resolve(&own.bucket, &record.id, own.hold).await.unwrap();
    assert_eq!(bench.level_of("tea#amazon").await, level(4, 6, 0, 0), "its hold stands although its time is over");
    assert_eq!(bench.tell("o", &paid).await, SaleChange::Confirmed);
    assert_eq!(bench.home("tea#amazon").await.sold, 3, "no timer comes any more: it is settled at once");
    bench.clock.advance(2 * 86_400);
    assert_eq!(bench.level_of("tea#amazon").await, level(7, 0, 3, 0));
    assert_eq!(bench.tell("late", &pending).await, SaleChange::Unchanged, "it has waited for as long as any may");
    bench.pool("tea#amazon", 0).await;
    let all = in_channel("k", "amazon", &["tea=7"]);
    bench.store.sell(&ReservationRequest { kind: Kind::Order, ..all }).await.unwrap();
    let outcome = bench.told("late", &paid).await.unwrap();
    assert_eq!((outcome.change, outcome.shortfall), (SaleChange::Recorded, 3), "paid late: forced");
    assert_eq!(outcome.reservation, sale_id("late").successor());
    assert_eq!(bench.tell("late", &paid).await, SaleChange::Unchanged);
    bench.assert_sound().await;
}

#[tokio::test]
async fn f14_f16_what_was_canceled_is_not_revived_by_older_news() {
    // Elsewhere: a late "paid" revived a canceled order and deducted again (mollie/WooCommerce#1252).
    let bench = bench().await;
    bench.pool("tea#amazon", 10).await;
    let canceled = line(3, 3, Stage::Paid);
    assert_eq!(bench.tell("unheard", &canceled).await, SaleChange::Canceled);
    assert_eq!(bench.tell("o", &line(3, 0, Stage::Pending)).await, SaleChange::Recorded);
    assert_eq!(bench.tell("o", &canceled).await, SaleChange::Canceled);
    bench.clock.advance(40 * 86_400);
    for name in ["unheard", "o"] {
        for older in [line(3, 0, Stage::Pending), line(3, 0, Stage::Paid), line(3, 1, Stage::Paid), canceled.clone()] {
            assert_eq!(bench.tell(name, &older).await, SaleChange::Unchanged, "{name} {older:?}");
        }
        assert_eq!(bench.sale(name).await.purge_at, None, "or a late one would not find it");
    }
    assert_eq!(bench.level_of("tea#amazon").await, level(10, 0, 0, 0));
    bench.assert_sound().await;
}

#[tokio::test]
async fn f12_what_is_canceled_comes_back_once_and_what_was_shipped_does_not() {
    // Elsewhere: shipped, then canceled, and compensated twice (magento/inventory#1849).
    let bench = bench().await;
    bench.pool("tea#amazon", 10).await;
    bench.tell("o", &line(5, 0, Stage::Paid)).await;
    assert_eq!(bench.tell("o", &line(5, 2, Stage::Paid)).await, SaleChange::Returned { units: 2 });
    for older in [line(5, 2, Stage::Paid), line(5, 1, Stage::Paid), line(5, 0, Stage::Paid)] {
        assert_eq!(bench.tell("o", &older).await, SaleChange::Unchanged);
    }
    assert_eq!(bench.tell("o", &line(5, 3, Stage::Paid)).await, SaleChange::Returned { units: 1 });
    assert_eq!(bench.level_of("tea#amazon").await, level(8, 0, 5, 0));
    assert_eq!(bench.tell("o", &line(5, 3, Stage::Shipped)).await, SaleChange::Unchanged);
    for later in [line(5, 5, Stage::Shipped), line(5, 5, Stage::Paid)] {
        assert_eq!(bench.tell("o", &later).await, SaleChange::Unchanged, "a return is booked when it is on the shelf");
    }
    assert_eq!(bench.level_of("tea#amazon").await, level(8, 0, 5, 0));
    assert_eq!(bench.tell("whole", &line(2, 0, Stage::Paid)).await, SaleChange::Recorded);
    assert_eq!(bench.tell("whole", &line(2, 2, Stage::Paid)).await, SaleChange::Returned { units: 2 });
    assert_eq!(bench.tell("pending", &line(4, 1, Stage::Pending)).await, SaleChange::Recorded);
    assert_eq!(bench.level_of("tea#amazon").await, level(4, 4, 7, 0), "booked when it is paid");
    assert_eq!(bench.tell("pending", &line(4, 1, Stage::Paid)).await, SaleChange::Returned { units: 1 });
    assert_eq!(bench.level_of("tea#amazon").await, level(5, 0, 11, 0));
    let returns = bench.store.list_movements(&stock("tea#amazon"), 50, None).await.unwrap().items;
    let returned: i64 = returns.iter().filter(|own| own.kind.word() == "return").map(|own| own.delta).sum();
    assert_eq!(returned, 6);
    bench.assert_sound().await;
}

#[tokio::test]
async fn what_nobody_has_is_a_shortfall_that_a_receipt_covers_first() {
    let bench = bench().await;
    bench.pool("tea#amazon", 3).await;
    let outcome = bench.told("o", &line(5, 0, Stage::Paid)).await.unwrap();
    assert_eq!((outcome.change, outcome.shortfall), (SaleChange::Recorded, 2));
    assert_eq!(bench.level_of("tea#amazon").await, level(0, 0, 5, 2));
    assert_eq!(bench.tell("o", &line(5, 0, Stage::Paid)).await, SaleChange::Unchanged);
    assert_eq!(bench.told("next", &line(1, 0, Stage::Pending)).await.unwrap().shortfall, 1);
    assert_eq!(bench.owed("tea#amazon").await, 3);
    let listed = bench.store.list_shortfalls(10, None).await.unwrap().items;
    let missing = listed.iter().map(|own| match own {
        Shortfall::Order { sale, .. } => (sale.key.order.to_string(), sale.quantity.units(), sale.missing),
        Shortfall::Count(movement) => panic!("{movement:?}"),
    });
    let mut missing: Vec<_> = missing.collect();
    missing.sort();
    assert_eq!(missing, [("next".to_owned(), 1, 1), ("o".to_owned(), 5, 2)]);
    bench.assert_sound().await;

    let receipt = |key: &str, units| {
        let stock = stock("tea#amazon");
        domain::movement::MovementRequest { stock, ..movement(key, "tea", "receive", units) }
    };
    bench.store.move_stock(&receipt("a", 2)).await.unwrap();
    assert_eq!((bench.owed("tea#amazon").await, bench.home("tea#amazon").await.free), (1, 0));
    assert_eq!(bench.tell("next", &line(1, 1, Stage::Pending)).await, SaleChange::Canceled);
    assert_eq!(
        (bench.owed("tea#amazon").await, bench.home("tea#amazon").await.free),
        (0, 0),
        "what is let go covers too"
    );
    bench.store.move_stock(&receipt("b", 2)).await.unwrap();
    assert_eq!(bench.tell("o", &line(5, 4, Stage::Paid)).await, SaleChange::Returned { units: 4 });
    assert_eq!(bench.level_of("tea#amazon").await, level(6, 0, 5, 0));
    bench.assert_sound().await;
}

#[tokio::test]
async fn several_pools_each_give_a_part_of_a_sale() {
    let bench = bench().await;
    bench.borrows("amazon").await;
    bench.pool("tea#shared", 2).await;
    bench.pool("tea#amazon", 3).await;
    let outcome = bench.told("o", &line(9, 0, Stage::Paid)).await.unwrap();
    assert_eq!((outcome.change, outcome.shortfall), (SaleChange::Recorded, 4));
    let held: Vec<String> =
        bench.sale("o").await.allocations.iter().map(|own| format!("{}:{}", own.bucket, own.hold.quantity)).collect();
    assert_eq!(held, ["tea#shared:2", "tea#amazon:7"]);
    assert_eq!((bench.owed("tea#amazon").await, bench.owed("tea#shared").await), (4, 0));
    assert_eq!(bench.tell("o", &line(9, 8, Stage::Paid)).await, SaleChange::Returned { units: 8 });
    assert_eq!(bench.level_of("tea#shared").await.available + bench.level_of("tea#amazon").await.available, 4);
    bench.assert_sound().await;
}

#[tokio::test]
async fn a_sku_that_does_not_exist_is_made_for_an_order_of_it() {
    let bench = bench().await;
    let outcome = bench.told("o", &line(5, 0, Stage::Paid)).await.unwrap();
    assert_eq!((outcome.change, outcome.shortfall), (SaleChange::Recorded, 5));
    assert_eq!(bench.level_of("tea#amazon").await, level(0, 0, 5, 5));
    let refused = bench.store.record_sale(&domain::ids::Channel::shared(), &order("o"), &line(1, 0, Stage::Paid)).await;
    assert!(matches!(refused, Err(Failure::Refused(_))), "nobody sells in the shared stock");
    bench.assert_sound().await;
}

#[tokio::test]
async fn a_home_that_can_take_no_hold_gives_a_forced_one_a_child() {
    let bench = bench().await;
    bench.pool("tea#amazon", 24).await;
    for n in 0..24 {
        bench.tell(&format!("o{n}"), &line(1, 0, Stage::Pending)).await;
    }
    let outcome = bench.told("next", &line(5, 0, Stage::Pending)).await.unwrap();
    assert_eq!((outcome.change, outcome.shortfall), (SaleChange::Recorded, 5));
    assert_eq!(bench.sale("next").await.allocations[0].bucket.to_string(), "tea#amazon#0");
    bench.assert_sound().await;
    assert_eq!(bench.tell("next", &line(5, 5, Stage::Pending)).await, SaleChange::Canceled);
    assert_eq!((bench.owed("tea#amazon").await, bench.level_of("tea#amazon").await.reserved), (0, 24));
    bench.tell("again", &line(5, 0, Stage::Paid)).await;
    let confirmed = bench.sale("again").await;
    bench.clock.advance(901);
    let own = confirmed.allocations[0].clone();
    bench.store.resolve(&own.bucket, &confirmed.id, own.hold).await.unwrap();
    assert_eq!(bench.home("tea#amazon").await.sold, 5, "settled, and the child folded");
    bench.assert_sound().await;
}

#[tokio::test]
async fn a_forced_sale_takes_what_children_have_and_what_they_free_covers_it() {
    let bench = bench().await;
    bench.pool("tea#amazon", 64).await;
    let peak = Settings { expected_peak_per_second: 100 };
    bench.store.save_settings(&stock("tea#amazon"), &peak, None).await.unwrap();
    let held = bench.store.reserve(&in_channel("k", "amazon", &["tea=4"])).await.unwrap().reservation;
    assert!(held.allocations[0].bucket.child.is_some(), "{held:?}");
    let outcome = bench.told("o", &line(70, 0, Stage::Paid)).await.unwrap();
    assert_eq!((outcome.change, outcome.shortfall), (SaleChange::Recorded, 10));
    bench.assert_sound().await;
    bench.store.cancel(&super::engine::rid("k")).await.unwrap();
    assert_eq!((bench.owed("tea#amazon").await, bench.level_of("tea#amazon").await.available), (6, 0));
    bench.assert_sound().await;
}

#[tokio::test]
async fn only_the_marketplace_decides_its_order() {
    let bench = bench().await;
    bench.pool("tea#amazon", 5).await;
    bench.tell("o", &line(2, 0, Stage::Pending)).await;
    let refused = bench.store.cancel(&sale_id("o")).await;
    assert!(matches!(refused, Err(Failure::Refused(domain::refusal::Refusal::UnknownReservation { .. }))));
    let refused = bench.store.confirm(&sale_id("o"), Some(&order("mine"))).await;
    assert!(matches!(refused, Err(Failure::Refused(domain::refusal::Refusal::UnknownReservation { .. }))));
    assert_eq!(bench.tell("o", &line(2, 0, Stage::Paid)).await, SaleChange::Confirmed);
    assert_eq!(bench.sale("o").await.order_id, Some(order("o")));
    bench.assert_sound().await;
}

#[tokio::test]
async fn lost_replies_force_and_return_nothing_twice() {
    let bench = bench().await;
    bench.pool("tea#amazon", 3).await;
    for (operation, text) in [("UpdateItem", "S#tea#amazon"), ("TransactWriteItems", "X#"), ("PutItem", "R#")] {
        bench.mishaps.plan(operation, text, LostReply, 1);
    }
    bench.told("o", &line(5, 0, Stage::Paid)).await.unwrap();
    assert_eq!((bench.mishaps.left(), bench.owed("tea#amazon").await), (0, 2));
    bench.mishaps.plan("TransactWriteItems", "B#", LostReply, 1);
    bench.told("o", &line(5, 4, Stage::Paid)).await.unwrap();
    assert_eq!((bench.mishaps.left(), bench.level_of("tea#amazon").await), (0, level(2, 0, 5, 0)));
    bench.mishaps.plan("UpdateItem", "R#", LostReply, 1);
    bench.told("p", &line(1, 0, Stage::Pending)).await.unwrap();
    bench.mishaps.plan("UpdateItem", "R#", LostReply, 1);
    bench.told("p", &line(1, 1, Stage::Pending)).await.unwrap();
    assert_eq!((bench.mishaps.left(), bench.level_of("tea#amazon").await), (0, level(2, 0, 5, 0)));
    bench.assert_sound().await;
}

/// Resolves all that is over, as timers would.
async fn let_timers_run(bench: &Bench) {
    for id in ["tea#amazon", "tea#shared"] {
        let view = bench.store.stock(&[stock(id)]).await.unwrap().remove(0);
        for (bucket, found) in &view.buckets {
            for (owner, hold) in &found.holds {
                bench.store.resolve(bucket, owner, *hold).await.unwrap();
            }
        }
    }
}

/// Deletes what may be deleted, as DynamoDB's TTL would.
async fn let_ttl_run(bench: &Bench) {
    let mut scan = bench.store.scan();
    while let Some(items) = scan.next_page().await.unwrap() {
        for item in items {
            if let StoredItem::Reservation(record) = item
                && record.purge_at.is_some_and(|purge_at| purge_at < bench.clock_now())
            {
                let key = crate::item::text(crate::keys::reservation(&record.id));
                let table = &*bench.store.table;
                bench.store.client.delete_item().table_name(table).key("pk", key).send().await.unwrap();
            }
        }
    }
}

/// The units of the line's record, at the end of the chain of its successors; and how it stands.
async fn tail(bench: &Bench) -> (String, u64) {
    let mut record = bench.sale("o").await;
    while let Status::Expired { successor: Some(next) } = &record.status {
        record = bench.record_of(next).await.unwrap();
    }
    let word = record.status_word(bench.clock_now()).to_owned();
    let kept = record.allocations.iter().filter(|_| record.keeps_its_holds());
    (word, kept.map(|own| own.hold.quantity.units()).sum())
}

#[tokio::test]
async fn a_line_is_recorded_exactly_once_wherever_the_process_dies() {
    let (pending, paid) = (line(9, 0, Stage::Pending), line(9, 0, Stage::Paid));
    let (fewer, none, shipped) = (line(9, 4, Stage::Paid), line(9, 9, Stage::Paid), line(9, 0, Stage::Shipped));
    // What is told, what stands at the end, and how many units are sold or reserved then, net of what came back.
    let stories: [(&[&SaleLine], &str, u64, u64); 6] = [
        (&[&paid], "confirmed", 9, 0),
        (&[&pending], "active", 9, 0),
        (&[&pending, &paid], "confirmed", 9, 0),
        (&[&pending, &none], "canceled", 0, 0),
        (&[&paid, &fewer], "confirmed", 9, 4),
        (&[&pending, &shipped, &none], "confirmed", 9, 0),
    ];
    for (told, word, units, returned) in stories {
        for later in [0, 3_601, 100_000] {
            for writes in 0.. {
                let bench = bench().await;
                bench.borrows("amazon").await;
                bench.pool("tea#shared", 2).await;
                bench.pool("tea#amazon", 3).await;
                let (last, before) = told.split_last().unwrap();
                let mut died = false;
                bench.mishaps.die_after(writes);
                for line in before.iter().chain([last]) {
                    let store = bench.another_process();
                    if store.record_sale(&amazon(), &order("o"), line).await.is_err() {
                        died |= bench.mishaps.rise();
                        bench.clock.advance(later);
                        // Told again to another process; where its holds are over, perhaps after a timer.
                        if writes % 2 == 1 {
                            let_timers_run(&bench).await;
                        }
                        if later > 86_400 {
                            // Their holds are closed, and the record of that is deleted a day later.
                            let_timers_run(&bench).await;
                            bench.clock.advance(later);
                            let_ttl_run(&bench).await;
                        }
                        bench.another_process().record_sale(&amazon(), &order("o"), line).await.unwrap();
                    }
                }
                bench.mishaps.rise();
                let name = format!("{told:?}, {later} s later, after {writes} writes");
                assert_eq!(tail(&bench).await, (word.to_owned(), units), "{name}");
                assert_eq!(bench.audit(false).await.violations, [], "{name}");
                bench.clock.advance(3_601);
                let_timers_run(&bench).await;
                assert_eq!(bench.audit(true).await.violations, [], "{name}");
                let levels = [bench.level_of("tea#amazon").await, bench.level_of("tea#shared").await];
                let sum = |of: fn(&Level) -> u64| levels.iter().map(of).sum::<u64>();
                let (taken, owed) = (sum(|level| level.sold + level.reserved), sum(|level| level.shortfall));
                assert_eq!((taken, sum(|level| level.available) + taken - owed), (units, 5 + returned), "{name}");
                if !died {
                    break;
                }
            }
        }
    }
}

#[tokio::test]
async fn of_many_who_tell_the_same_sales_each_is_recorded_once() {
    let bench = bench().await;
    bench.borrows("amazon").await;
    bench.pool("tea#shared", 4).await;
    bench.pool("tea#amazon", 5).await;
    let stores: Vec<_> = (0..4).map(|_| bench.another_process()).collect();
    let tellings = stores.iter().flat_map(|store| {
        (0..5).map(move |n| async move {
            let (name, paid) = (order(&format!("o{n}")), line(3, 0, Stage::Paid));
            // Others may always be faster: then it is told again.
            for _ in 0..50 {
                match store.record_sale(&amazon(), &name, &paid).await {
                    Ok(outcome) => return u64::from(outcome.change == SaleChange::Recorded),
                    Err(Failure::Refused(domain::refusal::Refusal::Contended)) => {}
                    Err(failure) => panic!("{failure:?}"),
                }
            }
            panic!("always contended")
        })
    });
    let recorded: u64 = futures::future::join_all(tellings).await.into_iter().sum();
    assert_eq!(recorded, 5);
    bench.clock.advance(901);
    let_timers_run(&bench).await;
    let levels = [bench.level_of("tea#amazon").await, bench.level_of("tea#shared").await];
    assert_eq!(levels.map(|level| level.sold).iter().sum::<u64>(), 15);
    assert_eq!(
        levels.map(|level| level.shortfall).iter().sum::<u64>()
            - levels.map(|level| level.available).iter().sum::<u64>(),
        6
    );
    assert_eq!(bench.audit(true).await.violations, []);
}
