//! The network between the SDK and the servers, and what goes wrong in it. The SDK, its retries and its timeouts are the real ones.
//!
//! Every request takes some time to arrive and its answer some to come back. In between, each with its own probability: it is lost; it is
//! applied and its answer lost, or turned into a 500; a copy of it arrives up to five minutes later; it is throttled; it meets a
//! transaction, or is one and meets another; of a batch of reads only a part is answered. A caller that gives up does not call its request back. A request whose signature is five minutes old is refused.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use aws_sdk_dynamodb::config::SharedHttpClient;
use aws_smithy_runtime_api::client::{
    http::{HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector},
    orchestrator::{HttpRequest, HttpResponse},
    result::ConnectorError,
    runtime_components::RuntimeComponents,
};
use aws_smithy_types::body::SdkBody;
use domain::limits::SIGNATURE_LIFE_SECONDS;
use serde_json::Value;
use tokio::{sync::oneshot, time::sleep};

use crate::{
    table::{Answer, error},
    world::World,
};

/// How often each fault strikes, in a thousand requests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Faults {
    /// Never arrives.
    pub lost: u32,
    /// Is applied; the answer never comes.
    pub reply_lost: u32,
    /// Is applied; the answer is a 500.
    pub failed_after: u32,
    /// Is applied once more, up to five minutes later.
    pub copied: u32,
    /// Is not applied: throttled.
    pub throttled: u32,
    /// A plain write is not applied: a transaction is under way.
    pub conflict: u32,
    /// A transaction is not applied: another one is under way.
    pub canceled: u32,
    /// Takes up to ten minutes to arrive.
    pub slow: u32,
    /// A batch of reads of which only a part is answered.
    pub withheld: u32,
}

/// Everything that is sent goes through here.
#[derive(Debug, Clone)]
pub struct Network(pub Arc<Mutex<World>>);

impl Network {
    /// As the SDK takes it.
    #[must_use]
    pub fn client(&self) -> SharedHttpClient {
        SharedHttpClient::new(self.clone())
    }

    fn world(&self) -> MutexGuard<'_, World> {
        // A world in which something has panicked is looked at, not used.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn send(&self, request: Sent) -> oneshot::Receiver<Result<Answer, ConnectorError>> {
        let (reply, receiver) = oneshot::channel();
        let network = self.clone();
        tokio::spawn(async move { network.carry(request, reply).await });
        receiver
    }

    async fn carry(self, request: Sent, reply: oneshot::Sender<Result<Answer, ConnectorError>>) {
        let (fate, there, back) = self.world().draw_fate(&request);
        sleep(there).await;
        if fate == Fate::Lost {
            return forget(reply).await;
        }
        if let Some(code) = fate.refusal() {
            drop(reply.send(Ok((400, error(code, "planned")))));
            return;
        }
        if fate == Fate::Canceled {
            let answer = self.world().cancel(&request);
            sleep(back).await;
            drop(reply.send(Ok(answer)));
            return;
        }
        if fate == Fate::Copied {
            let (copy, late) = (self.clone(), self.world().lateness());
            let request = request.clone();
            tokio::spawn(async move {
                sleep(late).await;
                copy.world().arrive(&request, true);
            });
        }
        let answer = self.world().arrive(&request, false);
        sleep(back).await;
        match fate {
            Fate::ReplyLost => forget(reply).await,
            Fate::FailedAfter => drop(reply.send(Ok((500, error("InternalServerError", "planned"))))),
            _ => drop(reply.send(Ok(answer))),
        }
    }
}

/// The caller hears nothing until it gives up.
async fn forget(reply: oneshot::Sender<Result<Answer, ConnectorError>>) {
    sleep(Duration::from_mins(30)).await;
    drop(reply);
}

/// A request on its way.
#[derive(Debug, Clone)]
pub struct Sent {
    /// `DynamoDB_20120810` or `AmazonSQS`.
    pub service: String,
    /// `UpdateItem`, …
    pub operation: String,
    /// Its body.
    pub body: Value,
    /// When it was signed, in epoch seconds by the sender's clock.
    pub signed_at: u64,
}

impl Sent {
    /// Whether it changes something.
    #[must_use]
    pub fn writes(&self) -> bool {
        !self.operation.contains("Get") && self.operation != "Query"
    }

    /// Whether it is too old, or too young, to be believed. Source: AWS General Reference, "Signature Version 4".
    #[must_use]
    pub fn is_dead(&self, now: u64) -> bool {
        now.abs_diff(self.signed_at) > SIGNATURE_LIFE_SECONDS
    }
}

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It arrives, and so does its answer.
    Fine,
    /// See [`Faults`], for this and the others.
    Lost,
    /// Applied without an answer.
    ReplyLost,
    /// Applied, and answered with 500.
    FailedAfter,
    /// Applied twice.
    Copied,
    /// Not applied.
    Throttled,
    /// Not applied.
    Conflict,
    /// Not applied.
    Canceled,
}

impl Fate {
    fn refusal(self) -> Option<&'static str> {
        match self {
            Self::Throttled => Some("ThrottlingException"),
            Self::Conflict => Some("TransactionConflictException"),
            _ => None,
        }
    }
}

/// Tells the call when the answer to a write of it was bad, or is not waited for any more.
struct Unanswered(bool);

impl Unanswered {
    fn answered(&mut self, status: u16) {
        self.0 &= status >= 500;
    }
}

impl Drop for Unanswered {
    fn drop(&mut self) {
        if self.0 {
            crate::frailty::unanswered();
        }
    }
}

impl HttpClient for Network {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Network {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let header = |name| request.headers().get(name).unwrap_or_default();
        let (service, operation) = header("x-amz-target").rsplit_once('.').unwrap_or_default();
        let sent = Sent {
            service: service.to_owned(),
            operation: operation.to_owned(),
            body: serde_json::from_slice(request.body().bytes().unwrap_or_default()).unwrap_or_default(),
            signed_at: crate::arrival::signing_instant(header("x-amz-date")),
        };
        let mut unanswered = Unanswered(sent.writes());
        let answer = self.send(sent);
        HttpConnectorFuture::new(async move {
            let broken = || ConnectorError::io("the connection broke".into());
            let (status, body) = answer.await.map_err(|_| broken())??;
            unanswered.answered(status);
            let status = status.try_into().map_err(|_| broken())?;
            Ok(HttpResponse::new(status, SdkBody::from(body.to_string())))
        })
    }
}
