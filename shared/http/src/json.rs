//! The leaves of a request's body.
//!
//! A text or number that is absent, `null` or of another type is not an error here but a value that says so, for two reasons:
//! the answer can name every field at fault at once, and `null` is not taken for *absent*. What is an error is what makes the
//! rest unreadable: text that is not JSON, an unknown field, the same key twice, a list where an object belongs.

mod entries;

use std::{fmt, fmt::Write as _, marker::PhantomData};

use domain::refusal::FieldError;
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, DeserializeSeed, MapAccess, SeqAccess, Visitor, value::MapAccessDeserializer},
};
use serde_json::{Value, error::Category};
use serde_path_to_error::{Path, Segment, Track};

pub use entries::{Entries, Table, WordOr};

/// What a field holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Field<T> {
    /// It is not there.
    #[default]
    Absent,
    /// A value of the type that belongs there.
    Given(T),
    /// Something else; this is what it must be.
    Wrong(&'static str),
}

/// A text.
pub type Text = Field<String>;

/// A whole number, also where it is written `2.0` or `2e0`: JSON knows one kind of number, and so does JSON Schema's `integer`.
/// One beyond the range of `i64` is its end, which no field allows.
pub type Whole = Field<i64>;

/// A number, perhaps with a fraction.
pub type Decimal = Field<f64>;

/// Yes or no.
pub type Flag = Field<bool>;

/// A list of objects.
pub type List<T> = Field<Vec<T>>;

/// An object.
pub type Nested<T> = Field<Box<T>>;

const NOT_NULL: &str = "must not be null; leave the field out instead";
const NO_TEXT: &str = "must be a text in quotes";
const NO_NUMBER: &str = "must be a number, without quotes";
const NO_FLAG: &str = "must be true or false, without quotes";
const NO_WHOLE: &str = "must be a whole number, without quotes or fraction";

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match Value::deserialize(deserializer)? {
            Value::String(text) => Self::Given(text),
            Value::Null => Self::Wrong(NOT_NULL),
            _ => Self::Wrong(NO_TEXT),
        })
    }
}

impl<'de> Deserialize<'de> for Flag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match Value::deserialize(deserializer)? {
            Value::Bool(flag) => Self::Given(flag),
            Value::Null => Self::Wrong(NOT_NULL),
            _ => Self::Wrong(NO_FLAG),
        })
    }
}

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match Value::deserialize(deserializer)? {
            Value::Number(number) => whole(&number).map_or(Self::Wrong(NO_WHOLE), Self::Given),
            Value::Null => Self::Wrong(NOT_NULL),
            _ => Self::Wrong(NO_WHOLE),
        })
    }
}

impl<'de> Deserialize<'de> for Decimal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match Value::deserialize(deserializer)? {
            Value::Number(number) => number.as_f64().map_or(Self::Wrong(NO_NUMBER), Self::Given),
            Value::Null => Self::Wrong(NOT_NULL),
            _ => Self::Wrong(NO_NUMBER),
        })
    }
}

fn whole(number: &serde_json::Number) -> Option<i64> {
    if number.is_i64() || number.is_u64() {
        return Some(number.as_i64().unwrap_or(i64::MAX));
    }
    let float = number.as_f64().filter(|float| float.fract() == 0.0)?;
    #[expect(clippy::cast_possible_truncation, reason = "beyond its range, `as` answers the end of the range")]
    Some(float as i64)
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(Objects(PhantomData)).map(Self::Given)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Nested<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Object(PhantomData).deserialize(deserializer).map(|object| Self::Given(Box::new(object)))
    }
}

/// Reads a list of objects in place, so that an error inside knows its path.
struct Objects<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Objects<T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<T>, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element_seed(Object(PhantomData))? {
            items.push(item);
        }
        Ok(items)
    }
}

/// Reads a struct from an object only: a derived `Deserialize` alone would also take its fields, in order, from a list.
struct Object<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> DeserializeSeed<'de> for Object<T> {
    type Value = T;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<T, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for Object<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map))
    }
}

