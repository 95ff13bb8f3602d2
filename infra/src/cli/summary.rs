//! What a replay came to.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{
    answer::NotDone,
    baskets::Basket,
    receipts::Intake,
    report::{self, CallReport, count, per_second, thousands},
    rows::Rejected,
};

/// How a basket ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    Confirmed,
    Canceled,
    /// More lines than a reservation may have; nobody was asked.
    TooLong,
    /// The service said no to `call`.
    Refused {
        call: &'static str,
        problem: String,
        status: u16,
    },
    /// No answer, or none that makes sense; why, as a sentence.
    Unfinished(String),
}

impl End {
    /// The end that a call which was not done makes.
    pub fn not_done(call: &'static str, error: NotDone) -> Self {
        match error {
            NotDone::Refused(problem) => Self::Refused { call, problem: problem.slug, status: problem.status },
            NotDone::Unreachable(why) => Self::Unfinished(why),
        }
    }
}

/// A basket and its end.
#[derive(Debug)]
pub struct Ended {
    pub basket: Basket,
    pub end: End,
}

/// A number of baskets and of the units in them.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Count {
    pub baskets: u64,
    pub units: u64,
}

impl Count {
    fn add(&mut self, basket: &Basket) {
        self.baskets += 1;
        self.units += basket.units();
    }
}

/// Baskets that were refused for the same reason.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Refused {
    pub call: &'static str,
    /// Last part of the problem's type.
    #[serde(rename = "type")]
    pub problem: String,
    pub status: u16,
    pub baskets: u64,
    pub units: u64,
}

/// A basket with too many lines.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct TooLong {
    pub basket: String,
    pub lines: usize,
    /// Line numbers of the file, as ranges.
    pub at: String,
}

/// The whole replay.
#[derive(Debug, Default, Serialize)]
pub struct Summary {
    pub file: String,
    pub run: String,
    pub shoppers: usize,
    pub seconds: f64,
    pub baskets_per_second: f64,
    pub calls_per_second: f64,
    pub confirmed: Count,
    pub canceled: Count,
    pub refused: Vec<Refused>,
    pub too_long: Vec<TooLong>,
    pub unfinished: Count,
    /// Why baskets are unfinished: how many for each reason.
    pub unfinished_because: BTreeMap<String, u64>,
    /// Baskets that were under way, or had not begun, when somebody stopped the replay.
    pub not_tried: u64,
    /// Baskets without a single good row.
    pub empty: u64,
    pub rejected: Vec<Rejected>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stock: Option<Intake>,
    pub calls: Vec<CallReport>,
}

impl Summary {
    /// Of baskets that took `seconds` to end, and of all calls that were made.
    pub fn new(run: String, ended: &[Ended], seconds: f64, calls: Vec<CallReport>) -> Self {
        let shopping = |call: &&CallReport| matches!(call.call, "reserve" | "confirm" | "cancel");
        let made = calls.iter().filter(shopping).map(|call| call.calls).sum();
        let mut summary = Self {
            run,
            seconds: (seconds * 1e3).round() / 1e3,
            baskets_per_second: per_second(ended.len() as u64, seconds),
            calls_per_second: per_second(made, seconds),
            calls,
            ..Self::default()
        };
        let mut refused: BTreeMap<(&str, &str, u16), Count> = BTreeMap::new();
        for Ended { basket, end } in ended {
            match end {
                End::Confirmed => summary.confirmed.add(basket),
                End::Canceled => summary.canceled.add(basket),
                End::Refused { call, problem, status } => {
                    refused.entry((call, problem, *status)).or_default().add(basket);
                }
                End::TooLong => summary.too_long.push(TooLong {
                    basket: basket.id.to_string(),
                    lines: basket.lines.len(),
                    at: report::lines(basket.lines.iter().map(|line| line.at)),
                }),
                End::Unfinished(why) => {
                    summary.unfinished.add(basket);
                    *summary.unfinished_because.entry(why.clone()).or_default() += 1;
                }
            }
        }
        let refused = refused.into_iter().map(|((call, problem, status), Count { baskets, units })| {
            let call = ["reserve", "confirm", "cancel"].into_iter().find(|known| *known == call).unwrap_or_default();
            Refused { call, problem: problem.to_owned(), status, baskets, units }
        });
        summary.refused = refused.collect();
        summary.refused.sort_by_key(|refused| std::cmp::Reverse(refused.baskets));
        summary
    }

    /// Adds what was never bought.
    pub fn with_left_out(self, empty: usize, not_tried: usize, rejected: Vec<Rejected>) -> Self {
        Self { empty: empty as u64, not_tried: not_tried as u64, rejected, ..self }
    }

    /// Whether every basket got an answer that a sound service gives.
    pub fn is_answered(&self) -> bool {
        self.unfinished.baskets == 0 && self.not_tried == 0 && self.refused.iter().all(|refused| refused.status < 500)
    }

