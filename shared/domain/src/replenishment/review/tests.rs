use proptest::prelude::*;

use super::*;
use crate::{purchase::sizing::Terms, replenishment::settings::SafetyStock, time::DAY_SECONDS};

const TODAY: Day = Day::from_epoch_days(20_000);

fn noon() -> Timestamp {
    TODAY.begins_at().plus_seconds(DAY_SECONDS / 2)
}

fn sku() -> Sku {
    "tea".parse().unwrap()
}

fn sight(available: u64, on_order: u64) -> Sight {
    let (sold, given_back) = (0, 0);
    Sight { available, reserved: 0, sold, given_back, shortfall: 0, on_order, promised: 0, arrived: 0, as_of: noon() }
}

/// Ten a day for the whole window.
fn ten_a_day() -> Vec<DayOfSales> {
    (1..=28).map(|ago| DayOfSales { day: TODAY.minus_days(ago), units: 10, out_seconds: 0 }).collect()
}

fn settings() -> Settings {
    Settings { supplier: "acme".parse().ok(), ..Settings::new(7, SafetyStock::Percent(20)) }
}

fn look(learned: &Learned, days: Option<&[DayOfSales]>, sight: &Sight) -> Review {
    let (sku, settings) = (sku(), settings());
    review(&Look { sku: &sku, settings: &settings, terms: 1, learned, days, sight })
}

fn opened(review: &Review) -> &Alert {
    let Some(Turn::Opened(alert)) = &review.turn else { panic!("{review:?}") };
    alert
}

/// Knows ten a day, and has no alert.
fn learned() -> Learned {
    look(&Learned::default(), Some(&ten_a_day()), &sight(1_000, 0)).learned
}

#[test]
fn an_alert_opens_at_the_reorder_point_and_not_above_it() {
    for (available, on_order, opens) in [(85, 0, false), (84, 0, true), (0, 0, true), (0, 85, false), (80, 4, true)] {
        let review = look(&learned(), None, &sight(available, on_order));
        assert_eq!(review.reorder.units, 84);
        assert_eq!(matches!(review.turn, Some(Turn::Opened(_))), opens, "{available} {on_order}");
    }
    let review = look(&learned(), None, &sight(84, 0));
    let alert = opened(&review);
    assert_eq!(
        (&alert.id, alert.reorder_point, alert.quantity.map(Quantity::units)),
        (&AlertId::of(&sku(), 1), 84, Some(140))
    );
    assert_eq!((&alert.supplier, alert.on_alert), (&"acme".parse().ok(), OnAlert::Tell));
    let open = review.learned.open.clone().unwrap();
    assert_eq!((open.id, open.supply, open.terms, review.learned.episodes), (alert.id.clone(), 84, 1, 1));
}

#[test]
fn what_is_owed_is_short_even_without_a_reorder_point() {
    let nothing_sells = Learned { looked_on: Some(TODAY), ..Learned::default() };
    assert_eq!(look(&nothing_sells, None, &sight(0, 0)).turn, None);
    let owed = Sight { shortfall: 2, ..sight(0, 0) };
    assert_eq!(opened(&look(&nothing_sells, None, &owed)).quantity, Quantity::new(3).ok());
}

#[test]
fn an_open_alert_closes_only_when_supply_has_come() {
    let first = look(&learned(), None, &Sight { reserved: 10, ..sight(80, 0) }).learned;
    let cases = [
        ("a hold expired", Sight { ..sight(90, 0) }, false),
        ("some was sold", Sight { reserved: 0, sold: 10, ..sight(80, 0) }, false),
        ("what was sold is canceled", Sight { reserved: 0, sold: 10, given_back: 10, ..sight(90, 0) }, false),
        ("too little came", Sight { reserved: 10, ..sight(84, 0) }, false),
        ("enough came", Sight { reserved: 10, ..sight(85, 0) }, true),
        ("enough is on its way", Sight { reserved: 10, ..sight(80, 5) }, true),
        ("enough came, and was sold at once", Sight { reserved: 0, sold: 60, ..sight(80, 0) }, false),
        ("what came covers what was owed", Sight { shortfall: 3, reserved: 10, ..sight(88, 0) }, true),
        ("enough is on its way, and promised", Sight { reserved: 10, promised: 5, ..sight(80, 5) }, false),
        ("a promise ended", Sight { reserved: 10, promised: 4, ..sight(80, 9) }, true),
        ("what came was waited for, and more is free", Sight { reserved: 10, arrived: 5, ..sight(85, 0) }, true),
    ];
    for (name, sight, closes) in cases {
        let review = look(&first, None, &sight);
        let closed = review.turn == Some(Turn::Closed(AlertId::of(&sku(), 1)));
        assert_eq!((closed, review.turn.is_some()), (closes, closes), "{name}");
        assert_eq!(review.learned.open.is_none(), closes, "{name}");
    }
    let again = look(&look(&first, None, &sight(90, 50)).learned, None, &sight(70, 0));
    assert_eq!(opened(&again).id, AlertId::of(&sku(), 2), "another shortage is another alert");
}

