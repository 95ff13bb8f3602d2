//! What is left when the service dies in the middle, and when DynamoDB keeps its answers to itself.

use std::{
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use futures::future::join_all;
use serde_json::json;

use crate::support::{Api, Fate, Flaky, Shop, Units, at_once, external_dynamodb};

const SKUS: [&str; 3] = ["tea", "mug", "cup"];
const UNITS: u64 = 400;

/// A stack in another process; it dies with this value.
struct Process {
    child: Child,
    url: String,
}

impl Process {
    fn start(prefix: &str, data: Option<&PathBuf>) -> Self {
        let endpoint = external_dynamodb().unwrap_or_default();
        let data = data.map(|data| data.display().to_string()).unwrap_or_default();
        let mut command = Command::new(env!("CARGO_BIN_EXE_stack"));
        let mut child =
            command.args([prefix, &data, &endpoint]).stdout(Stdio::piped()).spawn().expect("the stack starts");
        let mut url = String::new();
        let output = child.stdout.take().expect("its output is piped");
        BufReader::new(output).read_line(&mut url).expect("it says where it is");
        Self { child, url: url.trim().to_owned() }
    }

    /// SIGKILL: nothing is finished, nothing is cleaned up.
    fn kill(mut self) {
        self.child.kill().expect("it can be killed");
        self.child.wait().expect("it is dead");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It is dead already if the test went well.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Thirty-two shoppers buy until the service is gone; then it comes back. What was answered is true, every invariant holds, and
/// when all times are over every unit that nobody paid for is free.
#[tokio::test(flavor = "multi_thread")]
async fn killed_in_the_middle_and_started_again() {
    let prefix = format!("killed-{}", std::process::id());
    let data = external_dynamodb().is_none().then(|| std::env::temp_dir().join(&prefix));
    let mut paid = Vec::new();
    for life in 0..2 {
        let process = Process::start(&prefix, data.as_ref());
        let api = Api::new(&process.url);
        if life == 0 {
            for sku in SKUS {
                api.put_stock(sku, &json!({})).await.expect(201);
                api.movement(sku, "receive", UNITS.cast_signed()).await.expect(201);
            }
        }
        let carts_paid = AtomicUsize::new(0);
        let shoppers = join_all((0..32).map(|shopper| shop_until_it_dies(&api, life, shopper, &carts_paid)));
        let death = async {
            while carts_paid.load(Ordering::Relaxed) < 20 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            process.kill();
        };
        let (bought, ()) = tokio::join!(shoppers, death);
        paid.extend(bought.into_iter().flatten());
    }

    let shop = Shop::open_at(&prefix, data.clone(), external_dynamodb()).await;
    shop.audit(false).await;
    for id in &paid {
        assert_eq!(shop.reservation(id).await.expect(200)["status"], "confirmed", "{id} was answered 200");
    }
    shop.advance(1_000).await;
    let mut sold = 0;
    for sku in SKUS {
        let units = shop.units(sku).await;
        assert_eq!((units.available + units.sold, units.reserved), (UNITS, 0), "{sku}");
        sold += units.sold;
    }
    assert!(sold >= paid.len() as u64, "{sold} units sold, but {} carts paid", paid.len());
    let report = shop.close().await;
    assert_eq!((report.held, report.sold), (0, sold));
    if let Some(data) = data {
        std::fs::remove_dir_all(data).expect("the directory can be removed");
    }
}

/// Reserves, then pays or walks away, again and again. Answers the reservations whose payment was confirmed.
async fn shop_until_it_dies(api: &Api, life: usize, shopper: usize, carts_paid: &AtomicUsize) -> Vec<String> {
    let mut paid = Vec::new();
    for cart in 0.. {
        let lines = [(SKUS[cart % 3], 1), (SKUS[(cart + shopper) % 3], 1)];
        let key = format!("{life}-{shopper}-{cart}");
        let Some(held) = api.reserve(&lines).key(&key).try_send().await else { break };
        if held.status != 201 {
            continue;
        }
        let id = held.id();
        let decision = match (cart + shopper) % 3 {
            0 => api.cancel(&id),
            1 => api.confirm(&id),
            _ => continue,
        };
        let Some(decided) = decision.try_send().await else { break };
        if decided.status == 200 && decided["status"] == "confirmed" {
            paid.push(id);
            carts_paid.fetch_add(1, Ordering::Relaxed);
        }
    }
    paid
}

/// Every write is made, but each first answer is lost: the SDK sends it again, and must find that it was made.
#[tokio::test(flavor = "multi_thread")]
async fn every_answer_of_dynamodb_is_lost_once() {
    let shop = Shop::with(&[("tea", 60), ("mug", 60)]).await;
    let flaky = Flaky::before(shop.stack().dynamodb_endpoint()).await;
    let branch = shop.branch(Some(&flaky.url)).await;
    let mut number = 0_u32;
    flaky.judge(move |operation| {
        let writes = ["UpdateItem", "PutItem", "TransactWriteItems", "DeleteItem"].contains(&operation);
        number += u32::from(writes);
        if writes && number % 2 == 1 { Fate::LoseReply } else { Fate::Pass }
    });
    let held = at_once((0..10).map(|_| branch.reserve(&[("tea", 2), ("mug", 1)]))).await;
    let ids: Vec<String> = held.into_iter().map(|answer| answer.expect(201).id()).collect();
    assert_eq!(branch.units("tea").await, Units { available: 40, reserved: 20, sold: 0 });
    at_once(ids[..5].iter().map(|id| branch.confirm(id))).await.into_iter().for_each(|answer| drop(answer.expect(200)));
    at_once(ids[5..].iter().map(|id| branch.cancel(id))).await.into_iter().for_each(|answer| drop(answer.expect(200)));
    at_once((0..5).map(|_| branch.order(&[("tea", 1)]))).await.into_iter().for_each(|answer| drop(answer.expect(201)));
    for (kind, quantity, available) in [("receive", 5, 50), ("adjust", -10, 40), ("count", 30, 30)] {
        branch.movement("tea", kind, quantity).await.expect(201);
        assert_eq!(branch.units("tea").await, Units { available, reserved: 0, sold: 15 }, "{kind}");
    }
    branch.put_stock("tea", &json!({ "expected_peak_per_second": 20 })).await.expect(200);
    assert_eq!(branch.units("tea").await, Units { available: 30, reserved: 0, sold: 15 });
    assert_eq!(branch.units("mug").await, Units { available: 55, reserved: 0, sold: 5 });
    branch.leave().await;
    shop.close().await;
}

/// The service dies after each write in turn: what it has held by then is free again in time, and a shopper who comes back with
/// the same key is served.
#[tokio::test(flavor = "multi_thread")]
async fn a_request_dies_after_any_of_its_writes() {
    let shop = Shop::with(&[("tea", 5), ("mug", 5)]).await;
    let flaky = Flaky::before(shop.stack().dynamodb_endpoint()).await;
    let branch = shop.branch(Some(&flaky.url)).await;
    for comes_back in [true, false] {
        for survives in 0..4_u32 {
            let mut number = 0;
            flaky.judge(move |operation| {
                let writes = ["UpdateItem", "PutItem"].contains(&operation);
                number += u32::from(writes);
                if writes && number > survives { Fate::Fail } else { Fate::Pass }
            });
            let cart = branch.reserve(&[("tea", 5), ("mug", 1)]).key(&format!("{comes_back}-{survives}"));
            let first = cart.clone().impatient().await;
            // Three writes make a reservation of two lines; a slow machine may send one of them again.
            assert!(first.status == 503 || (first.status == 201 && survives == 3), "{}", first.text);
            flaky.heal();
            if comes_back {
                let id = cart.await.expect(201).id();
                assert_eq!(branch.units("tea").await, Units { available: 0, reserved: 5, sold: 0 });
                branch.cancel(&id).await.expect(200);
            } else {
                branch.advance_unnoticed(901);
                shop.advance_unnoticed(901);
            }
            assert_eq!(branch.units("tea").await, Units { available: 5, reserved: 0, sold: 0 });
            let others = branch.reserve(&[("tea", 5), ("mug", 5)]).await.expect(201).id();
            branch.cancel(&others).await.expect(200);
            shop.audit(false).await;
        }
    }
    branch.leave().await;
    shop.close().await;
}
