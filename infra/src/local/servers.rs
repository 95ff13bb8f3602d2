//! The servers of a stack: where they listen, how they stop, and the clients that speak to them.

use std::{
    fs::{self, File, TryLockError},
    net::Ipv4Addr,
    path::Path,
    time::Duration,
};

use anyhow::{Context, Result, bail};
use aws_config::{SdkConfig, timeout::TimeoutConfig};
use axum::Router;
use tokio::{
    net::TcpListener,
    sync::oneshot,
    task::{JoinHandle, JoinSet},
    time::timeout,
};

use super::{Options, dynamodb, sqs};

/// Requests under way get this long to finish when a server stops.
const PATIENCE: Duration = Duration::from_secs(2);

/// A server that stops when it is told to, or when whoever could tell it is gone.
pub struct Server {
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Server {
    /// Serves the API.
    pub fn start(listener: TcpListener, router: Router) -> Self {
        let (stop, stopped) = oneshot::channel();
        let server = axum::serve(listener, router).with_graceful_shutdown(async { drop(stopped.await) });
        Self { stop, task: tokio::spawn(async { drop(server.await) }) }
    }

    /// Lets requests under way finish, within a bound.
    pub async fn stop(self) {
        drop(self.stop);
        let mut task = self.task;
        if timeout(PATIENCE, &mut task).await.is_err() {
            task.abort();
        }
    }
}

/// Where DynamoDB is; with the server, if it is ours.
pub async fn dynamodb(options: &Options) -> Result<(String, Option<Server>)> {
    if let Some(endpoint) = &options.dynamodb_endpoint {
        return Ok((endpoint.clone(), None));
    }
    let listener = listen(options.port, 1).await?;
    let endpoint = url(&listener)?;
    let (stop, stopped) = oneshot::channel();
    let serving = dynamodb::embedded(listener, options.data.as_deref(), async { drop(stopped.await) })?;
    Ok((endpoint, Some(Server { stop, task: tokio::spawn(async { drop(serving.await) }) })))
}

/// Where SQS is; if it is ours, it runs among the `tasks`.
pub async fn sqs(options: &Options, tasks: &mut JoinSet<()>) -> Result<String> {
    if let Some(endpoint) = &options.sqs_endpoint {
        return Ok(endpoint.clone());
    }
    let listener = listen(options.port, 2).await?;
    let endpoint = url(&listener)?;
    tasks.spawn(sqs::embedded(listener, options.data.as_deref())?);
    Ok(endpoint)
}

/// Listens on loopback, `offset` ports after `first`; anywhere if `first` is 0.
pub async fn listen(first: u16, offset: u16) -> Result<TcpListener> {
    let port = if first == 0 { 0 } else { first.saturating_add(offset) };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await;
    listener.with_context(|| format!("cannot listen on port {port}; choose others with --port"))
}

/// Where a listener can be reached.
pub fn url(listener: &TcpListener) -> Result<String> {
    Ok(format!("http://{}", listener.local_addr()?))
}

/// Makes the directory, and makes it this process's own until the answer is dropped or the process dies.
pub fn claim(directory: &Path) -> Result<File> {
    fs::create_dir_all(directory).with_context(|| format!("make the directory {}", directory.display()))?;
    let path = directory.join("lock");
    let file = File::create(&path).with_context(|| format!("open {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => bail!("another holdfast uses {}", directory.display()),
        Err(TryLockError::Error(fault)) => Err(fault).with_context(|| format!("lock {}", path.display())),
    }
}

/// How long one attempt may take. On AWS nobody is kept waiting for more than a second; here one machine does the work
/// of many, so giving up and trying again would only add to it. Longer than the 20 seconds that SQS waits for a
/// message.
const ATTEMPT: Duration = Duration::from_secs(25);

/// The clients of a stack: those of its handlers, and its own.
pub struct Clients {
    pub dynamodb: aws_sdk_dynamodb::Client,
    pub streams: aws_sdk_dynamodbstreams::Client,
    pub sqs: aws_sdk_sqs::Client,
}

impl Clients {
    pub fn new(dynamodb_endpoint: &str, sqs_endpoint: &str) -> Self {
        let (dynamodb, sqs) = (config(dynamodb_endpoint), config(sqs_endpoint));
        Self {
            dynamodb: aws_sdk_dynamodb::Client::new(&dynamodb),
            streams: aws_sdk_dynamodbstreams::Client::new(&dynamodb),
            sqs: aws_sdk_sqs::Client::new(&sqs),
        }
    }
}

fn config(endpoint: &str) -> SdkConfig {
    let timeouts = TimeoutConfig::builder().connect_timeout(PATIENCE).operation_attempt_timeout(ATTEMPT).build();
    runtime::aws::local(endpoint).into_builder().timeout_config(timeouts).build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_serves_one_process_at_a_time() {
        let directory = std::env::temp_dir().join(format!("holdfast-claim-{}", std::process::id()));
        let first = claim(&directory).unwrap();
        assert!(claim(&directory).unwrap_err().to_string().contains("another holdfast"));
        drop(first);
        claim(&directory).unwrap();
        fs::remove_dir_all(directory).unwrap();
    }
}
