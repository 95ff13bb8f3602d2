//! Movements: each in one transaction with the item that explains it.

use domain::{
    bucket::{Bucket, StockId},
    ids::Sku,
    movement::{Movement, MovementKind, MovementRequest},
    quantity::Quantity,
    refusal::{FieldError, Refusal},
    reservation::Shortage,
    resolve::Settling,
    stock::{CountPlan, StockView, plan_count},
};

use super::Records;
use crate::{
    Failure, Store,
    item::{decode_bucket, decode_movement},
    keys,
    table::{Met, Transacted, Write, Written},
    write,
};

/// How often a movement is planned anew when the stock changes underneath it.
pub(super) const MAX_ROUNDS: usize = 10;

/// A movement, and whether this very request had made it before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    /// As it is recorded.
    pub movement: Movement,
    /// The answer to an earlier request, given again.
    pub replayed: bool,
}

/// The next step of a movement.
enum Plan {
    /// Write this.
    Write(Box<Movement>, Vec<Write>),
    /// Something was moved or marked to make it possible: look again.
    LookAgain,
}

impl Store {
    /// Books a movement: units received, corrected or counted. A count is a fact: what held units lack becomes a shortfall.
    ///
    /// # Errors
    /// Refused with `IdempotencyKeyReused`, `UnknownSku`, `InsufficientStock` (a correction beyond what is free) or `Contended`;
    /// or a fault.
    pub async fn move_stock(&self, request: &MovementRequest) -> Result<Moved, Failure> {
        if let Some(item) = self.get(keys::movement(&request.id)).await? {
            return replay(request, decode_movement(&item)?);
        }
        let mut home = None;
        for _ in 0..MAX_ROUNDS {
            let Plan::Write(movement, writes) = self.plan(request, home.as_ref()).await? else {
                continue;
            };
            let met = match self.transact(writes).await? {
                Transacted::Applied => {
                    self.routes.freed(&movement.stock.home());
                    self.split_what_came(&movement).await;
                    return Ok(Moved { movement: *movement, replayed: false });
                }
                Transacted::Refused(met) => met,
            };
            if let Some(Met::Failed(Some(recorded))) = met.get(1) {
                return replay(request, decode_movement(recorded)?);
            }
            home = match met.into_iter().next() {
                Some(Met::Failed(None)) => return Err(unknown(&request.stock.sku)),
                Some(Met::Failed(Some(found))) => Some(decode_bucket(&found)?),
                _ => None,
            };
        }
        Err(Refusal::Contended.into())
    }

    /// Units that arrive after a peak was announced are split for it, too. A failure is left to the shoppers, who split as well.
    pub(crate) async fn split_what_came(&self, movement: &Movement) {
        if movement.delta > 0
            && let Err(fault) = self.open_ahead(&movement.stock).await
        {
            tracing::warn!(%fault, stock = %movement.stock, "children for the announced peak were not all opened");
        }
    }

    /// What to write, given the home as the last attempt found it.
    async fn plan(&self, request: &MovementRequest, home: Option<&Bucket>) -> Result<Plan, Failure> {
        let shortfall = home.and_then(Bucket::home).map_or(0, |home| home.shortfall);
        let incoming = |units: u64| {
            let movement = Movement::new(request, units.cast_signed(), 0, self.now());
            let writes = write::movement::incoming(&movement, units, shortfall, None);
            Plan::Write(Box::new(movement), writes)
        };
        match request.kind {
            MovementKind::Receive(quantity) | MovementKind::Return(quantity) => Ok(incoming(quantity.units())),
            MovementKind::Adjust(correction) if correction.units() > 0 => {
                Ok(incoming(correction.units().unsigned_abs()))
            }
            MovementKind::Adjust(correction) => {
                self.plan_correction(request, correction.units().unsigned_abs(), home).await
            }
            MovementKind::Count(counted) => self.plan_count(request, counted).await,
            MovementKind::Transfer(_) => Err(no_such_kind("a transfer moves two stocks: `Store::transfer` does")),
            MovementKind::Expect(_) => Err(no_such_kind("what is expected follows from purchase orders")),
        }
    }

    /// Units go out: from the home, after the children's have been brought there if need be; never units that are held.
    async fn plan_correction(
        &self,
        request: &MovementRequest,
        units: u64,
        home: Option<&Bucket>,
    ) -> Result<Plan, Failure> {
        if home.is_some_and(|home| home.free < units) {
            self.bring_together(&request.stock, units).await?;
        }
        let movement = Movement::new(request, -units.cast_signed(), 0, self.now());
        let writes = write::movement::outgoing(&movement, units, None);
        Ok(Plan::Write(Box::new(movement), writes))
    }

