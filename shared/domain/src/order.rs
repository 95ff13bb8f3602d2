//! Orders that wait in a queue, and what has become of one.
//!
//! Nothing is stored when an order is queued. The id that its caller gets says all that is needed to answer for it meanwhile: which
//! reservation id it will be decided under, what it asked for, when it was issued, and a MAC, so that an id which was never issued
//! is not taken for an order that waits.
//!
//! | part of the id | bytes | characters |
//! |---|---|---|
//! | the id that decides: of the order, or of the reservation that it pays | 12 | 16 |
//! | what is asked | 1 | 28 for all of these |
//! | when it was issued, epoch seconds | 4 | |
//! | the beginning of the fingerprint | 6 | |
//! | the beginning of an HMAC-SHA-256 over all that | 10 | |
//!
//! A retry derives the same first sixteen characters, so an order is decided once however often it is queued; the time is that of
//! the retry.

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::{
    bucket::{Bucket, BucketId, StockId},
    ids::{Fingerprint, Reference, ReservationId},
    limits::MAX_QUEUED_SECONDS,
    refusal::Refusal,
    reservation::{CancelReason, Reservation, ReservationRequest, Status},
    time::Timestamp,
};

/// Bytes after the sixteen characters of the deciding id, without the MAC.
const SAID: usize = 1 + 4 + 6;
/// Bytes of the MAC: 80 bits, so that guessing one is hopeless.
const MAC: usize = 10;
/// Characters of a reservation id.
const RID_CHARS: usize = 16;
/// Characters of an issued id.
const CHARS: usize = RID_CHARS + (SAID + MAC) / 3 * 4;

/// What waits in the queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum QueuedOrder {
    /// A sale of every line of a cart, or of none.
    Sale(ReservationRequest),
    /// The payment of an existing reservation.
    Confirmation {
        /// The reservation.
        id: ReservationId,
        /// The merchant's order.
        order_id: Option<Reference>,
    },
}

impl QueuedOrder {
    /// The id of the record that decides it.
    #[must_use]
    pub fn id(&self) -> &ReservationId {
        match self {
            Self::Sale(request) => &request.id,
            Self::Confirmation { id, .. } => id,
        }
    }

    /// What it asks for.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        match self {
            Self::Sale(request) => request.fingerprint(),
            Self::Confirmation { order_id, .. } => payment_fingerprint(order_id.as_ref()),
        }
    }

    /// The same for every retry, and for nothing else: what the queue recognises a duplicate by.
    #[must_use]
    pub fn deduplication_id(&self) -> String {
        let word = match self {
            Self::Sale(_) => "order",
            Self::Confirmation { .. } => "confirmation",
        };
        format!("{word}-{}-{}", self.id(), self.fingerprint())
    }
}

fn payment_fingerprint(order_id: Option<&Reference>) -> Fingerprint {
    Fingerprint::of("confirmation", &[order_id.map_or("", Reference::as_str)])
}

/// The key of the MAC. Whoever knows it can make ids that look issued; no more than that.
#[derive(Clone)]
pub struct OrderIdKey(Vec<u8>);

impl OrderIdKey {
    /// Any secret text.
    #[must_use]
    pub fn new(secret: &str) -> Self {
        Self(secret.as_bytes().to_vec())
    }

    fn mac(&self, id: &ReservationId, said: &[u8]) -> Hmac<Sha256> {
        // HMAC takes a key of any length.
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes keys of any length");
        mac.update(b"order id, version 1");
        mac.update(id.as_str().as_bytes());
        mac.update(said);
        mac
    }
}

impl fmt::Debug for OrderIdKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OrderIdKey(…)")
    }
}

/// What a queued order asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// To sell a cart.
    Sale,
    /// To confirm a reservation.
    Confirmation,
}

/// The id of a queued order, as it was issued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderId {
    /// The id of the record that decides it.
    pub id: ReservationId,
    /// What it asked for.
    pub asked: Asked,
    /// When the id was issued.
    pub issued_at: Timestamp,
    fingerprint: [u8; 6],
}

