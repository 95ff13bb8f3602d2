//! One call: address, token, and what its answer means.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, de::DeserializeOwned};
use vendor::{
    CallError,
    call::{checked, finished, secret_header, words},
    endpoint, reading,
    token::AccessToken,
    transport::{Request, Response},
};
use wire::Method;

use super::{QuickBooks, fault};
use crate::refresh::Granted;

const PRODUCTION: &str = "https://quickbooks.api.intuit.com";

/// Source: Intuit's discovery document, `token_endpoint`.
const TOKEN_ENDPOINT: &str = "https://oauth.platform.intuit.com/oauth2/v1/tokens/bearer";

/// Source: Intuit, *Minor versions*: what is below 75 is answered as 75 since August 2025.
const MINOR_VERSION: &str = "75";

/// Source: Intuit, *API call limits*: throttling is over after a minute.
const RETRY_AFTER_SECONDS: u64 = 60;

#[derive(Deserialize)]
struct Grant {
    access_token: String,
    refresh_token: String,
    expires_in: u64,
}

/// One call, before its token is known.
struct Call<'a> {
    method: Method,
    /// Below the company.
    path: &'a str,
    query: &'a [(&'a str, &'a str)],
    body: Vec<u8>,
}

impl QuickBooks {
    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str, query: &[(&str, &str)]) -> Result<T, CallError> {
        read(&self.call(&Call { method: Method::GET, path, query, body: Vec::new() }).await?)
    }

    /// As `get`; nothing where QuickBooks says that there is no such thing.
    pub(super) async fn get_if_there<T: DeserializeOwned>(&self, path: &str) -> Result<Option<T>, CallError> {
        let response = self.call(&Call { method: Method::GET, path, query: &[], body: Vec::new() }).await?;
        match fault::of(&response) {
            Some(fault) if fault.says_gone() => Ok(None),
            _ => read(&response).map(Some),
        }
    }

    pub(super) async fn post_to<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, &str)],
        body: Vec<u8>,
    ) -> Result<T, CallError> {
        read(&self.call(&Call { method: Method::POST, path, query, body }).await?)
    }

    /// Sends with a token; once more with another if it is not taken. Who is not even given a token is not let in.
    async fn call(&self, call: &Call<'_>) -> Result<Response, CallError> {
        let first = self.attempt(call, &self.token().await?).await;
        let Err(CallError::Unauthorized { .. }) = first else { return first };
        self.tokens.forget().await;
        self.attempt(call, &self.token().await?).await
    }

    async fn token(&self) -> Result<String, CallError> {
        self.tokens.get(&*self.context.clock, |refresh_token| self.exchange(refresh_token)).await
    }

    async fn attempt(&self, call: &Call<'_>, token: &str) -> Result<Response, CallError> {
        let base = endpoint::checked(self.context.endpoint.as_deref().unwrap_or(PRODUCTION))?;
        let realm = self.context.required("realm_id")?;
        let realm =
            vendor::path::segment(realm).ok_or(CallError::Refused { reason: "realm_id is no id".to_owned() })?;
        let query = form_urlencoded::Serializer::new(String::new())
            .append_pair("minorversion", MINOR_VERSION)
            .extend_pairs(call.query)
            .finish();
        let mut builder = wire::Request::builder()
            .method(&call.method)
            .uri(format!("{base}/v3/company/{realm}/{}?{query}", call.path))
            .header("accept", "application/json")
            .header("authorization", secret_header(&format!("Bearer {token}"))?);
        if !call.body.is_empty() {
            builder = builder.header("content-type", "application/json");
        }
        self.send(finished(builder, call.body.clone())?).await
    }

    async fn send(&self, request: Request) -> Result<Response, CallError> {
        let response = self.context.transport.send(request).await?;
        match response.status().as_u16() {
            429 if response.headers().get("retry-after").is_none() => {
                Err(CallError::Throttled { retry_after_seconds: RETRY_AFTER_SECONDS })
            }
            // What a fault of authentication says in detail may repeat the token.
            401 | 403 => Err(CallError::Unauthorized {
                reason: fault::of(&response).map_or_else(|| "not let in".to_owned(), |fault| fault.message()),
            }),
            _ => checked(response),
        }
    }

    async fn exchange(&self, refresh_token: String) -> Result<Granted, CallError> {
        let (id, secret) = (self.context.credentials.get("client_id")?, self.context.credentials.get("client_secret")?);
        let form = form_urlencoded::Serializer::new(String::new())
            .append_pair("grant_type", "refresh_token")
            .append_pair("refresh_token", &refresh_token)
            .finish();
        let address = endpoint::checked(self.context.option("token_endpoint").unwrap_or(TOKEN_ENDPOINT))?;
        let builder = wire::Request::post(address)
            .header("accept", "application/json")
            .header("authorization", secret_header(&format!("Basic {}", STANDARD.encode(format!("{id}:{secret}"))))?)
            .header("content-type", "application/x-www-form-urlencoded");
        let asked_at = self.context.clock.now();
        let response = self.send(finished(builder, form.into_bytes())?).await?;
        if !response.status().is_success() {
            return Err(CallError::Unauthorized { reason: token_refusal(&response) });
        }
        // The text of the answer is a secret: it is not repeated.
        let token: Grant = serde_json::from_slice(response.body()).map_err(|_| CallError::Unavailable {
            reason: "the answer to a token request is not understood".to_owned(),
        })?;
        let access = AccessToken { text: token.access_token, ends_at: asked_at.plus_seconds(token.expires_in) };
        Ok(Granted { access, refresh_token: token.refresh_token })
    }
}

/// Why there is no token: `error` of RFC 6749, section 5.2, and nothing that could be a secret.
fn token_refusal(response: &Response) -> String {
    #[derive(Deserialize)]
    struct Refusal {
        error: String,
    }
    let refusal = reading::json::<Refusal>(response.body()).map(|refusal| refusal.error);
    refusal.map_or_else(
        |_| format!("Intuit gives no token ({})", response.status().as_u16()),
        |error| format!("Intuit gives no token: {}", error.chars().take(60).collect::<String>()),
    )
}

/// What an answer says, if it is not a fault.
fn read<T: DeserializeOwned>(response: &Response) -> Result<T, CallError> {
    if let Some(fault) = fault::of(response) {
        return Err(fault.into());
    }
    if !response.status().is_success() {
        return Err(CallError::Refused { reason: words(response) });
    }
    reading::json(response.body()).map_err(|reason| CallError::Unavailable { reason })
}
