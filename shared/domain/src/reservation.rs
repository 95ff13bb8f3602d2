//! The record that decides holds. `active → confirmed | canceled | expired`; a decision is final.

use std::{collections::BTreeMap, fmt, str::FromStr};

use crate::{
    bucket::{BucketId, Hold, MalformedText, StockId, exact},
    ids::{Channel, ExtensionId, Fingerprint, Reference, ReservationId, Sku},
    limits::{GRACE_SECONDS, MAX_EXTENSIONS, MAX_LIFE_SECONDS, MAX_LINES},
    quantity::{Quantity, QuantityError},
    time::Timestamp,
};

/// Some units of one SKU. Written `<sku>=<quantity>`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Line {
    /// What.
    pub sku: Sku,
    /// How many.
    pub quantity: Quantity,
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.sku, self.quantity)
    }
}

impl FromStr for Line {
    type Err = MalformedText;

    fn from_str(text: &str) -> Result<Self, MalformedText> {
        let parse = || {
            let (sku, quantity) = text.split_once('=')?;
            Some(Self { sku: sku.parse().ok()?, quantity: Quantity::new(exact(quantity)?).ok()? })
        };
        parse().ok_or_else(|| MalformedText::new("line", text))
    }
}

/// What is wanted together: 1 to 50 lines, each SKU once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cart(Vec<Line>);

/// Why lines do not make a cart.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CartError {
    /// No line at all: such a request would reserve nothing and look as if it had.
    #[error("must have at least one line")]
    Empty,
    /// More than [`MAX_LINES`].
    #[error("must have at most {MAX_LINES} lines")]
    TooManyLines,
    /// The lines of one SKU add up to more than one line may ask for.
    #[error("the lines of SKU {sku} add up to more than {}", crate::limits::MAX_QUANTITY)]
    TooMany {
        /// The SKU.
        sku: Sku,
    },
}

impl Cart {
    /// Merges lines of the same SKU: two lines checked one by one against the same stock would sell it twice.
    ///
    /// # Errors
    /// [`CartError`] when there are no lines, too many, or too many units of one SKU.
    pub fn new(lines: Vec<Line>) -> Result<Self, CartError> {
        match lines.len() {
            0 => return Err(CartError::Empty),
            1..=MAX_LINES => {}
            _ => return Err(CartError::TooManyLines),
        }
        let mut merged: BTreeMap<Sku, u64> = BTreeMap::new();
        for Line { sku, quantity } in lines {
            *merged.entry(sku).or_default() += quantity.units();
        }
        let lines = merged.into_iter().map(|(sku, units)| match Quantity::new(units) {
            Ok(quantity) => Ok(Line { sku, quantity }),
            Err(QuantityError) => Err(CartError::TooMany { sku }),
        });
        lines.collect::<Result<_, _>>().map(Self)
    }

    /// The lines, by SKU.
    #[must_use]
    pub fn lines(&self) -> &[Line] {
        &self.0
    }
}

/// A hold that belongs to a reservation, and the bucket it is in. Written `<bucket>=<hold>`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Allocation {
    /// Where.
    pub bucket: BucketId,
    /// The exact hold.
    pub hold: Hold,
}

impl fmt::Display for Allocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.bucket, self.hold)
    }
}

impl FromStr for Allocation {
    type Err = MalformedText;

    fn from_str(text: &str) -> Result<Self, MalformedText> {
        let (bucket, hold) = text.split_once('=').ok_or_else(|| MalformedText::new("allocation", text))?;
        Ok(Self { bucket: bucket.parse()?, hold: hold.parse()? })
    }
}

/// A line that could not be had. Written `<sku>=<requested>/<available>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shortage {
    /// What.
    pub sku: Sku,
    /// How many units were wanted.
    pub requested: Quantity,
    /// How many were free at that moment.
    pub available: u64,
}

impl fmt::Display for Shortage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}/{}", self.sku, self.requested, self.available)
    }
}

impl FromStr for Shortage {
    type Err = MalformedText;

    fn from_str(text: &str) -> Result<Self, MalformedText> {
        let parse = || {
            let (line, available) = text.split_once('/')?;
            let Line { sku, quantity } = line.parse().ok()?;
            Some(Self { sku, requested: quantity, available: exact(available)? })
        };
        parse().ok_or_else(|| MalformedText::new("shortage", text))
    }
}

