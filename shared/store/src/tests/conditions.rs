//! Each conditional write alone: applied where every condition holds, refused by each condition in turn, and what is stored
//! afterwards. A line of these tables fails if its condition is taken out of the expression.

mod sales;

use domain::{
    bucket::{Bucket, BucketId, Hold, Home, Role},
    group_commit::Commit,
    ids::ReservationId,
    movement::Movement,
    quantity::Quantity,
    reservation::{CancelReason, Kind, Reservation, Status},
    stock::Settings,
    time::Timestamp,
};

use super::engine::{Bench, at, bench, movement, rid, stock};
use crate::{
    item::{decode_bucket, decode_reservation, encode_reservation},
    table::{Met, Transacted, Write, Written},
    write::{child, credit, decide, group, hold, movement as moves, record, release, settings, settle},
};

pub(super) fn home(free: u64, holds: &[(&str, &str)]) -> Bucket {
    Bucket {
        free,
        holds: holds.iter().map(|(key, hold)| (rid(key), hold.parse().unwrap())).collect(),
        sold: 0,
        watermark: None,
        role: Role::Home(Home::default()),
    }
}

pub(super) fn kid(free: u64, holds: &[(&str, &str)]) -> Bucket {
    Bucket { role: Role::Child { owes_home: false }, ..home(free, holds) }
}

pub(super) fn with_shortfall(bucket: Bucket, shortfall: u64) -> Bucket {
    Bucket { role: Role::Home(Home { shortfall, ..Home::default() }), ..bucket }
}

/// The same bucket after units came to it or left it by a movement or from a child.
pub(super) fn moved(bucket: Bucket) -> Bucket {
    let Role::Home(home) = bucket.role else { return bucket };
    Bucket { role: Role::Home(Home { generation: home.generation + 1, ..home }), ..bucket }
}

pub(super) fn tea() -> BucketId {
    stock("tea").home()
}

/// Puts `before`, sends the write, and compares: `Some(after)` if it must be applied, nothing if it must be refused with the
/// bucket unchanged.
pub(super) async fn check(bench: &Bench, name: &str, before: Option<&Bucket>, write: Write, after: Option<Bucket>) {
    let id: BucketId = tea();
    bench
        .store
        .client
        .delete_item()
        .table_name(&*bench.store.table)
        .key("pk", crate::item::text("S#tea#own"))
        .send()
        .await
        .unwrap();
    if let Some(before) = before {
        bench.put_bucket(&id, before).await;
    }
    let written = bench.store.write(&write).await.unwrap();
    let found = bench.bucket("tea").await;
    if let Some(after) = after {
        assert!(
            matches!(&written, Written::Applied(Some(image)) if decode_bucket(image).unwrap() == after),
            "{name}: {written:?}"
        );
        assert_eq!(found, Some(after), "{name}");
    } else {
        let Written::Refused(image) = written else { panic!("{name}: applied") };
        assert_eq!(image.map(|image| decode_bucket(&image).unwrap()).as_ref(), before, "{name}: what was found");
        assert_eq!(found.as_ref(), before, "{name}: must not change");
    }
}

