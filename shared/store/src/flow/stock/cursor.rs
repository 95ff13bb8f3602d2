//! Cursors: the place in a list, made opaque. The keys around it are derived.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use domain::refusal::{FieldError, Refusal};

use crate::{Item, item::text, keys};

/// The cursor of a place.
pub(crate) fn opaque(rank: String) -> String {
    URL_SAFE_NO_PAD.encode(rank)
}

/// The place that a cursor names, as DynamoDB wants it: a text that no place in such a list can have is refused here.
pub(crate) fn after(cursor: &str, list: &str, key_at: impl Fn(&str) -> Option<String>) -> Result<Item, Refusal> {
    let named = || {
        let rank = String::from_utf8(URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()?;
        Some((key_at(&rank)?, rank))
    };
    let Some((key, rank)) = named() else {
        let detail = "must be a `next_cursor` of the same list".to_owned();
        return Err(Refusal::InvalidRequest { errors: vec![FieldError { field: "cursor".to_owned(), detail }] });
    };
    Ok(place(list, key, rank))
}

/// A place in a list, as DynamoDB wants it.
pub(crate) fn place(list: &str, key: String, rank: String) -> Item {
    Item::from([
        (keys::PK.to_owned(), text(key)),
        (keys::LIST.to_owned(), text(list)),
        (keys::RANK.to_owned(), text(rank)),
    ])
}
