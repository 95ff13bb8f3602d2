//! Purchase orders: each condition of the writes alone, and then what becomes of an order.

use std::collections::BTreeMap;

use domain::{
    erp::{ErpKind, ErpSettings},
    ids::{Caller, Channel, PurchaseOrderId, ReceiptId, Sku},
    limits::{MAX_ORDERS_ON_THEIR_WAY, MAX_PURCHASE_LINES},
    purchase::{
        Backorders, Incoming, NewPurchaseOrder, OnOrder, PurchaseLines, PurchaseOrder, Receipt, Status, Step, erp::Note,
    },
    quantity::Quantity,
    refusal::Refusal,
    time::Day,
};
use futures::future::join_all;

use super::{
    engine::{Bench, START, at, bench, movement, stock, stock_in},
    mishap::Mishap::{Conflict, LostReply},
    transfers::refusal,
};
use crate::{
    Opened, Received, Saved,
    item::{encode_erp, encode_on_order, encode_purchase_order},
    table::{Write, Written},
    write::{erp as writes_of_erp, purchase as writes},
};

fn tea() -> Sku {
    "tea".parse().unwrap()
}

pub(super) fn po(key: &str) -> PurchaseOrderId {
    PurchaseOrderId::derive(&Caller::new("test"), &key.parse().unwrap())
}

/// So many days after the tests begin.
pub(super) fn day(days: u64) -> Day {
    Day::of(at(0)).plus_days(days)
}

/// An order under `key` for lines like `["tea=12/0"]`, in a week.
pub(super) fn new(key: &str, lines: &[&str], send: bool) -> NewPurchaseOrder {
    NewPurchaseOrder {
        id: po(key),
        supplier: "Leaf & Co".parse().unwrap(),
        channel: Channel::own(),
        currency: Some("EUR".parse().unwrap()),
        lines: PurchaseLines::new(
            lines.iter().map(|line| line.parse().unwrap()).collect(),
            Some(&"EUR".parse().unwrap()),
        )
        .unwrap(),
        expected_on: Some(day(7)),
        lead_time_days: None,
        send,
        alert: None,
        actor: "test".to_owned(),
    }
}

pub(super) fn receipt(key: &str, order: &str, lines: &[(&str, u64)]) -> Receipt {
    Receipt {
        id: ReceiptId::derive(&Caller::new("test"), &key.parse().unwrap()),
        order: po(order),
        lines: lines.iter().map(|(sku, units)| (sku.parse().unwrap(), Quantity::new(*units).unwrap())).collect(),
        channel: None,
        actor: "clerk".to_owned(),
    }
}

fn incoming(text: &str) -> Incoming {
    text.parse().unwrap()
}

impl Bench {
    async fn opened(&self, key: &str, lines: &[&str], send: bool) -> PurchaseOrder {
        self.store.open_purchase_order(&new(key, lines, send)).await.unwrap().order
    }

    async fn on_its_way(&self, sku: &str) -> Vec<String> {
        let on_order = self.store.on_order(&sku.parse().unwrap()).await.unwrap();
        on_order.orders.values().map(ToString::to_string).collect()
    }

    async fn received(&self, receipt: &Receipt) -> Received {
        self.store.receive_purchase_order(receipt).await.unwrap().unwrap()
    }

    async fn status(&self, key: &str) -> Status {
        self.store.purchase_order(&po(key)).await.unwrap().unwrap().status
    }
}

/// In a week, as an entry has it.
fn in_a_week(units: u64) -> String {
    format!("{units}@{}", day(7).epoch_days())
}

pub(super) async fn check(
    bench: &Bench,
    name: &str,
    key: &str,
    before: Option<crate::Item>,
    write: Write,
    applied: bool,
) {
    bench.remove_item(key).await;
    if let Some(before) = &before {
        bench.put(before.clone()).await;
    }
    let written = bench.store.write(&write).await.unwrap();
    assert_eq!(matches!(written, Written::Applied(_)), applied, "{name}: {written:?}");
    let found = bench.store.get(key.to_owned()).await.unwrap();
    if applied {
        assert_ne!(found, before, "{name}: must change");
    } else {
        assert_eq!(found, before, "{name}: must not change");
    }
}

