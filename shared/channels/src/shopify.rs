//! Shopify: the GraphQL Admin API, version 2026-07.
//!
//! **Reads.** Credentials: `access_token`, or `client_id` and `client_secret` of an app of the merchant's own, for which a token of a day
//! is fetched; `webhook_secret`, or else `client_secret`, to check deliveries. Options: `shop` (`name.myshopify.com`) and `location_id`.
//! [`Target::remote`]: `inventory_item_id`, and `location_id` where it is another. Ids are numbers or `gid://shopify/…`.
//!
//! **Setting a quantity** ([`push`]) compares and sets: what the shop shows must be what we expect. A shop subtracts an order from
//! `available` at once, so the numbers are net ones, and an order that we have not heard of makes the comparison fail
//! ([`CallError::Stale`]). Up to 100 quantities are one call (Shopify takes 250), and it is all or nothing: those that the others are
//! refused for are taken out and the rest is sent again, under another idempotency key.
//!
//! **Orders** ([`order`]) are searched by the time of their last change, 20 to a page. One of which units are gone after something of it
//! was shipped is read again with its shipments. Test orders are orders: the shop subtracts them as well.
//!
//! **Webhooks** ([`webhook`]) carry the order: `orders/create`, `orders/updated`, `orders/cancelled`, and a few others.
//!
//! **Limits.** A query costs points, of which a standard shop gets 100 a second (shopify.dev, "GraphQL Admin API rate limits"); a mutation
//! costs 10. Half of these are left to reading. Orders older than 60 days need the scope `read_all_orders`.
//!
//! **Unverified**: that one refused quantity keeps all of a call from being set (if not, the comparison of the second call fails, and
//! nothing is set wrongly); how soon a changed order is found by the search; that an answer to an OAuth request with 400 means the secret.
//! Not looked at: variants that the merchant lets be sold when nothing is left.

pub mod answer;
pub mod order;
mod push;
pub mod query;
pub mod webhook;

use async_trait::async_trait;
use domain::{ids::Reference, sale::ChannelOrder, time::Timestamp};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};
use wire::header::{CONTENT_TYPE, HeaderValue};

use crate::{
    Abilities, Accepted, CallError, Connector, Context, Delivery, Heard, OrderPage, Push, QuantityMeaning, Rejected,
    Shown, Target,
    connector::words,
    endpoint,
    reading::{self, Told},
    token::{AccessToken, TokenCell},
};
use order::{Connection, LineNode, OrderNode, Seen};

/// Quantities in one call. Shopify takes 250 (shopify.dev, "Shopify API limits"); with fewer, fewer wait for one that is refused.
const BATCH: usize = 100;

/// Pages of 50 lines of one order that are read.
const MAX_LINE_PAGES: usize = 20;

/// How long a token lives where the answer does not say: an hour less than Shopify's documentation, in seconds.
const DEFAULT_TOKEN_SECONDS: u64 = 23 * 60 * 60;

/// Shopify.
pub struct Shopify {
    context: Context,
    token: TokenCell,
}

impl Shopify {
    /// The shop of this channel.
    #[must_use]
    pub fn new(context: Context) -> Self {
        Self { context, token: TokenCell::default() }
    }

