//! A bucket: `a` free · `h` holds · `sold` · `w` watermark; a home also `lo`, `hi`, `g`, `v`, `peak`, `owed`, `unsold`, `joined`, and that of a
//! pool of what is to come `f`. The names are short because a hot bucket's bytes are money and time.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::AttributeValue;
use domain::{
    bucket::{Bucket, BucketId, Hold, Home, Role},
    ids::ReservationId,
};

use super::{Reader, as_instant, as_mark, as_more_than_zero, as_number, number, text};
use crate::{Fault, Item, keys};

/// The item of a bucket.
pub(crate) fn encode_bucket(id: &BucketId, bucket: &Bucket) -> Item {
    let holds = bucket.holds.iter().map(|(id, hold)| (id.to_string(), text(hold))).collect();
    let mut item = Item::from([
        (keys::PK.to_owned(), text(keys::bucket(id))),
        ("a".to_owned(), number(bucket.free)),
        ("h".to_owned(), AttributeValue::M(holds)),
        ("sold".to_owned(), number(bucket.sold)),
    ]);
    if let Some(watermark) = bucket.watermark {
        item.insert("w".to_owned(), number(watermark.epoch_seconds()));
    }
    match &bucket.role {
        Role::Home(home) => {
            item.insert("lo".to_owned(), number(home.first_child.into()));
            item.insert("hi".to_owned(), number(home.next_child.into()));
            item.insert("g".to_owned(), number(home.generation));
            item.insert("v".to_owned(), number(home.version));
            item.insert("peak".to_owned(), number(home.expected_peak_per_second));
            if home.shortfall > 0 {
                item.insert("owed".to_owned(), number(home.shortfall));
            }
            if home.given_back > 0 {
                item.insert("unsold".to_owned(), number(home.given_back));
            }
            if home.joined {
                item.insert("joined".to_owned(), number(1));
            }
            if id.stock.channel.is_incoming() {
                item.insert("f".to_owned(), number(home.arrived));
                item.insert(keys::LIST.to_owned(), text(keys::INCOMING_LIST));
                item.insert(keys::RANK.to_owned(), text(&id.stock.sku));
            } else {
                item.insert(keys::LIST.to_owned(), text(keys::STOCK_LIST));
                item.insert(keys::RANK.to_owned(), text(&id.stock));
            }
        }
        Role::Child { owes_home } => {
            if *owes_home {
                item.insert("owed".to_owned(), number(1));
            }
        }
    }
    item
}

/// The bucket in an item.
pub(crate) fn decode_bucket(item: &Item) -> Result<Bucket, Fault> {
    let reader = Reader::new(item);
    let id: BucketId = keys::name(reader.key).parse().map_err(|_| reader.malformed("its key names no bucket"))?;
    let role = if id.child.is_some() {
        Role::Child { owes_home: reader.optional("owed", as_mark)?.is_some() }
    } else {
        Role::Home(Home {
            first_child: reader.required("lo", as_number)?,
            next_child: reader.required("hi", as_number)?,
            generation: reader.required("g", as_number)?,
            version: reader.required("v", as_number)?,
            expected_peak_per_second: reader.required("peak", as_number)?,
            shortfall: reader.optional("owed", as_more_than_zero)?.unwrap_or(0),
            given_back: reader.optional("unsold", as_more_than_zero)?.unwrap_or(0),
            joined: reader.optional("joined", as_mark)?.is_some(),
            arrived: if id.stock.channel.is_incoming() { reader.required("f", as_number)? } else { 0 },
        })
    };
    Ok(Bucket {
        free: reader.required("a", as_number)?,
        holds: reader.required("h", as_holds)?,
        sold: reader.required("sold", as_number)?,
        watermark: reader.optional("w", as_instant)?,
        role,
    })
}

fn as_holds(value: &AttributeValue) -> Option<BTreeMap<ReservationId, Hold>> {
    let holds = value.as_m().ok()?.iter();
    holds.map(|(id, hold)| Some((id.parse().ok()?, super::parsed(hold)?))).collect()
}
