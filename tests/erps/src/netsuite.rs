//! NetSuite's face: assertions are checked to the last bit, `PUT` by external id creates or changes, and answers without a body.

use std::sync::LazyLock;

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use erp::Credentials;
use ring::signature::{KeyPair, RSA_PSS_2048_8192_SHA256, RsaKeyPair, UnparsedPublicKey};
use serde_json::{Value, json};
use vendor::transport::{Request, Response};
use wire::HeaderValue;

use crate::{
    books::{Books, Line, Order, Standing},
    face::{self, Face, empty, field, header, parameter},
};

/// The account, and where it is.
pub const ACCOUNT: &str = "1234567_SB1";
const HOST: &str = "https://1234567-sb1.suitetalk.api.netsuite.com";

/// Where the orders belong.
pub const SUBSIDIARY: &str = "3";

const CLIENT: &str = "consumer-key";
const CERTIFICATE: &str = "certificate-id";

/// A key that nobody else trusts: made for these tests, and public.
const PRIVATE_KEY: &str = include_str!("netsuite/key.pem");

/// Source: NetSuite, *OAuth 2.0 client credentials flow*: an access token is valid for 60 minutes.
const TOKEN_SECONDS: u64 = 3_600;

#[expect(clippy::expect_used, reason = "the key is the one next to this file")]
static KEY: LazyLock<RsaKeyPair> = LazyLock::new(|| {
    let text: String = PRIVATE_KEY.lines().filter(|line| !line.starts_with("-----")).collect();
    let der = STANDARD.decode(text).expect("base64 between the lines of a PEM");
    RsaKeyPair::from_pkcs8(&der).expect("an RSA key")
});

/// NetSuite, as it speaks.
#[derive(Debug, Clone, Default)]
pub struct NetSuiteFace {
    /// Where it is called, if not at its own address: an assertion must say so.
    pub host: Option<String>,
}

/// The secrets that this NetSuite lets in.
#[must_use]
pub fn credentials() -> Credentials {
    let pairs = [("client_id", CLIENT), ("certificate_id", CERTIFICATE), ("private_key", PRIVATE_KEY)];
    Credentials::from(pairs)
}

impl Face for NetSuiteFace {
    fn answer(&self, books: &mut Books, request: &Request) -> Response {
        let path = request.uri().path();
        if path == "/services/rest/auth/oauth2/v1/token" {
            return self.token(books, request);
        }
        if !books.is_in(header(request, "authorization").strip_prefix("Bearer ").unwrap_or_default()) {
            return problem(
                401,
                "INVALID_LOGIN",
                "Invalid login attempt. For more details, see the Login Audit Trail.",
                None,
            );
        }
        let Some(name) = path.strip_prefix("/services/rest/record/v1/purchaseOrder/") else {
            return problem(404, "NONEXISTENT_PATH", "There is no such path", None);
        };
        let existing = match name.strip_prefix("eid:") {
            Some(key) => books.under(key).next().map(|order| order.id),
            None => name.parse().ok().and_then(|id| books.order(id)).map(|order| order.id),
        };
        match (request.method().as_str(), existing) {
            ("GET", Some(id)) => face::json(200, &order_json(&books.orders[&id])),
            ("PUT", existing) => match name.strip_prefix("eid:") {
                Some(key) => put(books, request, key, existing),
                None => problem(400, "INVALID_ID", "PUT wants an external id", None),
            },
            ("PATCH", Some(id)) => patch(books, request, id),
            _ => problem(
                404,
                "NONEXISTENT_ID",
                "The record instance does not exist. Provide a valid record instance ID.",
                None,
            ),
        }
    }

    fn creates(&self, request: &Request) -> bool {
        request.method() == "PUT"
    }

    fn throttled(&self) -> Response {
        problem(
            429,
            "CONCURRENCY_LIMIT_EXCEEDED",
            "The request could not be processed because you exceeded the limit.",
            None,
        )
    }
}

impl NetSuiteFace {
    fn token(&self, books: &mut Books, request: &Request) -> Response {
        let kind = field(request, "client_assertion_type");
        let is_kind = kind == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
        let host = self.host.as_deref().unwrap_or(HOST);
        let audience = format!("{host}/services/rest/auth/oauth2/v1/token");
        let assertion = field(request, "client_assertion");
        let is_good = is_kind && field(request, "grant_type") == "client_credentials";
        if !is_good || !is_signed(&assertion, &audience, books.now.epoch_seconds()) {
            return face::json(400, &json!({ "error": "invalid_grant" }));
        }
        let token = books.let_in("netsuite", TOKEN_SECONDS);
        // NetSuite writes the number as a text.
        face::json(
            200,
            &json!({ "access_token": token, "expires_in": TOKEN_SECONDS.to_string(), "token_type": "Bearer" }),
        )
    }
}

/// Whether an assertion is one for this endpoint, now, and signed with the key. Source: RFC 7515, RFC 7518 and NetSuite's own rules.
fn is_signed(assertion: &str, audience: &str, now: u64) -> bool {
    let parts: Vec<&str> = assertion.split('.').collect();
    let [header, claims, signature] = parts.as_slice() else { return false };
    let decoded = |text: &str| URL_SAFE_NO_PAD.decode(text).ok();
    let json = |text: &str| serde_json::from_slice::<Value>(&decoded(text)?).ok();
    let (Some(head), Some(said), Some(signature)) = (json(header), json(claims), decoded(signature)) else {
        return false;
    };
    let (Some(from), Some(until)) = (said["iat"].as_u64(), said["exp"].as_u64()) else { return false };
    let is_ours = head == json!({ "typ": "JWT", "alg": "PS256", "kid": CERTIFICATE })
        && said["iss"] == CLIENT
        && said["scope"] == json!(["rest_webservices"])
        && said["aud"] == audience;
    let is_now = from <= now && now < until && until - from <= 3_600;
    let key = UnparsedPublicKey::new(&RSA_PSS_2048_8192_SHA256, KEY.public_key().as_ref());
    is_ours && is_now && key.verify(format!("{header}.{claims}").as_bytes(), &signature).is_ok()
}

