//! The system's clock.

use std::time::{SystemTime, UNIX_EPOCH};

use domain::time::{Clock, Timestamp};

/// The time of the machine. Lambda keeps it to within milliseconds (Amazon Time Sync).
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one place where the real time enters")]
    fn now(&self) -> Timestamp {
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_epoch_seconds(since_1970.as_secs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_later_than_this_was_written() {
        assert!(SystemClock.now() > Timestamp::from_epoch_seconds(1_760_000_000));
    }
}
