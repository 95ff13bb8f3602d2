//! Every write as DynamoDB gets it, in a file of its own: a change of a condition is a change that a reviewer sees.
//!
//! After a deliberate change: `INSTA_UPDATE=always cargo test -p holdfast-store golden`, and read the difference.

use domain::{
    bucket::{BucketId, Home, Role},
    group_commit::Commit,
    ids::Channel,
    movement::Movement,
    reservation::{CancelReason, Kind, Reservation, Status},
    stock::Settings,
};

use super::engine::{at, movement, order, rid, stock};
use crate::{
    table::Write,
    write::{child, credit, decide, group, hold, movement as moves, record, release, settings, settle},
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
        extensions: std::collections::BTreeMap::new(),
    }
}

#[test]
fn golden() {
    let home: BucketId = "tea#own".parse().unwrap();
    let fourth: BucketId = "tea#own#4".parse().unwrap();
    let id = rid("k");
    let three: domain::bucket::Hold = "3@1800000900".parse().unwrap();
    let window =
        Home { first_child: 2, next_child: 4, generation: 3, version: 1, expected_peak_per_second: 0, shortfall: 0 };
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
    insta::with_settings!({ snapshot_path => "../../tests/golden", prepend_module_to_snapshot => false, omit_expression => true }, {
        for (name, writes) in goldens {
            insta::assert_snapshot!(name, show(&writes));
        }
    });
}
