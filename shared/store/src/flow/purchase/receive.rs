//! Units of a purchase order come: the order, each home, the movement that explains it, and what is still on its way, in one transaction. Those
//! who were promised units before they came are served first: what is set aside for them comes into no stock.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    bucket::{Bucket, StockId},
    ids::{MovementId, Sku},
    limits::MAX_AWAITED_LINES,
    movement::Movement,
    purchase::{PurchaseOrder, Receipt},
    quantity::Quantity,
    refusal::{FieldError, Refusal},
};

use super::{Found, MAX_ROUNDS, home_of, homes_of, incoming::MAX_ITEMS, keys_of, on_order_in, writes};
use crate::{
    Failure, Fault, Store,
    item::{decode_bucket, decode_movement},
    keys,
    table::{Pauses, Transacted, Write},
    write,
};

/// What came of a receipt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// The order as it is now.
    pub order: PurchaseOrder,
    /// By which its units came in, by SKU.
    pub movements: Vec<Movement>,
    /// The answer to an earlier request, given again.
    pub replayed: bool,
}

impl Store {
    /// Books units of a purchase order that came; nothing if there is no such order. More than were ordered are booked as well.
    ///
    /// # Errors
    /// Refused with `IdempotencyKeyReused`, `UnknownSku`, `WrongStatus`, `InvalidRequest` (a SKU that is not on the order) or `Contended`;
    /// or a fault.
    pub async fn receive_purchase_order(&self, receipt: &Receipt) -> Result<Option<Received>, Failure> {
        let pauses = Pauses::of(&keys::purchase_order(&receipt.order));
        for round in 0..MAX_ROUNDS {
            let Some(order) = self.purchase_order(&receipt.order).await? else { return Ok(None) };
            if let Some(movements) = self.booked(receipt).await? {
                return Ok(Some(Received { order, movements, replayed: true }));
            }
            if let Some(received) = self.book(&order, receipt, &receipt.lines).await? {
                return Ok(Some(received));
            }
            pauses.pause(round).await;
        }
        Err(Refusal::Contended.into())
    }

    /// The movements of this very receipt, if it was booked before.
    async fn booked(&self, receipt: &Receipt) -> Result<Option<Vec<Movement>>, Failure> {
        // Every receipt has a first line, so that another one under the same key is noticed whatever it brings.
        let first = MovementId::of_receipt(&receipt.id, 0);
        let Some(item) = self.get(keys::movement(&first)).await? else { return Ok(None) };
        let fingerprint = receipt.fingerprint();
        if decode_movement(&item)?.fingerprint != fingerprint {
            return Err(Refusal::IdempotencyKeyReused.into());
        }
        let keys: Vec<String> =
            (0..receipt.lines.len()).map(|part| keys::movement(&MovementId::of_receipt(&receipt.id, part))).collect();
        let found = self.batch_get(keys.iter().cloned().collect()).await?;
        let movements = keys.iter().filter_map(|key| found.get(key)).map(decode_movement);
        Ok(Some(movements.collect::<Result<_, Fault>>()?))
    }

    /// Books these units of an order as it was seen; nothing if somebody changed something meanwhile.
    pub(crate) async fn book(
        &self,
        seen: &PurchaseOrder,
        receipt: &Receipt,
        came: &BTreeMap<Sku, Quantity>,
    ) -> Result<Option<Received>, Failure> {
        let next = seen.received(came, self.now())?;
        let into = match &receipt.channel {
            Some(channel) => PurchaseOrder { channel: channel.clone(), ..seen.clone() },
            None => seen.clone(),
        };
        let homes = homes_of(&into).into_iter().map(|home| keys::bucket(&home.home()));
        let found = self.batch_get(homes.chain(keys_of(seen)).collect::<BTreeSet<_>>()).await?;
        let stocks = stocks(&found, &into, came)?;
        let channel = |sku: &Sku| stocks.get(sku).map_or_else(|| into.channel.clone(), |stock| stock.channel.clone());
        let receipt = Receipt { lines: came.clone(), ..receipt.clone() };
        let division = self.divide(&found, came).await?;
        let promised = |sku: &Sku| division.get(sku).map_or(0, |(_, served)| served.to_promises);
        let movements = receipt.movements(channel, promised, self.now());
        let mut together = writes(Some(seen), &next, &found)?;
        for movement in &movements {
            together.extend(comes_in(&found, movement)?);
        }
        if !self.pools_follow_receipt(seen, &next, division, &mut together).await? {
            return Ok(None);
        }
        if together.len() > MAX_ITEMS {
            let detail = format!(
                "are too many to be divided at once among those who wait: book {MAX_AWAITED_LINES} of them at a time"
            );
            return Err(
                Refusal::InvalidRequest { errors: vec![FieldError { field: "lines".to_owned(), detail }] }.into()
            );
        }
        match self.transact(together).await? {
            Transacted::Applied => {
                for movement in &movements {
                    self.routes.freed(&movement.stock.home());
                    self.split_what_came(movement).await;
                }
                Ok(Some(Received { order: next, movements, replayed: false }))
            }
            Transacted::Refused(_) => Ok(None),
        }
    }
}

impl Store {
    /// As many of these lines as one receipt can book: all of them, unless some may be waited for.
    pub(crate) async fn bookable(&self, came: BTreeMap<Sku, Quantity>) -> Result<BTreeMap<Sku, Quantity>, Fault> {
        if came.len() <= MAX_AWAITED_LINES {
            return Ok(came);
        }
        let found = self.batch_get(came.keys().map(keys::on_order).collect()).await?;
        let mut may_be_waited_for = false;
        for sku in came.keys() {
            may_be_waited_for |= on_order_in(&found, sku)?.is_some_and(|on_order| on_order.backorders.has_pool());
        }
        Ok(if may_be_waited_for { came.into_iter().take(MAX_AWAITED_LINES).collect() } else { came })
    }
}

/// Where the units of each SKU go.
fn stocks(
    found: &Found,
    into: &PurchaseOrder,
    came: &BTreeMap<Sku, Quantity>,
) -> Result<BTreeMap<Sku, StockId>, Refusal> {
    let (mut stocks, mut skus) = (BTreeMap::new(), Vec::new());
    for sku in came.keys() {
        match home_of(found, into, sku) {
            Some(stock) => drop(stocks.insert(sku.clone(), stock)),
            None => skus.push(sku.clone()),
        }
    }
    if skus.is_empty() { Ok(stocks) } else { Err(Refusal::UnknownSku { skus }) }
}

/// The home with these units, as it was seen, and the movement.
fn comes_in(found: &Found, movement: &Movement) -> Result<Vec<Write>, Fault> {
    let home = found.get(&keys::bucket(&movement.stock.home())).map(decode_bucket).transpose()?;
    let shortfall = home.as_ref().and_then(Bucket::home).map_or(0, |home| home.shortfall);
    if movement.delta == 0 {
        return Ok(vec![write::movement::explain(movement)]);
    }
    Ok(write::movement::incoming(movement, movement.delta.unsigned_abs(), shortfall, None))
}