#[tokio::test]
async fn each_condition_of_an_order_and_of_what_is_on_its_way() {
    let bench = bench().await;
    let first = PurchaseOrder::open(&new("k", &["tea=12/0"], true), at(0));
    let version = |version| PurchaseOrder { version, ..first.clone() };
    let stored = |v| Some(encode_purchase_order(&version(v)));
    let key = crate::keys::purchase_order(&first.id);
    check(&bench, "create", &key, None, writes::create(&first), true).await;
    check(&bench, "create: it is there", &key, stored(7), writes::create(&first), false).await;
    check(&bench, "replace", &key, stored(1), writes::replace(&version(2)), true).await;
    check(&bench, "replace: another version", &key, stored(2), writes::replace(&version(2)), false).await;
    check(&bench, "replace: not there", &key, None, writes::replace(&version(2)), false).await;

    let key = crate::keys::on_order(&tea());
    let (id, seven, five) = (po("k"), incoming("7@20840"), incoming("5@20840"));
    let with = |entries: &[(&PurchaseOrderId, Incoming)]| {
        let orders = entries.iter().map(|(id, incoming)| ((*id).clone(), *incoming)).collect();
        Some(encode_on_order(&tea(), &OnOrder { orders, generation: 4, ..OnOrder::default() }))
    };
    let crowd = |count: usize| {
        let orders = (0..count).map(|n| (po(&format!("c{n}")), five)).collect();
        Some(encode_on_order(&tea(), &OnOrder { orders, generation: 4, ..OnOrder::default() }))
    };
    let first = || writes::first(&tea(), &id, seven);
    check(&bench, "first", &key, None, first(), true).await;
    check(&bench, "first: there was something before", &key, with(&[]), first(), false).await;
    let add = || writes::add(&tea(), &id, seven, Backorders::Never);
    check(&bench, "add", &key, with(&[]), add(), true).await;
    check(&bench, "add: there was never anything", &key, None, add(), false).await;
    check(&bench, "add: it is there", &key, with(&[(&id, five)]), add(), false).await;
    check(&bench, "add: one below the most", &key, crowd(MAX_ORDERS_ON_THEIR_WAY - 1), add(), true).await;
    check(&bench, "add: too many", &key, crowd(MAX_ORDERS_ON_THEIR_WAY), add(), false).await;
    let change = || writes::change(&tea(), &id, seven, five, Backorders::Never);
    check(&bench, "change", &key, with(&[(&id, seven)]), change(), true).await;
    check(&bench, "change: another entry", &key, with(&[(&id, five)]), change(), false).await;
    check(&bench, "change: another day", &key, with(&[(&id, incoming("7@-"))]), change(), false).await;
    check(&bench, "change: no entry", &key, with(&[(&po("other"), seven)]), change(), false).await;
    check(&bench, "change: nothing there", &key, None, change(), false).await;
    let remove = || writes::remove(&tea(), &id, seven, Backorders::Never);
    check(&bench, "remove", &key, with(&[(&id, seven)]), remove(), true).await;
    check(&bench, "remove: another entry", &key, with(&[(&id, five)]), remove(), false).await;
    check(&bench, "remove: gone", &key, with(&[]), remove(), false).await;
}

