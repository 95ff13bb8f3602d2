//! A simulator that tries to oversell. The real handlers, the real store and the real AWS SDK, with its retries and timeouts, run over
//! an in-memory DynamoDB and SQS behind the SDK's HTTP connector, on one thread, in virtual time, from one seed.
//!
//! | module | holds |
//! |---|---|
//! | [`expression`], [`table`] | DynamoDB, as far as Holdfast uses it |
//! | [`item`] | its items, as the SDK and the store read them |
//! | [`network`], [`arrival`] | requests lost, late, copied, answered wrongly |
//! | [`function`], [`frailty`], [`clock`] | functions frozen and killed between any two steps, with clocks that are up to 30 seconds wrong |
//! | [`shopper`], [`order`], [`merchant`] | shoppers who retry, pay late, pay twice, cancel, vanish and come back; merchants who receive and count |
//! | [`marketplace`] | marketplaces that tell what they have sold, again and out of order, and what must be recorded of it |
//! | [`divider`] | merchants who divide what there is among channels, and what must be so of that |
//! | [`aws`] | the table's stream, the queues and the time to live |
//! | [`world`] | what all of them share; after every change of the table the invariants I1 to I4 are checked |
//! | [`promises`] | what callers were told, compared with what is recorded once all is quiet |
//! | [`quiet`] | what must be so once nothing goes wrong any more: nothing leaks, and what is free is sold |
//! | [`plan`], [`run`] | what a seed decides; one seed from beginning to end |
//! | [`search`] | many seeds, and the shortest plan that still fails |

pub mod arrival;
pub mod aws;
pub mod clock;
#[cfg(test)]
mod compare;
pub mod divider;
pub mod expression;
pub mod frailty;
pub mod function;
pub mod item;
pub mod marketplace;
pub mod merchant;
pub mod network;
pub mod order;
pub mod plan;
pub mod promises;
pub mod quiet;
pub mod run;
pub mod search;
pub mod shopper;
pub mod table;
pub mod world;

/// What is sold. The first is hot, and split from time to time.
pub const SKUS: [&str; 4] = ["hot", "tea", "mug", "cup"];

/// For how long most shoppers hold; a function that stands still may wake up just when a hold ends.
pub const HOLD_SECONDS: [u64; 3] = [300, 600, 900];
