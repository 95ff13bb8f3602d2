//! Says what has to be looked at. No route: fed by the table's stream, which has room for two readers, this one and `expire`.
//!
//! **For reordering**: sales that are not counted yet, SKUs with other units or others on their way, and alerts that have opened. They go to
//! the queue that feeds `replenish`, one message for a batch.
//!
//! **For channels**: listings that may show a wrong number.
//!
//! A bucket whose free units or open shortfall changed marks the listings of its SKU: those of its channel, or of all channels where
//! it is the shared stock. A channel whose settings changed marks all of its listings. A mark is news if nobody has been told to look: then a message goes to the sync queue. So a rush for one SKU is
//! one message until somebody has looked, not one for each shopper.
//!
//! A listing that is kept up to date by polling is marked too, and left to the next poll.
//!
//! What fails comes again with everything behind it; a mark more is a look more, and what is asked for twice is found done.

use std::collections::BTreeSet;

use aws_lambda_events::{
    dynamodb::{Event, EventRecord},
    streams::{DynamoDbBatchItemFailure, DynamoDbEventResponse},
};
use domain::{
    bucket::StockId,
    channel::{ChannelSettings, SyncMode},
    ids::Channel,
    limits::MAX_PAGE,
    listing::ListingId,
};
use futures::{StreamExt, TryStreamExt, stream::iter};
use runtime::{App, lambda::MalformedEvent, replenishment::ToDo};
use serde_json::Value;
use store::{
    Failure, Fault, Item,
    stream::{
        channel_with_other_settings, sku_with_other_position, stock_with_other_units, uncounted_sale, untold_alert,
    },
};

/// Listings that are marked at the same time.
const AT_ONCE: usize = 8;

/// Handles a batch of the table's stream, and answers where it has to begin again.
///
/// # Errors
/// [`MalformedEvent`] when it is no batch of a stream.
pub async fn handle(app: &App, event: Value) -> Result<Value, MalformedEvent> {
    let event: Event = serde_json::from_value(event)?;
    Ok(serde_json::to_value(handle_stream(app, event).await)?)
}

/// Handles a batch of the table's stream.
pub async fn handle_stream(app: &App, event: Event) -> DynamoDbEventResponse {
    let first = event.records.first().and_then(|record| record.change.sequence_number.clone());
    let images: Vec<(Option<Item>, Option<Item>)> = event.records.into_iter().map(images).collect();
    let changed: BTreeSet<Changed> = images.iter().filter_map(changed).collect();
    let mut to_do = ToDo::default();
    for images in &images {
        add(&mut to_do, images);
    }
    let mut response = DynamoDbEventResponse::default();
    let asked = app.reviews.ask(&to_do).await.is_ok();
    let marked = mark(app, &changed).await.inspect_err(|failure| {
        tracing::warn!(%failure, changed = changed.len(), "listings were not marked, and come again");
    });
    if !asked || marked.is_err() {
        let mut failure = DynamoDbBatchItemFailure::default();
        failure.item_identifier = first;
        response.batch_item_failures.push(failure);
    }
    response
}

/// What changes what is shown.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Changed {
    /// There are other units.
    Stock(StockId),
    /// The merchant has set something else.
    Settings(Channel),
}

/// What there was, and what there is.
fn images(record: EventRecord) -> (Option<Item>, Option<Item>) {
    // An image that is absent arrives as an empty one; no item is empty, for it has a key.
    let image = |item: serde_dynamo::Item| Some(Item::from(item)).filter(|item| !item.is_empty());
    (image(record.change.old_image), image(record.change.new_image))
}

/// What reordering has to look at because of a record.
fn add(to_do: &mut ToDo, (old, new): &(Option<Item>, Option<Item>)) {
    to_do.sales.extend(uncounted_sale(new.as_ref()));
    to_do.skus.extend(sku_with_other_position(old.as_ref(), new.as_ref()));
    to_do.alerts.extend(untold_alert(new.as_ref()));
}

/// What a record changed for channels.
fn changed((old, new): &(Option<Item>, Option<Item>)) -> Option<Changed> {
    let stock = stock_with_other_units(old.as_ref(), new.as_ref()).map(Changed::Stock);
    stock.or_else(|| channel_with_other_settings(old.as_ref(), new.as_ref()).map(Changed::Settings))
}

