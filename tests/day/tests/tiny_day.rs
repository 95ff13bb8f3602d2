//! A tiny day keeps what the whole one keeps, under each approach.

use holdfast_day::{
    plan::{Day, Plan},
    report,
    run::{Approach, run},
};

#[test]
fn every_promise_is_kept_on_a_tiny_day() {
    for seed in 1..=3 {
        let day = Day::draw(Plan { seed, ..Plan::TINY });
        for approach in Approach::ALL {
            let judgement = run(&day, approach);
            assert!(judgement.broken.is_empty(), "seed {seed}, {}: {}", approach.name(), report::details(&judgement));
            let (own, markets, _) = judgement.orders;
            assert!(
                own > 20 && markets > 50,
                "a day on which nothing is sold proves nothing: {own} and {markets} orders"
            );
        }
    }
}
