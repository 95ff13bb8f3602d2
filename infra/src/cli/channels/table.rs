//! What is printed every second, and in the end.

use domain::audit::Report;
use serde::Serialize;

use super::super::report::{self, count};

/// One channel at a moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Row {
    /// Its name.
    pub channel: &'static str,
    /// What a shopper sees at the marketplace; nothing for the own store, which always asks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub published: Option<u64>,
    /// Units that it can sell.
    pub available: u64,
    /// Units that its shoppers have bought.
    pub sold: u64,
    /// Units held for orders of which nothing but their absence is known.
    pub in_flight: u64,
    /// Orders that nobody had the units for.
    pub shortfalls: u64,
}

/// All channels at a moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Snapshot {
    /// How long the simulation has been running, in seconds.
    pub seconds: u64,
    /// One for each channel.
    pub channels: Vec<Row>,
}

impl Snapshot {
    /// For people: a line for each channel.
    pub fn text(&self) -> String {
        let head = format!("{:>4} s     published  available   sold  in flight  shortfalls\n", self.seconds);
        let rows = self.channels.iter().map(|row| {
            let published = row.published.map_or_else(|| "-".to_owned(), |units| units.to_string());
            let Row { channel, available, sold, in_flight, shortfalls, .. } = row;
            format!("{channel:<10}{published:>10}{available:>11}{sold:>7}{in_flight:>11}{shortfalls:>12}\n")
        });
        head + &rows.collect::<String>()
    }
}

/// What it came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Units that were on the shelf.
    pub received: u64,
    /// Units that shoppers have bought, by their own account.
    pub bought: u64,
    /// Units of all confirmed reservations and orders.
    pub recorded: u64,
    /// Units that marketplaces have sold and nobody had.
    pub short: u64,
    /// Webhooks that were lost: their orders were pulled.
    pub webhooks_lost: u64,
    /// What is wrong.
    pub violations: Vec<String>,
}

impl Summary {
    /// From the last reading of the table.
    pub fn new(received: u64, bought: u64, recorded: u64, webhooks_lost: u64, report: &Report) -> Self {
        let mut violations: Vec<String> = report.violations.iter().map(ToString::to_string).collect();
        if recorded != bought {
            violations.push(format!("{bought} units were bought, but {recorded} are recorded"));
        }
        if received + report.shortfall != report.free + recorded {
            let (free, short) = (report.free, report.shortfall);
            violations.push(format!("{received} received and {short} short, but {free} free and {recorded} sold"));
        }
        Self { received, bought, recorded, short: report.shortfall, webhooks_lost, violations }
    }

    /// For people.
    pub fn text(&self) -> String {
        let verdict = match self.violations.len() as u64 {
            0 => "Every order is recorded once, and every invariant holds.".to_owned(),
            broken => format!("{} found:\n{}", count(broken, "violation"), self.violations.join("\n")),
        };
        let short = match self.short {
            0 => "No marketplace sold a unit that nobody had.".to_owned(),
            short => format!(
                "{} sold by a marketplace while our number was on its way: listed as shortfalls, for a person to decide.",
                count(short, "unit")
            ),
        };
        let sold = format!("{} of {} bought at four channels.", self.bought, count(self.received, "unit"));
        let lost = format!("{} lost; their orders were pulled.", count(self.webhooks_lost, "webhook"));
        report::page(&[[sold, lost, short, verdict].join("\n")])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_channel_is_a_line() {
        let own = Row { channel: "own", published: None, available: 61, sold: 14, in_flight: 0, shortfalls: 0 };
        let ebay = Row { channel: "ebay", published: Some(62), available: 61, sold: 9, in_flight: 1, shortfalls: 2 };
        let text = Snapshot { seconds: 12, channels: vec![own, ebay] }.text();
        assert_eq!(
            text,
            "  12 s     published  available   sold  in flight  shortfalls\n\
             own                -         61     14          0           0\n\
             ebay              62         61      9          1           2\n"
        );
    }

    #[test]
    fn units_that_do_not_add_up_are_said() {
        let report = |free, shortfall| Report { free, shortfall, ..Report::default() };
        assert!(Summary::new(100, 102, 102, 1, &report(0, 2)).violations.is_empty());
        assert_eq!(Summary::new(100, 101, 100, 0, &report(0, 0)).violations.len(), 1, "an order is lost");
        assert_eq!(Summary::new(100, 101, 101, 0, &report(0, 0)).violations.len(), 1, "a unit is sold twice");
        let text = Summary::new(100, 102, 102, 1, &report(0, 2)).text();
        assert!(text.contains("2 units sold by a marketplace") && text.contains("1 webhook lost"), "{text}");
    }
}
