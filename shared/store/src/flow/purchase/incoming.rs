//! The pools of what is to come follow the orders. What they become is said by `domain::purchase::backorder`, of what was seen of a pool's
//! home and children; its write demands the home as it was seen.
//!
//! Holds that are over are given back first: they wait for nothing. Where the home alone has not enough, the units of its children are brought
//! home, and where that is not enough either, children are marked so that what becomes free in them covers what is owed.
//!
//! A shopper who holds in a child between the look and the write is not seen. That moves no unit: he is promised one that is free, and the
//! receipt that overlooks him leaves to another what the next one brings him.

use std::collections::BTreeMap;

use domain::{
    bucket::StockId,
    ids::{Channel, Sku},
    purchase::{
        PurchaseOrder,
        backorder::{Pool, Served, after, follows, serve},
    },
    quantity::Quantity,
    stock::StockView,
};

use super::{Found, on_order_in};
use crate::{
    Failure, Store,
    table::Write,
    write::{self, incoming::Next},
};

/// Items in one transaction. Source: DynamoDB API reference.
pub(super) const MAX_ITEMS: usize = 100;

/// A pool as it was seen, and what a receipt brings to it.
struct Follower {
    view: StockView,
    /// Units that the order is to bring: more than before, or fewer.
    expected: i64,
    served: Served,
}

/// What becomes of the units that came, for each SKU of which some may be waited for.
pub(super) type Division = BTreeMap<Sku, (StockView, Served)>;

impl Store {
    /// Adds to `writes` those by which the pools follow an order. Says whether that could be done; else units were brought home meanwhile, and
    /// everything is to be looked at again.
    pub(super) async fn pools_follow(
        &self,
        before: Option<&PurchaseOrder>,
        order: &PurchaseOrder,
        found: &Found,
        writes: &mut Vec<Write>,
    ) -> Result<bool, Failure> {
        let changed = order.lines.as_slice().iter().map(|line| &line.sku).filter(|sku| change(before, order, sku) != 0);
        let views = self.pools_among(found, changed).await?;
        let nothing_came = Served { to_promises: 0, to_stock: 0 };
        let followers = views.into_iter().map(|(sku, view)| {
            let expected = change(before, order, &sku);
            (sku, Follower { view, expected, served: nothing_came })
        });
        Box::pin(self.pools_follow_all(order, followers.collect(), writes)).await
    }

    /// Divides what came of an order between those who wait and the stock.
    pub(super) async fn divide(&self, found: &Found, came: &BTreeMap<Sku, Quantity>) -> Result<Division, Failure> {
        let views = self.pools_among(found, came.keys()).await?;
        let divided = views.into_iter().map(|(sku, view)| {
            let units = came.get(&sku).map_or(0, |units| units.units());
            let served = serve(units, Pool::of(&view).promised());
            (sku, (view, served))
        });
        Ok(divided.collect())
    }

    /// As [`Store::pools_follow`], after units came that were divided so.
    pub(super) async fn pools_follow_receipt(
        &self,
        before: &PurchaseOrder,
        order: &PurchaseOrder,
        division: Division,
        writes: &mut Vec<Write>,
    ) -> Result<bool, Failure> {
        let followers = division.into_iter().map(|(sku, (view, served))| {
            let expected = change(Some(before), order, &sku);
            (sku, Follower { view, expected, served })
        });
        Box::pin(self.pools_follow_all(order, followers.collect(), writes)).await
    }

    async fn pools_follow_all(
        &self,
        order: &PurchaseOrder,
        followers: BTreeMap<Sku, Follower>,
        writes: &mut Vec<Write>,
    ) -> Result<bool, Failure> {
        let mut listed = Vec::new();
        for (sku, Follower { view, expected, served }) in &followers {
            let Some((_, home)) = view.buckets.first() else { continue };
            let delta = expected + served.to_promises.cast_signed();
            if delta == 0 && served.to_promises == 0 {
                continue;
            }
            let pool = Pool::of(view);
            let lacks = delta < 0 && home.free < delta.unsigned_abs();
            if lacks && view.free() > home.free {
                self.fold_all(&view.stock).await?;
                return Ok(false);
            }
            let (free, shortfall) = after(home.free, pool.shortfall, delta);
            let missing = shortfall.saturating_sub(pool.shortfall);
            if missing > 0 && self.mark_children(view).await? {
                return Ok(false);
            }
            let next = Next { free, shortfall, arrived: pool.arrived + served.to_promises };
            writes.push(write::incoming::follow(&view.stock, home, next));
            if let Some(movement) = follows(order, sku, delta, missing, self.now()) {
                writes.push(write::movement::explain(&movement));
                listed.extend((missing > 0).then(|| write::movement::list(&movement)));
            }
        }
        // Who is left without cover is in the list of backorders as well.
        listed.truncate(MAX_ITEMS.saturating_sub(writes.len()));
        writes.extend(listed);
        Ok(true)
    }

    /// The pools of those of these SKUs that have one, after the holds that are over have been given back.
    async fn pools_among<'a>(
        &self,
        found: &Found,
        skus: impl Iterator<Item = &'a Sku>,
    ) -> Result<BTreeMap<Sku, StockView>, Failure> {
        let mut pooled = Vec::new();
        for sku in skus {
            if on_order_in(found, sku)?.is_some_and(|on_order| on_order.backorders.has_pool()) {
                pooled.push(pool_of(sku));
            }
        }
        if pooled.is_empty() {
            return Ok(BTreeMap::new());
        }
        // Boxed, as the rest is: most orders have no pool, and their futures are no larger for those that have.
        let views = Box::pin(self.tidied(&pooled)).await?;
        Ok(views.into_iter().map(|view| (view.stock.sku.clone(), view)).collect())
    }

    /// More can be promised, perhaps: this process looks there again.
    pub(super) fn promisable(&self, order: &PurchaseOrder) {
        for line in order.lines.as_slice() {
            self.routes.freed(&pool_of(&line.sku).home());
        }
    }
}

/// What is to come of a SKU.
pub(crate) fn pool_of(sku: &Sku) -> StockId {
    StockId { sku: sku.clone(), channel: Channel::incoming() }
}

/// By how much more of a SKU the order is to bring than before.
fn change(before: Option<&PurchaseOrder>, order: &PurchaseOrder, sku: &Sku) -> i64 {
    let units = |order: &PurchaseOrder| order.incoming(sku).map_or(0, |incoming| incoming.units().cast_signed());
    units(order) - before.map_or(0, units)
}
