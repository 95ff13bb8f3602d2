//! Taking units for good: hold all lines in parallel, then write the one record that decides them.
//!
//! 1. **Hold** every line ([`super::acquire`]).
//! 2. **Record**: one `Put` under `attribute_not_exists(pk)`, never signed at or after the end of the earliest hold. If a record is
//!    there already, that record is the answer.
//! 3. **A line is short** after something was held: first record the refusal, then release. The record before the release: a
//!    late copy of step 2 must find it.
//!
//! An outage between the steps leaves holds without a record. The caller's retry adopts them; if it never comes, the timers
//! close them when their time is over.

use std::collections::BTreeMap;

use domain::{
    bucket::StockId,
    ids::{Fingerprint, Reference, ReservationId, Sku},
    refusal::Refusal,
    reservation::{
        Allocation, CancelReason, Kind, Line, Reservation, ReservationRequest, Shortage, Status, purge_after,
    },
    time::Timestamp,
};
use futures::future::join_all;

use crate::{
    Failure, Fault, Store,
    flow::{
        acquire::{Acquired, Missing},
        pools::Wanted,
    },
    item::decode_reservation,
    table::Written,
    write,
};

/// What is to be taken, and on which terms.
#[derive(Debug, Clone)]
pub(crate) struct Taking {
    pub(crate) id: ReservationId,
    pub(crate) terms: Terms,
    pub(crate) channel: domain::ids::Channel,
    pub(crate) lines: Vec<Line>,
    pub(crate) hold_seconds: u64,
    pub(crate) order_id: Option<Reference>,
    /// The line of a marketplace's order.
    pub(crate) line: Option<Reference>,
    pub(crate) session_id: Option<Reference>,
    pub(crate) fingerprint: Option<Fingerprint>,
    pub(crate) begin: Begin,
    /// What is not there may be taken from what is to come.
    pub(crate) accepts_backorder: bool,
}

/// How to begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Begin {
    /// With what this process remembers: a refusal may be as old as a second. It costs the shopper nothing, and nothing is recorded.
    Recalling,
    /// With a write, which mostly succeeds.
    Trying,
    /// With a read, where a write was likely to be refused and would be billed all the same.
    Looking,
}

/// What the record says if the units can be had, and if they cannot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Terms {
    /// Active until paid. A refusal is recorded only to protect a release, and may be deleted after a day.
    Hold,
    /// Confirmed at once. A refusal may cost a refund: it is recorded before it is answered, and kept.
    Sale,
    /// Active, while a marketplace checks the payment of an order that it has taken.
    Pending,
}

/// What came of it.
#[derive(Debug)]
pub(crate) enum Taken {
    /// The units are held, and this record says so.
    Recorded(Reservation),
    /// The request was decided before; this is the record of it.
    Found(Reservation),
    /// Not all units can be had.
    Refused(CancelReason),
}

impl Taking {
    pub(crate) fn from_request(request: &ReservationRequest) -> Self {
        Self {
            id: request.id.clone(),
            terms: match request.kind {
                Kind::Reservation => Terms::Hold,
                Kind::Order => Terms::Sale,
            },
            channel: request.channel.clone(),
            lines: request.cart.lines().to_vec(),
            hold_seconds: request.hold_seconds,
            order_id: request.order_id.clone(),
            line: None,
            session_id: request.session_id.clone(),
            fingerprint: Some(request.fingerprint()),
            begin: if request.kind == Kind::Order { Begin::Trying } else { Begin::Recalling },
            accepts_backorder: request.accepts_backorder,
        }
    }

    /// The record of this request. `latest` is the end of its latest hold.
    pub(crate) fn record(
        &self,
        status: Status,
        allocations: Vec<Allocation>,
        now: Timestamp,
        latest: Timestamp,
    ) -> Reservation {
        Reservation {
            id: self.id.clone(),
            kind: match self.terms {
                Terms::Hold => Kind::Reservation,
                Terms::Sale | Terms::Pending => Kind::Order,
            },
            status,
            channel: self.channel.clone(),
            lines: self.lines.clone(),
            created_at: now,
            expires_at: allocations.iter().map(|own| own.hold.expires_at).min().unwrap_or(latest),
            allocations,
            order_id: self.order_id.clone(),
            line: self.line.clone(),
            session_id: self.session_id.clone(),
            fingerprint: self.fingerprint.clone(),
            purge_at: (self.terms != Terms::Sale).then(|| purge_after(latest)),
            extensions: BTreeMap::new(),
        }
    }
}

impl Store {
    /// Takes the units, or says why not.
    pub(crate) async fn take(&self, taking: &Taking) -> Result<Taken, Failure> {
        let now = self.now();
        let expires_at = now.plus_seconds(taking.hold_seconds);
        let lines = taking.lines.iter().map(|line| async move {
            let stock = StockId { sku: line.sku.clone(), channel: taking.channel.clone() };
            let (id, quantity, begin) = (&taking.id, line.quantity, taking.begin);
            let wanted = Wanted { id, stock: &stock, quantity, expires_at, begin };
            if taking.accepts_backorder {
                self.acquire_or_backorder(&wanted).await
            } else {
                self.acquire_in_pools(&wanted).await
            }
        });
        let acquired: Vec<Acquired> = join_all(lines).await.into_iter().collect::<Result<_, _>>()?;
        let reason = refusal_of(&taking.lines, &acquired);
        let holds = Holds::of(acquired, expires_at);
        match reason {
            Ok(Some(reason)) => Ok(self.refuse(taking, holds, reason).await?),
            Ok(None) => Ok(self.record(taking, holds, now).await?),
            Err(contended) if holds.leftovers.is_empty() => Err(contended.into()),
            // A key that comes again for fewer units meets its own larger hold, and would for as long as that stands.
            Err(contended) => self.decided_before(taking, &holds).await?.ok_or(contended.into()),
        }
    }

