//! Events as AWS sends them, made from what the local servers say. They are built as JSON and then read by the types
//! that a Lambda reads them with, so that a misspelt field shows here and not on AWS. The filter patterns match the
//! same JSON.
//!
//! Sources: "Working with AWS Lambda proxy integrations for HTTP APIs" (payload format 2.0), "Using AWS Lambda with
//! Amazon DynamoDB" and "Using Lambda with Amazon SQS" in AWS's developer guides.

use aws_sdk_dynamodbstreams::types::{AttributeValue, Record, StreamViewType};
use aws_sdk_sqs::types::Message;
use axum::http::{HeaderMap, Method};
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use domain::time::Timestamp;
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};

/// The account that local resources belong to.
pub const ACCOUNT: &str = "000000000000";
/// The region that local resources are in.
pub const REGION: &str = "us-east-1";

/// One HTTP request, as the gateway received it.
#[derive(Debug)]
pub struct HttpCall<'a> {
    pub method: &'a Method,
    /// As on the wire, still percent-encoded.
    pub path: &'a str,
    /// As on the wire, without the question mark.
    pub query: &'a str,
    pub headers: &'a HeaderMap,
    pub body: &'a [u8],
    pub source_ip: &'a str,
    /// `METHOD /path/{parameter}`.
    pub route_key: &'a str,
    /// Decoded.
    pub path_parameters: Vec<(String, String)>,
    pub request_id: String,
    pub at: Timestamp,
}

/// The event of payload format 2.0.
pub fn http(call: &HttpCall) -> Value {
    // An HTTP API passes the path on decoded, but the query as it came.
    let path = percent_decode_str(call.path).decode_utf8_lossy();
    let mut event = json!({
        "version": "2.0",
        "routeKey": call.route_key,
        "rawPath": path,
        "rawQueryString": call.query,
        "headers": headers(call.headers),
        "requestContext": {
            "accountId": ACCOUNT,
            "apiId": "local",
            "domainName": "localhost",
            "domainPrefix": "localhost",
            "http": {
                "method": call.method.as_str(),
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": call.source_ip,
                "userAgent": text(call.headers, "user-agent"),
            },
            "requestId": call.request_id,
            "routeKey": call.route_key,
            "stage": "$default",
            "timeEpoch": call.at.epoch_seconds() * 1000,
        },
        "isBase64Encoded": false,
    });
    // Absent rather than empty, as on AWS.
    if !call.path_parameters.is_empty() {
        event["pathParameters"] = call.path_parameters.iter().cloned().collect();
    }
    let query = query_parameters(call.query);
    if !query.is_empty() {
        event["queryStringParameters"] = Value::Object(query);
    }
    if let Some(cookies) = call.headers.get("cookie").and_then(|value| value.to_str().ok()) {
        event["cookies"] = cookies.split("; ").collect();
    }
    match std::str::from_utf8(call.body) {
        Ok("") => {}
        Ok(body) => event["body"] = body.into(),
        Err(_) => {
            event["body"] = BASE64.encode(call.body).into();
            event["isBase64Encoded"] = true.into();
        }
    }
    event
}

/// Names in lower case, values of one name joined by commas; cookies travel by themselves.
fn headers(headers: &HeaderMap) -> Map<String, Value> {
    let names = headers.keys().filter(|name| *name != "cookie");
    names.map(|name| (name.as_str().to_owned(), text(headers, name.as_str()).into())).collect()
}

fn text(headers: &HeaderMap, name: &str) -> String {
    let values = headers.get_all(name).iter();
    let values = values.map(|value| String::from_utf8_lossy(value.as_bytes()));
    // Whoever reads the event knows no header values outside of ASCII. A tab stands for them in `runtime`, and here.
    values.collect::<Vec<_>>().join(",").replace(|c: char| !(' '..='~').contains(&c), "\t")
}

/// Values of one name joined by commas.
fn query_parameters(query: &str) -> Map<String, Value> {
    let mut parameters = Map::new();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        match parameters.get_mut(name.as_ref()) {
            Some(Value::String(values)) => {
                values.push(',');
                values.push_str(&value);
            }
            _ => drop(parameters.insert(name.into_owned(), value.into())),
        }
    }
    parameters
}

