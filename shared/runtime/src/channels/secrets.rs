//! Secrets of channels: one secret in AWS Secrets Manager for each channel, named `<prefix><channel>`; a JSON object of texts.
//!
//! A secret is read again after five minutes, so that a new one is used without a new deployment. It is never logged.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use aws_sdk_secretsmanager::{Client, error::DisplayErrorContext, operation::get_secret_value::GetSecretValueError};
use channels::Credentials;
use domain::{ids::Channel, time::Timestamp};

/// How old a secret that is in use may be, in seconds.
const MAX_AGE_SECONDS: u64 = 5 * 60;

/// Where secrets come from.
#[derive(Clone)]
pub struct Secrets(Source);

#[derive(Clone)]
enum Source {
    Fixed(Arc<BTreeMap<Channel, Credentials>>),
    Manager { client: Client, prefix: Arc<str>, known: Arc<Mutex<BTreeMap<Channel, Known>>> },
}

#[derive(Clone)]
struct Known {
    read_at: Timestamp,
    /// Another number whenever the secret is another.
    number: u64,
    credentials: Credentials,
}

/// A secret cannot be read; why is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the secret cannot be read")]
pub struct SecretsUnavailable;

/// Without its secrets.
impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secrets")
    }
}

impl Secrets {
    /// No channel has any.
    #[must_use]
    pub fn none() -> Self {
        Self::fixed(BTreeMap::new())
    }

    /// These, for the local stack and for tests.
    #[must_use]
    pub fn fixed(secrets: BTreeMap<Channel, Credentials>) -> Self {
        Self(Source::Fixed(Arc::new(secrets)))
    }

    /// Those in Secrets Manager whose names begin with `prefix`.
    #[must_use]
    pub fn manager(client: Client, prefix: &str) -> Self {
        Self(Source::Manager { client, prefix: prefix.into(), known: Arc::default() })
    }

    /// Those of a channel, and a number that changes with them. A channel without a secret has empty ones: what is missing is said by
    /// whoever needs it.
    ///
    /// # Errors
    /// [`SecretsUnavailable`] when they cannot be read and none are known from before.
    pub async fn of(&self, channel: &Channel, now: Timestamp) -> Result<(u64, Credentials), SecretsUnavailable> {
        let (client, prefix, known) = match &self.0 {
            Source::Fixed(secrets) => return Ok((0, secrets.get(channel).cloned().unwrap_or_default())),
            Source::Manager { client, prefix, known } => (client, prefix, known),
        };
        let before = known.lock().unwrap_or_else(PoisonError::into_inner).get(channel).cloned();
        if let Some(before) = &before
            && now.seconds_since(before.read_at) < MAX_AGE_SECONDS
        {
            return Ok((before.number, before.credentials.clone()));
        }
        let read = client.get_secret_value().secret_id(format!("{prefix}{channel}")).send().await;
        let credentials = match read {
            Ok(secret) => Credentials::from_json(secret.secret_string().unwrap_or_default()).unwrap_or_else(|error| {
                tracing::error!(%error, %channel, "a channel's secret cannot be used");
                Credentials::default()
            }),
            Err(error)
                if error.as_service_error().is_some_and(GetSecretValueError::is_resource_not_found_exception) =>
            {
                tracing::warn!(%channel, "a channel has no secret");
                Credentials::default()
            }
            Err(error) => {
                tracing::warn!(error = %DisplayErrorContext(&error), %channel, "a channel's secret cannot be read");
                let before = before.ok_or(SecretsUnavailable)?;
                return Ok((before.number, before.credentials));
            }
        };
        let number = before.map_or(0, |before| before.number + u64::from(before.credentials != credentials));
        let now_known = Known { read_at: now, number, credentials: credentials.clone() };
        known.lock().unwrap_or_else(PoisonError::into_inner).insert(channel.clone(), now_known);
        Ok((number, credentials))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_channel_without_a_secret_has_empty_ones() {
        let amazon: Channel = "amazon".parse().unwrap();
        let secrets = Secrets::fixed(BTreeMap::from([(amazon.clone(), Credentials::from([("token", "t")]))]));
        let now = Timestamp::default();
        assert_eq!(secrets.of(&amazon, now).await.unwrap().1.get("token"), Ok("t"));
        let (_, none) = secrets.of(&"ebay".parse().unwrap(), now).await.unwrap();
        assert_eq!(none, Credentials::default());
        assert_eq!(format!("{secrets:?}"), "Secrets");
    }
}