#[test]
fn an_alert_that_no_supply_will_close_is_over_the_next_day_if_the_position_is_above_the_point() {
    // An order of 60 that is not paid yet opens it, and is given up.
    let open = look(&learned(), None, &Sight { reserved: 60, ..sight(60, 0) }).learned;
    assert_eq!(open.open.as_ref().map(|open| open.supply), Some(120));
    assert_eq!(look(&open, None, &sight(120, 0)).turn, None, "not yet: the next order would open another one");
    let tomorrow = |available| Sight { as_of: noon().plus_seconds(DAY_SECONDS), ..sight(available, 0) };
    let days: Vec<DayOfSales> =
        (0..28).map(|ago| DayOfSales { day: TODAY.minus_days(ago), units: 10, out_seconds: 0 }).collect();
    assert_eq!(look(&open, Some(&days), &tomorrow(84)).turn, None, "it is short still");
    let closed = look(&open, Some(&days), &tomorrow(120));
    assert_eq!(closed.turn, Some(Turn::Closed(AlertId::of(&sku(), 1))));
    let again = look(&closed.learned, None, &tomorrow(80));
    assert_eq!(opened(&again).id, AlertId::of(&sku(), 2), "somebody is told when it really sells out");
    let cleared = Learned { looked_on: None, ..open };
    assert_eq!(look(&cleared, Some(&days), &sight(120, 0)).turn, None, "the same day, after a file was imported");
}

#[test]
fn other_terms_may_close_an_alert_too() {
    let open = look(&learned(), None, &sight(84, 0)).learned;
    let (sku, sight) = (sku(), sight(84, 0));
    for (lead_time, terms, closes) in [(7, 1, false), (7, 2, false), (3, 1, false), (3, 2, true)] {
        let settings = Settings { lead_time_days: lead_time, ..settings() };
        let look = Look { sku: &sku, settings: &settings, terms, learned: &open, days: None, sight: &sight };
        assert_eq!(review(&look).turn.is_some(), closes, "{lead_time} {terms}");
    }
}

#[test]
fn an_order_follows_the_terms_of_the_supplier() {
    let demand = learned().demand;
    for (pack, minimum, position, ordered) in [
        (1, 1, 84, Some(140)),
        (1, 1, -6, Some(230)),
        (24, 1, 84, Some(144)),
        (1, 500, 84, Some(500)),
        (1, 1, 85, None),
    ] {
        let quantity = |units| Quantity::new(units).unwrap();
        let settings = Settings { supplies: Terms { pack: quantity(pack), minimum: quantity(minimum) }, ..settings() };
        let reorder = ReorderPoint::of(&settings, demand.as_ref());
        let found = super::quantity(&settings, demand.as_ref(), &reorder, position);
        assert_eq!(found.map(Quantity::units), ordered, "{settings:?} {position}");
    }
}

#[test]
fn the_average_is_taken_once_a_day_and_kept_where_the_window_says_nothing() {
    let known = learned();
    assert!(!known.is_due(noon()) && known.is_due(TODAY.plus_days(1).begins_at()));
    assert_eq!(known.known, Known { told: None, watched_since: Some(TODAY.minus_days(28)) });
    let empty: Vec<DayOfSales> =
        (1..=28).map(|ago| DayOfSales { day: TODAY.minus_days(ago), units: 0, out_seconds: DAY_SECONDS }).collect();
    let later = look(&known, Some(&empty), &sight(1_000, 0)).learned;
    assert_eq!(later.demand, known.demand, "nothing was there to be sold");
}

#[test]
fn seconds_without_stock_are_written_to_their_days() {
    let (day, half) = (DAY_SECONDS, DAY_SECONDS / 2);
    let at = |seconds: u64| TODAY.begins_at().plus_seconds(seconds);
    let cases = [
        ("there is stock", None, 5, noon(), None, vec![]),
        ("it runs out", None, 0, noon(), Some(noon()), vec![]),
        ("it is still out, the same day", Some(at(60)), 0, noon(), Some(at(60)), vec![]),
        ("it comes back the same day", Some(at(60)), 5, noon(), None, vec![(TODAY, half - 60)]),
        ("it is still out the next day", Some(at(0)), 0, at(day + 5), Some(at(day)), vec![(TODAY, day)]),
        (
            "it comes back after two nights",
            Some(at(half)),
            5,
            at(2 * day + 60),
            None,
            vec![(TODAY, half), (TODAY.plus_days(1), day), (TODAY.plus_days(2), 60)],
        ),
        ("it comes back at midnight", Some(at(half)), 5, at(day), None, vec![(TODAY, half)]),
    ];
    for (name, since, available, now, next, out) in cases {
        let sight = Sight { as_of: now, ..sight(available, 10_000) };
        let review = look(&Learned { out_since: since, ..learned() }, None, &sight);
        assert_eq!((review.learned.out_since, review.out), (next, out), "{name}");
    }
    let long_ago = Learned { out_since: Some(TODAY.minus_days(200).begins_at()), ..learned() };
    assert_eq!(look(&long_ago, None, &sight(5, 10_000)).out.len(), 91);
}

