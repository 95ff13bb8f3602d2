//! The tables, and whether Holdfast meets its goals.
//!
//! 1. *Side by side*: all designs, the same shoppers, few units, from calm to a rush.
//! 2. *Sustained*: a supply that does not end, more shoppers than anybody can serve; the designs, and Holdfast with the quota raised, with
//!    a peak that nobody announced, and once the units that were opened ahead are gone.
//! 3. *Other assumptions*: where the model is stricter than the documentation is clear, what a kinder `DynamoDB` would change.
//! 4. *Goals*: what the product as it is, design (c), is held to.

use std::{
    fmt::Write,
    sync::Mutex,
    thread::{available_parallelism, scope},
    time::Duration,
};

use crate::{
    Product, count,
    limits::{DOLLARS_PER_MILLION_READS, DOLLARS_PER_MILLION_WRITES, Limits},
    market::Demand,
    run::{Kind, Outcome, Scenario},
};

/// Reserved, and confirmed, each second on one SKU of a warm table.
pub const GOAL_PER_SECOND: f64 = 18_000.0;
/// Write units for an order.
pub const GOAL_WRITES: f64 = 3.3;
/// Nobody is told "sold out" while units have been free for longer, in seconds.
pub const GOAL_WRONG_SECONDS: f64 = 2.0;

/// The quota at which the first goal is judged: 18,000 orders of 3.1 write units do not fit in the default quota, and a table that is used
/// up to the last unit throttles some.
pub const RAISED_WCU: f64 = 65_000.0;
/// Orders that a process serves at least in a run whose price is judged: one that has never met the SKU begins with a write to its home,
/// so a process that only ever serves a few orders is mostly learning.
const ORDERS_PER_PROCESS: u32 = 20;

/// Between reserving and paying, in seconds. Assumed, and short: so a steady state is reached soon.
const PAYS_AFTER_SECONDS: (f64, f64) = (1.0, 4.0);
/// Shoppers who cancel. Assumed: enough that units come back after a SKU was sold out.
const CANCELS: f64 = 0.02;
/// How long the sustained run lasts, and from when on it is measured, in seconds: payments have come in for a while. It ends before the
/// units that were opened ahead of an announced peak do: 262,144 are gone after some 13 seconds.
const SUSTAINED_SECONDS: (f64, f64) = (8.0, 5.0);
/// The same for the run that goes on after those units are gone, and is measured only then.
const AFTERWARDS_SECONDS: (f64, f64) = (40.0, 20.0);
/// How long whoever waits still is waited for. Assumed: nobody waits longer for an order.
const DRAINS: Duration = Duration::from_mins(2);
/// How long a process is busy with a call at most, in seconds, to guess how many processes there are. Assumed.
const BUSY_SECONDS: f64 = 0.05;

/// What is asked on the command line.
#[derive(Debug, Clone)]
pub struct Asked {
    /// All randomness.
    pub seed: u64,
    /// Shoppers a second, for each block of the first table.
    pub buyers: Vec<u32>,
    /// Units in the first table.
    pub units: u32,
    /// Shoppers a second in the second table.
    pub sustained_buyers: u32,
    /// Units in the second table.
    pub sustained_units: u32,
    /// Shoppers a second in the third table.
    pub assumed_buyers: u32,
}

/// A line of a table.
struct Row {
    name: String,
    scenario: Scenario,
    /// From when on a second counts.
    from: Duration,
}

