//! `GET /v1/shortfalls?limit=&cursor=`: counts that found less than somebody holds or has bought, and orders that a marketplace had
//! taken for more than there was, the newest first. A hold is never broken for it; a person decides.

use http::{Input, Problem, Request, Response};
use runtime::{App, problem};

use crate::view::{PageView, ShortfallView};

pub(crate) async fn list(app: &App, request: &Request) -> Result<Response, Problem> {
    let (limit, cursor) = http::parse(request, Input::page)?;
    let page = app.store.list_shortfalls(limit, cursor.as_deref()).await.map_err(problem)?;
    Ok(Response::ok(&PageView::new(&page, ShortfallView::new)))
}
