//! The merchant's side: what there is, settings, movements, lists. Transactions are welcome here: no shopper waits for them.

mod list;
mod movements;

use std::collections::BTreeMap;

use domain::{
    bucket::{Bucket, BucketId, Home, StockId},
    refusal::Refusal,
    reservation::Reservation,
    stock::{Settings, StockView},
    time::Timestamp,
};

pub use movements::Moved;

use crate::{Failure, Fault, Store, item::decode_bucket, table::Written, write};

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
enum Records {
    /// Of holds whose time is over: enough to know what is available.
    OfOverdue,
    /// Of all holds: also tells reserved from sold.
    OfAll,
}

impl Store {
    /// SKUs with all of their sums, in the order asked for.
    ///
    /// # Errors
    /// Refused with `UnknownSku`, naming all that do not exist; or a fault.
    pub async fn stock(&self, stocks: &[StockId]) -> Result<Vec<StockView>, Failure> {
        self.view(stocks, Records::OfAll).await
    }

    /// SKUs as far as availability needs: sums of what is sold or reserved are not exact. In the order asked for.
    ///
    /// # Errors
    /// As [`Store::stock`].
    pub async fn availability(&self, stocks: &[StockId]) -> Result<Vec<StockView>, Failure> {
        self.view(stocks, Records::OfOverdue).await
    }

    /// Each SKU as if all of its buckets had been seen at once: if units moved between them meanwhile, it looks again.
    async fn view(&self, stocks: &[StockId], depth: Records) -> Result<Vec<StockView>, Failure> {
        for _ in 0..MAX_LOOKS {
            let as_of = self.now();
            let homes = self.get_buckets(stocks.iter().map(StockId::home)).await?;
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
