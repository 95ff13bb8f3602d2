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
    /// Records an order as it stands at its channel, line by line. Units that were held for sales in flight of what it sold are let go: it has
    /// its own now.
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
                self.let_go_in_flight(channel, sku).await?;
            }
        }
        Ok(())
    }

    /// Lets go what is held for sales in flight of this SKU. Whether it held anything.
    pub(crate) async fn let_go_in_flight(&self, channel: &Channel, sku: &Sku) -> Result<bool, Fault> {
        let id = ListingId { channel: channel.clone(), sku: sku.clone() };
        let held = self.listing(&id).await?.and_then(|(_, state)| state.in_flight).and_then(|in_flight| in_flight.id);
        let Some(held) = held else { return Ok(false) };
        match self.cancel(&held).await {
            Ok(_) => Ok(true),
            // Whatever became of it, it holds nothing any more.
            Err(Failure::Refused(_)) => Ok(false),
            Err(Failure::Fault(fault)) => Err(fault),
        }
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
