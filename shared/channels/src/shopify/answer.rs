//! An answer of Shopify's GraphQL, which says with status 200 what went wrong.
//!
//! Sources: shopify.dev, "GraphQL Admin API rate limits" and "Response codes": `errors[].extensions.code`, and
//! `extensions.cost.{requestedQueryCost, throttleStatus}`. That a code is `THROTTLED`, `ACCESS_DENIED`, `SHOP_INACTIVE` or
//! `INTERNAL_SERVER_ERROR` is documented; any other is a refusal.

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Number, Value};

use crate::{CallError, reading};

/// Characters of Shopify's words that are repeated.
const MAX_WORDS_CHARS: usize = 300;

/// How long to wait when Shopify does not say, in seconds: a standard shop's bucket is filled again in about twenty.
const DEFAULT_RETRY_AFTER_SECONDS: u64 = 2;

#[derive(Deserialize)]
struct Answer<T> {
    #[serde(default = "nothing")]
    data: Option<T>,
    #[serde(default)]
    errors: Option<Value>,
    #[serde(default)]
    extensions: Option<Extensions>,
}

/// Without it, `T` would have to have a default.
fn nothing<T>() -> Option<T> {
    None
}

#[derive(Deserialize)]
struct Extensions {
    cost: Option<Cost>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Cost {
    requested_query_cost: Option<Number>,
    throttle_status: Option<ThrottleStatus>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ThrottleStatus {
    currently_available: Number,
    restore_rate: Number,
}

/// What was asked for.
///
/// # Errors
/// [`CallError`] by the code of the first error, however much data comes with it: a part of an answer is none.
pub fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, CallError> {
    let answer: Answer<Value> = reading::json(bytes).map_err(|reason| CallError::Unavailable { reason })?;
    if let Some(errors) = answer.errors.as_ref().filter(|errors| !is_empty(errors)) {
        return Err(error(errors, answer.extensions.as_ref()));
    }
    let Some(data) = answer.data else {
        return Err(CallError::Unavailable { reason: "an answer without data".to_owned() });
    };
    serde_json::from_value(data)
        .map_err(|_| CallError::Unavailable { reason: "an answer of another shape than the schema's".to_owned() })
}

fn is_empty(errors: &Value) -> bool {
    errors.is_null() || errors.as_array().is_some_and(Vec::is_empty)
}

fn error(errors: &Value, extensions: Option<&Extensions>) -> CallError {
    // Before GraphQL is reached, `errors` is a text.
    let first = errors.get(0).unwrap_or(errors);
    let message = first.get("message").or(Some(first)).and_then(Value::as_str).unwrap_or("an error without words");
    let reason = words(message);
    match first.pointer("/extensions/code").and_then(Value::as_str) {
        Some("THROTTLED") => CallError::Throttled { retry_after_seconds: wait_seconds(extensions) },
        Some("ACCESS_DENIED" | "SHOP_INACTIVE") => CallError::Unauthorized { reason },
        Some("INTERNAL_SERVER_ERROR") => CallError::Unavailable { reason },
        _ => CallError::Refused { reason },
    }
}

/// Shopify's words, for a person.
pub(super) fn words(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(MAX_WORDS_CHARS).collect()
}

/// Until as many points are there as the query costs.
fn wait_seconds(extensions: Option<&Extensions>) -> u64 {
    let computed = || {
        let cost = extensions?.cost.as_ref()?;
        let status = cost.throttle_status.as_ref()?;
        let requested = whole(cost.requested_query_cost.as_ref()?)?;
        let available = whole(&status.currently_available)?;
        let rate = whole(&status.restore_rate).filter(|rate| *rate > 0)?;
        // One more, for the fractions that were cut off.
        Some((requested + 1).saturating_sub(available).div_ceil(rate).max(1))
    };
    computed().unwrap_or(DEFAULT_RETRY_AFTER_SECONDS)
}

/// The whole part of a number of points, which Shopify writes as `1000.0` or as `1000`; below 0 it is 0.
fn whole(number: &Number) -> Option<u64> {
    let text = number.to_string();
    if text.starts_with('-') {
        return Some(0);
    }
    let digits = text.split('.').next()?;
    digits.parse::<u32>().ok().map(u64::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn throttled(cost: &str) -> String {
        format!(
            r#"{{"errors":[{{"message":"Throttled","extensions":{{"code":"THROTTLED"}}}}],"extensions":{{"cost":{cost}}}}}"#
        )
    }

    #[test]
    fn the_wait_is_until_the_points_are_there() {
        for (requested, available, rate, seconds) in [
            ("752", "666", "50.0", 2),
            ("752.5", "0.0", "100.0", 8),
            ("10", "-5", "100", 1),
            ("10", "500", "100", 1),
            ("10", "0", "0", DEFAULT_RETRY_AFTER_SECONDS),
            ("1e99", "0", "1", DEFAULT_RETRY_AFTER_SECONDS),
        ] {
            let cost = format!(
                r#"{{"requestedQueryCost":{requested},"actualQueryCost":null,
                "throttleStatus":{{"maximumAvailable":2000.0,"currentlyAvailable":{available},"restoreRate":{rate}}}}}"#
            );
            let answer = read::<Value>(throttled(&cost).as_bytes());
            assert_eq!(
                answer,
                Err(CallError::Throttled { retry_after_seconds: seconds }),
                "{requested} {available} {rate}"
            );
        }
        let without = read::<Value>(throttled("null").as_bytes());
        assert_eq!(without, Err(CallError::Throttled { retry_after_seconds: DEFAULT_RETRY_AFTER_SECONDS }));
    }

    #[test]
    fn each_code_is_its_own_error_whatever_data_comes_with_it() {
        let coded = |code: &str| {
            let text =
                format!(r#"{{"data":{{"shop":1}},"errors":[{{"message":"no","extensions":{{"code":"{code}"}}}}]}}"#);
            read::<Value>(text.as_bytes()).unwrap_err()
        };
        let reason = || "no".to_owned();
        assert_eq!(coded("ACCESS_DENIED"), CallError::Unauthorized { reason: reason() });
        assert_eq!(coded("SHOP_INACTIVE"), CallError::Unauthorized { reason: reason() });
        assert_eq!(coded("INTERNAL_SERVER_ERROR"), CallError::Unavailable { reason: reason() });
        assert_eq!(coded("MAX_COST_EXCEEDED"), CallError::Refused { reason: reason() });
        let text = read::<Value>(br#"{"errors":"Not Found"}"#);
        assert_eq!(text, Err(CallError::Refused { reason: "Not Found".to_owned() }));
    }

    #[test]
    fn an_answer_without_data_is_none() {
        for text in ["", "{}", r#"{"data":null}"#, r#"{"data":null,"errors":[]}"#, "<html>"] {
            assert!(matches!(read::<Value>(text.as_bytes()), Err(CallError::Unavailable { .. })), "{text}");
        }
        assert_eq!(read::<u8>(br#"{"data":7,"errors":[]}"#), Ok(7));
        assert!(matches!(read::<u8>(br#"{"data":"seven"}"#), Err(CallError::Unavailable { .. })));
    }
}
