//! What this process believes about hot SKUs: where it tries first ([`domain::route`]), and how it left their buckets.
//!
//! Only a hint. A bucket that turns out to be empty or gone says so itself, and every condition is checked by the write.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Mutex, MutexGuard, PoisonError},
};

use domain::{
    bucket::{Bucket, BucketId, Home, StockId},
    channel::Overflow,
    group_commit::{OwnedHold, View},
    ids::Channel,
    limits::POOL_MEMORY_SECONDS,
    quantity::Quantity,
    route::{First, Route, within_reach},
    time::Timestamp,
};

/// SKUs remembered. A process that meets more hot SKUs than this starts to learn anew.
const MAX_STOCKS: usize = 10_000;

/// Buckets remembered: about 4 MB.
const MAX_BUCKETS: usize = 4_000;

/// Channels remembered: more than any merchant has.
const MAX_CHANNELS: usize = 1_000;

#[derive(Default)]
pub(crate) struct Routes {
    /// Only of SKUs that are split: an ordinary one is one item, and nothing about it needs to be known.
    split: Mutex<HashMap<StockId, Route>>,
    /// How buckets were left by group commits, and which of their holds this process knows to be sold: a decision is final.
    left: Mutex<BTreeMap<BucketId, (Bucket, BTreeSet<OwnedHold>)>>,
    /// How homes looked, and when.
    homes: Mutex<HashMap<StockId, (Timestamp, Bucket)>>,
    /// Which channels were found to have no home of a SKU, but a shared one, and when.
    shared: Mutex<HashMap<StockId, Timestamp>>,
    /// What channels do when they are short, and when they were asked.
    channels: Mutex<HashMap<Channel, (Timestamp, Overflow)>>,
}

impl Routes {
    /// How a shopper begins who wants `quantity`.
    pub(crate) fn first(&self, stock: &StockId, quantity: Quantity) -> First {
        self.known(stock, |route| route.first(quantity)).unwrap_or(First::Try(None))
    }

    /// The children to look at, `count` of them.
    pub(crate) fn glance(&self, stock: &StockId, count: u32, spread: u64) -> BTreeSet<u32> {
        self.known(stock, |route| route.glance(count, spread)).unwrap_or_default()
    }

    /// How many units there are, if fewer than `quantity` were seen a moment ago.
    pub(crate) fn short_of(&self, stock: &StockId, quantity: Quantity, now: Timestamp) -> Option<u64> {
        self.known(stock, |route| route.short_of(quantity, now)).flatten()
    }

    /// The home looked like this. Says whether it has children of which nothing was known.
    pub(crate) fn saw_home(&self, stock: &StockId, home: &Home) -> bool {
        let mut split = self.split();
        if home.window().is_empty() {
            split.remove(stock);
            return false;
        }
        if split.len() >= MAX_STOCKS && !split.contains_key(stock) {
            split.clear();
        }
        split.entry(stock.clone()).or_default().saw_home(home)
    }

    /// Something was held in this bucket; what it is now.
    pub(crate) fn held(&self, bucket: &BucketId, now: Option<&Bucket>) {
        self.known(&bucket.stock, |route| route.held(bucket.child, units_within_reach(bucket, now)));
    }

    /// This bucket refused a hold; what it is.
    pub(crate) fn refused(&self, bucket: &BucketId, now: Option<&Bucket>) {
        self.known(&bucket.stock, |route| route.refused(bucket.child, units_within_reach(bucket, now)));
    }

    /// So many units were put into this child.
    pub(crate) fn opened(&self, stock: &StockId, child: u32, units: u64) {
        self.split().entry(stock.clone()).or_default().opened(child, units);
    }

    /// Units came back to this bucket.
    pub(crate) fn freed(&self, bucket: &BucketId) {
        self.known(&bucket.stock, |route| route.freed(bucket.child));
    }

    /// A look at all buckets, begun at `began`, found `available` units.
    pub(crate) fn saw_all(&self, stock: &StockId, began: Timestamp, available: u64) {
        self.known(stock, |route| route.saw_all(began, available));
    }

    fn known<T>(&self, stock: &StockId, of: impl FnOnce(&mut Route) -> T) -> Option<T> {
        self.split().get_mut(stock).map(of)
    }

