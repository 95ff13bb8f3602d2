//! What reordering works with: the queue of what has to be looked at, and whom to tell of an alert.
//!
//! The table's stream has room for two readers, and `channel-mark` is the second: it also says here what it saw. A message names sales to
//! count, SKUs to look at and alerts to tell of, as many as one batch of the stream brought; whoever hears it twice finds that it is done.

use std::{borrow::Cow, collections::BTreeSet};

use aws_sdk_sqs::error::DisplayErrorContext;
use domain::{
    ids::{AlertId, ReservationId, Sku},
    replenishment::review::Alert,
};
use http::view::rfc3339;
use serde::{Deserialize, Serialize};

/// Names in one message: about 60 KB, of the 256 KB that SQS takes.
const MAX_NAMES: usize = 1_000;

/// What has to be looked at.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ToDo {
    /// Confirmed, and not counted among the sales of their days.
    pub sales: BTreeSet<ReservationId>,
    /// There are other units, or others on their way.
    pub skus: BTreeSet<Sku>,
    /// Open, and nobody was told.
    pub alerts: BTreeSet<AlertId>,
}

impl ToDo {
    /// Whether it is nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sales.is_empty() && self.skus.is_empty() && self.alerts.is_empty()
    }

    /// Both.
    pub fn extend(&mut self, other: Self) {
        self.sales.extend(other.sales);
        self.skus.extend(other.skus);
        self.alerts.extend(other.alerts);
    }

    /// The same, in parts of at most so many names.
    fn parts(&self) -> Vec<Self> {
        let sales = self.sales.iter().map(|id| Self { sales: [id.clone()].into(), ..Self::default() });
        let skus = self.skus.iter().map(|sku| Self { skus: [sku.clone()].into(), ..Self::default() });
        let alerts = self.alerts.iter().map(|id| Self { alerts: [id.clone()].into(), ..Self::default() });
        let names: Vec<Self> = sales.chain(skus).chain(alerts).collect();
        let together = |part: &[Self]| {
            part.iter().cloned().fold(Self::default(), |mut all, one| {
                all.extend(one);
                all
            })
        };
        names.chunks(MAX_NAMES).map(together).collect()
    }
}

/// The queue of what has to be looked at.
#[derive(Debug, Clone)]
pub struct Reviews(Option<(aws_sdk_sqs::Client, String)>);

/// The queue did not take it; why is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the queue of looks did not take everything")]
pub struct NotAsked;

impl Reviews {
    /// The queue with this URL.
    #[must_use]
    pub fn new(client: aws_sdk_sqs::Client, url: impl Into<String>) -> Self {
        Self(Some((client, url.into())))
    }

    /// No queue: nothing is said, and looks are taken by the schedule alone.
    #[must_use]
    pub fn none() -> Self {
        Self(None)
    }

