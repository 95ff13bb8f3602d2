//! Marketplaces, and whoever tells of what they have sold: pending, paid, shipped and canceled, line by line; again and again, out of order,
//! and to functions that die. What they have sold is a fact, so there is one promise: once all is quiet, each line that was told is recorded
//! exactly once, with its exact quantity, and what was canceled of it has come back exactly once.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use domain::{
    audit::Audit,
    channel::{ChannelKind, ChannelSettings, Overflow},
    ids::{Channel, Reference, ReservationId},
    quantity::Quantity,
    reservation::{Reservation, Status},
    sale::{SaleKey, SaleLine, Stage},
};
use fastrand::Rng;
use http::testing::Sample;
use serde_json::json;
use tokio::{
    task::{JoinHandle, spawn_local},
    time::sleep,
};

use crate::{SKUS, expression::Item, frailty::Manner, function::Functions, table::Change, world::World};

/// Where is sold: with a quota of some SKUs and leave to borrow, and with no quota at all.
const CHANNELS: [&str; 2] = ["amazon", "ebay"];

/// How many orders are disputed in a day, one after the other.
const DISPUTES: usize = 5;

/// How a line went: what was true of it, one after the other.
#[derive(Debug, Clone)]
pub struct Story {
    key: SaleKey,
    news: Vec<SaleLine>,
}

impl Story {
    /// A line of an order that is ordered, perhaps paid and shipped, and of which some may be canceled before that or after.
    fn draw(rng: &mut Rng, channel: &Channel, number: usize) -> Self {
        let order: Reference = format!("order-{number}").parse().expect("a reference");
        let line: Reference = "1".parse().expect("a reference");
        let sku = SKUS[rng.usize(0..SKUS.len())].parse().expect("a SKU");
        let units = if rng.bool() { rng.u64(1..=3) } else { rng.u64(1..=20) };
        let quantity = Quantity::new(units).expect("a quantity");
        let key = SaleKey { channel: channel.clone(), order, line: line.clone() };
        let mut now = SaleLine { line, sku, quantity, canceled: 0, stage: Stage::Pending };
        let mut news = Vec::new();
        if rng.u32(0..10) < 6 {
            news.push(now.clone());
        }
        for stage in [Stage::Pending, Stage::Paid, Stage::Shipped] {
            if news.is_empty() || rng.u32(0..10) < 7 {
                now.stage = now.stage.max(if news.is_empty() { Stage::Paid } else { stage });
                news.push(now.clone());
            }
            let cancels = rng.u32(0..10);
            if cancels < 4 && !now.is_canceled() {
                now.canceled = if cancels < 2 { units } else { rng.u64(now.canceled + 1..=units) };
                news.push(now.clone());
                if now.is_canceled() {
                    break;
                }
            }
        }
        Self { key, news }
    }

    /// A line that is told once, and then differently by several at the same time: paid and canceled, canceled in part and in whole, canceled
    /// in part and shipped.
    fn disputed(rng: &mut Rng, channel: &Channel, number: usize) -> Self {
        let Self { key, news } = Self::draw(rng, channel, number);
        let units = rng.u64(3..=6);
        let quantity = Quantity::new(units).expect("a quantity");
        let (stages, some) = (rng.u32(0..4), rng.u64(1..units));
        let at = |stage, canceled| SaleLine { quantity, stage, canceled, ..news[0].clone() };
        let news = match stages {
            0 => vec![at(Stage::Pending, 0), at(Stage::Paid, 0), at(Stage::Paid, units)],
            1 => vec![at(Stage::Paid, 0), at(Stage::Paid, some), at(Stage::Paid, units)],
            2 => vec![at(Stage::Paid, 0), at(Stage::Paid, some), at(Stage::Shipped, some)],
            _ => vec![at(Stage::Pending, 0), at(Stage::Paid, 0), at(Stage::Shipped, 0)],
        };
        Self { key, news }
    }

    fn last(&self) -> &SaleLine {
        self.news.last().expect("something was told")
    }
}

impl Functions {
    /// What belongs to marketplaces: a little stock of some SKUs, shared or of their own; and one of them may borrow.
    pub async fn open_marketplaces(&self) {
        let settings = ChannelSettings { overflow: Overflow::Borrow, ..ChannelSettings::new(ChannelKind::Amazon) };
        let store = self.store();
        while store.save_channel(&channel(0), &settings, None).await.is_err() {}
        // Of the third SKU nothing is there for them, and the fourth is nobody's but the shop's.
        for (sku, place, units) in [(SKUS[0], "shared", 9), (SKUS[1], CHANNELS[0], 5), (SKUS[1], "shared", 6)] {
            self.stock_in(sku, place, units).await;
        }
        self.stock_in(SKUS[2], CHANNELS[0], 0).await;
    }

