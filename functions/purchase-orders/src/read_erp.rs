//! `GET /v1/erp`: which ERP purchase orders go to, and how. It carries no secrets: these are in Secrets Manager.

use http::{Problem, Request, Response};
use runtime::{App, problem};

use crate::erp::ErpView;

pub(crate) async fn read(app: &App, request: &Request) -> Result<Response, Problem> {
    http::parse(request, |_| Some(()))?;
    let settings = app.store.erp_settings().await.map_err(|fault| problem(fault.into()))?.unwrap_or_default();
    Ok(Response::ok(&ErpView::new(&settings)).version(settings.version))
}
