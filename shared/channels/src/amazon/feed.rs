//! Many quantities at once: a `JSON_LISTINGS_FEED` of Feeds 2021-06-30.
//!
//! 1. `createFeedDocument`: an id, and an address to upload to, valid for five minutes.
//! 2. `PUT` the document there, with the very media type that was named in step 1: it is part of the address's signature.
//! 3. `createFeed`. From here on the numbers may be applied whatever happens to us, so nothing is an error any more but what Amazon says.
//! 4. `getFeed`, [`POLLS`] times. Still not done: [`Accepted::ForLater`] for all.
//! 5. `getFeedDocument` of the result, and the processing report from its address, perhaps gzipped: what was refused, by message.
//!
//! A feed that ends `FATAL` or `CANCELLED` may have been applied in part: its quantities are to be pushed again, which does no harm, since
//! they are absolute. If step 3 is answered by silence, the same.

use std::{io::Read, time::Duration};

use flate2::read::GzDecoder;
use serde::Deserialize;
use serde_json::{Value, json};
use wire::Method;

use super::{
    call::{Api, Call, decode, in_short, said},
    listings::{Issue, patches},
};
use crate::{Accepted, CallError, Push};

/// How often a feed is asked for before its outcome is left to reading back. A feed that Amazon takes at once is done in well under a
/// minute; one that waits, waits for longer than any of our functions may.
pub const POLLS: u32 = 4;

/// Between two polls, in seconds. `getFeed` allows two calls a second.
pub const POLL_SECONDS: u64 = 5;

const CONTENT_TYPE: &str = "application/json; charset=UTF-8";

