//! What is kept of a marketplace's line beside its record: what it lacked when it was recorded, and what came back since.

use domain::{
    ids::ReservationId,
    sale::{Aftermath, ForcedSale, Parts},
};

use super::{Reader, as_instant, as_more_than_zero, as_number, instant, number, parsed, text};
use crate::{Fault, Item, keys};

/// The item of an order that was recorded although units were missing.
pub(crate) fn encode_forced(id: &ReservationId, sale: &ForcedSale) -> Item {
    Item::from([
        (keys::PK.to_owned(), text(keys::shortfall_of_sale(id))),
        (keys::LIST.to_owned(), text(keys::SHORTFALL_LIST)),
        (keys::RANK.to_owned(), text(keys::sale_rank(sale.at, id))),
        ("channel".to_owned(), text(&sale.key.channel)),
        ("order".to_owned(), text(&sale.key.order)),
        ("line".to_owned(), text(&sale.key.line)),
        ("sku".to_owned(), text(&sale.sku)),
        ("quantity".to_owned(), number(sale.quantity.units())),
        ("missing".to_owned(), number(sale.missing)),
        ("at".to_owned(), instant(sale.at)),
    ])
}

/// The order in an item of the list of shortfalls; nothing if it is that of a count.
pub(crate) fn decode_forced(item: &Item) -> Result<Option<(ReservationId, ForcedSale)>, Fault> {
    let reader = Reader::new(item);
    if !item.contains_key("order") {
        return Ok(None);
    }
    let id = keys::name(reader.key).parse().map_err(|_| reader.malformed("its key names no reservation"))?;
    let key = domain::sale::SaleKey {
        channel: reader.required("channel", parsed)?,
        order: reader.required("order", parsed)?,
        line: reader.required("line", parsed)?,
    };
    let quantity: u64 = reader.required("quantity", as_number)?;
    let quantity = domain::quantity::Quantity::new(quantity).map_err(|_| reader.wrong("quantity"))?;
    let (sku, missing) = (reader.required("sku", parsed)?, reader.required("missing", as_more_than_zero)?);
    Ok(Some((id, ForcedSale { key, sku, quantity, missing, at: reader.required("at", as_instant)? })))
}

/// What has happened to the units of a sold line since.
pub(crate) fn decode_aftermath(item: &Item) -> Result<Aftermath, Fault> {
    let reader = Reader::new(item);
    Ok(Aftermath {
        returned: reader.optional("returned", as_more_than_zero)?.unwrap_or(0),
        shipped: reader.optional("shipped", as_number::<u64>)?.is_some(),
        canceled_at: reader.optional("canceled", as_instant)?,
        begun_at: reader.optional("begun", as_instant)?,
    })
}

/// The parts of a line whose quantity was changed; nothing of one that is as it was recorded.
pub(crate) fn decode_parts(item: &Item) -> Result<Option<Parts>, Fault> {
    Reader::new(item).optional("parts", parsed)
}
