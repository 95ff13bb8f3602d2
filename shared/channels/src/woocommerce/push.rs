//! Setting and reading quantities.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Number, Value, json};
use wire::Method;

use super::{WooCommerce, id, read as answer, refused, short};
use crate::{Accepted, CallError, Push, Shown, Target};

/// Listings in one batch. Source: `woocommerce_rest_batch_items_limit` in `class-wc-rest-controller.php`.
pub(super) const BATCH: usize = 100;

/// The listing of a product, or of one of its variations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Listing {
    product: u64,
    variation: Option<u64>,
}

/// Listings that one call can be about: products, or the variations of one.
type Group = Option<u64>;

/// Listings, each with its place among those that were asked for.
type Groups = BTreeMap<Group, Vec<(usize, Listing)>>;

impl Listing {
    fn of(target: &Target) -> Result<Self, CallError> {
        let named = |name: &str| target.remote.get(name).map(|text| id(text));
        match (named("product_id"), named("variation_id")) {
            (Some(Some(product)), None) => Ok(Self { product, variation: None }),
            (Some(Some(product)), Some(Some(variation))) => Ok(Self { product, variation: Some(variation) }),
            _ => Err(refused("the listing has no product_id, or a variation_id that is none")),
        }
    }

    fn group(self) -> Group {
        self.variation.map(|_| self.product)
    }

    /// Its id within its group.
    fn id(self) -> u64 {
        self.variation.unwrap_or(self.product)
    }
}

fn path(group: Group) -> String {
    group.map_or_else(|| "products".to_owned(), |product| format!("products/{product}/variations"))
}

/// A product or a variation, or what is wrong with it.
#[derive(Debug, Clone, Deserialize)]
struct Stock {
    id: u64,
    #[serde(default, rename = "manage_stock")]
    managed: Value,
    #[serde(default, rename = "stock_quantity")]
    quantity: Option<Number>,
    #[serde(default)]
    error: Option<Words>,
}

#[derive(Debug, Clone, Deserialize)]
struct Words {
    #[serde(default)]
    code: String,
    #[serde(default)]
    message: String,
}

impl Stock {
    /// Whether it shows this number now. A shop may say that it has done what a plugin has undone.
    fn shows(self, quantity: u64) -> Result<Accepted, CallError> {
        if let Some(Words { code, message }) = self.error {
            return Err(refused(&short(&format!("{code}: {message}"))));
        }
        match self.quantity {
            Some(number) if number.as_u64() == Some(quantity) => Ok(Accepted::Applied),
            Some(number) => Err(refused(&format!("the shop was told {quantity} and shows {number}"))),
            None => Err(refused(&format!("the shop was told {quantity} and shows no quantity"))),
        }
    }

    fn shown(self) -> Result<Shown, CallError> {
        match (self.managed, self.quantity) {
            // Half a unit cannot be ordered; one that is owed is none.
            (Value::Bool(true), Some(number)) => Ok(Shown { quantity: whole(&number).unwrap_or(0) }),
            (Value::Bool(true), None) => Err(refused("the shop shows no quantity")),
            (Value::String(parent), _) if parent == "parent" => {
                Err(refused("the stock of the variation is managed by its product"))
            }
            _ => Err(refused("the shop does not manage the stock of this listing, and sells it without end")),
        }
    }
}

/// The whole part of a number that is not below 0.
fn whole(number: &Number) -> Option<u64> {
    number.as_u64().or_else(|| number.to_string().split_once('.')?.0.parse().ok())
}

/// The listings, by what one call can be about, each with its place; the errors of those that are none.
fn sorted<'a, T>(targets: impl Iterator<Item = &'a Target>) -> (Groups, Vec<Result<T, CallError>>) {
    let mut groups = Groups::new();
    let mut results = Vec::new();
    for (place, target) in targets.enumerate() {
        match Listing::of(target) {
            Ok(listing) => {
                groups.entry(listing.group()).or_default().push((place, listing));
                // The answer takes this place.
                results.push(Err(refused("not asked for")));
            }
            Err(error) => results.push(Err(error)),
        }
    }
    (groups, results)
}

pub(super) async fn push(shop: &WooCommerce, pushes: &[Push]) -> Vec<Result<Accepted, CallError>> {
    let (groups, mut results) = sorted(pushes.iter().map(|push| &push.target));
    for (group, listings) in groups {
        for chunk in listings.chunks(BATCH) {
            let told: Vec<(u64, u64)> =
                chunk.iter().map(|(place, listing)| (listing.id(), pushes[*place].quantity)).collect();
            let done = match told.as_slice() {
                [(id, quantity)] => vec![set_one(shop, group, *id, *quantity).await],
                told => set_many(shop, group, told).await,
            };
            for ((place, _), result) in chunk.iter().zip(done) {
                results[*place] = result;
            }
        }
    }
    results
}

async fn set_one(shop: &WooCommerce, group: Group, id: u64, quantity: u64) -> Result<Accepted, CallError> {
    let body = json!({ "manage_stock": true, "stock_quantity": quantity });
    let response = shop.call(Method::PUT, &format!("{}/{id}", path(group)), Some(&body)).await?;
    answer::<Stock>(&response)?.shows(quantity)
}

async fn set_many(shop: &WooCommerce, group: Group, told: &[(u64, u64)]) -> Vec<Result<Accepted, CallError>> {
    #[derive(Deserialize)]
    struct Batch {
        #[serde(default)]
        update: Vec<Stock>,
    }
    let update: Vec<Value> = told
        .iter()
        .map(|(id, quantity)| json!({ "id": id, "manage_stock": true, "stock_quantity": quantity }))
        .collect();
    let body = json!({ "update": update });
    let response = shop.call(Method::POST, &format!("{}/batch", path(group)), Some(&body)).await;
    match response.and_then(|response| answer::<Batch>(&response)) {
        Ok(batch) => {
            let mut update = batch.update.into_iter();
            // The answer has the order of the request.
            let mut next = |(id, quantity): &(u64, u64)| match update.next().filter(|stock| stock.id == *id) {
                Some(stock) => stock.shows(*quantity),
                None => Err(CallError::Unavailable { reason: format!("the answer says nothing of {id}") }),
            };
            told.iter().map(&mut next).collect()
        }
        Err(error) => vec![Err(error); told.len()],
    }
}

pub(super) async fn read(shop: &WooCommerce, targets: &[Target]) -> Vec<Result<Shown, CallError>> {
    let (groups, mut results) = sorted(targets.iter());
    for (group, listings) in groups {
        for chunk in listings.chunks(BATCH) {
            let include: Vec<String> = chunk.iter().map(|(_, listing)| listing.id().to_string()).collect();
            let path = format!(
                "{}?_fields=id,manage_stock,stock_quantity&include={}&per_page={BATCH}",
                path(group),
                include.join(",")
            );
            let found = shop.get::<Vec<Stock>>(&path).await.map(|(found, _)| found);
            for (place, listing) in chunk {
                results[*place] = match &found {
                    Ok(found) => match found.iter().find(|stock| stock.id == listing.id()) {
                        Some(stock) => stock.clone().shown(),
                        None => Err(refused("the shop has no such listing")),
                    },
                    Err(error) => Err(error.clone()),
                };
            }
        }
    }
    results
}