    /// Makes it possible to take so many units from a home that has fewer: gives back what is over, and brings the children's units home.
    pub(super) async fn bring_together(&self, stock: &StockId, units: u64) -> Result<(), Failure> {
        let view = self.tidied_view(stock).await?;
        let home_free = view.buckets.first().map_or(0, |(_, home)| home.free);
        if view.free() < units {
            // The request's range check makes this a quantity.
            let requested = Quantity::new(units).map_err(|_| Refusal::Contended)?;
            let lines = vec![Shortage { sku: stock.sku.clone(), requested, available: view.free() }];
            return Err(Refusal::InsufficientStock { lines }.into());
        }
        if home_free < units {
            self.fold_all(stock).await?;
        }
        Ok(())
    }

    async fn plan_count(&self, request: &MovementRequest, counted: u64) -> Result<Plan, Failure> {
        let view = self.tidied_view(&request.stock).await?;
        let now = self.now();
        let seen = Some(view.home().generation);
        let (movement, writes) = match plan_count(&view, counted) {
            CountPlan::Credit(units) => {
                let movement = Movement::new(request, units.cast_signed(), 0, now);
                let writes = write::movement::incoming(&movement, units, view.home().shortfall, seen);
                (movement, writes)
            }
            CountPlan::Debit(units) => {
                let movement = Movement::new(request, -units.cast_signed(), 0, now);
                let writes = write::movement::outgoing(&movement, units, seen);
                (movement, writes)
            }
            CountPlan::FoldFirst => {
                self.fold_all(&request.stock).await?;
                return Ok(Plan::LookAgain);
            }
            CountPlan::Shortfall { take, missing } => {
                if self.mark_children(&view).await? {
                    return Ok(Plan::LookAgain);
                }
                let Some((_, home)) = view.buckets.first() else {
                    return Err(unknown(&request.stock.sku));
                };
                let movement = Movement::new(request, -(take + missing).cast_signed(), missing, now);
                let writes = write::movement::shortfall(&movement, home);
                (movement, writes)
            }
        };
        Ok(Plan::Write(Box::new(movement), writes))
    }

    /// Marks every child, so that units freed in it cover the home's shortfall. Says whether any was not marked yet.
    pub(crate) async fn mark_children(&self, view: &StockView) -> Result<bool, Failure> {
        let mut marked_any = false;
        for (id, bucket) in &view.buckets {
            if bucket.role == (domain::bucket::Role::Child { owes_home: false }) {
                // Refused: the child is gone, and with it what it could free.
                let (Written::Applied(_) | Written::Refused(_)) = self.write(&write::child::owe(id)).await?;
                marked_any = true;
            }
        }
        Ok(marked_any)
    }

    /// The stock after every hold whose time is over has been resolved.
    pub(crate) async fn tidied_view(&self, stock: &StockId) -> Result<StockView, Failure> {
        let mut views = self.tidied(std::slice::from_ref(stock)).await?;
        views.pop().ok_or_else(|| unknown(&stock.sku))
    }

    /// The same of several stocks, in the order asked for.
    pub(crate) async fn tidied(&self, stocks: &[StockId]) -> Result<Vec<StockView>, Failure> {
        let now = self.now();
        let mut tidied = 0;
        for view in self.view(stocks, Records::OfOverdue).await? {
            for (bucket, found) in &view.buckets {
                for (id, hold) in found.holds.iter().filter(|(_, hold)| hold.is_over(now)) {
                    let record = view.records.get(id).cloned();
                    self.resolve_seen(bucket, id, *hold, record, Settling::WhenOver).await?;
                    tidied += 1;
                }
            }
        }
        tracing::debug!(tidied, stocks = stocks.len(), "looked at overdue holds before a movement");
        self.view(stocks, Records::OfAll).await
    }
}

fn no_such_kind(detail: &str) -> Failure {
    let error = FieldError { field: "kind".to_owned(), detail: detail.to_owned() };
    Refusal::InvalidRequest { errors: vec![error] }.into()
}

pub(super) fn unknown(sku: &Sku) -> Failure {
    Refusal::UnknownSku { skus: vec![sku.clone()] }.into()
}

fn replay(request: &MovementRequest, movement: Movement) -> Result<Moved, Failure> {
    if movement.fingerprint == request.fingerprint() {
        Ok(Moved { movement, replayed: true })
    } else {
        Err(Refusal::IdempotencyKeyReused.into())
    }
}
