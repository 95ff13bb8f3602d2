//! Reading a request into domain types.
//!
//! Every reader takes down what is wrong and goes on, so that one answer names every fault. What is wrong reads as nothing:
//! [`parse`] never hands out a value that was built beside a fault.

mod body;
mod headers;
mod query;

use std::{fmt::Display, ops::RangeInclusive, str::FromStr};

use domain::refusal::FieldError;

use crate::{
    Problem, Request,
    json::{Decimal, Field, Text, Whole},
};

pub use headers::IfMatch;

/// A request that is being read.
#[derive(Debug)]
pub struct Input<'a> {
    request: &'a Request,
    errors: Vec<FieldError>,
    /// A fault of the body as a whole, which comes before any field.
    refused: Option<Problem>,
    /// Query parameters that were asked for: any other one is refused.
    known: Vec<&'static str>,
}

/// Reads the request with `read`, which returns nothing only where it met a fault.
///
/// # Errors
/// The first in order of precedence: a body that is not JSON by name, a body that is too large, the fields at fault.
pub fn parse<'a, T>(request: &'a Request, read: impl FnOnce(&mut Input<'a>) -> Option<T>) -> Result<T, Problem> {
    let mut input = Input { request, errors: Vec::new(), refused: None, known: Vec::new() };
    let value = read(&mut input);
    input.refuse_unknown_parameters();
    match (input.refused, value) {
        (Some(problem), _) => Err(problem),
        (None, Some(value)) if input.errors.is_empty() => Ok(value),
        (None, _) => Err(Problem::invalid(input.errors)),
    }
}

impl Input<'_> {
    /// Takes down a fault.
    pub fn refuse(&mut self, field: impl Into<String>, detail: impl Display) {
        self.errors.push(FieldError { field: field.into(), detail: detail.to_string() });
    }

    fn read<T: FromStr<Err: Display>>(&mut self, field: &str, text: &str) -> Option<T> {
        text.parse().map_err(|error| self.refuse(field, error)).ok()
    }

    /// A parameter of the path.
    pub fn path<T: FromStr<Err: Display>>(&mut self, name: &'static str) -> Option<T> {
        let text = self.request.path(name).unwrap_or_default();
        self.read(name, text)
    }

    /// A text of the body that must be there.
    pub fn required<T: FromStr<Err: Display>>(&mut self, field: &str, text: Text) -> Option<T> {
        let text = self.given(field, text)?;
        self.read(field, &text)
    }

    /// A text of the body that may be there.
    pub fn optional<T: FromStr<Err: Display>>(&mut self, field: &str, text: Text) -> Option<T> {
        if text == Field::Absent { None } else { self.required(field, text) }
    }

    /// A number of the body that must be there.
    pub fn required_whole<T, E: Display>(
        &mut self,
        field: &str,
        whole: Whole,
        check: impl FnOnce(i64) -> Result<T, E>,
    ) -> Option<T> {
        let number = self.given(field, whole)?;
        check(number).map_err(|error| self.refuse(field, error)).ok()
    }

    /// A number of the body that may be there.
    pub fn optional_whole<T, E: Display>(
        &mut self,
        field: &str,
        whole: Whole,
        check: impl FnOnce(i64) -> Result<T, E>,
    ) -> Option<T> {
        if whole == Field::Absent { None } else { self.required_whole(field, whole, check) }
    }

    /// A number of the body that must be there, with at most so many decimals: in units of the last of them.
    pub fn required_decimal(
        &mut self,
        field: &str,
        number: Decimal,
        decimals: u32,
        range: RangeInclusive<u64>,
    ) -> Option<u64> {
        let number = self.given(field, number)?;
        let scale = f64::from(10_u32.pow(decimals));
        // Decimals that binary cannot hold are off by far less than a millionth of the last one.
        let scaled = (number * scale).round();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "`as` answers the end of the range"
        )]
        let units = Some(scaled as u64).filter(|units| range.contains(units) && scaled >= 0.0);
        let units = units.filter(|_| (number * scale - scaled).abs() < 1e-6);
        if units.is_none() {
            #[expect(clippy::cast_precision_loss, reason = "a limit that a person reads")]
            let shown = |limit: u64| limit as f64 / scale;
            let (from, to) = (shown(*range.start()), shown(*range.end()));
            self.refuse(field, format!("must be a number from {from} to {to} with at most {decimals} decimals"));
        }
        units
    }

    /// The value of a field that must be there.
    pub fn given<T>(&mut self, field: &str, value: Field<T>) -> Option<T> {
        match value {
            Field::Given(value) => return Some(value),
            Field::Absent => self.refuse(field, "is required"),
            Field::Wrong(detail) => self.refuse(field, detail),
        }
        None
    }
}

