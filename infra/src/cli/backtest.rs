//! `holdfast backtest`: what the service would have done with days that have been. Nothing is called: the rules are those of `domain`, the
//! very functions that the service looks at a SKU with.

use std::{path::PathBuf, process::ExitCode};

use domain::{
    ids::Sku,
    limits::{
        DEFAULT_COVER_DAYS, DEFAULT_WINDOW_DAYS, MAX_LEAD_TIME_DAYS, MAX_QUANTITY, MAX_SAFETY_PERCENT, MAX_WINDOW_DAYS,
    },
    purchase::sizing::Rule,
    replenishment::{
        backtest::{History as Replayed, Outcome, Policy, run as replay},
        settings::{SafetyStock, ServiceLevel, Settings},
    },
};
use http::Date;
use serde::Serialize;
use serde_json::json;

use super::{
    Failure,
    history::{Days, History},
    print,
    report::{self, thousands},
    rows::{self, Rejected},
};

/// Show what reordering by the rule would have done with the sales of a CSV file
///
/// The file is that of `holdfast import-sales`. Its first days only teach what sells; the others are replayed, once with the rule of this
/// service and once with ordering when the shelf is empty. Both begin with the same units and order up to the same level; what is ordered
/// comes a lead time later. What cannot be served is lost, and neither of the two is told of it.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Args {
    /// The file
    file: PathBuf,

    /// Days from an order to its receipt
    #[arg(long, value_name = "DAYS", default_value_t = 7, value_parser = clap::value_parser!(u64).range(1..=MAX_LEAD_TIME_DAYS))]
    lead_time_days: u64,

    /// Safety stock for this chance of getting through a lead time [default: 0.95]
    #[arg(long, value_name = "LEVEL", value_parser = service_level, group = "safety")]
    service_level: Option<ServiceLevel>,

    /// Safety stock as a part of what sells during the lead time
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u64).range(0..=MAX_SAFETY_PERCENT), group = "safety")]
    safety_percent: Option<u64>,

    /// Safety stock in units
    #[arg(long, value_name = "UNITS", value_parser = clap::value_parser!(u64).range(0..=MAX_QUANTITY), group = "safety")]
    safety_units: Option<u64>,

    /// Complete days over which the average is taken, and days that only teach
    #[arg(long, value_name = "DAYS", default_value_t = DEFAULT_WINDOW_DAYS, value_parser = clap::value_parser!(u64).range(1..=MAX_WINDOW_DAYS))]
    window_days: u64,

    /// Days of average sales that an order covers beyond the reorder point
    #[arg(long, value_name = "DAYS", default_value_t = DEFAULT_COVER_DAYS)]
    cover_days: u64,

    /// SKUs that are shown, those that sold the most; 0 shows all
    #[arg(long, value_name = "N", default_value_t = 20)]
    rows: usize,

    /// Print everything as JSON
    #[arg(long)]
    json: bool,
}

/// `0.95`, exactly.
fn service_level(text: &str) -> Result<ServiceLevel, String> {
    let refused = || "must be from 0.5 to 0.9999, with at most four decimals".to_owned();
    let decimals = text.strip_prefix("0.").filter(|decimals| (1..=4).contains(&decimals.len())).ok_or_else(refused)?;
    let digits = decimals.bytes().all(|byte| byte.is_ascii_digit());
    let level = format!("{decimals:0<4}").parse().ok().filter(|_| digits).ok_or_else(refused)?;
    ServiceLevel::from_ten_thousandths(level).map_err(|_| refused())
}

/// One SKU under both policies.
#[derive(Debug, Serialize)]
struct Compared {
    sku: String,
    per_day: f64,
    reorder_point: u64,
    rule: Told,
    at_zero: Told,
}

/// What came of one policy.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
struct Told {
    days_out: u64,
    lost_units: u64,
    sold_units: u64,
    average_stock: f64,
    orders: u64,
    /// Orders that were placed although all that was on its way had lifted the position above the reorder point.
    needless_orders: u64,
}

#[derive(Debug, Serialize)]
struct Report {
    from: String,
    until: String,
    days: u64,
    skus: Vec<Compared>,
    rule: Told,
    at_zero: Told,
    rejected: Vec<Rejected>,
}

/// Carries out `holdfast backtest`.
pub fn run(args: &Args) -> Result<ExitCode, Failure> {
    let history = History::read(&rows::load(&args.file)?)?;
    let report = compare(history, &args.settings())?;
    print(&if args.json { json!(report).to_string() } else { report.text(args.rows) });
    Ok(ExitCode::SUCCESS)
}

