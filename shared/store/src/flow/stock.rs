//! The merchant's side: what there is, settings, movements, lists. Transactions are welcome here: no shopper waits for them.

pub(crate) mod cursor;
mod list;
mod movements;
mod pools;
mod redistribution;
mod transfers;

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    bucket::{Bucket, BucketId, Home, StockId},
    channel::Offer,
    ids::Sku,
    purchase::OnOrder,
    refusal::Refusal,
    reservation::Reservation,
    stock::{Settings, StockView},
    time::{Day, Timestamp},
};

pub use list::Shortfall;
pub use movements::Moved;
pub use pools::pools_version;
pub use redistribution::{Occasion, Redistributed, StoredRule};
pub use transfers::Transferred;

use crate::{
    Failure, Fault, Store,
    flow::{
        pools::{Homes, Pools},
        purchase::pool_of,
    },
    item::decode_bucket,
    table::Written,
    write,
};

/// What came of writing settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Saved {
    /// The SKU was made by this call.
    pub created: bool,
    /// The version that the settings have now.
    pub version: u64,
}

/// How often stock is looked at again when units move between its buckets.
const MAX_LOOKS: usize = 10;

/// Which holds' records a view contains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Records {
    /// Of holds whose time is over: enough to know what is available.
    OfOverdue,
    /// Of all holds: also tells reserved from sold.
    OfAll,
}

impl Store {
    /// SKUs with all of their sums, in the order asked for. Of one in a channel without a home of its own it is the shared stock, and the
    /// view says so.
    ///
    /// # Errors
    /// Refused with `UnknownSku`, naming all that exist neither in the channel nor shared; or a fault.
    pub async fn stock(&self, stocks: &[StockId]) -> Result<Vec<StockView>, Failure> {
        let (pools, homes) = self.pools_of(stocks).await?;
        let served: Vec<StockId> = pools.into_iter().map(|pools| pools.first).collect();
        self.view_from(&served, Records::OfAll, Some(homes)).await
    }

    /// What can be sold of SKUs in channels now, in the order asked for: what the channel's own home has, else the shared one; of a channel
    /// that may borrow, what both have. And what of purchase orders is to come next that nobody was promised: what is on its way is read with
    /// the homes, in the same request.
    ///
    /// # Errors
    /// As [`Store::stock`].
    pub async fn availability(&self, stocks: &[StockId]) -> Result<Vec<Offer>, Failure> {
        let (pools, homes, on_order) = self.pools_and_on_order_of(stocks).await?;
        let read: BTreeSet<StockId> = pools.iter().flat_map(Pools::all).cloned().collect();
        let read: Vec<StockId> = read.into_iter().collect();
        let views = self.view_from(&read, Records::OfOverdue, Some(homes)).await?;
        let promised = self.promised(&on_order).await?;
        let found: BTreeMap<&StockId, &StockView> = views.iter().map(|view| (&view.stock, view)).collect();
        let offers = stocks.iter().zip(&pools).map(|(stock, pools)| {
            let views = || pools.all().filter_map(|pool| found.get(pool));
            // All of them were seen at the same instant, and there is one at least.
            let as_of = views().map(|view| view.as_of).min().unwrap_or_default();
            // Units that come cover a shortfall first.
            let awaited = views().map(|view| view.level().shortfall).sum();
            let next = on_order.get(&stock.sku).and_then(|on_order| {
                let promised = promised.get(&stock.sku).copied().unwrap_or(0);
                on_order.without(promised).next(Day::of(as_of), awaited)
            });
            Offer { stock: stock.clone(), as_of, available: views().map(|view| view.level().available).sum(), next }
        });
        Ok(offers.collect())
    }

    /// How many of the units on their way were promised, of SKUs where some may be. They are read a moment after what is on its way: who is
    /// served meanwhile counts as if he still waited, or a unit more is said to come.
    async fn promised(&self, on_order: &BTreeMap<Sku, OnOrder>) -> Result<BTreeMap<Sku, u64>, Failure> {
        let pooled = on_order.iter().filter(|(_, on_order)| on_order.backorders.has_pool());
        let pools: Vec<StockId> = pooled.map(|(sku, _)| pool_of(sku)).collect();
        if pools.is_empty() {
            return Ok(BTreeMap::new());
        }
        let views = self.view(&pools, Records::OfOverdue).await?.into_iter();
        let promised = views.map(|view| {
            let (level, units) = (view.level(), on_order.get(&view.stock.sku).map_or(0, OnOrder::units));
            (view.stock.sku, (units + level.shortfall).saturating_sub(level.available))
        });
        Ok(promised.collect())
    }

    /// The version of the settings of a SKU in a channel; nothing if it has no home there.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be read.
    pub async fn settings_version(&self, stock: &StockId) -> Result<Option<u64>, Fault> {
        let home = self.get_bucket(&stock.home()).await?;
        Ok(home.as_ref().and_then(Bucket::home).map(|home| home.version))
    }

    /// Each SKU as if all of its buckets had been seen at once: if units moved between them meanwhile, it looks again.
    pub(crate) async fn view(&self, stocks: &[StockId], depth: Records) -> Result<Vec<StockView>, Failure> {
        self.view_from(stocks, depth, None).await
    }

