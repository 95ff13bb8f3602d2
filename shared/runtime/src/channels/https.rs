//! How vendors are called: TLS, and a bound on time and size.

use std::time::Duration;

use async_trait::async_trait;
use channels::{
    Transport, TransportError,
    transport::{Request, Response},
};

/// A call is given up after this long. A function that waits for a vendor lives for 60 seconds.
const PATIENCE: Duration = Duration::from_secs(10);

/// Bytes of an answer that are read. The largest answers are pages of orders: Amazon's, of 100 orders, has about 1 MB.
const MAX_ANSWER_BYTES: usize = 8 * 1024 * 1024;

/// The network.
#[derive(Debug, Clone)]
pub struct Https(reqwest::Client);

impl Https {
    /// Connections to any number of vendors, or to this very machine, where a test or the local stack plays them.
    #[must_use]
    pub fn new() -> Self {
        Self::with(false)
    }

    /// Connections to vendors alone: whatever an address says, nothing is sent in the open.
    #[must_use]
    pub fn only() -> Self {
        Self::with(true)
    }

    /// Redirects are not followed: none of the vendors sends any, and a token is not for whoever a vendor names.
    fn with(https_only: bool) -> Self {
        // Set already, perhaps, by an earlier call: the same one.
        drop(rustls::crypto::ring::default_provider().install_default());
        let client = reqwest::Client::builder()
            .timeout(PATIENCE)
            .connect_timeout(PATIENCE / 4)
            .https_only(https_only)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("Holdfast/", env!("CARGO_PKG_VERSION")))
            .build();
        Self(client.expect("a client with these settings can always be built"))
    }
}

impl Default for Https {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl Transport for Https {
    async fn send(&self, request: Request) -> Result<Response, TransportError> {
        let failed = |error: reqwest::Error| TransportError { reason: error.without_url().to_string() };
        let request = reqwest::Request::try_from(request).map_err(failed)?;
        let mut answer = self.0.execute(request).await.map_err(failed)?;
        let mut response = Response::default();
        *response.status_mut() = answer.status();
        *response.headers_mut() = answer.headers().clone();
        while let Some(chunk) = answer.chunk().await.map_err(failed)? {
            if response.body().len() + chunk.len() > MAX_ANSWER_BYTES {
                return Err(TransportError { reason: format!("an answer of more than {MAX_ANSWER_BYTES} bytes") });
            }
            response.body_mut().extend_from_slice(&chunk);
        }
        Ok(response)
    }
}

/// Nobody answers.
pub(crate) struct Nobody;

#[async_trait]
impl Transport for Nobody {
    async fn send(&self, _request: Request) -> Result<Response, TransportError> {
        Err(TransportError { reason: "this function calls no vendors".to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn where_vendors_are_far_away_nothing_is_sent_in_the_open() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = format!("http://{}/token", listener.local_addr().unwrap());
        let request = Request::new(b"s3cret".to_vec());
        let (mut parts, body) = request.into_parts();
        parts.uri = address.parse().unwrap();
        let error = Https::only().send(Request::from_parts(parts, body)).await.unwrap_err();
        assert!(!error.reason.contains("s3cret"), "{error:?}");
        assert!(listener.accept().is_err(), "nobody has called");
    }
}
