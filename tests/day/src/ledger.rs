//! What is seen from outside while a day goes by, each with its moment: which units there were, what shoppers were shown, which orders
//! were taken, when they were recorded, and who was turned away. Nothing here asks Holdfast anything.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use domain::{ids::ReservationId, sale::SaleKey};
use holdfast_simulation::{expression::Item, table::Change};
use marketplaces::market::Market;
use serde_json::Value;

use crate::{
    plan::{Millis, Place, sku_number},
    run::clock,
};

/// A SKU at a marketplace.
pub type Listed = (Place, usize);

/// An order that a marketplace has taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    /// When.
    pub at: Millis,
    /// What.
    pub sku: usize,
    /// How many units.
    pub units: u64,
    /// What the shopper was shown.
    pub shown: u64,
}

/// An order that was recorded although units were missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forced {
    /// When it was recorded.
    pub at: Millis,
    /// Where it was taken.
    pub place: Place,
    /// Its id there.
    pub order: String,
    /// Units that nobody had.
    pub missing: u64,
}

/// A unit of time series: when, and how many from then on.
pub type History = Vec<(Millis, u64)>;

/// What was seen.
#[derive(Debug, Default)]
pub struct Ledger {
    /// The SKU of which every event is told on standard error.
    follow: Option<usize>,
    /// Free units by stock, as `<sku>#<channel>`.
    pub free: BTreeMap<String, History>,
    /// What is shown by listing.
    pub shown: BTreeMap<Listed, History>,
    /// Orders of marketplaces.
    pub taken: BTreeMap<(Place, String), Taken>,
    /// Orders that were recorded with a shortfall.
    pub forced: Vec<Forced>,
    /// How long it took from an order until it was recorded.
    pub heard: Vec<Millis>,
    /// How long it took from a sale, or another change of what there is, until every other marketplace that sells it showed a number that knew of it.
    pub synced: Vec<Millis>,
    /// What the own store has sold: its reservation, the SKU and the units.
    pub own: Vec<(String, usize, u64)>,
    /// Shoppers who found too little, and units that they wanted.
    pub refused: (u64, u64),
    /// SKUs of which somebody was turned away.
    pub turned_away: BTreeSet<usize>,
    /// Of these, units that were there, but not for them.
    pub idle: u64,
    /// Answers that nobody expects.
    pub surprises: Vec<String>,
    /// Deliveries of webhooks: sent, lost, sent twice.
    pub webhooks: [u64; 3],
    /// Free units by bucket.
    buckets: HashMap<String, u64>,
    /// Whose hold an id is.
    sales: HashMap<String, (Place, String)>,
    /// Since when a listing shows a number that does not know of a change.
    pending: HashMap<Listed, Millis>,
    /// The same for a number that is about to be sent.
    claimed: HashMap<Listed, Millis>,
    /// The same for numbers that the vendor has taken and not applied.
    applying: HashMap<Listed, VecDeque<Option<Millis>>>,
}

fn whole(item: Option<&Item>, name: &str) -> Option<u64> {
    item?.get(name)?["N"].as_str()?.parse().ok()
}

impl Ledger {
    /// An empty one, that tells all that happens to a SKU.
    #[must_use]
    pub fn following(follow: Option<usize>) -> Self {
        Self { follow, ..Self::default() }
    }

    /// A marketplace has taken an order of one line.
    ///
    /// # Panics
    /// Never: the name of a place is a channel's.
    pub fn take(&mut self, place: Place, order: &str, taken: Taken) {
        let key = SaleKey {
            channel: place.name().parse().expect("a channel's name"),
            order: order.parse().expect("an order's id"),
            line: "1".parse().expect("a line's id"),
        };
        let mut id = ReservationId::of_sale(&key);
        // A record that was closed goes on under its successor's id.
        for _ in 0..3 {
            self.sales.insert(id.to_string(), (place, order.to_owned()));
            id = id.successor();
        }
        self.tell(taken.at, taken.sku, || format!("{} takes order {order} of {} units", place.name(), taken.units));
        self.taken.insert((place, order.to_owned()), taken);
    }

    /// A shopper was turned away.
    pub fn refuse(&mut self, sku: usize, units: u64) {
        self.turned_away.insert(sku);
        self.refused.0 += 1;
        self.refused.1 += units;
        self.idle += units.min(self.free_anywhere(sku));
    }

    /// Units that nobody holds, wherever they are.
    #[must_use]
    pub fn free_anywhere(&self, sku: usize) -> u64 {
        let first = format!("{}#", crate::plan::sku_name(sku));
        let stocks = self.free.range(first.clone()..).take_while(|(stock, _)| stock.starts_with(&first));
        stocks.filter_map(|(_, history)| history.last()).map(|(_, units)| units).sum()
    }

    /// The units that a channel sells from.
    #[must_use]
    pub fn pool(&self, (place, sku): Listed) -> &[(Millis, u64)] {
        let stock = |channel: &str| self.free.get(&format!("{}#{channel}", crate::plan::sku_name(sku)));
        stock(place.name()).or_else(|| stock("shared")).map_or(&[], Vec::as_slice)
    }

