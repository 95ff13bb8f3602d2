//! Feeds 2021-06-30, with the one kind of feed that sets quantities, and the store behind presigned addresses.

use std::io::Write;

use channels::transport::Response;
use serde_json::{Value, json};

use super::{AmazonFace, Asked, No, iso_8601, listings, refusal};
use crate::{face::json as answer, market::Market};

/// Every presigned address has the same signature here: what matters is that one is sent, and no token with it.
const SIGNATURE: &str = "X-Amz-Signature";

fn recall(market: &Market, key: &str) -> Result<Value, No> {
    let known = market.remembered.get(key).and_then(|bytes| serde_json::from_slice(bytes).ok());
    known.ok_or_else(|| refusal(404, "NotFound", "no such feed or document"))
}

fn remember(market: &mut Market, key: String, value: &Value) {
    market.remembered.insert(key, value.to_string().into_bytes());
}

/// The next number for an id.
fn next(market: &Market, prefix: &str) -> usize {
    market.remembered.keys().filter(|key| key.starts_with(prefix)).count() + 1
}

/// What the store behind presigned addresses says when it says no.
fn no_access() -> No {
    let mut response = Response::new(b"<Error><Code>SignatureDoesNotMatch</Code></Error>".to_vec());
    *response.status_mut() = wire::StatusCode::FORBIDDEN;
    No(Box::new(response))
}

pub(super) fn create_document(market: &mut Market, asked: &Asked<'_>) -> Result<Response, No> {
    let Some(kind) = asked.body()?["contentType"].as_str().map(str::to_owned) else {
        return Err(refusal(400, "InvalidInput", "contentType is required"));
    };
    let id = format!("amzn1.tortuga.4.na.{}", next(market, "document:"));
    remember(market, format!("document:{id}"), &json!({ "contentType": kind }));
    let url = format!("{}/documents/{id}?{SIGNATURE}=s3cret", asked.origin());
    Ok(answer(201, &json!({ "feedDocumentId": id, "url": url })))
}

pub(super) fn upload(market: &mut Market, asked: &Asked<'_>, id: &str) -> Result<Response, No> {
    let key = format!("document:{id}");
    let mut document = recall(market, &key).map_err(|_| no_access())?;
    let is_signed = asked.param(SIGNATURE) == Some("s3cret") && asked.header("x-amz-access-token").is_none();
    if !is_signed || asked.header("content-type") != document["contentType"].as_str() {
        return Err(no_access());
    }
    document["text"] = String::from_utf8_lossy(asked.request.body()).into();
    remember(market, key, &document);
    Ok(Response::new(Vec::new()))
}

pub(super) fn get_feed(market: &Market, id: &str) -> Result<Response, No> {
    let feed = recall(market, &format!("feed:{id}"))?;
    let mut shown = feed["shown"].clone();
    let done_at = feed["done_at"].as_u64().unwrap_or_default();
    let created_at = feed["created_at"].as_u64().unwrap_or_default();
    let now = market.now.epoch_seconds();
    if now < done_at {
        // The result is there from the end on.
        if let Some(fields) = shown.as_object_mut() {
            fields.remove("resultFeedDocumentId");
        }
        shown["processingStatus"] = if now == created_at { "IN_QUEUE" } else { "IN_PROGRESS" }.into();
    }
    Ok(answer(200, &shown))
}

