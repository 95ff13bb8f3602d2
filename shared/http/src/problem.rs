//! Every "no" as `application/problem+json` (RFC 9457): what went wrong, which field or line, and what to do about it.
//!
//! Nothing internal is ever said: an outage or a bug is only named by the request id under which it was logged.

use domain::{
    ids::Sku,
    limits::{MAX_BODY_BYTES, MAX_EXTENSIONS},
    refusal::{FieldError, Refusal},
    reservation::Shortage,
};

use crate::Kind;

/// One problem, ready to be rendered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub(crate) kind: Kind,
    pub(crate) detail: String,
    pub(crate) errors: Vec<FieldError>,
    pub(crate) lines: Vec<Shortage>,
    pub(crate) refund_required: bool,
}

/// What the caller is to do about a payment that was reported and cannot be honoured.
const REFUND: &str = " Give the payment back.";

impl Problem {
    fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into(), errors: vec![], lines: vec![], refund_required: false }
    }

    /// The function has no such route.
    #[must_use]
    pub fn not_found() -> Self {
        Self::new(Kind::NotFound, "No resource has this path and method.")
    }

    /// A delivery that is not signed as its channel signs. Why, is not said.
    #[must_use]
    pub fn unbelieved() -> Self {
        Self::new(Kind::Unauthorized, "The request is not signed as it must be.")
    }

    /// No channel has this name.
    #[must_use]
    pub fn unknown_channel() -> Self {
        Self::new(Kind::UnknownChannel, "No channel has this name. Set it up first: PUT /v1/channels/{channel}.")
    }

    /// The channel does not list this SKU.
    #[must_use]
    pub fn not_listed(sku: &Sku) -> Self {
        let detail = format!("names SKU {sku}, which is not listed at the channel");
        let errors = vec![FieldError { field: "sku".to_owned(), detail }];
        let detail =
            format!("SKU {sku} is not listed at this channel. PUT /v1/channels/{{channel}}/listings/{{sku}} lists it.");
        Self { errors, ..Self::new(Kind::UnknownSku, detail) }
    }

    /// The path is known, but there is nothing: `detail` says what is not there.
    #[must_use]
    pub fn nothing_there(detail: &str) -> Self {
        Self::new(Kind::NotFound, detail)
    }

    /// The body is not called `application/json`.
    #[must_use]
    pub fn unsupported_media_type() -> Self {
        Self::new(Kind::UnsupportedMediaType, "Send the body as JSON, with the header Content-Type: application/json.")
    }

    /// The body is longer than [`MAX_BODY_BYTES`].
    #[must_use]
    pub fn body_too_large() -> Self {
        Self::new(Kind::BodyTooLarge, format!("The body must not be longer than {MAX_BODY_BYTES} bytes."))
    }

    /// These fields are not as they must be.
    #[must_use]
    pub fn invalid(errors: Vec<FieldError>) -> Self {
        /// As many as fit in a sentence; `errors` has them all.
        const NAMED: usize = 3;
        let named: Vec<String> =
            errors.iter().take(NAMED).map(|FieldError { field, detail }| format!("{field} {detail}")).collect();
        let more = match errors.len().saturating_sub(NAMED) {
            0 => String::new(),
            more => format!("; and {more} more"),
        };
        Self { errors, ..Self::new(Kind::InvalidRequest, format!("{}{more}.", named.join("; "))) }
    }

    /// The same request may succeed in a moment.
    #[must_use]
    pub fn contended() -> Self {
        Self::new(
            Kind::Contended,
            "Nothing was decided. Send the same request, with the same Idempotency-Key, in a second.",
        )
    }

    /// A bug or an outage, logged under the request id.
    #[must_use]
    pub fn internal_error() -> Self {
        Self::new(
            Kind::InternalError,
            "Something went wrong on our side. Sending the same request, with the same Idempotency-Key, is safe. If it goes \
             on, report the request_id.",
        )
    }

    /// The problem for a refusal. `sku_field` says which field of the request names a SKU.
    #[must_use]
    pub fn of(refusal: Refusal, sku_field: impl Fn(&Sku) -> String) -> Self {
        match refusal {
            Refusal::InvalidRequest { errors } => Self::invalid(errors),
            Refusal::IdempotencyKeyReused => Self::new(
                Kind::IdempotencyKeyReused,
                "This Idempotency-Key belongs to a request that asked for something else. Repeat that one exactly to get its \
                 answer, or choose a new key.",
            ),
            Refusal::UnknownReservation { refund_required } => Self::new(
                Kind::UnknownReservation,
                "No reservation has this id. One that was not paid for is forgotten a day after it ended.",
            )
            .refund(refund_required),
            Refusal::UnknownOrder => {
                Self::new(Kind::UnknownOrder, "No order, and no confirmed reservation, has this id.")
            }
            Refusal::UnknownSku { skus } => Self::unknown_sku(&skus, sku_field),
            Refusal::AlreadyCanceled { refund_required } => Self::new(
                Kind::AlreadyCanceled,
                "The reservation was canceled, or refused when it was made. Make a new one.",
            )
            .refund(refund_required),
            Refusal::AlreadyConfirmed { refund_required } => Self::new(
                Kind::AlreadyConfirmed,
                "The reservation is paid, for the order that it names, and that is final. Record units that come back as a movement \
                 of the stock.",
            )
            .refund(refund_required),
            Refusal::ReservationExpired { refund_required } => {
                let detail = if refund_required {
                    "The reservation's time was over, and its units could not be had again."
                } else {
                    "The reservation's time is over. Make a new one."
                };
                Self::new(Kind::ReservationExpired, detail).refund(refund_required)
            }
            Refusal::TooManyExtensions => Self::new(
                Kind::TooManyExtensions,
                format!(
                    "A reservation can be extended {MAX_EXTENSIONS} times. Confirm it, or cancel it and make a new one."
                ),
            ),
            Refusal::WrongStatus { status, cannot } => {
                let status = if status == "draft" { "a draft".to_owned() } else { status.replace('_', " ") };
                Self::new(Kind::WrongStatus, format!("The purchase order is {status}: it cannot {cannot}."))
            }
            Refusal::PreconditionFailed { version: 0 } => {
                Self::new(Kind::PreconditionFailed, "If-Match asks for something that exists. This does not.")
            }
            Refusal::PreconditionFailed { version } => Self::new(
                Kind::PreconditionFailed,
                format!(
                    "If-Match names another version than the stored one, which is {version}. Read it and try again."
                ),
            ),
            Refusal::InsufficientStock { lines } => Self::short(lines),
            Refusal::Contended => Self::contended(),
        }
    }

    fn unknown_sku(skus: &[Sku], sku_field: impl Fn(&Sku) -> String) -> Self {
        let errors: Vec<FieldError> = skus
            .iter()
            .map(|sku| FieldError {
                field: sku_field(sku),
                detail: format!("names SKU {sku}, which the channel does not have"),
            })
            .collect();
        let names: Vec<&str> = skus.iter().map(Sku::as_str).collect();
        let detail = format!("The channel has no SKU {}. PUT /v1/stock/{{sku}} creates one.", names.join(", "));
        Self { errors, ..Self::new(Kind::UnknownSku, detail) }
    }

    fn short(lines: Vec<Shortage>) -> Self {
        let short: Vec<String> = lines
            .iter()
            .map(|Shortage { sku, requested, available }| format!("{available} of {requested} {sku}"))
            .collect();
        let detail = format!("Only {} can be had. No unit was taken.", short.join(", "));
        Self { lines, ..Self::new(Kind::InsufficientStock, detail) }
    }

    fn refund(mut self, required: bool) -> Self {
        self.refund_required = required;
        if required {
            self.detail.push_str(REFUND);
        }
        self
    }

    /// What kind of problem it is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The fields at fault.
    #[must_use]
    pub fn errors(&self) -> &[FieldError] {
        &self.errors
    }
}

