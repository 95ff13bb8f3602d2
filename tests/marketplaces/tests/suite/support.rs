//! A market, a face of it, and a connector in front, in one process and in virtual time: a test that waits moves the market's clock.

use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use channels::{
    Context, Credentials, Push, Target, Transport, TransportError,
    transport::{Request, Response},
};
use domain::time::{Clock, Timestamp};
use holdfast_marketplaces::{
    face::{self, Face},
    market::Market,
};
use tokio::time::Instant;

/// When every test begins: 2026-11-01, noon.
pub const BEGIN: Timestamp = Timestamp::from_epoch_seconds(1_793_534_400);

/// Looks at an exchange, and panics if it should not be.
pub type Watch = fn(&Request, &Response);

/// What the wire does in place of the vendor; nothing: the vendor answers.
type Detour = Box<dyn Fn(&Request) -> Option<Result<Response, TransportError>> + Send + Sync>;

/// A vendor, as a connector sees it.
pub struct World {
    market: Mutex<Market>,
    face: Box<dyn Face>,
    began: Instant,
    watch: Watch,
    detour: Mutex<Option<Detour>>,
    sent: Mutex<Vec<(Timestamp, Request)>>,
}

impl World {
    pub fn new(face: impl Face + 'static, watch: Watch) -> Arc<Self> {
        Arc::new(Self {
            market: Mutex::new(Market { now: BEGIN, ..Market::default() }),
            face: Box::new(face),
            began: Instant::now(),
            watch,
            detour: Mutex::default(),
            sent: Mutex::default(),
        })
    }

    /// The market, at the present moment.
    pub fn market(&self) -> MutexGuard<'_, Market> {
        let mut market = self.market.lock().unwrap();
        let now = self.now();
        market.advance(now);
        market
    }

    pub fn detour(
        &self,
        detour: impl Fn(&Request) -> Option<Result<Response, TransportError>> + Send + Sync + 'static,
    ) {
        *self.detour.lock().unwrap() = Some(Box::new(detour));
    }

    /// What was sent since the last time that this was asked, and when.
    pub fn take_sent(&self) -> Vec<(Timestamp, Request)> {
        std::mem::take(&mut self.sent.lock().unwrap())
    }

    /// The same, as `METHOD path`.
    pub fn take_lines(&self) -> Vec<String> {
        self.take_sent().iter().map(|(_, request)| format!("{} {}", request.method(), request.uri().path())).collect()
    }

    /// What a connector works with here.
    pub fn context(self: &Arc<Self>, credentials: Credentials, options: &[(&str, &str)]) -> Context {
        Context {
            transport: Arc::clone(self) as Arc<dyn Transport>,
            clock: Arc::clone(self) as Arc<dyn Clock>,
            credentials,
            endpoint: None,
            options: options.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        }
    }
}

impl Clock for World {
    fn now(&self) -> Timestamp {
        BEGIN.plus_seconds(self.began.elapsed().as_secs())
    }
}

#[async_trait]
impl Transport for World {
    async fn send(&self, request: Request) -> Result<Response, TransportError> {
        self.sent.lock().unwrap().push((self.now(), request.clone()));
        if let Some(answer) = self.detour.lock().unwrap().as_ref().and_then(|detour| detour(&request)) {
            return answer;
        }
        match face::answer(self.face.as_ref(), &mut self.market(), &request) {
            Some(response) => {
                (self.watch)(&request, &response);
                Ok(response)
            }
            None => Err(TransportError { reason: "nobody answers".into() }),
        }
    }
}

/// A request as a person reads it. What `secrets` names is not shown.
pub fn show(request: &Request, secrets: &[&str]) -> String {
    let mut lines = vec![format!("{} {}", request.method(), request.uri())];
    let mut headers: Vec<String> = request
        .headers()
        .iter()
        .map(|(name, value)| {
            let shown = if secrets.contains(&name.as_str()) { "(secret)" } else { value.to_str().unwrap() };
            format!("{name}: {shown}")
        })
        .collect();
    headers.sort();
    lines.extend(headers);
    let body = match serde_json::from_slice::<serde_json::Value>(request.body()) {
        Ok(json) => serde_json::to_string_pretty(&json).unwrap(),
        Err(_) => String::from_utf8(request.body().clone()).unwrap(),
    };
    if !body.is_empty() {
        lines.extend([String::new(), body]);
    }
    lines.join("\n")
}

pub fn target(sku: &str, remote: &[(&str, &str)]) -> Target {
    let remote = remote.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Target { sku: sku.parse().unwrap(), remote }
}

pub fn push(sku: &str, quantity: u64) -> Push {
    Push { target: target(sku, &[]), quantity, expected: None, key: format!("push-{sku}-{quantity}") }
}
