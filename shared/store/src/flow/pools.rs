//! Where a channel's request finds its units: in its own home, which is its *quota*; where it has none, in the shared one. Another channel's
//! home is never touched.
//!
//! | step | requests |
//! |---|---|
//! | the channel's own home, as if there were no other | as ever |
//! | there is none: the shared home; for a minute this process then begins there | 1 refused write, once |
//! | it is short, and the channel may borrow, or has given its quota up: what is missing from the shared stock first, then what the own home has | 1 each |
//!
//! | nothing of that suffices, and the request accepts a backorder: what is missing from what is to come, if that may be promised | 1 read, 1 each |
//!
//! Whoever borrows asks the shared stock first for what his own home cannot give: if that is short as well, nothing was written. Holds of
//! an earlier attempt are adopted in both. A backorder asks in the same order: first what is to come, for what
//! nothing else can give.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    bucket::{Bucket, BucketId, StockId},
    channel::Overflow,
    ids::{ReservationId, Sku},
    purchase::{Backorders, OnOrder},
    quantity::Quantity,
    refusal::Refusal,
    time::Timestamp,
};

use crate::{
    Failure, Fault, Store,
    flow::{
        acquire::{Acquired, Missing, Share},
        take::Begin,
    },
};

/// How often a backorder looks at stock and at what is to come when others take what it saw.
const MAX_TURNS: usize = 3;

/// The homes that serve a SKU in a channel, as they were found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pools {
    /// The channel's own, else the shared one.
    pub(crate) first: StockId,
    /// The shared one, where a channel with a home of its own may borrow from it.
    pub(crate) borrows: Option<StockId>,
}

impl Pools {
    /// All of them.
    pub(crate) fn all(&self) -> impl Iterator<Item = &StockId> {
        std::iter::once(&self.first).chain(&self.borrows)
    }
}

/// Homes, and when they were looked at.
#[derive(Debug, Clone)]
pub(crate) struct Homes {
    pub(crate) as_of: Timestamp,
    pub(crate) homes: BTreeMap<BucketId, Bucket>,
}

/// A line, and on which terms it is held.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted<'a> {
    pub(crate) id: &'a ReservationId,
    /// In the channel that sells.
    pub(crate) stock: &'a StockId,
    pub(crate) quantity: Quantity,
    pub(crate) expires_at: Timestamp,
    pub(crate) begin: Begin,
}

impl<'a> Wanted<'a> {
    /// So many units of it, held in this pool next to what was held there before.
    pub(crate) fn share(&self, pool: StockId, quantity: Quantity, before: Acquired) -> Share<'a> {
        let Self { id, expires_at, begin, .. } = *self;
        Share { id, pool, quantity, spare: 0, expires_at, begin, before }
    }

    fn all_of(&self, pool: StockId) -> Share<'a> {
        self.share(pool, self.quantity, Acquired::default())
    }
}

impl Store {
    /// Holds the units of a line in the pools that serve its channel.
    pub(crate) async fn acquire_in_pools(&self, wanted: &Wanted<'_>) -> Result<Acquired, Fault> {
        let stock = wanted.stock;
        let begins_shared = self.routes.is_shared(stock, self.now());
        if begins_shared {
            let acquired = self.acquire(wanted.all_of(stock.shared())).await?;
            if acquired.missing != Some(Missing::UnknownSku) {
                return Ok(acquired);
            }
            self.routes.forget_shared(stock);
        }
        let own = self.acquire(wanted.all_of(stock.clone())).await?;
        match own.missing {
            Some(Missing::UnknownSku) if !begins_shared => {
                let acquired = self.acquire(wanted.all_of(stock.shared())).await?;
                if acquired.missing != Some(Missing::UnknownSku) {
                    self.routes.remember_shared(stock, self.now());
                }
                Ok(acquired)
            }
            Some(Missing::Short { available }) => {
                let joined = own.joined;
                if joined && available == 0 && own.held() == 0 {
                    // Whatever its last shoppers let go is brought to the shared stock by the next quotas.
                    self.routes.remember_shared(stock, self.now());
                }
                if joined || self.overflow_of(&stock.channel).await? == Overflow::Borrow {
                    self.borrow(wanted, own, available).await
                } else {
                    Ok(own)
                }
            }
            _ => Ok(own),
        }
    }

    /// The same; and what they lack is taken from what is to come, if that may be promised.
    pub(crate) async fn acquire_or_backorder(&self, wanted: &Wanted<'_>) -> Result<Acquired, Fault> {
        let mut there = self.acquire_in_pools(wanted).await?;
        if !matches!(there.missing, Some(Missing::Short { .. }))
            || self.on_order(&wanted.stock.sku).await?.backorders != Backorders::Open
        {
            return Ok(there);
        }
        let mut to_come = Acquired::default();
        for _ in 0..MAX_TURNS {
            let Some(Missing::Short { available }) = there.missing else { break };
            let given = there.held() + to_come.held() + available;
            let Ok(lacking) = Quantity::new(wanted.quantity.units().saturating_sub(given)) else { break };
            let share = wanted.share(wanted.stock.incoming(), lacking, to_come);
            to_come = self.acquire(Share { spare: available, ..share }).await?;
            if let Some(missing) = to_come.missing {
                return Ok(there.and(to_come, Some(also(available, missing))));
            }
            to_come.leftovers.append(&mut there.leftovers);
            there = match to_come.rest_of(wanted.quantity) {
                // What was held there already is found, and adopted.
                Some(part) => self.acquire_in_pools(&Wanted { quantity: part, ..*wanted }).await?,
                None => Acquired { leftovers: there.allocations, ..Acquired::default() },
            };
        }
        // Others were faster each time.
        let missing = there.missing.map(|missing| match missing {
            Missing::Short { .. } => Missing::Contended,
            other => other,
        });
        Ok(there.and(to_come, missing))
    }

