//! Backorders: whether a SKU has any, who waits, and what came for those who wait no longer.
//!
//! **Who waits** is not written down. The records of all promises are listed by their time; of a SKU, the latest of them that together are what
//! is promised and has not come are those that wait. So a look goes back from the newest promise until it has found them, and no further.
//! The index learns of a record a moment after it is written: those whose holds stand are read from the pool itself.

mod list;

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    ids::Sku,
    limits::MAX_PAGE,
    purchase::{
        Backorders, OnOrder,
        backorder::{self, Cover, Pool, Promise, cover, waiting},
    },
    replenishment::ordering::home_for,
    reservation::{Reservation, Status},
    stock::StockView,
    time::{Day, Timestamp},
    transfer::Move,
};

pub use list::Backorder;

use super::{
    purchase::pool_of,
    stock::{Records, cursor::place},
};
use crate::{
    Failure, Fault, Store,
    item::{decode_on_order, decode_terms},
    keys,
    table::{Pauses, Transacted},
    write::{self, incoming::Next},
};

/// How often a pool is looked at again when it changes underneath.
const MAX_ROUNDS: u32 = 10;

/// Who waits for a SKU, in the order of their promises, with their records.
type Waiting = Vec<(Promise, Cover, Reservation)>;

impl Store {
    /// Says whether what is on its way of a SKU may be promised. The first time its pool is made, with all that is on its way.
    ///
    /// # Errors
    /// Refused with `Contended`; or a fault.
    pub(crate) async fn set_backorders(&self, sku: &Sku, open: bool) -> Result<(), Failure> {
        for round in 0..MAX_ROUNDS {
            let found = self.get(keys::on_order(sku)).await?;
            let seen = found.as_ref().map(decode_on_order).transpose()?.map(|(_, on_order)| on_order);
            let before = seen.as_ref().map(|on_order| on_order.backorders).unwrap_or_default();
            let next = if open { Backorders::Open } else { Backorders::Closed };
            if before == next || (!open && before == Backorders::Never) {
                return Ok(());
            }
            let mut writes = vec![write::purchase::mark(sku, seen.as_ref(), next)];
            if before == Backorders::Never {
                let units = seen.as_ref().map_or(0, OnOrder::units);
                writes.push(write::pool::open(&pool_of(sku), units));
                let movement = backorder::begins(sku, units, self.now());
                writes.extend(movement.as_ref().map(write::movement::explain));
            }
            if self.write_together(writes).await? {
                return Ok(());
            }
            Pauses::of(&keys::on_order(sku)).pause(round).await;
        }
        Err(domain::refusal::Refusal::Contended.into())
    }

    /// Does for a SKU what nobody has asked for: says whether what is on its way may be promised, as its terms do, and moves to where they can
    /// be sold the units that came for those who wait no longer. Answers how many those were.
    ///
    /// # Errors
    /// Refused with `Contended`; or a fault.
    pub async fn tend_backorders(&self, sku: &Sku) -> Result<u64, Failure> {
        let (terms, on_order) = (keys::terms(sku), keys::on_order(sku));
        let found = self.batch_get([terms.clone(), on_order.clone()].into()).await?;
        let wanted = found.get(&terms).map(decode_terms).transpose()?.is_some_and(|terms| terms.settings.backorder);
        let marked = found.get(&on_order).map(decode_on_order).transpose()?;
        let marked = marked.map(|(_, on_order)| on_order.backorders).unwrap_or_default();
        if !wanted && !marked.has_pool() {
            return Ok(0);
        }
        self.set_backorders(sku, wanted).await?;
        self.move_surplus(sku).await
    }

    async fn move_surplus(&self, sku: &Sku) -> Result<u64, Failure> {
        let stock = pool_of(sku);
        for round in 0..MAX_ROUNDS {
            let view = self.tidied_view(&stock).await?;
            let (Some((_, home)), pool) = (view.buckets.first(), Pool::of(&view)) else { return Ok(0) };
            let units = pool.surplus();
            if units == 0 {
                return Ok(0);
            }
            if home.free < units && view.free() > home.free {
                self.fold_all(&stock).await?;
                continue;
            }
            let units = units.min(home.free);
            let views = self.pools(sku).await?;
            let to = home_for(&views);
            let Some(target) = views.iter().find(|view| view.stock.channel == to).filter(|_| units > 0) else {
                return Ok(0);
            };
            let cause = backorder::surplus(sku, view.home().generation);
            let moved = Move { from: stock.channel.clone(), to, units };
            let movements = cause.movements(&[moved], self.now());
            let next = Next { free: home.free - units, shortfall: pool.shortfall, arrived: pool.arrived - units };
            let credit = write::credit::credit(&target.stock.home(), units, target.home().shortfall, None);
            let mut writes = vec![write::incoming::follow(&stock, home, next), credit];
            writes.extend(movements.iter().map(write::movement::explain));
            if self.transact(writes).await? == Transacted::Applied {
                self.arrived(&movements).await;
                return Ok(units);
            }
            Pauses::of(&keys::bucket(&stock.home())).pause(round).await;
        }
        Err(domain::refusal::Refusal::Contended.into())
    }

