//! eBay's notifications: who signed them, and what they say. Pure but for [`KeyRing`], which remembers public keys.
//!
//! The header `X-EBAY-SIGNATURE` is the base64 of `{"alg":"ecdsa","kid":…,"signature":…,"digest":"SHA1"}`; the
//! signature is ECDSA on P-256 (DER) over the SHA-1 of the body. Source: Notification API overview, and eBay's
//! `event-notification-nodejs-sdk` and `event-notification-java-sdk` (`lib/validator.js`, `SignatureValidator.java`),
//! whose test vector is checked below. Those parse the body and sign it written anew, compactly; that eBay sends just
//! these bytes is unverified, and the raw bytes are what is checked here.
//!
//! SHA-1 is eBay's choice. To forge a notification one would need a second preimage, not a collision, and nobody can do
//! that.

use std::{collections::BTreeMap, future::Future};

use base64::{Engine, engine::general_purpose::STANDARD};
use domain::time::Timestamp;
use p256::{
    ecdsa::{self, VerifyingKey, signature::hazmat::PrehashVerifier},
    pkcs8::DecodePublicKey,
};
use serde::Deserialize;
use serde_json::Value;
use sha1::{Digest, Sha1};
use sha2::Sha256;
use tokio::sync::Mutex;

use super::{order::second, quantity::parse};
use crate::{CallError, Delivery, Heard, Rejected, signature::hex};

/// A header that is longer is none of eBay's: theirs have about 260 characters.
const MAX_HEADER_CHARS: usize = 2_048;

/// A body that is longer is not hashed: a notification has about one KB.
const MAX_BODY_BYTES: usize = 256 * 1_024;

/// A challenge code is about 60 characters.
const MAX_CHALLENGE_CHARS: usize = 512;

/// How long a public key is believed. Source: Notification API, `getPublicKey`: "one-hour is recommended".
const KEY_SECONDS: u64 = 3_600;

/// How long a key is remembered after that: it is believed still while it cannot be asked for. As long as a notification is taken.
const KEPT_SECONDS: u64 = KEY_SECONDS + MAX_AGE_SECONDS;

/// Keys that are remembered: eBay uses one at a time, and another one after it.
const MAX_KEYS: usize = 8;

/// Fetches in an hour. Whoever can reach the webhook can name keys that do not exist, and each would be a call; eBay
/// limits these. Those for keys that are known to exist are counted by themselves: nobody else can use them up.
const MAX_FETCHES_PER_HOUR: u32 = 30;

/// A notification that was published longer ago is refused. eBay sends an unanswered one again for some hours.
const MAX_AGE_SECONDS: u64 = 86_400;

/// How deep the id of an order is looked for.
const MAX_DEPTH: u8 = 4;

/// What the header says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// The id of eBay's key: letters, digits and hyphens.
    pub kid: String,
    der: Vec<u8>,
}

#[derive(Deserialize)]
struct Header {
    kid: String,
    signature: String,
}

impl Signature {
    /// Reads the header of a delivery.
    ///
    /// # Errors
    /// [`Rejected::Unbelieved`] when it is missing or is not such a header, and for a body that is too long.
    pub fn of(delivery: &Delivery) -> Result<Self, Rejected> {
        let header = delivery.header("x-ebay-signature").ok_or(Rejected::Unbelieved("no signature"))?;
        if delivery.body.len() > MAX_BODY_BYTES {
            return Err(Rejected::Unbelieved("too long"));
        }
        Self::parse(header).ok_or(Rejected::Unbelieved("no signature of eBay's form"))
    }

    /// Reads the header. What it says of algorithms does not matter: the key knows its own.
    #[must_use]
    pub fn parse(header: &str) -> Option<Self> {
        if header.len() > MAX_HEADER_CHARS {
            return None;
        }
        let header: Header = serde_json::from_slice(&STANDARD.decode(header.trim()).ok()?).ok()?;
        // It becomes a part of a path.
        let is_id =
            (1..=64).contains(&header.kid.len()) && header.kid.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        let der = STANDARD.decode(header.signature).ok()?;
        is_id.then_some(Self { kid: header.kid, der })
    }
}

/// A public key of eBay's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key(VerifyingKey);

