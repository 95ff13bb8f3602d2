//! `WooCommerce`: the REST API of the merchant's own `WordPress`, version `wc/v3`.
//!
//! **Reads.** Credentials: `consumer_key` and `consumer_secret` with the right to read and write, and `webhook_secret`. Options: `url`, the
//! shop's address, if there is no endpoint; `https` only, for the key goes with each call (HTTP Basic). [`Target::remote`]: `product_id`,
//! and `variation_id` for a variation.
//!
//! **Setting a quantity** ([`push`]) sets what it is told: nothing can be compared, so whoever pushes reads just before. One listing is a
//! `PUT`; more are a batch for all products and one for the variations of each, whose answer says for each listing what came of it.
//! The stock of a variation is managed by itself from then on.
//!
//! **Orders** ([`order`]) are searched by the time of their last change, 50 to a page, in the order of their ids: an order that changes
//! meanwhile can move others to a later page, but not to an earlier one. Refunds are asked for where an order has some.
//!
//! | status | is |
//! |---|---|
//! | `pending`, `on-hold` | pending |
//! | `failed` | pending: the shopper may pay it again. It gives its units back when a pending order does |
//! | `processing`, and what the merchant has added | paid |
//! | `completed` | shipped |
//! | `cancelled`, `refunded`, `trash` | canceled, unless it was completed: then it is a return |
//! | `checkout-draft`, `auto-draft`, `draft` | no order yet |
//!
//! **Webhooks** ([`webhook`]): `order.created`, `order.updated`, `order.restored`, `order.deleted`.
//!
//! **Limits.** None is documented; it is one PHP server that sells meanwhile, so it is called twice a second. 100 listings are a batch
//! (`woocommerce_rest_batch_items_limit`).
//!
//! **To be known.** The shop subtracts an order from its stock when that is on hold or processing; while it is only pending, the shop
//! keeps its units apart in another way, and a number that we set meanwhile lacks them once more: the shop shows too little until the
//! next push. A cancelled order may be paid after all, which the shop allows: `date_modified_gmt` says that this is newer, and its
//! units are taken anew. Orders in the trash are not found by
//! the search. Backorders, where the merchant allows them, are not looked at.
//!
//! **Unverified**: that no plugin of the shop changes any of this.
//!
//! Sources: the source of `WooCommerce` (`class-wc-webhook.php`, `class-wc-rest-controller.php`, `wc-order-functions.php`) and its REST API
//! documentation ("Orders", "Refunds", "Pagination").

pub mod order;
mod push;
pub mod webhook;

use async_trait::async_trait;
use base64::{Engine, engine::general_purpose::STANDARD};
use domain::{sale::ChannelOrder, time::Timestamp};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;
use wire::{
    Method,
    header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue},
};

use crate::{
    Abilities, Accepted, CallError, Connector, Context, Delivery, Heard, OrderPage, Push, QuantityMeaning, Rejected,
    Shown, Target,
    connector::words,
    endpoint,
    reading::{self, Told},
    transport::Response,
};
use order::{Refunded, Seen};

/// Orders on a page. An order is about 10 KB without `_fields`, which a shop may ignore.
const PAGE: usize = 50;

/// Pages of 100 refunds of one order that are read.
const MAX_REFUND_PAGES: usize = 10;

/// What is read of an order.
const ORDER_FIELDS: &str = "id,status,date_created_gmt,date_modified_gmt,date_completed_gmt,line_items,refunds";

/// `WooCommerce`.
pub struct WooCommerce {
    context: Context,
}

impl WooCommerce {
    /// The shop of this channel.
    #[must_use]
    pub fn new(context: Context) -> Self {
        Self { context }
    }

    fn base(&self) -> Result<&str, CallError> {
        let option = self.context.options.get("url");
        let endpoint =
            self.context.endpoint.as_ref().or(option).ok_or_else(|| refused("the option `url` is missing"))?;
        endpoint::checked(endpoint)
    }

