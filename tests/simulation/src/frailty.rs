//! What goes wrong with a process: it dies, or stands still, between any two of its steps.

use std::{
    cell::Cell,
    pin::{Pin, pin},
    rc::Rc,
    task::{Context, Poll},
    time::Duration,
};

use aws_credential_types::{
    Credentials,
    provider::{ProvideCredentials, future::ProvideCredentials as ProvidedCredentials},
};
use fastrand::Rng;
use tokio::time::{Sleep, sleep};

use crate::{HOLD_SECONDS, function::Functions, plan::Theme, world::World};

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
pub(crate) enum Hesitates {
    #[default]
    Never,
    /// The first that repeats a write.
    BeforeRepeating,
    /// This one, counted from 1.
    Before(u32),
    /// The same, but whoever called still waits when it goes on.
    BrieflyBefore(u32),
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
    /// It stands still for some seconds before its second request.
    HesitatesBriefly,
}

impl Theme {
    pub(crate) fn hesitates_in_calls(self, rng: &mut Rng) -> Hesitates {
        match self {
            // The first holds, the second is the record.
            Self::Forsaken => Hesitates::Before(2),
            Self::Haunted if rng.u32(0..10) < 7 => Hesitates::Before(2),
            _ => self.hesitates_in_batches(rng),
        }
    }

    pub(crate) fn hesitates_in_batches(self, rng: &mut Rng) -> Hesitates {
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

impl Functions {
    /// Runs it in this manner.
    pub(crate) async fn serve<T>(
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
            Manner::HesitatesBriefly => {
                return self.live(work, Hesitates::BrieflyBefore(2), Ends::default()).await;
            }
            Manner::HesitatesToRelease => 2..=4,
            Manner::HesitatesAnywhere => 1..=7,
        };
        let request = self.world().dice.u32(requests);
        self.live(work, Hesitates::Before(request), Ends::default()).await
    }

    /// Runs it as long as it lives.
    pub(crate) async fn frail<T>(
        &self,
        work: impl Future<Output = T>,
        hesitation: fn(Theme, &mut Rng) -> Hesitates,
    ) -> Option<T> {
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

/// How long a function stands still: for minutes; or until about when its holds end; or for as long as the record of a refusal lives, and
/// a little longer.
fn standstill(world: &mut World, hesitates: Hesitates) -> Duration {
    let theme = world.theme;
    let a_day = if theme == Theme::Haunted { 400 } else { 50 };
    let range = match theme {
        _ if matches!(hesitates, Hesitates::BrieflyBefore(_)) => 1_000..25_000,
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
pub(crate) struct Hesitation;

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
                    Hesitates::Before(request) | Hesitates::BrieflyBefore(request) => request == call.requests.get(),
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
