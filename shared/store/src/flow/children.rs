//! Children of a hot home: opened by the shopper who finds no room, or ahead of an announced peak; folded back once they are
//! cold. All of it in transactions of two items, none of which a shopper on a hot SKU waits for twice.

use domain::{
    acquire::{child_size, children_ahead},
    bucket::{Bucket, BucketId, Hold, Home, StockId},
    ids::ReservationId,
    limits::{CHILD_UNITS, MAX_CHILDREN_AHEAD},
    quantity::Quantity,
};

use crate::{
    Fault, Store,
    item::decode_bucket,
    table::{Met, Transacted, Written},
    write,
};

/// Children folded in one call.
#[expect(clippy::cast_possible_truncation, reason = "256")]
const MAX_FOLDED: usize = MAX_CHILDREN_AHEAD as usize;

/// What came of opening a child.
pub(crate) enum Opening {
    /// It is open.
    Opened(BucketId),
    /// The home has changed; what it is now.
    Refused(Option<Bucket>),
}

impl Store {
    /// Opens the next child of `home` with room for `wanted`, for a large line with its hold in it already.
    pub(crate) async fn open_child(
        &self,
        stock: &StockId,
        home: &Bucket,
        wanted: Quantity,
        born_with: Option<(&ReservationId, Hold)>,
    ) -> Result<Opening, Fault> {
        let Some(units) = child_size(home.free, wanted) else {
            return Ok(Opening::Refused(None));
        };
        let window = home.home().copied().unwrap_or_default();
        match self.transact(write::child::open(stock, &window, units, born_with)).await? {
            Transacted::Applied => {
                let child = stock.child(window.next_child);
                if born_with.is_none() {
                    self.routes.learn(&child);
                }
                Ok(Opening::Opened(child))
            }
            Transacted::Refused(met) => match met.into_iter().next() {
                Some(Met::Failed(Some(home))) => Ok(Opening::Refused(Some(decode_bucket(&home)?))),
                _ => Ok(Opening::Refused(None)),
            },
        }
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
        for _ in full..wanted {
            let Ok(size) = Quantity::new(CHILD_UNITS) else {
                return Ok(());
            };
            home = match self.open_child(stock, &home, size, None).await? {
                // Each opening takes one child's units and one number: the image is known without a read.
                Opening::Opened(_) => after_opening(home),
                Opening::Refused(Some(found)) => found,
                Opening::Refused(None) => return Ok(()),
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
        for (id, child) in children.iter().take(MAX_FOLDED) {
            deleted |= self.fold(id, child, &window).await?;
        }
        if deleted { self.advance(stock).await } else { Ok(()) }
    }

    /// Brings the free units of a child home, where another child can be opened for them. Says whether none are left in it.
    pub(crate) async fn bring_home(&self, child: &BucketId, seen: &Bucket, home: &Home) -> Result<bool, Fault> {
        self.routes.forget(child);
        if seen.free == 0 {
            return Ok(true);
        }
        Ok(self.transact(write::child::fold(child, seen.free, home.shortfall)).await? == Transacted::Applied)
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

fn after_opening(mut home: Bucket) -> Bucket {
    home.free -= CHILD_UNITS.min(home.free);
    if let domain::bucket::Role::Home(window) = &mut home.role {
        window.next_child += 1;
    }
    home
}
