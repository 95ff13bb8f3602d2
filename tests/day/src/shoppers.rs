//! Who comes: shoppers of the own store, who hold, pay, think better of it and vanish; shoppers of marketplaces, who buy what they are
//! shown; and what marketplaces tell of that, late, twice, or not at all.

use std::time::Duration;

use domain::sale::Stage;
use http::testing::Sample;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::{
    functions::Functions,
    plan::{Place, Wish, sku_name},
    run::Approach,
};

/// Of a thousand deliveries, how many are lost, and how many come twice.
pub const LOST: u32 = 50;
/// As above.
pub const TWICE: u32 = 50;

/// A vendor whose delivery was not taken tries again, so often.
const DELIVERIES: u32 = 3;

impl Functions {
    /// Everybody who comes, each in time.
    pub async fn shoppers(&self, approach: Approach) {
        let wishes = self.cloud.lock().day.wishes.clone();
        for (number, wish) in wishes.into_iter().enumerate() {
            self.cloud.until(wish.at).await;
            let functions = self.clone();
            tokio::task::spawn_local(async move {
                match wish.place {
                    Place::Own => functions.visit(number, wish).await,
                    _ => functions.order_at_market(number, wish, approach).await,
                }
            });
        }
    }

    /// A visit of the own store.
    async fn visit(&self, number: usize, wish: Wish) {
        let (way, thinks) = {
            let mut cloud = self.cloud.lock();
            (cloud.rng.u32(0..100), cloud.millis(20_000..480_000))
        };
        let cart = json!({ "lines": [{ "sku": sku_name(wish.sku), "quantity": wish.units }] }).to_string();
        let key = format!("visit-{number}");
        let route = if way < 10 { "POST /v1/orders" } else { "POST /v1/reservations" };
        let answer = self.call(Sample::new(route).header("Idempotency-Key", &key).body(&cart)).await;
        if answer.status() != 201 {
            return self.refused(wish, answer.status(), answer.body());
        }
        let held: Value = serde_json::from_str(answer.body()).unwrap_or_default();
        let id = held["id"].as_str().unwrap_or_default().to_owned();
        if way < 10 {
            return self.cloud.lock().ledger.own.push((id, wish.sku, wish.units));
        }
        sleep(thinks).await;
        let decide = |verb: &str| {
            Sample::new(&format!("POST /v1/reservations/{{id}}/{verb}"))
                .path("id", &id)
                .header("Idempotency-Key", &format!("{key}-{verb}"))
        };
        match way {
            10..90 => {
                let answer = self.call(decide("confirm")).await;
                let mut cloud = self.cloud.lock();
                if answer.status() == 200 {
                    cloud.ledger.own.push((id, wish.sku, wish.units));
                } else {
                    cloud.ledger.surprises.push(format!(
                        "a payment was answered with {}: {}",
                        answer.status(),
                        answer.body()
                    ));
                }
            }
            90..94 => drop(self.call(decide("cancel")).await),
            // Vanishes; the units come back by themselves.
            _ => {}
        }
    }

    fn refused(&self, wish: Wish, status: u16, body: &str) {
        let mut cloud = self.cloud.lock();
        if status == 409 && body.contains("insufficient-stock") {
            cloud.ledger.refuse(wish.sku, wish.units);
        } else {
            cloud.ledger.surprises.push(format!("a shopper was answered with {status}: {body}"));
        }
    }

    /// An order at a marketplace, and what becomes of it.
    async fn order_at_market(&self, number: usize, wish: Wish, approach: Approach) {
        let place = wish.place;
        let (is_pending, pays, cancels) = {
            let mut cloud = self.cloud.lock();
            let is_pending = place == Place::Amazon && cloud.happens(300);
            let pays = cloud.millis(60_000..360_000);
            let cancels = cloud.happens(20).then(|| cloud.millis(300_000..1_800_000));
            (is_pending, pays, cancels)
        };
        let stage = if is_pending { Stage::Pending } else { Stage::Paid };
        let Some(order) = self.vendors.sell(number, wish, stage) else { return };
        self.tell(place, &order, approach);
        if is_pending {
            sleep(pays).await;
            self.vendors.at(place, |market| market.set_stage(&order, Stage::Paid));
            self.tell(place, &order, approach);
        }
        if let Some(after) = cancels {
            sleep(after).await;
            self.vendors.at(place, |market| market.cancel(&order));
            self.tell(place, &order, approach);
        }
    }

    /// The marketplace delivers what has become of an order; or not.
    fn tell(&self, place: Place, order: &str, approach: Approach) {
        if !approach.hears() {
            return;
        }
        let face = &self.vendors.side(place).face;
        let delivery = self.vendors.at(place, |market| face.webhook(market, order, ""));
        let Some(delivery) = delivery else { return };
        let times = {
            let mut cloud = self.cloud.lock();
            let is_lost = cloud.happens(LOST) || cloud.day.is_down(place, cloud.now());
            let is_twice = cloud.happens(TWICE);
            let [sent, lost, twice] = &mut cloud.ledger.webhooks;
            *sent += 1;
            if is_lost {
                *lost += 1;
                0
            } else if is_twice {
                *twice += 1;
                2
            } else {
                1
            }
        };
        for copy in 0..times {
            let (functions, delivery) = (self.clone(), delivery.clone());
            tokio::task::spawn_local(async move {
                let late = {
                    let mut cloud = functions.cloud.lock();
                    let seldom = cloud.happens(30);
                    match (copy, seldom) {
                        (0, false) => cloud.millis(300..6_000),
                        (0, true) => cloud.millis(6_000..120_000),
                        _ => cloud.millis(1_000..400_000),
                    }
                };
                sleep(late).await;
                if place == Place::Amazon {
                    let mut cloud = functions.cloud.lock();
                    cloud.notices.push_back(String::from_utf8(delivery.body).unwrap_or_default());
                    cloud.bells.notices.notify_one();
                    return;
                }
                for _ in 0..DELIVERIES {
                    let status = functions.deliver(place, delivery.clone()).await;
                    if (200..300).contains(&status) {
                        return;
                    }
                    functions
                        .cloud
                        .lock()
                        .ledger
                        .surprises
                        .push(format!("a delivery of {} was answered with {status}", place.name()));
                    sleep(Duration::from_mins(5)).await;
                }
            });
        }
    }
}
