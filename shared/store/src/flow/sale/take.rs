//! Taking the units of a marketplace's line, and recording it.
//!
//! 1. **Hold** as for any order: in the pools that serve the channel, all of the line or nothing.
//! 2. **Force** what nobody has ([`super::force`]).
//! 3. **Record** under the rules of every record: never signed at or after the end of the earliest hold. If that is over, nothing is
//!    refused: the holds are closed as a resolver would, and the line is taken again under the successor's id.

use domain::{
    bucket::StockId,
    ids::{Fingerprint, ReservationId},
    limits::{DEFAULT_HOLD_SECONDS, MAX_HOLD_SECONDS},
    refusal::Refusal,
    reservation::{Kind, Reservation, Status},
    resolve::Settling,
    sale::{SaleKey, SaleLine},
};

use super::force::{Forced, Forcing};
use crate::{
    Failure, Fault, Store,
    flow::{
        acquire::{Acquired, Missing},
        pools::Wanted,
        resolve::Resolved,
        take::{Begin, Holds, Taking, Terms},
    },
    item::{decode_forced, decode_reservation},
    keys,
    table::Written,
    write,
};

/// What came of recording a line.
pub(super) enum Recording {
    /// It is recorded.
    Recorded {
        /// The record.
        record: Reservation,
        /// Units that nobody had.
        shortfall: u64,
    },
    /// Somebody else has decided it, or nobody yet: this is its record now.
    Found(Option<Reservation>),
}

impl Store {
    /// Takes the units of a line that nobody has recorded.
    pub(super) async fn take_sale(
        &self,
        id: &ReservationId,
        key: &SaleKey,
        line: &SaleLine,
        sold: bool,
    ) -> Result<Recording, Failure> {
        let taking = taking(id, key, line, sold);
        let now = self.now();
        let expires_at = now.plus_seconds(taking.hold_seconds);
        let stock = StockId { sku: line.sku.clone(), channel: key.channel.clone() };
        let wanted = Wanted { id, stock: &stock, quantity: line.quantity, expires_at, begin: taking.begin };
        let mut acquired = self.acquire_in_pools(&wanted).await?;
        let is_short = matches!(acquired.missing, Some(Missing::Short { .. }));
        // What is held for sales in flight is held for this very line.
        if is_short && self.let_go_in_flight(&key.channel, &line.sku).await? {
            acquired = self.acquire_in_pools(&wanted).await?;
        }
        let forced = match acquired.missing {
            None => Forced { acquired, missing: None },
            Some(Missing::Contended) => return self.recorded_meanwhile(id).await,
            Some(Missing::UnknownSku | Missing::Short { .. }) => match self.force(&wanted, key, acquired).await? {
                Forcing::Held(forced) => forced,
                Forcing::Spent(acquired) => return self.hand_over(id, key, acquired).await,
                Forcing::Contended => return self.recorded_meanwhile(id).await,
            },
        };
        let holds = Holds::new(forced.acquired.allocations, forced.acquired.leftovers, expires_at);
        let status = if sold { Status::Confirmed { at: now } } else { Status::Active };
        let record = taking.record(status, holds.fitting.clone(), now, holds.latest);
        match self.write_before(record.expires_at, &write::record::record(&record)).await? {
            Some(Written::Applied(_)) => {
                self.release_unkept(&record, &holds.leftovers).await;
                let shortfall = match forced.missing {
                    Some(missing) => missing,
                    None => self.forced_before(id).await?,
                };
                Ok(Recording::Recorded { record, shortfall })
            }
            Some(Written::Refused(found)) => {
                let found = found.as_ref().map(decode_reservation).transpose()?;
                if let Some(found) = &found {
                    self.release_unkept(found, &holds.all()).await;
                }
                Ok(Recording::Found(found))
            }
            None => self.too_late(id, &holds).await,
        }
    }

    /// An earlier attempt's holds ended before they could be recorded.
    async fn too_late(&self, id: &ReservationId, holds: &Holds) -> Result<Recording, Failure> {
        for own in holds.all() {
            let resolved = self.resolve_seen(&own.bucket, id, own.hold, None, Settling::WhenOver).await?;
            if let Resolved::WaitUntil(_) = resolved {
                // One of them still stands, for a moment or, after another attempt, for longer.
                tracing::info!(%id, "a line is recorded once the holds of an earlier attempt are over");
            }
        }
        self.recorded_meanwhile(id).await
    }

    /// Closes an id that cannot be forced again, in favour of its successor; then releases what this attempt holds. Whoever else is about to
    /// record it finds this, and follows.
    async fn hand_over(&self, id: &ReservationId, key: &SaleKey, acquired: Acquired) -> Result<Recording, Failure> {
        let now = self.now();
        let closed = Reservation {
            id: id.clone(),
            kind: Kind::Order,
            status: Status::Expired { successor: Some(id.successor()) },
            channel: key.channel.clone(),
            lines: Vec::new(),
            allocations: Vec::new(),
            created_at: now,
            expires_at: now,
            order_id: None,
            line: None,
            session_id: None,
            fingerprint: None,
            purge_at: None,
            extensions: std::collections::BTreeMap::new(),
        };
        let (Written::Applied(found) | Written::Refused(found)) = self.write(&write::record::record(&closed)).await?;
        let found = found.as_ref().map(decode_reservation).transpose()?;
        if let Some(found) = &found {
            self.release_unkept(found, &[acquired.allocations, acquired.leftovers].concat()).await;
        }
        Ok(Recording::Found(found))
    }

    /// The record, if there is one by now.
    async fn recorded_meanwhile(&self, id: &ReservationId) -> Result<Recording, Failure> {
        match self.get_reservation(id).await? {
            Some(record) => Ok(Recording::Found(Some(record))),
            None => Err(Refusal::Contended.into()),
        }
    }

    /// Units that an earlier attempt found nowhere.
    async fn forced_before(&self, id: &ReservationId) -> Result<u64, Fault> {
        let found = self.get(keys::shortfall_of_sale(id)).await?;
        Ok(found.as_ref().map(decode_forced).transpose()?.flatten().map_or(0, |(_, forced)| forced.missing))
    }
}

/// A pending line is held as long as any hold may be, so that whoever comes after a crash still finds it.
fn taking(id: &ReservationId, key: &SaleKey, line: &SaleLine, sold: bool) -> Taking {
    let quantity = line.quantity.to_string();
    let parts = [key.channel.as_str(), key.order.as_str(), key.line.as_str(), line.sku.as_str(), &quantity];
    Taking {
        id: id.clone(),
        terms: if sold { Terms::Sale } else { Terms::Pending },
        channel: key.channel.clone(),
        lines: vec![line.wanted()],
        hold_seconds: if sold { DEFAULT_HOLD_SECONDS } else { MAX_HOLD_SECONDS },
        order_id: Some(key.order.clone()),
        line: Some(key.line.clone()),
        session_id: None,
        fingerprint: Some(Fingerprint::of("marketplace sale", &parts)),
        begin: Begin::Trying,
        // A marketplace has said when it ships.
        accepts_backorder: false,
    }
}