#[tokio::test]
async fn hold() {
    let bench = bench().await;
    let two: Hold = "2@1800000900".parse().unwrap();
    let crowd: Vec<(ReservationId, Hold)> =
        (0..24).map(|n| (rid(&format!("c{n}")), "1@1800000900".parse().unwrap())).collect();
    let marked = |watermark| Bucket { watermark: Some(Timestamp::from_epoch_seconds(watermark)), ..home(5, &[]) };
    let crowded = |count| Bucket { holds: crowd.iter().take(count).cloned().collect(), ..home(5, &[]) };
    let write = || hold::hold(&tea(), &rid("me"), two);

    check(&bench, "enough", Some(&home(2, &[])), write(), Some(home(0, &[("me", "2@1800000900")]))).await;
    check(&bench, "no such bucket", None, write(), None).await;
    check(&bench, "a >= :q", Some(&home(1, &[])), write(), None).await;
    check(&bench, "not held already", Some(&home(5, &[("me", "1@1800000900")])), write(), None).await;
    check(&bench, "size(h)", Some(&crowded(24)), write(), None).await;
    let mut fits = crowded(23);
    fits.holds.insert(rid("me"), two);
    check(&bench, "one below size(h)", Some(&crowded(23)), write(), Some(Bucket { free: 3, ..fits })).await;
    check(&bench, "watermark", Some(&marked(1_800_000_900)), write(), None).await;
    let after = Bucket { free: 3, holds: [(rid("me"), two)].into(), ..marked(1_800_000_899) };
    check(&bench, "above the watermark", Some(&marked(1_800_000_899)), write(), Some(after)).await;
}

#[tokio::test]
async fn release() {
    let bench = bench().await;
    let two: Hold = "2@1800000900".parse().unwrap();
    let held = home(3, &[("me", "2@1800000900")]);
    let plain = || release::release(&tea(), &rid("me"), two);

    check(&bench, "held", Some(&held), plain(), Some(home(5, &[]))).await;
    check(&bench, "gone already", Some(&home(3, &[])), plain(), None).await;
    check(&bench, "another hold of the same reservation", Some(&home(3, &[("me", "2@1800000901")])), plain(), None)
        .await;
    check(&bench, "a shortfall is open", Some(&with_shortfall(held.clone(), 1)), plain(), None).await;
    check(&bench, "no such bucket", None, plain(), None).await;

    let covering = |shortfall| release::covering(&tea(), &rid("me"), two, shortfall);
    let short = |shortfall| with_shortfall(held.clone(), shortfall);
    check(&bench, "covers all of it", Some(&short(1)), covering(1), Some(home(4, &[]))).await;
    check(&bench, "covers a part", Some(&short(5)), covering(5), Some(with_shortfall(home(3, &[]), 3))).await;
    check(&bench, "another shortfall", Some(&short(4)), covering(5), None).await;
    check(&bench, "gone", Some(&with_shortfall(home(3, &[]), 5)), covering(5), None).await;
}

#[tokio::test]
async fn settle() {
    let bench = bench().await;
    let parse = |text: &str| -> Hold { text.parse().unwrap() };
    let one = vec![(rid("me"), parse("2@1800000900"))];
    let two = vec![(rid("me"), parse("2@1800000900")), (rid("you"), parse("1@1800000950"))];
    let sold = |bucket: Bucket, sold, watermark| Bucket {
        sold,
        watermark: Some(Timestamp::from_epoch_seconds(watermark)),
        ..bucket
    };
    let held = home(0, &[("me", "2@1800000900"), ("you", "1@1800000950")]);
    let at = |watermark| Some(Timestamp::from_epoch_seconds(watermark));

    let left = home(0, &[("you", "1@1800000950")]);
    check(&bench, "one", Some(&held), settle::settle(&tea(), &one, None), Some(sold(left.clone(), 2, 1_800_000_900)))
        .await;
    check(&bench, "two", Some(&held), settle::settle(&tea(), &two, None), Some(sold(home(0, &[]), 3, 1_800_000_950)))
        .await;
    check(&bench, "one of two is gone", Some(&left), settle::settle(&tea(), &two, None), None).await;
    let other = home(0, &[("me", "2@1800000901")]);
    check(&bench, "another hold", Some(&other), settle::settle(&tea(), &one, None), None).await;
    let marked = sold(held.clone(), 7, 1_800_000_901);
    check(&bench, "the watermark is higher", Some(&marked), settle::settle(&tea(), &one, None), None).await;
    let below = settle::settle(&tea(), &one, at(1_800_000_901));
    check(&bench, "below the watermark", Some(&marked), below.clone(), Some(sold(left, 9, 1_800_000_901))).await;
    check(&bench, "the watermark is not higher", Some(&held), below, None).await;
}

