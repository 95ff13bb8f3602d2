//! eBay Sell APIs: Inventory, Fulfillment and Notification.
//!
//! | reads | from | which is |
//! |---|---|---|
//! | `client_id`, `client_secret` | credentials | the application's keys |
//! | `refresh_token` | credentials | of the seller's consent, with the scopes `sell.inventory` and `sell.fulfillment` |
//! | `verification_token` | credentials | ours, 32 to 80 characters, as given to eBay with the webhook's URL |
//! | `offer_id` | [`Target::remote`] | the offers of the SKU, separated by commas |
//!
//! Without an `offer_id` only the quantity of the inventory item is set, which can lower what a listing shows but not
//! always raise it. Nothing is read from the options.
//!
//! **Quantity**: `POST /sell/inventory/v1/bulk_update_price_quantity`, item and offers in one call, because a listing
//! shows the smaller of the two (eBay, *Bulk updates*). The answer is 200 or 207 with a `statusCode` for each item and
//! offer, and each is looked at. One SKU a call: eBay's page of the method says "only one SKU", its guide says 25;
//! until that is proven, [`Abilities::batch`] is 1, and a longer slice is sent one by one. A listing may be revised 250
//! times in a calendar day (same page); which time zone's day is unverified, so a caller does well to stay below it.
//!
//! **Read**: `GET inventory_item/{sku}` and `GET offer/{offerId}`; the smallest number is what shoppers see. That eBay
//! lowers both when it sells is unverified, and does not matter to the smallest.
//!
//! **Orders**: `GET /sell/fulfillment/v1/order?filter=lastmodifieddate:[…..]`, 200 a page, by offset. The set can only
//! grow while it is paged through (`since` has no upper end), so that an order may come twice but is not skipped. A
//! cancellation is of the whole order: eBay has no other (Post-Order API, `PartialOrderTypeEnum`). A line in part
//! shipped (`IN_PROGRESS`) is still to be shipped for the rest.
//!
//! **Webhook**: `ORDER_CONFIRMATION`, once for each line item, and again when a failed payment is repeated: a hint,
//! after which the order is fetched. [`notice`] checks it: the header `X-EBAY-SIGNATURE` names a key of eBay's by its
//! id; the key is fetched with an application token and kept for an hour, as eBay recommends. What was published more
//! than a day ago is refused, so that a copy is of no use for longer than that; within the day, [`Heard::Hint`]'s
//! `delivery` tells a copy.
//!
//! **Tokens**: `POST /identity/v1/oauth2/token`; a user's with `grant_type=refresh_token` and no scope (that is: all
//! that was consented to), the application's with `client_credentials`.
//!
//! The sandbox is the endpoint `https://api.sandbox.ebay.com`. Unverified: whether eBay sends `Retry-After` with a 429,
//! and where in `notification.data` the order's id is (it is looked for under `orderId`, at any depth).

pub mod notice;
pub mod order;
pub mod quantity;

use async_trait::async_trait;
use base64::{Engine, engine::general_purpose::STANDARD};
use domain::{sale::ChannelOrder, time::Timestamp};
use serde::Deserialize;
use wire::{Method, request::Builder};

use crate::{
    Abilities, Accepted, CallError, Connector, Context, Delivery, Heard, OrderPage, Push, QuantityMeaning, Rejected,
    Shown, Target,
    connector::{finished, secret_header, words},
    one_by_one::one_by_one,
    path::segment,
    token::{AccessToken, TokenCell},
    transport::{Request, Response},
};

const PRODUCTION: &str = "https://api.ebay.com";

/// The scope of an application token that may read public keys. Source: Notification API, `getPublicKey`.
const APPLICATION_SCOPE: &str = "https://api.ebay.com/oauth/api_scope";

/// Source: Inventory API, `bulkUpdatePriceQuantity`.
const REVISIONS_PER_DAY: u32 = 250;

/// eBay names a limit per day for an application, not per second; this is ours, well below it.
const PUSHES_PER_SECOND: u32 = 5;

/// Orders in a page. Source: Fulfillment API, `getOrders`, `limit`.
const PAGE: u64 = 200;

