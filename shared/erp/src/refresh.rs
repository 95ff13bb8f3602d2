//! Refresh tokens that change with every use: who loses the newest one is locked out until a person gives consent again.
//!
//! 1. The newest token is read from where it is kept ([`RefreshTokens`]), each time: another process may have changed it.
//! 2. It is exchanged for an access token and its successor.
//! 3. The successor is kept. **Only then is the access token used.** If it cannot be kept, both wait here, and keeping is tried again before
//!    anything else is done; the old token is not sent a second time.
//! 4. A token that is refused may have been used a moment ago by another process, which has kept its successor since: if what is kept is
//!    another one now, that is tried, once.
//!
//! What is left: a process that dies between 2 and 3 loses the successor.

use std::{future::Future, sync::Arc};

use async_trait::async_trait;
use domain::time::Clock;
use tokio::sync::Mutex;
use vendor::{CallError, token::AccessToken};

/// An access token is not used any more so many seconds before its end: a call that takes long must not lose it on the way.
const MARGIN_SECONDS: u64 = 60;

/// Where the refresh token of one ERP is kept: a secret that outlives this process.
#[async_trait]
pub trait RefreshTokens: Send + Sync {
    /// The one that was kept last, or that the merchant has put there.
    ///
    /// # Errors
    /// [`NotKept`] when there is none, or it cannot be read now.
    async fn latest(&self) -> Result<String, NotKept>;

    /// Keeps this one from now on. When it returns, the token is safe.
    ///
    /// # Errors
    /// [`NotKept`] when it is not.
    async fn keep(&self, token: &str) -> Result<(), NotKept>;
}

/// A refresh token can be neither read nor kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the refresh token cannot be read or kept: {reason}")]
pub struct NotKept {
    /// Why, for the log; without the token.
    pub reason: String,
}

impl From<NotKept> for CallError {
    fn from(error: NotKept) -> Self {
        Self::Unavailable { reason: error.to_string() }
    }
}

/// What a refresh token was exchanged for.
pub(crate) struct Granted {
    pub access: AccessToken,
    /// The successor of the one that was used; perhaps the same.
    pub refresh_token: String,
}

/// The tokens of one connector.
pub(crate) struct Refreshing {
    tokens: Arc<dyn RefreshTokens>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    access: Option<AccessToken>,
    /// Granted, and its refresh token not kept yet.
    unkept: Option<Granted>,
}

impl Refreshing {
    pub fn new(tokens: Arc<dyn RefreshTokens>) -> Self {
        Self { tokens, state: Mutex::default() }
    }

    /// The access token, or one that `exchange` gets for the refresh token. One is fetched at a time, however many calls wait for it.
    pub async fn get<F>(&self, clock: &dyn Clock, exchange: impl Fn(String) -> F + Send) -> Result<String, CallError>
    where
        F: Future<Output = Result<Granted, CallError>> + Send,
    {
        let mut state = self.state.lock().await;
        self.keep(&mut state).await?;
        if let Some(token) = &state.access
            && token.ends_at.seconds_since(clock.now()) > MARGIN_SECONDS
        {
            return Ok(token.text.clone());
        }
        let used = self.tokens.latest().await?;
        let granted = match exchange(used.clone()).await {
            Err(CallError::Unauthorized { reason }) => {
                let newer = self.tokens.latest().await?;
                if newer == used {
                    return Err(CallError::Unauthorized { reason });
                }
                exchange(newer).await?
            }
            other => other?,
        };
        let text = granted.access.text.clone();
        state.unkept = Some(granted);
        self.keep(&mut state).await?;
        Ok(text)
    }

    async fn keep(&self, state: &mut State) -> Result<(), CallError> {
        if let Some(granted) = &state.unkept {
            self.tokens.keep(&granted.refresh_token).await?;
            state.access = state.unkept.take().map(|granted| granted.access);
        }
        Ok(())
    }

    /// Forgets the access token: the vendor did not take it.
    pub async fn forget(&self) {
        self.state.lock().await.access = None;
    }
}
