//! What every test needs: a shop with a service of its own, calls, answers that check themselves against the contract, and a
//! DynamoDB that fails on demand.

mod answer;
mod call;
mod contract;
mod flaky;
mod shop;
mod vendor;

pub use answer::Answer;
pub use call::{Api, Call, at_once};
pub use contract::{Contract, OPENAPI};
pub use flaky::{Fate, Flaky};
pub use shop::{Shop, Units, external_dynamodb, order_message, order_message_of, timer_message};
pub use vendor::Vendor;

/// Waiting for what happens in the background ends here: long, for a slow machine; whoever waits in vain has failed.
pub const PATIENCE: std::time::Duration = std::time::Duration::from_mins(2);
