//! Every write as DynamoDB gets it, in a file of its own: a change of a condition is a change that a reviewer sees.
//!
//! After a deliberate change: `INSTA_UPDATE=always cargo test -p holdfast-store golden`, and read the difference.

use domain::{
    bucket::{Bucket, BucketId, Home, Role},
    channel::{ChannelKind, ChannelSettings, Overflow},
    erp::{ErpKind, ErpSettings},
    group_commit::Commit,
    ids::{Channel, MovementId},
    movement::{Movement, MovementKind, MovementRequest},
    purchase::{
        Backorders::{Closed, Never, Open},
        Incoming, OnOrder, PurchaseOrder, Step,
        erp::Note,
    },
    quantity::Quantity,
    redistribution::{Memory, Rule, Weights},
    reservation::{CancelReason, Kind, Reservation, Status},
    sale::{Aftermath, ForcedSale, SaleKey},
    stock::Settings,
    time::Day,
};

use super::engine::{at, move_units, movement, order, rid, stock, stock_in};
use crate::{
    StoredRule,
    table::Write,
    write::{
        channel, child, credit, decide, erp, force, give_back, group, hold, incoming, movement as moves, pool,
        purchase, record, release, rule, sale, settings, settle,
        transfer::{Target, transfer},
    },
};

fn show(writes: &[Write]) -> String {
    writes.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

fn reservation(status: Status) -> Reservation {
    Reservation {
        id: rid("k"),
        kind: Kind::Reservation,
        status,
        channel: Channel::own(),
        lines: vec!["milk=1".parse().unwrap(), "tea=3".parse().unwrap()],
        allocations: vec!["milk#own=1@1800000900".parse().unwrap(), "tea#own#4=3@1800000900".parse().unwrap()],
        created_at: at(0),
        expires_at: at(900),
        order_id: Some(order("o-1")),
        session_id: Some(order("s-1")),
        fingerprint: Some(domain::ids::Fingerprint::of("x", &[])),
        purge_at: Some(at(87_300)),
        line: None,
        extensions: std::collections::BTreeMap::new(),
    }
}

fn transfers() -> Vec<(&'static str, Vec<Write>)> {
    let home: BucketId = "tea#own".parse().unwrap();
    let (from, to) = (stock("tea"), stock_in("tea", "ebay"));
    let request = move_units("k", 7, "own", "ebay");
    let movements = request.cause().movements(&[request.as_move()], at(0));
    let by_sales = Rule {
        weights: Weights::RecentSales,
        minimum: [(Channel::own(), 5)].into(),
        trigger_below: 3,
        reason: Some("festival".parse().unwrap()),
    };
    let fixed = Rule { weights: Weights::Fixed([(Channel::own(), 2)].into()), reason: None, ..by_sales.clone() };
    let seen = StoredRule { rule: by_sales.clone(), memory: Memory { looks: 4, ..Memory::default() }, version: 2 };
    let memory = Memory {
        looks: 5,
        seen_at: Some(at(9)),
        sold: [(Channel::own(), 12)].into(),
        recent: [(Channel::own(), 2_500)].into(),
    };
    vec![
        ("transfer", transfer(&from, &to, Target::Home { shortfall: 2 }, 7, &movements)),
        ("transfer_to_a_new_home", transfer(&from, &to, Target::None, 7, &movements)),
        ("pool_open", vec![pool::open(&to, 7)]),
        ("pool_take", vec![pool::take(&home, 7, 3, false)]),
        ("pool_take_and_join", vec![pool::take(&home, 7, 3, true)]),
        ("pool_give", vec![pool::give(&home, 7, 0, 3, false)]),
        ("pool_give_covering_a_part", vec![pool::give(&home, 7, 9, 3, false)]),
        ("pool_give_covering_all", vec![pool::give(&home, 7, 5, 3, false)]),
        ("pool_give_to_a_joined_one", vec![pool::give(&home, 7, 9, 3, true)]),
        ("rule_create", vec![rule::create(&from.sku, &by_sales)]),
        ("rule_change", vec![rule::change(&from.sku, &by_sales, None)]),
        ("rule_change_if_match", vec![rule::change(&from.sku, &fixed, Some(3))]),
        ("rule_look", vec![rule::look(&from.sku, &seen, &memory)]),
        ("rule_remove", vec![rule::remove(&from.sku)]),
    ]
}

#[test]
fn golden() {
    let home: BucketId = "tea#own".parse().unwrap();
    let fourth: BucketId = "tea#own#4".parse().unwrap();
    let id = rid("k");
    let three: domain::bucket::Hold = "3@1800000900".parse().unwrap();
    let window = Home { first_child: 2, next_child: 4, generation: 3, version: 1, ..Home::default() };
    let short = |shortfall| domain::bucket::Bucket {
        free: 5,
        holds: std::collections::BTreeMap::new(),
        sold: 0,
        watermark: None,
        role: Role::Home(Home { shortfall, ..window }),
    };
    let booked = |word, quantity, delta, shortfall| {
        Movement::new(&movement("m", "tea", word, quantity), delta, shortfall, at(0))
    };
    let settled = |count: usize| (0..count).map(|n| (rid(&n.to_string()), three)).collect::<Vec<_>>();
    let together = |count: usize, sold: usize| Commit {
        holds: (0..count).map(|n| (rid(&format!("o{n}")), three.quantity)).collect(),
        expires_at: at(901),
        settled: settled(sold),
    };
    let confirmed = Status::Confirmed { at: at(5) };
    let canceled = Status::Canceled { reason: CancelReason::Short { lines: vec!["tea=3/1".parse().unwrap()] } };
    let goldens: Vec<(&str, Vec<Write>)> = vec![
        ("hold_home", vec![hold::hold(&home, &id, three)]),
        ("hold_child", vec![hold::hold(&fourth, &id, three)]),
        ("group_of_two", vec![group::commit(&home, &together(2, 0), None)]),
        ("group_in_a_child", vec![group::commit(&fourth, &together(1, 0), None)]),
        ("group_that_settles", vec![group::commit(&home, &together(2, 2), Some(at(0)))]),
        ("group_that_settles_below_the_watermark", vec![group::commit(&home, &together(1, 1), Some(at(901)))]),
        ("release", vec![release::release(&fourth, &id, three)]),
        ("release_covering_a_part", vec![release::covering(&home, &id, three, 5)]),
        ("release_covering_all", vec![release::covering(&home, &id, three, 2)]),
        ("release_to_home", release::to_home(&fourth, &id, three, 5)),
        ("settle_one", vec![settle::settle(&home, &settled(1), None)]),
        ("settle_two", vec![settle::settle(&home, &settled(2), Some(at(0)))]),
        ("settle_below_the_watermark", vec![settle::settle(&home, &settled(1), Some(at(901)))]),
        ("record_active", vec![record::record(&reservation(Status::Active))]),
        ("record_confirmed", vec![record::record(&reservation(confirmed))]),
        ("record_canceled", vec![record::record(&reservation(canceled))]),
        ("confirm", vec![decide::confirm(&id, Some(&order("o-1")), at(0))]),
        ("confirm_without_order", vec![decide::confirm(&id, None, at(0))]),
        ("cancel", vec![decide::cancel(&id)]),
        ("expire", vec![decide::expire(&id, at(901))]),
        ("close", vec![decide::close(&id, &id.successor(), at(901))]),
        ("keep_refusal", vec![decide::keep_refusal(&id)]),
        ("keep_until", vec![decide::keep_until(&id, at(87_300))]),
        (
            "extend",
            vec![decide::extend(
                &id,
                &domain::ids::ExtensionId::derive(&domain::ids::Caller::new("c"), &"e".parse().unwrap()),
                at(900),
                at(1_800),
                at(10),
            )],
        ),
        ("child_open", child::open(&stock("tea"), &window, &[32])),
        ("child_open_several", child::open(&stock("tea"), &window, &[32, 32, 7])),
        ("child_open_with_a_hold", child::open_held(&stock("tea"), &window, &id, "50@1800000900".parse().unwrap())),
        ("child_fold", child::fold(&fourth, 7, 0)),
        ("child_delete", child::delete(&fourth, 25)),
        ("child_advance", vec![child::advance(&stock("tea"), 2, 4)]),
        ("child_owe", vec![child::owe(&fourth)]),
        ("credit", vec![credit::credit(&home, 7, 0, None)]),
        ("credit_covering_a_part", vec![credit::credit(&home, 7, 9, None)]),
        ("credit_covering_all", vec![credit::credit(&home, 7, 5, None)]),
        ("debit", vec![credit::debit(&home, 7, None)]),
        ("debit_by_a_count", vec![credit::debit(&home, 7, Some(3))]),
        ("credit_by_a_count", vec![credit::credit(&home, 7, 5, Some(3))]),
        ("movement_incoming", moves::incoming(&booked("receive", 7, 7, 0), 7, 0, None)),
        ("movement_outgoing", moves::outgoing(&booked("adjust", -7, -7, 0), 7, None)),
        ("movement_shortfall", moves::shortfall(&booked("count", 1, -7, 2), &short(0))),
        ("movement_further_shortfall", moves::shortfall(&booked("count", 0, -1, 1), &short(2))),
        ("settings_create", vec![settings::create(&stock("tea"), Settings { expected_peak_per_second: 50 })]),
        ("settings_change", vec![settings::change(&stock("tea"), Settings::default(), None)]),
        ("settings_change_if_match", vec![settings::change(&stock("tea"), Settings::default(), Some(3))]),
    ];
    compare(goldens);
}

#[test]
fn golden_of_sales_and_channels() {
    let id = rid("k");
    let three: domain::bucket::Hold = "3@1800000900".parse().unwrap();
    let short = |shortfall| domain::bucket::Bucket {
        free: 5,
        holds: std::collections::BTreeMap::new(),
        sold: 0,
        watermark: None,
        role: Role::Home(Home {
            first_child: 2,
            next_child: 4,
            generation: 3,
            version: 1,
            shortfall,
            ..Home::default()
        }),
    };
    let line = Reservation {
        kind: Kind::Order,
        channel: "amazon".parse().unwrap(),
        lines: vec!["tea=3".parse().unwrap()],
        allocations: vec!["tea#shared=3@1800000900".parse().unwrap()],
        line: Some(order("l-1")),
        session_id: None,
        ..reservation(Status::Active)
    };
    let key = SaleKey { channel: "amazon".parse().unwrap(), order: order("o-1"), line: order("l-1") };
    let (sku, quantity) = (stock("tea").sku, three.quantity);
    let forced = |missing| ForcedSale { key: key.clone(), sku: sku.clone(), quantity, missing, at: at(0) };
    let came_back = |stock: &str, units: u64| {
        let stock = stock.parse::<BucketId>().unwrap().stock;
        let request = MovementRequest {
            id: MovementId::of_return(&id, 2, &stock),
            stock,
            kind: MovementKind::Return(Quantity::new(units).unwrap()),
            reason: key.reason_for_a_return(),
            actor: "channel amazon".to_owned(),
        };
        Movement::new(&request, units.cast_signed(), 0, at(0))
    };
    let amazon: Channel = "amazon".parse().unwrap();
    let settings = ChannelSettings::new(ChannelKind::Amazon);
    let elsewhere = ChannelSettings {
        overflow: Overflow::Borrow,
        endpoint: Some("http://127.0.0.1:9".to_owned()),
        options: [("seller".to_owned(), "A1".to_owned())].into(),
        ..settings.clone()
    };
    compare(vec![
        ("force_at_home", force::at_home(&stock("tea"), &short(0), &id, three, &forced(1))),
        ("force_at_a_short_home", force::at_home(&stock("tea"), &short(2), &id, three, &forced(1))),
        ("force_in_a_child", force::in_child(&stock("tea"), &short(2), &id, three, &forced(1))),
        ("sale_wait", vec![sale::wait(&id, at(900), at(1_209_600), at(10))]),
        ("sale_confirm", vec![sale::confirm(&id, at(10))]),
        ("sale_cancel", vec![sale::cancel(&id)]),
        ("sale_give_back", give_back::give_back(&id, Aftermath::default(), 2, &[(came_back("tea#own", 2), 0)])),
        (
            "sale_give_back_more",
            give_back::give_back(
                &id,
                Aftermath { returned: 2, ..Aftermath::default() },
                5,
                &[(came_back("tea#shared", 1), 4), (came_back("tea#own", 2), 0)],
            ),
        ),
        ("sale_ship", vec![give_back::ship(&id)]),
        ("sale_cancel_at", vec![give_back::cancel_at(&id, at(900))]),
        ("sale_begin", vec![give_back::begin(&id, at(900))]),
        ("sale_resize", vec![give_back::resize(&id, None, &"1/1 2/2@1800000900".parse().unwrap())]),
        (
            "sale_resize_again",
            vec![give_back::resize(
                &id,
                Some(&"1/1 2/2@1800000900".parse().unwrap()),
                &"1/1 2/1@1800000960".parse().unwrap(),
            )],
        ),
        ("record_sale", vec![record::record(&line)]),
        ("channel_create", vec![channel::create(&amazon, &settings)]),
        ("channel_change", vec![channel::change(&amazon, &settings, None)]),
        ("channel_change_if_match", vec![channel::change(&amazon, &elsewhere, Some(3))]),
    ]);
}

fn stock_in_the_pool() -> domain::bucket::StockId {
    stock("tea").incoming()
}

fn purchases() -> Vec<(&'static str, Vec<Write>)> {
    let tea = stock("tea").sku;
    let sent = PurchaseOrder::open(&super::purchase::new("k", &["milk=3/0", "tea=12/0@450"], true), at(0));
    let came = [(tea.clone(), Quantity::new(5).unwrap())].into();
    let received = sent.received(&came, at(9)).unwrap();
    let canceled = received.after(Step::Cancel, at(10)).unwrap().unwrap();
    let asked = sent.noted(&Note::Asked, at(11)).unwrap();
    let placed = Note::Placed {
        kind: ErpKind::NetSuite,
        company: Some("9".to_owned()),
        id: "99".to_owned(),
        number: "PO-99".to_owned(),
        expected_on: Day::from_epoch_days(20_840),
        concern: None,
    };
    let settings = |version| ErpSettings {
        kind: Some(ErpKind::NetSuite),
        endpoint: Some("http://127.0.0.1:9".to_owned()),
        options: [("subsidiary_id".to_owned(), "1".to_owned())].into(),
        items: [(tea.clone(), "I-1".to_owned())].into(),
        suppliers: [("Leaf & Co".parse().unwrap(), "V-1".to_owned())].into(),
        since: at(0),
        version,
    };
    let units = |text: &str| text.parse::<Incoming>().unwrap();
    let (twelve, seven) = (units("12@20840"), units("7@-"));
    let marked = |backorders| OnOrder { generation: 4, backorders, ..OnOrder::default() };
    let pool = stock_in_the_pool();
    let home = |free, shortfall| Bucket {
        free,
        holds: std::collections::BTreeMap::new(),
        sold: 0,
        watermark: None,
        role: Role::Home(Home { shortfall, arrived: 3, generation: 3, next_child: 1, ..Home::default() }),
    };
    let next = |free, shortfall, arrived| incoming::Next { free, shortfall, arrived };
    let follows = domain::purchase::backorder::follows(&canceled, &tea, -7, 2, at(10)).unwrap();
    vec![
        ("purchase_create", vec![purchase::create(&sent)]),
        ("purchase_replace", vec![purchase::replace(&received)]),
        ("purchase_close", vec![purchase::replace(&canceled)]),
        ("purchase_asked_in_the_erp", vec![purchase::replace(&asked)]),
        ("purchase_placed_in_the_erp", vec![purchase::replace(&asked.noted(&placed, at(12)).unwrap())]),
        ("erp_first", vec![erp::save(&settings(1))]),
        ("erp_change", vec![erp::save(&settings(4))]),
        ("on_order_first", vec![purchase::first(&tea, &sent.id, twelve)]),
        ("on_order_add", vec![purchase::add(&tea, &sent.id, twelve, Never)]),
        ("on_order_change", vec![purchase::change(&tea, &sent.id, twelve, seven, Never)]),
        ("on_order_remove", vec![purchase::remove(&tea, &sent.id, seven, Never)]),
        ("on_order_add_where_it_may_be_promised", vec![purchase::add(&tea, &sent.id, twelve, Closed)]),
        ("on_order_first_mark", vec![purchase::mark(&tea, None, Open)]),
        ("on_order_mark", vec![purchase::mark(&tea, Some(&marked(Never)), Open)]),
        ("on_order_mark_again", vec![purchase::mark(&tea, Some(&marked(Open)), Closed)]),
        ("incoming_open", vec![pool::open(&pool, 12)]),
        ("incoming_follow", vec![incoming::follow(&pool, &home(5, 0), next(7, 0, 4))]),
        ("incoming_follow_and_owe", vec![incoming::follow(&pool, &home(5, 0), next(0, 2, 3))]),
        ("incoming_follow_and_cover", vec![incoming::follow(&pool, &home(0, 2), next(1, 0, 3))]),
        ("incoming_follow_and_owe_less", vec![incoming::follow(&pool, &home(0, 5), next(0, 2, 3))]),
        ("incoming_explain", vec![moves::explain(&follows), moves::list(&follows)]),
    ]
}

fn compare(goldens: Vec<(&str, Vec<Write>)>) {
    insta::with_settings!({ snapshot_path => "../../tests/golden", prepend_module_to_snapshot => false, omit_expression => true }, {
        for (name, writes) in goldens.into_iter().chain(transfers()).chain(purchases()) {
            insta::assert_snapshot!(name, show(&writes));
        }
    });
}
