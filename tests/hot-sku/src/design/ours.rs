//! (c): Holdfast's `POST /v1/reservations`, `confirm` and `cancel`. Two writes to hold, one to pay, two to let go.

use crate::{
    design::{
        Design,
        buckets::{Status, Stock},
        search::{Begin, Search},
    },
    market::{Answer, Shopper},
    table::{Bill, Fault, mix},
};

/// Holdfast, each call at once.
pub struct Ours(pub Stock);

impl Ours {
    /// Whichever process is idle: any, as far as the shopper can tell.
    fn process(&self, shopper: Shopper) -> usize {
        usize::try_from(mix(shopper.spread) % u64::from(self.0.product.processes)).unwrap_or(0)
    }

    async fn take(&self, shopper: Shopper, bill: &Bill) -> Result<Answer, Fault> {
        let process = self.process(shopper);
        let answer = Search::new(&self.0, shopper, process, bill).run(Begin::Recalling).await?;
        if answer == Answer::Reserved {
            // Without a record the hold stands until its time is over; a retry of the caller would adopt it.
            self.0.table.write_unretried(Stock::record(shopper.number), bill, || ()).await?;
        }
        if answer == Answer::SoldOut {
            // Has this request been served before?
            self.0.table.read(Stock::record(shopper.number).key, bill, || ()).await?;
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
        self.0.release(bucket, shopper.number, bill).await?;
        let child = bucket.checked_sub(1).and_then(|number| u32::try_from(number).ok());
        self.0.route(self.process(shopper)).freed(child);
        Ok(())
    }

    fn rest(&self, bill: &Bill) {
        self.0.settle_rest(bill);
    }
}
