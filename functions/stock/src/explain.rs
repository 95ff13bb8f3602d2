//! `GET /v1/stock/{sku}/explain?channel=`: every term of the number that a channel shows for a SKU. Computed where the number itself is
//! computed, so that it cannot say another one.

use domain::{
    channel::{ChannelKind, ChannelSettings},
    ids::{Channel, Sku},
    listing::ListingId,
    pull::PullState,
    refusal::Refusal,
};
use http::{Input, Problem, Request, Response};
use runtime::{App, problem};
use store::{Basis, Fault};

use crate::explanation::Explanation;

pub(crate) async fn explain(app: &App, request: &Request) -> Result<Response, Problem> {
    let id = http::parse(request, listing_id)?;
    let outage = |fault: Fault| problem(fault.into());
    let settings = app.store.channel_settings(&id.channel).await.map_err(outage)?;
    // A channel that nobody has set up calls the API itself, as the own store does.
    let settings = settings.unwrap_or_else(|| ChannelSettings::new(ChannelKind::Own));
    let pull = match settings.kind {
        ChannelKind::Own => PullState::default(),
        _ => app.store.pull_state(&id.channel).await.map_err(outage)?,
    };
    let listed = app.store.listing(&id).await.map_err(outage)?;
    let buffer = listed.as_ref().and_then(|(listing, _)| listing.buffer);
    let is_listed = listed.is_some();
    let state = listed.map(|(_, state)| state).unwrap_or_default();
    let told = app.store.told_since(&id, state.pushed).await.map_err(outage)?;
    let now = app.now();
    let basis = Basis { settings: &settings, pull: &pull, buffer, state: &state };
    let explained = app.store.explain(&id.channel, &id.sku, basis, now).await.map_err(problem)?;
    if explained.pools.is_empty() {
        return Err(Refusal::UnknownSku { skus: vec![id.sku] }.into());
    }
    let view = Explanation::new(&id, basis, &explained, is_listed, told, now);
    Ok(Response::ok(&view))
}

/// The SKU of the path, at the channel of the query. Nobody sells in the shared stock.
fn listing_id(input: &mut Input<'_>) -> Option<ListingId> {
    let sku: Option<Sku> = input.path("sku");
    let channel = input.query("channel").unwrap_or_else(Channel::own);
    if channel.is_shared() {
        input.refuse("channel", "must be a channel that sells; shared is the stock that belongs to none");
    }
    Some(ListingId { channel, sku: sku? })
}

#[cfg(test)]
mod tests {
    use http::testing::{Sample, faults};

    use super::*;

    #[test]
    fn what_is_explained_is_a_number_that_a_channel_shows() {
        let sample = Sample::new("GET /v1/stock/{sku}/explain").path("sku", "tea");
        for (query, id) in [("", "own#tea"), ("channel=ebay", "ebay#tea")] {
            let read = http::parse(&sample.clone().query(query).request(), listing_id).unwrap();
            assert_eq!(read.to_string(), id);
        }
        for query in ["channel=shared", "channel=A", "chanel=own"] {
            assert_eq!(faults(&sample.clone().query(query).request(), listing_id).len(), 1, "{query}");
        }
    }
}
