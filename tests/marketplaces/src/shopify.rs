//! Shopify's face: `/admin/api/2026-07/graphql.json` and the tokens of an app of the merchant's own.
//!
//! It answers the queries that the connector has, and no other: whether these fit the schema is for a test against the schema itself. It
//! checks what the schema does not: that each quantity says what it changes from, that a key comes with each mutation, and that a key
//! names one and the same call. As at Shopify, a call of which one quantity is refused sets none.

use std::fmt::Write as _;

use base64::{Engine, engine::general_purpose::STANDARD};
use channels::{
    Delivery,
    shopify::query,
    transport::{Request, Response},
};
use domain::{sale::Stage, time::Timestamp};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::{
    face::{Face, json as answer},
    market::{Line, Market, Order},
};

/// How long a token lives, in seconds. Source: shopify.dev, "Using the client credentials grant", `expires_in`.
const TOKEN_SECONDS: u64 = 86_399;

/// Shopify, for one shop.
#[derive(Debug, Clone)]
pub struct ShopifyFace {
    /// The shop's name, `….myshopify.com`.
    pub shop: String,
    /// A token that never ends; nothing: only those are taken that were fetched.
    pub token: Option<String>,
    /// The app that fetches tokens.
    pub client_id: String,
    /// Its secret, with which webhooks are signed.
    pub client_secret: String,
    /// The one location.
    pub location: u64,
    /// Orders on a page.
    pub page: usize,
}

impl Default for ShopifyFace {
    fn default() -> Self {
        Self {
            shop: "teashop.myshopify.com".to_owned(),
            token: None,
            client_id: "client".to_owned(),
            client_secret: "hush".to_owned(),
            location: 7,
            page: 20,
        }
    }
}

impl Face for ShopifyFace {
    fn answer(&self, market: &mut Market, request: &Request) -> Response {
        let path = request.uri().path();
        if request.method() != wire::Method::POST {
            return answer(405, &json!({ "errors": "Method Not Allowed" }));
        }
        if path == "/admin/oauth/access_token" {
            return self.grant(market, request);
        }
        if path != format!("/admin/api/{}/graphql.json", query::VERSION) {
            return answer(404, &json!({ "errors": "Not Found" }));
        }
        if !self.lets_in(market, request) {
            let words = "[API] Invalid API key or access token (unrecognized login or wrong password)";
            return answer(401, &json!({ "errors": words }));
        }
        let body: Value = serde_json::from_slice(request.body()).unwrap_or_default();
        let (text, variables) = (body["query"].as_str().unwrap_or_default(), &body["variables"]);
        let name = query::ALL.iter().find(|(_, known)| *known == text).map(|(name, _)| *name);
        match name {
            Some("set_quantities") => self.set_quantities(market, variables),
            Some("levels") => self.levels(market, variables),
            Some("orders") => self.orders(market, variables),
            Some("order") => order(market, variables),
            _ => refusal("undefinedField", "the query is none that is known here"),
        }
    }

    fn throttled(&self) -> Response {
        answer(
            200,
            &json!({
                "errors": [{ "message": "Throttled", "extensions": { "code": "THROTTLED" } }],
                "extensions": { "cost": {
                    "requestedQueryCost": 250,
                    "actualQueryCost": null,
                    "throttleStatus": { "maximumAvailable": 2000.0, "currentlyAvailable": 50.0, "restoreRate": 100.0 },
                } },
            }),
        )
    }

    fn webhook(&self, market: &Market, order: &str, url: &str) -> Option<Delivery> {
        let order = market.orders.get(order)?;
        let topic = match () {
            () if is_canceled(order) => "orders/cancelled",
            () if order.changed_at == order.placed_at => "orders/create",
            () => "orders/updated",
        };
        let body = body(order).to_string().into_bytes();
        let headers = [
            ("X-Shopify-Topic", topic.to_owned()),
            ("X-Shopify-Hmac-Sha256", STANDARD.encode(hmac(&self.client_secret, &body))),
            ("X-Shopify-Shop-Domain", self.shop.clone()),
            ("X-Shopify-API-Version", query::VERSION.to_owned()),
            ("X-Shopify-Webhook-Id", hex(&Sha256::digest(format!("{topic}{}{}", order.id, order.changed_at)))),
            ("X-Shopify-Triggered-At", rfc3339(market.now)),
            ("Content-Type", "application/json".to_owned()),
        ];
        Some(Delivery {
            method: "POST".to_owned(),
            url: url.to_owned(),
            query: Vec::new(),
            headers: headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
            body,
        })
    }
}

