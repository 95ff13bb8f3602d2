//! Holding the units of one line. `domain::acquire` describes the steps and decides; this module tries, looks and tries again.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    acquire::{Refused, Seen, split, why_refused},
    bucket::{Bucket, BucketId, Hold, Home, StockId},
    ids::ReservationId,
    limits::{CHILD_UNITS, MAX_HOLD_SECONDS},
    quantity::Quantity,
    reservation::Allocation,
    time::Timestamp,
};

use crate::{
    Fault, Store,
    flow::{children::Opening, take::Begin},
    item::decode_bucket,
    table::Written,
    write,
};

/// How often the children are surveyed before the line is given up as contended. Each round fails only because other shoppers
/// took what it saw.
const MAX_ROUNDS: usize = 16;

/// How often one bucket is tried: after room was made in it, and after a later end was chosen.
const MAX_TRIES: usize = 3;

/// What was held for a line.
#[derive(Debug, Default)]
pub(crate) struct Acquired {
    /// Holds that together are exactly the line, or less if something is `missing`.
    pub(crate) allocations: Vec<Allocation>,
    /// Holds of earlier attempts of the same request that do not fit; they must be released.
    pub(crate) leftovers: Vec<Allocation>,
    /// Why the line is not complete.
    pub(crate) missing: Option<Missing>,
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

impl Store {
    /// Holds `quantity` units of `stock` for `id` until `expires_at`.
    pub(crate) async fn acquire(
        &self,
        id: &ReservationId,
        stock: StockId,
        quantity: Quantity,
        expires_at: Timestamp,
        begin: Begin,
    ) -> Result<Acquired, Fault> {
        let latest = self.now().plus_seconds(MAX_HOLD_SECONDS).max(expires_at);
        let search = Search {
            store: self,
            id,
            stock,
            expires_at,
            latest,
            rest: Some(quantity),
            acquired: Acquired::default(),
            closed: BTreeSet::new(),
            throttled: false,
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
    acquired: Acquired,
    /// Buckets that cannot take another hold of this reservation: they have one, or are throttled, or are gone.
    closed: BTreeSet<BucketId>,
    throttled: bool,
    /// Buckets in which room was made already: what stands in them stands for longer than this request.
    tidied: BTreeSet<BucketId>,
}

impl Search<'_> {
    async fn run(mut self, begin: Begin) -> Result<Acquired, Fault> {
        let mut home = match begin {
            Begin::Trying => self.first_try().await?,
            Begin::Looking => None,
        };
        for _ in 0..MAX_ROUNDS {
            let Some(rest) = self.rest else {
                return Ok(self.acquired);
            };
            let home_image = match home.take() {
                Some(image) => image,
                None => match self.store.get_bucket(&self.stock.home()).await? {
                    Some(image) => image,
                    None => return Ok(self.end(Missing::UnknownSku)),
                },
            };
            match self.round(rest, home_image).await? {
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

    /// The only step on a SKU that is not hot. Returns the home's image if the home refused.
    async fn first_try(&mut self) -> Result<Option<Bucket>, Fault> {
        let Some(rest) = self.rest else { return Ok(None) };
        let first = self.store.routes.first(&self.stock, self.id.spread());
        let refused = self.try_hold(&first, rest).await?;
        Ok(refused.filter(|image| image.home().is_some()))
    }

    /// Looks at all buckets and takes what fits; else makes units reachable; else says what is missing.
    async fn round(&mut self, rest: Quantity, home: Bucket) -> Result<Round, Fault> {
        let buckets = self.survey(home).await?;
        if self.adopt(&buckets) {
            return Ok(Round::Again(None));
        }
        let home_id = self.stock.home();
        let Some(home) = buckets.get(&home_id) else {
            return Ok(Round::End(Missing::UnknownSku));
        };
        let home_is_full = home.is_crowded() || self.closed.contains(&home_id);
        let may_open = home_is_full && home.free >= rest.units();

        if let Some(parts) = split(rest, self.reachable(&buckets), self.id.spread())
            && (parts.len() == 1 || !may_open)
        {
            let mut refused = None;
            for (bucket, part) in parts {
                refused = self.try_hold(&bucket, part).await?.filter(|image| image.home().is_some());
            }
            return Ok(Round::Again(refused));
        }
        for (id, bucket) in &buckets {
            if self.tidied.insert(id.clone()) && self.store.make_room(id, bucket, self.id, self.expires_at).await? {
                return Ok(Round::Again(None));
            }
        }
        let available = buckets.values().map(|bucket| bucket.free).sum();
        if available < rest.units() {
            return self.short(available, home, buckets.len() > 1).await;
        }
        self.bring_within_reach(home, home_is_full, rest, &buckets).await
    }

    /// "Short" is only true if no units moved between the buckets while they were read one after the other.
    async fn short(&self, available: u64, seen: &Bucket, is_split: bool) -> Result<Round, Fault> {
        let generation = |bucket: &Bucket| bucket.home().map(|home| home.generation);
        if is_split {
            let home = self.store.get_bucket(&self.stock.home()).await?;
            if home.as_ref().and_then(generation) != generation(seen) {
                return Ok(Round::Again(home));
            }
        }
        // What is missing may be what attempts of this very request hold too much: that is no reason to say "sold out" either.
        let own_surplus = !self.acquired.leftovers.is_empty();
        Ok(Round::End(if own_surplus { Missing::Contended } else { Missing::Short { available } }))
    }

    /// There are enough units, but some are where no hold can be made: at home, they get a child; in a child, they go home.
    async fn bring_within_reach(
        &mut self,
        home: &Bucket,
        home_is_full: bool,
        rest: Quantity,
        buckets: &BTreeMap<BucketId, Bucket>,
    ) -> Result<Round, Fault> {
        if let (true, Some(part)) = (home_is_full, rest.at_most(home.free)) {
            return self.open_and_hold(home, part).await;
        }
        let stuck = |(id, bucket): &(&BucketId, &Bucket)| {
            id.child.is_some() && bucket.free > 0 && (bucket.is_crowded() || self.closed.contains(*id))
        };
        let window = home.home().copied().unwrap_or_default();
        for (id, child) in buckets.iter().filter(stuck) {
            self.store.bring_home(id, child, &window).await?;
        }
        Ok(Round::Again(None))
    }

    /// The home and its children. A SKU without children needs no further read.
    async fn survey(&self, home: Bucket) -> Result<BTreeMap<BucketId, Bucket>, Fault> {
        let window = home.home().map(Home::window).unwrap_or_default();
        if window.is_empty() {
            return Ok(BTreeMap::from([(self.stock.home(), home)]));
        }
        let mut buckets = self.store.get_buckets(window.map(|number| self.stock.child(number))).await?;
        for (id, bucket) in &buckets {
            if bucket.free > 0 {
                self.store.routes.learn(id);
            } else {
                self.store.routes.forget(id);
            }
        }
        buckets.insert(self.stock.home(), home);
        Ok(buckets)
    }

    /// Adopts the holds that other attempts of this very request have made, as a refused hold would. They stand until a record of
    /// the request exists, and then that record is the answer. Says whether there were any.
    fn adopt(&mut self, buckets: &BTreeMap<BucketId, Bucket>) -> bool {
        let mut adopted = false;
        for (id, bucket) in buckets {
            if let Some(hold) = bucket.holds.get(self.id)
                && !self.closed.contains(id)
            {
                self.taken(id, *hold);
                adopted = true;
            }
        }
        adopted
    }

    /// The buckets that could take a hold now.
    fn reachable(&self, buckets: &BTreeMap<BucketId, Bucket>) -> Vec<Seen> {
        let open = buckets.iter().filter(|(id, bucket)| !self.closed.contains(*id) && !bucket.is_crowded());
        open.filter(|(_, bucket)| bucket.free > 0)
            .map(|(id, bucket)| Seen { bucket: id.clone(), free: bucket.free })
            .collect()
    }

    /// Opens a child for units that the home has but cannot give, and holds them there.
    async fn open_and_hold(&mut self, home: &Bucket, part: Quantity) -> Result<Round, Fault> {
        let born_with = (part.units() > CHILD_UNITS).then_some(Hold { quantity: part, expires_at: self.expires_at });
        match self.store.open_child(&self.stock, home, part, born_with.map(|hold| (self.id, hold))).await? {
            Opening::Refused(home) => Ok(Round::Again(home)),
            Opening::Opened(child) => {
                match born_with {
                    Some(hold) => self.taken(&child, hold),
                    None => drop(self.try_hold(&child, part).await?),
                }
                Ok(Round::Again(None))
            }
        }
    }

    /// Tries one bucket. On success the hold is noted; else the image that refused it is returned, if there is such a bucket.
    async fn try_hold(&mut self, bucket: &BucketId, quantity: Quantity) -> Result<Option<Bucket>, Fault> {
        let mut hold = Hold { quantity, expires_at: self.expires_at };
        let mut image = None;
        for _ in 0..MAX_TRIES {
            let found = match self.store.write(&write::hold::hold(bucket, self.id, hold)).await {
                Ok(Written::Applied(image)) => {
                    let image = image.as_ref().map(decode_bucket).transpose()?;
                    self.note(bucket, image.as_ref().map_or(0, |image| image.free));
                    self.taken(bucket, hold);
                    return Ok(None);
                }
                Ok(Written::Refused(found)) => found.as_ref().map(decode_bucket).transpose()?,
                Err(Fault::Throttled { reason, .. }) => {
                    tracing::info!(%bucket, reason, "a hot bucket is throttled: trying another");
                    self.throttled = true;
                    self.closed.insert(bucket.clone());
                    return Ok(None);
                }
                Err(fault) => return Err(fault),
            };
            match (why_refused(found.as_ref(), self.id, hold), &found) {
                (Refused::AlreadyHeld(hold), _) => {
                    self.taken(bucket, hold);
                    return Ok(None);
                }
                (Refused::EndsTooSoon { watermark }, _)
                    if self.acquired.allocations.is_empty() && watermark < self.latest =>
                {
                    hold.expires_at = watermark.plus_seconds(1);
                }
                (Refused::TooFew { .. } | Refused::Crowded, Some(seen)) if self.tidied.insert(bucket.clone()) => {
                    self.note(bucket, seen.free);
                    if !self.store.make_room(bucket, seen, self.id, hold.expires_at).await? {
                        return Ok(found);
                    }
                }
                (Refused::EndsTooSoon { .. }, _) => {
                    self.closed.insert(bucket.clone());
                    return Ok(found);
                }
                _ => {
                    self.note(bucket, found.as_ref().map_or(0, |found| found.free));
                    return Ok(found);
                }
            }
            image = found;
        }
        Ok(image)
    }

    /// Notes a hold of this reservation, made now or by an earlier attempt.
    fn taken(&mut self, bucket: &BucketId, hold: Hold) {
        self.closed.insert(bucket.clone());
        let allocation = Allocation { bucket: bucket.clone(), hold };
        match self.rest {
            // An earlier attempt may have held more here than the line still needs: never more than the line.
            Some(rest) if hold.quantity <= rest => {
                self.rest = rest.minus(hold.quantity);
                self.acquired.allocations.push(allocation);
            }
            _ => self.acquired.leftovers.push(allocation),
        }
    }

    fn note(&self, bucket: &BucketId, free: u64) {
        if free > 0 {
            self.store.routes.learn(bucket);
        } else {
            self.store.routes.forget(bucket);
        }
    }
}

enum Round {
    /// Something has changed: look again, at this image of the home if one came for free.
    Again(Option<Bucket>),
    /// Nothing more can be had.
    End(Missing),
}
