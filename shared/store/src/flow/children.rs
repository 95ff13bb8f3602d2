//! Children of a hot home: opened by the shopper who finds no room, or ahead of an announced peak; folded back once they are
//! cold. All of it in transactions of the home and the children, which hardly any shopper on a hot SKU waits for.

use domain::{
    acquire::children_ahead,
    bucket::{Bucket, BucketId, Hold, Home, Role, StockId},
    ids::ReservationId,
    limits::{CHILD_UNITS, MAX_CHILDREN_AT_ONCE, MAX_CHILDREN_FOLDED},
};

use crate::{
    Fault, Store,
    item::decode_bucket,
    table::{Met, Pauses, Transacted, Write, Written},
    write,
};

/// How often others may be in the way of those who open children ahead.
const MAX_FAILURES: u32 = 16;

/// What came of opening children.
pub(crate) enum Opening {
    /// They are open.
    Opened,
    /// The home has changed; what it is now.
    Refused(Option<Bucket>),
    /// Another transaction was under way on the home: others may have opened some.
    Contended,
}

impl Store {
    /// Opens the next children of `home`, with so many units each.
    pub(crate) async fn open_children(&self, stock: &StockId, home: &Bucket, sizes: &[u64]) -> Result<Opening, Fault> {
        let window = home.home().copied().unwrap_or_default();
        self.open(write::child::open(stock, &window, sizes)).await
    }

    /// Opens the next child of `home` for a line too large for any other: with its hold in it already.
    pub(crate) async fn open_held(
        &self,
        stock: &StockId,
        home: &Bucket,
        id: &ReservationId,
        hold: Hold,
    ) -> Result<Opening, Fault> {
        let window = home.home().copied().unwrap_or_default();
        self.open(write::child::open_held(stock, &window, id, hold)).await
    }

    async fn open(&self, writes: Vec<Write>) -> Result<Opening, Fault> {
        Ok(match self.transact_once(writes).await? {
            Some(Transacted::Applied) => Opening::Opened,
            Some(Transacted::Refused(met)) => match met.into_iter().next() {
                Some(Met::Failed(Some(home))) => Opening::Refused(Some(decode_bucket(&home)?)),
                _ => Opening::Refused(None),
            },
            None => Opening::Contended,
        })
    }

    /// Opens children ahead of the announced peak, as far as units and the children that are open already allow.
    pub(crate) async fn open_ahead(&self, stock: &StockId) -> Result<(), Fault> {
        let Some(mut home) = self.get_bucket(&stock.home()).await? else {
            return Ok(());
        };
        let window = home.home().copied().unwrap_or_default();
        let wanted = children_ahead(window.expected_peak_per_second, home.free);
        if wanted == 0 {
            return Ok(());
        }
        let open = self.get_buckets(window.window().map(|number| stock.child(number))).await?;
        let full = open.values().filter(|child| child.free >= CHILD_UNITS / 2).count() as u64;
        let mut missing = wanted.saturating_sub(full);
        let pauses = Pauses::of(&stock.to_string());
        let mut failures = 0;
        while missing > 0 && failures < MAX_FAILURES {
            let count = missing.min(MAX_CHILDREN_AT_ONCE.into()).min(home.free / CHILD_UNITS);
            let sizes: Vec<u64> = (0..count).map(|_| CHILD_UNITS).collect();
            if sizes.is_empty() {
                return Ok(());
            }
            home = match self.open_children(stock, &home, &sizes).await? {
                Opening::Opened => {
                    missing -= count;
                    // What it took is known: no read is needed for the next.
                    after_opening(home, &sizes)
                }
                Opening::Refused(Some(found)) => {
                    failures += 1;
                    found
                }
                Opening::Refused(None) => return Ok(()),
                Opening::Contended => {
                    pauses.pause(failures).await;
                    failures += 1;
                    home
                }
            };
        }
        Ok(())
    }

    /// Folds a child back if it has no holds: for five minutes at least nobody held anything in it. Children that were opened
    /// ahead of a peak stay as long as the peak is announced.
    pub(crate) async fn fold_if_cold(&self, child: &BucketId) -> Result<(), Fault> {
        let buckets = self.get_buckets([child.clone(), child.stock.home()]).await?;
        let (Some(bucket), Some(home)) = (buckets.get(child), buckets.get(&child.stock.home())) else {
            return Ok(());
        };
        let window = home.home().copied().unwrap_or_default();
        let kept_for_peak = window.expected_peak_per_second > 0 && bucket.free > 0;
        if bucket.holds.is_empty() && !kept_for_peak && self.fold(child, bucket, &window).await? {
            self.advance(&child.stock).await?;
        }
        Ok(())
    }

    /// Brings the free units of the children home, and deletes those that are empty then: a bounded number in one call.
    pub(crate) async fn fold_all(&self, stock: &StockId) -> Result<(), Fault> {
        let Some(home) = self.get_bucket(&stock.home()).await? else { return Ok(()) };
        let window = home.home().copied().unwrap_or_default();
        let children = self.get_buckets(window.window().map(|number| stock.child(number))).await?;
        let mut deleted = false;
        let worth = |child: &Bucket| child.free > 0 || child.holds.is_empty();
        for (id, child) in children.iter().filter(|(_, child)| worth(child)).take(MAX_CHILDREN_FOLDED) {
            deleted |= self.fold(id, child, &window).await?;
        }
        if deleted { self.advance(stock).await } else { Ok(()) }
    }

    /// Brings the free units of a child home, where another child can be opened for them. Says whether none are left in it.
    pub(crate) async fn bring_home(&self, child: &BucketId, seen: &Bucket, home: &Home) -> Result<bool, Fault> {
        self.routes.refused(child, None);
        if seen.free == 0 {
            return Ok(true);
        }
        let folded = self.transact(write::child::fold(child, seen.free, home.shortfall)).await? == Transacted::Applied;
        self.routes.freed(&child.stock.home());
        Ok(folded)
    }

    /// Brings a child's units home, and deletes it if nobody holds anything in it. Says whether it is gone.
    async fn fold(&self, id: &BucketId, child: &Bucket, home: &Home) -> Result<bool, Fault> {
        if !self.bring_home(id, child, home).await? || !child.holds.is_empty() {
            return Ok(false);
        }
        Ok(self.transact(write::child::delete(id, child.sold)).await? == Transacted::Applied)
    }

    /// Moves the window over numbers whose children are gone. A number below `next_child` without a child never gets one again.
    async fn advance(&self, stock: &StockId) -> Result<(), Fault> {
        let Some(home) = self.get_bucket(&stock.home()).await? else {
            return Ok(());
        };
        let window = home.home().copied().unwrap_or_default();
        let open = self.get_buckets(window.window().map(|number| stock.child(number))).await?;
        let first = open.keys().filter_map(|id| id.child).min().unwrap_or(window.next_child);
        if first > window.first_child {
            // Refused: somebody else has moved it.
            let (Written::Applied(_) | Written::Refused(_)) =
                self.write(&write::child::advance(stock, window.first_child, first)).await?;
        }
        Ok(())
    }
}

fn after_opening(mut home: Bucket, sizes: &[u64]) -> Bucket {
    home.free = home.free.saturating_sub(sizes.iter().sum());
    if let Role::Home(window) = &mut home.role {
        window.next_child = window.next_child.saturating_add(u32::try_from(sizes.len()).unwrap_or(u32::MAX));
    }
    home
}
