//! Amazon's face: Login with Amazon, Listings Items 2021-08-01, Feeds 2021-06-30, Orders 2026-01-01, and the notices in a queue.
//!
//! Strict where Amazon is: an access token of at most an hour on every call and on no other, one `User-Agent`, known parameters only, the
//! media type that an upload was announced with. Lenient where it is too: a patch of a SKU that is not listed is `ACCEPTED`, and one of
//! a listing that Amazon fulfils turns it into the merchant's. What it remembers beside the market (tokens, documents, feeds) is in
//! [`Market::remembered`].
//!
//! A listing is Amazon's to fulfil if its `remote` has a `fulfillment_channel` other than `DEFAULT`.

mod feeds;
mod listings;
mod orders;

use std::collections::BTreeMap;

use channels::{
    Delivery,
    transport::{Request, Response},
};
use domain::time::Timestamp;
use serde_json::{Value, json};

use crate::{
    face::{Face, json as answer},
    market::Market,
};

/// How long a token lives, in seconds.
pub const TOKEN_SECONDS: u64 = 3_600;

/// One seller's account at Amazon.
#[derive(Debug, Clone)]
pub struct AmazonFace {
    /// The seller.
    pub seller_id: String,
    /// The only marketplace.
    pub marketplace_id: String,
    /// What Login with Amazon knows of the application.
    pub client_id: String,
    /// Its secret.
    pub client_secret: String,
    /// What the seller has allowed it.
    pub refresh_token: String,
    /// How long a feed takes, in seconds.
    pub feed_seconds: u64,
    /// Every feed ends so, unprocessed.
    pub feeds_end: Option<&'static str>,
    /// Reports are gzipped.
    pub packs_reports: bool,
    /// Orders on a page, at most.
    pub page: usize,
}

impl Default for AmazonFace {
    fn default() -> Self {
        Self {
            seller_id: "A2SELLER".into(),
            marketplace_id: "ATVPDKIKX0DER".into(),
            client_id: "amzn1.application-oa2-client.test".into(),
            client_secret: "test-client-secret".into(),
            refresh_token: "Atzr|test-refresh".into(),
            feed_seconds: 12,
            feeds_end: None,
            packs_reports: true,
            page: 100,
        }
    }
}

/// A request, taken apart.
struct Asked<'a> {
    request: &'a Request,
    path: Vec<String>,
    query: BTreeMap<String, String>,
}

impl Asked<'_> {
    fn of(request: &Request) -> Asked<'_> {
        let uri = request.uri();
        let decode = |segment: &str| {
            let pair = format!("x={}", segment.replace('+', "%2B"));
            form_urlencoded::parse(pair.as_bytes()).next().map(|(_, value)| value.into_owned()).unwrap_or_default()
        };
        let path = uri.path().split('/').skip(1).map(decode).collect();
        let query = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()).into_owned().collect();
        Asked { request, path, query }
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.request.headers().get(name).and_then(|value| value.to_str().ok())
    }

    fn param(&self, name: &str) -> Option<&str> {
        self.query.get(name).map(String::as_str)
    }

    fn has(&self, name: &str, word: &str) -> bool {
        self.param(name).is_some_and(|list| list.split(',').any(|known| known == word))
    }

    /// Refuses parameters that the operation does not have.
    fn only(&self, names: &[&str]) -> Result<(), No> {
        match self.query.keys().find(|name| !names.contains(&name.as_str())) {
            Some(name) => Err(refusal(400, "InvalidInput", &format!("unknown parameter {name}"))),
            None => Ok(()),
        }
    }

    fn body(&self) -> Result<Value, No> {
        let is_json = self.header("content-type").is_some_and(|kind| kind.starts_with("application/json"));
        if !is_json {
            return Err(refusal(415, "InvalidInput", "the body must be application/json"));
        }
        serde_json::from_slice(self.request.body()).map_err(|_| refusal(400, "InvalidInput", "the body is not JSON"))
    }

    /// Where this face is, for an address that leads back to it.
    fn origin(&self) -> String {
        let uri = self.request.uri();
        let host = uri.authority().map(wire::uri::Authority::as_str).or_else(|| self.header("host"));
        format!("{}://{}", uri.scheme_str().unwrap_or("http"), host.unwrap_or("localhost"))
    }
}

/// An answer that ends the matter.
struct No(Box<Response>);

/// An error as Amazon says it.
fn refusal(status: u16, code: &str, message: &str) -> No {
    No(Box::new(answer(status, &json!({ "errors": [{ "code": code, "message": message, "details": "" }] }))))
}

/// A time as Amazon says it.
fn iso_8601(time: Timestamp) -> String {
    let seconds = i64::try_from(time.epoch_seconds()).unwrap_or_default();
    jiff::Timestamp::from_second(seconds).unwrap_or_default().to_string()
}

