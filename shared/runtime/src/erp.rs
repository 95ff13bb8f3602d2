//! What the function of purchasing works with: the connector of the merchant's ERP, its secret, and its refresh token.
//!
//! The secret is one more beside those of channels, `erp`; the refresh token changes with every use, and so is a secret of its own,
//! `erp-refresh-token`, that the function also writes.

use std::sync::{Arc, Mutex, PoisonError};

use ::erp::{Erp, NotKept, RefreshTokens};
use async_trait::async_trait;
use aws_sdk_secretsmanager::{Client, error::DisplayErrorContext};
use channels::{CallError, Context, Transport};
use domain::{erp::ErpSettings, ids::Channel, time::Clock};

use crate::channels::{Nobody, Secrets, SecretsUnavailable};

/// The name of the ERP's secret, after the prefix.
const SECRET: &str = "erp";

/// The name of the secret that its refresh token is, after the prefix.
const REFRESH_TOKEN: &str = "erp-refresh-token";

/// The connector of the ERP, made when it is first needed. Cheap to clone; clones share it and with it its tokens.
#[derive(Clone)]
pub struct ErpDesk {
    transport: Arc<dyn Transport>,
    secrets: Secrets,
    tokens: Arc<dyn RefreshTokens>,
    clock: Arc<dyn Clock>,
    known: Arc<Mutex<Option<Known>>>,
}

/// A connector, and the versions of the settings and of the secret that it was made from.
#[derive(Clone)]
struct Known {
    version: u64,
    secret: u64,
    connector: Arc<dyn Erp>,
}

impl ErpDesk {
    /// From how the ERP is reached, what it is told of us, and where its refresh token is kept.
    #[must_use]
    pub fn new(
        transport: Arc<dyn Transport>,
        secrets: Secrets,
        tokens: Arc<dyn RefreshTokens>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { transport, secrets, tokens, clock, known: Arc::default() }
    }

    /// For a function that has nothing to do with an ERP: none can be reached.
    #[must_use]
    pub fn none(clock: Arc<dyn Clock>) -> Self {
        Self::new(Arc::new(Nobody), Secrets::none(), Arc::new(InMemory::default()), clock)
    }

    /// The connector; nothing while no ERP is set up. It is kept until the settings or the secret change.
    ///
    /// # Errors
    /// [`CallError`] when the secret cannot be read.
    ///
    /// # Panics
    /// Never: the name of the secret is the name of a channel.
    pub async fn connector(&self, settings: &ErpSettings) -> Result<Option<Arc<dyn Erp>>, CallError> {
        let Some(kind) = settings.kind else { return Ok(None) };
        let name: Channel = SECRET.parse().expect("three letters");
        let secret = self.secrets.of(&name, self.clock.now()).await;
        let (secret, credentials) = secret.map_err(|SecretsUnavailable| CallError::Unavailable {
            reason: "the ERP's secret cannot be read".to_owned(),
        })?;
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(known) = known.filter(|known| known.version == settings.version && known.secret == secret) {
            return Ok(Some(known.connector));
        }
        let context = Context {
            transport: self.transport.clone(),
            clock: self.clock.clone(),
            credentials,
            endpoint: settings.endpoint.clone(),
            options: settings.options.clone(),
        };
        let connector = ::erp::connect(kind, context, self.tokens.clone());
        let known = Known { version: settings.version, secret, connector: connector.clone() };
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Some(known);
        Ok(Some(connector))
    }
}

/// A refresh token in Secrets Manager.
pub struct KeptSecret {
    client: Client,
    name: String,
}

impl KeptSecret {
    /// That of the ERP, among secrets whose names begin with `prefix`.
    #[must_use]
    pub fn new(client: Client, prefix: &str) -> Self {
        Self { client, name: format!("{prefix}{REFRESH_TOKEN}") }
    }
}

#[async_trait]
impl RefreshTokens for KeptSecret {
    async fn latest(&self) -> Result<String, NotKept> {
        let secret = self.client.get_secret_value().secret_id(&self.name).send().await;
        let secret = secret.map_err(|error| NotKept { reason: DisplayErrorContext(&error).to_string() })?;
        let token = secret.secret_string().map(str::trim).filter(|token| !token.is_empty());
        token.map(str::to_owned).ok_or_else(|| NotKept { reason: "the secret is empty".to_owned() })
    }

    async fn keep(&self, token: &str) -> Result<(), NotKept> {
        let put = self.client.put_secret_value().secret_id(&self.name).secret_string(token).send().await;
        put.map(drop).map_err(|error| NotKept { reason: DisplayErrorContext(&error).to_string() })
    }
}

/// A refresh token that is gone when the process is: the local stack's, and a test's.
#[derive(Debug, Default)]
pub struct InMemory(Mutex<String>);

impl InMemory {
    /// With the first one.
    #[must_use]
    pub fn new(first: &str) -> Self {
        Self(Mutex::new(first.to_owned()))
    }
}

#[async_trait]
impl RefreshTokens for InMemory {
    async fn latest(&self) -> Result<String, NotKept> {
        let token = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if token.is_empty() { Err(NotKept { reason: "there is none".to_owned() }) } else { Ok(token) }
    }

    async fn keep(&self, token: &str) -> Result<(), NotKept> {
        token.clone_into(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use domain::erp::ErpKind;

    use super::*;
    use crate::SystemClock;

    #[tokio::test]
    async fn a_connector_is_kept_until_its_settings_change() {
        let desk = ErpDesk::none(Arc::new(SystemClock));
        let settings = ErpSettings { kind: Some(ErpKind::NetSuite), version: 1, ..ErpSettings::default() };
        let first = desk.connector(&settings).await.unwrap().unwrap();
        assert!(Arc::ptr_eq(&first, &desk.connector(&settings).await.unwrap().unwrap()));
        let changed = ErpSettings { version: 2, ..settings.clone() };
        assert!(!Arc::ptr_eq(&first, &desk.connector(&changed).await.unwrap().unwrap()));
        assert!(desk.connector(&ErpSettings { kind: None, ..settings }).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn the_token_that_was_kept_last_is_the_latest() {
        let tokens = InMemory::new("first");
        assert_eq!(tokens.latest().await.unwrap(), "first");
        tokens.keep("second").await.unwrap();
        assert_eq!(tokens.latest().await.unwrap(), "second");
        assert!(InMemory::default().latest().await.is_err());
    }
}
