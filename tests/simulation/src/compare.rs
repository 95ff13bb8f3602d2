//! The table of the simulation beside a real engine: every request of some runs, in the order in which they arrived, and many of them once
//! more with something changed, so that conditions fail in ways that no run knows. Both must answer the same and end with the same items.
//!
//! The engine is the embedded one, or with `DYNAMODB_ENDPOINT` another, such as DynamoDB Local.

use std::collections::BTreeMap;

use fastrand::Rng;
use serde_json::{Map, Value, json};

use crate::{
    expression::Item,
    plan::Plan,
    table::{Answer, Table},
};

const SEEDS: std::ops::Range<u64> = 0..8;

/// A real DynamoDB.
struct Engine {
    endpoint: String,
    http: reqwest::Client,
}

impl Engine {
    #[expect(clippy::disallowed_methods, reason = "which engine is compared is the choice of whoever starts the test")]
    async fn start() -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::new();
        if let Ok(endpoint) = std::env::var("DYNAMODB_ENDPOINT") {
            return Self { endpoint, http };
        }
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let database = dynoxide::Database::memory().unwrap();
        tokio::spawn(dynoxide::server::serve_with_shutdown(listener, database, std::future::pending()));
        Self { endpoint, http }
    }

    async fn call(&self, operation: &str, request: &Value) -> Answer {
        let credential = "Credential=test/20270115/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=0";
        let sent = self
            .http
            .post(&self.endpoint)
            .header("x-amz-target", format!("DynamoDB_20120810.{operation}"))
            .header("x-amz-date", "20270115T080000Z")
            .header("content-type", "application/x-amz-json-1.0")
            .header("authorization", format!("AWS4-HMAC-SHA256 {credential}"))
            .body(request.to_string());
        let response = sent.send().await.unwrap();
        let status = response.status().as_u16();
        (status, serde_json::from_str(&response.text().await.unwrap()).unwrap())
    }

    async fn create_table(&self, name: &str) {
        let attributes = ["pk", "list", "rank"].map(|name| json!({ "AttributeName": name, "AttributeType": "S" }));
        let request = json!({
            "TableName": name, "BillingMode": "PAY_PER_REQUEST",
            "KeySchema": [{ "AttributeName": "pk", "KeyType": "HASH" }],
            "AttributeDefinitions": attributes,
            "GlobalSecondaryIndexes": [{
                "IndexName": "lists", "Projection": { "ProjectionType": "KEYS_ONLY" },
                "KeySchema": [
                    { "AttributeName": "list", "KeyType": "HASH" }, { "AttributeName": "rank", "KeyType": "RANGE" },
                ],
            }],
        });
        let (status, answer) = self.call("CreateTable", &request).await;
        assert_eq!(status, 200, "{answer}");
    }

    async fn items(&self, table: &str) -> BTreeMap<String, Item> {
        let (mut items, mut request) = (BTreeMap::new(), json!({ "TableName": table }));
        loop {
            let (status, answer) = self.call("Scan", &request).await;
            assert_eq!(status, 200, "{answer}");
            for item in answer["Items"].as_array().unwrap() {
                items.insert(item["pk"]["S"].as_str().unwrap().to_owned(), item.as_object().unwrap().clone());
            }
            match answer.get("LastEvaluatedKey") {
                None => return items,
                Some(key) => request["ExclusiveStartKey"] = key.clone(),
            }
        }
    }
}

/// The same request for another table, without the token by which DynamoDB knows a transaction again for ten minutes: no write of
/// Holdfast may need it.
fn addressed(request: &Value, table: &str) -> Value {
    let mut request = request.clone();
    let Some(fields) = request.as_object_mut() else { return request };
    fields.remove("ClientRequestToken");
    if let Some(named) = fields.get_mut("TableName") {
        *named = json!(table);
    }
    if let Some(Value::Object(tables)) = fields.get_mut("RequestItems") {
        *tables = std::mem::take(tables).into_iter().map(|(_, wanted)| (table.to_owned(), wanted)).collect();
    }
    if let Some(Value::Array(items)) = fields.get_mut("TransactItems") {
        for write in items.iter_mut().filter_map(Value::as_object_mut).flat_map(Map::values_mut) {
            write["TableName"] = json!(table);
        }
    }
    request
}

/// What matters of an answer: not its words, nor what it cost, nor the order of what a batch found.
fn essence((status, answer): &Answer, table: &str) -> Value {
    let kind = answer["__type"].as_str().and_then(|kind| kind.rsplit('#').next());
    let reasons = answer["CancellationReasons"].as_array().into_iter().flatten();
    let reasons = reasons.map(|reason| json!([reason["Code"], reason.get("Item")]));
    let mut found: Vec<Value> = answer["Responses"][table].as_array().cloned().unwrap_or_default();
    found.sort_by_key(|item| item["pk"]["S"].to_string());
    json!({
        "status": status, "kind": kind, "item": answer.get("Item"), "attributes": answer.get("Attributes"),
        "reasons": reasons.collect::<Vec<_>>(), "found": found, "listed": answer.get("Items"),
    })
}

