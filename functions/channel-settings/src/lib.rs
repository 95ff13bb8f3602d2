//! The merchant's side of the channels: what is behind each of them, which SKUs are listed there, and how far what is shown has
//! followed what there is. One endpoint, one file.
//!
//! Settings carry no secrets: these are in Secrets Manager, where `infra/docs/DEPLOY.md` says, and no call of the API shows them.

mod fields;
mod list;
mod list_listings;
mod read;
mod read_listing;
mod save;
mod save_listing;
mod status;
mod view;

use domain::{channel::ChannelSettings, ids::Channel, listing::ListingId, refusal::Refusal};
use http::{IfMatch, Input, Problem, Request, Response};
use runtime::{App, problem};

/// Answers the requests of this function.
pub async fn handle(app: &App, request: &Request) -> Response {
    request.answer(match request.route() {
        "PUT /v1/channels/{channel}" => save::save(app, request).await,
        "GET /v1/channels/{channel}" => read::read(app, request).await,
        "GET /v1/channels" => list::list(app, request).await,
        "GET /v1/channels/{channel}/status" => status::status(app, request).await,
        "PUT /v1/channels/{channel}/listings/{sku}" => save_listing::save(app, request).await,
        "GET /v1/channels/{channel}/listings/{sku}" => read_listing::read(app, request).await,
        "GET /v1/channels/{channel}/listings" => list_listings::list(app, request).await,
        _ => Err(Problem::not_found()),
    })
}

/// The channel of the path. The shared stock is none.
fn channel(input: &mut Input<'_>) -> Option<Channel> {
    let channel: Channel = input.path("channel")?;
    if channel.is_shared() {
        input.refuse("channel", "must be a channel that sells; shared is the stock that belongs to none");
        return None;
    }
    Some(channel)
}

/// The listing of the path.
fn listing_id(input: &mut Input<'_>) -> Option<ListingId> {
    // Both are read before the first fault ends it, so that every one is named.
    let (channel, sku) = (channel(input), input.path("sku"));
    Some(ListingId { channel: channel?, sku: sku? })
}

/// The settings of a channel that must be there.
async fn settings(app: &App, channel: &Channel) -> Result<ChannelSettings, Problem> {
    let settings = app.store.channel_settings(channel).await.map_err(|fault| problem(fault.into()))?;
    settings.ok_or_else(Problem::unknown_channel)
}

/// The version that a write demands, `stored` being the one that is there, 0 if nothing is.
fn demanded(if_match: Option<IfMatch>, stored: u64) -> Result<Option<u64>, Problem> {
    match if_match {
        None => Ok(None),
        Some(IfMatch::Version(version)) => Ok(Some(version)),
        // What is there is never removed: from here on it exists.
        Some(IfMatch::Any) if stored > 0 => Ok(None),
        Some(IfMatch::Any | IfMatch::Foreign) => Err(Refusal::PreconditionFailed { version: stored }.into()),
    }
}

#[cfg(test)]
mod tests {
    use http::testing::{Sample, faults};

    use super::*;

    #[tokio::test]
    async fn another_route_is_not_found() {
        let response = handle(&App::unreachable(), &Sample::new("DELETE /v1/channels/{channel}").request()).await;
        assert_eq!(response.status(), 404);
    }

    #[test]
    fn the_shared_stock_is_no_channel() {
        let sample = |channel: &str| Sample::new("GET /v1/channels/{channel}").path("channel", channel).request();
        assert_eq!(http::parse(&sample("ebay-de"), channel).unwrap().as_str(), "ebay-de");
        for name in ["shared", "", "EBAY", "a%23b"] {
            assert_eq!(faults(&sample(name), channel)[0].0, "channel", "{name}");
        }
    }

    #[test]
    fn a_listing_is_a_sku_at_a_channel() {
        let sample =
            Sample::new("GET /v1/channels/{channel}/listings/{sku}").path("channel", "ebay").path("sku", "tea");
        assert_eq!(http::parse(&sample.request(), listing_id).unwrap().to_string(), "ebay#tea");
        let wrong = sample.path("channel", "shared").path("sku", "t%20ea").request();
        let fields: Vec<String> = faults(&wrong, listing_id).into_iter().map(|(field, _)| field).collect();
        assert_eq!(fields, ["channel", "sku"]);
    }

    #[test]
    fn a_write_may_demand_a_version() {
        for (if_match, stored, version) in [
            (None, 0, Ok(None)),
            (None, 3, Ok(None)),
            (Some(IfMatch::Version(3)), 2, Ok(Some(3))),
            (Some(IfMatch::Any), 2, Ok(None)),
            (Some(IfMatch::Any), 0, Err(())),
            (Some(IfMatch::Foreign), 2, Err(())),
        ] {
            let demanded = demanded(if_match, stored).map_err(|problem| {
                assert_eq!(problem.kind(), http::Kind::PreconditionFailed);
            });
            assert_eq!(demanded, version, "{if_match:?} {stored}");
        }
    }
}