/// The text, and whether the goals are met.
#[must_use]
pub fn report(asked: &Asked) -> (String, bool) {
    let tables = [side_by_side(asked), sustained(asked), assumptions(asked)];
    let mut outcomes = run_all(tables.iter().flatten().map(|row| &row.scenario).collect()).into_iter();
    let [side, sustained, assumptions] =
        tables.map(|rows| rows.into_iter().zip(outcomes.by_ref()).collect::<Vec<(Row, Outcome)>>());

    let mut text = format!("A model under documented limits, not a measurement. Seed {}.\n", asked.seed);
    let table =
        |text: &mut String, title: String, head: &str, rows: &[(Row, Outcome)], line: fn(&Row, &Outcome) -> String| {
            let lines: String = rows.iter().map(|(row, outcome)| line(row, outcome)).collect();
            let _ = write!(text, "\n{title}\n\n{head}{lines}");
        };
    let title = format!("1. Side by side: {} units, a table quota of {}", asked.units, quota(&Limits::default()));
    table(&mut text, title, HEAD, &side, line);
    let title = format!("2. Sustained: {} units, {} buyers/s", asked.sustained_units, asked.sustained_buyers);
    table(&mut text, title, SUSTAINED_HEAD, &sustained, sustained_line);
    let title = format!("3. (c) under other assumptions: {} units, {} buyers/s", asked.units, asked.assumed_buyers);
    table(&mut text, title, HEAD, &assumptions, line);
    let goals = goals(&side, &sustained);
    let afterwards = sustained.iter().filter(|(row, _)| row.name == AFTERWARDS);
    let afterwards = afterwards.map(|(row, outcome)| both(row, outcome)).fold(0.0, f64::max);
    text += "\nGoals of (c), the product as it is\n\n";
    for (met, goal) in &goals {
        let _ = writeln!(text, "{} {goal}", if *met { "met   " } else { "MISSED" });
    }
    let (to, from) = AFTERWARDS_SECONDS;
    let _ = writeln!(
        text,
        "       {afterwards:.0} reserved and confirmed/s from second {from} to {to} of that peak, once the units opened ahead are gone: no goal"
    );
    (text, goals.iter().all(|(met, _)| *met))
}

fn goals(side: &[(Row, Outcome)], sustained: &[(Row, Outcome)]) -> [(bool, String); 3] {
    let sustained = sustained.iter().filter(|(row, _)| row.name == NAMES[2]);
    let raised = sustained.filter(|(row, _)| row.scenario.limits.table_wcu_per_second >= RAISED_WCU);
    let raised: Vec<_> = raised.take(1).collect();
    let side: Vec<_> = side.iter().filter(|(row, _)| row.name == NAMES[2]).collect();
    let per_second = raised.iter().map(|(row, outcome)| both(row, outcome)).fold(0.0, f64::max);
    let judged = side.iter().filter(|(row, _)| is_judged(&row.scenario)).chain(&raised);
    let writes = judged.map(|(_, outcome)| writes_of_payers(outcome)).fold(0.0, f64::max);
    let wrong =
        side.iter().chain(&raised).map(|(_, outcome)| outcome.tally.longest_wrong.as_secs_f64()).fold(0.0, f64::max);
    [
        (
            per_second >= GOAL_PER_SECOND,
            format!(
                "{per_second:.0} reserved and confirmed/s with a quota of {RAISED_WCU} WCU/s, at least {GOAL_PER_SECOND}, \
                 in the first {} s of an announced peak",
                SUSTAINED_SECONDS.0
            ),
        ),
        (
            writes <= GOAL_WRITES,
            format!("{writes:.2} WCU per order that is paid, where it is dearest, at most {GOAL_WRITES}"),
        ),
        (
            wrong <= GOAL_WRONG_SECONDS,
            format!("\"sold out\" while units were free for {wrong:.2} s, at most {GOAL_WRONG_SECONDS} s"),
        ),
    ]
}

/// Whether a run is long enough for what a process learns at its beginning not to be most of what it does.
fn is_judged(scenario: &Scenario) -> bool {
    scenario.demand.units >= ORDERS_PER_PROCESS * scenario.product.processes
}

/// Without those who let their unit go: they are no orders.
fn writes_of_payers(outcome: &Outcome) -> f64 {
    (outcome.tally.writes - outcome.tally.let_go_writes) / orders(outcome)
}

const NAMES: [&str; 4] = ["(a) one item", "(b) 16 shards", "(c) Holdfast", "(d) its queue"];

/// What Holdfast carries when shoppers open the children that they need.
const AFTERWARDS: &str = "(c) once the units opened ahead are gone";

const HEAD: &str = "buyers/s  design                    reserved/s  sold out at  p50 ms   p99 ms  refused though there  wrong for  \
                    WCU/order  RCU/order  $/M orders\n";

const SUSTAINED_HEAD: &str = "design                                          WCU/s quota  reserved/s  confirmed/s  p50 ms   p99 ms  \
                              WCU/order  RCU/order\n";

fn side_by_side(asked: &Asked) -> Vec<Row> {
    let rows = asked.buyers.iter().flat_map(|buyers| {
        let demand = demand(*buyers, asked.units, lasts(asked.units, *buyers));
        let product = Product { processes: processes(*buyers), ..Product::default() };
        Kind::ALL.into_iter().zip(NAMES).map(move |(kind, name)| {
            let product = product.clone();
            let (demand, limits) = (demand.clone(), Limits::default());
            let scenario = Scenario { kind, demand, limits, product, seed: asked.seed };
            Row { name: name.to_owned(), scenario, from: Duration::ZERO }
        })
    });
    rows.collect()
}