    /// Where the shop is.
    fn base(&self) -> Result<String, CallError> {
        if let Some(endpoint) = &self.context.endpoint {
            return endpoint::checked(endpoint).map(str::to_owned);
        }
        let shop = self.context.options.get("shop").map_or("", String::as_str);
        let name = shop.strip_suffix(".myshopify.com").unwrap_or_default();
        if !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
            Ok(format!("https://{shop}"))
        } else {
            Err(refused("the option `shop` is not of the form name.myshopify.com"))
        }
    }

    /// The token that the merchant gave us, or one for a day.
    async fn token(&self) -> Result<String, CallError> {
        let credentials = &self.context.credentials;
        match credentials.get("access_token") {
            Ok(token) => Ok(token.to_owned()),
            Err(missing) if credentials.get("client_id").is_err() => Err(missing.into()),
            Err(_) => self.token.get(&*self.context.clock, self.fetch_token()).await,
        }
    }

    /// Source: shopify.dev, "Using the client credentials grant".
    async fn fetch_token(&self) -> Result<AccessToken, CallError> {
        #[derive(Deserialize)]
        struct Granted {
            access_token: String,
            expires_in: Option<u64>,
        }
        let credentials = &self.context.credentials;
        let form = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("grant_type", "client_credentials")
            .append_pair("client_id", credentials.get("client_id")?)
            .append_pair("client_secret", credentials.get("client_secret")?)
            .finish();
        let request = wire::Request::post(format!("{}/admin/oauth/access_token", self.base()?))
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(form.into_bytes())
            .map_err(|_| refused("the endpoint is no URL"))?;
        let response = self.context.call(request).await?;
        if !response.status().is_success() {
            return Err(CallError::Unauthorized { reason: format!("{}: no token", response.status()) });
        }
        let granted: Granted = reading::json(response.body())
            .map_err(|reason| CallError::Unavailable { reason: format!("token: {reason}") })?;
        let seconds = granted.expires_in.unwrap_or(DEFAULT_TOKEN_SECONDS);
        Ok(AccessToken { text: granted.access_token, ends_at: self.context.clock.now().plus_seconds(seconds) })
    }

    /// Asks, and asks again with another token if Shopify does not take this one.
    async fn ask<T: DeserializeOwned>(&self, query: &str, variables: &Value) -> Result<T, CallError> {
        let answer = self.ask_once(query, variables).await;
        let may_be_old = self.context.credentials.get("access_token").is_err();
        match answer {
            Err(CallError::Unauthorized { .. }) if may_be_old => {
                self.token.forget().await;
                self.ask_once(query, variables).await
            }
            answer => answer,
        }
    }

    async fn ask_once<T: DeserializeOwned>(&self, query: &str, variables: &Value) -> Result<T, CallError> {
        let mut token = HeaderValue::try_from(self.token().await?)
            .map_err(|_| CallError::Unauthorized { reason: "the access token holds what no header can".to_owned() })?;
        token.set_sensitive(true);
        let body = json!({ "query": query, "variables": variables }).to_string();
        let request = wire::Request::post(format!("{}/admin/api/{}/graphql.json", self.base()?, query::VERSION))
            .header(CONTENT_TYPE, "application/json")
            .header("x-shopify-access-token", token)
            .body(body.into_bytes())
            .map_err(|_| refused("the endpoint is no URL"))?;
        let response = self.context.call(request).await?;
        if response.status().is_success() {
            return answer::read(response.body());
        }
        Err(refused(&format!("{} {}", response.status(), words(&response))))
    }

    /// One order, with all of its lines and shipments.
    async fn whole_order(&self, number: &str) -> Result<Option<Seen>, CallError> {
        #[derive(Deserialize)]
        struct Data {
            order: Option<OrderNode>,
        }
        let mut after = None::<String>;
        let mut whole = None::<Seen>;
        for _ in 0..MAX_LINE_PAGES {
            let variables = json!({ "id": format!("gid://shopify/Order/{number}"), "after": after });
            let data: Data = self.ask(query::ORDER, &variables).await?;
            let Some(node) = data.order else { return Ok(None) };
            let next = next_page(&node.line_items);
            let seen = node.seen().map_err(|reason| CallError::Unavailable { reason })?;
            match &mut whole {
                None => whole = Some(seen),
                // It changed between two pages: what was read does not fit together.
                Some(first) if first.changed_at != seen.changed_at => {
                    return Err(CallError::Unavailable { reason: format!("order {number} changed while it was read") });
                }
                Some(first) => first.lines.extend(seen.lines),
            }
            let Some(next) = next else { return Ok(whole) };
            after = Some(next);
        }
        Err(refused(&format!("order {number} has more than {} lines", MAX_LINE_PAGES * 50)))
    }

    /// What an order on a page tells; it is read as a whole where the page does not hold enough of it.
    async fn told(&self, node: OrderNode) -> Result<Told, CallError> {
        let is_cut = next_page(&node.line_items).is_some();
        let seen = match node.seen() {
            Ok(seen) => seen,
            Err(words) => return Ok(Told { order: None, unreadable: vec![words] }),
        };
        if !is_cut && !seen.needs_shipments() {
            return Ok(seen.told());
        }
        match self.whole_order(&seen.id).await {
            Ok(whole) => Ok(whole.map(|whole| whole.told()).unwrap_or_default()),
            Err(CallError::Refused { reason }) => Ok(Told { order: None, unreadable: vec![reason] }),
            Err(error) => Err(error),
        }
    }
}

fn next_page(lines: &Connection<LineNode>) -> Option<String> {
    lines.page.end_cursor.clone().filter(|_| lines.page.has_next_page)
}

fn refused(words: &str) -> CallError {
    CallError::Refused { reason: words.to_owned() }
}

#[async_trait]
impl Connector for Shopify {
    fn abilities(&self) -> Abilities {
        Abilities {
            compare_and_set: true,
            quantity: QuantityMeaning::Net,
            batch: BATCH,
            revisions_per_day: None,
            listings_per_call: BATCH,
            pushes_per_second: 5,
            poll_seconds: 60,
            webhook_is_a_hint: false,
        }
    }

    async fn push(&self, pushes: &[Push]) -> Vec<Result<Accepted, CallError>> {
        push::push(self, pushes).await
    }

    async fn read(&self, targets: &[Target]) -> Vec<Result<Shown, CallError>> {
        push::read(self, targets).await
    }

    async fn changed_orders(&self, since: Timestamp, cursor: Option<&str>) -> Result<OrderPage, CallError> {
        #[derive(Deserialize)]
        struct Data {
            orders: Connection<OrderNode>,
        }
        let since = i64::try_from(since.epoch_seconds()).ok().and_then(|at| jiff::Timestamp::from_second(at).ok());
        let Some(since) = since else { return Ok(OrderPage::default()) };
        let variables = json!({ "changed": format!("updated_at:>='{since}'"), "after": cursor });
        let data: Data = self.ask(query::ORDERS, &variables).await?;
        let mut page = OrderPage {
            cursor: data.orders.page.end_cursor.filter(|_| data.orders.page.has_next_page),
            ..OrderPage::default()
        };
        for node in data.orders.nodes {
            let told = self.told(node).await?;
            page.orders.extend(told.order);
            page.unreadable.extend(told.unreadable);
        }
        Ok(page)
    }

    async fn order(&self, id: &str) -> Result<Option<ChannelOrder>, CallError> {
        let Some(number) = order::number(id).filter(|number| number.parse::<Reference>().is_ok()) else {
            return Ok(None);
        };
        let Some(seen) = self.whole_order(number).await? else { return Ok(None) };
        let told = seen.told();
        for words in &told.unreadable {
            tracing::warn!(words, "part of an order could not be read");
        }
        match told.order {
            Some(order) => Ok(Some(order)),
            None => Err(refused(&told.unreadable.join("; "))),
        }
    }

    async fn hear(&self, delivery: &Delivery) -> Result<Heard, Rejected> {
        webhook::hear(&self.context, delivery)
    }
}
