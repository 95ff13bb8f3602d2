//! Merchants who divide what there is among channels: by quotas, by transfers and by a rule; several at once, and after the same look.
//!
//! That no unit appears or vanishes is the invariants' business. Beside them:
//!
//! | must be so | looked at |
//! |---|---|
//! | an order owns units of its own channel, or shared ones; and none of these where its channel has its own and may not borrow | whenever a record changes |
//! | a channel that is brought to its number has exactly so many unsold units, but for those sold since the merchant asked; and sells from the shared stock only if that was the wish | in the very transaction |
//! | a transfer that was answered left one channel once and reached the other once | once all is quiet |

use std::collections::BTreeMap;

use domain::{
    bucket::StockId,
    ids::Channel,
    reservation::{Reservation, Status},
};
use http::testing::Sample;
use serde_json::json;
use tokio::time::sleep;

use crate::{SKUS, frailty::Manner, function::Functions, table::Change, world::World};

/// Among which channels is divided.
const CHANNELS: [&str; 4] = ["own", "amazon", "ebay", "store"];

/// The only SKU of which everything is shared from time to time.
const UNIFIED: &str = SKUS[1];

/// How often a merchant divides.
const TURNS: usize = 8;

/// When merchants divide the same SKU at the same time.
const MEETING_SECONDS: u64 = 300;

/// What a merchant wants the quotas to be, and what each channel had sold when he asked.
#[derive(Debug, Clone)]
pub struct Division {
    sku: String,
    /// None at all: everything is to be shared.
    numbers: BTreeMap<String, u64>,
    sold: BTreeMap<String, u64>,
}

/// A transfer that was answered.
#[derive(Debug, Clone)]
pub struct Transferred {
    reason: String,
    units: u64,
}

impl Functions {
    /// A channel more, with units of its own, and a rule.
    pub async fn open_channels(&self) {
        for sku in [SKUS[0], SKUS[2]] {
            self.stock_in(sku, "store", 6).await;
        }
        for (sku, weights) in
            [(SKUS[0], json!({ "own": 2, "amazon": 1, "store": 1 })), (SKUS[1], json!("recent_sales"))]
        {
            let rule = json!({ "weights": weights, "trigger_below": 3 }).to_string();
            let sample = Sample::new("PUT /v1/stock/{sku}/redistribution").path("sku", sku).body(&rule);
            drop(self.insist(sample).await);
        }
    }

    /// A merchant's day. He divides at times when others do, too, and there are shoppers in the channels.
    ///
    /// # Panics
    /// Never: the names of the channels are names of channels.
    pub async fn divider(self, number: usize) {
        for turn in 0..TURNS {
            let (wait, what, sku) = {
                let mut world = self.world();
                let meeting = world.elapsed() / MEETING_SECONDS + 1;
                let (wait, choice) = if world.dice.u32(0..3) == 0 {
                    (world.dice.u64(1_000..400_000), world.dice.usize(0..5))
                } else {
                    let until = meeting * MEETING_SECONDS - world.elapsed();
                    (until * 1_000 + world.dice.u64(0..20), usize::try_from(meeting % 5).unwrap_or(0))
                };
                let sku = SKUS[[0, 0, 1, 1, 2][choice]];
                (wait, world.dice.u32(0..12), sku)
            };
            sleep(std::time::Duration::from_millis(wait)).await;
            let name = format!("{number}-{turn}");
            match what {
                0..=5 => self.divide(sku, &name).await,
                6 => self.unify(&name).await,
                7..=8 => self.transfer(sku, &name).await,
                9 => {
                    let run = Sample::new("POST /v1/stock/{sku}/redistribution/run").path("sku", sku);
                    drop(self.insist(run.header("Idempotency-Key", &format!("run-{name}"))).await);
                }
                _ => {
                    let channel = {
                        let mut world = self.world();
                        CHANNELS[world.dice.usize(1..CHANNELS.len())]
                    };
                    self.sell_in(&channel.parse().expect("a channel"), &format!("divider-{name}")).await;
                }
            }
        }
    }