#[tokio::test]
async fn from_a_draft_to_the_shelf() {
    let bench = bench().await;
    bench.stocked("tea", 1).await;
    bench.stocked("milk", 0).await;
    let store = &bench.store;
    let draft = bench.opened("k", &["tea=12/0@450", "milk=3/0"], false).await;
    assert_eq!((draft.status, bench.on_its_way("tea").await), (Status::Draft, vec![]), "nobody was told");
    let step = async |step| store.step_purchase_order(&po("k"), step).await.unwrap().unwrap();
    bench.clock.advance(5);
    let sent = step(Step::Send).await;
    assert_eq!((sent.status, sent.sent_at, sent.version), (Status::Sent, Some(at(5)), 2));
    assert_eq!(
        (bench.on_its_way("tea").await, bench.on_its_way("milk").await),
        (vec![in_a_week(12)], vec![in_a_week(3)])
    );
    let slipped = step(Step::Acknowledge { expected_on: Some(day(9)) }).await;
    assert_eq!(slipped.status, Status::Acknowledged);
    assert_eq!(bench.on_its_way("tea").await, [format!("12@{}", day(9).epoch_days())]);
    assert_eq!(store.on_order(&tea()).await.unwrap().generation, 2);
    assert_eq!(step(Step::Send).await, slipped, "it was sent");
    bench.assert_sound().await;

    let part = bench.received(&receipt("r1", "k", &[("tea", 5)])).await;
    assert_eq!((part.order.status, part.replayed), (Status::PartiallyReceived, false));
    assert_eq!((bench.level("tea").await.available, store.on_order(&tea()).await.unwrap().units()), (6, 7));
    let rest = bench.received(&receipt("r2", "k", &[("tea", 8), ("milk", 3)])).await;
    assert_eq!((rest.order.status, rest.order.closed_at), (Status::Received, Some(at(5))));
    assert_eq!(rest.movements.iter().map(|movement| movement.delta).collect::<Vec<_>>(), [3, 8]);
    assert_eq!(
        (bench.level("tea").await.available, bench.on_its_way("tea").await),
        (14, vec![]),
        "one more than was ordered"
    );
    assert_eq!(store.purchase_order(&po("k")).await.unwrap(), Some(rest.order));
    bench.assert_sound().await;
}

#[tokio::test]
async fn what_is_canceled_is_not_on_its_way_any_more() {
    let bench = bench().await;
    bench.stocked("tea", 0).await;
    bench.opened("k", &["tea=12/0"], true).await;
    bench.opened("l", &["tea=4/0"], true).await;
    bench.received(&receipt("r", "k", &[("tea", 5)])).await;
    for _ in 0..2 {
        let canceled = bench.store.step_purchase_order(&po("k"), Step::Cancel).await.unwrap().unwrap();
        assert_eq!(canceled.status, Status::Canceled);
        assert_eq!(bench.on_its_way("tea").await, [in_a_week(4)]);
    }
    let refused = refusal(bench.store.receive_purchase_order(&receipt("r2", "k", &[("tea", 1)])).await.unwrap_err());
    assert!(matches!(refused, Refusal::WrongStatus { status: "canceled", .. }), "{refused:?}");
    assert_eq!(bench.level("tea").await.available, 5);
    bench.assert_sound().await;
}

#[tokio::test]
async fn an_order_is_made_once() {
    let bench = bench().await;
    bench.stocked("tea", 0).await;
    let wanted = new("k", &["tea=12/0"], true);
    let opened: Vec<Opened> = join_all((0..10).map(|_| bench.store.open_purchase_order(&wanted)))
        .await
        .into_iter()
        .map(Result::unwrap)
        .collect();
    assert_eq!(opened.iter().filter(|opened| !opened.replayed).count(), 1);
    assert!(opened.iter().all(|found| found.order == opened[0].order));
    assert_eq!(bench.on_its_way("tea").await, [in_a_week(12)]);
    let another = new("k", &["tea=13/0"], true);
    let refused = refusal(bench.store.open_purchase_order(&another).await.unwrap_err());
    assert_eq!(refused, Refusal::IdempotencyKeyReused);
    // Of an alert, the first one is the order, whatever a later look finds to order.
    let of_alert = |quantity: &str| NewPurchaseOrder {
        id: PurchaseOrderId::of_alert(&"a-1".parse().unwrap()),
        alert: Some("a-1".parse().unwrap()),
        ..new("x", &[quantity], true)
    };
    let (first, second) = (of_alert("tea=5/0"), of_alert("tea=6/0"));
    assert!(!bench.store.open_purchase_order(&first).await.unwrap().replayed);
    let again = bench.store.open_purchase_order(&second).await.unwrap();
    assert_eq!((again.replayed, again.order.lines), (true, first.lines));
    assert_eq!(bench.store.on_order(&tea()).await.unwrap().units(), 17);
    bench.assert_sound().await;
}