/// Reads a body: one JSON object in UTF-8, nothing after it.
pub(crate) fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, FieldError> {
    let wrong = |field: String, detail: String| FieldError { field, detail };
    let text = std::str::from_utf8(body)
        .map_err(|error| wrong("body".to_owned(), format!("must be UTF-8; byte {} is not", error.valid_up_to())))?;
    let mut json = serde_json::Deserializer::from_str(text);
    let mut track = Track::new();
    let tracked = serde_path_to_error::Deserializer::new(&mut json, &mut track);
    let value = Object(PhantomData).deserialize(tracked);
    let value = value.map_err(|error| {
        let detail = match error.classify() {
            Category::Data => error.to_string(),
            _ => format!("must be JSON: {error}"),
        };
        wrong(name(&track.path()), detail)
    })?;
    json.end().map_err(|error| wrong("body".to_owned(), format!("must be one JSON object: {error}")))?;
    Ok(value)
}

/// `lines[1].quantity`; the whole of it is called `body`.
fn name(path: &Path) -> String {
    let mut name = String::new();
    for segment in path {
        match segment {
            Segment::Seq { index } => write!(name, "[{index}]"),
            Segment::Map { key } if name.is_empty() => write!(name, "{key}"),
            Segment::Map { key } => write!(name, ".{key}"),
            Segment::Enum { .. } | Segment::Unknown => Ok(()),
        }
        .expect("a String takes everything"); // Cannot fail: only a foreign writer does.
    }
    if name.is_empty() { "body".to_owned() } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Body {
        note: Text,
        count: Whole,
        lines: List<Line>,
    }

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Outer {
        line: Nested<Line>,
    }

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Line {
        sku: Text,
        quantity: Whole,
    }

    #[test]
    fn a_flag_is_true_or_false() {
        for (text, flag) in [
            ("true", Flag::Given(true)),
            ("false", Flag::Given(false)),
            ("null", Flag::Wrong(NOT_NULL)),
            ("\"true\"", Flag::Wrong(NO_FLAG)),
            ("1", Flag::Wrong(NO_FLAG)),
        ] {
            assert_eq!(serde_json::from_str::<Flag>(text).unwrap(), flag, "{text}");
        }
    }

    #[test]
    fn what_belongs_there_is_given() {
        let body: Body =
            read(br#" {"note": "a", "count": -3, "lines": [{"sku": "tea", "quantity": 2}, {}]} "#).unwrap();
        let lines = vec![Line { sku: Field::Given("tea".to_owned()), quantity: Field::Given(2) }, Line::default()];
        assert_eq!(
            body,
            Body { note: Field::Given("a".to_owned()), count: Field::Given(-3), lines: Field::Given(lines) }
        );
        assert_eq!(read::<Body>(b"{}").unwrap(), Body::default());
    }

    #[test]
    fn an_object_is_read_within_an_object() {
        let outer: Outer = read(br#"{"line": {"quantity": 2}}"#).unwrap();
        let line = Line { quantity: Field::Given(2), ..Line::default() };
        assert_eq!(outer, Outer { line: Field::Given(Box::new(line)) });
        assert_eq!(read::<Outer>(b"{}").unwrap(), Outer::default());
        for (body, field, detail) in [
            (r#"{"line": null}"#, "line", "invalid type: null, expected an object"),
            (r#"{"line": [1]}"#, "line", "invalid type: sequence, expected an object"),
            (r#"{"line": {"x": 1}}"#, "line.x", "unknown field `x`"),
        ] {
            let fault = read::<Outer>(body.as_bytes()).unwrap_err();
            assert!(fault.field == field && fault.detail.starts_with(detail), "{body}: {fault:?}");
        }
    }

    #[test]
    fn what_does_not_belong_there_says_so() {
        for (value, note, count) in [
            ("null", NOT_NULL, NOT_NULL),
            ("true", NO_TEXT, NO_WHOLE),
            ("1.5", NO_TEXT, NO_WHOLE),
            ("-0.5", NO_TEXT, NO_WHOLE),
            (r#"{"a": [1, {"b": null}]}"#, NO_TEXT, NO_WHOLE),
            ("[[1], {}]", NO_TEXT, NO_WHOLE),
        ] {
            let body = format!(r#"{{"note": {value}, "count": {value}}}"#);
            let expected = Body { note: Field::Wrong(note), count: Field::Wrong(count), lines: Field::Absent };
            assert_eq!(read::<Body>(body.as_bytes()).unwrap(), expected, "{value}");
        }
        assert_eq!(read::<Body>(br#"{"count": "2"}"#).unwrap().count, Field::Wrong(NO_WHOLE));
        for (text, count) in [
            ("1000000000000", 1_000_000_000_000),
            ("245.0", 245),
            ("1e3", 1_000),
            ("-0", 0),
            ("1000000000000000000000000000000", i64::MAX),
            ("-1e300", i64::MIN),
        ] {
            let body = format!(r#"{{"count": {text}}}"#);
            assert_eq!(read::<Body>(body.as_bytes()).unwrap().count, Field::Given(count), "{text}");
        }
        assert_eq!(read::<Body>(br#"{"count": 18446744073709551615}"#).unwrap().count, Field::Given(i64::MAX));
    }

    #[test]
    fn what_makes_the_rest_unreadable_is_named() {
        for (body, field, detail) in [
            (&b"\xff{}"[..], "body", "must be UTF-8; byte 0 is not"),
            (b"{\"note\": \"\xc3\x28\"}", "body", "must be UTF-8; byte 10 is not"),
            (b"", "body", "must be JSON: EOF"),
            (b"{", "body", "must be JSON: EOF"),
            (b"{\"note\": }", "note", "must be JSON: expected value"),
            (b"{\"count\": 1e400}", "count", "must be JSON: number out of range"),
            (b"{\"lines\": null}", "lines", "invalid type: null, expected a list"),
            (b"{\"lines\": {}}", "lines", "invalid type: map, expected a list"),
            (b"{'note': 1}", "body", "must be JSON: key must be a string"),
            (b"{} {}", "body", "must be one JSON object: trailing characters"),
            (b"[]", "body", "invalid type: sequence, expected an object"),
            (b"[\"a\", 1, []]", "body", "invalid type: sequence, expected an object"),
            (b"null", "body", "invalid type: null, expected an object"),
            (b"\"x\"", "body", "invalid type: string \"x\", expected an object"),
            (b"{\"noet\": 1}", "noet", "unknown field `noet`, expected one of `note`, `count`, `lines`"),
            (b"{\"note\": \"a\", \"note\": \"a\"}", "body", "duplicate field `note`"),
            (b"{\"lines\": [{}, {\"quantiy\": 1}]}", "lines[1].quantiy", "unknown field `quantiy`"),
            (b"{\"lines\": [{\"sku\": \"a\", \"sku\": \"b\"}]}", "lines[0]", "duplicate field `sku`"),
            (b"{\"lines\": [[\"tea\", 1]]}", "lines[0]", "invalid type: sequence, expected an object"),
            (b"{\"lines\": [null]}", "lines[0]", "invalid type: null, expected an object"),
        ] {
            let error = read::<Body>(body).unwrap_err();
            assert_eq!(error.field, field, "{}", error.detail);
            assert!(error.detail.starts_with(detail), "{}", error.detail);
        }
    }

    #[test]
    fn a_deep_body_is_refused_before_it_exhausts_the_stack() {
        let deep = format!("{{\"note\": {}", "[".repeat(60_000));
        assert!(read::<Body>(deep.as_bytes()).unwrap_err().detail.starts_with("must be JSON: recursion limit"));
    }
}
