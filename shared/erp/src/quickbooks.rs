//! QuickBooks Online, Accounting API.
//!
//! | reads | from | which is |
//! |---|---|---|
//! | `client_id`, `client_secret` | credentials | the app's keys |
//! | the refresh token | [`RefreshTokens`] | the merchant's consent |
//! | `realm_id` | options | the company |
//! | `ap_account_id` | options | the accounts-payable account of the orders (`APAccountRef`) |
//! | `currency` | options | what unit costs are in, where an order does not say |
//! | `multicurrency` | options | `true` where the company has several currencies: then `CurrencyRef` is sent |
//! | `token_endpoint` | options | where tokens come from; Intuit's where nothing is said |
//!
//! **Once**: 1. A query for our `DocNumber`. What is found is the order, if it is for the same vendor. 2. `POST …/purchaseorder?requestid=`:
//! "if the service receives another request with the same `RequestID`, instead of performing the operation again or returning an error, the
//! service sends the same response as it did for the original request" (Intuit, *Request ID update*; 50 characters at most). So two
//! creators at once, both of whom found nothing, get the same order; and a creator whose answer was lost finds it by 1 even when Intuit
//! has forgotten the request. 3. Refused: looked for once more, since a company can have duplicate numbers refused.
//! `DocNumber` holds 21 characters: a longer key becomes `HF-` and 18 digits of its hash, and stands in `PrivateNote` in full.
//!
//! **Received**: QuickBooks does not say. A purchase order lists the bills that are linked to it (`LinkedTxn`), and the lines of a bill name
//! the order and perhaps its line: their quantities are taken as received. A supplier who bills before it delivers is early here.
//!
//! **Status**: `POStatus`, Open or Closed. There is no "canceled": [`Erp::cancel`] closes the order with a sparse update, and somebody
//! who deletes it makes it vanish. **Expected**: `DueDate`, the only date of a purchase order that the API has next to `TxnDate`.
//!
//! **Tokens**: an access token lives an hour, and the refresh token changes ([`crate::refresh`]). **Limits**: 500 calls a minute and
//! company; a 429 passes after a minute (Intuit, *API call limits*). **Errors**: a `Fault` in JSON or XML, also with status 200.
//!
//! **No webhook** is listened to: every open order is looked at four times an hour.
//!
//! **Unverified**: for how long Intuit remembers a `requestid`, and whether it also replays a refusal (so each attempt after a refusal has
//! another one); that a query finds what was created a moment ago (if not, `requestid` does); that `POStatus` can be set by a sparse
//! update (the answer is looked at); that `DocNumber` is taken as given in a company without custom transaction numbers (what it was
//! numbered instead is told); what the user interface shows of `DueDate`.

mod call;
mod fault;
mod order;

use std::sync::Arc;

use async_trait::async_trait;
use vendor::{CallError, Context};

use crate::{Created, Erp, ErpOrderId, NewOrder, OrderKey, OrderState, RefreshTokens, Which, refresh::Refreshing};
use order::{Bill, PurchaseOrder};

/// Bills that are looked at for one order. Intuit allows 500 calls a minute; an order with more partial deliveries than that is
/// for a person.
const MAX_BILLS: usize = 25;

/// How often a change is tried against somebody who changes the same order at the same time.
const MAX_CHANGES: usize = 3;

/// QuickBooks Online, for one company.
pub struct QuickBooks {
    context: Context,
    tokens: Refreshing,
}

impl QuickBooks {
    /// With what a connector works with, and where its refresh token is kept.
    #[must_use]
    pub fn new(context: Context, refresh_tokens: Arc<dyn RefreshTokens>) -> Self {
        Self { context, tokens: Refreshing::new(refresh_tokens) }
    }

    /// The orders under this key, the oldest first.
    async fn find(&self, key: &OrderKey) -> Result<Vec<PurchaseOrder>, CallError> {
        let query = format!("select * from PurchaseOrder where DocNumber = '{}'", order::doc_number(key));
        let answer: order::QueryAnswer = self.get("query", &[("query", &query)]).await?;
        let mut found = answer.query_response.purchase_orders;
        found.sort_by(|a, b| a.id.0.age().cmp(&b.id.0.age()));
        Ok(found)
    }

