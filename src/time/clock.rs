//! The only "now" of the program.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};

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

    /// Waits until so much time has passed, whatever the clock shows by then.
    async fn wait(&self, time: Duration) {
        self.sleep_until(self.now() + TimeDelta::from_std(time).unwrap_or(TimeDelta::days(1))).await;
    }

    /// A clock that all processes go by showed `at` a moment ago. One that goes by it from now on answers by how much
    /// the machine's own clock is ahead of it; the machine's own clock goes by none: `None`.
    fn sync(&self, _at: DateTime<Utc>) -> Option<TimeDelta> {
        None
    }
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

    async fn wait(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }
}

/// How long it is until `at`; `None`: it is there.
fn left(at: DateTime<Utc>, now: DateTime<Utc>) -> Option<Duration> {
    (at - now).to_std().ok().filter(|left| !left.is_zero())
}

/// A clock that several processes go by, such as a ledger's: what it showed when it was last read, and the time that has
/// passed since. Until it was first read it is the machine's.
pub struct SyncedClock {
    machine: Arc<dyn Clock>,
    /// What it showed, and [`Clock::elapsed`] then.
    read: Mutex<Option<(DateTime<Utc>, Duration)>>,
}

impl SyncedClock {
    /// Over the machine's clock.
    pub fn new(machine: Arc<dyn Clock>) -> Self {
        Self { machine, read: Mutex::default() }
    }
}

#[async_trait]
impl Clock for SyncedClock {
    fn now(&self) -> DateTime<Utc> {
        let read = *self.read.lock().unwrap_or_else(PoisonError::into_inner);
        match read {
            Some((at, then)) => at + since(then, self.elapsed()),
            None => self.machine.now(),
        }
    }

    fn elapsed(&self) -> Duration {
        self.machine.elapsed()
    }

    async fn sleep_until(&self, at: DateTime<Utc>) {
        // In steps: it may be read again meanwhile.
        while let Some(left) = left(at, self.now()) {
            self.machine.wait(left.min(READ_AGAIN)).await;
        }
    }

    async fn wait(&self, time: Duration) {
        self.machine.wait(time).await;
    }

    fn sync(&self, at: DateTime<Utc>) -> Option<TimeDelta> {
        // What it takes to be told makes this clock late by as much, never early.
        *self.read.lock().unwrap_or_else(PoisonError::into_inner) = Some((at, self.elapsed()));
        Some(self.machine.now() - at)
    }
}

fn since(then: Duration, now: Duration) -> TimeDelta {
    TimeDelta::from_std(now.saturating_sub(then)).unwrap_or_default()
}

/// A clock that a test sets. Sleeping takes no time: time passes at once.
#[cfg(any(test, feature = "testing"))]
#[derive(Debug, Clone)]
pub struct ManualClock {
    /// What it shows, and how much time has passed.
    now: Arc<Mutex<(DateTime<Utc>, Duration)>>,
}

#[cfg(any(test, feature = "testing"))]
impl ManualClock {
    /// A clock that shows `now`. Its clones are the same clock.
    pub fn new(now: DateTime<Utc>) -> Self {
        // Some time has passed since the machine was started.
        Self { now: Arc::new(Mutex::new((now, Duration::from_hours(1)))) }
    }

    /// Sets it, forward or back, as a person does. No time passes by that.
    pub fn set(&self, now: DateTime<Utc>) {
        self.lock().0 = now;
    }

    /// Sets it forward or back by so much. No time passes by that.
    pub fn step(&self, by: TimeDelta) {
        self.lock().0 += by;
    }

    /// Time passes.
    pub fn pass(&self, time: Duration) {
        let mut now = self.lock();
        now.0 += TimeDelta::from_std(time).expect("a time that a test lets pass");
        now.1 += time;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, (DateTime<Utc>, Duration)> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(any(test, feature = "testing"))]
#[async_trait]
impl Clock for ManualClock {
    fn now(&self) -> DateTime<Utc> {
        self.lock().0
    }

    fn elapsed(&self) -> Duration {
        self.lock().1
    }

    async fn sleep_until(&self, at: DateTime<Utc>) {
        self.wait(left(at, self.now()).unwrap_or_default()).await;
    }

    async fn wait(&self, time: Duration) {
        self.pass(time);
        // Others get their turn, as they would while a real clock runs.
        tokio::task::yield_now().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let passed = clock.elapsed();
        clock.set(start);
        clock.step(TimeDelta::minutes(-1));
        assert_eq!(clock.now(), start - TimeDelta::minutes(1));
        assert_eq!(clock.elapsed(), passed, "a clock that is set lets no time pass");
        clock.pass(Duration::from_mins(1));
        assert_eq!((clock.now(), clock.elapsed()), (start, passed + Duration::from_mins(1)));
    }

    #[tokio::test]
    async fn a_clock_that_several_go_by() {
        let start: DateTime<Utc> = "2026-12-01T09:00:00Z".parse().unwrap();
        let machine = ManualClock::new(start);
        let clock = SyncedClock::new(Arc::new(machine.clone()));
        assert_eq!(clock.now(), start, "not read yet");
        let theirs = start + TimeDelta::minutes(5);
        assert_eq!(clock.sync(theirs), Some(TimeDelta::minutes(-5)));
        machine.pass(Duration::from_secs(30));
        machine.step(TimeDelta::hours(3));
        assert_eq!(clock.now(), theirs + TimeDelta::seconds(30), "whatever the machine's clock shows");
        clock.sleep_until(theirs + TimeDelta::hours(2)).await;
        assert_eq!(clock.now(), theirs + TimeDelta::hours(2));
        assert_eq!(machine.elapsed(), Duration::from_hours(3), "it was waited for by time that passes");
    }
}
