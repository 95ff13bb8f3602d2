//! The limits behave, and no design sells what is not there.

use std::{cell::Cell, rc::Rc, time::Duration};

use holdfast_hot_sku::{
    Product,
    clock::Clock,
    limits::Limits,
    market::Demand,
    report::{Asked, report},
    run::{Kind, Scenario},
    table::{Bill, Fault, Item, Key, Table},
};

const SMALL: Item = Item { key: Key::number(1), bytes: 400 };
const LARGE: Item = Item { key: Key::number(2), bytes: 1_025 };

/// Runs one task on a table, and says what it has used.
fn used<F: Future<Output = ()> + 'static>(task: impl FnOnce(Rc<Table>, Rc<Bill>) -> F) -> f64 {
    let table = Rc::new(Table::new(Clock::default(), Limits::default(), 1));
    let bill = Rc::new(Bill::default());
    table.clock.spawn(task(Rc::clone(&table), Rc::clone(&bill)));
    table.clock.run(Duration::MAX);
    bill.writes.get()
}

#[test]
fn a_write_costs_a_unit_for_each_kilobyte_begun() {
    let units = used(|table, bill| async move {
        table.write(SMALL, &bill, || ()).await.unwrap();
        table.write(LARGE, &bill, || ()).await.unwrap();
    });
    assert!((units - 3.0).abs() < 1e-9, "{units}");
}

#[test]
fn a_failed_condition_is_billed() {
    let units = used(|table, bill| async move {
        assert_eq!(table.write(SMALL, &bill, || false).await, Ok(false));
    });
    assert!((units - 1.0).abs() < 1e-9, "{units}");
}

#[test]
fn a_transaction_costs_twice_its_items_and_once_where_it_is_canceled() {
    let units = used(|table, bill| async move {
        assert_eq!(table.transact(&[SMALL, LARGE], &bill, || true).await, Ok(true));
    });
    assert!((units - 6.0).abs() < 1e-9, "{units}");
    let units = used(|table, bill| async move {
        assert_eq!(table.transact(&[SMALL, LARGE], &bill, || false).await, Ok(false));
    });
    assert!((units - 3.0).abs() < 1e-9, "{units}");
}

#[test]
fn of_two_transactions_on_one_item_at_the_same_time_one_is_canceled() {
    let limits = Limits { transaction_hold_share: 0.9, ..Limits::default() };
    let table = Rc::new(Table::new(Clock::default(), limits, 1));
    let (applied, canceled) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
    for _ in 0..2 {
        let (table, applied, canceled) = (Rc::clone(&table), Rc::clone(&applied), Rc::clone(&canceled));
        table.clock.clone().spawn(async move {
            match table.transact_once(&[SMALL, LARGE], &Bill::default(), &mut || true).await {
                Ok(_) => applied.set(applied.get() + 1),
                Err(fault) => {
                    assert_eq!(fault, Fault::Conflict);
                    canceled.set(canceled.get() + 1);
                }
            }
        });
    }
    table.clock.run(Duration::MAX);
    assert_eq!((applied.get(), canceled.get()), (1, 1));
}

#[test]
fn what_is_throttled_costs_nothing_and_changes_nothing() {
    let limits = Limits { table_wcu_per_second: 1e-3, ..Limits::default() };
    let table = Rc::new(Table::new(Clock::default(), limits, 1));
    let own = Rc::clone(&table);
    table.clock.spawn(async move {
        let bill = Bill::default();
        assert_eq!(own.write(SMALL, &bill, || panic!("it was throttled")).await, Err::<(), _>(Fault::Throttled));
        assert!(bill.writes.get().abs() < 1e-9);
    });
    table.clock.run(Duration::MAX);
    assert!((table.throttled.get() - 3.0).abs() < 1e-9, "three attempts of the SDK");
}

fn scenario(kind: Kind, seed: u64) -> Scenario {
    let demand = Demand {
        buyers_per_second: 1_500,
        units: 300,
        lasts: Duration::from_secs(2),
        drains: Duration::from_mins(1),
        tail: Duration::from_secs(1),
        pays_after_seconds: (0.1, 0.5),
        cancels: 0.1,
    };
    // A table so cold that everything is throttled now and then.
    let limits = Limits { table_wcu_per_second: 2_000.0, ..Limits::default() };
    Scenario { kind, demand, limits, product: Product { processes: 20, ..Product::default() }, seed }
}

#[test]
fn nobody_sells_more_units_than_there_are() {
    for kind in Kind::ALL {
        for seed in 0..3 {
            // The market panics where a unit is taken that is not there.
            let outcome = scenario(kind, seed).run();
            assert!(outcome.tally.confirmed.len() <= 300, "{kind:?}, seed {seed}");
            assert!(!outcome.tally.confirmed.is_empty(), "{kind:?}, seed {seed}");
        }
    }
}

#[test]
fn the_same_seed_comes_to_the_same() {
    for kind in Kind::ALL {
        assert_eq!(scenario(kind, 7).run(), scenario(kind, 7).run(), "{kind:?}");
        assert_ne!(scenario(kind, 7).run().tally, scenario(kind, 8).run().tally, "{kind:?}");
    }
    let asked = Asked {
        seed: 3,
        buyers: vec![200],
        units: 100,
        sustained_buyers: 100,
        sustained_units: 1_000,
        assumed_buyers: 300,
    };
    assert_eq!(report(&asked), report(&asked));
}

#[test]
fn an_unannounced_peak_sells_no_unit_twice_either() {
    for kind in [Kind::Ours, Kind::Queue] {
        let base = scenario(kind, 5);
        let product = Product { announced: false, ..base.product };
        let outcome = Scenario { product, ..base }.run();
        assert!((100..=300).contains(&outcome.tally.confirmed.len()), "{kind:?}: {}", outcome.tally.confirmed.len());
    }
}

#[test]
fn the_more_items_a_transaction_has_the_longer_it_takes() {
    let took = |items: u64| {
        let table = Rc::new(Table::new(Clock::default(), Limits::default(), 1));
        let own = Rc::clone(&table);
        table.clock.spawn(async move {
            for _ in 0..100 {
                let items: Vec<_> = (0..items).map(|number| Item { key: Key::number(number), bytes: 1 }).collect();
                own.transact_once(&items, &Bill::default(), &mut || true).await.unwrap();
            }
        });
        table.clock.run(Duration::MAX);
        table.clock.now()
    };
    assert!(took(33) > took(2) * 3 / 2, "{:?}, {:?}", took(33), took(2));
}

/// A second of shoppers who are not too many for the table.
fn calm(buyers_per_second: u32) -> Scenario {
    let base = scenario(Kind::Ours, 3);
    let demand = Demand { buyers_per_second, units: 20_000, cancels: 0.0, ..base.demand };
    Scenario { demand, limits: Limits::default(), ..base }
}

#[test]
fn a_process_reads_little_and_is_refused_little_once_it_knows_a_child() {
    let outcome = calm(1_500).run();
    let orders = f64::from(u32::try_from(outcome.tally.confirmed.len()).unwrap());
    assert!(orders > 2_500.0, "{orders}");
    assert!(outcome.tally.reads / orders < 1.0, "{} read units", outcome.tally.reads / orders);
    // Hold, record, confirm; settling and opening children that are only used in part; one refusal of each process.
    assert!(outcome.tally.writes / orders < 3.5, "{} write units", outcome.tally.writes / orders);
}

#[test]
fn sixteen_items_take_more_than_one() {
    let sold = |kind| scenario(kind, 1).run().tally.confirmed.len();
    assert!(sold(Kind::Sharded) >= sold(Kind::OneItem));
}
