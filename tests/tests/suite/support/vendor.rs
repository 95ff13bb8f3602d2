//! A vendor of one's own: a simulated marketplace behind the connector's transport, in the time of the shop that sells there.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock};

use async_trait::async_trait;
use channels::{
    Transport, TransportError,
    transport::{Request, Response},
};
use domain::time::Clock;
use holdfast::local::{LocalClock, Vendors};
use marketplaces::{
    face::{Face, answer},
    market::Market,
    woocommerce::WooCommerceFace,
};

/// One simulated vendor. Clones are the same one.
#[derive(Clone)]
pub struct Vendor(Arc<Inside>);

struct Inside {
    face: Box<dyn Face>,
    market: Mutex<Market>,
    clock: OnceLock<LocalClock>,
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
        let inside = Inside { face: Box::new(face), market: Mutex::default(), clock: OnceLock::new() };
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

    /// What it delivers to a webhook when this order has changed: headers and body.
    pub fn webhook(&self, order: &str) -> (Vec<(String, String)>, Vec<u8>) {
        let delivery = self.0.face.webhook(&self.market(), order, "").expect("a delivery");
        (delivery.headers, delivery.body)
    }
}

#[async_trait]
impl Transport for Vendor {
    async fn send(&self, request: Request) -> Result<Response, TransportError> {
        let answer = answer(&*self.0.face, &mut self.market(), &request);
        answer.ok_or_else(|| TransportError { reason: "nobody answers".to_owned() })
    }
}
