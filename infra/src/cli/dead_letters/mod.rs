//! `holdfast dead-letters`: the orders that the consumer of the order queue failed to decide five times.
//!
//! [`queue`] is how SQS lets them be seen, [`letter`] what one of them says, [`redrive`] how they are sent back.

#[cfg(test)]
mod fake;
mod letter;
mod queue;
mod redrive;
#[cfg(test)]
mod tests;

use std::process::ExitCode;

use domain::time::{Clock, Timestamp};
use reqwest::Url;
use runtime::SystemClock;
use serde::Serialize;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use self::{
    letter::{Details, HEAD, Summary},
    queue::DeadLetters,
    redrive::Redrive,
};
use super::{
    Failure, print,
    report::{self, count, thousands},
    service::web_url,
};

/// List, show and send back the orders that failed too often
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    List(List),
    Show(Show),
    Redrive(RedriveArgs),
}

/// One line for each message
///
/// Looking takes a message from the queue for a moment, puts it back and counts as a receive; two who look at the same time see a
/// part each. Of many messages in one group only the first ones can be seen.
///
/// Exit code: 0 the queue was read; 1 it cannot be, or Ctrl-C.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
struct List {
    #[command(flatten)]
    place: Place,
}

/// A message with its body and all its attributes
///
/// Exit code: 0 it was found; 1 it was not, or the queue cannot be read.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
struct Show {
    /// Id of the message, or of the order in it: then all its messages are shown
    id: String,

    #[command(flatten)]
    place: Place,
}

/// Send messages back to the queue that they came from
///
/// This is safe: an order is decided once, however often its message comes. A message is deleted here only after it was sent, so
/// when this is stopped or fails, give the same command again. Messages of a group are sent in their order. Mend what made them
/// fail first, or they are back here after five more tries.
///
/// Exit code: 0 all was sent back; 1 one message was not, or is unknown (then nothing is sent at all), or Ctrl-C.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
struct RedriveArgs {
    /// Ids of messages, or of the orders in them
    #[arg(value_name = "ID", required_unless_present = "all", conflicts_with = "all")]
    ids: Vec<String>,

    /// Every message of the queue
    #[arg(long)]
    all: bool,

    /// Where to send them, by name or URL [default: the one queue whose dead letters these are]
    #[arg(long, value_name = "NAME_OR_URL")]
    to: Option<String>,

    /// Say what would be sent, and send nothing
    #[arg(long)]
    dry_run: bool,

    #[command(flatten)]
    place: Place,
}

/// Where the dead letters are.
#[derive(Debug, clap::Args)]
struct Place {
    /// The queue of dead letters, by name or URL: by default the local stack's; the output `OrderDeadLettersUrl` of a deployed one
    #[arg(
        long,
        value_name = "NAME_OR_URL",
        env = "ORDER_DEAD_LETTERS_URL",
        default_value = "holdfast-OrderDeadLetters.fifo"
    )]
    queue: String,

    /// Where SQS is: by default the local stack's
    #[arg(long, value_name = "URL", env = "SQS_ENDPOINT", default_value = "http://127.0.0.1:3002", value_parser = web_url)]
    endpoint: Url,

    /// Use SQS on AWS, in this machine's region and with its credentials
    #[arg(long)]
    aws: bool,

    /// Print the answer as JSON
    #[arg(long)]
    json: bool,
}

impl Place {
    async fn open(&self) -> Result<DeadLetters, Failure> {
        DeadLetters::open(&self.queue, (!self.aws).then_some(&self.endpoint)).await
    }
}

