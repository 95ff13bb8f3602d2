//! Does what API Gateway's HTTP API does: finds the route, makes the event, calls the function, and turns what it
//! answers into HTTP. What the gateway itself refuses is answered in its words, not in the service's.
//!
//! | refused by the gateway | answer |
//! |---|---|
//! | no route for the method and path | 404 `{"message":"Not Found"}` |
//! | a body over 10 MB (the service's own limit is far lower) | 413 `{"message":"Request Entity Too Large"}` |
//! | a function that crashed | 500 `{"message":"Internal Server Error"}` |

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use anyhow::{Context, Result};
use aws_lambda_events::{apigw::ApiGatewayV2httpResponse, encodings::Body};
use axum::{
    Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, RawPathParams, State, rejection::BytesRejection},
    http::{HeaderMap, Method, StatusCode, Uri},
    response::{IntoResponse, Response},
    routing::any,
};
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use domain::time::Clock;
use serde_json::json;
use tracing::Instrument;

use super::{
    clock::LocalClock,
    event::{self, HttpCall},
    functions::{HttpFunction, Lambda},
    template::{Route, Template},
};

/// API Gateway's quota for a payload. Source: "Quotas for configuring and running an HTTP API".
const MOST_BYTES: usize = 10 * 1024 * 1024;

/// One route, ready to be called.
struct Endpoint {
    route: Route,
    function: HttpFunction,
}

/// All routes on one path, by method.
struct OnPath {
    clock: LocalClock,
    endpoints: Vec<Endpoint>,
    request_numbers: Arc<AtomicU64>,
}

/// Serves every route of the template.
pub fn router(template: &Template, lambda: &Lambda, clock: &LocalClock) -> Result<Router> {
    let request_numbers = Arc::new(AtomicU64::new(1));
    let mut paths: Vec<(String, Vec<Endpoint>)> = Vec::new();
    for route in &template.routes {
        let function = lambda.http_function(&route.function)?;
        let endpoint = Endpoint { route: route.clone(), function };
        match paths.iter_mut().find(|(path, _)| *path == route.path) {
            Some((_, endpoints)) => endpoints.push(endpoint),
            None => paths.push((route.path.clone(), vec![endpoint])),
        }
    }
    let mut router = Router::new();
    for (path, endpoints) in paths {
        let on_path = OnPath { clock: clock.clone(), endpoints, request_numbers: Arc::clone(&request_numbers) };
        router = router.route(&path, any(serve).with_state(Arc::new(on_path)));
    }
    Ok(router.layer(DefaultBodyLimit::max(MOST_BYTES)))
}

/// What is answered when no route matches.
pub async fn not_found() -> Response {
    refusal(StatusCode::NOT_FOUND, "Not Found")
}

async fn serve(
    State(on_path): State<Arc<OnPath>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    parameters: RawPathParams,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let Some(endpoint) = on_path.endpoints.iter().find(|endpoint| endpoint.route.method == method.as_str()) else {
        return not_found().await;
    };
    let body = match body {
        Ok(body) => body,
        Err(fault) if fault.status() == StatusCode::PAYLOAD_TOO_LARGE => {
            return refusal(StatusCode::PAYLOAD_TOO_LARGE, "Request Entity Too Large");
        }
        Err(_) => return refusal(StatusCode::BAD_REQUEST, "Bad Request"),
    };
    let number = on_path.request_numbers.fetch_add(1, Ordering::Relaxed);
    let call = HttpCall {
        method: &method,
        path: uri.path(),
        query: uri.query().unwrap_or_default(),
        headers: &headers,
        body: &body,
        // Every listener is on loopback.
        source_ip: "127.0.0.1",
        route_key: &endpoint.route.key,
        path_parameters: parameters.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        request_id: format!("local-{number}"),
        at: on_path.clock.now(),
    };
    let span = tracing::error_span!("request", request_id = call.request_id, route = call.route_key);
    answer(endpoint, &call).instrument(span).await.unwrap_or_else(|fault| {
        tracing::error!("{}: {fault:#}", endpoint.route.key);
        refusal(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error")
    })
}

async fn answer(endpoint: &Endpoint, call: &HttpCall<'_>) -> Result<Response> {
    let event = serde_json::from_value(event::http(call)).context("make the event")?;
    let answer = endpoint.function.call(http::Request::from_event(event)).await?;
    respond(answer.into_event())
}

fn respond(answer: ApiGatewayV2httpResponse) -> Result<Response> {
    let status = u16::try_from(answer.status_code).context("status")?;
    let body = match answer.body.unwrap_or_default() {
        Body::Text(text) if answer.is_base64_encoded => BASE64.decode(text).context("body")?,
        Body::Text(text) => text.into_bytes(),
        Body::Binary(bytes) => bytes,
        _ => Vec::new(),
    };
    Ok((StatusCode::from_u16(status)?, answer.headers, body).into_response())
}

fn refusal(status: StatusCode, message: &str) -> Response {
    (status, Json(json!({ "message": message }))).into_response()
}