    /// Brings some channels to numbers: to others of the same sum, or to any.
    async fn divide(&self, sku: &str, name: &str) {
        let numbers: BTreeMap<String, u64> = {
            let mut world = self.world();
            let count = world.dice.usize(1..=3);
            let chosen = world.dice.choose_multiple(CHANNELS, count);
            let mut left: u64 = chosen.iter().map(|channel| world.units(sku, channel).0.max(0).unsigned_abs()).sum();
            let keeps_the_sum = world.dice.bool();
            let last = chosen.len() - 1;
            let number = |(n, channel): (usize, &str)| {
                let number = match (keeps_the_sum, n == last) {
                    (false, _) => world.dice.u64(0..12),
                    (true, true) => left,
                    (true, false) => world.dice.u64(0..=left),
                };
                left = left.saturating_sub(number);
                (channel.to_owned(), number)
            };
            chosen.into_iter().enumerate().map(number).collect()
        };
        self.put_quotas(sku, name, numbers).await;
    }

    async fn unify(&self, name: &str) {
        self.put_quotas(UNIFIED, name, BTreeMap::new()).await;
    }

    async fn put_quotas(&self, sku: &str, name: &str, numbers: BTreeMap<String, u64>) {
        let reason = format!("division {name}");
        let asked = json!({ "channels": numbers, "reason": reason }).to_string();
        {
            let mut world = self.world();
            let sold = numbers.keys().map(|channel| (channel.clone(), world.units(sku, channel).1)).collect();
            world.divisions.insert(reason, Division { sku: sku.to_owned(), numbers, sold });
        }
        let sample = Sample::new("PUT /v1/stock/{sku}/quotas").path("sku", sku).body(&asked);
        self.ask_in_vain(&sample).await;
        drop(self.insist(sample).await);
    }

    /// As likely as not somebody asks who gets no answer in time: the function stands still between what it sees and what it writes.
    async fn ask_in_vain(&self, sample: &Sample) {
        let is_asked = self.world().dice.bool();
        if is_asked {
            drop(self.call_in(Manner::HesitatesAnywhere, sample.clone()).await);
        }
    }

    async fn transfer(&self, sku: &str, name: &str) {
        let (from, to, units) = {
            let mut world = self.world();
            let mut ends = world.dice.choose_multiple(CHANNELS.into_iter().chain(["shared"]), 2);
            world.dice.shuffle(&mut ends);
            (ends[0], ends[1], world.dice.u64(1..=4))
        };
        let (key, reason) = (format!("transfer-{name}"), format!("transfer {name}"));
        let asked = json!({ "from": from, "to": to, "quantity": units, "reason": reason }).to_string();
        let sample = Sample::new("POST /v1/stock/{sku}/transfers").path("sku", sku).header("Idempotency-Key", &key);
        let sample = sample.body(&asked);
        self.ask_in_vain(&sample).await;
        let Some(answer) = self.insist(sample.clone()).await else { return };
        if answer.status() == 201 {
            self.world().transfers.push(Transferred { reason, units });
            let again = self.world().dice.u32(0..4) == 0;
            if again {
                drop(self.insist(sample).await);
            }
        }
    }
}

impl World {
    /// The unsold units of a SKU in a channel, less those that are missing, and the sold ones.
    fn units(&self, sku: &str, channel: &str) -> (i64, u64) {
        let (mut unsold, mut sold) = (0, 0);
        let own = |stock: &StockId| stock.sku.as_str() == sku && stock.channel.as_str() == channel;
        for (id, bucket) in self.audit.buckets().filter(|(id, _)| own(&id.stock)) {
            unsold += bucket.free.cast_signed() - bucket.home().map_or(0, |home| home.shortfall).cast_signed();
            sold += bucket.sold;
            for (owner, hold) in &bucket.holds {
                let units = hold.quantity.units();
                let record = self.audit.get(owner).filter(|record| matches!(record.status, Status::Confirmed { .. }));
                match record {
                    Some(record) if record.names(id, hold) => sold += units,
                    _ => unsold += units.cast_signed(),
                }
            }
        }
        (unsold, sold)
    }

