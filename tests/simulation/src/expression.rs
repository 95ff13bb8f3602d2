//! DynamoDB's condition and update expressions, as far as Holdfast writes them, over items in DynamoDB's own JSON.
//!
//! What is not understood is an error, never a guess. Source: DynamoDB Developer Guide, "Comparison operator and function reference" and
//! "Update expressions".

use std::cmp::Ordering;

use serde_json::{Map, Value, json};

/// An item: attribute names to values such as `{"N": "5"}`.
pub type Item = Map<String, Value>;

/// An expression, with what its placeholders stand for.
pub struct Expression<'a> {
    tokens: Vec<&'a str>,
    position: usize,
    names: &'a Value,
    values: &'a Value,
}

/// An expression is not one that DynamoDB, or this evaluator, takes.
pub type Outcome<T> = Result<T, String>;

/// Whether the condition holds for the item; a missing item is an empty one.
pub fn holds(condition: &str, item: &Item, names: &Value, values: &Value) -> Outcome<bool> {
    let mut expression = Expression::new(condition, names, values);
    let verdict = expression.any(item)?;
    expression.at_end()?;
    Ok(verdict)
}

/// The item after the update.
pub fn updated(update: &str, item: &Item, names: &Value, values: &Value) -> Outcome<Item> {
    let mut expression = Expression::new(update, names, values);
    let mut after = item.clone();
    while let Some(clause) = expression.next() {
        match clause {
            "SET" => expression.set(item, &mut after)?,
            "REMOVE" => expression.remove(&mut after)?,
            "ADD" => expression.add(item, &mut after)?,
            other => return Err(format!("unknown clause {other}")),
        }
    }
    Ok(after)
}

/// What DynamoDB refuses before it looks at the item: a name or a value that no expression uses, one that is used but not given, and an
/// update that writes a path twice.
pub fn well_formed(request: &Value) -> Outcome<()> {
    let expressions =
        ["ConditionExpression", "UpdateExpression"].map(|field| request[field].as_str().unwrap_or_default());
    let used: Vec<&str> = expressions.iter().flat_map(|text| tokens(text)).flat_map(|token| token.split('.')).collect();
    for given in ["ExpressionAttributeNames", "ExpressionAttributeValues"] {
        let unused =
            request[given].as_object().into_iter().flat_map(Map::keys).find(|key| !used.contains(&key.as_str()));
        if let Some(unused) = unused {
            return Err(format!("{unused} is used in no expression"));
        }
    }
    for token in &used {
        let given = match token.get(..1) {
            Some(":") => "ExpressionAttributeValues",
            Some("#") => "ExpressionAttributeNames",
            _ => continue,
        };
        if request[given].get(token).is_none() {
            return Err(format!("{token} is not given"));
        }
    }
    let [_, update] = expressions;
    Expression::new(update, &request["ExpressionAttributeNames"], &request["ExpressionAttributeValues"]).written_once()
}

impl<'a> Expression<'a> {
    fn new(text: &'a str, names: &'a Value, values: &'a Value) -> Self {
        Self { tokens: tokens(text), position: 0, names, values }
    }

