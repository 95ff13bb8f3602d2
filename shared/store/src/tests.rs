//! Against a real engine: the embedded one, or the server named by `DYNAMODB_ENDPOINT`. Each test has a table of its own.

mod backorders;
mod budget;
mod conditions;
mod decide;
mod engine;
mod golden;
mod group_commit;
mod hot;
mod in_flight;
mod listing;
mod mishap;
mod movements;
mod pools;
mod purchase;
mod quotas;
mod redistribution;
mod replenishment;
mod reserve;
mod resized;
mod resolve;
mod retries;
mod revival;
mod sale;
mod transfers;