    /// For people.
    pub fn text(&self) -> String {
        let title = format!(
            "Replayed {} as run {} with {} in {:.1} s: {} baskets/s, {} calls/s.",
            self.file,
            self.run,
            count(self.shoppers as u64, "shopper"),
            self.seconds,
            self.baskets_per_second,
            self.calls_per_second,
        );
        let mut page = vec![title, report::table(&self.baskets_table())];
        for (why, baskets) in &self.unfinished_because {
            page.push(format!("Unfinished: {}. {why}", count(*baskets, "basket")));
        }
        if !self.too_long.is_empty() {
            let line = |long: &TooLong| format!("  basket {}: {} lines, at {}", long.basket, long.lines, long.at);
            let lines = self.too_long.iter().map(line).collect::<Vec<_>>().join("\n");
            page.push(format!("Baskets with more lines than a reservation may have:\n{lines}"));
        }
        if !self.rejected.is_empty() {
            let rows = count(self.rejected.len() as u64, "bad row");
            page.push(format!("{rows}, left out:\n{}", report::rejected_text(&self.rejected)));
        }
        page.push(report::calls_table(&self.calls));
        report::page(&page)
    }

    fn baskets_table(&self) -> Vec<Vec<String>> {
        let row = |name: &str, baskets, units: Option<u64>| {
            vec![name.to_owned(), thousands(baskets), units.map(thousands).unwrap_or_default()]
        };
        let refused = |sum: &Refused| {
            let name = match sum.call {
                "reserve" => format!("refused: {}", sum.problem),
                call => format!("refused to {call}: {}", sum.problem),
            };
            row(&name, sum.baskets, Some(sum.units))
        };
        let mut rows = vec![
            ["", "baskets", "units"].map(str::to_owned).to_vec(),
            row("confirmed", self.confirmed.baskets, Some(self.confirmed.units)),
            row("canceled", self.canceled.baskets, Some(self.canceled.units)),
        ];
        rows.extend(self.refused.iter().map(refused));
        for (name, baskets, units) in [
            ("refused: too many lines", self.too_long.len() as u64, None),
            ("without a good row", self.empty, None),
            ("unfinished", self.unfinished.baskets, Some(self.unfinished.units)),
            ("not tried", self.not_tried, None),
        ] {
            if baskets > 0 {
                rows.push(row(name, baskets, units));
            }
        }
        rows
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{answer::Problem, baskets::Line},
        *,
    };

    fn ended(n: u64, units: &[u64], end: End) -> Ended {
        let lines = units.iter().zip(2..).map(|(&units, at)| Line {
            at,
            sku: "milk".parse().unwrap(),
            quantity: domain::quantity::Quantity::new(units).unwrap(),
        });
        Ended { basket: Basket { id: n.to_string().parse().unwrap(), lines: lines.collect() }, end }
    }

    fn refused(status: u16, slug: &str) -> End {
        let problem = Problem { status, slug: slug.to_owned(), detail: String::new() };
        End::not_done("reserve", NotDone::Refused(problem))
    }

    #[test]
    fn baskets_are_counted_by_their_end() {
        let ended = [
            ended(1, &[2, 3], End::Confirmed),
            ended(2, &[1], End::Confirmed),
            ended(3, &[1], End::Canceled),
            ended(4, &[9], refused(409, "insufficient-stock")),
            ended(5, &[4], refused(404, "unknown-sku")),
            ended(6, &[4], refused(409, "insufficient-stock")),
            ended(7, &[1; 51], End::TooLong),
        ];
        let calls = vec![CallReport::new("receive", &[1], 0, 0), CallReport::new("reserve", &[1_000; 6], 0, 0)];
        let summary = Summary::new("run".to_owned(), &ended, 2.0, calls);
        assert_eq!((summary.confirmed.baskets, summary.confirmed.units), (2, 6));
        assert_eq!(
            (summary.baskets_per_second.to_string(), summary.calls_per_second.to_string()),
            ("3.5".into(), "3".into())
        );
        assert!(summary.is_answered());
        let summary = Summary { file: "f.csv".into(), shoppers: 8, ..summary.with_left_out(1, 0, Vec::new()) };
        let expected = [
            "Replayed f.csv as run run with 8 shoppers in 2.0 s: 3.5 baskets/s, 3 calls/s.",
            "",
            "                             baskets  units",
            "confirmed                          2      6",
            "canceled                           1      1",
            "refused: insufficient-stock        2     13",
            "refused: unknown-sku               1      4",
            "refused: too many lines            1",
            "without a good row                 1",
            "",
            "Baskets with more lines than a reservation may have:",
            "  basket 7: 51 lines, at 2-52",
            "",
            "call     calls  replayed  retries  p50 ms  p99 ms  max ms",
            "receive      1         0        0     0.0     0.0     0.0",
            "reserve      6         0        0     1.0     1.0     1.0",
        ];
        assert_eq!(summary.text(), expected.join("\n"));
        let value = serde_json::json!(summary);
        assert_eq!(value["refused"][0]["type"], "insufficient-stock");
    }

    #[test]
    fn an_answer_that_no_sound_service_gives_is_a_failure() {
        for end in [refused(500, "internal-error"), refused(503, "contended"), End::Unfinished("Nobody.".into())] {
            assert!(!Summary::new(String::new(), &[ended(1, &[1], end)], 1.0, Vec::new()).is_answered());
        }
        assert!(!Summary::default().with_left_out(0, 1, Vec::new()).is_answered());
        let gone = End::not_done("reserve", NotDone::Unreachable("It is gone.".into()));
        let text = Summary::new("r".into(), &[ended(1, &[1], gone)], 1.0, Vec::new()).text();
        assert!(text.contains("Unfinished: 1 basket. It is gone."), "{text}");
    }
}
