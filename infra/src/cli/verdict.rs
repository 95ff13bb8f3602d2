//! What an audit came to.

use std::collections::BTreeMap;

use domain::audit::{Report, Violation};
use serde::Serialize;

use super::report::{self, count, thousands};

/// Violations that people are shown; machines get all of them.
const SHOWN: usize = 100;

/// The whole audit.
#[derive(Debug, Serialize)]
pub struct Verdict {
    table: String,
    /// How often the table was read.
    readings: u32,
    skus: u64,
    buckets: u64,
    holds: u64,
    movements: u64,
    reservations: BTreeMap<&'static str, u64>,
    units: Units,
    pub violations: Vec<Breach>,
}

/// Units in all buckets.
#[derive(Debug, Serialize)]
pub struct Units {
    free: u64,
    held: u64,
    sold: u64,
    shortfall: u64,
}

/// A broken invariant.
#[derive(Debug, Serialize)]
pub struct Breach {
    invariant: &'static str,
    subject: String,
    detail: String,
}

impl Verdict {
    /// Of the last of `readings` readings of the table that people know as `table`.
    pub fn new(table: String, readings: u32, report: Report) -> Self {
        let breach = |Violation { invariant, subject, detail }| Breach { invariant, subject, detail };
        Self {
            table,
            readings,
            skus: report.stocks,
            buckets: report.buckets,
            holds: report.holds,
            movements: report.movements,
            reservations: report.reservations,
            units: Units { free: report.free, held: report.held, sold: report.sold, shortfall: report.shortfall },
            violations: report.violations.into_iter().map(breach).collect(),
        }
    }

    /// For people.
    pub fn text(&self) -> String {
        let verdict = match self.violations.len() as u64 {
            0 => "every invariant holds".to_owned(),
            broken => format!("{} found", count(broken, "violation")),
        };
        let title =
            format!("Audited the table {}: {verdict} ({}).", self.table, count(self.readings.into(), "reading"));
        let mut rows =
            vec![("SKUs", self.skus), ("buckets", self.buckets), ("holds", self.holds), ("movements", self.movements)];
        rows.extend(self.reservations.iter().map(|(&status, &number)| (status, number)));
        let Units { free, held, sold, shortfall } = self.units;
        rows.extend([("units free", free), ("units held", held), ("units sold", sold), ("units short", shortfall)]);
        let cells = |(name, number): (&str, u64)| {
            let name =
                if self.reservations.contains_key(name) { format!("reservations {name}") } else { name.to_owned() };
            vec![name, thousands(number)]
        };
        let table = report::table(&rows.into_iter().map(cells).collect::<Vec<_>>());
        let shown = self.violations.iter().take(SHOWN);
        let mut breaches: Vec<_> = shown
            .map(|breach| format!("{} broken by {}: {}", breach.invariant, breach.subject, breach.detail))
            .collect();
        if self.violations.len() > SHOWN {
            breaches.push(format!("and {} more: see --json", thousands((self.violations.len() - SHOWN) as u64)));
        }
        report::page(&[title, table, breaches.join("\n")])
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn report(violations: Vec<Violation>) -> Report {
        Report {
            stocks: 2,
            buckets: 3,
            reservations: [("active", 1), ("confirmed", 1_200)].into(),
            sold: 9_000,
            violations,
            ..Report::default()
        }
    }

    #[test]
    fn a_sound_table_is_summed_up() {
        let expected = [
            "Audited the table holdfast: every invariant holds (1 reading).",
            "",
            "SKUs                        2",
            "buckets                     3",
            "holds                       0",
            "movements                   0",
            "reservations active         1",
            "reservations confirmed  1,200",
            "units free                  0",
            "units held                  0",
            "units sold              9,000",
            "units short                 0",
        ];
        assert_eq!(Verdict::new("holdfast".to_owned(), 1, report(Vec::new())).text(), expected.join("\n"));
    }

    #[test]
    fn every_breach_is_named_to_machines_and_the_first_to_people() {
        let violation = |n| Violation { invariant: "I1", subject: format!("sku-{n}#own"), detail: "wrong".to_owned() };
        let broken = (0..120).map(violation).collect();
        let verdict = Verdict::new("t".to_owned(), 4, report(broken));
        let text = verdict.text();
        assert!(text.starts_with("Audited the table t: 120 violations found (4 readings)."), "{text}");
        assert!(text.ends_with("I1 broken by sku-99#own: wrong\nand 20 more: see --json"), "{text}");
        let value = json!(verdict);
        assert_eq!(value["violations"].as_array().unwrap().len(), 120);
        assert_eq!(value["violations"][0]["subject"], "sku-0#own");
        assert_eq!(value["reservations"]["confirmed"], 1_200);
    }
}
