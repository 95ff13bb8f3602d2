//! How a command says what it did: tables for people, values for machines.

use std::{collections::BTreeMap, fmt::Write};

use serde::Serialize;

use super::rows::Rejected;

/// Ranges of lines that one message lists; a file in which every row is bad needs no list of them all.
const SHOWN_RANGES: usize = 100;

/// How long the calls of one name took, as the caller sees it: retries and the waits between them are part of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CallReport {
    pub call: &'static str,
    pub calls: u64,
    /// Answers that were given before, for the same key.
    pub replayed: u64,
    pub retries: u64,
    pub p50_ms: f64,
    pub p99_ms: f64,
    pub max_ms: f64,
}

impl CallReport {
    /// From the latency of each call, in microseconds.
    pub fn new(call: &'static str, latencies_us: &[u64], replayed: u64, retries: u64) -> Self {
        let mut sorted = latencies_us.to_vec();
        sorted.sort_unstable();
        Self {
            call,
            calls: sorted.len() as u64,
            replayed,
            retries,
            p50_ms: milliseconds(percentile(&sorted, 50)),
            p99_ms: milliseconds(percentile(&sorted, 99)),
            max_ms: milliseconds(percentile(&sorted, 100)),
        }
    }
}

/// Nearest rank: the smallest value that at least `percent` of all values do not exceed. 0 of nothing.
fn percentile(sorted: &[u64], percent: usize) -> u64 {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or_default()
}

fn milliseconds(microseconds: u64) -> f64 {
    // A call gives up long before 2^32 microseconds, more than an hour.
    f64::from(u32::try_from(microseconds).unwrap_or(u32::MAX)) / 1e3
}

/// How many in a second, to one decimal; 0 when no time has passed.
pub fn per_second(count: u64, seconds: f64) -> f64 {
    // No count of a run comes near 2^32, above which the nearest f64 would matter.
    let count = f64::from(u32::try_from(count).unwrap_or(u32::MAX));
    if seconds > 0.0 { (count / seconds * 10.0).round() / 10.0 } else { 0.0 }
}

/// The table of calls; empty without any.
pub fn calls_table(calls: &[CallReport]) -> String {
    if calls.is_empty() {
        return String::new();
    }
    let head = ["call", "calls", "replayed", "retries", "p50 ms", "p99 ms", "max ms"].map(str::to_owned);
    let body = calls.iter().map(|call| {
        let counts = [call.calls, call.replayed, call.retries].map(thousands);
        let times = [call.p50_ms, call.p99_ms, call.max_ms].map(|ms| format!("{ms:.1}"));
        [call.call.to_owned()].into_iter().chain(counts).chain(times).collect()
    });
    table(&[head.to_vec()].into_iter().chain(body).collect::<Vec<_>>())
}

/// Columns that line up, the first to the left and the others to the right.
pub fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or_default()
    };
    let widths: Vec<_> = (0..columns).map(width).collect();
    let mut lines = Vec::with_capacity(rows.len());
    for row in rows {
        let mut line = String::new();
        for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
            // Writing to a String cannot fail.
            let _ = if column == 0 { write!(line, "{cell:<width$}") } else { write!(line, "  {cell:>width$}") };
        }
        lines.push(line.trim_end().to_owned());
    }
    lines.join("\n")
}

/// 1126544 as 1,126,544.
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 basket`, `2 baskets`.
pub fn count(number: u64, noun: &str) -> String {
    format!("{} {noun}{}", thousands(number), if number == 1 { "" } else { "s" })
}

/// Line numbers in ascending order as `2, 5-7, 9`.
pub fn lines(numbers: impl IntoIterator<Item = u64>) -> String {
    let mut ranges: Vec<(u64, u64)> = Vec::new();
    for number in numbers {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == number => *last = number,
            _ => ranges.push((number, number)),
        }
    }
    let more = ranges.len().saturating_sub(SHOWN_RANGES);
    let shown = ranges.iter().take(SHOWN_RANGES).map(|&(first, last)| match last {
        _ if first == last => first.to_string(),
        last => format!("{first}-{last}"),
    });
    let text = shown.collect::<Vec<_>>().join(", ");
    if more == 0 { text } else { format!("{text} and {} more", thousands(more as u64)) }
}

/// What was left out, a line for each reason in order of its first line; empty if nothing was.
pub fn rejected_text(rejected: &[Rejected]) -> String {
    let mut by_reason: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
    for row in rejected {
        by_reason.entry(&row.reason).or_default().push(row.line);
    }
    let mut reasons: Vec<_> = by_reason.into_iter().collect();
    reasons.sort_by_key(|(_, lines)| lines.first().copied());
    let said = reasons.into_iter().map(|(reason, numbers)| {
        let noun = if numbers.len() == 1 { "line" } else { "lines" };
        format!("  {}: {noun} {}", reason.trim_end_matches('.'), lines(numbers))
    });
    said.collect::<Vec<_>>().join("\n")
}

/// Paragraphs with a blank line between them; empty ones are left out.
pub fn page(paragraphs: &[String]) -> String {
    let said: Vec<_> = paragraphs.iter().map(String::as_str).filter(|paragraph| !paragraph.is_empty()).collect();
    said.join("\n\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_were_measured() {
        let hundred: Vec<u64> = (1..=100).collect();
        for (values, p50, p99, max) in
            [(&hundred[..], 50, 99, 100), (&[7], 7, 7, 7), (&[], 0, 0, 0), (&[1, 2], 1, 2, 2), (&[1, 2, 3], 2, 3, 3)]
        {
            let found = [50, 99, 100].map(|percent| percentile(values, percent));
            assert_eq!(found, [p50, p99, max], "{values:?}");
        }
        let report = CallReport::new("reserve", &[3_000, 1_000, 2_500], 1, 4);
        assert_eq!((report.p50_ms, report.max_ms, report.calls), (2.5, 3.0, 3));
    }

    #[test]
    fn tables_line_up() {
        let rows = [vec!["call".to_owned(), "ms".to_owned()], vec!["no".to_owned(), "12.5".to_owned()]];
        assert_eq!(table(&rows), "call    ms\nno    12.5");
        assert_eq!(calls_table(&[]), "");
        let text = calls_table(&[CallReport::new("reserve", &[1_500; 1_200], 0, 2)]);
        assert_eq!(
            text,
            "call     calls  replayed  retries  p50 ms  p99 ms  max ms\nreserve  1,200         0        2     1.5     1.5     1.5"
        );
    }

    #[test]
    fn numbers_are_for_eyes() {
        let texts = [0, 999, 1_000, 1_126_544].map(thousands);
        assert_eq!(texts, ["0", "999", "1,000", "1,126,544"]);
        assert_eq!(count(1, "basket"), "1 basket");
        assert_eq!(count(1_084, "basket"), "1,084 baskets");
        assert_eq!(per_second(100, 3.0).to_string(), "33.3");
        assert_eq!(per_second(100, 0.0).to_string(), "0");
    }

    #[test]
    fn lines_are_ranges_and_reasons_come_in_the_order_of_the_file() {
        assert_eq!(lines([2, 5, 6, 7, 9]), "2, 5-7, 9");
        assert_eq!(lines([]), "");
        assert!(lines((0..250).map(|n| n * 2)).ends_with(", 198 and 150 more"));
        let rejected =
            [(9, "z"), (12, "a"), (13, "z")].map(|(line, reason)| Rejected { line, reason: reason.to_owned() });
        assert_eq!(rejected_text(&rejected), "  z: lines 9, 13\n  a: line 12");
    }
}
