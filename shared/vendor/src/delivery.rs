//! What arrives at our webhook.

use crate::CallError;

/// What a vendor delivered to our webhook.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Delivery {
    /// `GET` or `POST`.
    pub method: String,
    /// The URL at which it arrived, as the vendor was given it: some sign it.
    pub url: String,
    /// The query, decoded.
    pub query: Vec<(String, String)>,
    /// The headers.
    pub headers: Vec<(String, String)>,
    /// The raw bytes.
    pub body: Vec<u8>,
}

impl Delivery {
    /// A header, its name in any case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// A parameter of the query.
    #[must_use]
    pub fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// A delivery that is not believed, or not understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejected {
    /// It is not signed as the vendor signs, or too old. Which, is for the log only.
    #[error("not believed: {0}")]
    Unbelieved(&'static str),
    /// It is signed and still not what the vendor documents.
    #[error("not understood: {0}")]
    Malformed(String),
    /// What is needed to check it could not be had: the vendor should send it again.
    #[error("cannot be checked now")]
    Unavailable(#[source] CallError),
}
