//! Deciding the orders of a queue together. `domain::group_commit` says how; this module looks, writes and records.
//!
//! | step | requests, for `n` orders of one line for one SKU |
//! |---|---|
//! | look: what this process remembers of the buckets, else a read | 0 or 1 |
//! | hold: one conditional write for each bucket | 1 |
//! | record: one `Put` for each order | n |
//!
//! Only if something is unclear does it look at everything that matters: all buckets of the SKUs at once, whose holds are in them, and
//! whether some of the orders were decided before. Then it plans again. An order that is still unclear (its units are where no hold
//! can be made, say) is sold alone, as `POST /v1/orders` would sell it, before those behind it are looked at.
//!
//! A crash between any two writes leaves holds without a record. The message comes again, adopts them and records; if it comes too
//! late for that, the order takes its units again under its successor's id.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    bucket::{Bucket, BucketId, Home, StockId},
    channel::Overflow,
    group_commit::{Commit, Fate, OwnedHold, Sight, View, is_nearly_over, plan},
    ids::ReservationId,
    limits::MIN_HOLD_SECONDS,
    refusal::Refusal,
    reservation::{Reservation, ReservationRequest, Status},
    resolve::{Resolution, Settling, resolve},
    time::Timestamp,
};
use futures::{StreamExt, future::try_join_all, stream};

use crate::{
    Failure, Fault, Store,
    flow::{
        reserve::Recorded,
        take::{Begin, Holds, Taken, Taking},
    },
    item::decode_bucket,
    table::Written,
    write,
};

/// How often a plan is made for the same orders. Each further one follows a write that somebody else came before.
const MAX_ROUNDS: usize = 16;

/// How often all buckets of a SKU are read when units move between them meanwhile, and after room was made in them.
const MAX_LOOKS: usize = 6;

/// Records under way at once: a full batch of the queue.
const AT_ONCE: usize = 10;

impl Store {
    /// Decides queued sales in their order; `queue` is the bucket in whose line they wait. Answers in the same order and stops
    /// at the first that could not be decided: that one and those behind it must come again.
    ///
    /// No order is sold out of turn: units are taken for all of them in one write or in their order. Only the records, which nobody
    /// competes for any more, are written at the same time.
    ///
    /// # Errors
    /// For each order as [`Store::sell`]; see [`Failure::is_final`].
    pub async fn sell_in_order(
        &self,
        requests: &[ReservationRequest],
        queue: &BucketId,
    ) -> Vec<Result<Recorded, Failure>> {
        let mut answers = Vec::with_capacity(requests.len());
        while let Some(rest) = requests.get(answers.len()..).filter(|rest| !rest.is_empty()) {
            answers.extend(self.sell_some(rest, queue).await);
            if answers.last().is_some_and(|answer| answer.as_ref().is_err_and(|failure| !failure.is_final())) {
                break;
            }
        }
        answers
    }

    /// Decides the first of these orders, at least one.
    async fn sell_some(&self, requests: &[ReservationRequest], queue: &BucketId) -> Vec<Result<Recorded, Failure>> {
        if let Some(first) = requests.first().filter(|first| first.accepts_backorder) {
            return vec![self.sell_alone(first).await];
        }
        let requests = &requests[..without_repetition(requests)];
        let mut together = match Together::start(self, requests, queue).await {
            Ok(together) => together,
            Err(fault) => return vec![Err(fault.into())],
        };
        let fates = match together.hold().await {
            Ok(fates) => fates,
            Err(fault) => return vec![Err(fault.into())],
        };
        if fates.is_empty() && together.must_wait() {
            return vec![Err(Refusal::Contended.into())];
        }
        if fates.is_empty() {
            self.routes.forget_all(&queue.stock);
            let alone = requests.iter().take(1).map(|request| self.sell_alone(request));
            return futures::future::join_all(alone).await;
        }
        let now = self.now();
        let mut deciding = stream::iter(requests.iter().zip(fates))
            .map(|(request, fate)| async move { (request, self.decide(request, fate, now).await) })
            .buffered(AT_ONCE);
        let mut answers = Vec::with_capacity(requests.len());
        while let Some((request, answer)) = deciding.next().await {
            if let Ok(Recorded { reservation, replayed: false }) = &answer
                && matches!(reservation.status, Status::Confirmed { .. })
            {
                let own = reservation.allocations.iter();
                together.view.sold.extend(own.map(|own| OwnedHold::new(&own.bucket, &request.id, own.hold)));
            }
            let go_on = answer.as_ref().map_or_else(Failure::is_final, |_| true);
            answers.push(answer);
            if !go_on {
                break;
            }
        }
        self.routes.remember(together.view);
        answers
    }

