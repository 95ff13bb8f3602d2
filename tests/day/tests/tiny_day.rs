//! A tiny day keeps what the whole one keeps.

use holdfast_day::{
    plan::{Day, Plan},
    report,
    run::{Approach, run},
};

#[test]
fn every_promise_is_kept_on_a_tiny_day() {
    let judgement = run(&Day::draw(Plan::TINY), Approach::Unified);
    assert!(judgement.broken.is_empty(), "{}", report::details(&judgement));
    let (own, markets, _) = judgement.orders;
    assert!(own > 20 && markets > 50, "a day on which nothing is sold proves nothing: {own} and {markets} orders");
}