#[tokio::test]
async fn group() {
    let bench = bench().await;
    let parse = |text: &str| -> Hold { text.parse().unwrap() };
    let commit = |end: u64, sold: &[(&str, &str)]| Commit {
        holds: [("me", 2), ("you", 1)].map(|(key, q)| (rid(key), Quantity::new(q).unwrap())).to_vec(),
        expires_at: Timestamp::from_epoch_seconds(end),
        settled: sold.iter().map(|(key, hold)| (rid(key), parse(hold))).collect(),
    };
    let taken = [("me", "2@1800000900"), ("you", "1@1800000900")];
    let write = || group::commit(&tea(), &commit(1_800_000_900, &[]), None);
    let marked = |watermark| Bucket { watermark: Some(Timestamp::from_epoch_seconds(watermark)), ..home(5, &[]) };
    let crowd = |count: usize, free| {
        let crowd = (0..count).map(|n| (rid(&format!("c{n}")), parse("1@1800000900")));
        Bucket { holds: crowd.collect(), ..home(free, &[]) }
    };

    check(&bench, "enough", Some(&home(3, &[])), write(), Some(home(0, &taken))).await;
    check(&bench, "no such bucket", None, write(), None).await;
    check(&bench, "a >= :q, all together", Some(&home(2, &[])), write(), None).await;
    check(&bench, "the first holds already", Some(&home(5, &[("me", "2@1800000900")])), write(), None).await;
    check(&bench, "the last holds already", Some(&home(5, &[("you", "7@1800000901")])), write(), None).await;
    check(&bench, "size(h)", Some(&crowd(23, 5)), write(), None).await;
    let mut full = crowd(22, 2);
    full.holds.extend(taken.map(|(key, hold)| (rid(key), parse(hold))));
    check(&bench, "both just fit", Some(&crowd(22, 5)), write(), Some(full)).await;
    check(&bench, "watermark", Some(&marked(1_800_000_900)), write(), None).await;
    let after = Bucket { watermark: marked(1_800_000_899).watermark, ..home(2, &taken) };
    check(&bench, "above the watermark", Some(&marked(1_800_000_899)), write(), Some(after)).await;

    // With two holds that are counted as sold in the same write.
    let sold = [("x", "1@1800000900"), ("y", "3@1800000950")];
    let (held, later) = (home(3, &sold), [("me", "2@1800000960"), ("you", "1@1800000960")]);
    let settling = || group::commit(&tea(), &commit(1_800_000_960, &sold), None);
    let done =
        |watermark| Bucket { sold: 4, watermark: Some(Timestamp::from_epoch_seconds(watermark)), ..home(0, &later) };
    check(&bench, "settles", Some(&held), settling(), Some(done(1_800_000_950))).await;
    check(&bench, "one of them is gone", Some(&home(3, &sold[..1])), settling(), None).await;
    check(&bench, "one is another hold", Some(&home(3, &[sold[0], ("y", "3@1800000951")])), settling(), None).await;
    check(&bench, "too few units", Some(&home(2, &sold)), settling(), None).await;
    let with_mark = |watermark| Bucket { watermark: Some(Timestamp::from_epoch_seconds(watermark)), ..held.clone() };
    check(&bench, "the watermark is higher", Some(&with_mark(1_800_000_951)), settling(), None).await;
    check(&bench, "the watermark rises", Some(&with_mark(1_800_000_950)), settling(), Some(done(1_800_000_950))).await;
    let below = || {
        let seen = Some(Timestamp::from_epoch_seconds(1_800_000_955));
        group::commit(&tea(), &commit(1_800_000_960, &sold), seen)
    };
    check(&bench, "below the watermark", Some(&with_mark(1_800_000_955)), below(), Some(done(1_800_000_955))).await;
    check(&bench, "the watermark is not higher", Some(&with_mark(1_800_000_950)), below(), None).await;
    check(&bench, "the watermark is beyond the new holds", Some(&with_mark(1_800_000_960)), below(), None).await;

    // Those that leave make room for those that come.
    let mut before = crowd(22, 9);
    before.holds.extend(sold.map(|(key, hold)| (rid(key), parse(hold))));
    let mut after = Bucket { sold: 4, ..crowd(22, 6) };
    after.watermark = done(1_800_000_950).watermark;
    after.holds.extend(later.map(|(key, hold)| (rid(key), parse(hold))));
    check(&bench, "a full bucket", Some(&before), settling(), Some(after)).await;
    before.holds.insert(rid("another"), parse("1@1800000900"));
    check(&bench, "one more than fits", Some(&before), settling(), None).await;
}

