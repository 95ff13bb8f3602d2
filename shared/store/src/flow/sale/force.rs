//! Forcing what nobody has: a shortfall of the home, as when the shelf was counted and held units were not there.
//!
//! 1. The *pool* is the channel's own home, else the shared one. A SKU that does not exist is made, so that the order has a place.
//! 2. A channel that may borrow takes what the shared stock has, all or a part.
//! 3. What is over in the pool is resolved, and what is free in children is brought home. Children that stay are marked: units that become
//!    free in them cover the shortfall.
//! 4. One transaction takes all that the home has and owes the rest (`write/force.rs`). If anything has moved since the look, again from 3.
//!
//! Units that turn up meanwhile are held as ever; a hold that another attempt made is adopted wherever it is seen. If this id was forced
//! before and that hold is gone (its time was over before anybody recorded it, and the record of that may be deleted by now), the line goes on
//! under its successor's id.

use domain::{
    bucket::{Bucket, Hold, StockId},
    quantity::Quantity,
    refusal::Refusal,
    reservation::Allocation,
    sale::{ForcedSale, SaleKey},
    stock::{Settings, StockView},
};

use crate::{
    Failure, Fault, Store,
    flow::{
        acquire::{Acquired, Missing},
        pools::Wanted,
    },
    table::{Met, Pauses, Transacted, Written},
    write,
};

/// How often it is looked at again when stock moves underneath it: more often than an order that may be refused.
const MAX_ROUNDS: u32 = 40;

/// How often what the shared stock has is asked for, when others take it meanwhile.
const MAX_SHARES: u32 = 8;

/// What is held, and what of it nobody had.
pub(super) struct Forced {
    pub(super) acquired: Acquired,
    /// Nothing if this call forced nothing.
    pub(super) missing: Option<u64>,
}

/// What came of forcing.
pub(super) enum Forcing {
    /// All of the line is held.
    Held(Forced),
    /// This id was forced before, and what was held then is gone: only a successor can be forced again. This is held meanwhile.
    Spent(Acquired),
    /// Others were always faster.
    Contended,
}

/// What came of one attempt at the transaction.
enum Attempt {
    /// This is held now, and so many units of it are missing.
    Forced(Allocation, u64),
    /// Something has changed since the look.
    Outdated,
    /// This id was forced before.
    ForcedBefore,
}

impl Store {
    /// Holds the rest of a line, forcing what is not there.
    pub(super) async fn force(
        &self,
        wanted: &Wanted<'_>,
        key: &SaleKey,
        acquired: Acquired,
    ) -> Result<Forcing, Failure> {
        let (pool, may_borrow) = self.pool_for(wanted.stock).await?;
        let mut acquired = if may_borrow { self.whatever_is_shared(wanted, acquired).await? } else { acquired };
        let pauses = Pauses::of(wanted.id.as_str());
        let mut forced_before = false;
        for round in 0..MAX_ROUNDS {
            let Some(rest) = acquired.rest_of(wanted.quantity) else {
                return Ok(Forcing::Held(Forced { acquired, missing: None }));
            };
            let view = self.tidied_view(&pool).await?;
            if adopt(wanted, &view, rest, &mut acquired) {
                continue;
            }
            if view.free() >= rest.units() {
                acquired = self.acquire(wanted.share(pool.clone(), rest, acquired)).await?;
                continue;
            }
            if forced_before {
                return Ok(Forcing::Spent(acquired));
            }
            let Some((_, home)) = view.buckets.first() else { return Ok(Forcing::Contended) };
            if view.free() > home.free {
                self.fold_all(&pool).await?;
                continue;
            }
            if self.mark_children(&view).await? {
                continue;
            }
            match self.force_at(wanted, key, &pool, home, rest).await? {
                Attempt::Forced(own, missing) => {
                    acquired.allocations.push(own);
                    return Ok(Forcing::Held(Forced { acquired, missing: Some(missing) }));
                }
                // Another attempt may have done so just now: its hold is looked for once more.
                Attempt::ForcedBefore => forced_before = true,
                Attempt::Outdated => pauses.pause(round.min(4)).await,
            }
        }
        Ok(Forcing::Contended)
    }

