//! When a vendor that is not there, or said "not now", is asked again.
//!
//! One that throttles says for how long: nobody asks before. One that does not answer is asked again after a pause, which doubles up to a
//! minute. When a pause is over, one caller is let through. If it is answered, all others follow, each in its turn; if not, they pause
//! again. So an outage of an hour costs about a call a minute, and its end is no stampede.

use crate::time::Timestamp;

/// The first pause, in seconds.
pub const FIRST_PAUSE_SECONDS: u64 = 2;

/// The longest pause, in seconds: a channel that is back shows new numbers a minute later.
pub const MAX_PAUSE_SECONDS: u64 = 60;

/// A vendor that asks for a longer pause than this is asked all the same, in seconds: it may have made a mistake.
pub const MAX_THROTTLED_SECONDS: u64 = 60 * 60;

/// Whoever was let through alone has so long to come back, in seconds: as long as any batch takes. Then the next one is.
pub const ALONE_SECONDS: u64 = 60;

/// Whether a vendor is asked now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Pause {
    /// Calls in a row that were not answered.
    failures: u32,
    /// Until when nobody asks; from then on, one does. Nothing: all may.
    until: Option<Timestamp>,
}

impl Pause {
    /// Lets a caller through, or not. The one who ends a pause is alone until it says what it met.
    pub fn enter(&mut self, now: Timestamp) -> bool {
        match self.until {
            None => true,
            Some(until) if now < until => false,
            Some(_) => {
                self.until = Some(now.plus_seconds(ALONE_SECONDS));
                true
            }
        }
    }

    /// The vendor has answered.
    pub fn answered(&mut self) {
        *self = Self::default();
    }

    /// The vendor has said "not now".
    pub fn throttled(&mut self, now: Timestamp, retry_after_seconds: u64) {
        self.until = Some(now.plus_seconds(retry_after_seconds.clamp(1, MAX_THROTTLED_SECONDS)));
    }

    /// The vendor has not answered.
    pub fn unanswered(&mut self, now: Timestamp) {
        let seconds = FIRST_PAUSE_SECONDS.checked_shl(self.failures).unwrap_or(MAX_PAUSE_SECONDS);
        self.failures = self.failures.saturating_add(1).min(u64::BITS);
        self.until = Some(now.plus_seconds(seconds.clamp(FIRST_PAUSE_SECONDS, MAX_PAUSE_SECONDS)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_epoch_seconds(1_800_000_000 + seconds)
    }

    #[test]
    fn pauses_double_up_to_a_minute() {
        assert_eq!((FIRST_PAUSE_SECONDS, MAX_PAUSE_SECONDS, ALONE_SECONDS, MAX_THROTTLED_SECONDS), (2, 60, 60, 3_600));
        let (mut pause, mut now) = (Pause::default(), 0);
        for seconds in [2, 4, 8, 16, 32, 60, 60] {
            assert!(pause.enter(at(now)));
            pause.unanswered(at(now));
            assert!(!pause.enter(at(now + seconds - 1)), "{seconds}");
            now += seconds;
        }
        let mut long = Pause { failures: 1_000, until: None };
        long.unanswered(at(0));
        assert_eq!(long.until, Some(at(60)));
    }

    #[test]
    fn one_is_let_through_and_the_others_follow_when_it_is_answered() {
        let mut pause = Pause::default();
        assert!(pause.enter(at(0)) && pause.enter(at(0)), "nothing has failed");
        pause.unanswered(at(0));
        assert_eq!([1, 2, 2, 3].map(|second| pause.enter(at(second))), [false, true, false, false]);
        pause.answered();
        assert!(pause.enter(at(3)) && pause.enter(at(3)));
        // Whoever was let through has died.
        pause.unanswered(at(10));
        assert_eq!([12, 71, 72, 73].map(|second| pause.enter(at(second))), [true, false, true, false]);
    }

    #[test]
    fn a_vendor_that_throttles_says_for_how_long() {
        for (asked, seconds) in [(0, 1), (1, 1), (30, 30), (3_600, 3_600), (86_400, 3_600), (u64::MAX, 3_600)] {
            let mut pause = Pause::default();
            pause.throttled(at(0), asked);
            assert_eq!((pause.enter(at(seconds - 1)), pause.enter(at(seconds))), (false, true), "{asked}");
        }
    }

    #[test]
    fn a_short_word_of_the_vendor_ends_the_time_alone() {
        let mut pause = Pause::default();
        pause.unanswered(at(0));
        assert!(pause.enter(at(2)));
        pause.throttled(at(2), 7);
        assert_eq!([8, 9].map(|second| pause.enter(at(second))), [false, true]);
    }
}