    /// The units that nobody holds and that the shop's own channel may sell: its own, and the shared ones once it has given its quota up.
    pub(crate) fn free_in_the_shop(&self, sku: &str) -> u64 {
        let of = |channel: &Channel| {
            let own = |stock: &StockId| stock.sku.as_str() == sku && stock.channel == *channel;
            self.audit.buckets().filter(move |(id, _)| own(&id.stock)).map(|(_, bucket)| bucket).collect::<Vec<_>>()
        };
        let shop = of(&Channel::own());
        let joined = shop.iter().any(|bucket| bucket.home().is_some_and(|home| home.joined));
        let shared = if joined { of(&Channel::shared()) } else { Vec::new() };
        shop.into_iter().chain(shared).map(|bucket| bucket.free).sum()
    }

    /// Whether an order owns what its channel may sell.
    pub(crate) fn check_channel(&mut self, record: &Reservation) {
        let sells = |stock: &StockId| {
            let shared = stock.channel.is_shared();
            // Its home is there from the beginning, and it has no leave to borrow.
            let bound = record.channel == Channel::own() && stock.sku.as_str() != UNIFIED;
            stock.channel == record.channel || (shared && !bound)
        };
        let foreign = record.allocations.iter().find(|own| !sells(&own.bucket.stock));
        if let Some(foreign) = foreign {
            let (id, channel) = (&record.id, &record.channel);
            self.violate(format!("quotas broken: {id} sells in {channel} what is in {}", foreign.bucket));
        }
    }

    /// Whether a transaction that writes quotas brings the channels that it changes to their numbers.
    pub(crate) fn check_division(&mut self, changes: &[Change]) {
        let reason = |change: &Change| change.new.as_ref()?.get("reason")?["S"].as_str().map(str::to_owned);
        let wanted = changes.iter().filter(|change| change.old.is_none()).find_map(reason);
        let Some(division) = wanted.and_then(|reason| self.divisions.get(&reason)).cloned() else { return };
        let homes: Vec<StockId> = self
            .audit
            .buckets()
            .filter(|(id, _)| id.child.is_none() && changes.iter().any(|change| change.key == format!("S#{id}")))
            .map(|(id, _)| id.stock.clone())
            .collect();
        for stock in homes {
            let joined = self
                .audit
                .buckets()
                .find(|(id, _)| **id == stock.home())
                .is_some_and(|(_, home)| home.home().is_some_and(|home| home.joined));
            let to_be_joined = division.numbers.is_empty() && !stock.channel.is_shared();
            if joined != to_be_joined {
                self.violate(format!(
                    "quotas broken: {stock} is joined to the shared stock: {joined}, not {to_be_joined}"
                ));
            }
            let channel = stock.channel.as_str();
            let Some(number) = division.numbers.get(channel) else { continue };
            let (unsold, sold) = self.units(&division.sku, channel);
            let since = sold - division.sold.get(channel).copied().unwrap_or(0);
            let number = number.cast_signed();
            if unsold > number || unsold + since.cast_signed() < number {
                self.violate(format!(
                    "quotas broken: {stock} was to be brought to {number} and has {unsold}, {since} sold meanwhile"
                ));
            }
        }
    }

    /// Compares the transfers that were answered with what is recorded, once all is quiet.
    pub fn keep_transfers(&mut self) {
        for Transferred { reason, units } in self.transfers.clone() {
            let mut deltas: Vec<String> = Vec::new();
            for (_, item) in
                self.table.items().filter(|(_, item)| item.get("reason").is_some_and(|said| said["S"] == reason))
            {
                deltas.extend(item["delta"]["N"].as_str().map(str::to_owned));
            }
            deltas.sort_unstable();
            if deltas != [format!("-{units}"), units.to_string()] {
                self.violate(format!("a transfer is broken: {reason}, of {units} units, is recorded as {deltas:?}"));
            }
        }
    }
}
