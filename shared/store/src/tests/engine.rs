//! A store over an empty table, with a clock that stands still until it is told to move and a meter on every request.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU64, Ordering},
};

use aws_sdk_dynamodb::{
    Client,
    config::{
        BehaviorVersion, ConfigBag, Credentials, Intercept, Region, RuntimeComponents,
        interceptors::{AfterDeserializationInterceptorContextRef, BeforeSerializationInterceptorContextMut},
    },
    error::BoxError,
    operation::{
        batch_get_item::BatchGetItemInput,
        get_item::GetItemInput,
        put_item::{PutItemInput, PutItemOutput},
        transact_write_items::{TransactWriteItemsInput, TransactWriteItemsOutput},
        update_item::{UpdateItemInput, UpdateItemOutput},
    },
    types::{ConsumedCapacity, ReturnConsumedCapacity},
};
use domain::{
    audit::{Audit, Report},
    bucket::{Bucket, BucketId, StockId},
    ids::{Caller, Channel, MovementId, Reference, ReservationId, TransferId},
    limits::DEFAULT_HOLD_SECONDS,
    movement::{MovementKind, MovementRequest},
    quantity::Quantity,
    reservation::{Cart, Kind, Reservation, ReservationRequest},
    stock::{Level, Settings},
    time::{Clock, Timestamp},
    transfer::TransferRequest,
};

use super::mishap::Mishaps;
use crate::{Item, Recorded, Store, StoredItem, item::encode_bucket, keys};

/// When every test begins.
pub(super) const START: u64 = 1_800_000_000;

pub(super) struct Bench {
    pub(super) store: Store,
    pub(super) clock: Arc<HandClock>,
    pub(super) meter: Meter,
    pub(super) mishaps: Mishaps,
}

/// A clock that a test turns by hand.
#[derive(Debug)]
pub(super) struct HandClock(AtomicU64);

impl Clock for HandClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_epoch_seconds(self.0.load(Ordering::SeqCst))
    }
}

impl HandClock {
    pub(super) fn advance(&self, seconds: u64) {
        self.0.fetch_add(seconds, Ordering::SeqCst);
    }
}

/// What was asked of DynamoDB since the last look.
#[derive(Debug, Clone, Default)]
pub(super) struct Meter(Arc<Mutex<Usage>>);

#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Usage {
    /// Operations in the order they were sent.
    pub(super) requests: Vec<&'static str>,
    /// Write capacity units of the ones that were applied.
    pub(super) wcu: f64,
}

impl Meter {
    pub(super) fn take(&self) -> Usage {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

impl Intercept for Meter {
    fn name(&self) -> &'static str {
        "meter"
    }

    fn modify_before_serialization(
        &self,
        context: &mut BeforeSerializationInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let total = Some(ReturnConsumedCapacity::Total);
        let input = context.input_mut();
        let name = if let Some(input) = input.downcast_mut::<UpdateItemInput>() {
            input.return_consumed_capacity = total;
            "UpdateItem"
        } else if let Some(input) = input.downcast_mut::<PutItemInput>() {
            input.return_consumed_capacity = total;
            "PutItem"
        } else if let Some(input) = input.downcast_mut::<TransactWriteItemsInput>() {
            input.return_consumed_capacity = total;
            "TransactWriteItems"
        } else if input.downcast_ref::<GetItemInput>().is_some() {
            "GetItem"
        } else if input.downcast_ref::<BatchGetItemInput>().is_some() {
            "BatchGetItem"
        } else {
            "other"
        };
        self.0.lock().unwrap().requests.push(name);
        Ok(())
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let Ok(output) = context.output_or_error() else {
            return Ok(());
        };
        let units = if let Some(output) = output.downcast_ref::<UpdateItemOutput>() {
            output.consumed_capacity().and_then(ConsumedCapacity::capacity_units)
        } else if let Some(output) = output.downcast_ref::<PutItemOutput>() {
            output.consumed_capacity().and_then(ConsumedCapacity::capacity_units)
        } else if let Some(output) = output.downcast_ref::<TransactWriteItemsOutput>() {
            output.consumed_capacity().iter().map(ConsumedCapacity::capacity_units).sum()
        } else {
            None
        };
        self.0.lock().unwrap().wcu += units.unwrap_or_default();
        Ok(())
    }
}

/// A store over a new, empty table.
pub(super) async fn bench() -> Bench {
    static TABLES: AtomicU64 = AtomicU64::new(0);
    let meter = Meter::default();
    let mishaps = Mishaps::default();
    let config = aws_sdk_dynamodb::Config::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new("eu-central-1"))
        .credentials_provider(Credentials::new("test", "test", None, None, "test"))
        .endpoint_url(endpoint().await)
        .http_client(mishaps.network())
        .interceptor(meter.clone())
        .build();
    let client = Client::from_conf(config);
    let table = format!("store-{}-{}", std::process::id(), TABLES.fetch_add(1, Ordering::SeqCst));
    crate::schema::create_table(&client, &table).await.unwrap();
    let clock = Arc::new(HandClock(AtomicU64::new(START)));
    let store = Store::new(client, table, clock.clone());
    meter.take();
    Bench { store, clock, meter, mishaps }
}