impl OrderId {
    /// The id of `order`, queued at `now`.
    #[must_use]
    pub fn issue(order: &QueuedOrder, now: Timestamp) -> Self {
        let asked = match order {
            QueuedOrder::Sale(_) => Asked::Sale,
            QueuedOrder::Confirmation { .. } => Asked::Confirmation,
        };
        Self { id: order.id().clone(), asked, issued_at: now, fingerprint: beginning(&order.fingerprint()) }
    }

    /// The 44 characters that the caller gets.
    #[must_use]
    pub fn encode(&self, key: &OrderIdKey) -> String {
        let said = self.said();
        let mac = key.mac(&self.id, &said).finalize().into_bytes();
        let suffix = [&said[..], &mac[..MAC]].concat();
        format!("{}{}", self.id, URL_SAFE_NO_PAD.encode(suffix))
    }

    /// Reads an id; nothing if it was not issued under this key.
    #[must_use]
    pub fn read(text: &str, key: &OrderIdKey) -> Option<Self> {
        if text.len() != CHARS || !text.is_ascii() {
            return None;
        }
        let (id, suffix) = text.split_at(RID_CHARS);
        let id: ReservationId = id.parse().ok()?;
        let bytes = URL_SAFE_NO_PAD.decode(suffix).ok()?;
        let (said, mac) = bytes.split_at_checked(SAID)?;
        key.mac(&id, said).verify_truncated_left(mac).ok()?;
        let asked = match said[0] {
            0 => Asked::Sale,
            1 => Asked::Confirmation,
            _ => return None,
        };
        let seconds = u32::from_be_bytes(said[1..5].try_into().ok()?);
        let issued_at = Timestamp::from_epoch_seconds(seconds.into());
        Some(Self { id, asked, issued_at, fingerprint: said[5..].try_into().ok()? })
    }

    fn said(&self) -> [u8; SAID] {
        let mut said = [0; SAID];
        said[0] = match self.asked {
            Asked::Sale => 0,
            Asked::Confirmation => 1,
        };
        // Four bytes of seconds last until the year 2106.
        let seconds = u32::try_from(self.issued_at.epoch_seconds()).unwrap_or(u32::MAX);
        said[1..5].copy_from_slice(&seconds.to_be_bytes());
        said[5..].copy_from_slice(&self.fingerprint);
        said
    }

    fn asked_for(&self, fingerprint: &Fingerprint) -> bool {
        beginning(fingerprint) == self.fingerprint
    }

    /// In how many seconds to ask again: soon for a young order, seldom for one that has waited for long. 1 to 30.
    #[must_use]
    pub fn retry_after_seconds(&self, now: Timestamp) -> u64 {
        (now.seconds_since(self.issued_at) / 2).clamp(1, 30)
    }
}

fn beginning(fingerprint: &Fingerprint) -> [u8; 6] {
    let mut bytes = [0; 6];
    // A fingerprint is twelve bytes in base64.
    let decoded = URL_SAFE_NO_PAD.decode(fingerprint.as_str()).unwrap_or_default();
    for (byte, decoded) in bytes.iter_mut().zip(decoded) {
        *byte = decoded;
    }
    bytes
}

/// What has become of a queued order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OrderState {
    /// Nobody has decided it yet.
    Queued,
    /// Sold.
    Confirmed(Reservation),
    /// Refused for good.
    Rejected {
        /// What was recorded of it.
        record: Reservation,
        /// Why.
        refusal: Refusal,
    },
    /// It can no longer be in any queue, and nobody decided it: it was taken out by hand.
    Forgotten,
}