impl From<Refusal> for Problem {
    /// For a request that names its SKU in one place, called `sku`.
    fn from(refusal: Refusal) -> Self {
        Self::of(refusal, |_| "sku".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn refusals() -> Vec<Refusal> {
        vec![
            Refusal::InvalidRequest {
                errors: vec![FieldError { field: "sku".to_owned(), detail: "is bad".to_owned() }],
            },
            Refusal::IdempotencyKeyReused,
            Refusal::UnknownReservation { refund_required: false },
            Refusal::UnknownOrder,
            Refusal::UnknownSku { skus: vec!["tea".parse().unwrap()] },
            Refusal::AlreadyCanceled { refund_required: false },
            Refusal::AlreadyConfirmed { refund_required: false },
            Refusal::ReservationExpired { refund_required: false },
            Refusal::TooManyExtensions,
            Refusal::WrongStatus { status: "canceled", cannot: "be sent" },
            Refusal::PreconditionFailed { version: 3 },
            Refusal::InsufficientStock { lines: vec!["tea=5/2".parse().unwrap()] },
            Refusal::Contended,
        ]
    }

    fn document(problem: &Problem) -> Value {
        serde_json::from_str(problem.render("r1").body()).unwrap()
    }

    #[test]
    fn refusals_keep_their_slug_and_their_order() {
        let of_the_domain: Vec<(u8, &str)> = refusals().iter().map(Refusal::rank_and_slug).collect();
        assert!(of_the_domain.is_sorted_by(|a, b| a.0 < b.0), "{of_the_domain:?}");
        let kinds: Vec<Kind> = refusals().into_iter().map(|refusal| Problem::from(refusal).kind()).collect();
        let slugs: Vec<&str> = kinds.iter().map(|kind| kind.parts().1).collect();
        assert_eq!(slugs, of_the_domain.iter().map(|(_, slug)| *slug).collect::<Vec<_>>());
        assert!(kinds.is_sorted_by(|a, b| a < b), "{kinds:?}");
    }

    #[test]
    fn a_problem_says_what_is_wrong_and_under_which_id() {
        let invalid = Problem::invalid(
            (0..5)
                .map(|n| FieldError { field: format!("lines[{n}].quantity"), detail: "must be more".to_owned() })
                .collect(),
        );
        let rendered = invalid.render("r1");
        assert_eq!((rendered.status(), rendered.header("content-type")), (400, Some("application/problem+json")));
        let document = document(&invalid);
        assert_eq!(document["type"], "/problems/invalid-request");
        assert_eq!(document["request_id"], "r1");
        assert_eq!(document["errors"][4], json!({"field": "lines[4].quantity", "detail": "must be more"}));
        let detail = document["detail"].as_str().unwrap();
        assert!(
            detail.starts_with("lines[0].quantity must be more; ") && detail.ends_with("; and 2 more."),
            "{detail}"
        );
        assert!(document.get("lines").is_none() && document.get("refund_required").is_none());
    }

    #[test]
    fn a_shortage_names_each_line_that_is_short() {
        let lines = vec!["tea=5/2".parse().unwrap(), "mug=1/0".parse().unwrap()];
        let document = document(&Problem::from(Refusal::InsufficientStock { lines }));
        assert_eq!(
            document["lines"],
            json!([
                {"sku": "tea", "requested": 5, "available": 2},
                {"sku": "mug", "requested": 1, "available": 0},
            ])
        );
        assert_eq!(document["detail"], "Only 2 of 5 tea, 0 of 1 mug can be had. No unit was taken.");
    }

    #[test]
    fn an_unknown_sku_names_the_field_that_asked_for_it() {
        let skus = vec!["tea".parse().unwrap()];
        let problem = Problem::of(Refusal::UnknownSku { skus }, |_| "lines[2].sku".to_owned());
        assert_eq!(problem.errors()[0].field, "lines[2].sku");
    }

    #[test]
    fn a_wrong_status_is_said_in_words() {
        let problem = Problem::from(Refusal::WrongStatus { status: "partially_received", cannot: "be sent" });
        assert_eq!(document(&problem)["detail"], "The purchase order is partially received: it cannot be sent.");
    }

    #[test]
    fn a_refund_is_said_in_words_and_as_a_flag() {
        for refusal in [
            Refusal::UnknownReservation { refund_required: true },
            Refusal::AlreadyCanceled { refund_required: true },
            Refusal::ReservationExpired { refund_required: true },
        ] {
            let document = document(&refusal.into());
            assert_eq!(document["refund_required"], true);
            assert!(document["detail"].as_str().unwrap().ends_with(REFUND));
        }
    }

    #[test]
    fn only_a_passing_problem_asks_to_come_back() {
        for kind in Kind::ALL {
            let retry_after = Problem::new(kind, "x").render("r").header("retry-after").map(str::to_owned);
            assert_eq!(retry_after.as_deref(), (kind == Kind::Contended).then_some("1"), "{kind:?}");
        }
    }
}
