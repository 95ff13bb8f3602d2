//! `GET /v1/channels/{channel}`: what is set for a channel.

use http::{Problem, Request, Response};
use runtime::App;

use crate::{channel, settings, view::ChannelView};

pub(crate) async fn read(app: &App, request: &Request) -> Result<Response, Problem> {
    let channel = http::parse(request, channel)?;
    let settings = settings(app, &channel).await?;
    Ok(Response::ok(&ChannelView::new(&channel, &settings)).version(settings.version))
}
