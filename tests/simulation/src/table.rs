//! The table: what DynamoDB does with a request once it has arrived. One request at a time, each whole or not at all.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::expression::{Item, Outcome, holds, updated, well_formed};

/// How the real one is asked and answers: DynamoDB API reference, one operation each.
#[derive(Debug, Default)]
pub struct Table {
    items: BTreeMap<String, Item>,
}

/// An answer: a status, and a body in DynamoDB's JSON.
pub type Answer = (u16, Value);

/// A change of one item.
#[derive(Debug, Clone)]
pub struct Change {
    /// Its key.
    pub key: String,
    /// Before; nothing if it was not there.
    pub old: Option<Item>,
    /// After; nothing if it is gone.
    pub new: Option<Item>,
}

/// A write that was checked, and what it would do.
type Checked = Result<Change, Refused>;

/// Why a write does nothing.
enum Refused {
    /// Its condition failed; the item that was found, if it was asked for.
    Condition(Option<Item>),
    /// It is not understood.
    Invalid(String),
}

impl Table {
    /// An item.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Item> {
        self.items.get(key)
    }

    /// All items.
    pub fn items(&self) -> impl Iterator<Item = (&String, &Item)> {
        self.items.iter()
    }

    /// Takes an item away without any condition, as its time to live does.
    pub fn expire(&mut self, key: &str) -> Option<Change> {
        let old = self.items.remove(key)?;
        Some(Change { key: key.to_owned(), old: Some(old), new: None })
    }

    /// Carries out a request, and answers with what it changed.
    pub fn call(&mut self, operation: &str, request: &Value) -> (Answer, Vec<Change>) {
        match operation {
            "GetItem" => (self.read(request), Vec::new()),
            "BatchGetItem" => (self.read_many(request), Vec::new()),
            "PutItem" | "UpdateItem" | "DeleteItem" => self.write(operation, request),
            "TransactWriteItems" => self.transact(request),
            "Query" => (self.query(request), Vec::new()),
            other => (invalid(&format!("the simulation knows no {other}")), Vec::new()),
        }
    }

    fn read(&self, request: &Value) -> Answer {
        match self.items.get(key_of(&request["Key"])) {
            Some(item) => (200, json!({ "Item": item })),
            None => (200, json!({})),
        }
    }

    fn read_many(&self, request: &Value) -> Answer {
        let mut responses = serde_json::Map::new();
        for (table, wanted) in request["RequestItems"].as_object().into_iter().flatten() {
            let keys: Vec<&str> = wanted["Keys"].as_array().into_iter().flatten().map(key_of).collect();
            if !(1..=100).contains(&keys.len()) || repeats(&keys) {
                return invalid("a batch names 1 to 100 keys, each once");
            }
            let found: Vec<&Item> = keys.into_iter().filter_map(|key| self.items.get(key)).collect();
            responses.insert(table.clone(), json!(found));
        }
        (200, json!({ "Responses": responses, "UnprocessedKeys": {} }))
    }

    fn write(&mut self, operation: &str, request: &Value) -> (Answer, Vec<Change>) {
        match self.check(operation, request) {
            Err(Refused::Invalid(reason)) => (invalid(&reason), Vec::new()),
            Err(Refused::Condition(found)) => {
                let mut body = error("ConditionalCheckFailedException", "The conditional request failed");
                if let Some(found) = found {
                    body["Item"] = json!(found);
                }
                ((400, body), Vec::new())
            }
            Ok(change) => {
                let answer = match &change.new {
                    Some(new) if request["ReturnValues"] == "ALL_NEW" => json!({ "Attributes": new }),
                    _ => json!({}),
                };
                ((200, answer), self.apply(vec![change]))
            }
        }
    }

    fn transact(&mut self, request: &Value) -> (Answer, Vec<Change>) {
        match self.judge(request) {
            Err(reason) => (invalid(&reason), Vec::new()),
            Ok((reasons, _)) if reasons.iter().any(|reason| reason["Code"] != "None") => {
                (canceled(reasons), Vec::new())
            }
            Ok((_, changes)) => ((200, json!({})), self.apply(changes)),
        }
    }

    /// What a transaction hears that meets another one on an item, of those that it names the `nth`: it is canceled. Of its other writes, it
    /// may be said what they met (`looked`), or nothing.
    #[must_use]
    pub fn conflict(&self, request: &Value, nth: usize, looked: bool) -> Answer {
        let mut reasons = match self.judge(request) {
            Err(reason) => return invalid(&reason),
            Ok((reasons, _)) if looked => reasons,
            Ok((reasons, _)) => vec![json!({ "Code": "None" }); reasons.len()],
        };
        let nth = nth % reasons.len();
        reasons[nth] = json!({ "Code": "TransactionConflict", "Message": "Transaction is ongoing for the item" });
        canceled(reasons)
    }

    /// For each write of a transaction the reason why it must not be done, `None` if there is none; and what those would change.
    fn judge(&self, request: &Value) -> Outcome<(Vec<Value>, Vec<Change>)> {
        let (mut reasons, mut changes) = (Vec::new(), Vec::new());
        let items = request["TransactItems"].as_array().into_iter().flatten();
        let writes: Vec<(&String, &Value)> = items.filter_map(Value::as_object).flatten().collect();
        let keys: Vec<&str> = writes.iter().map(|(kind, write)| written_key(kind, write)).collect();
        if !(1..=100).contains(&keys.len()) || repeats(&keys) {
            return Err("a transaction writes 1 to 100 items, each once".to_owned());
        }
        for (kind, write) in writes {
            match self.check(&format!("{kind}Item"), write) {
                Err(Refused::Invalid(reason)) => return Err(reason),
                Err(Refused::Condition(found)) => {
                    let mut reason = json!({ "Code": "ConditionalCheckFailed", "Message": "failed" });
                    if let Some(found) = found {
                        reason["Item"] = json!(found);
                    }
                    reasons.push(reason);
                }
                Ok(change) => {
                    reasons.push(json!({ "Code": "None" }));
                    changes.push(change);
                }
            }
        }
        Ok((reasons, changes))
    }

    /// A page of the index: the keys of the items of a list, by rank, behind the place where the page before it ended.
    fn query(&self, request: &Value) -> Answer {
        let values = &request["ExpressionAttributeValues"];
        let (list, prefix) = (&values[":list"], text(&values[":prefix"]));
        let place = |item: &Item| {
            (item.get("rank").map(text).unwrap_or_default(), item.get("pk").map(text).unwrap_or_default())
        };
        let listed = self.items.values().filter(|item| item.get("list") == Some(list)).map(place);
        let mut listed: Vec<_> = listed.filter(|(rank, _)| rank.starts_with(&prefix)).collect();
        listed.sort_unstable();
        let backward = request["ScanIndexForward"] == false;
        if backward {
            listed.reverse();
        }
        if let Some(after) = request["ExclusiveStartKey"].as_object() {
            let after = place(after);
            listed.retain(|place| if backward { *place < after } else { *place > after });
        }
        let limit = request["Limit"].as_u64().and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX);
        let more = listed.len() > limit;
        listed.truncate(limit);
        let keys = |(rank, pk): &(String, String)| json!({ "pk": { "S": pk }, "list": list, "rank": { "S": rank } });
        let items: Vec<Value> = listed.iter().map(keys).collect();
        let mut page = json!({ "Items": items });
        if more {
            page["LastEvaluatedKey"] = items.last().cloned().unwrap_or_default();
        }
        (200, page)
    }

    /// What a write would do.
    fn check(&self, operation: &str, request: &Value) -> Checked {
        let key = written_key(operation, request);
        let found = self.items.get(key);
        let empty = Item::new();
        let (names, values) = (&request["ExpressionAttributeNames"], &request["ExpressionAttributeValues"]);
        well_formed(request).map_err(Refused::Invalid)?;
        if let Some(condition) = request["ConditionExpression"].as_str() {
            let verdict = holds(condition, found.unwrap_or(&empty), names, values).map_err(Refused::Invalid)?;
            if !verdict {
                let asked = request["ReturnValuesOnConditionCheckFailure"] == "ALL_OLD";
                return Err(Refused::Condition(found.filter(|_| asked).cloned()));
            }
        }
        let new = match operation {
            "PutItem" => request["Item"].as_object().cloned(),
            "DeleteItem" => None,
            _ => {
                let update = request["UpdateExpression"].as_str().unwrap_or_default();
                let before =
                    found.cloned().unwrap_or_else(|| Item::from_iter([("pk".to_owned(), json!({ "S": key }))]));
                Some(updated(update, &before, names, values).map_err(Refused::Invalid)?)
            }
        };
        Ok(Change { key: key.to_owned(), old: found.cloned(), new })
    }

    /// Carries out what was checked. A write that leaves an item as it is changes nothing, and no stream shows it.
    fn apply(&mut self, mut changes: Vec<Change>) -> Vec<Change> {
        changes.retain(|change| change.old != change.new);
        for change in &changes {
            match &change.new {
                Some(new) => drop(self.items.insert(change.key.clone(), new.clone())),
                None => drop(self.items.remove(&change.key)),
            }
        }
        changes
    }
}

