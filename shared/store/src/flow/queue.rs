//! In which line an order waits. Reads only, and seldom: what a home said is good for a few seconds, for it only has to spread
//! orders. That a SKU exists stays true. An order of a channel without a home of its own waits in the line of the shared one.

use std::collections::BTreeMap;

use domain::{
    bucket::{Bucket, BucketId, StockId},
    order::queue_of,
    refusal::Refusal,
    reservation::ReservationRequest,
};

use crate::{Failure, Fault, Store};

/// How long a home is taken to be as hot as it was, in seconds: a split is noticed soon, and a rush reads it a few times a minute.
const GOOD_FOR_SECONDS: u64 = 5;

impl Store {
    /// The bucket in whose line an order waits: the home of its hottest SKU, or a child of it where it is split.
    ///
    /// # Errors
    /// Refused with `UnknownSku`, naming all that do not exist; or a fault.
    pub async fn queue_for(&self, request: &ReservationRequest) -> Result<BucketId, Failure> {
        let now = self.now();
        let asked = request.cart.lines().iter().map(|line| request.stock(&line.sku));
        let pooled: Vec<(StockId, bool)> =
            asked.map(|stock| (stock.clone(), self.routes.is_shared(&stock, now))).collect();
        let served = |(stock, shared): &(StockId, bool)| if *shared { stock.shared() } else { stock.clone() };
        let mut homes = self.homes_a_moment_ago(pooled.iter().map(served).collect()).await?;
        // Where there is none, the other one may serve: what was remembered may be wrong, or nothing was.
        let is_missing = |own: &&(StockId, bool)| !homes.contains_key(&served(own).home());
        let others: Vec<_> = pooled.iter().filter(is_missing).map(|(stock, shared)| (stock.clone(), !shared)).collect();
        let found = self.homes_a_moment_ago(others.iter().map(served).collect()).await?;
        let mut skus = Vec::new();
        for other in &others {
            match (found.contains_key(&served(other).home()), other) {
                (true, (stock, true)) => self.routes.remember_shared(stock, now),
                (true, (stock, false)) => self.routes.forget_shared(stock),
                (false, (stock, _)) => skus.push(stock.sku.clone()),
            }
        }
        if !skus.is_empty() {
            return Err(Refusal::UnknownSku { skus }.into());
        }
        homes.extend(found);
        let seen = homes.iter().map(|(id, home)| (&id.stock, home));
        // A cart has at least one line, so there is a hottest one.
        queue_of(seen, request.id.spread()).ok_or_else(|| Refusal::Contended.into())
    }

    /// Those of the homes of these stocks that exist, as they are or were a moment ago.
    async fn homes_a_moment_ago(&self, stocks: Vec<StockId>) -> Result<BTreeMap<BucketId, Bucket>, Fault> {
        let now = self.now();
        let mut homes = BTreeMap::new();
        let mut unseen = Vec::new();
        for stock in stocks {
            match self.routes.home(&stock) {
                Some((seen_at, home)) if now.seconds_since(seen_at) <= GOOD_FOR_SECONDS => {
                    homes.insert(stock.home(), home);
                }
                _ => unseen.push(stock.home()),
            }
        }
        if !unseen.is_empty() {
            for (id, home) in self.get_buckets(unseen).await? {
                self.routes.remember_home(&id.stock, now, &home);
                homes.insert(id, home);
            }
        }
        Ok(homes)
    }
}
