//! The rules by which units are divided anew, and one look by such a rule.
//!
//! 1. The rule and every pool of its SKU are read.
//! 2. `domain::redistribution` says what to remember of the sales, and which moves to make.
//! 3. One transaction moves the units and writes what is remembered, provided that nobody else has looked meanwhile. Without moves only
//!    the latter is written, and that only where there is anything to remember.

use std::collections::BTreeMap;

use domain::{
    ids::{Channel, Fingerprint, Reason, Sku, TransferId},
    limits::MAX_CHANNELS,
    quota::{Change, Pool},
    redistribution::{Memory, Rule, plan},
    refusal::Refusal,
    stock::StockView,
    transfer::{Cause, Move, Transfer},
};

use super::{
    Saved,
    cursor::{after, opaque},
    movements::MAX_ROUNDS,
    pools::{Rearranged, seen},
};
use crate::{Failure, Fault, Page, Store, item::decode_rule, keys, table::Written, write::rule};

/// Who has a rule's look taken when nobody asked for it.
const BY_ITSELF: &str = "redistribute";

/// A rule as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredRule {
    /// The merchant's part.
    pub rule: Rule,
    /// What it remembers.
    pub memory: Memory,
    /// How often the merchant has written it.
    pub version: u64,
}

/// Why a look is taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Occasion {
    /// It is time: units are moved only if a channel runs low.
    Scheduled,
    /// Somebody wants it: units are moved whether or not a channel runs low.
    ByHand {
        /// Derived from the caller and the `Idempotency-Key`: a retry moves nothing twice.
        id: TransferId,
        /// Who.
        actor: String,
    },
}

/// What came of a look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redistributed {
    /// What was moved.
    pub transfers: Vec<Transfer>,
    /// The answer to an earlier request, given again.
    pub replayed: bool,
}

impl Store {
    /// The rule of a SKU, if it has one.
    ///
    /// # Errors
    /// A fault.
    pub async fn redistribution(&self, sku: &Sku) -> Result<Option<StoredRule>, Fault> {
        self.get(keys::rule(sku)).await?.as_ref().map(decode_rule).transpose()
    }

    /// Makes or replaces the rule of a SKU.
    ///
    /// # Errors
    /// Refused with `UnknownSku`, or with `PreconditionFailed` when `if_match` is not the stored version; or a fault.
    pub async fn save_redistribution(&self, sku: &Sku, rule: &Rule, if_match: Option<u64>) -> Result<Saved, Failure> {
        self.pools(sku).await?;
        if if_match.is_none() && matches!(self.write(&rule::create(sku, rule)).await?, Written::Applied(_)) {
            return Ok(Saved { created: true, version: 1 });
        }
        let (stored, applied) = match self.write(&rule::change(sku, rule, if_match)).await? {
            Written::Applied(image) => (image, true),
            Written::Refused(found) => (found, false),
        };
        let stored = stored.as_ref().map(decode_rule).transpose()?;
        let version = stored.as_ref().map_or(0, |stored| stored.version);
        // The SDK re-sends a write whose reply was lost: the version that was asked for, with this rule, one later is ours.
        let resent = if_match.is_some_and(|seen| version == seen + 1) && stored.is_some_and(|own| own.rule == *rule);
        if applied || resent {
            Ok(Saved { created: false, version })
        } else {
            Err(Refusal::PreconditionFailed { version }.into())
        }
    }

    /// Removes the rule of a SKU. Says whether there was one.
    ///
    /// # Errors
    /// A fault.
    pub async fn remove_redistribution(&self, sku: &Sku) -> Result<bool, Fault> {
        Ok(matches!(self.write(&rule::remove(sku)).await?, Written::Applied(_)))
    }

    /// The SKUs that have a rule.
    ///
    /// # Errors
    /// Refused with `InvalidRequest` for a cursor that is not ours; or a fault.
    pub async fn list_redistributions(&self, limit: usize, cursor: Option<&str>) -> Result<Page<Sku>, Failure> {
        let after = cursor.map(|cursor| after(cursor, keys::RULE_LIST, keys::rule_at)).transpose()?;
        let page = self.list(keys::RULE_LIST.to_owned(), false, limit, after).await?;
        let skus = page.items.iter().filter_map(|item| keys::name(keys::of(item)).parse().ok());
        Ok(Page { items: skus.collect(), next_cursor: page.next_cursor.map(opaque) })
    }