    fn peek(&self) -> Option<&'a str> {
        self.tokens.get(self.position).copied()
    }

    fn next(&mut self) -> Option<&'a str> {
        let token = self.peek();
        self.position += 1;
        token
    }

    fn expect(&mut self, wanted: &str) -> Outcome<()> {
        match self.next() {
            Some(token) if token == wanted => Ok(()),
            found => Err(format!("expected {wanted}, found {found:?}")),
        }
    }

    fn at_end(&self) -> Outcome<()> {
        self.peek().map_or(Ok(()), |token| Err(format!("unexpected {token}")))
    }

    /// DynamoDB refuses an update that writes one path twice: "Two document paths overlap with each other".
    fn written_once(&self) -> Outcome<()> {
        let mut written = std::collections::BTreeSet::new();
        for (position, token) in self.tokens.iter().enumerate() {
            let before =
                position.checked_sub(1).and_then(|before| self.tokens.get(before)).copied().unwrap_or_default();
            let assigned = self.tokens.get(position + 1) == Some(&"=");
            let removed = self.tokens[..position].contains(&"REMOVE") && matches!(before, "REMOVE" | ",");
            if assigned || removed || before == "ADD" {
                let path = Self { tokens: vec![token], position: 0, names: self.names, values: self.values }.path()?;
                if !written.insert(path) {
                    return Err(format!("two document paths overlap: {token}"));
                }
            }
        }
        Ok(())
    }

    fn any(&mut self, item: &Item) -> Outcome<bool> {
        let mut verdict = self.all(item)?;
        while self.peek() == Some("OR") {
            self.position += 1;
            verdict |= self.all(item)?;
        }
        Ok(verdict)
    }

    fn all(&mut self, item: &Item) -> Outcome<bool> {
        let mut verdict = self.one(item)?;
        while self.peek() == Some("AND") {
            self.position += 1;
            verdict &= self.one(item)?;
        }
        Ok(verdict)
    }

    fn one(&mut self, item: &Item) -> Outcome<bool> {
        match self.peek() {
            Some("(") => {
                self.position += 1;
                let verdict = self.any(item)?;
                self.expect(")")?;
                Ok(verdict)
            }
            Some(function @ ("attribute_exists" | "attribute_not_exists")) => {
                self.position += 1;
                self.expect("(")?;
                let path = self.path()?;
                self.expect(")")?;
                Ok(get(item, &path).is_some() == (function == "attribute_exists"))
            }
            _ => {
                let left = self.operand(item)?;
                let operator = self.next().ok_or("a comparison ends early")?;
                let right = self.operand(item)?;
                compare(left.as_ref(), operator, right.as_ref())
            }
        }
    }

    /// A value, an attribute, `size(…)` or `if_not_exists(…)`; nothing where there is no such attribute.
    fn operand(&mut self, item: &Item) -> Outcome<Option<Value>> {
        match self.peek() {
            Some("size") => {
                self.position += 1;
                self.expect("(")?;
                let path = self.path()?;
                self.expect(")")?;
                let entries = get(item, &path).and_then(|value| value["M"].as_object());
                Ok(entries.map(|entries| json!({ "N": entries.len().to_string() })))
            }
            Some("if_not_exists") => {
                self.position += 1;
                self.expect("(")?;
                let path = self.path()?;
                self.expect(",")?;
                let otherwise = self.operand(item)?;
                self.expect(")")?;
                Ok(get(item, &path).cloned().or(otherwise))
            }
            Some(token) if token.starts_with(':') => {
                self.position += 1;
                let value = self.values.get(token).ok_or_else(|| format!("no value {token}"))?;
                Ok(Some(value.clone()))
            }
            _ => {
                let path = self.path()?;
                Ok(get(item, &path).cloned())
            }
        }
    }

    fn path(&mut self) -> Outcome<Vec<String>> {
        let token = self.next().ok_or("a path is missing")?;
        token
            .split('.')
            .map(|part| {
                if !part.starts_with('#') {
                    return Ok(part.to_owned());
                }
                let name = self.names.get(part).and_then(Value::as_str);
                name.map(str::to_owned).ok_or_else(|| format!("no name {part}"))
            })
            .collect()
    }

    fn set(&mut self, before: &Item, after: &mut Item) -> Outcome<()> {
        loop {
            let path = self.path()?;
            self.expect("=")?;
            let mut value = self.operand(before)?.ok_or("an attribute of the update does not exist")?;
            if let Some(sign @ ("+" | "-")) = self.peek() {
                self.position += 1;
                let other = self.operand(before)?.ok_or("an attribute of the update does not exist")?;
                let (left, right) = (number(&value)?, number(&other)?);
                let sum = if sign == "+" { left + right } else { left - right };
                value = json!({ "N": sum.to_string() });
            }
            put(after, &path, value)?;
            if self.peek() != Some(",") {
                return Ok(());
            }
            self.position += 1;
        }
    }

    /// Adds to one number, which is 0 where there is none.
    fn add(&mut self, before: &Item, after: &mut Item) -> Outcome<()> {
        let name = self.next().ok_or("nothing to add to")?;
        let known = before.get(name).map_or(Ok(0), number)?;
        let more = self.operand(before)?.ok_or("nothing to add")?;
        after.insert(name.to_owned(), json!({ "N": (known + number(&more)?).to_string() }));
        Ok(())
    }

    fn remove(&mut self, after: &mut Item) -> Outcome<()> {
        loop {
            let path = self.path()?;
            let (last, parents) = path.split_last().ok_or("an empty path")?;
            if let Some(entries) = map_at(after, parents) {
                entries.remove(last);
            }
            if self.peek() != Some(",") {
                return Ok(());
            }
            self.position += 1;
        }
    }
}

fn tokens(text: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let word = rest.find(|c: char| !(c.is_ascii_alphanumeric() || "_.#:".contains(c))).unwrap_or(rest.len());
        let length = match word {
            0 if rest.starts_with("<=") || rest.starts_with(">=") || rest.starts_with("<>") => 2,
            0 => 1,
            word => word,
        };
        let (token, behind) = rest.split_at(length);
        tokens.push(token);
        rest = behind.trim_start();
    }
    tokens
}

fn get<'a>(item: &'a Item, path: &[String]) -> Option<&'a Value> {
    let (first, rest) = path.split_first()?;
    rest.iter().try_fold(item.get(first)?, |value, part| value["M"].get(part))
}

fn map_at<'a>(item: &'a mut Item, path: &[String]) -> Option<&'a mut Item> {
    path.iter().try_fold(item, |entries, part| entries.get_mut(part)?.get_mut("M")?.as_object_mut())
}

fn put(item: &mut Item, path: &[String], value: Value) -> Outcome<()> {
    let (last, parents) = path.split_last().ok_or("an empty path")?;
    let entries = map_at(item, parents).ok_or("the path of the update leads nowhere")?;
    entries.insert(last.clone(), value);
    Ok(())
}

fn number(value: &Value) -> Outcome<i64> {
    let text = value["N"].as_str().ok_or("not a number")?;
    text.parse().map_err(|_| format!("not a whole number: {text}"))
}

