//! Holding the units of one line. `domain::acquire` describes the steps and decides; this module tries, looks and tries again.
//!
//! | module | does |
//! |---|---|
//! | this one | the rounds: which of the steps is next |
//! | `look` | reads buckets: a few, or all of them |
//! | `reach` | units that are there but cannot be held where they are: room is made, children are opened, units brought home |
//! | `hold` | the write itself, and what a refusal means |

mod hold;
mod look;
mod reach;

use std::collections::BTreeSet;

use domain::{
    acquire::split,
    bucket::{Bucket, BucketId, Home, StockId},
    ids::ReservationId,
    limits::MAX_HOLD_SECONDS,
    quantity::Quantity,
    reservation::Allocation,
    route::{First, GLANCE, LONG_GLANCE},
    time::Timestamp,
};

use crate::{Fault, Store, flow::take::Begin};

/// How often the children are surveyed before the line is given up as contended. Each round fails only because other shoppers
/// took what it saw.
const MAX_ROUNDS: u32 = 16;

/// What was held for a line.
#[derive(Debug, Default)]
pub(crate) struct Acquired {
    /// Holds that together are exactly the line, or less if something is `missing`.
    pub(crate) allocations: Vec<Allocation>,
    /// Holds of earlier attempts of the same request that do not fit; they must be released.
    pub(crate) leftovers: Vec<Allocation>,
    /// Why the line is not complete.
    pub(crate) missing: Option<Missing>,
    /// The home was short, and its channel has given its quota up: it sells from the shared stock.
    pub(crate) joined: bool,
}

/// Why a line could not be held completely.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Missing {
    /// The SKU does not exist in the channel.
    UnknownSku,
    /// So many units were free for it.
    Short { available: u64 },
    /// Units were there each time it looked, and gone when it reached for them; or a bucket was throttled.
    Contended,
}

impl Acquired {
    /// How many units the holds are.
    pub(crate) fn held(&self) -> u64 {
        self.allocations.iter().map(|own| own.hold.quantity.units()).sum()
    }

    /// What is still to be held of `quantity`.
    pub(crate) fn rest_of(&self, quantity: Quantity) -> Option<Quantity> {
        Quantity::new(quantity.units().saturating_sub(self.held())).ok()
    }

    /// Both together, with what is missing of the line then.
    pub(crate) fn and(mut self, other: Self, missing: Option<Missing>) -> Self {
        self.allocations.extend(other.allocations);
        self.leftovers.extend(other.leftovers);
        Self { missing, ..self }
    }
}

/// What is to be held in one pool.
#[derive(Debug)]
pub(crate) struct Share<'a> {
    pub(crate) id: &'a ReservationId,
    pub(crate) pool: StockId,
    pub(crate) quantity: Quantity,
    /// A hold of an earlier attempt may be larger than `quantity` by so many units: they are asked of another pool otherwise.
    pub(crate) spare: u64,
    pub(crate) expires_at: Timestamp,
    pub(crate) begin: Begin,
    /// What was held in this pool already, besides.
    pub(crate) before: Acquired,
}

impl Store {
    /// Holds the units of a line in one pool.
    pub(crate) async fn acquire(&self, share: Share<'_>) -> Result<Acquired, Fault> {
        let Share { id, pool, quantity, spare, expires_at, begin, before } = share;
        let latest = self.now().plus_seconds(MAX_HOLD_SECONDS).max(expires_at);
        let closed = before.allocations.iter().chain(&before.leftovers).map(|own| own.bucket.clone()).collect();
        let search = Search {
            store: self,
            id,
            stock: pool,
            expires_at,
            latest,
            rest: Some(quantity),
            spare,
            acquired: Acquired { missing: None, ..before },
            closed,
            throttled: false,
            busy: false,
            turn: 0,
            tidied: BTreeSet::new(),
        };
        search.run(begin).await
    }
}

