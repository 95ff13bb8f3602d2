//! Walmart Marketplace API (US).
//!
//! | reads | from | which is |
//! |---|---|---|
//! | `client_id`, `client_secret` | credentials | the seller's keys |
//! | `webhook_secret` | credentials | the `clientSecret` of the subscription's `authDetails` |
//! | `signature_header` | options | the `authHeaderName` of the same |
//! | `ship_node` | options | the fulfillment center whose quantity is set; without it, the seller's default one |
//! | `channel_type` | options | `WM_CONSUMER.CHANNEL.TYPE`, where Walmart has given one |
//!
//! Nothing is read from [`Target::remote`]: Walmart knows the seller's SKU.
//!
//! **Quantity**: without a ship node `PUT /v3/inventory?sku=`, with the net number. With one, `PUT
//! /v3/inventories/{sku}`, whose `inputQty` "includes items that are sold but not yet shipped" (Walmart, *Request an
//! inventory report*): the state of the node is read first, and the units that Walmart holds as reserved are added. An
//! order that comes in between makes the number too small, which is harmless; one that is shipped or canceled in
//! between makes it too large by its units until the next push, and reading back shows it. Whether `PUT /v3/inventory`
//! counts in the same way is unverified; if so, too little is shown, never too much. Walmart does not say when a number
//! that it took is on its site ([`Accepted::ForLater`]).
//!
//! **No bulk feed**: `POST /v3/feeds?feedType=inventory` takes thousands of SKUs, but ten files an hour and up to half
//! an hour for each (Walmart, *Update inventory in bulk*). A number that is half an hour late is what oversells; so
//! each SKU is a call of its own.
//!
//! **Orders**: `GET /v3/orders?lastModifiedStartDate=`, 200 a page, then `nextCursor`. Without `createdStartDate` only
//! orders of the last seven days come, and never those older than 180 days (*All orders*); so it is always sent.
//! Nothing found is a 404 that says so, and is no error. `Created` means released to the seller for processing (*Order
//! management API overview*), and is [`Stage::Paid`](domain::sale::Stage::Paid) therefore. The date of change is the
//! latest `statusDate` of a line.
//!
//! **Webhook**: `ORDER_UPDATES`, and the older `PO_CREATED`, `PO_LINE_AUTOCANCELLED` and `INTENT_TO_CANCEL`, which
//! Walmart removes on 15 December 2026 (*New: Order management webhook event*). The HMAC-SHA256 of the body is in the
//! configured header (*Create subscription*); whether in base64 or hex is not said, so both are read. What happened is
//! fetched, since an event may tell one line only. Its time is part of what is signed: what is more than a day old is
//! refused (Walmart tries again for 65 minutes).
//!
//! **Limits**: a token bucket for each API; a 429 says in `X-Next-Replenishment-Time` when to come again, taken to be
//! milliseconds since 1970. **Tokens**: `POST /v3/token`, 900 seconds. Each call has a `WM_QOS.CORRELATION_ID`, a UUID
//! made of a hash, so that a push has the same one when it is sent again in the same second.

pub mod inventory;
pub mod notice;
pub mod order;

use async_trait::async_trait;
use base64::{Engine, engine::general_purpose::STANDARD};
use domain::{sale::ChannelOrder, time::Timestamp};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use wire::{Method, request::Builder};

use crate::{
    Abilities, Accepted, CallError, Connector, Context, Delivery, Heard, OrderPage, Push, QuantityMeaning, Rejected,
    Shown, Target,
    connector::{checked, finished, secret_header, words},
    one_by_one::one_by_one,
    path::segment,
    signature::hex,
    token::{AccessToken, TokenCell},
    transport::{Request, Response},
};

const PRODUCTION: &str = "https://marketplace.walmartapis.com";

/// `WM_SVC.NAME`, as in Walmart's own samples.
const SERVICE: &str = "Walmart Marketplace";

/// Walmart's limits differ by API and seller, and its headers say how many calls are left; this is ours.
const PUSHES_PER_SECOND: u32 = 3;

/// Orders in a page. Source: *All orders*, `limit`.
const PAGE: u32 = 200;

