use std::time::Duration;
use holdfast_hot_sku::{Product, limits::Limits, market::Demand, run::{Kind, Scenario}};
fn main() {
    let w = Limits{ table_wcu_per_second: 80_000.0, table_rcu_per_second: 80_000.0, ..Limits::default()};
    let base = Product::default();
    let f1 = Product{tidies_empty_buckets:false, ..base.clone()};
    let f2 = Product{children_per_opening:32, ..f1.clone()};
    let f3 = Product{survey_at_most:Some(32), ..f2.clone()};
    let fp = Product{probes:2, ..f3.clone()};
    let f4 = Product{remembers_sold_out:Duration::from_secs(1), ..fp.clone()};
    let fa = Product{most_children_ahead: 40_000, ..f4.clone()};
    let w60 = Limits{ table_wcu_per_second: 60_000.0, ..Limits::default()};
    for (name, product, limits) in [("ahead", fa.clone(), Limits::default()), ("ahead p4", Product{probes:4, ..fa.clone()}, Limits::default()), ("ahead60", fa.clone(), w60), ("ahead80", fa, w)] {
    for (rate, units, lasts) in [(1000.0, 10_000, 15.0), (10_000.0, 10_000, 5.0), (30_000.0, 10_000, 5.0), (15_000.0, 1_000_000, 14.0), (20_000.0, 1_000_000, 14.0), (30_000.0, 1_000_000, 14.0)] {
        for kind in [Kind::Ours] {
            let demand = Demand { buyers_per_second: rate, units, lasts: Duration::from_secs_f64(lasts), tail: Duration::from_secs(3), pays_after_seconds: (2.0, 6.0), cancels: 0.02 };
            let processes = (rate * 0.05f64).ceil().clamp(2.0, 1000.0) as u32;
            let s = Scenario { kind, demand, limits: limits.clone(), product: Product { processes, ..product.clone() }, seed: 1 };
            let o = s.run();
            let t = &o.tally;
            let mut l: Vec<f64> = t.reserved.iter().map(|r| r.1.as_secs_f64()*1e3).collect(); l.sort_by(f64::total_cmp);
            let p = |q: f64| l.get((l.len() as f64 * q) as usize).copied().unwrap_or(0.0);
            let win = |v: &Vec<f64>| v.iter().filter(|x| **x >= 8.0 && **x < 14.0).count() as f64 / 6.0;
            let r: Vec<f64> = t.reserved.iter().map(|r| r.0.as_secs_f64()).collect();
            let c: Vec<f64> = t.confirmed.iter().map(|r| r.as_secs_f64()).collect();
            println!("{name} {rate} {units} so@{:?} res {} conf {} unconf {} win res {} conf {} p50 {:.1} p99 {:.1} wrongSO {} wrongCont {} SO {} Cont {} longest {:?} wcu/order {:.2} rcu/order {:.1} thr {} conf {} refW {:.1} refR {:.1}", o.sold_out_at, t.reserved.len(), t.confirmed.len(), t.unconfirmed, win(&r), win(&c), p(0.5), p(0.99), t.sold_out_wrongly, t.contended_wrongly, t.sold_out, t.contended, t.longest_wrong, t.writes / t.confirmed.len() as f64, t.reads / t.confirmed.len() as f64, o.throttled, o.conflicts, t.refusal_writes/(t.sold_out+t.contended) as f64, t.refusal_reads/(t.sold_out+t.contended) as f64);
        }
    }}
}
