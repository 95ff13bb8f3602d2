//! What this process believes about hot SKUs: which children are likely to have units.
//!
//! Only a hint. A bucket that turns out to be empty or gone says so itself, and every condition is checked by the write.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Mutex, PoisonError},
};

use domain::{
    acquire::pick,
    bucket::{BucketId, StockId},
};

/// SKUs remembered. A process that meets more hot SKUs than this starts to learn anew.
const MAX_STOCKS: usize = 10_000;

#[derive(Default)]
pub(crate) struct Routes {
    children: Mutex<HashMap<StockId, BTreeSet<u32>>>,
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

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<StockId, BTreeSet<u32>>> {
        // A hint survives a panic elsewhere.
        self.children.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
