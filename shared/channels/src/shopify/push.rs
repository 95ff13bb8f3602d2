//! Setting and reading quantities.
//!
//! One call sets many quantities, and Shopify's answer names those that it refuses by their place in the call. They are settled; the
//! others, of which nothing was set, are sent again. Where the answer names no place, the call is cut in half until it does not have to.
//! Each call has an idempotency key of its own, which derives from the keys of what it sets and from how often that was sent: a call whose
//! answer got lost is replayed by Shopify, not made twice.
//!
//! A shop that has sold more than it had shows a number below 0, which is 0 to us. Then a comparison with 0 fails; so the number is read
//! and, if it is below 0, compared with as it is.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{BATCH, Shopify, answer, order, query, refused};
use crate::{Accepted, CallError, Push, Shown, Target, reading};

/// Calls that one batch may take until what is left is for another time.
const MAX_CALLS: u32 = 12;

/// Source: `InventorySetQuantitiesUserErrorCode` of the schema, `INVALID_QUANTITY_TOO_HIGH`.
const MAX_QUANTITY: u64 = 1_000_000_000;

/// One quantity on its way.
#[derive(Clone)]
struct Item<'a> {
    index: usize,
    push: &'a Push,
    id: String,
    location: String,
    expected: Option<i64>,
}

/// Quantities for one call.
struct Batch<'a> {
    items: Vec<Item<'a>>,
    /// How often these were sent.
    sent: u32,
}

#[derive(Deserialize)]
struct Data {
    #[serde(rename = "inventorySetQuantities")]
    payload: Option<Payload>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Payload {
    user_errors: Vec<UserError>,
}

#[derive(Deserialize)]
struct UserError {
    code: Option<String>,
    field: Option<Vec<String>>,
    message: String,
}

impl UserError {
    /// The place of the quantity that it is about: `["input", "quantities", "3", "changeFromQuantity"]`.
    fn place(&self) -> Option<usize> {
        let path = self.field.as_ref()?;
        let list = path.iter().position(|part| part == "quantities")?;
        path.get(list + 1)?.parse().ok()
    }

    fn error(&self) -> CallError {
        match self.code.as_deref() {
            Some("CHANGE_FROM_QUANTITY_STALE" | "COMPARE_QUANTITY_STALE") => CallError::Stale { shown: None },
            Some("IDEMPOTENCY_CONCURRENT_REQUEST") => CallError::Unavailable { reason: answer::words(&self.message) },
            code => refused(&format!("{} {}", code.unwrap_or("no code"), answer::words(&self.message))),
        }
    }

    /// Shopify remembers only that the call failed.
    fn is_remembered_failure(&self) -> bool {
        self.code.as_deref() == Some("IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED")
    }
}

type Results = Vec<Result<Accepted, CallError>>;

pub(super) async fn push(shop: &Shopify, pushes: &[Push]) -> Results {
    let later = || CallError::Unavailable { reason: "others of the same call were refused too often".to_owned() };
    let mut results: Results = vec![Err(later()); pushes.len()];
    let mut items = Vec::new();
    for (index, push) in pushes.iter().enumerate() {
        match item(shop, index, push) {
            Ok(item) => items.push(item),
            Err(error) => results[index] = Err(error),
        }
    }
    for chunk in items.chunks(BATCH) {
        push_batch(shop, chunk.to_vec(), &mut results).await;
    }
    results
}

fn item<'a>(shop: &Shopify, index: usize, push: &'a Push) -> Result<Item<'a>, CallError> {
    let (id, location) = ids(shop, &push.target)?;
    if push.quantity > MAX_QUANTITY {
        return Err(refused("the quantity is above 1,000,000,000"));
    }
    let expected = push.expected.map(|units| i64::try_from(units).unwrap_or(i64::MAX));
    Ok(Item { index, push, id, location, expected })
}