    /// Asks for it to be looked at.
    ///
    /// # Errors
    /// [`NotAsked`] when SQS did not say that it has all of it.
    pub async fn ask(&self, to_do: &ToDo) -> Result<(), NotAsked> {
        let Some((client, url)) = &self.0 else { return Ok(()) };
        for part in to_do.parts() {
            let sent = client.send_message().queue_url(url).message_body(body(&part)).send().await;
            sent.map_err(|error| {
                tracing::warn!(error = %DisplayErrorContext(&error), "the queue of looks cannot be reached");
                NotAsked
            })?;
        }
        Ok(())
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Message<'a> {
    #[serde(default)]
    sales: Vec<Cow<'a, str>>,
    #[serde(default)]
    skus: Vec<Cow<'a, str>>,
    #[serde(default)]
    alerts: Vec<Cow<'a, str>>,
}

/// The body of a message: `{"sales":["…"],"skus":["tea"],"alerts":["…"]}`.
///
/// # Panics
/// Never: texts always serialize.
#[must_use]
pub fn body(to_do: &ToDo) -> String {
    let message = Message {
        sales: to_do.sales.iter().map(|id| id.as_str().into()).collect(),
        skus: to_do.skus.iter().map(|sku| sku.as_str().into()).collect(),
        alerts: to_do.alerts.iter().map(|id| id.as_str().into()).collect(),
    };
    serde_json::to_string(&message).expect("texts serialize")
}

/// A message is not one of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a message of what has to be looked at")]
pub struct MalformedToDo;

/// Reads the body of a message.
///
/// # Errors
/// [`MalformedToDo`] when it is not what [`body`] writes.
pub fn parse(body: &str) -> Result<ToDo, MalformedToDo> {
    fn all<T: std::str::FromStr + Ord>(names: &[Cow<'_, str>]) -> Result<BTreeSet<T>, MalformedToDo> {
        names.iter().map(|name| name.parse().map_err(|_| MalformedToDo)).collect()
    }
    let message: Message<'_> = serde_json::from_str(body).map_err(|_| MalformedToDo)?;
    Ok(ToDo { sales: all(&message.sales)?, skus: all(&message.skus)?, alerts: all(&message.alerts)? })
}

/// Whom to tell of an alert.
#[derive(Debug, Clone)]
pub struct Bell(Option<(aws_sdk_sns::Client, String)>);

/// Nobody could be told; why is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("nobody could be told")]
pub struct NotTold;

impl Bell {
    /// Whoever has subscribed to this SNS topic.
    #[must_use]
    pub fn topic(client: aws_sdk_sns::Client, arn: impl Into<String>) -> Self {
        Self(Some((client, arn.into())))
    }

    /// Whoever reads the log.
    #[must_use]
    pub fn log() -> Self {
        Self(None)
    }

    /// Tells of an alert. It may be told of again, with the same id.
    ///
    /// # Errors
    /// [`NotTold`] when SNS did not say that it has it.
    pub async fn ring(&self, alert: &Alert) -> Result<(), NotTold> {
        let (sku, position, reorder_point) = (&alert.sku, alert.sight.position(), alert.reorder_point);
        tracing::warn!(alert = "reorder", id = %alert.id, %sku, position, reorder_point, "it is time to order");
        let Some((client, arn)) = &self.0 else { return Ok(()) };
        let subject = format!("Reorder {sku}");
        let told = client.publish().topic_arn(arn).subject(subject).message(notice(alert)).send().await;
        told.map(|_| ()).map_err(|error| {
            tracing::warn!(error = %DisplayErrorContext(&error), %sku, "nobody could be told");
            NotTold
        })
    }
}

#[derive(Serialize)]
struct Notice<'a> {
    alert: &'a str,
    sku: &'a str,
    reorder_point: u64,
    position: i64,
    available: u64,
    reserved: u64,
    on_order: u64,
    backordered: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    order_quantity: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    supplier: Option<&'a str>,
    on_alert: &'static str,
    opened_at: String,
}

/// What is told: the id under which it may come again, and what there was when it opened.
///
/// # Panics
/// Never: texts and numbers always serialize.
fn notice(alert: &Alert) -> String {
    let notice = Notice {
        alert: alert.id.as_str(),
        sku: alert.sku.as_str(),
        reorder_point: alert.reorder_point,
        position: alert.sight.position(),
        available: alert.sight.available,
        reserved: alert.sight.reserved,
        on_order: alert.sight.on_order,
        backordered: alert.sight.promised,
        order_quantity: alert.quantity.map(domain::quantity::Quantity::units),
        supplier: alert.supplier.as_ref().map(domain::ids::Supplier::as_str),
        on_alert: alert.on_alert.word(),
        opened_at: rfc3339(alert.sight.as_of),
    };
    serde_json::to_string(&notice).expect("texts and numbers serialize")
}

#[cfg(test)]
mod tests {
    use domain::{
        replenishment::{review::Sight, settings::OnAlert},
        time::Timestamp,
    };

    use super::*;

    const BODY: &str = r#"{"sales":["0123456789abcdef"],"skus":["milk","tea"],"alerts":["fedcba9876543210"]}"#;

    #[test]
    fn a_message_reads_back_what_it_writes() {
        assert_eq!(body(&parse(BODY).unwrap()), BODY);
        assert!(parse("{}").unwrap().is_empty());
        for malformed in ["", r#"{"skus":["a#b"]}"#, r#"{"sales":["short"]}"#, r#"{"alerts":[1]}"#, r#"{"x":[]}"#] {
            assert_eq!(parse(malformed), Err(MalformedToDo), "{malformed}");
        }
    }

    #[test]
    fn no_message_names_more_than_sqs_takes() {
        let skus: BTreeSet<Sku> = (0..2_500).map(|n| format!("{n:064}").parse().unwrap()).collect();
        let parts = ToDo { skus: skus.clone(), ..ToDo::default() }.parts();
        assert_eq!(parts.len(), 3);
        assert!(parts.iter().all(|part| body(part).len() < 256 * 1024));
        assert_eq!(parts.into_iter().flat_map(|part| part.skus).collect::<BTreeSet<_>>(), skus);
        assert!(ToDo::default().parts().is_empty());
    }

    #[test]
    fn who_is_told_hears_the_id_and_the_numbers() {
        let sku: Sku = "tea".parse().unwrap();
        let as_of = Timestamp::from_epoch_seconds(1_800_000_000);
        let alert = Alert {
            id: AlertId::of(&sku, 1),
            sku,
            sight: Sight {
                available: 80,
                reserved: 4,
                sold: 16,
                given_back: 0,
                shortfall: 2,
                on_order: 5,
                promised: 1,
                arrived: 3,
                as_of,
            },
            reorder_point: 84,
            quantity: domain::quantity::Quantity::new(144).ok(),
            on_alert: OnAlert::Tell,
            supplier: None,
            told_at: None,
            closed_at: None,
        };
        let expected = format!(
            r#"{{"alert":"{}","sku":"tea","reorder_point":84,"position":82,"available":80,"reserved":4,"on_order":5,"backordered":1,"order_quantity":144,"on_alert":"tell","opened_at":"2027-01-15T08:00:00Z"}}"#,
            alert.id
        );
        assert_eq!(notice(&alert), expected);
    }

    #[tokio::test]
    async fn without_a_queue_nothing_is_asked_and_nothing_fails() {
        assert_eq!(Reviews::none().ask(&parse(BODY).unwrap()).await, Ok(()));
    }
}
