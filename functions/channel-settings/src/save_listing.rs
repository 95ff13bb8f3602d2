//! `PUT /v1/channels/{channel}/listings/{sku} {remote?, buffer?, sync?}`: says that a SKU is sold at a channel, under which ids, and what
//! is special about it there. From then on the channel shows what Holdfast says.
//!
//! A SKU that does not exist is refused: the channel would be told that nothing is left of it.

use domain::{bucket::StockId, channel::ChannelKind, listing::Listing, refusal::FieldError};
use http::{
    IfMatch, Problem, Request, Response,
    json::{Nested, Table, Text},
    vendor::texts,
};
use runtime::{App, problem};
use serde::Deserialize;

use crate::{
    demanded,
    fields::{self, BufferBody},
    listing_id,
    save::Word,
    settings,
    view::ListingView,
};

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Body {
    remote: Table<Text>,
    buffer: Nested<BufferBody>,
    sync: Text,
}

#[derive(Debug)]
struct Save {
    listing: Listing,
    if_match: Option<IfMatch>,
}

pub(crate) async fn save(app: &App, request: &Request) -> Result<Response, Problem> {
    let Save { listing, if_match } = read(request)?;
    let settings = settings(app, &listing.id.channel).await?;
    if settings.kind == ChannelKind::Own {
        let detail = "has no vendor at which a SKU could be listed".to_owned();
        return Err(Problem::invalid(vec![FieldError { field: "channel".to_owned(), detail }]));
    }
    let stock = StockId { sku: listing.id.sku.clone(), channel: listing.id.channel.clone() };
    app.store.availability(&[stock]).await.map_err(problem)?;
    let if_match = match if_match {
        None => None,
        Some(IfMatch::Version(version)) => Some(version),
        Some(IfMatch::Any | IfMatch::Foreign) => {
            let stored = app.store.listing(&listing.id).await.map_err(|fault| problem(fault.into()))?;
            demanded(if_match, stored.map_or(0, |(stored, _)| stored.version))?
        }
    };
    let saved = app.store.save_listing(&listing, if_match).await.map_err(problem)?;
    let listing = Listing { version: saved.version, ..listing };
    let view = ListingView::new(&listing);
    let response = if saved.created { Response::created(&view) } else { Response::ok(&view) };
    Ok(response.version(saved.version))
}

fn read(request: &Request) -> Result<Save, Problem> {
    http::parse(request, |input| {
        let id = listing_id(input);
        let if_match = input.if_match();
        let body: Body = input.optional_body()?;
        let remote = texts(input, "remote", body.remote);
        let buffer = fields::buffer(input, body.buffer);
        let sync = input.optional("sync", body.sync).map(|Word(sync)| sync);
        Some(Save { listing: Listing { id: id?, remote, buffer, sync, version: 0 }, if_match })
    })
}

#[cfg(test)]
mod tests {
    use domain::channel::{Buffer, SyncMode};
    use http::testing::Sample;

    use super::*;

    fn sample(body: &str) -> Sample {
        let sample = Sample::new("PUT /v1/channels/{channel}/listings/{sku}");
        sample.path("channel", "ebay").path("sku", "tea").body(body)
    }

    #[test]
    fn what_is_left_out_is_as_for_the_channel() {
        for body in ["", "{}"] {
            let Save { listing, if_match } = read(&sample(body).request()).unwrap();
            assert_eq!((listing.id.to_string().as_str(), if_match), ("ebay#tea", None));
            assert!(listing.remote.is_empty() && listing.buffer.is_none() && listing.sync.is_none());
        }
    }

    #[test]
    fn a_listing_is_what_was_sent() {
        let body = r#"{"remote": {"offer_id": "o-1"}, "buffer": {"units": 3}, "sync": "on-poll"}"#;
        let Save { listing, if_match } = read(&sample(body).header("If-Match", "*").request()).unwrap();
        assert_eq!(listing.remote["offer_id"], "o-1");
        assert_eq!((listing.buffer, listing.sync), (Some(Buffer::Units(3)), Some(SyncMode::OnPoll)));
        assert_eq!(if_match, Some(IfMatch::Any));
    }

    #[test]
    fn every_fault_is_named() {
        for (body, fields) in [
            (r#"{"remote": {"offer_id": 1}, "buffer": {}, "sync": "x"}"#, &["remote.offer_id", "buffer", "sync"][..]),
            (r#"{"remote": "o-1"}"#, &["remote"]),
            (r#"{"offer_id": "o-1"}"#, &["offer_id"]),
        ] {
            let problem = read(&sample(body).request()).unwrap_err();
            let named: Vec<&str> = problem.errors().iter().map(|error| error.field.as_str()).collect();
            assert_eq!(named, fields, "{body}");
        }
    }
}
