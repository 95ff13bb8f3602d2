//! (c): Holdfast's `POST /v1/reservations`, `confirm` and `cancel`. Two writes to hold, one to pay, two to let go.

use crate::{
    design::{
        Design,
        buckets::{Status, Stock},
        search::Search,
    },
    market::{Answer, Shopper},
    table::{Bill, Fault, mix},
};

/// Holdfast, each call at once.
pub struct Ours(pub Stock);

impl Ours {
    async fn take(&self, shopper: Shopper, bill: &Bill) -> Result<Answer, Fault> {
        // Whichever process is idle: any, as far as the shopper can tell.
        let process = usize::try_from(mix(shopper.spread) % u64::from(self.0.product.processes)).unwrap_or(0);
        let now = || self.0.table.clock.now();
        if now() < self.0.sold_out_until.borrow()[process] {
            return Ok(Answer::SoldOut);
        }
        let answer = Search::new(&self.0, shopper, process, bill).run(false).await?;
        if answer == Answer::SoldOut {
            self.0.sold_out_until.borrow_mut()[process] = now() + self.0.product.remembers_sold_out;
        }
        if answer == Answer::Reserved {
            // Without a record the hold stands until its time is over; a retry of the caller would adopt it.
            self.0.table.write_unretried(Stock::record(shopper.number), bill, || ()).await?;
        }
        Ok(answer)
    }
}

impl Design for Ours {
    const SELLS_AT_ONCE: bool = false;

    async fn reserve(&self, shopper: Shopper, bill: &Bill) -> Answer {
        self.take(shopper, bill).await.unwrap_or(Answer::Contended)
    }

    async fn confirm(&self, shopper: Shopper, bill: &Bill) -> Result<(), Fault> {
        let Some((_, bucket)) = self.0.status(shopper.number) else { return Ok(()) };
        let confirm = || self.0.set(shopper.number, Status::Confirmed, bucket);
        self.0.table.write(Stock::record(shopper.number), bill, confirm).await
    }

    async fn cancel(&self, shopper: Shopper, bill: &Bill) -> Result<(), Fault> {
        let Some((_, bucket)) = self.0.status(shopper.number) else { return Ok(()) };
        let cancel = || self.0.set(shopper.number, Status::Canceled, bucket);
        self.0.table.write(Stock::record(shopper.number), bill, cancel).await?;
        self.0.release(bucket, shopper.number, bill).await
    }

    fn rest(&self, bill: &Bill) {
        self.0.settle_rest(bill);
    }
}
