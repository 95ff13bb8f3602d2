//! The `lines` of a reservation or an order: `[{"sku": "tea", "quantity": 2}, …]`.

use domain::{
    ids::{Channel, Sku},
    limits::MAX_LINES,
    quantity::{Quantity, QuantityError},
    reservation::{Cart, CartError, Line},
};
use serde::Deserialize;

use crate::{
    Input,
    json::{Field, Flag, List, Text, Whole},
};

/// One line of a body.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LineBody {
    sku: Text,
    quantity: Whole,
}

/// The SKUs of the lines in the order of the request: says which field an answer about a SKU is about.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SkuFields(Vec<Sku>);

impl SkuFields {
    /// `lines[2].sku`, for the first line that names this SKU.
    #[must_use]
    pub fn field(&self, sku: &Sku) -> String {
        self.path(sku, "sku")
    }

    /// All of them, in that order.
    #[must_use]
    pub fn into_skus(self) -> Vec<Sku> {
        self.0
    }

    fn path(&self, sku: &Sku, field: &str) -> String {
        let index = self.0.iter().position(|own| own == sku);
        index.map_or_else(|| "lines".to_owned(), |index| format!("lines[{index}].{field}"))
    }
}

/// A check for [`Input::required_whole`]: the number is a quantity.
///
/// # Errors
/// [`QuantityError`] when it is not.
pub fn checked_quantity(units: i64) -> Result<Quantity, QuantityError> {
    u64::try_from(units).map_err(|_| QuantityError).and_then(Quantity::new)
}

/// Reads the channel in which something is sold, the merchant's own where none is named. The shared stock is no such channel.
pub fn channel(input: &mut Input<'_>, channel: Text) -> Channel {
    let channel = input.optional("channel", channel).unwrap_or_else(Channel::own);
    if channel.is_shared() {
        input.refuse("channel", "must be a channel that sells; shared is the stock that belongs to none");
    }
    channel
}

/// Reads whether what is not there may be taken from what is to come: not, where nothing is said.
pub fn accepts_backorder(input: &mut Input<'_>, accepts: Flag) -> bool {
    match accepts {
        Field::Absent => false,
        given => input.given("accept_backorder", given).unwrap_or(false),
    }
}

