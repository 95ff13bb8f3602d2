//! A vendor of one's own: a simulated marketplace behind the connector's transport, in the time of the shop that sells there.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use async_trait::async_trait;
use channels::{
    Transport, TransportError,
    transport::{Request, Response},
};
use domain::time::Clock;
use holdfast::local::{LocalClock, Vendors};
use marketplaces::{
    face::{Face, answer, json},
    market::Market,
    woocommerce::WooCommerceFace,
};
use tokio::sync::oneshot;

/// One simulated vendor. Clones are the same one.
#[derive(Clone)]
pub struct Vendor(Arc<Inside>);

struct Inside {
    face: Box<dyn Face>,
    market: Mutex<Market>,
    clock: OnceLock<LocalClock>,
    gate: Mutex<Option<Gate>>,
    fails: Mutex<Option<Which>>,
    called: Mutex<Vec<String>>,
}

/// Which calls are meant.
pub type Which = fn(&Request) -> bool;

/// Stops the next call of a kind on its way to the vendor.
struct Gate {
    stops: Which,
    /// The vendor has answered before: its answer is what is stopped.
    answered: bool,
    arrives: oneshot::Sender<()>,
    thawed: oneshot::Receiver<()>,
}

/// A call that is, or will be, stopped on its way.
pub struct Frozen {
    reached: oneshot::Receiver<()>,
    thaw: oneshot::Sender<()>,
}

impl Frozen {
    /// Returns once the call is on its way and does not get on.
    pub async fn reached(&mut self) {
        tokio::time::timeout(super::PATIENCE, &mut self.reached).await.expect("a call in time").expect("a call");
    }

    /// Lets it go on.
    pub fn thaw(self) {
        self.thaw.send(()).expect("the call waits still");
    }
}

impl Vendor {
    /// A `WooCommerce` shop, and what Holdfast must know to sell there as the channel `shop`.
    pub fn woocommerce() -> (Self, Vendors) {
        let face = WooCommerceFace::default();
        let secrets = [
            ("consumer_key", face.consumer_key.as_str()),
            ("consumer_secret", face.consumer_secret.as_str()),
            ("webhook_secret", face.webhook_secret.as_str()),
        ];
        let secrets = [("shop".parse().expect("a channel"), secrets.into())].into();
        let inside = Inside {
            face: Box::new(face),
            market: Mutex::default(),
            clock: OnceLock::new(),
            gate: Mutex::default(),
            fails: Mutex::default(),
            called: Mutex::default(),
        };
        let vendor = Self(Arc::new(inside));
        let transport: Arc<dyn Transport> = Arc::new(vendor.clone());
        (vendor, Vendors { transport: Some(transport), secrets })
    }

    /// Lives in the time of this clock from now on.
    pub fn live_by(&self, clock: &LocalClock) {
        // Whoever has set it already is the same test.
        let _ = self.0.clock.set(clock.clone());
    }

    /// What there is, as of now.
    pub fn market(&self) -> MutexGuard<'_, Market> {
        let mut market = self.0.market.lock().expect("no panic while it was held");
        if let Some(clock) = self.0.clock.get() {
            market.advance(clock.now());
        }
        market
    }

    /// Answers such calls with a fault of its own, until something else is said.
    pub fn fail(&self, fails: Option<Which>) {
        *self.0.fails.lock().expect("no panic while it was held") = fails;
    }

    /// How often a path with this in it was called, answered or not.
    pub fn calls(&self, path: &str) -> usize {
        let called = self.0.called.lock().expect("no panic while it was held");
        called.iter().filter(|called| called.contains(path)).count()
    }

    /// Stops the next such call before the vendor has heard of it.
    pub fn freeze(&self, stops: Which) -> Frozen {
        self.stop(stops, false)
    }

    /// Stops the answer to the next such call: it says what was true when the call was made.
    pub fn freeze_answer(&self, stops: Which) -> Frozen {
        self.stop(stops, true)
    }

    fn stop(&self, stops: Which, answered: bool) -> Frozen {
        let ((arrives, reached), (thaw, thawed)) = (oneshot::channel(), oneshot::channel());
        let gate = Gate { stops, answered, arrives, thawed };
        *self.0.gate.lock().expect("no panic while it was held") = Some(gate);
        Frozen { reached, thaw }
    }

    fn answer(&self, request: &Request) -> Result<Response, TransportError> {
        if self.0.fails.lock().expect("no panic while it was held").is_some_and(|fails| fails(request)) {
            return Ok(json(503, &serde_json::json!({ "message": "maintenance" })));
        }
        let answer = answer(&*self.0.face, &mut self.market(), request);
        answer.ok_or_else(|| TransportError { reason: "nobody answers".to_owned() })
    }

    /// What it delivers to a webhook when this order has changed: headers and body.
    pub fn webhook(&self, order: &str) -> (Vec<(String, String)>, Vec<u8>) {
        let delivery = self.0.face.webhook(&self.market(), order, "").expect("a delivery");
        (delivery.headers, delivery.body)
    }
}

#[async_trait]
impl Transport for Vendor {
    async fn send(&self, request: Request) -> Result<Response, TransportError> {
        self.0.called.lock().expect("no panic while it was held").push(request.uri().path().to_owned());
        let gate = self.0.gate.lock().unwrap_or_else(PoisonError::into_inner).take_if(|gate| (gate.stops)(&request));
        let Some(Gate { arrives, thawed, answered, .. }) = gate else { return self.answer(&request) };
        let before = answered.then(|| self.answer(&request));
        // A test that has ended waits for neither.
        let _ = arrives.send(());
        let _ = thawed.await;
        before.unwrap_or_else(|| self.answer(&request))
    }
}