#[tokio::test]
async fn what_nobody_sells_is_not_ordered() {
    let bench = bench().await;
    bench.stocked("tea", 0).await;
    bench.store.save_settings(&stock_in("mug", "shared"), &domain::stock::Settings::default(), None).await.unwrap();
    bench.store.save_settings(&stock_in("ebook", "ebay"), &domain::stock::Settings::default(), None).await.unwrap();
    let wanted = new("k", &["tea=1/0", "ebook=1/0", "mug=1/0", "milk=1/0"], true);
    let refused = refusal(bench.store.open_purchase_order(&wanted).await.unwrap_err());
    assert_eq!(refused, Refusal::UnknownSku { skus: vec!["ebook".parse().unwrap(), "milk".parse().unwrap()] });
    assert_eq!(bench.store.purchase_order(&po("k")).await.unwrap(), None);
    // What has no quota of its own comes into the shared stock; and into the channel that a receipt names.
    bench.opened("m", &["mug=9/0"], true).await;
    bench.received(&receipt("r", "m", &[("mug", 4)])).await;
    let to_ebay = Receipt { channel: Some("ebay".parse().unwrap()), ..receipt("e", "m", &[("mug", 2)]) };
    bench.received(&to_ebay).await;
    let found = bench.store.stock(&[stock_in("mug", "shared")]).await.unwrap()[0].level();
    assert_eq!(found.available, 6, "ebay has no quota of it either");
    bench.assert_sound().await;
}

#[tokio::test]
async fn a_receipt_is_booked_once() {
    let bench = bench().await;
    bench.stocked("tea", 0).await;
    bench.stocked("milk", 0).await;
    bench.opened("k", &["tea=12/0", "milk=3/0"], true).await;
    let came = receipt("r", "k", &[("tea", 5)]);
    let booked = join_all((0..10).map(|_| bench.received(&came))).await;
    assert_eq!(booked.iter().filter(|received| !received.replayed).count(), 1);
    assert!(booked.iter().all(|received| received.movements == booked[0].movements));
    assert_eq!(bench.level("tea").await.available, 5);
    for other in [&[("milk", 3)][..], &[("tea", 6)], &[("tea", 5), ("milk", 1)]] {
        let refused = refusal(bench.store.receive_purchase_order(&receipt("r", "k", other)).await.unwrap_err());
        assert_eq!(refused, Refusal::IdempotencyKeyReused, "{other:?}");
    }
    // Told again after the last of it came, it is still the same receipt.
    bench.received(&receipt("rest", "k", &[("tea", 7), ("milk", 3)])).await;
    let again = bench.received(&came).await;
    assert_eq!((again.replayed, again.order.status), (true, Status::Received));
    assert_eq!((bench.level("tea").await.available, bench.level("milk").await.available), (12, 3));
    bench.assert_sound().await;
}

