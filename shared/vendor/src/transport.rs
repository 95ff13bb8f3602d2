//! HTTP as values. `runtime` sends them over TLS; a test answers them itself, in its own time.

use async_trait::async_trait;

/// A request, with everything in it.
pub type Request = wire::Request<Vec<u8>>;

/// An answer, with everything in it.
pub type Response = wire::Response<Vec<u8>>;

/// No answer came. Whether the request arrived is not known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no answer: {reason}")]
pub struct TransportError {
    /// Why, for the log: never shown to a caller.
    pub reason: String,
}

/// Sends requests.
#[async_trait]
pub trait Transport: Send + Sync {
    /// Sends one request once: whether it may be sent again is for whoever knows what it does.
    ///
    /// # Errors
    /// [`TransportError`] when no answer came in time.
    async fn send(&self, request: Request) -> Result<Response, TransportError>;
}