#[tokio::test]
async fn a_late_copy_of_a_group_cannot_be_made_again() {
    let bench = bench().await;
    bench.put_bucket(&tea(), &home(9, &[])).await;
    let holds = ["me", "you"].map(|key| (rid(key), Quantity::new(2).unwrap())).to_vec();
    let commit = Commit { holds: holds.clone(), expires_at: at(900), settled: Vec::new() };
    let write = group::commit(&tea(), &commit, None);
    assert!(matches!(bench.store.write(&write).await.unwrap(), Written::Applied(_)));
    let (me, you) = ((rid("me"), "2@1800000900".parse().unwrap()), (rid("you"), "2@1800000900".parse().unwrap()));
    // One was sold and settled, the other refused and released; then both have left.
    bench.store.write(&settle::settle(&tea(), &[me], None)).await.unwrap();
    assert!(matches!(bench.store.write(&write).await.unwrap(), Written::Refused(_)));
    bench.store.write(&release::release(&tea(), &you.0, you.1)).await.unwrap();
    assert!(matches!(bench.store.write(&write).await.unwrap(), Written::Refused(_)));
    assert_eq!((bench.home("tea").await.sold, bench.home("tea").await.free), (2, 7));
}

#[tokio::test]
async fn a_late_copy_of_the_hold_cannot_be_made_again() {
    let bench = bench().await;
    bench.put_bucket(&tea(), &home(5, &[])).await;
    let write = hold::hold(&tea(), &rid("me"), "2@1800000900".parse().unwrap());
    assert!(matches!(bench.store.write(&write).await.unwrap(), Written::Applied(_)));
    let settle = settle::settle(&tea(), &[(rid("me"), "2@1800000900".parse().unwrap())], None);
    assert!(matches!(bench.store.write(&settle).await.unwrap(), Written::Applied(_)));
    assert!(matches!(bench.store.write(&write).await.unwrap(), Written::Refused(_)));
    assert_eq!(bench.home("tea").await.sold, 2);
}

fn reservation(status: Status, expires_at: Timestamp, purge_at: Option<Timestamp>) -> Reservation {
    Reservation {
        id: rid("k"),
        kind: Kind::Reservation,
        status,
        channel: domain::ids::Channel::own(),
        lines: vec!["tea=1".parse().unwrap()],
        allocations: vec!["tea#own=1@1800000900".parse().unwrap()],
        created_at: at(0),
        expires_at,
        order_id: None,
        session_id: None,
        fingerprint: None,
        purge_at,
        line: None,
        extensions: std::collections::BTreeMap::new(),
    }
}

/// Puts the record, sends the write, and compares the status word and the time of deletion; nothing: refused and unchanged.
async fn check_record(
    bench: &Bench,
    name: &str,
    before: &Reservation,
    write: Write,
    after: Option<(&str, Option<Timestamp>, Timestamp)>,
) {
    bench.put(encode_reservation(before)).await;
    let (applied, image) = match bench.store.write(&write).await.unwrap() {
        Written::Applied(image) => (true, image),
        Written::Refused(image) => (false, image),
    };
    let image = decode_reservation(&image.unwrap()).unwrap();
    assert_eq!(bench.record("k").await.as_ref(), Some(&image), "{name}: the image is what is stored");
    match after {
        None => assert_eq!((applied, &image), (false, before), "{name}"),
        Some((word, purge_at, expires_at)) => {
            let read = (applied, image.status_word(at(0)), image.purge_at, image.expires_at);
            assert_eq!(read, (true, word, purge_at, expires_at), "{name}");
        }
    }
}

