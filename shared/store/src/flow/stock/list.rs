//! Lists, page by page. A cursor is the place in the list, made opaque; the keys around it are derived.

use domain::{
    bucket::StockId, ids::ReservationId, movement::Movement, refusal::Refusal, sale::ForcedSale, stock::StockView,
};

use super::{
    Records,
    cursor::{after, opaque},
};
use crate::{
    Failure, Fault, Item, Page, Store,
    item::{decode_forced, decode_movement},
    keys,
};

/// Units that somebody has bought or was promised, but that were not there when it was written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shortfall {
    /// A count of the shelf found less than is held.
    Count(Movement),
    /// A marketplace had sold what nobody had.
    Order {
        /// The record of the line, or the one that it succeeds.
        id: ReservationId,
        /// The line.
        sale: ForcedSale,
    },
}

impl Store {
    /// All SKUs in all channels, by SKU.
    ///
    /// # Errors
    /// Refused with `InvalidRequest` for a cursor that is not ours; or a fault.
    pub async fn list_stock(&self, limit: usize, cursor: Option<&str>) -> Result<Page<StockView>, Failure> {
        let after = cursor.map(|cursor| after(cursor, keys::STOCK_LIST, keys::home_at)).transpose()?;
        let page = self.list(keys::STOCK_LIST.to_owned(), false, limit, after).await?;
        let stocks = page.items.iter().map(|item| {
            let id: domain::bucket::BucketId = keys::name(keys::of(item)).parse()?;
            Ok(id.stock)
        });
        let stocks: Vec<StockId> = stocks.collect::<Result<_, Fault>>()?;
        let items = self.view(&stocks, Records::OfAll).await?;
        Ok(Page { items, next_cursor: page.next_cursor.map(opaque) })
    }

    /// The movements of a SKU in a channel, newest first.
    ///
    /// # Errors
    /// Refused with `UnknownSku`, or with `InvalidRequest` for a cursor that is not ours; or a fault.
    pub async fn list_movements(
        &self,
        stock: &StockId,
        limit: usize,
        cursor: Option<&str>,
    ) -> Result<Page<Movement>, Failure> {
        if self.get_bucket(&stock.home()).await?.is_none() {
            return Err(Refusal::UnknownSku { skus: vec![stock.sku.clone()] }.into());
        }
        let list = keys::movement_list(stock);
        let after = cursor.map(|cursor| after(cursor, &list, keys::movement_at)).transpose()?;
        let page = self.list(list, true, limit, after).await?;
        self.movements_of(page).await
    }

    /// The counts that found less than was held, and the marketplaces' orders that were recorded with less than they want, newest first.
    ///
    /// # Errors
    /// Refused with `InvalidRequest` for a cursor that is not ours; or a fault.
    pub async fn list_shortfalls(&self, limit: usize, cursor: Option<&str>) -> Result<Page<Shortfall>, Failure> {
        let list = keys::SHORTFALL_LIST;
        let after = cursor.map(|cursor| after(cursor, list, keys::shortfall_at)).transpose()?;
        let page = self.list(list.to_owned(), true, limit, after).await?;
        // A count says in its movement what it found, an order in the listed item itself.
        let listed: Vec<String> = page.items.iter().map(|item| keys::of(item).to_owned()).collect();
        let both = listed.iter().flat_map(|key| [key.clone(), keys::movement_of_shortfall(key)]);
        let found = self.batch_get(both.collect()).await?;
        let items = listed.iter().filter_map(|key| {
            let of_order = found.get(key).map(decode_forced).transpose().map(Option::flatten);
            let of_count = || found.get(&keys::movement_of_shortfall(key)).map(decode_movement).transpose();
            let shortfall = of_order.and_then(|order| match order {
                Some((id, sale)) => Ok(Some(Shortfall::Order { id, sale })),
                None => Ok(of_count()?.map(Shortfall::Count)),
            });
            shortfall.transpose()
        });
        Ok(Page { items: items.collect::<Result<_, _>>()?, next_cursor: page.next_cursor.map(opaque) })
    }

    async fn movements_of(&self, page: Page<Item>) -> Result<Page<Movement>, Failure> {
        let keys: Vec<String> = page.items.iter().map(|item| keys::of(item).to_owned()).collect();
        let found = self.batch_get(keys.iter().cloned().collect()).await?;
        let items = keys.iter().filter_map(|key| found.get(key)).map(decode_movement).collect::<Result<_, _>>()?;
        Ok(Page { items, next_cursor: page.next_cursor.map(opaque) })
    }
}
