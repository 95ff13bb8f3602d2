//! Reads a CSV file row by row: a bad row is set aside with its line number and the reason, the others go on.

use std::{fs, path::Path, str::FromStr};

use csv::{ByteRecord, ReaderBuilder, StringRecord, Trim};
use domain::quantity::Quantity;
use serde::Serialize;

use super::Failure;

/// Characters of a bad value that are repeated in a message.
const SHOWN_CHARS: usize = 40;

/// A row that was left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rejected {
    /// Line of the file, the header being line 1.
    pub line: u64,
    pub reason: String,
}

/// The rows of a file.
#[derive(Debug)]
pub struct Rows<T> {
    pub good: Vec<T>,
    pub rejected: Vec<Rejected>,
}

/// One row, its values found by the names of the columns.
pub struct Row<'a> {
    pub line: u64,
    columns: &'a [String],
    values: &'a StringRecord,
}

impl Row<'_> {
    /// The text in `column`, which is empty if the file or the row does not have it.
    pub fn text(&self, column: &str) -> &str {
        let index = self.columns.iter().position(|name| name == column);
        index.and_then(|index| self.values.get(index)).unwrap_or_default()
    }

    /// The value in `column`, or what is wrong with it.
    pub fn value<T: FromStr<Err: std::fmt::Display>>(&self, column: &str) -> Result<T, String> {
        let text = self.text(column);
        text.parse().map_err(|rule: T::Err| bad(column, &rule.to_string(), text))
    }

    /// The number of units in `column`, or what is wrong with it.
    pub fn quantity(&self, column: &str) -> Result<Quantity, String> {
        let text = self.text(column);
        // Nothing but a number that fits can be a quantity: `0` says in its own range why "1.5" and "ten" are none.
        let units = text.parse().unwrap_or(0);
        Quantity::new(units).map_err(|rule| bad(column, &rule.to_string(), text))
    }
}

fn bad(column: &str, rule: &str, text: &str) -> String {
    if text.is_empty() {
        return format!("{column} is missing");
    }
    let mut shown: String = text.chars().take(SHOWN_CHARS).flat_map(char::escape_debug).collect();
    if text.chars().count() > SHOWN_CHARS {
        shown.push('…');
    }
    format!("{column} {rule}; found {shown}")
}

/// The bytes of the file at `path`.
pub fn load(path: &Path) -> Result<Vec<u8>, Failure> {
    fs::read(path).map_err(|error| Failure(format!("The file {} cannot be read: {error}.", path.display())))
}

/// Reads the rows of `file`, which has a header that names at least the columns in `needed`.
pub fn read<T>(
    file: &[u8],
    needed: &[&str],
    mut parse: impl FnMut(&Row) -> Result<T, String>,
) -> Result<Rows<T>, Failure> {
    let file = file.strip_prefix(b"\xef\xbb\xbf").unwrap_or(file);
    let mut reader = ReaderBuilder::new().flexible(true).trim(Trim::All).from_reader(file);
    let header = reader.byte_headers().map_err(|error| Failure(format!("The file is not CSV: {error}.")))?;
    let columns: Vec<_> = header.iter().map(|name| String::from_utf8_lossy(name).to_ascii_lowercase()).collect();
    if let Some(missing) = needed.iter().find(|name| !columns.iter().any(|column| column == *name)) {
        return Err(Failure(format!("The file has no column {missing}. Its first line is: {}.", columns.join(","))));
    }

    let mut rows = Rows { good: Vec::new(), rejected: Vec::new() };
    let mut lines = Lines { file, at: 0, line: 1 };
    let mut record = ByteRecord::new();
    loop {
        match reader.read_byte_record(&mut record) {
            Ok(true) => {}
            Ok(false) => return Ok(rows),
            Err(error) => return Err(Failure(format!("The file is not CSV: {error}."))),
        }
        let line = lines.of(record.position().map_or(0, csv::Position::byte));
        match parse_row(line, &columns, &record, &mut parse) {
            Ok(row) => rows.good.push(row),
            Err(reason) => rows.rejected.push(Rejected { line, reason }),
        }
    }
}

fn parse_row<T>(
    line: u64,
    columns: &[String],
    record: &ByteRecord,
    parse: &mut impl FnMut(&Row) -> Result<T, String>,
) -> Result<T, String> {
    let values =
        StringRecord::from_byte_record(record.clone()).map_err(|_| "the row is not valid UTF-8 text".to_owned())?;
    if values.len() > columns.len() {
        return Err(format!("the row has {} values for {} columns", values.len(), columns.len()));
    }
    parse(&Row { line, columns, values: &values })
}

/// Finds line numbers. The CSV reader's own are those of the end of the row before: one less after every blank line, and one
/// less in a file from Windows.
struct Lines<'a> {
    file: &'a [u8],
    at: usize,
    line: u64,
}