#[expect(clippy::disallowed_methods, reason = "which engine the suite runs against is the choice of whoever starts it")]
async fn endpoint() -> String {
    if let Ok(endpoint) = std::env::var("DYNAMODB_ENDPOINT") {
        return endpoint;
    }
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let database = dynoxide::Database::memory().unwrap();
    tokio::spawn(dynoxide::server::serve_with_shutdown(listener, database, std::future::pending()));
    endpoint
}

pub(super) fn at(seconds_after_start: u64) -> Timestamp {
    Timestamp::from_epoch_seconds(START + seconds_after_start)
}

pub(super) fn rid(key: &str) -> ReservationId {
    ReservationId::derive(&Caller::new("test"), &key.parse().unwrap())
}

pub(super) fn order(text: &str) -> Reference {
    text.parse().unwrap()
}

pub(super) fn stock(sku: &str) -> StockId {
    StockId { sku: sku.parse().unwrap(), channel: Channel::own() }
}

pub(super) fn stock_in(sku: &str, channel: &str) -> StockId {
    StockId { sku: sku.parse().unwrap(), channel: channel.parse().unwrap() }
}

/// A transfer of tea under `key`.
pub(super) fn move_units(key: &str, units: u64, from: &str, to: &str) -> TransferRequest {
    TransferRequest {
        id: TransferId::derive(&Caller::new("test"), &key.parse().unwrap()),
        sku: "tea".parse().unwrap(),
        from: from.parse().unwrap(),
        to: to.parse().unwrap(),
        quantity: Quantity::new(units).unwrap(),
        reason: "test".parse().unwrap(),
        actor: "test".to_owned(),
    }
}

/// A request under `key` for lines like `["tea=2", "milk=1"]`.
pub(super) fn request(kind: Kind, key: &str, lines: &[&str]) -> ReservationRequest {
    ReservationRequest {
        id: rid(key),
        kind,
        channel: Channel::own(),
        cart: Cart::new(lines.iter().map(|line| line.parse().unwrap()).collect()).unwrap(),
        hold_seconds: DEFAULT_HOLD_SECONDS,
        order_id: None,
        session_id: None,
        accepts_backorder: false,
    }
}

pub(super) fn movement(key: &str, sku: &str, word: &str, quantity: i64) -> MovementRequest {
    MovementRequest {
        id: MovementId::derive(&Caller::new("test"), &key.parse().unwrap()),
        stock: stock(sku),
        kind: MovementKind::from_parts(word, quantity).unwrap(),
        reason: "test".parse().unwrap(),
        actor: "test".to_owned(),
    }
}