#[derive(Deserialize)]
struct PublicKey {
    key: String,
    algorithm: String,
    digest: String,
}

impl Key {
    /// Reads the answer of `getPublicKey`: a PEM text without line breaks.
    ///
    /// # Errors
    /// [`CallError::Unavailable`] for another kind of key or digest, and for what is none.
    pub fn parse(body: &[u8]) -> Result<Self, CallError> {
        let answer: PublicKey = parse(body)?;
        let not_known = |what: &str| CallError::Unavailable { reason: format!("eBay's public key has {what}") };
        if !answer.algorithm.eq_ignore_ascii_case("ecdsa") || !answer.digest.eq_ignore_ascii_case("sha1") {
            return Err(not_known("another algorithm than ECDSA with SHA1"));
        }
        let base64 = answer.key.replace("-----BEGIN PUBLIC KEY-----", "").replace("-----END PUBLIC KEY-----", "");
        let base64: String = base64.chars().filter(|c| !c.is_whitespace()).collect();
        let der = STANDARD.decode(base64).map_err(|_| not_known("no base64"))?;
        VerifyingKey::from_public_key_der(&der).map(Self).map_err(|_| not_known("no point of P-256"))
    }

    /// Whether the owner of this key has signed these bytes.
    #[must_use]
    pub fn has_signed(&self, body: &[u8], signature: &Signature) -> bool {
        let signature = ecdsa::Signature::from_der(&signature.der);
        signature.is_ok_and(|signature| self.0.verify_prehash(&Sha1::digest(body), &signature).is_ok())
    }
}

/// Keys of eBay's, each for an hour. Of those that are known one is fetched at a time, and one of the others, however many deliveries wait
/// for it: nobody who names keys that do not exist makes a true delivery wait, or costs it its key.
#[derive(Default)]
pub struct KeyRing {
    ring: Mutex<Ring>,
    refreshing: Mutex<()>,
    finding: Mutex<()>,
}

#[derive(Default)]
struct Ring {
    /// By id, and when it was fetched; nothing is a key that eBay does not know.
    keys: BTreeMap<String, (Timestamp, Option<Key>)>,
    refreshes: Budget,
    finds: Budget,
}

/// Since when fetches are counted, and how many there were.
#[derive(Default)]
struct Budget(Timestamp, u32);

impl KeyRing {
    /// The key of this id, or the one that `fetch` gets.
    ///
    /// # Errors
    /// [`Rejected::Unbelieved`] if there is no such key, [`Rejected::Unavailable`] if that cannot be known now.
    pub async fn get<F>(&self, kid: &str, now: Timestamp, fetch: F) -> Result<Key, Rejected>
    where
        F: Future<Output = Result<Option<Key>, CallError>> + Send,
    {
        let is_known = match self.ring.lock().await.look(kid, now) {
            Seen::Fresh(key) => return believed(key),
            Seen::Old(_) => true,
            Seen::Never => false,
        };
        let _turn = if is_known { self.refreshing.lock() } else { self.finding.lock() }.await;
        {
            let mut ring = self.ring.lock().await;
            match ring.look(kid, now) {
                // Whoever had the turn before has fetched it.
                Seen::Fresh(key) => return believed(key),
                Seen::Old(key) => {
                    if ring.refreshes.spend(now).is_err() {
                        return Ok(key);
                    }
                }
                Seen::Never => ring.finds.spend(now)?,
            }
        }
        let key = fetch.await.map_err(Rejected::Unavailable)?;
        self.ring.lock().await.remember(kid, now, key.clone());
        believed(key)
    }
}

fn believed(key: Option<Key>) -> Result<Key, Rejected> {
    key.ok_or(Rejected::Unbelieved("a key that is none of eBay's"))
}

/// What is known of a key.
enum Seen {
    /// What eBay says of it.
    Fresh(Option<Key>),
    /// What it said longer than an hour ago.
    Old(Key),
    /// Nothing.
    Never,
}

impl Budget {
    fn spend(&mut self, now: Timestamp) -> Result<(), Rejected> {
        if now.seconds_since(self.0) >= KEY_SECONDS {
            *self = Self(now, 0);
        }
        if self.1 < MAX_FETCHES_PER_HOUR {
            self.1 += 1;
            return Ok(());
        }
        let retry_after_seconds = KEY_SECONDS - now.seconds_since(self.0);
        Err(Rejected::Unavailable(CallError::Throttled { retry_after_seconds }))
    }
}

