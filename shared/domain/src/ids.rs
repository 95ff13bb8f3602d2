//! Names of things. Each is checked once, where it enters, and cannot be wrong afterwards.

use std::{fmt, str::FromStr};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};

use crate::{
    bucket::StockId,
    limits::{
        MAX_CHANNEL_CHARS, MAX_IDEMPOTENCY_KEY_CHARS, MAX_REASON_CHARS, MAX_REFERENCE_CHARS, MAX_SKU_CHARS,
        MAX_SUPPLIER_CHARS,
    },
    sale::SaleKey,
};

/// Why a text is not a valid id; its `Display` is fit for the caller's eyes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be {0}")]
pub struct IdError(&'static str);

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $max:expr, $allowed:expr, $rule:expr) => {
        text_id! { $(#[$doc])* $name, $max, $allowed, |_| true, $rule }
    };
    ($(#[$doc:meta])* $name:ident, $max:expr, $allowed:expr, $whole:expr, $rule:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                let allowed: fn(char) -> bool = $allowed;
                let whole: fn(&str) -> bool = $whole;
                let length_fits = (1..=$max).contains(&text.chars().count());
                if length_fits && text.chars().all(allowed) && whole(text) { Ok(Self(text.to_owned())) } else { Err(IdError($rule)) }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

text_id! {
    /// A stock keeping unit: what the merchant counts. 1 to 64 characters of `A-Z a-z 0-9 . _ -`, not dots alone: no client
    /// can put `..` into a path.
    Sku,
    MAX_SKU_CHARS,
    |c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'),
    |text| text.chars().any(|c| c != '.'),
    "1 to 64 characters of A-Z a-z 0-9 . _ -, not dots alone"
}

text_id! {
    /// Where a unit is sold: `own`, `amazon`, … 1 to 32 characters of `a-z 0-9 _ -`.
    /// `incoming` is none: those are units that have not come, and nobody outside names their pool.
    Channel, MAX_CHANNEL_CHARS, |c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-'),
    |text| text != INCOMING,
    "1 to 32 characters of a-z 0-9 _ -, and not incoming"
}

text_id! {
    /// An order or session id that the caller chose: 1 to 128 visible ASCII characters.
    Reference, MAX_REFERENCE_CHARS, |c| c.is_ascii_graphic(),
    "1 to 128 visible ASCII characters"
}

text_id! {
    /// The caller's name for one request, so that a repeated request gets the first answer: 1 to 255 visible ASCII characters.
    IdempotencyKey, MAX_IDEMPOTENCY_KEY_CHARS, |c| c.is_ascii_graphic(),
    "1 to 255 visible ASCII characters"
}

text_id! {
    /// Why a movement was made, in the merchant's words: 1 to 200 characters, none of them a control character.
    Reason, MAX_REASON_CHARS, |c| !c.is_control(),
    "1 to 200 characters without control characters"
}

text_id! {
    /// Who delivers: the merchant's name for a supplier, or the id that the ERP has for it. 1 to 100 characters, none of them a control
    /// character.
    Supplier, MAX_SUPPLIER_CHARS, |c| !c.is_control(),
    "1 to 100 characters without control characters"
}

text_id! {
    /// What money is counted in: three capital letters, as ISO 4217 has them.
    Currency, 3, |c| c.is_ascii_uppercase(), |text| text.len() == 3,
    "a currency of three capital letters, such as EUR"
}

impl Reason {
    /// Why units of a purchase order came in. An id is always short enough.
    #[must_use]
    pub(crate) fn of_receipt(order: &PurchaseOrderId) -> Self {
        Self(format!("purchase order {order}"))
    }

    /// Why what is on its way of a SKU can be promised from now on.
    #[must_use]
    pub(crate) fn of_backorders() -> Self {
        Self("may be sold before it comes".to_owned())
    }

    /// Why units that were set aside for promises are sold as any others.
    #[must_use]
    pub(crate) fn of_surplus() -> Self {
        Self("came for promises that stand no longer".to_owned())
    }

    /// Why units of a marketplace's order come back. Two names of these lengths, none of them with a control character, are always short
    /// enough.
    #[must_use]
    pub(crate) fn of_canceled(channel: &Channel, order: &Reference) -> Self {
        Self(format!("canceled: order {order} at {channel}"))
    }
}

/// The channel of [`Channel::incoming`].
const INCOMING: &str = "incoming";

impl Channel {
    /// The units that purchase orders are to bring, where they may be sold before they come; see [`crate::purchase::backorder`].
    #[must_use]
    pub fn incoming() -> Self {
        Self(INCOMING.to_owned())
    }

    /// Whether this names what is to come, and not a place where something is.
    #[must_use]
    pub fn is_incoming(&self) -> bool {
        self.0 == INCOMING
    }

    /// A channel as the table and the queues name it: [`Channel::incoming`] is one there.
    ///
    /// # Errors
    /// [`IdError`] when it is none.
    pub fn stored(text: &str) -> Result<Self, IdError> {
        if text == INCOMING { Ok(Self::incoming()) } else { text.parse() }
    }

    /// The merchant's own store, where nothing else is said.
    #[must_use]
    pub fn own() -> Self {
        Self("own".to_owned())
    }

    /// The stock that belongs to no channel: what is sold from it is sold by whoever comes first. Nobody sells *in* it.
    #[must_use]
    pub fn shared() -> Self {
        Self("shared".to_owned())
    }

    /// Whether this names the shared stock and not a place where something is sold.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        self.0 == "shared"
    }
}

/// Who calls: the subject of the token, or the IAM principal. Part of every id that is derived from an `Idempotency-Key`, so
/// that two callers who choose the same key do not meet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller(String);

impl Caller {
    /// The caller named `name` by whoever authenticated them.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// 96 bits of a SHA-256 as 16 URL-safe characters: short enough for a map key in a hot item, long enough that two never meet.
fn digest(purpose: &str, parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    hash.update(purpose);
    for part in parts {
        // Each part is preceded by its length: ("ab","c") and ("a","bc") must differ.
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    URL_SAFE_NO_PAD.encode(&hash.finalize()[..12])
}

macro_rules! digest_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// The 16 characters.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-');
                if text.len() == 16 && text.bytes().all(allowed) {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(IdError("16 characters of A-Z a-z 0-9 _ -"))
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

digest_id! {
    /// Names one reservation or order; a retry derives the same one.
    ReservationId
}

digest_id! {
    /// Names one movement; a retry derives the same one.
    MovementId
}

digest_id! {
    /// Names one purchase order; a retry derives the same one.
    PurchaseOrderId
}

digest_id! {
    /// Names one receipt of a purchase order; a retry derives the same one.
    ReceiptId
}

digest_id! {
    /// Names one change of channels, of one or several channels at once; a retry derives the same one.
    TransferId
}

digest_id! {
    /// Names one alert of a SKU; whoever opens it names the same one.
    AlertId
}

digest_id! {
    /// What a request asked for, in 16 characters: the same key with another fingerprint is a reused key.
    Fingerprint
}

digest_id! {
    /// Names one `extend` call.
    ExtensionId
}

impl ReservationId {
    /// The reservation that this caller's request with this key makes.
    #[must_use]
    pub fn derive(caller: &Caller, key: &IdempotencyKey) -> Self {
        Self(digest("reservation", &[caller.as_str(), key.as_str()]))
    }

    /// The record of a line of a marketplace's order: the same whoever tells of it, and whenever.
    #[must_use]
    pub fn of_sale(sale: &SaleKey) -> Self {
        Self(digest("marketplace sale", &[sale.channel.as_str(), sale.order.as_str(), sale.line.as_str()]))
    }

    /// The record of a part of this line: the first part is the line itself, the others are what it grew by since.
    #[must_use]
    pub fn part(&self, number: usize) -> Self {
        if number == 0 { self.clone() } else { Self(digest("part", &[self.as_str(), &number.to_string()])) }
    }

    /// The reservation under which a late payment takes the units of this one again.
    #[must_use]
    pub fn successor(&self) -> Self {
        Self(digest("successor", &[self.as_str()]))
    }

    /// A number that differs from one reservation to the next: spreads shoppers over buckets and retries over time, without
    /// any randomness.
    #[must_use]
    pub fn spread(&self) -> u64 {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&Sha256::digest(self.as_str())[..8]);
        u64::from_be_bytes(bytes)
    }
}

impl MovementId {
    /// The movement that this caller's request with this key makes.
    #[must_use]
    pub fn derive(caller: &Caller, key: &IdempotencyKey) -> Self {
        Self(digest("movement", &[caller.as_str(), key.as_str()]))
    }

    /// The movement by which units of a canceled line come back to a stock, once `returned` of them have in all.
    #[must_use]
    pub fn of_return(sale: &ReservationId, returned: u64, stock: &StockId) -> Self {
        Self(digest("return", &[sale.as_str(), &returned.to_string(), &stock.to_string()]))
    }
}

impl TransferId {
    /// The transfer that this caller's request with this key makes.
    #[must_use]
    pub fn derive(caller: &Caller, key: &IdempotencyKey) -> Self {
        Self(digest("transfer", &[caller.as_str(), key.as_str()]))
    }

    /// The transfer that takes these homes, written with the generation that was seen of each, for this purpose. It is made only while
    /// they are of that generation, and then they are of a later one: no other transfer ever has this id.
    #[must_use]
    pub fn from_seen(purpose: &str, seen: &[String]) -> Self {
        let seen: Vec<&str> = seen.iter().map(String::as_str).collect();
        Self(digest(purpose, &seen))
    }
}

impl MovementId {
    /// The movement by which units leave a channel in a transfer; `part` counts its pairs of channels.
    #[must_use]
    pub fn of_transfer(transfer: &TransferId, part: usize) -> Self {
        Self(digest("transfer-out", &[transfer.as_str(), &part.to_string()]))
    }

    /// The movement by which the units that left with this one arrive.
    #[must_use]
    pub fn arrival(&self) -> Self {
        Self(digest("transfer-in", &[self.as_str()]))
    }
}

impl AlertId {
    /// The alert of a SKU with this number; the first one has number 1.
    #[must_use]
    pub fn of(sku: &Sku, episode: u64) -> Self {
        Self(digest("alert", &[sku.as_str(), &episode.to_string()]))
    }
}

impl PurchaseOrderId {
    /// The purchase order that this caller's request with this key makes.
    #[must_use]
    pub fn derive(caller: &Caller, key: &IdempotencyKey) -> Self {
        Self(digest("purchase order", &[caller.as_str(), key.as_str()]))
    }

    /// The purchase order that this alert makes: the same however often it is acted upon.
    #[must_use]
    pub fn of_alert(alert: &Reference) -> Self {
        Self(digest("purchase order of alert", &[alert.as_str()]))
    }
}

impl ReceiptId {
    /// The receipt that this caller's request with this key makes.
    #[must_use]
    pub fn derive(caller: &Caller, key: &IdempotencyKey) -> Self {
        Self(digest("receipt", &[caller.as_str(), key.as_str()]))
    }

    /// The receipt that brings an order to what an ERP says has come of it in all, each as `<sku>=<units>`.
    #[must_use]
    pub fn from_erp(order: &PurchaseOrderId, come: &[String]) -> Self {
        let parts: Vec<&str> = std::iter::once(order.as_str()).chain(come.iter().map(String::as_str)).collect();
        Self(digest("receipt in an erp", &parts))
    }
}

impl MovementId {
    /// The movement by which one line of a receipt comes in; `part` counts its lines. Every receipt has the first.
    #[must_use]
    pub fn of_receipt(receipt: &ReceiptId, part: usize) -> Self {
        Self(digest("receipt-line", &[receipt.as_str(), &part.to_string()]))
    }

    /// The movement by which the incoming pool of a SKU follows an order to this version of it. There is one of each version at most.
    #[must_use]
    pub fn of_expected(order: &PurchaseOrderId, sku: &Sku, version: u64) -> Self {
        Self(digest("expected", &[order.as_str(), sku.as_str(), &version.to_string()]))
    }

    /// The movement by which the incoming pool of a SKU begins with what is on its way.
    #[must_use]
    pub fn of_first_expected(sku: &Sku) -> Self {
        Self(digest("first expected", &[sku.as_str()]))
    }
}

impl ExtensionId {
    /// The extension that this caller's request with this key makes.
    #[must_use]
    pub fn derive(caller: &Caller, key: &IdempotencyKey) -> Self {
        Self(digest("extension", &[caller.as_str(), key.as_str()]))
    }
}

impl Fingerprint {
    /// Of an operation and its parts, in the order given.
    #[must_use]
    pub fn of(operation: &str, parts: &[&str]) -> Self {
        Self(digest(operation, parts))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_accept_their_alphabet_and_nothing_else() {
        for (text, ok) in [("a", true), ("A-1.b_2", true), ("", false), ("a b", false), ("a#b", false), ("ä", false)] {
            assert_eq!(text.parse::<Sku>().is_ok(), ok, "{text}");
        }
        assert!("x".repeat(64).parse::<Sku>().is_ok());
        assert!("x".repeat(65).parse::<Sku>().is_err());
        assert!("Own".parse::<Channel>().is_err());
        assert!("with space".parse::<IdempotencyKey>().is_err());
        assert!("k".repeat(256).parse::<IdempotencyKey>().is_err());
        assert!("line\nbreak".parse::<Reason>().is_err());
        assert!("fünf gezählt".parse::<Reason>().is_ok());
        assert!("Blatt & Söhne".parse::<Supplier>().is_ok() && "a\tb".parse::<Supplier>().is_err());
        assert!("EUR".parse::<Currency>().is_ok());
        assert!(["", "eur", "EU", "EURO", "E R"].iter().all(|text| text.parse::<Currency>().is_err()));
        assert!("0123456789abcde".parse::<ReservationId>().is_err());
        assert!("0123456789abcd=_".parse::<ReservationId>().is_err());
    }

    #[test]
    fn only_the_shared_stock_is_no_channel_to_sell_in() {
        assert_eq!((Channel::shared().as_str(), Channel::own().as_str()), ("shared", "own"));
        for (channel, shared) in
            [(Channel::shared(), true), (Channel::own(), false), ("amazon".parse().unwrap(), false)]
        {
            assert_eq!(channel.is_shared(), shared, "{channel}");
        }
    }

    #[test]
    fn what_is_to_come_has_a_name_in_the_table_only() {
        assert!("incoming".parse::<Channel>().is_err());
        assert_eq!(Channel::stored("incoming"), Ok(Channel::incoming()));
        assert_eq!(Channel::stored("ebay"), "ebay".parse());
        assert!(Channel::stored("Own").is_err());
        assert!(Channel::incoming().is_incoming() && !Channel::shared().is_incoming());
    }

    #[test]
    fn a_retry_derives_the_same_id_and_another_caller_does_not() {
        let key: IdempotencyKey = "k".parse().unwrap();
        let id = ReservationId::derive(&Caller::new("a"), &key);
        assert_eq!(id, ReservationId::derive(&Caller::new("a"), &key));
        assert_ne!(id, ReservationId::derive(&Caller::new("b"), &key));
        assert_ne!(id, id.successor());
        assert_eq!(id.as_str().parse::<ReservationId>().unwrap(), id);
    }

    #[test]
    fn derived_ids_are_the_same_in_every_version() {
        // A retry may meet a newer version than the one that met the request, and records are found by these ids for good.
        let (caller, key) = (Caller::new("a"), "k".parse().unwrap());
        let id = ReservationId::derive(&caller, &key);
        assert_eq!((caller.as_str(), id.as_str()), ("a", "jtRKBc37TZRilGlk"));
        assert_eq!(id.successor().to_string(), "VZElUfqfHPDc_OC0");
        assert_eq!(MovementId::derive(&caller, &key).to_string(), "tae3q4i4OG0NLifq");
        assert_eq!(ExtensionId::derive(&caller, &key).to_string(), "TK0XvAtTbtyNgp6d");
        let transfer = TransferId::derive(&caller, &key);
        assert_eq!(transfer.to_string(), "SceoALf6x7oPdQAU");
        assert_eq!(TransferId::from_seen("quotas", &["tea#own@3".to_owned()]).to_string(), "AWW_0_gKYgZ8dRnJ");
        let out = MovementId::of_transfer(&transfer, 1);
        assert_eq!((out.as_str(), out.arrival().as_str()), ("SpkXuZZHP54-g2py", "PWox01ClF5wCfXi4"));
        assert_eq!(Fingerprint::of("x", &["ab", "c"]).to_string(), "x1MjusR7SQyCd_c4");
        let bought = PurchaseOrderId::derive(&caller, &key);
        assert_eq!(bought.to_string(), "vGvYJbA-mkD1G6Pg");
        assert_eq!(PurchaseOrderId::of_alert(&"a-1".parse().unwrap()).to_string(), "Bn2YBOIA6_nrSPMj");
        let receipt = ReceiptId::derive(&caller, &key);
        assert_eq!(MovementId::of_receipt(&receipt, 1).to_string(), "DmRhNgffCZeU6dDr");
        assert_eq!(ReceiptId::from_erp(&bought, &["tea=5".to_owned()]).to_string(), "6vk6yt01jh4oPWwF");
        let sale =
            SaleKey { channel: "amazon".parse().unwrap(), order: "o-1".parse().unwrap(), line: "1".parse().unwrap() };
        let sale = ReservationId::of_sale(&sale);
        assert_eq!(sale.to_string(), "3LcxIZ0WN-lREU7y");
        assert_eq!(sale.part(0), sale);
        assert_eq!([sale.part(1), sale.part(2)].map(|part| part.to_string()), ["Doj-OFl7zehFqsFk", "-VcsPcIayfutRIWb"]);
        let home = StockId { sku: "tea".parse().unwrap(), channel: Channel::shared() };
        assert_eq!(MovementId::of_return(&sale, 2, &home).to_string(), "kYRnE1UPtVLwnQpD");
        assert_eq!(AlertId::of(&"tea".parse().unwrap(), 3).to_string(), "gVQCJHgeqkDGfrxb");
        assert_eq!(id.spread(), 13_180_460_801_299_105_687);
    }

    #[test]
    fn parts_do_not_run_together() {
        assert_ne!(Fingerprint::of("x", &["ab", "c"]), Fingerprint::of("x", &["a", "bc"]));
    }
}