/// A comparison with an attribute that does not exist is false, whatever the operator; so is one of different types, but for `<>`.
fn compare(left: Option<&Value>, operator: &str, right: Option<&Value>) -> Outcome<bool> {
    let (Some(left), Some(right)) = (left, right) else { return Ok(false) };
    let ordering = match (&left["N"], &right["N"], &left["S"], &right["S"]) {
        (Value::String(_), Value::String(_), ..) => Some(number(left)?.cmp(&number(right)?)),
        (.., Value::String(left), Value::String(right)) => Some(left.cmp(right)),
        _ => None,
    };
    let Some(ordering) = ordering else { return Ok(operator == "<>") };
    match operator {
        "=" => Ok(ordering == Ordering::Equal),
        "<>" => Ok(ordering != Ordering::Equal),
        "<" => Ok(ordering == Ordering::Less),
        "<=" => Ok(ordering != Ordering::Greater),
        ">" => Ok(ordering == Ordering::Greater),
        ">=" => Ok(ordering != Ordering::Less),
        other => Err(format!("unknown operator {other}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(value: Value) -> Item {
        serde_json::from_value(value).unwrap()
    }

    fn bucket() -> Item {
        item(json!({"pk": {"S": "S#tea#own"}, "a": {"N": "5"}, "h": {"M": {"r1": {"S": "2@9"}}}, "sold": {"N": "0"}}))
    }

    #[test]
    fn conditions_hold_as_dynamodb_has_them() {
        let names = json!({"#rid": "r1", "#other": "r2"});
        let values = json!({":q": {"N": "5"}, ":six": {"N": "6"}, ":one": {"N": "1"}, ":hold": {"S": "2@9"}, ":ten": {"N": "10"}});
        for (condition, expected) in [
            ("a >= :q", true),
            ("a >= :six", false),
            ("a < :ten", true),
            ("w < :ten", false),
            ("attribute_not_exists(w) OR w < :ten", true),
            ("attribute_not_exists(h.#other) AND size(h) < :one", false),
            ("attribute_not_exists(h.#other) AND size(h) <= :one AND (attribute_not_exists(w) OR w < :ten)", true),
            ("h.#rid = :hold", true),
            ("h.#other = :hold", false),
            ("attribute_exists(pk) AND attribute_not_exists(h.#rid)", false),
            ("a = :hold", false),
        ] {
            assert_eq!(holds(condition, &bucket(), &names, &values), Ok(expected), "{condition}");
        }
        assert!(!holds("a >= :q", &Item::new(), &names, &values).unwrap(), "a missing item has no attribute");
        for wrong in ["a >=", "a ! :q", "a >= :none", "h.#none = :q", "a >= :q )", "contains(a, :q)"] {
            assert!(holds(wrong, &bucket(), &names, &values).is_err(), "{wrong}");
        }
    }

    #[test]
    fn updates_set_and_remove_from_what_was_there_before() {
        let names = json!({"#rid": "r1", "#new": "r2", "#ttl": "ttl"});
        let values = json!({":q": {"N": "2"}, ":hold": {"S": "2@10"}, ":w": {"N": "9"}});
        let after = updated(
            "SET a = a - :q, h.#new = :hold, sold = sold + :q, w = :w REMOVE h.#rid, #ttl",
            &bucket(),
            &names,
            &values,
        );
        let expected = json!({
            "pk": {"S": "S#tea#own"}, "a": {"N": "3"}, "h": {"M": {"r2": {"S": "2@10"}}}, "sold": {"N": "2"}, "w": {"N": "9"},
        });
        assert_eq!(after, Ok(item(expected)));
        let added = |update| {
            updated(update, &bucket(), &names, &values).map(|after| (after["a"].clone(), after.get("b").cloned()))
        };
        assert_eq!(added("SET a = a - :q ADD b :w"), Ok((json!({"N": "3"}), Some(json!({"N": "9"})))));
        assert_eq!(added("ADD a :q"), Ok((json!({"N": "7"}), None)));
        for wrong in ["SET w = w + :q", "SET x.#new = :hold", "ADD h :q", "ADD a :hold", "DELETE a :q"] {
            assert!(updated(wrong, &bucket(), &names, &values).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_request_shows_before_any_item_is_looked_at() {
        let request = |update: &str, names: Value| {
            json!({"UpdateExpression": update, "ConditionExpression": "a > :q",
                "ExpressionAttributeNames": names, "ExpressionAttributeValues": {":q": {"N": "1"}}})
        };
        let update = "SET a = :q REMOVE h.#one, h.#two";
        assert_eq!(well_formed(&request(update, json!({"#one": "r1", "#two": "r2"}))), Ok(()));
        assert!(well_formed(&request(update, json!({"#one": "r1", "#two": "r1"}))).is_err(), "a path twice");
        assert!(well_formed(&request("REMOVE h.#one", json!({"#one": "r1", "#two": "r2"}))).is_err(), "an idle name");
        assert!(
            well_formed(&request("REMOVE h.#one, h.#two", json!({"#one": "r1"}))).is_err(),
            "a name that is not given"
        );
    }
}
