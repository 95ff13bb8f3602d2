//! Does what an `EventBridge` schedule does: wakes a function again and again. By the local clock, so that moving it also makes due what
//! would have been meanwhile; however far it was moved, that is one call, for none of these functions needs two in a row.
//!
//! A call that fails is logged and not made again before the next one is due. Lambda tries twice more, which no function relies on.

use std::{sync::Arc, time::Duration};

use anyhow::{Context, Result};
use domain::time::{Clock, Timestamp};
use serde_json::{Value, json};
use tokio::{sync::Mutex, time::sleep};

use super::{
    clock::LocalClock,
    functions::{EventFunction, Lambda},
    template::Schedule,
};

/// How often the clock is looked at. Schedules count in minutes.
const LOOK: Duration = Duration::from_secs(1);

/// One schedule. Clones are the same one.
#[derive(Clone)]
pub struct Ticker {
    function: EventFunction,
    every_seconds: u64,
    /// What the function is given; without it, the event of a schedule.
    input: Option<Value>,
    clock: LocalClock,
    due: Arc<Mutex<Timestamp>>,
}

impl Ticker {
    /// The first call is due one interval from now, as on AWS.
    pub fn new(schedule: &Schedule, lambda: &Lambda, clock: &LocalClock) -> Result<Self> {
        let input = schedule.properties.input.as_deref().map(serde_json::from_str).transpose();
        let every_seconds = schedule.properties.seconds;
        Ok(Self {
            function: lambda.event_function(&schedule.function)?,
            every_seconds,
            input: input.with_context(|| format!("template.yaml: the Input of {}'s schedule", schedule.function))?,
            clock: clock.clone(),
            due: Arc::new(Mutex::new(clock.now().plus_seconds(every_seconds))),
        })
    }

    /// Calls until dropped.
    pub async fn run(self) {
        loop {
            sleep(LOOK).await;
            self.tick().await;
        }
    }

    /// Calls the function if that is due, and returns once it is done; so does a call that is under way.
    pub async fn tick(&self) {
        let mut due = self.due.lock().await;
        let now = self.clock.now();
        if now < *due {
            return;
        }
        *due = now.plus_seconds(self.every_seconds);
        let event = self.input.clone().unwrap_or_else(|| event(now));
        if let Err(fault) = self.function.call(event).await {
            tracing::error!("schedule of {}: {fault:#}", self.function.name);
        }
    }
}

/// Source: `EventBridge` User Guide, "Scheduled events".
fn event(now: Timestamp) -> Value {
    let seconds = i64::try_from(now.epoch_seconds()).unwrap_or(i64::MAX);
    let time = jiff::Timestamp::from_second(seconds).map(|at| at.to_string()).unwrap_or_default();
    json!({
        "version": "0",
        "id": format!("local-{seconds}"),
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": "000000000000",
        "time": time,
        "region": "local",
        "resources": [],
        "detail": {},
    })
}
