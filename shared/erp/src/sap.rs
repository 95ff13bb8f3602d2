//! SAP Business One, Service Layer.
//!
//! | reads | from | which is |
//! |---|---|---|
//! | the endpoint | settings | the merchant's own server, as in `https://b1.example:50000`; there is no other |
//! | `user`, `password` | credentials | a user with a license for purchasing |
//! | `company` | options | the company's database (`CompanyDB`) |
//! | `warehouse` | options | where the goods go (`WarehouseCode`); the item's own default where nothing is said |
//! | `currency` | options | what unit costs are in, where an order does not say |
//! | `currency_code` | options | what SAP calls that currency (`DocCurrency`); without it, the supplier's own |
//!
//! **Once**: the Service Layer has no idempotency, and `NumAtCard` (the supplier's reference, 100 characters) is not unique. So: 1. Our key
//! is looked for in `NumAtCard`; what is found is the order, if it is for the same supplier. 2. `POST PurchaseOrders` with the key.
//! 3. Refused: looked for once more, since a company can have duplicate references refused. 4. **Looked for again after creating**: two
//! creators at once, both of whom found nothing in 1, both see two now. The oldest (`DocEntry`) that is not canceled is the order; the
//! younger one is canceled by the creator who made it, and nobody cancels what another has made. A second order that is still open is
//! told as a concern, by every later reading as well: an order is read by its id, and looked for by the key.
//!
//! What is left: a create whose answer was lost may still be under way inside SAP when the next one looks. Then two are made, and step 4 of
//! the second, or any later reading, tells of it. Waiting between the two makes it rarer; the caller does.
//!
//! **Status**: `Cancelled`, `DocumentStatus`. **Expected**: the latest `ShipDate` of an open line, else `DocDueDate`. **Received**:
//! `Quantity` minus `RemainingOpenQuantity`; of a canceled order, nothing. [`Erp::cancel`] is `/Cancel` before anything was received, and
//! `/Close` after, as SAP allows.
//!
//! **Session**: `POST Login`, then the cookies `B1SESSION` and, behind a load balancer, `ROUTEID`; half an hour without a call ends it. It is
//! not used for longer than that from the login on, and a 401 logs in again, once. Sessions are counted against SAP's memory, so
//! all calls of a connector share one. A login that is refused is not tried again for a quarter of an hour: SAP locks a user after a few.
//! **Errors**: `error.message`, a text or an object with `value`. **No webhook.**
//!
//! **Unverified**: what `RemainingOpenQuantity` shows of a line that a person closed before all of it came (if 0, all of it looks received:
//! then the goods receipt would have to be read); that -2028 is what a missing order is answered with (any other 404 is a refusal); that
//! `ROUTEID` may be absent; that a lookup sees what was committed a moment ago on every node behind the balancer.

mod order;
mod session;

use async_trait::async_trait;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::de::DeserializeOwned;
use vendor::{CallError, Context, call::words, endpoint, reading, token::TokenCell, transport::Response};
use wire::Method;

use crate::{Created, Erp, ErpOrderId, NewOrder, OrderKey, OrderState, Status, Which};
use order::Document;

/// What is read of an order.
const FIELDS: &str = "DocEntry,DocNum,CardCode,NumAtCard,DocDueDate,DocumentStatus,Cancelled,DocumentLines";

/// SAP Business One, for one company.
pub struct BusinessOne {
    context: Context,
    session: TokenCell,
}

impl BusinessOne {
    /// With what a connector works with.
    #[must_use]
    pub fn new(context: Context) -> Self {
        Self { context, session: TokenCell::remembering_refusals() }
    }