    /// Adds what is remembered of the buckets of a SKU to `view`.
    pub(crate) fn recall(&self, stock: &StockId, view: &mut View) {
        let left = self.left();
        let own = left.range(stock.home()..).take_while(|(id, _)| id.stock == *stock);
        for (id, (bucket, sold)) in own {
            view.buckets.insert(id.clone(), bucket.clone());
            view.sold.extend(sold.iter().cloned());
        }
    }

    /// Remembers how buckets were left.
    pub(crate) fn remember(&self, view: View) {
        let mut left = self.left();
        if left.len() + view.buckets.len() > MAX_BUCKETS {
            left.clear();
        }
        for (id, bucket) in view.buckets {
            let holds = bucket.holds.iter().map(|(owner, hold)| OwnedHold::new(&id, owner, *hold));
            let sold = holds.filter(|owned| view.sold.contains(owned)).collect();
            left.insert(id, (bucket, sold));
        }
    }

    /// What is remembered of the buckets of this SKU was no help.
    pub(crate) fn forget_all(&self, stock: &StockId) {
        self.left().retain(|id, _| id.stock != *stock);
    }

    /// How the home of this SKU looked when it was last looked at for where an order waits.
    pub(crate) fn home(&self, stock: &StockId) -> Option<(Timestamp, Bucket)> {
        self.homes().get(stock).cloned()
    }

    /// This is how the home looked.
    pub(crate) fn remember_home(&self, stock: &StockId, now: Timestamp, home: &Bucket) {
        let mut homes = self.homes();
        if homes.len() >= MAX_BUCKETS {
            homes.clear();
        }
        homes.insert(stock.clone(), (now, home.clone()));
    }

    /// Whether this was found to be served from the shared stock, not long ago.
    pub(crate) fn is_shared(&self, stock: &StockId, now: Timestamp) -> bool {
        let seen_at = lock(&self.shared).get(stock).copied();
        seen_at.is_some_and(|seen_at| now.seconds_since(seen_at) <= POOL_MEMORY_SECONDS)
    }

    /// This is served from the shared stock.
    pub(crate) fn remember_shared(&self, stock: &StockId, now: Timestamp) {
        let mut shared = lock(&self.shared);
        if shared.len() >= MAX_STOCKS {
            shared.clear();
        }
        shared.insert(stock.clone(), now);
    }

    /// This has a home of its own, or there is no shared one.
    pub(crate) fn forget_shared(&self, stock: &StockId) {
        lock(&self.shared).remove(stock);
    }

    /// What this channel does when it is short, as it was when it was asked.
    pub(crate) fn overflow(&self, channel: &Channel) -> Option<(Timestamp, Overflow)> {
        lock(&self.channels).get(channel).copied()
    }

    /// That is what it does.
    pub(crate) fn remember_channel(&self, channel: &Channel, now: Timestamp, overflow: Overflow) {
        let mut channels = lock(&self.channels);
        if channels.len() >= MAX_CHANNELS {
            channels.clear();
        }
        channels.insert(channel.clone(), (now, overflow));
    }

    /// It may do something else by now.
    pub(crate) fn forget_channel(&self, channel: &Channel) {
        lock(&self.channels).remove(channel);
    }

    fn homes(&self) -> MutexGuard<'_, HashMap<StockId, (Timestamp, Bucket)>> {
        lock(&self.homes)
    }

    fn split(&self) -> MutexGuard<'_, HashMap<StockId, Route>> {
        lock(&self.split)
    }

    fn left(&self) -> MutexGuard<'_, BTreeMap<BucketId, (Bucket, BTreeSet<OwnedHold>)>> {
        lock(&self.left)
    }
}

/// A hint survives a panic elsewhere.
fn lock<T>(hints: &Mutex<T>) -> MutexGuard<'_, T> {
    hints.lock().unwrap_or_else(PoisonError::into_inner)
}

fn units_within_reach(id: &BucketId, bucket: Option<&Bucket>) -> u64 {
    bucket.map_or(0, |bucket| within_reach(bucket.free, bucket.holds.len(), id.child.is_some()))
}