    pub(crate) async fn stock_in(&self, sku: &str, channel: &str, units: u64) {
        let query = format!("channel={channel}");
        let settings = Sample::new("PUT /v1/stock/{sku}").path("sku", sku).query(&query).body("{}");
        drop(self.insist(settings).await);
        if units > 0 {
            self.receive_in(sku, channel, &format!("first-{sku}-{channel}"), units).await;
        }
    }

    async fn receive_in(&self, sku: &str, channel: &str, key: &str, units: u64) {
        let asked = json!({ "kind": "receive", "quantity": units, "reason": "simulation" }).to_string();
        let sample =
            Sample::new("POST /v1/stock/{sku}/movements").path("sku", sku).query(&format!("channel={channel}"));
        drop(self.insist(sample.header("Idempotency-Key", key).body(&asked)).await);
    }

    /// A marketplace's day: what it sells is told in any order, more than once; and there are shoppers and deliveries in its channel.
    pub async fn marketplace(self, number: usize) {
        let channel = channel(number);
        let stories: Vec<Story> = {
            let mut world = self.world();
            let count = world.rng.usize(2..=7);
            (0..count).map(|n| Story::draw(&mut world.rng, &channel, number * 100 + n)).collect()
        };
        self.world().stories.extend(stories.iter().cloned());
        let mut tellings: Vec<(usize, SaleLine)> = Vec::new();
        for (n, story) in stories.iter().enumerate() {
            tellings.extend(story.news.iter().map(|line| (n, line.clone())));
            let again = self.world().rng.usize(0..=story.news.len());
            tellings.extend(story.news.iter().take(again).map(|line| (n, line.clone())));
        }
        self.world().rng.shuffle(&mut tellings);
        for (turn, (n, line)) in tellings.into_iter().enumerate() {
            let (wait, other) = {
                let mut world = self.world();
                let wait = if world.happens(100) { world.millis(300_000..5_000_000) } else { world.millis(0..60_000) };
                (wait, world.rng.u32(0..10))
            };
            sleep(wait).await;
            self.tell(&stories[n].key, &line).await;
            match other {
                0..=1 => self.sell_in(&channel, &format!("{channel}-{number}-{turn}")).await,
                2 => {
                    let place = if turn % 2 == 0 { "shared" } else { channel.as_str() };
                    self.receive_in(SKUS[turn % 2], place, &format!("more-{channel}-{number}-{turn}"), 3).await;
                }
                _ => {}
            }
        }
    }

    /// Orders of which several functions are told different things at once, and stand still between what they see and what they write; while
    /// shoppers buy in the same channel.
    pub async fn dispute(self, number: usize) {
        let channel = channel(number);
        for turn in 0..DISPUTES {
            let (story, wait) = {
                let mut world = self.world();
                let story = Story::disputed(&mut world.dice, &channel, 1_000 + number * 100 + turn);
                world.stories.push(story.clone());
                (story, Duration::from_secs(world.dice.u64(0..600)))
            };
            sleep(wait).await;
            for (name, news) in [("first", 0..1), ("rest", 1..story.news.len())] {
                let mut at_once: Vec<_> = news.map(|news| self.told_soon(&story, news)).collect();
                at_once.push(self.buys_soon(&channel, format!("{channel}-{name}-{number}-{turn}")));
                for one in at_once {
                    // A call that broke off is a violation already.
                    drop(one.await);
                }
            }
        }
    }

    /// Somebody is about to tell this of a line, to a function that stands still as likely as not.
    fn told_soon(&self, story: &Story, news: usize) -> JoinHandle<()> {
        let (functions, key, line) = (self.clone(), story.key.clone(), story.news[news].clone());
        spawn_local(async move {
            let (wait, manner) = {
                let mut world = functions.world();
                let wait = Duration::from_millis(world.dice.u64(0..100));
                (wait, if world.dice.bool() { Manner::HesitatesAnywhere } else { Manner::Usual })
            };
            sleep(wait).await;
            functions.tell_in(manner, &key, &line).await;
        })
    }

    /// A shopper is about to buy in this channel.
    fn buys_soon(&self, channel: &Channel, key: String) -> JoinHandle<()> {
        let (functions, channel) = (self.clone(), channel.clone());
        spawn_local(async move {
            let wait = Duration::from_millis(functions.world().dice.u64(0..200));
            sleep(wait).await;
            functions.sell_in(&channel, &key).await;
        })
    }

