//! The commands of the `holdfast` binary that talk to a running service, here or on AWS.
//!
//! | command | talks to | does |
//! |---|---|---|
//! | [`import`] | the API | receives the rows of a stock file |
//! | [`import_sales`] | the API | says what was sold on which day, from a file |
//! | [`backtest`] | nobody | replays such a file: by the rule of this service, and ordering when the shelf is empty |
//! | [`replay`] | the API | lets real baskets be held, paid for and let go by many shoppers at once |
//! | [`watch`] | the API | prints a line whenever a SKU's availability changes |
//! | [`audit`] | the table | checks the invariants of the protocol over everything that is stored |
//! | [`channels`] | a local stack of its own | lets four channels sell from one shelf, for somebody to watch |
//! | [`dead_letters`] | a queue | lists and shows the orders that failed too often, and sends them back |
//!
//! What a command says to a person is a plain sentence; with `--json` the same goes to standard output as JSON. Progress goes to
//! standard error, and only if that is a terminal.

mod answer;
mod audit;
mod backtest;
mod baskets;
mod channels;
mod client;
mod dead_letters;
mod fraction;
mod history;
mod import;
mod import_sales;
mod receipts;
mod replay;
mod report;
mod rows;
mod service;
mod signature;
mod summary;
mod verdict;
mod watch;

use std::{
    fmt,
    io::{self, Write},
    pin::pin,
    process::ExitCode,
    time::Duration,
};

use aws_config::{SdkConfig, timeout::TimeoutConfig};
use futures::StreamExt;
use indicatif::{ProgressBar, ProgressState, ProgressStyle};
use reqwest::Url;
use runtime::aws::{self, Roots, behavior_version, https_client};

/// What the binary can be told to do besides starting the local stack.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    Import(import::Args),
    ImportSales(import_sales::Args),
    Backtest(backtest::Args),
    Replay(replay::Args),
    Audit(audit::Args),
    Watch(watch::Args),
    Channels(channels::Args),
    DeadLetters(dead_letters::Args),
}

/// Runs one command to its end. Whatever there is to say has been printed when it returns.
pub async fn run(command: Command) -> ExitCode {
    let done = match command {
        Command::Import(args) => import::run(args).await,
        Command::ImportSales(args) => import_sales::run(args).await,
        Command::Backtest(args) => backtest::run(&args),
        Command::Replay(args) => replay::run(args).await,
        Command::Audit(args) => audit::run(args).await,
        Command::Watch(args) => watch::run(args).await,
        Command::Channels(args) => channels::run(args).await,
        Command::DeadLetters(args) => dead_letters::run(args).await,
    };
    done.unwrap_or_else(|failure| {
        say(&format!("holdfast: {failure}"));
        ExitCode::FAILURE
    })
}

/// Why a command could not do its work: a sentence for the person who typed it.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Failure(String);

/// Whoever this machine is to AWS: from the environment, the shared profile or the role of the machine, as for every AWS tool.
async fn aws_config() -> SdkConfig {
    aws_config::defaults(behavior_version()).http_client(https_client(Roots::System)).load().await
}

/// Likewise, but with a server of one's own when there is an `endpoint`. One on this machine asks for credentials and takes any,
/// so that nobody has to have some.
async fn aws_config_at(endpoint: Option<&Url>, attempt_timeout: Duration) -> SdkConfig {
    let config = match endpoint {
        Some(url) if matches!(url.host_str(), Some("127.0.0.1" | "localhost" | "[::1]")) => aws::local(url.as_str()),
        Some(url) => aws_config().await.into_builder().endpoint_url(url.as_str()).build(),
        None => aws_config().await,
    };
    let timeouts = TimeoutConfig::builder().operation_attempt_timeout(attempt_timeout).build();
    config.into_builder().timeout_config(timeouts).build()
}

/// Writes to standard output. `holdfast watch SKU | head -2` closes it early, which is the reader's right and not an error:
/// the answer says whether anybody still reads.
fn print(text: &str) -> bool {
    writeln!(io::stdout().lock(), "{text}").is_ok()
}

/// Writes to standard error, where nobody may be listening either.
fn say(text: &str) {
    drop(writeln!(io::stderr().lock(), "{text}"));
}

/// A bar for `length` pieces of work; nothing is drawn when `quiet`, or when standard error is no terminal.
fn progress(length: usize, what: &'static str, quiet: bool) -> ProgressBar {
    if quiet {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{msg} {wide_bar} {human_pos}/{human_len} {rate:>7} {eta:>4}")
        .expect("the template is a constant that a test draws")
        .with_key("rate", |state: &ProgressState, text: &mut dyn fmt::Write| {
            // A bar that cannot be drawn is nobody's loss.
            let _ = write!(text, "{:.0}/s", state.per_sec());
        });
    ProgressBar::new(length as u64).with_style(style).with_message(what)
}

/// Does `work` for each of `items`, `at_once` of them at any time, begun in the order given. Fewer results than items mean that
/// somebody pressed Ctrl-C: what was under way was dropped, and the rest never began.
async fn each<T, R>(items: Vec<T>, at_once: usize, bar: &ProgressBar, work: impl AsyncFn(T) -> R) -> Vec<R> {
    let mut results = Vec::with_capacity(items.len());
    let mut running = pin!(futures::stream::iter(items).map(|item| work(item)).buffer_unordered(at_once));
    let mut stop = pin!(tokio::signal::ctrl_c());
    loop {
        tokio::select! {
            next = running.next() => match next {
                Some(result) => results.push(result),
                None => break,
            },
            _ = &mut stop => break,
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    results
}

#[cfg(test)]
mod fake;

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn no_more_than_so_many_run_at_once_and_all_of_them_do() {
        let (now, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let results = each((0..40).collect(), 7, &progress(40, "testing", true), async |n: usize| {
            most.fetch_max(now.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
            tokio::task::yield_now().await;
            now.fetch_sub(1, Ordering::Relaxed);
            n
        })
        .await;
        assert_eq!(results.iter().sum::<usize>(), 39 * 40 / 2);
        assert_eq!(most.load(Ordering::Relaxed), 7);
    }

    #[test]
    fn the_arguments_of_every_command_agree_with_each_other() {
        <Command as clap::Subcommand>::augment_subcommands(clap::Command::new("holdfast")).debug_assert();
    }

    #[test]
    fn the_template_of_the_bar_is_valid() {
        assert_eq!(progress(3, "testing", false).length(), Some(3));
    }
}
