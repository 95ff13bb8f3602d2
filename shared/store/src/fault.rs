//! What can go wrong that is nobody's decision: outages and bugs.

use aws_sdk_dynamodb::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use domain::{bucket::MalformedText, refusal::Refusal};

/// An outage or a bug. Its text is for the log, never for the caller.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// DynamoDB could not be reached, answered too late, or answered that it is overloaded, more often than we try.
    #[error("DynamoDB did not {operation}: {reason}")]
    Unavailable {
        /// What was asked of it.
        operation: &'static str,
        /// What it said.
        reason: String,
    },
    /// DynamoDB throttled the write: the bucket is hotter than one partition can be.
    #[error("DynamoDB throttled {operation}: {reason}")]
    Throttled {
        /// What was asked of it.
        operation: &'static str,
        /// What it said.
        reason: String,
    },
    /// DynamoDB refused the request itself: missing permission, missing table, or a bug in an expression.
    #[error("DynamoDB refused to {operation}: {reason}")]
    Rejected {
        /// What was asked of it.
        operation: &'static str,
        /// What it said.
        reason: String,
    },
    /// An item is not what this service writes.
    #[error("the item {key} is malformed: {reason}")]
    Malformed {
        /// Its key.
        key: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl Fault {
    /// Whether the same request may succeed in a moment.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable { .. } | Self::Throttled { .. })
    }
}

impl From<MalformedText> for Fault {
    fn from(malformed: MalformedText) -> Self {
        Self::Malformed { key: "in a text".to_owned(), reason: malformed.to_string() }
    }
}

/// Why a call was not served: a decision, or a fault.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// A "no" that the caller must hear.
    #[error("refused: {0:?}")]
    Refused(Refusal),
    /// An outage or a bug.
    #[error("fault")]
    Fault(#[from] Fault),
}

impl Failure {
    /// Whether the request is decided by it: the same one would hear the same again. Otherwise nothing was decided.
    #[must_use]
    pub fn is_final(&self) -> bool {
        matches!(self, Self::Refused(refusal) if *refusal != Refusal::Contended)
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// How an SDK error is to be met.
pub(crate) enum Class {
    /// A plain write met a transaction on the same item: try again at once, with jitter. The SDK does not.
    Conflict,
    /// The fault it is.
    Fault(Fault),
}

/// Sorts an SDK error by its code. Codes: DynamoDB Developer Guide, "Error handling with DynamoDB".
pub(crate) fn classify<E, R>(operation: &'static str, error: &SdkError<E, R>) -> Class
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
    R: std::fmt::Debug + 'static,
{
    let Some(service) = error.as_service_error() else {
        let reason = DisplayErrorContext(error).to_string();
        return match error {
            SdkError::ConstructionFailure(_) => Class::Fault(Fault::Rejected { operation, reason }),
            _ => Class::Fault(Fault::Unavailable { operation, reason }),
        };
    };
    let code = service.code().unwrap_or_default();
    let reason = format!("{code}: {}", service.message().unwrap_or_default());
    match code {
        "TransactionConflictException" | "TransactionInProgressException" | "ReplicatedWriteConflictException" => {
            Class::Conflict
        }
        "ProvisionedThroughputExceededException" | "ThrottlingException" | "RequestLimitExceeded" => {
            Class::Fault(Fault::Throttled { operation, reason })
        }
        "InternalServerError" | "ServiceUnavailable" | "InternalFailure" | "" => {
            Class::Fault(Fault::Unavailable { operation, reason })
        }
        // Its sender stood still, or it was under way for so long that its signature died: signed anew it may succeed.
        "InvalidSignatureException" if service.message().is_some_and(|said| said.starts_with("Signature expired")) => {
            Class::Fault(Fault::Unavailable { operation, reason })
        }
        _ => Class::Fault(Fault::Rejected { operation, reason }),
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_dynamodb::{error::ErrorMetadata, operation::get_item::GetItemError};

    use super::*;

    #[test]
    fn what_may_succeed_in_a_moment_is_told_from_what_will_not() {
        let cases = [
            ("ThrottlingException", "Rate exceeded", true),
            ("InternalServerError", "Internal server error", true),
            (
                "InvalidSignatureException",
                "Signature expired: 20270115T080000Z is now earlier than 20270115T080100Z",
                true,
            ),
            ("InvalidSignatureException", "The request signature we calculated does not match", false),
            ("ValidationException", "Invalid expression", false),
            ("AccessDeniedException", "not authorized", false),
        ];
        for (code, message, transient) in cases {
            let error = GetItemError::generic(ErrorMetadata::builder().code(code).message(message).build());
            match classify("read an item", &SdkError::service_error(error, ())) {
                Class::Fault(fault) => assert_eq!(fault.is_transient(), transient, "{code}: {message}"),
                Class::Conflict => panic!("{code} is no conflict"),
            }
        }
    }
}
