//! What every function's `main` starts: configuration, telemetry, AWS clients, the clock, the Lambda loop.
//!
//! This is the only crate of a function that reads the environment or the system's clock; everything else is handed an [`App`].
//!
//! | module | holds |
//! |---|---|
//! | [`config`] | the environment variables, read once |
//! | [`telemetry`] | JSON logs, with the id of the request on every line |
//! | [`aws`] | how AWS is called: TLS, retries, timeouts; the same in a Lambda, in the local stack and in tests |
//! | [`channels`] | connectors with their secrets, and the queues of channels |
//! | [`erp`](mod@erp) | the connector of the merchant's ERP, with its secret |
//! | [`clock`] | the system's clock |
//! | [`orders`] | orders that wait in a queue |
//! | [`replenishment`] | what reordering has to look at, and whom it tells |
//! | [`timers`] | messages that wake `expire` when a hold is over |
//! | [`lambda`] | the loop: event in, answer out |

pub mod aws;
pub mod channels;
pub mod clock;
pub mod config;
pub mod erp;
pub mod lambda;
pub mod orders;
mod outcome;
pub mod replenishment;
pub mod telemetry;
pub mod timers;

use std::sync::Arc;

use domain::time::{Clock, Timestamp};
use store::Store;

pub use channels::Channels;
pub use clock::SystemClock;
pub use config::Config;
pub use erp::ErpDesk;
pub use lambda::{Error, serve, serve_events};
pub use orders::Orders;
pub use outcome::{problem, problem_naming, promised_days};
pub use replenishment::{Bell, Reviews};
pub use timers::{Timer, Timers};

/// What a handler works with. Cheap to clone.
#[derive(Clone)]
pub struct App {
    /// The table.
    pub store: Store,
    /// The timer queue; only `expire` has one.
    pub timers: Timers,
    /// The order queue; only `order-intake` and `order-consumer` have one.
    pub orders: Orders,
    /// The channels; only the functions of channels can reach any.
    pub channels: Channels,
    /// The merchant's ERP; only `purchasing` can reach it.
    pub erp: ErpDesk,
    /// The queue of what reordering has to look at; only `channel-mark` has one.
    pub reviews: Reviews,
    /// Who is told of alerts; only `replenish` has anybody to tell.
    pub bell: Bell,
    /// The clock, the same one that the store reads.
    pub clock: Arc<dyn Clock>,
}

impl App {
    /// From its parts.
    #[must_use]
    pub fn new(store: Store, timers: Timers, orders: Orders, clock: Arc<dyn Clock>) -> Self {
        let (channels, erp) = (Channels::none(clock.clone()), ErpDesk::none(clock.clone()));
        Self { store, timers, orders, channels, erp, reviews: Reviews::none(), bell: Bell::log(), clock }
    }

    /// With these channels.
    #[must_use]
    pub fn with_channels(self, channels: Channels) -> Self {
        Self { channels, ..self }
    }

    /// With this ERP.
    #[must_use]
    pub fn with_erp(self, erp: ErpDesk) -> Self {
        Self { erp, ..self }
    }

    /// With this queue of what reordering has to look at.
    #[must_use]
    pub fn with_reviews(self, reviews: Reviews) -> Self {
        Self { reviews, ..self }
    }

    /// With these to tell of alerts.
    #[must_use]
    pub fn with_bell(self, bell: Bell) -> Self {
        Self { bell, ..self }
    }

    /// The current instant.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Without any server behind it, for tests of what happens before the first call, and of an outage.
    #[cfg(any(test, feature = "testing"))]
    #[must_use]
    pub fn unreachable() -> Self {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        // The discard port, where nothing listens.
        let client = aws_sdk_dynamodb::Client::new(&aws::local("http://127.0.0.1:9"));
        Self::new(Store::new(client, "none", clock.clone()), Timers::none(), Orders::none(), clock)
    }

    /// As the environment says, connected to DynamoDB already: what happens before the first event costs no shopper any time.
    ///
    /// # Errors
    /// When a variable is missing.
    pub async fn from_env() -> Result<Self, Error> {
        Ok(Self::connected(&Config::from_env()?, Timers::none(), Orders::none()).await)
    }

    /// As [`Self::from_env`], with the timer queue. A constructor of its own, so that the other functions are not linked with SQS.
    ///
    /// # Errors
    /// When a variable is missing.
    pub async fn from_env_with_timers() -> Result<Self, Error> {
        let config = Config::from_env()?;
        let queue_url = config.timer_queue_url.clone().ok_or(config::MissingVariable("TIMER_QUEUE_URL"))?;
        let client = aws_sdk_sqs::Client::new(&aws::of_function(&config, config.sqs_endpoint.as_deref()));
        Ok(Self::connected(&config, Timers::new(client, queue_url), Orders::none()).await)
    }

