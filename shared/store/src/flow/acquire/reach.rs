//! Units that are there, but not where a hold can be made.

use std::collections::BTreeMap;

use domain::{
    acquire::sizes_of_children,
    bucket::{Bucket, BucketId, Hold},
    limits::CHILD_UNITS,
    quantity::Quantity,
};

use super::{Round, Search};
use crate::{Fault, flow::children::Opening, table::Pauses};

impl Search<'_> {
    /// The home of a SKU with many children has enough units: they are held there, or put into more children.
    pub(super) async fn at_home(&mut self, home: &Bucket, rest: Quantity) -> Result<Round, Fault> {
        let id = self.stock.home();
        if !home.is_crowded() && !self.closed.contains(&id) {
            return Ok(Round::Again(self.try_hold(&id, rest).await?));
        }
        if self.tidied.insert(id.clone()) && self.store.make_room(&id, home, self.id, self.expires_at).await? {
            return Ok(Round::Again(None));
        }
        self.open_and_hold(home, rest).await
    }

    /// There are enough units, but some are where no hold can be made: at home, they get a child; in a child, they go home.
    pub(super) async fn bring_within_reach(
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

    /// Opens children for units that the home has but cannot give, and holds `part` in one of them.
    async fn open_and_hold(&mut self, home: &Bucket, part: Quantity) -> Result<Round, Fault> {
        let window = home.home().copied().unwrap_or_default();
        let born_with = (part.units() > CHILD_UNITS).then_some(Hold { quantity: part, expires_at: self.expires_at });
        let sizes = sizes_of_children(home.free, &window, part);
        let opening = match born_with {
            Some(hold) => self.store.open_held(&self.stock, home, self.id, hold).await?,
            None => self.store.open_children(&self.stock, home, &sizes).await?,
        };
        match (opening, born_with) {
            (Opening::Refused(home), _) => return Ok(Round::Again(home)),
            (Opening::Contended, _) => Pauses::of(self.id.as_str()).pause(self.turn).await,
            (Opening::Opened, Some(hold)) => self.taken(&self.stock.child(window.next_child), hold),
            (Opening::Opened, None) => {
                // Others find out as well that there are more: not everybody should go to the first.
                let numbered: Vec<(u32, u64)> = (window.next_child..).zip(sizes).collect();
                let roomy: Vec<_> = numbered.into_iter().filter(|(_, size)| *size >= part.units()).collect();
                if let Some((number, size)) = domain::acquire::pick(&roomy, self.spread()) {
                    self.store.routes.opened(&self.stock, *number, *size);
                    drop(self.try_hold(&self.stock.child(*number), part).await?);
                }
            }
        }
        Ok(Round::Again(None))
    }
}
