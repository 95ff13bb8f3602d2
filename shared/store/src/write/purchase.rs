//! A purchase order, and what is on its way of its SKUs: always changed together, in one transaction.
//!
//! - **Create** `attribute_not_exists(pk)`: a retry, or an alert that is acted upon twice, makes no second order.
//! - **Replace** `v`: of two who change an order from the same look, one is refused.
//! - **First**, **add**, **change** and **remove** an entry: the entry must be exactly as the order says it was, absent or of this value.
//!   What is on its way is never more or less than the orders say, and a difference would stop the order instead of growing.
//! - **Add** also `size(o)`: the item stays small enough for whoever asks what is available.
//! - `b` is there or not, as it was seen: where there is a pool of what is to come, it follows in the same transaction, and where one is
//!   made meanwhile the order is looked at again.
//! - **Mark** makes and changes `b`, in the generation that was seen.
//! - `g` rises with each: whoever reads this, then stock, then this again, sees whether anything changed.

use domain::{
    ids::{PurchaseOrderId, Sku},
    limits::MAX_ORDERS_ON_THEIR_WAY,
    purchase::{Backorders, Incoming, OnOrder, PurchaseOrder},
};

use crate::{
    item::{backorders, encode_on_order, encode_purchase_order, number, text},
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
    let on_order = OnOrder { orders: [(id.clone(), incoming)].into(), generation: 1, ..OnOrder::default() };
    Write::put(encode_on_order(sku, &on_order), "attribute_not_exists(pk)")
}

/// **Add** the entry of an order that had none.
pub(crate) fn add(sku: &Sku, id: &PurchaseOrderId, incoming: Incoming, seen: Backorders) -> Write {
    entry(sku, id, "SET o.#id = :new, g = g + :one", "attribute_not_exists(o.#id) AND size(o) < :max", seen)
        .value(":new", text(incoming))
        .value(":max", number(MAX_ORDERS_ON_THEIR_WAY as u64))
}

/// **Change** the entry of an order.
pub(crate) fn change(sku: &Sku, id: &PurchaseOrderId, before: Incoming, incoming: Incoming, seen: Backorders) -> Write {
    entry(sku, id, "SET o.#id = :new, g = g + :one", "o.#id = :seen", seen)
        .value(":new", text(incoming))
        .value(":seen", text(before))
}

/// **Remove** the entry of an order.
pub(crate) fn remove(sku: &Sku, id: &PurchaseOrderId, before: Incoming, seen: Backorders) -> Write {
    entry(sku, id, "SET g = g + :one REMOVE o.#id", "o.#id = :seen", seen).value(":seen", text(before))
}

/// **Mark** whether what is on its way may be promised, where `seen` is what there was, if there was anything.
pub(crate) fn mark(sku: &Sku, seen: Option<&OnOrder>, next: Backorders) -> Write {
    let Some(seen) = seen else {
        let nothing = OnOrder { generation: 1, backorders: next, ..OnOrder::default() };
        return Write::put(encode_on_order(sku, &nothing), "attribute_not_exists(pk)");
    };
    let condition = format!("g = :g AND {}", as_seen(seen.backorders));
    let write = Write::update(keys::on_order(sku), "SET b = :b, g = g + :one", condition)
        .value(":g", number(seen.generation))
        .value(":one", number(1));
    match backorders(next) {
        Some(mark) => write.value(":b", mark),
        // Nobody takes the mark away: the pool stays.
        None => write,
    }
}

fn entry(sku: &Sku, id: &PurchaseOrderId, expression: &str, condition: &str, seen: Backorders) -> Write {
    Write::update(keys::on_order(sku), expression, format!("{condition} AND {}", as_seen(seen)))
        .name("#id", id)
        .value(":one", number(1))
}

fn as_seen(backorders: Backorders) -> &'static str {
    if backorders.has_pool() { "attribute_exists(b)" } else { "attribute_not_exists(b)" }
}
