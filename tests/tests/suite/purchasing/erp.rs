//! Purchase orders at each ERP, through the whole service: once, whatever is lost; refused in the ERP's words; received, late, canceled.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use async_trait::async_trait;
use channels::{
    Transport, TransportError,
    transport::{Request, Response},
};
use domain::{
    erp::ErpKind,
    time::{Clock, Day, Timestamp},
};
use erps::{
    books::Books,
    netsuite::{self, NetSuiteFace},
    office::Office,
    quickbooks::{self, QuickBooksFace},
    sap::{self, BusinessOneFace},
};
use holdfast::local::Vendors;
use serde_json::{Value, json};

use super::{at_noon, date, next};
use crate::support::{Answer, Shop};

/// Replies that are lost once an order was created: of the creation, and of what is asked next.
struct Lossy {
    office: Office,
    lose_after_creation: u32,
    to_lose: AtomicU32,
    lost: AtomicU32,
}

#[async_trait]
impl Transport for Lossy {
    async fn send(&self, request: Request) -> Result<Response, TransportError> {
        let path = request.uri().path().to_lowercase();
        let creates = matches!(request.method().as_str(), "POST" | "PUT") && path.contains("purchaseorder");
        if creates && self.lost.load(Ordering::SeqCst) == 0 {
            self.to_lose.store(self.lose_after_creation, Ordering::SeqCst);
        }
        let answer = self.office.send(request).await;
        if self.to_lose.load(Ordering::SeqCst) > 0 {
            self.to_lose.fetch_sub(1, Ordering::SeqCst);
            self.lost.fetch_add(1, Ordering::SeqCst);
            return Err(TransportError { reason: "no answer came in time".to_owned() });
        }
        answer
    }
}

/// A shop with 0 units of tea, and its ERP.
struct World {
    shop: Shop,
    office: Office,
    network: Arc<Lossy>,
    today: Day,
    kind: ErpKind,
}

impl World {
    async fn with(kind: ErpKind, lose_after_creation: u32) -> Self {
        let opening = Timestamp::from_epoch_seconds(1_795_600_805);
        let (office, credentials, options) = match kind {
            ErpKind::QuickBooks => (
                Office::open(QuickBooksFace::default(), opening),
                quickbooks::credentials(),
                json!({ "realm_id": quickbooks::REALM, "ap_account_id": quickbooks::AP_ACCOUNT }),
            ),
            ErpKind::NetSuite => (
                Office::open(NetSuiteFace::default(), opening),
                netsuite::credentials(),
                json!({ "account_id": netsuite::ACCOUNT, "subsidiary_id": netsuite::SUBSIDIARY }),
            ),
            ErpKind::SapBusinessOne => (
                Office::open(BusinessOneFace, opening),
                sap::credentials(),
                json!({ "company": sap::COMPANY, "warehouse": sap::WAREHOUSE }),
            ),
        };
        let network = Lossy { office: office.clone(), lose_after_creation, to_lose: 0.into(), lost: 0.into() };
        let network = Arc::new(network);
        let credentials = with_refresh_token(&credentials, &office.books().refresh_token);
        let secrets = [("erp".parse().unwrap(), credentials)].into();
        let shop = Shop::selling_at(Vendors { transport: Some(network.clone()), secrets }).await;
        shop.fill("tea", 0).await;
        let today = at_noon(&shop).await;
        let mut settings = json!({
            "kind": kind.word(), "options": options, "items": { "tea": "I-1" }, "suppliers": { "Leaf & Co": "V-1" },
        });
        settings["options"]["currency"] = json!("USD");
        if kind == ErpKind::SapBusinessOne {
            settings["endpoint"] = json!("https://b1.example:50000");
        }
        shop.put("/v1/erp", &settings).await.expect(201);
        Self { shop, office, network, today, kind }
    }

    /// Lets time pass, also in the ERP, and has done what is due then.
    async fn pass(&self, seconds: u64) {
        self.office.books().now = self.shop.stack().clock().now().plus_seconds(seconds + 1);
        self.shop.advance(seconds).await;
    }

