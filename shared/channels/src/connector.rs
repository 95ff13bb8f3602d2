//! What Holdfast asks of a channel, and what a channel can do.

use std::collections::BTreeMap;

use async_trait::async_trait;
use domain::{ids::Sku, sale::ChannelOrder, time::Timestamp};

pub use vendor::{
    call::{CallError, Context, checked, finished, secret_header, words},
    delivery::{Delivery, Rejected},
};

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
