//! A movement: written once, in the same transaction as the change that it explains.

use domain::{
    bucket::StockId,
    movement::{Movement, MovementKind},
};

use super::{Reader, as_channel, as_instant, as_more_than_zero, as_number, as_text, instant, number, parsed, text};
use crate::{Fault, Item, keys};

/// The item of a movement.
pub(crate) fn encode_movement(movement: &Movement) -> Item {
    let signed = |value: i64| aws_sdk_dynamodb::types::AttributeValue::N(value.to_string());
    let mut item = Item::from([
        (keys::PK.to_owned(), text(keys::movement(&movement.id))),
        (keys::LIST.to_owned(), text(keys::movement_list(&movement.stock))),
        (keys::RANK.to_owned(), text(keys::movement_rank(movement))),
        ("sku".to_owned(), text(&movement.stock.sku)),
        ("channel".to_owned(), text(&movement.stock.channel)),
        ("kind".to_owned(), text(movement.kind.word())),
        ("quantity".to_owned(), signed(movement.kind.quantity())),
        ("delta".to_owned(), signed(movement.delta)),
        ("reason".to_owned(), text(&movement.reason)),
        ("actor".to_owned(), text(&movement.actor)),
        ("at".to_owned(), instant(movement.at)),
        ("fingerprint".to_owned(), text(&movement.fingerprint)),
    ]);
    if movement.shortfall > 0 {
        item.insert("shortfall".to_owned(), number(movement.shortfall));
    }
    if let Some(other) = &movement.other {
        item.insert("other".to_owned(), text(other));
    }
    item
}

/// The movement in an item.
pub(crate) fn decode_movement(item: &Item) -> Result<Movement, Fault> {
    let reader = Reader::new(item);
    let quantity = reader.required("quantity", as_number)?;
    let kind = reader.required("kind", |value| MovementKind::from_parts(as_text(value)?, quantity))?;
    let is_transfer = matches!(kind, MovementKind::Transfer(_));
    let other = reader.optional("other", as_channel)?;
    if is_transfer != other.is_some() {
        return Err(reader.malformed("another channel is named if and only if units changed channels"));
    }
    Ok(Movement {
        id: keys::name(reader.key).parse().map_err(|_| reader.malformed("its key names no movement"))?,
        stock: StockId { sku: reader.required("sku", parsed)?, channel: reader.required("channel", as_channel)? },
        kind,
        delta: reader.required("delta", as_number)?,
        shortfall: reader.optional("shortfall", as_more_than_zero)?.unwrap_or(0),
        other,
        reason: reader.required("reason", parsed)?,
        actor: reader.required("actor", as_text)?.to_owned(),
        at: reader.required("at", as_instant)?,
        fingerprint: reader.required("fingerprint", parsed)?,
    })
}
