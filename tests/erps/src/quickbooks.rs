//! QuickBooks Online's face: tokens whose refresh token changes each time, queries, orders, bills, faults with status 200.

use std::fmt::Write;

use base64::{Engine, engine::general_purpose::STANDARD};
use erp::Credentials;
use serde_json::{Value, json};
use vendor::transport::{Request, Response};

use crate::{
    books::{Books, Line, Order, Receipt, Standing},
    face::{self, Face, empty, field, header, parameter},
};

/// The company.
pub const REALM: &str = "4620816365";

/// The accounts-payable account.
pub const AP_ACCOUNT: &str = "33";

const CLIENT: (&str, &str) = ("client-id", "client-secret");

/// Source: Intuit, *Authorization FAQ*: access tokens are valid for an hour.
const TOKEN_SECONDS: u64 = 3_600;

/// QuickBooks Online, as it speaks.
#[derive(Debug, Clone, Copy, Default)]
pub struct QuickBooksFace {
    /// Faults come in XML, and with status 200.
    pub faults_in_xml: bool,
    /// Orders are numbered by itself, whatever number they come with.
    pub numbers_by_itself: bool,
}

/// The secrets that this QuickBooks lets in.
#[must_use]
pub fn credentials() -> Credentials {
    Credentials::from([("client_id", CLIENT.0), ("client_secret", CLIENT.1)])
}

impl Face for QuickBooksFace {
    fn answer(&self, books: &mut Books, request: &Request) -> Response {
        let path: Vec<&str> = request.uri().path().trim_start_matches('/').split('/').collect();
        if path == ["oauth2", "v1", "tokens", "bearer"] {
            return token(books, request);
        }
        let token = header(request, "authorization").strip_prefix("Bearer ").unwrap_or_default();
        if !books.is_in(token) {
            let said = json!({ "message": "message=AuthenticationFailed; errorCode=003200; statusCode=401",
                "detail": format!("Token expired: {token}"), "code": "3200", "element": null });
            return face::json(401, &json!({ "fault": { "error": [said], "type": "AUTHENTICATION" } }));
        }
        if parameter(request, "minorversion").as_deref() != Some("75")
            || header(request, "accept") != "application/json"
        {
            return self.fault("2010", "Request has invalid or unsupported property", "minorversion, accept");
        }
        match (request.method().as_str(), path.as_slice()) {
            ("GET", ["v3", "company", REALM, "query"]) => self.query(books, request),
            ("POST", ["v3", "company", REALM, "purchaseorder"]) => self.write(books, request),
            ("GET", ["v3", "company", REALM, "purchaseorder", id]) => match found(books, id) {
                Some(order) => answer_json(&json!({ "PurchaseOrder": self.order_json(books, order) })),
                None => self.gone(id),
            },
            ("GET", ["v3", "company", REALM, "bill", id]) => match bill_json(books, id) {
                Some(bill) => answer_json(&json!({ "Bill": bill })),
                None => self.gone(id),
            },
            _ => empty(404),
        }
    }

    fn creates(&self, request: &Request) -> bool {
        request.method() == "POST" && request.uri().path().ends_with("/purchaseorder")
    }

    fn throttled(&self) -> Response {
        let said = json!({ "Message": "message=ThrottleExceeded; errorCode=003001; statusCode=429", "code": "3001" });
        face::json(429, &json!({ "Fault": { "Error": [said], "type": "SERVICE" } }))
    }
}

fn answer_json(body: &Value) -> Response {
    face::json(200, body)
}

fn token(books: &mut Books, request: &Request) -> Response {
    let basic = format!("Basic {}", STANDARD.encode(format!("{}:{}", CLIENT.0, CLIENT.1)));
    if header(request, "authorization") != basic {
        return face::json(401, &json!({ "error": "invalid_client" }));
    }
    if field(request, "grant_type") != "refresh_token" || field(request, "refresh_token") != books.refresh_token {
        return face::json(
            400,
            &json!({ "error": "invalid_grant", "error_description": "Incorrect or invalid refresh token" }),
        );
    }
    let access = books.let_in("access", TOKEN_SECONDS);
    books.refresh_token = format!("refresh-{}", books.logins);
    face::json(
        200,
        &json!({ "token_type": "bearer", "expires_in": TOKEN_SECONDS, "access_token": access,
            "refresh_token": books.refresh_token, "x_refresh_token_expires_in": 8_726_400 }),
    )
}

