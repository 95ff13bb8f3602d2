//! Shoppers, and the shop that calls for them: they hold, pay, cancel, vanish, pay twice, pay late, and ask again much later.

use std::time::Duration;

use domain::ids::{Caller, ReservationId};
use http::{Response, testing::Sample};
use serde_json::{Value, json};
use tokio::{task::JoinHandle, time::sleep};

use crate::{
    HOLD_SECONDS, SKUS,
    frailty::Manner,
    function::Functions,
    plan::Theme,
    promises::{Cart, Said},
};

/// How often a shop repeats a call that was not answered.
pub(crate) const MAX_ATTEMPTS: u32 = 5;

/// What one shopper wants, under one key.
#[derive(Clone)]
pub(crate) struct Wish {
    pub(crate) key: String,
    pub(crate) id: String,
    pub(crate) cart: Cart,
    pub(crate) sample: Sample,
}

pub(crate) fn body(response: &Response) -> Value {
    serde_json::from_str(response.body()).unwrap_or_default()
}

impl Functions {
    /// One shopper's whole visit.
    pub async fn shopper(self, number: usize) {
        let wait = {
            let mut world = self.world();
            // A rush, when its peak has just been announced.
            let opening_hours = match world.theme {
                Theme::Restless => 2_000..40_000,
                Theme::Line => 0..250_000,
                _ => 0..900_000,
            };
            world.millis(opening_hours)
        };
        sleep(wait).await;
        let key = format!("shopper-{number}");
        let way = {
            let mut world = self.world();
            let queued = match world.theme {
                Theme::Line => 900,
                Theme::Restless => 700,
                _ => 0,
            };
            if world.happens(queued) { 9 } else { world.rng.u32(0..10) }
        };
        match way {
            0..=5 => self.checkout(&key).await,
            6..=7 => self.order(&key).await,
            _ => {
                let wish = self.wish("POST /v1/orders", &key, None);
                let sample = wish.sample.clone().header("Prefer", "respond-async");
                self.queued_order(Wish { sample, ..wish }).await;
            }
        }
    }

    pub(crate) fn wish(&self, route: &str, key: &str, ttl_seconds: Option<u64>) -> Wish {
        let mut world = self.world();
        let alike = matches!(world.theme, Theme::Crowd | Theme::Line | Theme::Restless | Theme::Forsaken);
        let count = if alike || world.happens(600) { 1 } else { world.rng.usize(1..=4) };
        let lines = (0..count).map(|_| {
            let sku = if alike || world.happens(600) { SKUS[0] } else { SKUS[world.rng.usize(0..SKUS.len())] };
            let quantity = if alike || world.happens(700) { 1 } else { world.rng.u64(1..=4) };
            (sku.to_owned(), quantity)
        });
        let lines: Vec<(String, u64)> = lines.collect();
        drop(world);
        Self::wish_for(route, key, ttl_seconds, &lines)
    }

    pub(crate) fn wish_for(route: &str, key: &str, ttl_seconds: Option<u64>, lines: &[(String, u64)]) -> Wish {
        let mut asked = json!({
            "lines": lines.iter().map(|(sku, quantity)| json!({ "sku": sku, "quantity": quantity })).collect::<Vec<_>>(),
        });
        if let Some(ttl_seconds) = ttl_seconds {
            asked["ttl_seconds"] = json!(ttl_seconds);
        }
        Wish {
            key: key.to_owned(),
            id: ReservationId::derive(&Caller::new("local"), &key.parse().expect("a key")).to_string(),
            cart: Cart::of(lines.to_vec()),
            sample: Sample::new(route).header("Idempotency-Key", key).body(&asked.to_string()),
        }
    }

    /// A call as a shop makes it: a careful one again, under the same key, until it is answered, sometimes much later; another only once.
    pub(crate) async fn insist(&self, sample: Sample) -> Option<Response> {
        let once = {
            let mut world = self.world();
            world.theme == Theme::Forsaken || world.happens(250)
        };
        let attempts = if once { 1 } else { MAX_ATTEMPTS };
        for _ in 0..attempts {
            match self.call(sample.clone()).await {
                Some(response) if response.status() < 500 => return Some(response),
                _ => {}
            }
            let pause = {
                let mut world = self.world();
                if world.happens(60) { world.millis(300_000..100_000_000) } else { world.millis(200..20_000) }
            };
            sleep(pause).await;
        }
        None
    }

