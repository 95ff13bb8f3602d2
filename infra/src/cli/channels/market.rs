//! A simulated marketplace on loopback: the vendor's own wire format over HTTP, as the connectors know it (`tests/marketplaces`). Its
//! shoppers buy what it shows; it tells of that by webhook, as long as no webhook is lost.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, Method, StatusCode, Uri},
    response::{IntoResponse, Response},
};
use channels::Credentials;
use domain::{
    ids::ReservationId,
    sale::{SaleKey, Stage},
    time::Clock,
};
use holdfast::local::{LocalClock, Stack};
use marketplaces::{
    amazon::AmazonFace,
    ebay::EbayFace,
    face::{Face, answer},
    market,
    walmart::{SIGNATURE_HEADER, WalmartFace},
};
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinSet};

use super::super::{Failure, client::chain};

/// The three of them, with the channel's name.
pub const NAMES: [&str; 3] = ["amazon", "ebay", "walmart"];

/// How late Amazon applies a number that it has accepted, in seconds: it says "within 15 minutes at most times".
const APPLIES_AFTER_SECONDS: u64 = 2;

/// One marketplace.
pub struct Marketplace {
    /// The channel's name, which is also that of its kind.
    pub name: &'static str,
    /// Where it answers.
    url: String,
    face: Box<dyn Face>,
    market: Mutex<market::Market>,
    clock: OnceLock<LocalClock>,
}

impl Marketplace {
    /// Opens a marketplace that lists this SKU. It answers until `servers` is dropped.
    pub async fn open(name: &'static str, sku: &str, servers: &mut JoinSet<()>) -> Result<Arc<Self>, Failure> {
        let failed = |error: std::io::Error| Failure(format!("A marketplace cannot listen here: {}.", chain(&error)));
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(failed)?;
        let url = format!("http://{}", listener.local_addr().map_err(failed)?);
        let face: Box<dyn Face> = match name {
            "amazon" => Box::new(AmazonFace::default()),
            "ebay" => Box::new(EbayFace),
            _ => Box::new(WalmartFace::default()),
        };
        let mut market = market::Market::default();
        market.list(sku, &[("offer_id", "8001"), ("fulfillment_channel", "DEFAULT")]);
        if name == "amazon" {
            market.faults.apply_after_seconds = APPLIES_AFTER_SECONDS;
        }
        let marketplace = Arc::new(Self { name, url, face, market: Mutex::new(market), clock: OnceLock::new() });
        let router = Router::new().fallback(respond).with_state(Arc::clone(&marketplace));
        servers.spawn(async move { drop(axum::serve(listener, router).await) });
        Ok(marketplace)
    }

    /// Lives in the time of the stack from now on.
    pub fn live_by(&self, clock: &LocalClock) {
        // Set once, by whoever has opened it.
        let _ = self.clock.set(clock.clone());
    }

    /// What the channel's settings are.
    pub fn settings(&self) -> Value {
        let amazon = AmazonFace::default();
        let options = match self.name {
            "amazon" => json!({
                "seller_id": amazon.seller_id, "marketplace_id": amazon.marketplace_id,
                "token_endpoint": format!("{}/auth/o2/token", self.url),
            }),
            "walmart" => json!({ "signature_header": SIGNATURE_HEADER }),
            _ => json!({}),
        };
        json!({ "kind": self.name, "endpoint": self.url, "options": options })
    }

    /// The secrets that it lets in.
    pub fn credentials(name: &str) -> Credentials {
        let amazon = AmazonFace::default();
        match name {
            "amazon" => Credentials::from([
                ("client_id", amazon.client_id.as_str()),
                ("client_secret", amazon.client_secret.as_str()),
                ("refresh_token", amazon.refresh_token.as_str()),
            ]),
            "ebay" => EbayFace::credentials(),
            _ => WalmartFace::credentials(),
        }
    }

    /// As of now.
    pub fn market(&self) -> MutexGuard<'_, market::Market> {
        // Whoever panicked with it in hand left whole numbers behind.
        let mut market = self.market.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(clock) = self.clock.get() {
            market.advance(clock.now());
        }
        market
    }

    /// Units that a shopper sees.
    pub fn shown(&self, sku: &str) -> u64 {
        self.market().listings.get(sku).map_or(0, |listing| listing.shown)
    }

    /// Units that were bought.
    pub fn sold(&self) -> u64 {
        let market = self.market();
        market.orders.values().flat_map(|order| &order.lines).map(|line| line.quantity).sum()
    }

    /// A shopper buys, if so many are shown. The order's id.
    pub fn buy(&self, number: u64, sku: &str, units: u64) -> Option<String> {
        self.market().sell(&format!("{}-{number:07}", 100 + number % 900), &[(sku, units)], Stage::Paid)
    }

    /// The id under which the only line of an order is recorded.
    pub fn record_of(&self, order: &str) -> Option<ReservationId> {
        let (channel, order, line) = (self.name.parse().ok()?, order.parse().ok()?, "1".parse().ok()?);
        Some(ReservationId::of_sale(&SaleKey { channel, order, line }))
    }

    /// Tells of an order: Amazon puts a notice into our queue, the others call our webhook. What does not arrive is pulled.
    pub async fn tell(&self, stack: &Stack, http: &reqwest::Client, order: &str) {
        let url = format!("{}/v1/webhooks/{}", stack.url(), self.name);
        let Some(delivery) = self.face.webhook(&self.market(), order, &url) else { return };
        if self.name == "amazon" {
            let body = String::from_utf8(delivery.body).unwrap_or_default();
            let record = json!({ "messageId": order, "body": body, "eventSource": "aws:sqs" });
            // Its queue is not the local stack's: the function is called as its event source mapping would.
            drop(channel_intake::handle(stack.app(), json!({ "Records": [record] })).await);
            return;
        }
        let request = http.post(&url).body(delivery.body);
        let headers = delivery.headers.into_iter();
        drop(headers.fold(request, |request, (name, value)| request.header(name, value)).send().await);
    }
}

/// Answers as the vendor does.
async fn respond(
    State(marketplace): State<Arc<Marketplace>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let mut request = axum::http::Request::new(body.to_vec());
    (*request.method_mut(), *request.uri_mut(), *request.headers_mut()) = (method, uri, headers);
    let response = answer(&*marketplace.face, &mut marketplace.market(), &request);
    response.map_or_else(|| StatusCode::BAD_GATEWAY.into_response(), |response| response.map(Body::from))
}