    /// The homes that serve each of these, as they are now.
    ///
    /// # Errors
    /// Refused with `UnknownSku`, naming all that have none; or a fault.
    pub(crate) async fn pools_of(&self, stocks: &[StockId]) -> Result<(Vec<Pools>, Homes), Failure> {
        let as_of = self.now();
        let homes = self.get_buckets(homes_of(stocks)).await?;
        self.choose(stocks, Homes { as_of, homes }).await
    }

    /// The same, and what is on its way of their SKUs, all in one read.
    ///
    /// # Errors
    /// As [`Store::pools_of`].
    pub(crate) async fn pools_and_on_order_of(
        &self,
        stocks: &[StockId],
    ) -> Result<(Vec<Pools>, Homes, BTreeMap<Sku, OnOrder>), Failure> {
        let as_of = self.now();
        let skus = stocks.iter().map(|stock| stock.sku.clone()).collect();
        let (homes, on_order) = self.get_buckets_and_on_order(homes_of(stocks), skus).await?;
        let (pools, homes) = self.choose(stocks, Homes { as_of, homes }).await?;
        Ok((pools, homes, on_order))
    }

    async fn choose(&self, stocks: &[StockId], found: Homes) -> Result<(Vec<Pools>, Homes), Failure> {
        let Homes { as_of, homes } = found;
        let (mut pools, mut skus) = (Vec::with_capacity(stocks.len()), Vec::new());
        for stock in stocks {
            let shared = stock.shared();
            let (has_own, has_shared) = (homes.contains_key(&stock.home()), homes.contains_key(&shared.home()));
            let own = homes.get(&stock.home()).and_then(Bucket::home);
            let joined = own.is_some_and(|home| home.joined);
            let may_borrow = has_own && has_shared && *stock != shared;
            match (has_own, has_shared) {
                (true, _) if may_borrow && (joined || self.overflow_of(&stock.channel).await? == Overflow::Borrow) => {
                    pools.push(Pools { first: stock.clone(), borrows: Some(shared) });
                }
                (true, _) => pools.push(Pools { first: stock.clone(), borrows: None }),
                (false, true) => pools.push(Pools { first: shared, borrows: None }),
                (false, false) => skus.push(stock.sku.clone()),
            }
        }
        if skus.is_empty() { Ok((pools, Homes { as_of, homes })) } else { Err(Refusal::UnknownSku { skus }.into()) }
    }

    /// The own home has only `available` units more: the rest comes from the shared stock, or nothing does.
    async fn borrow(&self, wanted: &Wanted<'_>, own: Acquired, available: u64) -> Result<Acquired, Fault> {
        let (stock, pool) = (wanted.stock, wanted.stock.shared());
        let rest = own.rest_of(wanted.quantity);
        // It was short: something is left after what it has.
        let Some(lacking) = rest.and_then(|rest| Quantity::new(rest.units().saturating_sub(available)).ok()) else {
            return Ok(own);
        };
        let share = wanted.share(pool.clone(), lacking, Acquired::default());
        let shared = self.acquire(Share { spare: available, ..share }).await?;
        if let Some(missing) = shared.missing {
            return Ok(own.and(shared, Some(also(available, missing))));
        }
        let still = |own: &Acquired, shared: &Acquired| {
            own.rest_of(wanted.quantity).and_then(|rest| Quantity::new(rest.units().saturating_sub(shared.held())).ok())
        };
        let Some(part) = still(&own, &shared) else { return Ok(own.and(shared, None)) };
        let own = self.acquire(wanted.share(stock.clone(), part, own)).await?;
        match (own.missing, still(&own, &shared)) {
            // Others were faster here meanwhile.
            (Some(Missing::Short { available }), Some(gone)) => {
                let shared = self.acquire(wanted.share(pool, gone, shared)).await?;
                let missing = shared.missing.map(|missing| also(available, missing));
                Ok(own.and(shared, missing))
            }
            (missing, _) => Ok(own.and(shared, missing)),
        }
    }
}

/// The homes that may serve these.
fn homes_of(stocks: &[StockId]) -> BTreeSet<BucketId> {
    stocks.iter().flat_map(|stock| [stock.home(), stock.shared().home()]).collect()
}

/// What is missing of a line of which so many units are available elsewhere.
fn also(available: u64, missing: Missing) -> Missing {
    match missing {
        Missing::UnknownSku => Missing::Short { available },
        Missing::Short { available: there } => Missing::Short { available: available + there },
        Missing::Contended => Missing::Contended,
    }
}
