//! What only the local stack serves: its clock, and the documents of the API.
//!
//! | call | answers |
//! |---|---|
//! | `GET /_local/clock` | what time it is here |
//! | `POST /_local/clock {"advance_seconds": 900}` | the new time, once everything that fell due by then has been handled |
//! | `GET /openapi.yaml` · `GET /docs` | the contract, for machines and for people |

use std::sync::Arc;

use axum::{
    Json, Router,
    body::Bytes,
    extract::State,
    http::{StatusCode, header::CONTENT_TYPE},
    response::{Html, IntoResponse, Response},
    routing::get,
};
use domain::time::{Clock, Timestamp};
use serde::Deserialize;
use serde_json::json;

use super::{OPENAPI, docs, upkeep::Upkeep};

/// Ten years: enough for any test, and far from where seconds overflow.
const MOST_SECONDS: u64 = 10 * 366 * 24 * 60 * 60;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Advance {
    advance_seconds: u64,
}

/// Serves these routes.
pub fn router(upkeep: Arc<Upkeep>) -> Router {
    Router::new()
        .route("/_local/clock", get(read_clock).post(advance_clock))
        .route("/openapi.yaml", get(async || ([(CONTENT_TYPE, "application/yaml")], OPENAPI)))
        .route("/docs", get(read_docs))
        .with_state(upkeep)
}

/// Rendered when somebody wants to read it: a test that starts a stack does not.
async fn read_docs() -> Response {
    docs::render(OPENAPI).map_or_else(|fault| failure(&fault), |page| Html(page).into_response())
}

async fn read_clock(State(upkeep): State<Arc<Upkeep>>) -> Response {
    show(upkeep.clock.now())
}

async fn advance_clock(State(upkeep): State<Arc<Upkeep>>, body: Bytes) -> Response {
    let seconds = match serde_json::from_slice(&body) {
        Ok(Advance { advance_seconds }) if advance_seconds <= MOST_SECONDS => advance_seconds,
        _ => {
            let message = format!(r#"send {{"advance_seconds": n}}, n from 0 to {MOST_SECONDS}"#);
            return (StatusCode::BAD_REQUEST, Json(json!({ "message": message }))).into_response();
        }
    };
    match upkeep.advance(seconds).await {
        Ok(now) => show(now),
        Err(fault) => failure(&fault.context("the clock was moved, but not everything due was handled")),
    }
}

fn failure(fault: &anyhow::Error) -> Response {
    tracing::error!("{fault:#}");
    (StatusCode::INTERNAL_SERVER_ERROR, Json(json!({ "message": format!("{fault:#}") }))).into_response()
}

fn show(now: Timestamp) -> Response {
    let seconds = i64::try_from(now.epoch_seconds()).unwrap_or(i64::MAX);
    let text = jiff::Timestamp::from_second(seconds).map(|at| at.to_string()).unwrap_or_default();
    Json(json!({ "now": text, "epoch_seconds": seconds })).into_response()
}