/// The request with one value, name or key changed to another that the run knows.
fn changed(request: &Value, known: &Known, rng: &mut Rng) -> Value {
    let mut request = request.clone();
    let mut writes: Vec<&mut Value> = match request.get_mut("TransactItems") {
        Some(Value::Array(items)) => {
            items.iter_mut().filter_map(Value::as_object_mut).flat_map(Map::values_mut).collect()
        }
        _ => vec![&mut request],
    };
    // Of a transaction that is none, because two of its writes are of one item or one of them is not well-formed, engines differ in what
    // they say: no key is changed there, and no placeholder taken away.
    let alone = writes.len() == 1;
    let fields = if alone { 3 } else { 2 };
    let chosen = rng.usize(0..writes.len());
    let write = &mut *writes[chosen];
    let field = ["ExpressionAttributeValues", "ExpressionAttributeNames", "Key"][rng.usize(0..fields)];
    let Some(entries) = write.get_mut(field).and_then(Value::as_object_mut).filter(|entries| !entries.is_empty())
    else {
        return request;
    };
    match rng.u32(0..20) {
        // Not a request that DynamoDB takes at all: a placeholder without its meaning, and one that is never used.
        0 if alone && field != "Key" => entries.clear(),
        1 if alone && field.ends_with("Values") => drop(entries.insert(":idle".to_owned(), json!({ "N": "1" }))),
        _ => {}
    }
    if entries.is_empty() {
        return request;
    }
    let entry = rng.usize(0..entries.len());
    let Some((name, value)) = entries.iter_mut().nth(entry) else { return request };
    match value {
        // `#rid`, `#extension`: another reservation. `#status` and `#ttl` stay what they are.
        Value::String(path) if path.len() == 16 => {
            if let Some(other) = rng.choice(&known.reservations) {
                path.clone_from(other);
            }
        }
        Value::Object(typed) => {
            if let Some(number) = typed.get("N").and_then(Value::as_str).and_then(|number| number.parse::<i64>().ok()) {
                typed["N"] = json!((number + rng.i64(-2..=2)).to_string());
            } else if let Some(text) = typed.get("S").and_then(Value::as_str) {
                let same_kind = |other: &&String| {
                    name == "pk" && other.starts_with(&text[..2]) || name != "pk" && other.contains('@')
                };
                let pool: Vec<&String> = known.texts.iter().filter(same_kind).collect();
                if let Some(other) = rng.choice(pool) {
                    typed["S"] = json!(other);
                }
            }
        }
        _ => {}
    }
    request
}

/// What may stand in a request instead of something else.
#[derive(Default)]
struct Known {
    reservations: Vec<String>,
    texts: Vec<String>,
}

impl Known {
    fn note(&mut self, value: &Value) {
        match value {
            Value::Object(fields) => {
                if let Some(rid) = fields.get("#rid").and_then(Value::as_str) {
                    self.reservations.push(rid.to_owned());
                }
                if let Some(text) = fields.get("S").and_then(Value::as_str) {
                    self.texts.push(text.to_owned());
                }
                fields.values().for_each(|value| self.note(value));
            }
            Value::Array(values) => values.iter().for_each(|value| self.note(value)),
            _ => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_table_answers_as_dynamodb_does() {
    let engine = Engine::start().await;
    let mut kinds: BTreeMap<String, u64> = BTreeMap::new();
    for seed in SEEDS {
        let transcript = std::thread::spawn(move || Plan::of(seed).transcribe().transcript).join().unwrap();
        assert!(transcript.len() > 50, "a run without requests compares nothing");
        let mut rng = Rng::with_seed(seed);
        let (mut table, mut known) = (Table::default(), Known::default());
        let name = format!("simulation-{}-{seed}", std::process::id());
        engine.create_table(&name).await;
        for (operation, request) in transcript {
            known.note(&request);
            let mut requests = vec![request];
            while operation != "Query" && rng.u32(0..10) < 7 && requests.len() < 4 {
                requests.push(changed(&requests[0], &known, &mut rng));
            }
            for request in requests {
                let request = addressed(&request, &name);
                let (ours, _) = table.call(&operation, &request);
                let theirs = engine.call(&operation, &request).await;
                let (ours, theirs) = (essence(&ours, &name), essence(&theirs, &name));
                *kinds.entry(format!("{operation} {} {}", ours["status"], ours["kind"])).or_default() += 1;
                assert_eq!(ours, theirs, "seed {seed}: {operation} {request:#}");
            }
        }
        let items: BTreeMap<String, Item> = table.items().map(|(key, item)| (key.clone(), item.clone())).collect();
        assert_eq!(items, engine.items(&name).await, "seed {seed}");
        engine.call("DeleteTable", &json!({ "TableName": name })).await;
    }
    println!("{kinds:#?}");
    for kind in ["ConditionalCheckFailed", "TransactionCanceled", "Validation", "Query 200"] {
        assert!(kinds.keys().any(|seen| seen.contains(kind)), "there was nothing of {kind}: {kinds:#?}");
    }
}