    /// What was recorded, if the request was served before: its units may have been sold or settled since.
    async fn decided_before(&self, taking: &Taking, holds: &Holds) -> Result<Option<Taken>, Fault> {
        let Some(record) = self.get_reservation(&taking.id).await? else { return Ok(None) };
        self.release_unkept(&record, &holds.all()).await;
        Ok(Some(Taken::Found(record)))
    }

    /// Records that the units are held, or sold.
    pub(crate) async fn record(&self, taking: &Taking, holds: Holds, now: Timestamp) -> Result<Taken, Fault> {
        let status = match taking.terms {
            Terms::Hold | Terms::Pending => Status::Active,
            Terms::Sale => Status::Confirmed { at: now },
        };
        let record = taking.record(status, holds.fitting.clone(), now, holds.latest);
        match self.write_before(record.expires_at, &write::record::record(&record)).await? {
            None => self.refuse(taking, holds, CancelReason::RecordedTooLate).await,
            Some(Written::Applied(_)) => {
                self.release_unkept(&record, &holds.leftovers).await;
                Ok(Taken::Recorded(record))
            }
            Some(Written::Refused(found)) => self.found(holds, found).await,
        }
    }

    /// Records the refusal where that matters, then releases what was held.
    async fn refuse(&self, taking: &Taking, holds: Holds, reason: CancelReason) -> Result<Taken, Fault> {
        let nothing_held = holds.fitting.is_empty() && holds.leftovers.is_empty();
        if (nothing_held || taking.terms == Terms::Sale)
            && let Some(found) = self.decided_before(taking, &holds).await?
        {
            return Ok(found);
        }
        if nothing_held && taking.terms == Terms::Hold {
            return Ok(Taken::Refused(reason));
        }
        self.record_refusal(taking, holds, reason).await
    }

    /// Records the refusal, then releases what was held. For whoever has looked whether the request was decided before; if it was
    /// decided since, the record that is there is the answer.
    pub(crate) async fn record_refusal(
        &self,
        taking: &Taking,
        holds: Holds,
        reason: CancelReason,
    ) -> Result<Taken, Fault> {
        let status = Status::Canceled { reason: reason.clone() };
        let record = taking.record(status, Vec::new(), self.now(), holds.latest);
        match self.write(&write::record::record(&record)).await? {
            Written::Applied(_) => {
                self.release_unkept(&record, &holds.all()).await;
                Ok(Taken::Refused(reason))
            }
            Written::Refused(found) => self.found(holds, found).await,
        }
    }

    async fn found(&self, holds: Holds, found: Option<crate::Item>) -> Result<Taken, Fault> {
        let Some(record) = found.as_ref().map(decode_reservation).transpose()? else {
            let reason = "the record that refused another was gone when it was read".to_owned();
            return Err(Fault::Unavailable { operation: "record", reason });
        };
        self.release_unkept(&record, &holds.all()).await;
        Ok(Taken::Found(record))
    }
}

/// Everything that one attempt holds.
pub(crate) struct Holds {
    pub(crate) fitting: Vec<Allocation>,
    pub(crate) leftovers: Vec<Allocation>,
    /// The end of the latest of them.
    pub(crate) latest: Timestamp,
}

impl Holds {
    fn of(acquired: Vec<Acquired>, expires_at: Timestamp) -> Self {
        let (mut fitting, mut leftovers) = (Vec::new(), Vec::new());
        for line in acquired {
            fitting.extend(line.allocations);
            leftovers.extend(line.leftovers);
        }
        Self::new(fitting, leftovers, expires_at)
    }

    /// `expires_at` is when a hold made now would end.
    pub(crate) fn new(fitting: Vec<Allocation>, leftovers: Vec<Allocation>, expires_at: Timestamp) -> Self {
        let latest = fitting.iter().chain(&leftovers).map(|own| own.hold.expires_at).max();
        Self { fitting, leftovers, latest: latest.map_or(expires_at, |latest| latest.max(expires_at)) }
    }

    pub(crate) fn all(&self) -> Vec<Allocation> {
        self.fitting.iter().chain(&self.leftovers).cloned().collect()
    }
}

/// Why the cart as a whole is refused: an unknown SKU before a shortage, and contention only where nothing else is wrong.
fn refusal_of(lines: &[Line], acquired: &[Acquired]) -> Result<Option<CancelReason>, Refusal> {
    if lines.is_empty() {
        // Only a late payment for a hold that was never recorded comes without lines: nobody knows what to take again.
        return Ok(Some(CancelReason::PaidUnknown));
    }
    let missing = || lines.iter().zip(acquired).filter_map(|(line, acquired)| Some((line, acquired.missing?)));
    let skus: Vec<Sku> =
        missing().filter(|(_, why)| *why == Missing::UnknownSku).map(|(line, _)| line.sku.clone()).collect();
    if !skus.is_empty() {
        return Ok(Some(CancelReason::UnknownSku { skus }));
    }
    let short = missing().filter_map(|(line, why)| match why {
        Missing::Short { available } => Some(Shortage { sku: line.sku.clone(), requested: line.quantity, available }),
        Missing::UnknownSku | Missing::Contended => None,
    });
    let short: Vec<Shortage> = short.collect();
    if !short.is_empty() {
        return Ok(Some(CancelReason::Short { lines: short }));
    }
    // What is held stays held: the caller's retry, under the same key, adopts it.
    if missing().next().is_some() { Err(Refusal::Contended) } else { Ok(None) }
}