/// What has become of `order`: `record` has its deciding id, and `successor` is the record that took over from that one, if any did.
///
/// A refusal that may cost a refund is only told once its record is kept for good, so that it can never be sold after all.
#[must_use]
pub fn state(
    order: &OrderId,
    record: Option<Reservation>,
    successor: Option<Reservation>,
    now: Timestamp,
) -> OrderState {
    let undecided = if now.seconds_since(order.issued_at) > MAX_QUEUED_SECONDS {
        OrderState::Forgotten
    } else {
        OrderState::Queued
    };
    let Some(record) = record else { return undecided };
    // A hold that nobody recorded in time is closed by a record that does not know what was asked for: its successor does.
    let recorded =
        record.fingerprint.as_ref().or(successor.as_ref().and_then(|successor| successor.fingerprint.as_ref()));
    let foreign = recorded.is_some_and(|recorded| !order.asked_for(recorded));
    if order.asked == Asked::Sale && foreign {
        return OrderState::Rejected { record, refusal: Refusal::IdempotencyKeyReused };
    }
    let refund_required = order.asked == Asked::Confirmation;
    let kept = |record: &Reservation| record.purge_at.is_none();
    match (&record.status, successor) {
        (Status::Confirmed { .. }, _) => paid(order, record),
        (Status::Canceled { reason }, _) if kept(&record) => {
            let refusal = reason.refusal(refund_required);
            OrderState::Rejected { record, refusal }
        }
        (Status::Expired { successor: Some(_) }, Some(successor)) => match &successor.status {
            Status::Confirmed { .. } => paid(order, record.succeeded_by(successor)),
            Status::Canceled { reason } if !refund_required => {
                let refusal = reason.refusal(false);
                OrderState::Rejected { record: record.succeeded_by(successor), refusal }
            }
            Status::Canceled { .. } | Status::Expired { .. } if kept(&successor) => OrderState::Rejected {
                record: record.succeeded_by(successor),
                refusal: Refusal::ReservationExpired { refund_required },
            },
            _ => undecided,
        },
        _ => undecided,
    }
}

/// A payment for another order than the recorded one has paid for nothing.
fn paid(order: &OrderId, record: Reservation) -> OrderState {
    let ours = match (&record.order_id, order.asked) {
        (Some(recorded), Asked::Confirmation) => {
            order.asked_for(&payment_fingerprint(Some(recorded))) || order.asked_for(&payment_fingerprint(None))
        }
        _ => true,
    };
    if ours {
        OrderState::Confirmed(record)
    } else {
        OrderState::Rejected { record, refusal: Refusal::AlreadyConfirmed { refund_required: true } }
    }
}

impl CancelReason {
    /// The answer to a request whose record was canceled for this reason.
    #[must_use]
    pub fn refusal(&self, refund_required: bool) -> Refusal {
        match self {
            Self::Short { lines } => Refusal::InsufficientStock { lines: lines.clone() },
            Self::UnknownSku { skus } => Refusal::UnknownSku { skus: skus.clone() },
            Self::RecordedTooLate => Refusal::ReservationExpired { refund_required },
            Self::PaidUnknown if refund_required => Refusal::UnknownReservation { refund_required },
            Self::Requested | Self::PaidUnknown => Refusal::AlreadyCanceled { refund_required },
        }
    }
}