#[tokio::test]
async fn concurrent_receivers_book_what_each_of_them_has() {
    let bench = bench().await;
    bench.stocked("tea", 0).await;
    bench.opened("k", &["tea=12/0"], true).await;
    let receipts: Vec<Receipt> = (0..4).map(|n| receipt(&format!("r{n}"), "k", &[("tea", 3)])).collect();
    let booked = join_all(receipts.iter().map(async |came| {
        loop {
            match bench.store.receive_purchase_order(came).await {
                Ok(received) => break received.unwrap(),
                Err(crate::Failure::Refused(Refusal::Contended)) => {}
                Err(failure) => panic!("{failure:?}"),
            }
        }
    }))
    .await;
    assert!(booked.iter().all(|received| !received.replayed));
    assert_eq!((bench.level("tea").await.available, bench.status("k").await), (12, Status::Received));
    assert_eq!(bench.on_its_way("tea").await, [""; 0]);
    // Two clerks book one delivery, each under a key of his own: the second hears that all of it came.
    bench.opened("l", &["tea=2/0"], true).await;
    bench.received(&receipt("clerk-1", "l", &[("tea", 2)])).await;
    let refused =
        refusal(bench.store.receive_purchase_order(&receipt("clerk-2", "l", &[("tea", 2)])).await.unwrap_err());
    assert!(matches!(refused, Refusal::WrongStatus { status: "received", .. }), "{refused:?}");
    assert_eq!(bench.level("tea").await.available, 14);
    bench.assert_sound().await;
}

#[tokio::test]
async fn an_order_that_is_canceled_and_received_at_once_is_one_of_them_first() {
    let bench = bench().await;
    bench.stocked("tea", 0).await;
    for round in 0..6 {
        let key = format!("k{round}");
        let before = bench.level("tea").await.available;
        bench.opened(&key, &["tea=5/0"], true).await;
        let id = po(&key);
        let came = receipt(&format!("r{round}"), &key, &[("tea", 5)]);
        let (canceled, received) = futures::future::join(
            bench.store.step_purchase_order(&id, Step::Cancel),
            bench.store.receive_purchase_order(&came),
        )
        .await;
        let status = bench.status(&key).await;
        assert_eq!((canceled.is_ok(), received.is_ok()), (status == Status::Canceled, status == Status::Received));
        let came = if status == Status::Received { 5 } else { 0 };
        assert_eq!(bench.level("tea").await.available - before, came);
    }
    assert_eq!(bench.on_its_way("tea").await, [""; 0]);
    bench.assert_sound().await;
}

#[tokio::test]
async fn a_lost_reply_or_a_conflict_changes_nothing_twice() {
    for mishap in [LostReply, Conflict] {
        let bench = bench().await;
        bench.stocked("tea", 0).await;
        bench.mishaps.plan("TransactWriteItems", "P#", mishap, 1);
        bench.opened("k", &["tea=12/0"], true).await;
        bench.mishaps.plan("TransactWriteItems", "P#", mishap, 1);
        let came = receipt("r", "k", &[("tea", 5)]);
        assert!(!bench.received(&came).await.replayed);
        bench.mishaps.plan("TransactWriteItems", "P#", mishap, 1);
        let step = Step::Acknowledge { expected_on: Some(day(8)) };
        bench.store.step_purchase_order(&po("k"), step).await.unwrap().unwrap();
        bench.mishaps.plan("PutItem", "P#", mishap, 1);
        let draft = bench.opened("draft", &["tea=1/0"], false).await;
        assert_eq!((bench.mishaps.left(), draft.version), (0, 1), "{mishap:?}");
        assert_eq!(bench.level("tea").await.available, 5);
        assert_eq!(bench.on_its_way("tea").await, [format!("7@{}", day(8).epoch_days())]);
        bench.assert_sound().await;
    }
}

#[tokio::test]
async fn whoever_dies_between_two_writes_leaves_nothing_half_done() {
    let bench = bench().await;
    bench.stocked("tea", 0).await;
    bench.opened("k", &["tea=12/0"], true).await;
    let came = receipt("r", "k", &[("tea", 5)]);
    bench.mishaps.die_after(0);
    assert!(bench.store.receive_purchase_order(&came).await.is_err());
    assert!(bench.mishaps.rise());
    assert!(!bench.received(&came).await.replayed, "nothing was booked");
    assert_eq!((bench.level("tea").await.available, bench.on_its_way("tea").await), (5, vec![in_a_week(7)]));
    bench.assert_sound().await;
}

