//! The face of `WooCommerce`: `/wp-json/wc/v3`, as its PHP answers. Of a batch each listing is set or refused by itself.

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::STANDARD};
use channels::{
    Delivery,
    transport::{Request, Response},
};
use domain::{sale::Stage, time::Timestamp};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use wire::{HeaderValue, Method};

use crate::{
    face::{Face, json as answer},
    market::{Line, Listing, Market, Order},
};

/// `WooCommerce`, for one shop.
#[derive(Debug, Clone)]
pub struct WooCommerceFace {
    /// The key.
    pub consumer_key: String,
    /// Its secret.
    pub consumer_secret: String,
    /// The secret of the webhook.
    pub webhook_secret: String,
    /// Orders on a page, at most.
    pub page: usize,
}

impl Default for WooCommerceFace {
    fn default() -> Self {
        Self {
            consumer_key: "ck_1".to_owned(),
            consumer_secret: "cs_1".to_owned(),
            webhook_secret: "hush".to_owned(),
            page: 100,
        }
    }
}

/// A request, taken apart.
struct Call<'a> {
    method: &'a Method,
    path: Vec<&'a str>,
    query: BTreeMap<String, String>,
    body: Value,
}

impl Call<'_> {
    fn number(&self, name: &str, default: usize) -> usize {
        self.query.get(name).and_then(|text| text.parse().ok()).unwrap_or(default)
    }
}

