//! `GET /v1/orders/{id}`: an order that was queued or decided at once, or a reservation that was paid.
//!
//! Of a queued order nothing is stored until it is decided; its id says that it was issued here, and when.

use domain::{ids::ReservationId, order::OrderState, refusal::Refusal};
use http::{Problem, Request, Response, view::OrderView};
use runtime::{App, problem, promised_days};

pub(crate) async fn read(app: &App, request: &Request) -> Result<Response, Problem> {
    let Id(id) = http::parse(request, |input| input.path("id"))?;
    if let Ok(id) = id.parse::<ReservationId>() {
        let order = app.store.order(&id).await.map_err(problem)?;
        let days = promised_days(app, &order, false).await;
        return Ok(Response::ok(&OrderView::new(&order).expecting(&days)));
    }
    let order = app.orders.read(&id).ok_or(Refusal::UnknownOrder)?;
    let state = app.store.queued_order(&order).await.map_err(|fault| problem(fault.into()))?;
    match state {
        OrderState::Queued => {
            Ok(Response::ok(&OrderView::queued(&id, order.issued_at)).retry_after(order.retry_after_seconds(app.now())))
        }
        OrderState::Confirmed(record) => {
            let days = promised_days(app, &record, false).await;
            Ok(Response::ok(&OrderView::confirmed(&id, order.issued_at, &record).expecting(&days)))
        }
        OrderState::Rejected { record, refusal } => {
            Ok(Response::ok(&OrderView::rejected(&id, order.issued_at, &record, refusal)))
        }
        OrderState::Forgotten => Err(Refusal::UnknownOrder.into()),
    }
}

/// The id of an order: that of its record, or the longer one of an order that was queued.
#[derive(Debug)]
struct Id(String);

#[derive(Debug, thiserror::Error)]
#[error("must be 16 or 44 characters of A-Z a-z 0-9 _ -")]
struct NoId;

impl std::str::FromStr for Id {
    type Err = NoId;

    fn from_str(text: &str) -> Result<Self, NoId> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-');
        if matches!(text.len(), 16 | 44) && text.bytes().all(allowed) { Ok(Self(text.to_owned())) } else { Err(NoId) }
    }
}

#[cfg(test)]
mod tests {
    use http::{Kind, testing::Sample};

    use super::*;

    fn get(id: &str) -> Request {
        Sample::new("GET /v1/orders/{id}").path("id", id).request()
    }

    #[tokio::test]
    async fn an_id_that_cannot_be_is_refused() {
        for id in ["../secrets", "", &"a".repeat(15), &"a".repeat(45), &"ä".repeat(22)] {
            let problem = read(&App::unreachable(), &get(id)).await.unwrap_err();
            assert_eq!(problem.errors()[0].field, "id", "{id}");
        }
    }

    #[tokio::test]
    async fn an_id_that_was_not_issued_is_unknown_without_a_look() {
        let problem = read(&App::unreachable(), &get(&"a".repeat(44))).await.unwrap_err();
        assert_eq!(problem.kind(), Kind::UnknownOrder);
    }
}
