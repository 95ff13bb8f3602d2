//! Units that change channels. A transfer is a pair of movements, one in each channel, written together with the change of both homes:
//! what leaves one arrives in the other, and the movements of each channel still sum to what it has.

use std::collections::BTreeMap;

use crate::{
    bucket::StockId,
    ids::{Channel, Fingerprint, MovementId, Reason, Sku, TransferId},
    movement::{Movement, MovementKind, Shift},
    quantity::Quantity,
    time::Timestamp,
};

/// Free units of a SKU that a merchant wants to be another channel's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransferRequest {
    /// Derived from the caller and the `Idempotency-Key`: a retry moves nothing twice.
    pub id: TransferId,
    /// What is moved.
    pub sku: Sku,
    /// Whose units they are.
    pub from: Channel,
    /// Whose they become; another channel.
    pub to: Channel,
    /// How many.
    pub quantity: Quantity,
    /// Why, in the merchant's words.
    pub reason: Reason,
    /// Who says so.
    pub actor: String,
}

impl TransferRequest {
    /// Where the units are.
    #[must_use]
    pub fn source(&self) -> StockId {
        StockId { sku: self.sku.clone(), channel: self.from.clone() }
    }

    /// Where they go.
    #[must_use]
    pub fn target(&self) -> StockId {
        StockId { sku: self.sku.clone(), channel: self.to.clone() }
    }

    /// The one move that it is.
    #[must_use]
    pub fn as_move(&self) -> Move {
        Move { from: self.from.clone(), to: self.to.clone(), units: self.quantity.units() }
    }

    /// What its movements say.
    #[must_use]
    pub fn cause(&self) -> Cause {
        let quantity = self.quantity.to_string();
        let parts = [self.sku.as_str(), self.from.as_str(), self.to.as_str(), &quantity, self.reason.as_str()];
        Cause {
            id: self.id.clone(),
            sku: self.sku.clone(),
            reason: self.reason.clone(),
            actor: self.actor.clone(),
            fingerprint: Fingerprint::of("transfer", &parts),
        }
    }
}

/// So many units from one channel to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Move {
    /// Where they leave.
    pub from: Channel,
    /// Where they arrive.
    pub to: Channel,
    /// How many; at least one.
    pub units: u64,
}

/// Why units change channels: what all movements of one transaction have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// Names the transfer; the ids of its movements derive from it.
    pub id: TransferId,
    /// What is moved.
    pub sku: Sku,
    /// Why.
    pub reason: Reason,
    /// Who.
    pub actor: String,
    /// What was asked for.
    pub fingerprint: Fingerprint,
}

impl Cause {
    /// The movements of these moves: for each, its departure and its arrival.
    #[must_use]
    pub fn movements(&self, moves: &[Move], at: Timestamp) -> Vec<Movement> {
        let mut movements = Vec::new();
        for (part, Move { from, to, units }) in moves.iter().enumerate() {
            let departure = MovementId::of_transfer(&self.id, part);
            let sides = [(departure.arrival(), to, from, 1), (departure, from, to, -1)];
            for (id, channel, other, sign) in sides.into_iter().rev() {
                let delta = units.cast_signed() * sign;
                // A move has at least one unit.
                let Some(shift) = Shift::new(delta) else { continue };
                movements.push(Movement {
                    id,
                    stock: StockId { sku: self.sku.clone(), channel: channel.clone() },
                    kind: MovementKind::Transfer(shift),
                    delta,
                    shortfall: 0,
                    other: Some(other.clone()),
                    reason: self.reason.clone(),
                    actor: self.actor.clone(),
                    at,
                    fingerprint: self.fingerprint.clone(),
                });
            }
        }
        movements
    }
}

/// A transfer as it was recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transfer {
    /// What was moved.
    pub sku: Sku,
    /// From where to where, and how much.
    pub moved: Move,
    /// Why.
    pub reason: Reason,
    /// Who.
    pub actor: String,
    /// When.
    pub at: Timestamp,
    /// The movement by which the units left.
    pub departure: MovementId,
    /// The movement by which they arrived.
    pub arrival: MovementId,
}

impl Transfer {
    /// The transfer that a departure is the first half of; nothing for a movement of another kind.
    #[must_use]
    pub fn of(departure: &Movement) -> Option<Self> {
        let MovementKind::Transfer(shift) = departure.kind else { return None };
        let units = u64::try_from(-shift.units()).ok()?;
        let moved = Move { from: departure.stock.channel.clone(), to: departure.other.clone()?, units };
        Some(Self {
            sku: departure.stock.sku.clone(),
            moved,
            reason: departure.reason.clone(),
            actor: departure.actor.clone(),
            at: departure.at,
            departure: departure.id.clone(),
            arrival: departure.id.arrival(),
        })
    }