    fn base(&self) -> Result<&str, CallError> {
        let missing = || CallError::Refused { reason: "the settings have no endpoint".to_owned() };
        endpoint::checked(self.context.endpoint.as_deref().ok_or_else(missing)?)
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<Option<T>, CallError> {
        let response = self.call(Method::GET, path, &[]).await?;
        if response.status().as_u16() == 404 && order::says_gone(&response) {
            return Ok(None);
        }
        let response = taken(response)?;
        reading::json(response.body()).map(Some).map_err(|reason| CallError::Unavailable { reason })
    }

    /// The orders under this key: first those that are not canceled, the oldest first.
    async fn find(&self, key: &OrderKey) -> Result<Vec<Document>, CallError> {
        let filter = format!("NumAtCard eq '{key}'");
        let filter = utf8_percent_encode(&filter, NON_ALPHANUMERIC);
        let path = format!("PurchaseOrders?$select={FIELDS}&$filter={filter}&$orderby=DocEntry");
        let page: Option<order::Page> = self.get(&path).await?;
        let mut found = page.map(|page| page.value).unwrap_or_default();
        // A collation that ignores case finds more than our key.
        found.retain(|document| document.key() == key.as_str());
        found.sort_by(|a, b| (a.is_canceled(), a.id().age()).cmp(&(b.is_canceled(), b.id().age())));
        Ok(found)
    }

    async fn adopt(&self, new: &NewOrder) -> Result<Option<Created>, CallError> {
        let found = self.find(&new.key).await?;
        let Some(first) = found.first() else { return Ok(None) };
        if first.supplier() != new.supplier {
            let reason = format!("SAP has a purchase order {} of this reference for another supplier", first.number());
            return Err(CallError::Refused { reason });
        }
        Ok(Some(first.created(true, concerns(&found, first.id()))))
    }

    async fn post(&self, new: &NewOrder) -> Result<Document, CallError> {
        let currency = new.checked(&self.context)?;
        let body = order::body(new, currency, &self.context);
        let response = taken(self.call(Method::POST, "PurchaseOrders", &body).await?)?;
        reading::json(response.body()).map_err(|reason| CallError::Unavailable { reason })
    }

    /// Looks whether another creator has made the same order at the same time, and cancels our own if it is the younger one.
    async fn settle(&self, made: &Document, new: &NewOrder) -> Result<Created, CallError> {
        let found = self.find(&new.key).await?;
        let Some(first) = found.first().filter(|first| first.id() != made.id()) else {
            return Ok(made.created(false, concerns(&found, made.id())));
        };
        if first.is_canceled() || first.supplier() != new.supplier {
            return Ok(made.created(false, concerns(&found, made.id())));
        }
        taken(self.call(Method::POST, &format!("PurchaseOrders({})/Cancel", made.id()), &[]).await?)?;
        let others: Vec<Document> = self.find(&new.key).await?;
        let mut concerns = concerns(&others, first.id());
        concerns.push(format!("SAP had two purchase orders of this reference: {} was canceled at once", made.number()));
        Ok(first.created(true, concerns))
    }

    /// The order of this id, which must be ours.
    async fn by_id(&self, id: &ErpOrderId, key: &OrderKey) -> Result<Option<Document>, CallError> {
        let found: Option<Document> = self.get(&format!("PurchaseOrders({id})?$select={FIELDS}")).await?;
        match &found {
            Some(other) if other.key() != key.as_str() => Err(CallError::Refused {
                reason: format!("SAP's purchase order {} has another reference than ours, {key}", other.number()),
            }),
            _ => Ok(found),
        }
    }
}

#[async_trait]
impl Erp for BusinessOne {
    async fn create(&self, order: &NewOrder) -> Result<Created, CallError> {
        if let Some(created) = self.adopt(order).await? {
            return Ok(created);
        }
        match self.post(order).await {
            Err(refused @ CallError::Refused { .. }) => self.adopt(order).await?.ok_or(refused),
            Err(error) => Err(error),
            Ok(made) => self.settle(&made, order).await,
        }
    }

    async fn read(&self, which: Which<'_>) -> Result<Option<OrderState>, CallError> {
        match which {
            Which::Id(id, key) => {
                let Some(found) = self.by_id(id, key).await? else { return Ok(None) };
                let concerns = concerns(&self.find(key).await?, id);
                Ok(Some(OrderState { concerns, ..found.state() }))
            }
            Which::Key(key) => {
                let found = self.find(key).await?;
                let first = found.first();
                Ok(first.map(|first| OrderState { concerns: concerns(&found, first.id()), ..first.state() }))
            }
        }
    }

    async fn cancel(&self, id: &ErpOrderId, key: &OrderKey) -> Result<(), CallError> {
        let Some(found) = self.by_id(id, key).await? else { return Ok(()) };
        let state = found.state();
        if state.status != Status::Open {
            return Ok(());
        }
        let some_came = state.lines.iter().any(|line| line.received.is_some_and(|units| units > 0));
        let action = if some_came { "Close" } else { "Cancel" };
        taken(self.call(Method::POST, &format!("PurchaseOrders({id})/{action}"), &[]).await?).map(drop)
    }
}

/// Orders under the key, other than this one, that are still open.
fn concerns(found: &[Document], this: &ErpOrderId) -> Vec<String> {
    let others = found.iter().filter(|other| other.id() != this && other.state().status == Status::Open);
    let others: Vec<String> = others.map(Document::number).collect();
    if others.is_empty() {
        return Vec::new();
    }
    vec![format!("SAP has further open purchase orders of this reference: {}", others.join(", "))]
}

/// An answer that is not a refusal.
fn taken(response: Response) -> Result<Response, CallError> {
    if response.status().is_success() {
        return Ok(response);
    }
    Err(CallError::Refused { reason: order::refusal(&response).unwrap_or_else(|| words(&response)) })
}