    async fn adopt(&self, new: &NewOrder) -> Result<Option<Created>, CallError> {
        let found = self.find(&new.key).await?;
        let Some(first) = found.first() else { return Ok(None) };
        if first.vendor.value != new.supplier {
            let reason = format!("QuickBooks has a purchase order {} for another vendor", first.number());
            return Err(CallError::Refused { reason });
        }
        let id = first.id.0.clone();
        Ok(Some(Created { id, number: first.number().to_owned(), was_there: true, concerns: concerns(&found) }))
    }

    async fn post(&self, new: &NewOrder) -> Result<Created, CallError> {
        let currency = new.checked(&self.context)?;
        let body = order::body(new, currency, &self.context)?;
        let request_id = order::request_id(new);
        let answer: order::Answer = self.post_to("purchaseorder", &[("requestid", &request_id)], body).await?;
        let made = answer.purchase_order;
        let wanted = order::doc_number(&new.key);
        let mut concerns = Vec::new();
        if made.number() != wanted {
            concerns.push(format!(
                "QuickBooks numbered the order {} and not {wanted}: custom transaction numbers must be on, or it is not found again",
                made.number()
            ));
        }
        Ok(Created { number: made.number().to_owned(), id: made.id.0, was_there: false, concerns })
    }

    /// The order of this id, which must be ours.
    async fn by_id(&self, id: &ErpOrderId, key: &OrderKey) -> Result<Option<PurchaseOrder>, CallError> {
        let answer: Option<order::Answer> = self.get_if_there(&format!("purchaseorder/{id}")).await?;
        match answer.map(|answer| answer.purchase_order) {
            Some(other) if !other.is_under(key) => {
                let reason =
                    format!("QuickBooks' purchase order {} names another order than ours, {key}", other.number());
                Err(CallError::Refused { reason })
            }
            found => Ok(found),
        }
    }

    async fn bill(&self, id: &ErpOrderId) -> Result<Option<Bill>, CallError> {
        let answer: Option<order::BillAnswer> = self.get_if_there(&format!("bill/{id}")).await?;
        Ok(answer.map(|answer| answer.bill))
    }

    /// The order with what its bills say.
    async fn with_bills(&self, found: &PurchaseOrder) -> Result<OrderState, CallError> {
        let ids = found.bills();
        let mut bills = Vec::new();
        for id in ids.iter().take(MAX_BILLS) {
            bills.extend(self.bill(id).await?);
        }
        let mut state = found.state(&bills);
        if ids.len() > MAX_BILLS {
            state.concerns.push(format!("only {MAX_BILLS} of its {} bills were looked at", ids.len()));
        }
        Ok(state)
    }
}

#[async_trait]
impl Erp for QuickBooks {
    async fn create(&self, order: &NewOrder) -> Result<Created, CallError> {
        if let Some(created) = self.adopt(order).await? {
            return Ok(created);
        }
        match self.post(order).await {
            Err(refused @ CallError::Refused { .. }) => self.adopt(order).await?.ok_or(refused),
            outcome => outcome,
        }
    }

    async fn read(&self, which: Which<'_>) -> Result<Option<OrderState>, CallError> {
        match which {
            Which::Id(id, key) => match self.by_id(id, key).await? {
                Some(found) => self.with_bills(&found).await.map(Some),
                None => Ok(None),
            },
            Which::Key(key) => {
                let found = self.find(key).await?;
                let Some(first) = found.first() else { return Ok(None) };
                let mut state = self.with_bills(first).await?;
                state.concerns.extend(concerns(&found));
                Ok(Some(state))
            }
        }
    }

    async fn cancel(&self, id: &ErpOrderId, key: &OrderKey) -> Result<(), CallError> {
        for _ in 0..MAX_CHANGES {
            let Some(found) = self.by_id(id, key).await? else { return Ok(()) };
            if found.is_closed() {
                return Ok(());
            }
            match self.post_to::<order::Answer>("purchaseorder", &[], found.closing()).await {
                Ok(answer) if answer.purchase_order.is_closed() => return Ok(()),
                Ok(_) => {
                    let reason = "QuickBooks took the change, but the order is still open".to_owned();
                    return Err(CallError::Refused { reason });
                }
                Err(CallError::Stale { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Err(CallError::Unavailable { reason: "somebody else keeps changing the order".to_owned() })
    }
}

fn concerns(found: &[PurchaseOrder]) -> Vec<String> {
    let others: Vec<&str> = found.iter().skip(1).map(|other| other.id.0.as_str()).collect();
    if others.is_empty() {
        return Vec::new();
    }
    vec![format!("QuickBooks has further purchase orders of this number: {}", others.join(", "))]
}
