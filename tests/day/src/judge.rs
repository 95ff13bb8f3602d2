//! What was promised of a day, compared with what was seen of it.
//!
//! | promise | how it is judged |
//! |---|---|
//! | no unit is sold twice by us | the invariants I1 to I4 over everything stored, again and again; at the end also I5, and by SKU: received = free + sold at the own store, as its shoppers were answered, + sold at marketplaces, as these know it, − shortfall |
//! | a marketplace's order is recorded once | each order of each marketplace against its records; and no record without an order |
//! | a shortfall has a cause | [`crate::cause`] |
//! | what is shown is right again after the storm | by the marketplaces' own numbers, within the longest poll interval of the last change |
//! | eBay's listings are revised at most 250 times a day | as eBay counts |

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use domain::{
    audit::Audit,
    ids::ReservationId,
    reservation::{Reservation, Status},
    sale::SaleKey,
};
use http::{Response, testing::Sample};
use marketplaces::market::Order;
use serde_json::Value;
use tokio::time::sleep;

use crate::{
    cause::{Cause, cause},
    functions::Functions,
    ledger::Ledger,
    plan::{Millis, Place, sku_name, sku_number},
    run::{Approach, Stored, audit, clock},
};

/// The longest time between two pulls of a channel: Amazon's.
pub const LONGEST_POLL_MS: Millis = 180_000;

/// Source: eBay, Inventory API, `bulkUpdatePriceQuantity`.
const EBAY_REVISIONS: u32 = 250;

/// From one look at what is shown to the next.
const LOOK: Duration = Duration::from_secs(5);

/// What is wrong, and what is known so far.
#[derive(Debug, Default)]
pub struct Judged {
    broken: Vec<String>,
    /// How long after the last change everything was shown as it should be; nothing: never.
    settled_after: Option<Millis>,
}

/// What a day came to.
#[derive(Debug, Clone)]
pub struct Judgement {
    /// Under which approach.
    pub approach: Approach,
    /// Promises that were broken.
    pub broken: Vec<String>,
    /// Orders of the own store and of marketplaces, and units of all.
    pub orders: (u64, u64, u64),
    /// From an order at a marketplace until it was recorded, in milliseconds.
    pub heard: Vec<Millis>,
    /// From a change until another marketplace showed a number that knew of it, in milliseconds.
    pub synced: Vec<Millis>,
    /// Shortfalls, with their causes.
    pub shortfalls: Vec<Shortfall>,
    /// Shoppers who found too little, the units that they wanted, and those of them that were there, but not for them.
    pub refused: (u64, u64, u64),
    /// Units that nobody has at the end, of SKUs of which somebody was turned away.
    pub left: u64,
    /// Numbers that marketplaces took.
    pub pushes: u64,
    /// The most of one listing in a day, by marketplace.
    pub most_pushes: BTreeMap<Place, u32>,
    /// Deliveries of webhooks: sent, lost, sent twice.
    pub webhooks: [u64; 3],
    /// How long after the last change everything was shown as it should be.
    pub settled_after: Option<Millis>,
    /// Requests to DynamoDB and SQS.
    pub requests: u64,
}

/// A shortfall, and why.
#[derive(Debug, Clone)]
pub struct Shortfall {
    /// Which SKU, where, and which order.
    pub what: String,
    /// Units that nobody had.
    pub missing: u64,
    /// How that came.
    pub cause: Cause,
}

impl Judged {
    /// Takes down an answer that should have been another.
    pub fn expect(&mut self, status: u16, answer: &Response) {
        if answer.status() != status {
            self.broken.push(format!("answered {} instead of {status}: {}", answer.status(), answer.body()));
        }
    }

    /// Takes down what audits have found.
    pub fn audits(&mut self, broken: Vec<String>) {
        self.broken.extend(broken);
    }

    /// Before the first shopper every marketplace shows what there is.
    pub async fn everything_is_shown(&mut self, functions: &Functions, approach: Approach) {
        let wrong = wrong_listings(functions, approach).await;
        if let Some(first) = wrong.first() {
            self.broken.push(format!("{} listings are wrong before the day begins: {first}", wrong.len()));
        }
    }

