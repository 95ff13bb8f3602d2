//! What a SKU sold on which day.
//!
//! **Counting**: a confirmed reservation is marked as counted in one transaction with the days of its SKUs. As many as fit into one
//! transaction share it, so that the day of a hot SKU is one update for all of them. Where some are counted already, the others are
//! counted without them.
//!
//! **Importing**: a merchant says what was sold on days that are over. Such a day is as he says, and nothing is counted to it any more;
//! saying it again changes nothing.
//!
//! A day is that of the confirmation, in UTC. A sale that is canceled later was asked for all the same, and stays.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    ids::{ReservationId, Sku},
    refusal::Refusal,
    replenishment::{
        demand::{DayOfSales, Told},
        review::Learned,
    },
    reservation::{Reservation, Status},
    time::Day,
};
use futures::{StreamExt, TryStreamExt, stream::iter};

use super::MAX_ROUNDS;
use crate::{
    Failure, Fault, Store,
    item::{decode_day, decode_learned, decode_reservation},
    keys,
    table::{Met, Pauses, Transacted, Write, Written},
    write::replenishment as writes,
};

/// Items in one transaction. Source: DynamoDB API reference, `TransactWriteItems`.
const MAX_ITEMS: usize = 100;

/// Days that are written at the same time.
const AT_ONCE: usize = 8;

/// What came of counting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counted {
    /// Reservations that are counted now and were not before.
    pub sales: u64,
    /// Their units.
    pub units: u64,
}

/// Confirmed reservations that fit into one transaction.
#[derive(Debug, Default)]
struct Batch {
    sales: Vec<(ReservationId, Day)>,
    days: BTreeMap<(Sku, Day), Vec<(ReservationId, u64)>>,
}

impl Batch {
    fn items(&self) -> usize {
        self.sales.len() + self.days.len()
    }

    fn add(&mut self, record: &Reservation, day: Day) {
        self.sales.push((record.id.clone(), day));
        for line in &record.lines {
            let sold = self.days.entry((line.sku.clone(), day)).or_default();
            sold.push((record.id.clone(), line.quantity.units()));
        }
    }

    fn without(&mut self, counted: &BTreeSet<ReservationId>) {
        self.sales.retain(|(id, _)| !counted.contains(id));
        for sold in self.days.values_mut() {
            sold.retain(|(id, _)| !counted.contains(id));
        }
        self.days.retain(|_, sold| !sold.is_empty());
    }

    fn units(&self) -> u64 {
        self.days.values().flatten().map(|(_, units)| units).sum()
    }
}

impl Store {
    /// Counts these reservations to their days: those that are confirmed and were not counted before.
    ///
    /// # Errors
    /// Refused with `Contended`; or a fault. Some may be counted then, and are not counted again.
    pub async fn count_sales(&self, ids: &BTreeSet<ReservationId>) -> Result<Counted, Failure> {
        let found = self.batch_get(ids.iter().map(keys::reservation).collect()).await?;
        let mut counted = Counted::default();
        let mut batch = Batch::default();
        for id in ids {
            let Some(item) = found.get(&keys::reservation(id)).filter(|item| !item.contains_key("counted")) else {
                continue;
            };
            let record = decode_reservation(item)?;
            let Status::Confirmed { at } = record.status else { continue };
            if batch.items() + 1 + record.lines.len() > MAX_ITEMS {
                counted = counted.and(self.count(std::mem::take(&mut batch)).await?);
            }
            batch.add(&record, Day::of(at));
        }
        Ok(counted.and(self.count(batch).await?))
    }

