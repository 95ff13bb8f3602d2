//! In which line an order waits. Reads only, and seldom: what a home said is good for a few seconds, for it only has to spread
//! orders. That a SKU exists stays true.

use std::collections::BTreeMap;

use domain::{
    bucket::{BucketId, StockId},
    order::queue_of,
    refusal::Refusal,
    reservation::ReservationRequest,
};

use crate::{Failure, Store};

/// How long a home is taken to be as hot as it was, in seconds: a split is noticed soon, and a rush reads it a few times a minute.
const GOOD_FOR_SECONDS: u64 = 5;

impl Store {
    /// The bucket in whose line an order waits: the home of its hottest SKU, or a child of it where it is split.
    ///
    /// # Errors
    /// Refused with `UnknownSku`, naming all that do not exist; or a fault.
    pub async fn queue_for(&self, request: &ReservationRequest) -> Result<BucketId, Failure> {
        let stocks: Vec<StockId> = request.cart.lines().iter().map(|line| request.stock(&line.sku)).collect();
        let now = self.now();
        let mut homes = BTreeMap::new();
        let mut unseen = Vec::new();
        for stock in &stocks {
            match self.routes.home(stock) {
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
        let unknown: Vec<_> = stocks.iter().filter(|stock| !homes.contains_key(&stock.home())).collect();
        if !unknown.is_empty() {
            return Err(
                Refusal::UnknownSku { skus: unknown.into_iter().map(|stock| stock.sku.clone()).collect() }.into()
            );
        }
        let seen = homes.iter().map(|(id, home)| (&id.stock, home));
        // A cart has at least one line, so there is a hottest one.
        queue_of(seen, request.id.spread()).ok_or_else(|| Refusal::Contended.into())
    }
}