/// How the record came to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A hold at cart or checkout, to be confirmed by payment.
    Reservation,
    /// A sale without a hold before it, or a late payment that took its units again.
    Order,
}

/// Where a reservation stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    /// Its holds stand; payment may confirm it until it expires.
    Active,
    /// Paid: its units are sold.
    Confirmed {
        /// When.
        at: Timestamp,
    },
    /// Given up or refused: it owns nothing.
    Canceled {
        /// Why.
        reason: CancelReason,
    },
    /// Not paid in time: it owns nothing.
    Expired {
        /// The record under which a late payment took the units again, or was refused.
        successor: Option<ReservationId>,
    },
}

/// Why a reservation was canceled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CancelReason {
    /// The caller canceled it.
    Requested,
    /// Some line was short: nothing was reserved.
    Short {
        /// Which ones.
        lines: Vec<Shortage>,
    },
    /// Some SKU does not exist in the channel: nothing was reserved.
    UnknownSku {
        /// Which ones.
        skus: Vec<Sku>,
    },
    /// Its holds ended before it could be recorded.
    RecordedTooLate,
    /// A payment named a reservation that nobody knows any more.
    PaidUnknown,
}

/// The record of one reservation or order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reservation {
    /// Derived from the caller and the `Idempotency-Key`.
    pub id: ReservationId,
    /// How it came to be.
    pub kind: Kind,
    /// Where it stands.
    pub status: Status,
    /// Where it sells.
    pub channel: Channel,
    /// What was wanted, by SKU. Empty where only a hold of it was ever seen.
    pub lines: Vec<Line>,
    /// The holds that are its own: they sum exactly to its lines, or there are none. Written once, never changed.
    pub allocations: Vec<Allocation>,
    /// When it was recorded.
    pub created_at: Timestamp,
    /// Until when payment may confirm it.
    pub expires_at: Timestamp,
    /// The merchant's order; for a line of a marketplace's order, the marketplace's id of that.
    pub order_id: Option<Reference>,
    /// The marketplace's name for the line, where this is the record of one; see [`crate::sale`].
    pub line: Option<Reference>,
    /// The shopper's session in the merchant's store.
    pub session_id: Option<Reference>,
    /// What the request asked for; absent where only a hold of it was ever seen.
    pub fingerprint: Option<Fingerprint>,
    /// When DynamoDB may delete the record (its TTL attribute); a confirmed or refunded one is kept for good.
    pub purge_at: Option<Timestamp>,
    /// What each `extend` call was answered.
    pub extensions: BTreeMap<ExtensionId, Timestamp>,
}

impl Reservation {
    /// Whether this very hold in this very bucket is one of its own.
    #[must_use]
    pub fn names(&self, bucket: &BucketId, hold: &Hold) -> bool {
        self.allocations.iter().any(|own| own.bucket == *bucket && own.hold == *hold)
    }

    /// Whether only a hold of it was ever seen, or a payment for it: nobody was ever told that it exists.
    #[must_use]
    pub fn is_placeholder(&self) -> bool {
        self.lines.is_empty()
    }

    /// Whether its holds are still its own: nobody else may release them.
    #[must_use]
    pub fn keeps_its_holds(&self) -> bool {
        matches!(self.status, Status::Active | Status::Confirmed { .. })
    }

