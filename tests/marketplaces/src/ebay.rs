//! eBay's face: Inventory, Fulfillment, Notification and identity, strict about what eBay is strict about.
//!
//! A listing's `offer_id` is in its `remote`, several separated by commas. Without one it is an inventory item that no
//! offer names.

use base64::{Engine, engine::general_purpose::STANDARD};
use channels::{
    Credentials, Delivery,
    transport::{Request, Response},
};
use domain::{sale::Stage, time::Timestamp};
use p256::{
    ecdsa::{Signature, SigningKey, signature::hazmat::PrehashSigner},
    pkcs8::EncodePublicKey,
};
use serde_json::{Value, json};
use sha1::{Digest, Sha1};

use crate::{
    face::{self, Face},
    market::{DAY_SECONDS, Listing, Market, Order},
    tokens,
};

/// The id of the key that signs.
pub const KID: &str = "9f2d1c66-0000-4000-8000-1a2b3c4d5e6f";

/// What the seller gave to eBay with the webhook's URL.
pub const VERIFICATION_TOKEN: &str = "verification-token-of-thirty-two-characters";

const CLIENT: (&str, &str) = ("app-id", "cert-id");
const REFRESH_TOKEN: &str = "v^1.1#refresh";

/// Source: OAuth guide: a user's and an application's token last two hours.
const TOKEN_SECONDS: u64 = 7_200;

/// Source: Inventory API, `bulkUpdatePriceQuantity`.
const REVISIONS_PER_DAY: u32 = 250;

/// Source: Fulfillment API, `getOrders`.
const MAX_PAGE: usize = 200;

/// eBay, as it speaks. Its key pair is fixed.
#[derive(Debug, Clone, Copy, Default)]
pub struct EbayFace;

impl EbayFace {
    /// The secrets of a channel that this eBay lets in.
    #[must_use]
    pub fn credentials() -> Credentials {
        Credentials::from([
            ("client_id", CLIENT.0),
            ("client_secret", CLIENT.1),
            ("refresh_token", REFRESH_TOKEN),
            ("verification_token", VERIFICATION_TOKEN),
        ])
    }
}

/// The key that signs notifications: any number will do, as long as it stays the same.
fn signing_key() -> SigningKey {
    SigningKey::from_slice(&[7; 32]).expect("32 bytes below the order of P-256")
}

/// What eBay sends in `X-EBAY-SIGNATURE` with this body.
#[must_use]
#[expect(clippy::missing_panics_doc, reason = "it signs whatever it is given")]
pub fn signed(body: &[u8]) -> String {
    let signature: Signature = signing_key().sign_prehash(&Sha1::digest(body)).expect("a prehash of 20 bytes");
    let signature = STANDARD.encode(signature.to_der());
    STANDARD.encode(json!({ "alg": "ecdsa", "kid": KID, "signature": signature, "digest": "SHA1" }).to_string())
}

impl Face for EbayFace {
    fn answer(&self, market: &mut Market, request: &Request) -> Response {
        let path: Vec<&str> = request.uri().path().trim_start_matches('/').split('/').collect();
        match (request.method().as_str(), path.as_slice()) {
            ("POST", ["identity", "v1", "oauth2", "token"]) => token(market, request),
            ("GET", ["commerce", "notification", "v1", "public_key", kid]) => {
                with(market, request, "application", |_| public_key(kid))
            }
            ("POST", ["sell", "inventory", "v1", "bulk_update_price_quantity"]) => {
                with(market, request, "user", |market| revise(market, request))
            }
            ("GET", ["sell", "inventory", "v1", "inventory_item", sku]) => with(market, request, "user", |market| {
                market
                    .listings
                    .get(*sku)
                    .map_or_else(|| fault(404, 25_710, "no such SKU"), |listing| item(sku, listing))
            }),
            ("GET", ["sell", "inventory", "v1", "offer", id]) => {
                with(market, request, "user", |market| offer(market, id))
            }
            ("GET", ["sell", "fulfillment", "v1", "order"]) => {
                with(market, request, "user", |market| orders(market, request))
            }
            ("GET", ["sell", "fulfillment", "v1", "order", id]) => with(market, request, "user", |market| {
                let order = market.orders.get(&id.replace("%21", "!"));
                order
                    .map_or_else(|| fault(404, 32_100, "Invalid Order Id"), |order| face::json(200, &order_json(order)))
            }),
            _ => fault(404, 2_002, "Resource not found"),
        }
    }

    fn throttled(&self) -> Response {
        let mut response = fault(429, 2_001, "Too many requests. The request limit has been reached for the resource.");
        response.headers_mut().insert("retry-after", wire::HeaderValue::from_static("30"));
        response
    }

