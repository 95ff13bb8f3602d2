//! A network that fails on demand: a reply is lost after the write was applied, a bucket is throttled, a plain write meets a
//! transaction. The SDK and its retries are the real ones.

use std::{
    sync::{Arc, Mutex},
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

/// What goes wrong, with the next request that contains the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mishap {
    /// The request is applied, and its reply never comes.
    LostReply,
    /// It is not applied: too many requests for one partition.
    Throttled,
    /// It is not applied: a transaction is under way on the same item.
    Conflict,
    /// The item that it changes is deleted right before, as by TTL.
    Deleted,
}

/// An operation, a text in its body, and what happens to it.
type Planned = (&'static str, String, Mishap);

/// The mishaps to come: for requests whose operation and body contain these texts.
#[derive(Debug, Clone, Default)]
pub(super) struct Mishaps {
    planned: Arc<Mutex<Vec<Planned>>>,
    dates: Arc<Mutex<Vec<(String, String)>>>,
    /// How many writes are applied before nothing is any more.
    last_writes: Arc<Mutex<Option<usize>>>,
}

impl Mishaps {
    pub(super) fn plan(&self, operation: &'static str, text: &str, mishap: Mishap, times: usize) {
        let planned = std::iter::repeat_n((operation, text.to_owned(), mishap), times);
        self.planned.lock().unwrap().extend(planned);
    }

    /// The process dies after so many more writes: no other request is applied.
    pub(super) fn die_after(&self, writes: usize) {
        *self.last_writes.lock().unwrap() = Some(writes);
    }

    /// Another process takes over. Says whether the last one died.
    pub(super) fn rise(&self) -> bool {
        self.last_writes.lock().unwrap().take() == Some(0)
    }

    fn is_dead(&self, operation: &str) -> bool {
        let mut last_writes = self.last_writes.lock().unwrap();
        match last_writes.as_mut() {
            Some(0) => true,
            Some(left) if matches!(operation, "UpdateItem" | "PutItem" | "TransactWriteItems" | "DeleteItem") => {
                *left -= 1;
                false
            }
            _ => false,
        }
    }

    /// None is to come.
    pub(super) fn forget(&self) {
        self.planned.lock().unwrap().clear();
    }

    /// Those that have not happened.
    pub(super) fn left(&self) -> usize {
        self.planned.lock().unwrap().len()
    }

    /// The signing date of every request so far, by operation.
    pub(super) fn dates(&self, operation: &str) -> Vec<String> {
        let dates = self.dates.lock().unwrap();
        dates.iter().filter(|(name, _)| name == operation).map(|(_, date)| date.clone()).collect()
    }

    fn next(&self, operation: &str, body: &str) -> Option<Mishap> {
        let mut planned = self.planned.lock().unwrap();
        let found = planned.iter().position(|(name, text, _)| *name == operation && body.contains(text.as_str()))?;
        Some(planned.remove(found).2)
    }

    /// The network with these mishaps in it.
    pub(super) fn network(&self) -> SharedHttpClient {
        let network = aws_smithy_http_client::Builder::new().build_http();
        SharedHttpClient::new(Faulty { network, mishaps: self.clone() })
    }
}

#[derive(Debug)]
struct Faulty {
    network: SharedHttpClient,
    mishaps: Mishaps,
}

impl HttpClient for Faulty {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        let connector = self.network.http_connector(settings, components);
        SharedHttpConnector::new(FaultyConnector { connector, mishaps: self.mishaps.clone() })
    }
}

#[derive(Debug)]
struct FaultyConnector {
    connector: SharedHttpConnector,
    mishaps: Mishaps,
}

impl HttpConnector for FaultyConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let header = |name| request.headers().get(name).unwrap_or_default().to_owned();
        let operation = header("x-amz-target").rsplit('.').next().unwrap_or_default().to_owned();
        self.mishaps.dates.lock().unwrap().push((operation.clone(), header("x-amz-date")));
        let body = String::from_utf8_lossy(request.body().bytes().unwrap_or_default()).into_owned();
        let answer = |code: &str| {
            let body = format!(r#"{{"__type":"com.amazonaws.dynamodb.v20120810#{code}","message":"planned"}}"#);
            HttpResponse::new(400.try_into().unwrap(), SdkBody::from(body))
        };
        if self.mishaps.is_dead(&operation) {
            return HttpConnectorFuture::ready(Ok(answer("AccessDeniedException")));
        }
        match self.mishaps.next(&operation, &body) {
            None => self.connector.call(request),
            Some(Mishap::Throttled) => HttpConnectorFuture::ready(Ok(answer("ThrottlingException"))),
            Some(Mishap::Conflict) => HttpConnectorFuture::ready(Ok(answer("TransactionConflictException"))),
            Some(Mishap::Deleted) => {
                let (deleting, connector) = (self.connector.call(deletion(&request, &body)), self.connector.clone());
                HttpConnectorFuture::new(async move {
                    assert_eq!(deleting.await?.status().as_u16(), 200, "the item is deleted");
                    connector.call(request).await
                })
            }
            Some(Mishap::LostReply) => {
                let applied = self.connector.call(request);
                HttpConnectorFuture::new(async move {
                    applied.await?;
                    tokio::time::sleep(Duration::from_millis(1)).await;
                    Err(ConnectorError::io("the reply was lost".into()))
                })
            }
        }
    }
}

/// A request that deletes the item of an update. No engine that these tests run against looks at its signature.
fn deletion(update: &HttpRequest, body: &str) -> HttpRequest {
    let field = |name: &str, until: &str| {
        let from = body.find(name).expect("an update names its table and its key");
        let length = body[from..].find(until).expect("the field ends") + until.len();
        &body[from..from + length]
    };
    let body =
        format!("{{{},{}}}", field(r#""TableName":""#, r#"","#).trim_end_matches(','), field(r#""Key":{"#, "}}"));
    let mut deletion = update.try_clone().expect("its body is in memory");
    let headers = deletion.headers_mut();
    headers.insert("x-amz-target", "DynamoDB_20120810.DeleteItem");
    headers.insert("content-length", body.len().to_string());
    *deletion.body_mut() = SdkBody::from(body);
    deletion
}
