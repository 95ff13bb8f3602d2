//! Functions as Lambda runs them: instances with a memory and a clock of their own, frozen and killed between any two steps.

use std::{
    cell::RefCell,
    rc::Rc,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use aws_config::{Region, SdkConfig, identity::IdentityCache, retry::RetryConfig, timeout::TimeoutConfig};
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use aws_smithy_async::time::SharedTimeSource;
use aws_smithy_runtime::client::retries::RetryPartition;
use domain::{
    order::OrderIdKey,
    sale::{SaleKey, SaleLine},
};
use futures::FutureExt;
use http::{Request, Response, testing::Sample};
use runtime::{App, Orders, Timers};
use serde_json::Value;
use store::Store;
use tokio::time::timeout;

use crate::{
    clock::SkewedClock,
    frailty::{Frailty, Hesitation, Manner},
    network::Network,
    plan::Theme,
    world::World,
};

/// Instances of each run. Each serves every function, as no function remembers anything but hints.
const INSTANCES: usize = 3;

/// How far a clock may be wrong, in seconds. Lambda's are right to milliseconds; this is what is survived.
const MOST_SKEW_SECONDS: i64 = 30;

/// How long a caller waits: API Gateway gives up by then. Source: "Quotas for configuring and running an HTTP API", integration timeout.
const API_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a batch may take before it is handed out once more.
const BATCH_TIMEOUT: Duration = Duration::from_mins(1);

/// All functions of a run.
#[derive(Clone)]
pub struct Functions {
    /// The world they live in.
    pub world: Arc<Mutex<World>>,
    instances: Rc<Vec<App>>,
    pub(crate) frailty: Rc<RefCell<Frailty>>,
}

impl Functions {
    /// Starts them.
    pub fn start(world: &Arc<Mutex<World>>, frailty: Frailty) -> Self {
        let instances = (0..INSTANCES).map(|number| {
            let skew_seconds = match number {
                0 => 0,
                _ => skew(&mut lock(world)),
            };
            instance(world, skew_seconds)
        });
        Self { world: world.clone(), instances: Rc::new(instances.collect()), frailty: Rc::new(RefCell::new(frailty)) }
    }

    /// From now on this is what goes wrong with them.
    #[must_use]
    pub fn with(self, frailty: Frailty) -> Self {
        *self.frailty.borrow_mut() = frailty;
        self
    }

    /// From now on nothing dies.
    pub fn heal(&self) {
        *self.frailty.borrow_mut() = Frailty::default();
    }

    /// The world, for a moment.
    pub fn world(&self) -> MutexGuard<'_, World> {
        lock(&self.world)
    }

    /// Calls a function over HTTP; nothing if it died, or if no answer came in time.
    pub async fn call(&self, sample: Sample) -> Option<Response> {
        self.call_in(Manner::Usual, sample).await
    }

    /// The same of a function that serves in this manner. Whatever goes wrong, it must not say that it does not know what.
    pub(crate) async fn call_in(&self, manner: Manner, sample: Sample) -> Option<Response> {
        let (app, functions) = (self.pick(), self.clone());
        let work = async move {
            let request = sample.request();
            let work = route(&app, &request).boxed_local();
            let answer = functions.serve(manner, Theme::hesitates_in_calls, work).await;
            // Nobody here asks for what is malformed: what is not understood would not be tried at all.
            if let Some(answer) = answer.as_ref().filter(|answer| matches!(answer.status(), 400 | 500)) {
                functions.world().violate(format!("{} was answered with {}", request.route(), answer.body()));
            }
            answer
        };
        self.wait(API_TIMEOUT, work).await
    }

    /// Hands a batch to `expire`; nothing if it died, took too long or cannot read the batch.
    pub async fn expire(&self, event: Value) -> Option<Value> {
        let (app, functions) = (self.pick(), self.clone());
        let work = async move {
            functions
                .frail(async { expire::handle(&app, event).await.ok() }.boxed_local(), Theme::hesitates_in_batches)
                .await
        };
        self.wait(BATCH_TIMEOUT, work).await.flatten()
    }

    /// Hands a batch to `order-consumer`; as above.
    pub async fn consume(&self, event: Value) -> Option<Value> {
        let (app, functions) = (self.pick(), self.clone());
        let work = async move {
            let work = async { order_consumer::handle(&app, event).await.ok() };
            functions.frail(work.boxed_local(), Theme::hesitates_in_batches).await
        };
        self.wait(BATCH_TIMEOUT, work).await.flatten()
    }

    /// Hands a line of a marketplace's order to whoever records it. Says whether it was taken down; not if it died, or must be told again.
    pub async fn tell(&self, key: &SaleKey, line: &SaleLine) -> bool {
        self.tell_in(Manner::Usual, key, line).await
    }

    /// The same to one that serves in this manner.
    pub(crate) async fn tell_in(&self, manner: Manner, key: &SaleKey, line: &SaleLine) -> bool {
        let (app, functions, key, line) = (self.pick(), self.clone(), key.clone(), line.clone());
        let work = async move {
            let told = async { app.store.record_sale(&key.channel, &key.order, &line).await.is_ok() };
            functions.serve(manner, Theme::hesitates_in_batches, told.boxed_local()).await
        };
        self.wait(BATCH_TIMEOUT, work).await.unwrap_or(false)
    }

    /// The store of an instance, for what no function does.
    #[must_use]
    pub fn store(&self) -> Store {
        self.instances[0].store.clone()
    }

    /// Waits so long. What takes longer goes on without anybody who waits for it: AWS would end it, but nobody promises when.
    async fn wait<T: 'static>(&self, limit: Duration, work: impl Future<Output = Option<T>> + 'static) -> Option<T> {
        match timeout(limit, tokio::task::spawn_local(work)).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(broken)) => {
                self.world().violate(format!("a function broke off: {broken}"));
                None
            }
            Err(_) => {
                self.world().say(|| "nobody waits for this call any more".to_owned());
                None
            }
        }
    }

    fn pick(&self) -> App {
        let number = self.world().rng.usize(0..INSTANCES);
        self.instances[number].clone()
    }
}