    /// What a person would call its status at `now`: an active one whose time is over has expired, closed or not.
    #[must_use]
    pub fn status_word(&self, now: Timestamp) -> &'static str {
        match self.status {
            Status::Active if now > self.expires_at => "expired",
            Status::Active => "active",
            Status::Confirmed { .. } => "confirmed",
            Status::Canceled { .. } => "canceled",
            Status::Expired { .. } => "expired",
        }
    }

    /// This reservation as its owner knows it, once `successor` has decided it: to them both are one.
    #[must_use]
    pub fn succeeded_by(self, successor: Self) -> Self {
        let order_id = successor.order_id.or(self.order_id);
        if self.lines.is_empty() {
            // Only a hold of it was ever seen: what was wanted stands in the successor alone.
            return Self { id: self.id, order_id, ..successor };
        }
        Self { order_id, status: successor.status, allocations: successor.allocations, ..self }
    }

    /// Units of a SKU that were promised from what purchase orders are to bring.
    #[must_use]
    pub fn backordered(&self, sku: &Sku) -> u64 {
        let incoming = self.allocations.iter().filter(|own| own.bucket.stock.channel.is_incoming());
        incoming.filter(|own| own.bucket.stock.sku == *sku).map(|own| own.hold.quantity.units()).sum()
    }

    /// Whether some of its units were.
    #[must_use]
    pub fn is_backorder(&self) -> bool {
        self.allocations.iter().any(|own| own.bucket.stock.channel.is_incoming())
    }

    /// The SKUs and channel of its lines.
    pub fn stocks(&self) -> impl Iterator<Item = StockId> + '_ {
        self.lines.iter().map(|line| StockId { sku: line.sku.clone(), channel: self.channel.clone() })
    }
}

/// What a shopper wants: a hold to be paid within `hold_seconds`, or a sale at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReservationRequest {
    /// Derived from the caller and the `Idempotency-Key`.
    pub id: ReservationId,
    /// A hold, or a sale without one before it.
    pub kind: Kind,
    /// Where it sells.
    pub channel: Channel,
    /// What.
    pub cart: Cart,
    /// How long the units are held, in seconds: 300 to 3,600.
    pub hold_seconds: u64,
    /// The merchant's order.
    pub order_id: Option<Reference>,
    /// The shopper's session in the merchant's store.
    pub session_id: Option<Reference>,
    /// What is not there may be taken from what purchase orders are to bring.
    pub accepts_backorder: bool,
}

impl ReservationRequest {
    /// What the request asks for: the same key with another fingerprint is a reused key.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        let operation = match self.kind {
            Kind::Reservation => "reservation",
            Kind::Order => "order",
        };
        let seconds = self.hold_seconds.to_string();
        let reference = |reference: &Option<Reference>| reference.as_ref().map_or(String::new(), ToString::to_string);
        let lines: Vec<String> = self.cart.lines().iter().map(ToString::to_string).collect();
        let (order, session) = (reference(&self.order_id), reference(&self.session_id));
        let mut parts = vec![self.channel.as_str(), &seconds, &order, &session];
        if self.accepts_backorder {
            // Nothing where it is not accepted: what was recorded before anybody could accept it is still the same request.
            parts.push("backorder");
        }
        parts.extend(lines.iter().map(String::as_str));
        Fingerprint::of(operation, &parts)
    }

    /// The SKU in this request's channel.
    #[must_use]
    pub fn stock(&self, sku: &Sku) -> StockId {
        StockId { sku: sku.clone(), channel: self.channel.clone() }
    }
}

/// When the record of a hold that ends at `expires_at` may be deleted.
#[must_use]
pub fn purge_after(expires_at: Timestamp) -> Timestamp {
    expires_at.plus_seconds(GRACE_SECONDS)
}

