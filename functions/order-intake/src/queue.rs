//! `POST /v1/orders` with `Prefer: respond-async`: the order waits in the line of its hottest SKU, and `order-consumer` decides it.
//!
//! Nothing is written to the table. A SKU that does not exist is refused here, as every other fault that can be known.

use domain::order::QueuedOrder;
use http::{Problem, Response, view::OrderView};
use runtime::{App, problem_naming};

use crate::order::Wanted;

pub(crate) async fn queue(app: &App, wanted: Wanted) -> Result<Response, Problem> {
    let line = match &wanted.order {
        QueuedOrder::Sale(request) => {
            let naming = |failure| problem_naming(failure, |sku| wanted.skus.field(sku));
            app.store.queue_for(request).await.map_err(naming)?.to_string()
        }
        // Its units are held: it competes with nobody, and waits for nobody.
        QueuedOrder::Confirmation { id, .. } => id.to_string(),
    };
    let now = app.now();
    let id = app.orders.send(&wanted.order, &line, now).await.map_err(|_| Problem::contended())?;
    Ok(Response::accepted(&OrderView::queued(&id, now))
        .location(format!("/v1/orders/{id}"))
        .retry_after(1)
        .with("preference-applied", "respond-async"))
}

#[cfg(test)]
mod tests {
    use http::testing::Sample;

    use super::*;

    #[tokio::test]
    async fn an_order_that_cannot_be_queued_is_to_be_sent_again() {
        let body = r#"{"reservation_id": "0123456789abcdef"}"#;
        let request = Sample::new("POST /v1/orders").header("Prefer", "respond-async").body(body).request();
        let response = crate::handle(&App::unreachable(), &request).await;
        assert_eq!((response.status(), response.header("Retry-After")), (503, Some("1")));
    }
}
