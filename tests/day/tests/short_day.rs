//! A short day under every approach keeps what the whole one keeps.

use holdfast_day::{
    plan::{Day, Plan},
    report,
    run::{Approach, run},
};

#[test]
fn every_approach_keeps_every_promise_on_a_short_day() {
    let day = Day::draw(Plan::SHORT);
    for approach in Approach::ALL {
        let judgement = run(&day, approach);
        assert!(judgement.broken.is_empty(), "{}", report::details(&judgement));
        println!("{}\n{}", report::details(&judgement), report::table(&[judgement]));
    }
}