    fn webhook(&self, market: &Market, order: &str, url: &str) -> Option<Delivery> {
        let order = market.orders.get(order).filter(|order| order.stage < Stage::Shipped && !is_canceled(order))?;
        let now = date(market.now);
        let body = json!({
            "metadata": { "topic": "ORDER_CONFIRMATION", "schemaVersion": "1.0", "deprecated": false },
            "notification": {
                "notificationId": format!("{}_{}", order.id, order.changed_at), "eventDate": now, "publishDate": now,
                "publishAttemptCount": 1, "data": { "orderId": order.id, "lineItemId": order.lines[0].id },
            },
        });
        let body = body.to_string().into_bytes();
        let content = ("Content-Type".to_owned(), "application/json".to_owned());
        let headers = vec![content, ("X-EBAY-SIGNATURE".to_owned(), signed(&body))];
        Some(Delivery { method: "POST".to_owned(), url: url.to_owned(), query: vec![], headers, body })
    }
}

fn fault(status: u16, id: u32, message: &str) -> Response {
    face::json(status, &json!({ "errors": [{ "errorId": id, "domain": "ACCESS", "message": message }] }))
}

/// Answers whoever has a token of this kind.
fn with(market: &mut Market, request: &Request, kind: &str, answer: impl FnOnce(&mut Market) -> Response) -> Response {
    let header = request.headers().get("authorization").and_then(|value| value.to_str().ok());
    let token = header.and_then(|header| header.strip_prefix("Bearer "));
    if token.is_some_and(|token| tokens::is_good(market, kind, token)) {
        answer(market)
    } else {
        fault(401, 1_001, "Invalid access token")
    }
}

fn header<'a>(request: &'a Request, name: &str) -> &'a str {
    request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

fn token(market: &mut Market, request: &Request) -> Response {
    let basic = format!("Basic {}", STANDARD.encode(format!("{}:{}", CLIENT.0, CLIENT.1)));
    if header(request, "authorization") != basic {
        return face::json(
            401,
            &json!({ "error": "invalid_client", "error_description": "client authentication failed" }),
        );
    }
    if header(request, "content-type") != "application/x-www-form-urlencoded" {
        return face::json(400, &json!({ "error": "invalid_request" }));
    }
    let form: Vec<(String, String)> = form_urlencoded::parse(request.body()).into_owned().collect();
    let field = |name: &str| form.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value.as_str());
    let kind = match (field("grant_type"), field("refresh_token"), field("scope")) {
        ("refresh_token", REFRESH_TOKEN, _) => "user",
        ("client_credentials", "", "https://api.ebay.com/oauth/api_scope") => "application",
        _ => {
            let words = "the provided authorization grant is invalid, expired or revoked";
            return face::json(400, &json!({ "error": "invalid_grant", "error_description": words }));
        }
    };
    let token = tokens::issue(market, kind, TOKEN_SECONDS);
    face::json(200, &json!({ "access_token": token, "expires_in": TOKEN_SECONDS, "token_type": "Access Token" }))
}

fn public_key(kid: &str) -> Response {
    if kid != KID {
        return fault(404, 195_001, "The specified key id is invalid.");
    }
    let der = signing_key().verifying_key().to_public_key_der().expect("a key has a form in DER");
    let key = format!("-----BEGIN PUBLIC KEY-----{}-----END PUBLIC KEY-----", STANDARD.encode(der.as_bytes()));
    face::json(200, &json!({ "key": key, "algorithm": "ECDSA", "digest": "SHA1" }))
}

fn offers(listing: &Listing) -> Vec<&str> {
    let ids = listing.remote.get("offer_id").map_or("", String::as_str);
    ids.split(',').filter(|id| !id.is_empty()).collect()
}