    /// Holds, then pays, lets go or vanishes.
    async fn checkout(&self, key: &str) {
        let ttl = {
            let mut world = self.world();
            let shortest = matches!(world.theme, Theme::Restless | Theme::Forsaken);
            if shortest {
                HOLD_SECONDS[0]
            } else if world.happens(700) {
                HOLD_SECONDS[world.rng.usize(0..3)]
            } else {
                world.rng.u64(300..=1_200)
            }
        };
        let Some(wish) = self.hold(key, ttl).await else { return };
        let choice = {
            let mut world = self.world();
            if world.theme == Theme::Haunted && world.happens(600) {
                world.rng.u32(0..22)
            } else {
                world.rng.u32(0..100)
            }
        };
        match choice {
            0..=5 => return,
            6..=13 => return self.haunt(&wish).await,
            14..=21 => {
                self.cancel(&wish).await;
                let changes_his_mind = self.world().happens(300);
                if changes_his_mind {
                    self.pay(&wish, "o-1").await;
                }
                let is_forgotten = self.world().dice.u32(0..3) == 0;
                if is_forgotten {
                    return self.pay_what_is_forgotten(&wish).await;
                }
                // Or asks for another cart at once, under the key of what has just been let go.
                let asks_for_another = self.world().happens(500);
                if asks_for_another {
                    let other = self.wish("POST /v1/reservations", key, Some(ttl));
                    if let Some(answer) = self.insist(other.sample.clone()).await {
                        self.held(&other, &answer);
                    }
                }
                let comes_back = {
                    let mut world = self.world();
                    let often = if world.theme == Theme::Haunted { 700 } else { 300 };
                    world.happens(often)
                };
                if comes_back {
                    self.haunt(&wish).await;
                }
                return;
            }
            22..=30 => {
                let route = "POST /v1/reservations/{id}/extend";
                let longer = Sample::new(route).path("id", &wish.id).header("Idempotency-Key", "e");
                drop(self.insist(longer.body(r#"{"ttl_seconds": 1800}"#)).await);
            }
            // Two tabs: one pays while the other lets go.
            31..=35 => drop(tokio::join!(self.pay(&wish, "o-1"), self.cancel(&wish))),
            _ => {}
        }
        let (before_paying, twice) = {
            let mut world = self.world();
            let moment = world.rng.u32(0..100);
            // In the last moment some clocks say that it is too late, and others that it is not.
            let (range, twice) = match moment {
                0..=19 => (ttl * 900..ttl * 1_500, 200),
                20..=39 => ((ttl - 40) * 1_000..(ttl + 40) * 1_000, 500),
                _ => (1_000..ttl * 800, 200),
            };
            (world.millis(range), world.happens(twice))
        };
        sleep(before_paying).await;
        if twice {
            let between = self.world().millis(0..10_000);
            let again = async {
                sleep(between).await;
                self.pay(&wish, "o-1").await;
            };
            tokio::join!(self.pay(&wish, "o-1"), again);
        } else {
            self.pay(&wish, "o-1").await;
        }
        let again = self.world().rng.u32(0..100);
        match again {
            // The same request again, hours later: it must hear what became of it, and hold nothing for long.
            0..=9 => {
                let wait = self.world().millis(4_000_000..200_000_000);
                sleep(wait).await;
                drop(self.insist(wish.sample).await);
            }
            // The same key for another cart.
            10..=19 => {
                let other = self.wish("POST /v1/reservations", key, Some(ttl));
                if let Some(answer) = self.insist(other.sample.clone()).await {
                    self.held(&other, &answer);
                }
            }
            _ => {}
        }
    }

    /// Holds a cart; what is held in the end, if anything is.
    async fn hold(&self, key: &str, ttl: u64) -> Option<Wish> {
        let first = self.wish("POST /v1/reservations", key, Some(ttl));
        let Some((wish, under_way)) = self.hurry(&first, Some(ttl)).await else {
            let answer = self.insist(first.sample.clone()).await?;
            return self.held(&first, &answer).then_some(first);
        };
        let answer = self.insist(wish.sample.clone()).await;
        let holds = answer.is_some_and(|answer| self.held(&wish, &answer));
        let held_at_first = under_way.await.unwrap_or(false);
        if holds { Some(wish) } else { held_at_first.then_some(first) }
    }

    /// Some do not wait for the answer: they press the button again, or change the cart and press it then, and the shop still uses the
    /// same key. What is asked for then; and whether the first call, which is under way, served.
    pub(crate) async fn hurry(&self, first: &Wish, ttl_seconds: Option<u64>) -> Option<(Wish, JoinHandle<bool>)> {
        let in_a_hurry = self.world().happens(150);
        if !in_a_hurry {
            return None;
        }
        let (functions, wish) = (self.clone(), first.clone());
        let under_way = tokio::task::spawn_local(async move {
            let Some(answer) = functions.call(wish.sample.clone()).await else { return false };
            if ttl_seconds.is_some() {
                return functions.held(&wish, &answer);
            }
            let sold = answer.status() == 201;
            if sold {
                functions.promise(&wish, Said::Sold { order_id: None });
            }
            sold
        });
        let (pause, lines) = {
            let mut world = self.world();
            let pause = if world.happens(700) { world.millis(1..60) } else { world.millis(60..30_000) };
            let changes = world.happens(600);
            let lines = first.cart.lines().map(|(sku, quantity)| {
                let quantity = if changes { world.rng.u64(1..=4) } else { quantity };
                (sku.to_owned(), quantity)
            });
            (pause, lines.collect::<Vec<_>>())
        };
        sleep(pause).await;
        let route = if ttl_seconds.is_some() { "POST /v1/reservations" } else { "POST /v1/orders" };
        Some((Self::wish_for(route, &first.key, ttl_seconds, &lines), under_way))
    }

    /// Whether the answer is about the wish; what it says of it is taken down. It may be held, or sold by now, or be held no more: whoever
    /// does not look closely tries to pay all the same.
    pub(crate) fn held(&self, wish: &Wish, answer: &Response) -> bool {
        let told = body(answer);
        let answered = answer.status() == 201 && told["id"] == json!(wish.id);
        match told["status"].as_str() {
            Some("active") if answered => self.promise(wish, Said::Held),
            Some("confirmed") if answered => self.promise(wish, Said::Sold { order_id: None }),
            _ => {}
        }
        answered
    }

    pub(crate) fn promise(&self, wish: &Wish, said: Said) {
        self.world().promise(&wish.id, &wish.cart, said);
    }

    async fn cancel(&self, wish: &Wish) {
        self.world().let_go.insert(wish.id.clone());
        let sample =
            Sample::new("POST /v1/reservations/{id}/cancel").path("id", &wish.id).header("Idempotency-Key", "c");
        if let Some(answer) = self.insist(sample).await
            && body(&answer)["status"] == "canceled"
        {
            self.promise(wish, Said::Canceled);
        }
    }

    /// Never paid, and asked for again, several times at once, when DynamoDB is about to delete the record of it: the protocol's most
    /// delicate hour. Where that gives the record another day, again a day later.
    async fn haunt(&self, wish: &Wish) {
        let mut visits = Vec::new();
        for _ in 0..3 {
            // Where it goes unpaid, somebody else decides that first.
            sleep(Duration::from_hours(1)).await;
            let Some(purged) = self.world().ttl_of(&wish.id) else { break };
            let wait = {
                let mut world = self.world();
                let early = world.rng.u64(0..500);
                Duration::from_secs(purged.seconds_since(world.now()).saturating_sub(early))
            };
            sleep(wait).await;
            let calls = self.world().rng.usize(2..=5);
            for _ in 0..calls {
                let (functions, wish) = (self.clone(), wish.clone());
                visits.push(tokio::task::spawn_local(async move {
                    if let Some(answer) = functions.call(wish.sample.clone()).await
                        && functions.held(&wish, &answer)
                    {
                        functions.pay(&wish, "o-1").await;
                    }
                }));
                let pause = self.world().millis(1_000..240_000);
                sleep(pause).await;
            }
        }
        for visit in visits {
            drop(visit.await);
        }
    }

    async fn pay(&self, wish: &Wish, order_id: &str) {
        let through_the_queue = self.world().happens(200);
        let order_id = Some(order_id.to_owned());
        if through_the_queue {
            let asked = json!({ "reservation_id": wish.id, "order_id": order_id });
            let sample =
                Sample::new("POST /v1/orders").header("Idempotency-Key", "q").header("Prefer", "respond-async");
            if let Some(queued) = self.insist(sample.body(&asked.to_string())).await {
                self.follow(wish, &queued, order_id).await;
            }
            return;
        }
        let route = "POST /v1/reservations/{id}/confirm";
        let sample = Sample::new(route).path("id", &wish.id).header("Idempotency-Key", "p");
        if let Some(paid) = self.insist(sample.body(&json!({ "order_id": order_id }).to_string())).await {
            self.hear_of_payment(wish, &paid, order_id);
        }
    }

    fn hear_of_payment(&self, wish: &Wish, paid: &Response, order_id: Option<String>) {
        match paid.status() {
            200 => self.promise(wish, Said::Sold { order_id }),
            _ if body(paid)["refund_required"] == true => self.promise(wish, Said::Refused { order_id }),
            _ => {}
        }
    }

    /// What was let go is paid for when DynamoDB is about to delete the record that says so, at a function that has read it and stands still;
    /// and then asked for and paid for again, as if nothing had been.
    async fn pay_what_is_forgotten(&self, wish: &Wish) {
        let Some(purged) = self.world().ttl_of(&wish.id) else { return };
        let wait = {
            let mut world = self.world();
            let early = world.dice.u64(0..15);
            Duration::from_secs(purged.seconds_since(world.now()).saturating_sub(early))
        };
        sleep(wait).await;
        let sample = Sample::new("POST /v1/reservations/{id}/confirm").path("id", &wish.id);
        let sample = sample.header("Idempotency-Key", "p").body(r#"{ "order_id": "o-1" }"#);
        if let Some(paid) = self.call_in(Manner::HesitatesBriefly, sample).await {
            self.hear_of_payment(wish, &paid, Some("o-1".to_owned()));
        }
        if let Some(answer) = self.insist(wish.sample.clone()).await
            && self.held(wish, &answer)
        {
            self.pay(wish, "o-1").await;
        }
    }
}
