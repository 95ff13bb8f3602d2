//! What callers were told, and whether it stayed true: `I4`, the answers given agree with what is recorded.

use std::{collections::BTreeMap, fmt};

use domain::{
    reservation::{Reservation, Status},
    time::Timestamp,
};

use crate::world::World;

/// What a shopper wants: units by SKU.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cart(BTreeMap<String, u64>);

impl Cart {
    /// Lines of the same SKU are one.
    pub fn of(lines: impl IntoIterator<Item = (String, u64)>) -> Self {
        let mut cart = BTreeMap::new();
        for (sku, quantity) in lines {
            *cart.entry(sku).or_default() += quantity;
        }
        Self(cart)
    }

    /// How many units of which SKU.
    pub fn lines(&self) -> impl Iterator<Item = (&str, u64)> {
        self.0.iter().map(|(sku, quantity)| (sku.as_str(), *quantity))
    }

    fn of_record(record: &Reservation) -> Self {
        Self::of(record.lines.iter().map(|line| (line.sku.to_string(), line.quantity.units())))
    }
}

impl fmt::Display for Cart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<String> = self.0.iter().map(|(sku, quantity)| format!("{quantity} {sku}")).collect();
        f.write_str(&lines.join(", "))
    }
}

/// What a caller was told of a reservation or an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Promise {
    /// Its id.
    pub id: String,
    /// What it is for.
    pub cart: Cart,
    /// What was said.
    pub said: Said,
    /// When that was heard.
    pub at: Timestamp,
    /// Until when it is held, where it is.
    pub until: Option<Timestamp>,
}

/// An answer is at most so many seconds old when it is heard: nobody waits longer for one.
const OLDEST_ANSWER_SECONDS: u64 = 31;

/// A payment that is refused so many seconds before the end of what is held is refused wrongly: clocks are 30 seconds wrong, and answers
/// take as long.
const WELL_BEFORE_SECONDS: u64 = 61;

/// See [`Promise`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// These very units are held.
    Held,
    /// These very units are sold.
    Sold {
        /// The merchant's order, where one was named.
        order_id: Option<String>,
    },
    /// They are not, and never will be: the money was given back.
    Refused {
        /// The merchant's order that was refused, where one was named.
        order_id: Option<String>,
    },
    /// They were let go, and nobody will be asked to pay for them.
    Canceled,
    /// The order is accepted, and will be decided.
    Queued,
}

impl World {
    /// Takes down a promise. What is held is looked at right now, and whether what was held is paid for in time; whether the rest stays
    /// true, once all is quiet.
    pub fn promise(&mut self, id: &str, cart: &Cart, said: Said) {
        self.say(|| format!("answered: {id} {said:?}, {cart}"));
        let (at, mut until) = (self.now(), None);
        match said {
            Said::Held => match self.held_lately(id, cart) {
                Some(end) => until = Some(end),
                None => {
                    self.violate(format!(
                        "I4 broken: {id} was told that it holds {cart}, but no active record says so"
                    ));
                }
            },
            Said::Refused { order_id: Some(_) } if !self.let_go.contains(id) => {
                let held = self.promises.iter().rev().filter(|known| known.id == id).find_map(|known| known.until);
                if let Some(end) = held.filter(|end| at.plus_seconds(WELL_BEFORE_SECONDS) < *end) {
                    let early = end.seconds_since(at);
                    self.violate(format!("I4 broken: {id} was paid {early} s before its end, and refused"));
                }
            }
            _ => {}
        }
        self.promises.push(Promise { id: id.to_owned(), cart: cart.clone(), said, at, until });
    }

    /// Until when the record of these very units, active when the answer was made, holds them.
    fn held_lately(&self, id: &str, cart: &Cart) -> Option<Timestamp> {
        let id = id.parse().ok()?;
        let mut lately = self.lately(&id, OLDEST_ANSWER_SECONDS);
        lately.find(|was| was.status == Status::Active && Cart::of_record(was) == *cart).map(|was| was.expires_at)
    }

    /// Compares every promise with what is recorded, once all is quiet.
    pub fn keep_promises(&mut self) {
        for promise in self.promises.clone() {
            if let Some(broken) = self.broken(&promise) {
                self.violate(format!("I4 broken: {} was told {:?}, but {broken}", promise.id, promise.said));
            }
        }
    }

    fn broken(&self, promise: &Promise) -> Option<String> {
        let record = self.decided(&promise.id);
        let sold = record.filter(|record| matches!(record.status, Status::Confirmed { .. }));
        let recorded_order = sold.and_then(|record| record.order_id.as_ref()).map(|order| order.as_str().to_owned());
        match (&promise.said, sold) {
            (Said::Sold { .. }, None) => Some(format!("it is recorded as {:?}", record.map(|record| &record.status))),
            (Said::Sold { .. }, Some(sold)) if Cart::of_record(sold) != promise.cart => {
                Some(format!("what is sold is {}, not {}", Cart::of_record(sold), promise.cart))
            }
            (Said::Sold { order_id: Some(order) }, _) if recorded_order.as_ref() != Some(order) => {
                Some(format!("it is sold for {recorded_order:?}"))
            }
            // A payment for another order than the recorded one is refused, and stays so.
            (Said::Refused { order_id }, Some(_)) if order_id.is_none() || recorded_order == *order_id => {
                Some("it is sold".to_owned())
            }
            // A day after it was let go nothing is known of it, and the same key asks for something new.
            (Said::Canceled, Some(_)) if !self.purged_since(promise) => Some("it is sold".to_owned()),
            (Said::Queued, _) if record.is_none_or(|record| matches!(record.status, Status::Active)) => {
                Some("nobody has decided it".to_owned())
            }
            _ => None,
        }
    }

    /// Whether the record that the promise speaks of may have been deleted.
    fn purged_since(&self, promise: &Promise) -> bool {
        let purged = self.purged.get(&format!("R#{}", promise.id));
        purged.is_some_and(|purged| purged.plus_seconds(OLDEST_ANSWER_SECONDS) >= promise.at)
    }

    /// The record that decides `id`: its own, or that of its successor.
    fn decided(&self, id: &str) -> Option<&Reservation> {
        let record = self.audit.get(&id.parse().ok()?)?;
        match &record.status {
            Status::Expired { successor: Some(successor) } => self.audit.get(successor).or(Some(record)),
            _ => Some(record),
        }
    }
}