/// A check for [`Input::required_whole`]: the number is in this range.
pub fn within(range: RangeInclusive<u64>) -> impl FnOnce(i64) -> Result<u64, String> {
    move |number| {
        u64::try_from(number)
            .ok()
            .filter(|number| range.contains(number))
            .ok_or_else(|| format!("must be a whole number from {} to {}", range.start(), range.end()))
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_decimal_is_counted_in_units_of_its_last_place() {
        #[derive(Debug, Default, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        struct Level {
            level: Decimal,
        }
        let read = |input: &mut Input<'_>| {
            let body: Level = input.body()?;
            input.required_decimal("level", body.level, 4, 5_000..=9_999)
        };
        let post = |level: &str| Sample::new("POST /").body(&format!(r#"{{"level": {level}}}"#)).request();
        for (level, units) in [("0.95", 9_500), ("0.5", 5_000), ("0.9999", 9_999), ("95e-2", 9_500)] {
            assert_eq!(parse(&post(level), read).unwrap(), units, "{level}");
        }
        for level in ["0.95001", "1", "0.4999", "-0.95", "1e300", "-1e300"] {
            let detail = "must be a number from 0.5 to 0.9999 with at most 4 decimals".to_owned();
            assert_eq!(faults(&post(level), read), [("level".to_owned(), detail)], "{level}");
        }
        for level in ["\"0.95\"", "null", "true"] {
            assert_eq!(faults(&post(level), read)[0].0, "level", "{level}");
        }
    }

    use domain::{
        ids::{Channel, Sku},
        limits::MAX_HOLD_SECONDS,
    };
    use serde::Deserialize;

    use super::*;
    use crate::testing::{Sample, faults};

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Body {
        channel: Text,
        seconds: Whole,
    }

    #[test]
    fn fields_are_read_each_for_itself_and_all_faults_are_named() {
        let read = |input: &mut Input<'_>| {
            let key = input.idempotency_key();
            let sku = input.path::<Sku>("sku");
            let Body { channel, seconds } = input.body()?;
            let channel = input.optional::<Channel>("channel", channel);
            let seconds = input.required_whole("seconds", seconds, within(300..=MAX_HOLD_SECONDS));
            Some((key?, sku?, channel, seconds?))
        };
        let good = Sample::new("POST /{sku}").path("sku", "tea").body(r#"{"seconds": 300}"#);
        let (_, sku, channel, seconds) = parse(&good.request(), read).unwrap();
        assert_eq!((sku.as_str(), channel, seconds), ("tea", None, 300));
        let bad = Sample::new("POST /{sku}")
            .without_header("Idempotency-Key")
            .query("x=1")
            .path("sku", "%20")
            .body(r#"{"channel": "OWN", "seconds": 299}"#);
        let fields: Vec<String> = faults(&bad.request(), read).into_iter().map(|(field, _)| field).collect();
        assert_eq!(fields, ["Idempotency-Key", "sku", "channel", "seconds", "x"]);
        for body in [r#"{"seconds": 3601}"#, r#"{"seconds": -1}"#, r#"{"seconds": 1.5}"#, "{}"] {
            assert_eq!(faults(&good.clone().body(body).request(), read)[0].0, "seconds", "{body}");
        }
        assert_eq!(faults(&good.body(r#"{"seconds": 300, "channel": null}"#).request(), read)[0].0, "channel");
    }
}
