//! The merchant's ERP: its settings, and what is noted of purchase orders in it. Each note is a change of the order under the version that was
//! seen, so that of two who look at the same order one is noted, and the other looks again.

use std::collections::BTreeMap;

use domain::{
    erp::ErpSettings,
    ids::{PurchaseOrderId, ReceiptId, Sku},
    purchase::{PurchaseOrder, Receipt, erp::Note},
    refusal::Refusal,
};

use super::purchase::MAX_ROUNDS;
use crate::{
    Failure, Fault, Saved, Store,
    item::decode_erp,
    keys,
    table::{Pauses, Written},
    write,
};

impl Store {
    /// What is set for the ERP, if anything is.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be read.
    pub async fn erp_settings(&self) -> Result<Option<ErpSettings>, Fault> {
        self.get(keys::ERP.to_owned()).await?.as_ref().map(decode_erp).transpose()
    }

    /// Writes the settings of the ERP. Since when it is this one, and which version that is, is said here.
    ///
    /// # Errors
    /// Refused with `PreconditionFailed` when `if_match` is not the stored version, or with `Contended`; or a fault.
    pub async fn save_erp(&self, settings: &ErpSettings, if_match: Option<u64>) -> Result<Saved, Failure> {
        for round in 0..MAX_ROUNDS {
            let stored = self.erp_settings().await?;
            let seen = stored.as_ref().map_or(0, |stored| stored.version);
            // Another company's books are as new as another ERP's.
            let same = |stored: &&ErpSettings| stored.kind == settings.kind && stored.company() == settings.company();
            let since = stored.as_ref().filter(same).map(|stored| stored.since);
            let next =
                ErpSettings { since: since.unwrap_or_else(|| self.now()), version: seen + 1, ..settings.clone() };
            // The SDK re-sends a write whose reply was lost: the next version, saying just this, is ours.
            let is_resent = stored.as_ref().is_some_and(|stored| {
                if_match.is_some_and(|if_match| seen == if_match + 1)
                    && *stored == ErpSettings { since: stored.since, version: seen, ..settings.clone() }
            });
            if is_resent {
                return Ok(Saved { created: false, version: seen });
            }
            if if_match.is_some_and(|if_match| if_match != seen) {
                return Err(Refusal::PreconditionFailed { version: seen }.into());
            }
            if let Written::Applied(_) = self.write(&write::erp::save(&next)).await? {
                return Ok(Saved { created: stored.is_none(), version: next.version });
            }
            Pauses::of(keys::ERP).pause(round).await;
        }
        Err(Refusal::Contended.into())
    }

    /// Notes what was done in the ERP about an order, or seen there, and answers how the order is then; nothing if there is none.
    ///
    /// # Errors
    /// Refused with `Contended`; or a fault.
    pub async fn note_erp(&self, id: &PurchaseOrderId, note: &Note) -> Result<Option<PurchaseOrder>, Failure> {
        self.change_purchase_order(id, |order| Ok(order.noted(note, self.now()))).await
    }

    /// Books what an ERP says has come of an order in all, as far as it is not booked, and answers how the order is then; nothing if there is
    /// none. What is said again, or was booked by hand meanwhile, books nothing. Also of an order that was canceled here and is not there yet.
    ///
    /// # Errors
    /// Refused with `UnknownSku` or `Contended`; or a fault.
    pub async fn receive_from_erp(
        &self,
        id: &PurchaseOrderId,
        come: &BTreeMap<Sku, u64>,
        actor: &str,
    ) -> Result<Option<PurchaseOrder>, Failure> {
        let pauses = Pauses::of(&keys::purchase_order(id));
        for round in 0..MAX_ROUNDS {
            let Some(seen) = self.purchase_order(id).await? else { return Ok(None) };
            let news = seen.news_of(come);
            if news.is_empty() || !seen.can_receive() {
                return Ok(Some(seen));
            }
            // What is left is news at the next look.
            let news = self.bookable(news).await?;
            let said: Vec<String> = come.iter().map(|(sku, units)| format!("{sku}={units}")).collect();
            let receipt = Receipt {
                // Of this version of the order there is one such receipt.
                id: ReceiptId::from_erp(id, &[said, vec![format!("version {}", seen.version)]].concat()),
                order: id.clone(),
                lines: news.clone(),
                channel: None,
                actor: actor.to_owned(),
            };
            if let Some(received) = self.book(&seen, &receipt, &news).await? {
                return Ok(Some(received.order));
            }
            pauses.pause(round).await;
        }
        Err(Refusal::Contended.into())
    }
}