#[tokio::test]
async fn what_comes_covers_a_shortfall_first() {
    let bench = bench().await;
    bench.stocked("tea", 5).await;
    bench.reserve("k", &["tea=5"]).await.unwrap();
    bench.store.move_stock(&movement("count", "tea", "count", 3)).await.unwrap();
    bench.opened("k", &["tea=4/0"], true).await;
    let offer = bench.store.availability(&[stock("tea")]).await.unwrap().remove(0);
    assert_eq!(offer.next.map(|next| (next.on, next.units)), Some((day(7), 2)), "two are waited for");
    bench.received(&receipt("r", "k", &[("tea", 4)])).await;
    let level = bench.level("tea").await;
    assert_eq!((level.available, level.shortfall), (2, 0));
    bench.assert_sound().await;
}

#[tokio::test]
async fn availability_says_what_comes_next_in_the_same_read() {
    let bench = bench().await;
    bench.stocked("tea", 3).await;
    bench.stocked("milk", 3).await;
    bench.opened("k", &["tea=12/0"], true).await;
    bench.meter.take();
    let offers = bench.store.availability(&[stock("tea"), stock("milk")]).await.unwrap();
    assert_eq!(bench.meter.take().requests, ["BatchGetItem"], "one request for both");
    let next = |index: usize| offers[index].next.map(|next| (next.on, next.units));
    assert_eq!((offers[0].available, next(0), next(1)), (3, Some((day(7), 12)), None));
    bench.store.step_purchase_order(&po("k"), Step::Cancel).await.unwrap();
    assert_eq!(bench.store.availability(&[stock("tea")]).await.unwrap()[0].next, None);
}

#[tokio::test]
async fn open_orders_are_listed_before_closed_ones() {
    let bench = bench().await;
    bench.stocked("tea", 0).await;
    for n in 0..6 {
        bench.opened(&format!("k{n}"), &["tea=1/0"], n % 2 == 0).await;
        bench.clock.advance(1);
    }
    for key in ["k0", "k5"] {
        bench.store.step_purchase_order(&po(key), Step::Cancel).await.unwrap();
    }
    bench.received(&receipt("r", "k2", &[("tea", 1)])).await;
    let keys: BTreeMap<PurchaseOrderId, String> = (0..6).map(|n| (po(&format!("k{n}")), format!("k{n}"))).collect();
    let pages = async |status: Option<Status>, limit: usize| {
        let (mut found, mut cursor) = (Vec::new(), None::<String>);
        loop {
            let page = bench.store.list_purchase_orders(status, limit, cursor.as_deref()).await.unwrap();
            assert!(page.items.len() <= limit);
            found.extend(page.items.iter().map(|order| keys[&order.id].clone()));
            cursor = page.next_cursor;
            if cursor.is_none() {
                return found;
            }
        }
    };
    for limit in [1, 2, 3, 6, 100] {
        assert_eq!(pages(None, limit).await, ["k4", "k3", "k1", "k5", "k2", "k0"], "{limit} a page");
        assert_eq!(pages(Some(Status::Draft), limit).await, ["k3", "k1"], "{limit} a page");
        assert_eq!(pages(Some(Status::Canceled), limit).await, ["k5", "k0"], "{limit} a page");
        assert_eq!(pages(Some(Status::Acknowledged), limit).await, [""; 0], "{limit} a page");
    }
    for cursor in ["", "x", "bzE4MDAwMDAwMDAjeA"] {
        let refused = refusal(bench.store.list_purchase_orders(None, 5, Some(cursor)).await.unwrap_err());
        assert!(matches!(&refused, Refusal::InvalidRequest { errors } if errors[0].field == "cursor"), "{refused:?}");
    }
}

#[tokio::test]
async fn a_sku_has_only_so_many_orders_on_their_way() {
    let bench = bench().await;
    bench.stocked("milk", 0).await;
    bench.stocked("tea", 0).await;
    let orders = (0..MAX_ORDERS_ON_THEIR_WAY).map(|n| (po(&format!("c{n}")), incoming("1@-"))).collect();
    bench.put(encode_on_order(&tea(), &OnOrder { orders, generation: START, ..OnOrder::default() })).await;
    let refused =
        refusal(bench.store.open_purchase_order(&new("k", &["milk=1/0", "tea=1/0"], true)).await.unwrap_err());
    assert!(matches!(&refused, Refusal::InvalidRequest { errors } if errors[0].field == "lines[1].sku"), "{refused:?}");
    assert_eq!(bench.on_its_way("milk").await, [""; 0], "nothing of it was written");
}

