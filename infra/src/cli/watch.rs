//! `holdfast watch`: a line whenever the availability of a SKU changes.

use std::{fmt, process::ExitCode, time::Duration};

use domain::ids::{Channel, Sku};
use reqwest::Method;
use serde::Deserialize;
use tokio::time::{MissedTickBehavior, interval};

use super::{
    Failure,
    client::{Call, Client},
    fraction::Fraction,
    print,
    report::thousands,
    service::Service,
};

/// Print a line whenever the availability of a SKU changes
///
/// Goes on until Ctrl-C, or until a change finds nobody reading its output any more.
///
/// Exit code: 0 stopped by whoever started or read it; 1 the SKU is unknown, or the service is gone.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Args {
    /// What to watch
    sku: Sku,

    #[command(flatten)]
    service: Service,

    /// Where the units are sold
    #[arg(long, default_value = "own")]
    channel: Channel,

    /// Seconds from one look to the next
    #[arg(long, value_name = "SECONDS", default_value = "1", value_parser = Fraction::above_zero)]
    interval: Fraction,

    /// Print the stock as a line of JSON, as the service says it
    #[arg(long)]
    json: bool,
}

/// What is watched of a SKU's stock.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Stock {
    available: u64,
    reserved: u64,
    sold: u64,
    #[serde(default)]
    as_of: String,
}

/// A change, or the first look.
struct Line<'a> {
    before: Option<&'a Stock>,
    now: &'a Stock,
}

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Stock { available, reserved, sold, as_of } = self.now;
        let change = match self.before.map(|before| before.available) {
            Some(before) if before <= *available => format!("+{}", thousands(available - before)),
            Some(before) => format!("-{}", thousands(before - available)),
            None => String::new(),
        };
        let (available, reserved, sold) = (thousands(*available), thousands(*reserved), thousands(*sold));
        write!(f, "{as_of:20}  available {available:>9} {change:<9}  reserved {reserved:>9}  sold {sold:>9}")
    }
}

/// Carries out `holdfast watch`.
pub async fn run(args: Args) -> Result<ExitCode, Failure> {
    let client = Client::new(args.service).await?;
    let watch = watch(&client, &args.sku, &args.channel, args.interval, |line, stock| {
        print(&if args.json { stock.to_string() } else { line.to_string() })
    });
    tokio::select! {
        watched = watch => watched?,
        _ = tokio::signal::ctrl_c() => {}
    }
    Ok(ExitCode::SUCCESS)
}

/// Shows every change of availability until `show` says that nobody looks.
async fn watch(
    client: &Client,
    sku: &Sku,
    channel: &Channel,
    every: Fraction,
    mut show: impl FnMut(&Line<'_>, &serde_json::Value) -> bool,
) -> Result<(), Failure> {
    let mut ticks = interval(Duration::from_millis(every.of_rounded_up(1_000)));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut before: Option<Stock> = None;
    loop {
        ticks.tick().await;
        let path = &["stock", sku.as_str()];
        let look = Call { name: "stock", method: Method::GET, path, channel: Some(channel), key: None, body: None };
        let found = client.call(look).await.map_err(|error| Failure(error.sentence()))?.body;
        let now = Stock::deserialize(&found)
            .map_err(|error| Failure(format!("The service answered something else than stock: {error}.")))?;
        if before.as_ref().is_none_or(|before| before.available != now.available) {
            if !show(&Line { before: before.as_ref(), now: &now }, &found) {
                return Ok(());
            }
            before = Some(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::fake::Fake;
    use super::*;

    #[tokio::test]
    async fn a_line_is_shown_for_the_first_look_and_for_every_change() {
        let fake = Fake::start().await;
        fake.stock("milk", 1_200);
        let client = Client::hasty(&fake.url).await;
        let (sku, channel) = ("milk".parse().unwrap(), Channel::own());
        let mut lines = Vec::new();
        watch(&client, &sku, &channel, "0.001".parse().unwrap(), |line, stock| {
            lines.push((line.to_string().split_whitespace().collect::<Vec<_>>().join(" "), stock["sku"].clone()));
            fake.stock("milk", if lines.len() == 1 { 1_195 } else { 2_195 });
            lines.len() < 3
        })
        .await
        .unwrap();
        let texts: Vec<_> = lines.iter().map(|(text, _)| text.as_str()).collect();
        assert_eq!(
            texts,
            [
                "2025-11-23T09:00:00Z available 1,200 reserved 0 sold 0",
                "2025-11-23T09:00:00Z available 1,195 -5 reserved 0 sold 0",
                "2025-11-23T09:00:00Z available 2,195 +1,000 reserved 0 sold 0",
            ]
        );
        assert_eq!(lines[0].1, "milk");
    }

    #[tokio::test]
    async fn an_unknown_sku_is_said_in_the_words_of_the_service() {
        let fake = Fake::start().await;
        let client = Client::hasty(&fake.url).await;
        let (sku, channel) = ("none".parse().unwrap(), Channel::own());
        let refused = watch(&client, &sku, &channel, "1".parse().unwrap(), |_, _| true).await.unwrap_err();
        assert_eq!(refused.to_string(), "The SKU none is not known.");
    }
}
