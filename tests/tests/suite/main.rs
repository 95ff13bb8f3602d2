//! The whole service, called over HTTP as a shop calls it. Each test starts a stack of its own, with a table of its own, and ends
//! with an audit of everything that is stored.
//!
//! | module | shows |
//! |---|---|
//! | [`alarms`] | that whoever is to be woken is: every alarm in a log is counted, rings, and is explained |
//! | [`failures`] | that what made other systems oversell does not happen here, one test for each reported case |
//! | [`races`] | that many at once get one decision |
//! | [`bad_input`] | that a request that is wrong says where, and changes nothing |
//! | [`lifecycle`] | what a shop can do, from the first delivery to the last page of movements |
//! | [`channels`] | that what channels show follows what there is, and that what they sell is recorded |
//! | [`contract`] | that `infra/openapi.yaml` names every answer, and that every answer it names can be had |
//! | [`purchasing`] | that what is ordered from suppliers is on its way once and comes once, and that shoppers hear when; and that what is promised before it comes is kept |
//! | [`queue`] | that orders which wait are decided once and in turn, whatever happens to their messages |
//! | [`quotas`] | that units change channels as a merchant or a rule wants it, and that a channel sells exactly its own |
//! | [`replenishment`] | that what sells is counted once, and that one shortage is one alert and one order |
//! | [`protocol`] | what is left when the service is killed in the middle |
//!
//! The engine is the embedded one, or the server at `DYNAMODB_ENDPOINT`:
//! `DYNAMODB_ENDPOINT=http://127.0.0.1:8000 cargo test -p holdfast-tests`.

mod alarms;
mod bad_input;
mod channels;
mod contract;
mod failures;
mod lifecycle;
mod protocol;
mod purchasing;
mod queue;
mod quotas;
mod races;
mod replenishment;
mod support;