    /// An item was written.
    pub fn written(&mut self, now: Millis, change: &Change) {
        match change.key.get(..2) {
            Some("S#") => self.bucket(now, change),
            Some("R#") if change.old.is_none() => {
                let taken = self.sales.get(&change.key[2..]).and_then(|sale| self.taken.get(sale));
                if let Some(taken) = taken {
                    self.heard.push(now - taken.at);
                }
            }
            Some("X#") if change.old.is_none() => self.force(now, change),
            Some("T#") => self.followed(now, change),
            _ => {}
        }
    }

    fn bucket(&mut self, now: Millis, change: &Change) {
        let stock = stock_of(&change.key);
        let free = whole(change.new.as_ref(), "a").unwrap_or(0);
        let before = self.buckets.insert(change.key.clone(), free).unwrap_or(0);
        if free == before {
            return;
        }
        let history = self.free.entry(stock.clone()).or_default();
        let sum = history.last().map_or(0, |(_, units)| *units) + free - before;
        history.push((now, sum));
        self.tell(now, stock.split('#').next().and_then(sku_number).unwrap_or_default(), || {
            format!("{stock} has {sum} free")
        });
        let source = new_holder(change).and_then(|id| self.sales.get(id));
        let since = source.and_then(|sale| self.taken.get(sale)).map_or(now, |taken| taken.at);
        let Some((sku, channel)) = stock.split_once('#') else { return };
        let Some(sku) = sku_number(sku) else { return };
        for place in Place::MARKETS {
            let shows = channel == "shared" || channel == place.name();
            // Who has sold it has taken it off already.
            if shows && source.is_none_or(|(seller, _)| *seller != place) {
                let pending = self.pending.entry((place, sku)).or_insert(since);
                *pending = since.min(*pending);
            }
        }
    }

    fn force(&mut self, now: Millis, change: &Change) {
        let missing = whole(change.new.as_ref(), "missing").unwrap_or(0);
        if let Some((place, order)) = self.sales.get(&change.key[2..])
            && missing > 0
        {
            self.tell(now, self.taken[&(*place, order.clone())].sku, || format!("order {order} is {missing} short"));
            self.forced.push(Forced { at: now, place: *place, order: order.clone(), missing });
        }
    }

    /// Somebody writes how far a listing has followed.
    fn followed(&mut self, now: Millis, change: &Change) {
        let listed =
            change.key[2..].split_once('#').and_then(|(place, sku)| Some((Place::named(place)?, sku_number(sku)?)));
        let Some(listed) = listed else { return };
        self.tell(now, listed.1, || {
            // What is not known of it is left out.
            let of = |name: &str| change.new.as_ref()?.get(name).map(|value| format!(" {name}={value}"));
            let known: String =
                ["pq", "pf", "uq", "wq", "fq", "dis", "closed", "marked", "look"].into_iter().filter_map(of).collect();
            format!("{}:{known}", listed.0.name())
        });
        let [was, is] = [&change.old, &change.new].map(|item| whole(item.as_ref(), "uq"));
        if is.is_some() && was.is_none() {
            let since = self.pending.remove(&listed);
            let since = since.into_iter().chain(self.claimed.get(&listed).copied()).min();
            if let Some(since) = since {
                self.claimed.insert(listed, since);
            }
        }
        // What is shown is right without a push.
        let is_settled = change.new.as_ref().is_some_and(|item| item.get("marked").is_none());
        if is_settled
            && is.is_none()
            && was.is_none()
            && self.pending.get(&listed).is_some_and(|since| since + 1_000 < now)
        {
            self.pending.remove(&listed);
        }
    }

    fn tell(&self, now: Millis, sku: usize, what: impl FnOnce() -> String) {
        if self.follow == Some(sku) {
            eprintln!("{} {}", clock(now), what());
        }
    }

    /// A marketplace was sent a number.
    pub fn pushed(&mut self, listed: Listed) {
        let since = self.claimed.remove(&listed);
        self.applying.entry(listed).or_default().push_back(since);
    }

    /// What a marketplace shows now.
    pub fn look(&mut self, now: Millis, place: Place, market: &Market) {
        for (name, listing) in &market.listings {
            let Some(sku) = sku_number(name) else { continue };
            let history = self.shown.entry((place, sku)).or_default();
            if history.last().is_none_or(|(_, shown)| *shown != listing.shown) {
                history.push((now, listing.shown));
                self.tell(now, sku, || format!("{} shows {}", place.name(), listing.shown));
            }
            if let Some(applying) = self.applying.get_mut(&(place, sku)) {
                while applying.len() > listing.accepted.len() {
                    self.synced.extend(applying.pop_front().flatten().map(|since| now - since));
                }
            }
        }
    }
}

/// `S#<sku>#<channel>` or `S#<sku>#<channel>#<n>`.
fn stock_of(key: &str) -> String {
    key[2..].split('#').take(2).collect::<Vec<_>>().join("#")
}

/// Whose hold came with a change.
fn new_holder(change: &Change) -> Option<&str> {
    let holds = |item: &Option<Item>| item.as_ref()?.get("h")?["M"].as_object().cloned();
    let before = holds(&change.old).unwrap_or_default();
    let after: &Value = change.new.as_ref()?.get("h")?;
    after["M"].as_object()?.keys().find(|id| !before.contains_key(*id)).map(String::as_str)
}

/// What a history says of a moment.
#[must_use]
pub fn at(history: &[(Millis, u64)], moment: Millis) -> Option<u64> {
    let behind = history.partition_point(|(since, _)| *since <= moment);
    behind.checked_sub(1).and_then(|place| history.get(place)).map(|(_, units)| *units)
}
