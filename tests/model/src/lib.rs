//! The protocol of `infra/docs/PROTOCOL.md` as a model, searched exhaustively in small worlds; see `README.md`.
//!
//! A state ([`config`] makes the first, `state` says what is in it) leads to others by what may happen next (`model`): a process takes
//! a step (`process`, with `take`, `decide`, `batch` and `resolve`), a write that is under way arrives, a record is deleted, time
//! passes. Only `write` changes the table. [`check`] searches all states and asks `invariants` about each; a schedule that breaks
//! one is told in `words`. [`rules`] names what can be left out, [`configurations`] the worlds that are searched.

mod batch;
pub mod check;
pub mod config;
pub mod configurations;
mod decide;
mod invariants;
mod model;
mod process;
mod resolve;
pub mod rules;
mod state;
mod take;
mod words;
mod write;