#[tokio::test]
async fn decisions() {
    let bench = bench().await;
    let kept = Some(at(87_300));
    let active = reservation(Status::Active, at(900), kept);
    let confirmed = reservation(Status::Confirmed { at: at(1) }, at(900), None);
    let canceled = reservation(Status::Canceled { reason: CancelReason::Requested }, at(900), kept);
    let expired = reservation(Status::Expired { successor: None }, at(900), kept);
    let id = rid("k");

    let confirm = |now| decide::confirm(&id, None, at(now));
    check_record(&bench, "confirm", &active, confirm(899), Some(("confirmed", None, at(900)))).await;
    check_record(&bench, "confirm in the last second", &active, confirm(900), None).await;
    for other in [&confirmed, &canceled, &expired] {
        check_record(&bench, "confirm what is decided", other, confirm(5), None).await;
    }

    check_record(&bench, "cancel", &active, decide::cancel(&id), Some(("canceled", kept, at(900)))).await;
    for other in [&confirmed, &canceled, &expired] {
        check_record(&bench, "cancel what is decided", other, decide::cancel(&id), None).await;
    }

    let expire = |now| decide::expire(&id, at(now));
    check_record(&bench, "expire", &active, expire(901), Some(("expired", kept, at(900)))).await;
    check_record(&bench, "expire in the last second", &active, expire(900), None).await;
    for other in [&confirmed, &canceled, &expired] {
        check_record(&bench, "expire what is decided", other, expire(901), None).await;
    }

    let close = |now| decide::close(&id, &id.successor(), at(now));
    check_record(&bench, "close a lapsed one", &active, close(901), Some(("expired", None, at(900)))).await;
    check_record(&bench, "close an expired one", &expired, close(5), Some(("expired", None, at(900)))).await;
    check_record(&bench, "close a standing one", &active, close(900), None).await;
    for other in [&confirmed, &canceled] {
        check_record(&bench, "close what is decided otherwise", other, close(901), None).await;
    }

    let keep = || decide::keep_refusal(&id);
    check_record(&bench, "keep a canceled one", &canceled, keep(), Some(("canceled", None, at(900)))).await;
    check_record(&bench, "keep an expired one", &expired, keep(), Some(("expired", None, at(900)))).await;
    check_record(&bench, "keep an active one", &active, keep(), None).await;

    let until = |seconds| decide::keep_until(&id, at(seconds));
    check_record(&bench, "keep longer", &expired, until(90_000), Some(("expired", Some(at(90_000)), at(900)))).await;
    check_record(&bench, "kept long enough", &expired, until(87_300), None).await;
    check_record(&bench, "kept for good", &confirmed, until(90_000), None).await;

    let extension = domain::ids::ExtensionId::derive(&domain::ids::Caller::new("c"), &"e".parse().unwrap());
    let extend = |seen, now| decide::extend(&id, &extension, at(seen), at(1_800), at(now));
    check_record(&bench, "extend", &active, extend(900, 10), Some(("active", kept, at(1_800)))).await;
    let extended = bench.record("k").await.unwrap();
    check_record(&bench, "extend twice under one key", &extended, extend(1_800, 10), None).await;
    check_record(&bench, "extend in the last second", &active, extend(900, 900), None).await;
    check_record(&bench, "extend from another end", &active, extend(901, 10), None).await;
    for other in [&confirmed, &canceled, &expired] {
        check_record(&bench, "extend what is decided", other, extend(900, 10), None).await;
    }

    check_record(&bench, "record again", &active, record::record(&confirmed), None).await;
}

