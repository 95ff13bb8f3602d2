//! What Holdfast asks of a channel, and what a channel can do.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use domain::{
    ids::Sku,
    sale::ChannelOrder,
    time::{Clock, Timestamp},
};

use crate::{
    Credentials, Transport,
    credentials::MissingCredential,
    transport::{Request, TransportError},
};

/// What a connector works with. Cheap to clone.
#[derive(Clone)]
pub struct Context {
    /// How requests are sent.
    pub transport: Arc<dyn Transport>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// The channel's secrets.
    pub credentials: Credentials,
    /// Where the vendor is, without a slash at the end; its production where nothing is said. Sandboxes and tests say something.
    pub endpoint: Option<String>,
    /// What the channel's settings say for this vendor and is no secret: a seller id, a marketplace id, a location. Each vendor's
    /// module lists at its head what it reads.
    pub options: BTreeMap<String, String>,
}

/// What a number that is set at the vendor counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QuantityMeaning {
    /// Units that can still be ordered there.
    Net,
    /// Those, and also what has been ordered there but not shipped. Setting a net number here would subtract orders twice.
    Gross,
}

/// What a channel can do, and how much of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Abilities {
    /// A push may name the number it expects to find, and is refused where another is shown.
    pub compare_and_set: bool,
    /// What the pushed number counts. A connector is always given net numbers, and adds what its vendor wants added.
    pub quantity: QuantityMeaning,
    /// Listings in one push.
    pub batch: usize,
    /// How often a day the quantity of one listing may be changed; nothing where there is no such limit.
    pub revisions_per_day: Option<u32>,
    /// Listings that one call reads or sets.
    pub listings_per_call: usize,
    /// Calls that read or set quantities, per second; as many may be made at once.
    pub pushes_per_second: u32,
    /// Orders are not pulled more often than every so many seconds.
    pub poll_seconds: u64,
    /// A webhook only says that something happened: the order must be fetched.
    pub webhook_is_a_hint: bool,
}

/// A listing, as the vendor knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The SKU.
    pub sku: Sku,
    /// The vendor's ids of the listing, where a SKU is not enough: `offer_id`, `inventory_item_id`, `product_id`, … Each vendor's
    /// module lists at its head what it reads.
    pub remote: BTreeMap<String, String>,
}

/// One quantity to set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Push {
    /// Which listing.
    pub target: Target,
    /// Units that can be ordered there from now on: net, 0 closes the listing.
    pub quantity: u64,
    /// What the channel should show just before, for a vendor that can compare.
    pub expected: Option<u64>,
    /// The same whenever this very push is sent again, and never for another: the vendor's idempotency key, where it takes one. Visible
    /// ASCII, 64 characters at most.
    pub key: String,
}

/// What came of a push that was not refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accepted {
    /// The vendor says that it will be applied.
    ForLater,
    /// The vendor says that it is applied.
    Applied,
}

/// What a channel shows for a listing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shown {
    /// Units that can be ordered there: net.
    pub quantity: u64,
}

/// Orders that have changed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OrderPage {
    /// They, as they stand now.
    pub orders: Vec<ChannelOrder>,
    /// Orders that could not be read, each in words with the vendor's id of it: shown to the merchant, never dropped.
    pub unreadable: Vec<String>,
    /// The next page; nothing on the last one.
    pub cursor: Option<String>,
}

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

/// What a delivery said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// Orders, as they stand now.
    Orders {
        /// They.
        orders: Vec<ChannelOrder>,
        /// The vendor's id of this delivery, the same when it comes again; nothing where it gives none.
        delivery: Option<String>,
    },
    /// These orders have changed: fetch them.
    Hint {
        /// The vendor's ids.
        orders: Vec<String>,
        /// As above.
        delivery: Option<String>,
    },
    /// The vendor wants to know whether we are who we say we are: this is the answer, to be sent as it is.
    Handshake {
        /// The media type of the answer.
        content_type: &'static str,
        /// The answer.
        body: Vec<u8>,
    },
    /// Nothing that concerns us.
    Nothing,
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
    /// The channel is not set up.
    #[error(transparent)]
    Unconfigured(#[from] MissingCredential),
}

impl From<TransportError> for CallError {
    fn from(error: TransportError) -> Self {
        Self::Unavailable { reason: error.reason }
    }
}

/// One vendor.
#[async_trait]
pub trait Connector: Send + Sync {
    /// What it can do.
    fn abilities(&self) -> Abilities;

    /// Sets quantities, at most [`Abilities::batch`] of them. What came of each, in their order.
    async fn push(&self, pushes: &[Push]) -> Vec<Result<Accepted, CallError>>;

    /// Reads what is shown. For each listing, in their order.
    async fn read(&self, targets: &[Target]) -> Vec<Result<Shown, CallError>>;

    /// Orders that have changed at or after `since`, page by page. An order may come more than once.
    async fn changed_orders(&self, since: Timestamp, cursor: Option<&str>) -> Result<OrderPage, CallError>;

    /// One order, by the vendor's id of it; nothing if there is none.
    async fn order(&self, id: &str) -> Result<Option<ChannelOrder>, CallError>;

    /// Checks a delivery to our webhook, over its raw bytes, and reads it.
    async fn hear(&self, delivery: &Delivery) -> Result<Heard, Rejected>;
}

impl Context {
    /// Sends a request; a status that says "not now" or "not you" is an error ([`checked`]). Anything else is for the vendor's own
    /// module.
    ///
    /// # Errors
    /// [`CallError`] for 401, 403, 429, 5xx, and where no answer came.
    pub async fn call(&self, request: Request) -> Result<crate::transport::Response, CallError> {
        checked(self.transport.send(request).await?)
    }
}

/// An answer whose status does not say "not now" or "not you"; else the error, in the words that all vendors share.
///
/// # Errors
/// [`CallError`] for 401, 403, 429, 5xx.
pub fn checked(response: crate::transport::Response) -> Result<crate::transport::Response, CallError> {
    let status = response.status().as_u16();
    match status {
        401 | 403 => Err(CallError::Unauthorized { reason: words(&response) }),
        429 => Err(CallError::Throttled { retry_after_seconds: retry_after_seconds(&response) }),
        500.. => Err(CallError::Unavailable { reason: format!("{status} {}", words(&response)) }),
        _ => Ok(response),
    }
}

/// How long to wait when a vendor does not say, in seconds.
const DEFAULT_RETRY_AFTER_SECONDS: u64 = 2;

/// Characters of a vendor's answer that are repeated to the merchant and in the log.
const MAX_WORDS_CHARS: usize = 300;

/// The beginning of an answer, for a person.
#[must_use]
pub fn words(response: &crate::transport::Response) -> String {
    String::from_utf8_lossy(response.body()).chars().filter(|c| !c.is_control()).take(MAX_WORDS_CHARS).collect()
}

fn retry_after_seconds(response: &crate::transport::Response) -> u64 {
    let header = response.headers().get("retry-after").and_then(|value| value.to_str().ok());
    header.and_then(|text| text.parse().ok()).unwrap_or(DEFAULT_RETRY_AFTER_SECONDS)
}