    /// The same, where the homes were just read.
    pub(crate) async fn view_from(
        &self,
        stocks: &[StockId],
        depth: Records,
        mut seen: Option<Homes>,
    ) -> Result<Vec<StockView>, Failure> {
        let wanted: BTreeSet<BucketId> = stocks.iter().map(StockId::home).collect();
        for _ in 0..MAX_LOOKS {
            let Homes { as_of, mut homes } = match seen.take() {
                Some(seen) => seen,
                None => Homes { as_of: self.now(), homes: self.get_buckets(wanted.iter().cloned()).await? },
            };
            homes.retain(|id, _| wanted.contains(id));
            let unknown: Vec<_> = stocks.iter().filter(|stock| !homes.contains_key(&stock.home())).collect();
            if !unknown.is_empty() {
                let skus = unknown.into_iter().map(|stock| stock.sku.clone()).collect();
                return Err(Refusal::UnknownSku { skus }.into());
            }
            let children = homes.iter().flat_map(|(id, home)| {
                let window = home.home().map(Home::window).unwrap_or_default();
                window.map(|number| id.stock.child(number))
            });
            let children = self.get_buckets(children.collect::<Vec<_>>()).await?;
            if self.moved_since(&homes).await? {
                continue;
            }
            let records = self.records_of(homes.values().chain(children.values()), depth, as_of).await?;
            return Ok(stocks.iter().map(|stock| view_of(stock, as_of, &homes, &children, &records)).collect());
        }
        Err(Refusal::Contended.into())
    }

    /// Whether units moved between the home and the children of a SKU since these homes were read. A SKU without children is one
    /// item, and needs no second look.
    pub(crate) async fn moved_since(&self, homes: &BTreeMap<BucketId, Bucket>) -> Result<bool, Fault> {
        let split = homes.iter().filter_map(|(id, bucket)| Some((id, bucket.home()?)));
        let split: Vec<_> = split.filter(|(_, home)| !home.window().is_empty()).collect();
        let now = self.get_buckets(split.iter().map(|(id, _)| (*id).clone())).await?;
        let generation = |id: &BucketId| now.get(id).and_then(Bucket::home).map(|home| home.generation);
        Ok(split.iter().any(|(id, home)| generation(id) != Some(home.generation)))
    }

    async fn records_of(
        &self,
        buckets: impl Iterator<Item = &Bucket>,
        depth: Records,
        as_of: Timestamp,
    ) -> Result<BTreeMap<domain::ids::ReservationId, Reservation>, Fault> {
        let holds = buckets.flat_map(|bucket| &bucket.holds);
        let wanted = holds.filter(|(_, hold)| depth == Records::OfAll || hold.is_over(as_of)).map(|(id, _)| id);
        self.get_reservations(wanted.collect::<Vec<_>>()).await
    }

    /// Writes the settings of a SKU in a channel, making it if it does not exist, and splits or folds it accordingly.
    ///
    /// # Errors
    /// Refused with `PreconditionFailed` when `if_match` is not the stored version; or a fault.
    pub async fn save_settings(
        &self,
        stock: &StockId,
        settings: &Settings,
        if_match: Option<u64>,
    ) -> Result<Saved, Failure> {
        let created = if if_match.is_none() {
            matches!(self.write(&write::settings::create(stock, *settings)).await?, Written::Applied(_))
        } else {
            false
        };
        self.routes.forget_shared(stock);
        let version = if created { 1 } else { self.change_settings(stock, settings, if_match).await? };
        if settings.expected_peak_per_second == 0 {
            self.fold_all(stock).await?;
        } else {
            self.open_ahead(stock).await?;
        }
        Ok(Saved { created, version })
    }

    async fn change_settings(
        &self,
        stock: &StockId,
        settings: &Settings,
        if_match: Option<u64>,
    ) -> Result<u64, Failure> {
        let (home, applied) = match self.write(&write::settings::change(stock, *settings, if_match)).await? {
            Written::Applied(image) => (image, true),
            Written::Refused(found) => (found, false),
        };
        let home = home.as_ref().map(decode_bucket).transpose()?;
        let home = home.as_ref().and_then(Bucket::home).copied().unwrap_or_default();
        // The SDK re-sends a write whose reply was lost: the version that was asked for, with these settings, one later is ours.
        let resent = if_match.is_some_and(|seen| home.version == seen + 1)
            && home.expected_peak_per_second == settings.expected_peak_per_second;
        if applied || resent {
            Ok(home.version)
        } else {
            Err(Refusal::PreconditionFailed { version: home.version }.into())
        }
    }
}

fn view_of(
    stock: &StockId,
    as_of: Timestamp,
    homes: &BTreeMap<BucketId, Bucket>,
    children: &BTreeMap<BucketId, Bucket>,
    records: &BTreeMap<domain::ids::ReservationId, Reservation>,
) -> StockView {
    let own = |buckets: &BTreeMap<BucketId, Bucket>| {
        let own = buckets.iter().filter(|(id, _)| id.stock == *stock);
        own.map(|(id, bucket)| (id.clone(), bucket.clone())).collect::<Vec<_>>()
    };
    let buckets = [own(homes), own(children)].concat();
    let owners = buckets.iter().flat_map(|(_, bucket)| bucket.holds.keys());
    let records = owners.filter_map(|id| Some((id.clone(), records.get(id)?.clone()))).collect();
    StockView { stock: stock.clone(), as_of, buckets, records }
}