#[tokio::test]
async fn credit_debit_and_settings() {
    let bench = bench().await;
    let credit = |units, shortfall| credit::credit(&tea(), units, shortfall, None);
    check(&bench, "credit", Some(&home(3, &[])), credit(4, 0), Some(moved(home(7, &[])))).await;
    check(&bench, "credit nobody", None, credit(4, 0), None).await;
    check(&bench, "credit past a shortfall", Some(&with_shortfall(home(0, &[]), 2)), credit(4, 0), None).await;
    let short = |shortfall| with_shortfall(home(0, &[]), shortfall);
    check(&bench, "credit covers", Some(&short(3)), credit(4, 3), Some(moved(home(1, &[])))).await;
    check(&bench, "credit covers a part", Some(&short(9)), credit(4, 9), Some(moved(short(5)))).await;
    check(&bench, "credit of another shortfall", Some(&short(8)), credit(4, 9), None).await;
    check(&bench, "debit", Some(&home(4, &[])), credit::debit(&tea(), 4, None), Some(moved(home(0, &[])))).await;
    check(&bench, "debit too much", Some(&home(3, &[])), credit::debit(&tea(), 4, None), None).await;
    let later = moved(home(4, &[]));
    for (name, seen, after) in [("as seen", 1, Some(3)), ("another count or fold since", 0, None)] {
        let debit = credit::debit(&tea(), 1, Some(seen));
        check(&bench, name, Some(&later), debit, after.map(|free| moved(moved(home(free, &[]))))).await;
        let credit = credit::credit(&tea(), 1, 0, Some(seen));
        check(&bench, name, Some(&later), credit, after.map(|_| moved(moved(home(5, &[]))))).await;
    }

    let version = |version, peak| Bucket {
        role: Role::Home(Home { version, expected_peak_per_second: peak, ..Home::default() }),
        ..home(3, &[])
    };
    let settings = Settings { expected_peak_per_second: 9 };
    let change = |seen| settings::change(&stock("tea"), settings, seen);
    check(&bench, "settings", Some(&version(1, 0)), change(None), Some(version(2, 9))).await;
    check(&bench, "settings as seen", Some(&version(4, 0)), change(Some(4)), Some(version(5, 9))).await;
    check(&bench, "settings of another version", Some(&version(5, 0)), change(Some(4)), None).await;
    check(&bench, "settings of nobody", None, change(None), None).await;
    check(&bench, "create what exists", Some(&version(1, 0)), settings::create(&stock("tea"), settings), None).await;
}

/// Puts home and child number 0, sends the transaction, and says which parts were refused; nothing: it was applied.
async fn transact(bench: &Bench, home: &Bucket, child: Option<&Bucket>, writes: Vec<Write>) -> Option<Vec<bool>> {
    let key = crate::item::text("S#tea#own#0");
    bench.store.client.delete_item().table_name(&*bench.store.table).key("pk", key).send().await.unwrap();
    bench.put_bucket(&tea(), home).await;
    if let Some(child) = child {
        bench.put_bucket(&stock("tea").child(0), child).await;
    }
    match bench.store.transact(writes).await.unwrap() {
        Transacted::Applied => None,
        Transacted::Refused(met) => {
            assert_eq!(bench.bucket("tea").await.as_ref(), Some(home), "a refused transaction changes nothing");
            assert_eq!(bench.bucket("tea#own#0").await.as_ref(), child, "a refused transaction changes nothing");
            Some(met.iter().map(|met| *met != Met::Fine).collect())
        }
    }
}

