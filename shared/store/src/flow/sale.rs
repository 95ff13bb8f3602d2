//! What a marketplace has sold, line by line: `domain::sale` says what is next, this module does it and looks again.
//!
//! | module | does |
//! |---|---|
//! | this one | the steps, each one conditional write (or one transaction) after which the record is looked at again |
//! | `parts` | what is told of a line whose quantity was changed |
//! | `take` | holds the units wherever they are, forces what nobody has, and records |
//! | `force` | the transaction that forces |
//!
//! # What keeps a step from being done twice
//!
//! | step | guard |
//! |---|---|
//! | take | the id, derived from channel, order and line: a hold of it is made once in a bucket, its record once |
//! | force | the listed item of that id, which is never deleted |
//! | extend | the end that was seen |
//! | confirm, cancel | the status: a decision is final |
//! | return | the number that came back so far, in the transaction that books it |
//! | revive | the news that began the successor's life, noted once |
//! | resize | the parts that were seen, noted before any is taken |
//!
//! A crash between any two steps leaves what the next telling of the line finds: holds, which are adopted; or a record, which goes on from
//! where it stands. If holds end before anybody recorded them, a resolver closes their record as expired, and the line is taken again
//! under its successor's id, as for a late payment. Only that this may happen to the successor as well: it is followed for as long as there
//! is one.

mod force;
mod parts;
mod take;

use domain::{
    bucket::Bucket,
    ids::{Channel, Reference, ReservationId},
    movement::{Movement, MovementKind, MovementRequest},
    quantity::Quantity,
    refusal::Refusal,
    reservation::{CancelReason, Kind, Reservation, Status},
    sale::{
        AfterSale, Aftermath, Next, Revival, SaleChange, SaleKey, SaleLine, SaleOutcome, after_sale, give_back, next,
        revival,
    },
    time::Timestamp,
};

use crate::{
    Failure, Fault, Store,
    flow::{channel::refuse_shared, sale::take::Recording},
    item::{decode_aftermath, decode_reservation},
    keys,
    table::{Transacted, Write, Written},
    write,
};

/// How many steps are taken for one line: more than any chain of crashes leaves to do.
const MAX_STEPS: usize = 40;

/// How often a return is tried when stock moves underneath it.
const MAX_ROUNDS: usize = 10;

impl Store {
    /// Records a line of a marketplace's order as it stands there now. Never refused for want of stock: what nobody has becomes a shortfall.
    /// However often a line is told, and in whichever order, it is recorded once, with its whole quantity. Of which age the news is, is not
    /// said: so a line that was canceled stays so ([`Store::record_order`] knows the age).
    ///
    /// # Errors
    /// Refused with `InvalidRequest` for the shared stock, which is no channel, and with `Contended` when others were always faster; or a
    /// fault. What was not done then is done when the line is told again.
    pub async fn record_sale(
        &self,
        channel: &Channel,
        order: &Reference,
        line: &SaleLine,
    ) -> Result<SaleOutcome, Failure> {
        self.record_sale_at(channel, order, line, None).await
    }

    /// As [`Self::record_sale`], `told_at` being when the order last changed at the marketplace: a line that was canceled before, and is
    /// wanted after all, takes its units anew.
    pub(crate) async fn record_sale_at(
        &self,
        channel: &Channel,
        order: &Reference,
        line: &SaleLine,
        told_at: Option<Timestamp>,
    ) -> Result<SaleOutcome, Failure> {
        refuse_shared(channel)?;
        let key = SaleKey { channel: channel.clone(), order: order.clone(), line: line.line.clone() };
        self.record_parts(&key, line, told_at).await
    }

    /// What has happened to the units of a sold line since.
    async fn aftermath(&self, id: &ReservationId) -> Result<Aftermath, Fault> {
        let found = self.get(keys::aftermath(id)).await?;
        Ok(found.as_ref().map(decode_aftermath).transpose()?.unwrap_or_default())
    }
}

/// A line that is told, and how far it has got.
struct Telling<'a> {
    store: &'a Store,
    key: &'a SaleKey,
    line: &'a SaleLine,
    told_at: Option<Timestamp>,
    id: ReservationId,
    /// As the last look found it.
    record: Option<Reservation>,
    change: SaleChange,
    shortfall: u64,
}