/// A batch of reads in two: what is answered, at least one key, and what is `left_out`.
#[must_use]
pub fn divided(request: &Value, mut left_out: impl FnMut(usize) -> bool) -> (Value, Value) {
    let (mut answered, mut rest) = (request.clone(), json!({}));
    for (table, wanted) in answered["RequestItems"].as_object_mut().into_iter().flatten() {
        let keys = wanted["Keys"].as_array().cloned().unwrap_or_default();
        let (later, now): (Vec<_>, Vec<_>) = keys.into_iter().enumerate().partition(|(n, _)| *n > 0 && left_out(*n));
        let [now, later] = [now, later].map(|keys| keys.into_iter().map(|(_, key)| key).collect::<Value>());
        if later != json!([]) {
            rest[table] = wanted.clone();
            rest[table]["Keys"] = later;
        }
        wanted["Keys"] = now;
    }
    (answered, rest)
}

/// The key of the item that a `Put`, `Update` or `Delete` is about.
fn written_key<'a>(operation: &str, write: &'a Value) -> &'a str {
    key_of(&write[if operation.starts_with("Put") { "Item" } else { "Key" }])
}

fn repeats(keys: &[&str]) -> bool {
    keys.iter().collect::<BTreeSet<_>>().len() < keys.len()
}