/// Orders older than that are not to be had; a day less, so that clocks need not agree. Source: *All orders*: "the last
/// 180 days".
const MAX_ORDER_AGE_SECONDS: u64 = 179 * 86_400;

/// A cursor of Walmart's has about 200 characters.
const MAX_CURSOR_CHARS: usize = 2_048;

/// A bucket is replenished within the hour: a time that is farther away is a mistake, and is asked again after an hour.
const MAX_WAIT_SECONDS: u64 = 3_600;

/// Walmart, for one seller.
pub struct Walmart {
    context: Context,
    token: TokenCell,
}

#[derive(Deserialize)]
struct Token {
    access_token: String,
    expires_in: u64,
}

/// One call, before its token is known.
struct Call<'a> {
    method: Method,
    /// The path, and the query.
    path: &'a str,
    body: Vec<u8>,
    /// What makes its correlation id differ from that of the same call for another purpose.
    purpose: &'a str,
}

impl Walmart {
    /// With what a connector works with.
    #[must_use]
    pub fn new(context: Context) -> Self {
        Self { context, token: TokenCell::default() }
    }

    /// A request with the headers that every call has.
    fn request(&self, method: &Method, path: &str, purpose: &str) -> Builder {
        let endpoint = self.context.endpoint.as_deref().unwrap_or(PRODUCTION);
        let correlation = correlation_id(&[method.as_str(), path, purpose], self.context.clock.now());
        let builder = wire::Request::builder()
            .method(method)
            .uri(format!("{endpoint}{path}"))
            .header("accept", "application/json")
            .header("wm_svc.name", SERVICE)
            .header("wm_qos.correlation_id", correlation);
        match self.context.option("channel_type") {
            Some(channel) => builder.header("wm_consumer.channel.type", channel),
            None => builder,
        }
    }

    /// Sends with a token; once more with another if it is not taken.
    async fn call(&self, call: Call<'_>) -> Result<Response, CallError> {
        let first = self.call_once(&call).await;
        let Err(CallError::Unauthorized { .. }) = first else { return first };
        self.token.forget().await;
        self.call_once(&call).await
    }

    async fn call_once(&self, call: &Call<'_>) -> Result<Response, CallError> {
        let token = self.token.get(&*self.context.clock, self.fetch_token()).await?;
        let mut builder = self.request(&call.method, call.path, call.purpose);
        builder = builder.header("wm_sec.access_token", secret_header(&token)?);
        if !call.body.is_empty() {
            builder = builder.header("content-type", "application/json");
        }
        self.send(finished(builder, call.body.clone())?).await
    }

    /// As [`Context::call`], and reads how long Walmart wants us to wait.
    async fn send(&self, request: Request) -> Result<Response, CallError> {
        let response = self.context.transport.send(request).await?;
        let replenished = response.headers().get("x-next-replenishment-time").and_then(|value| value.to_str().ok());
        let replenished_at_ms: Option<u64> = replenished.and_then(|text| text.trim().parse().ok());
        match (response.status().as_u16(), replenished_at_ms) {
            (429, Some(at_ms)) => {
                let at = Timestamp::from_epoch_seconds(at_ms.div_ceil(1_000));
                let wait_seconds = at.seconds_since(self.context.clock.now());
                Err(CallError::Throttled { retry_after_seconds: wait_seconds.clamp(1, MAX_WAIT_SECONDS) })
            }
            _ => checked(response),
        }
    }

    async fn fetch_token(&self) -> Result<AccessToken, CallError> {
        let (id, secret) = (self.context.credentials.get("client_id")?, self.context.credentials.get("client_secret")?);
        let basic = secret_header(&format!("Basic {}", STANDARD.encode(format!("{id}:{secret}"))))?;
        let builder = self
            .request(&Method::POST, "/v3/token", "")
            .header("authorization", basic)
            .header("content-type", "application/x-www-form-urlencoded");
        let asked_at = self.context.clock.now();
        let response = self.send(finished(builder, b"grant_type=client_credentials".to_vec())?).await?;
        if !response.status().is_success() {
            return Err(CallError::Unauthorized { reason: words(&response) });
        }
        // The text of the answer is a secret: it is not repeated.
        let token: Token = serde_json::from_slice(response.body()).map_err(|_| CallError::Unavailable {
            reason: "the answer to a token request is not understood".to_owned(),
        })?;
        Ok(AccessToken { text: token.access_token, ends_at: asked_at.plus_seconds(token.expires_in) })
    }

