//! The table: what DynamoDB does with a request once it has arrived. One request at a time, each whole or not at all.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::expression::{Item, holds, updated};

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
type Checked = Result<Option<Change>, Refused>;

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
            let keys = wanted["Keys"].as_array().into_iter().flatten();
            let found: Vec<&Item> = keys.filter_map(|key| self.items.get(key_of(key))).collect();
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
                let new = change.as_ref().and_then(|change| change.new.clone());
                let answer = match new {
                    Some(new) if request["ReturnValues"] == "ALL_NEW" => json!({ "Attributes": new }),
                    _ => json!({}),
                };
                let changes: Vec<Change> = change.into_iter().collect();
                self.apply(&changes);
                ((200, answer), changes)
            }
        }
    }

    fn transact(&mut self, request: &Value) -> (Answer, Vec<Change>) {
        let mut changes = Vec::new();
        let mut reasons = Vec::new();
        let mut refused = false;
        for item in request["TransactItems"].as_array().into_iter().flatten() {
            let Some((kind, write)) = item.as_object().and_then(|item| item.iter().next()) else {
                return (invalid("an empty transaction item"), Vec::new());
            };
            match self.check(&format!("{kind}Item"), write) {
                Err(Refused::Invalid(reason)) => return (invalid(&reason), Vec::new()),
                Err(Refused::Condition(found)) => {
                    refused = true;
                    let mut reason = json!({ "Code": "ConditionalCheckFailed", "Message": "failed" });
                    if let Some(found) = found {
                        reason["Item"] = json!(found);
                    }
                    reasons.push(reason);
                }
                Ok(change) => {
                    reasons.push(json!({ "Code": "None" }));
                    changes.extend(change);
                }
            }
        }
        if refused {
            let mut body = error("TransactionCanceledException", "canceled");
            body["CancellationReasons"] = json!(reasons);
            return ((400, body), Vec::new());
        }
        self.apply(&changes);
        ((200, json!({})), changes)
    }

    /// What a write would do; nothing where it changes nothing.
    fn check(&self, operation: &str, request: &Value) -> Checked {
        let key = match operation {
            "PutItem" => key_of(&request["Item"]),
            _ => key_of(&request["Key"]),
        };
        let found = self.items.get(key);
        let empty = Item::new();
        let (names, values) = (&request["ExpressionAttributeNames"], &request["ExpressionAttributeValues"]);
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
        Ok(Some(Change { key: key.to_owned(), old: found.cloned(), new }).filter(|change| change.old != change.new))
    }

    fn apply(&mut self, changes: &[Change]) {
        for change in changes {
            match &change.new {
                Some(new) => drop(self.items.insert(change.key.clone(), new.clone())),
                None => drop(self.items.remove(&change.key)),
            }
        }
    }
}

fn key_of(key: &Value) -> &str {
    key["pk"]["S"].as_str().unwrap_or_default()
}

fn invalid(reason: &str) -> Answer {
    (400, error("ValidationException", reason))
}

/// The body of an error.
#[must_use]
pub fn error(code: &str, message: &str) -> Value {
    json!({ "__type": format!("com.amazonaws.dynamodb.v20120810#{code}"), "message": message, "Message": message })
}
