//! The write that holds, and what its refusal means.

use domain::{
    acquire::{Refused, why_refused},
    bucket::{Bucket, BucketId, Hold},
    quantity::Quantity,
    reservation::Allocation,
};

use super::Search;
use crate::{Fault, item::decode_bucket, table::Written, write};

/// How often one bucket is tried: after room was made in it, and after a later end was chosen.
const MAX_TRIES: usize = 3;

impl Search<'_> {
    /// Tries one bucket. On success the hold is noted; else the image that refused it is returned, if there is such a bucket.
    pub(super) async fn try_hold(&mut self, bucket: &BucketId, quantity: Quantity) -> Result<Option<Bucket>, Fault> {
        let mut hold = Hold { quantity, expires_at: self.expires_at };
        let mut image = None;
        for _ in 0..MAX_TRIES {
            let found = match self.store.write(&write::hold::hold(bucket, self.id, hold)).await {
                Ok(Written::Applied(image)) => {
                    self.store.routes.held(bucket, image.as_ref().map(decode_bucket).transpose()?.as_ref());
                    self.taken(bucket, hold);
                    return Ok(None);
                }
                Ok(Written::Refused(found)) => found.as_ref().map(decode_bucket).transpose()?,
                Err(Fault::Throttled { reason, .. }) => {
                    tracing::info!(%bucket, reason, "a hot bucket is throttled");
                    self.throttled = true;
                    self.busy = bucket.child.is_some();
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
                    self.store.routes.refused(bucket, Some(seen));
                    if !self.store.make_room(bucket, seen, self.id, hold.expires_at).await? {
                        return Ok(found);
                    }
                }
                (Refused::EndsTooSoon { .. }, _) => {
                    self.closed.insert(bucket.clone());
                    return Ok(found);
                }
                _ => {
                    self.store.routes.refused(bucket, found.as_ref());
                    return Ok(found);
                }
            }
            image = found;
        }
        Ok(image)
    }

    /// Notes a hold of this reservation, made now or by an earlier attempt.
    pub(super) fn taken(&mut self, bucket: &BucketId, hold: Hold) {
        self.closed.insert(bucket.clone());
        let allocation = Allocation { bucket: bucket.clone(), hold };
        match self.rest {
            // An earlier attempt may have held more here than the line still needs: never more than the line.
            Some(rest) if hold.quantity <= rest => {
                self.rest = rest.minus(hold.quantity);
                self.acquired.allocations.push(allocation);
            }
            Some(rest) if hold.quantity.units() <= rest.units() + self.spare => {
                self.spare -= hold.quantity.units() - rest.units();
                self.rest = None;
                self.acquired.allocations.push(allocation);
            }
            _ => self.acquired.leftovers.push(allocation),
        }
    }
}
