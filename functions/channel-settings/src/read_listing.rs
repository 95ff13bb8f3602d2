//! `GET /v1/channels/{channel}/listings/{sku}`: what is set for a SKU at a channel.

use http::{Problem, Request, Response};
use runtime::{App, problem};

use crate::{listing_id, settings, view::ListingView};

pub(crate) async fn read(app: &App, request: &Request) -> Result<Response, Problem> {
    let id = http::parse(request, listing_id)?;
    settings(app, &id.channel).await?;
    let listing = app.store.listing(&id).await.map_err(|fault| problem(fault.into()))?;
    let (listing, _) = listing.ok_or_else(|| Problem::not_listed(&id.sku))?;
    Ok(Response::ok(&ListingView::new(&listing)).version(listing.version))
}