#[tokio::test]
async fn what_an_erp_says_has_come_is_booked_once_by_however_many_hear_it() {
    let bench = bench().await;
    bench.stocked("tea", 0).await;
    bench.opened("k", &["tea=12/0"], true).await;
    let come = |units| BTreeMap::from([(tea(), units)]);
    let said = async |units: u64| {
        let (id, come) = (po("k"), come(units));
        join_all((0..6).map(|_| bench.store.receive_from_erp(&id, &come, "erp netsuite"))).await
    };
    assert!(said(5).await.into_iter().all(|order| order.unwrap().unwrap().lines.as_slice()[0].received == 5));
    said(5).await;
    assert_eq!((bench.level("tea").await.available, bench.on_its_way("tea").await), (5, vec![in_a_week(7)]));
    // Booked by hand first: the ERP tells of the same boxes later.
    bench.received(&receipt("hand", "k", &[("tea", 3)])).await;
    said(8).await;
    assert_eq!(bench.level("tea").await.available, 8);
    said(3).await;
    assert_eq!(bench.level("tea").await.available, 8, "an old number takes nothing back");
    said(12).await;
    assert_eq!((bench.level("tea").await.available, bench.status("k").await), (12, Status::Received));
    said(20).await;
    assert_eq!(bench.level("tea").await.available, 12, "it is closed");
    bench.assert_sound().await;
}

#[tokio::test]
async fn an_order_that_is_canceled_stays_open_until_it_is_canceled_in_the_erp() {
    let bench = bench().await;
    bench.stocked("tea", 0).await;
    bench.opened("k", &["tea=12/0"], true).await;
    let note = async |note: Note| bench.store.note_erp(&po("k"), &note).await.unwrap().unwrap();
    assert_eq!(note(Note::Asked).await.version, 2);
    bench.store.step_purchase_order(&po("k"), Step::Cancel).await.unwrap();
    assert_eq!(bench.on_its_way("tea").await, [""; 0]);
    let key = crate::keys::purchase_order(&po("k"));
    let list = async || bench.store.get(key.clone()).await.unwrap().unwrap()["list"].as_s().unwrap().clone();
    assert_eq!(list().await, "purchase-orders");
    // Whoever was about to create it comes late.
    assert_eq!(note(Note::Asked).await.status, Status::Canceled);
    let placed = Note::Placed {
        kind: ErpKind::NetSuite,
        company: Some("9".to_owned()),
        id: "99".to_owned(),
        number: "PO-99".to_owned(),
        expected_on: day(7),
        concern: None,
    };
    assert!(note(placed).await.is_to_be_withdrawn());
    // Somebody unpacks boxes there before he hears of it.
    let come = [("tea".parse().unwrap(), 5)].into();
    for _ in 0..2 {
        let booked = bench.store.receive_from_erp(&po("k"), &come, "erp").await.unwrap().unwrap();
        assert_eq!((booked.status, booked.lines.as_slice()[0].received), (Status::Canceled, 5));
    }
    assert_eq!(bench.on_its_way("tea").await, [""; 0]);
    let withdrawn = note(Note::Withdrawn { concern: None });
    assert_eq!((list().await.as_str(), withdrawn.await.status), ("purchase-orders", Status::Canceled));
    assert_eq!(list().await, "purchase-orders-closed");
    let later = [("tea".parse().unwrap(), 9)].into();
    let booked = bench.store.receive_from_erp(&po("k"), &later, "erp").await.unwrap().unwrap();
    assert_eq!(booked.lines.as_slice()[0].received, 5, "it is over");
    bench.assert_sound().await;
}

