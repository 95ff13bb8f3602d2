//! Keys and attribute names. `#` separates the parts of a key; no id can contain it.

use domain::{
    bucket::{BucketId, StockId},
    ids::{AlertId, Channel, MovementId, PurchaseOrderId, ReservationId, Sku},
    listing::ListingId,
    movement::Movement,
    purchase::PurchaseOrder,
    time::{Day, Timestamp},
};

/// Partition key; there is no sort key.
pub(crate) const PK: &str = "pk";

/// The sparse index that lists homes, movements, shortfalls, rules, channels, listings, marketplaces' lines, backorders and purchase orders.
/// No write of a bucket touches it.
pub(crate) const INDEX: &str = "lists";
/// Partition key of the index: which list.
pub(crate) const LIST: &str = "list";
/// Sort key of the index: the order in the list.
pub(crate) const RANK: &str = "rank";

/// The list of all homes.
pub(crate) const STOCK_LIST: &str = "stock";
/// The list of all pools of what is to come, by SKU. They are in no other list: nobody counts, divides or shows what has not come.
pub(crate) const INCOMING_LIST: &str = "incoming";
/// The list of reservations and orders with units of such pools, by the time of their promise.
pub(crate) const BACKORDER_LIST: &str = "backorders";
/// The list of all shortfalls.
pub(crate) const SHORTFALL_LIST: &str = "shortfalls";
/// The list of all channels that have settings.
pub(crate) const CHANNEL_LIST: &str = "channels";

/// The list of all rules by which units are divided anew.
pub(crate) const RULE_LIST: &str = "redistributions";

/// The list of all SKUs that are reordered.
pub(crate) const TERMS_LIST: &str = "replenishment";
/// The list of alerts that are open.
pub(crate) const ALERT_LIST: &str = "alerts";
/// The list of alerts that are closed.
pub(crate) const CLOSED_ALERT_LIST: &str = "alerts-closed";

const BUCKET: &str = "S#";
const RESERVATION: &str = "R#";
const MOVEMENT: &str = "M#";
const SHORTFALL: &str = "X#";
const LISTING: &str = "L#";
const SYNC: &str = "T#";
const PULL: &str = "Y#";
pub(crate) const CHANNEL: &str = "C#";
const AFTERMATH: &str = "B#";
const RULE: &str = "Q#";
/// The settings of the merchant's ERP.
pub(crate) const ERP: &str = "E#settings";
const ERP_PREFIX: &str = "E#";
const PURCHASE_ORDER: &str = "P#";
const ON_ORDER: &str = "I#";
const TERMS: &str = "N#";
const LEARNED: &str = "U#";
const SALES: &str = "D#";
const ALERT: &str = "A#";

/// What a key is for.
pub(crate) enum Kind {
    Bucket,
    Reservation,
    Movement,
    Shortfall,
    Aftermath,
    PurchaseOrder,
    OnOrder,
    /// What says nothing about units: what a merchant has set, and how far a channel has followed.
    Settings,
    Unknown,
}

/// Reads what a key is for.
pub(crate) fn kind(key: &str) -> Kind {
    match key.get(..2) {
        Some(BUCKET) => Kind::Bucket,
        Some(RESERVATION) => Kind::Reservation,
        Some(MOVEMENT) => Kind::Movement,
        Some(SHORTFALL) => Kind::Shortfall,
        Some(AFTERMATH) => Kind::Aftermath,
        Some(PURCHASE_ORDER) => Kind::PurchaseOrder,
        Some(ON_ORDER) => Kind::OnOrder,
        Some(CHANNEL | LISTING | SYNC | PULL | RULE | ERP_PREFIX | TERMS | LEARNED | SALES | ALERT) => Kind::Settings,
        _ => Kind::Unknown,
    }
}

pub(crate) fn bucket(id: &BucketId) -> String {
    format!("{BUCKET}{id}")
}

pub(crate) fn reservation(id: &ReservationId) -> String {
    format!("{RESERVATION}{id}")
}

pub(crate) fn movement(id: &MovementId) -> String {
    format!("{MOVEMENT}{id}")
}

pub(crate) fn shortfall(id: &MovementId) -> String {
    format!("{SHORTFALL}{id}")
}

pub(crate) fn listing(id: &ListingId) -> String {
    format!("{LISTING}{id}")
}

pub(crate) fn sync(id: &ListingId) -> String {
    format!("{SYNC}{id}")
}

pub(crate) fn pull(channel: &Channel) -> String {
    format!("{PULL}{channel}")
}

/// The list of a channel's listings, by SKU.
pub(crate) fn listing_list(channel: &Channel) -> String {
    format!("listings#{channel}")
}

