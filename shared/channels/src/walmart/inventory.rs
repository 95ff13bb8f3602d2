//! Quantities, as Walmart writes and reads them. Pure: bytes in, values out. Source: Marketplace API, *Inventory*.

use serde::{Deserialize, Deserializer, Serialize, de::Error};
use serde_json::{Value, json};

use crate::CallError;

/// Characters of Walmart's words that are repeated.
const MAX_WORDS_CHARS: usize = 300;

/// A whole number, which Walmart writes as `10`, `10.0` or `"10"`, depending on the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Whole(i64);

impl Whole {
    /// Units; there are none below zero.
    pub(super) fn units(self) -> u64 {
        u64::try_from(self.0).unwrap_or(0)
    }
}

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = match Value::deserialize(deserializer)? {
            Value::Number(number) => number.to_string(),
            Value::String(text) => text,
            _ => return Err(D::Error::custom("not a number")),
        };
        let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
        if !fraction.bytes().all(|digit| digit == b'0') {
            return Err(D::Error::custom("not a whole number"));
        }
        whole.parse().map(Self).map_err(|_| D::Error::custom("not a whole number"))
    }
}

/// A number of units.
#[derive(Debug, Clone, Copy, Deserialize)]
pub(super) struct Amount {
    pub(super) amount: Whole,
}

#[derive(Serialize)]
struct Units {
    unit: &'static str,
    amount: u64,
}

fn each(amount: u64) -> Units {
    Units { unit: "EACH", amount }
}

/// The body that sets the quantity at the default ship node.
#[must_use]
pub fn body(sku: &str, quantity: u64) -> Vec<u8> {
    json!({ "sku": sku, "quantity": each(quantity) }).to_string().into_bytes()
}

/// The body that sets the gross quantity at one ship node.
#[must_use]
pub fn node_body(node: &str, gross: u64) -> Vec<u8> {
    let node = json!({ "shipNode": node, "inputQty": each(gross) });
    json!({ "inventories": { "nodes": [node] } }).to_string().into_bytes()
}

#[derive(Deserialize)]
struct Inventory {
    quantity: Amount,
}

/// The quantity of a SKU at the default ship node.
///
/// # Errors
/// [`CallError::Unavailable`] for what has none.
pub fn parse_inventory(body: &[u8]) -> Result<u64, CallError> {
    parse::<Inventory>(body).map(|inventory| inventory.quantity.amount.units())
}

/// Whether the answer to a push says that this very number was taken.
///
/// # Errors
/// [`CallError::Unavailable`] when it says another, or none.
pub fn was_set(quantity: u64, body: &[u8]) -> Result<(), CallError> {
    match parse_inventory(body)? {
        set if set == quantity => Ok(()),
        set => Err(CallError::Unavailable { reason: format!("answered {set} to {quantity}") }),
    }
}

/// A SKU at a ship node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Node {
    /// Units that can be ordered.
    pub available: u64,
    /// Units that are ordered and not shipped.
    pub reserved: u64,
}

