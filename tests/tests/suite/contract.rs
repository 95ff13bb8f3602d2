//! `infra/openapi.yaml` and the service say the same. Every test of this suite holds every answer against the document (see
//! [`crate::support::Contract`]); the tests here show that the document promises nothing that does not exist.

use std::collections::{BTreeMap, BTreeSet};

use domain::refusal::Refusal;
use holdfast::local::Vendors;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Api, Call, Contract, Fate, Flaky, Shop, at_once};

/// What only API Gateway answers, which is not here.
const OF_THE_GATEWAY: [u16; 3] = [401, 403, 429];

/// What only somebody hears who can sign as eBay: see the tests of the function.
const SIGNED_BY_EBAY: (&str, u16) = ("deliver_webhook", 204);

#[test]
fn the_types_of_problem_stand_in_the_order_of_precedence() {
    let document = &Contract::get().document;
    let documented: Vec<&str> = texts(&document["components"]["schemas"]["Problem"]["properties"]["type"]["enum"]);
    let documented: Vec<&str> = documented.iter().map(|text| text.strip_prefix("/problems/").unwrap()).collect();
    // As the API writes them, those of HTTP itself among them.
    assert_eq!(documented, http::Kind::ALL.map(|kind| kind.parts().1));
    // As the domain ranks them.
    let mut ranked: BTreeMap<u8, &str> = BTreeMap::new();
    for refusal in refusals() {
        let (rank, slug) = refusal.rank_and_slug();
        assert_eq!(ranked.insert(rank, slug), None, "{slug} has the rank of another");
    }
    let of_the_domain: Vec<&str> = ranked.into_values().collect();
    let shared: Vec<&str> = documented.iter().filter(|slug| of_the_domain.contains(slug)).copied().collect();
    assert_eq!(shared, of_the_domain);
    // As the description lists them for people.
    let description = document["info"]["description"].as_str().unwrap();
    let places: Vec<_> = documented
        .iter()
        .map(|slug| description.find(&format!("`{slug}`")).unwrap_or_else(|| panic!("{slug}")))
        .collect();
    assert!(places.is_sorted(), "the description lists them in another order");
}

/// One of each. A new variant does not compile here until it is added.
fn refusals() -> Vec<Refusal> {
    let all = vec![
        Refusal::InvalidRequest { errors: vec![] },
        Refusal::IdempotencyKeyReused,
        Refusal::UnknownReservation { refund_required: false },
        Refusal::UnknownOrder,
        Refusal::UnknownSku { skus: vec![] },
        Refusal::AlreadyCanceled { refund_required: false },
        Refusal::AlreadyConfirmed { refund_required: false },
        Refusal::ReservationExpired { refund_required: false },
        Refusal::TooManyExtensions,
        Refusal::WrongStatus { status: "draft", cannot: "be received" },
        Refusal::PreconditionFailed { version: 1 },
        Refusal::InsufficientStock { lines: vec![] },
        Refusal::Contended,
    ];
    for refusal in &all {
        match refusal {
            Refusal::InvalidRequest { .. }
            | Refusal::IdempotencyKeyReused
            | Refusal::UnknownReservation { .. }
            | Refusal::UnknownOrder
            | Refusal::UnknownSku { .. }
            | Refusal::AlreadyCanceled { .. }
            | Refusal::AlreadyConfirmed { .. }
            | Refusal::ReservationExpired { .. }
            | Refusal::TooManyExtensions
            | Refusal::WrongStatus { .. }
            | Refusal::PreconditionFailed { .. }
            | Refusal::InsufficientStock { .. }
            | Refusal::Contended => {}
        }
    }
    all
}

/// A tour of the whole API, by the end of which each declared answer of each operation has been met.
#[tokio::test(flavor = "multi_thread")]
async fn every_declared_answer_can_be_had() {
    let secrets = [
        ("shop".parse().unwrap(), [("webhook_secret", "hush")].into()),
        ("ebay".parse().unwrap(), [("verification_token", "a-token-of-thirty-two-characters")].into()),
    ];
    let shop = Shop::selling_at(Vendors { transport: None, secrets: secrets.into() }).await;
    shop.fill("tea", 20).await;
    merchants_answers(&shop).await;
    answers_about_vendors(&shop).await;
    answers_about_purchases(&shop).await;
    shoppers_answers(&shop).await;
    answers_about_bodies(&shop).await;
    let flaky = Flaky::before(shop.stack().dynamodb_endpoint()).await;
    let branch = shop.branch(Some(&flaky.url)).await;
    answers_that_came_too_late(&branch, &flaky).await;
    answers_in_an_outage(&branch, &flaky).await;

    let met: BTreeSet<_> = shop.met().union(&branch.met()).cloned().collect();
    let declared = Contract::get().declared().into_iter().filter(|(_, status)| !OF_THE_GATEWAY.contains(status));
    let declared = declared.filter(|(id, status)| (id.as_str(), *status) != SIGNED_BY_EBAY);
    let never_met: Vec<_> = declared.filter(|answer| !met.contains(answer)).collect();
    assert!(never_met.is_empty(), "nobody has ever heard these: {never_met:?}");
    branch.leave().await;
    shop.close().await;
}