    /// One call. An answer with any status that is not for later, or for the merchant's keys.
    async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Response, CallError> {
        let credentials = &self.context.credentials;
        let pair = format!("{}:{}", credentials.get("consumer_key")?, credentials.get("consumer_secret")?);
        // The alphabet of base64 fits into a header.
        let mut basic = HeaderValue::try_from(format!("Basic {}", STANDARD.encode(pair)))
            .map_err(|_| CallError::Unauthorized { reason: "the keys hold what no header can".to_owned() })?;
        basic.set_sensitive(true);
        let mut request = wire::Request::builder()
            .method(method)
            .uri(format!("{}/wp-json/wc/v3/{path}", self.base()?))
            .header(AUTHORIZATION, basic);
        if body.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        let body = body.map(|body| body.to_string().into_bytes()).unwrap_or_default();
        let request = request.body(body).map_err(|_| refused("the endpoint is no URL"))?;
        self.context.call(request).await
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<(T, Option<usize>), CallError> {
        let response = self.call(Method::GET, path, None).await?;
        let pages = response.headers().get("x-wp-totalpages").and_then(|pages| pages.to_str().ok());
        let pages = pages.and_then(|pages| pages.trim().parse().ok());
        Ok((read(&response)?, pages))
    }

    /// What was refunded of an order, line by line.
    async fn refunded(&self, id: u64) -> Result<Refunded, CallError> {
        let mut refunds = Vec::new();
        for page in 1..=MAX_REFUND_PAGES {
            let path = format!(
                "orders/{id}/refunds?_fields=id,date_created_gmt,line_items&order=asc&per_page=100&page={page}"
            );
            let (more, pages): (Vec<order::Refund>, _) = self.get(&path).await?;
            let is_full = more.len() >= 100;
            refunds.extend(more);
            if pages.map_or(!is_full, |pages| page >= pages) {
                return Ok(Refunded::Lines(refunds));
            }
        }
        Err(refused(&format!("order {id} has more than {} refunds", MAX_REFUND_PAGES * 100)))
    }

    /// What an order tells, once its refunds are known.
    async fn told(&self, mut seen: Seen) -> Result<Told, CallError> {
        if seen.needs_refunds() {
            match self.refunded(seen.id).await {
                Ok(refunded) => seen.refunded = refunded,
                Err(CallError::Refused { reason }) => return Ok(Told { order: None, unreadable: vec![reason] }),
                Err(error) => return Err(error),
            }
        }
        Ok(seen.told())
    }
}

/// The answer, if the call did what it should.
fn read<T: DeserializeOwned>(response: &Response) -> Result<T, CallError> {
    if !response.status().is_success() {
        return Err(refused(&said(response)));
    }
    reading::json(response.body()).map_err(|reason| CallError::Unavailable { reason })
}

/// The words of an error, which a shop writes as `{"code": …, "message": …}`.
fn said(response: &Response) -> String {
    #[derive(Deserialize)]
    struct Words {
        code: String,
        message: String,
    }
    match reading::json::<Words>(response.body()) {
        Ok(Words { code, message }) => short(&format!("{code}: {message}")),
        Err(_) => format!("{} {}", response.status(), words(response)),
    }
}

/// Characters of a shop's words that are repeated.
const MAX_WORDS_CHARS: usize = 300;

fn short(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(MAX_WORDS_CHARS).collect()
}

fn refused(words: &str) -> CallError {
    CallError::Refused { reason: words.to_owned() }
}

/// An id in a path or a query: nothing but digits, so that no id leads elsewhere.
fn id(text: &str) -> Option<u64> {
    text.parse().ok().filter(|id| *id > 0 && text.bytes().all(|b| b.is_ascii_digit()))
}

#[async_trait]
impl Connector for WooCommerce {
    fn abilities(&self) -> Abilities {
        Abilities {
            compare_and_set: false,
            quantity: QuantityMeaning::Net,
            batch: push::BATCH,
            revisions_per_day: None,
            listings_per_call: push::BATCH,
            pushes_per_second: 2,
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
        let page: usize = match cursor {
            None => 1,
            Some(cursor) => cursor.parse().map_err(|_| refused("the cursor is no page"))?,
        };
        // "After" leaves out the second itself.
        let after = i64::try_from(since.epoch_seconds().saturating_sub(1)).unwrap_or(i64::MAX);
        let Ok(after) = jiff::Timestamp::from_second(after) else { return Ok(OrderPage::default()) };
        let path = format!(
            "orders?_fields={ORDER_FIELDS}&dates_are_gmt=true&modified_after={}&order=asc&orderby=id&page={page}&per_page={PAGE}",
            after.strftime("%Y-%m-%dT%H:%M:%S"),
        );
        let (orders, pages): (Vec<Value>, _) = self.get(&path).await?;
        // Some caches drop headers that they do not know; then a full page is not the last.
        let is_last = pages.map_or(orders.len() < PAGE, |pages| page >= pages);
        let mut result = OrderPage { cursor: (!is_last).then(|| (page + 1).to_string()), ..OrderPage::default() };
        for order in orders {
            let told = match order::from_value(order) {
                Ok(seen) => self.told(seen).await?,
                Err(words) => Told { order: None, unreadable: vec![words] },
            };
            result.orders.extend(told.order);
            result.unreadable.extend(told.unreadable);
        }
        Ok(result)
    }

    async fn order(&self, text: &str) -> Result<Option<ChannelOrder>, CallError> {
        let Some(id) = id(text) else { return Ok(None) };
        let response = self.call(Method::GET, &format!("orders/{id}?_fields={ORDER_FIELDS}"), None).await?;
        if response.status() == wire::StatusCode::NOT_FOUND {
            return Ok(None);
        }
        let seen = order::from_value(read(&response)?).map_err(|reason| CallError::Unavailable { reason })?;
        let told = self.told(seen).await?;
        for words in &told.unreadable {
            tracing::warn!(words, "part of an order could not be read");
        }
        match told.order {
            Some(order) => Ok(Some(order)),
            None if told.unreadable.is_empty() => Ok(None),
            None => Err(refused(&told.unreadable.join("; "))),
        }
    }

    async fn hear(&self, delivery: &Delivery) -> Result<Heard, Rejected> {
        webhook::hear(&self.context, delivery)
    }
}