impl Face for WooCommerceFace {
    fn answer(&self, market: &mut Market, request: &Request) -> Response {
        let pair = STANDARD.encode(format!("{}:{}", self.consumer_key, self.consumer_secret));
        let given = request.headers().get("authorization").and_then(|value| value.to_str().ok());
        if given != Some(format!("Basic {pair}").as_str()) {
            return error(401, "woocommerce_rest_cannot_view", "Sorry, you cannot list resources.");
        }
        let uri = request.uri();
        let Some(path) = uri.path().strip_prefix("/wp-json/wc/v3/") else { return no_route() };
        let query = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()).into_owned().collect();
        let is_json = request.headers().get("content-type").is_some_and(|media| media == "application/json");
        let body = if is_json { serde_json::from_slice(request.body()).unwrap_or_default() } else { Value::Null };
        let call = Call { method: request.method(), path: path.split('/').collect(), query, body };
        match (call.method, call.path.as_slice()) {
            (&Method::PUT, ["products", product]) => set(market, product, None, &call.body),
            (&Method::PUT, ["products", product, "variations", one]) => set(market, product, Some(one), &call.body),
            (&Method::POST, ["products", "batch"]) => batch(market, None, &call.body),
            (&Method::POST, ["products", product, "variations", "batch"]) => batch(market, Some(product), &call.body),
            (&Method::GET, ["products"]) => list(market, None, &call),
            (&Method::GET, ["products", product, "variations"]) => list(market, Some(product), &call),
            (&Method::GET, ["orders"]) => self.orders(market, &call),
            (&Method::GET, ["orders", id]) => match market.orders.get(*id) {
                Some(order) => answer(200, &shown(order)),
                None => error(404, "woocommerce_rest_shop_order_invalid_id", "Invalid ID."),
            },
            (&Method::GET, ["orders", id, "refunds"]) => match market.orders.get(*id) {
                Some(order) => paged(&refunds(order), &call, 100),
                None => error(404, "woocommerce_rest_invalid_order_id", "Invalid order ID."),
            },
            _ => no_route(),
        }
    }

    fn throttled(&self) -> Response {
        let mut response = error(429, "too_many_requests", "Slow down.");
        response.headers_mut().insert("retry-after", HeaderValue::from_static("7"));
        response
    }

    fn webhook(&self, market: &Market, order: &str, url: &str) -> Option<Delivery> {
        let order = market.orders.get(order)?;
        let topic = if order.changed_at == order.placed_at { "order.created" } else { "order.updated" };
        let body = shown(order).to_string().into_bytes();
        let mut mac = Hmac::<Sha256>::new_from_slice(self.webhook_secret.as_bytes()).ok()?;
        mac.update(&body);
        let headers = [
            ("X-WC-Webhook-Source", "https://teashop.example/".to_owned()),
            ("X-WC-Webhook-Topic", topic.to_owned()),
            ("X-WC-Webhook-Resource", "order".to_owned()),
            ("X-WC-Webhook-Event", topic.replace("order.", "")),
            ("X-WC-Webhook-Signature", STANDARD.encode(mac.finalize().into_bytes())),
            ("X-WC-Webhook-ID", "5".to_owned()),
            // As the shop does it: the webhook and the second, whatever the order.
            ("X-WC-Webhook-Delivery-ID", format!("5-{}", market.now)),
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

impl WooCommerceFace {
    fn orders(&self, market: &Market, call: &Call<'_>) -> Response {
        let after =
            call.query.get("modified_after").and_then(|text| format!("{text}Z").parse::<jiff::Timestamp>().ok());
        let is_gmt = call.query.get("dates_are_gmt").is_some_and(|text| text == "true");
        let (Some(after), true) = (after, is_gmt) else {
            return error(400, "rest_invalid_param", "Invalid parameter(s): modified_after");
        };
        let after = u64::try_from(after.as_second()).unwrap_or_default();
        let mut orders = market.changed_since(Timestamp::from_epoch_seconds(after + 1));
        if call.query.get("orderby").is_some_and(|by| by == "id") {
            orders.sort_by_key(|order| order.id.parse::<u64>().unwrap_or_default());
        }
        paged(&orders.into_iter().map(shown).collect::<Vec<_>>(), call, self.page)
    }
}

/// A page of these, as large as is asked for, but not larger than `at_most`.
fn paged(all: &[Value], call: &Call<'_>, at_most: usize) -> Response {
    let (size, page) = (call.number("per_page", 10).min(at_most).max(1), call.number("page", 1).max(1));
    let shown: Vec<&Value> = all.iter().skip((page - 1) * size).take(size).collect();
    let mut response = answer(200, &json!(shown));
    for (name, number) in [("x-wp-total", all.len()), ("x-wp-totalpages", all.len().div_ceil(size))] {
        response.headers_mut().insert(name, HeaderValue::from(number));
    }
    response
}

fn error(status: u16, code: &str, message: &str) -> Response {
    answer(status, &json!({ "code": code, "message": message, "data": { "status": status } }))
}

fn no_route() -> Response {
    error(404, "rest_no_route", "No route was found matching the URL and request method.")
}

/// The listing of a product, or of a variation of it.
fn find(market: &Market, product: &str, variation: Option<&str>) -> Option<String> {
    let is = |listing: &Listing| {
        listing.remote.get("product_id").is_some_and(|known| known == product)
            && listing.remote.get("variation_id").map(String::as_str) == variation
    };
    market.listings.iter().find(|(_, listing)| is(listing)).map(|(sku, _)| sku.clone())
}

/// Sets one quantity: the product, or code and words of the refusal.
fn put(market: &mut Market, product: &str, variation: Option<&str>, body: &Value) -> Result<Value, [&'static str; 2]> {
    let Some(sku) = find(market, product, variation) else {
        return Err(["woocommerce_rest_product_invalid_id", "Invalid ID."]);
    };
    let quantity = body["stock_quantity"].as_u64().filter(|_| body["manage_stock"] == true);
    let Some(quantity) = quantity else {
        return Err(["rest_invalid_param", "Invalid parameter(s): stock_quantity"]);
    };
    if market.set_quantity(&sku, quantity).is_none() {
        return Err(["woocommerce_rest_invalid_stock", "A plugin of the shop says no."]);
    }
    let shown = if market.faults.swallows { market.listings.get(&sku).map_or(0, |one| one.shown) } else { quantity };
    let id: u64 = variation.unwrap_or(product).parse().unwrap_or_default();
    Ok(json!({ "id": id, "sku": sku, "manage_stock": true, "stock_quantity": shown, "price": "9.00" }))
}

fn set(market: &mut Market, product: &str, variation: Option<&str>, body: &Value) -> Response {
    match put(market, product, variation, body) {
        Ok(product) => answer(200, &product),
        Err([code, message]) => error(400, code, message),
    }
}

fn batch(market: &mut Market, product: Option<&str>, body: &Value) -> Response {
    let update = body["update"].as_array().map_or(&[][..], Vec::as_slice);
    if update.len() > 100 {
        let words = "Unable to accept more than 100 items for this request.";
        return error(413, "woocommerce_rest_request_entity_too_large", words);
    }
    let done: Vec<Value> = update
        .iter()
        .map(|one| {
            let id = one["id"].to_string();
            let (product, variation) = product.map_or((id.as_str(), None), |product| (product, Some(id.as_str())));
            put(market, product, variation, one).unwrap_or_else(|[code, message]| {
                json!({ "id": one["id"], "error": { "code": code, "message": message, "data": { "status": 400 } } })
            })
        })
        .collect();
    answer(200, &json!({ "update": done }))
}

fn list(market: &Market, product: Option<&str>, call: &Call<'_>) -> Response {
    let include: Vec<&str> = call.query.get("include").map_or("", String::as_str).split(',').collect();
    let found: Vec<Value> = include
        .iter()
        .filter_map(|id| {
            let sku = product.map_or_else(|| find(market, id, None), |product| find(market, product, Some(id)))?;
            let shown = market.listings.get(&sku)?.shown;
            Some(json!({ "id": id.parse::<u64>().ok()?, "manage_stock": true, "stock_quantity": shown }))
        })
        .collect();
    paged(&found, call, 100)
}

fn status(order: &Order) -> &'static str {
    match order.stage {
        _ if order.lines.iter().all(|line| line.canceled >= line.quantity) => "cancelled",
        Stage::Pending => "on-hold",
        Stage::Paid => "processing",
        Stage::Shipped => "completed",
    }
}

/// A line's number: those of a shop are unique.
fn number(order: &Order, line: &Line) -> u64 {
    order.id.parse::<u64>().unwrap_or_default() * 1000 + line.id.parse::<u64>().unwrap_or_default()
}

fn is_refunded(order: &Order) -> bool {
    status(order) != "cancelled" && order.lines.iter().any(|line| line.canceled > 0)
}

fn shown(order: &Order) -> Value {
    let lines: Vec<Value> = order
        .lines
        .iter()
        .map(|line| {
            json!({
                "id": number(order, line), "sku": line.sku, "quantity": line.quantity, "product_id": 1,
                "variation_id": 0, "total": "9.00",
            })
        })
        .collect();
    json!({
        "id": order.id.parse::<u64>().unwrap_or_default(),
        "status": status(order),
        "currency": "EUR",
        "date_created_gmt": local(order.placed_at),
        "date_modified_gmt": local(order.changed_at),
        "date_completed_gmt": (order.stage == Stage::Shipped).then(|| local(order.changed_at)),
        "line_items": lines,
        "refunds": if is_refunded(order) { json!([{ "id": 1, "reason": "", "total": "-9.00" }]) } else { json!([]) },
    })
}

/// One refund of all that was canceled, a second before the last change.
fn refunds(order: &Order) -> Vec<Value> {
    if !is_refunded(order) {
        return Vec::new();
    }
    let lines = order.lines.iter().filter(|line| line.canceled > 0).map(|line| {
        let about = json!({ "id": 1, "key": "_refunded_item_id", "value": number(order, line).to_string() });
        let quantity = i64::try_from(line.canceled).unwrap_or_default();
        json!({ "id": 9, "sku": line.sku, "quantity": -quantity, "meta_data": [about] })
    });
    let lines: Vec<Value> = lines.collect();
    let before = Timestamp::from_epoch_seconds(order.changed_at.epoch_seconds().saturating_sub(1));
    vec![json!({ "id": 1, "date_created_gmt": local(before), "amount": "9.00", "line_items": lines })]
}

/// A time as the shop writes it: UTC, without saying so.
fn local(at: Timestamp) -> String {
    let seconds = i64::try_from(at.epoch_seconds()).unwrap_or_default();
    let at = jiff::Timestamp::from_second(seconds).map(|at| at.to_string()).unwrap_or_default();
    at.trim_end_matches('Z').to_owned()
}