async fn merchants_answers(shop: &Shop) {
    answers_about_channels(shop).await;
    answers_about_reordering(shop).await;
    shop.put_stock("tea", &json!({ "expected_peak_per_second": 1 })).await.expect(200);
    shop.put_stock("tea", &json!({ "x": 1 })).await.expect(400);
    shop.put_stock("tea", &json!({})).header("If-Match", "\"9\"").await.expect(412);
    shop.stock("tea").await.expect(200);
    shop.stock("coffee").await.expect(404);
    shop.stock("tea").query("x=1").await.expect(400);
    shop.get("/v1/stock").await.expect(200);
    shop.get("/v1/stock?limit=0").await.expect(400);
    shop.movement("tea", "receive", 0).await.expect(400);
    shop.movement("coffee", "receive", 1).await.expect(404);
    shop.movement("tea", "adjust", -1_000).await.expect(409);
    shop.movement("tea", "receive", 1).key("reused").await.expect(201);
    shop.movement("tea", "receive", 2).key("reused").await.expect(422);
    shop.get("/v1/stock/tea/movements").await.expect(200);
    shop.get("/v1/stock/tea/movements?limit=0").await.expect(400);
    shop.get("/v1/stock/coffee/movements").await.expect(404);
    shop.get("/v1/shortfalls").await.expect(200);
    shop.get("/v1/shortfalls?limit=0").await.expect(400);
    shop.availability(&["tea"]).await.expect(200);
    shop.availability(&["t ea"]).await.expect(400);
    shop.availability(&["coffee"]).await.expect(404);
}

async fn answers_about_channels(shop: &Shop) {
    let rule = json!({ "weights": { "own": 1, "ebay": 1 }, "trigger_below": 1 });
    shop.transfer("coffee", "own", "ebay", 1).await.expect(404);
    shop.transfer("tea", "own", "own", 1).await.expect(400);
    shop.transfer("tea", "own", "ebay", 1_000).await.expect(409);
    shop.transfer("tea", "own", "ebay", 2).key("moved").await.expect(201);
    shop.transfer("tea", "own", "ebay", 1).key("moved").await.expect(422);
    shop.quotas("tea").await.expect(200);
    shop.quotas("coffee").await.expect(404);
    shop.quotas("tea").query("x=1").await.expect(400);
    shop.put_quotas("coffee", &[("own", 1)]).await.expect(404);
    shop.put_quotas("tea", &[("shared", 1)]).await.expect(400);
    shop.put_quotas("tea", &[("own", 1_000)]).await.expect(409);
    shop.put_quotas("tea", &[("own", 1)]).header("If-Match", "\"999\"").await.expect(412);
    shop.put_quotas("tea", &[("ebay", 1)]).await.expect(200);

    shop.rule("tea").await.expect(404);
    shop.run_rule("tea").await.expect(404);
    shop.put_rule("coffee", &rule).await.expect(404);
    shop.put_rule("tea", &json!({})).await.expect(400);
    shop.put_rule("tea", &rule).header("If-Match", "*").await.expect(412);
    shop.put_rule("tea", &rule).await.expect(201);
    shop.put_rule("tea", &rule).await.expect(200);
    shop.rule("tea").await.expect(200);
    shop.rule("tea").query("x=1").await.expect(400);
    shop.quotas("tea").await.expect(200);
    shop.run_rule("tea").await.expect(200);
    shop.run_rule("tea").key("moved").await.expect(422);
    shop.run_rule("tea").json(&json!({ "x": 1 })).await.expect(400);
    shop.delete("/v1/stock/tea/redistribution").query("x=1").await.expect(400);
    shop.delete("/v1/stock/tea/redistribution").await.expect(200);
    // What the shoppers of this tour want is the own store's again.
    shop.put_quotas("tea", &[("ebay", 0), ("own", 20)]).await.expect(200);
}