    /// The transfers among these movements.
    #[must_use]
    pub fn all(movements: &[Movement]) -> Vec<Self> {
        movements.iter().filter_map(Self::of).collect()
    }
}

/// Which moves make these changes, which sum to 0: each channel that gives, to the next that still gets, in the order of their names.
/// One fewer than there are channels at most.
#[must_use]
pub fn pair(changes: &BTreeMap<Channel, i64>) -> Vec<Move> {
    let mut gets: Vec<(&Channel, u64)> =
        changes.iter().filter(|(_, delta)| **delta > 0).map(|(to, delta)| (to, delta.unsigned_abs())).rev().collect();
    let mut moves = Vec::new();
    for (from, delta) in changes.iter().filter(|(_, delta)| **delta < 0) {
        let mut gives = delta.unsigned_abs();
        while gives > 0
            && let Some((to, wants)) = gets.last_mut()
        {
            let units = gives.min(*wants);
            moves.push(Move { from: from.clone(), to: to.clone(), units });
            gives -= units;
            *wants -= units;
            if *wants == 0 {
                gets.pop();
            }
        }
    }
    moves
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Caller;

    fn request() -> TransferRequest {
        TransferRequest {
            id: TransferId::derive(&Caller::new("c"), &"k".parse().unwrap()),
            sku: "tea".parse().unwrap(),
            from: "own".parse().unwrap(),
            to: "ebay".parse().unwrap(),
            quantity: Quantity::new(5).unwrap(),
            reason: "sells better".parse().unwrap(),
            actor: "local".to_owned(),
        }
    }

    #[test]
    fn a_transfer_is_a_departure_and_an_arrival() {
        let request = request();
        let movements = request.cause().movements(&[request.as_move()], Timestamp::from_epoch_seconds(7));
        let shown: Vec<_> = movements
            .iter()
            .map(|movement| (movement.stock.to_string(), movement.delta, movement.other.as_ref().unwrap().as_str()))
            .collect();
        assert_eq!(shown, [("tea#own".to_owned(), -5, "ebay"), ("tea#ebay".to_owned(), 5, "own")]);
        assert!(movements.iter().all(|movement| movement.kind.quantity() == movement.delta));
        let transfers = Transfer::all(&movements);
        assert_eq!(transfers.len(), 1, "the arrival is the same transfer");
        assert_eq!(transfers[0].moved, request.as_move());
        let [departure, arrival] = [0, 1].map(|n| movements[n].id.clone());
        assert_eq!((&transfers[0].departure, &transfers[0].arrival), (&departure, &arrival));
        assert_eq!(movements[0].id, MovementId::of_transfer(&request.id, 0));
    }

    #[test]
    fn every_part_of_a_request_is_in_its_fingerprint() {
        let first = request();
        let others = [
            TransferRequest { sku: "mug".parse().unwrap(), ..request() },
            TransferRequest { from: Channel::shared(), ..request() },
            TransferRequest { to: Channel::shared(), ..request() },
            TransferRequest { quantity: Quantity::new(6).unwrap(), ..request() },
            TransferRequest { reason: "x".parse().unwrap(), ..request() },
        ];
        for other in others {
            assert_ne!(other.cause().fingerprint, first.cause().fingerprint, "{other:?}");
        }
    }

    #[test]
    fn changes_are_paired_and_nothing_is_left() {
        let changes = |changes: &[(&str, i64)]| {
            changes.iter().map(|(channel, delta)| (channel.parse().unwrap(), *delta)).collect::<BTreeMap<Channel, _>>()
        };
        let shown = |moves: Vec<Move>| -> Vec<String> {
            moves.iter().map(|Move { from, to, units }| format!("{from} {units} {to}")).collect()
        };
        for (deltas, expected) in [
            (&[][..], &[][..]),
            (&[("a", 0)], &[]),
            (&[("a", -60), ("b", 35), ("c", 25)], &["a 35 b", "a 25 c"]),
            (&[("a", 10), ("b", -4), ("c", -6)], &["b 4 a", "c 6 a"]),
            (&[("a", -5), ("b", 3), ("c", -1), ("d", 3)], &["a 3 b", "a 2 d", "c 1 d"]),
        ] {
            assert_eq!(shown(pair(&changes(deltas))), expected);
        }
    }
}
