//! `GET /v1/channels/{channel}/status?limit=&cursor=`: how far the channel's orders have been heard; and for each listing what it should
//! show, what it was last told, and why nothing is shown where that is so.
//!
//! Nobody is asked at the channel itself: this is what is known of it. Each listing costs a few reads of the table.

use domain::{
    listing::{Listing, SyncState},
    publish::Terms,
};
use futures::{StreamExt, TryStreamExt, stream::iter};
use http::{Problem, Request, Response};
use runtime::{App, problem};
use store::{Basis, Failure};

use crate::{
    channel, settings,
    view::{Items, ListingStatus, StatusView},
};

/// Listings that are looked at at the same time.
const AT_ONCE: usize = 8;

pub(crate) async fn status(app: &App, request: &Request) -> Result<Response, Problem> {
    let (channel, (limit, cursor)) = http::parse(request, |input| {
        let (channel, page) = (channel(input), input.page());
        Some((channel?, page?))
    })?;
    let settings = settings(app, &channel).await?;
    let pull = app.store.pull_state(&channel).await.map_err(|fault| problem(fault.into()))?;
    let page = app.store.list_listings(&channel, limit, cursor.as_deref()).await.map_err(problem)?;
    let now = app.now();
    let looks = page.items.iter().map(|(listing, state)| {
        let basis = Basis { settings: &settings, pull: &pull, buffer: listing.buffer, state };
        look(app, listing, state, basis)
    });
    // One after the other they would take seconds; in order, for the page has one.
    let looks: Vec<(Terms, u64)> = iter(looks).buffered(AT_ONCE).try_collect().await.map_err(problem)?;
    let items = page.items.iter().zip(looks);
    let items = items.map(|((listing, state), (terms, told))| ListingStatus::new(listing, state, terms, told, now));
    let items = Items { items: items.collect(), next_cursor: page.next_cursor.as_deref() };
    Ok(Response::ok(&StatusView::new(&channel, &settings, &pull, now, items)))
}

/// What a listing should show now, and how many of its units were sold since it was last told.
async fn look(app: &App, listing: &Listing, state: &SyncState, basis: Basis<'_>) -> Result<(Terms, u64), Failure> {
    let id = &listing.id;
    let told = app.store.told_since(id, state.pushed).await?;
    Ok((app.store.terms(&id.channel, &id.sku, basis, app.now()).await?, told))
}
