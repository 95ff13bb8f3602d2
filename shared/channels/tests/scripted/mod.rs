//! A vendor that says what a test tells it to say, and keeps what it was asked.

use std::{
    collections::VecDeque,
    fmt::Write,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use domain::time::{Clock, Timestamp};
use holdfast_channels::{
    Context, Credentials, Transport, TransportError,
    transport::{Request, Response},
};
use wire::StatusCode;

/// 2026-11-25T10:00:05Z.
const NOW: Timestamp = Timestamp::from_epoch_seconds(1_795_600_805);

#[derive(Clone, Default)]
pub struct Scripted(Arc<Mutex<Script>>);

#[derive(Default)]
struct Script {
    answers: VecDeque<&'static str>,
    asked: String,
}

struct Still;

impl Clock for Still {
    fn now(&self) -> Timestamp {
        NOW
    }
}

#[async_trait]
impl Transport for Scripted {
    async fn send(&self, request: Request) -> Result<Response, TransportError> {
        let mut script = self.0.lock().unwrap();
        let answer = script.answers.pop_front().expect("no answer is left in the script");
        script.asked += &shown(&request);
        let (status, body) = match answer.split_once(' ').map(|(status, body)| (status.parse(), body)) {
            Some((Ok(status), body)) => (status, body),
            _ => (StatusCode::OK, answer),
        };
        let mut response = Response::new(body.into());
        *response.status_mut() = status;
        Ok(response)
    }
}

impl Scripted {
    /// Answers these, each with 200 if it does not begin with another status.
    pub fn new(answers: impl IntoIterator<Item = &'static str>) -> Self {
        Self(Arc::new(Mutex::new(Script { answers: answers.into_iter().collect(), asked: String::new() })))
    }

    pub fn context(&self, credentials: Credentials, options: &[(&str, &str)]) -> Context {
        let options = options.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Context { transport: Arc::new(self.clone()), clock: Arc::new(Still), credentials, endpoint: None, options }
    }

    /// Compares what was asked with its golden file.
    pub fn assert_golden(&self, name: &str) {
        let script = self.0.lock().unwrap();
        assert!(script.answers.is_empty(), "{} answers were not asked for", script.answers.len());
        let mut settings = insta::Settings::clone_current();
        settings.set_snapshot_path("../golden");
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        settings.bind(|| insta::assert_snapshot!(name, script.asked.trim_end()));
    }
}

/// As it goes over the wire, but for what is secret: a header with a secret must say that it is one.
fn shown(request: &Request) -> String {
    let mut text = format!("{} {}\n", request.method(), request.uri());
    let mut headers: Vec<_> = request.headers().iter().collect();
    headers.sort_by_key(|(name, _)| name.as_str());
    for (name, value) in headers {
        let value = if value.is_sensitive() { "(secret)" } else { value.to_str().unwrap() };
        writeln!(text, "{name}: {value}").unwrap();
    }
    let body = String::from_utf8_lossy(request.body());
    if !body.is_empty() {
        writeln!(text, "\n{body}").unwrap();
    }
    text + "\n"
}