impl AmazonFace {
    pub(super) fn create_feed(&self, market: &mut Market, asked: &Asked<'_>) -> Result<Response, No> {
        let body = asked.body()?;
        if body["feedType"] != "JSON_LISTINGS_FEED" || body["marketplaceIds"] != json!([self.marketplace_id]) {
            return Err(refusal(400, "InvalidInput", "Invalid 'feedType' or 'marketplaceIds' provided."));
        }
        let document =
            recall(market, &format!("document:{}", body["inputFeedDocumentId"].as_str().unwrap_or_default()))?;
        let feed: Value = serde_json::from_str(document["text"].as_str().unwrap_or_default()).unwrap_or_default();
        let id = (50_000 + next(market, "feed:")).to_string();
        let report_id = format!("amzn1.tortuga.4.na.report-{id}");
        let mut shown = json!({
            "feedId": id, "feedType": "JSON_LISTINGS_FEED", "marketplaceIds": [self.marketplace_id],
            "createdTime": iso_8601(market.now), "processingStatus": self.feeds_end.unwrap_or("DONE"),
        });
        if self.feeds_end.is_none() {
            let report = self.process(market, &id, &feed);
            remember(market, format!("document:{report_id}"), &json!({ "text": report.to_string(), "report": true }));
            shown["resultFeedDocumentId"] = report_id.into();
        }
        let created_at = market.now.epoch_seconds();
        let kept = json!({ "shown": shown, "created_at": created_at, "done_at": created_at + self.feed_seconds });
        remember(market, format!("feed:{id}"), &kept);
        Ok(answer(202, &json!({ "feedId": id })))
    }

    /// What a feed will have done by its end. Its numbers show then, and later if the market applies late.
    fn process(&self, market: &mut Market, id: &str, feed: &Value) -> Value {
        let late = market.faults.apply_after_seconds;
        market.faults.apply_after_seconds = late + self.feed_seconds;
        let mut issues = Vec::new();
        let is_ours = feed["header"]["sellerId"] == self.seller_id.as_str() && feed["header"]["version"] == "2.0";
        let messages = feed["messages"].as_array().filter(|messages| is_ours && messages.len() <= 25_000);
        if messages.is_none() {
            issues.push(
                json!({ "code": "4000001", "severity": "ERROR", "message": "The feed's header or size is wrong." }),
            );
        }
        let messages = messages.map(Vec::as_slice).unwrap_or_default();
        for message in messages {
            let sku = message["sku"].as_str().unwrap_or_default();
            let applied = match message["operationType"].as_str() {
                Some("PATCH") => listings::apply(market, sku, &message["productType"], &message["patches"]),
                _ => Err("only PATCH is expected".to_owned()),
            };
            if let Err(words) = applied {
                issues.push(json!({
                    "messageId": message["messageId"], "sku": sku, "code": "90220", "severity": "ERROR", "message": words,
                    "attributeName": "fulfillment_availability",
                }));
            }
        }
        market.faults.apply_after_seconds = late;
        let invalid = issues.len().min(messages.len());
        json!({
            "header": { "sellerId": self.seller_id, "version": "2.0", "feedId": id },
            "summary": { "errors": issues.len(), "warnings": 0, "messagesProcessed": messages.len(),
                "messagesAccepted": messages.len() - invalid, "messagesInvalid": invalid },
            "issues": issues,
        })
    }

    pub(super) fn get_document(&self, market: &Market, asked: &Asked<'_>, id: &str) -> Result<Response, No> {
        recall(market, &format!("document:{id}"))?;
        let url = format!("{}/documents/{id}?{SIGNATURE}=s3cret", asked.origin());
        let mut document = json!({ "feedDocumentId": id, "url": url });
        if self.packs_reports {
            document["compressionAlgorithm"] = "GZIP".into();
        }
        Ok(answer(200, &document))
    }

    pub(super) fn download(&self, market: &Market, asked: &Asked<'_>, id: &str) -> Result<Response, No> {
        let document = recall(market, &format!("document:{id}")).map_err(|_| no_access())?;
        if asked.param(SIGNATURE) != Some("s3cret") || asked.header("x-amz-access-token").is_some() {
            return Err(no_access());
        }
        let text = document["text"].as_str().unwrap_or_default().as_bytes();
        if !self.packs_reports {
            return Ok(Response::new(text.to_vec()));
        }
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        // Writing to memory does not fail.
        Ok(Response::new(gzip.write_all(text).and_then(|()| gzip.finish()).unwrap_or_default()))
    }
}
