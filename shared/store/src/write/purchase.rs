//! A purchase order, and what is on its way of its SKUs: always changed together, in one transaction.
//!
//! - **Create** `attribute_not_exists(pk)`: a retry, or an alert that is acted upon twice, makes no second order.
//! - **Replace** `v`: of two who change an order from the same look, one is refused.
//! - **First**, **add**, **change** and **remove** an entry: the entry must be exactly as the order says it was, absent or of this value.
//!   What is on its way is never more or less than the orders say, and a difference would stop the order instead of growing.
//! - **Add** also `size(o)`: the item stays small enough for whoever asks what is available.
//! - `g` rises with each: whoever reads this, then stock, then this again, sees whether anything changed.

use domain::{
    ids::{PurchaseOrderId, Sku},
    limits::MAX_ORDERS_ON_THEIR_WAY,
    purchase::{Incoming, OnOrder, PurchaseOrder},
};

use crate::{
    item::{encode_on_order, encode_purchase_order, number, text},
    keys,
    table::Write,
};

/// **Create** an order.
pub(crate) fn create(order: &PurchaseOrder) -> Write {
    Write::put(encode_purchase_order(order), "attribute_not_exists(pk)")
}

/// **Replace** the version before.
pub(crate) fn replace(order: &PurchaseOrder) -> Write {
    Write::put(encode_purchase_order(order), "v = :seen").value(":seen", number(order.version - 1))
}

/// **First**: nothing was ever on its way of this SKU.
pub(crate) fn first(sku: &Sku, id: &PurchaseOrderId, incoming: Incoming) -> Write {
    let on_order = OnOrder { orders: [(id.clone(), incoming)].into(), generation: 1 };
    Write::put(encode_on_order(sku, &on_order), "attribute_not_exists(pk)")
}

/// **Add** the entry of an order that had none.
pub(crate) fn add(sku: &Sku, id: &PurchaseOrderId, incoming: Incoming) -> Write {
    entry(sku, id, "SET o.#id = :new, g = g + :one", "attribute_not_exists(o.#id) AND size(o) < :max")
        .value(":new", text(incoming))
        .value(":max", number(MAX_ORDERS_ON_THEIR_WAY as u64))
}

/// **Change** the entry of an order.
pub(crate) fn change(sku: &Sku, id: &PurchaseOrderId, seen: Incoming, incoming: Incoming) -> Write {
    entry(sku, id, "SET o.#id = :new, g = g + :one", "o.#id = :seen")
        .value(":new", text(incoming))
        .value(":seen", text(seen))
}

/// **Remove** the entry of an order.
pub(crate) fn remove(sku: &Sku, id: &PurchaseOrderId, seen: Incoming) -> Write {
    entry(sku, id, "SET g = g + :one REMOVE o.#id", "o.#id = :seen").value(":seen", text(seen))
}

fn entry(sku: &Sku, id: &PurchaseOrderId, expression: &str, condition: &str) -> Write {
    Write::update(keys::on_order(sku), expression, condition).name("#id", id).value(":one", number(1))
}
