//! Hears what webhooks have lost, and has somebody look at what is still marked. No route: called every minute.
//!
//! For each channel with a vendor, side by side:
//!
//! 1. **Pull** every order that changed since the last complete pull, with an overlap, and record its lines; a line that is known is
//!    nothing new. Only when all pages are recorded, the pull is complete. What ends one before that, be it the vendor, the time or a fault
//!    of ours, is noted: the channel was not heard. The next call goes on with the first page that was not recorded.
//! 2. **Announce** that a channel was not heard for too long: all of its listings are marked, so that they show 0; when it is heard
//!    again, they are marked once more. At every call it is asked whether that is still to be done, and it is noted only when it is, so
//!    that nothing is lost with a call that is cut off.
//! 3. **Tell** the sync queue of each listing that is marked or due for a look, those that are kept up to date by polling among them. The
//!    pull comes first: a number that is computed now knows its orders. Whatever became of it, this is done.

use std::time::Duration;

use channels::{CallError, Connector};
use domain::{
    channel::ChannelSettings,
    ids::Channel,
    listing::{Listing, ListingId, SyncState},
    pull::PullState,
    time::Timestamp,
};
use futures::future::{join_all, try_join_all};
use runtime::{App, lambda::MalformedEvent};
use serde_json::{Value, json};
use store::{Failure, Fault};
use tokio::time::{Instant, timeout_at};

/// A slow vendor is given up so long after the call began, a long list of listings after so long, and with telling all is over: each
/// step leaves time to the next one, no channel costs the others their turn, and all of it is shorter than the function's timeout in
/// `template.yaml`.
const PULL_UNTIL: Duration = Duration::from_secs(30);
const ANNOUNCE_UNTIL: Duration = Duration::from_secs(42);
const TELL_UNTIL: Duration = Duration::from_secs(52);

/// Pages of orders that one call reads: what is left is read by the next.
const MAX_PAGES: usize = 50;

/// Listings of a channel that are read at once when all are marked, and that are marked at once.
const PAGE: usize = 100;
const MARKS_AT_ONCE: usize = 10;

/// Pulls from all channels.
///
/// # Errors
/// [`MalformedEvent`] never; the signature is that of every function that is fed events.
pub async fn handle(app: &App, _event: Value) -> Result<Value, MalformedEvent> {
    match app.store.list_channels().await {
        Ok(channels) => {
            join_all(channels.iter().map(|(channel, settings)| poll(app, channel, settings))).await;
        }
        Err(fault) => tracing::warn!(%fault, "no channel was polled"),
    }
    Ok(json!({}))
}

/// Pulls from one channel, and has somebody look at its listings.
async fn poll(app: &App, channel: &Channel, settings: &ChannelSettings) {
    let began = Instant::now();
    let connector = match timeout_at(began + PULL_UNTIL, app.channels.connector(channel, settings)).await {
        Ok(Ok(None)) => return,
        Ok(Ok(Some(connector))) => Ok(connector),
        Ok(Err(error)) => Err(NotPulled::Vendor(error)),
        Err(_) => Err(NotPulled::OutOfTime),
    };
    match timeout_at(began + ANNOUNCE_UNTIL, hear(app, channel, settings, connector.as_deref(), began)).await {
        Ok(Ok(())) => {}
        Ok(Err(failure)) => tracing::warn!(%failure, %channel, "not heard"),
        Err(_) => tracing::warn!(%channel, "out of time: what it is, is announced by the next call"),
    }
    match timeout_at(began + TELL_UNTIL, tell(app, channel, settings)).await {
        Ok(Ok(())) => {}
        Ok(Err(fault)) => tracing::warn!(%fault, %channel, "nobody was told of its listings"),
        Err(_) => tracing::warn!(%channel, "out of time: its listings are left to the next call"),
    }
}

