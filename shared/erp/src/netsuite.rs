//! NetSuite, REST record service.
//!
//! | reads | from | which is |
//! |---|---|---|
//! | `client_id` | credentials | the consumer key of the integration record |
//! | `certificate_id` | credentials | what NetSuite calls the certificate that was uploaded for it |
//! | `private_key` | credentials | the RSA key of that certificate, PKCS#8 in PEM, 2048 to 4096 bits (NetSuite wants 3072 or more) |
//! | `account_id` | options | the account, as in `1234567_SB1` |
//! | `subsidiary_id`, `location_id` | options | where the orders belong; sent where they are set |
//! | `currency` | options | what unit costs are in, where an order does not say |
//! | `currency_id` | options | NetSuite's id of that currency; without it, the supplier's own |
//!
//! **Once**: 1. `GET …/purchaseOrder/eid:{key}`: what is there is the order. 2. `PUT` to the same address, which creates it under that
//! external id, or changes it. Two creators at once, both of whom found nothing, write the same over the same; `replace=item` has the
//! lines of the second replace those of the first instead of joining them. A creator whose answer was lost finds the order by 1, and
//! does not write over what people have changed since. 3. Refused: looked for once more. 4. The answer to `PUT` has no body: the order is
//! read.
//!
//! **Status**: `orderStatus.id`, a letter, or `status` in words; a closed order is H, a rejected one C. There is no "canceled":
//! [`Erp::cancel`] closes every line (`isClosed`) and reads the order again. **Expected**: the latest `expectedReceiptDate` of an
//! open line, else `dueDate` ("receive by"). **Received**: `item.items[].quantityReceived`.
//!
//! **Tokens**: OAuth 2.0 client credentials with a signed assertion ([`assertion`]); there is no refresh token. NetSuite is retiring
//! token-based authentication; it is not here. **Limits**: by concurrency; a 429 passes within seconds. **Errors**:
//! `o:errorDetails[].detail`. **No webhook**: SuiteScript could send one, in the merchant's own words. So NetSuite is polled.
//!
//! **Unverified**: the code of a 404 that says "no such record" (`NONEXISTENT_ID`; any other 404 is a refusal, so that a wrong address is
//! not taken for an order that is not there); the letters of `orderStatus` beyond those above; whether `status.id` is a letter or words
//! (both are read); that `expires_in` is a text (number and text are read); that a line is closed through its `line`; that a record that was
//! read by its id shows `externalId` (where it shows none it is taken for ours).

pub mod assertion;
mod order;

use async_trait::async_trait;
use serde::{Deserialize, de::DeserializeOwned};
use vendor::{
    CallError, Context,
    call::{checked, finished, secret_header},
    endpoint, reading,
    token::{AccessToken, TokenCell},
    transport::{Request, Response},
};
use wire::Method;

use crate::{Created, Erp, ErpOrderId, NewOrder, OrderKey, OrderState, Status, Which, reading::Units};

const TOKEN_PATH: &str = "/services/rest/auth/oauth2/v1/token";
const RECORDS: &str = "/services/rest/record/v1/purchaseOrder";

/// NetSuite, for one account.
pub struct NetSuite {
    context: Context,
    token: TokenCell,
}

#[derive(Deserialize)]
struct Token {
    access_token: String,
    expires_in: Units,
}

impl NetSuite {
    /// With what a connector works with.
    #[must_use]
    pub fn new(context: Context) -> Self {
        Self { context, token: TokenCell::remembering_refusals() }
    }

    /// Where the account is. Source: NetSuite, *URLs for account-specific domains*: lower case, and `-` for `_`.
    fn base(&self) -> Result<String, CallError> {
        if let Some(endpoint) = &self.context.endpoint {
            return endpoint::checked(endpoint).map(str::to_owned);
        }
        let account = self.context.required("account_id")?.to_ascii_lowercase().replace('_', "-");
        if account.bytes().any(|byte| !byte.is_ascii_alphanumeric() && byte != b'-') {
            return Err(CallError::Refused { reason: "account_id is no account".to_owned() });
        }
        Ok(format!("https://{account}.suitetalk.api.netsuite.com"))
    }

