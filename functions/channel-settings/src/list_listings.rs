//! `GET /v1/channels/{channel}/listings?limit=&cursor=`: the SKUs that are listed at a channel, page by page.

use http::{Problem, Request, Response};
use runtime::{App, problem};

use crate::{
    channel, settings,
    view::{Items, ListingView},
};

pub(crate) async fn list(app: &App, request: &Request) -> Result<Response, Problem> {
    let (channel, (limit, cursor)) = http::parse(request, |input| {
        let (channel, page) = (channel(input), input.page());
        Some((channel?, page?))
    })?;
    settings(app, &channel).await?;
    let page = app.store.list_listings(&channel, limit, cursor.as_deref()).await.map_err(problem)?;
    let items = page.items.iter().map(|(listing, _)| ListingView::new(listing)).collect();
    Ok(Response::ok(&Items { items, next_cursor: page.next_cursor.as_deref() }))
}
