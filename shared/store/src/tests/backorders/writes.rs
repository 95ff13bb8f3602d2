//! Each condition of the writes of a pool, alone.

use std::collections::BTreeMap;

use domain::{
    bucket::{Bucket, Home, Role},
    purchase::{
        Backorders::{self, Closed, Never, Open},
        Incoming, OnOrder,
    },
};

use super::{
    super::{
        engine::{bench, stock},
        purchase::{check, po},
    },
    tea,
};
use crate::{
    item::{encode_bucket, encode_on_order},
    keys,
    write::{
        incoming::{Next, follow},
        pool::open,
        purchase as writes,
    },
};

#[tokio::test]
async fn each_condition_of_a_pool() {
    let bench = bench().await;
    let pool = stock("tea").incoming();
    let key = keys::bucket(&pool.home());
    let home = |free, shortfall| Bucket {
        free,
        holds: BTreeMap::new(),
        sold: 0,
        watermark: None,
        role: Role::Home(Home { shortfall, arrived: 3, generation: 3, next_child: 2, ..Home::default() }),
    };
    let stored = |bucket: &Bucket| Some(encode_bucket(&pool.home(), bucket));
    let changed = |change: fn(&mut Home), mut bucket: Bucket| {
        let Role::Home(home) = &mut bucket.role else { unreachable!() };
        change(home);
        stored(&bucket)
    };
    check(&bench, "open", &key, None, open(&pool, 7), true).await;
    check(&bench, "open: it is there", &key, stored(&home(5, 0)), open(&pool, 7), false).await;
    for (name, seen, next) in [
        ("more", home(5, 0), Next { free: 9, shortfall: 0, arrived: 4 }),
        ("owes", home(5, 0), Next { free: 0, shortfall: 2, arrived: 3 }),
        ("owes no more", home(0, 4), Next { free: 1, shortfall: 0, arrived: 3 }),
        ("owes less", home(0, 4), Next { free: 0, shortfall: 1, arrived: 3 }),
    ] {
        let write = || follow(&pool, &seen, next);
        let owed = seen.home().unwrap().shortfall;
        check(&bench, name, &key, stored(&seen), write(), true).await;
        let now = bench.bucket("tea#incoming").await.unwrap();
        let found = now.home().map(|home| (home.shortfall, home.arrived, home.generation)).unwrap();
        assert_eq!((now.free, found), (next.free, (next.shortfall, next.arrived, 4)), "{name}");
        check(&bench, &format!("{name}: not there"), &key, None, write(), false).await;
        let other = Bucket { free: seen.free + 1, ..seen.clone() };
        check(&bench, &format!("{name}: another is free"), &key, stored(&other), write(), false).await;
        let later = changed(|home| home.generation += 1, seen.clone());
        check(&bench, &format!("{name}: another generation"), &key, later, write(), false).await;
        let split = changed(|home| home.next_child += 1, seen.clone());
        check(&bench, &format!("{name}: another child"), &key, split, write(), false).await;
        let short = changed(|home| home.shortfall += 1, seen.clone());
        check(&bench, &format!("{name}: more is owed"), &key, short, write(), false).await;
        if owed > 0 {
            let covered = changed(|home| home.shortfall = 0, seen.clone());
            check(&bench, &format!("{name}: nothing is owed"), &key, covered, write(), false).await;
        }
    }
}

#[tokio::test]
async fn each_condition_of_what_may_be_promised() {
    let bench = bench().await;
    let key = keys::on_order(&tea());
    let (id, seven, five): (_, Incoming, Incoming) = (po("k"), "7@20840".parse().unwrap(), "5@20840".parse().unwrap());
    let with = |entries: &[Incoming], generation, backorders| {
        let orders = entries.iter().map(|incoming| (id.clone(), *incoming)).collect();
        OnOrder { orders, generation, backorders }
    };
    let stored = |on_order: &OnOrder| Some(encode_on_order(&tea(), on_order));
    for marked in [Never, Closed, Open] {
        for seen in [Never, Closed, Open] {
            // Whether more may be promised is nothing to an order; whether there is a pool is.
            let applies = marked.has_pool() == seen.has_pool();
            let name = |write: &str| format!("{write}: {marked:?}, seen {seen:?}");
            let before = stored(&with(&[], 4, marked));
            check(&bench, &name("add"), &key, before, writes::add(&tea(), &id, seven, seen), applies).await;
            let before = stored(&with(&[five], 4, marked));
            check(&bench, &name("change"), &key, before, writes::change(&tea(), &id, five, seven, seen), applies).await;
            let before = stored(&with(&[five], 4, marked));
            check(&bench, &name("remove"), &key, before, writes::remove(&tea(), &id, five, seen), applies).await;
            let mark = writes::mark(&tea(), Some(&with(&[five], 4, seen)), Open);
            check(&bench, &name("mark"), &key, stored(&with(&[five], 4, marked)), mark, applies).await;
        }
    }
    let before = |backorders: Backorders| with(&[five], 4, backorders);
    let mark = || writes::mark(&tea(), Some(&before(Never)), Open);
    check(&bench, "mark: another generation", &key, stored(&with(&[five], 5, Never)), mark(), false).await;
    check(&bench, "mark: not there", &key, None, mark(), false).await;
    let first = || writes::mark(&tea(), None, Open);
    check(&bench, "first mark", &key, None, first(), true).await;
    assert_eq!(bench.store.on_order(&tea()).await.unwrap(), with(&[], 1, Open));
    check(&bench, "first mark: it is there", &key, stored(&before(Never)), first(), false).await;
}
