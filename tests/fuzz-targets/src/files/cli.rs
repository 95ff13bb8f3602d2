//! What reads the files is a part of a binary, on which nobody can depend: so its source is compiled here once more.

#[path = "../../../../infra/src/cli/baskets.rs"]
pub mod baskets;
#[path = "../../../../infra/src/cli/rows.rs"]
pub mod rows;

/// What a person is told.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Failure(String);
