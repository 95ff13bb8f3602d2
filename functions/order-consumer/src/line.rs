//! One line of orders, decided in its order.

use aws_lambda_events::sqs::SqsMessage;
use domain::{bucket::BucketId, order::QueuedOrder, reservation::ReservationRequest};
use runtime::{App, orders};
use store::Failure;
use tokio::time::{Instant, timeout_at};

/// A line, and those of its messages that came in this batch.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) name: String,
    messages: Vec<Message>,
}

#[derive(Debug)]
struct Message {
    id: String,
    receipt_handle: String,
    /// Nothing if it cannot be read.
    order: Option<QueuedOrder>,
}

impl Line {
    /// A line, and the first of its messages.
    pub(crate) fn new(name: String, first: SqsMessage) -> Self {
        let mut line = Self { name, messages: Vec::new() };
        line.push(first);
        line
    }

    pub(crate) fn push(&mut self, message: SqsMessage) {
        let id = message.message_id.unwrap_or_default();
        let order = orders::parse(message.body.as_deref().unwrap_or_default());
        if let Err(malformed) = &order {
            tracing::error!(%malformed, message_id = id, line = self.name, "an order message cannot be read");
        }
        let receipt_handle = message.receipt_handle.unwrap_or_default();
        self.messages.push(Message { id, receipt_handle, order: order.ok() });
    }

    #[cfg(test)]
    pub(crate) fn message_ids(&self) -> Vec<&str> {
        self.messages.iter().map(|message| message.id.as_str()).collect()
    }

    /// Decides its orders one after the other, sales that stand together in one go. Answers the messages that must come again:
    /// those that cannot be read, and from the first that could not be decided all behind it.
    pub(crate) async fn decide(self, app: &App, deadline: Instant) -> Vec<String> {
        let (readable, unreadable): (Vec<_>, Vec<_>) =
            self.messages.into_iter().partition(|message| message.order.is_some());
        let readable: Vec<(String, QueuedOrder)> =
            readable.into_iter().filter_map(|message| Some((message.id, message.order?))).collect();
        let mut decided = 0;
        while let Some(rest) = readable.get(decided..).filter(|rest| !rest.is_empty()) {
            let next = timeout_at(deadline, decide_some(app, &self.name, rest)).await;
            let count = next.unwrap_or_else(|_| {
                tracing::warn!(line = self.name, "out of time: the rest of the line comes again");
                0
            });
            decided += count;
            if count < together(rest) {
                break;
            }
        }
        let mut again: Vec<String> = readable.into_iter().skip(decided).map(|(id, _)| id).collect();
        for message in unreadable {
            app.orders.come_again(&message.receipt_handle).await;
            again.push(message.id);
        }
        again
    }
}

/// How many of the first orders are decided in one go: sales that stand together, or one payment.
fn together(orders: &[(String, QueuedOrder)]) -> usize {
    let sales = orders.iter().take_while(|(_, order)| matches!(order, QueuedOrder::Sale(_))).count();
    sales.max(1)
}

/// Decides those, and says how many of them were decided, from the first on.
async fn decide_some(app: &App, line: &str, orders: &[(String, QueuedOrder)]) -> usize {
    let orders = &orders[..together(orders)];
    if let [(_, QueuedOrder::Confirmation { id, order_id })] = orders {
        let answer = app.store.confirm(id, order_id.as_ref()).await;
        return usize::from(is_decided(&answer.map(drop), line));
    }
    let sales: Vec<ReservationRequest> = orders.iter().filter_map(|(_, order)| sale(order).cloned()).collect();
    let Some(queue) = queue(line, &sales) else { return 0 };
    let answers = app.store.sell_in_order(&sales, &queue).await;
    answers.into_iter().take_while(|answer| is_decided(&answer.as_ref().map(drop), line)).count()
}

fn sale(order: &QueuedOrder) -> Option<&ReservationRequest> {
    match order {
        QueuedOrder::Sale(request) => Some(request),
        QueuedOrder::Confirmation { .. } => None,
    }
}

/// The bucket in whose line they wait. A line of another name is as good as the home of what they want: it only says where to
/// look first.
fn queue(line: &str, sales: &[ReservationRequest]) -> Option<BucketId> {
    let named = line.parse().ok();
    named.or_else(|| sales.first().and_then(|sale| Some(sale.stock(&sale.cart.lines().first()?.sku).home())))
}

/// A refusal is a decision, and is recorded.
fn is_decided<E: std::borrow::Borrow<Failure>>(answer: &Result<(), E>, line: &str) -> bool {
    let Err(failure) = answer else { return true };
    let failure: &Failure = failure.borrow();
    match failure {
        Failure::Refused(refusal) => tracing::debug!(?refusal, line, "an order was refused"),
        Failure::Fault(fault) if fault.is_transient() => tracing::warn!(%fault, line, "an order comes again"),
        Failure::Fault(fault) => tracing::error!(%fault, line, "an order cannot be decided"),
    }
    failure.is_final()
}
