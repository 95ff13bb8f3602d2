//! What is told of a line whose quantity was changed after it was recorded (`domain::sale::Parts`): first its parts are noted, then each
//! is told what is its share of the news. A crash in between leaves parts that the next telling finds.

use domain::{
    ids::ReservationId,
    quantity::Quantity,
    refusal::Refusal,
    reservation::Reservation,
    sale::{Parts, Resized, SaleChange, SaleKey, SaleLine, SaleOutcome},
    time::Timestamp,
};

use super::{MAX_ROUNDS, Telling};
use crate::{Failure, Fault, Store, item::decode_parts, keys, table::Written, write};

impl Store {
    /// Records a line, be it one or many.
    pub(super) async fn record_parts(
        &self,
        key: &SaleKey,
        line: &SaleLine,
        told_at: Option<Timestamp>,
    ) -> Result<SaleOutcome, Failure> {
        let id = ReservationId::of_sale(key);
        let mut outcome = SaleOutcome { reservation: id.clone(), shortfall: 0, change: SaleChange::Unchanged };
        let (mut parts, mut first) = tokio::try_join!(self.parts(&id), self.get_reservation(&id))?;
        for _ in 0..MAX_ROUNDS {
            let resized = match (&parts, &first) {
                (Some(parts), _) => parts.after(line, told_at),
                (None, Some(record)) => of_whole(record, line, told_at),
                (None, None) => Resized::No,
            };
            match resized {
                Resized::No => {}
                Resized::Older => return Ok(outcome),
                Resized::Unclear => {
                    let (channel, order, told) = (&key.channel, &key.order, line.quantity.units());
                    tracing::error!(
                        alarm = "unreadable-order",
                        %channel, %order, line = %key.line, told, %id,
                        "a line is told with another quantity than is recorded"
                    );
                }
                Resized::To(next) => {
                    // Refused: others have changed them.
                    let (Written::Applied(_) | Written::Refused(_)) =
                        self.write(&write::give_back::resize(&id, parts.as_ref(), &next)).await?;
                    parts = self.parts(&id).await?;
                    continue;
                }
            }
            let Some(known) = &parts else {
                let record = self.tell(&id, key, line, told_at, first.take(), &mut outcome).await?;
                // What an earlier attempt has left behind may say only in the end of how many units it is.
                let is_other =
                    record.as_ref().is_some_and(|record| matches!(of_whole(record, line, told_at), Resized::To(_)));
                if !is_other {
                    return Ok(outcome);
                }
                first = record;
                continue;
            };
            for (number, share) in known.shares(line) {
                let id = id.part(number);
                let record = self.get_reservation(&id).await?;
                self.tell(&id, key, &share, told_at, record, &mut outcome).await?;
            }
            return Ok(outcome);
        }
        Err(Refusal::Contended.into())
    }

    /// Tells a part, or the whole of a line that has none, whose record was just looked at. The record that decides in the end.
    async fn tell(
        &self,
        id: &ReservationId,
        key: &SaleKey,
        line: &SaleLine,
        told_at: Option<Timestamp>,
        record: Option<Reservation>,
        outcome: &mut SaleOutcome,
    ) -> Result<Option<Reservation>, Failure> {
        let mut telling = Telling::new(self, id.clone(), key, line, told_at);
        telling.record = record;
        telling.take_steps().await?;
        outcome.reservation = telling.id;
        outcome.shortfall += telling.shortfall;
        if telling.change != SaleChange::Unchanged {
            outcome.change = telling.change;
        }
        Ok(telling.record)
    }

    async fn parts(&self, id: &ReservationId) -> Result<Option<Parts>, Fault> {
        let found = self.get(keys::aftermath(id)).await?;
        Ok(found.as_ref().map(decode_parts).transpose()?.flatten())
    }
}

/// What news means for a line with this record. One that was handed over to its successor says nothing.
fn of_whole(record: &Reservation, line: &SaleLine, told_at: Option<Timestamp>) -> Resized {
    let recorded = record.lines.first().map(|line| line.quantity);
    recorded.map_or(Resized::No, |recorded: Quantity| Parts::of_whole(recorded, record.created_at, line, told_at))
}