async fn answers_about_reordering(shop: &Shop) {
    let (terms, sales) = (terms(), json!({ "days": [{ "date": "2017-09-25", "units": 5 }] }));
    let path = "/v1/stock/tea/replenishment";
    shop.get(path).await.expect(404);
    shop.put("/v1/stock/coffee/replenishment", &terms).await.expect(404);
    shop.put(path, &json!({})).await.expect(400);
    shop.put(path, &terms).header("If-Match", "*").await.expect(412);
    shop.put(path, &terms).await.expect(201);
    shop.put(path, &terms).await.expect(200);
    shop.get(path).await.expect(200);
    shop.get(path).query("x=1").await.expect(400);
    shop.delete(path).query("x=1").await.expect(400);
    shop.delete(path).await.expect(200);
    shop.put("/v1/stock/tea/sales", &sales).await.expect(200);
    shop.put("/v1/stock/tea/sales", &json!({ "days": [] })).await.expect(400);
    shop.get("/v1/stock/tea/sales").await.expect(200);
    shop.get("/v1/stock/tea/sales?from=x").await.expect(400);
    shop.get("/v1/alerts").await.expect(200);
    shop.get("/v1/alerts?status=x").await.expect(400);
}

fn terms() -> Value {
    json!({ "lead_time_days": 7, "safety_stock": { "percent": 20 } })
}

async fn answers_about_vendors(shop: &Shop) {
    shop.fill_shared("milk", 1).await;
    let (ebay, woocommerce) = (json!({ "kind": "ebay" }), json!({ "kind": "woocommerce" }));
    shop.put_channel("ebay", &ebay).await.expect(201);
    shop.put_channel("shop", &woocommerce).await.expect(201);
    shop.put_channel("ebay", &ebay).await.expect(200);
    shop.put_channel("ebay", &json!({})).await.expect(400);
    shop.put_channel("ebay", &ebay).header("If-Match", "\"9\"").await.expect(412);
    shop.get("/v1/channels").await.expect(200);
    shop.get("/v1/channels?x=1").await.expect(400);
    shop.put_listing("ebay", "milk", &json!({})).await.expect(201);
    shop.put_listing("ebay", "milk", &json!({})).await.expect(200);
    shop.put_listing("ebay", "milk", &json!({ "x": 1 })).await.expect(400);
    shop.put_listing("ebay", "coffee", &json!({})).await.expect(404);
    shop.put_listing("ebay", "milk", &json!({})).header("If-Match", "\"9\"").await.expect(412);
    for (path, unknown) in [
        ("/v1/channels/ebay", "/v1/channels/etsy"),
        ("/v1/channels/ebay/listings", "/v1/channels/etsy/listings"),
        ("/v1/channels/ebay/listings/milk", "/v1/channels/ebay/listings/tea"),
        ("/v1/channels/ebay/status", "/v1/channels/etsy/status"),
        ("/v1/stock/tea/explain", "/v1/stock/coffee/explain"),
    ] {
        shop.get(path).await.expect(200);
        shop.get(path).query("x=1").await.expect(400);
        shop.get(unknown).await.expect(404);
    }
    let webhook = |channel: &str| Call::new(shop, Method::POST, &format!("/v1/webhooks/{channel}"));
    webhook("shop").body("webhook_id=5").await.expect(200);
    webhook("shop").body("{}").await.expect(401);
    webhook("ebay").body("{}").await.expect(412);
    shop.get("/v1/webhooks/ebay?challenge_code=a1b2c3").await.expect(200);
    shop.get("/v1/webhooks/ebay").await.expect(401);
}

