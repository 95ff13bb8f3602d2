//! What settings say of a vendor: where it is, and what its module reads.

use std::{collections::BTreeMap, str::FromStr};

use domain::limits::{MAX_OPTION_CHARS, MAX_OPTION_NAME_CHARS, MAX_OPTIONS};

use crate::{
    Input,
    json::{Entries, Field, Table, Text},
};

/// Where a vendor's API is: everything after the host belongs to the vendor's own paths, and a token must not travel in the clear.
#[derive(Debug)]
pub struct Endpoint(pub String);

impl FromStr for Endpoint {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refused = || {
            let rule =
                "must be an https:// URL without user, query and slash at the end (http:// for this machine only)";
            format!("{rule}, {MAX_OPTION_CHARS} characters at most")
        };
        let uri: wire::Uri = text.parse().map_err(|_| refused())?;
        let host = uri.host().unwrap_or_default();
        let is_safe = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => ["127.0.0.1", "localhost", "[::1]"].contains(&host),
            _ => false,
        };
        let has_user = uri.authority().is_some_and(|authority| authority.as_str().contains('@'));
        let is_plain = !has_user && uri.query().is_none() && !text.ends_with('/') && !text.contains('#');
        if is_safe && is_plain && !host.is_empty() && text.len() <= MAX_OPTION_CHARS {
            Ok(Self(text.to_owned()))
        } else {
            Err(refused())
        }
    }
}

/// An object of texts, if it is there: options of a channel, ids of a listing.
pub fn texts(input: &mut Input<'_>, field: &'static str, body: Table<Text>) -> BTreeMap<String, String> {
    let Some(Entries(entries)) = given(input, field, body) else { return BTreeMap::new() };
    if entries.len() > MAX_OPTIONS {
        input.refuse(field, format!("must not have more than {MAX_OPTIONS} fields"));
    }
    let mut texts = BTreeMap::new();
    for (name, value) in entries.into_iter().take(MAX_OPTIONS) {
        let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        if name.is_empty() || name.len() > MAX_OPTION_NAME_CHARS || !name.chars().all(is_name) {
            let shown: String = name.chars().filter(|c| !c.is_control()).take(MAX_OPTION_NAME_CHARS).collect();
            let rule = format!("must be named by 1 to {MAX_OPTION_NAME_CHARS} characters of a-z 0-9 _");
            input.refuse(format!("{field}.{shown}"), rule);
        } else if let Some(OptionText(text)) = input.required(&format!("{field}.{name}"), value) {
            texts.insert(name, text);
        }
    }
    texts
}

/// The value of an object that may be there.
fn given<T>(input: &mut Input<'_>, field: &str, value: Field<T>) -> Option<T> {
    if matches!(value, Field::Absent) { None } else { input.given(field, value) }
}

/// A value that a vendor's module reads.
pub struct OptionText(pub String);

impl FromStr for OptionText {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let chars = text.chars().count();
        if (1..=MAX_OPTION_CHARS).contains(&chars) && !text.contains(char::is_control) {
            Ok(Self(text.to_owned()))
        } else {
            Err(format!("must be 1 to {MAX_OPTION_CHARS} characters without control characters"))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::testing::{Sample, faults};

    #[derive(Debug, Default, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Body {
        options: Table<Text>,
    }

    fn read(input: &mut Input<'_>) -> Option<BTreeMap<String, String>> {
        let body: Body = input.body()?;
        Some(texts(input, "options", body.options))
    }

    fn sample(body: &str) -> crate::Request {
        Sample::new("PUT /").body(body).request()
    }

    #[test]
    fn options_are_bounded_texts() {
        let body = r#"{"options": {"seller_id": "A1", "webhook_url": "https://x/y?z"}}"#;
        assert_eq!(crate::parse(&sample(body), read).unwrap()["seller_id"], "A1");
        for (options, field) in [
            (r#"{"Seller": "A1"}"#.to_owned(), "options.Seller"),
            (r#"{"": "A1"}"#.to_owned(), "options."),
            (r#"{"seller_id": 1}"#.to_owned(), "options.seller_id"),
            (r#"{"seller_id": ""}"#.to_owned(), "options.seller_id"),
            (r#"{"seller_id": "a\nb"}"#.to_owned(), "options.seller_id"),
            (format!(r#"{{"seller_id": "{}"}}"#, "x".repeat(513)), "options.seller_id"),
            (format!("{{{}}}", (0..21).map(|n| format!(r#""o{n}": "x""#)).collect::<Vec<_>>().join(",")), "options"),
        ] {
            let faults = faults(&sample(&format!(r#"{{"options": {options}}}"#)), read);
            assert_eq!((faults.len(), faults[0].0.as_str()), (1, field), "{options}");
        }
    }

    #[test]
    fn an_endpoint_is_a_place_where_a_token_may_go() {
        for text in [
            "https://api.ebay.com",
            "https://shop.example/wp-json",
            "https://h:8443",
            "http://127.0.0.1:9",
            "http://localhost",
            "http://[::1]:9",
        ] {
            assert_eq!(text.parse::<Endpoint>().unwrap().0, text);
        }
        for text in [
            "",
            "api.ebay.com",
            "/x",
            "http://api.ebay.com",
            "http://127.0.0.1.example",
            "ftp://api.ebay.com",
            "https://",
            "https://api.ebay.com/",
            "https://user:word@api.ebay.com",
            "https://api.ebay.com?x=1",
            "https://api.ebay.com/a#b",
            "https://a b",
        ] {
            assert!(text.parse::<Endpoint>().is_err(), "{text}");
        }
        assert!(format!("https://{}", "x".repeat(505)).parse::<Endpoint>().is_err());
    }
}