    /// Waits until everything is over, and takes down when what is shown came to rest.
    pub async fn watch_until_quiet(&mut self, functions: &Functions, approach: Approach, evening: Duration) {
        let looks = evening.as_secs() / LOOK.as_secs();
        let mut right_since = None;
        for _ in 0..looks {
            sleep(LOOK).await;
            let cloud = functions.cloud.lock();
            let last = |history: &[(Millis, u64)]| history.last().map(|(_, units)| *units);
            let is_right = Place::MARKETS.into_iter().all(|place| {
                (0..cloud.day.plan.skus).all(|sku| {
                    let shown = cloud.ledger.shown.get(&(place, sku)).and_then(|shown| last(shown));
                    let there = last(cloud.ledger.pool((place, sku)));
                    // A buffer shrinks with the hour's sales, long after the last of them: then what is shown is right as soon as it is not too much.
                    if approach == Approach::Unified { shown <= there } else { shown == there }
                })
            });
            right_since = if is_right { right_since.or(Some(cloud.now())) } else { None };
        }
        let last = functions.cloud.lock().ledger.free.values().filter_map(|free| free.last()).map(|(at, _)| *at).max();
        self.settled_after = right_since.zip(last).map(|(since, last)| since.saturating_sub(last));
        let wrong = wrong_listings(functions, approach).await;
        if let Some(first) = wrong.first() {
            self.broken.push(format!("{} listings are wrong in the evening: {first}", wrong.len()));
        }
        match self.settled_after {
            Some(after) if after <= LONGEST_POLL_MS => {}
            other => self.broken.push(format!("what is shown is right {other:?} ms after the last change")),
        }
    }

    /// Judges everything else.
    #[must_use]
    pub fn judge(mut self, functions: &Functions, approach: Approach) -> Judgement {
        let cloud = functions.cloud.lock();
        let (Stored { audit, sales }, broken) = audit(&cloud, true);
        self.broken.extend(broken);
        self.broken.extend(cloud.ledger.surprises.iter().cloned());
        drop(cloud);
        let mut sold: BTreeMap<usize, u64> = BTreeMap::new();
        let (mut market_orders, mut pushes, mut most_pushes, mut known) = (0, 0, BTreeMap::new(), BTreeSet::new());
        for place in Place::MARKETS {
            let market = functions.vendors.at(place, |market| market.clone());
            for order in market.orders.values() {
                market_orders += 1;
                self.recorded_once(functions, &audit, place, order, &mut known);
                for line in &order.lines {
                    *sold.entry(sku_number(&line.sku).unwrap_or_default()).or_default() +=
                        line.quantity - line.canceled;
                }
            }
            pushes += market.pushes.len() as u64;
            let most = market.listings.values().flat_map(|listing| listing.revisions.values()).copied().max();
            most_pushes.insert(place, most.unwrap_or(0));
        }
        let strangers = sales.iter().filter(|id| !known.contains(*id));
        self.broken.extend(strangers.map(|id| format!("{id} records an order that no marketplace has")));
        if most_pushes[&Place::Ebay] > EBAY_REVISIONS {
            self.broken.push(format!("a listing of eBay's was revised {} times in a day", most_pushes[&Place::Ebay]));
        }
        let cloud = functions.cloud.lock();
        self.units(&cloud.ledger, &cloud.day.shelf, &audit, sold);
        let shortfalls: Vec<Shortfall> = self.shortfalls(&cloud.ledger, &cloud.day);
        let ledger = &cloud.ledger;
        let own_units: u64 = ledger.own.iter().map(|(_, _, units)| units).sum();
        let market_units: u64 = ledger.taken.values().map(|taken| taken.units).sum();
        let turned_away = ledger.turned_away.iter();
        Judgement {
            approach,
            broken: self.broken,
            orders: (ledger.own.len() as u64, market_orders, own_units + market_units),
            heard: sorted(&ledger.heard),
            synced: sorted(&ledger.synced),
            shortfalls,
            refused: (ledger.refused.0, ledger.refused.1, ledger.idle),
            left: turned_away.map(|sku| ledger.free_anywhere(*sku)).sum(),
            pushes,
            most_pushes,
            webhooks: ledger.webhooks,
            settled_after: self.settled_after,
            requests: cloud.requests,
        }
    }

    fn recorded_once(
        &mut self,
        functions: &Functions,
        audit: &Audit,
        place: Place,
        order: &Order,
        known: &mut BTreeSet<ReservationId>,
    ) {
        for line in &order.lines {
            let key = SaleKey {
                channel: place.name().parse().expect("a channel's name"),
                order: order.id.parse().expect("an order's id"),
                line: line.id.parse().expect("a line's id"),
            };
            let chain = chain(audit, &ReservationId::of_sale(&key));
            known.extend(chain.iter().map(|record| record.id.clone()));
            let sold = chain.iter().filter(|record| matches!(record.status, Status::Confirmed { .. })).count();
            let is_canceled = line.canceled == line.quantity;
            let wrong = match chain.last() {
                None => Some("is not recorded".to_owned()),
                Some(_) if sold > 1 => Some(format!("is sold {sold} times")),
                Some(record) => match record.status {
                    Status::Canceled { .. } if is_canceled => None,
                    Status::Confirmed { .. } => {
                        let units: u64 = record.lines.iter().map(|line| line.quantity.units()).sum();
                        let back = returned(&functions.cloud.lock().table, &record.id);
                        (units != line.quantity || back != line.canceled)
                            .then(|| format!("is recorded with {units} units of which {back} came back"))
                    }
                    _ => Some(format!("is recorded as {:?}", record.status)),
                },
            };
            if let Some(wrong) = wrong {
                self.broken.push(format!("order {} of {}, {line:?}, {wrong}", order.id, place.name()));
            }
        }
    }

