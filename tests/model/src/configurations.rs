//! The small worlds that are searched, each for the rules that it is about.

use crate::{
    config::{A, B, Config, Spec},
    rules::Rule,
    state::{CHILD, HOME},
};

const H: &[u8] = &[HOME];
const K: &[u8] = &[CHILD];
const HK: &[u8] = &[HOME, CHILD];
const KH: &[u8] = &[CHILD, HOME];

/// All of them.
pub const CONFIGURATIONS: &[Config] = &[
    // One item.
    Config {
        shows: &[
            Rule::StatusInConfirm,
            Rule::RecordBeforeAbort,
            Rule::RecordBeforeRelease,
            Rule::ConfirmKeeps,
            Rule::PutOnce,
            Rule::Deadline,
            Rule::AdoptWhatIsThere,
            Rule::CloseUnrecorded,
            Rule::KeepSeen,
        ],
        ..Config::new(
            "retry",
            "a reservation, its retry, a payment, a resolver",
            &[Spec::reserve(A, H), Spec::reserve(A, H), Spec::confirm(A, H), Spec::resolver(1)],
        )
    },
    Config {
        shows: &[Rule::ReleaseExact, Rule::EvidenceOutlives],
        ticks: 5,
        ..Config::new(
            "purge",
            "a record is deleted by TTL, and the request comes again",
            &[Spec::reserve(A, H), Spec::reserve(A, H), Spec::resolver(2)],
        )
    },
    Config {
        shows: &[Rule::EnoughUnits],
        ..Config::new(
            "rivals",
            "two shoppers and one unit, a payment, a resolver",
            &[Spec::reserve(A, H), Spec::reserve(B, H), Spec::confirm(A, H), Spec::resolver(1)],
        )
    },
    Config {
        shows: &[Rule::HoldOnce, Rule::CloseFirst, Rule::CloseKeeps],
        home: 2,
        ticks: 5,
        ..Config::new(
            "late",
            "a reservation that is paid late, twice",
            &[Spec::reserve(A, H), Spec::confirm(A, H), Spec::confirm(A, H)],
        )
    },
    Config {
        slow: true,
        ..Config::new(
            "late-rival",
            "a late payment while somebody else buys the unit",
            &[Spec::reserve(A, H), Spec::confirm(A, H), Spec::sell(B, H), Spec::resolver(1)],
        )
    },
    Config {
        shows: &[Rule::StatusInConfirm],
        ticks: 5,
        ..Config::new(
            "cancel",
            "canceling and paying",
            &[Spec::reserve(A, H), Spec::cancel(A), Spec::confirm(A, H), Spec::resolver(1)],
        )
    },
    Config {
        ..Config::new(
            "extend",
            "extending and paying",
            &[Spec::reserve(A, H), Spec::extend(A), Spec::confirm(A, H), Spec::resolver(1)],
        )
    },
    // Sales.
    Config {
        shows: &[Rule::RecordRefusal, Rule::CloseSeen, Rule::RefusalKept, Rule::CloseKeeps],
        ticks: 5,
        slow: true,
        ..Config::new("sale", "a sale and its retry", &[Spec::sell(A, H), Spec::sell(A, H), Spec::resolver(2)])
    },
    Config {
        slow: true,
        ticks: 5,
        copies: 0,
        ..Config::new(
            "sale-thrice",
            "a sale and two retries; no copies",
            &[Spec::sell(A, H), Spec::sell(A, H), Spec::sell(A, H), Spec::resolver(2)],
        )
    },
    Config {
        shows: &[Rule::Watermark, Rule::SettleExact],
        home: 2,
        ticks: 3,
        ..Config::new(
            "settle",
            "a sale and its retry, settled early",
            &[Spec::sell(A, H), Spec::sell(A, H), Spec::resolver(2).eager()],
        )
    },
    Config {
        slow: true,
        home: 2,
        ..Config::new(
            "settle-twice",
            "the same, with two resolvers",
            &[Spec::sell(A, H), Spec::sell(A, H), Spec::resolver(2).eager(), Spec::resolver(1).eager()],
        )
    },
    // A home and a child.
    Config {
        child: 1,
        slow: true,
        ..Config::new(
            "routes",
            "a retry on another route",
            &[Spec::reserve(A, HK), Spec::reserve(A, KH), Spec::confirm(A, H), Spec::resolver(1)],
        )
    },
    Config {
        shows: &[Rule::RecordBeforeAbort],
        child: 1,
        want: [2; 3],
        ..Config::new(
            "split",
            "a line split over two buckets; its retry sees only one",
            &[Spec::reserve(A, HK).splitting(), Spec::reserve(A, H).splitting(), Spec::resolver(1)],
        )
    },
    Config {
        shows: &[Rule::ExactSum],
        child: 2,
        want: [2; 3],
        slow: true,
        ..Config::new(
            "sum",
            "a line split from an old view; its retry holds it whole",
            &[Spec::reserve(A, HK).splitting_at_once(), Spec::reserve(A, K), Spec::confirm(A, K), Spec::resolver(1)],
        )
    },
    Config {
        shows: &[Rule::MoveSold],
        child_ops: 3,
        slow: true,
        ..Config::new(
            "child",
            "a child is opened, sells, is folded and deleted",
            &[Spec::sell(A, KH), Spec::sell(B, KH), Spec::resolver(1).eager()],
        )
    },
    Config {
        shows: &[Rule::NumberOnce],
        home: 2,
        child_ops: 4,
        ..Config::new("number", "a child after a child", &[Spec::sell(A, K), Spec::resolver(2).eager()])
    },
    // Orders of a queue.
    Config {
        shows: &[Rule::RecordBeforeRelease],
        home: 2,
        c_is_sold: true,
        ..Config::new(
            "batch",
            "a batch that settles, delivered twice; one unit too few",
            &[Spec::batch(), Spec::batch(), Spec::resolver(1)],
        )
    },
    Config {
        shows: &[Rule::HoldOnce, Rule::Watermark],
        home: 5,
        c_is_sold: true,
        ticks: 3,
        ..Config::new(
            "batch-settle",
            "the same with units to spare, settled early",
            &[Spec::batch(), Spec::batch(), Spec::resolver(2).eager()],
        )
    },
    Config {
        home: 2,
        c_is_sold: true,
        ..Config::new(
            "batch-and-sale",
            "a batch, and one of its orders comes alone",
            &[Spec::batch(), Spec::sell(A, H), Spec::resolver(1)],
        )
    },
    // Clocks and time.
    Config {
        slow: true,
        skews: &[&[1, 1, 1, 0], &[0, 0, 0, 1], &[1, 0, 0, 0], &[-1, 0, 0, 0], &[0, 0, 1, 1]],
        ..Config::new(
            "clocks",
            "as `retry`, with clocks one tick apart",
            &[Spec::reserve(A, H), Spec::reserve(A, H), Spec::confirm(A, H), Spec::resolver(1)],
        )
    },
    Config {
        skews: &[&[1, 1, 0], &[0, 0, 1], &[1, 0, 0], &[1, 0, 1]],
        ..Config::new(
            "sale-clocks",
            "as `sale`, with clocks one tick apart and one hold resolved",
            &[Spec::sell(A, H), Spec::sell(A, H), Spec::resolver(1)],
        )
    },
    Config {
        shows: &[Rule::Grace],
        ticks: 7,
        life: 2,
        window: 2,
        grace: 2,
        ..Config::new(
            "long",
            "as `purge`, with twice as many ticks in everything",
            &[Spec::reserve(A, H), Spec::reserve(A, H), Spec::resolver(2)],
        )
    },
    Config {
        copies: 2,
        home: 2,
        ..Config::new(
            "two-copies",
            "two writes under way at the same time",
            &[Spec::reserve(A, H), Spec::confirm(A, H), Spec::resolver(2).eager()],
        )
    },
    Config {
        window: 2,
        grace: 2,
        home: 2,
        ..Config::new(
            "short-life",
            "a hold that is shorter than a signature's life",
            &[Spec::sell(A, H), Spec::sell(A, H), Spec::resolver(1)],
        )
    },
    // Larger ones.
    Config {
        slow: true,

        ..Config::new(
            "payments",
            "a reservation, its retry, two payments, a resolver",
            &[Spec::reserve(A, H), Spec::reserve(A, H), Spec::confirm(A, H), Spec::confirm(A, H), Spec::resolver(1)],
        )
    },
    Config {
        copies: 2,
        slow: true,
        ..Config::new(
            "sale-two-copies",
            "a sale and its retry, two writes under way",
            &[Spec::sell(A, H), Spec::sell(A, H), Spec::resolver(1)],
        )
    },
    Config {
        slow: true,
        copies: 2,
        home: 3,
        c_is_sold: true,
        ..Config::new(
            "batch-two-copies",
            "a batch, delivered twice, two writes under way",
            &[Spec::batch(), Spec::batch(), Spec::resolver(2).eager()],
        )
    },
    Config {
        slow: true,
        child_ops: 3,
        home: 2,
        ..Config::new(
            "child-and-retry",
            "a sale and its retry while children come and go",
            &[Spec::sell(A, KH), Spec::sell(A, HK), Spec::resolver(2).eager()],
        )
    },
    Config {
        copies: 2,
        slow: true,
        ..Config::new(
            "extend-two-copies",
            "extending, canceling and paying, two writes under way",
            &[Spec::reserve(A, H), Spec::extend(A), Spec::cancel(A), Spec::confirm(A, H), Spec::resolver(1)],
        )
    },
];
