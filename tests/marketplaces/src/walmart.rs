//! Walmart's face: tokens, inventory with and without ship nodes, and purchase orders, strict about what Walmart is
//! strict about.

use base64::{Engine, engine::general_purpose::STANDARD};
use channels::{
    Credentials, Delivery,
    transport::{Request, Response},
};
use domain::{sale::Stage, time::Timestamp};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::{
    face::{self, Face},
    market::{DAY_SECONDS, Line, Listing, Market, Order},
    tokens,
};

/// The only fulfillment center.
pub const SHIP_NODE: &str = "10001234567";

/// The header that the seller named when subscribing.
pub const SIGNATURE_HEADER: &str = "X-Holdfast-Signature";

const CLIENT: (&str, &str) = ("client-id", "client-secret");
const WEBHOOK_SECRET: &str = "webhook-secret";

/// Source: Marketplace API, *Token API*.
const TOKEN_SECONDS: u64 = 900;

/// Source: *All orders*, `limit`.
const MAX_PAGE: usize = 200;

/// Walmart, as it speaks.
#[derive(Debug, Clone, Copy, Default)]
pub struct WalmartFace {
    /// What a 429 says of when to come again.
    pub replenished_at: Timestamp,
}

impl WalmartFace {
    /// The secrets of a channel that this Walmart lets in.
    #[must_use]
    pub fn credentials() -> Credentials {
        Credentials::from([("client_id", CLIENT.0), ("client_secret", CLIENT.1), ("webhook_secret", WEBHOOK_SECRET)])
    }
}

/// What Walmart sends in [`SIGNATURE_HEADER`] with this body.
#[must_use]
#[expect(clippy::missing_panics_doc, reason = "it signs whatever it is given")]
pub fn signed(body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(WEBHOOK_SECRET.as_bytes()).expect("an HMAC takes a key of any length");
    mac.update(body);
    STANDARD.encode(mac.finalize().into_bytes())
}

impl Face for WalmartFace {
    fn answer(&self, market: &mut Market, request: &Request) -> Response {
        if header(request, "wm_svc.name").is_empty() || !is_uuid(header(request, "wm_qos.correlation_id")) {
            return fault(400, "INVALID_REQUEST_HEADER.GMP_GATEWAY_API", "WM_SVC.NAME or WM_QOS.CORRELATION_ID");
        }
        let path: Vec<&str> = request.uri().path().trim_start_matches('/').split('/').collect();
        if (request.method().as_str(), path.as_slice()) == ("POST", &["v3", "token"]) {
            return token(market, request);
        }
        if !tokens::is_good(market, "walmart", header(request, "wm_sec.access_token")) {
            return fault(401, "UNAUTHORIZED.GMP_GATEWAY_API", "Unauthorized");
        }
        match (request.method().as_str(), path.as_slice()) {
            ("GET", ["v3", "inventory"]) => inventory(market, &field(request, "sku")),
            ("PUT", ["v3", "inventory"]) => set_inventory(market, request),
            ("GET", ["v3", "inventories", sku]) => node(market, sku, &field(request, "shipNode")),
            ("PUT", ["v3", "inventories", sku]) => set_node(market, sku, request),
            ("GET", ["v3", "orders"]) => orders(market, request),
            ("GET", ["v3", "orders", id]) => market
                .orders
                .get(*id)
                .map_or_else(not_found, |order| face::json(200, &json!({ "order": order_json(order) }))),
            _ => fault(404, "RESOURCE_NOT_FOUND.GMP_GATEWAY_API", "no such path"),
        }
    }

    fn throttled(&self) -> Response {
        let mut response = fault(429, "REQUEST_THRESHOLD_VIOLATED.GMP_GATEWAY_API", "Too many requests");
        let at_ms = self.replenished_at.epoch_seconds() * 1_000;
        response.headers_mut().insert("x-current-token-count", 0.into());
        response.headers_mut().insert("x-next-replenishment-time", at_ms.into());
        response
    }

