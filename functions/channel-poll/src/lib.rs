//! Hears what webhooks have lost, and has somebody look at what is still marked. No route: called every minute.
//!
//! For each channel with a vendor, side by side:
//!
//! 1. **Pull** every order that changed since the last complete pull, with an overlap, and record its lines; a line that is known is
//!    nothing new. Only when all pages are recorded, the pull is complete.
//! 2. **Tell** the sync queue of each listing that is marked or due for a look, those that are kept up to date by polling among them. The
//!    pull comes first: a number that is computed now knows its orders.
//! 3. A channel that was not heard for too long is **closed**: all of its listings are marked, so that they show 0; when it is heard
//!    again, they are marked once more.

use std::time::Duration;

use channels::{CallError, Connector};
use domain::{
    channel::ChannelSettings,
    ids::Channel,
    listing::{Listing, ListingId, SyncState},
    pull::PullState,
    time::Timestamp,
};
use futures::future::join_all;
use runtime::{App, lambda::MalformedEvent};
use serde_json::{Value, json};
use store::{Failure, Fault};

/// One channel is given up after this long, so that a slow vendor does not cost the others their turn: shorter than the function's timeout
/// in `template.yaml`.
const PATIENCE: Duration = Duration::from_secs(50);

/// Pages of orders that one pull reads: what is left is read by the next, from where this one began.
const MAX_PAGES: usize = 50;

/// Listings of a channel that are read at once when all are marked.
const PAGE: usize = 100;

/// Pulls from all channels.
///
/// # Errors
/// [`MalformedEvent`] never; the signature is that of every function that is fed events.
pub async fn handle(app: &App, _event: Value) -> Result<Value, MalformedEvent> {
    match app.store.list_channels().await {
        Ok(channels) => {
            let polls = channels.iter().map(|(channel, settings)| async move {
                let polled = tokio::time::timeout(PATIENCE, poll(app, channel, settings)).await;
                match polled {
                    Ok(Ok(())) => {}
                    Ok(Err(failure)) => tracing::warn!(%failure, %channel, "not polled"),
                    Err(_) => tracing::warn!(%channel, "out of time"),
                }
            });
            join_all(polls).await;
        }
        Err(fault) => tracing::warn!(%fault, "no channel was polled"),
    }
    Ok(json!({}))
}

/// Pulls from one channel, and has somebody look at its listings.
async fn poll(app: &App, channel: &Channel, settings: &ChannelSettings) -> Result<(), Failure> {
    let connector = match app.channels.connector(channel, settings).await {
        Ok(Some(connector)) => Ok(connector),
        Ok(None) => return Ok(()),
        Err(error) => Err(error),
    };
    let seen = app.store.pull_state(channel).await?;
    let began = app.now();
    let interval = connector.as_ref().map_or(0, |connector| connector.abilities().poll_seconds);
    if seen.is_due(began, interval) {
        let pulled = match &connector {
            Ok(connector) => pull(app, channel, &**connector, seen.since(began)).await?,
            Err(error) => Pulled { failure: Some(error.clone()), unreadable: Vec::new() },
        };
        let heard = note(app, channel, &seen, began, pulled).await?;
        if is_stale(settings, &seen, began) != is_stale(settings, &heard, began) || turned_stale(settings, &seen, began)
        {
            mark_all(app, channel).await?;
        }
    }
    tell(app, channel).await
}

/// What came of a pull.
struct Pulled {
    failure: Option<CallError>,
    unreadable: Vec<String>,
}

/// Records every order that changed since an instant. A fault of ours ends it; one of the vendor's is part of what came of it.
async fn pull(app: &App, channel: &Channel, connector: &dyn Connector, since: Timestamp) -> Result<Pulled, Failure> {
    let mut pulled = Pulled { failure: None, unreadable: Vec::new() };
    let mut cursor: Option<String> = None;
    for _ in 0..MAX_PAGES {
        let page = match connector.changed_orders(since, cursor.as_deref()).await {
            Ok(page) => page,
            Err(error) => return Ok(Pulled { failure: Some(error), ..pulled }),
        };
        for order in &page.orders {
            app.store.record_order(channel, order).await?;
        }
        pulled.unreadable.extend(page.unreadable);
        cursor = page.cursor;
        if cursor.is_none() {
            return Ok(pulled);
        }
    }
    let reason = format!("more than {MAX_PAGES} pages of orders at once");
    Ok(Pulled { failure: Some(CallError::Unavailable { reason }), ..pulled })
}

