//! `holdfast replay`: lets real baskets be bought by many shoppers at once.
//!
//! A shopper takes the next basket, reserves all of its lines in one call, then pays (`confirm`) or walks away (`cancel`). A
//! basket that is refused is gone: its shopper takes the next one.
//!
//! **The same run gives the same answers.** Which baskets are canceled follows from the seed and the basket, not from who was
//! first; Idempotency-Keys are `RUN/BASKET/CALL`. So a replay that was killed is finished by starting it again.

use std::{path::PathBuf, process::ExitCode};

use domain::{
    ids::{Channel, Reason, Reference, Sku},
    limits::MAX_QUANTITY,
    quantity::Quantity,
};
use reqwest::Method;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::time::Instant;

use super::{
    Failure,
    answer::{Answer, NotDone},
    baskets::{Basket, Input},
    client::{Call, Client},
    fraction::Fraction,
    print, progress,
    receipts::{Intake, Receipt, Shipment, receive},
    rows,
    service::Service,
    summary::{End, Ended, Summary},
};

/// Characters of the name of a run: with the longest basket id and the name of a call it still fits an Idempotency-Key.
const MAX_RUN_CHARS: usize = 64;

/// Buy real baskets, with many shoppers at once
///
/// The file has a header and the columns `basket_id`, `product_id` and `quantity`; others are ignored. Each basket is reserved as a
/// whole, and then confirmed or canceled. A row that cannot be right (such as a quantity of 0) is reported with its line number,
/// and the rest of its basket goes on. A basket of more than 50 good lines is refused: that is the limit of one reservation, and
/// in two of them one half could be held and the other refused.
///
/// The same seed and run name give the same answers again and change nothing, so a replay that was stopped is finished by
/// starting it again.
///
/// Exit code: 0 every basket got its answer, be it a refusal; 1 some did not, or the service failed.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Args {
    /// The file
    file: PathBuf,

    #[command(flatten)]
    service: Service,

    /// Shoppers at the same time
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=1000))]
    shoppers: u16,

    /// Probability that a shopper walks away without paying
    #[arg(long, value_name = "P", default_value = "0.1", value_parser = Fraction::probability)]
    cancel: Fraction,

    /// First receive this share of what the file sells of each product, rounded up to whole units; once for each run
    #[arg(long, value_name = "SHARE", value_parser = Fraction::above_zero)]
    stock_fraction: Option<Fraction>,

    /// Decides which baskets are canceled
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,

    /// Name of this run; the same baskets under another name are bought again [default: seed-NUMBER]
    #[arg(long, value_name = "NAME", value_parser = run_name)]
    run: Option<Reference>,

    /// Where the units are sold
    #[arg(long, default_value = "own")]
    channel: Channel,

    /// Print the summary as JSON
    #[arg(long)]
    json: bool,
}

fn run_name(text: &str) -> Result<Reference, String> {
    match text.parse() {
        Ok(name) if text.len() <= MAX_RUN_CHARS => Ok(name),
        _ => Err(format!("it must be 1 to {MAX_RUN_CHARS} visible ASCII characters")),
    }
}

