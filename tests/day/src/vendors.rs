//! The marketplaces behind the connectors' transport: they take their time, throttle, lose answers, apply what they have accepted later,
//! are down for an hour; and meanwhile sell from the number that they show.

use std::{
    ops::Range,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use channels::{
    Credentials, Transport, TransportError,
    transport::{Request, Response},
};
use domain::sale::Stage;
use marketplaces::{
    amazon::AmazonFace,
    ebay::EbayFace,
    face::Face,
    market::Market,
    walmart::{SHIP_NODE, SIGNATURE_HEADER, WalmartFace},
};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::{
    cloud::Shared,
    ledger::Taken,
    plan::{Place, Wish, sku_name, sku_number},
};

/// The last number of a marketplace that applies late is shown this many seconds after it was accepted, at most.
pub const LATEST_APPLIED_SECONDS: u64 = 90;

/// One marketplace.
pub struct Side {
    /// Which.
    pub place: Place,
    /// How it speaks.
    pub face: Box<dyn Face>,
    market: Mutex<Market>,
    /// How late it applies a number, in seconds.
    applies_after: Range<u64>,
}

/// All of them. Clones are the same ones.
#[derive(Clone)]
pub struct Vendors {
    sides: Arc<[Side; 3]>,
    cloud: Shared,
}

/// What becomes of a call.
#[derive(PartialEq, Eq)]
enum Fate {
    Fine,
    Throttled,
    AnswerLost,
}

impl Side {
    /// What Holdfast must know to sell there.
    #[must_use]
    pub fn settings(&self) -> Value {
        let endpoint = format!("https://{}.day", self.place.name());
        let face = AmazonFace::default();
        let options = match self.place {
            Place::Amazon => json!({
                "seller_id": face.seller_id, "marketplace_id": face.marketplace_id,
                "token_endpoint": format!("{endpoint}/auth/o2/token"),
            }),
            Place::Walmart => json!({ "signature_header": SIGNATURE_HEADER, "ship_node": SHIP_NODE }),
            Place::Ebay | Place::Own => json!({}),
        };
        json!({ "kind": self.place.name(), "endpoint": endpoint, "options": options })
    }

    /// Its secrets.
    #[must_use]
    pub fn credentials(&self) -> Credentials {
        let face = AmazonFace::default();
        match self.place {
            Place::Ebay => EbayFace::credentials(),
            Place::Walmart => WalmartFace::credentials(),
            Place::Amazon | Place::Own => Credentials::from([
                ("client_id", face.client_id.as_str()),
                ("client_secret", face.client_secret.as_str()),
                ("refresh_token", face.refresh_token.as_str()),
            ]),
        }
    }

    /// Its ids of a listing.
    #[must_use]
    pub fn remote(&self, sku: &str) -> Vec<(&'static str, String)> {
        match self.place {
            Place::Ebay => vec![("offer_id", format!("offer-{sku}"))],
            Place::Amazon => vec![("fulfillment_channel", "DEFAULT".to_owned())],
            Place::Walmart | Place::Own => Vec::new(),
        }
    }
}

impl Vendors {
    /// Each with a listing of every SKU.
    #[must_use]
    pub fn open(cloud: &Shared, skus: usize) -> Self {
        let side = |place, face: Box<dyn Face>, applies_after| {
            let side = Side { place, face, market: Mutex::default(), applies_after };
            for sku in (0..skus).map(sku_name) {
                let remote = side.remote(&sku);
                let remote: Vec<(&str, &str)> = remote.iter().map(|(name, id)| (*name, id.as_str())).collect();
                lock(&side.market).list(&sku, &remote);
            }
            side
        };
        let sides = [
            side(Place::Amazon, Box::<AmazonFace>::default(), 5..LATEST_APPLIED_SECONDS + 1),
            side(Place::Ebay, Box::new(EbayFace), 0..4),
            side(Place::Walmart, Box::<WalmartFace>::default(), 1..31),
        ];
        Self { sides: Arc::new(sides), cloud: cloud.clone() }
    }

    /// All of them.
    pub fn sides(&self) -> impl Iterator<Item = &Side> {
        self.sides.iter()
    }

    /// The marketplace of this name.
    ///
    /// # Panics
    /// The own store is none.
    #[must_use]
    pub fn side(&self, place: Place) -> &Side {
        self.sides.iter().find(|side| side.place == place).expect("a marketplace")
    }

    /// Does something at a marketplace as of now; what shoppers see there is taken down before and afterwards.
    pub fn at<T>(&self, place: Place, act: impl FnOnce(&mut Market) -> T) -> T {
        let mut cloud = self.cloud.lock();
        let (now, time) = (cloud.now(), cloud.time());
        let mut market = lock(&self.side(place).market);
        market.advance(time);
        cloud.ledger.look(now, place, &market);
        let before = market.pushes.len();
        let done = act(&mut market);
        for (_, sku, _) in &market.pushes[before..] {
            cloud.ledger.pushed((place, sku_number(sku).unwrap_or_default()));
        }
        cloud.ledger.look(now, place, &market);
        done
    }

    /// A shopper orders at a marketplace what is shown there, or is turned away. The order's id.
    #[must_use]
    pub fn sell(&self, number: usize, wish: Wish, stage: Stage) -> Option<String> {
        let (sku, id) = (sku_name(wish.sku), order_id(wish.place, number));
        let (shown, sold) = self.at(wish.place, |market| {
            let shown = market.listings[&sku].shown;
            (shown, market.sell(&id, &[(&sku, wish.units)], stage))
        });
        let mut cloud = self.cloud.lock();
        let Some(id) = sold else {
            cloud.ledger.refuse(wish.sku, wish.units);
            return None;
        };
        let at = cloud.now();
        cloud.ledger.take(wish.place, &id, Taken { at, sku: wish.sku, units: wish.units, shown });
        Some(id)
    }

    /// What was accepted is applied when it is time, whether or not anybody looks.
    pub async fn apply(self) {
        loop {
            sleep(Duration::from_secs(1)).await;
            for place in Place::MARKETS {
                self.at(place, |_| ());
            }
        }
    }

    fn fate(&self) -> (Fate, Duration, Duration) {
        let mut cloud = self.cloud.lock();
        let there = if cloud.happens(10) { cloud.millis(1_000..4_000) } else { cloud.millis(40..250) };
        let back = cloud.millis(10..60);
        let fate = match cloud.rng.u32(0..1_000) {
            0..3 => Fate::Throttled,
            3..6 => Fate::AnswerLost,
            _ => Fate::Fine,
        };
        (fate, there, back)
    }
}

/// As each vendor writes them.
fn order_id(place: Place, number: usize) -> String {
    match place {
        Place::Amazon => format!("902-{:07}-{:07}", number / 10_000_000, number % 10_000_000),
        Place::Ebay => format!("12-{:05}-{:05}", number / 100_000, number % 100_000),
        Place::Walmart | Place::Own => format!("{:013}", 1_796_000_000_000 + number as u64),
    }
}

#[async_trait]
impl Transport for Vendors {
    async fn send(&self, request: Request) -> Result<Response, TransportError> {
        let nobody = || TransportError { reason: "nobody answers".to_owned() };
        let place = request.uri().host().and_then(|host| host.split('.').next()).and_then(Place::named);
        let place = place.ok_or_else(nobody)?;
        let side = self.side(place);
        let (fate, there, back) = self.fate();
        sleep(there).await;
        let is_down = {
            let cloud = self.cloud.lock();
            cloud.day.is_down(place, cloud.now())
        };
        if is_down {
            sleep(Duration::from_secs(2)).await;
            return Err(nobody());
        }
        if fate == Fate::Throttled {
            return Ok(side.face.throttled());
        }
        let late = self.cloud.lock().rng.u64(side.applies_after.clone());
        let response = self.at(place, |market| {
            market.faults.apply_after_seconds = late;
            side.face.answer(market, &request)
        });
        if fate == Fate::AnswerLost {
            sleep(Duration::from_secs(10)).await;
            return Err(TransportError { reason: "the answer was lost".to_owned() });
        }
        sleep(back).await;
        Ok(response)
    }
}

fn lock(market: &Mutex<Market>) -> MutexGuard<'_, Market> {
    // A run in which something has panicked is over.
    market.lock().unwrap_or_else(PoisonError::into_inner)
}