fn sustained(asked: &Asked) -> Vec<Row> {
    let buyers = asked.sustained_buyers;
    let demand = demand(buyers, asked.sustained_units, SUSTAINED_SECONDS.0);
    let product = Product { processes: processes(buyers), ..Product::default() };
    let usual = Limits::default();
    let raised = |wcu: f64| Limits { table_wcu_per_second: wcu, ..usual.clone() };
    let row = |name: &str, kind, limits: Limits, product: &Product| {
        let (demand, product) = (demand.clone(), product.clone());
        let scenario = Scenario { kind, demand, limits, product, seed: asked.seed };
        Row { name: name.to_owned(), scenario, from: Duration::from_secs_f64(SUSTAINED_SECONDS.1) }
    };
    let mut afterwards = row(AFTERWARDS, Kind::Ours, raised(RAISED_WCU), &product);
    afterwards.scenario.demand.lasts = Duration::from_secs_f64(AFTERWARDS_SECONDS.0);
    afterwards.from = Duration::from_secs_f64(AFTERWARDS_SECONDS.1);
    vec![
        row(NAMES[0], Kind::OneItem, usual.clone(), &product),
        row(NAMES[1], Kind::Sharded, usual.clone(), &product),
        row(NAMES[2], Kind::Ours, usual.clone(), &product),
        row(NAMES[3], Kind::Queue, usual.clone(), &product),
        row(NAMES[2], Kind::Ours, raised(RAISED_WCU), &product),
        row(NAMES[2], Kind::Ours, raised(80_000.0), &product),
        row("(c) unannounced", Kind::Ours, raised(RAISED_WCU), &Product { announced: false, ..product.clone() }),
        row(NAMES[3], Kind::Queue, raised(RAISED_WCU), &product),
        afterwards,
    ]
}

/// The same shoppers at the same product, where `DynamoDB` is kinder than the model's assumptions.
fn assumptions(asked: &Asked) -> Vec<Row> {
    let usual = Limits::default();
    let second = Limits { smoothing_seconds: 1.0, ..usual.clone() };
    let burst = Limits { burst_seconds: 300.0, ..usual.clone() };
    let reads = Limits { table_rcu_per_second: 400_000.0, ..burst.clone() };
    let cases = [
        ("as above", usual),
        ("a second's units at once", second),
        ("bursts of 300 s", burst),
        ("and 400,000 RCU/s", reads),
    ];
    let rows = cases.into_iter().map(|(name, limits)| {
        let lasts = lasts(asked.units, asked.assumed_buyers);
        let (demand, processes) = (demand(asked.assumed_buyers, asked.units, lasts), processes(asked.assumed_buyers));
        let product = Product { processes, ..Product::default() };
        Row {
            name: name.to_owned(),
            scenario: Scenario { kind: Kind::Ours, demand, limits, product, seed: asked.seed },
            from: Duration::ZERO,
        }
    });
    rows.collect()
}

/// Long enough to sell all at the pace of the shoppers, and at some thousands a second.
fn lasts(units: u32, buyers_per_second: u32) -> f64 {
    let least = if buyers_per_second < 5_000 { 12.0 } else { 4.0 };
    (f64::from(units) / f64::from(buyers_per_second) * 1.2).max(least)
}

fn demand(buyers_per_second: u32, units: u32, lasts: f64) -> Demand {
    Demand {
        buyers_per_second,
        units,
        lasts: Duration::from_secs_f64(lasts),
        drains: DRAINS,
        tail: Duration::from_secs(3),
        pays_after_seconds: PAYS_AFTER_SECONDS,
        cancels: CANCELS,
    }
}

/// As many as are busy at a time, and no more than a Lambda account has by default.
fn processes(buyers_per_second: u32) -> u32 {
    (10..1_000).find(|count| f64::from(*count) >= f64::from(buyers_per_second) * BUSY_SECONDS).unwrap_or(1_000)
}

