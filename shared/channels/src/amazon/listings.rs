//! Quantities of listings: `patchListingsItem`, `getListingsItem`, `searchListingsItems` of Listings Items 2021-08-01.
//!
//! A quantity is set by a `merge` of `fulfillment_availability`: a `replace` would drop the lead time and the restock date that the
//! merchant has set beside it (SP-API documentation, "Merge a listing").

use domain::ids::Sku;
use serde::Deserialize;
use serde_json::{Value, json};
use wire::Method;

use super::{
    DEFAULT_CHANNEL,
    call::{Api, Call, decode, in_short, said},
};
use crate::{Accepted, CallError, Push, Shown};

/// SKUs in one search: the most `identifiers`, and the largest page (model of Listings Items 2021-08-01).
pub const MAX_SEARCHED: usize = 20;

/// The usage plans of all three allow five calls a second (same model).
const SECONDS_PER_CALL: u64 = 1;

/// What Amazon answers to a change of a listing.
#[derive(Deserialize)]
struct Submission {
    status: String,
    #[serde(default)]
    issues: Vec<Issue>,
}

/// What Amazon has to say about a listing, or about a message of a feed.
#[derive(Deserialize)]
pub(super) struct Issue {
    #[serde(default)]
    code: String,
    message: String,
    severity: String,
}

impl Issue {
    pub fn is_error(&self) -> bool {
        self.severity == "ERROR"
    }

