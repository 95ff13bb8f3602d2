//! Faults: in JSON or in XML, whatever the status.

use serde::Deserialize;
use vendor::{CallError, reading, transport::Response};

/// Characters of a fault that are repeated to the merchant.
const MAX_WORDS_CHARS: usize = 300;

/// Intuit, *Error codes*: "Object Not Found", for what was deleted too.
const NOT_FOUND: &str = "610";

/// The same: "Stale Object Error", somebody else has changed it since.
const STALE: &str = "5010";

/// What QuickBooks says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Fault {
    kind: String,
    errors: Vec<Said>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
struct Said {
    #[serde(default, alias = "Message")]
    message: String,
    #[serde(default, alias = "Detail")]
    detail: Option<String>,
    #[serde(default)]
    code: String,
}

#[derive(Deserialize)]
struct Told {
    #[serde(alias = "Fault")]
    fault: Inside,
}

#[derive(Deserialize)]
struct Inside {
    #[serde(default, rename = "type")]
    kind: String,
    #[serde(default, alias = "Error")]
    error: Vec<Said>,
}

impl Fault {
    pub fn says_gone(&self) -> bool {
        self.errors.iter().any(|said| said.code == NOT_FOUND)
    }

    /// Without details.
    pub fn message(&self) -> String {
        shown(self.errors.iter().map(|said| said.message.clone()))
    }

    fn words(&self) -> String {
        shown(self.errors.iter().map(|said| match said.detail.as_deref().filter(|detail| !detail.is_empty()) {
            Some(detail) if detail.contains(&said.message) => detail.to_owned(),
            Some(detail) => format!("{}: {detail}", said.message),
            None => said.message.clone(),
        }))
    }
}

impl From<Fault> for CallError {
    fn from(fault: Fault) -> Self {
        match fault.kind.as_str() {
            "SystemFault" | "SERVICE" => Self::Unavailable { reason: fault.words() },
            "AUTHENTICATION" | "AuthenticationFault" | "AuthorizationFault" => {
                Self::Unauthorized { reason: fault.message() }
            }
            _ if fault.errors.iter().any(|said| said.code == STALE) => Self::Stale { shown: None },
            _ => Self::Refused { reason: fault.words() },
        }
    }
}

fn shown(words: impl Iterator<Item = String>) -> String {
    let words: Vec<String> = words.collect();
    let words = if words.is_empty() { "a fault without words".to_owned() } else { words.join("; ") };
    words.chars().filter(|c| !c.is_control()).take(MAX_WORDS_CHARS).collect()
}

/// The fault in an answer; nothing where there is none.
pub(super) fn of(response: &Response) -> Option<Fault> {
    if let Ok(told) = reading::json::<Told>(response.body()) {
        return Some(Fault { kind: told.fault.kind, errors: told.fault.error });
    }
    std::str::from_utf8(response.body()).ok().and_then(in_xml)
}

/// `<Fault type="…"><Error code="…"><Message>…</Message><Detail>…</Detail></Error></Fault>`. Only the words are wanted, and only of
/// the first error.
fn in_xml(text: &str) -> Option<Fault> {
    let (_, fault) = text.trim_start().starts_with('<').then(|| text.split_once("<Fault"))??;
    let between = |from: &str, to: &str| -> Option<String> {
        let (_, rest) = fault.split_once(from)?;
        rest.split_once(to).map(|(found, _)| unescaped(found))
    };
    let said = Said {
        message: between("<Message>", "</Message>").unwrap_or_default(),
        detail: between("<Detail>", "</Detail>"),
        code: between("code=\"", "\"").unwrap_or_default(),
    };
    Some(Fault { kind: between("type=\"", "\"").unwrap_or_default(), errors: vec![said] })
}

fn unescaped(text: &str) -> String {
    let pairs = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&amp;", "&")];
    pairs.iter().fold(text.trim().to_owned(), |text, (from, to)| text.replace(from, to))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(body: &str) -> Option<CallError> {
        of(&Response::new(body.as_bytes().to_vec())).map(CallError::from)
    }

    #[test]
    fn a_fault_is_heard_in_json_and_in_xml_and_repeated_in_its_own_words() {
        let json = r#"{"Fault":{"Error":[{"Message":"Invalid Reference Id","Detail":"Vendor 9 is not there","code":"2500","element":"VendorRef"}],"type":"ValidationFault"},"time":"…"}"#;
        let words = "Invalid Reference Id: Vendor 9 is not there";
        assert_eq!(error(json), Some(CallError::Refused { reason: words.into() }));
        let xml = r#"<?xml version="1.0"?><IntuitResponse><Fault type="ValidationFault"><Error code="2500"><Message>Invalid Reference Id</Message><Detail>Vendor 9 is not there</Detail></Error></Fault></IntuitResponse>"#;
        assert_eq!(error(xml), Some(CallError::Refused { reason: words.into() }));
        let escaped = xml.replace("Vendor 9", "Smith &amp; Sons &lt;9&gt;");
        assert!(error(&escaped).unwrap().to_string().contains("Smith & Sons <9>"));
    }

    #[test]
    fn what_is_not_a_refusal_is_not_called_one() {
        let system = r#"{"Fault":{"Error":[{"Message":"An application error","code":"10000"}],"type":"SystemFault"}}"#;
        assert!(matches!(error(system), Some(CallError::Unavailable { .. })));
        let stale = r#"{"Fault":{"Error":[{"Message":"Stale Object Error","code":"5010"}],"type":"ValidationFault"}}"#;
        assert_eq!(error(stale), Some(CallError::Stale { shown: None }));
        let expired = r#"{"fault":{"error":[{"message":"AuthenticationFailed","detail":"Token expired: eyJhb","code":"3200"}],"type":"AUTHENTICATION"}}"#;
        assert_eq!(error(expired), Some(CallError::Unauthorized { reason: "AuthenticationFailed".into() }));
        for none in [r#"{"PurchaseOrder":{}}"#, "", "<html><body>busy</body></html>", "[]"] {
            assert_eq!(error(none), None, "{none}");
        }
    }

    #[test]
    fn a_fault_without_words_is_still_one() {
        assert_eq!(error(r#"{"Fault":{}}"#), Some(CallError::Refused { reason: "a fault without words".into() }));
    }
}
