//! Functions as Lambda runs them: instances with a memory and a clock of their own, frozen and killed between any two steps.

use std::{
    cell::{Cell, RefCell},
    pin::{Pin, pin},
    rc::Rc,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use aws_config::{Region, SdkConfig, identity::IdentityCache, retry::RetryConfig, timeout::TimeoutConfig};
use aws_credential_types::{
    Credentials,
    provider::{ProvideCredentials, SharedCredentialsProvider, future::ProvideCredentials as ProvidedCredentials},
};
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use aws_smithy_async::time::SharedTimeSource;
use aws_smithy_runtime::client::retries::RetryPartition;
use domain::{
    order::OrderIdKey,
    sale::{SaleKey, SaleLine},
};
use fastrand::Rng;
use futures::FutureExt;
use http::{Request, Response, testing::Sample};
use runtime::{App, Orders, Timers};
use serde_json::Value;
use store::Store;
use tokio::time::{Sleep, sleep, timeout};

use crate::{
    HOLD_SECONDS,
    network::Network,
    plan::Theme,
    world::{SkewedClock, World},
};

/// Instances of each run. Each serves every function, as no function remembers anything but hints.
const INSTANCES: usize = 3;

/// How far a clock may be wrong, in seconds. Lambda's are right to milliseconds; this is what is survived.
const MOST_SKEW_SECONDS: i64 = 30;

/// How long a caller waits: API Gateway gives up by then. Source: "Quotas for configuring and running an HTTP API", integration timeout.
const API_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a batch may take before it is handed out once more.
const BATCH_TIMEOUT: Duration = Duration::from_mins(1);

/// What goes wrong with a process, in a thousand calls.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Frailty {
    /// It dies between two steps.
    pub crash: u32,
    /// It stands still between two steps, mostly for up to twenty minutes.
    pub freeze: u32,
    /// It stands still at the most delicate step: a request is about to be sent whose time has been looked at already, or a write that was
    /// not answered is about to be signed once more.
    pub hesitate: u32,
}

/// Before which of its requests a call stands still.
#[derive(Debug, Clone, Copy, Default)]
enum Hesitates {
    #[default]
    Never,
    /// The first that repeats a write.
    BeforeRepeating,
    /// This one, counted from 1.
    Before(u32),
}

/// How a function serves a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// As on any such day.
    Usual,
    /// It dies with the record of what it holds in its hands.
    DiesBeforeTheRecord,
    /// It stands still when it has seen what was recorded before, and is about to release what it holds.
    HesitatesToRelease,
    /// It stands still between what it has seen and what it writes, wherever that is.
    HesitatesAnywhere,
}

impl Theme {
    fn hesitates_in_calls(self, rng: &mut Rng) -> Hesitates {
        match self {
            // The first holds, the second is the record.
            Self::Forsaken => Hesitates::Before(2),
            Self::Haunted if rng.u32(0..10) < 7 => Hesitates::Before(2),
            _ => self.hesitates_in_batches(rng),
        }
    }

    fn hesitates_in_batches(self, rng: &mut Rng) -> Hesitates {
        match self {
            // The timers are in time.
            Self::Forsaken => Hesitates::Never,
            Self::Restless => Hesitates::BeforeRepeating,
            _ if rng.bool() => Hesitates::BeforeRepeating,
            _ => Hesitates::Before(rng.u32(1..=4)),
        }
    }
}

tokio::task_local! {
    /// The call that is under way.
    static CALL: Rc<Call>;
}

/// When a call dies or stands still: at which steps, or before which of its requests.
#[derive(Debug, Clone, Copy, Default)]
struct Ends {
    dies: Option<u32>,
    stops: Option<u32>,
    dies_before: Option<u32>,
}

/// What a call knows of itself.
#[derive(Debug, Default)]
struct Call {
    /// When it stands still.
    hesitates: Cell<Hesitates>,
    /// How many requests it was about to make.
    requests: Cell<u32>,
    /// Whether a write of it was not answered, or not well.
    unanswered: Cell<bool>,
    /// Whether it stands still now.
    stops: Cell<bool>,
}

/// A write of the call that is under way was not answered, or not well.
pub(crate) fn unanswered() {
    // What is dropped with the whole call has none any more.
    let _ = CALL.try_with(|call| call.unanswered.set(true));
}