fn found<'a>(books: &'a Books, id: &str) -> Option<&'a Order> {
    books.order(id.parse().ok()?)
}

impl QuickBooksFace {
    fn fault(self, code: &str, message: &str, detail: &str) -> Response {
        if self.faults_in_xml {
            let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?><IntuitResponse>");
            let inside = format!("<Message>{message}</Message><Detail>{detail}</Detail>");
            write!(text, "<Fault type=\"ValidationFault\"><Error code=\"{code}\">{inside}</Error></Fault>")
                .unwrap_or_default();
            let mut response = empty(200);
            *response.body_mut() = (text + "</IntuitResponse>").into_bytes();
            return response;
        }
        let said = json!({ "Message": message, "Detail": detail, "code": code });
        face::json(400, &json!({ "Fault": { "Error": [said], "type": "ValidationFault" }, "time": "…" }))
    }

    fn gone(self, id: &str) -> Response {
        let detail = format!("Object Not Found : Something you're trying to use has been made inactive. Id={id}");
        self.fault("610", "Object Not Found", &detail)
    }

    fn query(self, books: &Books, request: &Request) -> Response {
        let query = parameter(request, "query").unwrap_or_default();
        let number = query.strip_prefix("select * from PurchaseOrder where DocNumber = '");
        let Some(number) = number.and_then(|rest| rest.strip_suffix('\'')).filter(|number| !number.contains('\''))
        else {
            return self.fault("4000", "Error parsing query", &query);
        };
        let found = books.orders.values().rev().filter(|order| order.standing != Standing::Deleted);
        let found: Vec<Value> =
            found.map(|order| self.order_json(books, order)).filter(|order| order["DocNumber"] == number).collect();
        if found.is_empty() {
            return answer_json(&json!({ "QueryResponse": {}, "time": "…" }));
        }
        answer_json(
            &json!({ "QueryResponse": { "startPosition": 1, "maxResults": found.len(), "PurchaseOrder": found } }),
        )
    }

