//! Access tokens that are fetched anew before they end. One is fetched at a time, however many calls wait for it.

use std::{future::Future, sync::Arc};

use domain::time::{Clock, Timestamp};
use tokio::sync::Mutex;

use crate::CallError;

/// A token is not used any more so many seconds before its end: a call that takes long must not lose it on the way.
const MARGIN_SECONDS: u64 = 60;

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
pub struct TokenCell(Arc<Mutex<Option<AccessToken>>>);

impl TokenCell {
    /// The token, or one that `fetch` gets.
    ///
    /// # Errors
    /// Whatever `fetch` meets.
    pub async fn get<F>(&self, clock: &dyn Clock, fetch: F) -> Result<String, CallError>
    where
        F: Future<Output = Result<AccessToken, CallError>> + Send,
    {
        let mut cell = self.0.lock().await;
        match &*cell {
            Some(token) if token.ends_at.seconds_since(clock.now()) > MARGIN_SECONDS => Ok(token.text.clone()),
            _ => {
                let token = fetch.await?;
                let text = token.text.clone();
                *cell = Some(token);
                Ok(text)
            }
        }
    }

    /// Forgets the token: the vendor did not take it.
    pub async fn forget(&self) {
        *self.0.lock().await = None;
    }
}
