//! The kinds of problem, in order of precedence: where several apply, the first is the answer.

/// What kind of problem, in order of precedence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The function has no such route.
    NotFound,
    /// The body is not called JSON.
    UnsupportedMediaType,
    /// The body is longer than any request needs.
    BodyTooLarge,
    /// Whoever sends it is not believed to be who it says.
    Unauthorized,
    /// A field is not as it must be.
    InvalidRequest,
    /// The key was used for another request.
    IdempotencyKeyReused,
    /// No such reservation.
    UnknownReservation,
    /// No such order.
    UnknownOrder,
    /// No such channel.
    UnknownChannel,
    /// No such SKU in the channel.
    UnknownSku,
    /// It was canceled.
    AlreadyCanceled,
    /// It was confirmed.
    AlreadyConfirmed,
    /// Its time was over.
    ReservationExpired,
    /// It was extended as often as it may be.
    TooManyExtensions,
    /// It is not in a status in which it could do this.
    WrongStatus,
    /// `If-Match` names another version.
    PreconditionFailed,
    /// Not enough units.
    InsufficientStock,
    /// Try again in a moment.
    Contended,
    /// A bug or an outage.
    InternalError,
}

impl Kind {
    /// All kinds, in order of precedence.
    pub const ALL: [Self; 19] = [
        Self::NotFound,
        Self::UnsupportedMediaType,
        Self::BodyTooLarge,
        Self::Unauthorized,
        Self::InvalidRequest,
        Self::IdempotencyKeyReused,
        Self::UnknownReservation,
        Self::UnknownOrder,
        Self::UnknownChannel,
        Self::UnknownSku,
        Self::AlreadyCanceled,
        Self::AlreadyConfirmed,
        Self::ReservationExpired,
        Self::TooManyExtensions,
        Self::WrongStatus,
        Self::PreconditionFailed,
        Self::InsufficientStock,
        Self::Contended,
        Self::InternalError,
    ];

    /// Status, the last part of the `type`, and the title: the same for every problem of the kind.
    #[must_use]
    pub const fn parts(self) -> (u16, &'static str, &'static str) {
        match self {
            Self::NotFound => (404, "not-found", "Not found"),
            Self::UnsupportedMediaType => (415, "unsupported-media-type", "The body must be JSON"),
            Self::BodyTooLarge => (413, "body-too-large", "The body is too large"),
            Self::Unauthorized => (401, "unauthorized", "Not believed"),
            Self::InvalidRequest => (400, "invalid-request", "The request is not valid"),
            Self::IdempotencyKeyReused => (422, "idempotency-key-reused", "The Idempotency-Key was used before"),
            Self::UnknownReservation => (404, "unknown-reservation", "There is no such reservation"),
            Self::UnknownOrder => (404, "unknown-order", "There is no such order"),
            Self::UnknownChannel => (404, "unknown-channel", "There is no such channel"),
            Self::UnknownSku => (404, "unknown-sku", "There is no such SKU"),
            Self::AlreadyCanceled => (409, "already-canceled", "The reservation is canceled"),
            Self::AlreadyConfirmed => (409, "already-confirmed", "The reservation is confirmed"),
            Self::ReservationExpired => (410, "reservation-expired", "The reservation has expired"),
            Self::TooManyExtensions => (409, "too-many-extensions", "The reservation cannot be extended again"),
            Self::WrongStatus => (409, "wrong-status", "Not in this status"),
            Self::PreconditionFailed => (412, "precondition-failed", "The settings have changed"),
            Self::InsufficientStock => (409, "insufficient-stock", "Not enough stock"),
            Self::Contended => (503, "contended", "Busy"),
            Self::InternalError => (500, "internal-error", "Internal error"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_order_and_status() {
        let documented = [
            (404, "not-found"),
            (415, "unsupported-media-type"),
            (413, "body-too-large"),
            (401, "unauthorized"),
            (400, "invalid-request"),
            (422, "idempotency-key-reused"),
            (404, "unknown-reservation"),
            (404, "unknown-order"),
            (404, "unknown-channel"),
            (404, "unknown-sku"),
            (409, "already-canceled"),
            (409, "already-confirmed"),
            (410, "reservation-expired"),
            (409, "too-many-extensions"),
            (409, "wrong-status"),
            (412, "precondition-failed"),
            (409, "insufficient-stock"),
            (503, "contended"),
            (500, "internal-error"),
        ];
        let all = Kind::ALL.map(|kind| (kind.parts().0, kind.parts().1));
        assert_eq!(all, documented);
        assert!(Kind::ALL.is_sorted());
    }
}