    pub fn words(&self) -> String {
        format!("{}: {}", self.code, self.message)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Item {
    sku: String,
    fulfillment_availability: Option<Vec<Availability>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Availability {
    fulfillment_channel_code: String,
    quantity: Option<u64>,
}

/// The change that sets a quantity: the same in a patch and in a message of a feed.
pub(super) fn patches(quantity: u64) -> Value {
    json!([{
        "op": "merge",
        "path": "/attributes/fulfillment_availability",
        "value": [{ "fulfillment_channel_code": DEFAULT_CHANNEL, "quantity": quantity }],
    }])
}

/// Why the quantity of such a listing is neither written nor read.
pub(super) fn by_amazon(code: &str) -> String {
    in_short([format!("not fulfilled by the merchant but through {code}: its quantity is not ours to set")])
}

/// Reads the answer to a patch.
///
/// # Errors
/// [`CallError::Refused`] with Amazon's words for all but `ACCEPTED`; [`CallError::Unavailable`] for what is no such answer.
pub fn parse_submission(body: &[u8]) -> Result<Accepted, CallError> {
    let submission: Submission = decode("answer to a patch", body)?;
    match submission.status.as_str() {
        "ACCEPTED" => Ok(Accepted::ForLater),
        "VALID" => Err(CallError::Refused { reason: "only checked, as for a dry run; nothing was changed".into() }),
        status => {
            let errors = submission.issues.iter().filter(|issue| issue.is_error()).map(Issue::words);
            Err(CallError::Refused { reason: in_short([status.to_owned()].into_iter().chain(errors)) })
        }
    }
}

/// Reads a listing, asked for with `fulfillmentAvailability`.
///
/// # Errors
/// [`CallError::Refused`] if Amazon fulfils it, or if it has no number; [`CallError::Unavailable`] for what is no such answer.
pub fn parse_item(body: &[u8]) -> Result<Shown, CallError> {
    shown(&decode("listing", body)?)
}

/// Reads a page of listings: what is shown for each of `skus`, in their order.
///
/// # Errors
/// [`CallError::Unavailable`] for what is no such answer. For each: as [`parse_item`], and refused if it is not among them.
pub fn parse_items(body: &[u8], skus: &[&Sku]) -> Result<Vec<Result<Shown, CallError>>, CallError> {
    #[derive(Deserialize)]
    struct Found {
        items: Vec<Item>,
    }
    let found: Found = decode("listings", body)?;
    let each = |sku: &&Sku| match found.items.iter().find(|item| item.sku == sku.as_str()) {
        Some(item) => shown(item),
        None => Err(CallError::Refused { reason: "not among the seller's listings in this marketplace".into() }),
    };
    Ok(skus.iter().map(each).collect())
}

fn shown(item: &Item) -> Result<Shown, CallError> {
    let no_number = || CallError::Refused { reason: "the listing shows no quantity".into() };
    // Left out altogether is not the same as empty: then nobody has set a quantity yet, and nothing can be ordered.
    let channels = item.fulfillment_availability.as_ref().ok_or_else(no_number)?;
    if let Some(other) = channels.iter().find(|channel| channel.fulfillment_channel_code != DEFAULT_CHANNEL) {
        return Err(CallError::Refused { reason: by_amazon(&other.fulfillment_channel_code) });
    }
    let quantity = channels.first().map_or(Some(0), |channel| channel.quantity).ok_or_else(no_number)?;
    Ok(Shown { quantity })
}

impl Api {
    fn items(&self, method: Method, sku: Option<&Sku>) -> Result<Call, CallError> {
        let path = ["listings", "2021-08-01", "items", self.option("seller_id")?];
        let path = path.into_iter().chain(sku.map(Sku::as_str)).map(str::to_owned).collect();
        let query = vec![("marketplaceIds", self.option("marketplace_id")?.to_owned())];
        Ok(Call { method, path, query, body: None, rate_seconds: SECONDS_PER_CALL })
    }

    /// The product type of a listing; `PRODUCT` stands for whichever it is where only an offer's attributes are set.
    pub fn product_type<'a>(&'a self, push: &'a Push) -> &'a str {
        let named = push.target.remote.get("product_type").or_else(|| self.context.options.get("product_type"));
        named.map_or("PRODUCT", String::as_str)
    }

    /// Sets one quantity.
    pub async fn patch_listing(&self, push: &Push) -> Result<Accepted, CallError> {
        let mut call = self.items(Method::PATCH, Some(&push.target.sku))?;
        call.body = Some(json!({ "productType": self.product_type(push), "patches": patches(push.quantity) }));
        let response = self.call(&call).await?;
        if response.status() == 404 {
            return Err(CallError::Refused { reason: said(&response) });
        }
        parse_submission(response.body())
    }

    /// What is shown for one listing.
    pub async fn get_listing(&self, sku: &Sku) -> Result<Shown, CallError> {
        let mut call = self.items(Method::GET, Some(sku))?;
        call.query.push(("includedData", "fulfillmentAvailability".into()));
        let response = self.call(&call).await?;
        if response.status() == 404 {
            return Err(CallError::Refused { reason: said(&response) });
        }
        parse_item(response.body())
    }

    /// What is shown for at most [`MAX_SEARCHED`] listings, in their order.
    pub async fn search_listings(&self, skus: &[&Sku]) -> Result<Vec<Result<Shown, CallError>>, CallError> {
        let mut call = self.items(Method::GET, None)?;
        // A SKU of ours has no comma in it.
        let identifiers = skus.iter().map(|sku| sku.as_str()).collect::<Vec<_>>().join(",");
        call.query.extend([
            ("includedData", "fulfillmentAvailability".to_owned()),
            ("identifiers", identifiers),
            ("identifiersType", "SKU".to_owned()),
            ("pageSize", MAX_SEARCHED.to_string()),
        ]);
        let response = self.call(&call).await?;
        if response.status() == 404 {
            return Err(CallError::Refused { reason: said(&response) });
        }
        parse_items(response.body(), skus)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(error: CallError) -> String {
        match error {
            CallError::Refused { reason } => reason,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn only_accepted_is_accepted() {
        let parse = |text: &str| parse_submission(text.as_bytes());
        assert_eq!(parse(r#"{"sku":"a","status":"ACCEPTED","submissionId":"1"}"#), Ok(Accepted::ForLater));
        assert!(reason(parse(r#"{"sku":"a","status":"VALID","submissionId":"1"}"#).unwrap_err()).contains("dry run"));
        let invalid = r#"{"sku":"a","status":"INVALID","submissionId":"1","issues":[
            {"code":"90220","message":"'price' is required","severity":"ERROR","categories":[]},
            {"code":"1","message":"a title could be longer","severity":"WARNING","categories":[]}]}"#;
        assert_eq!(reason(parse(invalid).unwrap_err()), "INVALID; 90220: 'price' is required");
        assert_eq!(reason(parse(r#"{"status":"QUEUED"}"#).unwrap_err()), "QUEUED");
        for nonsense in ["", "{}", "[]", r#"{"status":1}"#] {
            assert!(matches!(parse(nonsense), Err(CallError::Unavailable { .. })), "{nonsense}");
        }
    }

    #[test]
    fn a_listing_shows_the_merchants_number_or_none() {
        let parse = |availability: &str| parse_item(format!(r#"{{"sku":"a"{availability}}}"#).as_bytes());
        let with = |list: &str| parse(&format!(r#","fulfillmentAvailability":{list}"#));
        assert_eq!(with(r#"[{"fulfillmentChannelCode":"DEFAULT","quantity":7}]"#), Ok(Shown { quantity: 7 }));
        assert_eq!(with("[]"), Ok(Shown { quantity: 0 }));
        for unsaid in ["", r#","fulfillmentAvailability":null"#] {
            assert!(reason(parse(unsaid).unwrap_err()).contains("no quantity"));
        }
        assert!(reason(with(r#"[{"fulfillmentChannelCode":"DEFAULT"}]"#).unwrap_err()).contains("no quantity"));
        let wrong = r#"[{"fulfillmentChannelCode":"DEFAULT","quantity":-1}]"#;
        assert!(matches!(with(wrong), Err(CallError::Unavailable { .. })));
        let both = r#"[{"fulfillmentChannelCode":"DEFAULT","quantity":7},{"fulfillmentChannelCode":"AMAZON_NA"}]"#;
        assert!(reason(with(both).unwrap_err()).contains("AMAZON_NA"));
    }

    #[test]
    fn a_page_is_read_in_the_order_of_the_question() {
        let skus: Vec<Sku> = ["a", "b", "A"].iter().map(|sku| sku.parse().unwrap()).collect();
        let body = br#"{"numberOfResults":2,"items":[
            {"sku":"b","fulfillmentAvailability":[{"fulfillmentChannelCode":"DEFAULT","quantity":2}]},
            {"sku":"a","fulfillmentAvailability":[{"fulfillmentChannelCode":"AMAZON_EU"}]}]}"#;
        let page = parse_items(body, &skus.iter().collect::<Vec<_>>()).unwrap();
        assert!(matches!(&page[0], Err(CallError::Refused { reason }) if reason.contains("AMAZON_EU")));
        assert_eq!(page[1], Ok(Shown { quantity: 2 }));
        assert!(matches!(&page[2], Err(CallError::Refused { reason }) if reason.contains("not among")));
    }
}