    /// One transaction; where it is refused, without what was in its way.
    async fn count(&self, mut batch: Batch) -> Result<Counted, Failure> {
        let mut said: BTreeSet<(Sku, Day)> = BTreeSet::new();
        for _ in 0..MAX_ROUNDS {
            if batch.sales.is_empty() {
                return Ok(Counted::default());
            }
            let days: Vec<_> = batch.days.iter().filter(|(day, _)| !said.contains(*day)).collect();
            let marks = batch.sales.iter().map(|(id, day)| writes::count(id, *day));
            let sold = days
                .iter()
                .map(|((sku, day), sold)| writes::sell(sku, *day, sold.iter().map(|(_, units)| units).sum()));
            let all: Vec<Write> = marks.chain(sold).collect();
            let Transacted::Refused(met) = self.transact(all).await? else {
                return Ok(Counted { sales: batch.sales.len() as u64, units: batch.units() });
            };
            let failed = |met: &Met| matches!(met, Met::Failed(_));
            let (of_sales, of_days) = met.split_at(batch.sales.len().min(met.len()));
            let in_the_way: Vec<(Sku, Day)> =
                days.iter().zip(of_days).filter(|(_, met)| failed(met)).map(|((day, _), _)| (*day).clone()).collect();
            let counted =
                batch.sales.iter().zip(of_sales).filter(|(_, met)| failed(met)).map(|((id, _), _)| id.clone());
            let counted: BTreeSet<ReservationId> = counted.collect();
            said.extend(in_the_way);
            batch.without(&counted);
        }
        Err(Refusal::Contended.into())
    }

    /// What is recorded of the days from `from` to the one before `until`, the first one first; nothing of a day without any.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be read.
    pub async fn days_of_sales(&self, sku: &Sku, from: Day, until: Day) -> Result<Vec<DayOfSales>, Fault> {
        let days: Vec<(Day, String)> = (from.epoch_days()..until.epoch_days())
            .map(Day::from_epoch_days)
            .map(|day| (day, keys::day_of_sales(sku, day)))
            .collect();
        let found = self.batch_get(days.iter().map(|(_, key)| key.clone()).collect()).await?;
        let recorded = days.iter().filter_map(|(day, key)| Some((*day, found.get(key)?)));
        recorded.map(|(day, item)| decode_day(day, item)).collect()
    }

    /// Records what was sold on days that are over: each is as it is said here, whatever was counted before. Answers how many days that
    /// changed.
    ///
    /// # Errors
    /// Refused with `Contended`; or a fault. Some days may be written then, and are the same when they are written again.
    pub async fn import_sales(&self, sku: &Sku, days: &BTreeMap<Day, Told>) -> Result<u64, Failure> {
        let writes = iter(days.iter().map(|(day, told)| async move {
            let written = self.write(&writes::import(sku, *day, *told)).await?;
            Ok::<_, Fault>(u64::from(matches!(written, Written::Applied(_))))
        }));
        let changed: Vec<u64> = writes.buffer_unordered(AT_ONCE).try_collect().await?;
        let changed = changed.iter().sum();
        if let (Some(first), Some(last)) = (days.keys().min(), days.keys().max())
            && changed > 0
        {
            self.take_the_average_anew(sku, *first, *last).await?;
        }
        Ok(changed)
    }

    /// The next look reads the days again, and knows those from `first` to `last`.
    async fn take_the_average_anew(&self, sku: &Sku, first: Day, last: Day) -> Result<(), Failure> {
        for round in 0..MAX_ROUNDS {
            let stored = self.get(keys::learned(sku)).await?;
            let seen = stored.as_ref().map(decode_learned).transpose()?.unwrap_or_default();
            let known = seen.known.and_told(first, last);
            let next = Learned { version: seen.version + 1, known, looked_on: None, ..seen.clone() };
            if matches!(self.write(&writes::learn(sku, seen.version, &next)).await?, Written::Applied(_)) {
                return Ok(());
            }
            Pauses::of(&keys::learned(sku)).pause(round).await;
        }
        Err(Refusal::Contended.into())
    }
}

impl Counted {
    fn and(self, other: Self) -> Self {
        Self { sales: self.sales + other.sales, units: self.units + other.units }
    }
}
