//! Who waits, page by page: by SKU, and of each in the order of their promises. A cursor is the last that was shown.

use std::collections::BTreeSet;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use domain::{
    ids::{ReservationId, Sku},
    purchase::backorder::{Cover, Promise},
    refusal::{FieldError, Refusal},
    reservation::Reservation,
    time::Timestamp,
};

use crate::{
    Failure, Page, Store,
    flow::stock::cursor::{opaque, place},
    keys,
};

/// Pools that one call looks through for those who wait. Its cursor goes on where it ended, with nobody found perhaps.
const MAX_PAGES: usize = 10;

/// Pools that are looked at together.
const POOLS: usize = 20;

/// Somebody who waits for units of a SKU.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backorder {
    /// For what.
    pub sku: Sku,
    /// How many, and since when.
    pub promise: Promise,
    /// What brings them.
    pub cover: Cover,
    /// Whose they are.
    pub reservation: Reservation,
}

/// Where to go on: after this promise of a SKU; after all of that SKU where there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    sku: Sku,
    after: Option<(Timestamp, ReservationId)>,
}

impl Store {
    /// Who waits for units that have not come, of one SKU or of all.
    ///
    /// # Errors
    /// Refused with `InvalidRequest` for a cursor that is not ours, or with `Contended`; or a fault.
    pub async fn list_backorders(
        &self,
        sku: Option<&Sku>,
        limit: usize,
        cursor: Option<&str>,
    ) -> Result<Page<Backorder>, Failure> {
        let mut from = cursor.map(read).transpose()?;
        let mut items: Vec<Backorder> = Vec::new();
        let mut looked: Option<Sku> = from.as_ref().map(|place| place.sku.clone());
        // The SKU in which the last page ended comes first; then those behind it.
        let begun = from.as_ref().filter(|place| place.after.is_some()).map(|place| &place.sku);
        let mut pools: Option<BTreeSet<Sku>> = sku.or(begun).map(|sku| [sku.clone()].into());
        for _ in 0..MAX_PAGES {
            let next = match pools.take() {
                Some(pools) => pools,
                None if sku.is_some() => return Ok(Page { items, next_cursor: None }),
                None => self.pools_after(looked.as_ref()).await?,
            };
            let Some(last) = next.last().cloned() else { return Ok(Page { items, next_cursor: None }) };
            for (sku, waiting) in self.waiting_for(next).await? {
                let seen = from.as_ref().filter(|place| place.sku == sku).and_then(|place| place.after.clone());
                let rest = waiting
                    .into_iter()
                    .filter(|(promise, ..)| seen.as_ref().is_none_or(|(at, id)| (promise.at, &promise.id) > (*at, id)));
                items.extend(rest.map(|(promise, cover, reservation)| Backorder {
                    sku: sku.clone(),
                    promise,
                    cover,
                    reservation,
                }));
            }
            from = None;
            looked = Some(last);
            if items.len() > limit {
                items.truncate(limit);
                let next_cursor = items.last().map(|last| {
                    write(&Place { sku: last.sku.clone(), after: Some((last.promise.at, last.promise.id.clone())) })
                });
                return Ok(Page { items, next_cursor });
            }
        }
        let next_cursor = looked.map(|sku| write(&Place { sku, after: None }));
        Ok(Page { items, next_cursor })
    }

    /// The SKUs with a pool of what is to come that follow this one.
    async fn pools_after(&self, sku: Option<&Sku>) -> Result<BTreeSet<Sku>, Failure> {
        let list = keys::INCOMING_LIST;
        let after = sku.and_then(|sku| Some(place(list, keys::incoming_at(sku.as_str())?, sku.to_string())));
        let page = self.list(list.to_owned(), false, POOLS, after).await?;
        Ok(page.items.iter().filter_map(|item| keys::rank_of(item).parse().ok()).collect())
    }
}

/// `<sku>`, or `<sku>#<seconds>#<reservation>`.
fn write(place: &Place) -> String {
    opaque(match &place.after {
        None => place.sku.to_string(),
        Some((at, id)) => format!("{}#{}", place.sku, keys::sale_rank(*at, id)),
    })
}

fn read(cursor: &str) -> Result<Place, Refusal> {
    let read = || {
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()?;
        let Some((sku, rank)) = text.split_once('#') else {
            return Some(Place { sku: text.parse().ok()?, after: None });
        };
        let (seconds, id) = rank.split_once('#')?;
        let at = Timestamp::from_epoch_seconds(seconds.parse().ok()?);
        Some(Place { sku: sku.parse().ok()?, after: Some((at, id.parse().ok()?)) })
    };
    read().ok_or_else(|| {
        let detail = "must be a `next_cursor` of the same list".to_owned();
        Refusal::InvalidRequest { errors: vec![FieldError { field: "cursor".to_owned(), detail }] }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_reads_back_what_it_writes() {
        let sku: Sku = "tea".parse().unwrap();
        let after = Some((Timestamp::from_epoch_seconds(1_800_000_000), "0123456789abcdef".parse().unwrap()));
        for place in [Place { sku: sku.clone(), after: None }, Place { sku, after }] {
            assert_eq!(read(&write(&place)), Ok(place));
        }
        for text in ["", "t a", "tea#", "tea#1", "tea#x#0123456789abcdef", "tea#1#short"] {
            assert!(read(&opaque(text.to_owned())).is_err(), "{text}");
        }
        assert!(read("!").is_err());
    }
}
