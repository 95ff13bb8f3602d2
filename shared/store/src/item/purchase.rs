//! A purchase order, `P#<id>`; and what is on its way of a SKU, `I#<sku>`: `o` map of purchase order → `<units>@<day>`, `g` raised by each
//! change, and where there is a pool of it `b`: 1 where more of it may be promised, else 0.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::AttributeValue;
use domain::{
    ids::{PurchaseOrderId, Sku},
    purchase::{Backorders, Incoming, OnOrder, PurchaseLine, PurchaseLines, PurchaseOrder},
    time::Day,
};

use super::{
    Reader, as_instant, as_list, as_number, as_text,
    erp::{as_side, encode_side},
    instant, number, parsed, text, texts,
};
use crate::{Fault, Item, keys};

/// The item of a purchase order.
pub(crate) fn encode_purchase_order(order: &PurchaseOrder) -> Item {
    let (list, rank) = keys::purchase_order_place(order);
    let mut item = Item::from([
        (keys::PK.to_owned(), text(keys::purchase_order(&order.id))),
        (keys::LIST.to_owned(), text(list)),
        (keys::RANK.to_owned(), text(rank)),
        ("v".to_owned(), number(order.version)),
        ("status".to_owned(), text(order.status.word())),
        ("supplier".to_owned(), text(&order.supplier)),
        ("channel".to_owned(), text(&order.channel)),
        ("lines".to_owned(), texts(order.lines.as_slice())),
        ("created_at".to_owned(), instant(order.created_at)),
        ("actor".to_owned(), text(&order.actor)),
        ("fingerprint".to_owned(), text(&order.fingerprint)),
    ]);
    let mut set = |name: &str, value: Option<AttributeValue>| {
        if let Some(value) = value {
            item.insert(name.to_owned(), value);
        }
    };
    set("currency", order.currency.as_ref().map(text));
    set("expected", order.expected_on.map(|day| number(day.epoch_days())));
    set("lead", order.lead_time_days.map(number));
    set("sent_at", order.sent_at.map(instant));
    set("closed_at", order.closed_at.map(instant));
    set("alert", order.alert.as_ref().map(text));
    set("erp", order.erp.as_ref().map(encode_side));
    item
}

/// The purchase order in an item.
pub(crate) fn decode_purchase_order(item: &Item) -> Result<PurchaseOrder, Fault> {
    let reader = Reader::new(item);
    let currency = reader.optional("currency", parsed)?;
    let listed: Vec<PurchaseLine> = reader.required("lines", as_list)?;
    let lines = PurchaseLines::new(listed.clone(), currency.as_ref())
        .map_err(|error| reader.malformed(format!("lines {error}")))?;
    if lines.as_slice() != listed {
        return Err(reader.malformed("its lines are not in the order of their SKUs"));
    }
    Ok(PurchaseOrder {
        id: keys::name(reader.key).parse().map_err(|_| reader.malformed("its key names no purchase order"))?,
        status: reader.required("status", parsed)?,
        supplier: reader.required("supplier", parsed)?,
        channel: reader.required("channel", parsed)?,
        lines,
        currency,
        expected_on: reader.optional("expected", as_day)?,
        lead_time_days: reader.optional("lead", as_number)?,
        created_at: reader.required("created_at", as_instant)?,
        sent_at: reader.optional("sent_at", as_instant)?,
        closed_at: reader.optional("closed_at", as_instant)?,
        alert: reader.optional("alert", parsed)?,
        actor: reader.required("actor", as_text)?.to_owned(),
        fingerprint: reader.required("fingerprint", parsed)?,
        erp: reader.optional("erp", as_side)?,
        version: reader.required("v", as_number)?,
    })
}

/// The item of what is on its way of a SKU.
pub(crate) fn encode_on_order(sku: &Sku, on_order: &OnOrder) -> Item {
    let orders = on_order.orders.iter().map(|(id, incoming)| (id.to_string(), text(incoming))).collect();
    let mut item = Item::from([
        (keys::PK.to_owned(), text(keys::on_order(sku))),
        ("o".to_owned(), AttributeValue::M(orders)),
        ("g".to_owned(), number(on_order.generation)),
    ]);
    if let Some(mark) = backorders(on_order.backorders) {
        item.insert("b".to_owned(), mark);
    }
    item
}

/// The mark of a SKU with a pool of what is to come.
pub(crate) fn backorders(backorders: Backorders) -> Option<AttributeValue> {
    match backorders {
        Backorders::Never => None,
        Backorders::Closed => Some(number(0)),
        Backorders::Open => Some(number(1)),
    }
}

/// What is on its way, in an item; and of which SKU.
pub(crate) fn decode_on_order(item: &Item) -> Result<(Sku, OnOrder), Fault> {
    let reader = Reader::new(item);
    let sku = keys::name(reader.key).parse().map_err(|_| reader.malformed("its key names no SKU"))?;
    let orders = reader.required("o", as_incoming)?;
    let backorders = reader.optional("b", |value| match as_number(value)? {
        0_u64 => Some(Backorders::Closed),
        1 => Some(Backorders::Open),
        _ => None,
    })?;
    Ok((
        sku,
        OnOrder { orders, generation: reader.required("g", as_number)?, backorders: backorders.unwrap_or_default() },
    ))
}

fn as_day(value: &AttributeValue) -> Option<Day> {
    as_number(value).map(Day::from_epoch_days)
}

fn as_incoming(value: &AttributeValue) -> Option<BTreeMap<PurchaseOrderId, Incoming>> {
    let orders = value.as_m().ok()?.iter();
    orders.map(|(id, incoming)| Some((id.parse().ok()?, parsed(incoming)?))).collect()
}
