//! Reservations, orders and instants as the API shows them: `snake_case`, absent rather than `null`, RFC 3339 in UTC.

use std::collections::BTreeMap;

use domain::{
    channel::Buffer,
    ids::{Reference, Sku},
    publish::Pushed,
    refusal::Refusal,
    reservation::{Line, Reservation, Status},
    time::{Day, Timestamp},
};
use serde::Serialize;

use crate::Problem;

/// `2025-11-23T09:00:00Z`. An instant after the year 9999 is shown as its end.
#[must_use]
pub fn rfc3339(instant: Timestamp) -> String {
    let seconds = i64::try_from(instant.epoch_seconds()).unwrap_or(i64::MAX);
    let end = jiff::Timestamp::MAX.as_second();
    // Cannot fail: whole seconds from 1970 to jiff's own last one are in its range.
    jiff::Timestamp::from_second(seconds.min(end)).map_or_else(|_| String::new(), |instant| instant.to_string())
}

/// Units that are never shown: `{"units": 5}`, or `{"from_speed": {"floor": 2}}`.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BufferView {
    /// So many.
    Units(u64),
    /// As many as are sold while a number is on its way.
    FromSpeed {
        /// The least.
        floor: u64,
    },
}

impl From<Buffer> for BufferView {
    fn from(buffer: Buffer) -> Self {
        match buffer {
            Buffer::Units(units) => Self::Units(units),
            Buffer::FromSpeed { floor } => Self::FromSpeed { floor },
        }
    }
}

/// The last number that a channel has taken.
#[derive(Debug, Serialize)]
pub struct PublishedView {
    quantity: u64,
    at: String,
}

impl From<Pushed> for PublishedView {
    fn from(pushed: Pushed) -> Self {
        Self { quantity: pushed.quantity, at: rfc3339(pushed.as_of) }
    }
}

/// A line of a reservation or an order.
#[derive(Debug, Serialize)]
pub struct LineView<'a> {
    sku: &'a str,
    quantity: u64,
    /// Units of it that were promised from what purchase orders bring.
    #[serde(skip_serializing_if = "is_zero")]
    backordered: u64,
    /// When those come, where they have not and that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    expected_at: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(units: &u64) -> bool {
    *units == 0
}

fn lines(record: &Reservation) -> Vec<LineView<'_>> {
    let line = |line: &'_ Line| (line.quantity.units(), record.backordered(&line.sku));
    let lines = record.lines.iter().map(|own| (own.sku.as_str(), line(own)));
    lines.map(|(sku, (quantity, backordered))| LineView { sku, quantity, backordered, expected_at: None }).collect()
}

fn expecting(lines: &mut [LineView<'_>], days: &BTreeMap<Sku, Day>) {
    for line in lines.iter_mut().filter(|line| line.backordered > 0) {
        let day = days.iter().find(|(sku, _)| sku.as_str() == line.sku).map(|(_, day)| *day);
        line.expected_at = day.map(|day| rfc3339(day.begins_at()));
    }
}

fn confirmed_at(reservation: &Reservation) -> Option<String> {
    match reservation.status {
        Status::Confirmed { at } => Some(rfc3339(at)),
        _ => None,
    }
}

/// A reservation.
#[derive(Debug, Serialize)]
pub struct ReservationView<'a> {
    id: &'a str,
    status: &'static str,
    channel: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    order_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session_id: Option<&'a str>,
    lines: Vec<LineView<'a>>,
    created_at: String,
    expires_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    confirmed_at: Option<String>,
}

impl<'a> ReservationView<'a> {
    /// As it stands at `now`.
    #[must_use]
    pub fn new(reservation: &'a Reservation, now: Timestamp) -> Self {
        Self {
            id: reservation.id.as_str(),
            status: reservation.status_word(now),
            channel: reservation.channel.as_str(),
            order_id: reservation.order_id.as_ref().map(Reference::as_str),
            session_id: reservation.session_id.as_ref().map(Reference::as_str),
            lines: lines(reservation),
            created_at: rfc3339(reservation.created_at),
            expires_at: rfc3339(reservation.expires_at),
            confirmed_at: confirmed_at(reservation),
        }
    }

    /// With the days on which what was promised comes, by SKU.
    #[must_use]
    pub fn expecting(mut self, days: &BTreeMap<Sku, Day>) -> Self {
        expecting(&mut self.lines, days);
        self
    }
}

/// An order: one that waits, a sale, or one that was refused.
#[derive(Debug, Serialize)]
pub struct OrderView<'a> {
    id: &'a str,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    channel: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    order_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    lines: Vec<LineView<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    queued_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    confirmed_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rejection: Option<Problem>,
}

impl<'a> OrderView<'a> {
    /// An order that was decided at once, as it stands.
    #[must_use]
    pub fn new(order: &'a Reservation) -> Self {
        let rejection = match &order.status {
            Status::Confirmed { .. } => None,
            Status::Canceled { reason } => Some(reason.refusal(false)),
            Status::Active | Status::Expired { .. } => Some(Refusal::ReservationExpired { refund_required: false }),
        };
        Self {
            rejection: rejection.map(Problem::from),
            status: if matches!(order.status, Status::Confirmed { .. }) { "confirmed" } else { "rejected" },
            ..Self::recorded(order.id.as_str(), order)
        }
    }

    /// An order that was queued at `queued_at` and is not decided. What it asked for is not known here.
    #[must_use]
    pub fn queued(id: &'a str, queued_at: Timestamp) -> Self {
        Self {
            id,
            status: "queued",
            channel: None,
            order_id: None,
            session_id: None,
            lines: Vec::new(),
            queued_at: Some(rfc3339(queued_at)),
            created_at: None,
            confirmed_at: None,
            rejection: None,
        }
    }

