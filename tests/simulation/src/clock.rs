//! Clocks of functions, some of them wrong.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use aws_smithy_async::time::TimeSource;
use domain::time::{Clock, Timestamp};

use crate::world::World;

/// A function's clock: right but for a constant.
#[derive(Debug, Clone)]
pub struct SkewedClock {
    /// The world whose time it shows.
    pub world: Arc<Mutex<World>>,
    /// How many seconds it is ahead.
    pub skew_seconds: i64,
}

impl Clock for SkewedClock {
    fn now(&self) -> Timestamp {
        let right = self.world.lock().unwrap_or_else(PoisonError::into_inner).now().epoch_seconds();
        Timestamp::from_epoch_seconds(right.saturating_add_signed(self.skew_seconds))
    }
}

impl TimeSource for SkewedClock {
    fn now(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(Clock::now(self).epoch_seconds())
    }
}
