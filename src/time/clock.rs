//! The only "now" of the program.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

/// A clock that is handed in, so that a simulator can hand in its own.
#[async_trait]
pub trait Clock: Send + Sync {
    /// The present.
    fn now(&self) -> DateTime<Utc>;

    /// Time since some fixed moment, on a clock that nobody sets and that goes on while the machine sleeps. Leases and
    /// jumps of [`Clock::now`] are measured by it.
    fn elapsed(&self) -> Duration;

    /// Waits until the clock shows at least `at`. Never early; notices when the clock is set.
    async fn sleep_until(&self, at: DateTime<Utc>);
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

/// Timers run on a clock that nobody sets and that stands still while the machine sleeps, so the machine's clock is read
/// again at least this often: a step of it, or a sleep of the machine, is noticed then.
const READ_AGAIN: Duration = Duration::from_mins(1);

#[async_trait]
impl Clock for SystemClock {
    fn now(&self) -> DateTime<Utc> {
        DateTime::<Utc>::from(std::time::SystemTime::now())
    }

    fn elapsed(&self) -> Duration {
        #[cfg(target_os = "linux")]
        let clock = rustix::time::ClockId::Boottime;
        #[cfg(not(target_os = "linux"))]
        let clock = rustix::time::ClockId::Monotonic;
        // Neither is ever before its own start.
        Duration::try_from(rustix::time::clock_gettime(clock)).unwrap_or_default()
    }

    async fn sleep_until(&self, at: DateTime<Utc>) {
        // The loop ends by the clock alone, never because a timer has run down: that is what "never early" rests on.
        while let Some(left) = left(at, self.now()) {
            tokio::time::sleep(left.min(READ_AGAIN)).await;
        }
    }
}

/// How long it is until `at`; `None`: it is there.
fn left(at: DateTime<Utc>, now: DateTime<Utc>) -> Option<Duration> {
    (at - now).to_std().ok().filter(|left| !left.is_zero())
}

/// A clock that a test sets. Sleeping takes no time: it moves the clock forward.
#[cfg(any(test, feature = "testing"))]
#[derive(Debug, Clone)]
pub struct ManualClock {
    now: std::sync::Arc<std::sync::Mutex<DateTime<Utc>>>,
}

#[cfg(any(test, feature = "testing"))]
impl ManualClock {
    /// A clock that shows `now`. Its clones are the same clock.
    pub fn new(now: DateTime<Utc>) -> Self {
        Self { now: std::sync::Arc::new(std::sync::Mutex::new(now)) }
    }

    /// Sets it, forward or back.
    pub fn set(&self, now: DateTime<Utc>) {
        *self.lock() = now;
    }

    /// Moves it, forward or back.
    pub fn advance(&self, by: chrono::TimeDelta) {
        *self.lock() += by;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, DateTime<Utc>> {
        self.now.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[cfg(any(test, feature = "testing"))]
#[async_trait]
impl Clock for ManualClock {
    fn now(&self) -> DateTime<Utc> {
        *self.lock()
    }

    fn elapsed(&self) -> Duration {
        (*self.lock() - DateTime::<Utc>::UNIX_EPOCH).to_std().unwrap_or_default()
    }

    async fn sleep_until(&self, at: DateTime<Utc>) {
        {
            let mut now = self.lock();
            *now = at.max(*now);
        }
        // Others get their turn, as they would while a real clock runs.
        tokio::task::yield_now().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeDelta;

    #[tokio::test]
    async fn the_machines_clock_is_never_early() {
        for milliseconds in [-5, 0, 1, 3, 20] {
            let at = SystemClock.now() + TimeDelta::milliseconds(milliseconds);
            SystemClock.sleep_until(at).await;
            assert!(SystemClock.now() >= at);
        }
    }

    #[test]
    fn what_is_left() {
        let now: DateTime<Utc> = "2026-12-01T09:00:00Z".parse().unwrap();
        assert_eq!(left(now, now), None);
        assert_eq!(left(now - TimeDelta::seconds(1), now), None);
        assert_eq!(left(now + TimeDelta::nanoseconds(1), now), Some(Duration::from_nanos(1)));
        assert!(left(DateTime::<Utc>::MAX_UTC, now).is_some_and(|left| left > READ_AGAIN));
    }

    #[tokio::test]
    async fn a_manual_clock_moves_when_slept_on_and_never_back() {
        let start: DateTime<Utc> = "2026-12-01T09:00:00Z".parse().unwrap();
        let clock = ManualClock::new(start);
        let same = clock.clone();
        clock.sleep_until(start + TimeDelta::hours(1)).await;
        assert_eq!(same.now(), start + TimeDelta::hours(1));
        same.sleep_until(start).await;
        assert_eq!(clock.now(), start + TimeDelta::hours(1));
        clock.set(start);
        clock.advance(TimeDelta::minutes(-1));
        assert_eq!(clock.now(), start - TimeDelta::minutes(1));
    }
}