#[test]
fn what_is_out_of_stock_now_counts_for_the_average_of_the_same_look() {
    let half = DAY_SECONDS / 2;
    let yesterday = TODAY.minus_days(1);
    let learned = Learned {
        out_since: Some(yesterday.begins_at().plus_seconds(half)),
        known: Known { told: Some((yesterday.minus_days(1), yesterday)), watched_since: None },
        ..Learned::default()
    };
    let days = [
        DayOfSales { day: yesterday.minus_days(1), units: 10, out_seconds: 0 },
        DayOfSales { day: yesterday, units: 5, out_seconds: 0 },
    ];
    let demand = look(&learned, Some(&days), &sight(5, 0)).learned.demand.unwrap();
    assert_eq!((demand.units, demand.in_stock_seconds), (15, DAY_SECONDS + half));
}

/// What can happen to a SKU.
#[derive(Debug, Clone, Copy)]
enum Step {
    Hold(u64),
    Expire(u64),
    Pay(u64),
    Cancel(u64),
    Midnight,
    Order(u64),
    Receive(u64),
    Count(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let units = 1..40_u64;
    prop_oneof![
        4 => units.clone().prop_map(Step::Hold),
        4 => units.clone().prop_map(Step::Expire),
        3 => units.clone().prop_map(Step::Pay),
        2 => units.clone().prop_map(Step::Cancel),
        1 => Just(Step::Midnight),
        1 => units.clone().prop_map(Step::Order),
        1 => units.clone().prop_map(Step::Receive),
        1 => units.prop_map(Step::Count),
    ]
}

proptest! {
    #[test]
    fn between_two_alerts_supply_has_come(steps in proptest::collection::vec(step(), 1..200)) {
        let (mut known, mut sight) = (learned(), sight(120, 0));
        let (mut alerts, mut raised, mut midnights) = (0, 0, 0);
        // What there is in all, counted without looking at where it is.
        let (mut there, mut there_then) = (120, 0);
        for step in steps {
            let mut days = None;
            match step {
                Step::Hold(units) => { let n = units.min(sight.available); sight.available -= n; sight.reserved += n; }
                Step::Expire(units) => { let n = units.min(sight.reserved); sight.reserved -= n; sight.available += n; }
                Step::Pay(units) => { let n = units.min(sight.reserved); sight.reserved -= n; sight.sold += n; }
                // A paid order of a marketplace is canceled before it is shipped.
                Step::Cancel(units) => {
                    let n = units.min(sight.sold - sight.given_back);
                    sight.given_back += n;
                    sight.available += n;
                }
                Step::Midnight => {
                    sight.as_of = sight.as_of.plus_seconds(DAY_SECONDS);
                    midnights += 1;
                    let today = Day::of(sight.as_of);
                    let day = |ago| DayOfSales { day: today.minus_days(ago), units: 10, out_seconds: 0 };
                    days = Some((1..=28).map(day).collect::<Vec<_>>());
                }
                Step::Order(units) => { sight.on_order += units; there += units; raised += 1; }
                Step::Receive(units) => { let n = units.min(sight.on_order); sight.on_order -= n; sight.available += n; }
                Step::Count(units) => { let n = units.min(sight.available); sight.available -= n; there -= n; }
            }
            let before = known.open.clone();
            let review = look(&known, days.as_deref(), &sight);
            let point = review.reorder.units.cast_signed();
            if let Some(Turn::Opened(alert)) = &review.turn {
                prop_assert_eq!(before, None);
                there_then = there;
                alerts += 1;
                prop_assert_eq!(&alert.id, &AlertId::of(&sku(), alerts));
                prop_assert!(sight.position() <= point && sight.position() + alert.quantity.unwrap().units().cast_signed() > point);
            }
            if let Some(Turn::Closed(_)) = &review.turn {
                prop_assert!(there > there_then || days.is_some(), "nothing has come since it opened");
            }
            known = review.learned;
            prop_assert!(known.open.is_some() || sight.position() > point, "nobody was told");
        }
        prop_assert!(alerts <= 1 + raised + midnights, "{alerts} alerts, but supply came {raised} times in {midnights} days");
    }
}