    /// One order, wherever its units are.
    async fn sell_alone(&self, request: &ReservationRequest) -> Result<Recorded, Failure> {
        let taken = self.take(&queued(request)).await?;
        self.answer(request, taken).await
    }

    async fn decide(&self, request: &ReservationRequest, fate: Decided, now: Timestamp) -> Result<Recorded, Failure> {
        let expires_at = now.plus_seconds(MIN_HOLD_SECONDS);
        let taken = match fate {
            Decided::Before(record) => Taken::Found(*record),
            Decided::Now(Fate::Sell { allocations, leftovers }) => {
                self.record(&queued(request), Holds::new(allocations, leftovers, expires_at), now).await?
            }
            Decided::Now(Fate::Refuse { reason, leftovers }) => {
                self.record_refusal(&queued(request), Holds::new(Vec::new(), leftovers, expires_at), reason).await?
            }
        };
        self.answer(request, taken).await
    }
}

/// A queued sale. How long its hold would last only says how soon it is settled, and how much time its message has to come again: the
/// shortest there is, for the watermark of a hot bucket runs ahead of it, and shoppers must not be refused a hold because of that.
fn queued(request: &ReservationRequest) -> Taking {
    Taking { hold_seconds: MIN_HOLD_SECONDS, begin: Begin::Looking, ..Taking::from_request(request) }
}

/// How many of the first orders are all different: a bucket has one hold of each. One that comes again is looked at afterwards. One that
/// accepts a backorder ends them: its units may be in a pool that the others do not look at.
fn without_repetition(requests: &[ReservationRequest]) -> usize {
    let mut seen = BTreeSet::new();
    requests.iter().take_while(|request| !request.accepts_backorder && seen.insert(&request.id)).count()
}

/// What becomes of an order.
enum Decided {
    /// It was decided before; this is the record.
    Before(Box<Reservation>),
    /// It is decided now.
    Now(Fate),
}

/// Orders that are held together.
struct Together<'a> {
    store: &'a Store,
    requests: &'a [ReservationRequest],
    queue: &'a BucketId,
    view: View,
    /// Records of those that were decided before.
    found: BTreeMap<ReservationId, Reservation>,
    /// Whether the view is of all that matters; not any more once somebody else's write was met.
    surveyed: bool,
}

impl<'a> Together<'a> {
    async fn start(store: &'a Store, requests: &'a [ReservationRequest], queue: &'a BucketId) -> Result<Self, Fault> {
        let found = BTreeMap::new();
        let mut together = Self { store, requests, queue, view: View::default(), found, surveyed: false };
        let mut unseen = Vec::new();
        together.recall_pools();
        for stock in together.stocks() {
            store.routes.recall(&stock, &mut together.view);
            let first = if stock == queue.stock { queue.clone() } else { stock.home() };
            if !together.view.buckets.contains_key(&first) {
                unseen.push(first);
            }
        }
        // What one of these orders holds is only adopted as it is seen now.
        for bucket in together.view.buckets.values_mut() {
            bucket.holds.retain(|id, _| !requests.iter().any(|request| request.id == *id));
        }
        if !unseen.is_empty() {
            let mut seen = store.get_buckets(unseen.iter().cloned()).await?;
            let missing: Vec<BucketId> = unseen.iter().filter(|id| !seen.contains_key(id)).cloned().collect();
            let shared = together.find_shared(&missing).await?;
            unseen.extend(shared.keys().cloned());
            seen.extend(shared);
            for id in unseen.into_iter().filter(|id| id.child.is_none()) {
                let sight = seen.get(&id).map_or(Sight::Unknown, |home| {
                    let is_one_item = home.home().is_some_and(|home| home.window().is_empty());
                    if is_one_item { Sight::All } else { Sight::Part }
                });
                together.view.sights.insert(id.stock, sight);
            }
            together.view.buckets.extend(seen);
        }
        Ok(together)
    }

