//! What this process believes about hot SKUs: which children are likely to have units, and how it left their buckets.
//!
//! Only a hint. A bucket that turns out to be empty or gone says so itself, and every condition is checked by the write.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Mutex, MutexGuard, PoisonError},
};

use domain::{
    acquire::pick,
    bucket::{Bucket, BucketId, StockId},
    group_commit::{OwnedHold, View},
    time::Timestamp,
};

/// SKUs remembered. A process that meets more hot SKUs than this starts to learn anew.
const MAX_STOCKS: usize = 10_000;

/// Buckets remembered: about 4 MB.
const MAX_BUCKETS: usize = 4_000;

#[derive(Default)]
pub(crate) struct Routes {
    children: Mutex<HashMap<StockId, BTreeSet<u32>>>,
    /// How buckets were left by group commits, and which of their holds this process knows to be sold: a decision is final.
    left: Mutex<BTreeMap<BucketId, (Bucket, BTreeSet<OwnedHold>)>>,
    /// How homes looked, and when.
    homes: Mutex<HashMap<StockId, (Timestamp, Bucket)>>,
}

impl Routes {
    /// The first bucket to try: one of the children believed to have units, else the home.
    pub(crate) fn first(&self, stock: &StockId, spread: u64) -> BucketId {
        let children = self.lock();
        let known: Vec<u32> = children.get(stock).into_iter().flatten().copied().collect();
        pick(&known, spread).map_or_else(|| stock.home(), |number| stock.child(*number))
    }

    /// This child was seen to have units.
    pub(crate) fn learn(&self, bucket: &BucketId) {
        let Some(number) = bucket.child else { return };
        let mut children = self.lock();
        if children.len() >= MAX_STOCKS && !children.contains_key(&bucket.stock) {
            children.clear();
        }
        children.entry(bucket.stock.clone()).or_default().insert(number);
    }

    /// This child was seen to have none.
    pub(crate) fn forget(&self, bucket: &BucketId) {
        let Some(number) = bucket.child else { return };
        let mut children = self.lock();
        if let Some(known) = children.get_mut(&bucket.stock) {
            known.remove(&number);
            if known.is_empty() {
                children.remove(&bucket.stock);
            }
        }
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

    fn homes(&self) -> MutexGuard<'_, HashMap<StockId, (Timestamp, Bucket)>> {
        self.homes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<StockId, BTreeSet<u32>>> {
        // A hint survives a panic elsewhere.
        self.children.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn left(&self) -> MutexGuard<'_, BTreeMap<BucketId, (Bucket, BTreeSet<OwnedHold>)>> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
