//! A DynamoDB that fails when it is told to: it stands between a stack and the real one, and a test decides the fate of each
//! request. What a handler has not finished when its writes begin to fail is what a crash would have left.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use serde_json::json;
use tokio::{net::TcpListener, task::JoinHandle};

/// How late a request is that has to wait; well below the second after which a handler would try again.
const DELAY: Duration = Duration::from_millis(400);

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It is served.
    Pass,
    /// It fails for now, and has done nothing.
    Fail,
    /// It is served late: whatever others have sent by then comes first.
    Wait,
    /// It is served, but the answer is lost.
    LoseReply,
    /// It is refused as if it were a bug of ours.
    Reject,
}

type Judge = Box<dyn FnMut(&str, &str) -> Fate + Send>;

/// The server in between.
pub struct Flaky {
    pub url: String,
    judge: Arc<Mutex<Judge>>,
    server: JoinHandle<()>,
}

#[derive(Clone)]
struct Between {
    http: reqwest::Client,
    upstream: String,
    judge: Arc<Mutex<Judge>>,
}

impl Flaky {
    /// Stands before the server at `upstream`, and lets everything pass.
    pub async fn before(upstream: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let judge: Arc<Mutex<Judge>> = Arc::new(Mutex::new(Box::new(|_: &str, _: &str| Fate::Pass)));
        let http = reqwest::Client::builder().no_proxy().build().expect("a client");
        let between = Between { http, upstream: upstream.to_owned(), judge: Arc::clone(&judge) };
        let router = Router::new().fallback(pass_on).with_state(between);
        let server = tokio::spawn(async { drop(axum::serve(listener, router).await) });
        Self { url, judge, server }
    }

    /// From now on, `judge` decides by the operation: `PutItem`, `UpdateItem`, …
    pub fn judge(&self, mut judge: impl FnMut(&str) -> Fate + Send + 'static) {
        self.judge_bodies(move |operation, _| judge(operation));
    }

    /// From now on, `judge` decides by the operation and the body.
    pub fn judge_bodies(&self, judge: impl FnMut(&str, &str) -> Fate + Send + 'static) {
        *self.judge.lock().expect("no panic while judging") = Box::new(judge);
    }

    /// From now on, requests of these operations meet this fate.
    pub fn condemn(&self, operations: &'static [&'static str], fate: Fate) {
        self.judge(move |operation| if operations.contains(&operation) { fate } else { Fate::Pass });
    }

    /// Everything passes again.
    pub fn heal(&self) {
        self.condemn(&[], Fate::Pass);
    }
}

impl Drop for Flaky {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn pass_on(State(between): State<Between>, headers: HeaderMap, body: Bytes) -> Response {
    let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok()).unwrap_or_default();
    let operation = target.split('.').next_back().unwrap_or_default();
    let fate = (between.judge.lock().expect("no panic while judging"))(operation, &String::from_utf8_lossy(&body));
    if fate == Fate::Fail {
        return failure(StatusCode::INTERNAL_SERVER_ERROR, "InternalServerError");
    }
    if fate == Fate::Reject {
        return failure(StatusCode::BAD_REQUEST, "ValidationException");
    }
    if fate == Fate::Wait {
        tokio::time::sleep(DELAY).await;
    }
    let mut request = between.http.post(&between.upstream).body(body);
    for (name, value) in headers.iter().filter(|(name, _)| *name != "host" && *name != "content-length") {
        request = request.header(name, value);
    }
    let Ok(answer) = request.send().await else {
        return failure(StatusCode::INTERNAL_SERVER_ERROR, "InternalServerError");
    };
    let (status, content_type) = (answer.status(), answer.headers().get("content-type").cloned());
    let checksum = answer.headers().get("x-amz-crc32").cloned();
    let body = answer.bytes().await.unwrap_or_default();
    if fate == Fate::LoseReply {
        return failure(StatusCode::INTERNAL_SERVER_ERROR, "InternalServerError");
    }
    let mut response = (status, body).into_response();
    for (name, value) in [("content-type", content_type), ("x-amz-crc32", checksum)] {
        if let Some(value) = value {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

fn failure(status: StatusCode, code: &str) -> Response {
    let body = json!({ "__type": format!("com.amazonaws.dynamodb.v20120810#{code}"), "message": "secret-arn" });
    (status, [("content-type", "application/x-amz-json-1.0")], body.to_string()).into_response()
}
