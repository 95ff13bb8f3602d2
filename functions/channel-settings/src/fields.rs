//! The fields that settings of channels and of listings have in common.

use std::{collections::BTreeMap, str::FromStr};

use domain::{
    channel::Buffer,
    limits::{MAX_OPTION_CHARS, MAX_OPTION_NAME_CHARS, MAX_OPTIONS, MAX_QUANTITY},
};
use http::{
    Input,
    input::within,
    json::{Entries, Field, Nested, Table, Text, Whole},
};
use serde::Deserialize;

/// `{"units": 5}`, or `{"from_speed": {"floor": 2}}`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct BufferBody {
    units: Whole,
    from_speed: Nested<FromSpeedBody>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct FromSpeedBody {
    floor: Whole,
}

/// The field `buffer`, if it is there.
pub(crate) fn buffer(input: &mut Input<'_>, body: Nested<BufferBody>) -> Option<Buffer> {
    let BufferBody { units, from_speed } = *given(input, "buffer", body)?;
    match (units, from_speed) {
        (Field::Absent, Field::Given(from_speed)) => {
            let floor = input.optional_whole("buffer.from_speed.floor", from_speed.floor, within(0..=MAX_QUANTITY));
            Some(Buffer::FromSpeed { floor: floor.unwrap_or_default() })
        }
        (units, Field::Absent) if units != Field::Absent => {
            input.required_whole("buffer.units", units, within(0..=MAX_QUANTITY)).map(Buffer::Units)
        }
        _ => {
            input.refuse("buffer", "must have units or from_speed, and not both");
            None
        }
    }
}

/// An object of texts, if it is there: options of a channel, ids of a listing.
pub(crate) fn texts(input: &mut Input<'_>, field: &'static str, body: Table<Text>) -> BTreeMap<String, String> {
    let Some(Entries(entries)) = given(input, field, body) else { return BTreeMap::new() };
    if entries.len() > MAX_OPTIONS {
        input.refuse(field, format!("must not have more than {MAX_OPTIONS} fields"));
    }
    let mut texts = BTreeMap::new();
    for (name, value) in entries.into_iter().take(MAX_OPTIONS) {
        let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        if name.is_empty() || name.len() > MAX_OPTION_NAME_CHARS || !name.chars().all(is_name) {
            let shown: String = name.chars().filter(|c| !c.is_control()).take(MAX_OPTION_NAME_CHARS).collect();
            let rule = format!("must be named by 1 to {MAX_OPTION_NAME_CHARS} characters of a-z 0-9 _");
            input.refuse(format!("{field}.{shown}"), rule);
        } else if let Some(OptionText(text)) = input.required(&format!("{field}.{name}"), value) {
            texts.insert(name, text);
        }
    }
    texts
}

/// The value of an object that may be there.
fn given<T>(input: &mut Input<'_>, field: &str, value: Field<T>) -> Option<T> {
    if matches!(value, Field::Absent) { None } else { input.given(field, value) }
}

/// A value that a vendor's module reads.
struct OptionText(String);

impl FromStr for OptionText {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let chars = text.chars().count();
        if (1..=MAX_OPTION_CHARS).contains(&chars) && !text.contains(char::is_control) {
            Ok(Self(text.to_owned()))
        } else {
            Err(format!("must be 1 to {MAX_OPTION_CHARS} characters without control characters"))
        }
    }
}

#[cfg(test)]
mod tests {
    use http::testing::{Sample, faults};

    use super::*;

    #[derive(Debug, Default, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Body {
        buffer: Nested<BufferBody>,
        options: Table<Text>,
    }

    fn read(input: &mut Input<'_>) -> Option<(Option<Buffer>, BTreeMap<String, String>)> {
        let body: Body = input.body()?;
        Some((buffer(input, body.buffer), texts(input, "options", body.options)))
    }

    fn sample(body: &str) -> http::Request {
        Sample::new("PUT /").body(body).request()
    }

    #[test]
    fn a_buffer_is_a_number_or_from_speed() {
        for (body, buffer) in [
            ("{}", None),
            (r#"{"buffer": {"units": 0}}"#, Some(Buffer::Units(0))),
            (r#"{"buffer": {"units": 1000000}}"#, Some(Buffer::Units(1_000_000))),
            (r#"{"buffer": {"from_speed": {}}}"#, Some(Buffer::FromSpeed { floor: 0 })),
            (r#"{"buffer": {"from_speed": {"floor": 2}}}"#, Some(Buffer::FromSpeed { floor: 2 })),
        ] {
            assert_eq!(http::parse(&sample(body), read).unwrap().0, buffer, "{body}");
        }
        for (body, field) in [
            (r#"{"buffer": {}}"#, "buffer"),
            (r#"{"buffer": 5}"#, "buffer"),
            (r#"{"buffer": {"units": 1, "from_speed": {}}}"#, "buffer"),
            (r#"{"buffer": {"units": -1}}"#, "buffer.units"),
            (r#"{"buffer": {"units": 1000001}}"#, "buffer.units"),
            (r#"{"buffer": {"units": null}}"#, "buffer.units"),
            (r#"{"buffer": {"from_speed": {"floor": -1}}}"#, "buffer.from_speed.floor"),
            (r#"{"buffer": {"from_speed": {"flor": 1}}}"#, "buffer.from_speed.flor"),
        ] {
            assert_eq!(faults(&sample(body), read)[0].0, field, "{body}");
        }
    }

    #[test]
    fn options_are_bounded_texts() {
        let body = r#"{"options": {"seller_id": "A1", "webhook_url": "https://x/y?z"}}"#;
        assert_eq!(http::parse(&sample(body), read).unwrap().1["seller_id"], "A1");
        for (options, field) in [
            (r#"{"Seller": "A1"}"#.to_owned(), "options.Seller"),
            (r#"{"": "A1"}"#.to_owned(), "options."),
            (r#"{"seller_id": 1}"#.to_owned(), "options.seller_id"),
            (r#"{"seller_id": ""}"#.to_owned(), "options.seller_id"),
            (r#"{"seller_id": "a\nb"}"#.to_owned(), "options.seller_id"),
            (format!(r#"{{"seller_id": "{}"}}"#, "x".repeat(513)), "options.seller_id"),
            (format!("{{{}}}", (0..21).map(|n| format!(r#""o{n}": "x""#)).collect::<Vec<_>>().join(",")), "options"),
        ] {
            let faults = faults(&sample(&format!(r#"{{"options": {options}}}"#)), read);
            assert_eq!((faults.len(), faults[0].0.as_str()), (1, field), "{options}");
        }
    }
}
