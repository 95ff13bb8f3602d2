//! All pools of one SKU, each channel's own and the shared one, and how units are moved between several of them at once.
//!
//! 1. **Look** at every home, after the holds that are over have been given back.
//! 2. **Plan** (`domain`): by how much each of them changes.
//! 3. **Write** one transaction: every home that changes, in the generation that was seen, and a pair of movements for each pair of
//!    channels. All of it or nothing. Refused, everything is looked at again.
//!
//! Shoppers may hold and buy between the look and the write: that changes what is free, which the write checks, but not by how much a
//! channel is to change. The ids of the movements derive from the generations, and these are never seen again once it is applied, so a
//! plan is carried out once, however often it is sent.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    bucket::{BucketId, StockId},
    ids::{Channel, Fingerprint, Sku, TransferId},
    limits::{MAX_CHANNELS, MAX_QUANTITY},
    movement::Movement,
    quantity::Quantity,
    quota::{self, Change, Pool, QuotaRequest, Short},
    refusal::{FieldError, Refusal},
    reservation::Shortage,
    stock::StockView,
    transfer::{Cause, pair},
};

use super::{
    Records,
    movements::{MAX_ROUNDS, unknown},
};
use crate::{
    Failure, Fault, Store, keys,
    table::{Met, Transacted, Write},
    write,
};

/// What came of moving units between pools.
pub(super) enum Rearranged {
    /// It is done, with these movements.
    Done(Vec<Movement>),
    /// Its movements are recorded already.
    Recorded,
    /// The homes have changed.
    LookAgain,
    /// Units stand in more children than one call brings home. What is brought home stays there: the next call goes on.
    TooMany,
}

impl Store {
    /// All pools of a SKU, by channel.
    ///
    /// # Errors
    /// Refused with `UnknownSku` or `Contended`; or a fault.
    pub async fn pools(&self, sku: &Sku) -> Result<Vec<StockView>, Failure> {
        let stocks = self.homes_of(sku, BTreeSet::new()).await?;
        self.view(&stocks, Records::OfAll).await
    }

    /// Brings channels to their numbers of unsold units, or shares everything: all of it or nothing. Units that are held stay. With
    /// `if_match` only if the pools are of this [`pools_version`].
    ///
    /// # Errors
    /// Refused with `UnknownSku`, `PreconditionFailed`, `InsufficientStock` (a line for each channel that would have to give more than it
    /// has free) or `Contended`; or a fault.
    pub async fn set_quotas(&self, request: &QuotaRequest, if_match: Option<u64>) -> Result<(), Failure> {
        let named = quota::named(&request.division);
        let (mut first, mut folded) = (true, false);
        for _ in 0..MAX_ROUNDS {
            let views = self.tidied_pools(&request.sku, named.clone()).await?;
            let version = pools_version(&views);
            // Later rounds see what others have changed since this request was found to be in time.
            if std::mem::take(&mut first) && if_match.is_some_and(|seen| seen != version) {
                return Err(Refusal::PreconditionFailed { version }.into());
            }
            let pools: Vec<Pool> = views.iter().map(Pool::of).collect();
            let changes = quota::plan(&pools, &request.division).map_err(|short| shortage(&request.sku, &short))?;
            if changes.is_empty() {
                return Ok(());
            }
            let cause = Cause {
                id: TransferId::from_seen("quotas", &seen(&request.sku, &views, &changes)),
                sku: request.sku.clone(),
                reason: request.reason.clone(),
                actor: request.actor.clone(),
                fingerprint: Fingerprint::of("quotas", &[request.sku.as_str()]),
            };
            match self.rearrange(&views, &changes, &cause, None, &mut folded).await? {
                Rearranged::Done(_) => return Ok(()),
                Rearranged::TooMany => break,
                Rearranged::Recorded | Rearranged::LookAgain => {}
            }
        }
        Err(Refusal::Contended.into())
    }

    /// Every pool of a SKU, and of these channels where they have one, after the holds that are over have been given back.
    pub(super) async fn tidied_pools(&self, sku: &Sku, named: BTreeSet<Channel>) -> Result<Vec<StockView>, Failure> {
        let stocks = self.homes_of(sku, named).await?;
        self.tidied(&stocks).await
    }

