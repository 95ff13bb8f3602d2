//! The files of `holdfast import` and `holdfast replay`.

#[expect(dead_code, reason = "the commands use the rest")]
mod cli;

use std::{collections::BTreeSet, str::FromStr};

use domain::ids::{Reason, Sku};

use self::cli::{
    baskets::Input,
    rows::{self, Rejected, Row},
};
use crate::Seen;

/// A CSV file, read as one of stock and as one of baskets.
///
/// # Panics
/// When a row is lost or made up, when a line number is not the one that a text editor shows, or when good rows, written to a new file,
/// are not read as they were.
#[must_use]
pub fn files(bytes: &[u8]) -> Seen {
    let stock = stock(bytes);
    let baskets = baskets(bytes);
    Seen::when(stock || baskets)
}

/// One row of stock: line, SKU, units, reason.
type Stock = (u64, Sku, u64, String);

fn stock(bytes: &[u8]) -> bool {
    let Some((good, rejected)) = read_stock(bytes) else { return false };
    check_lines(bytes, good.iter().map(|row| (row.0, row.1.as_str())), &rejected);
    let rows: Vec<_> = good.iter().map(|row| vec![row.1.to_string(), row.2.to_string(), row.3.clone()]).collect();
    let (again, lost) = read_stock(&written(&["sku", "quantity", "reason"], &rows)).expect("a file is read again");
    assert_eq!(lost, []);
    assert!(good.iter().map(|row| (&row.1, row.2, &row.3)).eq(again.iter().map(|row| (&row.1, row.2, &row.3))));
    !good.is_empty()
}

fn read_stock(bytes: &[u8]) -> Option<(Vec<Stock>, Vec<Rejected>)> {
    let row = |row: &Row<'_>| {
        // An empty reason gets one from the name of the file.
        let reason = row.text("reason");
        if !reason.is_empty() {
            Reason::from_str(reason).map_err(|rule| rule.to_string())?;
        }
        Ok((row.line, row.value("sku")?, row.quantity("quantity")?.units(), reason.to_owned()))
    };
    let rows = rows::read(bytes, &["sku", "quantity"], row).ok()?;
    Some((rows.good, rows.rejected))
}

fn baskets(bytes: &[u8]) -> bool {
    let Ok(input) = Input::read(bytes) else { return false };
    let lines = || input.baskets.iter().flat_map(|basket| &basket.lines);
    let mut by_line: Vec<_> = lines().map(|line| (line.at, line.sku.as_str())).collect();
    by_line.sort_unstable();
    check_lines(bytes, by_line.into_iter(), &input.rejected);
    assert_eq!(
        input.sales().values().sum::<u64>(),
        lines().map(|line| line.quantity.units()).sum::<u64>(),
        "units are lost"
    );
    let ids: BTreeSet<_> = input.baskets.iter().map(|basket| basket.id.as_str()).collect();
    assert_eq!(ids.len(), input.baskets.len(), "a basket stands there twice");
    assert!(input.baskets.iter().all(|basket| !basket.lines.is_empty()));

    let rows: Vec<_> = input
        .baskets
        .iter()
        .flat_map(|basket| {
            let row = |line: &cli::baskets::Line| {
                vec![basket.id.to_string(), line.sku.to_string(), line.quantity.to_string()]
            };
            basket.lines.iter().map(row)
        })
        .collect();
    let file = written(&["basket_id", "product_id", "quantity"], &rows);
    let again = Input::read(&file).expect("a file is read again");
    assert_eq!((again.rejected.as_slice(), again.empty), (&[][..], 0));
    let said = |input: &Input| -> Vec<_> {
        let line = |line: &cli::baskets::Line| (line.sku.clone(), line.quantity);
        input
            .baskets
            .iter()
            .map(|basket| (basket.id.clone(), basket.lines.iter().map(line).collect::<Vec<_>>()))
            .collect()
    };
    assert_eq!(said(&again), said(&input));
    !input.baskets.is_empty()
}

/// Each row is on a line of its own, and that line has its SKU in it.
fn check_lines<'a>(bytes: &[u8], good: impl Iterator<Item = (u64, &'a str)>, rejected: &[Rejected]) {
    let quoted = bytes.contains(&b'"');
    // Within quotes a line may end, and a carriage return alone ends a row but no line.
    let ends_a_row_only =
        bytes.split(|byte| *byte == b'\n').any(|line| line.strip_suffix(b"\r").unwrap_or(line).contains(&b'\r'));
    if quoted || ends_a_row_only {
        return;
    }
    let lines: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').collect();
    let line = |number: u64| -> &[u8] {
        let index = usize::try_from(number).ok().and_then(|number| number.checked_sub(1));
        index.and_then(|index| lines.get(index)).expect("a line of the file")
    };
    let mut taken = BTreeSet::new();
    for (number, sku) in good {
        let found = String::from_utf8_lossy(line(number));
        assert!(found.contains(sku), "line {number} is {found:?} and not about {sku}");
        assert!(taken.insert(number), "line {number} was read twice");
    }
    for row in rejected {
        assert!(!is_empty(line(row.line)), "line {} is empty", row.line);
        assert!(!row.reason.is_empty() && !row.reason.contains('\n'), "{:?}", row.reason);
        assert!(taken.insert(row.line), "line {} was read twice", row.line);
    }
    // The first row that says anything is the header.
    let said = lines.iter().filter(|line| !is_empty(line)).count();
    assert_eq!(taken.len(), said.saturating_sub(1), "a row is lost, or made up");
}

fn is_empty(line: &[u8]) -> bool {
    line.strip_suffix(b"\r").unwrap_or(line).is_empty()
}

fn written(header: &[&str], rows: &[Vec<String>]) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(header).expect("a Vec takes everything");
    for row in rows {
        writer.write_record(row).expect("a Vec takes everything");
    }
    writer.into_inner().expect("a Vec takes everything")
}
