//! One call of the SP-API: address, token, and what its status means.
//!
//! Every call carries `x-amz-access-token`, which Login with Amazon gives for an hour in exchange for the refresh token. A call that is
//! not let in forgets the token and is made once more: an expired token is a 403 here (models: "Expired Token"). Requests have not been
//! signed since October 2023. Source: SP-API documentation, "Connect to the SP-API".

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;
use url::Url;
use wire::Method;

use crate::{
    CallError, Context,
    connector::{secret_header, words},
    endpoint,
    token::{AccessToken, TokenCell},
    transport::{Request, Response},
};

/// Where tokens come from. Source: SP-API documentation, "Connect to the SP-API", step 1.
const TOKEN_ENDPOINT: &str = "https://api.amazon.com/auth/o2/token";

/// Amazon wants to know who calls. Source: the same page, "Include a User-Agent header in all requests".
const USER_AGENT: &str = concat!("Holdfast/", env!("CARGO_PKG_VERSION"), " (Language=Rust)");

/// Bytes of an answer that are read. A hundred orders with long texts are below 2 MB.
const MAX_ANSWER_BYTES: usize = 16 << 20;

/// Characters of Amazon's words that are repeated.
const MAX_WORDS_CHARS: usize = 300;

/// How long to wait when Login with Amazon throttles and does not say, in seconds. It documents no number.
const TOKEN_RETRY_SECONDS: u64 = 30;

/// One operation, with everything in it but the token.
pub(super) struct Call {
    pub method: Method,
    /// Segments of the path, not encoded.
    pub path: Vec<String>,
    pub query: Vec<(&'static str, String)>,
    pub body: Option<Value>,
    /// From the operation's usage plan: how long it takes until one more call is allowed. The answer where a 429 says nothing.
    pub rate_seconds: u64,
}

/// The seller's side of the API.
pub(super) struct Api {
    pub context: Context,
    token: TokenCell,
}

impl Api {
    pub fn new(context: Context) -> Self {
        Self { context, token: TokenCell::default() }
    }

    /// An option that the channel must have.
    pub fn option(&self, name: &'static str) -> Result<&str, CallError> {
        let found = self.context.options.get(name).map(String::as_str).filter(|text| !text.is_empty());
        found.ok_or_else(|| CallError::Refused { reason: format!("the channel's settings have no {name:?}") })
    }

    fn base(&self) -> Result<Url, CallError> {
        let region = self.context.options.get("region").map_or("na", String::as_str);
        let address = match (&self.context.endpoint, region) {
            (Some(endpoint), _) => endpoint.clone(),
            // Source: SP-API documentation, "SP-API Endpoints".
            (None, "na" | "eu" | "fe") => format!("https://sellingpartnerapi-{region}.amazon.com"),
            (None, _) => return Err(CallError::Refused { reason: "the region must be na, eu or fe".into() }),
        };
        Url::parse(&address).map_err(|_| CallError::Refused { reason: "the channel's endpoint is not a URL".into() })
    }

