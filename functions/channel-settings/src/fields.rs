//! The fields that settings of channels and of listings have in common.

use domain::{channel::Buffer, limits::MAX_QUANTITY};
use http::{
    Input,
    input::within,
    json::{Field, Nested, Whole},
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

/// The value of an object that may be there.
fn given<T>(input: &mut Input<'_>, field: &str, value: Field<T>) -> Option<T> {
    if matches!(value, Field::Absent) { None } else { input.given(field, value) }
}

#[cfg(test)]
mod tests {
    use http::testing::{Sample, faults};

    use super::*;

    #[derive(Debug, Default, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Body {
        buffer: Nested<BufferBody>,
    }

    /// None, or one.
    fn read(input: &mut Input<'_>) -> Option<Vec<Buffer>> {
        let body: Body = input.body()?;
        Some(buffer(input, body.buffer).into_iter().collect())
    }

    fn sample(body: &str) -> http::Request {
        Sample::new("PUT /").body(body).request()
    }

    #[test]
    fn a_buffer_is_a_number_or_from_speed() {
        for (body, buffer) in [
            ("{}", vec![]),
            (r#"{"buffer": {"units": 0}}"#, vec![Buffer::Units(0)]),
            (r#"{"buffer": {"units": 1000000}}"#, vec![Buffer::Units(1_000_000)]),
            (r#"{"buffer": {"from_speed": {}}}"#, vec![Buffer::FromSpeed { floor: 0 }]),
            (r#"{"buffer": {"from_speed": {"floor": 2}}}"#, vec![Buffer::FromSpeed { floor: 2 }]),
        ] {
            assert_eq!(http::parse(&sample(body), read).unwrap(), buffer, "{body}");
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
}