fn problem(status: u16, code: &str, detail: &str, path: Option<&str>) -> Response {
    let mut said = json!({ "detail": detail, "o:errorCode": code });
    if let Some(path) = path {
        said["o:errorPath"] = path.into();
    }
    let kind = "https://www.w3.org/Protocols/rfc2616/rfc2616-sec10.html";
    face::json(status, &json!({ "type": kind, "title": "…", "status": status, "o:errorDetails": [said] }))
}

/// Creates, or changes: lines that come are joined to those that are there, unless `replace=item`.
fn put(books: &mut Books, request: &Request, key: &str, existing: Option<u64>) -> Response {
    let Some(order) = serde_json::from_slice(request.body()).ok().and_then(|body| read(&body, key)) else {
        return problem(
            400,
            "INVALID_CONTENT",
            "Error while accessing a resource: the body is not understood",
            Some("entity"),
        );
    };
    let id = match existing {
        Some(id) => {
            let Some(known) = books.orders.get_mut(&id) else { return empty(500) };
            if parameter(request, "replace").as_deref() == Some("item") {
                known.lines.clear();
            }
            known.lines.extend(order.lines);
            known.version += 1;
            id
        }
        None => match books.create(order) {
            Ok(id) => id,
            Err(words) => {
                let detail = format!("Error while accessing resource: {words}");
                return problem(400, "INVALID_CONTENT", &detail, Some("item.items[0].item"));
            }
        },
    };
    let mut response = empty(204);
    let place = format!("{HOST}/services/rest/record/v1/purchaseOrder/{id}");
    response.headers_mut().insert("location", HeaderValue::try_from(place).unwrap_or(HeaderValue::from_static("")));
    response
}

/// Closes lines. An order none of whose lines is open is closed.
fn patch(books: &mut Books, request: &Request, id: u64) -> Response {
    let body: Value = serde_json::from_slice(request.body()).unwrap_or_default();
    let Some(order) = books.orders.get_mut(&id) else { return empty(500) };
    for change in body["item"]["items"].as_array().into_iter().flatten() {
        let place = change["line"].as_u64().and_then(|line| usize::try_from(line).ok()?.checked_sub(1));
        let Some(line) = place.and_then(|place| order.lines.get_mut(place)) else {
            return problem(400, "INVALID_CONTENT", "There is no such line", Some("item.items[0].line"));
        };
        line.is_closed = change["isClosed"] == true;
    }
    order.version += 1;
    if order.lines.iter().all(|line| line.is_closed) {
        order.standing = Standing::Closed;
    }
    empty(204)
}

fn order_json(order: &Order) -> Value {
    let lines = order.lines.iter().enumerate().map(|(n, line)| {
        json!({ "line": n + 1, "item": { "id": line.item, "refName": "…" }, "isClosed": line.is_closed,
            "quantity": decimal(line.quantity), "quantityReceived": decimal(line.received), "quantityBilled": 0.0 })
    });
    let some_came = order.lines.iter().any(|line| line.received > 0);
    let all_came = order.lines.iter().all(|line| line.received >= line.quantity);
    let (letter, words) = match order.standing {
        Standing::Canceled => ("C", "Rejected by Supervisor"),
        Standing::Closed if all_came => ("F", "Pending Bill"),
        Standing::Closed | Standing::Deleted => ("H", "Closed"),
        Standing::Open if some_came => ("D", "Partially Received"),
        Standing::Open => ("B", "Pending Receipt"),
    };
    json!({
        "id": order.id.to_string(), "externalId": order.key, "tranId": format!("PO{}", order.id),
        "entity": { "id": order.supplier }, "tranDate": order.order_on, "dueDate": order.expected_on,
        "orderStatus": { "id": letter, "refName": words }, "status": { "id": words, "refName": words },
        "item": { "items": lines.collect::<Vec<_>>(), "totalResults": order.lines.len() },
    })
}

/// Quantities have a point.
fn decimal(units: u64) -> f64 {
    units.to_string().parse().unwrap_or_default()
}

/// An order, as it must be written.
fn read(body: &Value, key: &str) -> Option<Order> {
    let id = |value: &Value| value["id"].as_str().map(str::to_owned);
    let date = |value: &Value| value.as_str()?.parse().ok();
    let lines = body["item"]["items"].as_array().filter(|lines| !lines.is_empty())?.iter().map(|line| {
        let unit_price = line["rate"].is_number().then(|| line["rate"].to_string())?;
        let quantity = line["quantity"].as_u64()?;
        Some(Line { item: id(&line["item"])?, quantity, unit_price, received: 0, is_closed: false })
    });
    (body["subsidiary"]["id"] == SUBSIDIARY).then_some(())?;
    Some(Order {
        id: 0,
        key: key.to_owned(),
        supplier: id(&body["entity"])?,
        order_on: date(&body["tranDate"])?,
        expected_on: date(&body["dueDate"])?,
        note: String::new(),
        lines: lines.collect::<Option<_>>()?,
        standing: Standing::Open,
        version: 0,
    })
}