    fn request(&self, call: &Call, token: &str) -> Result<Request, CallError> {
        let mut url = self.base()?;
        // Only `data:` and its like have no path; such an endpoint fails in `uri` below.
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(&call.path);
        }
        if !call.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&call.query);
        }
        let mut request = wire::Request::builder()
            .method(&call.method)
            .uri(url.as_str())
            .header("accept", "application/json")
            .header("user-agent", USER_AGENT)
            .header("x-amz-access-token", secret_header(token)?);
        if call.body.is_some() {
            request = request.header("content-type", "application/json");
        }
        let body = call.body.as_ref().map(|body| body.to_string().into_bytes()).unwrap_or_default();
        request.body(body).map_err(|_| CallError::Refused { reason: "the request cannot be written".into() })
    }

    /// Calls. A 404 is an answer, for whoever asked for something that may not be there.
    pub async fn call(&self, call: &Call) -> Result<Response, CallError> {
        let response = self.attempt(call).await?;
        if matches!(response.status().as_u16(), 401 | 403) {
            self.token.forget().await;
            return settle(self.attempt(call).await?, call.rate_seconds);
        }
        settle(response, call.rate_seconds)
    }

    async fn attempt(&self, call: &Call) -> Result<Response, CallError> {
        let token = self.token.get(self.context.clock.as_ref(), self.fetch_token()).await?;
        Ok(self.context.transport.send(self.request(call, &token)?).await?)
    }

    fn token_request(&self) -> Result<Request, CallError> {
        let credentials = &self.context.credentials;
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.append_pair("grant_type", "refresh_token");
        for name in ["refresh_token", "client_id", "client_secret"] {
            form.append_pair(name, credentials.get(name)?);
        }
        // It is sent all that is secret.
        let address = match self.context.options.get("token_endpoint") {
            Some(address) => endpoint::checked(address)?,
            None => TOKEN_ENDPOINT,
        };
        wire::Request::post(address)
            .header("accept", "application/json")
            .header("content-type", "application/x-www-form-urlencoded;charset=UTF-8")
            .header("user-agent", USER_AGENT)
            .body(form.finish().into_bytes())
            .map_err(|_| CallError::Refused { reason: "the channel's token_endpoint is not a URL".into() })
    }

    async fn fetch_token(&self) -> Result<AccessToken, CallError> {
        let request = self.token_request()?;
        let asked_at = self.context.clock.now();
        let response = self.context.transport.send(request).await?;
        match response.status().as_u16() {
            200 => {}
            429 => return Err(CallError::Throttled { retry_after_seconds: TOKEN_RETRY_SECONDS }),
            status @ 500.. => return Err(CallError::Unavailable { reason: format!("Login with Amazon: {status}") }),
            _ => return Err(CallError::Unauthorized { reason: token_refusal(response.body()) }),
        }
        // What is not understood may still contain the token: none of it is repeated.
        let token: Token = serde_json::from_slice(response.body())
            .map_err(|_| CallError::Unavailable { reason: "Login with Amazon answered without a token".into() })?;
        Ok(AccessToken { text: token.access_token, ends_at: asked_at.plus_seconds(token.expires_in) })
    }

    /// Sends to, or fetches from, an address that Amazon has signed for us. It is a secret for as long as it is valid, and so are the
    /// answers of the store behind it, which repeat it: neither is in any error.
    pub async fn presigned(&self, address: &str, upload: Option<(&str, Vec<u8>)>) -> Result<Response, CallError> {
        let failed = |reason: &str| CallError::Unavailable { reason: reason.to_owned() };
        let url = Url::parse(address).map_err(|_| failed("the document has no address"))?;
        // In the open only to where the channel itself is in the open: a test, the local stack.
        if url.scheme() != "https" && url.origin() != self.base()?.origin() {
            return Err(failed("the document's address is not encrypted"));
        }
        let mut request = wire::Request::builder().uri(url.as_str()).header("user-agent", USER_AGENT);
        let mut body = Vec::new();
        if let Some((content_type, bytes)) = upload {
            request = request.method(Method::PUT).header("content-type", content_type);
            body = bytes;
        }
        let request = request.body(body).map_err(|_| failed("the document's address cannot be written"))?;
        let response = self.context.transport.send(request).await.map_err(|_| failed("the document store is away"))?;
        match response.status().as_u16() {
            200..300 => Ok(response),
            status => Err(failed(&format!("the document store answered {status}"))),
        }
    }
}

/// What a status means for every operation.
fn settle(response: Response, seconds_per_call: u64) -> Result<Response, CallError> {
    match response.status().as_u16() {
        200..300 | 404 => Ok(response),
        401 | 403 => Err(CallError::Unauthorized { reason: said(&response) }),
        429 => Err(CallError::Throttled { retry_after_seconds: retry_after_seconds(&response, seconds_per_call) }),
        status @ 500.. => Err(CallError::Unavailable { reason: format!("{status} {}", said(&response)) }),
        _ => Err(CallError::Refused { reason: said(&response) }),
    }
}

/// Amazon does not say when to come again, but how many calls a second it allows, `x-amzn-RateLimit-Limit: 0.0056`. Only a whole or
/// decimal number is read, without any rounding in between. Source: SP-API documentation, "Usage Plans and Rate Limits".
fn retry_after_seconds(response: &Response, seconds_per_call: u64) -> u64 {
    let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    if let Some(seconds) = header("retry-after").and_then(|text| text.parse().ok()) {
        return seconds;
    }
    let seconds = header("x-amzn-ratelimit-limit").and_then(|text| {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let digits = format!("{whole}{fraction}");
        let calls: u64 = digits.parse().ok()?;
        let per_seconds = 10_u64.checked_pow(u32::try_from(fraction.len()).ok()?)?;
        (calls > 0).then(|| per_seconds.div_ceil(calls))
    });
    seconds.unwrap_or(seconds_per_call)
}

/// Reads an answer.
pub(super) fn decode<T: DeserializeOwned>(what: &str, body: &[u8]) -> Result<T, CallError> {
    if body.len() > MAX_ANSWER_BYTES {
        return Err(CallError::Unavailable { reason: format!("{what}: too long") });
    }
    serde_json::from_slice(body).map_err(|error| CallError::Unavailable { reason: format!("{what}: {error}") })
}

/// Amazon's words for an error: the codes and messages of its list, or the beginning of whatever it sent.
pub(super) fn said(response: &Response) -> String {
    #[derive(Deserialize)]
    struct Errors {
        errors: Vec<Error>,
    }
    #[derive(Deserialize)]
    struct Error {
        code: String,
        message: String,
    }
    match serde_json::from_slice::<Errors>(response.body()) {
        Ok(list) if !list.errors.is_empty() => {
            in_short(list.errors.iter().map(|error| format!("{}: {}", error.code, error.message)))
        }
        _ => words(response),
    }
}

/// Sentences, one after the other, and not too many of them.
pub(super) fn in_short(sentences: impl IntoIterator<Item = String>) -> String {
    let all = sentences.into_iter().collect::<Vec<_>>().join("; ");
    all.chars().filter(|c| !c.is_control()).take(MAX_WORDS_CHARS).collect()
}