/// The new end of an active reservation: `ttl_seconds` from now, never earlier than it was, and bounded in total. Nothing when
/// it has been extended too often to remember one more answer.
#[must_use]
pub fn extended_until(reservation: &Reservation, now: Timestamp, ttl_seconds: u64) -> Option<Timestamp> {
    if reservation.extensions.len() >= MAX_EXTENSIONS {
        return None;
    }
    let wanted = now.plus_seconds(ttl_seconds);
    let bound = reservation.created_at.plus_seconds(MAX_LIFE_SECONDS);
    Some(wanted.min(bound).max(reservation.expires_at))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::ids::Caller;

    fn line(text: &str) -> Line {
        text.parse().unwrap()
    }

    #[test]
    fn lines_of_one_sku_are_merged() {
        let cart = Cart::new(vec![line("b=1"), line("a=2"), line("b=3")]).unwrap();
        assert_eq!(cart.lines(), [line("a=2"), line("b=4")]);
    }

    #[test]
    fn a_cart_is_neither_empty_nor_huge() {
        assert_eq!(Cart::new(vec![]), Err(CartError::Empty));
        assert_eq!(Cart::new(vec![line("a=1"); 51]), Err(CartError::TooManyLines));
        assert!(matches!(Cart::new(vec![line("a=1000000"), line("a=1")]), Err(CartError::TooMany { .. })));
    }

    #[test]
    fn a_cart_has_up_to_fifty_lines_and_up_to_a_million_units_of_a_sku() {
        let distinct: Vec<Line> = (0..50).map(|n| line(&format!("sku-{n}=1000000"))).collect();
        assert_eq!(Cart::new(distinct).unwrap().lines().len(), 50);
        assert_eq!(Cart::new(vec![line("a=999999"), line("a=1")]).unwrap().lines(), [line("a=1000000")]);
    }

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_epoch_seconds(seconds)
    }

    fn id(key: &str) -> ReservationId {
        ReservationId::derive(&Caller::new("c"), &key.parse().unwrap())
    }

    fn reservation(status: Status, lines: &[&str]) -> Reservation {
        Reservation {
            id: id("k"),
            kind: Kind::Reservation,
            status,
            channel: "amazon".parse().unwrap(),
            lines: lines.iter().map(|text| line(text)).collect(),
            allocations: vec!["a#amazon=2@1000".parse().unwrap(), "a#amazon#3=1@1000".parse().unwrap()],
            created_at: at(100),
            expires_at: at(1_000),
            order_id: None,
            session_id: None,
            fingerprint: None,
            purge_at: None,
            line: None,
            extensions: BTreeMap::new(),
        }
    }

    #[test]
    fn the_word_for_a_status_and_who_keeps_the_holds() {
        let canceled = Status::Canceled { reason: CancelReason::Requested };
        let cases = [
            (Status::Active, 1_000, "active", true),
            (Status::Active, 1_001, "expired", true),
            (Status::Confirmed { at: at(500) }, 1_001, "confirmed", true),
            (canceled, 500, "canceled", false),
            (Status::Expired { successor: None }, 500, "expired", false),
            (Status::Expired { successor: Some(id("k").successor()) }, 500, "expired", false),
        ];
        for (status, now, word, keeps) in cases {
            let record = reservation(status.clone(), &["a=3"]);
            assert_eq!((record.status_word(at(now)), record.keeps_its_holds()), (word, keeps), "{status:?} at {now}");
        }
    }

    #[test]
    fn what_is_held_of_what_is_to_come_is_a_backorder() {
        let plain = reservation(Status::Active, &["a=3"]);
        let allocations = ["a#own=2@1000", "a#incoming=3@1000", "a#incoming#4=1@1000", "b#incoming=7@1000"];
        let record = Reservation {
            allocations: allocations.iter().map(|text| text.parse().unwrap()).collect(),
            ..plain.clone()
        };
        let of = |sku: &str| record.backordered(&sku.parse().unwrap());
        assert_eq!((of("a"), of("b"), of("c")), (4, 7, 0));
        assert!(record.is_backorder() && !plain.is_backorder());
    }

    #[test]
    fn a_hold_is_named_by_its_bucket_its_units_and_its_end() {
        let record = reservation(Status::Active, &["a=3"]);
        for (allocation, named) in [
            ("a#amazon=2@1000", true),
            ("a#amazon#3=1@1000", true),
            ("a#amazon#3=2@1000", false),
            ("a#amazon=2@1001", false),
            ("a#own=2@1000", false),
        ] {
            let Allocation { bucket, hold } = allocation.parse().unwrap();
            assert_eq!(record.names(&bucket, &hold), named, "{allocation}");
        }
    }

    #[test]
    fn a_reservation_of_which_only_a_hold_was_seen_is_a_placeholder() {
        let (known, unknown) = (reservation(Status::Active, &["a=3", "b=1"]), reservation(Status::Active, &[]));
        assert_eq!((known.is_placeholder(), unknown.is_placeholder()), (false, true));
        let stocks: Vec<String> = known.stocks().map(|stock| stock.to_string()).collect();
        assert_eq!(stocks, ["a#amazon", "b#amazon"]);
        assert_eq!(unknown.stocks().count(), 0);
    }

    #[test]
    fn to_their_owner_a_reservation_and_its_successor_are_one() {
        let expired = Status::Expired { successor: Some(id("k").successor()) };
        let paid = Status::Confirmed { at: at(2_000) };
        let successor = |order_id: Option<&str>| Reservation {
            id: id("k").successor(),
            kind: Kind::Order,
            order_id: order_id.map(|text| text.parse().unwrap()),
            expires_at: at(3_000),
            ..reservation(paid.clone(), &["a=3"])
        };
        let ours = |lines| Reservation { order_id: "ours".parse().ok(), ..reservation(expired.clone(), lines) };
        for (theirs, order_id) in [(Some("theirs"), "theirs"), (None, "ours")] {
            let order_id: Option<Reference> = order_id.parse().ok();
            let known = Reservation { order_id: order_id.clone(), status: paid.clone(), ..ours(&["a=3"]) };
            assert_eq!(ours(&["a=3"]).succeeded_by(successor(theirs)), known);
            let told = Reservation { id: id("k"), order_id, ..successor(theirs) };
            assert_eq!(ours(&[]).succeeded_by(successor(theirs)), told, "what was wanted stands in the successor");
        }
    }

    #[test]
    fn an_extension_is_bounded_and_never_shortens() {
        let cases = [
            (0, 500, 900, Some(1_400)),
            (0, 500, 300, Some(1_000)),
            (0, 7_000, 300, Some(7_300)),
            (0, 7_000, 900, Some(7_300)),
            (15, 500, 900, Some(1_400)),
            (16, 500, 900, None),
            (17, 500, 900, None),
        ];
        for (extensions, now, ttl_seconds, until) in cases {
            let mut record = reservation(Status::Active, &["a=3"]);
            record.extensions = (0..extensions)
                .map(|n| ExtensionId::derive(&Caller::new("c"), &n.to_string().parse().unwrap()))
                .map(|id| (id, at(1_000)))
                .collect();
            let found = extended_until(&record, at(now), ttl_seconds);
            assert_eq!(found, until.map(at), "{ttl_seconds} s at {now} after {extensions} others");
        }
        assert_eq!(purge_after(at(1_000)), at(87_400), "a day after the hold");
    }

    #[test]
    fn a_fingerprint_tells_apart_whatever_is_asked_for() {
        let request = || ReservationRequest {
            id: id("k"),
            kind: Kind::Reservation,
            channel: Channel::own(),
            cart: Cart::new(vec![line("a=2"), line("b=1")]).unwrap(),
            hold_seconds: 900,
            order_id: None,
            session_id: None,
            accepts_backorder: false,
        };
        let cart = |lines: &[&str]| Cart::new(lines.iter().map(|text| line(text)).collect()).unwrap();
        let others = [
            request(),
            ReservationRequest { kind: Kind::Order, ..request() },
            ReservationRequest { channel: "amazon".parse().unwrap(), ..request() },
            ReservationRequest { cart: cart(&["a=2"]), ..request() },
            ReservationRequest { cart: cart(&["a=2", "b=2"]), ..request() },
            ReservationRequest { hold_seconds: 901, ..request() },
            ReservationRequest { order_id: "x".parse().ok(), ..request() },
            ReservationRequest { session_id: "x".parse().ok(), ..request() },
            ReservationRequest { accepts_backorder: true, ..request() },
        ];
        let distinct: BTreeSet<Fingerprint> = others.iter().map(ReservationRequest::fingerprint).collect();
        assert_eq!(distinct.len(), others.len());
        let same = ReservationRequest { id: id("other"), cart: cart(&["b=1", "a=1", "a=1"]), ..request() };
        assert_eq!(same.fingerprint(), request().fingerprint(), "the same in other words");
        assert_eq!(request().stock(&"a".parse().unwrap()).to_string(), "a#own");
    }

    #[test]
    fn texts_read_back_what_they_write() {
        assert_eq!("a=2".parse::<Line>().unwrap().to_string(), "a=2");
        assert_eq!("a#own#3=2@99".parse::<Allocation>().unwrap().to_string(), "a#own#3=2@99");
        assert_eq!("a=2/0".parse::<Shortage>().unwrap().to_string(), "a=2/0");
        for text in ["a", "a=", "a=0", "=1", "a=+1", "a=01"] {
            assert!(text.parse::<Line>().is_err(), "{text}");
        }
    }
}
