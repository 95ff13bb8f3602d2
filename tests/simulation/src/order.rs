//! Shoppers who order without a hold: at once, or through the queue.

use std::time::Duration;

use http::{Response, testing::Sample};
use tokio::time::sleep;

use crate::{
    frailty::Manner,
    function::Functions,
    plan::Theme,
    promises::Said,
    shopper::{Wish, body},
};

impl Functions {
    /// A sale without a hold, at once.
    pub(crate) async fn order(&self, key: &str) {
        let mut wish = self.wish("POST /v1/orders", key, None);
        let forsaken = {
            let mut world = self.world();
            world.theme == Theme::Haunted && world.dice.u32(0..10) < 7
        };
        if forsaken {
            // Its units are held, and nobody records it.
            drop(self.call_in(Manner::DiesBeforeTheRecord, wish.sample.clone()).await);
            return self.haunt_order(&wish).await;
        }
        if let Some((now, _)) = self.hurry(&wish, None).await {
            wish = now;
        }
        let Some(answer) = self.insist(wish.sample.clone()).await else { return self.haunt_order(&wish).await };
        self.heard(&wish, &answer);
        let again = self.world().rng.u32(0..100);
        match again {
            // Hours or days later: the answer is the same.
            0..=14 => {
                let wait = self.world().millis(4_000_000..200_000_000);
                sleep(wait).await;
                if let Some(answer) = self.insist(wish.sample.clone()).await
                    && answer.status() == 201
                {
                    self.promise(&wish, Said::Sold { order_id: None });
                }
            }
            15..=24 => {
                let other = self.wish("POST /v1/orders", &wish.key, None);
                if let Some(answer) = self.insist(other.sample.clone()).await
                    && answer.status() == 201
                {
                    self.promise(&other, Said::Sold { order_id: None });
                }
            }
            _ => {}
        }
    }

    /// What the answer to an order at once says.
    pub(crate) fn heard(&self, wish: &Wish, answer: &Response) {
        match answer.status() {
            201 => self.promise(wish, Said::Sold { order_id: None }),
            409 | 404 | 410 => self.promise(wish, Said::Refused { order_id: None }),
            _ => {}
        }
    }

    /// An order that was not answered, and of which only a hold was ever seen: asked for again when DynamoDB is about to delete the record
    /// that says so.
    async fn haunt_order(&self, wish: &Wish) {
        let mut visits = Vec::new();
        for _ in 0..3 {
            sleep(Duration::from_hours(1)).await;
            let Some(purged) = self.world().ttl_of(&wish.id) else { break };
            let (wait, calls) = {
                let mut world = self.world();
                let early = world.dice.u64(0..250);
                let wait = purged.seconds_since(world.now()).saturating_sub(early);
                (Duration::from_secs(wait), world.dice.usize(2..=5))
            };
            sleep(wait).await;
            for _ in 0..calls {
                let (functions, wish) = (self.clone(), wish.clone());
                visits.push(tokio::task::spawn_local(async move {
                    if let Some(answer) = functions.call_in(Manner::HesitatesToRelease, wish.sample.clone()).await {
                        functions.heard(&wish, &answer);
                    }
                }));
                let pause = self.world().dice.u64(1_000..150_000);
                sleep(Duration::from_millis(pause)).await;
            }
        }
        for visit in visits {
            drop(visit.await);
        }
    }

    /// A sale without a hold, in turn.
    pub(crate) async fn queued_order(&self, wish: Wish) {
        let Some(answer) = self.insist(wish.sample.clone()).await else { return };
        self.follow(&wish, &answer, None).await;
        let again = self.world().happens(200);
        if again {
            // After the queue has forgotten that it had this one.
            let wait = self.world().millis(301_000..2_000_000);
            sleep(wait).await;
            drop(self.insist(wish.sample).await);
        }
    }

    /// Asks for a queued order until it is decided.
    pub(crate) async fn follow(&self, wish: &Wish, queued: &Response, order_id: Option<String>) {
        if queued.status() != 202 {
            return;
        }
        self.promise(wish, Said::Queued);
        let issued = body(queued)["id"].as_str().unwrap_or_default().to_owned();
        for _ in 0..400 {
            sleep(Duration::from_secs(7)).await;
            let Some(read) = self.call(Sample::new("GET /v1/orders/{id}").path("id", &issued)).await else { continue };
            match body(&read)["status"].as_str() {
                Some("confirmed") => return self.promise(wish, Said::Sold { order_id }),
                Some("rejected") => return self.promise(wish, Said::Refused { order_id }),
                _ => {}
            }
        }
    }
}
