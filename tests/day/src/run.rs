//! One day under one approach, from the empty table to the last hold that ends.

use std::time::Duration;

use domain::{audit::Audit, ids::ReservationId};
use holdfast_simulation::item::sdk_item;
use http::testing::Sample;
use serde_json::json;
use store::StoredItem;
use tokio::{task::LocalSet, time::sleep};

use crate::{
    cloud::{Cloud, Shared},
    functions::Functions,
    judge::{Judged, Judgement},
    plan::{Day, MORNING_MS, Millis, Place, sku_name},
    vendors::Vendors,
};

/// After the last shopper everybody pays or gives up, units held for sales in flight come back (half an hour), and all holds end.
const EVENING: Duration = Duration::from_mins(75);

/// How often the invariants are checked over everything that is stored, in a day.
const AUDITS: u64 = 12;

/// How a merchant may keep channels from selling the same unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Approach {
    /// One stock; every channel is asked and told once a minute (Amazon is asked every three).
    Polling,
    /// One stock; orders come by webhook, numbers go out by queue as soon as something changes; pulls find what is lost.
    Webhooks,
    /// Each channel has a stock of its own, by the shares that the merchant knows; told and heard as above.
    Quotas,
    /// One stock, webhooks and queue, and of each SKU a channel is never shown as many units as sell while a number is on its way.
    Unified,
}

impl Approach {
    /// All of them, in the order of the table.
    pub const ALL: [Self; 4] = [Self::Polling, Self::Webhooks, Self::Quotas, Self::Unified];

    /// What people call it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Polling => "polling",
            Self::Webhooks => "webhook + queue",
            Self::Quotas => "buffer (quotas)",
            Self::Unified => "unified",
        }
    }

    /// Its name in one word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Polling => "polling",
            Self::Webhooks => "webhooks",
            Self::Quotas => "quotas",
            Self::Unified => "unified",
        }
    }

    /// Whether channels tell of their orders.
    #[must_use]
    pub const fn hears(self) -> bool {
        !matches!(self, Self::Polling)
    }
}

/// Runs a day.
///
/// # Panics
/// Never: a runtime without input and output can always be made.
#[must_use]
pub fn run(day: &Day, approach: Approach) -> Judgement {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.expect("a runtime without input and output can always be made");
    // What still waits is dropped with the runtime.
    runtime.block_on(LocalSet::new().run_until(live(day, approach)))
}

async fn live(day: &Day, approach: Approach) -> Judgement {
    let cloud = Shared::new(day);
    let vendors = Vendors::open(&cloud, day.plan.skus);
    let functions = Functions::start(&cloud, &vendors);
    let mut judged = Judged::default();
    functions.run();
    tokio::task::spawn_local(vendors.clone().apply());
    functions.open(day, approach, &mut judged).await;
    cloud.until(MORNING_MS).await;
    judged.everything_is_shown(&functions, approach).await;
    let audits = functions.clone();
    let audits = tokio::task::spawn_local(async move { audits.audit_again_and_again().await });
    tokio::task::spawn_local(functions.clone().tell_the_hour(approach));
    functions.shoppers(approach).await;
    cloud.until(day.plan.ends_ms()).await;
    judged.audits(audits.await.unwrap_or_else(|broken| vec![broken.to_string()]));
    judged.watch_until_quiet(&functions, approach, EVENING).await;
    judged.judge(&functions, approach)
}

impl Functions {
    /// Puts everything on the shelf, and lists it everywhere.
    async fn open(&self, day: &Day, approach: Approach, judged: &mut Judged) {
        let sync = if approach == Approach::Polling { "on-poll" } else { "on-change" };
        for side in self.vendors.sides() {
            let mut settings = side.settings();
            settings["sync"] = json!(sync);
            if approach == Approach::Unified {
                settings["buffer"] = json!({ "from_speed": { "floor": 0 } });
            }
            let sample = Sample::new("PUT /v1/channels/{channel}").path("channel", side.place.name());
            judged.expect(201, &self.call(sample.body(&settings.to_string())).await);
        }
        for (number, units) in day.shelf.iter().enumerate() {
            let sku = sku_name(number);
            for (channel, units) in shares(approach, *units) {
                self.stock(&sku, channel, units, judged).await;
            }
            for side in self.vendors.sides() {
                let remote: serde_json::Map<_, _> =
                    side.remote(&sku).into_iter().map(|(name, id)| (name.to_owned(), json!(id))).collect();
                let sample = Sample::new("PUT /v1/channels/{channel}/listings/{sku}");
                let sample = sample.path("channel", side.place.name()).path("sku", &sku);
                judged.expect(201, &self.call(sample.body(&json!({ "remote": remote }).to_string())).await);
            }
        }
    }

