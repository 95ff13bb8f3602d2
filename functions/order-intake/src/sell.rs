//! `POST /v1/orders`, decided at once: sells every line of a cart, or none. What happens is the same as to reserve and confirm in one
//! breath, so that nothing is sold that is not there; a refusal is recorded, so that a retry hears it again.

use domain::order::QueuedOrder;
use http::{Problem, Response, view::OrderView};
use runtime::{App, problem, problem_naming};

use crate::order::Wanted;

pub(crate) async fn sell(app: &App, wanted: Wanted) -> Result<Response, Problem> {
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
    Ok(Response::created(&OrderView::new(&order)).location(location).replayed(replayed))
}
