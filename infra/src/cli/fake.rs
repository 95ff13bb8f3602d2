//! A stand-in for the service, as small as the commands' own tests allow: no channels, no expiry, one process.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use axum::{
    Json, Router,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde_json::{Value, json};

#[derive(Default)]
struct Inner {
    stock: BTreeMap<String, u64>,
    created: Vec<String>,
    /// Answers by Idempotency-Key.
    answered: BTreeMap<String, Value>,
    reservations: Vec<Vec<(String, u64)>>,
    failures: u32,
}

type Shared = Arc<Mutex<Inner>>;

/// The running fake; it ends with the test.
pub struct Fake {
    pub url: String,
    inner: Shared,
}

impl Fake {
    pub async fn start() -> Self {
        let inner = Shared::default();
        let routes = Router::new()
            .route("/v1/stock/{sku}", get(read).put(create))
            .route("/v1/stock/{sku}/movements", post(receive))
            .route("/v1/reservations", post(reserve))
            .route("/v1/reservations/{id}/{decision}", post(decide))
            .with_state(inner.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        Self { url, inner }
    }

    pub fn stock(&self, sku: &str, units: u64) {
        self.inner.lock().unwrap().stock.insert(sku.to_owned(), units);
    }

    pub fn available(&self, sku: &str) -> u64 {
        self.inner.lock().unwrap().stock[sku]
    }

    /// SKUs that were created, in order.
    pub fn created(&self) -> Vec<String> {
        self.inner.lock().unwrap().created.clone()
    }

    /// The next so many calls are told to come back.
    pub fn fail_next(&self, calls: u32) {
        self.inner.lock().unwrap().failures = calls;
    }
}

fn problem(status: StatusCode, slug: &str, detail: &str) -> Response {
    (status, Json(json!({"type": format!("/problems/{slug}"), "status": status.as_u16(), "detail": detail})))
        .into_response()
}

/// Answers as before if the key is known; otherwise does `work`, unless the caller is a stranger or the fake is to fail.
fn once(
    shared: &Shared,
    headers: &HeaderMap,
    work: impl FnOnce(&mut Inner) -> Result<Value, (StatusCode, &'static str)>,
) -> Response {
    let mut inner = shared.lock().unwrap();
    if headers.get("authorization").is_none() {
        return (StatusCode::UNAUTHORIZED, Json(json!({"message": "Unauthorized"}))).into_response();
    }
    if inner.failures > 0 {
        inner.failures -= 1;
        return problem(StatusCode::SERVICE_UNAVAILABLE, "contended", "Try again.");
    }
    let key = headers["idempotency-key"].to_str().unwrap().to_owned();
    if let Some(answer) = inner.answered.get(&key) {
        return ([("idempotency-replayed", "true")], Json(answer.clone())).into_response();
    }
    match work(&mut inner) {
        Ok(answer) => {
            inner.answered.insert(key, answer.clone());
            (StatusCode::CREATED, Json(answer)).into_response()
        }
        Err((status, slug)) => problem(status, slug, "No."),
    }
}

async fn read(State(shared): State<Shared>, Path(sku): Path<String>) -> Response {
    match shared.lock().unwrap().stock.get(&sku) {
        Some(units) => Json(json!({
            "sku": sku, "available": units, "reserved": 0, "sold": 0, "as_of": "2025-11-23T09:00:00Z",
        }))
        .into_response(),
        None => problem(StatusCode::NOT_FOUND, "unknown-sku", &format!("The SKU {sku} is not known.")),
    }
}

async fn create(State(shared): State<Shared>, Path(sku): Path<String>) -> StatusCode {
    let mut inner = shared.lock().unwrap();
    inner.stock.entry(sku.clone()).or_default();
    inner.created.push(sku);
    StatusCode::CREATED
}

async fn receive(
    State(shared): State<Shared>,
    Path(sku): Path<String>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Response {
    once(&shared, &headers, |inner| {
        let units = inner.stock.get_mut(&sku).ok_or((StatusCode::NOT_FOUND, "unknown-sku"))?;
        *units += body["quantity"].as_u64().unwrap();
        Ok(json!({"id": "m"}))
    })
}

async fn reserve(State(shared): State<Shared>, headers: HeaderMap, Json(body): Json<Value>) -> Response {
    once(&shared, &headers, |inner| {
        let lines: Vec<(String, u64)> = body["lines"]
            .as_array()
            .unwrap()
            .iter()
            .map(|line| (line["sku"].as_str().unwrap().to_owned(), line["quantity"].as_u64().unwrap()))
            .collect();
        if lines.iter().any(|(sku, units)| inner.stock.get(sku).is_none_or(|free| free < units)) {
            return Err((StatusCode::CONFLICT, "insufficient-stock"));
        }
        for (sku, units) in &lines {
            *inner.stock.get_mut(sku).unwrap() -= units;
        }
        inner.reservations.push(lines);
        Ok(json!({"id": (inner.reservations.len() - 1).to_string(), "status": "active"}))
    })
}

async fn decide(
    State(shared): State<Shared>,
    Path((id, decision)): Path<(usize, String)>,
    headers: HeaderMap,
) -> Response {
    once(&shared, &headers, |inner| {
        if decision == "cancel" {
            for (sku, units) in inner.reservations[id].clone() {
                *inner.stock.get_mut(&sku).unwrap() += units;
            }
        }
        Ok(json!({"id": id.to_string()}))
    })
}