/// All functions of a run.
#[derive(Clone)]
pub struct Functions {
    /// The world they live in.
    pub world: Arc<Mutex<World>>,
    instances: Rc<Vec<App>>,
    frailty: Rc<RefCell<Frailty>>,
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
            if let Some(answer) = answer.as_ref().filter(|answer| answer.status() == 500) {
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

    /// Runs it in this manner.
    async fn serve<T>(
        &self,
        manner: Manner,
        hesitation: fn(Theme, &mut Rng) -> Hesitates,
        work: impl Future<Output = T>,
    ) -> Option<T> {
        let requests = match manner {
            Manner::Usual => return self.frail(work, hesitation).await,
            Manner::DiesBeforeTheRecord => {
                let ends = Ends { dies_before: Some(2), ..Ends::default() };
                return self.live(work, Hesitates::Never, ends).await;
            }
            Manner::HesitatesToRelease => 2..=4,
            Manner::HesitatesAnywhere => 1..=7,
        };
        let request = self.world().dice.u32(requests);
        self.live(work, Hesitates::Before(request), Ends::default()).await
    }

    /// Runs it as long as it lives.
    async fn frail<T>(&self, work: impl Future<Output = T>, hesitation: fn(Theme, &mut Rng) -> Hesitates) -> Option<T> {
        let frailty = *self.frailty.borrow();
        let (dies, stops, hesitates) = {
            let mut world = self.world();
            let dies = world.happens(frailty.crash).then(|| step(&mut world.rng));
            let stops = world.happens(frailty.freeze).then(|| step(&mut world.rng));
            let theme = world.theme;
            let hesitates =
                if world.happens(frailty.hesitate) { hesitation(theme, &mut world.rng) } else { Hesitates::Never };
            (dies, stops, hesitates)
        };
        self.live(work, hesitates, Ends { dies, stops, dies_before: None }).await
    }

    /// Runs it until it ends, or is ended.
    async fn live<T>(&self, work: impl Future<Output = T>, hesitates: Hesitates, ends: Ends) -> Option<T> {
        let call = Rc::new(Call::default());
        call.hesitates.set(ends.dies_before.map_or(hesitates, Hesitates::Before));
        let stop = standstill(&mut self.world(), hesitates);
        let Ends { dies: dies_at, stops: stops_at, dies_before } = ends;
        let mut work = pin!(CALL.scope(call.clone(), work));
        let mut steps = 0;
        let mut standing: Option<Pin<Box<Sleep>>> = None;
        std::future::poll_fn(|context| {
            if let Some(standing_still) = &mut standing {
                if standing_still.as_mut().poll(context).is_pending() {
                    return Poll::Pending;
                }
                standing = None;
            }
            steps += 1;
            if dies_at == Some(steps) {
                self.world().say(|| "a function dies".to_owned());
                return Poll::Ready(None);
            }
            if stops_at == Some(steps) {
                standing = self.stand_still(stop, "", context);
                if standing.is_some() {
                    return Poll::Pending;
                }
            }
            let done = work.as_mut().poll(context).map(Some);
            if done.is_pending() && call.stops.take() {
                if dies_before.is_some() {
                    self.world().say(|| "a function dies, about to send a request".to_owned());
                    return Poll::Ready(None);
                }
                standing = self.stand_still(stop, ", about to send a request", context);
            }
            done
        })
        .await
    }

    /// Begins to stand still; nothing if that is over at once.
    fn stand_still(&self, stop: Duration, why: &str, context: &mut Context<'_>) -> Option<Pin<Box<Sleep>>> {
        self.world().say(|| format!("a function stands still for {} s{why}", stop.as_secs()));
        let mut still = Box::pin(sleep(stop));
        // Registered here, so that it is woken.
        still.as_mut().poll(context).is_pending().then_some(still)
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

/// How long a function stands still: for minutes; or until about when its holds end; or for as long as the record of a refusal lives, and
/// a little longer.
fn standstill(world: &mut World, hesitates: Hesitates) -> Duration {
    let theme = world.theme;
    let a_day = if theme == Theme::Haunted { 400 } else { 50 };
    let range = match theme {
        // While the signature of what it is about to send lives.
        Theme::Haunted if matches!(hesitates, Hesitates::Before(_)) => 10_000..300_000,
        // Until a hold that was just made is over, and hardly longer.
        Theme::Forsaken if world.happens(800) => HOLD_SECONDS[0] * 990..HOLD_SECONDS[0] * 1_120,
        // Until the holds of the rush are gone, those of what was handed out twice, too.
        Theme::Restless if world.happens(700) => HOLD_SECONDS[0] * 1_000..HOLD_SECONDS[0] * 2_300,
        _ if world.happens(a_day) => 86_400_000..88_000_000,
        _ if world.happens(500) => {
            let end = HOLD_SECONDS[world.rng.usize(0..HOLD_SECONDS.len())] * 1_000;
            end - 60_000..end + 60_000
        }
        _ => 1_000..1_200_000,
    };
    world.millis(range)
}

/// Between which two steps something happens to a function: most calls have few.
fn step(rng: &mut Rng) -> u32 {
    if rng.bool() { rng.u32(1..12) } else { rng.u32(1..60) }
}

/// Credentials that are asked for before each attempt and take a moment: the last one in which a function can die or stand still before
/// the attempt is signed and sent.
#[derive(Debug)]
struct Hesitation;

impl ProvideCredentials for Hesitation {
    fn provide_credentials<'a>(&'a self) -> ProvidedCredentials<'a>
    where
        Self: 'a,
    {
        ProvidedCredentials::new(async {
            let _ = CALL.try_with(|call| {
                call.requests.set(call.requests.get() + 1);
                let repeats = call.unanswered.take();
                let now = match call.hesitates.get() {
                    Hesitates::Never => false,
                    Hesitates::BeforeRepeating => repeats,
                    Hesitates::Before(request) => request == call.requests.get(),
                };
                if now {
                    call.hesitates.set(Hesitates::Never);
                    call.stops.set(true);
                }
            });
            tokio::task::yield_now().await;
            Ok(Credentials::new("simulation", "simulation", None, None, "simulation"))
        })
    }
}

/// A world in which something has panicked is looked at, not used.
fn lock(world: &Mutex<World>) -> MutexGuard<'_, World> {
    world.lock().unwrap_or_else(PoisonError::into_inner)
}