impl Args {
    fn settings(&self) -> Settings {
        let safety_stock = match (self.safety_units, self.safety_percent, self.service_level) {
            (Some(units), ..) => SafetyStock::Units(units),
            (None, Some(percent), _) => SafetyStock::Percent(percent),
            (None, None, Some(level)) => SafetyStock::ServiceLevel(level),
            (None, None, None) => SafetyStock::ServiceLevel(usual_level()),
        };
        Settings {
            window_days: self.window_days,
            order: Rule::CoverDays(self.cover_days),
            ..Settings::new(self.lead_time_days, safety_stock)
        }
    }
}

/// 95 %, which is in the range.
fn usual_level() -> ServiceLevel {
    ServiceLevel::from_ten_thousandths(9_500).unwrap_or_else(|_| unreachable!("95 % is a service level"))
}

fn compare(history: History, settings: &Settings) -> Result<Report, Failure> {
    let (first, last) = history.span().ok_or_else(|| Failure("The file has no day of sales.".to_owned()))?;
    let known_days = usize::try_from(settings.window_days).unwrap_or(usize::MAX);
    let days = last.days_since(first) + 1;
    if days <= settings.window_days {
        let known = settings.window_days;
        return Err(Failure(format!(
            "The file has {days} days, and the first {known} only teach: there is nothing to replay."
        )));
    }
    let one = |(sku, sold): (&Sku, &Days)| {
        let demand: Vec<u64> = (0..days).map(|ahead| sold.get(&first.plus_days(ahead)).copied().unwrap_or(0)).collect();
        let replayed = Replayed { sku, demand: &demand, first, known_days };
        let rule = replay(&replayed, settings, Policy::Rule);
        let at_zero = replay(&replayed, settings, Policy::AtZero);
        Compared {
            sku: sku.to_string(),
            per_day: rounded(rule.per_day),
            reorder_point: rule.reorder_point,
            rule: Told::of(&rule),
            at_zero: Told::of(&at_zero),
        }
    };
    let mut skus: Vec<Compared> = history.skus.iter().map(one).collect();
    skus.sort_by(|a, b| b.per_day.total_cmp(&a.per_day).then_with(|| a.sku.cmp(&b.sku)));
    let sum = |told: fn(&Compared) -> Told| skus.iter().map(told).fold(Told::NOTHING, Told::and);
    let replayed_from = first.plus_days(settings.window_days);
    Ok(Report {
        from: Date(replayed_from).to_string(),
        until: Date(last).to_string(),
        days: last.days_since(replayed_from) + 1,
        rule: sum(|compared| compared.rule),
        at_zero: sum(|compared| compared.at_zero),
        skus,
        rejected: history.rejected,
    })
}

impl Told {
    const NOTHING: Self =
        Self { days_out: 0, lost_units: 0, sold_units: 0, average_stock: 0.0, orders: 0, needless_orders: 0 };

    fn of(outcome: &Outcome) -> Self {
        let needless = outcome.orders.iter().filter(|order| order.position > order.reorder_point.cast_signed());
        Self {
            days_out: outcome.days_out,
            lost_units: outcome.lost_units,
            sold_units: outcome.sold_units,
            average_stock: rounded(outcome.average_stock),
            orders: outcome.orders.len() as u64,
            needless_orders: needless.count() as u64,
        }
    }

    fn and(self, other: Self) -> Self {
        Self {
            days_out: self.days_out + other.days_out,
            lost_units: self.lost_units + other.lost_units,
            sold_units: self.sold_units + other.sold_units,
            average_stock: rounded(self.average_stock + other.average_stock),
            orders: self.orders + other.orders,
            needless_orders: self.needless_orders + other.needless_orders,
        }
    }
}

impl Report {
    fn text(&self, rows: usize) -> String {
        let shown = if rows == 0 { self.skus.len() } else { rows.min(self.skus.len()) };
        let pair = |rule: String, zero: String| [rule, zero];
        let cells = |rule: &Told, zero: &Told| {
            [
                pair(thousands(rule.days_out), thousands(zero.days_out)),
                pair(thousands(rule.lost_units), thousands(zero.lost_units)),
                pair(format!("{:.1}", rule.average_stock), format!("{:.1}", zero.average_stock)),
                pair(thousands(rule.orders), thousands(zero.orders)),
            ]
            .concat()
        };
        let head = [
            "SKU",
            "a day",
            "reorder at",
            "days out",
            "at zero",
            "lost",
            "at zero",
            "stock",
            "at zero",
            "orders",
            "at zero",
        ];
        let mut table = vec![head.map(str::to_owned).to_vec()];
        table.extend(self.skus.iter().take(shown).map(|one| {
            let front = [one.sku.clone(), format!("{:.2}", one.per_day), thousands(one.reorder_point)];
            front.into_iter().chain(cells(&one.rule, &one.at_zero)).collect()
        }));
        let all = [format!("all {}", self.skus.len()), String::new(), String::new()];
        table.push(all.into_iter().chain(cells(&self.rule, &self.at_zero)).collect());
        let replayed = format!(
            "{} days replayed, {} to {}: by the rule, and ordering when the shelf is empty (at zero).",
            self.days, self.from, self.until
        );
        let mut page = vec![replayed, report::table(&table)];
        if shown < self.skus.len() {
            page.push(format!("{} more SKUs: --rows 0 shows all.", self.skus.len() - shown));
        }
        let needless = self.rule.needless_orders;
        page.push(format!("Orders for a shortage that was ordered already: {needless} of {}.", self.rule.orders));
        if !self.rejected.is_empty() {
            page.push(format!("Bad rows, left out:\n{}", report::rejected_text(&self.rejected)));
        }
        report::page(&page)
    }
}