/// The list of a channel's listings that somebody has to look at, by SKU.
pub(crate) fn unsettled_list(channel: &Channel) -> String {
    format!("unsettled#{channel}")
}

/// The list of a channel's settled listings that are read again, by the time.
pub(crate) fn check_list(channel: &Channel) -> String {
    format!("checks#{channel}")
}

/// The place in that list.
pub(crate) fn check_rank(at: Timestamp, sku: &Sku) -> String {
    format!("{:012}#{sku}", at.epoch_seconds())
}

/// The end of the places in that list of those that are due: everything before it is.
pub(crate) fn check_rank_after(now: Timestamp) -> String {
    format!("{:012}", now.epoch_seconds() + 1)
}

/// The key of the listing of this channel at this place in that list.
pub(crate) fn check_at(channel: &Channel, rank: &str) -> Option<String> {
    unsettled_at(channel, rank.split_once('#')?.1)
}

/// The key of the listing of this channel at this place in the list of them; nothing if none can be there.
pub(crate) fn listing_at(channel: &Channel, rank: &str) -> Option<String> {
    Some(listing(&ListingId { channel: channel.clone(), sku: rank.parse().ok()? }))
}

/// As [`listing_at`], in the list of those that somebody has to look at.
pub(crate) fn unsettled_at(channel: &Channel, rank: &str) -> Option<String> {
    Some(sync(&ListingId { channel: channel.clone(), sku: rank.parse().ok()? }))
}

/// The settings of a channel.
pub(crate) fn channel(channel: &Channel) -> String {
    format!("{CHANNEL}{channel}")
}

/// What has happened to the units of a sold line since.
pub(crate) fn aftermath(id: &ReservationId) -> String {
    format!("{AFTERMATH}{id}")
}

/// What an order lacked when it was recorded.
pub(crate) fn shortfall_of_sale(id: &ReservationId) -> String {
    format!("{SHORTFALL}{id}")
}

/// The list of what was sold of a SKU at a marketplace.
pub(crate) fn sale_list(stock: &StockId) -> String {
    format!("sales#{}#{}", stock.channel, stock.sku)
}

/// By time, then by id.
pub(crate) fn sale_rank(at: Timestamp, id: &ReservationId) -> String {
    format!("{:010}#{id}", at.epoch_seconds())
}

/// The first place after all that was sold in the second of `at`, or before.
pub(crate) fn sale_rank_after(at: Timestamp) -> String {
    format!("{:010}#", at.plus_seconds(1).epoch_seconds())
}

/// The key of the sale at this place in a list of sales; nothing if none can be there.
pub(crate) fn sale_at(rank: &str) -> Option<String> {
    let (_, id) = rank.split_once('#')?;
    id.parse().ok().as_ref().map(reservation)
}

/// The place of an item in its list.
pub(crate) fn rank_of(item: &crate::Item) -> &str {
    item.get(RANK).and_then(|rank| rank.as_s().ok()).map_or("", String::as_str)
}

pub(crate) fn rule(sku: &Sku) -> String {
    format!("{RULE}{sku}")
}

pub(crate) fn purchase_order(id: &PurchaseOrderId) -> String {
    format!("{PURCHASE_ORDER}{id}")
}

/// What is on its way of a SKU.
pub(crate) fn on_order(sku: &Sku) -> String {
    format!("{ON_ORDER}{sku}")
}

/// The list of purchase orders that are open, or of those that are closed.
pub(crate) fn purchase_list(closed: bool) -> &'static str {
    if closed { "purchase-orders-closed" } else { "purchase-orders" }
}

/// What the places in that list begin with.
pub(crate) fn purchase_rank_prefix(closed: bool) -> &'static str {
    if closed { "c" } else { "o" }
}

/// The list of a purchase order, and its place in it: by time, then by id. One that is canceled is open until it is in the ERP as well.
pub(crate) fn purchase_order_place(order: &PurchaseOrder) -> (&'static str, String) {
    let closed = order.status.is_final() && !order.is_to_be_withdrawn();
    let rank = format!("{}{:010}#{}", purchase_rank_prefix(closed), order.created_at.epoch_seconds(), order.id);
    (purchase_list(closed), rank)
}

/// The key of the purchase order at this place in either list; nothing if none can be there.
pub(crate) fn purchase_order_at(rank: &str) -> Option<String> {
    let (seconds, id) = rank.strip_prefix(['o', 'c'])?.split_once('#')?;
    let is_time = seconds.len() == 10 && seconds.bytes().all(|byte| byte.is_ascii_digit());
    is_time.then(|| id.parse().ok().as_ref().map(purchase_order)).flatten()
}