    async fn get(&self, path: &str) -> Result<Response, CallError> {
        self.call(Call { method: Method::GET, path, body: Vec::new(), purpose: "" }).await
    }

    async fn put(&self, path: &str, body: Vec<u8>, purpose: &str) -> Result<Response, CallError> {
        accepted(self.call(Call { method: Method::PUT, path, body, purpose }).await?)
    }

    async fn push_one(&self, push: &Push) -> Result<Accepted, CallError> {
        let sku = push.target.sku.as_str();
        if let Some(node) = self.context.option("ship_node") {
            let reserved = self.node(sku, node).await?.map_or(0, |state| state.reserved);
            let gross = push.quantity.saturating_add(reserved);
            let path = format!("/v3/inventories/{sku}");
            let answer = self.put(&path, inventory::node_body(node, gross), &push.key).await?;
            inventory::node_was_set(node, answer.body())?;
        } else {
            let path = format!("/v3/inventory?sku={sku}");
            let answer = self.put(&path, inventory::body(sku, push.quantity), &push.key).await?;
            inventory::was_set(push.quantity, answer.body())?;
        }
        Ok(Accepted::ForLater)
    }

    async fn read_one(&self, target: &Target) -> Result<Shown, CallError> {
        let sku = target.sku.as_str();
        let quantity = if let Some(node) = self.context.option("ship_node") {
            let state = self.node(sku, node).await?;
            let unknown = || CallError::Refused { reason: format!("{sku} is not at the ship node {node}") };
            state.ok_or_else(unknown)?.available
        } else {
            inventory::parse_inventory(accepted(self.get(&format!("/v3/inventory?sku={sku}")).await?)?.body())?
        };
        Ok(Shown { quantity })
    }

    /// What Walmart knows of a SKU at a ship node; nothing if it was never there.
    async fn node(&self, sku: &str, node: &str) -> Result<Option<inventory::Node>, CallError> {
        let reason = format!("{node:?} is not a ship node");
        let encoded = segment(node).ok_or(CallError::Refused { reason })?;
        let response = self.get(&format!("/v3/inventories/{sku}?shipNode={encoded}")).await?;
        if response.status().as_u16() == 404 && says_not_found(response.body()) {
            return Ok(None);
        }
        inventory::parse_node(node, accepted(response)?.body())
    }
}

#[async_trait]
impl Connector for Walmart {
    fn abilities(&self) -> Abilities {
        let is_gross = self.context.option("ship_node").is_some();
        Abilities {
            compare_and_set: false,
            quantity: if is_gross { QuantityMeaning::Gross } else { QuantityMeaning::Net },
            batch: 1,
            revisions_per_day: None,
            listings_per_call: 1,
            pushes_per_second: PUSHES_PER_SECOND,
            poll_seconds: 60,
            webhook_is_a_hint: true,
        }
    }

    async fn push(&self, pushes: &[Push]) -> Vec<Result<Accepted, CallError>> {
        one_by_one(pushes, |push| self.push_one(push)).await
    }

    async fn read(&self, targets: &[Target]) -> Vec<Result<Shown, CallError>> {
        one_by_one(targets, |target| self.read_one(target)).await
    }

    async fn changed_orders(&self, since: Timestamp, cursor: Option<&str>) -> Result<OrderPage, CallError> {
        let query = match cursor {
            Some(cursor) => checked_cursor(cursor)?.to_owned(),
            None => first_page(since, self.context.clock.now()),
        };
        let response = self.get(&format!("/v3/orders{query}")).await?;
        // Of a page that is gone nobody knows what was on it.
        if cursor.is_none() && response.status().as_u16() == 404 && says_not_found(response.body()) {
            return Ok(OrderPage::default());
        }
        let page = order::parse_orders(accepted(response)?.body())?;
        if let Some(next) = &page.cursor {
            checked_cursor(next)?;
        }
        Ok(page)
    }

