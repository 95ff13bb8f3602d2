//! Numbers, dates and ids as others write them: 10, 10.0 and "10"; 2026-12-05 and 2026-12-05T00:00:00Z; 257 and "257".

use jiff::civil::Date;
use serde::{Deserialize, Deserializer, de::Error};
use serde_json::Number;

use crate::ErpOrderId;

/// Whole units. Of a fraction, only what is whole: half a unit can be sold to nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Units(pub u64);

impl<'de> Deserialize<'de> for Units {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Number(Number),
            Text(String),
        }
        let text = match Written::deserialize(from)? {
            Written::Number(number) => number.to_string(),
            Written::Text(text) => text,
        };
        let (whole, fraction) = text.split_once('.').unwrap_or((&text, "0"));
        let is_number = !fraction.is_empty() && fraction.bytes().all(|byte| byte.is_ascii_digit());
        match whole.parse() {
            Ok(units) if is_number && !whole.starts_with('+') => Ok(Self(units)),
            _ => Err(D::Error::custom("not a number of units")),
        }
    }
}

/// A date, whatever time comes after it; nothing for what is none. A date that cannot be read keeps nobody from reading the rest.
pub(crate) fn day<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Date>, D::Error> {
    let text = Option::<String>::deserialize(from)?;
    Ok(text.and_then(|text| text.get(..10)?.parse().ok()))
}

/// An id, as a number or as a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Id(pub ErpOrderId);

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Number(u64),
            Text(String),
        }
        let text = match Written::deserialize(from)? {
            Written::Number(number) => number.to_string(),
            Written::Text(text) => text,
        };
        text.parse().map(Self).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_read_without_its_time_and_an_id_as_number_or_text() {
        #[derive(Deserialize)]
        struct Read {
            #[serde(default, deserialize_with = "day")]
            on: Option<Date>,
            id: Option<Id>,
        }
        let read =
            |json: &str| serde_json::from_str::<Read>(json).map(|read| (read.on, read.id.map(|id| id.0.to_string())));
        let day = Some(jiff::civil::date(2026, 12, 5));
        for (json, is) in [
            (r#"{"on":"2026-12-05","id":257}"#, (day, Some("257".to_owned()))),
            (r#"{"on":"2026-12-05T00:00:00Z","id":"257"}"#, (day, Some("257".to_owned()))),
            (r#"{"on":"5.12.2026"}"#, (None, None)),
            (r#"{"on":"2026-13-05"}"#, (None, None)),
            (r#"{"on":"\u00fc\u00fc\u00fc\u00fc\u00fc\u00fc"}"#, (None, None)),
            (r#"{"on":null}"#, (None, None)),
            ("{}", (None, None)),
        ] {
            assert_eq!(read(json).unwrap(), is, "{json}");
        }
        assert!(read(r#"{"id":"../1"}"#).is_err() && read(r#"{"id":-1}"#).is_err());
    }

    #[test]
    fn whole_units_are_read_however_they_are_written() {
        for (json, is) in [
            ("10", Some(10)),
            ("10.0", Some(10)),
            ("0", Some(0)),
            ("2.75", Some(2)),
            (r#""10""#, Some(10)),
            (r#""10.000000""#, Some(10)),
            ("-1", None),
            ("-0.5", None),
            ("1e300", None),
            (r#""""#, None),
            (r#""ten""#, None),
            (r#""1.""#, None),
            (r#""+1""#, None),
            (r#""1.5e3""#, None),
            ("null", None),
            ("[]", None),
        ] {
            let read = serde_json::from_str::<Units>(json).ok().map(|units| units.0);
            assert_eq!(read, is, "{json}");
        }
    }
}
