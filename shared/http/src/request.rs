//! What arrived: an API Gateway event (HTTP API, payload format 2.0) as plain values. Nothing is refused here; what cannot be
//! understood is refused by [`crate::input`], field by field.

use std::{borrow::Cow, collections::HashMap};

use aws_lambda_events::apigw::{ApiGatewayRequestAuthorizer, ApiGatewayV2httpRequest};
use base64::{Engine, engine::general_purpose::STANDARD};
use domain::ids::Caller;
use percent_encoding::percent_decode_str;

use crate::{Problem, Response};

/// Characters of an `X-Request-Id` that is echoed; a longer one is replaced by API Gateway's own.
const MAX_REQUEST_ID_CHARS: usize = 128;

/// One HTTP request.
#[derive(Debug, Clone)]
pub struct Request {
    route: String,
    path: HashMap<String, String>,
    query: Vec<(String, String)>,
    headers: Vec<(String, String)>,
    /// Nothing if API Gateway said base64 and it was not.
    body: Option<Vec<u8>>,
    caller: Caller,
    actor: String,
    id: String,
    method: String,
    /// Host and path, as the caller wrote them.
    place: String,
}

impl Request {
    /// Reads the event.
    #[must_use]
    pub fn from_event(event: ApiGatewayV2httpRequest) -> Self {
        let headers: Vec<(String, String)> = event
            .headers
            .iter()
            // A byte that is not ASCII becomes U+FFFD, which no field of this API allows: the field is refused by its name.
            .map(|(name, value)| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
            .collect();
        let (caller, actor) = who(event.request_context.authorizer.as_ref());
        let query = form_urlencoded::parse(event.raw_query_string.as_deref().unwrap_or_default().as_bytes());
        let body = event.body.unwrap_or_default();
        let host = event.request_context.domain_name.unwrap_or_default();
        let mut request = Self {
            method: event.request_context.http.method.to_string(),
            place: format!("{host}{}", event.raw_path.unwrap_or_default()),
            route: event.route_key.or(event.request_context.route_key).unwrap_or_default(),
            path: event.path_parameters.into_iter().map(|(name, value)| (name, decoded(&value))).collect(),
            query: query.into_owned().collect(),
            headers,
            body: if event.is_base64_encoded { STANDARD.decode(&body).ok() } else { Some(body.into_bytes()) },
            caller,
            actor,
            id: String::new(),
        };
        request.id = request
            .header("x-request-id")
            .map(Cow::into_owned)
            .filter(|id| (1..=MAX_REQUEST_ID_CHARS).contains(&id.len()) && id.chars().all(|c| c.is_ascii_graphic()))
            .or(event.request_context.request_id)
            .unwrap_or_else(|| "unknown".to_owned());
        request
    }

    /// Method and path template, as in `template.yaml`: `POST /v1/reservations/{id}/confirm`.
    #[must_use]
    pub fn route(&self) -> &str {
        &self.route
    }

    /// Who calls, as part of every id that derives from an `Idempotency-Key`: the same for every machine of one caller.
    #[must_use]
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// Who calls, as precisely as it is known: for the record of a movement.
    #[must_use]
    pub fn actor(&self) -> &str {
        &self.actor
    }

    /// The id of this request in logs and answers.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Finishes the answer: what every answer carries, and the problem document if it is a "no".
    #[must_use]
    pub fn answer(&self, outcome: Result<Response, Problem>) -> Response {
        let response = outcome.unwrap_or_else(|problem| problem.render(&self.id));
        response.with("x-request-id", self.id.clone()).with("cache-control", "no-store")
    }

    /// `GET`, `POST`, …
    #[must_use]
    pub fn method(&self) -> &str {
        &self.method
    }

    /// Where the request was sent, without its query: what a vendor was given as the address of its webhook.
    #[must_use]
    pub fn url(&self) -> String {
        format!("https://{}", self.place)
    }

    /// A part of the path, as it was sent. Most handlers want [`crate::Input::path`], which reads it.
    #[must_use]
    pub fn path(&self, name: &str) -> Option<&str> {
        self.path.get(name).map(String::as_str)
    }

    /// The parameters of the query, in their order, repeated ones too.
    #[must_use]
    pub fn query(&self) -> &[(String, String)] {
        &self.query
    }

    /// All headers as they were sent.
    #[must_use]
    pub fn headers(&self) -> &[(String, String)] {
        &self.headers
    }

    /// The header, whatever the case of its name. One that was sent several times is joined by commas, as API Gateway does.
    pub(crate) fn header(&self, name: &str) -> Option<Cow<'_, str>> {
        let mut values =
            self.headers.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str());
        let first = values.next()?;
        Some(values.fold(Cow::Borrowed(first), |joined, value| Cow::Owned(format!("{joined},{value}"))))
    }

    /// The raw bytes; nothing if API Gateway said base64 and it was not. Most handlers want [`crate::Input::body`], which reads them.
    #[must_use]
    pub fn body(&self) -> Option<&[u8]> {
        self.body.as_deref()
    }
}

/// API Gateway passes most path parameters on decoded. No id of this API contains a `%`, so decoding what is left is safe.
fn decoded(value: &str) -> String {
    percent_decode_str(value).decode_utf8_lossy().into_owned()
}

