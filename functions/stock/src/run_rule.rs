//! `POST /v1/stock/{sku}/redistribution/run`: divides the units of a SKU by its rule now, whether or not a channel runs low. A retry with the
//! same key moves nothing twice; where the first one had nothing to move, it is a look like any other.

use domain::ids::{Sku, TransferId};
use http::{Problem, Request, Response};
use runtime::{App, problem};
use serde::Deserialize;
use store::Occasion;

use crate::{pools::RunView, read_rule::no_rule};

/// There is nothing to say.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Body {}

pub(crate) async fn run(app: &App, request: &Request) -> Result<Response, Problem> {
    let (sku, id): (Sku, TransferId) = http::parse(request, |input| {
        let key = input.idempotency_key();
        let sku = input.path("sku");
        let Body {} = input.optional_body()?;
        Some((sku?, TransferId::derive(request.caller(), &key?)))
    })?;
    let occasion = Occasion::ByHand { id, actor: request.actor().to_owned() };
    let done = app.store.redistribute(&sku, &occasion).await.map_err(problem)?.ok_or_else(no_rule)?;
    Ok(Response::ok(&RunView::new(&sku, &done.transfers)).replayed(done.replayed))
}
