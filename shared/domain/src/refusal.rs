//! Every "no" that a caller can hear, in order of precedence: where several apply, the first is the answer. The API's
//! documentation and its tests share this order. Bugs and outages are not refusals; they are errors of the crates that meet them.

use crate::{ids::Sku, reservation::Shortage};

/// A field of the request that is not as it must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    /// The field as a path: `lines[1].quantity`, `Idempotency-Key`, `sku`.
    pub field: String,
    /// What it must be, for a person.
    pub detail: String,
}

/// A refusal. Its variants stand in order of precedence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The request is not understood; nothing was looked at.
    InvalidRequest {
        /// Every field at fault.
        errors: Vec<FieldError>,
    },
    /// The `Idempotency-Key` was used for a different request.
    IdempotencyKeyReused,
    /// No reservation has this id.
    UnknownReservation {
        /// A payment was reported: it must be given back.
        refund_required: bool,
    },
    /// No order has this id.
    UnknownOrder,
    /// These SKUs do not exist in the channel.
    UnknownSku {
        /// Which.
        skus: Vec<Sku>,
    },
    /// The reservation was canceled, or refused when it was made.
    AlreadyCanceled {
        /// A payment was reported: it must be given back.
        refund_required: bool,
    },
    /// The reservation is paid; units that come back are a movement.
    AlreadyConfirmed {
        /// A payment for another order was reported: it must be given back.
        refund_required: bool,
    },
    /// The reservation's time is over.
    ReservationExpired {
        /// A payment was reported and the units could not be had again: it must be given back.
        refund_required: bool,
    },
    /// The reservation was extended as often as it may be.
    TooManyExtensions,
    /// A purchase order is not in a status in which it could do this.
    WrongStatus {
        /// The status that it has.
        status: &'static str,
        /// What it cannot do, as `be sent`.
        cannot: &'static str,
    },
    /// `If-Match` names another version of the settings.
    PreconditionFailed {
        /// The version that is stored.
        version: u64,
    },
    /// Fewer units are free than were asked for.
    InsufficientStock {
        /// Each line that is short.
        lines: Vec<Shortage>,
    },
    /// Others were faster each time; nothing was changed, and the same request may succeed in a moment.
    Contended,
}

impl Refusal {
    /// The place in the order of precedence, and the slug of the problem type.
    #[must_use]
    pub fn rank_and_slug(&self) -> (u8, &'static str) {
        match self {
            Self::InvalidRequest { .. } => (1, "invalid-request"),
            Self::IdempotencyKeyReused => (2, "idempotency-key-reused"),
            Self::UnknownReservation { .. } => (3, "unknown-reservation"),
            Self::UnknownOrder => (4, "unknown-order"),
            Self::UnknownSku { .. } => (5, "unknown-sku"),
            Self::AlreadyCanceled { .. } => (6, "already-canceled"),
            Self::AlreadyConfirmed { .. } => (7, "already-confirmed"),
            Self::ReservationExpired { .. } => (8, "reservation-expired"),
            Self::TooManyExtensions => (9, "too-many-extensions"),
            Self::WrongStatus { .. } => (10, "wrong-status"),
            Self::PreconditionFailed { .. } => (11, "precondition-failed"),
            Self::InsufficientStock { .. } => (12, "insufficient-stock"),
            Self::Contended => (13, "contended"),
        }
    }
}