/// Carries out `holdfast dead-letters`.
pub async fn run(args: Args) -> Result<ExitCode, Failure> {
    let stop = CancellationToken::new();
    let pressed = stop.clone();
    tokio::spawn(async move {
        // Where Ctrl-C cannot be heard it ends the process, and what was being looked at is back in a minute.
        if tokio::signal::ctrl_c().await.is_ok() {
            pressed.cancel();
        }
    });
    let now = SystemClock.now();
    let (text, complete) = match args.action {
        Action::List(List { place }) => {
            let listing = list(&place.open().await?, now, &stop).await?;
            (if place.json { json!(listing).to_string() } else { listing.text() }, !listing.stopped)
        }
        Action::Show(Show { id, place }) => {
            let found = show(&place.open().await?, &id, now, &stop).await?;
            let text = || found.iter().map(Details::text).collect::<Vec<_>>();
            (if place.json { json!({ "messages": found }).to_string() } else { report::page(&text()) }, true)
        }
        Action::Redrive(RedriveArgs { ids, all, to, dry_run, place }) => {
            let queue = place.open().await?;
            let to = queue.target(to.as_deref()).await?;
            let redrive = Redrive::new(&queue, to, dry_run, &stop).await?;
            let report = if all { redrive.all().await } else { redrive.named(&ids).await? };
            (if place.json { json!(report).to_string() } else { report.text() }, report.is_complete())
        }
    };
    print(&text);
    Ok(if complete { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What is in the queue.
#[derive(Debug, Serialize)]
struct Listing {
    queue: String,
    /// How many there are, as SQS counts them: not always to the last one.
    total: usize,
    /// How many of them could be seen.
    showing: usize,
    messages: Vec<Summary>,
    stopped: bool,
}

async fn list(queue: &DeadLetters, now: Timestamp, stop: &CancellationToken) -> Result<Listing, Failure> {
    let total = queue.total().await?;
    let letters = queue.look(stop).await?;
    queue.give_back(&letters).await;
    let messages: Vec<_> = letters.iter().map(|letter| letter.summary(now)).collect();
    let showing = messages.len();
    let (total, stopped) = (total.max(showing), stop.is_cancelled());
    Ok(Listing { queue: queue.url.clone(), total, showing, messages, stopped })
}

impl Listing {
    /// For people.
    fn text(&self) -> String {
        let (total, showing) = (self.total as u64, thousands(self.showing as u64));
        let title = match total {
            0 => format!("No dead letters in {}.", self.queue),
            total if total == self.showing as u64 => format!("{} in {}.", count(total, "dead letter"), self.queue),
            total => format!("Showing {showing} of {} in {}.", count(total, "dead letter"), self.queue),
        };
        let mut rows = vec![HEAD.map(str::to_owned).to_vec()];
        rows.extend(self.messages.iter().map(|message| message.cells().to_vec()));
        let table = report::table(&rows);
        let words = ["asks for".to_owned()].into_iter().chain(self.messages.iter().map(Summary::words));
        let lines = table.lines().zip(words).map(|(line, words)| format!("{line}  {words}"));
        let lines = if self.messages.is_empty() { String::new() } else { lines.collect::<Vec<_>>().join("\n") };
        let hidden = if self.total == self.showing { "" } else { HIDDEN };
        report::page(&[title, lines, hidden.to_owned()])
    }
}

/// Why not all messages are shown.
const HIDDEN: &str = "The others are behind these in their groups, or somebody else looks at them right now.";

async fn show(
    queue: &DeadLetters,
    id: &str,
    now: Timestamp,
    stop: &CancellationToken,
) -> Result<Vec<Details>, Failure> {
    let letters = queue.look(stop).await?;
    queue.give_back(&letters).await;
    if stop.is_cancelled() {
        return Err(Failure("It was stopped.".to_owned()));
    }
    let found: Vec<_> =
        letters.iter().filter(|letter| letter.is_called(id)).map(|letter| letter.details(now)).collect();
    if found.is_empty() {
        return Err(unknown(id, letters.len(), queue.total().await?, ""));
    }
    Ok(found)
}

/// `id` names none of the messages that could be seen.
fn unknown(id: &str, seen: usize, total: usize, then: &str) -> Failure {
    let number = |number: usize| thousands(number as u64);
    let among = if seen < total {
        format!("the {} dead letters that can be seen now, of {} in all", number(seen), number(total))
    } else {
        count(seen as u64, "dead letter")
    };
    Failure(format!("{id} is neither the id of a message nor of an order among {among}. {then}").trim_end().to_owned())
}
