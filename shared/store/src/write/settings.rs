//! The settings of a SKU in a channel; the first write of them makes its home.
//!
//! - **Create** `attribute_not_exists(pk)`: units are never overwritten by a repeated creation.
//! - **Change** `v`: with `If-Match`, only the version that the merchant saw is replaced.

use std::collections::BTreeMap;

use domain::{
    bucket::{Bucket, Home, Role, StockId},
    stock::Settings,
};

use crate::{
    item::{encode_bucket, number},
    keys,
    table::Write,
};

/// **Create** an empty home.
pub(crate) fn create(stock: &StockId, settings: Settings) -> Write {
    let home = Home { version: 1, expected_peak_per_second: settings.expected_peak_per_second, ..Home::default() };
    let bucket = Bucket { free: 0, holds: BTreeMap::new(), sold: 0, watermark: None, role: Role::Home(home) };
    Write::put(encode_bucket(&stock.home(), &bucket), "attribute_not_exists(pk)")
}

/// **Change** the settings of an existing home.
pub(crate) fn change(stock: &StockId, settings: Settings, if_match: Option<u64>) -> Write {
    let condition = if if_match.is_some() { "v = :seen" } else { "attribute_exists(pk)" };
    let write = Write::update(keys::bucket(&stock.home()), "SET v = v + :one, peak = :peak", condition)
        .value(":one", number(1))
        .value(":peak", number(settings.expected_peak_per_second));
    match if_match {
        Some(seen) => write.value(":seen", number(seen)),
        None => write,
    }
}