#[tokio::test]
async fn a_new_day_in_the_erp_is_the_day_on_which_it_is_on_its_way() {
    let bench = bench().await;
    bench.stocked("tea", 0).await;
    bench.opened("k", &["tea=12/0"], true).await;
    let (kind, id, number) = (ErpKind::NetSuite, "99".to_owned(), "PO-99".to_owned());
    let placed = Note::Placed { kind, company: None, id, number, expected_on: day(7), concern: None };
    let order = bench.store.note_erp(&po("k"), &placed).await.unwrap().unwrap();
    assert_eq!(order.status, Status::Acknowledged);
    let seen = Note::Seen { expected_on: Some(day(9)), concern: None };
    bench.store.note_erp(&po("k"), &seen).await.unwrap();
    assert_eq!(bench.on_its_way("tea").await, [format!("12@{}", day(9).epoch_days())]);
    bench.assert_sound().await;
}

#[tokio::test]
async fn the_settings_of_the_erp_are_replaced_only_as_they_were_seen() {
    let bench = bench().await;
    let store = &bench.store;
    assert_eq!(store.erp_settings().await.unwrap(), None);
    let netsuite = ErpSettings { kind: Some(ErpKind::NetSuite), ..ErpSettings::default() };
    assert_eq!(store.save_erp(&netsuite, None).await.unwrap(), Saved { created: true, version: 1 });
    bench.clock.advance(60);
    let other = ErpSettings { options: [("a".to_owned(), "b".to_owned())].into(), ..netsuite.clone() };
    for _ in 0..2 {
        let saved = store.save_erp(&other, Some(1)).await.unwrap();
        assert_eq!(saved, Saved { created: false, version: 2 }, "the same once more is the answer of the first");
    }
    let refused = refusal(store.save_erp(&netsuite, Some(1)).await.unwrap_err());
    assert_eq!(refused, Refusal::PreconditionFailed { version: 2 });
    assert_eq!(store.erp_settings().await.unwrap(), Some(ErpSettings { since: at(0), version: 2, ..other }));
    let none = ErpSettings::default();
    store.save_erp(&none, None).await.unwrap();
    assert_eq!(store.erp_settings().await.unwrap().unwrap().since, at(60), "there is none since now");
    // Each condition alone.
    let save = |version| writes_of_erp::save(&ErpSettings { version, ..none.clone() });
    let stored = |version| Some(encode_erp(&ErpSettings { version, ..netsuite.clone() }));
    check(&bench, "first", crate::keys::ERP, None, save(1), true).await;
    check(&bench, "first: there are some", crate::keys::ERP, stored(1), save(1), false).await;
    check(&bench, "change", crate::keys::ERP, stored(3), save(4), true).await;
    check(&bench, "change: another version", crate::keys::ERP, stored(4), save(4), false).await;
    check(&bench, "change: there are none", crate::keys::ERP, None, save(4), false).await;
}

#[tokio::test]
async fn a_receipt_of_the_most_lines_is_one_transaction() {
    let bench = bench().await;
    let skus: Vec<String> = (0..MAX_PURCHASE_LINES).map(|n| format!("sku-{n:02}")).collect();
    for sku in &skus {
        bench.stocked(sku, 0).await;
    }
    let lines: Vec<String> = skus.iter().map(|sku| format!("{sku}=2/0")).collect();
    bench.opened("k", &lines.iter().map(String::as_str).collect::<Vec<_>>(), true).await;
    let came: Vec<(&str, u64)> = skus.iter().map(|sku| (sku.as_str(), 2)).collect();
    bench.meter.take();
    let received = bench.received(&receipt("r", "k", &came)).await;
    let writes = bench.meter.take().requests.into_iter().filter(|request| *request == "TransactWriteItems").count();
    assert_eq!((received.order.status, received.movements.len(), writes), (Status::Received, MAX_PURCHASE_LINES, 1));
    bench.assert_sound().await;
}