    async fn order(&self, id: &str) -> Result<Option<ChannelOrder>, CallError> {
        let Some(id) = segment(id) else { return Ok(None) };
        let response = self.get(&format!("/v3/orders/{id}")).await?;
        if response.status().as_u16() == 404 && says_not_found(response.body()) {
            return Ok(None);
        }
        order::parse_order(accepted(response)?.body()).map(Some)
    }

    async fn hear(&self, delivery: &Delivery) -> Result<Heard, Rejected> {
        let secret = self.context.credentials.get("webhook_secret").map_err(|e| Rejected::Unavailable(e.into()))?;
        let header = self.context.option("signature_header").ok_or_else(|| {
            Rejected::Unavailable(CallError::Refused { reason: "the option signature_header is not set".to_owned() })
        })?;
        notice::check(delivery, header, secret)?;
        notice::parse_notice(&delivery.body, self.context.clock.now())
    }
}

/// The query of the first page.
fn first_page(since: Timestamp, now: Timestamp) -> String {
    let oldest = Timestamp::from_epoch_seconds(now.epoch_seconds().saturating_sub(MAX_ORDER_AGE_SECONDS));
    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair("createdStartDate", &order::date(oldest))
        .append_pair("lastModifiedStartDate", &order::date(since))
        .append_pair("shipNodeType", "SellerFulfilled")
        .append_pair("limit", &PAGE.to_string())
        .finish();
    format!("?{query}")
}

/// A cursor is a query, and must stay one.
fn checked_cursor(cursor: &str) -> Result<&str, CallError> {
    let is_query = cursor.starts_with('?') && cursor.len() <= MAX_CURSOR_CHARS;
    let fits = cursor.bytes().all(|b| b.is_ascii_graphic() && b != b'#');
    let reason = "not a cursor of Walmart's".to_owned();
    if is_query && fits { Ok(cursor) } else { Err(CallError::Refused { reason }) }
}

/// A UUID of version 8: made of a hash, in a way of our own. Source: RFC 9562, section 5.8.
fn correlation_id(parts: &[&str], now: Timestamp) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let hash = hash.chain_update(now.epoch_seconds().to_be_bytes()).finalize();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash[..16]);
    bytes[6] = bytes[6] & 0x0f | 0x80;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex = hex(&bytes);
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}

/// Whether a 404 is about what was asked for, and not about a wrong address. Source: `CONTENT_NOT_FOUND.GMP_ORDER_API`
/// and its like, seen in answers; the inventory's is unverified.
fn says_not_found(body: &[u8]) -> bool {
    inventory::faults(body).is_some_and(|faults| faults.contains("CONTENT_NOT_FOUND"))
}

/// An answer that is not a refusal.
fn accepted(response: Response) -> Result<Response, CallError> {
    if response.status().is_success() {
        return Ok(response);
    }
    Err(CallError::Refused { reason: inventory::faults(response.body()).unwrap_or_else(|| words(&response)) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_correlation_id_is_a_uuid_of_version_8_that_a_repetition_shares() {
        let now = Timestamp::from_epoch_seconds(1);
        let id = correlation_id(&["PUT", "/v3/inventory?sku=mug", "key-1"], now);
        assert_eq!(id, correlation_id(&["PUT", "/v3/inventory?sku=mug", "key-1"], now));
        assert_ne!(id, correlation_id(&["PUT", "/v3/inventory?sku=mug", "key-2"], now));
        assert_ne!(id, correlation_id(&["PUT", "/v3/inventory?sku=mugk", "ey-1"], now));
        assert_eq!((id.len(), &id[14..15]), (36, "8"));
        assert!(matches!(&id[19..20], "8" | "9" | "a" | "b"));
    }

    #[test]
    fn a_cursor_cannot_lead_elsewhere() {
        assert!(checked_cursor("?limit=200&hasMoreElements=true&soIndex=500&poIndex=1").is_ok());
        for wrong in ["", "limit=1", "@evil.example/", "?a b", "?a#b", "?\u{fc}", &format!("?{}", "a".repeat(2_048))] {
            assert!(matches!(checked_cursor(wrong), Err(CallError::Refused { .. })), "{wrong}");
        }
    }
}