/// What the places of a SKU's homes begin with in the list of all homes.
pub(crate) fn homes_of(sku: &Sku) -> String {
    format!("{sku}#")
}

/// The key of the pool of what is to come at this place in the list of them; nothing if none can be there.
pub(crate) fn incoming_at(rank: &str) -> Option<String> {
    let sku: Sku = rank.parse().ok()?;
    Some(bucket(&StockId { sku, channel: Channel::incoming() }.home()))
}

/// The key of the rule at this place in the list of rules; nothing if no rule can be there.
pub(crate) fn rule_at(rank: &str) -> Option<String> {
    rank.parse().ok().as_ref().map(rule)
}

/// When and from whom a SKU is ordered.
pub(crate) fn terms(sku: &Sku) -> String {
    format!("{TERMS}{sku}")
}

/// The key of the terms at this place in the list of them; nothing if none can be there.
pub(crate) fn terms_at(rank: &str) -> Option<String> {
    rank.parse().ok().as_ref().map(terms)
}

/// What is learned of a SKU's sales.
pub(crate) fn learned(sku: &Sku) -> String {
    format!("{LEARNED}{sku}")
}

/// What a SKU sold on a day: the key ends in whole days since 1970.
pub(crate) fn day_of_sales(sku: &Sku, day: Day) -> String {
    format!("{SALES}{sku}#{}", day.epoch_days())
}

pub(crate) fn alert(id: &AlertId) -> String {
    format!("{ALERT}{id}")
}

/// The place of an alert in its list: by time, then by id.
pub(crate) fn alert_rank(at: Timestamp, id: &AlertId) -> String {
    format!("{:010}#{id}", at.epoch_seconds())
}

/// The key of the alert at this place in a list of alerts; nothing if none can be there.
pub(crate) fn alert_at(rank: &str) -> Option<String> {
    let (seconds, id) = rank.split_once('#')?;
    let is_time = seconds.len() == 10 && seconds.bytes().all(|byte| byte.is_ascii_digit());
    is_time.then(|| id.parse().ok().as_ref().map(alert)).flatten()
}

/// The alert of this key; nothing if it is that of something else.
pub(crate) fn alert_of(key: &str) -> Option<AlertId> {
    key.strip_prefix(ALERT)?.parse().ok()
}

/// The SKU of which this key says what is on its way; nothing if it is that of something else.
pub(crate) fn on_order_of(key: &str) -> Option<Sku> {
    key.strip_prefix(ON_ORDER)?.parse().ok()
}

/// The reservation of this key; nothing if it is that of something else.
pub(crate) fn reservation_of(key: &str) -> Option<ReservationId> {
    key.strip_prefix(RESERVATION)?.parse().ok()
}

/// The key of an item.
pub(crate) fn of(item: &crate::Item) -> &str {
    item.get(PK).and_then(|key| key.as_s().ok()).map_or("", String::as_str)
}

/// The rest of a key after its two-character prefix.
pub(crate) fn name(key: &str) -> &str {
    key.get(2..).unwrap_or_default()
}

/// The key of the home at this place in the list of all homes; nothing if no home can be there.
pub(crate) fn home_at(rank: &str) -> Option<String> {
    let id: BucketId = rank.parse().ok()?;
    id.child.is_none().then(|| bucket(&id))
}

/// The key of the movement at this place in a list of movements; nothing if no movement can be there.
pub(crate) fn movement_at(rank: &str) -> Option<String> {
    movement_in(rank).as_ref().map(movement)
}

/// The key of the shortfall at this place in the list of shortfalls; nothing if no shortfall can be there.
pub(crate) fn shortfall_at(rank: &str) -> Option<String> {
    movement_in(rank).as_ref().map(shortfall)
}

fn movement_in(rank: &str) -> Option<MovementId> {
    let (seconds, id) = rank.split_once('#')?;
    let is_time = seconds.len() == 10 && seconds.bytes().all(|byte| byte.is_ascii_digit());
    is_time.then(|| id.parse().ok()).flatten()
}

/// The key of the movement whose shortfall has this key.
pub(crate) fn movement_of_shortfall(key: &str) -> String {
    format!("{MOVEMENT}{}", name(key))
}

/// The list of a SKU's movements.
pub(crate) fn movement_list(stock: &StockId) -> String {
    format!("movements#{stock}")
}

/// By time, then by id. Ten digits of epoch seconds sort as text until the year 2286.
pub(crate) fn movement_rank(movement: &Movement) -> String {
    format!("{:010}#{}", movement.at.epoch_seconds(), movement.id)
}