impl<'a> Telling<'a> {
    fn new(
        store: &'a Store,
        id: ReservationId,
        key: &'a SaleKey,
        line: &'a SaleLine,
        told_at: Option<Timestamp>,
    ) -> Self {
        Self { store, key, line, told_at, id, record: None, change: SaleChange::Unchanged, shortfall: 0 }
    }

    /// Takes all steps.
    async fn take_steps(&mut self) -> Result<(), Failure> {
        for _ in 0..MAX_STEPS {
            if self.step().await? {
                return Ok(());
            }
        }
        Err(Refusal::Contended.into())
    }

    async fn look(&mut self) -> Result<(), Fault> {
        self.record = self.store.get_reservation(&self.id).await?;
        Ok(())
    }

    /// Takes the next step. Says whether it was the last.
    async fn step(&mut self) -> Result<bool, Failure> {
        let now = self.store.now();
        match next(self.record.as_ref(), self.line, now) {
            Next::Take { sold } => self.take(sold).await?,
            Next::RecordCanceled => {
                self.note_cancellation().await?;
                let record = self.canceled();
                self.decide(write::record::record(&record), SaleChange::Canceled).await?;
            }
            Next::Extend(until) => {
                let seen = self.record.as_ref().map_or(now, |record| record.expires_at);
                // That is a part of recording it.
                let change = self.change;
                self.decide(write::sale::wait(&self.id, seen, until, now), change).await?;
            }
            Next::Confirm => {
                self.decide(write::sale::confirm(&self.id, now), SaleChange::Confirmed).await?;
                self.settle_what_is_over().await;
            }
            Next::Cancel => {
                self.note_cancellation().await?;
                self.decide(write::sale::cancel(&self.id), SaleChange::Canceled).await?;
            }
            Next::WaitASecond => return Err(Refusal::Contended.into()),
            Next::Close => {
                let change = self.change;
                self.decide(write::decide::close(&self.id, &self.id.successor(), now), change).await?;
            }
            Next::Follow => {
                self.id = self.id.successor();
                self.look().await?;
            }
            Next::LookAtAftermath => return self.after_sale().await,
            Next::LookAtRevival => {
                self.release_what_is_not_kept().await;
                return self.revive().await;
            }
            Next::Done => {
                self.release_what_is_not_kept().await;
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Writes a decision; the record is then as it was found or left by that. If it was refused, somebody else was first.
    async fn decide(&mut self, write: Write, change: SaleChange) -> Result<(), Failure> {
        let image = match self.store.write(&write).await? {
            Written::Applied(image) => {
                self.change = change;
                image
            }
            Written::Refused(found) => found,
        };
        self.record = image.as_ref().map(decode_reservation).transpose()?;
        Ok(())
    }

    async fn take(&mut self, sold: bool) -> Result<(), Failure> {
        match self.store.take_sale(&self.id, self.key, self.line, sold).await? {
            Recording::Recorded { record, shortfall } => {
                (self.change, self.shortfall) = (SaleChange::Recorded, shortfall);
                self.record = Some(record);
            }
            Recording::Found(record) => self.record = record,
        }
        Ok(())
    }

    /// The record of a line that was canceled before anybody recorded it. It has no time of deletion.
    fn canceled(&self) -> Reservation {
        let now = self.store.now();
        Reservation {
            id: self.id.clone(),
            kind: Kind::Order,
            status: Status::Canceled { reason: CancelReason::Requested },
            channel: self.key.channel.clone(),
            lines: vec![self.line.wanted()],
            allocations: Vec::new(),
            created_at: now,
            expires_at: now,
            order_id: Some(self.key.order.clone()),
            line: Some(self.key.line.clone()),
            session_id: None,
            fingerprint: None,
            purge_at: None,
            extensions: std::collections::BTreeMap::new(),
        }
    }

    /// Also when it was canceled before: whoever did may have died before the release.
    async fn release_what_is_not_kept(&self) {
        if let Some(record) = &self.record {
            self.store.release_unkept(record, &record.allocations).await;
        }
    }

    /// Counts a line as sold whose hold was over before it was paid: its timer has come and gone. A failure is left to the next shopper.
    async fn settle_what_is_over(&self) {
        let now = self.store.now();
        let holds = self.record.iter().flat_map(|record| &record.allocations).filter(|own| own.hold.is_over(now));
        for own in holds {
            if let Err(fault) = self.store.resolve(&own.bucket, &self.id, own.hold).await {
                tracing::warn!(%fault, id = %self.id, "settling is left to the next shopper");
            }
        }
    }

    /// Books what has happened to the units of a sold line since. Says whether that was all.
    async fn after_sale(&mut self) -> Result<bool, Failure> {
        let Some(record) = self.record.clone() else { return Ok(false) };
        let sold = record.lines.iter().map(|line| line.quantity.units()).sum();
        for _ in 0..MAX_ROUNDS {
            // What this very call has recorded as sold has nothing behind it.
            if self.change != SaleChange::Unchanged && !self.line.needs_aftermath() {
                return Ok(true);
            }
            let since = self.store.aftermath(&self.id).await?;
            match after_sale(sold, self.line, since) {
                AfterSale::Nothing => return Ok(true),
                AfterSale::LookAtRevival => return self.revive().await,
                AfterSale::MarkShipped => {
                    // Refused: it is marked already.
                    let (Written::Applied(_) | Written::Refused(_)) =
                        self.store.write(&write::give_back::ship(&self.id)).await?;
                    return Ok(true);
                }
                AfterSale::Return { units, returned } => {
                    self.note_cancellation().await?;
                    let movements = self.movements(&record, since, units, returned).await?;
                    let writes = write::give_back::give_back(&self.id, since, returned, &movements);
                    if self.store.transact(writes).await? == Transacted::Applied {
                        self.change = SaleChange::Returned { units };
                        for (movement, _) in &movements {
                            self.store.routes.freed(&movement.stock.home());
                        }
                        return Ok(true);
                    }
                }
            }
        }
        Err(Refusal::Contended.into())
    }

    /// Nothing of the line is kept. Goes on with its next life if it has one, or if this news begins one. Says whether that was all.
    async fn revive(&mut self) -> Result<bool, Failure> {
        let successor = self.id.successor();
        let (since, next) = (self.store.aftermath(&self.id).await?, self.store.aftermath(&successor).await?);
        match (revival(self.line, self.told_at, since, next.begun_at.is_some()), self.told_at) {
            (Revival::Begin, Some(told_at)) => {
                // Refused: it was begun before, by the same news or by earlier one.
                let (Written::Applied(_) | Written::Refused(_)) =
                    self.store.write(&write::give_back::begin(&successor, told_at)).await?;
            }
            (Revival::Follow, _) if next.is_of_an_earlier_life(self.line, self.told_at) => return Ok(true),
            (Revival::Follow, _) => {}
            (Revival::Note, _) => {
                self.note_cancellation().await?;
                return Ok(true);
            }
            (Revival::Begin | Revival::Nothing, _) => return Ok(true),
        }
        self.id = successor;
        self.look().await?;
        Ok(false)
    }

    /// Notes when the order changed by which the line, or some of it, was canceled.
    async fn note_cancellation(&self) -> Result<(), Fault> {
        let Some(told_at) = self.told_at else { return Ok(()) };
        // Refused: newer news is known.
        let (Written::Applied(_) | Written::Refused(_)) =
            self.store.write(&write::give_back::cancel_at(&self.id, told_at)).await?;
        Ok(())
    }

    /// The movements by which units come back, and how short each home is.
    async fn movements(
        &self,
        record: &Reservation,
        since: Aftermath,
        units: u64,
        returned: u64,
    ) -> Result<Vec<(Movement, u64)>, Failure> {
        let now = self.store.now();
        let mut movements = Vec::new();
        for (stock, units) in give_back(&record.allocations, since.returned, units) {
            let home = self.store.get_bucket(&stock.home()).await?;
            let Some(home) = home.as_ref().and_then(Bucket::home) else {
                // A home with a sold unit is never removed.
                return Err(Refusal::UnknownSku { skus: vec![stock.sku] }.into());
            };
            // A part of a line is no larger than a line.
            let quantity = Quantity::new(units).map_err(|_| Refusal::Contended)?;
            let request = MovementRequest {
                id: domain::ids::MovementId::of_return(&self.id, returned, &stock),
                kind: MovementKind::Return(quantity),
                reason: self.key.reason_for_a_return(),
                actor: format!("channel {}", self.key.channel),
                stock,
            };
            movements.push((Movement::new(&request, units.cast_signed(), 0, now), home.shortfall));
        }
        Ok(movements)
    }
}