impl ShopifyFace {
    fn grant(&self, market: &mut Market, request: &Request) -> Response {
        let form: Vec<(String, String)> = form_urlencoded::parse(request.body()).into_owned().collect();
        let is = |name: &str, value: &str| form.iter().any(|(known, given)| known == name && given == value);
        let known = is("client_id", &self.client_id) && is("client_secret", &self.client_secret);
        if !(known && is("grant_type", "client_credentials")) {
            return answer(400, &json!({ "error": "invalid_client" }));
        }
        let token = format!("shpat_{}", market.remembered.len());
        let ends = market.now.plus_seconds(TOKEN_SECONDS).epoch_seconds();
        market.remembered.insert(format!("token {token}"), ends.to_string().into_bytes());
        answer(
            200,
            &json!({ "access_token": token, "scope": "write_inventory,read_orders", "expires_in": TOKEN_SECONDS }),
        )
    }

    fn lets_in(&self, market: &Market, request: &Request) -> bool {
        let given = request.headers().get("x-shopify-access-token").and_then(|token| token.to_str().ok());
        let Some(given) = given else { return false };
        let ends = market.remembered.get(&format!("token {given}"));
        let ends = ends.and_then(|ends| String::from_utf8_lossy(ends).parse().ok());
        self.token.as_deref() == Some(given) || ends.is_some_and(|ends: u64| market.now.epoch_seconds() < ends)
    }

    fn set_quantities(&self, market: &mut Market, variables: &Value) -> Response {
        let (input, key) = (&variables["input"], variables["key"].as_str().unwrap_or_default());
        let quantities = input["quantities"].as_array().map_or(&[][..], Vec::as_slice);
        if key.trim().is_empty() {
            return refusal("BAD_REQUEST", "The idempotency key cannot be empty");
        }
        if quantities.len() > 250 {
            return refusal(
                "MAX_INPUT_SIZE_EXCEEDED",
                "The input array size is greater than the maximum allowed of 250",
            );
        }
        if quantities.iter().any(|one| one.get("changeFromQuantity").is_none()) {
            return refusal("INVALID_FIELD_ARGUMENTS", "changeFromQuantity must be given");
        }
        let call = Sha256::digest(input.to_string()).to_vec();
        let name = format!("key {key}");
        match market.remembered.get(&name) {
            Some(known) if known[1..] != call => {
                return payload(&[(None, "IDEMPOTENCY_KEY_PARAMETER_MISMATCH")]);
            }
            Some(known) if known[0] == 0 => return payload(&[(None, "IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED")]),
            Some(_) => return payload(&[]),
            None => {}
        }
        let sets = input["name"] == "available" && input["reason"] == "correction";
        let is_uri = input["referenceDocumentUri"].as_str().is_some_and(|uri| uri.starts_with("gid://holdfast/Push/"));
        let mut errors = Vec::new();
        if !sets || !is_uri {
            errors.push((None, "INVALID_REASON"));
        }
        let mut skus = Vec::new();
        for (place, one) in quantities.iter().enumerate() {
            match self.check(market, one) {
                Ok(set) => skus.push(set),
                Err(code) => errors.push((Some(place), code)),
            }
        }
        let done = u8::from(errors.is_empty());
        market.remembered.insert(name, [vec![done], call].concat());
        if errors.is_empty() {
            for (sku, quantity) in skus {
                let _ = market.set_quantity(&sku, quantity);
            }
        }
        payload(&errors)
    }

