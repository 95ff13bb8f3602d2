//! Looking at buckets: a few children, or the home and all of them.

use std::collections::BTreeMap;

use domain::{
    acquire::{Seen, split},
    bucket::{Bucket, BucketId, Home},
    quantity::Quantity,
};

use super::{Search, Tried};
use crate::Fault;

/// Children that are read before it is asked whether enough was found: as many as one request reads.
const BATCH: usize = 100;

impl Search<'_> {
    /// Looks at a few children, and tries one that has what is missing.
    pub(super) async fn glance(&mut self, count: u32, rest: Quantity) -> Result<Tried, Fault> {
        let numbers = self.store.routes.glance(&self.stock, count, self.spread());
        let seen = match self.store.get_some_buckets(numbers.into_iter().map(|number| self.stock.child(number))).await {
            Ok(seen) => seen,
            // Nobody has to look here.
            Err(fault) if fault.is_transient() => return Ok(Tried::Nowhere),
            Err(fault) => return Err(fault),
        };
        if self.adopt(&seen) {
            return Ok(Tried::Child);
        }
        match split(rest, self.reachable(&seen), self.spread()).as_deref() {
            Some([(child, part)]) => self.try_hold(child, *part).await.map(|_| Tried::Child),
            _ => Ok(Tried::Nowhere),
        }
    }

    /// The home and its children, the newest first, until one bucket has what is missing; and whether these are all. A SKU without
    /// children needs no further read.
    pub(super) async fn survey(
        &self,
        home: Bucket,
        rest: Quantity,
    ) -> Result<(BTreeMap<BucketId, Bucket>, bool), Fault> {
        let window = home.home().map(Home::window).unwrap_or_default();
        let mut seen = BTreeMap::from([(self.stock.home(), home)]);
        let newest_first: Vec<BucketId> = window.rev().map(|number| self.stock.child(number)).collect();
        let mut left = newest_first.chunks(BATCH);
        for batch in left.by_ref() {
            let batch = self.store.get_buckets(batch.iter().cloned()).await?;
            let found = self.reachable(&batch).iter().any(|child| child.free >= rest.units());
            seen.extend(batch);
            if found {
                break;
            }
        }
        Ok((seen, left.len() == 0))
    }

    /// Adopts the holds that other attempts of this very request have made, as a refused hold would. They stand until a record of
    /// the request exists, and then that record is the answer. Says whether there were any.
    pub(super) fn adopt(&mut self, buckets: &BTreeMap<BucketId, Bucket>) -> bool {
        let mut adopted = false;
        for (id, bucket) in buckets {
            if let Some(hold) = bucket.holds.get(self.id)
                && !self.closed.contains(id)
            {
                self.taken(id, *hold);
                adopted = true;
            }
        }
        adopted
    }

    /// The buckets that could take a hold now.
    pub(super) fn reachable(&self, buckets: &BTreeMap<BucketId, Bucket>) -> Vec<Seen> {
        let open = buckets.iter().filter(|(id, bucket)| !self.closed.contains(*id) && !bucket.is_crowded());
        open.filter(|(_, bucket)| bucket.free > 0)
            .map(|(id, bucket)| Seen { bucket: id.clone(), free: bucket.free })
            .collect()
    }
}