/// Writes what came of a pull, and says what is known now.
async fn note(
    app: &App,
    channel: &Channel,
    seen: &PullState,
    began: Timestamp,
    pulled: Pulled,
) -> Result<PullState, Fault> {
    for order in &pulled.unreadable {
        tracing::error!(alarm = "unreadable-order", %channel, order, "an order of the channel cannot be read");
    }
    let state = match pulled.failure {
        None => seen.succeeded(began, &pulled.unreadable),
        Some(error) => {
            tracing::warn!(%error, %channel, "the orders of the channel were not all heard");
            seen.failed(began, error.to_string(), &pulled.unreadable)
        }
    };
    if app.store.save_pull(channel, seen, &state).await? {
        return Ok(state);
    }
    // Another pull was written meanwhile; it has heard what it has heard.
    app.store.pull_state(channel).await
}

fn is_stale(settings: &ChannelSettings, state: &PullState, now: Timestamp) -> bool {
    state.is_stale(settings.stale_after_seconds, now)
}

/// Whether the channel became stale since it was last tried.
fn turned_stale(settings: &ChannelSettings, seen: &PullState, now: Timestamp) -> bool {
    let turned = is_stale(settings, seen, now) && seen.tried_at.is_some_and(|tried| !is_stale(settings, seen, tried));
    if turned {
        tracing::error!(
            alarm = "channel-stale",
            failure = seen.failure,
            "the channel was not heard for too long: it shows nothing"
        );
    }
    turned
}

/// Marks all listings of a channel.
async fn mark_all(app: &App, channel: &Channel) -> Result<(), Failure> {
    let mut cursor: Option<String> = None;
    loop {
        let page = app.store.list_listings(channel, PAGE, cursor.as_deref()).await?;
        for (listing, _) in &page.items {
            app.store.mark(&listing.id).await?;
        }
        cursor = page.next_cursor;
        if cursor.is_none() {
            return Ok(());
        }
    }
}

/// Has somebody look at the listings of a channel for which it is time: what shows most of what may be gone first.
async fn tell(app: &App, channel: &Channel) -> Result<(), Failure> {
    let now = app.now();
    let mut due: Vec<(Listing, SyncState)> = app.store.unsettled(channel).await?;
    due.retain(|(_, state)| state.is_due(now));
    due.sort_by_key(|(_, state)| std::cmp::Reverse(state.pushed.map_or(0, |pushed| pushed.quantity)));
    let due: Vec<(ListingId, u64)> = due.into_iter().map(|(listing, state)| (listing.id, state.marks)).collect();
    let Some(queue) = app.channels.sync() else { return Ok(()) };
    if queue.look_at(&due, now).await.is_err() {
        tracing::warn!(%channel, listings = due.len(), "left to the next poll");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use domain::channel::ChannelKind;

    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_epoch_seconds(1_800_000_000 + seconds)
    }

    #[test]
    fn a_channel_turns_stale_once() {
        let settings = ChannelSettings { stale_after_seconds: 900, ..ChannelSettings::new(ChannelKind::Ebay) };
        let heard = PullState::default().succeeded(at(0), &[]);
        let failed = |seconds| heard.failed(at(seconds), "down".to_owned(), &[]);
        assert!(!is_stale(&settings, &heard, at(900)) && is_stale(&settings, &heard, at(901)));
        assert!(turned_stale(&settings, &failed(880), at(940)));
        assert!(!turned_stale(&settings, &failed(940), at(1_000)), "that was said already");
        assert!(!turned_stale(&settings, &failed(820), at(880)));
        assert!(!turned_stale(&settings, &PullState::default(), at(0)), "it shows nothing yet");
    }

    #[tokio::test]
    async fn an_outage_is_left_to_the_next_minute() {
        assert_eq!(handle(&App::unreachable(), json!({})).await.unwrap(), json!({}));
    }
}