/// Reads the lines; those of one SKU are merged.
pub fn read(input: &mut Input<'_>, lines: List<LineBody>) -> Option<(Cart, SkuFields)> {
    let lines = input.given("lines", lines)?;
    if lines.len() > MAX_LINES {
        // Before they are read: a body has room for thousands of lines, and an answer would name a fault in each.
        input.refuse("lines", CartError::TooManyLines);
        return None;
    }
    let read: Vec<Option<Line>> = lines
        .into_iter()
        .enumerate()
        .map(|(index, LineBody { sku, quantity })| {
            let sku = input.required(&format!("lines[{index}].sku"), sku);
            let quantity = input.required_whole(&format!("lines[{index}].quantity"), quantity, checked_quantity);
            Some(Line { sku: sku?, quantity: quantity? })
        })
        .collect();
    let lines: Vec<Line> = read.into_iter().collect::<Option<_>>()?;
    let skus = SkuFields(lines.iter().map(|line| line.sku.clone()).collect());
    match Cart::new(lines) {
        Ok(cart) => Some((cart, skus)),
        Err(error) => {
            let field = match &error {
                CartError::Empty | CartError::TooManyLines => "lines".to_owned(),
                CartError::TooMany { sku } => skus.path(sku, "quantity"),
            };
            input.refuse(field, error);
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Problem, parse, testing::Sample};

    #[derive(Default, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Body {
        lines: List<LineBody>,
    }

    fn read_lines(lines: &str) -> Result<(Cart, SkuFields), Problem> {
        let sample = Sample::new("POST /").body(&format!(r#"{{"lines": {lines}}}"#));
        parse(&sample.request(), |input| {
            let body: Body = input.body()?;
            read(input, body.lines)
        })
    }

    #[test]
    fn lines_of_one_sku_are_merged_and_the_first_one_is_named() {
        let lines = r#"[{"sku": "tea", "quantity": 1}, {"sku": "mug", "quantity": 2}, {"quantity": 3, "sku": "tea"}]"#;
        let (cart, skus) = read_lines(lines).unwrap();
        assert_eq!(cart.lines().iter().map(ToString::to_string).collect::<Vec<_>>(), ["mug=2", "tea=4"]);
        let field = |sku: &str| skus.field(&sku.parse().unwrap());
        assert_eq!((field("tea"), field("mug")), ("lines[0].sku".to_owned(), "lines[1].sku".to_owned()));
        assert_eq!(field("other"), "lines");
    }

    #[test]
    fn every_bad_line_names_its_field() {
        let line = |sku: &str, quantity: &str| {
            format!(r#"[{{"sku": "a", "quantity": 1}}, {{"sku": {sku}, "quantity": {quantity}}}]"#)
        };
        let whole = "must be a whole number, without quotes or fraction";
        let range = "must be a whole number from 1 to 1000000";
        let of = |quantity: &str| line("\"b\"", quantity);
        let fifty_one = format!("[{}]", vec![r#"{"sku": "a", "quantity": 1}"#; 51].join(","));
        let cases = [
            (of("0"), "lines[1].quantity", range),
            (of("-1"), "lines[1].quantity", range),
            (of("1000001"), "lines[1].quantity", range),
            (of("1000000000000"), "lines[1].quantity", range),
            (of("1e12"), "lines[1].quantity", range),
            (of("1.5"), "lines[1].quantity", whole),
            (of("\"2\""), "lines[1].quantity", whole),
            (of("true"), "lines[1].quantity", whole),
            (of("null"), "lines[1].quantity", "must not be null; leave the field out instead"),
            (line("\"\"", "1"), "lines[1].sku", "must be 1 to 64 characters of A-Z a-z 0-9 . _ -"),
            (line("\"a b\"", "1"), "lines[1].sku", "must be 1 to 64 characters of A-Z a-z 0-9 . _ -"),
            (line("7", "1"), "lines[1].sku", "must be a text in quotes"),
            ("[{}]".to_owned(), "lines[0].sku", "is required"),
            ("[]".to_owned(), "lines", "must have at least one line"),
            (fifty_one, "lines", "must have at most 50 lines"),
            (
                r#"[{"sku": "b", "quantity": 1}, {"sku": "a", "quantity": 1000000}, {"sku": "a", "quantity": 1}]"#
                    .to_owned(),
                "lines[1].quantity",
                "the lines of SKU a add up to more than 1000000",
            ),
            ("{}".to_owned(), "lines", "invalid type: map, expected a list"),
            (r#"[{"sku": "a", "quantiy": 1}]"#.to_owned(), "lines[0].quantiy", "unknown field `quantiy`"),
        ];
        for (lines, field, detail) in cases {
            let problem = read_lines(&lines).unwrap_err();
            assert_eq!(problem.errors()[0].field, field, "{lines}");
            assert!(problem.errors()[0].detail.starts_with(detail), "{lines}: {:?}", problem.errors());
        }
    }

    #[test]
    fn all_bad_lines_are_named_at_once() {
        let problem =
            read_lines(r#"[{"sku": "", "quantity": 0}, {"sku": "a", "quantity": 1}, {"quantity": "1"}]"#).unwrap_err();
        let fields: Vec<&str> = problem.errors().iter().map(|error| error.field.as_str()).collect();
        assert_eq!(fields, ["lines[0].sku", "lines[0].quantity", "lines[2].sku", "lines[2].quantity"]);
    }

    #[test]
    fn thousands_of_lines_are_one_fault() {
        let lines = format!("[{}]", vec!["{}"; 20_000].join(","));
        let problem = read_lines(&lines).unwrap_err();
        assert_eq!(problem.errors().len(), 1);
    }
}
