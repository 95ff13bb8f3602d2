//! SAP Business One's face: sessions in cookies, no idempotency whatever, and two orders under one reference if two are sent.

use erp::Credentials;
use serde_json::{Value, json};
use vendor::transport::{Request, Response};
use wire::HeaderValue;

use crate::{
    books::{Books, Line, Order, Standing},
    face::{self, Face, empty, header, parameter},
};

/// The company's database.
pub const COMPANY: &str = "SBODEMOUS";

/// Where the goods go.
pub const WAREHOUSE: &str = "01";

const USER: (&str, &str) = ("manager", "s3cret-password");

/// Source: *Working with SAP Business One Service Layer*, `SessionTimeout`.
const SESSION_MINUTES: u64 = 30;

/// The node behind the balancer on which the session is.
const ROUTE: &str = ".node1";

/// SAP Business One, as it speaks.
#[derive(Debug, Clone, Copy, Default)]
pub struct BusinessOneFace;

/// The secrets that this SAP lets in.
#[must_use]
pub fn credentials() -> Credentials {
    Credentials::from([("user", USER.0), ("password", USER.1)])
}

impl Face for BusinessOneFace {
    fn answer(&self, books: &mut Books, request: &Request) -> Response {
        let Some(path) = request.uri().path().strip_prefix("/b1s/v2/") else { return empty(404) };
        if (request.method().as_str(), path) == ("POST", "Login") {
            return log_in(books, request);
        }
        let Some(session) = session(request).filter(|session| books.is_in(session)) else {
            return error(401, "301", "Invalid session or session already timeout.");
        };
        // Whoever calls stays in.
        let ends_at = books.now.plus_seconds(SESSION_MINUTES * 60);
        books.tokens.insert(session, ends_at);
        match (request.method().as_str(), path.strip_prefix("PurchaseOrders")) {
            ("GET", Some("")) => list(books, request),
            ("POST", Some("")) => create(books, request),
            (method, Some(one)) => on_one(books, method, one),
            _ => error(404, "-1000", "Unrecognized resource path."),
        }
    }

    fn creates(&self, request: &Request) -> bool {
        request.method() == "POST" && request.uri().path().ends_with("/PurchaseOrders")
    }

    fn throttled(&self) -> Response {
        empty(429)
    }
}

fn error(status: u16, code: &str, message: &str) -> Response {
    face::json(status, &json!({ "error": { "code": code, "details": [], "message": message } }))
}

fn log_in(books: &mut Books, request: &Request) -> Response {
    let said: Value = serde_json::from_slice(request.body()).unwrap_or_default();
    if said != json!({ "CompanyDB": COMPANY, "UserName": USER.0, "Password": USER.1 }) {
        return error(401, "100000027", "Login failed");
    }
    let session = books.let_in("session", SESSION_MINUTES * 60);
    let answer = json!({ "SessionId": session, "Version": "1000190", "SessionTimeout": SESSION_MINUTES });
    let mut response = face::json(200, &answer);
    for cookie in [format!("B1SESSION={session}; HttpOnly; SameSite=None"), format!("ROUTEID={ROUTE}; path=/b1s")] {
        response
            .headers_mut()
            .append("set-cookie", HeaderValue::try_from(cookie).unwrap_or(HeaderValue::from_static("")));
    }
    response
}

/// The session, if the call comes to the node where it is.
fn session(request: &Request) -> Option<String> {
    let cookie = |name: &str| {
        let mut pairs = header(request, "cookie").split("; ").filter_map(|pair| pair.split_once('='));
        pairs.find(|(known, _)| *known == name).map(|(_, value)| value.to_owned())
    };
    (cookie("ROUTEID").as_deref() == Some(ROUTE)).then(|| cookie("B1SESSION"))?
}

fn list(books: &Books, request: &Request) -> Response {
    let filter = parameter(request, "$filter").unwrap_or_default();
    let key = filter.strip_prefix("NumAtCard eq '").and_then(|rest| rest.strip_suffix('\''));
    let Some(key) = key.filter(|key| !key.contains('\'')) else {
        return error(400, "-1000", "Query string error");
    };
    // As the collation of a company does, without regard to case.
    let found = books.orders.values().filter(|order| order.key.eq_ignore_ascii_case(key));
    let found: Vec<Value> = found.filter(|order| order.standing != Standing::Deleted).map(order_json).rev().collect();
    face::json(200, &json!({ "@odata.context": "…", "value": found }))
}

