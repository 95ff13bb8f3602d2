//! `POST /v1/orders`, decided at once: sells every line of a cart, or none. What happens is the same as to reserve and confirm in one
//! breath, so that nothing is sold that is not there; a refusal is recorded, so that a retry hears it again.

use domain::order::QueuedOrder;
use http::{Problem, Response, view::OrderView};
use runtime::{App, problem, problem_naming, promised_days};

use crate::order::Wanted;

pub(crate) async fn sell(app: &App, wanted: Wanted) -> Result<Response, Problem> {
    let is_payment = matches!(wanted.order, QueuedOrder::Confirmation { .. });
    let (order, replayed) = match &wanted.order {
        QueuedOrder::Sale(request) => {
            let naming = |failure| problem_naming(failure, |sku| wanted.skus.field(sku));
            let recorded = app.store.sell(request).await.map_err(naming)?;
            (recorded.reservation, recorded.replayed)
        }
        QueuedOrder::Confirmation { id, order_id } => {
            (app.store.confirm(id, order_id.as_ref()).await.map_err(problem)?, false)
        }
    };
    let location = format!("/v1/orders/{}", order.id);
    let days = promised_days(app, &order, !replayed && !is_payment).await;
    Ok(Response::created(&OrderView::new(&order).expecting(&days)).location(location).replayed(replayed))
}