    async fn stock(&self, sku: &str, channel: &str, units: u64, judged: &mut Judged) {
        let query = format!("channel={channel}");
        let create = Sample::new("PUT /v1/stock/{sku}").path("sku", sku).query(&query).body("{}");
        judged.expect(201, &self.call(create).await);
        if units > 0 {
            let body = json!({ "kind": "receive", "quantity": units, "reason": "the day begins" }).to_string();
            let receive = Sample::new("POST /v1/stock/{sku}/movements").path("sku", sku).query(&query);
            let key = format!("{sku}-{channel}");
            judged.expect(201, &self.call(receive.header("Idempotency-Key", &key).body(&body)).await);
        }
    }

    /// A whole day takes minutes: somebody may want to know how far it is.
    async fn tell_the_hour(self, approach: Approach) {
        loop {
            {
                let cloud = self.cloud.lock();
                let (orders, short) = (cloud.ledger.taken.len() + cloud.ledger.own.len(), cloud.ledger.forced.len());
                eprintln!("{} {}: {orders} orders, {short} short", clock(cloud.now()), approach.name());
            }
            sleep(Duration::from_hours(1)).await;
        }
    }

    async fn audit_again_and_again(&self) -> Vec<String> {
        let hours = self.cloud.lock().day.plan.hours;
        let mut broken = Vec::new();
        for _ in 1..AUDITS {
            sleep(Duration::from_millis(hours * 3_600_000 / AUDITS)).await;
            broken.extend(audit(&self.cloud.lock(), false).1);
        }
        broken
    }
}

/// What of a SKU's units is where.
fn shares(approach: Approach, units: u64) -> Vec<(&'static str, u64)> {
    if approach != Approach::Quotas {
        return vec![("shared", units)];
    }
    let mut left = units;
    let markets: Vec<(&str, u64)> = Place::MARKETS
        .into_iter()
        .map(|place| {
            let share = units * place.share_percent() / 100;
            left -= share;
            (place.name(), share)
        })
        .collect();
    [(Place::Own.name(), left)].into_iter().chain(markets).collect()
}

/// Everything that is stored.
pub struct Stored {
    /// As the audit has it.
    pub audit: Audit,
    /// Records of marketplaces' lines.
    pub sales: Vec<ReservationId>,
}

/// Everything that is stored, and what is wrong with it.
#[must_use]
pub fn audit(cloud: &Cloud, at_rest: bool) -> (Stored, Vec<String>) {
    let (mut audit, mut sales) = (Audit::default(), Vec::new());
    let mut broken = Vec::new();
    for (key, item) in cloud.table.items() {
        match store::decode(&sdk_item(item)) {
            Ok(Some(StoredItem::Bucket(id, bucket))) => audit.bucket(id, bucket),
            Ok(Some(StoredItem::Reservation(record))) => {
                sales.extend(record.line.is_some().then(|| record.id.clone()));
                audit.reservation(record);
            }
            Ok(Some(StoredItem::Movement(movement))) => audit.movement(&movement),
            Ok(Some(StoredItem::PurchaseOrder(order))) => audit.purchase_order(*order),
            Ok(Some(StoredItem::OnOrder(sku, on_order))) => audit.on_order(sku, on_order),
            Ok(None) => {}
            Err(fault) => broken.push(format!("{key} is malformed: {fault}")),
        }
    }
    let report = audit.report(cloud.time(), at_rest);
    broken.extend(report.violations.iter().map(ToString::to_string));
    (Stored { audit, sales }, broken)
}

/// A moment of the day, as a person reads it.
#[must_use]
pub fn clock(at: Millis) -> String {
    let (sign, ms) = if at < MORNING_MS { ("-", MORNING_MS - at) } else { ("", at - MORNING_MS) };
    let seconds = ms / 1_000;
    format!("{sign}{:02}:{:02}:{:02}.{:03}", seconds / 3_600, seconds / 60 % 60, seconds % 60, ms % 1_000)
}
