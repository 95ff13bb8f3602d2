//! The filter patterns of an event source mapping, as far as templates here use them: nested objects that end in a list
//! of alternatives, each a literal, `{"prefix": …}`, `{"exists": …}` or `{"anything-but": […]}`. Anything else is
//! refused at start-up rather than ignored.
//!
//! Source: AWS Lambda developer guide, "Control which events Lambda sends to your function", filter rule syntax.

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// What an event must look like.
#[derive(Debug, Clone, PartialEq)]
pub enum Pattern {
    /// Every field must match.
    Fields(Vec<(String, Pattern)>),
    /// One of these must match.
    OneOf(Vec<Rule>),
}

#[derive(Debug, Clone, PartialEq)]
pub enum Rule {
    Equals(Value),
    Prefix(String),
    Exists(bool),
    AnythingBut(Vec<Value>),
}

impl Pattern {
    pub fn parse(text: &str) -> Result<Self> {
        let pattern: Value =
            serde_json::from_str(text).with_context(|| format!("filter pattern is not JSON: {text}"))?;
        Self::read(&pattern).with_context(|| format!("filter pattern {text}"))
    }

    fn read(pattern: &Value) -> Result<Self> {
        match pattern {
            Value::Object(fields) => {
                let field = |(name, inner): (&String, &Value)| Ok((name.clone(), Self::read(inner)?));
                Ok(Self::Fields(fields.iter().map(field).collect::<Result<_>>()?))
            }
            Value::Array(rules) => Ok(Self::OneOf(rules.iter().map(Rule::read).collect::<Result<_>>()?)),
            other => bail!("{other} should be a list of alternatives"),
        }
    }

    /// Whether `event`, a record as Lambda would send it, is wanted.
    pub fn matches(&self, event: &Value) -> bool {
        self.matches_found(Some(event))
    }

    fn matches_found(&self, found: Option<&Value>) -> bool {
        match self {
            Self::Fields(fields) => {
                fields.iter().all(|(name, pattern)| pattern.matches_found(found.and_then(|value| value.get(name))))
            }
            Self::OneOf(rules) => rules.iter().any(|rule| rule.matches(found)),
        }
    }
}

impl Rule {
    fn read(rule: &Value) -> Result<Self> {
        let Some(object) = rule.as_object() else {
            return Ok(Self::Equals(rule.clone()));
        };
        match object.iter().next() {
            Some((name, Value::String(prefix))) if name == "prefix" => Ok(Self::Prefix(prefix.clone())),
            Some((name, Value::Bool(exists))) if name == "exists" => Ok(Self::Exists(*exists)),
            Some((name, Value::Array(values))) if name == "anything-but" => Ok(Self::AnythingBut(values.clone())),
            _ => bail!("the local stack does not know the rule {rule}"),
        }
    }

    fn matches(&self, found: Option<&Value>) -> bool {
        match self {
            Self::Equals(expected) => found == Some(expected),
            Self::Prefix(prefix) => found.and_then(Value::as_str).is_some_and(|text| text.starts_with(prefix)),
            Self::Exists(expected) => found.is_some() == *expected,
            Self::AnythingBut(values) => found.is_some_and(|value| !values.contains(value)),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn fields_must_all_match_and_alternatives_need_one() {
        let pattern = r#"{"eventName":["INSERT","MODIFY"],"dynamodb":{"Keys":{"pk":{"S":[{"prefix":"S#"}]}}}}"#;
        let pattern = Pattern::parse(pattern).unwrap();
        let record = |name: &str, pk: &str| json!({"eventName": name, "dynamodb": {"Keys": {"pk": {"S": pk}}}});
        let table = [
            ("INSERT", "S#a#own", true),
            ("MODIFY", "S#a#own#3", true),
            ("REMOVE", "S#a#own", false),
            ("INSERT", "R#a", false),
        ];
        for (name, pk, wanted) in table {
            assert_eq!(pattern.matches(&record(name, pk)), wanted, "{name} {pk}");
        }
        assert!(!pattern.matches(&json!({"eventName": "INSERT"})));
    }

    #[test]
    fn presence_and_exclusion() {
        let pattern = Pattern::parse(r#"{"who":[{"exists":false}],"kind":[{"anything-but":["x"]}]}"#).unwrap();
        assert!(pattern.matches(&json!({"kind": "y"})));
        assert!(!pattern.matches(&json!({"kind": "x"})));
        assert!(!pattern.matches(&json!({"kind": "y", "who": 1})));
    }

    #[test]
    fn an_unknown_rule_is_refused() {
        let fault = Pattern::parse(r#"{"price":[{"numeric":["<",3]}]}"#).unwrap_err();
        assert!(format!("{fault:#}").contains("numeric"));
    }
}