/// One record of a table's stream. A removal of an item whose time to live was over on this clock counts as DynamoDB's
/// own: nobody else removes such an item, and no local engine that deletes on behalf of [`super::ttl`] says so itself.
pub fn stream_record(record: &Record, stream_arn: &str, ttl_attribute: Option<&str>, now: Timestamp) -> Value {
    let name = record.event_name().map_or("", |name| name.as_str());
    let mut change = Map::new();
    let mut removed_by_ttl = false;
    if let Some(found) = record.dynamodb() {
        let images = [("Keys", found.keys()), ("NewImage", found.new_image()), ("OldImage", found.old_image())];
        for (field, image) in images {
            if let Some(image) = image {
                let image = image.iter().map(|(name, value)| (name.clone(), attribute(value)));
                change.insert(field.to_owned(), Value::Object(image.collect()));
            }
        }
        let ttl = ttl_attribute.and_then(|name| found.old_image()?.get(name)?.as_n().ok());
        let ttl = ttl.and_then(|seconds| seconds.parse().ok()).map(Timestamp::from_epoch_seconds);
        removed_by_ttl = name == "REMOVE" && ttl.is_some_and(|ttl| ttl < now);
        change.insert("SequenceNumber".into(), found.sequence_number().into());
        change.insert("SizeBytes".into(), found.size_bytes().into());
        change.insert("StreamViewType".into(), found.stream_view_type().map(StreamViewType::as_str).into());
        if let Some(at) = found.approximate_creation_date_time() {
            change.insert("ApproximateCreationDateTime".into(), at.secs().into());
        }
    }
    let mut event = json!({
        "eventID": record.event_id(),
        "eventName": name,
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": REGION,
        "eventSourceARN": stream_arn,
        "dynamodb": change,
    });
    if removed_by_ttl {
        event["userIdentity"] = json!({"type": "Service", "principalId": "dynamodb.amazonaws.com"});
    }
    event
}

/// An attribute value in DynamoDB's JSON.
fn attribute(value: &AttributeValue) -> Value {
    match value {
        AttributeValue::S(text) => json!({ "S": text }),
        AttributeValue::N(number) => json!({ "N": number }),
        AttributeValue::Bool(flag) => json!({ "BOOL": flag }),
        AttributeValue::Null(_) => json!({ "NULL": true }),
        AttributeValue::B(bytes) => json!({ "B": BASE64.encode(bytes) }),
        AttributeValue::Ss(texts) => json!({ "SS": texts }),
        AttributeValue::Ns(numbers) => json!({ "NS": numbers }),
        AttributeValue::Bs(blobs) => {
            json!({ "BS": blobs.iter().map(|bytes| BASE64.encode(bytes)).collect::<Vec<_>>() })
        }
        AttributeValue::L(values) => json!({ "L": values.iter().map(attribute).collect::<Vec<_>>() }),
        AttributeValue::M(fields) => {
            let fields = fields.iter().map(|(name, value)| (name.clone(), attribute(value)));
            json!({ "M": fields.collect::<Map<_, _>>() })
        }
        // The SDK's enum is open; DynamoDB has had these ten types since 2014.
        _ => Value::Null,
    }
}

/// One message of a queue.
pub fn queue_message(message: &Message, queue_arn: &str) -> Value {
    let attributes = message.attributes().into_iter().flatten();
    let attributes = attributes.map(|(name, value)| (name.as_str().to_owned(), Value::from(value.as_str())));
    json!({
        "messageId": message.message_id(),
        "receiptHandle": message.receipt_handle(),
        "body": message.body(),
        "md5OfBody": message.md5_of_body(),
        "attributes": attributes.collect::<Map<_, _>>(),
        "messageAttributes": {},
        "eventSource": "aws:sqs",
        "eventSourceARN": queue_arn,
        "awsRegion": REGION,
    })
}

#[cfg(test)]
mod tests {
    use aws_lambda_events::{apigw::ApiGatewayV2httpRequest, dynamodb::EventRecord, sqs::SqsMessage};
    use aws_sdk_dynamodbstreams::types::{OperationType, StreamRecord};
    use axum::http::{HeaderValue, header::COOKIE};

    use super::*;