fn create(books: &mut Books, request: &Request) -> Response {
    let Some(order) = serde_json::from_slice(request.body()).ok().and_then(|body| read(&body)) else {
        return error(400, "-1000", "The request is not understood");
    };
    match books.create(order) {
        Ok(id) => face::json(201, &order_json(&books.orders[&id])),
        Err(words) => error(400, "-5002", &words),
    }
}

/// `(5)`, `(5)/Cancel` or `(5)/Close`.
fn on_one(books: &mut Books, method: &str, path: &str) -> Response {
    let parts = path.strip_prefix('(').and_then(|rest| rest.split_once(')'));
    let Some((id, action)) = parts.and_then(|(id, action)| Some((id.parse::<u64>().ok()?, action))) else {
        return error(404, "-1000", "Unrecognized resource path.");
    };
    let Some(order) = books.order(id) else {
        return error(404, "-2028", "No matching records found (ODBC -2028)");
    };
    let some_came = order.lines.iter().any(|line| line.received > 0);
    match (method, action, order.standing) {
        ("GET", "", _) => face::json(200, &order_json(order)),
        ("POST", "/Cancel", Standing::Open) if some_came => {
            error(400, "-5006", "Document cannot be canceled: it was received in part")
        }
        ("POST", "/Cancel", Standing::Open) => {
            books.end(id, Standing::Canceled);
            empty(204)
        }
        ("POST", "/Close", Standing::Open) => {
            books.end(id, Standing::Closed);
            empty(204)
        }
        ("POST", "/Cancel" | "/Close", _) => error(400, "-5006", "Document is already closed"),
        _ => error(404, "-1000", "Unrecognized resource path."),
    }
}

fn order_json(order: &Order) -> Value {
    let is_open = order.standing == Standing::Open;
    let lines = order.lines.iter().enumerate().map(|(n, line)| {
        let status = if line.is_closed { "bost_Close" } else { "bost_Open" };
        let open: f64 = decimal(line.quantity.saturating_sub(line.received));
        json!({ "LineNum": n, "ItemCode": line.item, "Quantity": decimal(line.quantity), "LineStatus": status,
            "RemainingOpenQuantity": open, "WarehouseCode": WAREHOUSE, "ShipDate": order.expected_on })
    });
    json!({
        "DocEntry": order.id, "DocNum": 1_000 + order.id, "CardCode": order.supplier, "NumAtCard": order.key,
        "DocDate": format!("{}T00:00:00Z", order.order_on), "DocDueDate": format!("{}T00:00:00Z", order.expected_on),
        "DocumentStatus": if is_open { "bost_Open" } else { "bost_Close" },
        "Cancelled": if order.standing == Standing::Canceled { "tYES" } else { "tNO" },
        "DocumentLines": lines.collect::<Vec<_>>(),
    })
}

/// Quantities have a point.
fn decimal(units: u64) -> f64 {
    units.to_string().parse().unwrap_or_default()
}

/// An order, as it must be written.
fn read(body: &Value) -> Option<Order> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let date = |value: &Value| value.as_str()?.parse().ok();
    let lines = body["DocumentLines"].as_array().filter(|lines| !lines.is_empty())?.iter().map(|line| {
        (line["WarehouseCode"] == WAREHOUSE).then_some(())?;
        let unit_price = line["UnitPrice"].is_number().then(|| line["UnitPrice"].to_string())?;
        let quantity = line["Quantity"].as_u64()?;
        Some(Line { item: text(&line["ItemCode"])?, quantity, unit_price, received: 0, is_closed: false })
    });
    Some(Order {
        id: 0,
        key: text(&body["NumAtCard"]).filter(|key| key.len() <= 100)?,
        supplier: text(&body["CardCode"])?,
        order_on: date(&body["DocDate"])?,
        expected_on: date(&body["DocDueDate"])?,
        note: String::new(),
        lines: lines.collect::<Option<_>>()?,
        standing: Standing::Open,
        version: 0,
    })
}