async fn push_batch(shop: &Shopify, items: Vec<Item<'_>>, results: &mut Results) {
    let mut work = vec![Batch { items, sent: 0 }];
    for _ in 0..MAX_CALLS {
        let Some(batch) = work.pop() else { return };
        match set(shop, &batch).await {
            Ok(errors) if errors.is_empty() => settle(&batch.items, &Ok(Accepted::Applied), results),
            Ok(errors) => work.extend(sort_out(shop, batch, &errors, results).await),
            // What keeps this call from going through keeps the others from it, too.
            Err(error) => {
                work.push(batch);
                for batch in &work {
                    settle(&batch.items, &Err(error.clone()), results);
                }
                return;
            }
        }
    }
}

fn settle(items: &[Item<'_>], result: &Result<Accepted, CallError>, results: &mut Results) {
    for item in items {
        results[item.index].clone_from(result);
    }
}

/// Settles what is refused; what is to be sent again.
async fn sort_out<'a>(shop: &Shopify, batch: Batch<'a>, errors: &[UserError], results: &mut Results) -> Vec<Batch<'a>> {
    let sent = batch.sent + 1;
    if errors.iter().any(UserError::is_remembered_failure) {
        return vec![Batch { sent, ..batch }];
    }
    let mut named = BTreeMap::new();
    for error in errors {
        match error.place().filter(|place| *place < batch.items.len()) {
            Some(place) => named.entry(place).or_insert_with(|| error.error()),
            None if batch.items.len() == 1 => named.entry(0).or_insert_with(|| error.error()),
            None => return halves(batch, sent),
        };
    }
    let mut again = Vec::new();
    for (place, mut item) in batch.items.into_iter().enumerate() {
        let Some(error) = named.remove(&place) else {
            again.push(item);
            continue;
        };
        match error {
            CallError::Stale { .. } if item.expected == Some(0) => match level(shop, &item).await {
                Ok(below) if below < 0 => {
                    item.expected = Some(below);
                    again.push(item);
                }
                Ok(shown) => results[item.index] = Err(CallError::Stale { shown: u64::try_from(shown).ok() }),
                Err(_) => results[item.index] = Err(CallError::Stale { shown: None }),
            },
            error => results[item.index] = Err(error),
        }
    }
    if again.is_empty() { Vec::new() } else { vec![Batch { items: again, sent }] }
}

