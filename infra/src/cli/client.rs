//! Calls the API as a careful shop would: every POST has an Idempotency-Key, so a call that was not answered is made again with
//! the same key, a bounded number of times, and cannot do its work twice.
//!
//! One [`Client`] serves all shoppers of a command and remembers how long each call took. Once a call has found nobody for the
//! whole of its patience, the service is gone: later calls fail at once rather than wait in their turn.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

use domain::ids::Channel;
use reqwest::{
    Method, Url,
    header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, RETRY_AFTER},
};
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::time::{Instant, sleep};

use super::{
    Failure,
    answer::{Answer, NotDone, Problem},
    report::CallReport,
    service::Service,
    signature::Signer,
};

/// API Gateway answers within 30 seconds or not at all.
const TIMEOUT: Duration = Duration::from_secs(32);
/// Nobody waits longer than this between two attempts, whatever `Retry-After` asks for.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// How often a call is made again, and how long after.
#[derive(Debug, Clone, Copy)]
struct Patience {
    attempts: u32,
    first_wait: Duration,
}

impl Patience {
    /// About 12 seconds: a service that restarts is back by then.
    const REAL: Self = Self { attempts: 8, first_wait: Duration::from_millis(100) };

    /// Doubles from attempt to attempt. Shoppers who failed together come back apart: the key makes the difference.
    fn wait(self, attempt: u32, key: &str, asked: Option<Duration>) -> Duration {
        let longest = self.first_wait.saturating_mul(1 << attempt.min(16)).min(LONGEST_WAIT);
        let part = u32::from(Sha256::digest(key)[attempt as usize % 32]) + 256;
        (longest * part / 512).max(asked.unwrap_or_default().min(LONGEST_WAIT))
    }
}

/// One request, without the parts that are the same for all of them.
#[derive(Debug)]
pub struct Call<'a> {
    /// What it is called in the statistics.
    pub name: &'static str,
    pub method: Method,
    /// Segments after `/v1`.
    pub path: &'a [&'a str],
    pub channel: Option<&'a Channel>,
    pub key: Option<String>,
    pub body: Option<Value>,
}

/// What happened to all calls of one name.
#[derive(Debug, Default)]
struct Tally {
    /// Of every call that was answered, its retries included.
    latencies_us: Vec<u64>,
    replayed: u64,
    retries: u64,
}

enum Identity {
    Nobody,
    Bearer(String),
    Signed(Box<Signer>),
}

/// What came back from one attempt.
enum Attempt {
    Done(Answer),
    Refused(Problem),
    Again { why: NotDone, after: Option<Duration> },
    Locked(String),
}

/// Talks to one service on behalf of many shoppers.
pub struct Client {
    http: reqwest::Client,
    url: Url,
    identity: Identity,
    patience: Patience,
    tallies: Mutex<BTreeMap<&'static str, Tally>>,
    gone: OnceLock<String>,
}

impl Client {
    /// A client for `service`.
    pub async fn new(service: Service) -> Result<Self, Failure> {
        // Whoever was first has chosen; there is one provider in the program.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .timeout(TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("holdfast/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| Failure(format!("No HTTPS client can be made on this machine: {}.", chain(&error))))?;
        let identity = match service.token {
            _ if service.sigv4 => Identity::Signed(Box::new(Signer::new().await?)),
            Some(token) => Identity::Bearer(token.0),
            None => Identity::Nobody,
        };
        Ok(Self {
            http,
            url: service.url,
            identity,
            patience: Patience::REAL,
            tallies: Mutex::default(),
            gone: OnceLock::new(),
        })
    }