    fn call<'a>(headers: &'a HeaderMap, query: &'a str, body: &'a [u8]) -> HttpCall<'a> {
        HttpCall {
            method: &Method::PUT,
            path: "/v1/stock/a%20b",
            query,
            headers,
            body,
            source_ip: "127.0.0.1",
            route_key: "PUT /v1/stock/{sku}",
            path_parameters: vec![("sku".into(), "a b".into())],
            request_id: "r-1".into(),
            at: Timestamp::from_epoch_seconds(1_700_000_000),
        }
    }

    fn read(call: &HttpCall) -> ApiGatewayV2httpRequest {
        serde_json::from_value(http(call)).unwrap()
    }

    #[test]
    fn a_request_becomes_the_event_of_payload_format_2() {
        let mut headers = HeaderMap::new();
        headers.append("x-many", HeaderValue::from_static("one"));
        headers.append("x-many", HeaderValue::from_static("two"));
        headers.append("Content-Type", HeaderValue::from_static("application/json"));
        headers.append("x-odd", HeaderValue::from_bytes("schlüssel".as_bytes()).unwrap());
        headers.append(COOKIE, HeaderValue::from_static("a=1; b=2"));
        let event = read(&call(&headers, "sku=a%2Fb&sku=c&empty=", "{\"ü\":1}".as_bytes()));
        assert_eq!(event.version.as_deref(), Some("2.0"));
        assert_eq!(event.route_key.as_deref(), Some("PUT /v1/stock/{sku}"));
        assert_eq!(event.raw_path.as_deref(), Some("/v1/stock/a b"));
        assert_eq!(event.raw_query_string.as_deref(), Some("sku=a%2Fb&sku=c&empty="));
        assert_eq!(event.query_string_parameters.all("sku").unwrap(), ["a/b", "c"]);
        assert_eq!(event.path_parameters["sku"], "a b");
        assert_eq!(event.headers["x-many"], "one,two");
        assert_eq!(event.headers["content-type"], "application/json");
        assert_eq!(event.headers["x-odd"], "schl\tssel");
        assert!(!event.headers.contains_key("cookie"));
        assert_eq!(event.cookies.unwrap(), ["a=1", "b=2"]);
        assert_eq!(event.body.as_deref(), Some("{\"ü\":1}"));
        assert!(!event.is_base64_encoded);
        assert_eq!(event.request_context.http.method, Method::PUT);
        assert_eq!(event.request_context.http.source_ip.as_deref(), Some("127.0.0.1"));
        assert_eq!(event.request_context.request_id.as_deref(), Some("r-1"));
        assert_eq!(event.request_context.time_epoch, 1_700_000_000_000);
    }

    #[test]
    fn bytes_that_are_no_text_travel_in_base64() {
        let headers = HeaderMap::new();
        let event = read(&call(&headers, "", &[0xff, 0xfe]));
        assert!(event.is_base64_encoded);
        assert_eq!(event.body.as_deref(), Some("//4="));
    }

    #[test]
    fn an_empty_body_is_absent() {
        let headers = HeaderMap::new();
        assert_eq!(read(&call(&headers, "", b"")).body, None);
    }

    fn removal(ttl: u64) -> Value {
        let change = StreamRecord::builder()
            .keys("pk", AttributeValue::S("R#1".into()))
            .old_image("pk", AttributeValue::S("R#1".into()))
            .old_image("ttl", AttributeValue::N(ttl.to_string()))
            .old_image("l", AttributeValue::L(vec![AttributeValue::S("sku=2".into())]))
            .sequence_number("7")
            .size_bytes(12);
        let record = Record::builder().event_id("e").event_name(OperationType::Remove);
        let record = record.dynamodb(change.build()).build();
        stream_record(&record, "arn:stream", Some("ttl"), Timestamp::from_epoch_seconds(100))
    }

    #[test]
    fn a_stream_record_is_one_that_lambda_reads() {
        let event: EventRecord = serde_json::from_value(removal(99)).unwrap();
        assert_eq!(event.event_name, "REMOVE");
        assert_eq!(event.change.sequence_number.as_deref(), Some("7"));
        assert_eq!(event.change.old_image.len(), 3);
        let who = event.user_identity.unwrap();
        assert_eq!((who.type_.as_str(), who.principal_id.as_str()), ("Service", "dynamodb.amazonaws.com"));
    }

    #[test]
    fn a_removal_before_its_time_is_a_persons() {
        assert_eq!(removal(100).get("userIdentity"), None);
    }

    #[test]
    fn a_message_is_one_that_lambda_reads() {
        let message = Message::builder().message_id("m").receipt_handle("h").body("{}").build();
        let event: SqsMessage = serde_json::from_value(queue_message(&message, "arn:queue")).unwrap();
        assert_eq!(event.body.as_deref(), Some("{}"));
        assert_eq!(event.event_source.as_deref(), Some("aws:sqs"));
    }
}