/// Carries out `holdfast replay`.
pub async fn run(args: Args) -> Result<ExitCode, Failure> {
    let baskets = Input::read(&rows::load(&args.file)?)?;
    let client = Client::new(args.service).await?;
    let shop = Shop {
        client: &client,
        channel: args.channel,
        run: args.run.map_or_else(|| format!("seed-{}", args.seed), |name| name.to_string()),
        seed: args.seed,
        cancel: args.cancel,
    };
    let shoppers = args.shoppers.into();
    let stock = match args.stock_fraction {
        Some(fraction) => Some(shop.fill(&baskets, fraction, shoppers, args.json).await?),
        None => None,
    };
    let summary = shop.sell(baskets, shoppers, args.json).await;
    let summary = Summary { file: args.file.display().to_string(), shoppers, stock, ..summary };
    print(&if args.json { json!(summary).to_string() } else { summary.text() });
    Ok(if summary.is_answered() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What all shoppers of a run have in common.
struct Shop<'a> {
    client: &'a Client,
    channel: Channel,
    run: String,
    seed: u64,
    cancel: Fraction,
}

impl Shop<'_> {
    /// Receives `fraction` of what the baskets take of each product.
    async fn fill(&self, baskets: &Input, fraction: Fraction, at_once: usize, quiet: bool) -> Result<Intake, Failure> {
        // The reason is part of what a receipt is known by: another fraction is another delivery.
        let reason = format!("{fraction} of what the baskets of {} take", self.run);
        let reason: Reason = reason.parse().map_err(|rule| Failure(format!("The reason of the receipts {rule}.")))?;
        let shipment = Shipment { delivery: &self.run, channel: &self.channel };
        let received = receive(self.client, receipts(baskets, fraction, &reason), &shipment, at_once, quiet).await;
        match received.failed.first() {
            Some(failed) => Err(Failure(format!("The shelves could not be filled. {}", failed.reason))),
            None if received.not_tried > 0 => Err(Failure("It was stopped before the shelves were full.".to_owned())),
            None => Ok(received),
        }
    }

    /// Lets `shoppers` buy the baskets.
    async fn sell(&self, baskets: Input, shoppers: usize, quiet: bool) -> Summary {
        let total = baskets.baskets.len();
        let bar = progress(total, "shopping", quiet);
        let started = Instant::now();
        let ended = super::each(baskets.baskets, shoppers, &bar, async |basket| {
            let end = self.buy(&basket).await;
            Ended { basket, end }
        })
        .await;
        let seconds = started.elapsed().as_secs_f64();
        let not_tried = total - ended.len();
        Summary::new(self.run.clone(), &ended, seconds, self.client.report()).with_left_out(
            baskets.empty,
            not_tried,
            baskets.rejected,
        )
    }

    /// One basket, from the shelf to the till or back.
    async fn buy(&self, basket: &Basket) -> End {
        if basket.is_too_long() {
            return End::TooLong;
        }
        let reserved = match self.reserve(basket).await {
            Ok(answer) => answer,
            Err(error) => return End::not_done("reserve", error),
        };
        let Some(id) = reserved.body["id"].as_str() else {
            return End::Unfinished("The service answered a reservation without an id.".to_owned());
        };
        let walks_away = self.walks_away(basket);
        let (name, end) = if walks_away { ("cancel", End::Canceled) } else { ("confirm", End::Confirmed) };
        match self.decide(basket, id, name).await {
            Ok(_) => end,
            Err(error) => End::not_done(name, error),
        }
    }

    /// Whether this basket is canceled: always, or never, for the same seed.
    fn walks_away(&self, basket: &Basket) -> bool {
        let digest = Sha256::new().chain_update(self.seed.to_be_bytes()).chain_update(basket.id.as_str()).finalize();
        let drawn = digest.iter().take(8).fold(0, |number, &byte| number << 8 | u64::from(byte));
        self.cancel.takes(drawn)
    }

    async fn reserve(&self, basket: &Basket) -> Result<Answer, NotDone> {
        let lines: Vec<Value> = basket
            .lines
            .iter()
            .map(|line| json!({"sku": line.sku.as_str(), "quantity": line.quantity.units()}))
            .collect();
        let body = json!({"channel": self.channel.as_str(), "order_id": basket.id.as_str(), "lines": lines});
        self.post("reserve", basket, &["reservations"], body).await
    }

    async fn decide(&self, basket: &Basket, id: &str, name: &'static str) -> Result<Answer, NotDone> {
        let body = if name == "confirm" { json!({"order_id": basket.id.as_str()}) } else { json!({}) };
        self.post(name, basket, &["reservations", id, name], body).await
    }

    async fn post(&self, name: &'static str, basket: &Basket, path: &[&str], body: Value) -> Result<Answer, NotDone> {
        let key = Some(format!("{}/{}/{name}", self.run, basket.id));
        self.client.call(Call { name, method: Method::POST, path, channel: None, key, body: Some(body) }).await
    }
}

/// What fills the shelves: as many receipts a product as the largest movement makes necessary.
fn receipts(baskets: &Input, fraction: Fraction, reason: &Reason) -> Vec<Receipt> {
    let receipts_of = |(sku, units): (Sku, u64)| {
        let mut left = fraction.of_rounded_up(units);
        std::iter::from_fn(move || {
            // The range of a quantity is 1 to MAX_QUANTITY: nothing is left when this is no quantity.
            let quantity = Quantity::new(left.min(MAX_QUANTITY)).ok()?;
            left -= quantity.units();
            Some(Receipt { line: 0, sku: sku.clone(), quantity, reason: reason.clone() })
        })
    };
    baskets.sales().into_iter().flat_map(receipts_of).collect()
}

#[cfg(test)]
mod tests {
    use super::super::fake::Fake;
    use super::*;

    const FILE: &str = "basket_id,product_id,quantity\n\
        1,milk,2\n1,bread,1\n2,milk,0\n2,eggs,12\n3,milk,2\n4,fuel,35836\n5,milk,0\n";

