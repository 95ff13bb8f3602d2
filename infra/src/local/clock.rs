//! A clock that can be moved forward, so that a person can watch a hold expire and a test need not wait for it.

use std::{
    fs,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use anyhow::{Context, Result};
use domain::time::{Clock, Timestamp};

/// The system's clock plus what it was moved by. Clones are the same clock.
#[derive(Clone)]
pub struct LocalClock {
    base: Arc<dyn Clock>,
    ahead_seconds: Arc<AtomicU64>,
    /// Where the shift is kept: data that lived through a shift must not see time go back after a restart.
    file: Option<PathBuf>,
}

impl LocalClock {
    /// Shows the time of `base`, plus the shift that `file` remembers from an earlier run.
    pub fn new(base: Arc<dyn Clock>, file: Option<PathBuf>) -> Result<Self> {
        let ahead_seconds = match &file {
            Some(path) if path.exists() => {
                let text = fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
                let seconds = text.trim().parse();
                seconds.with_context(|| format!("{} should hold a number of seconds", path.display()))?
            }
            _ => 0,
        };
        Ok(Self { base, ahead_seconds: Arc::new(AtomicU64::new(ahead_seconds)), file })
    }

    /// Moves the clock forward, and answers the new time. There is no way back: stored times must stay in the past.
    pub fn advance(&self, seconds: u64) -> Result<Timestamp> {
        let ahead = self.ahead_seconds.fetch_add(seconds, Ordering::SeqCst) + seconds;
        if let Some(path) = &self.file {
            // Half a file would keep the next start from reading it.
            let whole = path.with_extension("new");
            fs::write(&whole, ahead.to_string())
                .and_then(|()| fs::rename(&whole, path))
                .with_context(|| format!("write {}", path.display()))?;
        }
        Ok(self.now())
    }
}

impl Clock for LocalClock {
    fn now(&self) -> Timestamp {
        self.base.now().plus_seconds(self.ahead_seconds.load(Ordering::SeqCst))
    }
}

impl std::fmt::Debug for LocalClock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "LocalClock({})", self.now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Stopped;

    impl Clock for Stopped {
        fn now(&self) -> Timestamp {
            Timestamp::from_epoch_seconds(1_000)
        }
    }

    #[test]
    fn clones_move_together() {
        let clock = LocalClock::new(Arc::new(Stopped), None).unwrap();
        let other = clock.clone();
        assert_eq!(clock.advance(900).unwrap().epoch_seconds(), 1_900);
        assert_eq!(other.advance(1).unwrap().epoch_seconds(), 1_901);
        assert_eq!(clock.now(), other.now());
    }

    #[test]
    fn a_shift_outlives_the_process() {
        let file = std::env::temp_dir().join(format!("holdfast-clock-{}", std::process::id()));
        let clock = LocalClock::new(Arc::new(Stopped), Some(file.clone())).unwrap();
        clock.advance(60).unwrap();
        let next = LocalClock::new(Arc::new(Stopped), Some(file.clone())).unwrap();
        fs::remove_file(file).unwrap();
        assert_eq!(next.now().epoch_seconds(), 1_060);
    }
}
