//! The environment variables of a function, read once.
//!
//! | variable | meaning |
//! |---|---|
//! | `TABLE_NAME` | the table |
//! | `TIMER_QUEUE_URL` | the timer queue; `expire` only |
//! | `ORDER_QUEUE_URL` | the order queue; `order-intake` and `order-consumer` only |
//! | `ORDER_ID_KEY` | the key of the ids that `order-intake` gives out |
//! | `SYNC_QUEUE_URL` | the queue of listings to look at; the functions of channels only |
//! | `NEWS_QUEUE_URL` | the queue of orders that channels have told of; likewise |
//! | `CHANNEL_SECRET_PREFIX` | what the names of channels' secrets begin with; likewise |
//! | `ERP_SECRET_PREFIX` | what the names of the ERP's secrets begin with; `purchasing` only |
//! | `REVIEW_QUEUE_URL` | the queue of what reordering has to look at; `channel-mark` only |
//! | `ALERT_TOPIC_ARN` | the topic on which alerts are told; `replenish` only |
//! | `LOG_LEVEL` | `error`, `warn`, `info` (the default), `debug` or `trace` |
//! | `DYNAMODB_ENDPOINT`, `SQS_ENDPOINT` | another server than AWS's; local use and tests |
//! | `AWS_REGION`, `AWS_ACCESS_KEY_ID`, … | set by Lambda |

use domain::order::OrderIdKey;

/// What the environment says.
#[derive(Debug, Clone)]
pub struct Config {
    /// The table.
    pub table_name: String,
    /// The timer queue.
    pub timer_queue_url: Option<String>,
    /// The order queue.
    pub order_queue_url: Option<String>,
    /// The key of the ids of queued orders.
    pub order_id_key: Option<OrderIdKey>,
    /// The queue of listings to look at.
    pub sync_queue_url: Option<String>,
    /// The queue of orders that channels have told of.
    pub news_queue_url: Option<String>,
    /// What the names of channels' secrets begin with.
    pub channel_secret_prefix: Option<String>,
    /// What the names of the ERP's secrets begin with.
    pub erp_secret_prefix: Option<String>,
    /// The queue of what reordering has to look at.
    pub review_queue_url: Option<String>,
    /// The topic on which alerts are told.
    pub alert_topic_arn: Option<String>,
    /// The AWS region.
    pub region: String,
    /// Where DynamoDB is, if not at AWS.
    pub dynamodb_endpoint: Option<String>,
    /// Where SQS is, if not at AWS.
    pub sqs_endpoint: Option<String>,
}

/// A variable that the function cannot do without is not set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the environment variable {0} is not set")]
pub struct MissingVariable(pub &'static str);

impl Config {
    /// Reads the environment.
    ///
    /// # Errors
    /// [`MissingVariable`] when one is missing that every function needs.
    pub fn from_env() -> Result<Self, MissingVariable> {
        Self::read(variable)
    }

    fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Self, MissingVariable> {
        Ok(Self {
            table_name: variable("TABLE_NAME").ok_or(MissingVariable("TABLE_NAME"))?,
            timer_queue_url: variable("TIMER_QUEUE_URL"),
            order_queue_url: variable("ORDER_QUEUE_URL"),
            order_id_key: variable("ORDER_ID_KEY").map(|secret| OrderIdKey::new(&secret)),
            sync_queue_url: variable("SYNC_QUEUE_URL"),
            news_queue_url: variable("NEWS_QUEUE_URL"),
            channel_secret_prefix: variable("CHANNEL_SECRET_PREFIX"),
            erp_secret_prefix: variable("ERP_SECRET_PREFIX"),
            review_queue_url: variable("REVIEW_QUEUE_URL"),
            alert_topic_arn: variable("ALERT_TOPIC_ARN"),
            region: variable("AWS_REGION").ok_or(MissingVariable("AWS_REGION"))?,
            dynamodb_endpoint: variable("DYNAMODB_ENDPOINT"),
            sqs_endpoint: variable("SQS_ENDPOINT"),
        })
    }
}

/// A variable of the environment; an empty one counts as not set, as CloudFormation cannot leave one out.
#[expect(clippy::disallowed_methods, reason = "this is the one place where the environment is read")]
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_needs_a_table_and_a_region() {
        let with = |names: &'static [&'static str]| {
            Config::read(move |name| names.contains(&name).then(|| name.to_lowercase()))
        };
        assert_eq!(with(&["AWS_REGION"]).unwrap_err(), MissingVariable("TABLE_NAME"));
        assert_eq!(with(&["TABLE_NAME"]).unwrap_err(), MissingVariable("AWS_REGION"));
        let config = with(&["TABLE_NAME", "AWS_REGION", "SQS_ENDPOINT"]).unwrap();
        assert_eq!(config.sqs_endpoint.as_deref(), Some("sqs_endpoint"));
        assert_eq!((config.timer_queue_url, config.dynamodb_endpoint), (None, None));
    }
}