/// Runs them on all cores. Each depends on its seed alone, so the order does not matter.
fn run_all(scenarios: Vec<&Scenario>) -> Vec<Outcome> {
    let outcomes: Mutex<Vec<Option<Outcome>>> = Mutex::new(vec![None; scenarios.len()]);
    // The last, which are the longest, first.
    let waiting: Mutex<Vec<(usize, &Scenario)>> = Mutex::new(scenarios.into_iter().enumerate().collect());
    let work = || {
        loop {
            let Some((at, scenario)) = waiting.lock().ok().and_then(|mut waiting| waiting.pop()) else { return };
            let outcome = scenario.run();
            if let Ok(mut outcomes) = outcomes.lock() {
                outcomes[at] = Some(outcome);
            }
        }
    };
    scope(|threads| {
        for _ in 0..available_parallelism().map_or(1, std::num::NonZero::get) {
            threads.spawn(work);
        }
    });
    outcomes.into_inner().map(|outcomes| outcomes.into_iter().flatten().collect()).unwrap_or_default()
}

fn line(row: &Row, outcome: &Outcome) -> String {
    let tally = &outcome.tally;
    let lasted = outcome.sold_out_at.unwrap_or(row.scenario.demand.lasts);
    let while_there = tally.reserved.iter().filter(|(at, _)| *at <= lasted).count();
    let while_there = count(while_there);
    let wrongly = f64::from(tally.sold_out_wrongly) + f64::from(tally.contended_wrongly);
    let share = 100.0 * wrongly / (wrongly + while_there).max(1.0);
    let sold_out = outcome.sold_out_at.map_or("never".to_owned(), |at| format!("{:.1} s", at.as_secs_f64()));
    let [p50, p99] = percentiles(outcome);
    format!(
        "{:>8}  {:<24}{:>12.0}{:>13}{p50:>8.0}{p99:>9.0}{share:>20.1} %{:>9.2} s{:>11.2}{:>11.1}{:>12.2}\n",
        row.scenario.demand.buyers_per_second,
        row.name,
        while_there / lasted.as_secs_f64(),
        sold_out,
        tally.longest_wrong.as_secs_f64(),
        writes_per_order(outcome),
        reads_per_order(outcome),
        writes_per_order(outcome) * DOLLARS_PER_MILLION_WRITES + reads_per_order(outcome) * DOLLARS_PER_MILLION_READS,
    )
}

fn sustained_line(row: &Row, outcome: &Outcome) -> String {
    let [reserved, confirmed] = per_second(row, outcome);
    let [p50, p99] = percentiles(outcome);
    let (writes, reads) = (writes_per_order(outcome), reads_per_order(outcome));
    let quota = row.scenario.limits.table_wcu_per_second;
    let name = &row.name;
    format!("{name:<48}{quota:>11}{reserved:>12.0}{confirmed:>13.0}{p50:>8.0}{p99:>9.0}{writes:>11.2}{reads:>11.1}\n")
}

/// Reservations and confirmations a second, once payments come in as well.
fn per_second(row: &Row, outcome: &Outcome) -> [f64; 2] {
    let (from, to) = (row.from, row.scenario.demand.lasts);
    let within = |at: &&Duration| **at >= from && **at < to;
    let seconds = to.saturating_sub(from).as_secs_f64();
    let reserved = outcome.tally.reserved.iter().map(|(at, _)| at).filter(within).count();
    let confirmed = outcome.tally.confirmed.iter().filter(within).count();
    [reserved, confirmed].map(|things| count(things) / seconds)
}

/// Whichever is less.
fn both(row: &Row, outcome: &Outcome) -> f64 {
    let [reserved, confirmed] = per_second(row, outcome);
    reserved.min(confirmed)
}

fn orders(outcome: &Outcome) -> f64 {
    count(outcome.tally.confirmed.len()).max(1.0)
}

fn writes_per_order(outcome: &Outcome) -> f64 {
    outcome.tally.writes / orders(outcome)
}

fn reads_per_order(outcome: &Outcome) -> f64 {
    outcome.tally.reads / orders(outcome)
}

/// The median and the 99th percentile of the reservations that were made, in milliseconds.
fn percentiles(outcome: &Outcome) -> [f64; 2] {
    let mut all: Vec<Duration> = outcome.tally.reserved.iter().map(|(_, waited)| *waited).collect();
    all.sort_unstable();
    [50, 99].map(|share| all.get(all.len() * share / 100).map_or(0.0, |waited| waited.as_secs_f64() * 1_000.0))
}

fn quota(limits: &Limits) -> String {
    format!("{} WCU/s on {} partitions", limits.table_wcu_per_second, limits.partitions())
}