    /// Creates an order, or changes one.
    fn write(self, books: &mut Books, request: &Request) -> Response {
        let Ok(body) = serde_json::from_slice::<Value>(request.body()) else {
            return self.fault("2010", "Request has invalid or unsupported property", "no JSON");
        };
        if let Some(id) = body["Id"].as_str() {
            return self.update(books, id, &body);
        }
        let Some(key) = parameter(request, "requestid").filter(|key| (1..=50).contains(&key.len())) else {
            return self.fault("2020", "Required param missing", "requestid");
        };
        // A refusal is replayed too: the worst that could be true.
        if let Some(answer) = books.remembered.get(&key) {
            let refused = answer.starts_with(b"<") || answer.starts_with(br#"{"Fault""#);
            let mut response = empty(if refused && !self.faults_in_xml { 400 } else { 200 });
            response.body_mut().clone_from(answer);
            return response;
        }
        let response = match read(&body) {
            Ok(order) => match books.create(order) {
                Ok(id) => {
                    answer_json(&json!({ "PurchaseOrder": self.order_json(books, &books.orders[&id]), "time": "…" }))
                }
                Err(words) => self.fault("2500", "Invalid Reference Id", &words),
            },
            Err(words) => self.fault("2020", "Required param missing", words),
        };
        books.remembered.insert(key, response.body().clone());
        response
    }

    fn update(self, books: &mut Books, id: &str, body: &Value) -> Response {
        let Some((id, version)) = found(books, id).map(|order| (order.id, order.version)) else { return self.gone(id) };
        if body["SyncToken"].as_str() != Some(&*version.to_string()) {
            return self.fault("5010", "Stale Object Error", "You and root were working on this at the same time.");
        }
        if body["sparse"] != true || body["POStatus"] != "Closed" {
            return self.fault("2010", "Request has invalid or unsupported property", "only closing is known here");
        }
        books.end(id, Standing::Closed);
        answer_json(&json!({ "PurchaseOrder": self.order_json(books, &books.orders[&id]) }))
    }

    fn order_json(self, books: &Books, order: &Order) -> Value {
        let number = if self.numbers_by_itself { format!("{}", 1_000 + order.id) } else { order.key.clone() };
        let lines = order.lines.iter().enumerate().map(|(n, line)| {
            json!({ "Id": (n + 1).to_string(), "DetailType": "ItemBasedExpenseLineDetail", "ItemBasedExpenseLineDetail": {
                "ItemRef": { "value": line.item, "name": "…" }, "Qty": line.quantity, "TaxCodeRef": { "value": "NON" } } })
        });
        let bills = books.receipts.iter().filter(|receipt| receipt.order == order.id);
        let linked = bills.map(|receipt| json!({ "TxnId": receipt.id.to_string(), "TxnType": "Bill" }));
        let status = if order.standing == Standing::Open { "Open" } else { "Closed" };
        json!({
            "Id": order.id.to_string(), "SyncToken": order.version.to_string(), "DocNumber": number, "domain": "QBO",
            "sparse": false, "VendorRef": { "value": order.supplier, "name": "…" }, "POStatus": status,
            "TxnDate": order.order_on, "DueDate": order.expected_on, "PrivateNote": order.note,
            "Line": lines.collect::<Vec<_>>(), "LinkedTxn": linked.collect::<Vec<_>>(),
        })
    }
}

fn bill_json(books: &Books, id: &str) -> Option<Value> {
    let receipt: &Receipt = books.receipts.iter().find(|receipt| receipt.id.to_string() == id)?;
    let line = books.orders.get(&receipt.order)?.lines.get(receipt.line)?;
    let linked = json!([{ "TxnId": receipt.order.to_string(), "TxnType": "PurchaseOrder",
        "TxnLineId": (receipt.line + 1).to_string() }]);
    let detail = json!({ "ItemRef": { "value": line.item }, "Qty": receipt.units });
    let line = json!({ "Id": "1", "DetailType": "ItemBasedExpenseLineDetail", "ItemBasedExpenseLineDetail": detail,
        "LinkedTxn": linked });
    Some(json!({ "Id": id, "SyncToken": "0", "Line": [line] }))
}

/// An order, as it must be written.
fn read(body: &Value) -> Result<Order, &'static str> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    if body["APAccountRef"]["value"] != AP_ACCOUNT {
        return Err("APAccountRef");
    }
    let key = text(&body["DocNumber"]).filter(|number| number.len() <= 21).ok_or("DocNumber")?;
    let lines = body["Line"].as_array().filter(|lines| !lines.is_empty()).ok_or("Line")?;
    let lines = lines.iter().map(|line| {
        let detail = &line["ItemBasedExpenseLineDetail"];
        let (quantity, price) = (detail["Qty"].as_u64()?, &detail["UnitPrice"]);
        #[expect(clippy::cast_precision_loss, reason = "quantities of a test are small")]
        let wanted = quantity as f64 * price.as_f64()?;
        let sums_up = (line["Amount"].as_f64()? - wanted).abs() < 1e-6;
        let is_item = line["DetailType"] == "ItemBasedExpenseLineDetail" && sums_up;
        is_item.then_some(Line {
            item: text(&detail["ItemRef"]["value"])?,
            quantity,
            unit_price: price.to_string(),
            received: 0,
            is_closed: false,
        })
    });
    Ok(Order {
        id: 0,
        key,
        supplier: text(&body["VendorRef"]["value"]).ok_or("VendorRef")?,
        order_on: date(&body["TxnDate"]).ok_or("TxnDate")?,
        expected_on: date(&body["DueDate"]).ok_or("DueDate")?,
        note: text(&body["PrivateNote"]).unwrap_or_default(),
        lines: lines.collect::<Option<_>>().ok_or("Line")?,
        standing: Standing::Open,
        version: 0,
    })
}

fn date(value: &Value) -> Option<jiff::civil::Date> {
    value.as_str()?.parse().ok()
}