impl AmazonFace {
    /// Every token that was given is worth nothing any more.
    pub fn revoke(market: &mut Market) {
        market.remembered.retain(|key, _| !key.starts_with("token:"));
    }

    fn token(&self, market: &mut Market, asked: &Asked<'_>) -> Response {
        let form: BTreeMap<String, String> = form_urlencoded::parse(asked.request.body()).into_owned().collect();
        let is = |name: &str, value: &str| form.get(name).is_some_and(|given| given == value);
        let error = |status, code: &str| answer(status, &json!({ "error": code, "error_description": "not accepted" }));
        if !asked.header("content-type").is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded")) {
            return error(400, "invalid_request");
        }
        if !is("grant_type", "refresh_token") {
            return error(400, "unsupported_grant_type");
        }
        if !is("client_id", &self.client_id) || !is("client_secret", &self.client_secret) {
            return error(401, "invalid_client");
        }
        if !is("refresh_token", &self.refresh_token) {
            return error(400, "invalid_grant");
        }
        let number = market.remembered.get("tokens").map_or(0, Vec::len) + 1;
        market.remembered.insert("tokens".into(), vec![0; number]);
        let text = format!("Atza|{number}");
        let ends_at = market.now.plus_seconds(TOKEN_SECONDS).epoch_seconds();
        market.remembered.insert(format!("token:{text}"), ends_at.to_be_bytes().to_vec());
        answer(200, &json!({ "access_token": text, "token_type": "bearer", "expires_in": TOKEN_SECONDS }))
    }

    fn let_in(market: &Market, asked: &Asked<'_>) -> Result<(), No> {
        let ends_at =
            asked.header("x-amz-access-token").and_then(|text| market.remembered.get(&format!("token:{text}")));
        let ends_at = ends_at.and_then(|bytes| bytes.as_slice().try_into().ok()).map_or(0, u64::from_be_bytes);
        if ends_at <= market.now.epoch_seconds() {
            return Err(refusal(403, "Unauthorized", "Access to requested resource is denied."));
        }
        match asked.header("user-agent") {
            Some(_) => Ok(()),
            None => Err(refusal(403, "Unauthorized", "no User-Agent")),
        }
    }

    fn route(&self, market: &mut Market, asked: &Asked<'_>) -> Result<Response, No> {
        let path: Vec<&str> = asked.path.iter().map(String::as_str).collect();
        let method = asked.request.method().as_str();
        match (method, path.as_slice()) {
            ("POST", ["auth", "o2", "token"]) => return Ok(self.token(market, asked)),
            ("PUT", ["documents", id]) => return feeds::upload(market, asked, id),
            ("GET", ["documents", id]) => return self.download(market, asked, id),
            _ => Self::let_in(market, asked)?,
        }
        match (method, path.as_slice()) {
            ("PATCH", ["listings", "2021-08-01", "items", seller, sku]) => self.patch_item(market, asked, seller, sku),
            ("GET", ["listings", "2021-08-01", "items", seller, sku]) => self.get_item(market, asked, seller, sku),
            ("GET", ["listings", "2021-08-01", "items", seller]) => self.search_items(market, asked, seller),
            ("POST", ["feeds", "2021-06-30", "documents"]) => feeds::create_document(market, asked),
            ("GET", ["feeds", "2021-06-30", "documents", id]) => self.get_document(market, asked, id),
            ("POST", ["feeds", "2021-06-30", "feeds"]) => self.create_feed(market, asked),
            ("GET", ["feeds", "2021-06-30", "feeds", id]) => feeds::get_feed(market, id),
            ("GET", ["orders", "2026-01-01", "orders"]) => self.search_orders(market, asked),
            ("GET", ["orders", "2026-01-01", "orders", id]) => self.get_order(market, asked, id),
            _ => Err(refusal(404, "NotFound", "no such operation")),
        }
    }
}

impl Face for AmazonFace {
    fn answer(&self, market: &mut Market, request: &Request) -> Response {
        self.route(market, &Asked::of(request)).unwrap_or_else(|No(response)| *response)
    }

    fn throttled(&self) -> Response {
        let No(mut response) = refusal(429, "QuotaExceeded", "You exceeded your quota for the requested resource.");
        response.headers_mut().insert("x-amzn-ratelimit-limit", wire::HeaderValue::from_static("0.5"));
        *response
    }

    /// The body of the message in our queue: it has neither method nor headers.
    fn webhook(&self, market: &Market, order: &str, url: &str) -> Option<Delivery> {
        let body = self.order_change(market.orders.get(order)?).to_string().into_bytes();
        Some(Delivery { url: url.to_owned(), body, ..Delivery::default() })
    }
}
