//! Amazon's own models of its API, and what they say of each request and answer.
//!
//! They are not part of the repository. Where they lie beside it, in `../shared/contracts/amazon` (from
//! github.com/amzn/selling-partner-api-models), every exchange of the tests in `amazon.rs` is checked against them, on both sides; where
//! they do not, these checks say so and pass.

use std::{
    collections::BTreeMap,
    io::Read,
    path::{Path, PathBuf},
    sync::{LazyLock, Mutex},
};

use channels::transport::{Request, Response};
use jsonschema::{Draft, Validator};
use serde_json::{Value, json};

const APIS: [&str; 3] = ["listingsItems_2021-08-01", "feeds_2021-06-30", "orders_2026-01-01"];

/// The models; nothing where they are not.
pub static MODELS: LazyLock<Option<Models>> = LazyLock::new(|| {
    let beside = |folder: &Path| folder.parent().map(|parent| parent.join("shared/contracts/amazon"));
    let found = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().filter_map(beside).find(|folder| folder.is_dir());
    if found.is_none() {
        eprintln!("Amazon's models are not at ../shared/contracts/amazon: nothing is checked against them");
    }
    found.map(|folder| Models { folder, documents: Mutex::default(), schemas: Mutex::default() })
});

/// Checks an exchange.
pub fn check(request: &Request, response: &Response) {
    if let Some(models) = &*MODELS {
        models.check(request, response);
    }
}

pub struct Models {
    folder: PathBuf,
    documents: Mutex<BTreeMap<String, Value>>,
    schemas: Mutex<BTreeMap<String, Validator>>,
}

impl Models {
    pub fn document(&self, name: &str) -> Value {
        let read = || {
            let text = std::fs::read_to_string(self.folder.join(format!("{name}.json"))).unwrap();
            let mut document: Value = serde_json::from_str(&text).unwrap();
            strip_ids(&mut document);
            document
        };
        self.documents.lock().unwrap().entry(name.to_owned()).or_insert_with(read).clone()
    }

    /// Panics unless `value` is as `schema`, some part of the document, wants it.
    pub fn validate(&self, document: &str, schema: &Value, value: &Value) {
        let mut schemas = self.schemas.lock().unwrap();
        let validator = schemas.entry(format!("{document} {schema}")).or_insert_with(|| {
            let mut schema = schema.clone();
            if let Some(definitions) = self.document(document).get("definitions") {
                schema["definitions"] = definitions.clone();
            }
            let options = jsonschema::options().with_draft(Draft::Draft7).should_validate_formats(true);
            options.build(&schema).unwrap()
        });
        let errors: Vec<String> =
            validator.iter_errors(value).map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert!(errors.is_empty(), "not as {document} wants it: {errors:#?}\n{value:#}");
    }

    fn whole(&self, document: &str, value: &Value) {
        self.validate(document, &self.document(document), value);
    }

    fn check(&self, request: &Request, response: &Response) {
        let path = request.uri().path();
        if path.starts_with("/auth/") {
            return;
        }
        if path.starts_with("/documents/") {
            return self.check_document(request, response);
        }
        for api in APIS {
            let document = self.document(api);
            for (template, operations) in document["paths"].as_object().unwrap() {
                let operation = &operations[request.method().as_str().to_lowercase()];
                if matches(template, path) && operation.is_object() {
                    return self.check_operation(api, operation, request, response);
                }
            }
        }
        panic!("no operation for {} {path}", request.method());
    }

    fn check_operation(&self, api: &str, operation: &Value, request: &Request, response: &Response) {
        let name = operation["operationId"].as_str().unwrap();
        let parameters = operation["parameters"].as_array().unwrap();
        let query = request.uri().query().unwrap_or_default();
        let query: BTreeMap<String, String> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        for (key, value) in &query {
            let known = parameters.iter().find(|known| known["in"] == "query" && known["name"] == key.as_str());
            let known = known.unwrap_or_else(|| panic!("{name} has no parameter {key}"));
            self.validate(api, &only_schema(known), &typed(known, value));
        }
        for required in parameters.iter().filter(|known| known["in"] == "query" && known["required"] == true) {
            assert!(query.contains_key(required["name"].as_str().unwrap()), "{name} wants {}", required["name"]);
        }
        match parameters.iter().find(|known| known["in"] == "body") {
            Some(body) => self.validate(api, &body["schema"], &serde_json::from_slice(request.body()).unwrap()),
            None => assert!(request.body().is_empty(), "{name} has no body"),
        }
        let status = response.status().as_str().to_owned();
        let answer = &operation["responses"][&status];
        assert!(answer.is_object(), "{name} never answers {status}");
        self.validate(api, &answer["schema"], &serde_json::from_slice(response.body()).unwrap());
    }

    /// What goes to a presigned address is a feed, and what comes from one is its report.
    fn check_document(&self, request: &Request, response: &Response) {
        if !response.status().is_success() {
            return;
        }
        if request.method() == "PUT" {
            let feed: Value = serde_json::from_slice(request.body()).unwrap();
            self.whole("listings-feed-schema-v2", &feed);
            for message in feed["messages"].as_array().unwrap() {
                self.whole("listings-feed-message-schema-v2", message);
            }
        } else {
            let mut text = String::new();
            let body = response.body().as_slice();
            if body.starts_with(&[0x1f, 0x8b]) {
                flate2::read::GzDecoder::new(body).read_to_string(&mut text).unwrap();
            } else {
                text.push_str(std::str::from_utf8(body).unwrap());
            }
            self.whole("listings-feed-processing-report-schema-v2", &serde_json::from_str(&text).unwrap());
        }
    }

    /// Checks the body of a message in our queue.
    pub fn check_notice(&self, body: &[u8]) {
        let notice: Value = serde_json::from_slice(body).unwrap();
        let document = match notice["NotificationType"].as_str() {
            Some("ORDER_CHANGE") => "OrderChangeNotification",
            _ => "ListingsItemMfnQuantityChange",
        };
        self.whole(document, &notice);
    }
}

/// The models name their parts by `$id`s that resolve to nothing.
fn strip_ids(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.remove("$id");
            fields.values_mut().for_each(strip_ids);
        }
        Value::Array(items) => items.iter_mut().for_each(strip_ids),
        _ => {}
    }
}

fn matches(template: &str, path: &str) -> bool {
    let (template, path): (Vec<&str>, Vec<&str>) = (template.split('/').collect(), path.split('/').collect());
    template.len() == path.len()
        && template.iter().zip(path).all(|(known, part)| known.starts_with('{') || *known == part)
}

/// What of a Swagger parameter is a schema.
fn only_schema(parameter: &Value) -> Value {
    let words = ["type", "format", "enum", "items", "minItems", "maxItems", "minimum", "maximum"];
    let known = words.iter().filter_map(|word| Some(((*word).to_owned(), parameter.get(word)?.clone())));
    Value::Object(known.collect())
}

/// A parameter as its type; a list is separated by commas (`collectionFormat: csv`, the default).
fn typed(parameter: &Value, text: &str) -> Value {
    match parameter["type"].as_str() {
        Some("array") => text.split(',').collect(),
        Some("integer") => text.parse::<u64>().map_or_else(|_| json!(text), |number| json!(number)),
        _ => json!(text),
    }
}
