//! The whole service in one process, on loopback, with nothing to install. The handlers, the SDK and the wire protocols
//! are the real ones; what AWS would do around them is done here.
//!
//! | on AWS | here |
//! |---|---|
//! | the deployment | [`template`]: routes, tables, queues and event sources are read from `template.yaml` |
//! | API Gateway | [`gateway`], with the events of [`event`] |
//! | Lambda | [`functions`]: the handler is called with the event that Lambda would pass |
//! | DynamoDB | [`dynamodb`]: an embedded engine, or any server that speaks the protocol |
//! | SQS | [`sqs`]: likewise |
//! | event source mappings | [`stream_poller`] with the filters of [`pattern`], [`queue_poller`] |
//! | Secrets Manager | [`vendors`]: a file of secrets; marketplaces and shops are the real ones |
//! | schedules | [`schedule`], by the local clock |
//! | time to live | [`ttl`] |
//! | time | [`clock`], which can be moved; [`upkeep`] then does what would have happened meanwhile |
//! | the contract, to be read | [`control`] and [`docs`] |

mod clock;
mod control;
mod docs;
mod dynamodb;
mod event;
mod functions;
mod gateway;
mod pattern;
mod queue_poller;
mod schedule;
mod servers;
mod sqs;
mod stream_poller;
mod template;
mod ttl;
mod upkeep;
mod vendors;

use std::{collections::BTreeSet, fs::File, path::PathBuf, sync::Arc};

use anyhow::{Context, Result, ensure};
use domain::order::OrderIdKey;
use runtime::{App, Orders, Reviews, Timers, channels::Queue};
use store::Store;
use tokio::task::JoinSet;

use self::{
    functions::Lambda,
    pattern::Pattern,
    queue_poller::QueuePoller,
    schedule::Ticker,
    servers::{Clients, Server},
    stream_poller::StreamPoller,
    template::{StreamMapping, Template},
    upkeep::Upkeep,
};

pub use self::{clock::LocalClock, vendors::Vendors};

const TEMPLATE: &str = include_str!("../../../template.yaml");
const OPENAPI: &str = include_str!("../../openapi.yaml");

/// Signs the ids of queued orders. On AWS it is a secret; here is nobody to keep it from, and ids stay good through a restart.
const ORDER_ID_KEY: &str = "local";

/// Calls of a queue's function at the same time. Lambda begins with five.
const QUEUE_POLLERS: usize = 2;

/// How to start a stack. The default is in memory, on ports that nobody uses: what a test wants.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where the API listens. The embedded DynamoDB listens one port further on, SQS two. 0: anywhere.
    pub port: u16,
    /// Where to keep what is stored. Nowhere: it is gone when the process is.
    pub data: Option<PathBuf>,
    /// Another DynamoDB to use, for instance DynamoDB Local.
    pub dynamodb_endpoint: Option<String>,
    /// Another SQS to use.
    pub sqs_endpoint: Option<String>,
    /// What names of tables and queues begin with: stacks that share a server must differ in it.
    pub prefix: String,
    /// Functions that get no events here: what waits for them waits, or is handled by another stack at the same servers.
    pub without: Vec<String>,
    /// Who answers for marketplaces and shops.
    pub vendors: Vendors,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            port: 0,
            data: None,
            dynamodb_endpoint: None,
            sqs_endpoint: None,
            prefix: "holdfast".into(),
            without: Vec::new(),
            vendors: Vendors::default(),
        }
    }
}

/// A running stack. Dropping it stops it as well, but nobody waits for that.
pub struct Stack {
    url: String,
    dynamodb_endpoint: String,
    sqs_endpoint: String,
    table: String,
    app: App,
    clock: LocalClock,
    api: Server,
    background: JoinSet<()>,
    database: Option<Server>,
    /// Keeps a second process out of the same directory.
    _claim: Option<File>,
}

