//! How other systems oversold, case by case: each test bears the case's name and says what its users reported.
//!
//! Every test also names the line of this project that keeps the case from happening: break it, and the test fails.

mod channels;
mod concurrency;
mod drift;
mod expiry;
mod listings;
mod reorder;
mod same_sku;
mod twice;