fn key_of(key: &Value) -> &str {
    key["pk"]["S"].as_str().unwrap_or_default()
}

fn text(value: &Value) -> String {
    value["S"].as_str().unwrap_or_default().to_owned()
}

fn canceled(reasons: Vec<Value>) -> Answer {
    let mut body = error("TransactionCanceledException", "canceled");
    body["CancellationReasons"] = Value::Array(reasons);
    (400, body)
}

fn invalid(reason: &str) -> Answer {
    (400, error("ValidationException", reason))
}

/// The body of an error.
#[must_use]
pub fn error(code: &str, message: &str) -> Value {
    json!({ "__type": format!("com.amazonaws.dynamodb.v20120810#{code}"), "message": message, "Message": message })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_divided_into_what_is_answered_and_the_rest() {
        let of = |keys: &[&str]| keys.iter().map(|key| json!({ "pk": { "S": key } })).collect::<Vec<_>>();
        let batch = |keys: &[&str]| json!({ "RequestItems": { "t": { "ConsistentRead": true, "Keys": of(keys) } } });
        let whole = batch(&["a", "b", "c"]);
        assert_eq!(divided(&whole, |_| false), (whole.clone(), json!({})));
        let rest = |keys: &[&str]| batch(keys)["RequestItems"].clone();
        assert_eq!(divided(&whole, |n| n == 1), (batch(&["a", "c"]), rest(&["b"])));
        assert_eq!(divided(&whole, |_| true), (batch(&["a"]), rest(&["b", "c"])), "one is always answered");
    }
}