impl Ring {
    fn look(&mut self, kid: &str, now: Timestamp) -> Seen {
        self.keys
            .retain(|_, (at, key)| now.seconds_since(*at) < if key.is_some() { KEPT_SECONDS } else { KEY_SECONDS });
        match self.keys.get(kid) {
            Some((at, key)) if now.seconds_since(*at) < KEY_SECONDS => Seen::Fresh(key.clone()),
            Some((_, Some(key))) => Seen::Old(key.clone()),
            _ => Seen::Never,
        }
    }

    /// Keys that exist are kept before those that do not, or an unknown id would cost a known key its place.
    fn remember(&mut self, kid: &str, now: Timestamp, key: Option<Key>) {
        if self.keys.len() >= MAX_KEYS {
            let oldest = self.keys.iter().min_by_key(|(_, (at, key))| (key.is_some(), *at)).map(|(kid, _)| kid.clone());
            oldest.and_then(|kid| self.keys.remove(&kid));
        }
        self.keys.insert(kid.to_owned(), (now, key));
    }
}

/// The answer to eBay's question whether the webhook is ours: `GET …?challenge_code=…`. Source: Notification API
/// overview, *endpoint validation*: the SHA-256 of the code, our token and the endpoint's URL, in this order.
///
/// # Errors
/// [`Rejected::Malformed`] when it asks nothing.
pub fn challenge(delivery: &Delivery, verification_token: &str) -> Result<Heard, Rejected> {
    let code = delivery.query("challenge_code").filter(|code| (1..=MAX_CHALLENGE_CHARS).contains(&code.len()));
    let code = code.ok_or_else(|| Rejected::Malformed("no challenge_code".to_owned()))?;
    let endpoint = delivery.url.split(['?', '#']).next().unwrap_or_default();
    let hash = Sha256::new().chain_update(code).chain_update(verification_token).chain_update(endpoint).finalize();
    let body = serde_json::json!({ "challengeResponse": hex(&hash) }).to_string().into_bytes();
    Ok(Heard::Handshake { content_type: "application/json", body })
}

#[derive(Deserialize)]
struct Notice {
    metadata: Metadata,
    notification: Notification,
}

#[derive(Deserialize)]
struct Metadata {
    topic: String,
}

#[derive(Deserialize)]
struct Notification {
    #[serde(rename = "notificationId")]
    id: Option<String>,
    #[serde(rename = "publishDate")]
    published: String,
    #[serde(default)]
    data: Value,
}

/// Reads a notification whose signature has been checked.
///
/// # Errors
/// [`Rejected::Unbelieved`] when it is too old, [`Rejected::Malformed`] when it is not as documented.
pub fn parse_notice(body: &[u8], now: Timestamp) -> Result<Heard, Rejected> {
    let malformed = |what: &str| Rejected::Malformed(what.to_owned());
    let notice: Notice = serde_json::from_slice(body).map_err(|_| malformed("not a notification"))?;
    let published = second(&notice.notification.published).ok_or_else(|| malformed("no publishDate"))?;
    if now.seconds_since(published) > MAX_AGE_SECONDS {
        return Err(Rejected::Unbelieved("too old"));
    }
    if notice.metadata.topic != "ORDER_CONFIRMATION" {
        return Ok(Heard::Nothing);
    }
    let order = order_id(&notice.notification.data, MAX_DEPTH).ok_or_else(|| malformed("no orderId"))?;
    Ok(Heard::Hint { orders: vec![order], delivery: notice.notification.id })
}

fn order_id(value: &Value, depth: u8) -> Option<String> {
    let here = value.get("orderId").and_then(Value::as_str).filter(|id| (1..=128).contains(&id.len()));
    if here.is_some() || depth == 0 {
        return here.map(str::to_owned);
    }
    match value {
        Value::Object(fields) => fields.values().find_map(|below| order_id(below, depth - 1)),
        Value::Array(items) => items.iter().find_map(|below| order_id(below, depth - 1)),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
