//! Real queues for the tests: the embedded SQS, which gives out one message of a group at a time.

use std::sync::Arc;

use aws_sdk_sqs::{
    Client,
    types::{
        Message, MessageAttributeValue, MessageSystemAttributeName as Attribute,
        QueueAttributeName::{self, FifoQueue, MaximumMessageSize, QueueArn, RedrivePolicy},
    },
};
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use reqwest::Url;
use rustack_sqs_core::{config::SqsConfig, handler::RustackSqsHandler, provider::RustackSqs};
use rustack_sqs_http::service::{SqsHttpConfig, SqsHttpService};
use serde_json::json;

use super::queue::DeadLetters;

pub const TEA: &str = r#"{"kind":"order","id":"00000000000000aa","channel":"own","lines":["tea=2"],"order_id":"o-1"}"#;
pub const PAID: &str = r#"{"kind":"confirmation","id":"00000000000000aa","order_id":"o-1"}"#;
pub const MUG: &str = r#"{"kind":"order","id":"00000000000000bb","channel":"own","lines":["mug=1"]}"#;
pub const POISON: &str = "no order at all";

/// An SQS with a queue `orders.fifo` whose dead letters are `dead.fifo`.
pub struct Sqs {
    pub client: Client,
    pub endpoint: Url,
    pub orders: String,
    pub dead: String,
}

impl Sqs {
    /// The order queue takes messages of up to 1 KiB, and gives up on one that was received once.
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let config = SqsConfig { host: address.ip().to_string(), port: address.port(), ..SqsConfig::default() };
        let handler = Arc::new(RustackSqsHandler::new(Arc::new(RustackSqs::new(config))));
        let service = SqsHttpService::new(handler, SqsHttpConfig::default());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service.clone()));
            }
        });
        let endpoint: Url = format!("http://{address}").parse().unwrap();
        let client = Client::new(&runtime::aws::local(endpoint.as_str()));
        let mut sqs = Self { client, endpoint, orders: String::new(), dead: String::new() };
        sqs.dead = sqs.create("dead.fifo", &[]).await;
        sqs.orders = sqs.source("orders.fifo").await;
        sqs
    }

    async fn create(&self, name: &str, attributes: &[(QueueAttributeName, String)]) -> String {
        let mut asked = self.client.create_queue().queue_name(name).attributes(FifoQueue, "true");
        for (attribute, value) in attributes {
            asked = asked.attributes(attribute.clone(), value);
        }
        asked.send().await.unwrap().queue_url.unwrap()
    }

    /// A queue whose dead letters are `dead.fifo`.
    pub async fn source(&self, name: &str) -> String {
        let found = self.client.get_queue_attributes().queue_url(&self.dead).attribute_names(QueueArn).send().await;
        let arn = found.unwrap().attributes.unwrap().remove(&QueueArn).unwrap();
        let policy = json!({"deadLetterTargetArn": arn, "maxReceiveCount": 1}).to_string();
        self.create(name, &[(RedrivePolicy, policy), (MaximumMessageSize, "1024".to_owned())]).await
    }

    /// A dead letter; answers the message's id.
    pub async fn bury(&self, group: &str, body: &str) -> String {
        let colour = MessageAttributeValue::builder().data_type("String").string_value("red").build().unwrap();
        let asked = self.client.send_message().queue_url(&self.dead).message_group_id(group).message_body(body);
        let asked = asked.message_deduplication_id(format!("{group}-{}-{}", body.len(), &body[..5]));
        asked.message_attributes("colour", colour).send().await.unwrap().message_id.unwrap()
    }

    /// The four messages of this module in three groups.
    pub async fn bury_all(&self) -> [String; 4] {
        [self.bury("a", TEA).await, self.bury("a", PAID).await, self.bury("b", MUG).await, self.bury("c", POISON).await]
    }

    pub async fn open(&self) -> DeadLetters {
        let mut queue = DeadLetters::open("dead.fifo", Some(&self.endpoint)).await.unwrap();
        queue.wait_seconds = 0;
        queue
    }

    /// Takes everything that is visible out of a queue, in order: what nobody has given back is not found.
    pub async fn drain(&self, url: &str) -> Vec<Message> {
        let mut drained = Vec::new();
        loop {
            let asked = self.client.receive_message().queue_url(url).max_number_of_messages(10);
            let asked = asked.message_system_attribute_names(Attribute::All).message_attribute_names("All");
            let found = asked.send().await.unwrap().messages.unwrap_or_default();
            if found.is_empty() {
                return drained;
            }
            for message in found {
                let handle = message.receipt_handle.clone().unwrap();
                self.client.delete_message().queue_url(url).receipt_handle(handle).send().await.unwrap();
                drained.push(message);
            }
        }
    }

    pub async fn drain_bodies(&self, url: &str) -> Vec<String> {
        self.drain(url).await.into_iter().map(|message| message.body.unwrap()).collect()
    }
}
