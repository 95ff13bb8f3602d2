//! What callers were told, and whether it stayed true: `I4`, the answers given agree with what is recorded.

use domain::reservation::{Reservation, Status};

use crate::world::World;

/// What a caller was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Promise {
    /// This reservation or order is sold.
    Sold {
        /// Its id.
        id: String,
        /// The merchant's order, where one was named.
        order_id: Option<String>,
    },
    /// This one is not, and never will be: the money was given back.
    Refused {
        /// Its id.
        id: String,
        /// The merchant's order that was refused, where one was named.
        order_id: Option<String>,
    },
    /// This order is accepted, and will be decided.
    Queued {
        /// The id of the record that decides it.
        id: String,
    },
}

impl World {
    /// Takes down a promise.
    pub fn promise(&mut self, promise: Promise) {
        self.say(|| format!("answered: {promise:?}"));
        self.promises.push(promise);
    }

    /// Compares every promise with what is recorded, once all is quiet.
    pub fn keep_promises(&mut self) {
        for promise in self.promises.clone() {
            if let Some(broken) = self.broken(&promise) {
                self.violate(format!("I4 broken: {promise:?}, but {broken}"));
            }
        }
    }

    fn broken(&self, promise: &Promise) -> Option<String> {
        let (id, order_id) = match promise {
            Promise::Sold { id, order_id } | Promise::Refused { id, order_id } => (id, order_id),
            Promise::Queued { id } => (id, &None),
        };
        let record = self.decided(id);
        let sold = record.filter(|record| matches!(record.status, Status::Confirmed { .. }));
        let recorded_order = sold.and_then(|record| record.order_id.as_ref()).map(|order| order.as_str().to_owned());
        match promise {
            Promise::Sold { .. } if sold.is_none() => {
                Some(format!("it is recorded as {:?}", record.map(|record| &record.status)))
            }
            Promise::Sold { .. } if order_id.is_some() && recorded_order != *order_id => {
                Some(format!("it is sold for {recorded_order:?}"))
            }
            // A payment for another order than the recorded one is refused, and stays so.
            Promise::Refused { .. } if sold.is_some() && (order_id.is_none() || recorded_order == *order_id) => {
                Some("it is sold".to_owned())
            }
            Promise::Queued { .. } if record.is_none_or(|record| matches!(record.status, Status::Active)) => {
                Some("nobody has decided it".to_owned())
            }
            _ => None,
        }
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