impl Lines<'_> {
    /// The line of the first character of the record that the reader began to look for at `byte`.
    fn of(&mut self, byte: u64) -> u64 {
        let byte = usize::try_from(byte).unwrap_or(self.file.len());
        while let Some(&found) = self.file.get(self.at) {
            if self.at >= byte && !matches!(found, b'\n' | b'\r') {
                break;
            }
            self.line += u64::from(found == b'\n');
            self.at += 1;
        }
        self.line
    }
}

#[cfg(test)]
mod tests {
    use domain::ids::Sku;

    use super::*;

    type Good = (u64, String, u64);

    fn skus(file: &[u8]) -> (Vec<Good>, Vec<(u64, String)>) {
        let rows = read(file, &["sku", "quantity"], |row| {
            Ok((row.line, row.value::<Sku>("sku")?.to_string(), row.quantity("quantity")?.units()))
        })
        .unwrap();
        (rows.good, rows.rejected.into_iter().map(|row| (row.line, row.reason)).collect())
    }

    #[test]
    fn a_bad_row_is_reported_with_its_line_and_its_reason() {
        let (quantity, sku) = (Quantity::new(0).unwrap_err(), "a b".parse::<Sku>().unwrap_err());
        for (row, reason) in [
            ("a,0", format!("quantity {quantity}; found 0")),
            ("a,-1", format!("quantity {quantity}; found -1")),
            ("a,1.5", format!("quantity {quantity}; found 1.5")),
            ("a,ten", format!("quantity {quantity}; found ten")),
            ("a,1000000000000", format!("quantity {quantity}; found 1000000000000")),
            ("a,99999999999999999999999", format!("quantity {quantity}; found 99999999999999999999999")),
            ("a,", "quantity is missing".to_owned()),
            ("a", "quantity is missing".to_owned()),
            (",3", "sku is missing".to_owned()),
            ("a b,3", format!("sku {sku}; found a b")),
            ("a,3,4", "the row has 3 values for 2 columns".to_owned()),
        ] {
            let (good, rejected) = skus(format!("sku,quantity\nfirst,1\n{row}\nlast,2\n").as_bytes());
            assert_eq!(good, [(2, "first".to_owned(), 1), (4, "last".to_owned(), 2)], "{row}");
            assert_eq!(rejected, [(3, reason)], "{row}");
        }
    }

    #[test]
    fn a_row_that_is_no_text_is_left_out_and_the_rest_goes_on() {
        let (good, rejected) = skus(b"sku,quantity\n\xff\xfe,1\nb,2\n");
        assert_eq!(good, [(3, "b".to_owned(), 2)]);
        assert_eq!(rejected, [(2, "the row is not valid UTF-8 text".to_owned())]);
    }

    #[test]
    fn lines_are_counted_through_blank_lines_quotes_and_windows() {
        for newline in ["\n", "\r\n"] {
            let file = ["sku,quantity", "a,1", "", "", "b,2", "\"c\n\",3", "d,4"].join(newline);
            let lines: Vec<_> = skus(file.as_bytes()).0.into_iter().map(|row| (row.0, row.1)).collect();
            let expected = [(2, "a"), (5, "b"), (6, "c"), (8, "d")].map(|(line, sku)| (line, sku.to_owned()));
            assert_eq!(lines, expected, "{newline:?}");
        }
    }

    #[test]
    fn columns_are_found_by_name_whatever_their_order_and_case() {
        let (good, _) = skus("\u{feff}Reason, Quantity ,SKU\ndelivery,7,a\n".as_bytes());
        assert_eq!(good, [(2, "a".to_owned(), 7)]);
        assert_eq!(skus(b"sku,quantity\n").0, []);
    }

    #[test]
    fn a_file_without_a_needed_column_is_refused_whole() {
        for (file, said) in [
            (&b"sku;quantity\na;1\n"[..], "The file has no column sku. Its first line is: sku;quantity."),
            (b"", "The file has no column sku. Its first line is: ."),
        ] {
            let refused = read(file, &["sku", "quantity"], |_| Ok(())).unwrap_err();
            assert_eq!(refused.to_string(), said);
        }
    }

    #[test]
    fn a_long_value_is_cut_and_a_strange_one_escaped() {
        let (_, rejected) = skus(format!("sku,quantity\na,{}\u{1b}\n", "9".repeat(40)).as_bytes());
        assert!(rejected[0].1.ends_with(&format!("; found {}…", "9".repeat(40))));
        let (_, rejected) = skus(b"sku,quantity\na\x1b[1m,1\n");
        assert!(rejected[0].1.ends_with("; found a\\u{1b}[1m"), "{}", rejected[0].1);
    }
}