    /// On which days what was promised by a reservation comes, by SKU; nothing of what has come, and of what nobody can say. A `fresh` one was
    /// recorded just now: all others were promised before it.
    ///
    /// # Errors
    /// Refused with `Contended`; or a fault.
    pub async fn promised_days(&self, reservation: &Reservation, fresh: bool) -> Result<BTreeMap<Sku, Day>, Failure> {
        if !reservation.is_backorder() || !reservation.keeps_its_holds() {
            return Ok(BTreeMap::new());
        }
        let lines = reservation.lines.iter().map(|line| (line.sku.clone(), reservation.backordered(&line.sku)));
        let units: BTreeMap<Sku, u64> = lines.filter(|(_, units)| *units > 0).collect();
        let mut covers: BTreeMap<Sku, Cover> = BTreeMap::new();
        if fresh {
            for (sku, (view, on_order)) in self.pools_and_orders(units.keys().cloned().collect()).await? {
                let own = units.get(&sku).copied().unwrap_or(0);
                let before = promised(&view, self.now()).saturating_sub(own);
                covers.insert(sku, Cover::of(&on_order, before, own));
            }
        } else {
            let (id, successor) = (&reservation.id, reservation.id.successor());
            for (sku, who) in self.waiting_for(units.keys().cloned().collect()).await? {
                let own = who.into_iter().find(|(promise, ..)| promise.id == *id || promise.id == successor);
                covers.extend(own.map(|(_, cover, _)| (sku, cover)));
            }
        }
        let days = covers.into_iter().filter_map(|(sku, cover)| Some((sku, cover.expected_on()?)));
        let today = Day::of(self.now());
        // A day that has passed promises nothing.
        Ok(days.filter(|(_, day)| *day >= today).collect())
    }

    /// The pools of those of these SKUs that have one, and what is on its way of them.
    async fn pools_and_orders(&self, skus: BTreeSet<Sku>) -> Result<BTreeMap<Sku, (StockView, OnOrder)>, Failure> {
        let found = self.batch_get(skus.iter().map(keys::on_order).collect()).await?;
        let decoded: BTreeMap<Sku, OnOrder> = found.values().map(decode_on_order).collect::<Result<_, Fault>>()?;
        let pooled = decoded.iter().filter(|(_, on_order)| on_order.backorders.has_pool());
        let stocks: Vec<_> = pooled.map(|(sku, _)| pool_of(sku)).collect();
        if stocks.is_empty() {
            return Ok(BTreeMap::new());
        }
        let views = self.view(&stocks, Records::OfAll).await?;
        let both = views.into_iter().filter_map(|view| {
            let (sku, on_order) = decoded.get_key_value(&view.stock.sku)?;
            Some((sku.clone(), (view, on_order.clone())))
        });
        Ok(both.collect())
    }

    /// Who waits for each of these SKUs, and what brings them what they wait for.
    async fn waiting_for(&self, skus: BTreeSet<Sku>) -> Result<BTreeMap<Sku, Waiting>, Failure> {
        let pools = self.pools_and_orders(skus).await?;
        let now = self.now();
        let owed: BTreeMap<Sku, u64> =
            pools.iter().map(|(sku, (view, _))| (sku.clone(), promised(view, now))).collect();
        let mut records = self.promises_back_to(&owed, now).await?;
        let standing = pools.values().flat_map(|(view, _)| view.records.values());
        records.extend(standing.filter(|record| stands(record, now)).map(|record| (record.id.clone(), record.clone())));
        let waiting_for = |sku: &Sku, on_order: &OnOrder| -> Waiting {
            let promises = records.values().filter(|record| record.backordered(sku) > 0);
            let promises = promises.map(|record| Promise {
                at: record.created_at,
                id: record.id.clone(),
                units: record.backordered(sku),
            });
            let who = waiting(promises.collect(), owed.get(sku).copied().unwrap_or(0));
            let covered = cover(on_order, who).into_iter();
            covered.filter_map(|(who, cover)| Some((who.clone(), cover, records.get(&who.id)?.clone()))).collect()
        };
        Ok(pools.iter().map(|(sku, (_, on_order))| (sku.clone(), waiting_for(sku, on_order))).collect())
    }

    /// The records of the latest promises, back to where they are as many units of each SKU as are `owed`.
    async fn promises_back_to(
        &self,
        owed: &BTreeMap<Sku, u64>,
        now: Timestamp,
    ) -> Result<BTreeMap<domain::ids::ReservationId, Reservation>, Fault> {
        let mut missing = owed.clone();
        let (mut records, mut after) = (BTreeMap::new(), None);
        while missing.values().any(|units| *units > 0) {
            let page = self.list(keys::BACKORDER_LIST.to_owned(), true, MAX_PAGE, after).await?;
            let listed = page.items.iter().filter_map(|item| keys::reservation_of(keys::of(item)));
            for (id, record) in self.get_reservations(&listed.collect::<Vec<_>>()).await? {
                if stands(&record, now) {
                    for (sku, units) in &mut missing {
                        *units = units.saturating_sub(record.backordered(sku));
                    }
                    records.insert(id, record);
                }
            }
            after = page.next_cursor.and_then(|rank| {
                let key = keys::sale_at(&rank)?;
                Some(place(keys::BACKORDER_LIST, key, rank))
            });
            if after.is_none() {
                break;
            }
        }
        Ok(records)
    }
}

/// Whether what was promised by this record is owed.
fn stands(record: &Reservation, now: Timestamp) -> bool {
    match record.status {
        Status::Confirmed { .. } => true,
        Status::Active => now <= record.expires_at,
        Status::Canceled { .. } | Status::Expired { .. } => false,
    }
}

/// Units that were promised by a record and have not come. A hold that nobody has recorded is no promise yet.
fn promised(view: &StockView, now: Timestamp) -> u64 {
    let owed = view.buckets.iter().map(|(id, bucket)| {
        let named = bucket.holds.iter().filter(|(owner, hold)| {
            view.records.get(*owner).is_some_and(|record| stands(record, now) && record.names(id, hold))
        });
        bucket.sold + named.map(|(_, hold)| hold.quantity.units()).sum::<u64>()
    });
    owed.sum::<u64>().saturating_sub(view.home().arrived)
}
