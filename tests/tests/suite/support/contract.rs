//! `infra/openapi.yaml` as a judge: every answer of the service is held against it.
//!
//! An answer must be of a declared status and content type, its headers must be declared and those that are required there, and
//! its body must be as the schema says. The schemas are read more strictly than they are published: a field that they do not name
//! is a fault, for here nobody may answer more than is written down.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::OnceLock,
};

use jsonschema::{Draft, Validator};
use reqwest::Method;
use serde_json::{Value, json};

use super::Answer;

pub const OPENAPI: &str = include_str!("../../../../infra/openapi.yaml");

/// Headers that every answer may have: HTTP's own, and that no answer may be cached.
const EVERYWHERE: [&str; 4] = ["cache-control", "content-length", "content-type", "date"];

/// What the document says.
pub struct Contract {
    pub document: Value,
    operations: Vec<Operation>,
}

struct Operation {
    id: String,
    method: String,
    path: String,
    /// By status.
    answers: BTreeMap<u16, Declared>,
}

struct Declared {
    headers: BTreeMap<String, Header>,
    /// By content type.
    bodies: BTreeMap<String, Validator>,
}

struct Header {
    required: bool,
    validator: Validator,
}

impl Contract {
    pub fn get() -> &'static Self {
        static CONTRACT: OnceLock<Contract> = OnceLock::new();
        CONTRACT.get_or_init(|| Self::parse(OPENAPI))
    }

    fn parse(text: &str) -> Self {
        let document: Value = yaml_serde::from_str(text).expect("openapi.yaml is YAML");
        let mut strict = document.clone();
        forbid_unnamed(&mut strict["components"]["schemas"]);
        let mut operations = Vec::new();
        for (path, item) in strict["paths"].as_object().expect("paths") {
            for (method, operation) in
                item.as_object().expect("operations").iter().filter(|(name, _)| *name != "parameters")
            {
                let answers = operation["responses"].as_object().expect("responses").iter();
                let answers = answers.map(|(status, answer)| {
                    (status.parse().expect("a status"), Declared::read(&strict, resolve(&strict, answer)))
                });
                operations.push(Operation {
                    id: operation["operationId"].as_str().expect("an operationId").to_owned(),
                    method: method.to_uppercase(),
                    path: path.clone(),
                    answers: answers.collect(),
                });
            }
        }
        Self { document, operations }
    }

    /// All declared operations and statuses.
    pub fn declared(&self) -> BTreeSet<(String, u16)> {
        let answers = |operation: &Operation| {
            let id = operation.id.clone();
            operation.answers.keys().map(move |status| (id.clone(), *status)).collect::<Vec<_>>()
        };
        self.operations.iter().flat_map(answers).collect()
    }

    /// Stops the test if the answer is not declared; else says which operation it belongs to, if to any.
    pub fn check(&self, method: &Method, path: &str, answer: &Answer) -> Option<String> {
        let path = path.split('?').next().unwrap_or_default();
        let operation = self.operations.iter().find(|own| own.method == method.as_str() && fits(&own.path, path))?;
        let fault = |what: String| -> ! { panic!("{}: {} {what}: {}", answer.call, operation.id, answer.text) };
        let Some(declared) = operation.answers.get(&answer.status) else {
            fault(format!("declares no {}", answer.status))
        };
        let content_type = answer.header("content-type").unwrap_or("nothing");
        let Some(body) = declared.bodies.get(content_type) else {
            fault(format!("declares no {content_type} for {}", answer.status))
        };
        if let Err(error) = body.validate(&answer.body) {
            fault(format!("declares {} otherwise ({error} at {})", answer.status, error.instance_path()));
        }
        for name in answer.headers.keys().map(reqwest::header::HeaderName::as_str) {
            if !declared.headers.contains_key(name) && !EVERYWHERE.contains(&name) {
                fault(format!("declares no header {name} for {}", answer.status));
            }
        }
        for (name, header) in &declared.headers {
            match answer.header(name) {
                Some(value) if !header.validator.is_valid(&json!(value)) => {
                    fault(format!("does not declare {name}: {value}"))
                }
                None if header.required => fault(format!("declares a header {name} for {}", answer.status)),
                _ => {}
            }
        }
        Some(operation.id.clone())
    }
}

impl Declared {
    fn read(document: &Value, answer: &Value) -> Self {
        let headers = answer["headers"].as_object().into_iter().flatten().map(|(name, header)| {
            let header = resolve(document, header);
            let required = header["required"] == true;
            (name.to_lowercase(), Header { required, validator: validator(document, &header["schema"]) })
        });
        let bodies = answer["content"].as_object().into_iter().flatten();
        let bodies = bodies.map(|(name, content)| (name.clone(), validator(document, &content["schema"])));
        Self { headers: headers.collect(), bodies: bodies.collect() }
    }
}

/// A schema of the document, with everything that it refers to.
fn validator(document: &Value, schema: &Value) -> Validator {
    let schema = json!({ "allOf": [schema], "components": document["components"] });
    let options = jsonschema::options().with_draft(Draft::Draft202012).should_validate_formats(true);
    options.build(&schema).expect("openapi.yaml contains valid schemas")
}

/// Follows one reference within the document.
fn resolve<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    let Some(reference) = value["$ref"].as_str() else { return value };
    document.pointer(reference.trim_start_matches('#')).unwrap_or_else(|| panic!("openapi.yaml has no {reference}"))
}

/// Lets every schema refuse fields that it does not name.
fn forbid_unnamed(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            if fields.contains_key("properties") && fields.get("type") == Some(&json!("object")) {
                fields.insert("additionalProperties".to_owned(), json!(false));
            }
            fields.values_mut().for_each(forbid_unnamed);
        }
        Value::Array(items) => items.iter_mut().for_each(forbid_unnamed),
        _ => {}
    }
}

/// Whether a path is one of a template's.
fn fits(template: &str, path: &str) -> bool {
    let (template, path): (Vec<&str>, Vec<&str>) = (template.split('/').collect(), path.split('/').collect());
    template.len() == path.len()
        && template.iter().zip(&path).all(|(own, other)| own == other || (own.starts_with('{') && !other.is_empty()))
}
