//! An ERP on a socket of this machine, for whoever wants real HTTP: the local stack, or a test of a transport.

use std::{io, net::SocketAddr};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::State,
};
use tokio::{net::TcpListener, task::JoinHandle};
use vendor::transport::Request;

use crate::office::Office;

/// Bytes of a request that are read. The largest is an order.
const MAX_REQUEST_BYTES: usize = 1 << 20;

/// A server that ends when this is dropped.
#[derive(Debug)]
pub struct Served {
    /// Where it listens.
    pub address: SocketAddr,
    task: JoinHandle<()>,
}

impl Served {
    /// Serves this ERP at a free port of the loopback.
    ///
    /// # Errors
    /// Where no port can be had.
    pub async fn start(office: Office) -> io::Result<Self> {
        Self::at(SocketAddr::from(([127, 0, 0, 1], 0)), office).await
    }

    /// Serves it here.
    ///
    /// # Errors
    /// Where this address cannot be had.
    pub async fn at(address: SocketAddr, office: Office) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let router = Router::new().fallback(answer).with_state(office);
        let task = tokio::spawn(async move {
            // It runs until it is aborted; what it says then concerns nobody.
            drop(axum::serve(listener, router).await);
        });
        Ok(Self { address, task })
    }

    /// Its endpoint, as a connector wants it.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What no answer comes to, a gateway in between answers.
async fn answer(State(office): State<Office>, request: wire::Request<Body>) -> wire::Response<Body> {
    let (head, body) = request.into_parts();
    let answered = match to_bytes(body, MAX_REQUEST_BYTES).await {
        Ok(bytes) => office.answer(&Request::from_parts(head, bytes.to_vec())),
        Err(_) => Some(crate::face::empty(413)),
    };
    answered.unwrap_or_else(|| crate::face::empty(504)).map(Body::from)
}
