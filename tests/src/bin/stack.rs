//! The local stack in a process of its own, so that a test can kill it: `stack PREFIX [DIRECTORY] [DYNAMODB_ENDPOINT]`, an empty
//! argument counting as none. Prints where the API listens, then runs until it is killed.

use anyhow::{Context, Result};
use holdfast::local::{Options, Stack};

#[tokio::main]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let prefix = arguments.next().context("which prefix?")?;
    let mut optional = || arguments.next().filter(|argument| !argument.is_empty());
    let data = optional().map(Into::into);
    let dynamodb_endpoint = optional();
    let stack = Stack::start(Options { data, dynamodb_endpoint, prefix, ..Options::default() }).await?;
    println!("{}", stack.url());
    std::future::pending().await
}
