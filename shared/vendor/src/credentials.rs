//! Secrets for one vendor: a flat JSON object of texts, whose names each vendor's module lists at its head.

use std::{collections::BTreeMap, fmt};

/// The secrets of one channel or ERP. It prints their names, never their values.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Credentials(BTreeMap<String, String>);

/// A secret is not there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the secret has no {0:?}")]
pub struct MissingCredential(pub &'static str);

/// The secret is not a flat JSON object of texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a secret must be a JSON object whose values are texts")]
pub struct MalformedCredentials;

impl Credentials {
    /// Reads the JSON object.
    ///
    /// # Errors
    /// [`MalformedCredentials`]; the text is not repeated in it.
    pub fn from_json(text: &str) -> Result<Self, MalformedCredentials> {
        serde_json::from_str(text).map(Self).map_err(|_| MalformedCredentials)
    }

    /// One of them.
    ///
    /// # Errors
    /// [`MissingCredential`] when there is none of this name, or it is empty.
    pub fn get(&self, name: &'static str) -> Result<&str, MissingCredential> {
        self.0.get(name).map(String::as_str).filter(|text| !text.is_empty()).ok_or(MissingCredential(name))
    }
}

impl<const N: usize> From<[(&str, &str); N]> for Credentials {
    fn from(pairs: [(&str, &str); N]) -> Self {
        Self(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Credentials").field(&self.0.keys().collect::<Vec<_>>()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_read_by_name_and_never_printed() {
        let credentials = Credentials::from_json(r#"{"token":"s3cret","empty":""}"#).unwrap();
        assert_eq!(credentials.get("token"), Ok("s3cret"));
        assert_eq!(credentials.get("empty"), Err(MissingCredential("empty")));
        assert_eq!(credentials.get("other"), Err(MissingCredential("other")));
        assert_eq!(format!("{credentials:?}"), r#"Credentials(["empty", "token"])"#);
    }

    #[test]
    fn what_is_no_object_of_texts_is_refused_without_repeating_it() {
        for text in ["", "[]", r#"{"token":1}"#, "s3cret"] {
            let error = Credentials::from_json(text).unwrap_err();
            assert!(!error.to_string().contains("s3cret"));
        }
    }
}