    /// A shopper of the shop's own checkout in this channel.
    pub(crate) async fn sell_in(&self, channel: &Channel, key: &str) {
        let (sku, route) = {
            let mut world = self.world();
            let sku = SKUS[world.rng.usize(0..2)];
            (sku, ["POST /v1/reservations", "POST /v1/orders"][world.rng.usize(0..2)])
        };
        let asked = json!({ "channel": channel.as_str(), "lines": [{ "sku": sku, "quantity": 2 }] }).to_string();
        drop(self.insist(Sample::new(route).header("Idempotency-Key", key).body(&asked)).await);
    }

    /// A marketplace is asked until it has been heard: how each line stands in the end is told until it is taken down.
    pub async fn hear_all_marketplaces(&self) {
        let stories = self.world().stories.clone();
        for story in stories {
            let mut tries = 0;
            while !self.tell(&story.key, story.last()).await {
                tries += 1;
                if tries > 50 {
                    self.world().violate(format!("{:?} is never recorded", story.key));
                    return;
                }
                sleep(Duration::from_mins(5)).await;
            }
        }
    }
}

impl World {
    /// Compares what marketplaces have sold with what is recorded, once all is quiet.
    pub fn keep_facts(&mut self) {
        for story in self.stories.clone() {
            if let Some(broken) = self.wrong(&story) {
                let told = story.last();
                self.violate(format!("a fact is broken: {:?} stands at {told:?}, but {broken}", story.key));
            }
        }
    }

    /// Everything under which something is held for a line that was told.
    pub(crate) fn told_lines(&self) -> BTreeSet<ReservationId> {
        let first = self.stories.iter().map(|story| ReservationId::of_sale(&story.key));
        first.flat_map(|id| std::iter::successors(Some(id), |id| Some(id.successor())).take(4)).collect()
    }

    fn wrong(&self, story: &Story) -> Option<String> {
        let told = story.last();
        let chain = chain(&self.audit, &ReservationId::of_sale(&story.key));
        let Some(record) = chain.last() else { return Some("nothing is recorded".to_owned()) };
        let sold = chain.iter().filter(|record| matches!(record.status, Status::Confirmed { .. })).count();
        if sold > 1 {
            return Some(format!("it is sold {sold} times"));
        }
        let units: BTreeMap<_, u64> =
            record.lines.iter().map(|line| (line.sku.clone(), line.quantity.units())).collect();
        if units != BTreeMap::from([(told.sku.clone(), told.quantity.units())]) {
            return Some(format!("it is recorded with {units:?}"));
        }
        let shipped = story.news.iter().any(|line| line.stage == Stage::Shipped);
        let returned = self.returned(&record.id);
        match &record.status {
            Status::Confirmed { .. } if told.stage == Stage::Pending && !told.is_canceled() => {
                Some("it is sold".to_owned())
            }
            Status::Confirmed { .. } if !shipped && returned != told.canceled => Some(format!("{returned} came back")),
            Status::Confirmed { .. } if returned > told.canceled => Some(format!("{returned} came back")),
            Status::Confirmed { .. } if self.booked(&story.key) != returned => {
                Some(format!("{returned} came back, and {} are booked", self.booked(&story.key)))
            }
            Status::Confirmed { .. } => None,
            Status::Active if told.stage == Stage::Pending && !told.is_canceled() => None,
            Status::Canceled { .. } if told.is_canceled() && !shipped => None,
            other => Some(format!("it is recorded as {other:?}")),
        }
    }

    fn returned(&self, id: &ReservationId) -> u64 {
        let returned =
            self.table.get(&format!("B#{id}")).and_then(|item| item.get("returned")?["N"].as_str()?.parse().ok());
        returned.unwrap_or(0)
    }

    /// What the movements say that came back of an order, which has one line.
    fn booked(&self, key: &SaleKey) -> u64 {
        let reason = key.reason_for_a_return();
        let of_it = |item: &&Item| item.get("reason").is_some_and(|said| said["S"] == reason.as_str());
        let booked = self.table.items().map(|(_, item)| item).filter(of_it);
        booked.filter_map(|item| item["delta"]["N"].as_str()?.parse::<u64>().ok()).sum()
    }

    /// What was shipped does not come back by itself.
    pub(crate) fn check_shipped(&mut self, change: &Change) {
        let (Some(old), Some(new)) = (&change.old, &change.new) else { return };
        if old.contains_key("shipped") && old.get("returned") != new.get("returned") {
            self.violate(format!("a fact is broken: {} comes back after it was shipped", change.key));
        }
    }
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

fn channel(number: usize) -> Channel {
    CHANNELS[number % CHANNELS.len()].parse().expect("a channel")
}