    fn webhook(&self, market: &Market, order: &str, url: &str) -> Option<Delivery> {
        let order = market.orders.get(order)?;
        let canceled: Vec<&Line> = order.lines.iter().filter(|line| line.canceled > 0).collect();
        let (kind, lines) = match order.stage {
            _ if !canceled.is_empty() => ("PO_LINE_AUTOCANCELLED", canceled),
            Stage::Pending | Stage::Paid => ("PO_CREATED", order.lines.iter().collect()),
            Stage::Shipped => return None,
        };
        let lines: Vec<Value> = lines.iter().map(|line| json!({ "lineNumber": line.id, "sku": line.sku })).collect();
        let at = date(market.now);
        let event_id = format!("{kind}-{}-{}", order.id, order.changed_at);
        let body = json!({
            "source": { "eventType": kind, "eventTime": at, "eventId": event_id },
            "payload": { "partnerId": "10000000000", "purchaseOrderId": order.id, "orderLines": lines },
        });
        let body = body.to_string().into_bytes();
        let headers = vec![(SIGNATURE_HEADER.to_owned(), signed(&body))];
        Some(Delivery { method: "POST".to_owned(), url: url.to_owned(), query: vec![], headers, body })
    }
}

fn fault(status: u16, code: &str, description: &str) -> Response {
    let error = json!([{ "code": code, "description": description, "severity": "ERROR" }]);
    face::json(status, &json!({ "errors": { "error": error } }))
}

fn not_found() -> Response {
    fault(404, "CONTENT_NOT_FOUND.GMP_API", "nothing found for the given search parameters")
}

fn header<'a>(request: &'a Request, name: &str) -> &'a str {
    request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

fn is_uuid(text: &str) -> bool {
    let lengths: Vec<usize> = text.split('-').map(str::len).collect();
    lengths == [8, 4, 4, 4, 12] && text.chars().all(|c| c == '-' || c.is_ascii_hexdigit())
}

fn field(request: &Request, name: &str) -> String {
    let query = request.uri().query().unwrap_or_default();
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    pairs.find(|(known, _)| known == name).map(|(_, value)| value.into_owned()).unwrap_or_default()
}

fn token(market: &mut Market, request: &Request) -> Response {
    let basic = format!("Basic {}", STANDARD.encode(format!("{}:{}", CLIENT.0, CLIENT.1)));
    let is_form = header(request, "content-type") == "application/x-www-form-urlencoded";
    if header(request, "authorization") != basic || !is_form || request.body() != b"grant_type=client_credentials" {
        return fault(401, "UNAUTHORIZED.GMP_GATEWAY_API", "Unauthorized");
    }
    let token = tokens::issue(market, "walmart", TOKEN_SECONDS);
    face::json(200, &json!({ "access_token": token, "token_type": "Bearer", "expires_in": TOKEN_SECONDS }))
}

fn each(amount: u64) -> Value {
    json!({ "unit": "EACH", "amount": amount })
}

/// The whole number of such an object.
fn amount(value: &Value) -> Option<u64> {
    value["amount"].as_u64().filter(|_| value["unit"] == "EACH")
}

fn inventory(market: &Market, sku: &str) -> Response {
    let listing = market.listings.get(sku);
    listing.map_or_else(not_found, |listing| face::json(200, &json!({ "sku": sku, "quantity": each(listing.shown) })))
}

fn set_inventory(market: &mut Market, request: &Request) -> Response {
    let body: Value = serde_json::from_slice(request.body()).unwrap_or_default();
    let sku = field(request, "sku");
    let Some(quantity) = amount(&body["quantity"]).filter(|_| body["sku"] == sku.as_str()) else {
        return fault(400, "INVALID_REQUEST_CONTENT.GMP_INVENTORY_API", "sku and quantity");
    };
    match market.set_quantity(&sku, quantity) {
        Some(()) => face::json(200, &json!({ "sku": sku, "quantity": each(quantity) })),
        None => fault(400, "INVALID_REQUEST_CONTENT.GMP_INVENTORY_API", "The item cannot be updated."),
    }
}

fn node_json(listing: &Listing) -> Value {
    json!({
        "shipNode": SHIP_NODE, "inputQty": each(listing.shown + listing.unshipped),
        "availToSellQty": each(listing.shown), "reservedQty": each(listing.unshipped),
    })
}

fn node(market: &Market, sku: &str, node: &str) -> Response {
    match market.listings.get(sku) {
        Some(listing) if node == SHIP_NODE => face::json(200, &json!({ "sku": sku, "nodes": [node_json(listing)] })),
        _ => not_found(),
    }
}