#[tokio::test]
async fn children() {
    let bench = bench().await;
    let stock = stock("tea");
    let zero = stock.child(0);
    let window = Home::default();
    let at_zero = home(40, &[]);
    let later = Bucket { role: Role::Home(Home { next_child: 1, ..window }), ..at_zero.clone() };

    let open = || child::open(&stock, &window, &[32]);
    assert_eq!(transact(&bench, &at_zero, None, open()).await, None);
    assert_eq!((bench.home("tea").await.free, bench.bucket("tea#own#0").await), (8, Some(kid(32, &[]))));
    assert_eq!(transact(&bench, &home(31, &[]), None, open()).await, Some(vec![true, false]), "too few");
    assert_eq!(transact(&bench, &later, None, open()).await, Some(vec![true, false]), "the number is taken");
    assert_eq!(
        transact(&bench, &at_zero, Some(&kid(1, &[])), open()).await,
        Some(vec![false, true]),
        "the child is there"
    );
    let three = || child::open(&stock, &window, &[32, 7, 1]);
    assert_eq!(transact(&bench, &at_zero, None, three()).await, None);
    assert_eq!(
        bench.home("tea").await,
        Bucket { free: 0, role: Role::Home(Home { next_child: 3, ..window }), ..home(0, &[]) }
    );
    for (number, units) in [(1, 7), (2, 1)] {
        assert_eq!(bench.bucket(&format!("tea#own#{number}")).await, Some(kid(units, &[])));
        bench.remove_bucket(&stock.child(number)).await;
    }
    assert_eq!(
        transact(&bench, &home(39, &[]), None, three()).await,
        Some(vec![true, false, false, false]),
        "too few for all"
    );
    assert_eq!(
        transact(&bench, &later, None, three()).await,
        Some(vec![true, false, false, false]),
        "the numbers are taken"
    );
    assert_eq!(
        transact(&bench, &at_zero, Some(&kid(1, &[])), three()).await,
        Some(vec![false, true, false, false]),
        "the first child is there"
    );
    bench.put_bucket(&stock.child(2), &kid(5, &[])).await;
    assert_eq!(
        transact(&bench, &at_zero, None, three()).await,
        Some(vec![false, false, false, true]),
        "the last child is there"
    );
    assert_eq!((bench.home("tea").await.free, bench.bucket("tea#own#1").await), (40, None), "all of them or none");
    bench.remove_bucket(&stock.child(2)).await;
    let big = child::open_held(&stock, &window, &rid("big"), "40@1800000900".parse().unwrap());
    assert_eq!(transact(&bench, &at_zero, None, big).await, None);
    assert_eq!(bench.bucket("tea#own#0").await, Some(kid(0, &[("big", "40@1800000900")])));

    assert_eq!(transact(&bench, &later, Some(&kid(7, &[])), child::fold(&zero, 7, 0)).await, None);
    assert_eq!((bench.home("tea").await.free, bench.bucket("tea#own#0").await), (47, Some(kid(0, &[]))));
    assert_eq!(transact(&bench, &later, Some(&kid(6, &[])), child::fold(&zero, 7, 0)).await, Some(vec![true, false]));

    let sold = |bucket: Bucket| Bucket { sold: 3, ..bucket };
    assert_eq!(transact(&bench, &later, Some(&sold(kid(0, &[]))), child::delete(&zero, 3)).await, None);
    assert_eq!((bench.home("tea").await.sold, bench.bucket("tea#own#0").await), (3, None));
    for (name, child) in [
        ("a = 0", sold(kid(1, &[]))),
        ("no hold", sold(kid(0, &[("me", "1@1800000900")]))),
        ("sold as seen", Bucket { sold: 4, ..kid(0, &[]) }),
    ] {
        assert_eq!(
            transact(&bench, &later, Some(&child), child::delete(&zero, 3)).await,
            Some(vec![true, false]),
            "{name}"
        );
    }

    let hold: Hold = "2@1800000900".parse().unwrap();
    let owing = |holds: &[(&str, &str)]| Bucket { role: Role::Child { owes_home: true }, ..kid(0, holds) };
    let short = with_shortfall(home(0, &[]), 5);
    let to_home = |shortfall| release::to_home(&zero, &rid("me"), hold, shortfall);
    assert_eq!(transact(&bench, &short, Some(&owing(&[("me", "2@1800000900")])), to_home(5)).await, None);
    assert_eq!(
        (bench.home("tea").await, bench.bucket("tea#own#0").await),
        (moved(with_shortfall(home(0, &[]), 3)), Some(owing(&[])))
    );
    assert_eq!(transact(&bench, &short, Some(&owing(&[])), to_home(5)).await, Some(vec![true, false]), "gone");
    let other = owing(&[("me", "2@1800000901")]);
    assert_eq!(transact(&bench, &short, Some(&other), to_home(5)).await, Some(vec![true, false]), "another hold");
    let free_child = kid(0, &[("me", "2@1800000900")]);
    assert_eq!(transact(&bench, &short, Some(&free_child), to_home(5)).await, Some(vec![true, false]), "owes nothing");
    let owed = owing(&[("me", "2@1800000900")]);
    assert_eq!(transact(&bench, &short, Some(&owed), to_home(4)).await, Some(vec![false, true]), "another shortfall");

    let advance = |from, to| child::advance(&stock, from, to);
    let window_from =
        |first_child| Bucket { role: Role::Home(Home { first_child, next_child: 3, ..window }), ..home(1, &[]) };
    check(&bench, "advance", Some(&window_from(0)), advance(0, 3), Some(window_from(3))).await;
    check(&bench, "advance from elsewhere", Some(&window_from(1)), advance(0, 3), None).await;
    check(&bench, "advance beyond the window", Some(&window_from(0)), advance(0, 4), None).await;
    assert!(matches!(bench.store.write(&child::owe(&stock.child(9))).await.unwrap(), Written::Refused(None)));
}