async fn answers_about_purchases(shop: &Shop) {
    let nobody = "fedcba9876543210";
    let nothing = json!({});
    shop.purchase(&[], &nothing).await.expect(400);
    shop.purchase(&[("coffee", 1)], &nothing).await.expect(404);
    shop.purchase(&[("tea", 5)], &nothing).key("bought").await.expect(201);
    shop.purchase(&[("tea", 6)], &nothing).key("bought").await.expect(422);
    shop.get("/v1/purchase-orders").await.expect(200);
    shop.get("/v1/purchase-orders?status=lost").await.expect(400);
    let [draft, sent] = [json!({}), json!({ "send": true })].map(|more| shop.purchase(&[("milk", 3)], &more));
    let (draft, sent) = (draft.await.id(), sent.await.id());
    shop.purchase_order(&draft).await.expect(200);
    shop.purchase_order("x").await.expect(400);
    shop.purchase_order(nobody).await.expect(404);
    shop.receive(&draft, &[("milk", 1)]).await.expect(409);
    shop.receive(&sent, &[]).await.expect(400);
    shop.receive(nobody, &[("milk", 1)]).await.expect(404);
    shop.step(&draft, "acknowledge", &nothing).await.expect(409);
    for (step, ok) in [("send", 200), ("acknowledge", 200), ("cancel", 200), ("send", 409)] {
        shop.step("x", step, &nothing).await.expect(400);
        shop.step(nobody, step, &nothing).await.expect(404);
        shop.step(&draft, step, &nothing).await.expect(ok);
    }
    shop.receive(&sent, &[("milk", 1)]).key("came").await.expect(200);
    shop.receive(&sent, &[("milk", 2)]).key("came").await.expect(422);
    shop.receive(&sent, &[("milk", 2)]).await.expect(200);
    shop.step(&sent, "cancel", &nothing).await.expect(409);
    shop.step(&sent, "retry", &nothing).await.expect(409);
    shop.step("x", "retry", &nothing).await.expect(400);
    shop.step(nobody, "retry", &nothing).await.expect(404);
    let waiting = shop.purchase(&[("milk", 3)], &json!({ "send": true })).await.id();
    shop.step(&waiting, "retry", &nothing).await.expect(200);

    shop.get("/v1/backorders").await.expect(200);
    shop.get("/v1/backorders?sku=t%20a").await.expect(400);

    shop.get("/v1/erp").await.expect(200);
    shop.get("/v1/erp?x=1").await.expect(400);
    let none = json!({ "kind": "none" });
    shop.put("/v1/erp", &none).header("If-Match", "*").await.expect(412);
    shop.put("/v1/erp", &none).await.expect(201);
    shop.put("/v1/erp", &none).await.expect(200);
    shop.put("/v1/erp", &json!({ "kind": "sage" })).await.expect(400);
}

async fn shoppers_answers(shop: &Shop) {
    for sell in [Api::reserve, Api::order] {
        let made = sell(shop, &[("tea", 1)]);
        made.clone().await.expect(201);
        made.json(&json!({ "lines": [{ "sku": "tea", "quantity": 2 }] })).await.expect(422);
        sell(shop, &[]).await.expect(400);
        sell(shop, &[("coffee", 1)]).await.expect(404);
        sell(shop, &[("tea", 1_000)]).await.expect(409);
    }
    let queued = shop.queue(&[("tea", 1)]).await.expect(202).id();
    assert_eq!(shop.decided(&queued).await["status"], "confirmed");
    let sold = shop.order(&[("tea", 1)]).await.expect(201).id();
    shop.get(&format!("/v1/orders/{sold}")).await.expect(200);
    shop.get("/v1/orders/x").await.expect(400);
    shop.get("/v1/orders/0123456789abcdef").await.expect(404);

    let [paid, canceled, late] = [0; 3].map(|_| shop.reserve(&[("tea", 1)]));
    let (paid, canceled, late) = (paid.await.id(), canceled.await.id(), late.await.id());
    shop.reservation(&paid).await.expect(200);
    shop.reservation("x").await.expect(400);
    shop.reservation("0123456789abcdef").await.expect(404);
    shop.extend(&paid, 600).await.expect(200);
    shop.confirm(&paid).await.expect(200);
    shop.cancel(&canceled).await.expect(200);
    let nobody = "fedcba9876543210";
    for (call, status) in [
        (shop.extend("x", 600), 400),
        (shop.extend(nobody, 600), 404),
        (shop.extend(&paid, 600), 409),
        (shop.cancel("x"), 400),
        (shop.cancel(nobody), 404),
        (shop.cancel(&paid), 409),
        (shop.confirm("x"), 400),
        (shop.confirm(nobody), 404),
        (shop.confirm(&canceled), 409),
    ] {
        call.await.expect(status);
    }
    shop.advance(901).await;
    let all = shop.units("tea").await.available;
    shop.order(&[("tea", all)]).await.expect(201);
    shop.extend(&late, 600).await.expect(410);
    shop.confirm(&late).await.expect(410);
}

async fn answers_about_bodies(shop: &Shop) {
    for call in calls_with_bodies(shop) {
        call.clone().header("Content-Type", "text/plain").await.expect(415);
        call.body(" ".repeat(70_000)).await.expect(413);
    }
}