/// The number counts what is sold and not shipped, too: what can be ordered from now on is what is left of it.
fn set_node(market: &mut Market, sku: &str, request: &Request) -> Response {
    let body: Value = serde_json::from_slice(request.body()).unwrap_or_default();
    let Some([node]) = body["inventories"]["nodes"].as_array().map(Vec::as_slice) else {
        return fault(400, "INVALID_REQUEST_CONTENT.GMP_INVENTORY_API", "inventories.nodes");
    };
    let Some(gross) = amount(&node["inputQty"]) else {
        return fault(400, "INVALID_REQUEST_CONTENT.GMP_INVENTORY_API", "inputQty");
    };
    let reserved = market.listings.get(sku).map_or(0, |listing| listing.unshipped);
    let is_known = node["shipNode"] == SHIP_NODE;
    let answer = match is_known.then(|| market.set_quantity(sku, gross.saturating_sub(reserved))).flatten() {
        Some(()) => json!({ "shipNode": node["shipNode"], "status": "Success", "errors": [] }),
        None => json!({
            "shipNode": node["shipNode"], "status": "Failed",
            "errors": [{ "code": "INVALID_REQUEST_CONTENT", "description": "The item cannot be updated here." }],
        }),
    };
    face::json(200, &json!({ "sku": sku, "nodes": [answer] }))
}

fn orders(market: &Market, request: &Request) -> Response {
    let instant = |name: &str| -> Option<Timestamp> {
        let at: jiff::Timestamp = field(request, name).parse().ok()?;
        at.as_second().try_into().ok().map(Timestamp::from_epoch_seconds)
    };
    let limit = field(request, "limit").parse().ok().filter(|limit| (1..=MAX_PAGE).contains(limit));
    let (Some(limit), Some(since)) = (limit, instant("lastModifiedStartDate")) else {
        return fault(400, "INVALID_REQUEST_PARAM.GMP_ORDER_API", "limit or lastModifiedStartDate");
    };
    let week_ago = Timestamp::from_epoch_seconds(market.now.epoch_seconds().saturating_sub(7 * DAY_SECONDS));
    let created = instant("createdStartDate").unwrap_or(week_ago);
    let found: Vec<&Order> =
        market.changed_since(since).into_iter().filter(|order| order.placed_at >= created).collect();
    if found.is_empty() {
        return not_found();
    }
    let offset: usize = field(request, "poIndex").parse().unwrap_or_default();
    let page: Vec<Value> = found.iter().skip(offset).take(limit).map(|order| order_json(order)).collect();
    let next = (offset + limit < found.len()).then(|| {
        let (since, created, next, total) = (date(since), date(created), offset + limit, found.len());
        let place = format!("?limit={limit}&hasMoreElements=true&soIndex={total}&poIndex={next}");
        format!("{place}&lastModifiedStartDate={since}&createdStartDate={created}")
    });
    let meta = json!({ "totalCount": found.len(), "limit": limit, "nextCursor": next });
    face::json(200, &json!({ "list": { "meta": meta, "elements": { "order": page } } }))
}

fn order_json(order: &Order) -> Value {
    let status = match order.stage {
        Stage::Pending => "Created",
        Stage::Paid => "Acknowledged",
        Stage::Shipped => "Shipped",
    };
    let line = |line: &Line| {
        let units = [(status, line.quantity - line.canceled), ("Cancelled", line.canceled)];
        let of = |units: u64| json!({ "unitOfMeasurement": "EACH", "amount": units.to_string() });
        let units = units.iter().filter(|(_, n)| *n > 0);
        let statuses: Vec<Value> =
            units.map(|(status, n)| json!({ "status": status, "statusQuantity": of(*n) })).collect();
        json!({
            "lineNumber": line.id, "item": { "sku": line.sku, "productName": "…" },
            "orderLineQuantity": of(line.quantity), "statusDate": order.changed_at.epoch_seconds() * 1_000,
            "orderLineStatuses": { "orderLineStatus": statuses },
        })
    };
    let lines: Vec<Value> = order.lines.iter().map(line).collect();
    json!({
        "purchaseOrderId": order.id, "customerOrderId": "1", "orderDate": order.placed_at.epoch_seconds() * 1_000,
        "orderLines": { "orderLine": lines },
    })
}

fn date(at: Timestamp) -> String {
    let seconds = i64::try_from(at.epoch_seconds()).unwrap_or_default();
    jiff::Timestamp::from_second(seconds).unwrap_or_default().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