impl Stack {
    /// Starts everything, and returns once the API can be called.
    ///
    /// # Errors
    /// A port or the directory is taken, a server does not answer, or `template.yaml` and this binary do not fit
    /// together.
    pub async fn start(options: Options) -> Result<Self> {
        let template = Template::parse(TEMPLATE)?;
        functions::check_all_deployed(&template)?;
        let claim = options.data.as_deref().map(servers::claim).transpose()?;
        let remembered = options.data.as_deref().map(|directory| directory.join("clock-ahead-seconds"));
        let clock = LocalClock::new(Arc::new(runtime::SystemClock), remembered)?;

        let listener = servers::listen(options.port, 0).await?;
        let url = servers::url(&listener)?;
        let mut background = JoinSet::new();
        let (dynamodb_endpoint, database) = servers::dynamodb(&options).await?;
        let sqs_endpoint = servers::sqs(&options, &mut background).await?;
        let clients = Clients::new(&dynamodb_endpoint, &sqs_endpoint);

        let queues = sqs::ensure_queues(&clients.sqs, &options.prefix, &template.queues).await?;
        let tables = dynamodb::ensure_tables(&clients.dynamodb, &options.prefix, &template.tables).await?;
        ensure!(tables.len() == 1, "the service knows one table");
        let table = &tables[0];
        let queue = |function: &str| Ok::<_, anyhow::Error>(&queue_of(&template, &queues, function)?.url);
        let of_channels = |function: &str| Ok::<_, anyhow::Error>(Queue::new(clients.sqs.clone(), queue(function)?));
        let (sync, news) = (of_channels("channel-sync")?, of_channels("channel-intake")?);
        let app = App::new(
            Store::new(clients.dynamodb.clone(), &table.name, Arc::new(clock.clone())),
            Timers::new(clients.sqs.clone(), queue("expire")?),
            Orders::new(clients.sqs.clone(), queue("order-consumer")?, OrderIdKey::new(ORDER_ID_KEY)),
            Arc::new(clock.clone()),
        );
        let app = app.with_reviews(Reviews::new(clients.sqs.clone(), queue("replenish")?));
        let app = app.with_channels(options.vendors.channels(Arc::new(clock.clone()), sync, news));
        let app = app.with_erp(options.vendors.erp(Arc::new(clock.clone())));
        let lambda = Lambda::new(app.clone());

        check_left_out(&template, &options.without)?;
        let runs = |function: &str| !options.without.iter().any(|left_out| left_out == function);
        for mapping in template.streams.iter().filter(|mapping| runs(&mapping.function)) {
            let poller = stream_poller(mapping, &clients, &tables, &queues, &lambda, &clock)?;
            background.spawn(poller.open().await?.run());
        }
        let mut timers = None;
        for mapping in &template.consumers {
            let poller = QueuePoller {
                client: clients.sqs.clone(),
                queue: sqs::find(&queues, &mapping.properties.queue)?.clone(),
                batch_size: mapping.properties.batch_size,
                function: lambda.event_function(&mapping.function)?,
            };
            for _ in 0..QUEUE_POLLERS {
                if runs(&mapping.function) {
                    background.spawn(poller.clone().run());
                }
            }
            if mapping.function == "expire" {
                timers = Some(poller);
            }
        }
        let timers = timers.context("template.yaml: expire has no queue")?;
        let mut tickers = Vec::new();
        for schedule in template.schedules.iter().filter(|schedule| runs(&schedule.function)) {
            let ticker = Ticker::new(schedule, &lambda, &clock)?;
            background.spawn(ticker.clone().run());
            tickers.push(ticker);
        }
        let table = table.name.clone();
        let dynamodb = clients.dynamodb;
        let upkeep = Upkeep { clock: clock.clone(), app: app.clone(), dynamodb, tables, timers, tickers };
        let upkeep = Arc::new(upkeep);
        background.spawn(Arc::clone(&upkeep).run());

        let router = gateway::router(&template, &lambda, &clock)?.merge(control::router(upkeep));
        let api = Server::start(listener, router.fallback(gateway::not_found));
        Ok(Self { url, dynamodb_endpoint, sqs_endpoint, table, app, clock, api, background, database, _claim: claim })
    }