impl Bench {
    /// A SKU with `units` on the shelf.
    pub(super) async fn stocked(&self, sku: &str, units: u64) {
        self.store.save_settings(&stock(sku), &Settings::default(), None).await.unwrap();
        if units > 0 {
            let receipt = movement(&format!("first-{sku}"), sku, "receive", units.cast_signed());
            self.store.move_stock(&receipt).await.unwrap();
        }
        self.meter.take();
    }

    pub(super) async fn reserve(&self, key: &str, lines: &[&str]) -> Result<Recorded, crate::Failure> {
        self.store.reserve(&request(Kind::Reservation, key, lines)).await
    }

    pub(super) fn clock_now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(super) async fn level(&self, sku: &str) -> Level {
        self.store.stock(&[stock(sku)]).await.unwrap()[0].level()
    }

    pub(super) async fn home(&self, sku: &str) -> Bucket {
        self.bucket(sku).await.unwrap()
    }

    /// The bucket with this id, written `tea#own` or `tea#own#3`; a plain SKU means its home.
    pub(super) async fn bucket(&self, id: &str) -> Option<Bucket> {
        let id = if id.contains('#') { id.to_owned() } else { format!("{id}#own") };
        self.store.get_bucket(&id.parse().unwrap()).await.unwrap()
    }

    pub(super) async fn record(&self, key: &str) -> Option<Reservation> {
        self.record_of(&rid(key)).await
    }

    pub(super) async fn record_of(&self, id: &ReservationId) -> Option<Reservation> {
        self.store.get_reservation(id).await.unwrap()
    }

    /// Overwrites a bucket without any condition.
    pub(super) async fn put_bucket(&self, id: &BucketId, bucket: &Bucket) {
        self.put(encode_bucket(id, bucket)).await;
    }

    /// Removes a bucket without any condition.
    pub(super) async fn remove_bucket(&self, id: &BucketId) {
        let key = crate::item::text(keys::bucket(id));
        self.store.client.delete_item().table_name(&*self.store.table).key(keys::PK, key).send().await.unwrap();
    }

    /// Removes an item without any condition.
    pub(super) async fn remove_item(&self, key: &str) {
        let key = crate::item::text(key);
        self.store.client.delete_item().table_name(&*self.store.table).key(keys::PK, key).send().await.unwrap();
    }

    /// A store over the same table that has learned nothing: another process.
    pub(super) fn another_process(&self) -> Store {
        Store::new(self.store.client.clone(), &*self.store.table, self.clock.clone())
    }

    /// Overwrites an item without any condition.
    pub(super) async fn put(&self, item: Item) {
        self.store.client.put_item().table_name(&*self.store.table).set_item(Some(item)).send().await.unwrap();
    }

    /// Deletes a reservation, as DynamoDB's TTL would.
    pub(super) async fn delete_record(&self, key: &str) {
        let key = crate::item::text(keys::reservation(&rid(key)));
        self.store.client.delete_item().table_name(&*self.store.table).key(keys::PK, key).send().await.unwrap();
    }

    /// The invariants over everything stored.
    pub(super) async fn audit(&self, at_rest: bool) -> Report {
        let mut audit = Audit::default();
        let mut scan = self.store.scan();
        while let Some(items) = scan.next_page().await.unwrap() {
            for item in items {
                match item {
                    StoredItem::Bucket(id, bucket) => audit.bucket(id, bucket),
                    StoredItem::Reservation(reservation) => audit.reservation(reservation),
                    StoredItem::Movement(movement) => audit.movement(&movement),
                    StoredItem::PurchaseOrder(order) => audit.purchase_order(*order),
                    StoredItem::OnOrder(sku, on_order) => audit.on_order(sku, on_order),
                }
            }
        }
        audit.report(self.clock.now(), at_rest)
    }

    /// Every test ends with this.
    pub(super) async fn assert_sound(&self) {
        assert_eq!(self.audit(false).await.violations, []);
    }
}
