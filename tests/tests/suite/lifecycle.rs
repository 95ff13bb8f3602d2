//! What a shop can do, from the first delivery to the last page of movements.

mod documents;
mod expiry;
mod hot;
mod payment;
mod stock;
mod strategies;
