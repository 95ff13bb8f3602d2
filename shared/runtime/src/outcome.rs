//! What a store's failure is to the caller.

use std::collections::BTreeMap;

use domain::{ids::Sku, reservation::Reservation, time::Day};
use http::Problem;
use store::Failure;

use crate::App;

/// When what was promised of a reservation comes, by SKU. A `fresh` one was recorded just now. What is promised is recorded: an outage here costs
/// the day, not the answer.
pub async fn promised_days(app: &App, reservation: &Reservation, fresh: bool) -> BTreeMap<Sku, Day> {
    app.store.promised_days(reservation, fresh).await.unwrap_or_else(|failure| {
        tracing::warn!(?failure, reservation = %reservation.id, "answered without the day on which it comes");
        BTreeMap::new()
    })
}

/// The problem for a failure; a fault is logged, and the caller hears only that there was one.
#[must_use]
pub fn problem(failure: Failure) -> Problem {
    problem_naming(failure, |_| "sku".to_owned())
}

/// As [`problem`], for a request that names SKUs in more than one field: `sku_field` says in which.
#[must_use]
pub fn problem_naming(failure: Failure, sku_field: impl Fn(&Sku) -> String) -> Problem {
    match failure {
        Failure::Refused(refusal) => Problem::of(refusal, sku_field),
        Failure::Fault(fault) if fault.is_transient() => {
            tracing::warn!(%fault, "answered that the caller should try again");
            Problem::contended()
        }
        Failure::Fault(fault) => {
            tracing::error!(%fault, "answered with an internal error");
            Problem::internal_error()
        }
    }
}

#[cfg(test)]
mod tests {
    use domain::refusal::Refusal;
    use http::Kind;
    use store::Fault;

    use super::*;

    #[test]
    fn a_fault_shows_only_whether_it_passes() {
        let reason = "ResourceNotFoundException: arn:aws:dynamodb:secret".to_owned();
        let cases = [
            (Failure::Refused(Refusal::UnknownOrder), Kind::UnknownOrder),
            (Failure::Fault(Fault::Throttled { operation: "x", reason: reason.clone() }), Kind::Contended),
            (Failure::Fault(Fault::Unavailable { operation: "x", reason: reason.clone() }), Kind::Contended),
            (Failure::Fault(Fault::Rejected { operation: "x", reason }), Kind::InternalError),
        ];
        for (failure, kind) in cases {
            let problem = problem(failure);
            assert_eq!(problem.kind(), kind);
            assert!(!problem.render("r").body().contains("arn:"));
        }
    }
}
