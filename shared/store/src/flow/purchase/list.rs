//! Purchase orders, page by page: those of which something is still to come first, then the closed ones, each newest first. A cursor is the
//! place in whichever list it is in.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use domain::{
    purchase::{PurchaseOrder, Status},
    refusal::{FieldError, Refusal},
};

use crate::{
    Failure, Item, Page, Store,
    flow::stock::cursor::{opaque, place},
    item::decode_purchase_order,
    keys,
};

/// Pages that one call looks through for orders of a status. Its cursor goes on where it ended, with nothing found perhaps.
const MAX_PAGES: usize = 10;

/// Where to go on: in which list, and after which place in it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    closed: bool,
    after: Option<String>,
}

impl Store {
    /// Purchase orders, of one status or of all.
    ///
    /// # Errors
    /// Refused with `InvalidRequest` for a cursor that is not ours; or a fault.
    pub async fn list_purchase_orders(
        &self,
        status: Option<Status>,
        limit: usize,
        cursor: Option<&str>,
    ) -> Result<Page<PurchaseOrder>, Failure> {
        let mut at = cursor.map_or(Ok(Place { closed: false, after: None }), read)?;
        let mut items = Vec::new();
        for _ in 0..MAX_PAGES {
            let list = keys::purchase_list(at.closed);
            let after =
                at.after.as_deref().and_then(|rank| Some(place(list, keys::purchase_order_at(rank)?, rank.to_owned())));
            let page = self.list(list.to_owned(), true, limit - items.len(), after).await?;
            for order in self.purchase_orders_of(&page.items).await? {
                if status.is_none_or(|status| status == order.status) {
                    items.push(order);
                }
            }
            at = match (page.next_cursor, at.closed) {
                (Some(rank), closed) => Place { closed, after: Some(rank) },
                (None, false) => Place { closed: true, after: None },
                (None, true) => return Ok(Page { items, next_cursor: None }),
            };
            if items.len() == limit {
                break;
            }
        }
        Ok(Page { items, next_cursor: Some(write(&at)) })
    }

    /// The orders of these places in a list, in their order.
    async fn purchase_orders_of(&self, listed: &[Item]) -> Result<Vec<PurchaseOrder>, Failure> {
        let keys: Vec<String> = listed.iter().map(|item| keys::of(item).to_owned()).collect();
        let found = self.batch_get(keys.iter().cloned().collect()).await?;
        let orders = keys.iter().filter_map(|key| found.get(key)).map(decode_purchase_order);
        Ok(orders.collect::<Result<_, _>>()?)
    }
}

fn write(place: &Place) -> String {
    opaque(place.after.clone().unwrap_or_else(|| keys::purchase_rank_prefix(place.closed).to_owned()))
}

fn read(cursor: &str) -> Result<Place, Refusal> {
    let read = || {
        let rank = String::from_utf8(URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()?;
        let closed = rank.starts_with(keys::purchase_rank_prefix(true));
        if rank == keys::purchase_rank_prefix(closed) {
            return Some(Place { closed, after: None });
        }
        keys::purchase_order_at(&rank).map(|_| Place { closed, after: Some(rank) })
    };
    read().ok_or_else(|| {
        let detail = "must be a `next_cursor` of the same list".to_owned();
        Refusal::InvalidRequest { errors: vec![FieldError { field: "cursor".to_owned(), detail }] }
    })
}