    /// As [`Self::from_env`], with the order queue and the key of its ids.
    ///
    /// # Errors
    /// When a variable is missing.
    pub async fn from_env_for_intake() -> Result<Self, Error> {
        let config = Config::from_env()?;
        let key = config.order_id_key.clone().ok_or(config::MissingVariable("ORDER_ID_KEY"))?;
        let (client, queue_url) = order_queue(&config)?;
        Ok(Self::connected(&config, Timers::none(), Orders::new(client, queue_url, key)).await)
    }

    /// As [`Self::from_env`], with the order queue.
    ///
    /// # Errors
    /// When a variable is missing.
    pub async fn from_env_for_consumer() -> Result<Self, Error> {
        let config = Config::from_env()?;
        let (client, queue_url) = order_queue(&config)?;
        Ok(Self::connected(&config, Timers::none(), Orders::without_key(client, queue_url)).await)
    }

    /// As [`Self::from_env`], with vendors, their secrets, and whichever queues of channels the environment names.
    ///
    /// # Errors
    /// When a variable is missing.
    pub async fn from_env_for_channels() -> Result<Self, Error> {
        let config = Config::from_env()?;
        let app = Self::connected(&config, Timers::none(), Orders::none()).await;
        let prefix = config.channel_secret_prefix.clone().ok_or(config::MissingVariable("CHANNEL_SECRET_PREFIX"))?;
        let manager = aws_sdk_secretsmanager::Client::new(&aws::of_function(&config, None));
        let secrets = channels::Secrets::manager(manager, &prefix);
        let queue = |url: &Option<String>| {
            let client = || aws_sdk_sqs::Client::new(&aws::of_function(&config, config.sqs_endpoint.as_deref()));
            url.as_ref().map(|url| channels::Queue::new(client(), url))
        };
        let mut channels = Channels::new(Arc::new(channels::Https::only()), secrets, app.clock.clone());
        if let Some(queue) = queue(&config.sync_queue_url) {
            channels = channels.with_sync(queue);
        }
        if let Some(queue) = queue(&config.news_queue_url) {
            channels = channels.with_news(queue);
        }
        let reviews = config.review_queue_url.as_ref().map_or_else(Reviews::none, |url| {
            Reviews::new(aws_sdk_sqs::Client::new(&aws::of_function(&config, config.sqs_endpoint.as_deref())), url)
        });
        Ok(app.with_channels(channels).with_reviews(reviews))
    }

    /// As [`Self::from_env`], with the topic on which alerts are told.
    ///
    /// # Errors
    /// When a variable is missing.
    pub async fn from_env_for_replenishment() -> Result<Self, Error> {
        let config = Config::from_env()?;
        let topic = config.alert_topic_arn.clone().ok_or(config::MissingVariable("ALERT_TOPIC_ARN"))?;
        let client = aws_sdk_sns::Client::new(&aws::of_function(&config, None));
        Ok(Self::connected(&config, Timers::none(), Orders::none()).await.with_bell(Bell::topic(client, topic)))
    }

    /// As [`Self::from_env`], with the ERP, its secret and its refresh token.
    ///
    /// # Errors
    /// When a variable is missing.
    pub async fn from_env_for_purchasing() -> Result<Self, Error> {
        let config = Config::from_env()?;
        let app = Self::connected(&config, Timers::none(), Orders::none()).await;
        let prefix = config.erp_secret_prefix.clone().ok_or(config::MissingVariable("ERP_SECRET_PREFIX"))?;
        let manager = aws_sdk_secretsmanager::Client::new(&aws::of_function(&config, None));
        let tokens = Arc::new(erp::KeptSecret::new(manager.clone(), &prefix));
        let secrets = channels::Secrets::manager(manager, &prefix);
        let desk = ErpDesk::new(Arc::new(channels::Https::new()), secrets, tokens, app.clock.clone());
        Ok(app.with_erp(desk))
    }

    async fn connected(config: &Config, timers: Timers, orders: Orders) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let client = aws_sdk_dynamodb::Client::new(&aws::of_function(config, config.dynamodb_endpoint.as_deref()));
        let store = Store::new(client, config.table_name.clone(), clock.clone());
        store.connect().await;
        Self::new(store, timers, orders, clock)
    }
}

fn order_queue(config: &Config) -> Result<(aws_sdk_sqs::Client, String), config::MissingVariable> {
    let queue_url = config.order_queue_url.clone().ok_or(config::MissingVariable("ORDER_QUEUE_URL"))?;
    let client = aws_sdk_sqs::Client::new(&aws::of_function(config, config.sqs_endpoint.as_deref()));
    Ok((client, queue_url))
}
