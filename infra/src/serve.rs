//! `holdfast serve`: starts the local stack, says where it is and what to try, and runs until it is told to stop.

use std::{path::PathBuf, process::ExitCode};

use holdfast::local::{self, Stack};
use tokio::signal::unix::{SignalKind, signal};

/// How to start the local stack.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Where the API listens; DynamoDB listens one port further on, SQS two. 0: anywhere
    #[arg(long, default_value_t = 3000)]
    port: u16,

    /// Keep what is stored in this directory instead of in memory
    #[arg(long, value_name = "DIR", conflicts_with = "dynamodb_endpoint")]
    data: Option<PathBuf>,

    /// Use this DynamoDB (DynamoDB Local, say) instead of the embedded one
    #[arg(long, value_name = "URL", env = "DYNAMODB_ENDPOINT")]
    dynamodb_endpoint: Option<String>,

    /// Use this SQS instead of the embedded one
    #[arg(long, value_name = "URL", env = "SQS_ENDPOINT")]
    sqs_endpoint: Option<String>,

    /// Give this function no events, so that what waits for it can be watched (`order-consumer`, say); may be repeated
    #[arg(long, value_name = "FUNCTION")]
    without: Vec<String>,

    /// Where the secrets of channels are: a JSON object, a field for each channel with an object of texts
    #[arg(long, value_name = "FILE")]
    secrets: Option<PathBuf>,

    /// What to log: error, warn, info, debug, trace, or a filter such as `store=debug`
    #[arg(long, value_name = "LEVEL", env = "LOG_LEVEL", default_value = "warn")]
    log: String,
}

/// Runs until Ctrl-C or SIGTERM.
pub async fn run(options: Options) -> ExitCode {
    // The engine warns of every condition that fails, which is how this service works; the queues announce each queue.
    let filter = format!("{},dynoxide=error,rustack_sqs_core=warn", options.log);
    let filter = tracing_subscriber::EnvFilter::builder().parse_lossy(filter);
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let stored = match (&options.dynamodb_endpoint, &options.data) {
        (Some(_), _) => "kept by that server".to_owned(),
        (None, Some(data)) => format!("in {}", data.display()),
        (None, None) => "in memory".to_owned(),
    };
    let vendors = match options.secrets.as_deref().map(local::Vendors::with_secrets_of).transpose() {
        Ok(vendors) => vendors.unwrap_or_default(),
        Err(fault) => {
            eprintln!("holdfast: {fault:#}");
            return ExitCode::FAILURE;
        }
    };
    let options = local::Options {
        port: options.port,
        data: options.data,
        dynamodb_endpoint: options.dynamodb_endpoint,
        sqs_endpoint: options.sqs_endpoint,
        without: options.without,
        vendors,
        ..local::Options::default()
    };
    // Listened for from the start, so that a stack is never cut off half made.
    let stop = stop_signal();
    let stack = match Stack::start(options).await {
        Ok(stack) => stack,
        Err(fault) => {
            eprintln!("holdfast: {fault:#}");
            return ExitCode::FAILURE;
        }
    };
    print!("{}", greeting(&stack, &stored));
    stop.await;
    stack.shutdown().await;
    ExitCode::SUCCESS
}

fn stop_signal() -> impl Future<Output = ()> {
    let signals = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()));
    async {
        // Where no handler can be installed, the signal ends the process by itself.
        let (Ok(mut interrupt), Ok(mut terminate)) = signals else { return std::future::pending().await };
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    }
}

fn greeting(stack: &Stack, stored: &str) -> String {
    let (url, dynamodb, sqs, table) = (stack.url(), stack.dynamodb_endpoint(), stack.sqs_endpoint(), stack.table());
    format!(
        "\
Holdfast   {url}   (read {url}/docs)
DynamoDB   {dynamodb}   table {table}, {stored}
SQS        {sqs}

Try:
  curl -X PUT {url}/v1/stock/mug -H 'Content-Type: application/json' -d '{{}}'
  curl {url}/v1/stock/mug/movements -H 'Content-Type: application/json' -H 'Idempotency-Key: in-1' \\
       -d '{{\"kind\":\"receive\",\"quantity\":10,\"reason\":\"first delivery\"}}'
  curl {url}/v1/reservations -H 'Content-Type: application/json' -H 'Idempotency-Key: cart-1' \\
       -d '{{\"lines\":[{{\"sku\":\"mug\",\"quantity\":2}}]}}'

Let the hold expire: curl {url}/_local/clock -d '{{\"advance_seconds\":901}}'
Ctrl-C stops it.
"
    )
}
