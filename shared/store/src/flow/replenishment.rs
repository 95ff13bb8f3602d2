//! Reordering: the terms of a SKU, and looks at it.
//!
//! A **look** (`domain::replenishment::review`) is:
//!
//! 1. The terms and what is learned are read; once a day also the days of the window.
//! 2. What is on its way is read, then every home, then the homes' generations and what is on its way once more. If anything came, left, or
//!    was ordered in between, it is read again: an alert is not opened because a receipt was seen half.
//! 3. One transaction writes what is learned from it, the seconds without stock, and the alert that opens or closes, provided that nobody
//!    else has looked meanwhile. Where nothing is new nothing is written.
//!
//! Whoever has to be told of an alert is told because the table's stream says that it is there: see [`alerts`].

mod alerts;
mod sales;

use std::collections::BTreeMap;

use domain::{
    bucket::{BucketId, StockId},
    ids::Sku,
    refusal::Refusal,
    replenishment::{
        demand::DayOfSales,
        reorder::ReorderPoint,
        review::{Learned, Look, OpenAlert, Review, Sight, Turn, review},
        settings::Settings,
    },
    stock::StockView,
    time::{Day, Timestamp},
};

use super::{
    Saved,
    purchase::pool_of,
    stock::{Records, cursor},
};
use crate::{
    Failure, Fault, Page, Store,
    item::{decode_learned, decode_terms},
    keys,
    table::{Pauses, Transacted, Write, Written},
    write::replenishment as writes,
};

pub use alerts::AlertPage;
pub use sales::Counted;

/// How often a SKU is looked at again when it changes underneath.
const MAX_ROUNDS: u32 = 10;

/// The terms of a SKU as they are stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredTerms {
    /// What the merchant has set.
    pub settings: Settings,
    /// How often he has.
    pub version: u64,
}

/// A SKU as it was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Reviewed {
    /// On which terms.
    pub terms: StoredTerms,
    /// What is known of it.
    pub learned: Learned,
    /// What there is.
    pub sight: Sight,
    /// When to order.
    pub reorder: ReorderPoint,
    /// Whether an alert opened or closed.
    pub turn: Option<Turn>,
}

impl Store {
    /// The terms of a SKU, if it has any.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be read.
    pub async fn replenishment(&self, sku: &Sku) -> Result<Option<StoredTerms>, Fault> {
        self.get(keys::terms(sku)).await?.as_ref().map(decode_terms).transpose()
    }

    /// Makes or replaces the terms of a SKU.
    ///
    /// # Errors
    /// Refused with `UnknownSku`, with `PreconditionFailed` when `if_match` is not the stored version, or with `Contended`; or a fault.
    pub async fn save_replenishment(
        &self,
        sku: &Sku,
        settings: &Settings,
        if_match: Option<u64>,
    ) -> Result<Saved, Failure> {
        let saved = self.save_terms(sku, settings, if_match).await?;
        // Dies it in between, the next look does that.
        self.set_backorders(sku, settings.backorder).await?;
        Ok(saved)
    }

    async fn save_terms(&self, sku: &Sku, settings: &Settings, if_match: Option<u64>) -> Result<Saved, Failure> {
        self.pools(sku).await?;
        for round in 0..MAX_ROUNDS {
            let stored = self.replenishment(sku).await?;
            let version = stored.as_ref().map_or(0, |stored| stored.version);
            // Asked for again after it was written: the version that was asked for, with these terms, one later is ours.
            let is_ours =
                |seen: u64| version == seen + 1 && stored.as_ref().is_some_and(|stored| stored.settings == *settings);
            if if_match.is_some_and(is_ours) {
                return Ok(Saved { created: false, version });
            }
            if if_match.is_some_and(|seen| seen != version) {
                return Err(Refusal::PreconditionFailed { version }.into());
            }
            let terms = StoredTerms { settings: settings.clone(), version: version + 1 };
            let write = match stored {
                None => writes::create(sku, &terms),
                Some(_) => writes::change(sku, &terms, version),
            };
            match self.write(&write).await? {
                Written::Applied(_) => return Ok(Saved { created: version == 0, version: terms.version }),
                // The SDK re-sends a write whose reply was lost: the version that was asked for, with these terms, is ours.
                Written::Refused(found) if found.as_ref().map(decode_terms).transpose()?.as_ref() == Some(&terms) => {
                    return Ok(Saved { created: version == 0, version: terms.version });
                }
                Written::Refused(_) => Pauses::of(&keys::terms(sku)).pause(round).await,
            }
        }
        Err(Refusal::Contended.into())
    }

    /// Removes the terms of a SKU, and closes its alert. What was promised is owed still, but no more is. What is learned of its sales stays. Says whether there were any.
    ///
    /// # Errors
    /// Refused with `Contended`; or a fault.
    pub async fn remove_replenishment(&self, sku: &Sku) -> Result<bool, Failure> {
        for round in 0..MAX_ROUNDS {
            let (Some(stored), learned) = self.known(sku).await? else { return Ok(false) };
            // Before the terms go: a retry would find none.
            self.set_backorders(sku, false).await?;
            // Nobody looks any more: how long it is empty is not known from here on.
            let next = Learned { version: learned.version + 1, open: None, out_since: None, ..learned.clone() };
            let mut all = vec![writes::remove(sku, stored.version), writes::learn(sku, learned.version, &next)];
            all.extend(learned.open.map(|open: OpenAlert| writes::close(&open.id, self.now())));
            if self.transact(all).await? == Transacted::Applied {
                return Ok(true);
            }
            Pauses::of(&keys::learned(sku)).pause(round).await;
        }
        Err(Refusal::Contended.into())
    }

