//! How a vendor is asked: not while it pauses ([`domain::pause`]), and not faster than it takes.
//!
//! What is known here is known to this process. Each process of a function finds out for itself that a vendor is down, and keeps to its
//! rate by itself; how many there are at once is a parameter of the deployment, and what is too much together the vendor says.

use std::time::Duration;

use domain::{ids::Channel, pause::Pause};
use tokio::time::Instant;

use super::Channels;

/// What became of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Met {
    /// The vendor has answered, if only "no".
    Answer,
    /// It has said "not now".
    Throttle {
        /// For so long.
        retry_after_seconds: u64,
    },
    /// It has not answered.
    Silence,
}

/// What is known of a channel's vendor.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Manners {
    pause: Pause,
    /// When all that was asked so far would have been asked at an even pace.
    paid_until: Option<Instant>,
}

impl Manners {
    /// When so many calls may begin: a second's worth at once, the others evenly.
    fn turn(&mut self, now: Instant, calls: u32, per_second: u32) -> Instant {
        let second = Duration::from_secs(1);
        let per_second = per_second.max(1);
        let from = self.paid_until.map_or(now, |paid| paid.max(now));
        let until = from + second / per_second * calls.clamp(1, per_second);
        self.paid_until = Some(until);
        until.checked_sub(second).map_or(now, |at| at.max(now))
    }
}

impl Channels {
    /// Whether the vendor of a channel may be asked now. Whoever is told so says what it has met: [`Self::met`].
    #[must_use]
    pub fn may_ask(&self, channel: &Channel) -> bool {
        let now = self.clock.now();
        self.with_manners(channel, |manners| manners.pause.enter(now))
    }

    /// What the vendor of a channel has said.
    pub fn met(&self, channel: &Channel, met: Met) {
        let now = self.clock.now();
        self.with_manners(channel, |manners| match met {
            Met::Answer => manners.pause.answered(),
            Met::Throttle { retry_after_seconds } => manners.pause.throttled(now, retry_after_seconds),
            Met::Silence => manners.pause.unanswered(now),
        });
    }

    /// Returns when it is time for so many calls to the vendor of a channel, which takes so many in a second.
    pub async fn turn(&self, channel: &Channel, calls: u32, per_second: u32) {
        if !self.paced {
            return;
        }
        let at = self.with_manners(channel, |manners| manners.turn(Instant::now(), calls, per_second));
        tokio::time::sleep_until(at).await;
    }

    fn with_manners<T>(&self, channel: &Channel, with: impl FnOnce(&mut Manners) -> T) -> T {
        let mut all = self.manners.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        with(all.entry(channel.clone()).or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_is_a_seconds_worth_of_calls() {
        let begin = Instant::now();
        let ms = |at: Instant| at.duration_since(begin).as_millis();
        let mut manners = Manners::default();
        let turns: Vec<u128> = (0..10).map(|_| ms(manners.turn(begin, 1, 5))).collect();
        assert_eq!(turns, [0, 0, 0, 0, 0, 200, 400, 600, 800, 1_000]);
        // A burst of five is a second's worth, and the next waits for its own.
        let mut manners = Manners::default();
        assert_eq!([5, 5, 1].map(|calls| ms(manners.turn(begin, calls, 5))), [0, 1_000, 1_200]);
        // More than a second's worth is the caller's own matter; nobody waits longer than for a second's worth.
        let mut manners = Manners::default();
        assert_eq!([50, 0].map(|calls| ms(manners.turn(begin, calls, 2))), [0, 500]);
        // Who was quiet has saved nothing.
        let later = begin + Duration::from_mins(1);
        let turns: Vec<u128> = (0..3).map(|_| ms(manners.turn(later, 1, 2))).collect();
        assert_eq!(turns, [60_000, 60_000, 60_500]);
    }
}
