//! A market, and whatever a connector needs to talk to it.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
};

use async_trait::async_trait;
use channels::{
    Context, Credentials, Push, Target, Transport, TransportError,
    transport::{Request, Response},
};
use domain::time::{Clock, Timestamp};
use holdfast_marketplaces::{
    face::{Face, answer},
    market::Market,
};

/// When every market opens: 2026-11-25T10:00:05Z.
pub const OPENING: Timestamp = Timestamp::from_epoch_seconds(1_795_600_805);

/// A market that a test and a connector share; its clock is the connector's.
#[derive(Clone)]
pub struct Shared {
    market: Arc<Mutex<Market>>,
    sent: Arc<Mutex<Vec<String>>>,
}

struct InProcess<F> {
    face: F,
    shared: Shared,
}

#[async_trait]
impl<F: Face> Transport for InProcess<F> {
    async fn send(&self, request: Request) -> Result<Response, TransportError> {
        self.shared.sent.lock().unwrap().push(format!("{} {}", request.method(), request.uri().path()));
        let response = answer(&self.face, &mut self.shared.market(), &request);
        response.ok_or_else(|| TransportError { reason: "nobody answers".to_owned() })
    }
}

impl Clock for Shared {
    fn now(&self) -> Timestamp {
        self.market().now
    }
}

impl Shared {
    pub fn open() -> Self {
        let market = Market { now: OPENING, ..Market::default() };
        Self { market: Arc::new(Mutex::new(market)), sent: Arc::default() }
    }

    pub fn market(&self) -> MutexGuard<'_, Market> {
        self.market.lock().unwrap()
    }

    /// Calls since this was last asked, as `GET /path`.
    pub fn sent(&self) -> Vec<String> {
        std::mem::take(&mut self.sent.lock().unwrap())
    }

    pub fn advance(&self, seconds: u64) {
        let mut market = self.market();
        let now = market.now.plus_seconds(seconds);
        market.advance(now);
    }

    pub fn context(&self, face: impl Face + 'static, credentials: Credentials, options: &[(&str, &str)]) -> Context {
        Context {
            transport: Arc::new(InProcess { face, shared: self.clone() }),
            clock: Arc::new(self.clone()),
            credentials,
            endpoint: None,
            options: texts(options),
        }
    }
}

fn texts(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

pub fn target(sku: &str, remote: &[(&str, &str)]) -> Target {
    Target { sku: sku.parse().unwrap(), remote: texts(remote) }
}

pub fn push(target: Target, quantity: u64) -> Push {
    let key = format!("{}-{quantity}", target.sku);
    Push { target, quantity, expected: None, key }
}
