//! The order queue: a FIFO queue whose groups are the lines in which orders wait.
//!
//! A line is a bucket: the home of the order's hottest SKU, or one of its children. Orders of one line are decided in their order; lines
//! do not wait for each other. The payment of a reservation competes with nobody, for its units are held: each waits in a line of
//! its own.
//!
//! A message may come twice, late or not for days: the order is decided once, under the id that it carries.

use std::borrow::Cow;

use aws_sdk_sqs::{Client, error::DisplayErrorContext};
use domain::{
    limits::MIN_HOLD_SECONDS,
    order::{OrderId, OrderIdKey, QueuedOrder},
    reservation::{Cart, Kind, Line, ReservationRequest},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

/// The order queue; only `order-intake` and `order-consumer` have one.
#[derive(Debug, Clone, Default)]
pub struct Orders {
    queue: Option<Queue>,
    key: Option<OrderIdKey>,
}

#[derive(Debug, Clone)]
struct Queue {
    client: Client,
    url: String,
}

/// An order could not be queued; why is logged. It may have been all the same: the caller repeats the request.
#[derive(Debug, thiserror::Error)]
#[error("the order could not be queued")]
pub struct NotQueued;

impl Orders {
    /// The queue with this URL, and the key of the ids that it gives out.
    #[must_use]
    pub fn new(client: Client, queue_url: impl Into<String>, key: OrderIdKey) -> Self {
        Self { key: Some(key), ..Self::without_key(client, queue_url) }
    }

    /// The queue with this URL, for whoever gives out no ids.
    #[must_use]
    pub fn without_key(client: Client, queue_url: impl Into<String>) -> Self {
        Self { queue: Some(Queue { client, url: queue_url.into() }), key: None }
    }

    /// No queue: nothing can be queued, and no id was ever given out.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// Queues an order in this line, and answers the id under which to ask for it.
    ///
    /// # Errors
    /// [`NotQueued`] when SQS did not say that it has the order.
    pub async fn send(&self, order: &QueuedOrder, line: &str, now: Timestamp) -> Result<String, NotQueued> {
        let (Some(queue), Some(key)) = (&self.queue, &self.key) else { return Err(NotQueued) };
        let request = queue
            .client
            .send_message()
            .queue_url(&queue.url)
            .message_body(body(order))
            .message_group_id(line)
            .message_deduplication_id(order.deduplication_id());
        match request.send().await {
            Ok(_) => Ok(OrderId::issue(order, now).encode(key)),
            Err(error) => {
                tracing::warn!(error = %DisplayErrorContext(&error), "could not queue an order");
                Err(NotQueued)
            }
        }
    }

    /// Reads an id that [`Self::send`] gave out; nothing if it did not.
    #[must_use]
    pub fn read(&self, id: &str) -> Option<OrderId> {
        OrderId::read(id, self.key.as_ref()?)
    }
}

impl Orders {
    /// Lets a message that was received come again at once, by its receipt handle: one that cannot be read holds up its line for as long
    /// as it is hidden. If that fails, which is logged, it is only slower.
    pub async fn come_again(&self, receipt_handle: &str) {
        let Some(queue) = &self.queue else { return };
        let request = queue.client.change_message_visibility().queue_url(&queue.url);
        if let Err(error) = request.receipt_handle(receipt_handle).visibility_timeout(0).send().await {
            tracing::warn!(error = %DisplayErrorContext(&error), "a message stays hidden for its full time");
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
enum Message<'a> {
    Order {
        id: Cow<'a, str>,
        channel: Cow<'a, str>,
        lines: Vec<Cow<'a, str>>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        order_id: Option<Cow<'a, str>>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        session_id: Option<Cow<'a, str>>,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        accept_backorder: bool,
    },
    Confirmation {
        id: Cow<'a, str>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        order_id: Option<Cow<'a, str>>,
    },
}

/// A message of the order queue is not one of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an order message: {0}")]
pub struct MalformedOrder(&'static str);

/// The body of an order message: `{"kind":"order","id":"…","channel":"own","lines":["tea=2"]}`, or
/// `{"kind":"confirmation","id":"…","order_id":"o-1"}`.
///
/// # Panics
/// Never: texts always serialize.
#[must_use]
pub fn body(order: &QueuedOrder) -> String {
    let message = match order {
        QueuedOrder::Sale(request) => Message::Order {
            id: request.id.as_str().into(),
            channel: request.channel.as_str().into(),
            lines: request.cart.lines().iter().map(|line| line.to_string().into()).collect(),
            order_id: request.order_id.as_ref().map(|id| id.as_str().into()),
            session_id: request.session_id.as_ref().map(|id| id.as_str().into()),
            accept_backorder: request.accepts_backorder,
        },
        QueuedOrder::Confirmation { id, order_id } => {
            Message::Confirmation { id: id.as_str().into(), order_id: order_id.as_ref().map(|id| id.as_str().into()) }
        }
    };
    serde_json::to_string(&message).expect("texts serialize")
}

/// Reads the body of an order message.
///
/// # Errors
/// [`MalformedOrder`] when it is not what [`body`] writes.
pub fn parse(body: &str) -> Result<QueuedOrder, MalformedOrder> {
    let message: Message<'_> = serde_json::from_str(body).map_err(|_| MalformedOrder("not its JSON"))?;
    let reference = |id: Option<Cow<'_, str>>| {
        id.map(|id| id.parse()).transpose().map_err(|_| MalformedOrder("a reference is none"))
    };
    match message {
        Message::Order { id, channel, lines, order_id, session_id, accept_backorder } => {
            let lines: Option<Vec<Line>> = lines.iter().map(|line| line.parse().ok()).collect();
            Ok(QueuedOrder::Sale(ReservationRequest {
                id: id.parse().map_err(|_| MalformedOrder("the id is none"))?,
                kind: Kind::Order,
                channel: channel.parse().map_err(|_| MalformedOrder("the channel is none"))?,
                cart: lines.and_then(|lines| Cart::new(lines).ok()).ok_or(MalformedOrder("the lines make no cart"))?,
                hold_seconds: MIN_HOLD_SECONDS,
                order_id: reference(order_id)?,
                session_id: reference(session_id)?,
                accepts_backorder: accept_backorder,
            }))
        }
        Message::Confirmation { id, order_id } => Ok(QueuedOrder::Confirmation {
            id: id.parse().map_err(|_| MalformedOrder("the id is none"))?,
            order_id: reference(order_id)?,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SALE: &str = r#"{"kind":"order","id":"0123456789abcdef","channel":"own","lines":["mug=1","tea=2"],"order_id":"o-1","session_id":"s-1"}"#;
    const PAYMENT: &str = r#"{"kind":"confirmation","id":"0123456789abcdef","order_id":"o-1"}"#;

    #[test]
    fn a_message_reads_back_what_it_writes() {
        let least = r#"{"kind":"order","id":"0123456789abcdef","channel":"own","lines":["tea=2"]}"#;
        let backorder = least.replace('}', r#","accept_backorder":true}"#);
        for message in [SALE, least, &backorder, PAYMENT, r#"{"kind":"confirmation","id":"0123456789abcdef"}"#] {
            assert_eq!(body(&parse(message).unwrap()), message);
        }
    }

    #[test]
    fn a_malformed_message_is_none() {
        for malformed in [
            "",
            "{}",
            r#"["order","0123456789abcdef"]"#,
            &SALE.replace("order\",\"id", "gift\",\"id"),
            &SALE.replace("0123456789abcdef", "short"),
            &SALE.replace("own", "Own"),
            &SALE.replace("tea=2", "tea"),
            &SALE.replace("tea=2", "tea=0"),
            &SALE.replace(r#"["mug=1","tea=2"]"#, "[]"),
            &SALE.replace("\"o-1\"", "\"o 1\""),
            &SALE.replace("\"o-1\"", "7"),
            &SALE.replace('}', ",\"x\":1}"),
            &PAYMENT.replace('}', ",\"lines\":[]}"),
        ] {
            assert!(parse(malformed).is_err(), "{malformed}");
        }
    }

    #[tokio::test]
    async fn without_a_queue_nothing_is_queued_and_no_id_is_known() {
        let order = parse(SALE).unwrap();
        assert!(Orders::none().send(&order, "tea#own", Timestamp::from_epoch_seconds(0)).await.is_err());
        let id = OrderId::issue(&order, Timestamp::from_epoch_seconds(0)).encode(&OrderIdKey::new("k"));
        assert_eq!(Orders::none().read(&id), None);
    }
}
