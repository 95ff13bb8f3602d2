//! Lists, page by page. A cursor is the place in the list, made opaque; the keys around it are derived.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use domain::{
    bucket::StockId,
    movement::Movement,
    refusal::{FieldError, Refusal},
    stock::StockView,
};

use super::Records;
use crate::{
    Failure, Fault, Item, Page, Store,
    item::{decode_movement, text},
    keys,
};

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
        self.movements_of(page, str::to_owned).await
    }

    /// The counts that found less than was held, newest first.
    ///
    /// # Errors
    /// Refused with `InvalidRequest` for a cursor that is not ours; or a fault.
    pub async fn list_shortfalls(&self, limit: usize, cursor: Option<&str>) -> Result<Page<Movement>, Failure> {
        let list = keys::SHORTFALL_LIST;
        let after = cursor.map(|cursor| after(cursor, list, keys::shortfall_at)).transpose()?;
        let page = self.list(list.to_owned(), true, limit, after).await?;
        self.movements_of(page, keys::movement_of_shortfall).await
    }

    async fn movements_of(
        &self,
        page: Page<Item>,
        movement_key: fn(&str) -> String,
    ) -> Result<Page<Movement>, Failure> {
        let keys: Vec<String> = page.items.iter().map(|item| movement_key(keys::of(item))).collect();
        let found = self.batch_get(keys.iter().cloned().collect()).await?;
        let items = keys.iter().filter_map(|key| found.get(key)).map(decode_movement).collect::<Result<_, _>>()?;
        Ok(Page { items, next_cursor: page.next_cursor.map(opaque) })
    }
}

fn opaque(rank: String) -> String {
    URL_SAFE_NO_PAD.encode(rank)
}

/// The place that a cursor names, as DynamoDB wants it: a text that no place in such a list can have is refused here.
fn after(cursor: &str, list: &str, key_at: fn(&str) -> Option<String>) -> Result<Item, Refusal> {
    let place = || {
        let rank = String::from_utf8(URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()?;
        Some((key_at(&rank)?, rank))
    };
    let Some((key, rank)) = place() else {
        let detail = "must be a `next_cursor` of the same list".to_owned();
        return Err(Refusal::InvalidRequest { errors: vec![FieldError { field: "cursor".to_owned(), detail }] });
    };
    Ok(Item::from([
        (keys::PK.to_owned(), text(key)),
        (keys::LIST.to_owned(), text(list)),
        (keys::RANK.to_owned(), text(rank)),
    ]))
}