#[derive(Deserialize)]
struct Nodes {
    #[serde(default)]
    nodes: Vec<NodeState>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct NodeState {
    ship_node: String,
    #[serde(default)]
    errors: Vec<Fault>,
    status: Option<String>,
    input_qty: Option<Amount>,
    avail_to_sell_qty: Option<Amount>,
    reserved_qty: Option<Amount>,
}

/// What is known of a SKU at this ship node; nothing if it is not in the answer. What is reserved is said, or it is
/// what is missing from the input to what can be sold.
///
/// # Errors
/// [`CallError`] for an error in the answer, and for an answer without the numbers.
pub fn parse_node(node: &str, body: &[u8]) -> Result<Option<Node>, CallError> {
    let Some(state) = find(node, parse(body)?)? else { return Ok(None) };
    let unknown = || CallError::Unavailable { reason: format!("the answer has no numbers for the ship node {node}") };
    let available = state.avail_to_sell_qty.ok_or_else(unknown)?.amount.units();
    let reserved = match (state.reserved_qty, state.input_qty) {
        (Some(reserved), _) => reserved.amount.units(),
        (None, Some(input)) => input.amount.units().saturating_sub(available),
        (None, None) => return Err(unknown()),
    };
    Ok(Some(Node { available, reserved }))
}

/// Whether the answer to a push says that the quantity at this ship node was taken.
///
/// # Errors
/// [`CallError::Refused`] in Walmart's words when not; [`CallError::Unavailable`] when it does not speak of the node.
pub fn node_was_set(node: &str, body: &[u8]) -> Result<(), CallError> {
    let state = find(node, parse(body)?)?;
    match state.as_ref().map(|state| state.status.as_deref().unwrap_or("no status")) {
        Some(status) if status.eq_ignore_ascii_case("success") => Ok(()),
        Some(status) => Err(CallError::Refused { reason: format!("ship node {node}: {}", shortened(status)) }),
        None => Err(CallError::Unavailable { reason: format!("the answer does not speak of the ship node {node}") }),
    }
}

fn find(node: &str, nodes: Nodes) -> Result<Option<NodeState>, CallError> {
    let state = nodes.nodes.into_iter().find(|state| state.ship_node == node);
    match &state {
        Some(NodeState { errors, .. }) if !errors.is_empty() => {
            Err(CallError::Refused { reason: format!("ship node {node}: {}", in_words(errors)) })
        }
        _ => Ok(state),
    }
}

#[derive(Deserialize)]
struct Fault {
    code: Option<String>,
    description: Option<String>,
}

/// The two ways in which Walmart writes a list of errors.
#[derive(Deserialize)]
#[serde(untagged)]
enum Faults {
    Nested { errors: Nested },
    Flat { errors: Vec<Fault> },
    Single { error: Vec<Fault> },
}

#[derive(Deserialize)]
struct Nested {
    error: Vec<Fault>,
}

/// What an answer says is wrong, if it is a list of errors.
#[must_use]
pub fn faults(body: &[u8]) -> Option<String> {
    let faults = match serde_json::from_slice(body).ok()? {
        Faults::Nested { errors } => errors.error,
        Faults::Flat { errors } | Faults::Single { error: errors } => errors,
    };
    (!faults.is_empty()).then(|| in_words(&faults))
}

fn in_words(faults: &[Fault]) -> String {
    let one = |fault: &Fault| match (&fault.code, &fault.description) {
        (Some(code), Some(description)) => format!("{code}: {description}"),
        (Some(text), None) | (None, Some(text)) => text.clone(),
        (None, None) => "no reason given".to_owned(),
    };
    shortened(&faults.iter().map(one).collect::<Vec<_>>().join("; "))
}

fn shortened(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(MAX_WORDS_CHARS).collect()
}

/// Reads an answer of which only the shape is expected, not the words: they stay out of the error.
pub(super) fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, CallError> {
    serde_json::from_slice(body).map_err(|error| CallError::Unavailable {
        reason: format!("an answer that is not understood (line {}, column {})", error.line(), error.column()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_is_whole_however_it_is_written() {
        for (text, units) in
            [("10", Some(10)), ("10.0", Some(10)), (r#""10""#, Some(10)), (r#""10.00""#, Some(10)), ("-3", Some(0))]
        {
            assert_eq!(serde_json::from_str::<Whole>(text).ok().map(Whole::units), units, "{text}");
        }
        for wrong in ["10.5", r#""10.5""#, r#""ten""#, r#""""#, "null", "true", "1e30", "[1]", r#""0x1""#] {
            assert!(serde_json::from_str::<Whole>(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_reserved_is_read_or_reckoned() {
        let node = |state: &str| parse_node("n1", format!(r#"{{"sku":"mug","nodes":[{state}]}}"#).as_bytes());
        let known = |available, reserved| Ok(Some(Node { available, reserved }));
        let amounts = |input: &str, available: &str, reserved: &str| {
            format!(r#"{{"shipNode":"n1","inputQty":{input},"availToSellQty":{available},"reservedQty":{reserved}}}"#)
        };
        let of = |n: i64| format!(r#"{{"unit":"EACH","amount":{n}}}"#);
        assert_eq!(node(&amounts(&of(10), &of(7), &of(3))), known(7, 3));
        assert_eq!(node(&amounts(&of(10), &of(7), "null")), known(7, 3));
        assert_eq!(node(&amounts("null", &of(7), &of(3))), known(7, 3));
        assert_eq!(node(&amounts(&of(10), &of(-2), "null")), known(0, 10));
        assert_eq!(node(r#"{"shipNode":"n2"}"#), Ok(None));
        assert!(matches!(node(&amounts("null", &of(7), "null")), Err(CallError::Unavailable { .. })));
        assert!(matches!(node(r#"{"shipNode":"n1"}"#), Err(CallError::Unavailable { .. })));
        let faulty = node(r#"{"shipNode":"n1","errors":[{"code":"X","description":"no such node"}]}"#);
        assert_eq!(faulty, Err(CallError::Refused { reason: "ship node n1: X: no such node".to_owned() }));
    }

    #[test]
    fn a_push_counts_only_if_the_answer_says_so() {
        let said = |state: &str| node_was_set("n1", format!(r#"{{"sku":"mug","nodes":[{state}]}}"#).as_bytes());
        assert_eq!(said(r#"{"shipNode":"n1","status":"Success"}"#), Ok(()));
        assert!(matches!(said(r#"{"shipNode":"n1","status":"Failed"}"#), Err(CallError::Refused { .. })));
        assert!(matches!(said(r#"{"shipNode":"n1"}"#), Err(CallError::Refused { .. })));
        assert!(matches!(said(r#"{"shipNode":"n2","status":"Success"}"#), Err(CallError::Unavailable { .. })));
        assert_eq!(was_set(7, br#"{"sku":"mug","quantity":{"unit":"EACH","amount":7}}"#), Ok(()));
        assert!(was_set(7, br#"{"sku":"mug","quantity":{"unit":"EACH","amount":8}}"#).is_err());
        assert!(was_set(7, b"{}").is_err());
    }

    #[test]
    fn errors_are_read_in_each_of_their_forms() {
        for body in [
            r#"{"errors":{"error":[{"code":"C","description":"d"}]}}"#,
            r#"{"errors":[{"code":"C","description":"d","x":1}]}"#,
            r#"{"error":[{"code":"C","description":"d"}]}"#,
        ] {
            assert_eq!(faults(body.as_bytes()).as_deref(), Some("C: d"), "{body}");
        }
        assert_eq!(faults(br#"{"errors":[]}"#), None);
        assert_eq!(faults(b"<html>"), None);
    }
}
