//! A shop without a network: the real store and the real AWS SDK over the simulation's DynamoDB, which answers at once and never fails.
//! The same input therefore always does the same.

use std::{
    cell::RefCell,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use aws_sdk_dynamodb::config::SharedHttpClient;
use aws_smithy_runtime_api::client::{
    http::{HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector},
    orchestrator::{HttpRequest, HttpResponse},
    result::ConnectorError,
    runtime_components::RuntimeComponents,
};
use aws_smithy_types::body::SdkBody;
use domain::{
    audit::Audit,
    order::OrderIdKey,
    time::{Clock, Timestamp},
};
use http::{Request, Response};
use runtime::{App, Orders, Timers};
use serde_json::{Value, json};
use simulation::{
    expression::Item,
    item::sdk_item,
    table::{Answer, Table},
    world::START,
};
use store::{Store, StoredItem};
use tokio::{
    runtime::Runtime,
    time::{Instant, sleep},
};

/// What every input finds: two SKUs with units, one split for a peak, and one without any.
const FIRST: [&str; 6] = [
    "PUT /v1/stock/tea\ncontent-type: application/json\n\n{}",
    "PUT /v1/stock/mug\ncontent-type: application/json\n\n{}",
    "PUT /v1/stock/hot?channel=amazon\ncontent-type: application/json\n\n{\"expected_peak_per_second\": 200}",
    "POST /v1/stock/tea/movements\ncontent-type: application/json\nidempotency-key: first\n\n{\"kind\":\"receive\",\"quantity\":5,\"reason\":\"first\"}",
    "POST /v1/stock/hot/movements?channel=amazon\ncontent-type: application/json\nidempotency-key: hot\n\n{\"kind\":\"receive\",\"quantity\":90,\"reason\":\"first\"}",
    "POST /v1/reservations\ncontent-type: application/json\nidempotency-key: held\n\n{\"lines\":[{\"sku\":\"tea\",\"quantity\":1}]}",
];

thread_local! {
    static SHOP: RefCell<Option<Shop>> = const { RefCell::new(None) };
}

/// The functions, and all that they work with.
pub struct Shop {
    aws: Aws,
    clients: (aws_sdk_dynamodb::Client, aws_sdk_sqs::Client),
    runtime: Runtime,
    /// What is stored when it opens.
    first: Vec<Item>,
}

/// What happens between two openings.
pub struct Day<'a> {
    shop: &'a Shop,
    app: App,
    clock: Paused,
}

impl Shop {
    /// Opens a shop with what every input finds, and lets `day` happen in it. In the end everything that is stored must be readable, and
    /// no invariant broken.
    pub fn open<T>(day: impl FnOnce(&Day<'_>) -> T) -> T {
        SHOP.with_borrow_mut(|shop| {
            let shop = shop.get_or_insert_with(Self::new);
            let _runtime = shop.runtime.enter();
            let today = shop.day();
            let came = day(&today);
            today.check();
            came
        })
    }

    fn new() -> Self {
        let aws = Aws::default();
        let credentials = SharedCredentialsProvider::new(Credentials::new("fuzz", "fuzz", None, None, "fuzz"));
        let http = SharedHttpClient::new(aws.clone());
        let config = runtime::aws::sdk_config("us-east-1", credentials, http, Some("http://aws"));
        let clients = (aws_sdk_dynamodb::Client::new(&config), aws_sdk_sqs::Client::new(&config));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        let runtime = runtime.expect("a runtime without input and output can always be made");
        let mut shop = Self { aws, clients, runtime, first: Vec::new() };
        let day = shop.day();
        for text in FIRST {
            let event = crate::requests::event(text.as_bytes()).expect("a route");
            let (_, response) = day.request(event).expect("a request");
            assert!(matches!(response.status(), 200 | 201), "{text}: {}", response.body());
        }
        drop(day);
        shop.first = shop.aws.lock().table.items().map(|(_, item)| item.clone()).collect();
        shop
    }

    /// What a function remembers of hot SKUs ends with the day.
    fn day(&self) -> Day<'_> {
        let _runtime = self.runtime.enter();
        let mut state = self.aws.lock();
        *state = State::default();
        for item in &self.first {
            let _ = state.table.call("PutItem", &json!({ "Item": item }));
        }
        drop(state);
        let clock = Paused { began: Instant::now() };
        let (dynamodb, sqs) = self.clients.clone();
        let app = App::new(
            Store::new(dynamodb, "table", Arc::new(clock)),
            Timers::new(sqs.clone(), "http://aws/timers"),
            Orders::new(sqs, "http://aws/orders.fifo", OrderIdKey::new("fuzz")),
            Arc::new(clock),
        );
        Day { shop: self, app, clock }
    }
}