fn rounded(number: f64) -> f64 {
    (number * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use std::{fmt::Write, path::Path};

    use domain::time::Day;

    use super::*;

    fn percent() -> Settings {
        Settings { order: Rule::CoverDays(14), ..Settings::new(7, SafetyStock::Percent(20)) }
    }

    /// Ten a day of tea, and milk that comes in bursts.
    fn file() -> String {
        let mut file = "date,sku,units\n".to_owned();
        for ahead in 0..90 {
            let date = Date(Day::from_epoch_days(17_434 + ahead));
            writeln!(file, "{date},tea,10\n{date},milk,{}", if ahead % 7 == 5 { 30 } else { ahead % 3 }).unwrap();
        }
        file
    }

    #[test]
    fn the_rule_runs_out_less_often_than_ordering_at_zero() {
        let report = compare(History::read(file().as_bytes()).unwrap(), &percent()).unwrap();
        assert_eq!((report.days, report.from.as_str(), report.until.as_str()), (62, "2017-10-23", "2017-12-23"));
        let tea = report.skus.iter().find(|compared| compared.sku == "tea").unwrap();
        assert_eq!((tea.reorder_point, tea.rule.days_out, tea.at_zero.days_out), (84, 0, 16));
        assert!(report.rule.days_out < report.at_zero.days_out && report.rule.lost_units < report.at_zero.lost_units);
        assert_eq!(report.rule.needless_orders, 0);
        let text = report.text(1);
        assert!(text.contains("all 2") && text.contains("1 more SKUs") && text.contains("already: 0 of"), "{text}");
    }

    #[test]
    fn a_file_that_is_too_short_says_so() {
        let short: String = file().lines().take(40).fold(String::new(), |all, line| all + line + "\n");
        let failure = compare(History::read(short.as_bytes()).unwrap(), &percent()).unwrap_err().to_string();
        assert!(failure.contains("there is nothing to replay"), "{failure}");
        assert!(compare(History::read(b"date,sku,units\n").unwrap(), &percent()).is_err());
    }

    #[test]
    fn a_service_level_is_read_exactly() {
        for (text, level) in [("0.95", 9_500), ("0.5", 5_000), ("0.9999", 9_999), ("0.975", 9_750)] {
            assert_eq!(service_level(text).unwrap().ten_thousandths(), level, "{text}");
        }
        for text in ["95", "0.4", "1.0", "0.", "0.99999", ".95", "0.9x", "0.+5"] {
            assert!(service_level(text).is_err(), "{text}");
        }
    }

    /// Ninety days of a real grocery chain, where they are at hand.
    #[test]
    fn ninety_real_days_run_out_less_often_by_the_rule() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/daily-sales.csv");
        let path = if path.exists() {
            path
        } else {
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/daily-sales.csv")
        };
        let Ok(file) = std::fs::read(&path) else {
            println!("skipped: {} is not there", path.display());
            return;
        };
        for safety_stock in [SafetyStock::Percent(20), SafetyStock::ServiceLevel(usual_level())] {
            let settings = Settings { order: Rule::CoverDays(14), ..Settings::new(7, safety_stock) };
            let report = compare(History::read(&file).unwrap(), &settings).unwrap();
            println!("{safety_stock}\n{}", report.text(20));
            assert_eq!(report.rejected, []);
            assert!(
                report.rule.days_out * 2 < report.at_zero.days_out,
                "{} {}",
                report.rule.days_out,
                report.at_zero.days_out
            );
            assert!(report.rule.lost_units * 2 < report.at_zero.lost_units);
            assert_eq!(report.rule.needless_orders, 0, "a shortage was ordered twice");
        }
    }
}
