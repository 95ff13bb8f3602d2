//! A day with four channels: the own store, Amazon, eBay and Walmart sell from one shelf, while webhooks are lost and come twice, numbers
//! are applied late, and one channel is down for an hour. The real handlers, the real store, the real connectors and the real AWS SDK
//! run over the simulation's table and the marketplaces' faces, on one thread, in virtual time, from one seed.
//!
//! | module | holds |
//! |---|---|
//! | [`plan`] | what a seed decides: the shelf, who comes, what is down |
//! | [`cloud`], [`fifo`] | AWS: the table with its index and its stream, the queues |
//! | [`functions`] | the handlers, as AWS calls them |
//! | [`vendors`] | the marketplaces behind the connectors' transport |
//! | [`shoppers`] | who buys, and what marketplaces tell of it |
//! | [`ledger`] | what is seen of all this from outside |
//! | [`run`] | one day under one approach |
//! | [`judge`], [`cause`] | whether what was promised was kept; where a shortfall came from |
//! | [`report`], [`arguments`] | the table of all approaches; the command line |

pub mod arguments;
pub mod cause;
pub mod cloud;
pub mod fifo;
pub mod functions;
pub mod judge;
pub mod ledger;
pub mod plan;
pub mod report;
pub mod run;
pub mod shoppers;
pub mod vendors;

use std::{process::ExitCode, thread};

use crate::{
    judge::Judgement,
    plan::{Day, Plan},
    run::Approach,
};

/// Runs a day under these approaches, two at a time; prints the table; fails if a promise was broken.
///
/// # Panics
/// When a run does.
#[must_use]
pub fn show(plan: Plan, approaches: &[Approach]) -> ExitCode {
    let day = Day::draw(plan);
    println!("{}", report::day(&day));
    let judgements: Vec<Judgement> = thread::scope(|scope| {
        let mut judgements = Vec::new();
        for some in approaches.chunks(2) {
            let runs: Vec<_> = some.iter().map(|approach| scope.spawn(|| run::run(&day, *approach))).collect();
            judgements.extend(runs.into_iter().map(|run| run.join().expect("a run does not panic")));
        }
        judgements
    });
    for judgement in &judgements {
        print!("{}", report::details(judgement));
    }
    print!("\n{}", report::table(&judgements));
    let is_broken = judgements.iter().any(|judgement| !judgement.broken.is_empty());
    if is_broken { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