    /// Takes the units of the first orders, as many of them as it is clear about, and says what becomes of each.
    async fn hold(&mut self) -> Result<Vec<Decided>, Fault> {
        for _ in 0..MAX_ROUNDS {
            let open: Vec<_> = self.turn().iter().filter(|own| !self.found.contains_key(&own.id)).cloned().collect();
            let now = self.store.now();
            let plan = plan(&open, &self.view, self.queue, now, now.plus_seconds(MIN_HOLD_SECONDS));
            let sells_all = plan.fates.len() == open.len()
                && plan.fates.iter().all(|fate| matches!(fate, Fate::Sell { leftovers, .. } if leftovers.is_empty()));
            if !sells_all && !self.surveyed {
                self.survey().await?;
            } else if self.commit(plan.commits).await? {
                return Ok(self.decided(plan.fates));
            }
        }
        Ok(Vec::new())
    }

    /// Those that are decided together now. One whose holds ended before it was recorded takes its units again, and does so before those
    /// behind it are looked at.
    fn turn(&self) -> &'a [ReservationRequest] {
        let expired = |request: &ReservationRequest| {
            self.found.get(&request.id).is_some_and(|record| matches!(record.status, Status::Expired { .. }))
        };
        match self.requests.iter().position(expired) {
            Some(first) => &self.requests[..first.max(1)],
            None => self.requests,
        }
    }

    /// Whether the first order has units that it may be too late to record. They go back in a moment; then it takes others.
    fn must_wait(&self) -> bool {
        let now = self.store.now();
        self.requests
            .iter()
            .take(1)
            .any(|request| self.view.buckets.values().any(|bucket| is_nearly_over(bucket, &request.id, now)))
    }

    /// The fates in the order of the queue, up to the first order that has none.
    fn decided(&mut self, fates: Vec<Fate>) -> Vec<Decided> {
        let mut fates = fates.into_iter();
        let decided = self.turn().iter().map_while(|request| match self.found.remove(&request.id) {
            Some(record) => Some(Decided::Before(Box::new(record))),
            None => fates.next().map(Decided::Now),
        });
        decided.collect()
    }

    /// Writes, and says whether all of it was applied. What was, is adopted by the next plan.
    async fn commit(&mut self, commits: BTreeMap<BucketId, Commit>) -> Result<bool, Fault> {
        let watermark = |id: &BucketId| self.view.buckets.get(id).and_then(|bucket| bucket.watermark);
        let writes: Vec<_> =
            commits.iter().map(|(id, commit)| write::group::commit(id, commit, watermark(id))).collect();
        let written = try_join_all(writes.iter().map(|write| self.store.write(write))).await?;
        let mut all_applied = true;
        for (id, written) in commits.into_keys().zip(written) {
            let refused = matches!(written, Written::Refused(_));
            let (Written::Applied(image) | Written::Refused(image)) = written;
            if refused {
                // Somebody else was here: what was seen of the SKU is not all of it any more.
                self.view.sights.insert(id.stock.clone(), Sight::Part);
                self.surveyed = false;
                all_applied = false;
            }
            match image {
                Some(image) => drop(self.view.buckets.insert(id, decode_bucket(&image)?)),
                None => drop(self.view.buckets.remove(&id)),
            }
        }
        Ok(all_applied)
    }

    /// Looks at everything that matters, and gives back what is over.
    async fn survey(&mut self) -> Result<(), Fault> {
        self.surveyed = true;
        for _ in 0..MAX_LOOKS {
            let Some(buckets) = self.all_buckets().await? else { continue };
            self.view.buckets = buckets;
            if !self.settle_who_owns_what().await? {
                let ids = self.requests.iter().map(|request| &request.id);
                self.found = self.store.get_reservations(ids.collect::<Vec<_>>()).await?;
                return Ok(());
            }
        }
        // Whatever is unclear is sold alone.
        self.view.sights = self.stocks().into_iter().map(|stock| (stock, Sight::Part)).collect();
        Ok(())
    }

    /// All buckets of the SKUs, as if seen at once; nothing if units moved between them meanwhile.
    async fn all_buckets(&mut self) -> Result<Option<BTreeMap<BucketId, Bucket>>, Fault> {
        let stocks = self.stocks();
        let homes = self.store.get_buckets(stocks.iter().map(StockId::home)).await?;
        let missing: Vec<BucketId> = stocks.iter().map(StockId::home).filter(|id| !homes.contains_key(id)).collect();
        if !self.find_shared(&missing).await?.is_empty() || self.finds_own_again(&missing) {
            // Other stocks serve these orders: they are looked at.
            return Ok(None);
        }
        self.find_who_borrows(&homes).await?;
        let sight = |stock: &StockId| if homes.contains_key(&stock.home()) { Sight::All } else { Sight::Unknown };
        self.view.sights = stocks.iter().map(|stock| (stock.clone(), sight(stock))).collect();
        let children = homes.iter().flat_map(|(id, home)| {
            let window = home.home().map(Home::window).unwrap_or_default();
            window.map(|number| id.stock.child(number))
        });
        let children = self.store.get_buckets(children.collect::<Vec<_>>()).await?;
        if self.store.moved_since(&homes).await? {
            return Ok(None);
        }
        Ok(Some(homes.into_iter().chain(children).collect()))
    }

    /// Finds out whose holds are whose, where that matters: in a bucket with little room for more, and where their time is over. Gives
    /// back what is nobody's, and says whether there was any.
    async fn settle_who_owns_what(&mut self) -> Result<bool, Fault> {
        let now = self.store.now();
        let holds = self.view.buckets.iter().flat_map(|(id, bucket)| {
            let crowded = bucket.holds.len() + AT_ONCE > bucket.max_holds();
            let matters = bucket.holds.iter().filter(move |(_, hold)| crowded || hold.is_over(now));
            matters.map(|(owner, hold)| OwnedHold::new(id, owner, *hold))
        });
        let holds: Vec<_> = holds.filter(|owned| !self.view.sold.contains(owned)).collect();
        let mut records = self.store.get_reservations(holds.iter().map(|owned| &owned.owner)).await?;
        let mut gave_back = false;
        for owned in holds {
            let OwnedHold { bucket, owner, hold } = &owned;
            match resolve(bucket, *hold, records.get(owner), now, Settling::EndingBefore(Timestamp::MAX)) {
                Resolution::Settle => drop(self.view.sold.insert(owned)),
                Resolution::WaitUntil(_) => drop(self.view.standing.insert(owned)),
                _ => {
                    let record = records.remove(owner);
                    self.store.resolve_seen(bucket, owner, *hold, record, Settling::WhenOver).await?;
                    gave_back = true;
                }
            }
        }
        Ok(gave_back)
    }

    /// The stocks that serve the orders.
    fn stocks(&self) -> BTreeSet<StockId> {
        self.asked().map(|stock| self.view.pool_of(stock)).collect()
    }

    /// The stocks that the orders name.
    fn asked(&self) -> impl Iterator<Item = StockId> + '_ {
        self.requests.iter().flat_map(|request| request.cart.lines().iter().map(|line| request.stock(&line.sku)))
    }

    /// Which of them are served from the shared stock, as far as this process knows.
    fn recall_pools(&mut self) {
        let now = self.store.now();
        let shared = self.asked().filter(|stock| self.store.routes.is_shared(stock, now));
        self.view.shared = shared.map(|stock| (stock.clone(), stock.shared())).collect();
    }

    /// Those of these homes that do not exist are served from the shared stock, if there is one; it is remembered, and what it is.
    async fn find_shared(&mut self, missing: &[BucketId]) -> Result<BTreeMap<BucketId, Bucket>, Fault> {
        let own = missing.iter().filter(|id| id.child.is_none() && !id.stock.channel.is_shared());
        let own: Vec<&StockId> = own.map(|id| &id.stock).collect();
        let homes = self.store.get_buckets(own.iter().map(|stock| stock.shared().home())).await?;
        let now = self.store.now();
        for stock in own.into_iter().filter(|stock| homes.contains_key(&stock.shared().home())) {
            self.store.routes.remember_shared(stock, now);
            self.view.shared.insert(stock.clone(), stock.shared());
        }
        Ok(homes)
    }

    /// A shared stock that is not there serves nobody: what was remembered of it was wrong. Says whether it was.
    fn finds_own_again(&mut self, missing: &[BucketId]) -> bool {
        let before = self.view.shared.len();
        let routes = &self.store.routes;
        self.view.shared.retain(|stock, shared| {
            let is_there = !missing.contains(&shared.home());
            if !is_there {
                routes.forget_shared(stock);
            }
            is_there
        });
        self.view.shared.len() < before
    }

    /// Which of these homes belong to channels that may borrow.
    async fn find_who_borrows(&mut self, homes: &BTreeMap<BucketId, Bucket>) -> Result<(), Fault> {
        self.view.borrowing.clear();
        for id in homes.keys().filter(|id| !id.stock.channel.is_shared()) {
            if self.store.overflow_of(&id.stock.channel).await? == Overflow::Borrow {
                self.view.borrowing.insert(id.stock.clone());
            }
        }
        Ok(())
    }
}
