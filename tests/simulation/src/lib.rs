//! A simulator that tries to oversell. The real handlers, the real store and the real AWS SDK, with its retries and timeouts, run over
//! an in-memory DynamoDB and SQS behind the SDK's HTTP connector, on one thread, in virtual time, from one seed.
//!
//! | module | holds |
//! |---|---|
//! | [`expression`], [`table`] | DynamoDB, as far as Holdfast uses it |
//! | [`network`] | requests lost, late, copied, answered wrongly |
//! | [`function`] | functions frozen and killed between any two steps, with clocks that are up to 30 seconds wrong |
//! | [`actors`] | shoppers who retry, pay late, pay twice, cancel and vanish; merchants; stream, timers, order queue and TTL |
//! | [`world`] | what all of them share; after every change of the table the invariants I1 to I4 are checked |
//! | [`promises`] | what callers were told, compared with what is recorded once all is quiet |
//! | [`run`] | one seed from beginning to end |

pub mod actors;
pub mod expression;
pub mod function;
pub mod network;
pub mod promises;
pub mod run;
pub mod table;
pub mod world;
