//! What the functions of channels work with: connectors with their secrets, and the two queues between them.
//!
//! | queue | a message says | group, one at a time | who sends | who hears |
//! |---|---|---|---|---|
//! | sync | look at this listing | channel and SKU | `channel-mark`, `channel-poll` | `channel-sync` |
//! | news | this order has changed | channel and order | `webhook` | `channel-intake` |
//!
//! Nothing depends on a message: a listing that is marked stays marked, and an order that nobody tells of is pulled.

mod https;
mod manners;
mod queues;
mod secrets;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use channels::{CallError, Connector, Context, Transport};
use domain::{
    channel::{ChannelKind, ChannelSettings},
    ids::Channel,
    time::Clock,
};

pub use https::Https;
pub(crate) use https::Nobody;
use manners::Manners;
pub use manners::Met;
pub use queues::{MalformedNews, News, NotSent, Queue, news_body, read_news, read_sync, sync_body};
pub use secrets::{Secrets, SecretsUnavailable};

/// Connectors, and the queues of channels. Cheap to clone; clones share the connectors, with them their tokens, and how
/// vendors are to be asked.
#[derive(Clone)]
pub struct Channels {
    transport: Arc<dyn Transport>,
    secrets: Secrets,
    clock: Arc<dyn Clock>,
    sync: Option<Queue>,
    news: Option<Queue>,
    connectors: Arc<Mutex<BTreeMap<Channel, Known>>>,
    manners: Arc<Mutex<BTreeMap<Channel, Manners>>>,
    paced: bool,
}

/// A connector, and the version of the settings that it was made from.
#[derive(Clone)]
struct Known {
    version: u64,
    secret: u64,
    connector: Arc<dyn Connector>,
}

impl Channels {
    /// From how vendors are reached and what they are told of us.
    #[must_use]
    pub fn new(transport: Arc<dyn Transport>, secrets: Secrets, clock: Arc<dyn Clock>) -> Self {
        Self {
            transport,
            secrets,
            clock,
            sync: None,
            news: None,
            connectors: Arc::default(),
            manners: Arc::default(),
            paced: true,
        }
    }

    /// For vendors that are simulated, perhaps in a time of their own: they are called as fast as they answer.
    #[must_use]
    pub fn at_any_pace(self) -> Self {
        Self { paced: false, ..self }
    }

    /// For a function that has nothing to do with vendors: none can be reached, and nothing is queued.
    #[must_use]
    pub fn none(clock: Arc<dyn Clock>) -> Self {
        Self::new(Arc::new(https::Nobody), Secrets::none(), clock)
    }

    /// With the queue of listings to look at.
    #[must_use]
    pub fn with_sync(self, queue: Queue) -> Self {
        Self { sync: Some(queue), ..self }
    }

    /// With the queue of orders that have changed.
    #[must_use]
    pub fn with_news(self, queue: Queue) -> Self {
        Self { news: Some(queue), ..self }
    }

    /// The queue of listings to look at, if this function has one.
    #[must_use]
    pub fn sync(&self) -> Option<&Queue> {
        self.sync.as_ref()
    }

    /// The queue of orders that have changed, if this function has one.
    #[must_use]
    pub fn news(&self) -> Option<&Queue> {
        self.news.as_ref()
    }

    /// The connector of a channel; nothing for one that has no vendor. It is kept until the settings or the secret change.
    ///
    /// # Errors
    /// [`CallError`] when its secret cannot be read.
    pub async fn connector(
        &self,
        channel: &Channel,
        settings: &ChannelSettings,
    ) -> Result<Option<Arc<dyn Connector>>, CallError> {
        if settings.kind == ChannelKind::Own {
            return Ok(None);
        }
        let (secret, credentials) = self.secrets.of(channel, self.clock.now()).await.map_err(|SecretsUnavailable| {
            CallError::Unavailable { reason: "the channel's secret cannot be read".to_owned() }
        })?;
        let known = self.connectors.lock().unwrap_or_else(PoisonError::into_inner).get(channel).cloned();
        if let Some(known) = known.filter(|known| known.version == settings.version && known.secret == secret) {
            return Ok(Some(known.connector));
        }
        let context = Context {
            transport: self.transport.clone(),
            clock: self.clock.clone(),
            credentials,
            endpoint: settings.endpoint.clone(),
            options: settings.options.clone(),
        };
        let Some(connector) = channels::connect(settings.kind, context) else { return Ok(None) };
        let known = Known { version: settings.version, secret, connector: connector.clone() };
        self.connectors.lock().unwrap_or_else(PoisonError::into_inner).insert(channel.clone(), known);
        Ok(Some(connector))
    }
}
