//! What a person reads of a day.

use std::{collections::BTreeMap, fmt::Write};

use crate::{
    cause,
    judge::Judgement,
    plan::{Day, Millis, Place},
    run::clock,
};

/// Shortfalls of each approach that are told one by one.
const TOLD: usize = 5;

/// Broken promises of each approach that are told.
const BROKEN: usize = 20;

/// The day itself.
#[must_use]
pub fn day(day: &Day) -> String {
    let plan = day.plan;
    let wanted: u64 = day.wishes.iter().map(|wish| wish.units).sum();
    let shelf: u64 = day.shelf.iter().sum();
    let (place, down) = &day.down;
    format!(
        "seed {}: {} SKUs, {} shoppers who want {wanted} units, {shelf} units on the shelf, {} hours; {} is down from {} to {}",
        plan.seed,
        plan.skus,
        day.wishes.len(),
        plan.hours,
        place.name(),
        clock(down.start),
        clock(down.end)
    )
}

/// The table of all approaches.
#[must_use]
pub fn table(judgements: &[Judgement]) -> String {
    let mut text = String::new();
    let mut row = |name: &str, value: &dyn Fn(&Judgement) -> String| {
        let cells: Vec<String> = judgements.iter().map(|judgement| format!("{:>17}", value(judgement))).collect();
        let _ = writeln!(text, "{name:<44}{}", cells.concat());
    };
    row("", &|j| j.approach.name().to_owned());
    row("orders: own store", &|j| j.orders.0.to_string());
    row("orders: marketplaces", &|j| j.orders.1.to_string());
    row("units sold", &|j| j.orders.2.to_string());
    row("an order is recorded after: median", &|j| seconds(&j.heard, 500));
    row("  99 of 100", &|j| seconds(&j.heard, 990));
    row("a change is shown elsewhere after: median", &|j| seconds(&j.synced, 500));
    row("  99 of 100", &|j| seconds(&j.synced, 990));
    row("shortfalls: orders", &|j| j.shortfalls.len().to_string());
    row("  units", &|j| j.shortfalls.iter().map(|shortfall| shortfall.missing).sum::<u64>().to_string());
    for kind in ["the order was on its way", "the number was on its way", "the channel was down"] {
        let count =
            |j: &Judgement| j.shortfalls.iter().filter(|shortfall| cause::name(&shortfall.cause) == kind).count();
        row(&format!("  because {kind}"), &|j| count(j).to_string());
    }
    row("turned away: shoppers", &|j| j.refused.0.to_string());
    row("  units they wanted", &|j| j.refused.1.to_string());
    row("  idle: of these, there but not for them", &|j| j.refused.2.to_string());
    row("  left at midnight, of what they wanted", &|j| j.left.to_string());
    row("numbers pushed", &|j| j.pushes.to_string());
    for place in Place::MARKETS {
        row(&format!("  most of a listing in a day: {}", place.name()), &|j| j.most_pushes[&place].to_string());
    }
    row("all right again after the last change", &|j| j.settled_after.map_or("never".to_owned(), in_seconds));
    row("webhooks: sent", &|j| j.webhooks[0].to_string());
    row("  lost", &|j| j.webhooks[1].to_string());
    row("  sent twice", &|j| j.webhooks[2].to_string());
    row("requests to DynamoDB and SQS", &|j| j.requests.to_string());
    row("promises broken", &|j| j.broken.len().to_string());
    text
}

/// Some of the shortfalls, each with its moments; and every promise that was broken.
#[must_use]
pub fn details(judgement: &Judgement) -> String {
    let mut text = format!("{}:\n", judgement.approach.name());
    let mut by_kind: BTreeMap<&str, u64> = BTreeMap::new();
    for shortfall in &judgement.shortfalls {
        let told = by_kind.entry(cause::name(&shortfall.cause)).or_default();
        *told += 1;
        if *told > TOLD as u64 {
            continue;
        }
        let cause = &shortfall.cause;
        let shown = cause.shown_at.map_or("never".to_owned(), clock);
        let _ = writeln!(
            text,
            "  {} short, {}: {}. Taken {}, units gone {}, shown {shown}, recorded {}",
            shortfall.missing,
            shortfall.what,
            cause::name(cause),
            clock(cause.taken_at),
            clock(cause.gone_at),
            clock(cause.recorded_at),
        );
    }
    for broken in judgement.broken.iter().take(BROKEN) {
        let _ = writeln!(text, "  BROKEN: {broken}");
    }
    text
}

/// A part of a thousand, in seconds. The times are sorted.
fn seconds(times: &[Millis], in_a_thousand: usize) -> String {
    let place = times.len() * in_a_thousand / 1_000;
    times.get(place.min(times.len().saturating_sub(1))).map_or("-".to_owned(), |time| in_seconds(*time))
}

fn in_seconds(ms: Millis) -> String {
    format!("{}.{} s", ms / 1_000, ms % 1_000 / 100)
}
