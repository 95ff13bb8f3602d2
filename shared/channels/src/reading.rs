//! What is the same in the orders of several vendors, once each has been read in its own way.

use domain::{
    ids::Sku,
    quantity::Quantity,
    sale::{ChannelOrder, SaleLine, Stage},
    time::Timestamp,
};

pub use vendor::reading::{MAX_BYTES, json};

/// A name made of the first 128 bits of a digest, in hex: long enough that two never meet.
#[must_use]
pub fn name(digest: &[u8]) -> String {
    const DIGITS: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    let halves = digest.iter().take(16).flat_map(|byte| [byte >> 4, byte & 15]);
    halves.map(|half| DIGITS[usize::from(half)]).collect()
}

/// An instant, as in RFC 3339; nothing before 1970.
#[must_use]
pub fn instant(text: &str) -> Option<Timestamp> {
    let seconds = text.parse::<jiff::Timestamp>().ok()?.as_second();
    u64::try_from(seconds).ok().map(Timestamp::from_epoch_seconds)
}

/// An order as it is told, and what in it could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Told {
    /// Its readable lines; nothing if there is none. The others do not keep these from being recorded.
    pub order: Option<ChannelOrder>,
    /// Each line that could not be read, in words.
    pub unreadable: Vec<String>,
}

impl Told {
    /// An order of these lines.
    #[must_use]
    pub fn new(id: &str, changed_at: Timestamp, lines: Vec<Result<SaleLine, String>>) -> Self {
        let (readable, mut unreadable) = each_once(id, lines);
        let order = match id.parse() {
            Ok(order) if !readable.is_empty() => Some(ChannelOrder { order, changed_at, lines: readable }),
            Ok(_) => None,
            Err(error) => {
                unreadable.push(format!("order {id:?}: its id {error}"));
                None
            }
        };
        Self { order, unreadable }
    }
}

/// Lines of an order, and in words those that could not be read. Each name once: a second line of the same name would be taken for the
/// first one, told again, and its units would be held nowhere. So it is told to the merchant.
#[must_use]
pub fn each_once(
    order: &str,
    lines: impl IntoIterator<Item = Result<SaleLine, String>>,
) -> (Vec<SaleLine>, Vec<String>) {
    let (mut readable, mut unreadable): (Vec<SaleLine>, Vec<String>) = (Vec::new(), Vec::new());
    for line in lines {
        match line {
            Ok(line) if readable.iter().any(|known| known.line == line.line) => {
                unreadable.push(format!("order {order}: there is another line {}", line.line));
            }
            Ok(line) => readable.push(line),
            Err(words) => unreadable.push(format!("order {order}: {words}")),
        }
    }
    (readable, unreadable)
}

/// A line of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line<'a> {
    /// The vendor's name for it.
    pub id: String,
    /// The seller's SKU, if there is one.
    pub sku: Option<&'a str>,
    /// Units ordered at first.
    pub quantity: u64,
    /// Units canceled before they were shipped.
    pub canceled: u64,
    /// How far it has got.
    pub stage: Stage,
}

impl Line<'_> {
    /// The line, checked.
    ///
    /// # Errors
    /// In words for the merchant.
    pub fn checked(self) -> Result<SaleLine, String> {
        let id = &self.id;
        let Some(sku) = self.sku.filter(|sku| !sku.is_empty()) else { return Err(format!("line {id} has no SKU")) };
        let sku: Sku = sku.parse().map_err(|error| format!("line {id}: the SKU {} {error}", shown(sku)))?;
        let quantity = Quantity::new(self.quantity)
            .map_err(|error| format!("line {id} of {sku}: the quantity {} {error}", self.quantity))?;
        let line = id.parse().map_err(|error| format!("line {}: its id {error}", shown(id)))?;
        Ok(SaleLine { line, sku, quantity, canceled: self.canceled.min(quantity.units()), stage: self.stage })
    }
}

/// Characters of a text from outside that are repeated.
const MAX_SHOWN_CHARS: usize = 80;

/// A text from outside, for a person.
fn shown(text: &str) -> String {
    format!("{:?}", text.chars().take(MAX_SHOWN_CHARS).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line<'a>(id: &str, sku: &'a str, quantity: u64) -> Line<'a> {
        Line { id: id.to_owned(), sku: Some(sku), quantity, canceled: 0, stage: Stage::Paid }
    }

    #[test]
    fn a_name_is_the_beginning_of_a_digest() {
        let digest = [[0x01, 0x9f].as_slice(), &[0x0f; 30]].concat();
        assert_eq!(name(&digest), format!("019f{}", "0f".repeat(14)));
    }

    #[test]
    fn an_instant_is_read_in_any_zone_and_never_before_1970() {
        let noon = Some(Timestamp::from_epoch_seconds(1_640_995_200));
        assert_eq!(instant("2022-01-01T00:00:00Z"), noon);
        assert_eq!(instant("2021-12-31T19:00:00-05:00"), noon);
        assert_eq!(instant("2022-01-01T00:00:00.999Z"), noon);
        for text in ["", "2022-01-01", "1969-12-31T23:59:59Z", "2022-01-01T00:00:00"] {
            assert_eq!(instant(text), None, "{text}");
        }
    }

    #[test]
    fn a_line_that_cannot_be_read_does_not_hide_the_others() {
        let lines = vec![
            line("1", "tea", 2).checked(),
            line("2", "green tea", 1).checked(),
            Line { sku: None, ..line("3", "", 1) }.checked(),
            line("4", "tea", 1_000_001).checked(),
            line("5", "tea", 0).checked(),
        ];
        let told = Told::new("17", Timestamp::from_epoch_seconds(1), lines);
        let order = told.order.unwrap();
        assert_eq!((order.order.as_str(), order.lines.len()), ("17", 1));
        assert_eq!(
            told.unreadable,
            [
                r#"order 17: line 2: the SKU "green tea" must be 1 to 64 characters of A-Z a-z 0-9 . _ -, not dots alone"#,
                "order 17: line 3 has no SKU",
                "order 17: line 4 of tea: the quantity 1000001 must be a whole number from 1 to 1000000",
                "order 17: line 5 of tea: the quantity 0 must be a whole number from 1 to 1000000",
            ]
        );
    }

    #[test]
    fn a_second_line_of_the_same_name_is_told_and_not_taken_for_the_first() {
        let lines = vec![line("1", "tea", 2).checked(), line("1", "mug", 3).checked(), line("2", "mug", 3).checked()];
        let told = Told::new("17", Timestamp::from_epoch_seconds(1), lines);
        let lines = told.order.unwrap().lines;
        assert_eq!(lines.iter().map(|line| line.sku.as_str()).collect::<Vec<_>>(), ["tea", "mug"]);
        assert_eq!(told.unreadable, ["order 17: there is another line 1"]);
    }

    #[test]
    fn what_is_canceled_is_at_most_what_was_ordered() {
        let line = Line { canceled: 9, ..line("1", "tea", 2) }.checked().unwrap();
        assert_eq!(line.canceled, 2);
    }
}
