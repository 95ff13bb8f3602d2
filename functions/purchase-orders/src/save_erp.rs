//! `PUT /v1/erp {kind, endpoint?, options?, items?, suppliers?}`: which ERP purchase orders go to from now on; `none` for none. Orders that were
//! sent before stay where they are.

use std::{collections::BTreeMap, fmt::Display, str::FromStr};

use domain::{
    erp::{ErpKind, ErpKindError, ErpSettings},
    ids::{Sku, Supplier},
    limits::MAX_ERP_NAMES,
    refusal::Refusal,
};
use http::{
    IfMatch, Input, Problem, Request, Response,
    json::{Entries, Field, Table, Text},
    vendor::{Endpoint, OptionText, texts},
};
use runtime::{App, problem};
use serde::Deserialize;

use crate::erp::{ErpView, NONE};

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Body {
    kind: Text,
    endpoint: Text,
    options: Table<Text>,
    items: Table<Text>,
    suppliers: Table<Text>,
}

/// An ERP, or the word for none.
struct Kind(Option<ErpKind>);

impl FromStr for Kind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == NONE {
            return Ok(Self(None));
        }
        text.parse().map(|kind| Self(Some(kind))).map_err(|ErpKindError| format!("{ErpKindError}, or {NONE}"))
    }
}

pub(crate) async fn save(app: &App, request: &Request) -> Result<Response, Problem> {
    let (settings, if_match) = read(request)?;
    let if_match = match if_match {
        None => None,
        Some(IfMatch::Version(version)) => Some(version),
        Some(IfMatch::Any | IfMatch::Foreign) => {
            let stored = app.store.erp_settings().await.map_err(|fault| problem(fault.into()))?;
            let version = stored.map_or(0, |stored| stored.version);
            if if_match == Some(IfMatch::Foreign) || version == 0 {
                return Err(Refusal::PreconditionFailed { version }.into());
            }
            // What is there is never removed: from here on it exists.
            None
        }
    };
    let saved = app.store.save_erp(&settings, if_match).await.map_err(problem)?;
    let settings = ErpSettings { version: saved.version, ..settings };
    let view = ErpView::new(&settings);
    let response = if saved.created { Response::created(&view) } else { Response::ok(&view) };
    Ok(response.version(saved.version))
}

fn read(request: &Request) -> Result<(ErpSettings, Option<IfMatch>), Problem> {
    http::parse(request, |input| {
        let if_match = input.if_match();
        let body: Body = input.body()?;
        let kind = input.required("kind", body.kind).map(|Kind(kind)| kind);
        let endpoint = input.optional("endpoint", body.endpoint).map(|Endpoint(endpoint)| endpoint);
        let options = texts(input, "options", body.options);
        let items: BTreeMap<Sku, String> = names(input, "items", body.items);
        once(input, &items);
        let suppliers: BTreeMap<Supplier, String> = names(input, "suppliers", body.suppliers);
        Some((ErpSettings { kind: kind?, endpoint, options, items, suppliers, ..ErpSettings::default() }, if_match))
    })
}

/// Two SKUs that are one item there would each be booked with what came of both.
fn once(input: &mut Input<'_>, items: &BTreeMap<Sku, String>) {
    let mut first: BTreeMap<&str, &Sku> = BTreeMap::new();
    for (sku, item) in items {
        if let Some(other) = first.insert(item, sku) {
            input.refuse("items", format!("names item {item} twice, for the SKUs {other} and {sku}"));
        }
    }
}

/// The ERP's ids, by our names.
fn names<K: FromStr<Err: Display> + Ord>(
    input: &mut Input<'_>,
    field: &'static str,
    body: Table<Text>,
) -> BTreeMap<K, String> {
    let entries = if matches!(body, Field::Absent) { None } else { input.given(field, body) };
    let Some(Entries(entries)) = entries else { return BTreeMap::new() };
    if entries.len() > MAX_ERP_NAMES {
        input.refuse(field, format!("must not have more than {MAX_ERP_NAMES} fields"));
        return BTreeMap::new();
    }
    let mut names = BTreeMap::new();
    for (index, (name, id)) in entries.into_iter().enumerate() {
        match name.parse() {
            Ok(name) => {
                if let Some(OptionText(id)) = input.required(&format!("{field}[{index}]"), id) {
                    names.insert(name, id);
                }
            }
            Err(error) => input.refuse(format!("{field}[{index}]"), format!("is named wrongly: it {error}")),
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use http::testing::Sample;

    use super::*;

    fn sample(body: &str) -> Request {
        Sample::new("PUT /v1/erp").body(body).request()
    }

    #[test]
    fn settings_are_what_was_sent() {
        let body = r#"{"kind": "sap-business-one", "endpoint": "https://sap.example:50000", "options": {"company_db": "SBO"},
            "items": {"tea": "I-1"}, "suppliers": {"Leaf & Co": "V-1"}}"#;
        let (settings, _) = read(&sample(body)).unwrap();
        let expected = ErpSettings {
            kind: Some(ErpKind::SapBusinessOne),
            endpoint: Some("https://sap.example:50000".to_owned()),
            options: [("company_db".to_owned(), "SBO".to_owned())].into(),
            items: [("tea".parse().unwrap(), "I-1".to_owned())].into(),
            suppliers: [("Leaf & Co".parse().unwrap(), "V-1".to_owned())].into(),
            ..ErpSettings::default()
        };
        assert_eq!(settings, expected);
        assert_eq!(read(&sample(r#"{"kind": "none"}"#)).unwrap().0, ErpSettings::default());
    }

    #[test]
    fn every_fault_is_named() {
        let many = (0..=MAX_ERP_NAMES).map(|n| format!(r#""s{n}": "x""#)).collect::<Vec<_>>().join(",");
        for (body, fields) in [
            ("{}".to_owned(), &["kind"][..]),
            (r#"{"kind": "sage", "endpoint": "http://sap.example"}"#.to_owned(), &["kind", "endpoint"]),
            (r#"{"kind": "none", "items": {"a b": "x", "c": ""}}"#.to_owned(), &["items[0]", "items[1]"]),
            (r#"{"kind": "none", "suppliers": {"": "x"}}"#.to_owned(), &["suppliers[0]"]),
            (format!(r#"{{"kind": "none", "items": {{{many}}}}}"#), &["items"]),
            (r#"{"kind": "none", "items": {"tea": "I-1", "mug": "I-2", "green-tea": "I-1"}}"#.to_owned(), &["items"]),
            (r#"{"kind": "none", "password": "x"}"#.to_owned(), &["password"]),
        ] {
            let problem = read(&sample(&body)).unwrap_err();
            let named: Vec<&str> = problem.errors().iter().map(|error| error.field.as_str()).collect();
            assert_eq!(named, fields, "{body}");
        }
    }
}