/// One call of each operation that takes a body.
fn calls_with_bodies(shop: &Shop) -> Vec<Call> {
    vec![
        shop.reserve(&[("tea", 1)]),
        shop.order(&[("tea", 1)]),
        shop.confirm("0123456789abcdef"),
        shop.cancel("0123456789abcdef"),
        shop.extend("0123456789abcdef", 600),
        shop.put_stock("tea", &json!({})),
        shop.put_channel("ebay", &json!({ "kind": "ebay" })),
        shop.put_listing("ebay", "milk", &json!({})),
        shop.movement("tea", "receive", 1),
        shop.transfer("tea", "own", "ebay", 1),
        shop.put_quotas("tea", &[("own", 1)]),
        shop.put_rule("tea", &json!({ "weights": "recent_sales", "trigger_below": 1 })),
        shop.run_rule("tea"),
        shop.put("/v1/stock/tea/replenishment", &terms()),
        shop.put("/v1/stock/tea/sales", &json!({ "days": [{ "date": "2017-09-26", "units": 5 }] })),
        shop.purchase(&[("tea", 1)], &json!({})),
        shop.step("0123456789abcdef", "send", &json!({})),
        shop.step("0123456789abcdef", "acknowledge", &json!({})),
        shop.receive("0123456789abcdef", &[("tea", 1)]),
        shop.step("0123456789abcdef", "cancel", &json!({})),
        shop.step("0123456789abcdef", "retry", &json!({})),
        shop.put("/v1/erp", &json!({ "kind": "none" })),
    ]
}

/// A request whose hold is over before its record can be written comes to nothing, and says so each time.
async fn answers_that_came_too_late(branch: &Shop, flaky: &Flaky) {
    branch.movement("tea", "receive", 5).await.expect(201);
    for sell in [Api::reserve, Api::order] {
        let clock = branch.stack().clock().clone();
        let mut first = true;
        flaky.judge(move |operation| {
            if operation != "PutItem" || !std::mem::take(&mut first) {
                return Fate::Pass;
            }
            clock.advance(1_000).unwrap();
            Fate::Fail
        });
        let late = sell(branch, &[("tea", 1)]);
        late.clone().await.expect_problem(410, "reservation-expired");
        late.await.expect_problem(410, "reservation-expired");
    }
    flaky.heal();
}

/// While DynamoDB is away every operation asks to come back, and while it refuses us every one says that it is our fault; and
/// none of them says more than that.
async fn answers_in_an_outage(branch: &Shop, flaky: &Flaky) {
    let questions = [
        branch.stock("tea"),
        branch.get("/v1/stock"),
        branch.get("/v1/stock/tea/movements"),
        branch.get("/v1/shortfalls"),
        branch.get("/v1/channels"),
        branch.get("/v1/channels/ebay"),
        branch.get("/v1/channels/ebay/listings"),
        branch.get("/v1/channels/ebay/listings/milk"),
        branch.get("/v1/channels/ebay/status"),
        branch.get("/v1/stock/tea/explain"),
        branch.get("/v1/webhooks/ebay?challenge_code=a1b2c3"),
        Call::new(branch, Method::POST, "/v1/webhooks/ebay"),
        branch.quotas("tea"),
        branch.rule("tea"),
        branch.get("/v1/erp"),
        branch.get("/v1/purchase-orders"),
        branch.purchase_order("0123456789abcdef"),
        branch.get("/v1/backorders"),
        branch.delete("/v1/stock/tea/redistribution"),
        branch.get("/v1/stock/tea/replenishment"),
        branch.delete("/v1/stock/tea/replenishment"),
        branch.get("/v1/stock/tea/sales"),
        branch.get("/v1/alerts"),
        branch.availability(&["tea"]),
        branch.reservation("0123456789abcdef"),
        branch.get("/v1/orders/0123456789abcdef"),
    ];
    let calls: Vec<Call> = questions.into_iter().chain(calls_with_bodies(branch)).collect();
    for (fate, status, slug) in [(Fate::Fail, 503, "contended"), (Fate::Reject, 500, "internal-error")] {
        flaky.judge(move |operation| match operation {
            "GetRecords" | "DescribeStream" | "GetShardIterator" => Fate::Pass,
            _ => fate,
        });
        for answer in at_once(calls.iter().cloned().map(Call::impatient)).await {
            let answer = answer.expect_problem(status, slug);
            assert!(!answer.text.contains("secret") && !answer.text.contains("Exception"), "{}", answer.text);
            assert_eq!(answer.header("retry-after").is_some(), status == 503);
        }
    }
    flaky.heal();
}

fn texts(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect()
}