#[tokio::test]
async fn movements() {
    let bench = bench().await;
    let booked = |key: &str, word, quantity, delta, shortfall| {
        Movement::new(&movement(key, "tea", word, quantity), delta, shortfall, at(0))
    };
    let receipt = booked("m1", "receive", 4, 4, 0);
    let incoming = || moves::incoming(&receipt, 4, 0, None);
    assert_eq!(transact(&bench, &home(1, &[]), None, incoming()).await, None);
    assert_eq!(transact(&bench, &home(5, &[]), None, incoming()).await, Some(vec![false, true]), "booked already");
    let correction = booked("m2", "adjust", -4, -4, 0);
    assert_eq!(
        transact(&bench, &home(3, &[]), None, moves::outgoing(&correction, 4, None)).await,
        Some(vec![true, false])
    );
    assert_eq!(transact(&bench, &home(4, &[]), None, moves::outgoing(&correction, 4, None)).await, None);

    let before = home(4, &[("me", "2@1800000900")]);
    let count = booked("m3", "count", 1, -5, 1);
    let shortfall = || moves::shortfall(&count, &before);
    let refused = Some(vec![true, false, false]);
    assert_eq!(
        transact(&bench, &Bucket { free: 5, ..before.clone() }, None, shortfall()).await,
        refused,
        "free as seen"
    );
    let opened = Bucket { role: Role::Home(Home { next_child: 1, ..Home::default() }), ..before.clone() };
    assert_eq!(transact(&bench, &opened, None, shortfall()).await, refused, "no child opened since");
    assert_eq!(
        transact(&bench, &with_shortfall(before.clone(), 1), None, shortfall()).await,
        refused,
        "shortfall as seen"
    );
    assert_eq!(transact(&bench, &moved(before.clone()), None, shortfall()).await, refused, "nothing moved since");
    assert_eq!(transact(&bench, &before, None, shortfall()).await, None);
    assert_eq!(bench.home("tea").await, moved(with_shortfall(home(0, &[("me", "2@1800000900")]), 1)));
    let further = moves::shortfall(&booked("m4", "count", 0, -1, 1), &with_shortfall(before.clone(), 2));
    assert_eq!(transact(&bench, &before, None, further).await, refused, "shortfall as seen");
}
