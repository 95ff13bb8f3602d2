//! Access tokens that are fetched anew before they end. One is fetched at a time, however many calls wait for it.
//!
//! Where a vendor locks a user who is refused a few times, a refusal is remembered, and nobody asks again for a while
//! ([`TokenCell::remembering_refusals`]); a new secret makes a new connector, and with it a new cell.

use std::{future::Future, sync::Arc};

use domain::time::{Clock, Timestamp};
use tokio::sync::Mutex;

use crate::CallError;

/// A token is not used any more so many seconds before its end: a call that takes long must not lose it on the way.
const MARGIN_SECONDS: u64 = 60;

/// How long a refusal is remembered, in seconds: four logins an hour lock nobody out.
const REFUSED_SECONDS: u64 = 15 * 60;

/// A token, and its last second.
#[derive(Clone)]
pub struct AccessToken {
    /// The secret.
    pub text: String,
    /// When it ends.
    pub ends_at: Timestamp,
}

/// The token of one connector. Clones share it.
#[derive(Clone, Default)]
pub struct TokenCell {
    known: Arc<Mutex<Known>>,
    remembers_refusals: bool,
}

#[derive(Default)]
struct Known {
    token: Option<AccessToken>,
    /// Why no token was given, and when.
    refused: Option<(String, Timestamp)>,
}

impl TokenCell {
    /// One in which a refusal stands for a quarter of an hour.
    #[must_use]
    pub fn remembering_refusals() -> Self {
        Self { remembers_refusals: true, ..Self::default() }
    }

    /// The token, or one that `fetch` gets.
    ///
    /// # Errors
    /// Whatever `fetch` meets, or has met a moment ago where that is remembered.
    pub async fn get<F>(&self, clock: &dyn Clock, fetch: F) -> Result<String, CallError>
    where
        F: Future<Output = Result<AccessToken, CallError>> + Send,
    {
        let mut known = self.known.lock().await;
        let now = clock.now();
        if let Some(token) = known.token.as_ref().filter(|token| token.ends_at.seconds_since(now) > MARGIN_SECONDS) {
            return Ok(token.text.clone());
        }
        if let Some((reason, at)) = known.refused.as_ref().filter(|(_, at)| now.seconds_since(*at) < REFUSED_SECONDS) {
            let reason = format!("{reason} (said {} s ago, and not asked again)", now.seconds_since(*at));
            return Err(CallError::Unauthorized { reason });
        }
        known.refused = None;
        match fetch.await {
            Ok(token) => {
                let text = token.text.clone();
                known.token = Some(token);
                Ok(text)
            }
            Err(error) => {
                if let CallError::Unauthorized { reason } = &error
                    && self.remembers_refusals
                {
                    known.refused = Some((reason.clone(), now));
                }
                Err(error)
            }
        }
    }

    /// Forgets the token: the vendor did not take it.
    pub async fn forget(&self) {
        self.known.lock().await.token = None;
    }
}
