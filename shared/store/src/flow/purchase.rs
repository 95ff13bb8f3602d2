//! Purchase orders: each change of one, with what it changes of what is on its way, is one transaction.
//!
//! 1. Everything that is needed is read at once: the order, what is on its way of its SKUs, and for a receipt the homes and the movement
//!    that an earlier try would have made.
//! 2. `domain::purchase` says what the order is afterwards.
//! 3. One transaction writes it under the version that was seen. If anybody was faster, everything is looked at again. Where what is on its way
//!    of a SKU may be promised, the pool of it follows in the same transaction (`incoming`).
//!
//! A step is asked for by its end, so a repeated one finds it reached. A receipt is recognised by its movements.

mod incoming;
mod list;
mod receive;

use std::collections::{BTreeSet, HashMap};

use domain::{
    bucket::StockId,
    ids::{PurchaseOrderId, Sku},
    limits::MAX_ORDERS_ON_THEIR_WAY,
    purchase::{Incoming, NewPurchaseOrder, OnOrder, PurchaseOrder, Step},
    refusal::{FieldError, Refusal},
};

pub(crate) use incoming::pool_of;
pub use receive::Received;

use crate::{
    Failure, Fault, Item, Store,
    item::{decode_on_order, decode_purchase_order},
    keys,
    table::{Pauses, Transacted, Write, Written},
    write,
};

/// How often a change is planned anew when others change the same underneath it.
pub(super) const MAX_ROUNDS: u32 = 10;

/// Items by key, as they were read together.
type Found = HashMap<String, Item>;

/// A purchase order, and whether this very request had made it before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// As it is recorded.
    pub order: PurchaseOrder,
    /// The answer to an earlier request, or to an earlier try of the same alert, given again.
    pub replayed: bool,
}

impl Store {
    /// Makes a purchase order. The id says which: of two tries with one id, one order comes, and of an alert the first.
    ///
    /// # Errors
    /// Refused with `IdempotencyKeyReused`, `UnknownSku` (neither the channel nor the shared stock has it), `InvalidRequest` (too many
    /// orders of a SKU are on their way) or `Contended`; or a fault.
    pub async fn open_purchase_order(&self, new: &NewPurchaseOrder) -> Result<Opened, Failure> {
        let order = PurchaseOrder::open(new, self.now());
        let key = keys::purchase_order(&new.id);
        let pauses = Pauses::of(&key);
        for round in 0..MAX_ROUNDS {
            let homes = homes_of(&order).into_iter().map(|home| keys::bucket(&home.home()));
            let wanted: BTreeSet<String> = homes.chain(keys_of(&order)).collect();
            let found = self.batch_get(wanted).await?;
            if let Some(item) = found.get(&key) {
                return replay(new, decode_purchase_order(item)?);
            }
            let unknown = order.lines.as_slice().iter().filter(|line| home_of(&found, &order, &line.sku).is_none());
            let skus: Vec<Sku> = unknown.map(|line| line.sku.clone()).collect();
            if !skus.is_empty() {
                return Err(Refusal::UnknownSku { skus }.into());
            }
            let mut writes = writes(None, &order, &found)?;
            if self.pools_follow(None, &order, &found, &mut writes).await? && self.write_together(writes).await? {
                self.promisable(&order);
                return Ok(Opened { order, replayed: false });
            }
            pauses.pause(round).await;
        }
        Err(Refusal::Contended.into())
    }

    /// A purchase order, if there is one of this id.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be read.
    pub async fn purchase_order(&self, id: &PurchaseOrderId) -> Result<Option<PurchaseOrder>, Fault> {
        self.get(keys::purchase_order(id)).await?.as_ref().map(decode_purchase_order).transpose()
    }

    /// Has a purchase order do something, and answers how it is then; nothing if there is none of this id.
    ///
    /// # Errors
    /// Refused with `WrongStatus`, `InvalidRequest` (too many orders of a SKU are on their way) or `Contended`; or a fault.
    pub async fn step_purchase_order(
        &self,
        id: &PurchaseOrderId,
        step: Step,
    ) -> Result<Option<PurchaseOrder>, Failure> {
        self.change_purchase_order(id, |order| order.after(step, self.now())).await
    }

    /// The same with whatever makes another order of the one that was seen; nothing if it need not change.
    pub(crate) async fn change_purchase_order(
        &self,
        id: &PurchaseOrderId,
        change: impl Fn(&PurchaseOrder) -> Result<Option<PurchaseOrder>, Refusal>,
    ) -> Result<Option<PurchaseOrder>, Failure> {
        let pauses = Pauses::of(&keys::purchase_order(id));
        for round in 0..MAX_ROUNDS {
            let Some(seen) = self.purchase_order(id).await? else { return Ok(None) };
            let Some(next) = change(&seen)? else { return Ok(Some(seen)) };
            let changes_entries =
                next.lines.as_slice().iter().any(|line| entries(Some(&seen), &next, &line.sku).is_some());
            let found = if changes_entries { self.batch_get(keys_of(&seen).collect()).await? } else { Found::new() };
            let mut writes = writes(Some(&seen), &next, &found)?;
            if self.pools_follow(Some(&seen), &next, &found, &mut writes).await? && self.write_together(writes).await? {
                self.promisable(&next);
                return Ok(Some(next));
            }
            pauses.pause(round).await;
        }
        Err(Refusal::Contended.into())
    }

