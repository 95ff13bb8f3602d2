//! Calls as a careful shop makes them: every POST with a key, and one that is answered "busy" made again with the same key.

use std::{
    collections::BTreeSet,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures::future::join_all;
use reqwest::{
    Method,
    header::{HeaderName, HeaderValue},
};
use serde_json::{Value, json};

use super::{Answer, Contract};

/// How often a call that is answered 503 is made again.
const MAX_RETRIES: u32 = 60;

/// How often a queued order is looked at: for half a minute.
const MAX_LOOKS: u32 = 1_200;

/// The pause before that: `Retry-After` asks for a second, which a test would rather not wait.
const PAUSE: Duration = Duration::from_millis(100);

/// Answers met so far: the operation's id in the contract, and the status.
pub type Met = Arc<Mutex<BTreeSet<(String, u16)>>>;

/// The API of one stack.
#[derive(Clone)]
pub struct Api {
    http: reqwest::Client,
    url: String,
    met: Met,
}

impl Api {
    pub fn new(url: &str) -> Self {
        // Whoever was first has chosen; there is one provider in the program.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder().timeout(Duration::from_mins(1)).no_proxy().build().expect("a client");
        Self { http, url: url.to_owned(), met: Met::default() }
    }

    /// Every operation and status that this API was heard to answer.
    pub fn met(&self) -> BTreeSet<(String, u16)> {
        self.met.lock().expect("no panic while noting").clone()
    }

    pub fn get(&self, path: &str) -> Call {
        Call::new(self, Method::GET, path)
    }

    pub fn put(&self, path: &str, body: &Value) -> Call {
        Call::new(self, Method::PUT, path).json(body)
    }

    pub fn delete(&self, path: &str) -> Call {
        Call::new(self, Method::DELETE, path)
    }

    /// With a key that no other call has.
    pub fn post(&self, path: &str, body: &Value) -> Call {
        static KEYS: AtomicUsize = AtomicUsize::new(0);
        let key = format!("key-{}", KEYS.fetch_add(1, Ordering::Relaxed));
        Call::new(self, Method::POST, path).key(&key).json(body)
    }

    pub fn reserve(&self, lines: &[(&str, u64)]) -> Call {
        self.reserve_for(900, lines)
    }

    pub fn reserve_for(&self, ttl_seconds: u64, lines: &[(&str, u64)]) -> Call {
        self.post("/v1/reservations", &json!({ "ttl_seconds": ttl_seconds, "lines": self::lines(lines) }))
    }

    pub fn confirm(&self, id: &str) -> Call {
        self.post(&format!("/v1/reservations/{id}/confirm"), &json!({}))
    }

    pub fn cancel(&self, id: &str) -> Call {
        self.post(&format!("/v1/reservations/{id}/cancel"), &json!({}))
    }

    pub fn extend(&self, id: &str, ttl_seconds: u64) -> Call {
        self.post(&format!("/v1/reservations/{id}/extend"), &json!({ "ttl_seconds": ttl_seconds }))
    }

    pub fn reservation(&self, id: &str) -> Call {
        self.get(&format!("/v1/reservations/{id}"))
    }

    /// A sale without a hold.
    pub fn order(&self, lines: &[(&str, u64)]) -> Call {
        self.post("/v1/orders", &json!({ "lines": self::lines(lines) }))
    }

    /// A sale through the order queue.
    pub fn queue(&self, lines: &[(&str, u64)]) -> Call {
        self.order(lines).header("Prefer", "respond-async")
    }

    /// The payment of a reservation through the order queue.
    pub fn queue_payment(&self, reservation_id: &str, order_id: Option<&str>) -> Call {
        let mut body = json!({ "reservation_id": reservation_id });
        if let Some(order_id) = order_id {
            body["order_id"] = order_id.into();
        }
        self.post("/v1/orders", &body).header("Prefer", "respond-async")
    }

    /// What became of a queued order, once it is decided.
    pub async fn decided(&self, id: &str) -> Answer {
        for _ in 0..MAX_LOOKS {
            let answer = self.get(&format!("/v1/orders/{id}")).await.expect(200);
            if answer["status"] != "queued" {
                return answer;
            }
            assert!(answer.header("retry-after").is_some(), "it does not say when to ask again");
            tokio::time::sleep(PAUSE / 4).await;
        }
        panic!("the order {id} is still queued");
    }

    /// An order from a supplier: `expected_on` and `send` may be in `more`.
    pub fn purchase(&self, lines: &[(&str, u64)], more: &Value) -> Call {
        let mut body = json!({ "supplier": "Leaf & Co", "lines": self::lines(lines) });
        for (name, value) in more.as_object().into_iter().flatten() {
            body[name] = value.clone();
        }
        self.post("/v1/purchase-orders", &body)
    }

    pub fn purchase_order(&self, id: &str) -> Call {
        self.get(&format!("/v1/purchase-orders/{id}"))
    }

    /// `send`, `acknowledge`, `receive` or `cancel`.
    pub fn step(&self, id: &str, step: &str, body: &Value) -> Call {
        self.post(&format!("/v1/purchase-orders/{id}/{step}"), body)
    }

    pub fn receive(&self, id: &str, lines: &[(&str, u64)]) -> Call {
        self.step(id, "receive", &json!({ "lines": self::lines(lines) }))
    }

    pub fn availability(&self, skus: &[&str]) -> Call {
        let skus: Vec<String> = skus.iter().map(|sku| format!("sku={sku}")).collect();
        self.get(&format!("/v1/availability?{}", skus.join("&")))
    }

    pub fn stock(&self, sku: &str) -> Call {
        self.get(&format!("/v1/stock/{sku}"))
    }

    pub fn put_stock(&self, sku: &str, settings: &Value) -> Call {
        self.put(&format!("/v1/stock/{sku}"), settings)
    }

    /// A sale without a hold in another channel than the own one.
    pub fn order_in(&self, channel: &str, lines: &[(&str, u64)]) -> Call {
        self.post("/v1/orders", &json!({ "channel": channel, "lines": self::lines(lines) }))
    }

    pub fn transfer(&self, sku: &str, from: &str, to: &str, quantity: u64) -> Call {
        let body = json!({ "from": from, "to": to, "quantity": quantity, "reason": format!("{quantity} to {to}") });
        self.post(&format!("/v1/stock/{sku}/transfers"), &body)
    }

    pub fn put_quotas(&self, sku: &str, numbers: &[(&str, u64)]) -> Call {
        let channels: serde_json::Map<String, Value> =
            numbers.iter().map(|(channel, number)| ((*channel).to_owned(), json!(number))).collect();
        self.put(&format!("/v1/stock/{sku}/quotas"), &json!({ "channels": channels, "reason": "quotas" }))
    }

    pub fn quotas(&self, sku: &str) -> Call {
        self.get(&format!("/v1/stock/{sku}/quotas"))
    }

    pub fn put_rule(&self, sku: &str, rule: &Value) -> Call {
        self.put(&format!("/v1/stock/{sku}/redistribution"), rule)
    }

    pub fn rule(&self, sku: &str) -> Call {
        self.get(&format!("/v1/stock/{sku}/redistribution"))
    }

    pub fn run_rule(&self, sku: &str) -> Call {
        self.post(&format!("/v1/stock/{sku}/redistribution/run"), &json!({}))
    }

    pub fn put_channel(&self, channel: &str, settings: &Value) -> Call {
        self.put(&format!("/v1/channels/{channel}"), settings)
    }

    pub fn put_listing(&self, channel: &str, sku: &str, listing: &Value) -> Call {
        self.put(&format!("/v1/channels/{channel}/listings/{sku}"), listing)
    }

    pub fn channel_status(&self, channel: &str) -> Call {
        self.get(&format!("/v1/channels/{channel}/status"))
    }

    pub fn movement(&self, sku: &str, kind: &str, quantity: i64) -> Call {
        let body = json!({ "kind": kind, "quantity": quantity, "reason": format!("{kind} {quantity}") });
        self.post(&format!("/v1/stock/{sku}/movements"), &body)
    }
}

/// Lines as the API takes them.
pub fn lines(lines: &[(&str, u64)]) -> Value {
    lines.iter().map(|(sku, quantity)| json!({ "sku": sku, "quantity": quantity })).collect()
}

/// Makes all calls at the same time, and answers in their order.
pub async fn at_once(calls: impl IntoIterator<Item = Call>) -> Vec<Answer> {
    join_all(calls.into_iter().map(IntoFuture::into_future)).await
}

/// One call; awaiting it makes it.
#[derive(Clone)]
pub struct Call {
    api: Api,
    method: Method,
    path: String,
    headers: Vec<(HeaderName, HeaderValue)>,
    body: Vec<u8>,
    retries: u32,
}

impl Call {
    pub fn new(api: &Api, method: Method, path: &str) -> Self {
        let (api, path) = (api.clone(), path.to_owned());
        Self { api, method, path, headers: Vec::new(), body: Vec::new(), retries: MAX_RETRIES }
    }

    /// Replaces a header.
    pub fn header(self, name: &str, value: impl AsRef<[u8]>) -> Self {
        let mut call = self.without(name);
        let name = name.parse().expect("a header's name");
        call.headers.push((name, HeaderValue::from_bytes(value.as_ref()).expect("a header's value")));
        call
    }

    pub fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(own, _)| !own.as_str().eq_ignore_ascii_case(name));
        self
    }

    pub fn key(self, key: &str) -> Self {
        self.header("Idempotency-Key", key)
    }

    pub fn json(self, body: &Value) -> Self {
        self.header("Content-Type", "application/json").body(body.to_string())
    }

    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// Adds a query parameter.
    pub fn query(mut self, parameter: &str) -> Self {
        self.path.push(if self.path.contains('?') { '&' } else { '?' });
        self.path.push_str(parameter);
        self
    }

    /// Takes "busy" for an answer.
    pub fn impatient(mut self) -> Self {
        self.retries = 0;
        self
    }

    async fn send(self) -> Answer {
        for _ in 0..self.retries {
            let answer = self.send_once().await;
            if answer.status != 503 {
                return answer;
            }
            tokio::time::sleep(PAUSE).await;
        }
        self.send_once().await
    }

    async fn send_once(&self) -> Answer {
        self.attempt().await.unwrap_or_else(|fault| panic!("{} {}: {fault:?}", self.method, self.path))
    }

    /// Makes the call once; nothing if the service is gone.
    pub async fn try_send(self) -> Option<Answer> {
        self.attempt().await.ok()
    }

    async fn attempt(&self) -> reqwest::Result<Answer> {
        let call = format!("{} {}", self.method, self.path);
        let mut request = self.api.http.request(self.method.clone(), format!("{}{}", self.api.url, self.path));
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let response = request.body(self.body.clone()).send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await?;
        let body = serde_json::from_str(&text).unwrap_or_default();
        let answer = Answer { call, status, headers, text, body };
        if let Some(operation) = Contract::get().check(&self.method, &self.path, &answer) {
            self.api.met.lock().expect("no panic while noting").insert((operation, status));
        }
        Ok(answer)
    }
}

impl IntoFuture for Call {
    type Output = Answer;
    type IntoFuture = Pin<Box<dyn Future<Output = Answer> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.send())
    }
}