/// The caller, and the most precise name for it.
///
/// A token's subject is unique only within its issuer. The last part of an assumed role's ARN is the session, which differs
/// from one machine of a shop to the next: a retry that another machine makes must still be the same caller's.
fn who(authorizer: Option<&ApiGatewayRequestAuthorizer>) -> (Caller, String) {
    if let Some(jwt) = authorizer.and_then(|authorizer| authorizer.jwt.as_ref()) {
        let claim = |name: &str| jwt.claims.get(name).map(String::as_str);
        // RFC 9068 has `sub` in every token; `client_id` is what some issuers give a machine instead.
        let name =
            format!("{} {}", claim("iss").unwrap_or_default(), claim("sub").or(claim("client_id")).unwrap_or_default());
        return (Caller::new(name.clone()), name);
    }
    let arn = authorizer.and_then(|authorizer| authorizer.iam.as_ref()).and_then(|iam| iam.user_arn.clone());
    match arn {
        Some(arn) if arn.contains(":assumed-role/") => {
            let role = arn.rsplit_once('/').map_or(arn.as_str(), |(role, _session)| role);
            (Caller::new(role), arn)
        }
        Some(arn) => (Caller::new(arn.clone()), arn),
        // Only the local stack lets a request in that nobody signed.
        None => (Caller::new("local"), "local".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn request(changes: &Value) -> Request {
        let mut event = json!({
            "version": "2.0", "routeKey": "GET /v1/stock/{sku}", "rawPath": "/v1/stock/tea", "rawQueryString": "",
            "headers": {}, "isBase64Encoded": false,
            "requestContext": {"requestId": "gateway", "http": {"method": "GET", "path": "/v1/stock/tea"}},
        });
        for (name, value) in changes.as_object().unwrap() {
            event[name] = value.clone();
        }
        Request::from_event(serde_json::from_value(event).unwrap())
    }

    #[test]
    fn parameters_are_decoded_and_repeated_ones_kept() {
        let request = request(&json!({
            "rawQueryString": "sku=a&sku=b%2Bc&sku=d+e&empty=&bare",
            "pathParameters": {"sku": "tea%20%E2%82%AC", "id": "plain"},
        }));
        let query: Vec<_> = request.query().iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        assert_eq!(query, [("sku", "a"), ("sku", "b+c"), ("sku", "d e"), ("empty", ""), ("bare", "")]);
        assert_eq!((request.path("sku"), request.path("id"), request.path("x")), (Some("tea €"), Some("plain"), None));
    }

    #[test]
    fn headers_ignore_case_and_join_when_repeated() {
        let request = request(&json!({"headers": {"IF-Match": "\"3\"", "accept": ["a", "b"]}}));
        assert_eq!(request.header("if-match").as_deref(), Some("\"3\""));
        assert_eq!(request.header("Accept").as_deref(), Some("a,b"));
        assert_eq!(request.header("prefer"), None);
    }

    #[test]
    fn the_body_is_decoded_if_it_was_encoded() {
        for (body, encoded, expected) in [
            (json!("{}"), false, Some(&b"{}"[..])),
            (json!("e30="), true, Some(b"{}")),
            (json!("%%%"), true, None),
            (json!(null), false, Some(b"")),
            (json!("/w=="), true, Some(b"\xff")),
        ] {
            let request = request(&json!({"body": body, "isBase64Encoded": encoded}));
            assert_eq!(request.body(), expected, "{body}");
        }
    }

    #[test]
    fn the_request_id_is_the_callers_if_it_is_fit_to_be_echoed() {
        let too_long = "x".repeat(129);
        for (sent, expected) in [
            ("abc-1", "abc-1"),
            ("", "gateway"),
            ("a b", "gateway"),
            (&too_long, "gateway"),
            (&too_long[..128], &too_long[..128]),
        ] {
            assert_eq!(request(&json!({"headers": {"X-Request-Id": sent}})).id(), expected);
        }
    }

    #[test]
    fn the_caller_is_whoever_the_gateway_authenticated() {
        let jwt = |claims: Value| json!({"jwt": {"claims": claims, "scopes": null}});
        let iam = |arn: &str| json!({"iam": {"userArn": arn, "cognitoIdentity": null, "principalOrgId": "aws:PrincipalOrgID"}});
        let role = "arn:aws:sts::123456789012:assumed-role/Shop";
        for (authorizer, caller, actor) in [
            (jwt(json!({"iss": "https://id", "sub": "alice"})), "https://id alice", "https://id alice"),
            (jwt(json!({"iss": "https://id", "client_id": "shop"})), "https://id shop", "https://id shop"),
            (iam("arn:aws:iam::1:user/alice"), "arn:aws:iam::1:user/alice", "arn:aws:iam::1:user/alice"),
            (iam(&format!("{role}/i-1")), role, &format!("{role}/i-1")),
            (iam(&format!("{role}/i-2")), role, &format!("{role}/i-2")),
            (json!({}), "local", "local"),
            (json!(null), "local", "local"),
        ] {
            let context = json!({"http": {"method": "GET"}, "authorizer": authorizer});
            let request = request(&json!({"requestContext": context}));
            assert_eq!((request.caller().as_str(), request.actor()), (caller, actor));
        }
    }

    #[test]
    fn every_answer_carries_the_request_id_and_is_not_cached() {
        let request = request(&json!({"headers": {"x-request-id": "r1"}}));
        for outcome in [Ok(Response::ok(&json!({}))), Err(Problem::not_found())] {
            let response = request.answer(outcome);
            assert_eq!(response.header("X-Request-Id"), Some("r1"));
            assert_eq!(response.header("Cache-Control"), Some("no-store"));
        }
    }
}