    async fn fetch_token(&self) -> Result<AccessToken, CallError> {
        let address = format!("{}{TOKEN_PATH}", self.base()?);
        let asked_at = self.context.clock.now();
        let assertion = assertion::signed(&self.context.credentials, &address, asked_at)?;
        let form = form_urlencoded::Serializer::new(String::new())
            .append_pair("grant_type", "client_credentials")
            .append_pair("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
            .append_pair("client_assertion", &assertion)
            .finish();
        let builder = wire::Request::post(address)
            .header("accept", "application/json")
            .header("content-type", "application/x-www-form-urlencoded");
        let response = self.send(finished(builder, form.into_bytes())?).await?;
        if !response.status().is_success() {
            return Err(CallError::Unauthorized { reason: order::refusal(&response) });
        }
        // The text of the answer is a secret: it is not repeated.
        let token: Token = serde_json::from_slice(response.body()).map_err(|_| CallError::Unavailable {
            reason: "the answer to a token request is not understood".to_owned(),
        })?;
        Ok(AccessToken { text: token.access_token, ends_at: asked_at.plus_seconds(token.expires_in.0) })
    }

    async fn send(&self, request: Request) -> Result<Response, CallError> {
        let response = self.context.transport.send(request).await?;
        match response.status().as_u16() {
            401 | 403 => Err(CallError::Unauthorized { reason: order::refusal(&response) }),
            _ => checked(response),
        }
    }

    /// Sends with a token; once more with another if it is not taken. Who is not even given a token is not let in.
    async fn call(&self, method: Method, path: &str, body: &[u8]) -> Result<Response, CallError> {
        let first = self.attempt(&method, path, body, &self.token().await?).await;
        let Err(CallError::Unauthorized { .. }) = first else { return first };
        self.token.forget().await;
        self.attempt(&method, path, body, &self.token().await?).await
    }

    async fn token(&self) -> Result<String, CallError> {
        self.token.get(&*self.context.clock, self.fetch_token()).await
    }

    async fn attempt(&self, method: &Method, path: &str, body: &[u8], token: &str) -> Result<Response, CallError> {
        let mut builder = wire::Request::builder()
            .method(method)
            .uri(format!("{}{RECORDS}/{path}", self.base()?))
            .header("accept", "application/json")
            .header("authorization", secret_header(&format!("Bearer {token}"))?);
        if !body.is_empty() {
            builder = builder.header("content-type", "application/json");
        }
        self.send(finished(builder, body.to_vec())?).await
    }

    async fn get(&self, name: &str) -> Result<Option<order::Record>, CallError> {
        let response = self.call(Method::GET, &format!("{name}?expandSubResources=true"), &[]).await?;
        if response.status().as_u16() == 404 && order::says_gone(&response) {
            return Ok(None);
        }
        read(&taken(response)?).map(Some)
    }

    /// The order of this id, which must be ours.
    async fn by_id(&self, id: &ErpOrderId, key: &OrderKey) -> Result<Option<order::Record>, CallError> {
        match self.get(id.as_str()).await? {
            Some(other) if !other.may_be_under(key) => {
                let reason = format!("NetSuite's purchase order {id} has another external id than ours, {key}");
                Err(CallError::Refused { reason })
            }
            found => Ok(found),
        }
    }

    async fn adopt(&self, new: &NewOrder) -> Result<Option<Created>, CallError> {
        let found = self.get(&order::external(&new.key)).await?;
        Ok(found.map(|found| found.created(true)))
    }

    async fn put(&self, new: &NewOrder) -> Result<(), CallError> {
        let currency = new.checked(&self.context)?;
        let path = format!("{}?replace=item", order::external(&new.key));
        taken(self.call(Method::PUT, &path, &order::body(new, currency, &self.context)).await?).map(drop)
    }
}

#[async_trait]
impl Erp for NetSuite {
    async fn create(&self, order: &NewOrder) -> Result<Created, CallError> {
        if let Some(created) = self.adopt(order).await? {
            return Ok(created);
        }
        match self.put(order).await {
            Err(refused @ CallError::Refused { .. }) => self.adopt(order).await?.ok_or(refused),
            Err(error) => Err(error),
            Ok(()) => {
                let not_there = CallError::Unavailable { reason: "the order that was created is not there yet".into() };
                let found = self.get(&order::external(&order.key)).await?.ok_or(not_there)?;
                let mut created = found.created(false);
                created.concerns.extend(found.differs_from(order));
                Ok(created)
            }
        }
    }

    async fn read(&self, which: Which<'_>) -> Result<Option<OrderState>, CallError> {
        let found = match which {
            Which::Id(id, key) => self.by_id(id, key).await?,
            Which::Key(key) => self.get(&order::external(key)).await?,
        };
        Ok(found.map(|found| found.state()))
    }

    async fn cancel(&self, id: &ErpOrderId, key: &OrderKey) -> Result<(), CallError> {
        let Some(found) = self.by_id(id, key).await? else { return Ok(()) };
        if found.state().status != Status::Open {
            return Ok(());
        }
        taken(self.call(Method::PATCH, id.as_str(), &found.closing()).await?)?;
        match self.get(id.as_str()).await?.map(|found| found.state().status) {
            Some(Status::Open) => {
                let reason = "NetSuite took the change, but the order is still open".to_owned();
                Err(CallError::Refused { reason })
            }
            _ => Ok(()),
        }
    }
}

/// An answer that is not a refusal.
fn taken(response: Response) -> Result<Response, CallError> {
    if response.status().is_success() {
        return Ok(response);
    }
    Err(CallError::Refused { reason: order::refusal(&response) })
}

fn read<T: DeserializeOwned>(response: &Response) -> Result<T, CallError> {
    reading::json(response.body()).map_err(|reason| CallError::Unavailable { reason })
}