/// Pulls if it is time, notes what came of it, and announces what is not announced yet.
async fn hear(
    app: &App,
    channel: &Channel,
    settings: &ChannelSettings,
    connector: Result<&dyn Connector, &NotPulled>,
    began: Instant,
) -> Result<(), Failure> {
    let seen = app.store.pull_state(channel).await?;
    let now = app.now();
    let interval = connector.map_or(0, |connector| connector.abilities().poll_seconds);
    let heard = if seen.is_due(now, interval) {
        let pulled = match connector {
            Ok(connector) => pull_until(began + PULL_UNTIL, app, channel, connector, &seen, now).await,
            Err(error) => Pulled { failure: Some(error.to_string()), ..Pulled::default() },
        };
        note(app, channel, seen, now, pulled).await?
    } else {
        seen
    };
    announce(app, channel, settings, &heard).await
}

/// Why a pull has not brought everything.
#[derive(Debug, thiserror::Error)]
enum NotPulled {
    #[error(transparent)]
    Vendor(#[from] CallError),
    #[error("an order could not be recorded: {0}")]
    Store(#[from] Failure),
    #[error("more than {MAX_PAGES} pages of orders at once")]
    TooMany,
    #[error("out of time")]
    OutOfTime,
}

/// What came of a pull.
#[derive(Debug, Default, PartialEq)]
struct Pulled {
    failure: Option<String>,
    unreadable: Vec<String>,
    /// The first page that is not recorded.
    next: Option<String>,
    /// The vendor does not take the cursor from which it went on.
    lost_place: bool,
}

/// Pulls until it is too late. What came of it until then is kept.
async fn pull_until(
    end: Instant,
    app: &App,
    channel: &Channel,
    connector: &dyn Connector,
    seen: &PullState,
    now: Timestamp,
) -> Pulled {
    let place = seen.place(now).map(|place| place.cursor.clone());
    let mut pulled = Pulled { next: place.clone(), ..Pulled::default() };
    let outcome = timeout_at(end, pull(app, channel, connector, seen.since(now), &mut pulled)).await;
    let outcome = outcome.unwrap_or(Err(NotPulled::OutOfTime));
    let is_refused = matches!(outcome, Err(NotPulled::Vendor(CallError::Refused { .. })));
    pulled.lost_place = is_refused && place.is_some() && pulled.next == place;
    pulled.failure = outcome.err().map(|error| error.to_string());
    pulled
}

/// Records every order that changed since an instant, from the page on that is next.
async fn pull(
    app: &App,
    channel: &Channel,
    connector: &dyn Connector,
    since: Timestamp,
    pulled: &mut Pulled,
) -> Result<(), NotPulled> {
    for _ in 0..MAX_PAGES {
        let page = connector.changed_orders(since, pulled.next.as_deref()).await?;
        pulled.unreadable.extend(page.unreadable);
        for order in &page.orders {
            app.store.record_order(channel, order).await?;
        }
        pulled.next = page.cursor;
        if pulled.next.is_none() {
            return Ok(());
        }
    }
    Err(NotPulled::TooMany)
}

/// Writes what came of a pull, and says what is known now.
async fn note(
    app: &App,
    channel: &Channel,
    seen: PullState,
    began: Timestamp,
    pulled: Pulled,
) -> Result<PullState, Fault> {
    for order in &pulled.unreadable {
        tracing::error!(alarm = "unreadable-order", %channel, order, "an order of the channel cannot be read");
    }
    let state = match pulled.failure {
        None => seen.succeeded(began, &pulled.unreadable),
        Some(failure) => {
            tracing::warn!(failure, %channel, "the orders of the channel were not all heard");
            let got_on = pulled.next.filter(|next| seen.place(began).is_none_or(|place| place.cursor != *next));
            let state = match got_on {
                Some(next) => seen.got_to(began, next),
                None if pulled.lost_place => seen.lost_place(),
                None => seen.clone(),
            };
            state.failed(began, failure, &pulled.unreadable)
        }
    };
    if app.store.save_pull(channel, &seen, &state).await? {
        return Ok(state);
    }
    // Another pull was written meanwhile; it has heard what it has heard.
    app.store.pull_state(channel).await
}

/// Rings while the channel is stale. Marks all listings if it has become so, or is heard again; then notes that this was done.
async fn announce(app: &App, channel: &Channel, settings: &ChannelSettings, state: &PullState) -> Result<(), Failure> {
    // As long as it lasts: an alarm that nobody renews is over. One that was just set up has had no time to be heard.
    if state.is_stale(settings.stale_after_seconds, app.now()) && (state.heard_at.is_some() || state.failure.is_some())
    {
        let failure = state.failure.as_deref();
        tracing::error!(alarm = "channel-stale", %channel, failure, "the channel was not heard for too long: it shows nothing");
    }
    let Some(verdict) = state.to_announce(settings.stale_after_seconds, app.now()) else { return Ok(()) };
    mark_all(app, channel).await?;
    if !app.store.save_pull(channel, state, &state.with_announced(verdict)).await? {
        tracing::info!(%channel, "another call was there: it is announced once more");
    }
    Ok(())
}

/// Marks all listings of a channel.
async fn mark_all(app: &App, channel: &Channel) -> Result<(), Failure> {
    let mut cursor: Option<String> = None;
    loop {
        let page = app.store.list_listings(channel, PAGE, cursor.as_deref()).await?;
        for some in page.items.chunks(MARKS_AT_ONCE) {
            try_join_all(some.iter().map(|(listing, _)| app.store.mark(&listing.id))).await?;
        }
        cursor = page.next_cursor;
        if cursor.is_none() {
            return Ok(());
        }
    }
}

/// Has somebody look at the listings of a channel for which it is time: what shows most of what may be gone first. Rings for those that are
/// closed, and for those of which nobody could see to it for as long as the channel itself may be silent.
async fn tell(app: &App, channel: &Channel, settings: &ChannelSettings) -> Result<(), Fault> {
    let now = app.now();
    let mut due: Vec<(Listing, SyncState)> = app.store.unsettled(channel).await?;
    for (Listing { id, .. }, state) in &due {
        if state.disagrees {
            tracing::error!(alarm = "listing-disagrees", listing = %id, "closed: it does not show what it is told");
        }
        if state.marked_since.is_some_and(|since| now.seconds_since(since) > settings.stale_after_seconds) {
            tracing::error!(alarm = "listing-late", listing = %id, "what there is could not be shown for too long");
        }
    }
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
    use async_trait::async_trait;
    use channels::{
        Abilities, Accepted, Delivery, Heard, OrderPage, Push, QuantityMeaning, Rejected, Shown, connector::Target,
    };
    use domain::sale::{ChannelOrder, SaleLine, Stage};

    use super::*;

    /// A vendor who answers with these pages, and then not at all.
    #[derive(Default)]
    struct Vendor {
        pages: Vec<OrderPage>,
    }

    #[async_trait]
    impl Connector for Vendor {
        fn abilities(&self) -> Abilities {
            Abilities {
                compare_and_set: false,
                quantity: QuantityMeaning::Net,
                batch: 1,
                revisions_per_day: None,
                listings_per_call: 1,
                pushes_per_second: 1,
                poll_seconds: 60,
                webhook_is_a_hint: true,
            }
        }

        async fn push(&self, _pushes: &[Push]) -> Vec<Result<Accepted, CallError>> {
            Vec::new()
        }

        async fn read(&self, _targets: &[Target]) -> Vec<Result<Shown, CallError>> {
            Vec::new()
        }

        async fn changed_orders(&self, _since: Timestamp, cursor: Option<&str>) -> Result<OrderPage, CallError> {
            let unknown = |_| CallError::Refused { reason: "no such cursor".to_owned() };
            let number: usize = cursor.map_or(Ok(0), str::parse).map_err(unknown)?;
            match self.pages.get(number) {
                Some(page) => Ok(page.clone()),
                None => std::future::pending().await,
            }
        }

        async fn order(&self, _id: &str) -> Result<Option<ChannelOrder>, CallError> {
            Ok(None)
        }

        async fn hear(&self, _delivery: &Delivery) -> Result<Heard, Rejected> {
            Ok(Heard::Nothing)
        }
    }

    fn page(cursor: Option<&str>, orders: Vec<ChannelOrder>) -> OrderPage {
        let unreadable = vec!["order 7: no SKU".to_owned()];
        OrderPage { orders, unreadable, cursor: cursor.map(str::to_owned) }
    }

    fn order() -> ChannelOrder {
        let line = SaleLine {
            line: "1".parse().unwrap(),
            sku: "tea".parse().unwrap(),
            quantity: domain::quantity::Quantity::new(1).unwrap(),
            canceled: 0,
            stage: Stage::Paid,
        };
        ChannelOrder {
            order: "o".parse().unwrap(),
            changed_at: Timestamp::from_epoch_seconds(1_800_000_000),
            lines: vec![line],
        }
    }

    const NOW: Timestamp = Timestamp::from_epoch_seconds(1_800_000_000);

    async fn pulled_from(seen: &PullState, pages: Vec<OrderPage>) -> Pulled {
        let end = Instant::now() + Duration::from_millis(300);
        pull_until(end, &App::unreachable(), &"ebay".parse().unwrap(), &Vendor { pages }, seen, NOW).await
    }

    async fn pulled(pages: Vec<OrderPage>) -> Pulled {
        pulled_from(&PullState::default(), pages).await
    }

    #[tokio::test]
    async fn a_pull_goes_on_from_the_first_page_that_was_not_recorded() {
        let pages = vec![page(Some("1"), Vec::new()), page(Some("2"), Vec::new())];
        let first = pulled(pages.clone()).await;
        assert_eq!((first.next.as_deref(), first.unreadable.len()), (Some("2"), 2));
        // The page that holds the order which is not recorded comes once more.
        let unrecorded = pulled(vec![page(Some("1"), Vec::new()), page(Some("2"), vec![order()])]).await;
        assert_eq!(unrecorded.next.as_deref(), Some("1"));
        let place = PullState::default().got_to(NOW, "2".to_owned());
        let rest = [pages.clone(), vec![page(None, Vec::new())]].concat();
        let rest = pulled_from(&place, rest).await;
        assert_eq!((rest.failure, rest.next, rest.unreadable.len()), (None, None, 1), "the third page alone");
        let nowhere = pulled_from(&place, pages.clone()).await;
        assert_eq!((nowhere.next.as_deref(), nowhere.lost_place), (Some("2"), false), "the vendor is only slow");
        let unknown = pulled_from(&PullState::default().got_to(NOW, "x".to_owned()), pages).await;
        assert!(unknown.lost_place, "{unknown:?}");
    }

    #[tokio::test]
    async fn whatever_ends_a_pull_is_what_came_of_it() {
        let complete = pulled(vec![page(None, Vec::new())]).await;
        assert_eq!((complete.failure, complete.unreadable.len()), (None, 1));
        let slow = pulled(vec![page(Some("1"), Vec::new())]).await;
        assert_eq!((slow.failure.as_deref(), slow.unreadable.len()), (Some("out of time"), 1));
        let unrecorded = pulled(vec![page(None, vec![order()])]).await;
        assert!(unrecorded.failure.is_some(), "{unrecorded:?}");
        let endless = pulled(vec![page(Some("0"), Vec::new())]).await.failure;
        assert!(endless.unwrap().starts_with("more than 50 pages"));
    }

    #[tokio::test]
    async fn an_outage_is_left_to_the_next_minute() {
        assert_eq!(handle(&App::unreachable(), json!({})).await.unwrap(), json!({}));
    }
}