/// Which of them is refused is not said.
fn halves(mut batch: Batch<'_>, sent: u32) -> Vec<Batch<'_>> {
    let second = batch.items.split_off(batch.items.len() / 2);
    vec![Batch { items: batch.items, sent }, Batch { items: second, sent }]
}

/// One call. What Shopify refuses of it.
async fn set(shop: &Shopify, batch: &Batch<'_>) -> Result<Vec<UserError>, CallError> {
    let key = key(batch);
    let quantities: Vec<Value> = batch
        .items
        .iter()
        .map(|item| {
            json!({
                "inventoryItemId": item.id,
                "locationId": item.location,
                "quantity": item.push.quantity,
                // Always there: without it Shopify refuses, and null says that anything may be shown.
                "changeFromQuantity": item.expected,
            })
        })
        .collect();
    let variables = json!({
        "key": key,
        "input": {
            "name": "available",
            "reason": "correction",
            "referenceDocumentUri": format!("gid://holdfast/Push/{}", uri_part(&key)),
            "quantities": quantities,
        },
    });
    let data: Data = shop.ask(query::SET_QUANTITIES, &variables).await?;
    let payload = data.payload.ok_or(CallError::Unavailable { reason: "an answer without a payload".to_owned() })?;
    Ok(payload.user_errors)
}

/// The idempotency key of a call: the push's own, or one that derives from those of all.
fn key(batch: &Batch<'_>) -> String {
    if let ([item], 0) = (batch.items.as_slice(), batch.sent) {
        return item.push.key.clone();
    }
    let mut hash = Sha256::new();
    hash.update(batch.sent.to_be_bytes());
    for item in &batch.items {
        // Each key is preceded by its length: ("ab","c") and ("a","bc") must differ.
        hash.update((item.push.key.len() as u64).to_be_bytes());
        hash.update(&item.push.key);
    }
    reading::name(&hash.finalize())
}

fn uri_part(key: &str) -> String {
    url::form_urlencoded::byte_serialize(key.as_bytes()).collect()
}

#[derive(Deserialize)]
struct Nodes {
    nodes: Vec<Option<Node>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Node {
    tracked: Option<bool>,
    inventory_level: Option<Level>,
}

#[derive(Deserialize)]
struct Level {
    quantities: Vec<Available>,
}

#[derive(Deserialize)]
struct Available {
    quantity: i64,
}

pub(super) async fn read(shop: &Shopify, targets: &[Target]) -> Vec<Result<Shown, CallError>> {
    let mut results: Vec<Result<Shown, CallError>> = Vec::with_capacity(targets.len());
    let mut by_location = BTreeMap::<String, Vec<(usize, String)>>::new();
    for (index, target) in targets.iter().enumerate() {
        // Of each that is asked for, the answer takes this place.
        results.push(Err(refused("not asked for")));
        match ids(shop, target) {
            Ok((item, location)) => by_location.entry(location).or_default().push((index, item)),
            Err(error) => results[index] = Err(error),
        }
    }
    for (location, items) in &by_location {
        for chunk in items.chunks(BATCH) {
            let ids: Vec<&str> = chunk.iter().map(|(_, item)| item.as_str()).collect();
            let levels = levels(shop, &ids, location).await;
            for (place, (index, _)) in chunk.iter().enumerate() {
                let level = levels.as_ref().map_err(Clone::clone).and_then(|levels| levels[place].clone());
                results[*index] = level.map(|units| Shown { quantity: u64::try_from(units).unwrap_or(0) });
            }
        }
    }
    results
}

async fn level(shop: &Shopify, item: &Item<'_>) -> Result<i64, CallError> {
    levels(shop, &[&item.id], &item.location).await?.remove(0)
}

/// What is available of each item, in their order; below 0 where the shop has sold more than it had.
async fn levels(shop: &Shopify, items: &[&str], location: &str) -> Result<Vec<Result<i64, CallError>>, CallError> {
    let data: Nodes = shop.ask(query::LEVELS, &json!({ "ids": items, "location": location })).await?;
    if data.nodes.len() != items.len() {
        return Err(CallError::Unavailable { reason: "an answer for other items".to_owned() });
    }
    Ok(data.nodes.into_iter().map(available).collect())
}

fn available(node: Option<Node>) -> Result<i64, CallError> {
    let node = node.ok_or_else(|| refused("the shop has no such inventory item"))?;
    if node.tracked == Some(false) {
        return Err(refused("the shop does not track the inventory of this item, and sells it without end"));
    }
    let level = node.inventory_level.ok_or_else(|| refused("the item is not stocked at the location"))?;
    level.quantities.first().map(|one| one.quantity).ok_or_else(|| refused("the item has no available quantity"))
}

/// The ids of item and location.
fn ids(shop: &Shopify, target: &Target) -> Result<(String, String), CallError> {
    let options = &shop.context.options;
    let item = target.remote.get("inventory_item_id");
    let location = target.remote.get("location_id").or_else(|| options.get("location_id"));
    let gid = |id: Option<&String>, kind: &str, missing: &str| match id.and_then(|id| order::number(id)) {
        Some(number) => Ok(format!("gid://shopify/{kind}/{number}")),
        None => Err(refused(missing)),
    };
    Ok((
        gid(item, "InventoryItem", "the listing has no inventory_item_id of Shopify")?,
        gid(location, "Location", "neither the listing nor the channel has a location_id of Shopify")?,
    ))
}
