//! One shopper from the first call to the last.

use std::time::Duration;

use fastrand::Rng;
use futures::future::join;
use serde_json::json;
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::{
    client::Client,
    ledger::{Call, Deed, Entry, Told},
    plan::{Line, Plan, Range, Then, dice},
};

/// What all shoppers of a run have in common.
pub struct Shop<'a> {
    pub client: &'a Client,
    pub seed: u64,
    pub range: Range,
    /// How long after its hold a late payment comes, at least.
    pub late: Duration,
    /// When nobody waits for an answer any more.
    pub until: Instant,
}

impl Shop<'_> {
    /// Does what the shopper of this number does; what nobody has answered by the end stays in the entry without an answer.
    pub async fn serve(&self, number: u64) -> Entry {
        let mut dice = dice(self.seed, number);
        let plan = Plan::draw(self.range, &mut dice);
        let mut entry = Entry { number, lines: Vec::new(), calls: Vec::new() };
        let key = |deed: &str| format!("{}/{number}/{deed}", self.seed);
        match plan {
            Plan::Hold { lines, ttl_seconds, then } => {
                self.make(&mut entry, &mut dice, Call::cart(Deed::Reserve, key("hold"), &lines, Some(ttl_seconds)))
                    .await;
                entry.lines = lines;
                self.decide(&mut entry, &mut dice, then).await;
            }
            Plan::Order { lines } => {
                self.make(&mut entry, &mut dice, Call::cart(Deed::Order, key("order"), &lines, None)).await;
                entry.lines = lines;
            }
            Plan::Queue { lines } => {
                self.make(&mut entry, &mut dice, Call::cart(Deed::Queue, key("queue"), &lines, None)).await;
                entry.lines = lines;
            }
            Plan::Move { sku, kind, quantity } => {
                let path = format!("/v1/stock/{sku}/movements");
                let body = json!({ "kind": kind, "quantity": quantity, "reason": format!("shopper {number}") });
                entry.lines = vec![Line { sku, quantity: 0 }];
                self.make(&mut entry, &mut dice, Call::new(Deed::Move, key("move"), path, body)).await;
            }
            Plan::Look { sku } => {
                // What it says is old the moment it is said; only that it is answered counts.
                let path = format!("/v1/availability?sku={sku}");
                let _ = timeout_at(self.until, self.client.get(&path, self.until)).await;
            }
        }
        entry
    }

    async fn decide(&self, entry: &mut Entry, dice: &mut Rng, then: Then) {
        let Some(id) = entry.reservation().map(str::to_owned) else { return };
        match then {
            Then::Nothing => {}
            Then::Pay => self.make(entry, dice, self.payment(entry.number, &id)).await,
            Then::ExtendAndPay => {
                let path = format!("/v1/reservations/{id}/extend");
                let key = format!("{}/{}/extend", self.seed, entry.number);
                self.make(entry, dice, Call::new(Deed::Extend, key, path, json!({ "ttl_seconds": 1_800 }))).await;
                self.make(entry, dice, self.payment(entry.number, &id)).await;
            }
            Then::PayLate => {
                let pause = self.late.mul_f64(1.0 + dice.f64());
                let payment = self.payment(entry.number, &id);
                sleep_until(self.until.min(Instant::now() + pause)).await;
                self.make(entry, dice, payment).await;
            }
            Then::PayInTurn => {
                let body = json!({ "reservation_id": id, "order_id": order_id(entry.number) });
                let key = format!("{}/{}/pay-in-turn", self.seed, entry.number);
                self.make(entry, dice, Call::new(Deed::QueuePayment, key, "/v1/orders".to_owned(), body)).await;
            }
            Then::Cancel => self.make(entry, dice, self.cancellation(entry.number, &id)).await,
            Then::PayAndCancel => {
                let (mut pay, mut cancel) = (self.payment(entry.number, &id), self.cancellation(entry.number, &id));
                let mut others = dice.fork();
                let (paid, canceled) = join(
                    self.client.insist(&pay, dice, self.until),
                    self.client.insist(&cancel, &mut others, self.until),
                )
                .await;
                pay.told.extend(paid);
                cancel.told.extend(canceled);
                entry.calls.extend([pay, cancel]);
            }
        }
    }

    fn payment(&self, number: u64, id: &str) -> Call {
        payment(self.seed, number, id)
    }

    fn cancellation(&self, number: u64, id: &str) -> Call {
        let (key, path) = (format!("{}/{number}/cancel", self.seed), format!("/v1/reservations/{id}/cancel"));
        Call::new(Deed::Cancel, key, path, json!({}))
    }

    /// Makes a call until it is answered. One in eight shoppers clicks twice, and one in eight asks again afterwards.
    async fn make(&self, entry: &mut Entry, dice: &mut Rng, mut call: Call) {
        let habit = dice.u32(..8);
        if habit == 0 {
            let twice = join(self.client.insist(&call, dice, self.until), self.client.attempt(&call)).await;
            call.told.extend(twice.0);
            call.told.extend(twice.1);
        } else {
            call.told.extend(self.client.insist(&call, dice, self.until).await);
            if habit == 1 && !call.told.is_empty() && is_final(call.deed, &call.told[0]) {
                call.told.extend(self.client.insist(&call, dice, self.until).await);
            }
        }
        entry.calls.push(call);
    }
}

/// The payment of a reservation.
pub fn payment(seed: u64, number: u64, id: &str) -> Call {
    let (key, path) = (format!("{seed}/{number}/pay"), format!("/v1/reservations/{id}/confirm"));
    Call::new(Deed::Confirm, key, path, json!({ "order_id": order_id(number) }))
}

/// The shop's own name for what this shopper buys.
pub fn order_id(number: u64) -> String {
    format!("order-{number}")
}

/// Whether the same request must hear the same again. A hold that was refused was not decided: the next delivery may bring it.
pub fn is_final(deed: Deed, told: &Told) -> bool {
    told.is_done() || !matches!(deed, Deed::Reserve | Deed::Move | Deed::Extend)
}