/// Another page number is a mistake, not a shop with so many orders: eBay keeps two years of them.
const MAX_OFFSET: u64 = 10_000_000;

/// eBay, for one seller.
pub struct Ebay {
    context: Context,
    seller: TokenCell,
    application: TokenCell,
    keys: notice::KeyRing,
}

/// Whose token a call needs.
#[derive(Clone, Copy)]
enum As {
    Seller,
    Application,
}

#[derive(Deserialize)]
struct Token {
    access_token: String,
    expires_in: u64,
}

impl Ebay {
    /// With what a connector works with.
    #[must_use]
    pub fn new(context: Context) -> Self {
        let (seller, application) = (TokenCell::default(), TokenCell::default());
        Self { context, seller, application, keys: notice::KeyRing::default() }
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.context.endpoint.as_deref().unwrap_or(PRODUCTION))
    }

    fn get(&self, path: &str) -> Builder {
        wire::Request::builder().method(Method::GET).uri(self.url(path)).header("accept", "application/json")
    }

    /// Sends with a token; once more with another if it is not taken.
    async fn call(
        &self,
        whose: As,
        request: impl Fn() -> Result<Request, CallError> + Send + Sync,
    ) -> Result<Response, CallError> {
        let cell = match whose {
            As::Seller => &self.seller,
            As::Application => &self.application,
        };
        let first = self.context.call(with_token(request()?, &self.token(whose).await?)?).await;
        let Err(CallError::Unauthorized { .. }) = first else { return first };
        cell.forget().await;
        self.context.call(with_token(request()?, &self.token(whose).await?)?).await
    }

    async fn token(&self, whose: As) -> Result<String, CallError> {
        let clock = &*self.context.clock;
        match whose {
            As::Seller => {
                let grant = |refresh| [("grant_type", "refresh_token"), ("refresh_token", refresh)];
                let form = grant(self.context.credentials.get("refresh_token")?);
                self.seller.get(clock, self.fetch_token(&form)).await
            }
            As::Application => {
                let form = [("grant_type", "client_credentials"), ("scope", APPLICATION_SCOPE)];
                self.application.get(clock, self.fetch_token(&form)).await
            }
        }
    }

    async fn fetch_token(&self, form: &[(&str, &str)]) -> Result<AccessToken, CallError> {
        let (id, secret) = (self.context.credentials.get("client_id")?, self.context.credentials.get("client_secret")?);
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let request = wire::Request::builder()
            .method(Method::POST)
            .uri(self.url("/identity/v1/oauth2/token"))
            .header("authorization", secret_header(&format!("Basic {}", STANDARD.encode(format!("{id}:{secret}"))))?)
            .header("content-type", "application/x-www-form-urlencoded")
            .header("accept", "application/json");
        let asked_at = self.context.clock.now();
        let response = self.context.call(finished(request, body.into_bytes())?).await?;
        if !response.status().is_success() {
            // 400 `invalid_grant`: the seller took the consent back, or it is over.
            return Err(CallError::Unauthorized { reason: words(&response) });
        }
        // The text of the answer is a secret: it is not repeated.
        let token: Token = serde_json::from_slice(response.body()).map_err(|_| CallError::Unavailable {
            reason: "the answer to a token request is not understood".to_owned(),
        })?;
        Ok(AccessToken { text: token.access_token, ends_at: asked_at.plus_seconds(token.expires_in) })
    }

    async fn push_one(&self, push: &Push) -> Result<Accepted, CallError> {
        let offers = quantity::offers(&push.target)?;
        let body = quantity::revision(push.target.sku.as_str(), &offers, push.quantity);
        let request = || {
            let builder = wire::Request::builder()
                .method(Method::POST)
                .uri(self.url("/sell/inventory/v1/bulk_update_price_quantity"))
                .header("content-type", "application/json")
                .header("accept", "application/json");
            finished(builder, body.clone())
        };
        let response = accepted(self.call(As::Seller, request).await?)?;
        quantity::revised(push.target.sku.as_str(), &offers, response.body())?;
        // Nobody promises that the listing shows it at once.
        Ok(Accepted::ForLater)
    }

    async fn read_one(&self, target: &Target) -> Result<Shown, CallError> {
        let path = format!("/sell/inventory/v1/inventory_item/{}", target.sku);
        let item = accepted(self.call(As::Seller, || finished(self.get(&path), Vec::new())).await?)?;
        let mut shown = quantity::of_item(item.body())?;
        for offer in quantity::offers(target)? {
            let path = format!("/sell/inventory/v1/offer/{offer}");
            let answer = accepted(self.call(As::Seller, || finished(self.get(&path), Vec::new())).await?)?;
            shown = shown.min(quantity::of_offer(answer.body())?);
        }
        Ok(Shown { quantity: shown })
    }

    async fn fetch_key(&self, kid: &str) -> Result<Option<notice::Key>, CallError> {
        let path = format!("/commerce/notification/v1/public_key/{kid}");
        let response = self.call(As::Application, || finished(self.get(&path), Vec::new())).await?;
        match response.status().as_u16() {
            200 => notice::Key::parse(response.body()).map(Some),
            // Source: `getPublicKey`, error 195001, "the specified key id is invalid".
            400 | 404 => Ok(None),
            _ => Err(refused(&response)),
        }
    }
}