    /// The SKU and its quantity, or why it is refused.
    fn check(&self, market: &Market, one: &Value) -> Result<(String, u64), &'static str> {
        let sku = find(market, &one["inventoryItemId"]).ok_or("INVALID_INVENTORY_ITEM")?;
        if one["locationId"] != format!("gid://shopify/Location/{}", self.location) {
            return Err("INVALID_LOCATION");
        }
        if market.faults.rejected.contains(&sku) {
            return Err("NON_MUTABLE_INVENTORY_ITEM");
        }
        let quantity = one["quantity"].as_u64().ok_or("INVALID_QUANTITY_NEGATIVE")?;
        if quantity > 1_000_000_000 {
            return Err("INVALID_QUANTITY_TOO_HIGH");
        }
        let shown = market.listings.get(&sku).map_or(0, |listing| listing.shown);
        match &one["changeFromQuantity"] {
            Value::Null => Ok((sku, quantity)),
            from if from.as_u64() == Some(shown) => Ok((sku, quantity)),
            _ => Err("CHANGE_FROM_QUANTITY_STALE"),
        }
    }

    fn levels(&self, market: &Market, variables: &Value) -> Response {
        let is_here = variables["location"] == format!("gid://shopify/Location/{}", self.location);
        let node = |id: &Value| {
            let sku = find(market, id)?;
            let shown = market.listings.get(&sku)?.shown;
            let level = json!({ "quantities": [{ "quantity": shown }] });
            Some(json!({ "tracked": true, "inventoryLevel": is_here.then_some(level) }))
        };
        let ids = variables["ids"].as_array().map_or(&[][..], Vec::as_slice);
        let nodes: Vec<Option<Value>> = ids.iter().map(node).collect();
        answer(200, &json!({ "data": { "nodes": nodes } }))
    }

    fn orders(&self, market: &Market, variables: &Value) -> Response {
        let filter = variables["changed"].as_str().unwrap_or_default();
        let since = filter.strip_prefix("updated_at:>='").and_then(|rest| rest.strip_suffix('\''));
        let Some(since) = since.and_then(|since| since.parse::<jiff::Timestamp>().ok()) else {
            return refusal("BAD_REQUEST", "the filter is none that is known here");
        };
        let since = Timestamp::from_epoch_seconds(u64::try_from(since.as_second()).unwrap_or_default());
        let skip = variables["after"].as_str().map_or(0, |after| after.parse().unwrap_or(usize::MAX));
        let all = market.changed_since(since);
        let page: Vec<Value> = all.iter().skip(skip).take(self.page).map(|order| node(order, 0, 25, false)).collect();
        let end = skip + page.len();
        let page_info = json!({ "hasNextPage": end < all.len(), "endCursor": end.to_string() });
        answer(200, &json!({ "data": { "orders": { "nodes": page, "pageInfo": page_info } } }))
    }
}

fn order(market: &Market, variables: &Value) -> Response {
    let id = variables["id"].as_str().and_then(|id| id.strip_prefix("gid://shopify/Order/")).unwrap_or_default();
    let skip = variables["after"].as_str().map_or(0, |after| after.parse().unwrap_or(usize::MAX));
    let order = market.orders.get(id).map(|order| node(order, skip, 50, true));
    answer(200, &json!({ "data": { "order": order } }))
}

/// The listing with this inventory item.
fn find(market: &Market, id: &Value) -> Option<String> {
    let id = id.as_str()?.strip_prefix("gid://shopify/InventoryItem/")?;
    let is = |remote: Option<&String>| remote.is_some_and(|known| known == id);
    market.listings.iter().find(|(_, one)| is(one.remote.get("inventory_item_id"))).map(|(sku, _)| sku.clone())
}

fn payload(errors: &[(Option<usize>, &str)]) -> Response {
    let errors: Vec<Value> = errors
        .iter()
        .map(|(place, code)| {
            let field = place.map(|place| json!(["input", "quantities", place.to_string()]));
            json!({ "code": code, "field": field, "message": format!("{code} in words") })
        })
        .collect();
    let group = errors.is_empty().then(|| json!({ "id": "gid://shopify/InventoryAdjustmentGroup/1" }));
    let payload = json!({ "inventoryAdjustmentGroup": group, "userErrors": errors });
    answer(200, &json!({ "data": { "inventorySetQuantities": payload } }))
}

fn refusal(code: &str, message: &str) -> Response {
    answer(200, &json!({ "errors": [{ "message": message, "extensions": { "code": code } }] }))
}

fn is_canceled(order: &Order) -> bool {
    order.lines.iter().all(|line| line.canceled >= line.quantity)
}