fn revise(market: &mut Market, request: &Request) -> Response {
    let body: Value = serde_json::from_slice(request.body()).unwrap_or_default();
    let is_json = header(request, "content-type") == "application/json";
    let Some([one]) = body["requests"].as_array().map(Vec::as_slice).filter(|_| is_json) else {
        return fault(400, 25_001, "One SKU in a request, as JSON");
    };
    let (Some(sku), Some(quantity)) = (one["sku"].as_str(), one["shipToLocationAvailability"]["quantity"].as_u64())
    else {
        return fault(400, 25_002, "Missing sku or quantity");
    };
    let answer = |offer: Option<&str>, status: u16, message: &str| {
        let errors = if status == 200 { json!([]) } else { json!([{ "errorId": 25_002, "message": message }]) };
        json!({ "sku": sku, "offerId": offer, "statusCode": status, "errors": errors, "warnings": [] })
    };
    let Some(listing) = market.listings.get(sku) else {
        return face::json(207, &json!({ "responses": [answer(None, 404, "no such SKU")] }));
    };
    let known: Vec<String> = offers(listing).into_iter().map(str::to_owned).collect();
    let today = market.now.epoch_seconds() / DAY_SECONDS;
    if listing.revisions.get(&today).is_some_and(|revisions| *revisions >= REVISIONS_PER_DAY) {
        let words = "This listing has been revised too often today.";
        return face::json(207, &json!({ "responses": [answer(None, 400, words)] }));
    }
    let (mut shown, mut answers) = (quantity, vec![answer(None, 200, "")]);
    for offer in one["offers"].as_array().into_iter().flatten() {
        let id = offer["offerId"].as_str().unwrap_or_default();
        match offer["availableQuantity"].as_u64().filter(|_| known.iter().any(|known| known == id)) {
            Some(available) => {
                shown = shown.min(available);
                answers.push(answer(Some(id), 200, ""));
            }
            None => answers.push(answer(Some(id), 404, "no such offer of this SKU")),
        }
    }
    let is_good = answers.iter().all(|answer| answer["statusCode"] == 200);
    if is_good && market.set_quantity(sku, shown).is_none() {
        return face::json(207, &json!({ "responses": [answer(None, 400, "The listing cannot be revised.")] }));
    }
    face::json(if is_good { 200 } else { 207 }, &json!({ "responses": answers }))
}

fn item(sku: &str, listing: &Listing) -> Response {
    let availability = json!({ "shipToLocationAvailability": { "quantity": listing.shown } });
    face::json(200, &json!({ "sku": sku, "condition": "NEW", "availability": availability }))
}

fn offer(market: &Market, id: &str) -> Response {
    let listing = market.listings.iter().find(|(_, listing)| offers(listing).contains(&id));
    listing.map_or_else(
        || fault(404, 25_713, "This Offer is not available."),
        |(sku, listing)| {
            let quantity = listing.shown;
            face::json(200, &json!({ "offerId": id, "sku": sku, "availableQuantity": quantity, "status": "PUBLISHED" }))
        },
    )
}

fn orders(market: &Market, request: &Request) -> Response {
    let query = request.uri().query().unwrap_or_default();
    let query: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let field = |name: &str| query.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    let since = field("filter").and_then(|filter| filter.strip_prefix("lastmodifieddate:[")?.strip_suffix("..]"));
    let since = since.and_then(|since| since.parse::<jiff::Timestamp>().ok()?.as_second().try_into().ok());
    let limit =
        field("limit").map_or(Some(50), |text| text.parse().ok()).filter(|limit| (1..=MAX_PAGE).contains(limit));
    let offset = field("offset").map_or(Some(0), |text| text.parse::<usize>().ok());
    let (Some(since), Some(limit), Some(offset)) = (since, limit, offset) else {
        return fault(400, 30_700, "Invalid filter, limit or offset");
    };
    let changed = market.changed_since(Timestamp::from_epoch_seconds(since));
    let page: Vec<Value> = changed.iter().skip(offset).take(limit).map(|order| order_json(order)).collect();
    let mut body = json!({ "orders": page, "total": changed.len(), "limit": limit, "offset": offset });
    if offset + limit < changed.len() {
        body["next"] = format!("https://api.ebay.com/sell/fulfillment/v1/order?offset={}", offset + limit).into();
    }
    face::json(200, &body)
}

fn is_canceled(order: &Order) -> bool {
    order.lines.iter().all(|line| line.canceled >= line.quantity)
}

/// eBay cancels orders as a whole: one that is canceled in part looks as if it were not.
fn order_json(order: &Order) -> Value {
    let shipped = if order.stage == Stage::Shipped { "FULFILLED" } else { "NOT_STARTED" };
    let cancel_state = if is_canceled(order) { "CANCELED" } else { "NONE_REQUESTED" };
    let lines: Vec<Value> = order
        .lines
        .iter()
        .map(|line| {
            json!({
                "lineItemId": line.id, "sku": line.sku, "quantity": line.quantity, "title": "…",
                "lineItemFulfillmentStatus": shipped,
            })
        })
        .collect();
    json!({
        "orderId": order.id, "creationDate": date(order.placed_at), "lastModifiedDate": date(order.changed_at),
        "orderPaymentStatus": if order.stage == Stage::Pending { "PENDING" } else { "PAID" },
        "orderFulfillmentStatus": shipped,
        "cancelStatus": { "cancelState": cancel_state, "cancelRequests": [] },
        "lineItems": lines,
    })
}

fn date(at: Timestamp) -> String {
    let seconds = i64::try_from(at.epoch_seconds()).unwrap_or_default();
    jiff::Timestamp::from_second(seconds).unwrap_or_default().strftime("%Y-%m-%dT%H:%M:%S.000Z").to_string()
}
