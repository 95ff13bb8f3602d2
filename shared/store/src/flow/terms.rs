//! What a channel is to show for a SKU, and why: read from the pools that serve it, its sales, and what is known of the channel.
//!
//! Whoever pushes the number and whoever explains it ask here, so that they cannot say different things.

use domain::{
    bucket::StockId,
    channel::{Buffer, ChannelKind, ChannelSettings},
    ids::{Channel, Sku},
    listing::{SyncState, closed},
    publish::{BufferTerm, SPEED_WINDOW_SECONDS, Speed, Terms},
    pull::PullState,
    refusal::Refusal,
    stock::StockView,
    time::Timestamp,
};

use super::stock::Records;
use crate::{Failure, Store};

/// What a number depends on, next to the units that there are.
#[derive(Debug, Clone, Copy)]
pub struct Basis<'a> {
    /// What the merchant sets for the channel.
    pub settings: &'a ChannelSettings,
    /// How far its orders have been heard.
    pub pull: &'a PullState,
    /// A buffer that the merchant sets for this listing alone.
    pub buffer: Option<Buffer>,
    /// How far what is shown has followed.
    pub state: &'a SyncState,
}

/// What a channel is to show for a SKU, and everything that it was computed from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explained {
    /// The pools that serve it: the channel's own first, if it has one, then the shared one, if it may sell from that.
    pub pools: Vec<StockView>,
    /// How its buffer comes about.
    pub buffer: BufferTerm,
    /// Its terms.
    pub terms: Terms,
}

impl Store {
    /// What a channel is to show for a SKU, as of `now`. A SKU that exists neither there nor shared has nothing to show.
    ///
    /// # Errors
    /// Refused with `Contended` when units never rest; or a fault.
    pub async fn terms(
        &self,
        channel: &Channel,
        sku: &Sku,
        basis: Basis<'_>,
        now: Timestamp,
    ) -> Result<Terms, Failure> {
        Ok(self.shown(channel, sku, basis, now, Records::OfOverdue).await?.terms)
    }

    /// As [`Self::terms`], and why; the sums of the pools are exact.
    ///
    /// # Errors
    /// As [`Self::terms`].
    pub async fn explain(
        &self,
        channel: &Channel,
        sku: &Sku,
        basis: Basis<'_>,
        now: Timestamp,
    ) -> Result<Explained, Failure> {
        self.shown(channel, sku, basis, now, Records::OfAll).await
    }

    async fn shown(
        &self,
        channel: &Channel,
        sku: &Sku,
        basis: Basis<'_>,
        now: Timestamp,
        records: Records,
    ) -> Result<Explained, Failure> {
        let Basis { settings, pull, state, .. } = basis;
        let pools = self.serving(channel, sku, records).await?;
        let buffer = self.buffer(channel, sku, basis.buffer.unwrap_or(settings.buffer), state, now).await?;
        // A channel without a vendor tells of its orders as it sells: it cannot be late.
        let closed = if settings.kind == ChannelKind::Own {
            None
        } else {
            closed(state, pull, settings.stale_after_seconds, now)
        };
        let available = |shared: bool| {
            let pool = pools.iter().find(|pool| pool.stock.channel.is_shared() == shared);
            pool.map(|pool| pool.level().available)
        };
        let terms = Terms { quota: available(false), shared: available(true), buffer: buffer.units, closed };
        Ok(Explained { pools, buffer, terms })
    }

    /// The pools that serve a SKU in a channel; none if it exists nowhere.
    async fn serving(&self, channel: &Channel, sku: &Sku, records: Records) -> Result<Vec<StockView>, Failure> {
        let stock = StockId { sku: sku.clone(), channel: channel.clone() };
        let (pools, homes) = match self.pools_of(&[stock]).await {
            Ok(found) => found,
            Err(Failure::Refused(Refusal::UnknownSku { .. })) => return Ok(Vec::new()),
            Err(failure) => return Err(failure),
        };
        let stocks: Vec<StockId> = pools.iter().flat_map(super::pools::Pools::all).cloned().collect();
        self.view_from(&stocks, records, Some(homes)).await
    }

    async fn buffer(
        &self,
        channel: &Channel,
        sku: &Sku,
        rule: Buffer,
        state: &SyncState,
        now: Timestamp,
    ) -> Result<BufferTerm, Failure> {
        let speed = match rule {
            Buffer::Units(_) => None,
            Buffer::FromSpeed { .. } => {
                let since = Timestamp::from_epoch_seconds(now.epoch_seconds().saturating_sub(SPEED_WINDOW_SECONDS));
                let sold = self.told(channel, sku, since).await?;
                Some(Speed { sold, lag_seconds: state.lag_seconds })
            }
        };
        Ok(BufferTerm::new(rule, speed))
    }
}