    /// What is on its way of a SKU, strongly consistent.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be read.
    pub async fn on_order(&self, sku: &Sku) -> Result<OnOrder, Fault> {
        let found = self.get(keys::on_order(sku)).await?;
        Ok(found.as_ref().map(decode_on_order).transpose()?.map_or_else(OnOrder::default, |(_, on_order)| on_order))
    }

    /// Writes all or nothing, and says whether it was done. A single write needs no transaction.
    pub(crate) async fn write_together(&self, mut writes: Vec<Write>) -> Result<bool, Fault> {
        match (writes.len(), writes.pop()) {
            (1, Some(only)) => Ok(matches!(self.write(&only).await?, Written::Applied(_))),
            (_, Some(last)) => {
                writes.push(last);
                Ok(self.transact(writes).await? == Transacted::Applied)
            }
            (_, None) => Ok(true),
        }
    }
}

fn replay(new: &NewPurchaseOrder, order: PurchaseOrder) -> Result<Opened, Failure> {
    // What an alert finds to order may differ from one look to the next; the order that it has made is the one.
    let is_same = order.fingerprint == new.fingerprint() || (new.alert.is_some() && order.alert == new.alert);
    if is_same { Ok(Opened { order, replayed: true }) } else { Err(Refusal::IdempotencyKeyReused.into()) }
}

/// The stocks that a line can come into: the channel's own, else the shared one.
fn homes_of(order: &PurchaseOrder) -> Vec<StockId> {
    let own = |sku: &Sku| StockId { sku: sku.clone(), channel: order.channel.clone() };
    order.lines.as_slice().iter().flat_map(|line| [own(&line.sku), own(&line.sku).shared()]).collect()
}

/// That of them which is there.
fn home_of(found: &Found, order: &PurchaseOrder, sku: &Sku) -> Option<StockId> {
    let own = StockId { sku: sku.clone(), channel: order.channel.clone() };
    [own.clone(), own.shared()].into_iter().find(|stock| found.contains_key(&keys::bucket(&stock.home())))
}

/// The order, and what is on its way of each of its SKUs.
fn keys_of(order: &PurchaseOrder) -> impl Iterator<Item = String> {
    let on_order = order.lines.as_slice().iter().map(|line| keys::on_order(&line.sku));
    std::iter::once(keys::purchase_order(&order.id)).chain(on_order)
}

/// What is on its way of a SKU, among what was read.
fn on_order_in(found: &Found, sku: &Sku) -> Result<Option<OnOrder>, Fault> {
    let found = found.get(&keys::on_order(sku)).map(decode_on_order).transpose()?;
    Ok(found.map(|(_, on_order)| on_order))
}

/// What an order said was on its way of a SKU, and what it says now; nothing if that is the same.
fn entries(
    before: Option<&PurchaseOrder>,
    after: &PurchaseOrder,
    sku: &Sku,
) -> Option<(Option<Incoming>, Option<Incoming>)> {
    let (before, after) = (before.and_then(|order| order.incoming(sku)), after.incoming(sku));
    (before != after).then_some((before, after))
}

/// The order, and each entry that changes with it.
fn writes(before: Option<&PurchaseOrder>, after: &PurchaseOrder, found: &Found) -> Result<Vec<Write>, Failure> {
    let order = if before.is_some() { write::purchase::replace(after) } else { write::purchase::create(after) };
    let mut writes = vec![order];
    let mut crowded = Vec::new();
    for (index, line) in after.lines.as_slice().iter().enumerate() {
        let (sku, id) = (&line.sku, &after.id);
        let seen = on_order_in(found, sku)?;
        let marked = seen.as_ref().map(|on_order| on_order.backorders).unwrap_or_default();
        match entries(before, after, sku) {
            None | Some((None, None)) => {}
            Some((Some(was), Some(incoming))) => writes.push(write::purchase::change(sku, id, was, incoming, marked)),
            Some((Some(was), None)) => writes.push(write::purchase::remove(sku, id, was, marked)),
            Some((None, Some(incoming))) => match seen {
                None => writes.push(write::purchase::first(sku, id, incoming)),
                Some(on_order) if on_order.orders.len() < MAX_ORDERS_ON_THEIR_WAY => {
                    writes.push(write::purchase::add(sku, id, incoming, marked));
                }
                Some(_) => crowded.push(FieldError {
                    field: format!("lines[{index}].sku"),
                    detail: format!("has {MAX_ORDERS_ON_THEIR_WAY} purchase orders of SKU {sku} on their way already"),
                }),
            },
        }
    }
    if crowded.is_empty() { Ok(writes) } else { Err(Refusal::InvalidRequest { errors: crowded }.into()) }
}
