//! Against a real engine: the embedded one, or the server named by `DYNAMODB_ENDPOINT`. Each test has a table of its own.

mod budget;
mod conditions;
mod decide;
mod engine;
mod golden;
mod group_commit;
mod hot;
mod mishap;
mod movements;
mod reserve;
mod resolve;
mod retries;
