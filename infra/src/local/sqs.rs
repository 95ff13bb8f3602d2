//! SQS: the embedded queues behind their own HTTP endpoint, and the template's queues in whichever server is used.

mod fifo;
mod handler;
mod moves;
mod queue;
#[cfg(test)]
mod tests;
mod wire;

use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
    sync::Arc,
};

use anyhow::{Context, Result, anyhow};
use aws_sdk_sqs::{
    Client,
    types::QueueAttributeName::{
        self as Attribute, ContentBasedDeduplication, DeduplicationScope, FifoQueue, FifoThroughputLimit,
        MessageRetentionPeriod, QueueArn, RedrivePolicy, VisibilityTimeout,
    },
};
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use rustack_sqs_core::{config::SqsConfig, provider::RustackSqs};
use rustack_sqs_http::service::{SqsHttpConfig, SqsHttpService};
use serde_json::json;
use tokio::{net::TcpListener, task::JoinSet};

use self::{fifo::Fifo, handler::Handler};
use super::{
    event::{ACCOUNT, REGION},
    template::{Named, Queue},
};

/// A queue of the template, as it exists in the server.
#[derive(Debug, Clone)]
pub struct Created {
    pub url: String,
    pub arn: String,
}

/// The queues by the template's ids.
pub type Queues = BTreeMap<String, Created>;

/// The queue of this id.
pub fn find<'a>(queues: &'a Queues, id: &str) -> Result<&'a Created> {
    queues.get(id).ok_or_else(|| anyhow!("template.yaml names {id} as a queue, which it is not"))
}

/// Serves the embedded queues on `listener`, for as long as the future is polled. What FIFO queues hold is in a file in
/// `data`, or in memory. What standard queues hold is in memory only: it is armed again from the table when the process
/// starts (see [`super::upkeep`]).
pub fn embedded(listener: TcpListener, data: Option<&Path>) -> Result<impl Future<Output = ()> + Send + 'static> {
    let address = listener.local_addr()?;
    let file = data.map(|directory| directory.join("queues.sqlite"));
    let fifo = Fifo::open(file.as_deref()).context("start the embedded SQS")?;
    let rustack = Arc::new(RustackSqs::new(SqsConfig {
        host: address.ip().to_string(),
        port: address.port(),
        account_id: ACCOUNT.into(),
        default_region: REGION.into(),
        ..SqsConfig::default()
    }));
    let service = SqsHttpService::new(Arc::new(Handler::new(rustack, fifo)), SqsHttpConfig::default());
    Ok(serve(listener, service))
}

async fn serve(listener: TcpListener, service: SqsHttpService<Handler>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                // An accept that fails (too many open files, say) says nothing about the next one.
                let Ok((stream, _)) = accepted else { continue };
                connections.spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service.clone()));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Makes the queues that are missing. Dead-letter queues are connected once all exist, so their order does not matter.
pub async fn ensure_queues(client: &Client, prefix: &str, queues: &[Named<Queue>]) -> Result<Queues> {
    let mut created = Queues::new();
    for queue in queues {
        let what = || format!("create queue {}", queue.id);
        created.insert(queue.id.clone(), create(client, prefix, queue).await.with_context(what)?);
    }
    for queue in queues {
        let Some(redrive) = &queue.properties.redrive_policy else { continue };
        let target = find(&created, &redrive.dead_letter_target_arn)?;
        let policy = json!({"deadLetterTargetArn": target.arn, "maxReceiveCount": redrive.max_receive_count});
        client
            .set_queue_attributes()
            .queue_url(&created[&queue.id].url)
            .attributes(RedrivePolicy, policy.to_string())
            .send()
            .await
            .with_context(|| format!("connect queue {} to its dead-letter queue", queue.id))?;
    }
    Ok(created)
}

async fn create(client: &Client, prefix: &str, queue: &Named<Queue>) -> Result<Created> {
    let Queue { fifo, content_based_deduplication, visibility_timeout, message_retention_period, .. } =
        queue.properties;
    let Queue { deduplication_scope, fifo_throughput_limit, .. } = &queue.properties;
    let suffix = if fifo { ".fifo" } else { "" };
    let mut attributes: HashMap<Attribute, String> = HashMap::new();
    if fifo {
        attributes.insert(FifoQueue, "true".into());
        attributes.insert(ContentBasedDeduplication, content_based_deduplication.to_string());
        attributes.extend(deduplication_scope.clone().map(|scope| (DeduplicationScope, scope)));
        attributes.extend(fifo_throughput_limit.clone().map(|limit| (FifoThroughputLimit, limit)));
    }
    attributes.extend(visibility_timeout.map(|seconds| (VisibilityTimeout, seconds.to_string())));
    attributes.extend(message_retention_period.map(|seconds| (MessageRetentionPeriod, seconds.to_string())));
    let made = client
        .create_queue()
        .queue_name(format!("{prefix}-{}{suffix}", queue.id))
        .set_attributes(Some(attributes))
        .send()
        .await?;
    let url = made.queue_url.ok_or_else(|| anyhow!("no queue URL in the answer"))?;
    let found = client.get_queue_attributes().queue_url(&url).attribute_names(QueueArn).send().await?;
    let arn = found.attributes.and_then(|mut attributes| attributes.remove(&QueueArn));
    Ok(Created { url, arn: arn.ok_or_else(|| anyhow!("no QueueArn in the answer"))? })
}