/// Bytes of a processing report, unpacked: a thousand messages with a few issues each are far below.
const MAX_REPORT_BYTES: u64 = 16 << 20;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    feed_document_id: String,
    url: String,
    compression_algorithm: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CreatedFeed {
    feed_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Feed {
    processing_status: String,
    result_feed_document_id: Option<String>,
}

#[derive(Deserialize)]
struct Report {
    #[serde(default)]
    issues: Vec<MessageIssue>,
    summary: Summary,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MessageIssue {
    message_id: Option<usize>,
    #[serde(flatten)]
    issue: Issue,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Summary {
    messages_accepted: u64,
}

/// How far a feed has got.
enum Outcome {
    Pending,
    Done(Vec<Result<Accepted, CallError>>),
    Failed(CallError),
}

/// Reads a processing report: what came of each of `count` messages, which are numbered from 1.
///
/// # Errors
/// [`CallError::Unavailable`] for what is no such report.
pub fn parse_report(body: &[u8], count: usize) -> Result<Vec<Result<Accepted, CallError>>, CallError> {
    let report: Report = decode("processing report", body)?;
    let words = |message: Option<usize>| -> Vec<String> {
        let of = |issue: &&MessageIssue| issue.issue.is_error() && issue.message_id == message;
        report.issues.iter().filter(of).map(|issue| issue.issue.words()).collect()
    };
    // "Not provided if the error is not related to a message": then it is about all of them.
    let mut of_all = words(None);
    if of_all.is_empty() && report.summary.messages_accepted == 0 {
        of_all.push("Amazon accepted none of the feed's messages".into());
    }
    let mut refused = vec![of_all; count];
    for issue in report.issues.iter().filter(|issue| issue.issue.is_error()) {
        let index = issue.message_id.and_then(|id| id.checked_sub(1));
        if let Some(words) = index.and_then(|index| refused.get_mut(index)) {
            words.insert(0, issue.issue.words());
        }
    }
    let each = |words: Vec<String>| {
        if words.is_empty() { Ok(Accepted::ForLater) } else { Err(CallError::Refused { reason: in_short(words) }) }
    };
    Ok(refused.into_iter().map(each).collect())
}

/// Unpacks a report. A packed text that would fill the memory is refused.
///
/// # Errors
/// [`CallError::Unavailable`] for an unknown packing, for what is not packed so, and for what is too long.
pub fn unpack(compression: Option<&str>, body: Vec<u8>) -> Result<Vec<u8>, CallError> {
    let failed = |reason: &str| CallError::Unavailable { reason: format!("processing report: {reason}") };
    match compression {
        None => Ok(body),
        Some("GZIP") => {
            let mut unpacked = Vec::new();
            let mut reader = GzDecoder::new(body.as_slice()).take(MAX_REPORT_BYTES + 1);
            reader.read_to_end(&mut unpacked).map_err(|_| failed("not gzip"))?;
            if unpacked.len() as u64 > MAX_REPORT_BYTES { Err(failed("too long")) } else { Ok(unpacked) }
        }
        Some(_) => Err(failed("packed in an unknown way")),
    }
}

impl Api {
    /// Sets many quantities. What came of each, in their order.
    pub async fn feed(&self, pushes: &[&Push]) -> Vec<Result<Accepted, CallError>> {
        let feed = match self.submit(pushes).await {
            Ok(feed) => feed,
            Err(error) => return vec![Err(error); pushes.len()],
        };
        let for_later = || vec![Ok(Accepted::ForLater); pushes.len()];
        for _ in 0..POLLS {
            tokio::time::sleep(Duration::from_secs(POLL_SECONDS)).await;
            match self.outcome(&feed, pushes.len()).await {
                Ok(Outcome::Pending) => {}
                Ok(Outcome::Done(answers)) => return answers,
                Ok(Outcome::Failed(error)) => return vec![Err(error); pushes.len()],
                Err(error) => {
                    tracing::warn!(feed, %error, "the outcome of a feed cannot be read; its quantities will be read back");
                    return for_later();
                }
            }
        }
        tracing::info!(feed, messages = pushes.len(), "a feed is not done yet; its quantities will be read back");
        for_later()
    }

    /// Steps 1 to 3. The feed's id.
    async fn submit(&self, pushes: &[&Push]) -> Result<String, CallError> {
        let marketplace = self.option("marketplace_id")?;
        let document = self.document(pushes)?.to_string().into_bytes();
        let call = feeds(Method::POST, &["documents"], Some(json!({ "contentType": CONTENT_TYPE })), 2);
        let created: Document = decode("feed document", self.found(&call).await?.body())?;
        self.presigned(&created.url, Some((CONTENT_TYPE, document))).await?;
        let body = json!({
            "feedType": "JSON_LISTINGS_FEED",
            "marketplaceIds": [marketplace],
            "inputFeedDocumentId": created.feed_document_id,
        });
        // Five in five minutes, of this kind of feed.
        let call = feeds(Method::POST, &["feeds"], Some(body), 60);
        let feed: CreatedFeed = decode("feed", self.found(&call).await?.body())?;
        Ok(feed.feed_id)
    }

    fn document(&self, pushes: &[&Push]) -> Result<Value, CallError> {
        let message = |(n, push): (usize, &&Push)| {
            json!({
                "messageId": n + 1,
                "sku": push.target.sku.as_str(),
                "operationType": "PATCH",
                "productType": self.product_type(push),
                "patches": patches(push.quantity),
            })
        };
        let messages: Vec<Value> = pushes.iter().enumerate().map(message).collect();
        Ok(json!({ "header": { "sellerId": self.option("seller_id")?, "version": "2.0" }, "messages": messages }))
    }

    /// Steps 4 and 5. An error: the outcome is not known.
    async fn outcome(&self, feed: &str, count: usize) -> Result<Outcome, CallError> {
        let call = feeds(Method::GET, &["feeds", feed], None, 1);
        let state: Feed = decode("feed", self.found(&call).await?.body())?;
        match (state.processing_status.as_str(), state.result_feed_document_id) {
            ("DONE", Some(report)) => Ok(Outcome::Done(self.report(&report, count).await?)),
            // Done, and nothing to say.
            ("DONE", None) => Ok(Outcome::Done(vec![Ok(Accepted::ForLater); count])),
            (status @ ("FATAL" | "CANCELLED"), report) => {
                if let Some(report) = report
                    && let Ok(answers) = self.report(&report, count).await
                    && answers.iter().all(Result::is_err)
                {
                    return Ok(Outcome::Done(answers));
                }
                Ok(Outcome::Failed(CallError::Unavailable { reason: format!("feed {feed} ended {status}") }))
            }
            _ => Ok(Outcome::Pending),
        }
    }

    async fn report(&self, document: &str, count: usize) -> Result<Vec<Result<Accepted, CallError>>, CallError> {
        let call = feeds(Method::GET, &["documents", document], None, 46);
        let document: Document = decode("feed document", self.found(&call).await?.body())?;
        let packed = self.presigned(&document.url, None).await?.into_body();
        parse_report(&unpack(document.compression_algorithm.as_deref(), packed)?, count)
    }

    /// As [`Api::call`], where it must be there.
    async fn found(&self, call: &Call) -> Result<crate::transport::Response, CallError> {
        let response = self.call(call).await?;
        if response.status() == 404 { Err(CallError::Refused { reason: said(&response) }) } else { Ok(response) }
    }
}

/// A call of the Feeds API. The last number is from the usage plan of the operation (model of Feeds 2021-06-30).
fn feeds(method: Method, path: &[&str], body: Option<Value>, rate_seconds: u64) -> Call {
    let path = ["feeds", "2021-06-30"].iter().chain(path).map(|segment| (*segment).to_owned()).collect();
    Call { method, path, query: Vec::new(), body, rate_seconds }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn report(issues: &str, accepted: u64) -> Vec<Result<Accepted, CallError>> {
        let header = r#"{"sellerId":"S","version":"2.0","feedId":"1"}"#;
        let text = format!(r#"{{"header":{header},"issues":[{issues}],"summary":{{"messagesAccepted":{accepted}}}}}"#);
        parse_report(text.as_bytes(), 2).unwrap()
    }

    fn refused(reason: &str) -> Result<Accepted, CallError> {
        Err(CallError::Refused { reason: reason.into() })
    }

    #[test]
    fn an_issue_concerns_its_message_or_all() {
        let issue = |id: &str, severity: &str| format!(r#"{{{id}"code":"8","message":"no","severity":"{severity}"}}"#);
        let fine = Ok(Accepted::ForLater);
        assert_eq!(report("", 2), [fine.clone(), fine.clone()]);
        assert_eq!(report(&issue(r#""messageId":2,"#, "ERROR"), 1), [fine.clone(), refused("8: no")]);
        assert_eq!(report(&issue(r#""messageId":2,"#, "WARNING"), 2), [fine.clone(), fine.clone()]);
        assert_eq!(report(&issue("", "ERROR"), 0), [refused("8: no"), refused("8: no")]);
        let none = refused("Amazon accepted none of the feed's messages");
        assert_eq!(report("", 0), [none.clone(), none.clone()]);
        for id in [0, 3, usize::MAX] {
            assert_eq!(report(&issue(&format!(r#""messageId":{id},"#), "ERROR"), 2), [fine.clone(), fine.clone()]);
        }
    }

    #[test]
    fn a_report_is_unpacked_up_to_a_limit() {
        let gzip = |bytes: &[u8]| {
            let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            packer.write_all(bytes).unwrap();
            packer.finish().unwrap()
        };
        assert_eq!(unpack(None, b"plain".to_vec()).unwrap(), b"plain");
        assert_eq!(unpack(Some("GZIP"), gzip(b"packed")).unwrap(), b"packed");
        assert!(unpack(Some("GZIP"), b"plain".to_vec()).is_err());
        assert!(unpack(Some("BROTLI"), Vec::new()).is_err());
        let limit = usize::try_from(MAX_REPORT_BYTES).unwrap();
        assert_eq!(unpack(Some("GZIP"), gzip(&vec![0; limit])).unwrap().len(), limit);
        assert!(unpack(Some("GZIP"), gzip(&vec![0; limit + 1])).is_err());
    }
}