impl Day<'_> {
    /// Answers an event of API Gateway; nothing if it is none.
    pub fn request(&self, event: Value) -> Option<(Request, Response)> {
        let request = runtime::lambda::request(event).ok()?;
        let response = self.shop.runtime.block_on(route(&self.app, &request));
        Some((request, response))
    }

    /// Hands a batch to `expire`; nothing if it is none.
    pub fn expire(&self, event: Value) -> Option<Value> {
        self.shop.runtime.block_on(expire::handle(&self.app, event)).ok()
    }

    /// Hands a batch to `order-consumer`; nothing if it is none.
    pub fn consume(&self, event: Value) -> Option<Value> {
        self.shop.runtime.block_on(order_consumer::handle(&self.app, event)).ok()
    }

    /// Lets time pass.
    pub fn wait(&self, seconds: u64) {
        self.shop.runtime.block_on(sleep(Duration::from_secs(seconds)));
    }

    /// How much was written and sent so far today.
    pub fn changes(&self) -> u64 {
        self.shop.aws.lock().changes
    }

    fn check(&self) {
        let state = self.shop.aws.lock();
        let mut audit = Audit::default();
        for (key, item) in state.table.items() {
            match store::decode(&sdk_item(item)) {
                Ok(Some(StoredItem::Bucket(id, bucket))) => audit.bucket(id, bucket),
                Ok(Some(StoredItem::Reservation(record))) => audit.reservation(record),
                Ok(Some(StoredItem::Movement(movement))) => audit.movement(&movement),
                Ok(Some(StoredItem::PurchaseOrder(order))) => audit.purchase_order(*order),
                Ok(Some(StoredItem::OnOrder(sku, on_order))) => audit.on_order(sku, on_order),
                Ok(None) => {}
                Err(fault) => panic!("{key} was stored, and cannot be read: {fault}"),
            }
        }
        let report = audit.report(self.clock.now(), false);
        let violations: Vec<String> = report.violations.iter().map(ToString::to_string).collect();
        assert!(violations.is_empty(), "{violations:?}");
    }
}

/// As API Gateway routes: by the part of the path that says which function it is.
async fn route(app: &App, request: &Request) -> Response {
    match request.route() {
        "POST /v1/reservations" => reserve::handle(app, request).await,
        "POST /v1/reservations/{id}/confirm" => confirm::handle(app, request).await,
        "POST /v1/reservations/{id}/cancel" | "POST /v1/reservations/{id}/extend" => cancel::handle(app, request).await,
        "GET /v1/availability" | "GET /v1/reservations/{id}" => availability::handle(app, request).await,
        "POST /v1/orders" | "GET /v1/orders/{id}" => order_intake::handle(app, request).await,
        route if route.contains(" /v1/channels") => channel_settings::handle(app, request).await,
        route
            if route.contains(" /v1/purchase-orders")
                || route.ends_with(" /v1/backorders")
                || route.ends_with(" /v1/erp") =>
        {
            purchase_orders::handle(app, request).await
        }
        route if route.contains(" /v1/webhooks") => webhook::handle(app, request).await,
        _ => stock::handle(app, request).await,
    }
}

/// DynamoDB and SQS.
#[derive(Debug, Clone, Default)]
struct Aws(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    table: Table,
    changes: u64,
}

impl Aws {
    fn lock(&self) -> MutexGuard<'_, State> {
        // After a panic nobody goes on with it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn answer(&mut self, operation: &str, request: &Value) -> Answer {
        match operation {
            "Query" => (200, self.query(request)),
            "SendMessage" => {
                self.changes += 1;
                (200, json!({ "MessageId": "m", "MD5OfMessageBody": "x", "SequenceNumber": "1" }))
            }
            "SendMessageBatch" => {
                let entries = request["Entries"].as_array().into_iter().flatten();
                let sent = |entry: &Value| json!({ "Id": entry["Id"], "MessageId": "m", "MD5OfMessageBody": "x" });
                (200, json!({ "Successful": entries.map(sent).collect::<Vec<_>>(), "Failed": [] }))
            }
            "ChangeMessageVisibility" => (200, json!({})),
            _ => {
                let (answer, changes) = self.table.call(operation, request);
                self.changes += changes.len() as u64;
                answer
            }
        }
    }

    /// A page of the index: the items of a list, by rank, behind the place where the page before it ended.
    fn query(&self, request: &Value) -> Value {
        let list = &request["ExpressionAttributeValues"][":list"];
        let place = |item: &Item| (text(&item["rank"]), text(&item["pk"]));
        let listed = self.table.items().filter(|(_, item)| item.get("list") == Some(list));
        let prefix = text(&request["ExpressionAttributeValues"][":prefix"]);
        let mut listed: Vec<_> =
            listed.map(|(_, item)| place(item)).filter(|(rank, _)| rank.starts_with(&prefix)).collect();
        listed.sort_unstable();
        let backward = request["ScanIndexForward"] == false;
        if backward {
            listed.reverse();
        }
        if let Some(after) = request["ExclusiveStartKey"].as_object() {
            let after = place(after);
            listed.retain(|place| if backward { *place < after } else { *place > after });
        }
        let limit = request["Limit"].as_u64().and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX);
        let more = listed.len() > limit;
        listed.truncate(limit);
        let keys = |(rank, pk): &(String, String)| json!({"pk": {"S": pk}, "list": list, "rank": {"S": rank}});
        let items: Vec<Value> = listed.iter().map(keys).collect();
        let mut page = json!({ "Items": items });
        if more {
            page["LastEvaluatedKey"] = items.last().cloned().unwrap_or_default();
        }
        page
    }
}

fn text(value: &Value) -> String {
    value["S"].as_str().unwrap_or_default().to_owned()
}

impl HttpClient for Aws {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Aws {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        let operation = target.rsplit_once('.').map_or(target, |(_, operation)| operation);
        let body = serde_json::from_slice(request.body().bytes().unwrap_or_default()).unwrap_or_default();
        let (status, answer) = self.lock().answer(operation, &body);
        let answer = SdkBody::from(answer.to_string());
        let status = status.try_into().map_err(|_| ConnectorError::user("no such status".into()));
        HttpConnectorFuture::ready(status.map(|status| HttpResponse::new(status, answer)))
    }
}

/// The time of the runtime, which passes only while somebody waits.
#[derive(Debug, Clone, Copy)]
struct Paused {
    began: Instant,
}

impl Clock for Paused {
    fn now(&self) -> Timestamp {
        Timestamp::from_epoch_seconds(START + self.began.elapsed().as_secs())
    }
}