/// Marks the listings that show something of it, and has somebody look at those of which that is news.
async fn mark(app: &App, changed: &BTreeSet<Changed>) -> Result<(), Failure> {
    if changed.is_empty() {
        return Ok(());
    }
    let channels: Vec<(Channel, ChannelSettings)> = app.store.list_channels().await?;
    let mut listings: BTreeSet<ListingId> = BTreeSet::new();
    for changed in changed {
        match changed {
            Changed::Stock(stock) => listings.extend(listings_of(stock, &channels)),
            Changed::Settings(channel) => listings.extend(listings_at(app, channel).await?),
        }
    }
    let marks = iter(listings.into_iter().map(|id| async move { Ok::<_, Fault>((app.store.mark(&id).await?, id)) }));
    let marked: Vec<_> = marks.buffer_unordered(AT_ONCE).try_collect().await?;
    let news = marked.into_iter().filter(|(marked, _)| marked.is_some_and(|marked| marked.is_news));
    let news: Vec<ListingId> = news.map(|(_, id)| id).collect();
    let told: Vec<(ListingId, u64)> = app
        .store
        .listings_of(&news)
        .await?
        .into_iter()
        .filter_map(|(listing, state)| {
            let settings = channels.iter().find(|(channel, _)| *channel == listing.id.channel);
            let mode = listing.sync.or(settings.map(|(_, settings)| settings.sync)).unwrap_or_default();
            (mode == SyncMode::OnChange).then_some((listing.id, state.marks))
        })
        .collect();
    if let Some(queue) = app.channels.sync()
        && queue.look_at(&told, app.now()).await.is_err()
    {
        // They are marked: the next poll has somebody look.
        tracing::warn!(listings = told.len(), "left to the next poll");
    }
    Ok(())
}

/// All listings of a channel.
async fn listings_at(app: &App, channel: &Channel) -> Result<Vec<ListingId>, Failure> {
    let (mut listings, mut cursor) = (Vec::new(), None::<String>);
    loop {
        let page = app.store.list_listings(channel, MAX_PAGE, cursor.as_deref()).await?;
        listings.extend(page.items.into_iter().map(|(listing, _)| listing.id));
        cursor = page.next_cursor;
        if cursor.is_none() {
            return Ok(listings);
        }
    }
}

/// The listings that show something of this stock.
fn listings_of(stock: &StockId, channels: &[(Channel, ChannelSettings)]) -> Vec<ListingId> {
    let shows = channels.iter().filter(|(channel, _)| stock.channel.is_shared() || *channel == stock.channel);
    shows.map(|(channel, _)| ListingId { channel: channel.clone(), sku: stock.sku.clone() }).collect()
}

#[cfg(test)]
mod tests {
    use domain::channel::ChannelKind;
    use serde_json::json;

    use super::*;

    fn record(old: &Value, new: &Value) -> EventRecord {
        serde_json::from_value(json!({
            "eventID": "1", "eventName": "MODIFY", "eventSource": "aws:dynamodb", "awsRegion": "us-east-1",
            "dynamodb": {"Keys": {"pk": {"S": "S#tea#own"}}, "OldImage": old, "NewImage": new, "SequenceNumber": "1", "SizeBytes": 1},
        }))
        .unwrap()
    }

    #[test]
    fn only_other_units_change_what_is_shown() {
        let bucket = |key: &str, free: u64, owed: Option<u64>| {
            let mut item = json!({"pk": {"S": key}, "a": {"N": free.to_string()}});
            if let Some(owed) = owed {
                item["owed"] = json!({"N": owed.to_string()});
            }
            item
        };
        let joined = |mut item: Value| {
            item["joined"] = json!({"N": "1"});
            item
        };
        let cases = [
            (bucket("S#tea#own", 5, None), bucket("S#tea#own", 4, None), Some("tea#own")),
            (bucket("S#tea#own#3", 5, None), bucket("S#tea#own#3", 4, None), Some("tea#own")),
            (bucket("S#tea#own", 0, None), bucket("S#tea#own", 0, Some(2)), Some("tea#own")),
            (json!({}), bucket("S#tea#shared", 4, None), Some("tea#shared")),
            (bucket("S#tea#own#3", 4, None), json!({}), Some("tea#own")),
            (bucket("S#tea#own", 5, None), bucket("S#tea#own", 5, None), None),
            (bucket("S#tea#own", 5, None), joined(bucket("S#tea#own", 5, None)), Some("tea#own")),
            (bucket("R#0123456789abcdef", 5, None), bucket("R#0123456789abcdef", 4, None), None),
        ];
        for (old, new, stock) in cases {
            let found = changed(&images(record(&old, &new))).map(|changed| match changed {
                Changed::Stock(stock) => stock.to_string(),
                Changed::Settings(channel) => panic!("settings of {channel}"),
            });
            assert_eq!(found.as_deref(), stock, "{old} {new}");
        }
    }

