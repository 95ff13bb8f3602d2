//! Reading the table's stream: which holds are new, and which a deleted reservation leaves behind.

use domain::{
    bucket::{BucketId, Hold, StockId},
    ids::{AlertId, Channel, ReservationId, Sku},
};

use crate::{
    Fault, Item,
    item::{decode_bucket, decode_reservation, is_untold, status},
    keys,
};

/// A hold that somebody must look at once its time is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArmedHold {
    /// Where it is.
    pub bucket: BucketId,
    /// Whose it is.
    pub id: ReservationId,
    /// The exact hold.
    pub hold: Hold,
}

/// The holds in a bucket's new image that are not in its old one. None for other items, and for a deletion.
///
/// Each *hold* arms a timer, not each reservation: the attempt that made it may have died before it recorded anything.
///
/// # Errors
/// [`Fault::Malformed`] when an image is not what this service writes.
pub fn new_holds(old: Option<&Item>, new: Option<&Item>) -> Result<Vec<ArmedHold>, Fault> {
    let Some((bucket, new)) = new.map(bucket_in).transpose()?.flatten() else {
        return Ok(Vec::new());
    };
    let old = old.map(bucket_in).transpose()?.flatten();
    let is_new = |id: &ReservationId, hold: &Hold| old.as_ref().is_none_or(|(_, old)| old.holds.get(id) != Some(hold));
    let holds = new.holds.into_iter().filter(|(id, hold)| is_new(id, hold));
    Ok(holds.map(|(id, hold)| ArmedHold { bucket: bucket.clone(), id, hold }).collect())
}

/// The holds that a deleted reservation names. None for other items.
///
/// # Errors
/// [`Fault::Malformed`] when the image is not what this service writes.
pub fn holds_of_removed_reservation(old: &Item) -> Result<Vec<ArmedHold>, Fault> {
    let key = keys::of(old);
    if !matches!(keys::kind(key), keys::Kind::Reservation) {
        return Ok(Vec::new());
    }
    let record = decode_reservation(old)?;
    let holds = record.allocations.into_iter();
    Ok(holds.map(|own| ArmedHold { bucket: own.bucket, id: record.id.clone(), hold: own.hold }).collect())
}

/// The stock of a bucket whose free units or open shortfall changed, or that a channel sells from no longer; and with that what can be
/// sold. None for other items.
#[must_use]
pub fn stock_with_other_units(old: Option<&Item>, new: Option<&Item>) -> Option<StockId> {
    let key = keys::of(new.or(old)?);
    if !matches!(keys::kind(key), keys::Kind::Bucket) {
        return None;
    }
    let units = |item: Option<&Item>| item.map(|item| ["a", "owed", "joined"].map(|name| item.get(name).cloned()));
    let id: BucketId = keys::name(key).parse().ok()?;
    (units(old) != units(new)).then_some(id.stock)
}

/// The reservation that is confirmed and not counted among the sales of its day. None for other items.
#[must_use]
pub fn uncounted_sale(new: Option<&Item>) -> Option<ReservationId> {
    let item = new.filter(|item| !item.contains_key("counted"))?;
    let confirmed = item.get("status").and_then(|word| word.as_s().ok()).is_some_and(|word| word == status::CONFIRMED);
    keys::reservation_of(keys::of(item)).filter(|_| confirmed)
}

/// The SKU of which there are other units, or of which others are on their way; and with that perhaps too few. None for other items.
#[must_use]
pub fn sku_with_other_position(old: Option<&Item>, new: Option<&Item>) -> Option<Sku> {
    let incoming = || keys::on_order_of(keys::of(new.or(old)?)).filter(|_| old != new);
    stock_with_other_units(old, new).map(|stock| stock.sku).or_else(incoming)
}

/// The alert that has opened and of which nobody was told. None for other items.
#[must_use]
pub fn untold_alert(new: Option<&Item>) -> Option<AlertId> {
    new.filter(|item| is_untold(item)).and_then(|item| keys::alert_of(keys::of(item)))
}

/// The channel whose settings changed, and with them perhaps what it shows. None for other items.
#[must_use]
pub fn channel_with_other_settings(old: Option<&Item>, new: Option<&Item>) -> Option<Channel> {
    let changed = old != new;
    new.filter(|_| changed).and_then(|item| keys::of(item).strip_prefix(keys::CHANNEL)?.parse().ok())
}

fn bucket_in(item: &Item) -> Result<Option<(BucketId, domain::bucket::Bucket)>, Fault> {
    let key = keys::of(item);
    if !matches!(keys::kind(key), keys::Kind::Bucket) {
        return Ok(None);
    }
    let id = keys::name(key).parse()?;
    Ok(Some((id, decode_bucket(item)?)))
}
