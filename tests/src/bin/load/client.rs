//! Calls the API, and makes a call again under the same key until it is answered.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use fastrand::Rng;
use reqwest::{Method, StatusCode};
use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::ledger::{Call, Deed, Told};

/// Between two attempts; each further one waits longer, up to [`LONGEST_WAIT`].
const FIRST_WAIT: Duration = Duration::from_millis(50);
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// Refusals that the load is made to bring about. Any other says that the load or the service is wrong.
const EXPECTED: [&str; 5] =
    ["insufficient-stock", "already-canceled", "already-confirmed", "reservation-expired", "too-many-extensions"];

/// How often which answer was heard: 201, `insufficient-stock`, `timeout` …
pub type Tally = BTreeMap<String, u64>;

pub struct Client {
    http: reqwest::Client,
    url: String,
    tally: Mutex<Tally>,
    errors: Mutex<Vec<String>>,
}

impl Client {
    pub fn new(url: &str, timeout: Duration) -> Result<Self> {
        // Whoever was first has chosen; there is one provider in the program.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder().no_proxy().timeout(timeout).build()?;
        Ok(Self { http, url: url.trim_end_matches('/').to_owned(), tally: Mutex::default(), errors: Mutex::default() })
    }

    pub fn tally(&self) -> Tally {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Which request heard which error.
    pub fn errors(&self) -> Vec<String> {
        self.errors.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn count(&self, what: &str) {
        *self.tally.lock().unwrap_or_else(PoisonError::into_inner).entry(what.to_owned()).or_default() += 1;
    }

    /// One attempt. None: nobody answered, or the answer was "try again".
    pub async fn attempt(&self, call: &Call) -> Option<Told> {
        let mut headers = vec![("idempotency-key", call.key.as_str())];
        if call.in_turn() {
            headers.push(("prefer", "respond-async"));
        }
        let (status, body) = self.send(Method::POST, &call.path, &headers, Some(&call.body)).await.ok()?;
        let told = Told::new(status.as_u16(), &body);
        self.count(&told.problem.clone().unwrap_or_else(|| told.status.to_string()));
        (!status.is_server_error() && status != StatusCode::TOO_MANY_REQUESTS).then_some(told)
    }

    /// Makes the call until it is answered or it is `until`.
    pub async fn insist(&self, call: &Call, dice: &mut Rng, until: Instant) -> Option<Told> {
        let mut wait = FIRST_WAIT;
        loop {
            if let Some(told) = self.attempt(call).await {
                return Some(told);
            }
            let pause = wait.mul_f64(0.5 + dice.f64());
            if Instant::now() + pause >= until {
                return None;
            }
            sleep(pause).await;
            wait = LONGEST_WAIT.min(wait * 2);
        }
    }

    /// What is stored, once somebody answers.
    pub async fn get(&self, path: &str, until: Instant) -> Result<(u16, Value)> {
        loop {
            let why = match self.send(Method::GET, path, &[], None).await {
                Ok((status, body)) if !status.is_server_error() => return Ok((status.as_u16(), body)),
                Ok((status, _)) => {
                    self.count(&format!("GET {status}"));
                    status.to_string()
                }
                Err(why) => why,
            };
            ensure!(Instant::now() < until, "GET {path}: {why}");
            sleep(LONGEST_WAIT / 4).await;
        }
    }

    /// A request that has to be answered, and may be made again: until it is, or it is `until`.
    pub async fn must(
        &self,
        method: Method,
        path: &str,
        key: Option<&str>,
        body: &Value,
        until: Instant,
    ) -> Result<Value> {
        let headers: Vec<_> = key.map(|key| ("idempotency-key", key)).into_iter().collect();
        loop {
            let why = match self.send(method.clone(), path, &headers, Some(body)).await {
                Ok((status, answer)) if status.is_success() => return Ok(answer),
                Ok((status, answer)) => format!("{status} {answer}"),
                Err(why) => why,
            };
            ensure!(Instant::now() < until, "{path}: {why}");
            sleep(LONGEST_WAIT / 4).await;
        }
    }

    /// Moves the clock of the local stack, and answers what time it is there, in epoch seconds.
    pub async fn advance_clock(&self, seconds: u64) -> Result<u64> {
        let body = serde_json::json!({ "advance_seconds": seconds });
        // Once only: whether or not it is answered, it moves.
        let now = self.must(Method::POST, "/_local/clock", None, &body, Instant::now()).await?;
        now["epoch_seconds"].as_u64().context("a clock without a time")
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<(StatusCode, Value), String> {
        let mut request = self.http.request(method, format!("{}{path}", self.url));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let note = |why: &str| {
            let key = headers.first().map_or("", |(_, key)| key);
            self.errors.lock().unwrap_or_else(PoisonError::into_inner).push(format!("{path} {key}: {why}"));
        };
        let broken = |fault: reqwest::Error| {
            let why = if fault.is_timeout() { "timeout" } else { "no connection" };
            self.count(why);
            note(why);
            why.to_owned()
        };
        let answer = request.send().await.map_err(broken)?;
        let status = answer.status();
        let text = answer.text().await.map_err(broken)?;
        if status.is_server_error() {
            note(&text);
        }
        Ok((status, serde_json::from_str(&text).unwrap_or(Value::Null)))
    }
}

/// Whether this is one of the answers that the call may get.
pub fn is_expected(deed: Deed, told: &Told) -> bool {
    match &told.problem {
        None => {
            told.status
                == match deed {
                    Deed::Reserve | Deed::Order | Deed::Move => 201,
                    Deed::Queue | Deed::QueuePayment => 202,
                    Deed::Confirm | Deed::Cancel | Deed::Extend => 200,
                }
        }
        Some(problem) => EXPECTED.contains(&problem.as_str()),
    }
}

/// Whether shoppers heard of an error, be it one that passes.
pub fn is_error(name: &str) -> bool {
    matches!(name, "timeout" | "no connection" | "contended" | "internal-error")
        || name.trim_start_matches("GET ").starts_with('5')
}
