//! Listings Items 2021-08-01.

use channels::transport::Response;
use serde_json::{Value, json};

use super::{AmazonFace, Asked, No, refusal};
use crate::{
    face::json as answer,
    market::{Listing, Market},
};

const DEFAULT: &str = "DEFAULT";

fn channel(listing: &Listing) -> &str {
    listing.remote.get("fulfillment_channel").map_or(DEFAULT, String::as_str)
}

fn item(sku: &str, listing: &Listing, asked: &Asked<'_>) -> Value {
    let mut item = json!({ "sku": sku });
    if asked.has("includedData", "fulfillmentAvailability") {
        let availability = match channel(listing) {
            DEFAULT => json!([{ "fulfillmentChannelCode": DEFAULT, "quantity": listing.shown }]),
            amazons => json!([{ "fulfillmentChannelCode": amazons }]),
        };
        item["fulfillmentAvailability"] = availability;
    }
    item
}

/// The quantity that patches set, if they do nothing else; otherwise what Amazon says about them.
fn quantity(product_type: &Value, patches: &Value) -> Result<u64, String> {
    if product_type.as_str().is_none_or(str::is_empty) {
        return Err("productType is required".into());
    }
    let Some([patch]) = patches.as_array().map(Vec::as_slice) else { return Err("one patch is expected".into()) };
    if patch["op"] != "merge" || patch["path"] != "/attributes/fulfillment_availability" {
        return Err("only a merge of fulfillment_availability leaves the lead time as it is".into());
    }
    let Some([value]) = patch["value"].as_array().map(Vec::as_slice) else { return Err("value is required".into()) };
    if value["fulfillment_channel_code"] != DEFAULT {
        return Err("'fulfillment_channel_code' is required".into());
    }
    value["quantity"].as_u64().ok_or_else(|| "'quantity' must be a whole number from 0".into())
}

/// What becomes of a change of a listing: of a patch, and of a message in a feed.
pub(super) fn apply(market: &mut Market, sku: &str, product_type: &Value, patches: &Value) -> Result<(), String> {
    let quantity = quantity(product_type, patches)?;
    if market.faults.rejected.contains(sku) {
        return Err("The listing is suppressed: 'main_image' is required.".into());
    }
    // Nothing happens to what is not listed, and that is accepted.
    if let Some(listing) = market.listings.get_mut(sku) {
        listing.remote.remove("fulfillment_channel");
        market.set_quantity(sku, quantity);
    }
    Ok(())
}

impl AmazonFace {
    fn check(&self, asked: &Asked<'_>, seller: &str) -> Result<(), No> {
        if seller != self.seller_id {
            return Err(refusal(403, "Unauthorized", "not a seller of this token"));
        }
        if asked.param("marketplaceIds") != Some(&self.marketplace_id) {
            return Err(refusal(400, "InvalidInput", "Invalid 'marketplaceIds' provided."));
        }
        Ok(())
    }

    pub(super) fn patch_item(
        &self,
        market: &mut Market,
        asked: &Asked<'_>,
        seller: &str,
        sku: &str,
    ) -> Result<Response, No> {
        asked.only(&["marketplaceIds", "includedData", "mode", "issueLocale"])?;
        self.check(asked, seller)?;
        let body = asked.body()?;
        let is_preview = asked.param("mode") == Some("VALIDATION_PREVIEW");
        let applied = if is_preview {
            quantity(&body["productType"], &body["patches"]).map(|_| "VALID")
        } else {
            apply(market, sku, &body["productType"], &body["patches"]).map(|()| "ACCEPTED")
        };
        let (status, issues) = match applied {
            Ok(status) => (status, json!([])),
            Err(message) => {
                let issue = json!({
                    "code": "90220", "message": message, "severity": "ERROR",
                    "attributeNames": ["fulfillment_availability"], "categories": ["INVALID_ATTRIBUTE"],
                });
                ("INVALID", json!([issue]))
            }
        };
        let submission = format!("{:032x}", market.pushes.len());
        Ok(answer(200, &json!({ "sku": sku, "status": status, "submissionId": submission, "issues": issues })))
    }

    pub(super) fn get_item(&self, market: &Market, asked: &Asked<'_>, seller: &str, sku: &str) -> Result<Response, No> {
        asked.only(&["marketplaceIds", "includedData", "issueLocale"])?;
        self.check(asked, seller)?;
        match market.listings.get(sku) {
            Some(listing) => Ok(answer(200, &item(sku, listing, asked))),
            None => Err(refusal(404, "NOT_FOUND", &format!("SKU '{sku}' not found in the marketplace"))),
        }
    }

    pub(super) fn search_items(&self, market: &Market, asked: &Asked<'_>, seller: &str) -> Result<Response, No> {
        asked.only(&["marketplaceIds", "includedData", "identifiers", "identifiersType", "pageSize"])?;
        self.check(asked, seller)?;
        let skus: Vec<&str> = asked.param("identifiers").unwrap_or_default().split(',').collect();
        if asked.param("identifiersType") != Some("SKU") || skus.len() > 20 {
            return Err(refusal(400, "InvalidInput", "1 to 20 'identifiers' of 'identifiersType' SKU"));
        }
        let size = asked.param("pageSize").map_or(Some(10), |size| size.parse().ok()).filter(|size| *size <= 20);
        let size = size.ok_or_else(|| refusal(400, "InvalidInput", "Invalid 'pageSize' provided."))?;
        let found = skus.iter().filter_map(|sku| Some((*sku, market.listings.get(*sku)?)));
        let items: Vec<Value> = found.map(|(sku, listing)| item(sku, listing, asked)).collect();
        let mut page = json!({ "numberOfResults": items.len(), "items": items[..items.len().min(size)] });
        if items.len() > size {
            page["pagination"] = json!({ "nextToken": "next" });
        }
        Ok(answer(200, &page))
    }
}