    async fn replay(client: &Client, run: &str, cancel: &str, fraction: Option<&str>) -> Summary {
        let baskets = Input::read(FILE.as_bytes()).unwrap();
        let cancel = cancel.parse().unwrap();
        let shop = Shop { client, channel: Channel::own(), run: run.to_owned(), seed: 1, cancel };
        if let Some(fraction) = fraction {
            shop.fill(&baskets, fraction.parse().unwrap(), 2, true).await.unwrap();
        }
        shop.sell(baskets, 2, true).await
    }

    #[tokio::test]
    async fn baskets_are_bought_until_the_shelf_is_empty() {
        let fake = Fake::start().await;
        let client = Client::hasty(&fake.url).await;
        let summary = replay(&client, "a", "0", Some("0.5")).await;
        // Half of 4 milk, 1 bread, 12 eggs and 35,836 fuel: enough for one of the two baskets with milk, not for eggs nor fuel.
        assert_eq!(summary.confirmed.baskets, 1);
        assert_eq!(summary.refused.len(), 1);
        assert_eq!((summary.refused[0].call, summary.refused[0].problem.as_str()), ("reserve", "insufficient-stock"));
        assert_eq!((summary.refused[0].baskets, summary.empty, summary.rejected.len()), (3, 1, 2));
        assert!(summary.is_answered());
    }

    #[tokio::test]
    async fn the_same_run_again_is_answered_the_same_and_another_run_buys_again() {
        let fake = Fake::start().await;
        let client = Client::hasty(&fake.url).await;
        let first = replay(&client, "a", "0", Some("1")).await;
        assert_eq!((first.confirmed.baskets, first.confirmed.units), (4, 3 + 12 + 2 + 35_836));
        assert_eq!(fake.available("fuel"), 0);
        let again = replay(&client, "a", "0", Some("1")).await;
        assert_eq!(again.confirmed, first.confirmed);
        assert_eq!(fake.available("fuel"), 0);
        assert!(again.calls.iter().any(|call| call.call == "reserve" && call.replayed == 4));
        let other = replay(&client, "b", "0", None).await;
        assert_eq!(other.confirmed.baskets, 0);
    }

    #[tokio::test]
    async fn who_walks_away_gives_everything_back() {
        let fake = Fake::start().await;
        let client = Client::hasty(&fake.url).await;
        let summary = replay(&client, "a", "1", Some("1")).await;
        assert_eq!((summary.canceled.baskets, summary.confirmed.baskets), (4, 0));
        assert_eq!((fake.available("milk"), fake.available("fuel")), (4, 35_836));
    }

    #[test]
    fn who_walks_away_depends_on_the_seed_and_the_basket_alone() {
        let baskets: Vec<_> =
            (0..2_000).map(|n| Basket { id: format!("basket-{n}").parse().unwrap(), lines: Vec::new() }).collect();
        let client = tokio::runtime::Runtime::new().unwrap().block_on(Client::hasty("http://127.0.0.1:9"));
        let gone = |seed| -> Vec<usize> {
            let cancel = "0.1".parse().unwrap();
            let shop = Shop { client: &client, channel: Channel::own(), run: String::new(), seed, cancel };
            (0..baskets.len()).filter(|&n| shop.walks_away(&baskets[n])).collect()
        };
        assert!((150..250).contains(&gone(1).len()), "{}", gone(1).len());
        assert_eq!(gone(1), gone(1));
        assert_ne!(gone(1), gone(2));
    }

    #[test]
    fn shelves_are_filled_in_movements_of_legal_size() {
        let file = "basket_id,product_id,quantity\n1,fuel,1000000\n2,fuel,1000000\n3,fuel,3\n1,milk,1\n";
        let baskets = Input::read(file.as_bytes()).unwrap();
        let reason = "test".parse().unwrap();
        let found: Vec<_> = receipts(&baskets, "0.75".parse().unwrap(), &reason)
            .into_iter()
            .map(|receipt| (receipt.sku.to_string(), receipt.quantity.units()))
            .collect();
        let expected =
            [("fuel", 1_000_000), ("fuel", 500_003), ("milk", 1)].map(|(sku, units)| (sku.to_owned(), units));
        assert_eq!(found, expected);
    }

    #[test]
    fn a_run_has_a_name_that_fits_a_key() {
        assert!(run_name("2025-11-23").is_ok() && run_name(&"r".repeat(64)).is_ok());
        assert!(run_name("").is_err() && run_name("two words").is_err() && run_name(&"r".repeat(65)).is_err());
    }
}