    /// Every unit that was received is where the two sides of the counter say it is.
    fn units(&mut self, ledger: &Ledger, received: &[u64], audit: &Audit, mut sold: BTreeMap<usize, u64>) {
        for (id, sku, units) in &ledger.own {
            *sold.entry(*sku).or_default() += units;
            let record = id.parse().ok().and_then(|id| audit.get(&id));
            if !record.is_some_and(|record| matches!(record.status, Status::Confirmed { .. })) {
                self.broken.push(format!("{id} was answered as sold, and is recorded as {record:?}"));
            }
        }
        let mut owed: BTreeMap<usize, u64> = BTreeMap::new();
        for (id, bucket) in audit.buckets() {
            let sku = sku_number(id.stock.sku.as_str()).unwrap_or_default();
            *owed.entry(sku).or_default() += bucket.home().map_or(0, |home| home.shortfall);
        }
        for (sku, received) in received.iter().enumerate() {
            let sold = sold.get(&sku).copied().unwrap_or(0);
            let (free, owed) = (ledger.free_anywhere(sku), owed.get(&sku).copied().unwrap_or(0));
            if received + owed != free + sold {
                let held = audit.buckets().filter(|(id, _)| sku_number(id.stock.sku.as_str()) == Some(sku));
                let held: Vec<_> =
                    held.flat_map(|(_, bucket)| &bucket.holds).map(|(id, hold)| (id, hold, audit.get(id))).collect();
                let sku = sku_name(sku);
                self.broken.push(format!(
                    "{sku}: {received} received and {owed} owed, but {free} free, {sold} sold and held: {held:?}"
                ));
            }
        }
    }

    fn shortfalls(&mut self, ledger: &Ledger, day: &crate::plan::Day) -> Vec<Shortfall> {
        let mut shortfalls = Vec::new();
        for forced in &ledger.forced {
            let taken = ledger.taken[&(forced.place, forced.order.clone())];
            let cause = cause(ledger, day, forced, taken);
            let what = format!("{} at {}, order {}", sku_name(taken.sku), forced.place.name(), forced.order);
            if cause.is_none() {
                let (taken_at, at) = (clock(taken.at), clock(forced.at));
                self.broken
                    .push(format!("{what}: {} short without a cause: taken {taken_at}, recorded {at}", forced.missing));
            }
            shortfalls.extend(cause.map(|cause| Shortfall { what, missing: forced.missing, cause }));
        }
        shortfalls
    }
}

/// Listings that show something else than Holdfast says they should, or of which it says something else than there is.
async fn wrong_listings(functions: &Functions, approach: Approach) -> Vec<String> {
    let mut wrong = Vec::new();
    for place in Place::MARKETS {
        let mut query = "limit=100".to_owned();
        loop {
            let sample = Sample::new("GET /v1/channels/{channel}/status").path("channel", place.name()).query(&query);
            let page: Value = serde_json::from_str(functions.call(sample).await.body()).unwrap_or_default();
            let cloud = functions.cloud.lock();
            for item in page["items"].as_array().into_iter().flatten() {
                let Some(sku) = item["sku"].as_str().and_then(sku_number) else { continue };
                let shown =
                    cloud.ledger.shown.get(&(place, sku)).and_then(|shown| shown.last()).map(|(_, units)| *units);
                let there = cloud.ledger.pool((place, sku)).last().map(|(_, units)| *units);
                let is_right = item["quantity"].as_u64() == shown && item["available"].as_u64() == there;
                // Without a buffer all is shown that there is.
                if !is_right || approach != Approach::Unified && shown != there {
                    wrong.push(format!("{} shows {shown:?} of {there:?}: {item}", place.name()));
                }
            }
            match page["next_cursor"].as_str() {
                Some(cursor) => query = format!("limit=100&cursor={cursor}"),
                None => break,
            }
        }
    }
    wrong
}

/// The records of a line: the first, and what took over from it.
fn chain<'a>(audit: &'a Audit, first: &ReservationId) -> Vec<&'a Reservation> {
    let mut chain: Vec<&Reservation> = audit.get(first).into_iter().collect();
    while let Some(Status::Expired { successor: Some(next) }) = chain.last().map(|record| &record.status) {
        let Some(record) = audit.get(next) else { break };
        chain.push(record);
    }
    chain
}

fn returned(table: &holdfast_simulation::table::Table, id: &ReservationId) -> u64 {
    let item = table.get(&format!("B#{id}"));
    item.and_then(|item| item.get("returned")?["N"].as_str()?.parse().ok()).unwrap_or(0)
}

fn sorted(times: &[Millis]) -> Vec<Millis> {
    let mut times = times.to_vec();
    times.sort_unstable();
    times
}
