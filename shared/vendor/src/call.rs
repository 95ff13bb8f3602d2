//! One call to a vendor: what it needs, and what may come of it.

use std::{collections::BTreeMap, sync::Arc};

use domain::time::Clock;
use wire::{HeaderValue, request::Builder};

use crate::{
    Credentials, Transport,
    credentials::MissingCredential,
    transport::{Request, Response, TransportError},
};

/// What a connector works with. Cheap to clone.
#[derive(Clone)]
pub struct Context {
    /// How requests are sent.
    pub transport: Arc<dyn Transport>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// The secrets of this channel or ERP.
    pub credentials: Credentials,
    /// Where the vendor is, without a slash at the end; its production where nothing is said. Sandboxes and tests say something.
    pub endpoint: Option<String>,
    /// What the settings say for this vendor and is no secret: a seller id, a marketplace id, a location. Each vendor's
    /// module lists at its head what it reads.
    pub options: BTreeMap<String, String>,
}

/// A call to a vendor that did not do what it should.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// Too many calls: not before so many seconds.
    #[error("throttled for {retry_after_seconds} s")]
    Throttled {
        /// How long to wait.
        retry_after_seconds: u64,
    },
    /// The vendor is not there, or answers with a fault of its own: the same call may go through later.
    #[error("not available: {reason}")]
    Unavailable {
        /// For the log.
        reason: String,
    },
    /// Another number is shown than was expected: sales are on their way to us. Pull orders, compute anew; never just send again.
    #[error("the channel shows another quantity than was expected")]
    Stale {
        /// What it shows, where it says.
        shown: Option<u64>,
    },
    /// The vendor refuses, and will refuse the same again. In its own words, for the merchant.
    #[error("refused: {reason}")]
    Refused {
        /// The vendor's words.
        reason: String,
    },
    /// It does not let us in: the merchant has to look at the secret.
    #[error("not let in: {reason}")]
    Unauthorized {
        /// The vendor's words.
        reason: String,
    },
    /// It is not set up.
    #[error(transparent)]
    Unconfigured(#[from] MissingCredential),
}

impl From<TransportError> for CallError {
    fn from(error: TransportError) -> Self {
        Self::Unavailable { reason: error.reason }
    }
}

impl Context {
    /// What the settings say under this name; nothing for an empty text.
    #[must_use]
    pub fn option(&self, name: &str) -> Option<&str> {
        self.options.get(name).map(String::as_str).filter(|text| !text.is_empty())
    }

    /// The same, where nothing works without it.
    ///
    /// # Errors
    /// [`CallError::Refused`], in words for the merchant.
    pub fn required(&self, name: &str) -> Result<&str, CallError> {
        self.option(name).ok_or_else(|| CallError::Refused { reason: format!("the settings have no {name:?}") })
    }

    /// Sends a request; a status that says "not now" or "not you" is an error ([`checked`]). Anything else is for the vendor's own
    /// module.
    ///
    /// # Errors
    /// [`CallError`] for 401, 403, 429, 5xx, and where no answer came.
    pub async fn call(&self, request: Request) -> Result<Response, CallError> {
        checked(self.transport.send(request).await?)
    }
}

/// An answer whose status does not say "not now" or "not you"; else the error, in the words that all vendors share.
///
/// # Errors
/// [`CallError`] for 401, 403, 429, 5xx.
pub fn checked(response: Response) -> Result<Response, CallError> {
    let status = response.status().as_u16();
    match status {
        401 | 403 => Err(CallError::Unauthorized { reason: words(&response) }),
        429 => Err(CallError::Throttled { retry_after_seconds: retry_after_seconds(&response) }),
        500.. => Err(CallError::Unavailable { reason: format!("{status} {}", words(&response)) }),
        _ => Ok(response),
    }
}

/// The request, or why the settings cannot be put into one.
///
/// # Errors
/// [`CallError::Refused`]
pub fn finished(builder: Builder, body: Vec<u8>) -> Result<Request, CallError> {
    let reason = "the endpoint or options cannot be put into a request".to_owned();
    builder.body(body).map_err(|_| CallError::Refused { reason })
}

/// A header that prints as nothing.
///
/// # Errors
/// [`CallError::Unauthorized`] where the secret has characters that no header can carry.
pub fn secret_header(text: &str) -> Result<HeaderValue, CallError> {
    let mut value = HeaderValue::from_str(text).map_err(|_| CallError::Unauthorized {
        reason: "the secret has characters that no header can carry".to_owned(),
    })?;
    value.set_sensitive(true);
    Ok(value)
}

/// How long to wait when a vendor does not say, in seconds.
const DEFAULT_RETRY_AFTER_SECONDS: u64 = 2;

/// Characters of a vendor's answer that are repeated to the merchant and in the log.
const MAX_WORDS_CHARS: usize = 300;

/// The beginning of an answer, for a person.
#[must_use]
pub fn words(response: &Response) -> String {
    String::from_utf8_lossy(response.body()).chars().filter(|c| !c.is_control()).take(MAX_WORDS_CHARS).collect()
}

fn retry_after_seconds(response: &Response) -> u64 {
    let header = response.headers().get("retry-after").and_then(|value| value.to_str().ok());
    header.and_then(|text| text.parse().ok()).unwrap_or(DEFAULT_RETRY_AFTER_SECONDS)
}