#[async_trait]
impl Connector for Ebay {
    fn abilities(&self) -> Abilities {
        Abilities {
            compare_and_set: false,
            quantity: QuantityMeaning::Net,
            batch: 1,
            revisions_per_day: Some(REVISIONS_PER_DAY),
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
        let offset = cursor.map_or(Some(0), |text| text.parse().ok().filter(|offset| *offset <= MAX_OFFSET));
        let offset = offset.ok_or_else(|| CallError::Refused { reason: "not a cursor of eBay's".to_owned() })?;
        let query = form_urlencoded::Serializer::new(String::new())
            .append_pair("filter", &format!("lastmodifieddate:[{}..]", order::date(since)))
            .append_pair("limit", &PAGE.to_string())
            .append_pair("offset", &offset.to_string())
            .finish();
        let path = format!("/sell/fulfillment/v1/order?{query}");
        let response = accepted(self.call(As::Seller, || finished(self.get(&path), Vec::new())).await?)?;
        let page = order::parse_orders(response.body())?;
        let cursor = page.has_next.then(|| (offset + PAGE).to_string());
        Ok(OrderPage { orders: page.orders, unreadable: page.unreadable, cursor })
    }

    async fn order(&self, id: &str) -> Result<Option<ChannelOrder>, CallError> {
        let Some(id) = segment(id) else { return Ok(None) };
        let path = format!("/sell/fulfillment/v1/order/{id}");
        let response = self.call(As::Seller, || finished(self.get(&path), Vec::new())).await?;
        if response.status().as_u16() == 404 {
            return Ok(None);
        }
        order::parse_order(accepted(response)?.body()).map(Some)
    }

    async fn hear(&self, delivery: &Delivery) -> Result<Heard, Rejected> {
        if delivery.method == "GET" {
            let token = self.context.credentials.get("verification_token");
            return notice::challenge(delivery, token.map_err(|e| Rejected::Unavailable(e.into()))?);
        }
        let signature = notice::Signature::of(delivery)?;
        let now = self.context.clock.now();
        let key = self.keys.get(&signature.kid, now, self.fetch_key(&signature.kid)).await?;
        if !key.has_signed(&delivery.body, &signature) {
            return Err(Rejected::Unbelieved("another body or another key"));
        }
        notice::parse_notice(&delivery.body, now)
    }
}

fn with_token(mut request: Request, token: &str) -> Result<Request, CallError> {
    request.headers_mut().insert("authorization", secret_header(&format!("Bearer {token}"))?);
    Ok(request)
}

/// An answer that is not a refusal.
fn accepted(response: Response) -> Result<Response, CallError> {
    if response.status().is_success() { Ok(response) } else { Err(refused(&response)) }
}

fn refused(response: &Response) -> CallError {
    let reason = quantity::errors_in(response.body()).unwrap_or_else(|| words(response));
    CallError::Refused { reason }
}