async fn route(app: &App, request: &Request) -> Response {
    match request.route() {
        "POST /v1/reservations" => reserve::handle(app, request).await,
        "POST /v1/reservations/{id}/confirm" => confirm::handle(app, request).await,
        "POST /v1/reservations/{id}/cancel" | "POST /v1/reservations/{id}/extend" => cancel::handle(app, request).await,
        "POST /v1/orders" | "GET /v1/orders/{id}" => order_intake::handle(app, request).await,
        _ => stock::handle(app, request).await,
    }
}

fn instance(world: &Arc<Mutex<World>>, skew_seconds: i64) -> App {
    let clock = SkewedClock { world: world.clone(), skew_seconds };
    let config = config(world, &clock);
    // The SDK's allowance of retries is one for the whole process unless it is said otherwise: a run would depend on those before it.
    let allowance = || RetryPartition::custom("instance").build();
    let dynamodb = aws_sdk_dynamodb::config::Builder::from(&config).retry_partition(allowance()).build();
    let dynamodb = aws_sdk_dynamodb::Client::from_conf(dynamodb);
    let sqs = aws_sdk_sqs::config::Builder::from(&config).retry_partition(allowance()).build();
    let sqs = aws_sdk_sqs::Client::from_conf(sqs);
    let clock = Arc::new(clock);
    App::new(
        Store::new(dynamodb, "table", clock.clone()),
        Timers::new(sqs.clone(), "http://sqs/timers"),
        Orders::new(sqs, "http://sqs/orders.fifo", OrderIdKey::new("simulation")),
        clock,
    )
}

/// The settings of `runtime::aws`, with this network, this time, and pauses that a seed repeats.
fn config(world: &Arc<Mutex<World>>, clock: &SkewedClock) -> SdkConfig {
    let network = Network(world.clone()).client();
    let credentials = SharedCredentialsProvider::new(Hesitation);
    let config = runtime::aws::sdk_config("us-east-1", credentials, network, Some("http://aws"));
    let retries = RetryConfig::standard()
        .with_max_attempts(3)
        .with_initial_backoff(Duration::from_millis(25))
        .with_use_static_exponential_base(true);
    let timeouts = TimeoutConfig::builder()
        .operation_attempt_timeout(Duration::from_secs(1))
        .operation_timeout(Duration::from_secs(3))
        .build();
    config
        .into_builder()
        .region(Region::new("us-east-1"))
        .identity_cache(IdentityCache::no_cache())
        .retry_config(retries)
        .timeout_config(timeouts)
        .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
        .time_source(SharedTimeSource::new(clock.clone()))
        .build()
}

/// How many seconds a clock is ahead: as many as it may be, or fewer.
fn skew(world: &mut World) -> i64 {
    match world.rng.u32(0..4) {
        // What ends too early by a fast clock is the likeliest to be met by what comes late.
        _ if matches!(world.theme, Theme::Restless | Theme::Forsaken) => MOST_SKEW_SECONDS,
        0 => MOST_SKEW_SECONDS,
        1 => -MOST_SKEW_SECONDS,
        _ => world.rng.i64(-MOST_SKEW_SECONDS..=MOST_SKEW_SECONDS),
    }
}

/// A world in which something has panicked is looked at, not used.
fn lock(world: &Mutex<World>) -> MutexGuard<'_, World> {
    world.lock().unwrap_or_else(PoisonError::into_inner)
}