    async fn minutes(&self, minutes: u64) {
        for _ in 0..minutes {
            self.pass(60).await;
        }
    }

    /// An order of 12 tea, in a week, on its way.
    async fn order(&self) -> String {
        let more = json!({
            "expected_on": date(self.today.plus_days(7)), "send": true, "currency": "USD",
            "lines": [{ "sku": "tea", "quantity": 12, "unit_cost_minor": 450 }],
        });
        self.shop.purchase(&[], &more).await.expect(201).id()
    }

    async fn read(&self, id: &str) -> Answer {
        self.shop.purchase_order(id).await.expect(200)
    }

    /// What there is of it in the ERP, as we show it.
    async fn side(&self, id: &str) -> Value {
        self.read(id).await["erp"].clone()
    }

    fn books<T>(&self, look: impl FnOnce(&mut Books) -> T) -> T {
        look(&mut self.office.books())
    }

    /// The ids of orders in the ERP of which units may come, and how many orders there ever were.
    fn there(&self) -> (Vec<u64>, usize) {
        self.books(|books| {
            let open = books.orders.values().filter(|order| order.standing == erps::books::Standing::Open);
            (open.map(|order| order.id).collect(), books.orders.len())
        })
    }
}

/// The secret of the local stack: what the vendor wants, and the first refresh token.
fn with_refresh_token(credentials: &channels::Credentials, token: &str) -> channels::Credentials {
    let names = ["client_id", "client_secret", "certificate_id", "private_key", "user", "password"];
    let mut secret: serde_json::Map<String, Value> =
        names.iter().filter_map(|name| Some(((*name).to_owned(), json!(credentials.get(name).ok()?)))).collect();
    secret.insert("refresh_token".to_owned(), json!(token));
    channels::Credentials::from_json(&Value::Object(secret).to_string()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_whose_replies_are_lost_three_times_exists_once() {
    for kind in ErpKind::ALL {
        let world = World::with(kind, 3).await;
        let id = world.order().await;
        world.minutes(1).await;
        let side = world.side(&id).await;
        assert_eq!(side["status"], "asked", "{kind}: {side}");
        assert!(side["trouble"].as_str().unwrap().contains("no answer came"), "{kind}: {side}");
        // It is tried again after two minutes, and then each time after as long again; a minute more where a tick comes a second early.
        world.minutes(24).await;
        assert_eq!(world.network.lost.load(Ordering::SeqCst), 3, "{kind}");
        assert_eq!(world.there().1, 1, "{kind}: one order");
        let order = world.read(&id).await;
        let side = &order["erp"];
        let there = world.there().0[0].to_string();
        assert_eq!(
            (&side["status"], &side["kind"], &side["id"]),
            (&json!("placed"), &json!(kind.word()), &json!(there))
        );
        assert_eq!((&order["status"], side.get("trouble")), (&json!("acknowledged"), None), "{kind}: {side}");
        world.minutes(3).await;
        assert_eq!(world.there().1, 1, "{kind}: and no other later");
        world.shop.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_the_erp_refuses_says_so_in_its_words_and_can_be_tried_again() {
    for kind in ErpKind::ALL {
        let world = World::with(kind, 0).await;
        world.books(|books| books.faults.refuse = Some("Supplier V-1 is on credit hold".to_owned()));
        let id = world.order().await;
        world.minutes(1).await;
        let side = world.side(&id).await;
        assert_eq!((&side["status"], &side["refusals"]), (&json!("refused"), &json!(1)), "{kind}: {side}");
        assert!(side["refusal"].as_str().unwrap().contains("Supplier V-1 is on credit hold"), "{kind}: {side}");
        drop(world.office.take_calls());
        world.minutes(2).await;
        assert_eq!(world.office.take_calls().len(), 0, "{kind}: it is not asked again and again");
        world.books(|books| books.faults.refuse = None);
        world.shop.step(&id, "retry", &json!({})).await.expect(200);
        world.minutes(1).await;
        let side = world.side(&id).await;
        assert_eq!((&side["status"], world.there().1), (&json!("placed"), 1), "{kind}: {side}");
        assert_eq!(side.get("refusal"), None, "{kind}");
        world.shop.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_at_the_erp_is_booked_once_and_a_new_day_there_is_what_shoppers_hear() {
    for kind in ErpKind::ALL {
        let world = World::with(kind, 0).await;
        let id = world.order().await;
        world.minutes(1).await;
        let there = world.there().0[0];
        world.books(|books| books.receive(there, 0, 5));
        world.pass(15 * 60).await;
        assert_eq!(
            (world.shop.units("tea").await.available, &world.read(&id).await["status"]),
            (5, &json!("partially_received"))
        );
        // By hand here, and at the ERP as well: the same three boxes.
        world.shop.receive(&id, &[("tea", 3)]).await.expect(200);
        world.books(|books| books.receive(there, 0, 3));
        world.pass(15 * 60).await;
        // Two calls at the same time.
        world.books(|books| books.receive(there, 0, 1));
        world.office.books().now = world.shop.stack().clock().now().plus_seconds(15 * 60 + 1);
        world.shop.advance_unnoticed(15 * 60);
        let app = world.shop.stack().app();
        let (first, second) =
            futures::future::join(purchasing::handle(app, json!({})), purchasing::handle(app, json!({}))).await;
        assert!(first.is_ok() && second.is_ok());
        assert_eq!(world.shop.units("tea").await.available, 9, "{kind}");
        assert_eq!(next(&world.shop, "tea").await.map(|(_, days, units)| (days, units)), Some((7, 3)), "{kind}");
        let later: jiff::civil::Date = date(world.today.plus_days(9)).parse().unwrap();
        world.books(|books| books.move_to(there, later));
        world.pass(15 * 60).await;
        assert_eq!(next(&world.shop, "tea").await.map(|(_, days, units)| (days, units)), Some((9, 3)), "{kind}");
        world.books(|books| books.receive(there, 0, 3));
        world.pass(15 * 60).await;
        assert_eq!(
            (&world.read(&id).await["status"], next(&world.shop, "tea").await),
            (&json!("received"), None),
            "{kind}"
        );
        world.pass(15 * 60).await;
        let report = world.shop.close().await;
        assert_eq!((report.free, report.movements), (12, 4), "{kind}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_canceled_here_is_canceled_there_even_if_nobody_knows_whether_it_is_there() {
    for (kind, lost) in ErpKind::ALL.into_iter().flat_map(|kind| [(kind, 0), (kind, 1)]) {
        let world = World::with(kind, lost).await;
        let id = world.order().await;
        world.minutes(1).await;
        assert_eq!(world.side(&id).await["status"], if lost == 0 { "placed" } else { "asked" }, "{kind}");
        assert_eq!(world.there().0.len(), 1, "{kind}: it is there, whoever knows");
        world.shop.step(&id, "cancel", &json!({})).await.expect(200);
        assert_eq!(next(&world.shop, "tea").await, None);
        world.minutes(3).await;
        let side = world.side(&id).await;
        assert_eq!((&side["status"], world.there()), (&json!("withdrawn"), (vec![], 1)), "{}: {side}", world.kind);
        world.shop.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_ended_there_is_not_on_its_way_here() {
    for kind in ErpKind::ALL {
        let world = World::with(kind, 0).await;
        let id = world.order().await;
        world.minutes(1).await;
        let there = world.there().0[0];
        world.books(|books| {
            books.receive(there, 0, 5);
            books.end(there, erps::books::Standing::Closed);
        });
        world.pass(15 * 60).await;
        let order = world.read(&id).await;
        assert_eq!((&order["status"], world.shop.units("tea").await.available), (&json!("canceled"), 5), "{kind}");
        assert_eq!(next(&world.shop, "tea").await, None, "{kind}");
        world.shop.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_received_there_before_it_was_canceled_here_is_on_the_shelf() {
    for (kind, units) in ErpKind::ALL.into_iter().flat_map(|kind| [(kind, 5), (kind, 12)]) {
        let world = World::with(kind, 0).await;
        let id = world.order().await;
        world.minutes(2).await;
        let there = world.there().0[0];
        world.books(|books| books.receive(there, 0, units));
        world.shop.step(&id, "cancel", &json!({})).await.expect(200);
        world.minutes(2).await;
        let order = world.read(&id).await;
        assert_eq!((&order["status"], &order["erp"]["status"]), (&json!("canceled"), &json!("withdrawn")), "{kind}");
        assert_eq!(order["lines"][0]["received"], units, "{kind}");
        assert_eq!((world.shop.units("tea").await.available, world.there().0.len()), (units, 0), "{kind}");
        let report = world.shop.close().await;
        assert_eq!((report.free, report.movements), (units, 1), "{kind}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_the_erp_creates_late_is_not_sent_a_second_time_meanwhile() {
    let world = World::with(ErpKind::SapBusinessOne, 0).await;
    world.books(|books| books.faults.commit_late_seconds = 90);
    let id = world.order().await;
    world.minutes(1).await;
    assert_eq!((world.side(&id).await["status"].clone(), world.there().1), (json!("asked"), 0));
    world.minutes(4).await;
    assert_eq!((world.side(&id).await["status"].clone(), world.there().1), (json!("placed"), 1));
    world.shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_that_is_another_item_there_is_for_a_person_and_the_order_is_not_over() {
    for kind in ErpKind::ALL {
        let world = World::with(kind, 0).await;
        let id = world.order().await;
        world.minutes(1).await;
        let there = world.there().0[0];
        // The supplier has sent a substitute.
        world.books(|books| {
            "I-2".clone_into(&mut books.orders.get_mut(&there).unwrap().lines[0].item);
            books.receive(there, 0, 12);
        });
        world.pass(15 * 60).await;
        let order = world.read(&id).await;
        assert_eq!((&order["status"], world.shop.units("tea").await.available), (&json!("acknowledged"), 0), "{kind}");
        let trouble = order["erp"]["trouble"].as_str().unwrap();
        assert!(trouble.contains("item I-1, SKU tea: the ERP shows no line of it"), "{kind}: {trouble}");
        world.shop.receive(&id, &[("tea", 12)]).await.expect(200);
        world.pass(15 * 60).await;
        assert_eq!(
            (&world.read(&id).await["status"], world.shop.close().await.free),
            (&json!("received"), 12),
            "{kind}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_of_two_skus_that_are_one_item_there_is_not_created() {
    let world = World::with(ErpKind::NetSuite, 0).await;
    // It has no other name there, and so is the item that tea is.
    world.shop.fill("I-1", 0).await;
    let more = json!({ "send": true, "currency": "USD" });
    let id = world.shop.purchase(&[("tea", 12), ("I-1", 3)], &more).await.expect(201).id();
    world.minutes(1).await;
    let side = world.side(&id).await;
    assert_eq!((&side["status"], world.there().1), (&json!("refused"), 0));
    assert_eq!(side["refusal"], "two of its SKUs are one item in the ERP");
    assert_eq!(next(&world.shop, "tea").await, None, "and nobody is promised any of it");
    world.shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_order_under_our_reference_is_told_for_as_long_as_it_is_open() {
    let world = World::with(ErpKind::SapBusinessOne, 0).await;
    let id = world.order().await;
    world.minutes(1).await;
    let there = world.there().0[0];
    let twin = world.books(|books| books.create(books.orders[&there].clone()).unwrap());
    for _ in 0..2 {
        world.pass(15 * 60).await;
        let trouble = world.side(&id).await["trouble"].as_str().unwrap().to_owned();
        assert!(trouble.contains(&format!("further open purchase orders of this reference: {}", 1_000 + twin)));
    }
    world.books(|books| books.end(twin, erps::books::Standing::Canceled));
    world.pass(15 * 60).await;
    assert_eq!(world.side(&id).await.get("trouble"), None);
    world.shop.close().await;
}