#[derive(Deserialize)]
struct Token {
    access_token: String,
    expires_in: u64,
}

/// Why no token was given. Source: RFC 6749, 5.2. Only these two fields: an error never holds a token.
fn token_refusal(body: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Refusal {
        error: String,
        #[serde(default)]
        error_description: String,
    }
    match serde_json::from_slice::<Refusal>(body) {
        Ok(refusal) => in_short([format!("{}: {}", refusal.error, refusal.error_description)]),
        Err(_) => "Login with Amazon gives no token".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use async_trait::async_trait;
    use domain::time::{Clock, Timestamp};

    use super::*;
    use crate::{Credentials, Transport, TransportError};

    struct Nobody;

    #[async_trait]
    impl Transport for Nobody {
        async fn send(&self, _request: Request) -> Result<Response, TransportError> {
            Err(TransportError { reason: "nobody is there".to_owned() })
        }
    }

    struct Noon;

    impl Clock for Noon {
        fn now(&self) -> Timestamp {
            Timestamp::from_epoch_seconds(1_800_000_000)
        }
    }

    fn api(token_endpoint: Option<&str>) -> Api {
        let credentials: Credentials =
            [("client_id", "id"), ("client_secret", "s3cret"), ("refresh_token", "r3fresh")].into();
        let options = token_endpoint.map(|address| ("token_endpoint".to_owned(), address.to_owned()));
        Api::new(Context {
            transport: Arc::new(Nobody),
            clock: Arc::new(Noon),
            credentials,
            endpoint: None,
            options: options.into_iter().collect(),
        })
    }

    #[test]
    fn secrets_are_not_sent_for_a_token_in_the_open() {
        for (address, is_let) in [
            (None, true),
            (Some("https://api.amazon.co.jp/auth/o2/token"), true),
            (Some("http://127.0.0.1:8080/auth/o2/token"), true),
            (Some("http://api.amazon.com/auth/o2/token"), false),
            (Some("https://user:word@api.amazon.com/auth/o2/token"), false),
            (Some("no address"), false),
        ] {
            let request = api(address).token_request();
            assert_eq!(request.is_ok(), is_let, "{address:?}");
            let told = request.map_or_else(|error| error.to_string(), |request| request.uri().to_string());
            assert!(!told.contains("word") && !told.contains("s3cret"), "{told}");
        }
    }

    #[test]
    fn a_token_is_not_printed_with_its_request() {
        let call =
            Call { method: Method::GET, path: vec!["x".to_owned()], query: Vec::new(), body: None, rate_seconds: 1 };
        let request = api(None).request(&call, "t0ken").unwrap();
        assert_eq!(request.headers()["x-amz-access-token"], "t0ken");
        assert!(!format!("{request:?}").contains("t0ken"));
        assert!(api(None).request(&call, "t0\nken").is_err());
    }

    fn answer(status: u16, headers: &[(&'static str, &str)], body: &str) -> Response {
        let mut response = Response::new(body.as_bytes().to_vec());
        *response.status_mut() = status.try_into().unwrap();
        for (name, value) in headers {
            response.headers_mut().insert(*name, value.parse().unwrap());
        }
        response
    }

    #[test]
    fn a_rate_says_when_to_come_again() {
        for (rate, seconds) in [
            ("5.0", 1),
            ("2", 1),
            ("0.5", 2),
            ("0.0056", 179),
            ("0.0222", 46),
            ("0", 7),
            ("", 7),
            ("-1", 7),
            ("1e3", 7),
            ("0.00000000000000000000001", 7),
        ] {
            let error = settle(answer(429, &[("x-amzn-ratelimit-limit", rate)], ""), 7).unwrap_err();
            assert_eq!(error, CallError::Throttled { retry_after_seconds: seconds }, "{rate}");
        }
        let named = answer(429, &[("x-amzn-ratelimit-limit", "0.5"), ("retry-after", "9")], "");
        assert_eq!(settle(named, 7).unwrap_err(), CallError::Throttled { retry_after_seconds: 9 });
    }

    #[test]
    fn amazons_words_are_repeated_and_not_at_length() {
        let list = r#"{"errors":[{"code":"InvalidInput","message":"no such\nmarketplace","details":""}]}"#;
        let refused = |reason: &str| CallError::Refused { reason: reason.to_owned() };
        assert_eq!(settle(answer(400, &[], list), 1).unwrap_err(), refused("InvalidInput: no suchmarketplace"));
        assert_eq!(settle(answer(413, &[], "<html>"), 1).unwrap_err(), refused("<html>"));
        let long = answer(503, &[], &"x".repeat(5_000));
        let Err(CallError::Unavailable { reason }) = settle(long, 1) else { panic!("503 is not available") };
        assert_eq!(reason.len(), "503 ".len() + 300);
    }

    #[test]
    fn a_refused_token_says_why_and_nothing_else() {
        let body = br#"{"error":"invalid_grant","error_description":"revoked","access_token":"s3cret"}"#;
        assert_eq!(token_refusal(body), "invalid_grant: revoked");
        assert_eq!(token_refusal(br#"{"access_token":"s3cret"}"#), "Login with Amazon gives no token");
    }
}
