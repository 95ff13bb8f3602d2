//! `GET /v1/availability?sku=a&sku=b&channel=own`: exact at the moment of the answer, in the order asked. A hold that nobody
//! paid for counts as free from the second it is over, whether or not anything has released it.
//!
//! Where purchase orders are to bring units that nobody waits for, it also says when the next of them come. The day is what the supplier said,
//! in UTC; how many days that is, is counted by the clock of the answer, a part of one as a whole.
//!
//! A channel with a quota of the SKU has that, and what it may borrow; one without has the shared stock.

use domain::{
    bucket::StockId,
    ids::{Channel, Sku},
    limits::MAX_AVAILABILITY_SKUS,
    purchase::Arrival,
    time::{Day, Timestamp},
};
use http::{Problem, Request, Response, view::rfc3339};
use runtime::{App, problem};
use serde::Serialize;

#[derive(Serialize)]
struct Availability<'a> {
    channel: &'a str,
    as_of: String,
    items: Vec<Item<'a>>,
}

#[derive(Serialize)]
struct Item<'a> {
    sku: &'a str,
    available: u64,
    in_stock: bool,
    #[serde(flatten)]
    next: Option<Next>,
}

/// When the next units come, and how many.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Next {
    expected_at: String,
    available_in_days: u64,
    incoming: u64,
}

impl Next {
    fn new(arrival: Arrival, as_of: Timestamp) -> Self {
        // Its first second is a part of a day less than whole days away, or less than a day ago: the days between are those rounded up.
        let available_in_days = arrival.on.days_since(Day::of(as_of));
        Self { expected_at: rfc3339(arrival.on.begins_at()), available_in_days, incoming: arrival.units }
    }
}

pub(crate) async fn read(app: &App, request: &Request) -> Result<Response, Problem> {
    let (channel, stocks) = asked(request)?;
    let offers = app.store.availability(&stocks).await.map_err(problem)?;
    // All of them were seen at the same instant, and one at least was asked for.
    let as_of = offers.first().ok_or_else(Problem::internal_error)?.as_of;
    let items = offers.iter().map(|offer| Item {
        sku: offer.stock.sku.as_str(),
        available: offer.available,
        in_stock: offer.available > 0,
        next: offer.next.map(|arrival| Next::new(arrival, offer.as_of)),
    });
    Ok(Response::ok(&Availability { channel: channel.as_str(), as_of: rfc3339(as_of), items: items.collect() }))
}

fn asked(request: &Request) -> Result<(Channel, Vec<StockId>), Problem> {
    http::parse(request, |input| {
        let channel = input.query("channel").unwrap_or_else(Channel::own);
        let skus: Vec<Sku> = input.query_list("sku", MAX_AVAILABILITY_SKUS)?;
        let stocks = skus.into_iter().map(|sku| StockId { sku, channel: channel.clone() }).collect();
        Some((channel, stocks))
    })
}

#[cfg(test)]
mod tests {
    use http::testing::Sample;

    use super::*;

    fn sample(query: &str) -> Request {
        Sample::new("GET /v1/availability").query(query).request()
    }

    #[test]
    fn skus_are_asked_for_in_their_order() {
        let (channel, stocks) = asked(&sample("sku=tea&channel=amazon&sku=mug&sku=tea")).unwrap();
        let asked: Vec<String> = stocks.iter().map(ToString::to_string).collect();
        assert_eq!(
            (channel.as_str(), asked),
            ("amazon", ["tea#amazon", "mug#amazon", "tea#amazon"].map(str::to_owned).to_vec())
        );
    }

    #[test]
    fn a_part_of_a_day_is_a_day() {
        let today = Day::from_epoch_days(20_833);
        let arrival = Arrival { on: today.plus_days(7), units: 12 };
        for (seconds, days) in [(0, 7), (1, 7), (86_399, 7), (86_400, 6), (6 * 86_400 + 1, 1), (7 * 86_400, 0)] {
            let next = Next::new(arrival, today.begins_at().plus_seconds(seconds));
            let expected =
                Next { expected_at: "2027-01-22T00:00:00Z".to_owned(), available_in_days: days, incoming: 12 };
            assert_eq!(next, expected, "{seconds}");
        }
    }

    #[test]
    fn one_to_a_hundred_skus() {
        let skus = |count: usize| vec!["sku=a"; count].join("&");
        assert!(asked(&sample(&skus(100))).is_ok());
        for query in ["", "channel=own", &skus(101), "sku=a,b", "sku=a&limit=1", "skus=a"] {
            assert!(asked(&sample(query)).is_err(), "{query}");
        }
    }
}