    /// A queued order that was sold.
    #[must_use]
    pub fn confirmed(id: &'a str, queued_at: Timestamp, order: &'a Reservation) -> Self {
        Self { queued_at: Some(rfc3339(queued_at)), ..Self::recorded(id, order) }
    }

    /// A queued order that was refused.
    #[must_use]
    pub fn rejected(id: &'a str, queued_at: Timestamp, order: &'a Reservation, refusal: Refusal) -> Self {
        // What was recorded under a key that was used twice is another order, which is nobody's business here.
        let recorded = match refusal {
            Refusal::IdempotencyKeyReused => Self::queued(id, queued_at),
            _ => Self::confirmed(id, queued_at, order),
        };
        Self { status: "rejected", confirmed_at: None, rejection: Some(refusal.into()), ..recorded }
    }

    /// With the days on which what was promised comes, by SKU.
    #[must_use]
    pub fn expecting(mut self, days: &BTreeMap<Sku, Day>) -> Self {
        expecting(&mut self.lines, days);
        self
    }

    fn recorded(id: &'a str, order: &'a Reservation) -> Self {
        Self {
            id,
            status: "confirmed",
            channel: Some(order.channel.as_str()),
            order_id: order.order_id.as_ref().map(Reference::as_str),
            session_id: order.session_id.as_ref().map(Reference::as_str),
            lines: lines(order),
            queued_at: None,
            created_at: Some(rfc3339(order.created_at)),
            confirmed_at: confirmed_at(order),
            rejection: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use domain::{
        ids::{Caller, Channel, ReservationId},
        reservation::{CancelReason, Kind},
    };
    use serde_json::{json, to_value};

    use super::*;

    fn reservation(status: Status) -> Reservation {
        Reservation {
            id: ReservationId::derive(&Caller::new("c"), &"k".parse().unwrap()),
            kind: Kind::Reservation,
            status,
            channel: Channel::own(),
            lines: vec!["tea=2".parse().unwrap()],
            allocations: vec!["tea#own=2@1763889300".parse().unwrap()],
            created_at: Timestamp::from_epoch_seconds(1_763_888_400),
            expires_at: Timestamp::from_epoch_seconds(1_763_889_300),
            order_id: None,
            session_id: Some("s-1".parse().unwrap()),
            fingerprint: None,
            purge_at: None,
            line: None,
            extensions: BTreeMap::new(),
        }
    }

    #[test]
    fn instants_are_rfc_3339_in_utc_and_whole_seconds() {
        for (seconds, text) in
            [(0, "1970-01-01T00:00:00Z"), (1_763_888_400, "2025-11-23T09:00:00Z"), (u64::MAX, "9999-12-30T22:00:00Z")]
        {
            assert_eq!(rfc3339(Timestamp::from_epoch_seconds(seconds)), text);
        }
    }

    #[test]
    fn a_reservation_shows_what_is_there_and_nothing_internal() {
        let active = reservation(Status::Active);
        let now = active.expires_at;
        assert_eq!(
            to_value(ReservationView::new(&active, now)).unwrap(),
            json!({
                "id": active.id.as_str(), "status": "active", "channel": "own", "session_id": "s-1",
                "lines": [{"sku": "tea", "quantity": 2}],
                "created_at": "2025-11-23T09:00:00Z", "expires_at": "2025-11-23T09:15:00Z",
            })
        );
        assert_eq!(ReservationView::new(&active, now.plus_seconds(1)).status, "expired");
    }

    #[test]
    fn what_was_promised_before_it_comes_says_so_and_when() {
        let lines = ["milk=1", "mug=3", "tea=2"].map(|line| line.parse().unwrap()).to_vec();
        let held =
            ["milk#own=1@1763889300", "mug#incoming=3@1763889300", "tea#incoming=1@1763889300", "tea#own=1@1763889300"];
        let allocations = held.iter().map(|text| text.parse().unwrap()).collect();
        let record = Reservation { lines, allocations, ..reservation(Status::Active) };
        let days = BTreeMap::from([("tea", 20_840), ("milk", 20_841)]);
        let days = days.into_iter().map(|(sku, day)| (sku.parse().unwrap(), Day::from_epoch_days(day))).collect();
        let expected = json!([
            {"sku": "milk", "quantity": 1},
            {"sku": "mug", "quantity": 3, "backordered": 3},
            {"sku": "tea", "quantity": 2, "backordered": 1, "expected_at": "2027-01-22T00:00:00Z"},
        ]);
        let view = ReservationView::new(&record, record.created_at).expecting(&days);
        assert_eq!(to_value(view).unwrap()["lines"], expected);
        assert_eq!(to_value(OrderView::new(&record).expecting(&days)).unwrap()["lines"], expected);
    }

    #[test]
    fn an_order_is_confirmed_or_rejected() {
        let at = Timestamp::from_epoch_seconds(1_763_888_401);
        let sold = reservation(Status::Confirmed { at });
        let view = to_value(OrderView::new(&sold)).unwrap();
        assert_eq!((&view["status"], &view["confirmed_at"]), (&json!("confirmed"), &json!("2025-11-23T09:00:01Z")));
        assert!(view.get("expires_at").is_none());
        let short = CancelReason::Short { lines: vec![] };
        let refused = reservation(Status::Canceled { reason: short });
        let view = to_value(OrderView::new(&refused)).unwrap();
        assert_eq!(view["status"], "rejected");
        assert!(view.get("confirmed_at").is_none());
    }
}