    /// The homes of a SKU. Those that were made a moment ago may be missing in the list, unless they are named; the usual ones always are.
    async fn homes_of(&self, sku: &Sku, named: BTreeSet<Channel>) -> Result<Vec<StockId>, Failure> {
        let listed = self.list_under(keys::STOCK_LIST, &keys::homes_of(sku)).await?;
        let listed = listed.iter().map(|key| keys::name(key).parse::<BucketId>().map_err(Fault::from));
        let mut homes: BTreeSet<BucketId> = listed.collect::<Result<_, _>>()?;
        let usual = [Channel::own(), Channel::shared()];
        homes.extend(named.into_iter().chain(usual).map(|channel| StockId { sku: sku.clone(), channel }.home()));
        let found = self.get_buckets(homes).await?;
        if found.is_empty() {
            return Err(unknown(sku));
        }
        Ok(found.into_keys().map(|id| id.stock).collect())
    }

    /// Makes these changes, which sum to 0, in one transaction together with `also`. `folded` says whether this call has brought units of
    /// children home already.
    pub(super) async fn rearrange(
        &self,
        views: &[StockView],
        changes: &[Change],
        cause: &Cause,
        also: Option<Write>,
        folded: &mut bool,
    ) -> Result<Rearranged, Failure> {
        if changes.len() > MAX_CHANNELS + 1 {
            let detail = format!("are more than {MAX_CHANNELS}, which is as many as can be changed at once");
            let errors = vec![FieldError { field: "channels".to_owned(), detail }];
            return Err(Refusal::InvalidRequest { errors }.into());
        }
        let mut writes = Vec::new();
        for change in changes {
            let stock = StockId { sku: cause.sku.clone(), channel: change.channel.clone() };
            let view = views.iter().find(|view| view.stock == stock);
            let home_free = view.and_then(|view| view.buckets.first()).map_or(0, |(_, home)| home.free);
            if change.delta < 0 && home_free < change.delta.unsigned_abs() {
                // Once takes seconds already.
                if std::mem::replace(folded, true) {
                    return Ok(Rearranged::TooMany);
                }
                self.fold_all(&stock).await?;
                return Ok(Rearranged::LookAgain);
            }
            writes.push(write_of(&stock, view, change));
        }
        let deltas: BTreeMap<Channel, i64> =
            changes.iter().map(|change| (change.channel.clone(), change.delta)).collect();
        let movements = cause.movements(&pair(&deltas), self.now());
        let explained = writes.len()..writes.len() + movements.len();
        writes.extend(movements.iter().map(write::movement::explain));
        writes.extend(also);
        Ok(match self.transact(writes).await? {
            Transacted::Applied => {
                self.arrived(&movements).await;
                Rearranged::Done(movements)
            }
            Transacted::Refused(met) => {
                let recorded = |met: &Met| matches!(met, Met::Failed(Some(_)));
                let recorded = met.get(explained).is_some_and(|met| met.iter().any(recorded));
                if recorded { Rearranged::Recorded } else { Rearranged::LookAgain }
            }
        })
    }
}

/// The version of all pools together: it rises whenever units come to or leave one of them other than with its shoppers, and when one is
/// made. A pool is never removed.
#[must_use]
pub fn pools_version(views: &[StockView]) -> u64 {
    views.iter().map(|view| view.home().generation + 1).sum()
}

fn write_of(stock: &StockId, view: Option<&StockView>, change: &Change) -> Write {
    let (home, units) = (stock.home(), change.delta.unsigned_abs());
    match view.map(StockView::home) {
        None => write::pool::open(stock, units),
        Some(seen) if change.delta > 0 => {
            write::pool::give(&home, units, seen.shortfall, seen.generation, change.joined)
        }
        Some(seen) => write::pool::take(&home, units, seen.generation, change.joined),
    }
}

/// The homes that change, each with the generation that was seen.
pub(super) fn seen(sku: &Sku, views: &[StockView], changes: &[Change]) -> Vec<String> {
    let generation = |channel: &Channel| {
        let view = views.iter().find(|view| view.stock.channel == *channel);
        view.map_or_else(|| "new".to_owned(), |view| view.home().generation.to_string())
    };
    changes.iter().map(|change| format!("{sku}#{}@{}", change.channel, generation(&change.channel))).collect()
}

fn shortage(sku: &Sku, short: &[Short]) -> Failure {
    // The largest quantity stands for all that is larger: nobody can ask for more in one line.
    let requested = |short: &Short| Quantity::new(short.requested.clamp(1, MAX_QUANTITY)).ok();
    let lines = short.iter().filter_map(|short| {
        Some(Shortage { sku: sku.clone(), requested: requested(short)?, available: short.available })
    });
    Refusal::InsufficientStock { lines: lines.collect() }.into()
}
