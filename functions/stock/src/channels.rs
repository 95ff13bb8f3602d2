//! Numbers for channels in a body: `{"own": 40, "amazon": 35}`.

use std::collections::BTreeMap;

use domain::{ids::Channel, limits::MAX_CHANNELS};
use http::{
    Input,
    input::within,
    json::{Entries, Whole},
};

/// Reads a number from 0 to `max` for each channel. The shared stock has one only where the request says so.
pub(crate) fn read(
    input: &mut Input<'_>,
    field: &str,
    Entries(entries): Entries<Whole>,
    max: u64,
    may_be_shared: bool,
) -> Option<BTreeMap<Channel, u64>> {
    if entries.len() > MAX_CHANNELS {
        // Before they are read: a body has room for thousands, and an answer would name a fault in each.
        input.refuse(field, format!("must name at most {MAX_CHANNELS} channels"));
        return None;
    }
    let read: Vec<Option<(Channel, u64)>> = entries
        .into_iter()
        .map(|(name, number)| {
            let channel = name.parse::<Channel>();
            let Ok(channel) = channel.map_err(|error| input.refuse(field, format!("names a channel that {error}")))
            else {
                return None;
            };
            let path = format!("{field}.{channel}");
            if channel.is_shared() && !may_be_shared {
                input.refuse(path, "must not be given: what no channel has is shared");
                return None;
            }
            Some((channel, input.required_whole(&path, number, within(0..=max))?))
        })
        .collect();
    read.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use http::{json::Table, testing::Sample};
    use serde::Deserialize;

    use super::*;

    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Body {
        channels: Table<Whole>,
    }

    fn read_body(numbers: &str, may_be_shared: bool) -> Result<Vec<String>, Vec<String>> {
        let sample = Sample::new("PUT /").body(&format!(r#"{{"channels": {numbers}}}"#));
        let read = http::parse(&sample.request(), |input| {
            let body: Body = input.body()?;
            let entries = input.given("channels", body.channels)?;
            read(input, "channels", entries, 9, may_be_shared)
        });
        match read {
            Ok(numbers) => Ok(numbers.iter().map(|(channel, number)| format!("{channel} {number}")).collect()),
            Err(problem) => Err(problem.errors().iter().map(|error| error.field.clone()).collect()),
        }
    }

    #[test]
    fn each_channel_has_a_number_in_range() {
        assert_eq!(read_body(r#"{"own": 9, "ebay": 0}"#, false).unwrap(), ["ebay 0", "own 9"]);
        assert_eq!(read_body("{}", false).unwrap(), [""; 0]);
        assert_eq!(read_body(r#"{"shared": 1}"#, true).unwrap(), ["shared 1"]);
        let too_many: Vec<String> = (0..33).map(|n| format!(r#""c{n}": 1"#)).collect();
        for (numbers, fields) in [
            (r#"{"shared": 1}"#, &["channels.shared"][..]),
            (r#"{"own": 10, "ebay": -1, "amazon": "1"}"#, &["channels.own", "channels.ebay", "channels.amazon"]),
            (r#"{"Own": 1, "a#b": 1}"#, &["channels", "channels"]),
            (&format!("{{{}}}", too_many.join(",")), &["channels"]),
        ] {
            assert_eq!(read_body(numbers, false).unwrap_err(), fields, "{numbers}");
        }
    }
}