/// A line's number: Shopify's are unique in a shop.
fn number(order: &Order, line: &Line) -> u64 {
    order.id.parse::<u64>().unwrap_or_default() * 1000 + line.id.parse::<u64>().unwrap_or_default()
}

fn shipped(order: &Order, line: &Line) -> u64 {
    if order.stage == Stage::Shipped { line.quantity - line.canceled } else { 0 }
}

fn financial(order: &Order) -> &'static str {
    match order.stage {
        Stage::Pending => "PENDING",
        Stage::Paid | Stage::Shipped => "PAID",
    }
}

/// An order, as GraphQL shows it.
fn node(order: &Order, skip: usize, page: usize, with_shipments: bool) -> Value {
    let gid = |line: &Line| format!("gid://shopify/LineItem/{}", number(order, line));
    let lines = order.lines.iter().skip(skip).take(page).map(|line| {
        json!({
            "id": gid(line),
            "sku": line.sku,
            "quantity": line.quantity,
            "currentQuantity": line.quantity - line.canceled,
            "unfulfilledQuantity": line.quantity - line.canceled - shipped(order, line),
        })
    });
    let lines: Vec<Value> = lines.collect();
    let end = skip + lines.len();
    let line_page = json!({ "hasNextPage": end < order.lines.len(), "endCursor": end.to_string() });
    let has_shipment = order.lines.iter().any(|line| shipped(order, line) > 0);
    let mut node = Map::from_iter([
        ("id".to_owned(), json!(format!("gid://shopify/Order/{}", order.id))),
        ("updatedAt".to_owned(), json!(rfc3339(order.changed_at))),
        ("cancelledAt".to_owned(), json!(is_canceled(order).then(|| rfc3339(order.changed_at)))),
        ("displayFinancialStatus".to_owned(), json!(financial(order))),
        ("fulfillmentsCount".to_owned(), json!({ "count": u32::from(has_shipment) })),
        ("lineItems".to_owned(), json!({ "nodes": lines, "pageInfo": line_page })),
    ]);
    if with_shipments {
        let shipped: Vec<Value> = order
            .lines
            .iter()
            .filter(|line| shipped(order, line) > 0)
            .map(|line| json!({ "lineItem": { "id": gid(line) }, "quantity": shipped(order, line) }))
            .collect();
        let items = json!({ "nodes": shipped, "pageInfo": { "hasNextPage": false } });
        let shipments = has_shipment.then(|| json!({ "status": "SUCCESS", "fulfillmentLineItems": items }));
        node.insert("fulfillments".to_owned(), json!(shipments.into_iter().collect::<Vec<_>>()));
    }
    Value::Object(node)
}

/// An order, as a webhook shows it.
fn body(order: &Order) -> Value {
    let lines: Vec<Value> = order
        .lines
        .iter()
        .map(|line| {
            json!({
                "id": number(order, line),
                "sku": line.sku,
                "quantity": line.quantity,
                "current_quantity": line.quantity - line.canceled,
                "fulfillable_quantity": line.quantity - line.canceled - shipped(order, line),
                "price": "9.00",
            })
        })
        .collect();
    let has_shipment = order.lines.iter().any(|line| shipped(order, line) > 0);
    json!({
        "id": order.id.parse::<u64>().unwrap_or_default(),
        "admin_graphql_api_id": format!("gid://shopify/Order/{}", order.id),
        "created_at": rfc3339(order.placed_at),
        "updated_at": rfc3339(order.changed_at),
        "cancelled_at": is_canceled(order).then(|| rfc3339(order.changed_at)),
        "financial_status": financial(order).to_lowercase(),
        "fulfillment_status": has_shipment.then_some("fulfilled"),
        "fulfillments": has_shipment.then(|| json!({ "status": "success" })).into_iter().collect::<Vec<_>>(),
        "refunds": [],
        "line_items": lines,
    })
}

fn rfc3339(at: Timestamp) -> String {
    let seconds = i64::try_from(at.epoch_seconds()).unwrap_or_default();
    jiff::Timestamp::from_second(seconds).map(|at| at.to_string()).unwrap_or_default()
}

fn hmac(secret: &str, body: &[u8]) -> Vec<u8> {
    // An HMAC takes a key of any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else { return Vec::new() };
    mac.update(body);
    mac.finalize().into_bytes().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().take(16).fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