    #[test]
    fn other_settings_may_change_everything_that_a_channel_shows() {
        let settings = |buffer: &str| json!({"pk": {"S": "C#ebay"}, "buffer": {"S": buffer}});
        let ebay = Some(Changed::Settings("ebay".parse().unwrap()));
        for (old, new, expected) in [
            (settings("units:1"), settings("units:2"), ebay.clone()),
            (json!({}), settings("units:1"), ebay),
            (settings("units:1"), settings("units:1"), None),
            (json!({"pk": {"S": "Y#ebay"}}), json!({"pk": {"S": "Y#ebay"}, "n": {"N": "1"}}), None),
        ] {
            assert_eq!(changed(&images(record(&old, &new))), expected, "{old} {new}");
        }
    }

    #[test]
    fn reordering_hears_of_sales_units_orders_and_alerts() {
        let seen = |old: &Value, new: &Value| {
            let mut to_do = ToDo::default();
            add(&mut to_do, &images(record(old, new)));
            runtime::replenishment::body(&to_do)
        };
        let sale = |status: &str| json!({"pk": {"S": "R#0123456789abcdef"}, "status": {"S": status}});
        let with = |mut item: Value, name: &str| {
            item[name] = json!({"N": "1"});
            item
        };
        let (bucket, on_order) = (json!({"pk": {"S": "S#tea#ebay#3"}, "a": {"N": "5"}}), json!({"pk": {"S": "I#tea"}}));
        let alert = json!({"pk": {"S": "A#0123456789abcdef"}});
        let nothing = r#"{"sales":[],"skus":[],"alerts":[]}"#;
        let of_sale = r#"{"sales":["0123456789abcdef"],"skus":[],"alerts":[]}"#;
        let of_tea = r#"{"sales":[],"skus":["tea"],"alerts":[]}"#;
        let of_alert = r#"{"sales":[],"skus":[],"alerts":["0123456789abcdef"]}"#;
        for (old, new, expected) in [
            (sale("active"), sale("confirmed"), of_sale),
            (json!({}), sale("confirmed"), of_sale),
            (sale("confirmed"), with(sale("confirmed"), "counted"), nothing),
            (json!({}), sale("active"), nothing),
            (sale("confirmed"), json!({}), nothing),
            (json!({}), bucket.clone(), of_tea),
            (bucket.clone(), bucket.clone(), nothing),
            (on_order.clone(), with(on_order.clone(), "g"), of_tea),
            (on_order.clone(), json!({}), of_tea),
            (json!({}), alert.clone(), of_alert),
            (alert.clone(), with(alert.clone(), "told_at"), nothing),
            (alert.clone(), with(alert, "closed_at"), nothing),
            (json!({}), json!({"pk": {"S": "M#0123456789abcdef"}}), nothing),
        ] {
            assert_eq!(seen(&old, &new), expected, "{old} {new}");
        }
    }

    #[test]
    fn the_shared_stock_is_shown_everywhere_and_a_quota_in_its_channel() {
        let channels = ["amazon", "ebay"].map(|name| (name.parse().unwrap(), ChannelSettings::new(ChannelKind::Own)));
        let listings = |bucket: &str| {
            let stock = bucket.parse::<domain::bucket::BucketId>().unwrap().stock;
            listings_of(&stock, &channels).iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(listings("tea#shared"), "amazon#tea ebay#tea");
        assert_eq!(listings("tea#ebay"), "ebay#tea");
        assert_eq!(listings("tea#own"), "");
    }

    #[tokio::test]
    async fn in_an_outage_the_batch_comes_again() {
        let bucket = |free: &str| json!({"pk": {"S": "S#tea#own"}, "a": {"N": free}});
        let event = json!({"Records": [record(&bucket("5"), &bucket("4"))]});
        let answer = handle(&App::unreachable(), event).await.unwrap();
        assert_eq!(answer, json!({"batchItemFailures": [{"itemIdentifier": "1"}]}));
    }

    #[tokio::test]
    async fn an_event_without_records_is_an_error() {
        for event in [json!({"Records": 1}), json!(null)] {
            assert!(handle(&App::unreachable(), event).await.is_err());
        }
    }
}
