//! What channels have told of their orders: recording them, and how many units that were since an instant.

use domain::{
    ids::{Channel, Sku},
    limits::MAX_PAGE,
    listing::ListingId,
    publish::Pushed,
    sale::{ChannelOrder, SaleChange},
    time::Timestamp,
};

use super::stock::cursor;
use crate::{Failure, Fault, Store, item::decode_reservation, keys};

impl Store {
    /// Records an order as it stands at its channel, line by line. What is held for sales in flight of what it sold stays held but where it
    /// needed that itself: there may be other orders among these.
    ///
    /// # Errors
    /// As [`Store::record_sale`]; the lines before are recorded, and the same once more when the order is told again.
    pub async fn record_order(&self, channel: &Channel, order: &ChannelOrder) -> Result<(), Failure> {
        for line in &order.lines {
            let told_at = Some(order.changed_at);
            let outcome = self.record_sale_at(channel, &order.order, line, told_at).await?;
            if outcome.change == SaleChange::Unchanged {
                continue;
            }
            let (id, sku) = (&outcome.reservation, &line.sku);
            tracing::info!(%channel, order = %order.order, %sku, %id, change = ?outcome.change, "recorded a sale");
            if outcome.shortfall > 0 {
                let missing = outcome.shortfall;
                tracing::error!(alarm = "shortfall", %channel, order = %order.order, %sku, missing, "sold without a unit");
            }
            if outcome.change == SaleChange::Recorded {
                let listing = ListingId { channel: channel.clone(), sku: sku.clone() };
                if let Err(failure) = self.hold_rest_in_flight(&listing, id, line.quantity).await {
                    tracing::warn!(%listing, %failure, "what else is in flight is left to the next look");
                }
            }
        }
        Ok(())
    }

    /// Units of a listing's sales that were recorded since a number was computed.
    ///
    /// # Errors
    /// As [`Store::told`].
    pub async fn told_since(&self, id: &ListingId, pushed: Option<Pushed>) -> Result<u64, Fault> {
        let Some(Pushed { counted, .. }) = pushed else { return Ok(0) };
        Ok(self.told(&id.channel, &id.sku, counted.from).await?.saturating_sub(counted.units))
    }

    /// Units of a SKU that were recorded as sold at a channel after the second of `since`, canceled ones among them: the channel has taken
    /// them off what it shows all the same. Read from an index, which may be some milliseconds behind.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be read.
    pub async fn told(&self, channel: &Channel, sku: &Sku, since: Timestamp) -> Result<u64, Fault> {
        let stock = domain::bucket::StockId { sku: sku.clone(), channel: channel.clone() };
        let list = keys::sale_list(&stock);
        let first = keys::sale_rank_after(since);
        let (mut units, mut after) = (0, None);
        loop {
            let page = self.list(list.clone(), true, MAX_PAGE, after).await?;
            let news = page.items.iter().filter(|item| keys::rank_of(item) >= first.as_str());
            let keys: Vec<String> = news.map(|item| keys::of(item).to_owned()).collect();
            let ended = keys.len() < page.items.len();
            for record in self.batch_get(keys.into_iter().collect()).await?.values() {
                let lines = decode_reservation(record)?.lines;
                units += lines.iter().map(|line| line.quantity.units()).sum::<u64>();
            }
            let next = page.next_cursor.filter(|_| !ended).and_then(|rank| Some((keys::sale_at(&rank)?, rank)));
            let Some((key, rank)) = next else { return Ok(units) };
            after = Some(cursor::place(&list, key, rank));
        }
    }
}