    /// The home on which a line is forced, and whether the shared stock may give some of it.
    async fn pool_for(&self, stock: &StockId) -> Result<(StockId, bool), Fault> {
        match self.pools_of(std::slice::from_ref(stock)).await {
            Ok((pools, _)) => {
                let pools = pools.into_iter().next();
                let may_borrow = pools.as_ref().is_some_and(|pools| pools.borrows.is_some());
                Ok((pools.map_or_else(|| stock.clone(), |pools| pools.first), may_borrow))
            }
            Err(Failure::Refused(_)) => {
                // Refused: it was made meanwhile.
                let (Written::Applied(_) | Written::Refused(_)) =
                    self.write(&write::settings::create(stock, Settings::default())).await?;
                Ok((stock.clone(), false))
            }
            Err(Failure::Fault(fault)) => Err(fault),
        }
    }

    /// What the shared stock has of the rest of a line, be it a part.
    async fn whatever_is_shared(&self, wanted: &Wanted<'_>, mut acquired: Acquired) -> Result<Acquired, Failure> {
        let mut most = u64::MAX;
        for _ in 0..MAX_SHARES {
            let asked = acquired.rest_of(wanted.quantity).and_then(|rest| rest.at_most(most));
            let Some(asked) = asked else { return Ok(acquired) };
            acquired = self.acquire(wanted.share(wanted.stock.shared(), asked, acquired)).await?;
            most = match acquired.missing {
                None | Some(Missing::UnknownSku) => return Ok(acquired),
                Some(Missing::Short { available }) => available,
                Some(Missing::Contended) => return Err(Refusal::Contended.into()),
            };
        }
        Ok(acquired)
    }

    /// The transaction.
    async fn force_at(
        &self,
        wanted: &Wanted<'_>,
        key: &SaleKey,
        pool: &StockId,
        home: &Bucket,
        rest: Quantity,
    ) -> Result<Attempt, Failure> {
        let missing = rest.units().saturating_sub(home.free);
        let (sku, quantity) = (wanted.stock.sku.clone(), wanted.quantity);
        let sale = ForcedSale { key: key.clone(), sku, quantity, missing, at: self.now() };
        let hold = Hold { quantity: rest, expires_at: wanted.expires_at };
        let takes_holds = !home.is_crowded()
            && !home.holds.contains_key(wanted.id)
            && home.watermark.is_none_or(|watermark| watermark < hold.expires_at);
        let (bucket, writes) = if takes_holds {
            (pool.home(), write::force::at_home(pool, home, wanted.id, hold, &sale))
        } else {
            let number = home.home().map_or(0, |home| home.next_child);
            (pool.child(number), write::force::in_child(pool, home, wanted.id, hold, &sale))
        };
        match self.transact(writes).await? {
            Transacted::Applied => Ok(Attempt::Forced(Allocation { bucket, hold }, missing)),
            Transacted::Refused(met) if matches!(met.get(1), Some(Met::Failed(_))) => Ok(Attempt::ForcedBefore),
            Transacted::Refused(_) => Ok(Attempt::Outdated),
        }
    }
}

/// Adopts a hold of this line that is seen and was not known. Says whether there was any.
fn adopt(wanted: &Wanted<'_>, view: &StockView, rest: Quantity, acquired: &mut Acquired) -> bool {
    let known: Vec<_> = acquired.allocations.iter().chain(&acquired.leftovers).map(|own| own.bucket.clone()).collect();
    let seen = view.buckets.iter().filter(|(id, _)| !known.contains(id));
    let Some((bucket, hold)) = seen.into_iter().find_map(|(id, bucket)| Some((id, *bucket.holds.get(wanted.id)?)))
    else {
        return false;
    };
    let own = Allocation { bucket: bucket.clone(), hold };
    if hold.quantity <= rest {
        acquired.allocations.push(own);
    } else {
        acquired.leftovers.push(own);
    }
    true
}