    /// Looks at the channels of a SKU, and divides its free units anew if its rule says so; nothing if it has no rule.
    ///
    /// # Errors
    /// Refused with `IdempotencyKeyReused` or `Contended`; or a fault.
    pub async fn redistribute(&self, sku: &Sku, occasion: &Occasion) -> Result<Option<Redistributed>, Failure> {
        let mut folded = false;
        for _ in 0..MAX_ROUNDS {
            if let Some(before) = self.redistributed_before(sku, occasion).await? {
                return Ok(Some(before));
            }
            let Some(stored) = self.redistribution(sku).await? else { return Ok(None) };
            let views = self.tidied_pools(sku, stored.rule.named()).await?;
            let pools: Vec<Pool> = views.iter().map(Pool::of).collect();
            let memory = stored.memory.after(&pools, self.now());
            let moves = plan(&pools, &memory.recent, &stored.rule, *occasion != Occasion::Scheduled);
            let remember = rule::look(sku, &stored, &memory);
            if moves.is_empty() {
                if is_news(&memory, &stored.memory) && matches!(self.write(&remember).await?, Written::Refused(_)) {
                    continue;
                }
                return Ok(Some(Redistributed { transfers: Vec::new(), replayed: false }));
            }
            let changes = changes(&moves, &pools);
            let cause = cause(sku, occasion, stored.rule.reason_of_moves(), &views, &changes);
            match self.rearrange(&views, &changes, &cause, Some(remember), &mut folded).await? {
                Rearranged::Done(movements) => {
                    return Ok(Some(Redistributed { transfers: Transfer::all(&movements), replayed: false }));
                }
                Rearranged::TooMany => break,
                Rearranged::Recorded | Rearranged::LookAgain => {}
            }
        }
        Err(Refusal::Contended.into())
    }

    /// What this very request has moved before.
    async fn redistributed_before(&self, sku: &Sku, occasion: &Occasion) -> Result<Option<Redistributed>, Failure> {
        let Occasion::ByHand { id, .. } = occasion else { return Ok(None) };
        let recorded = self.recorded(id, MAX_CHANNELS).await?;
        if recorded.iter().any(|movement| movement.fingerprint != fingerprint(sku)) {
            return Err(Refusal::IdempotencyKeyReused.into());
        }
        let transfers = Transfer::all(&recorded);
        Ok((!transfers.is_empty()).then_some(Redistributed { transfers, replayed: true }))
    }
}

/// Whether what is remembered says anything new. Time alone makes sales older in the same proportion for all.
fn is_news(memory: &Memory, before: &Memory) -> bool {
    memory.sold != before.sold
}

fn fingerprint(sku: &Sku) -> Fingerprint {
    Fingerprint::of("redistribution", &[sku.as_str()])
}

fn cause(sku: &Sku, occasion: &Occasion, reason: Reason, views: &[StockView], changes: &[Change]) -> Cause {
    let (id, actor) = match occasion {
        Occasion::Scheduled => {
            (TransferId::from_seen("redistribution", &seen(sku, views, changes)), BY_ITSELF.to_owned())
        }
        Occasion::ByHand { id, actor } => (id.clone(), actor.clone()),
    };
    Cause { id, sku: sku.clone(), reason, actor, fingerprint: fingerprint(sku) }
}

/// By how much each channel changes. Whether it sells from the shared stock does not.
fn changes(moves: &[Move], pools: &[Pool]) -> Vec<Change> {
    let mut deltas: BTreeMap<Channel, i64> = BTreeMap::new();
    for Move { from, to, units } in moves {
        *deltas.entry(from.clone()).or_default() -= units.cast_signed();
        *deltas.entry(to.clone()).or_default() += units.cast_signed();
    }
    let joined = |channel: &Channel| pools.iter().any(|pool| pool.channel == *channel && pool.joined);
    deltas.into_iter().map(|(channel, delta)| Change { joined: joined(&channel), channel, delta }).collect()
}