struct Search<'a> {
    store: &'a Store,
    id: &'a ReservationId,
    stock: StockId,
    expires_at: Timestamp,
    /// The latest end that a hold may be given where a watermark asks for a later one.
    latest: Timestamp,
    /// What is still to be held; nothing when the line is complete.
    rest: Option<Quantity>,
    /// So much larger than that a hold of an earlier attempt may be.
    spare: u64,
    acquired: Acquired,
    /// Buckets that cannot take another hold of this reservation: they have one, or are throttled, or are gone.
    closed: BTreeSet<BucketId>,
    throttled: bool,
    /// A child was throttled: a rush for it is spread already, so this is the table's limit or close to it, and looking further only
    /// takes units from those who are served.
    busy: bool,
    /// The round, counted from 0.
    turn: u32,
    /// Buckets in which room was made already: what stands in them stands for longer than this request.
    tidied: BTreeSet<BucketId>,
}

impl Search<'_> {
    async fn run(mut self, begin: Begin) -> Result<Acquired, Fault> {
        let routes = &self.store.routes;
        let mut looked_at = self.store.now();
        if let (Begin::Recalling, Some(rest)) = (begin, self.rest)
            && let Some(available) = routes.short_of(&self.stock, rest, looked_at)
        {
            return Ok(self.end(Missing::Short { available }));
        }
        let mut trusts_routes = begin != Begin::Looking;
        let mut home = None;
        for turn in 0..MAX_ROUNDS {
            let Some(rest) = self.rest else {
                return Ok(self.acquired);
            };
            if self.busy {
                break;
            }
            self.turn = turn;
            if home.is_none() {
                looked_at = self.store.now();
                if trusts_routes {
                    match self.first(rest).await? {
                        // Another child is next, and not the home: all the others are there.
                        Tried::Child => continue,
                        Tried::Home(image) => home = Some(image),
                        Tried::Nowhere => {}
                    }
                }
            }
            let Some(rest) = self.rest else {
                return Ok(self.acquired);
            };
            let seen = match home.take() {
                Some(image) => image,
                None => match self.store.get_bucket(&self.stock.home()).await? {
                    Some(image) => image,
                    None => return Ok(self.end(Missing::UnknownSku)),
                },
            };
            let window = seen.home().copied().unwrap_or_default();
            let is_news = self.store.routes.saw_home(&self.stock, &window);
            // Children that were opened meanwhile are looked at first. Where there are few, the survey is no dearer.
            trusts_routes = is_news && begin != Begin::Looking && children(&window) > LONG_GLANCE;
            if trusts_routes {
                continue;
            }
            match self.round(rest, seen, looked_at).await? {
                Round::Again(image) => home = image,
                Round::End(missing) => return Ok(self.end(missing)),
            }
        }
        Ok(if self.rest.is_none() { self.acquired } else { self.end(Missing::Contended) })
    }

    fn end(mut self, missing: Missing) -> Acquired {
        // A throttled bucket may have had what is missing: that is no reason to say "sold out".
        let missing = if self.throttled && missing != Missing::UnknownSku { Missing::Contended } else { missing };
        self.acquired.missing = Some(missing);
        self.acquired
    }

    /// Tries the bucket that this process believes in: the home, on a SKU that is not hot, and mostly this is the only step. Otherwise it
    /// tries one of a few children that it looks at; and of more, where there is nothing in those.
    async fn first(&mut self, rest: Quantity) -> Result<Tried, Fault> {
        for count in [GLANCE, LONG_GLANCE] {
            // Another shopper of this process may have found something meanwhile.
            let tried = match self.store.routes.first(&self.stock, rest) {
                First::Try(None) => return self.try_home(rest).await,
                First::Try(Some(number)) if !self.closed.contains(&self.stock.child(number)) => {
                    self.try_hold(&self.stock.child(number), rest).await?;
                    Tried::Child
                }
                First::Try(Some(_)) | First::Look => self.glance(count, rest).await?,
            };
            if !matches!(tried, Tried::Nowhere) {
                return Ok(tried);
            }
        }
        Ok(Tried::Nowhere)
    }

    async fn try_home(&mut self, rest: Quantity) -> Result<Tried, Fault> {
        let home = self.stock.home();
        if self.closed.contains(&home) {
            return Ok(Tried::Nowhere);
        }
        Ok(self.try_hold(&home, rest).await?.map_or(Tried::Nowhere, Tried::Home))
    }

    /// Looks at all buckets and takes what fits; else makes units reachable; else says what is missing.
    async fn round(&mut self, rest: Quantity, home: Bucket, looked_at: Timestamp) -> Result<Round, Fault> {
        let window = home.home().copied().unwrap_or_default();
        if home.free >= rest.units() && children(&window) > LONG_GLANCE {
            return self.at_home(&home, rest).await;
        }
        let (buckets, saw_all) = self.survey(home, rest).await?;
        if self.adopt(&buckets) {
            return Ok(Round::Again(None));
        }
        let home_id = self.stock.home();
        let Some(home) = buckets.get(&home_id) else {
            return Ok(Round::End(Missing::UnknownSku));
        };
        let home_is_full = home.is_crowded() || self.closed.contains(&home_id);
        let may_open = home_is_full && home.free >= rest.units();

        if let Some(parts) = split(rest, self.reachable(&buckets), self.spread())
            && (parts.len() == 1 || !may_open)
        {
            let mut refused = None;
            for (bucket, part) in parts {
                refused = self.try_hold(&bucket, part).await?.filter(|image| image.home().is_some());
            }
            return Ok(Round::Again(refused));
        }
        if !saw_all {
            return Ok(Round::Again(None));
        }
        for (id, bucket) in &buckets {
            if self.tidied.insert(id.clone()) && self.store.make_room(id, bucket, self.id, self.expires_at).await? {
                return Ok(Round::Again(None));
            }
        }
        let available = buckets.values().map(|bucket| bucket.free).sum();
        if available < rest.units() {
            return self.short(available, home, looked_at).await;
        }
        self.bring_within_reach(home, home_is_full, rest, &buckets).await
    }

    /// "Short" is only true if no units moved between the buckets while they were read one after the other.
    async fn short(&mut self, available: u64, seen: &Bucket, looked_at: Timestamp) -> Result<Round, Fault> {
        let generation = |bucket: &Bucket| bucket.home().map(|home| home.generation);
        if seen.home().is_some_and(|home| !home.window().is_empty()) {
            let home = self.store.get_bucket(&self.stock.home()).await?;
            if home.as_ref().and_then(generation) != generation(seen) {
                return Ok(Round::Again(home));
            }
        }
        // What is missing may be what attempts of this very request hold too much: that is no reason to say "sold out" either.
        if !self.acquired.leftovers.is_empty() {
            return Ok(Round::End(Missing::Contended));
        }
        self.acquired.joined = seen.home().is_some_and(|home| home.joined);
        if !self.throttled && !self.acquired.joined {
            self.store.routes.saw_all(&self.stock, looked_at, available);
        }
        Ok(Round::End(Missing::Short { available }))
    }

    /// A number that spreads shoppers, another one in each round.
    fn spread(&self) -> u64 {
        self.id.spread().rotate_left(7 * self.turn)
    }
}

fn children(home: &Home) -> u32 {
    home.next_child.saturating_sub(home.first_child)
}

/// What came of looking for a bucket and trying it.
enum Tried {
    /// There was none; or the home was, and there is nothing more to be learned from it: it has served, is throttled, or is not there.
    Nowhere,
    /// A child was tried.
    Child,
    /// The home was tried and has refused; what it is.
    Home(Bucket),
}

enum Round {
    /// Something has changed: look again, at this image of the home if one came for free.
    Again(Option<Bucket>),
    /// Nothing more can be had.
    End(Missing),
}