    /// Makes `call`, again and again if need be.
    pub async fn call(&self, call: Call<'_>) -> Result<Answer, NotDone> {
        if let Some(why) = self.gone.get() {
            return Err(NotDone::Unreachable(why.clone()));
        }
        let started = Instant::now();
        let mut attempt = 0;
        let done = loop {
            match self.attempt(&call).await {
                Attempt::Done(answer) => break Ok(answer),
                Attempt::Refused(problem) => break Err(NotDone::Refused(problem)),
                Attempt::Locked(why) => return Err(self.give_up(why)),
                Attempt::Again { why, after } => {
                    attempt += 1;
                    if attempt >= self.patience.attempts {
                        match why {
                            NotDone::Unreachable(why) => return Err(self.give_up(why)),
                            refused @ NotDone::Refused(_) => break Err(refused),
                        }
                    }
                    sleep(self.patience.wait(attempt, call.key.as_deref().unwrap_or_default(), after)).await;
                }
            }
        };
        let mut tallies = self.tallies();
        let tally = tallies.entry(call.name).or_default();
        tally.latencies_us.push(u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX));
        tally.retries += u64::from(attempt);
        tally.replayed += u64::from(done.as_ref().is_ok_and(|answer| answer.replayed));
        done
    }

    /// What all calls until now amount to, by name.
    pub fn report(&self) -> Vec<CallReport> {
        let tallies = self.tallies();
        tallies
            .iter()
            .map(|(&call, tally)| CallReport::new(call, &tally.latencies_us, tally.replayed, tally.retries))
            .collect()
    }

    fn give_up(&self, why: String) -> NotDone {
        NotDone::Unreachable(self.gone.get_or_init(|| why).clone())
    }

    fn tallies(&self) -> MutexGuard<'_, BTreeMap<&'static str, Tally>> {
        // Whoever panicked with the lock in hand left counters behind, and those are whole at any moment.
        self.tallies.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn attempt(&self, call: &Call<'_>) -> Attempt {
        let unreachable = |error: &reqwest::Error| {
            let why = format!("The service at {} does not answer: {}.", self.url, chain(error));
            Attempt::Again { why: NotDone::Unreachable(why), after: None }
        };
        let request = match self.request(call).await {
            Ok(request) => request,
            Err(failure) => return Attempt::Locked(failure.to_string()),
        };
        let response = match self.http.execute(request).await {
            Ok(response) => response,
            Err(error) => return unreachable(&error),
        };
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        match response.bytes().await {
            Ok(body) => self.judge(status, &headers, serde_json::from_slice(&body).unwrap_or_default()),
            Err(error) => unreachable(&error),
        }
    }

    fn judge(&self, status: u16, headers: &HeaderMap, body: Value) -> Attempt {
        match status {
            200..300 => Attempt::Done(Answer { body, replayed: headers.get("idempotency-replayed").is_some() }),
            401 | 403 => Attempt::Locked(format!(
                "The service at {} did not let us in (status {status}): give a token with --token, or sign with --sigv4.",
                self.url
            )),
            429 | 502..=504 => {
                let seconds = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
                let why = NotDone::Refused(Problem::read(status, &body));
                Attempt::Again { why, after: seconds.map(Duration::from_secs) }
            }
            _ => Attempt::Refused(Problem::read(status, &body)),
        }
    }

    async fn request(&self, call: &Call<'_>) -> Result<reqwest::Request, Failure> {
        let mut url = self.url.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().push("v1").extend(call.path);
        }
        if let Some(channel) = call.channel {
            url.query_pairs_mut().append_pair("channel", channel.as_str());
        }
        let body = call.body.as_ref().map(Value::to_string).unwrap_or_default();
        let mut request = self.http.request(call.method.clone(), url);
        if let Some(key) = &call.key {
            request = request.header("idempotency-key", key);
        }
        if let Identity::Bearer(token) = &self.identity {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        if call.body.is_some() {
            request = request.header(CONTENT_TYPE, "application/json").body(body.clone());
        }
        let mut request =
            request.build().map_err(|error| Failure(format!("No request can be made: {}.", chain(&error))))?;
        if let Identity::Signed(signer) = &self.identity {
            signer.sign(&mut request, body.as_bytes()).await?;
        }
        Ok(request)
    }
}

/// The innermost reason: "Connection refused" says more than "error sending request".
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string().trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{
        super::{fake::Fake, service::Token},
        *,
    };

    impl Client {
        /// A client that waits for nobody.
        pub async fn hasty(url: &str) -> Self {
            let service = Service { url: url.parse().unwrap(), token: Some(Token::from("t".to_owned())), sigv4: false };
            let patience = Patience { attempts: 3, first_wait: Duration::from_millis(1) };
            Self { patience, ..Self::new(service).await.unwrap() }
        }
    }

    fn receive(key: &str) -> Call<'_> {
        Call {
            name: "receive",
            method: Method::POST,
            path: &["stock", "milk", "movements"],
            channel: None,
            key: Some(key.to_owned()),
            body: Some(json!({"kind": "receive", "quantity": 5, "reason": "test"})),
        }
    }

    #[tokio::test]
    async fn a_busy_service_is_asked_again_with_the_same_key_and_only_so_often() {
        let fake = Fake::start().await;
        fake.stock("milk", 0);
        let client = Client::hasty(&fake.url).await;
        fake.fail_next(2);
        assert!(!client.call(receive("k1")).await.unwrap().replayed);
        fake.fail_next(3);
        assert!(client.call(receive("k2")).await.unwrap_err().is("contended"));
        assert!(client.call(receive("k1")).await.unwrap().replayed);
        assert_eq!(fake.available("milk"), 5);
        let report = client.report();
        assert_eq!((report[0].calls, report[0].retries, report[0].replayed), (3, 5, 1));
    }

    #[tokio::test]
    async fn a_service_that_is_gone_is_asked_no_more() {
        // Port 9 (discard) of the loopback: nobody listens there.
        let client = Client::hasty("http://127.0.0.1:9").await;
        for _ in 0..2 {
            let NotDone::Unreachable(why) = client.call(receive("k")).await.unwrap_err() else { panic!("it answered") };
            assert!(why.starts_with("The service at http://127.0.0.1:9/ does not answer: "), "{why}");
        }
        assert!(client.gone.get().is_some());
    }

    #[tokio::test]
    async fn a_stranger_is_told_how_to_get_in() {
        let fake = Fake::start().await;
        let client = Client { identity: Identity::Nobody, ..Client::hasty(&fake.url).await };
        let why = client.call(receive("k")).await.unwrap_err().sentence();
        assert!(why.contains("--token") && why.contains("401"), "{why}");
    }

    #[test]
    fn waits_grow_are_bounded_and_differ_by_key() {
        let patience = Patience::REAL;
        let total: Duration = (1..patience.attempts).map(|attempt| patience.wait(attempt, "a", None)).sum();
        assert!(total > Duration::from_secs(6) && total < Duration::from_secs(13), "{total:?}");
        assert_ne!(patience.wait(3, "a", None), patience.wait(3, "b", None));
        assert_eq!(patience.wait(1, "a", Some(Duration::from_secs(2))), Duration::from_secs(2));
        assert_eq!(patience.wait(1, "a", Some(Duration::from_mins(15))), LONGEST_WAIT);
    }
}