    /// The SKUs that have terms.
    ///
    /// # Errors
    /// Refused with `InvalidRequest` for a cursor that is not ours; or a fault.
    pub async fn list_replenished(&self, limit: usize, cursor: Option<&str>) -> Result<Page<Sku>, Failure> {
        let after = cursor.map(|cursor| cursor::after(cursor, keys::TERMS_LIST, keys::terms_at)).transpose()?;
        let page = self.list(keys::TERMS_LIST.to_owned(), false, limit, after).await?;
        let skus = page.items.iter().filter_map(|item| keys::name(keys::of(item)).parse().ok());
        Ok(Page { items: skus.collect(), next_cursor: page.next_cursor.map(cursor::opaque) })
    }

    /// Looks at a SKU, and writes nothing; nothing if it has no terms.
    ///
    /// # Errors
    /// Refused with `UnknownSku` or `Contended`; or a fault.
    pub async fn look_at_replenishment(&self, sku: &Sku) -> Result<Option<Reviewed>, Failure> {
        let (Some(terms), learned) = self.known(sku).await? else { return Ok(None) };
        let (sight, review) = self.look(sku, &terms, &learned).await?;
        Ok(Some(reviewed(
            terms,
            sight,
            Review { turn: None, learned: Learned { open: learned.open, ..review.learned }, ..review },
        )))
    }

    /// Looks at a SKU, and writes what is new; nothing if it has no terms.
    ///
    /// # Errors
    /// Refused with `UnknownSku` or `Contended`; or a fault.
    pub async fn review_replenishment(&self, sku: &Sku) -> Result<Option<Reviewed>, Failure> {
        for round in 0..MAX_ROUNDS {
            let (Some(terms), learned) = self.known(sku).await? else { return Ok(None) };
            let (sight, mut review) = self.look(sku, &terms, &learned).await?;
            if review.learned == learned && review.out.is_empty() {
                return Ok(Some(reviewed(terms, sight, review)));
            }
            review.learned.version = learned.version + 1;
            if self.write_together(self.news(sku, learned.version, &review)).await? {
                return Ok(Some(reviewed(terms, sight, review)));
            }
            Pauses::of(&keys::learned(sku)).pause(round).await;
        }
        Err(Refusal::Contended.into())
    }

    /// The writes of a look, if what was learned before is of version `seen`.
    fn news(&self, sku: &Sku, seen: u64, review: &Review) -> Vec<Write> {
        let mut all = vec![writes::learn(sku, seen, &review.learned)];
        all.extend(review.out.iter().map(|(day, seconds)| writes::empty(sku, *day, *seconds)));
        all.extend(review.turn.as_ref().map(|turn| match turn {
            Turn::Opened(alert) => writes::open(alert),
            Turn::Closed(id) => writes::close(id, self.now()),
        }));
        all
    }

    /// The terms, and what is learned.
    async fn known(&self, sku: &Sku) -> Result<(Option<StoredTerms>, Learned), Fault> {
        let (terms, learned) = (keys::terms(sku), keys::learned(sku));
        let found = self.batch_get([terms.clone(), learned.clone()].into()).await?;
        let learned = found.get(&learned).map(decode_learned).transpose()?.unwrap_or_default();
        Ok((found.get(&terms).map(decode_terms).transpose()?, learned))
    }

    async fn look(&self, sku: &Sku, terms: &StoredTerms, learned: &Learned) -> Result<(Sight, Review), Failure> {
        let sight = self.sight(sku).await?;
        let days: Option<Vec<DayOfSales>> = if learned.is_due(sight.as_of) {
            let today = Day::of(sight.as_of);
            Some(self.days_of_sales(sku, today.minus_days(terms.settings.window_days), today).await?)
        } else {
            None
        };
        let review = review(&Look {
            sku,
            settings: &terms.settings,
            terms: terms.version,
            learned,
            days: days.as_deref(),
            sight: &sight,
        });
        Ok((sight, review))
    }

    /// What there is of a SKU and what is on its way, as if all of it had been seen at once.
    async fn sight(&self, sku: &Sku) -> Result<Sight, Failure> {
        for round in 0..MAX_ROUNDS {
            let before = self.on_order(sku).await?;
            let views = self.pools(sku).await?;
            let incoming = if before.backorders.has_pool() {
                self.view(&[pool_of(sku)], Records::OfAll).await?.pop()
            } else {
                None
            };
            let homes: BTreeMap<BucketId, u64> = views.iter().chain(&incoming).map(generation).collect();
            let again = self.get_buckets(homes.keys().cloned()).await?;
            let stands = |(id, seen): (&BucketId, &u64)| {
                again.get(id).and_then(|bucket| bucket.home()).is_some_and(|home| home.generation == *seen)
            };
            if homes.iter().all(stands) && self.on_order(sku).await?.generation == before.generation {
                return Ok(Sight::of(&views, before.units(), incoming.as_ref()));
            }
            Pauses::of(sku.as_str()).pause(round).await;
        }
        Err(Refusal::Contended.into())
    }
}

fn generation(view: &StockView) -> (BucketId, u64) {
    (StockId::home(&view.stock), view.home().generation)
}

fn reviewed(terms: StoredTerms, sight: Sight, review: Review) -> Reviewed {
    Reviewed { terms, learned: review.learned, sight, reorder: review.reorder, turn: review.turn }
}

impl Reviewed {
    /// The instant of which it is true.
    #[must_use]
    pub fn as_of(&self) -> Timestamp {
        self.sight.as_of
    }
}