    /// Where the API answers: `http://127.0.0.1:3000`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Where DynamoDB answers.
    #[must_use]
    pub fn dynamodb_endpoint(&self) -> &str {
        &self.dynamodb_endpoint
    }

    /// Where SQS answers.
    #[must_use]
    pub fn sqs_endpoint(&self) -> &str {
        &self.sqs_endpoint
    }

    /// The name of the table.
    #[must_use]
    pub fn table(&self) -> &str {
        &self.table
    }

    /// What the handlers work with.
    #[must_use]
    pub fn app(&self) -> &App {
        &self.app
    }

    /// The clock of everything in the stack. Moving it here moves time only; `POST /_local/clock` also does what is due
    /// then.
    #[must_use]
    pub fn clock(&self) -> &LocalClock {
        &self.clock
    }

    /// Stops everything: requests under way may finish, within a bound; what is stored is closed.
    pub async fn shutdown(mut self) {
        self.api.stop().await;
        self.background.shutdown().await;
        if let Some(database) = self.database {
            database.stop().await;
        }
    }
}

/// Refuses to leave out a function that nothing wakes.
fn check_left_out(template: &Template, without: &[String]) -> Result<()> {
    let fed = template.streams.iter().map(|mapping| mapping.function.as_str());
    let fed = fed.chain(template.consumers.iter().map(|mapping| mapping.function.as_str()));
    let fed: BTreeSet<&str> = fed.chain(template.schedules.iter().map(|schedule| schedule.function.as_str())).collect();
    for left_out in without {
        let known = fed.iter().copied().collect::<Vec<_>>().join(", ");
        ensure!(fed.contains(left_out.as_str()), "no function {left_out:?} gets events: only {known} do");
    }
    Ok(())
}

/// The queue that feeds this function.
fn queue_of<'a>(template: &Template, queues: &'a sqs::Queues, function: &str) -> Result<&'a sqs::Created> {
    let mapping = template.consumers.iter().find(|mapping| mapping.function == function);
    let mapping = mapping.with_context(|| format!("template.yaml: {function} has no queue"))?;
    sqs::find(queues, &mapping.properties.queue)
}

fn stream_poller(
    mapping: &StreamMapping,
    clients: &Clients,
    tables: &[dynamodb::Table],
    queues: &sqs::Queues,
    lambda: &Lambda,
    clock: &LocalClock,
) -> Result<StreamPoller> {
    let properties = &mapping.properties;
    let table = tables.iter().find(|table| table.id == properties.table);
    let table = table.with_context(|| format!("template.yaml: a stream of {}, which is no table", properties.table))?;
    let filters = properties.filter_criteria.iter().flat_map(|criteria| &criteria.filters);
    let on_failure = properties.destination_config.as_ref().map(|config| &config.on_failure.destination);
    let on_failure = on_failure.map(|id| sqs::find(queues, id)).transpose()?;
    Ok(StreamPoller {
        client: clients.streams.clone(),
        stream_arn: table.stream_arn.clone().with_context(|| format!("table {} has no stream", table.name))?,
        ttl_attribute: table.properties.time_to_live_specification.as_ref().map(|ttl| ttl.attribute_name.clone()),
        filters: filters.map(|filter| Pattern::parse(&filter.pattern)).collect::<Result<_>>()?,
        batch_size: properties.batch_size,
        retries: properties.maximum_retry_attempts,
        function: lambda.event_function(&mapping.function)?,
        on_failure: on_failure.map(|queue| (clients.sqs.clone(), queue.url.clone())),
        clock: clock.clone(),
    })
}