/// The bucket whose orders wait in one line: the home of the hottest SKU, or one of its children where it is split.
///
/// A split SKU is hotter than one that is not, and the more children the hotter; then counts what peak the merchant announced. Where
/// all are alike it is the first one, by name, so that orders of the same cart stand in the same line.
#[must_use]
pub fn queue_of<'a>(homes: impl IntoIterator<Item = (&'a StockId, &'a Bucket)>, spread: u64) -> Option<BucketId> {
    let heat = |bucket: &Bucket| {
        bucket.home().map_or((0, 0), |home| (home.window().len() as u64, home.expected_peak_per_second))
    };
    let mut hottest: Option<(&StockId, &Bucket)> = None;
    for (stock, home) in homes {
        if hottest.is_none_or(|(_, found)| heat(home) > heat(found)) {
            hottest = Some((stock, home));
        }
    }
    let (stock, home) = hottest?;
    let children: Vec<u32> = home.home()?.window().collect();
    Some(crate::acquire::pick(&children, spread).map_or_else(|| stock.home(), |number| stock.child(*number)))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::{
        bucket::{Home, Role},
        ids::{Caller, Channel},
        limits::MIN_HOLD_SECONDS,
        reservation::{Cart, Kind},
    };

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_epoch_seconds(seconds)
    }

    fn sale(lines: &[&str]) -> QueuedOrder {
        QueuedOrder::Sale(ReservationRequest {
            id: ReservationId::derive(&Caller::new("c"), &"k".parse().unwrap()),
            kind: Kind::Order,
            channel: Channel::own(),
            cart: Cart::new(lines.iter().map(|line| line.parse().unwrap()).collect()).unwrap(),
            hold_seconds: MIN_HOLD_SECONDS,
            order_id: None,
            session_id: None,
            accepts_backorder: false,
        })
    }

    fn payment(order_id: Option<&str>) -> QueuedOrder {
        let id = ReservationId::derive(&Caller::new("c"), &"k".parse().unwrap());
        QueuedOrder::Confirmation { id, order_id: order_id.map(|id| id.parse().unwrap()) }
    }

    #[test]
    fn an_issued_id_reads_back_under_its_own_key_only() {
        let key = OrderIdKey::new("secret");
        for order in [sale(&["tea=1"]), payment(Some("o-1"))] {
            let issued = OrderId::issue(&order, at(1_800_000_000));
            let text = issued.encode(&key);
            assert_eq!(text.len(), 44);
            assert!(text.starts_with(order.id().as_str()));
            assert_eq!(OrderId::read(&text, &key), Some(issued));
            assert_eq!(OrderId::read(&text, &OrderIdKey::new("other")), None);
            for position in 0..text.len() {
                let mut changed = text.clone().into_bytes();
                changed[position] = if changed[position] == b'A' { b'B' } else { b'A' };
                assert_eq!(OrderId::read(std::str::from_utf8(&changed).unwrap(), &key), None, "character {position}");
            }
        }
        for malformed in [
            "",
            "0123456789abcdef",
            &"ä".repeat(22),
            &format!("{}ä{}", "a".repeat(15), "a".repeat(27)),
            &"=".repeat(44),
            &"a".repeat(45),
        ] {
            assert_eq!(OrderId::read(malformed, &key), None, "{malformed}");
        }
    }

    #[test]
    fn the_key_is_not_printed() {
        assert_eq!(format!("{:?}", OrderIdKey::new("secret")), "OrderIdKey(…)");
    }

    #[test]
    fn a_retry_is_recognised_and_another_order_is_not() {
        let same = [sale(&["tea=1", "tea=1"]).deduplication_id(), sale(&["tea=2"]).deduplication_id()];
        assert_eq!(same[0], same[1]);
        let all = [sale(&["tea=2"]), sale(&["tea=3"]), payment(None), payment(Some("o-1")), payment(Some("o-2"))];
        let ids: std::collections::BTreeSet<_> = all.iter().map(QueuedOrder::deduplication_id).collect();
        assert_eq!(ids.len(), all.len());
        // SQS: up to 128 characters of letters, digits and punctuation.
        assert!(ids.iter().all(|id| id.len() <= 128 && id.bytes().all(|b| b.is_ascii_graphic())));
    }

    #[test]
    fn whoever_waits_for_long_asks_seldom() {
        let order = OrderId::issue(&sale(&["tea=1"]), at(1_000));
        for (now, seconds) in [(900, 1), (1_000, 1), (1_003, 1), (1_010, 5), (1_060, 30), (9_000, 30)] {
            assert_eq!(order.retry_after_seconds(at(now)), seconds, "{now}");
        }
    }

    fn record(status: Status, request: &QueuedOrder, kept: bool) -> Reservation {
        Reservation {
            id: request.id().clone(),
            kind: Kind::Order,
            status,
            channel: Channel::own(),
            lines: vec!["tea=1".parse().unwrap()],
            allocations: vec![],
            created_at: at(1_001),
            expires_at: at(1_900),
            order_id: None,
            session_id: None,
            fingerprint: Some(request.fingerprint()),
            purge_at: (!kept).then_some(at(99_999)),
            line: None,
            extensions: BTreeMap::new(),
        }
    }

    fn word(state: &OrderState) -> &'static str {
        match state {
            OrderState::Queued => "queued",
            OrderState::Confirmed(_) => "confirmed",
            OrderState::Rejected { refusal, .. } => refusal.rank_and_slug().1,
            OrderState::Forgotten => "forgotten",
        }
    }

    #[test]
    fn what_has_become_of_a_sale() {
        let asked = sale(&["tea=1"]);
        let confirmed = || Status::Confirmed { at: at(1_001) };
        let short = || Status::Canceled { reason: CancelReason::Short { lines: vec!["tea=1/0".parse().unwrap()] } };
        let succeeded = || Status::Expired { successor: Some(asked.id().successor()) };
        let placeholder = |status| Reservation { lines: vec![], fingerprint: None, ..record(status, &asked, false) };
        let of = |status| Some(record(status, &asked, true));
        let other = Some(record(confirmed(), &sale(&["tea=2"]), true));
        let (nameless, sold_to_another) =
            (|| Reservation { lines: vec!["tea=2".parse().unwrap()], ..placeholder(succeeded()) }, other.clone());
        let cases = [
            ("nothing is recorded", None, None, "queued"),
            ("sold", of(confirmed()), None, "confirmed"),
            ("short", of(short()), None, "insufficient-stock"),
            ("another order under the same key", other, None, "idempotency-key-reused"),
            ("its hold ended first", Some(placeholder(Status::Expired { successor: None })), None, "queued"),
            ("taken again, not yet decided", Some(placeholder(succeeded())), None, "queued"),
            ("taken again and sold", Some(placeholder(succeeded())), of(confirmed()), "confirmed"),
            (
                "another order under the same key, taken again",
                Some(nameless()),
                sold_to_another,
                "idempotency-key-reused",
            ),
            ("taken again and short", Some(placeholder(succeeded())), of(short()), "insufficient-stock"),
            (
                "its second hold ended as well, and may be tried again",
                Some(placeholder(succeeded())),
                Some(placeholder(Status::Expired { successor: None })),
                "queued",
            ),
            (
                "its second hold ended as well, and that is final",
                Some(placeholder(succeeded())),
                Some(Reservation { purge_at: None, ..placeholder(Status::Expired { successor: None }) }),
                "reservation-expired",
            ),
        ];
        let id = OrderId::issue(&asked, at(1_000));
        for (name, record, successor, expected) in cases {
            let found = state(&id, record, successor, at(1_010));
            assert_eq!(word(&found), expected, "{name}");
            if let OrderState::Confirmed(record) | OrderState::Rejected { record, .. } = found {
                assert_eq!(
                    (&record.id, record.lines.len()),
                    (asked.id(), usize::from(expected != "reservation-expired")),
                    "{name}"
                );
            }
        }
        assert_eq!(word(&state(&id, None, None, at(1_000 + MAX_QUEUED_SECONDS))), "queued");
        assert_eq!(word(&state(&id, None, None, at(1_001 + MAX_QUEUED_SECONDS))), "forgotten");
        assert_eq!(word(&state(&id, of(confirmed()), None, at(1_001 + MAX_QUEUED_SECONDS))), "confirmed");
    }

    #[test]
    fn what_has_become_of_a_payment() {
        let asked = payment(Some("o-1"));
        let with_order = |status, order_id: Option<&str>| {
            let order_id = order_id.map(|id| id.parse().unwrap());
            // What a reservation asked for is not what its payment asks for.
            Some(Reservation { order_id, fingerprint: Some(Fingerprint::of("x", &[])), ..record(status, &asked, true) })
        };
        let confirmed = || Status::Confirmed { at: at(1_001) };
        let canceled = |reason| Status::Canceled { reason };
        let succeeded = || Status::Expired { successor: Some(asked.id().successor()) };
        let forgettable = Some(record(canceled(CancelReason::Requested), &asked, false));
        let cases = [
            ("nobody knows the reservation", None, None, "queued"),
            ("not paid yet", with_order(Status::Active, None), None, "queued"),
            ("over, but payment is on its way", with_order(Status::Expired { successor: None }, None), None, "queued"),
            ("paid for this order", with_order(confirmed(), Some("o-1")), None, "confirmed"),
            ("paid for no order in particular", with_order(confirmed(), None), None, "confirmed"),
            ("paid for another order", with_order(confirmed(), Some("o-2")), None, "already-confirmed"),
            ("canceled, and kept so", with_order(canceled(CancelReason::Requested), None), None, "already-canceled"),
            ("canceled, but not kept so", forgettable, None, "queued"),
            ("unknown, for good", with_order(canceled(CancelReason::PaidUnknown), None), None, "unknown-reservation"),
            ("taken again", with_order(succeeded(), None), None, "queued"),
            ("taken again and sold", with_order(succeeded(), None), with_order(confirmed(), Some("o-1")), "confirmed"),
            (
                "taken again and short",
                with_order(succeeded(), None),
                with_order(canceled(CancelReason::Short { lines: vec![] }), None),
                "reservation-expired",
            ),
        ];
        let id = OrderId::issue(&asked, at(1_000));
        for (name, record, successor, expected) in cases {
            let found = state(&id, record, successor, at(1_010));
            assert_eq!(word(&found), expected, "{name}");
            let refund = match found {
                OrderState::Rejected { refusal: Refusal::AlreadyConfirmed { refund_required }, .. }
                | OrderState::Rejected { refusal: Refusal::AlreadyCanceled { refund_required }, .. }
                | OrderState::Rejected { refusal: Refusal::UnknownReservation { refund_required }, .. }
                | OrderState::Rejected { refusal: Refusal::ReservationExpired { refund_required }, .. } => {
                    refund_required
                }
                _ => true,
            };
            assert!(refund, "{name}");
        }
        // Whoever did not say for which order is content with any.
        let id = OrderId::issue(&payment(None), at(1_000));
        assert_eq!(word(&state(&id, with_order(confirmed(), Some("o-2")), None, at(1_010))), "confirmed");
    }

    #[test]
    fn the_answer_for_each_reason_of_a_cancellation() {
        let lines = vec!["tea=2/1".parse().unwrap()];
        let skus = vec!["mug".parse().unwrap()];
        for paid in [false, true] {
            let refund_required = paid;
            let cases = [
                (CancelReason::Short { lines: lines.clone() }, Refusal::InsufficientStock { lines: lines.clone() }),
                (CancelReason::UnknownSku { skus: skus.clone() }, Refusal::UnknownSku { skus: skus.clone() }),
                (CancelReason::RecordedTooLate, Refusal::ReservationExpired { refund_required }),
                (CancelReason::Requested, Refusal::AlreadyCanceled { refund_required }),
                // Whoever pays for what nobody knows is told so; to anyone else the record says no more than that it is closed.
                (
                    CancelReason::PaidUnknown,
                    if paid {
                        Refusal::UnknownReservation { refund_required }
                    } else {
                        Refusal::AlreadyCanceled { refund_required }
                    },
                ),
            ];
            for (reason, refusal) in cases {
                assert_eq!(reason.refusal(paid), refusal, "{reason:?}, paid: {paid}");
            }
        }
    }

    #[test]
    fn orders_wait_where_it_is_hottest() {
        let home = |children: u32, peak: u64| Bucket {
            free: 9,
            holds: BTreeMap::new(),
            sold: 0,
            watermark: None,
            role: Role::Home(Home {
                first_child: 4,
                next_child: 4 + children,
                expected_peak_per_second: peak,
                ..Home::default()
            }),
        };
        let stock = |sku: &str| format!("{sku}#own").parse::<BucketId>().unwrap().stock;
        let of = |homes: &[(&str, u32, u64)], spread| {
            let homes: Vec<_> =
                homes.iter().map(|(sku, children, peak)| (stock(sku), home(*children, *peak))).collect();
            queue_of(homes.iter().map(|(stock, home)| (stock, home)), spread).unwrap().to_string()
        };
        assert_eq!(of(&[("mug", 0, 0), ("tea", 0, 0)], 7), "mug#own");
        assert_eq!(of(&[("mug", 0, 0), ("tea", 0, 5)], 7), "tea#own");
        assert_eq!(of(&[("mug", 0, 900), ("tea", 2, 0)], 6), "tea#own#4");
        assert_eq!(of(&[("mug", 0, 900), ("tea", 2, 0)], 7), "tea#own#5");
        assert_eq!(queue_of([], 7), None);
    }
}
