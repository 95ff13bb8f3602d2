//! `GET /v1/channels`: all channels that are set up, by name. There are as many as a merchant has accounts: one page.

use http::{Problem, Request, Response};
use runtime::{App, problem};

use crate::view::{ChannelView, Items};

pub(crate) async fn list(app: &App, request: &Request) -> Result<Response, Problem> {
    http::parse(request, |_| Some(()))?;
    let channels = app.store.list_channels().await.map_err(|fault| problem(fault.into()))?;
    let items = channels.iter().map(|(channel, settings)| ChannelView::new(channel, settings)).collect();
    Ok(Response::ok(&Items { items, next_cursor: None }))
}
