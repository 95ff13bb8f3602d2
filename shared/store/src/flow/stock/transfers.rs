//! A transfer: free units of a SKU become another channel's, in one transaction.
//!
//! 1. The departure is looked for: if it is recorded, that is the answer.
//! 2. One transaction ([`write::transfer`]), made as if the target had a home and no shortfall.
//! 3. Refused, each of its writes says what it met: a recorded departure is the answer; a source without enough units is tidied up and
//!    its children are folded, or the units cannot be had; a target that is missing, or has a shortfall, is taken as it is. Then again.

use domain::{
    ids::{MovementId, TransferId},
    movement::Movement,
    refusal::Refusal,
    transfer::{Cause, Transfer, TransferRequest},
};

use super::movements::{MAX_ROUNDS, unknown};
use crate::{
    Failure, Fault, Store,
    item::{decode_bucket, decode_movement},
    keys,
    table::{Met, Transacted},
    write::{self, transfer::Target},
};

/// A transfer, and whether this very request had made it before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transferred {
    /// As it is recorded.
    pub transfer: Transfer,
    /// The answer to an earlier request, given again.
    pub replayed: bool,
}

impl Store {
    /// Moves free units of a SKU from one channel to another; a channel without a home gets one. Units that are held stay.
    ///
    /// # Errors
    /// Refused with `IdempotencyKeyReused`, `UnknownSku` (the source has no such SKU), `InsufficientStock` or `Contended`; or a fault.
    pub async fn transfer(&self, request: &TransferRequest) -> Result<Transferred, Failure> {
        let cause = request.cause();
        let departure = MovementId::of_transfer(&request.id, 0);
        if let Some(item) = self.get(keys::movement(&departure)).await? {
            return replay(&cause, &decode_movement(&item)?);
        }
        let (from, to, units) = (request.source(), request.target(), request.quantity.units());
        let mut target = Target::Home { shortfall: 0 };
        for _ in 0..MAX_ROUNDS {
            let movements = cause.movements(&[request.as_move()], self.now());
            let met = match self.transact(write::transfer::transfer(&from, &to, target, units, &movements)).await? {
                Transacted::Applied => {
                    self.arrived(&movements).await;
                    let transfer = movements.iter().find_map(Transfer::of).ok_or(Refusal::Contended)?;
                    return Ok(Transferred { transfer, replayed: false });
                }
                Transacted::Refused(met) => met,
            };
            if let Some(Met::Failed(Some(recorded))) = met.get(2) {
                return replay(&cause, &decode_movement(recorded)?);
            }
            match met.first() {
                Some(Met::Failed(None)) => return Err(unknown(&request.sku)),
                Some(Met::Failed(Some(_))) => self.bring_together(&from, units).await?,
                _ => {}
            }
            match met.get(1) {
                Some(Met::Failed(None)) => target = Target::None,
                Some(Met::Failed(Some(home))) => {
                    let shortfall = decode_bucket(home)?.home().map_or(0, |home| home.shortfall);
                    target = Target::Home { shortfall };
                }
                _ => {}
            }
        }
        Err(Refusal::Contended.into())
    }

    /// What follows units that arrived: this process looks there again, and they are split if a peak is announced.
    pub(crate) async fn arrived(&self, movements: &[Movement]) {
        for movement in movements.iter().filter(|movement| movement.delta > 0) {
            self.routes.freed(&movement.stock.home());
            self.split_what_came(movement).await;
        }
    }

    /// The transfers that were recorded under this id, in their order.
    pub(super) async fn recorded(&self, id: &TransferId, parts: usize) -> Result<Vec<Movement>, Fault> {
        let keys: Vec<String> = (0..parts).map(|part| keys::movement(&MovementId::of_transfer(id, part))).collect();
        let found = self.batch_get(keys.iter().cloned().collect()).await?;
        keys.iter().filter_map(|key| found.get(key)).map(decode_movement).collect()
    }
}

fn replay(cause: &Cause, departure: &Movement) -> Result<Transferred, Failure> {
    match Transfer::of(departure) {
        Some(transfer) if departure.fingerprint == cause.fingerprint => Ok(Transferred { transfer, replayed: true }),
        _ => Err(Refusal::IdempotencyKeyReused.into()),
    }
}
